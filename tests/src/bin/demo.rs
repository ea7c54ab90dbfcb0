//! The demonstration: a whole site on this machine, a story played on it, and then open to whoever wants to try.
//!
//! Exit code 0: everything happened as it should; 1: something did not, and the services' logs are shown.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::demo;
use tests::site::error::SiteError;
use tests::site::{Site, SiteSettings};
use tokio::sync::mpsc::{Receiver, channel};

#[derive(Parser)]
#[command(version, about = "The gateway, the centre, a card and buttons on this machine")]
struct Cli {
    /// End after the story instead of staying up until Ctrl-C
    #[arg(long)]
    once: bool,
}

/// Lines that wait to be obeyed.
const LINES: usize = 16;
/// How long a service may take to end.
const STOP: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(run(cli.once));
    // A thread that waits for a line must not hold the end up.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(once: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let settings = SiteSettings {
        devices: ["btn-0001", "btn-0002", "cord-0001"].map(str::to_owned).into(),
        ..SiteSettings::with_cards()
    };
    writeln!(out, "starting pcscd with virtual readers, the centre and the gateway …")?;
    let mut site = Site::start(&settings).await?;
    let shown = tokio::select! {
        shown = show(&mut site, once, &mut out) => shown,
        () = interrupted() => Ok(()),
    };
    if let Err(error) = shown {
        eprintln!("{}", site.logs());
        return Err(error);
    }
    end(site, &mut out).await
}

async fn show(site: &mut Site, once: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    demo::play(site, out).await?;
    if once {
        return Ok(());
    }
    demo::addresses(out, site)?;
    Ok(demo::go_on(site, out, typed_lines(), std::future::pending()).await?)
}

/// Stops both services as a service manager would.
async fn end(mut site: Site, out: &mut dyn Write) -> anyhow::Result<()> {
    let gateway = site.gateway.stop(STOP).await?;
    let centre = site.centre.stop(STOP).await?;
    for (name, status) in [("gateway", gateway), ("central", centre)] {
        if let Some(status) = status.filter(|status| !status.success()) {
            return Err(SiteError::Ended { program: name.to_owned(), status, output: site.logs() }.into());
        }
    }
    writeln!(out, "\ngateway and centre ended; nothing is left running")?;
    Ok(())
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn typed_lines() -> Receiver<String> {
    let (tell, lines) = channel(LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
