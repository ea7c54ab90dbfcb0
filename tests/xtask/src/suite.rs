//! `cargo xtask test`: every check, from the quickest to the longest.
//!
//! A failure does not stop what can still tell something: whoever reads the output wants all of it.
//!
//! Dependencies are compiled twice and no more: once checked, for clippy, and once built, for everything else. So the build names
//! the same targets as the test runs (their development dependencies decide the features), and everything is one profile.

use std::process::{Command, ExitCode};

use crate::report::{Outcome, Report};
use crate::tally::{self, Tally};
use crate::{cargo, limits, long_run, packages, tools};

/// Tells the tests to do as many rounds as before a release.
const LONG: (&str, &str) = ("LONG", "1");

/// Runs everything and prints the report.
pub fn run(long: bool) -> ExitCode {
    let mut report = Report::default();
    let packages = report.step("install: Debian packages", || {
        installed(packages::ensure(&[packages::DEMO, packages::BROKER, packages::TEST, tools::node_packages()]))
    });
    let tools = report.step("install: rustfmt, clippy, cargo-nextest", || installed(tools::for_tests()));
    let driver = report.step("install: what drives the browser", || installed(tools::for_pages()));
    let deny_is_there = report.step("install: cargo-deny", || installed(tools::for_dependencies()));
    report.step("format", || passes(cargo::cargo(&["fmt", "--all", "--check"])));
    report
        .step("licences, bans, sources", || needing(deny_is_there, || passes(deny(&["licenses", "bans", "sources"]))));
    report.step("advisories", || needing(deny_is_there, advisories));
    report.step("lints", || passes(clippy(&["--workspace", "--all-targets"])));
    report.step("lints: protocols without alloc", || {
        passes(clippy(&["--package", "protocols", "--no-default-features"]))
    });
    let built = report.step("build", || passes(cargo::cargo(&["build", "--workspace", "--lib", "--bins", "--tests"])));
    let ready = built && tools && packages && driver;
    report.step("tests", || if ready { nextest(long) } else { Outcome::NotRun("something is missing, see above") });
    report.step("documentation", || passes(documentation()));
    report.step("documentation tests", || if built { doc_tests() } else { Outcome::NotRun("nothing was built") });
    println!("\n=== summary\n{}", report.summary());
    if report.tally().failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn installed<E: std::fmt::Display>(done: Result<Vec<&'static str>, E>) -> Outcome {
    match done {
        Ok(names) if names.is_empty() => println!("all there"),
        Ok(names) => println!("installed: {}", names.join(" ")),
        Err(error) => {
            println!("error: {error}");
            return Outcome::Failed(None);
        }
    }
    Outcome::Passed(None)
}

fn needing(tools: bool, work: impl FnOnce() -> Outcome) -> Outcome {
    if tools { work() } else { Outcome::NotRun("a tool is missing, see above") }
}

fn passes(command: Command) -> Outcome {
    Outcome::of(cargo::status(command).is_ok_and(|s| s.success()))
}

fn clippy(arguments: &[&str]) -> Command {
    let mut command = cargo::cargo(&["clippy", "--quiet"]);
    command.args(arguments).args(["--", "-D", "warnings"]);
    command
}

/// Every link between items leads somewhere.
fn documentation() -> Command {
    let mut command = cargo::cargo(&["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
    command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    command
}

fn deny(checks: &[&str]) -> Command {
    let mut command = cargo::cargo(&["deny", "--workspace", "check", "--hide-inclusion-graph"]);
    command.args(checks);
    command
}

/// Known faults of the dependencies. Their database is not everywhere reachable.
fn advisories() -> Outcome {
    let fetch = cargo::cargo(&["deny", "fetch", "db"]);
    match cargo::status_within(fetch, limits::ADVISORIES_FETCH) {
        Ok(Some(status)) if status.success() => passes(deny(&["--disable-fetch", "advisories"])),
        Ok(Some(_) | None) | Err(_) => Outcome::Skipped("the database of advisories cannot be reached from here"),
    }
}

fn nextest(long: bool) -> Outcome {
    let profile = if long { "long" } else { "default" };
    let mut command = cargo::cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--profile", profile]);
    if long {
        command.env(LONG.0, LONG.1);
    } else {
        command.env_remove(LONG.0);
    }
    let outputs = cargo::target().join("nextest").join(profile).join("junit.xml");
    // That of an earlier run; there may be none.
    drop(std::fs::remove_file(&outputs));
    let outcome = counting(command, tally::nextest_summary);
    let Ok(outputs) = std::fs::read_to_string(&outputs) else {
        println!("error: {} is missing; the tests that skip themselves cannot be counted", outputs.display());
        return Outcome::Failed(outcome.tests());
    };
    let skipped = tally::skipped_lines(&outputs);
    skipped.iter().for_each(|line| println!("{line}"));
    if long {
        match long_run::write(&outputs) {
            Ok((path, table)) => println!("\n{table}\nThis is {}, for gateway/docs/long-run.md.", path.display()),
            Err(error) => {
                println!("error: the table of figures cannot be written: {error}");
                return Outcome::Failed(outcome.tests());
            }
        }
    }
    outcome.with_skipped(skipped.len())
}

fn doc_tests() -> Outcome {
    counting(cargo::cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]), tally::test_result)
}

fn counting(command: Command, read: impl Fn(&str) -> Option<Tally>) -> Outcome {
    let mut sum: Option<Tally> = None;
    let status = cargo::status_reading(command, |line| {
        if let Some(tally) = read(line) {
            sum = Some(sum.unwrap_or_default().plus(tally));
        }
    });
    match status {
        // Without a count nothing shows that anything ran.
        Ok(status) if status.success() && sum.is_some() => Outcome::Passed(sum),
        Ok(_) | Err(_) => Outcome::Failed(sum),
    }
}
