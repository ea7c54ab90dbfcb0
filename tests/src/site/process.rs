//! A program of the site as a process: started, killed, waited for; its output in a file.
//!
//! **Invariant:** no process outlives the one that started it, however that ends.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::error::SiteError;
use super::limits;
use super::wait::until;

/// Ends at once if its parent is not the given process any more, else becomes the rest of its arguments.
const BECOME: &str = r#"[ "$PPID" = "$0" ] && exec "$@""#;

/// What is to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name, for messages.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What becomes the program, such as one that sets a limit; mostly nothing.
    pub before: Vec<OsString>,
    /// Variables beside those of this process.
    pub variables: Vec<(OsString, OsString)>,
    /// Where its output goes, behind what is there.
    pub log: PathBuf,
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// The log cannot be opened, or the system does not start it.
    pub fn start(&self) -> Result<Process, SiteError> {
        let log = File::options().create(true).append(true).open(&self.log).map_err(SiteError::file(&self.log))?;
        let copy = log.try_clone().map_err(SiteError::file(&self.log))?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(log).stderr(copy);
        let started = spawn_bound(command);
        let child = started.map_err(|source| SiteError::Start { program: self.name.clone(), source })?;
        Ok(Process { name: self.name.clone(), log: self.log.clone(), child })
    }

    /// The same, as a command bound to the life of this process.
    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "sh", "-c", BECOME]).arg(std::process::id().to_string());
        command.args(&self.before).arg(&self.path).args(&self.arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&self, signal: Signal) -> Result<(), SiteError> {
        let source = |error: rustix::io::Errno| SiteError::Start { program: self.name.clone(), source: error.into() };
        kill_process(Pid::from_child(&self.child), signal).map_err(source)
    }

    /// SIGSTOP; returns when none of its threads will run another instruction of its own. One in a system call ends that call.
    ///
    /// # Errors
    /// The process is gone, or does not stop in time.
    pub async fn freeze(&self) -> Result<(), SiteError> {
        self.signal(Signal::STOP)?;
        let tasks = PathBuf::from(format!("/proc/{}/task", self.pid()));
        let what = format!("the stop of {}", self.name);
        until(&what, limits::READY, async || all_stand_still(&tasks).then_some(())).await
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`SiteError::Late`].
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus, SiteError> {
        let what = format!("the end of {}", self.name);
        until(&what, within, async || self.ended()).await
    }

    /// That it still runs.
    ///
    /// # Errors
    /// [`SiteError::Ended`].
    pub fn check(&mut self) -> Result<(), SiteError> {
        match self.ended() {
            None => Ok(()),
            Some(status) => {
                Err(SiteError::Ended { program: self.name.clone(), status, output: last_lines(&self.log, 40) })
            }
        }
    }

    fn end(&mut self) {
        // Either it runs and is ended now, or it has ended; both are reaped.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether each of these threads is stopped (`T`), ended (`Z`, `X`), or waits for a disk (`D`), after which it is stopped.
fn all_stand_still(tasks: &Path) -> bool {
    let Ok(threads) = std::fs::read_dir(tasks) else { return true };
    threads.filter_map(Result::ok).all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name before the state may hold anything, parentheses too.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_none_or(|state| matches!(state, 'T' | 'Z' | 'X' | 'D'))
    })
}

/// The last lines of a file.
#[must_use]
pub fn last_lines(path: &Path, count: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

/// What a program that does one thing and ends has said.
#[derive(Debug, Clone)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// The exit code; `None` when a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Runs a program to its end, at most [`limits::TOOL`].
///
/// # Errors
/// It cannot be started, or does not end in time.
pub async fn run(path: &Path, arguments: &[&str]) -> Result<Said, SiteError> {
    let program = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |source| SiteError::Start { program: program.clone(), source };
    let mut command = tokio::process::Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(failed)?;
    let output = match tokio::time::timeout(limits::TOOL, child.wait_with_output()).await {
        Ok(output) => output.map_err(failed)?,
        Err(_) => {
            let what = format!("the end of {program}");
            return Err(SiteError::Late { what, within: limits::TOOL, last: super::error::Seen::default() });
        }
    };
    Ok(Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

type Order = (Command, Sender<io::Result<Child>>);

/// Linux sends the death signal when the *thread* that made the child ends, so one thread, which lives as long as the process,
/// makes them all.
fn spawn_bound(command: Command) -> io::Result<Child> {
    static PARENT: OnceLock<Sender<Order>> = OnceLock::new();
    let parent = PARENT.get_or_init(|| {
        let (orders, received) = channel::<Order>();
        let work = move || {
            for (mut command, answer) in received {
                // Whoever asked waits for the answer.
                drop(answer.send(command.spawn()));
            }
        };
        drop(std::thread::Builder::new().name("parent".to_owned()).spawn(work));
        orders
    });
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    let (answer, answered) = channel();
    parent.send((command, answer)).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}
