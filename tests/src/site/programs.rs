//! Where the programs under test are: beside the program that tests them, as cargo builds them.
//!
//! `target/debug/deps/e2e_…` finds `target/debug/gateway`; so does `target/debug/demo`. Nothing makes cargo build another
//! package's program for a test, so a missing one is named with the command that builds it.

use std::path::{Path, PathBuf};

use super::error::SiteError;

/// Builds every program, as `cargo xtask test` and `cargo xtask demo` do first.
const BUILD: &str = "cargo build --workspace --bins";
/// The same for benchmarks.
const BUILD_RELEASE: &str = "cargo build --workspace --bins --release";

/// The program of this name.
///
/// # Errors
/// [`SiteError::NotBuilt`].
pub fn find(name: &str) -> Result<PathBuf, SiteError> {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().unwrap_or(Path::new(""));
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    let build = if folder.ends_with("release") { BUILD_RELEASE } else { BUILD };
    Err(SiteError::NotBuilt { path, build })
}
