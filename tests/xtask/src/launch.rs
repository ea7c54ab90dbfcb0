//! `cargo xtask demo` and `cargo xtask bench`: install, build, and become the program of crate `tests` that does it.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

use crate::cargo;
use crate::packages::{self, Package, PackageError};
use crate::tools::{self, ToolError};

/// A program of crate `tests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The whole thing, shown.
    Demo,
    /// Measurements.
    Bench,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Bench => "bench",
        }
    }

    fn packages(self) -> &'static [&'static [Package]] {
        match self {
            Self::Demo => &[packages::DEMO],
            Self::Bench => &[packages::DEMO, packages::BROKER, packages::TEST],
        }
    }

    /// Also the name of the folder below `target` that it leads to.
    fn profile(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Demo => ("debug", &["build", "--workspace", "--bins"]),
            Self::Bench => ("release", &["build", "--workspace", "--bins", "--release"]),
        }
    }
}

/// Why the program was not started.
#[derive(Debug)]
pub enum LaunchError {
    /// Packages are missing.
    Packages(PackageError),
    /// What drives the browser is missing.
    Tools(ToolError),
    /// cargo could not build, and has said why.
    Build,
    /// The workspace has no such program.
    Missing(&'static str),
    /// It could not be started.
    Start(PathBuf, io::Error),
}

impl std::fmt::Display for LaunchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Packages(error) => error.fmt(f),
            Self::Tools(error) => error.fmt(f),
            Self::Build => write!(f, "the build failed, see above"),
            Self::Missing(name) => write!(f, "crate `tests` has no program `{name}` yet; nothing was started"),
            Self::Start(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// Becomes the program; returns only when that failed.
pub fn run(program: Program, arguments: &[String]) -> Result<Infallible, LaunchError> {
    packages::ensure(program.packages()).map_err(LaunchError::Packages)?;
    if program == Program::Bench {
        packages::ensure(&[tools::node_packages()]).map_err(LaunchError::Packages)?;
        tools::for_pages().map_err(LaunchError::Tools)?;
    }
    let (folder, build) = program.profile();
    if !cargo::status(cargo::cargo(build)).is_ok_and(|s| s.success()) {
        return Err(LaunchError::Build);
    }
    let path = cargo::target().join(folder).join(program.name());
    if !path.is_file() {
        return Err(LaunchError::Missing(program.name()));
    }
    let error = cargo::command(&path).stdin(Stdio::inherit()).args(arguments).exec();
    Err(LaunchError::Start(path, error))
}
