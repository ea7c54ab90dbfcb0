//! Runs a test of this binary as a child of its own.

use std::process::{Command, Stdio};

/// The command that runs the ignored test `name` of this binary in `dir`, behind `before` (such as `unshare`).
pub fn command(before: &[&str], name: &str, dir: &std::path::Path) -> Command {
    let me = std::env::current_exe().expect("a running test has a file");
    let mut command = match before {
        [] => Command::new(&me),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&me);
            command
        }
    };
    command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("STORE_TEST_DIR", dir).stdin(Stdio::null());
    command
}

/// The directory that the parent gave.
pub fn dir() -> std::path::PathBuf {
    std::env::var_os("STORE_TEST_DIR").expect("run by its parent test").into()
}
