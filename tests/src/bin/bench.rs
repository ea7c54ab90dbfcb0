//! Measurements: `cargo xtask bench` builds for release and runs this.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::bench::{self, Part, Settings, limits};

#[derive(Parser)]
#[command(version, about = "Measures a whole site on this machine, beside what its disk can do")]
struct Cli {
    /// Only these parts: reports, presses, memory, start, drain, peer, pages
    #[arg(long, value_delimiter = ',', value_parser = part)]
    only: Vec<Part>,
    /// A look at every figure, once and with small numbers
    #[arg(long)]
    quick: bool,
    /// Seconds for each measurement
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=limits::SECONDS_MAX))]
    seconds: Option<u64>,
    /// How often each figure is measured
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=20))]
    rounds: Option<u8>,
    /// Another MQTT broker that gets the same reports (address:port)
    #[arg(long)]
    peer: Option<SocketAddr>,
    /// Ends with exit code 1 when a goal is missed
    #[arg(long)]
    check: bool,
}

fn part(word: &str) -> Result<Part, String> {
    Part::of_word(word).ok_or_else(|| {
        let words: Vec<&str> = Part::ALL.iter().map(|part| part.word()).collect();
        format!("one of {}", words.join(", "))
    })
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut settings = if cli.quick { Settings::quick() } else { Settings::full() };
    if !cli.only.is_empty() {
        settings.parts = cli.only;
    }
    settings.each = cli.seconds.map_or(settings.each, Duration::from_secs);
    settings.rounds = cli.rounds.map_or(settings.rounds, usize::from);
    settings.peer = cli.peer;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(bench::run(&mut std::io::stdout(), &settings)) {
        Ok(met) if met || !cli.check => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
