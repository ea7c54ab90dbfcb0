//! The gateway of a site: the real daemon, started, stopped and killed, and its command line.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use gateway::devices_file::{Secret, SecretHash};
use rustix::process::Signal;
use serde_json::Value;

use super::centre::Identity;
use super::error::SiteError;
use super::http::Api;
use super::mqtt::Login;
use super::ports::Port;
use super::process::{self, Process, Program, Said};
use super::wait::until_is;
use super::{READER, files, limits, programs};
use crate::virtual_card::{CARD_READER, PSAM_READER};

/// The staff number of the site's nurse.
pub const NURSE: &str = "n1024";
/// Her PIN.
pub const PIN: &str = "480215";
/// The name of the program that has a token for the local interface.
const ROBOT: &str = "e2e";
/// After how many seconds the daemon tries a disk again: a start without its journal is seen before that.
const STORAGE_RETRY_S: u16 = 6;

/// What a gateway is prepared with.
#[derive(Debug)]
pub struct Preparation<'a> {
    /// The site's directory.
    pub directory: &'a Path,
    /// Its identity at the centre.
    pub identity: &'a Identity,
    /// The centre's addresses, in the order in which they are tried.
    pub centres: Vec<String>,
    /// What pcscd's clients are told, where there are readers.
    pub readers: Option<(OsString, OsString)>,
    /// How long a device is watched when staff try it, seconds.
    pub device_test_s: u16,
    /// How much is logged.
    pub log: &'a str,
    /// Whether it listens with TLS too, and lets one address have as many connections as there are devices.
    pub for_measuring: bool,
}

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
    program: Program,
    process: Option<Process>,
    /// The local interface for nobody known.
    pub api: Api,
    /// The same for a program with a token.
    pub staff: Api,
    /// The configuration file.
    pub config: PathBuf,
    /// Where the journal lies.
    pub state: PathBuf,
    mqtt: Port,
    mqtt_tls: Option<Port>,
    /// The certificate of the listener with TLS, in the binary form, where there is one.
    certificate: Option<Vec<u8>>,
    kiosk: Port,
}

impl Gateway {
    /// Writes configuration, token and credentials and begins the journal; nothing runs yet.
    ///
    /// # Errors
    /// Files, ports or the program fail.
    pub async fn prepare(with: Preparation<'_>) -> Result<Self, SiteError> {
        let path = programs::find("gateway")?;
        let (mqtt, kiosk) = (Port::claim()?, Port::claim()?);
        let config = with.directory.join("gateway.toml");
        let mqtt_tls = if with.for_measuring { Some(Port::claim()?) } else { None };
        let certificate = if with.for_measuring { Some(certificate(with.directory)?) } else { None };
        files::write(&config, &configuration(&with, &mqtt, mqtt_tls.as_ref(), &kiosk))?;
        files::write_secret(&with.directory.join("uplink.token"), &with.identity.token)?;
        files::write(&with.directory.join("devices.toml"), "")?;
        let (credentials, token) = credentials(&path).await?;
        files::write_secret(&with.directory.join("credentials.toml"), &credentials)?;
        let api = Api::new(kiosk.address())?;
        let arguments = ["--log", with.log, "run", "--config"].map(OsString::from).into_iter();
        let program = Program {
            name: "gateway".to_owned(),
            path,
            arguments: arguments.chain([config.clone().into_os_string()]).collect(),
            before: Vec::new(),
            variables: with.readers.into_iter().collect(),
            log: with.directory.join("gateway.log"),
        };
        let state = with.directory.join("state");
        let staff = api.with_token(&token);
        let this = Self { program, process: None, staff, api, config, state, mqtt, mqtt_tls, certificate, kiosk };
        this.tool_well(&["journal", "init"]).await?;
        Ok(this)
    }

    /// Sets a variable for its next start, such as a library that is loaded into it.
    pub fn set_variable(&mut self, name: OsString, value: OsString) {
        self.program.variables.retain(|(known, _)| *known != name);
        self.program.variables.push((name, value));
    }

    /// From its next start on it is what these words become, such as `prlimit --nofile=64`.
    pub fn start_behind(&mut self, words: &[&str]) {
        self.program.before = words.iter().map(OsString::from).collect();
    }

    /// Starts it and waits until it takes reports.
    ///
    /// # Errors
    /// It ends at once or is not ready in time.
    pub async fn start(&mut self) -> Result<(), SiteError> {
        self.launch()?;
        self.wait_ready().await
    }

    /// Starts it and returns at once.
    ///
    /// # Errors
    /// The system does not start it.
    pub fn launch(&mut self) -> Result<(), SiteError> {
        self.process = Some(self.program.start()?);
        Ok(())
    }

