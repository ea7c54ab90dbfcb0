//! The program `virtual-reader`: its lines, and what is left when it ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_virtual-reader");
const DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn orders_come_by_the_control_port_and_a_kept_card_keeps_its_balance() {
    let place = Place::new();
    let mut reader = Reader::start(&place, &["--control", "0"]);
    let mut control = TcpStream::connect(reader.ready["control"].as_str().expect("an address")).expect("it listens");
    let mut answers = BufReader::new(control.try_clone().expect("a socket")).lines();
    let mut ask = |line: &str| -> Value {
        writeln!(control, "{line}").expect("it listens");
        serde_json::from_str(&answers.next().expect("an answer").expect("a line")).expect("JSON")
    };
    assert_eq!(ask("status")["card"]["state"]["balance_fen"], 5000);
    assert_eq!(ask("balance 777")["ok"], true);
    assert_eq!(ask("psam tear after 72")["ok"], true);
    assert_eq!(ask("remove")["ok"], true);
    assert!(ask("remove")["error"].is_string());
    assert!(ask("jump")["error"].is_string());
    let status = ask("status");
    assert_eq!(status["card"]["presence"], "in_hand");
    assert_eq!(status["psam"]["armed"][0], "tear after 72");
    let pid = status["pcscd"]["pid"].as_u64().expect("it runs");
    assert_eq!(ask("quit")["ok"], true);
    assert!(reader.ended_well());
    assert!(gone(pid), "pcscd ended with it");
    let socket = PathBuf::from(reader.ready["socket"].as_str().expect("a path"));
    assert!(!socket.exists(), "its directory is gone");
    let again = Reader::start(&place, &["--control", "0"]);
    let mut control = TcpStream::connect(again.ready["control"].as_str().expect("an address")).expect("it listens");
    writeln!(control, "status").expect("it listens");
    let status = BufReader::new(control).lines().next().expect("an answer").expect("a line");
    assert_eq!(serde_json::from_str::<Value>(&status).expect("JSON")["card"]["state"]["balance_fen"], 777);
}

#[test]
fn no_pcscd_outlives_a_killed_program() {
    let place = Place::new();
    let directory = place.0.join("pcscd");
    let mut reader = Reader::start_with(&place, &["--pcscd-in", directory.to_str().expect("ASCII")]);
    let pid = fs::read_to_string(directory.join("run/pcscd.pid")).expect("pcscd wrote it");
    let pid = pid.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number");
    assert!(!is_gone(pid));
    reader.child.kill().expect("it runs");
    assert!(gone(pid), "the kernel ends it");
}

#[test]
fn the_end_of_input_ends_the_program() {
    let place = Place::new();
    let mut reader = Reader::start(&place, &[]);
    drop(reader.child.stdin.take());
    assert!(reader.ended_well());
}

#[test]
fn a_missing_driver_is_named_with_its_package() {
    let hide = "mount -t tmpfs none /usr/lib/pcsc && exec \"$0\" run --pcscd";
    let output = Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", hide, PROGRAM]).output();
    let output = output.expect("util-linux is there");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("libifdvpcd.so") && message.contains("vsmartcard-vpcd"), "{message}");
}

/// A directory with the state files of a card with 50.00 and a PSAM.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let this = Self(tests::pcscd::new_directory().expect("the temporary directory can be written"));
        this.make(&["new-card", "--balance", "5000"], &this.card());
        this.make(&["new-psam"], &this.psam());
        this
    }

    fn make(&self, words: &[&str], file: &Path) {
        assert!(Command::new(PROGRAM).args(words).arg(file).status().expect("it was built").success());
    }

    fn card(&self) -> PathBuf {
        self.0.join("card.json")
    }

    fn psam(&self) -> PathBuf {
        self.0.join("psam.json")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

struct Reader {
    child: Child,
    /// Kept open: a program that cannot print would end.
    _output: BufReader<ChildStdout>,
    ready: Value,
}

impl Reader {
    fn start(place: &Place, options: &[&str]) -> Self {
        Self::start_with(place, &[&["--pcscd"], options].concat())
    }

    fn start_with(place: &Place, options: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("run")
            .args(options)
            .arg("--card")
            .arg(place.card())
            .arg("--psam")
            .arg(place.psam())
            .env("TMPDIR", &place.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was built");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(ready["event"], "ready");
        Self { child, _output: output, ready }
    }

    fn ended_well(&mut self) -> bool {
        gone(self.child.id().into()) && self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for the end of a process.
fn gone(pid: u64) -> bool {
    let started = Instant::now();
    while !is_gone(pid) {
        if started.elapsed() > DEADLINE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A process that waits to be collected has ended.
fn is_gone(pid: u64) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}
