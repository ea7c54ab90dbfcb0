//! The few lines of C without which a disk cannot be made to fail: compiled when a test asks for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PowerError;

/// Compiles `source` to `name` in this directory, with these arguments beside.
pub(super) fn compile(directory: &Path, name: &str, source: &str, arguments: &[&str]) -> Result<PathBuf, PowerError> {
    let (code, program) = (directory.join(format!("{name}.c")), directory.join(name));
    std::fs::write(&code, source).map_err(PowerError::file(&code))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-Wall", "-Werror"]).args(arguments).arg(&code).arg("-o").arg(&program);
    run(&mut compiler)?;
    Ok(program)
}

/// Runs a program that does one thing and ends.
pub(super) fn run(command: &mut Command) -> Result<(), PowerError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| PowerError::Missing { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(PowerError::Tool { program, output: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}
