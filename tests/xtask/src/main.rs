//! `cargo xtask demo | test | bench`: the project's commands.
//!
//! Only the standard library, so that it compiles in a moment on a machine that has nothing but Rust. Everything that is missing
//! beyond Rust is installed by it.
//!
//! **Invariant:** the exit code is 0 only if everything that was asked for was done and passed.

#![allow(clippy::print_stdout)]

mod arguments;
mod cargo;
mod launch;
mod limits;
mod long_run;
mod packages;
mod report;
mod suite;
mod tally;
mod tools;

use std::process::ExitCode;

use arguments::{Task, USAGE};

fn main() -> ExitCode {
    let task = match arguments::parse(std::env::args().skip(1)) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match task {
        Task::Usage => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Task::Test { long } => suite::run(long),
        Task::Launch { program, arguments } => match launch::run(program, &arguments) {
            Ok(never) => match never {},
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
