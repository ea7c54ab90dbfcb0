//! The centre of a site: the real `central` with a made-up district, started, stopped and killed.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use serde::Deserialize;

use super::error::SiteError;
use super::http::Api;
use super::ports::Port;
use super::process::{self, Process, Program};
use super::wait::until_is;
use super::{limits, programs};

/// The centre.
#[derive(Debug)]
pub struct Centre {
    program: Program,
    process: Option<Process>,
    /// Whom it knows.
    pub district: District,
    /// Nobody known: health, readiness, metrics.
    pub api: Api,
    /// An operator, who reads and writes.
    pub operator: Api,
    /// Its database file.
    pub database: PathBuf,
    port: Port,
}

/// What `central seed-demo` made.
#[derive(Debug, Clone, Deserialize)]
pub struct District {
    /// The gateway.
    pub gateway: Identity,
    /// The operators.
    pub operators: Vec<Operator>,
    /// The cards.
    pub cards: Vec<CardOfPerson>,
    /// The devices.
    pub devices: Vec<String>,
}

/// A name with its token.
#[derive(Debug, Clone, Deserialize)]
pub struct Identity {
    /// The name.
    pub id: String,
    /// The token.
    pub token: String,
    /// The file that keeps it.
    pub token_file: PathBuf,
}

/// An operator with what they log in with.
#[derive(Debug, Clone, Deserialize)]
pub struct Operator {
    /// The name.
    pub id: String,
    /// The token, for programs.
    pub token: String,
    /// The password, for people.
    pub password: String,
}

/// A card of the district.
#[derive(Debug, Clone, Deserialize)]
pub struct CardOfPerson {
    /// Its number, 20 digits.
    pub serial: String,
    /// How everybody else knows it.
    pub card: String,
    /// Whose it is; also the account's reference.
    pub person: String,
}

impl Centre {
    /// Configures a centre in this directory and fills it with the district; nothing runs yet.
    ///
    /// # Errors
    /// Files, ports or the program fail.
    pub async fn prepare(directory: &Path, log: &str) -> Result<Self, SiteError> {
        let path = programs::find("central")?;
        let port = Port::claim()?;
        let config = directory.join("central.toml");
        let text = format!(
            "listen = \"{}\"\ndatabase = \"central.sqlite\"\nlog = \"{log}\"\n\n[issuer]\nkeys = \"issuer-keys.toml\"\n",
            port.address()
        );
        std::fs::write(&config, text).map_err(SiteError::file(&config))?;
        let config = config.display().to_string();
        let said = process::run(&path, &["seed-demo", "--config", &config]).await?;
        let output = || SiteError::Output {
            program: "central seed-demo".to_owned(),
            wanted: "the district as JSON",
            output: format!("{}\n{}", said.out, said.err),
        };
        let district: District = serde_json::from_str(&said.out).map_err(|_| output())?;
        let first = district.operators.first().ok_or_else(output)?;
        let api = Api::new(port.address())?;
        let program = Program {
            name: "central".to_owned(),
            path,
            arguments: ["run", "--config", &config].iter().map(Into::into).collect(),
            before: Vec::new(),
            variables: Vec::new(),
            log: directory.join("central.log"),
        };
        Ok(Self {
            program,
            process: None,
            operator: api.with_token(&first.token),
            api,
            district,
            database: directory.join("central.sqlite"),
            port,
        })
    }

    /// Starts it and waits until it takes entries.
    ///
    /// # Errors
    /// It ends at once or is not ready in time.
    pub async fn start(&mut self) -> Result<(), SiteError> {
        let mut process = self.program.start()?;
        let ready = async || {
            process.check()?;
            self.api.get("/readyz").await
        };
        until_is("central is ready", limits::READY, ready, |answer| answer.status == 200).await?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM; waits for the end.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn stop(&mut self, within: Duration) -> Result<Option<ExitStatus>, SiteError> {
        let Some(mut process) = self.process.take() else { return Ok(None) };
        // It may have ended already: Ctrl-C reaches it too.
        process.signal(Signal::TERM).ok();
        process.wait(within).await.map(Some)
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// Its process id, while it was not stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.port.address()
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.program.log
    }

    /// The address of the operators' board.
    #[must_use]
    pub fn board(&self) -> String {
        format!("http://{}/", self.port.address())
    }
}
