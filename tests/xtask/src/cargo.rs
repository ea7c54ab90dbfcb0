//! Child processes: cargo without the traces of the cargo that started this program, and reading along with what they print.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::limits;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).map(PathBuf::from).unwrap_or(own)
}

/// Where cargo puts what it builds, whatever its configuration says: this program lies in a folder of it.
pub fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(2).map(PathBuf::from).unwrap_or_default()
}

/// A command in the root of the workspace, with nothing to read.
///
/// `cargo run` describes this package to it in variables. Build scripts that look at such variables (ring's does) would be run
/// again, with everything that depends on them, each time somebody changes between `cargo xtask` and `cargo` itself.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_this_package) {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace()).stdin(Stdio::null());
    command
}

/// cargo, in the root of the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    // The variable names the toolchain's cargo itself, past rustup.
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    // Where every run begins anew, notes for the next one cost time and disk.
    if std::env::var_os("CI").is_some() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

fn describes_this_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_") || variable == "CARGO_PRIMARY_PACKAGE"
}

/// Runs it to its end; it prints where this program prints.
pub fn status(mut command: Command) -> io::Result<ExitStatus> {
    command.status()
}

/// Whether it runs and ends with success; what it prints is dropped.
pub fn succeeds(mut command: Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Runs it to its end, but not longer than this. `None`: it did not end in time and was killed.
pub fn status_within(mut command: Command, longest: Duration) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > longest {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(limits::POLL);
    }
}

/// Runs it to its end, prints what it prints, and shows each line, without colours, to `reader`.
pub fn status_reading(mut command: Command, mut reader: impl FnMut(&str)) -> io::Result<ExitStatus> {
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (lines, received) = mpsc::channel();
    std::thread::scope(|scope| {
        let out = child.stdout.take().map(|out| (out, lines.clone()));
        let err = child.stderr.take().map(|err| (err, lines));
        if let Some((out, lines)) = out {
            scope.spawn(move || send_lines(out, &lines));
        }
        if let Some((err, lines)) = err {
            scope.spawn(move || send_lines(err, &lines));
        }
        for line in received {
            let mut stdout = io::stdout().lock();
            // Nobody may be listening; the exit code still tells.
            drop(stdout.write_all(&line).and_then(|()| stdout.flush()));
            reader(without_colours(&String::from_utf8_lossy(&line)).trim_end());
        }
    });
    child.wait()
}

fn send_lines(from: impl Read, to: &mpsc::Sender<Vec<u8>>) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        match from.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if to.send(line).is_err() {
            return;
        }
    }
}

/// Removes the terminal's control sequences (ECMA-48: ESC `[`, parameters, a letter).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_removed() {
        assert_eq!(without_colours("\u{1b}[32;1m Summary\u{1b}[0m [ 1.0s]"), " Summary [ 1.0s]");
    }

    #[test]
    fn both_streams_are_read() {
        let mut shell = command("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let mut lines = Vec::new();
        let status = status_reading(shell, |line| lines.push(line.to_owned())).expect("a shell");
        lines.sort();
        assert_eq!(lines, ["err", "out"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let mut shell = command("sleep");
        shell.arg("600");
        let started = Instant::now();
        assert_eq!(status_within(shell, Duration::from_millis(100)).expect("sleep"), None);
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn variables_that_describe_this_package_are_not_passed_on() {
        assert!(describes_this_package("CARGO_PKG_NAME"));
        assert!(describes_this_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_this_package("CARGO_TARGET_DIR"));
    }

    #[test]
    fn the_workspace_is_where_the_lock_file_is() {
        assert!(workspace().join("Cargo.lock").is_file());
    }
}
