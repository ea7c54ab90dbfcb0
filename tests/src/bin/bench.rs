//! Measurements: `cargo xtask bench` builds for release and runs this.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::bench;

#[derive(Parser)]
#[command(version, about = "Measures a whole site on this machine, beside what its disk can do")]
struct Cli {
    /// Seconds for each measurement
    #[arg(long, default_value_t = bench::EACH.as_secs(), value_parser = clap::value_parser!(u64).range(1..=bench::EACH_MAX.as_secs()))]
    seconds: u64,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(bench::run(&mut std::io::stdout(), Duration::from_secs(cli.seconds))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