    /// Waits until it takes reports.
    ///
    /// # Errors
    /// It has ended or is not ready in time.
    pub async fn wait_ready(&mut self) -> Result<(), SiteError> {
        let (process, api) = (&mut self.process, &self.api);
        let ready = async || {
            process.as_mut().map_or(Ok(()), Process::check)?;
            api.get("/readyz").await
        };
        until_is("the gateway is ready", limits::READY, ready, |answer| answer.status == 200).await?;
        Ok(())
    }

    /// Waits until its status is as wanted.
    ///
    /// # Errors
    /// It is not in time.
    pub async fn wait_status(
        &self,
        what: &str,
        within: Duration,
        wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value, SiteError> {
        until_is(what, within, async || self.api.read("/api/v1/status").await, wanted).await
    }

    /// Waits until the centre answers, and until everything recorded so far is there.
    ///
    /// # Errors
    /// It is not in time.
    pub async fn wait_delivered(&self, within: Duration) -> Result<Value, SiteError> {
        let empty = |status: &Value| {
            let lanes = status["lanes"].as_array().map(Vec::as_slice).unwrap_or_default();
            status["uplink"]["online"] == true && !lanes.is_empty() && lanes.iter().all(|lane| lane["waiting"] == 0)
        };
        self.wait_status("everything is at the centre", within, empty).await
    }

    /// SIGSTOP; returns when none of its threads will run another instruction of its own. One in a system call ends that call.
    ///
    /// # Errors
    /// It does not run, or does not stop in time.
    pub async fn freeze(&self) -> Result<(), SiteError> {
        match &self.process {
            Some(process) => process.freeze().await,
            None => Ok(()),
        }
    }

    /// SIGKILL; returns when it is gone.
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

    /// Its process id, while it was not stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The memory that it has in use, KiB; `None` while it does not run.
    #[must_use]
    pub fn resident_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// That it runs.
    ///
    /// # Errors
    /// It has ended by itself, or does not run at all.
    pub fn check(&mut self) -> Result<(), SiteError> {
        self.process.as_mut().map_or(Ok(()), Process::check)
    }

    /// How it ended by itself, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().and_then(Process::ended)
    }

    /// Runs the program with these words and this gateway's configuration.
    ///
    /// # Errors
    /// It cannot be started, or does not end in time.
    pub async fn tool(&self, words: &[&str]) -> Result<Said, SiteError> {
        let config = self.config.display().to_string();
        process::run(&self.program.path, &[words, &["--config", &config]].concat()).await
    }

    /// The same; anything but success is an error.
    ///
    /// # Errors
    /// It cannot be started, does not end in time, or fails.
    pub async fn tool_well(&self, words: &[&str]) -> Result<String, SiteError> {
        let said = self.tool(words).await?;
        if said.status.success() {
            return Ok(said.out);
        }
        let program = format!("gateway {}", words.join(" "));
        Err(SiteError::Ended { program, status: said.status, output: format!("{}\n{}", said.out, said.err) })
    }

    /// Adds a device and gives what it logs in with. A running daemon knows it within seconds.
    ///
    /// # Errors
    /// The tool fails.
    pub async fn add_device(&self, device: &str) -> Result<Login, SiteError> {
        let out = self.tool_well(&["device", "add", device, "--kind", "button"]).await?;
        let secret = out.strip_prefix(device).map(str::trim).filter(|secret| !secret.is_empty());
        let wrong = || SiteError::Output {
            program: "gateway device add".to_owned(),
            wanted: "the device's name and secret",
            output: out.clone(),
        };
        let secret = secret.ok_or_else(wrong)?.to_owned();
        Ok(Login { device: device.to_owned(), secret, address: self.mqtt.address() })
    }

    /// Adds many devices at once, before the daemon runs; gives what each logs in with.
    ///
    /// # Errors
    /// The file cannot be written, or the system gives no random numbers.
    pub fn add_devices(&self, devices: &[String]) -> Result<Vec<Login>, SiteError> {
        let path = self.config.with_file_name("devices.toml");
        let mut text = std::fs::read_to_string(&path).map_err(SiteError::file(&path))?;
        let mut logins = Vec::with_capacity(devices.len());
        for device in devices {
            let random = |_| SiteError::File { path: path.clone(), source: std::io::ErrorKind::Unsupported.into() };
            let secret = Secret::draw().map_err(random)?;
            let hash = SecretHash::of(&secret).map_err(random)?;
            text.push_str(&format!("\n[[device]]\nid = \"{device}\"\nsecret_hash = \"{hash}\"\n"));
            let (secret, address) = (secret.reveal().to_owned(), self.mqtt.address());
            logins.push(Login { device: device.clone(), secret, address });
        }
        files::write_secret(&path, &text)?;
        Ok(logins)
    }

    /// Verifies the whole journal; the daemon may run.
    ///
    /// # Errors
    /// It does not verify.
    pub async fn verify_journal(&self) -> Result<String, SiteError> {
        self.tool_well(&["journal", "verify"]).await
    }

