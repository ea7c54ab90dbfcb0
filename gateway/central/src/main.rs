//! The command line of the centre.
//!
//! Exit codes: 0 well, 1 could not start or run, 74 the disk failed (start again), 78 the configuration is wrong.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use central::app::{self, Ended};
use central::config::{self, Config, ConfigError};
use central::seed;
use clap::{Parser, Subcommand};
use protocols::id::ActorId;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

const EX_IOERR: u8 = 74;
const EX_CONFIG: u8 = 78;
/// Bytes of a line of standard input: more than any password has.
const LINE_BYTES_MAX: u64 = 1_024;

/// The centre: takes what gateways record, keeps the ledger, shows alarms to operators.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until a signal says stop.
    Run(ConfigFile),
    /// Fill the database with a made-up district and print its tokens as JSON. Run again, it changes nothing.
    SeedDemo(ConfigFile),
    /// Give an operator a new token, and print it. The centre must not run: a running one gives tokens to those who
    /// have one (PUT /api/v1/operators/{id}).
    AddOperator(AddOperator),
    /// What concerns one operator.
    #[command(subcommand)]
    Operator(Operator),
    /// Read the configuration and the files it names, and say what is wrong.
    CheckConfig(ConfigFile),
}

#[derive(Subcommand)]
enum Operator {
    /// Give an operator the password that is the first line of standard input; one who is not known becomes one. The centre must
    /// not run: with a running one, operators do it (PUT /api/v1/operators/{id}/password).
    Password(AddOperator),
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/chongyang/central.toml")]
    config: PathBuf,
}

#[derive(clap::Args)]
struct AddOperator {
    /// The operator's name: 1 to 32 of A-Z a-z 0-9 - _.
    name: ActorId,
    #[command(flatten)]
    file: ConfigFile,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("central: {error:#}");
            let is_config = error.chain().any(|cause| cause.is::<ConfigError>());
            ExitCode::from(if is_config { EX_CONFIG } else { 1 })
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::CheckConfig(file) => {
            let config = config::read(&file.config)?.check()?;
            writeln!(std::io::stdout(), "{}: well; listens on {}", file.config.display(), config.listen)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::SeedDemo(file) => {
            let unchecked = config::read(&file.config)?;
            let district = runtime()?.block_on(seed::run(unchecked))?;
            writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&district)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::AddOperator(arguments) => {
            let config = config::read(&arguments.file.config)?.check()?;
            let token = runtime()?.block_on(app::add_operator(&config, arguments.name))?;
            writeln!(std::io::stdout(), "{}", token.expose())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Operator(Operator::Password(arguments)) => {
            let config = config::read(&arguments.file.config)?.check()?;
            let mut line = Zeroizing::new(String::new());
            BufReader::new(std::io::stdin().take(LINE_BYTES_MAX))
                .read_line(&mut line)
                .context("standard input cannot be read")?;
            let password = line.trim_end_matches(['\n', '\r']);
            runtime()?.block_on(app::set_password(&config, arguments.name, password))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(file) => {
            let config = config::read(&file.config)?.check()?;
            log(&config);
            runtime()?.block_on(serve(&config))
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be made")
}

fn log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(&config.log);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).json().init();
}

async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    let mut running = app::start(config).await?;
    // Without a service manager there is nobody to tell.
    sd_notify::notify(&[NotifyState::Ready]).ok();
    let watchdog = sd_notify::watchdog_enabled();
    let failed = loop {
        tokio::select! {
            _ = terminate.recv() => break false,
            _ = interrupt.recv() => break false,
            () = running.failed() => break true,
            () = sign_of_life(watchdog) => drop(sd_notify::notify(&[NotifyState::Watchdog])),
        }
    };
    if failed {
        tracing::error!("the writer failed: the process ends, so that a new one starts from the disk");
        return Ok(ExitCode::from(EX_IOERR));
    }
    sd_notify::notify(&[NotifyState::Stopping]).ok();
    tracing::info!("stopping");
    match running.stop().await {
        Ended::Clean => Ok(ExitCode::SUCCESS),
        Ended::RequestsCut => Ok(ExitCode::SUCCESS),
        Ended::WriterFailed => Ok(ExitCode::from(EX_IOERR)),
    }
}

/// Half the time after which the service manager would start us anew; without a watchdog, never.
async fn sign_of_life(watchdog: Option<Duration>) {
    match watchdog {
        Some(within) => tokio::time::sleep(within / 2).await,
        None => std::future::pending().await,
    }
}
