//! What cargo needs beside itself: rustfmt, clippy, cargo-nextest, cargo-deny; and what drives the browser of the tests.

use crate::cargo;
use crate::packages::{self, Package};

/// Versions that are installed where there is none; any that is there is taken.
const NEXTEST: Tool = Tool { subcommand: "nextest", package: "cargo-nextest", version: "0.9.143" };
const DENY: Tool = Tool { subcommand: "deny", package: "cargo-deny", version: "0.20.2" };

/// Components of the toolchain.
const COMPONENTS: [(&str, &str); 2] = [("fmt", "rustfmt"), ("clippy", "clippy")];

/// Both ask for the slowest of all builds, for speed that nobody notices here.
const QUICK_BUILD: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

struct Tool {
    subcommand: &'static str,
    package: &'static str,
    version: &'static str,
}

/// A tool that is missing and could not be installed.
#[derive(Debug)]
pub struct ToolError {
    line: String,
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed (see above): {}", self.line)
    }
}

/// Installs what the tests need and is missing, into cargo's home, so that it is built once on a machine and not once in a
/// clone.
pub fn for_tests() -> Result<Vec<&'static str>, ToolError> {
    let mut installed = Vec::new();
    for (subcommand, component) in COMPONENTS {
        if !is_there(subcommand) {
            run("rustup", &["component", "add", component])?;
            installed.push(component);
        }
    }
    installed.extend(built(NEXTEST)?);
    Ok(installed)
}

/// The same for what looks at the dependencies; the tests do without.
pub fn for_dependencies() -> Result<Vec<&'static str>, ToolError> {
    Ok(built(DENY)?.into_iter().collect())
}

/// What drives the browser, into its folder; again where its list has changed since.
pub fn for_pages() -> Result<Vec<&'static str>, ToolError> {
    let folder = cargo::workspace().join("tests/browser");
    let wanted = std::fs::read(folder.join("package-lock.json")).unwrap_or_default();
    let mark = folder.join("node_modules/.installed-of");
    if !wanted.is_empty() && std::fs::read(&mark).is_ok_and(|known| known == wanted) {
        return Ok(Vec::new());
    }
    let line = "npm ci --ignore-scripts (in tests/browser)";
    let mut command = cargo::command("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    let done = cargo::status(command).is_ok_and(|s| s.success()) && std::fs::write(mark, wanted).is_ok();
    if done { Ok(vec!["playwright-core", "axe-core"]) } else { Err(ToolError { line: line.to_owned() }) }
}

/// Node.js with npm, where they are not there from elsewhere.
pub fn node_packages() -> &'static [Package] {
    let is_there = |program| {
        let mut command = cargo::command(program);
        command.arg("--version");
        cargo::succeeds(command)
    };
    if is_there("node") && is_there("npm") { &[] } else { packages::NODE }
}

fn built(tool: Tool) -> Result<Option<&'static str>, ToolError> {
    if is_there(tool.subcommand) {
        return Ok(None);
    }
    println!("{} is missing; building it takes some minutes, once on this machine", tool.package);
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    run(&cargo, &["install", "--quiet", "--locked", tool.package, "--version", tool.version])?;
    Ok(Some(tool.package))
}

fn is_there(subcommand: &str) -> bool {
    cargo::succeeds(cargo::cargo(&[subcommand, "--version"]))
}

fn run(program: &str, arguments: &[&str]) -> Result<(), ToolError> {
    let mut command = cargo::command(program);
    command.args(arguments).envs(QUICK_BUILD);
    if cargo::status(command).is_ok_and(|s| s.success()) {
        return Ok(());
    }
    Err(ToolError { line: format!("{program} {}", arguments.join(" ")) })
}