    /// Rewrites its configuration, which counts from its next start.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn reconfigure(&self, change: impl FnOnce(String) -> String) -> Result<(), SiteError> {
        let text = std::fs::read_to_string(&self.config).map_err(SiteError::file(&self.config))?;
        files::write(&self.config, &change(text))
    }

    /// Sends it to these addresses of the centre from its next start on; `more` is put behind its configuration.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn reroute(&self, centres: &[&str], more: &str) -> Result<(), SiteError> {
        let urls: Vec<String> = centres.iter().map(|url| format!("\"{url}\"")).collect();
        let line = format!("urls = [{}]", urls.join(", "));
        let lines = |text: String| {
            let rewritten: Vec<&str> =
                text.lines().map(|old| if old.starts_with("urls = ") { line.as_str() } else { old }).collect();
            format!("{}\n{more}", rewritten.join("\n"))
        };
        self.reconfigure(lines)
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.program.log
    }

    /// Where devices connect.
    #[must_use]
    pub fn mqtt(&self) -> std::net::SocketAddr {
        self.mqtt.address()
    }

    /// Where devices connect with TLS, and the certificate that they see there; only where the site is for measuring.
    #[must_use]
    pub fn mqtt_tls(&self) -> Option<(std::net::SocketAddr, &[u8])> {
        Some((self.mqtt_tls.as_ref()?.address(), self.certificate.as_deref()?))
    }

    /// Where the local interface listens.
    #[must_use]
    pub fn kiosk_address(&self) -> std::net::SocketAddr {
        self.kiosk.address()
    }

    /// The address of the kiosk's page.
    #[must_use]
    pub fn kiosk_page(&self) -> String {
        format!("http://{}/", self.kiosk.address())
    }

    /// The program's file.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program.path
    }
}

/// A certificate for `localhost` and its key, as the configuration names them.
fn certificate(directory: &Path) -> Result<Vec<u8>, SiteError> {
    let path = directory.join("server.pem");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .map_err(|_| SiteError::File { path: path.clone(), source: std::io::ErrorKind::Unsupported.into() })?;
    files::write(&path, &made.cert.pem())?;
    files::write_secret(&directory.join("server.key"), &made.signing_key.serialize_pem())?;
    Ok(made.cert.der().to_vec())
}

fn configuration(with: &Preparation<'_>, mqtt: &Port, mqtt_tls: Option<&Port>, kiosk: &Port) -> String {
    let urls: Vec<String> = with.centres.iter().map(|url| format!("\"{url}\"")).collect();
    let tls = mqtt_tls.map_or_else(String::new, |port| {
        format!(
            "connections_per_address_max = 12000\n\
             tls = {{ address = \"{}\", certificate = \"server.pem\", key = \"server.key\" }}\n",
            port.address()
        )
    });
    let mut text = format!(
        "[gateway]\nid = \"{}\"\nstate_dir = \"state\"\ntrust_clock = true\nstorage_retry_s = {STORAGE_RETRY_S}\n\n\
         [device_link]\ndevices_file = \"devices.toml\"\nplain = \"{}\"\n{tls}\n\
         [uplink]\nurls = [{}]\ntoken_file = \"uplink.token\"\n\n\
         [kiosk]\nlisten = \"{}\"\ncredentials_file = \"credentials.toml\"\ndevice_test_s = {}\n",
        with.identity.id,
        mqtt.address(),
        urls.join(", "),
        kiosk.address(),
        with.device_test_s
    );
    if with.readers.is_some() {
        text.push_str(&format!(
            "\n[card_reader]\npsam = \"{PSAM_READER}\"\n\n[[card_reader.reader]]\nid = \"{READER}\"\npcsc = \"{CARD_READER}\"\n"
        ));
    }
    text
}

/// A credentials file with the nurse and a program, made by the gateway's own command line, and the program's token.
async fn credentials(gateway: &Path) -> Result<(String, String), SiteError> {
    let pin = hash_pin(gateway)?;
    let said = process::run(gateway, &["staff", "token", ROBOT]).await?;
    let token = said.err.rsplit(':').next().map(str::trim).filter(|token| token.len() == 64);
    let wrong = |output: &str| SiteError::Output {
        program: "gateway staff".to_owned(),
        wanted: "an entry of a credentials file",
        output: output.to_owned(),
    };
    let token = token.ok_or_else(|| wrong(&said.err))?.to_owned();
    Ok((format!("{pin}\n{}", said.out), token))
}

fn hash_pin(gateway: &Path) -> Result<String, SiteError> {
    let failed = |source| SiteError::Start { program: "gateway staff pin".to_owned(), source };
    let mut command = Command::new(gateway);
    command.args(["staff", "pin", NURSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "{PIN}").map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
