//! The program: command line, logs, signals, exit codes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line answers on its standard output")]

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use gateway::adapter::kiosk::credentials::{hash_pin, new_token};
use gateway::adapter::store::{Depth, ShowFilter};
use gateway::app::{self, Checked};
use gateway::cli::{Cli, ConfigArg, DeviceTask, JournalTask, LogFormat, StaffTask, Task};
use gateway::config::ConfigFile;
use gateway::limits::PIN_BYTES_MAX;
use gateway::{devices_file, journal_cli};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// EX_CONFIG.
const CONFIG_EXIT: u8 = 78;
fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = start_logs(&cli) {
        eprintln!("gateway: {error:#}");
        return ExitCode::from(CONFIG_EXIT);
    }
    match perform(cli.task) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_logs(cli: &Cli) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&cli.log).context("--log: give a level such as info, or module=level pairs")?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match cli.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}

fn perform(task: Task) -> anyhow::Result<u8> {
    match task {
        Task::Run(ConfigArg { config }) => with_config(&config, run),
        Task::CheckConfig(ConfigArg { config }) => with_config(&config, |checked| {
            drop(checked);
            println!("{}: good", config.display());
            Ok(0)
        }),
        Task::Journal(task) => journal(task),
        Task::Device(task) => device(task),
        Task::Staff(task) => staff(&task),
    }
}

/// Reads the configuration and all its files; a mistake is told with file, line and key, and ends with EX_CONFIG.
fn with_config(path: &Path, then: impl FnOnce(Checked) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    match ConfigFile::read(path).and_then(Checked::read) {
        Ok(checked) => then(checked),
        Err(error) => {
            eprintln!("gateway: {error}");
            Ok(CONFIG_EXIT)
        }
    }
}

/// Reads the configuration alone, for tasks that need only its paths.
fn config_of(path: &Path) -> anyhow::Result<Result<ConfigFile, u8>> {
    match ConfigFile::read(path) {
        Ok(file) => Ok(Ok(file)),
        Err(error) => {
            eprintln!("gateway: {error}");
            Ok(Err(CONFIG_EXIT))
        }
    }
}

fn run(checked: Checked) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")?;
    let code = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping");
            stop.send_replace(true);
            // Kept until the end, so that the receivers do not see it go.
            std::future::pending::<()>().await;
        });
        app::run(checked, stopped).await
    })?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(code.number())
}

fn journal(task: JournalTask) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime")?;
    let config = match &task {
        JournalTask::Verify { config, .. } | JournalTask::Show { config, .. } | JournalTask::Init { config, .. } => {
            config
        }
    };
    let file = match config_of(config)? {
        Ok(file) => file,
        Err(code) => return Ok(code),
    };
    let dir = file.config.gateway.state_dir.clone();
    match task {
        JournalTask::Verify { whole, .. } => {
            let depth = if whole { Depth::Whole } else { Depth::Entries };
            let good = runtime.block_on(journal_cli::verify(&dir, depth, &mut std::io::stdout()))?;
            Ok(u8::from(!good))
        }
        JournalTask::Show { from, limit, kind, source, private, .. } => {
            let filter = ShowFilter { from, limit: Some(limit), lane: None, kind, source, private };
            runtime.block_on(journal_cli::show(&dir, &filter, &mut std::io::stdout()))?;
            Ok(0)
        }
        JournalTask::Init { replace, .. } => {
            runtime.block_on(journal_cli::init(&dir, replace, &mut std::io::stdout()))?;
            Ok(0)
        }
    }
}

fn device(task: DeviceTask) -> anyhow::Result<u8> {
    let config = match &task {
        DeviceTask::Add { config, .. } | DeviceTask::List(ConfigArg { config }) | DeviceTask::Remove { config, .. } => {
            config
        }
    };
    let file = match config_of(config)? {
        Ok(file) => file,
        Err(code) => return Ok(code),
    };
    let path = &file.config.device_link.devices_file;
    match task {
        DeviceTask::Add { id, silent_after_s, epoch, kind, place, .. } => {
            let device = devices_file::NewDevice { id: id.clone(), epoch, silent_after_s, kind, place };
            let secret = devices_file::add(path, &device)?;
            println!("{id} {}", secret.reveal());
            eprintln!(
                "The secret is shown this once. Put it into the device; a running gateway lets it in within seconds."
            );
            Ok(0)
        }
        DeviceTask::List(_) => {
            for device in devices_file::load(path)? {
                let epoch = device.epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
                println!(
                    "{}\tepoch {epoch}\tsilent after {} s\t{}\t{}",
                    device.id,
                    device.silent_after_s,
                    device.kind.unwrap_or_default(),
                    device.place.unwrap_or_default()
                );
            }
            Ok(0)
        }
        DeviceTask::Remove { id, .. } => {
            devices_file::remove(path, &id)?;
            println!("{id} removed; a running gateway ends its connection within seconds");
            Ok(0)
        }
    }
}

fn staff(task: &StaffTask) -> anyhow::Result<u8> {
    match task {
        StaffTask::Pin { name } => {
            eprintln!("PIN for {name}:");
            let mut pin = zeroize::Zeroizing::new(String::new());
            std::io::stdin().take(PIN_BYTES_MAX).read_to_string(&mut pin).context("the PIN")?;
            println!("staff.{name} = \"{}\"", hash_pin(pin.trim())?);
        }
        StaffTask::Token { name } => {
            let (token, hash) = new_token().map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
            eprintln!("The token is shown this once: {}", token.as_str());
            println!("tokens.{name} = \"{hash}\"");
        }
    }
    Ok(0)
}
