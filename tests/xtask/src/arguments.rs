//! The command line.

use crate::launch::Program;

/// What `--help` prints.
pub const USAGE: &str = "\
Usage: cargo xtask <command>

  test [--long]      install what is missing, then every check: format, lints, licences, build, tests, documentation
                     --long: as many fault rounds as before a release (hours instead of minutes), and the table of their figures;
                     SEEDS=from-to, CUTS=n, ROUNDS=n, MIXED_SECONDS=n in the environment make parts of it longer or shorter
  demo [--once]      install what is missing, build, and show the whole thing: card, button, gateway, centre;
                     stays up until Ctrl-C, with --once it ends with exit code 0 or 1
  bench [arguments]  build for release and measure: --quick, --only reports,presses,memory,start,drain,peer,pages, --peer ADDRESS:PORT
                     for another MQTT broker, --check for exit code 1 when a goal is missed

What is installed: Debian packages with apt-get (through sudo when not root), and for `test` cargo-nextest, cargo-deny and, with npm, Playwright.";

/// A command that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Print [`USAGE`].
    Usage,
    /// Every check.
    Test {
        /// As many rounds as before a release.
        long: bool,
    },
    /// Build and become a program of crate `tests`.
    Launch {
        /// Which.
        program: Program,
        /// What it is given.
        arguments: Vec<String>,
    },
}

/// Why a command line was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum ArgumentError {
    /// The first word is no command.
    UnknownCommand(String),
    /// The command takes no such argument.
    UnknownArgument(String),
}

impl std::fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownCommand(word) => write!(f, "error: there is no command `{word}`"),
            Self::UnknownArgument(word) => write!(f, "error: unexpected argument `{word}`"),
        }
    }
}

/// Reads the words after the program's name. What `demo` and `bench` are given is theirs to check.
pub fn parse(words: impl Iterator<Item = String>) -> Result<Task, ArgumentError> {
    let mut words = words.peekable();
    let Some(command) = words.next() else { return Ok(Task::Usage) };
    match command.as_str() {
        "help" | "--help" | "-h" => Ok(Task::Usage),
        "test" => parse_test(words),
        "demo" => Ok(Task::Launch { program: Program::Demo, arguments: words.collect() }),
        "bench" => Ok(Task::Launch { program: Program::Bench, arguments: words.collect() }),
        _ => Err(ArgumentError::UnknownCommand(command)),
    }
}

fn parse_test(words: impl Iterator<Item = String>) -> Result<Task, ArgumentError> {
    let mut long = false;
    for word in words {
        match word.as_str() {
            "--long" => long = true,
            "--help" | "-h" => return Ok(Task::Usage),
            _ => return Err(ArgumentError::UnknownArgument(word)),
        }
    }
    Ok(Task::Test { long })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Task, ArgumentError> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn nothing_and_help_print_the_usage() {
        for line in ["", "help", "--help", "test --help"] {
            assert_eq!(parse_line(line), Ok(Task::Usage), "{line}");
        }
    }

    #[test]
    fn test_is_short_unless_asked() {
        assert_eq!(parse_line("test"), Ok(Task::Test { long: false }));
        assert_eq!(parse_line("test --long"), Ok(Task::Test { long: true }));
    }

    #[test]
    fn a_mistyped_word_is_refused_and_named() {
        assert_eq!(parse_line("tests"), Err(ArgumentError::UnknownCommand("tests".to_owned())));
        assert_eq!(parse_line("test --lnog"), Err(ArgumentError::UnknownArgument("--lnog".to_owned())));
    }

    #[test]
    fn the_demo_gets_its_own_arguments() {
        let expected = Task::Launch { program: Program::Demo, arguments: vec!["--once".to_owned()] };
        assert_eq!(parse_line("demo --once"), Ok(expected));
    }
}
