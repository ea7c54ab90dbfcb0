//! The real pcscd with readers of our own, started as a private process beside whatever the machine runs.
//!
//! It runs in a mount namespace in which `/run/pcscd` is a directory of ours, so that it neither sees nor disturbs the machine's
//! own pcscd, and in a network namespace, since vpcd listens on all addresses. (vpcd can also be told to connect to the card,
//! but as packaged it then aborts when a card is removed.) Everybody else stays in the ordinary namespaces: clients reach it by
//! its Unix socket, told in the environment variable [`SOCKET_VARIABLE`], which libpcsclite reads when the first context is made;
//! virtual cards by [`connect_inside`].
//!
//! Needs Debian's packages [`PACKAGES`], and either root or unprivileged user namespaces.
//!
//! A reader can also be one with a cable, which is pulled and put back while pcscd runs: [`Pcscd::start_with_cable_at`].
//!
//! **Invariant:** no pcscd outlives its [`Pcscd`], nor the process that holds it, however that ends.
//! **Invariant:** nothing listens on an address that another machine can reach.

mod cable;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::virtual_card::limits;
use crate::virtual_card::vpcd::{self, VpcdAddress};

use cable::Cable;

/// Where clients are told the socket of this pcscd.
pub const SOCKET_VARIABLE: &str = "PCSCLITE_CSOCK_NAME";

/// The Debian packages that this needs.
pub const PACKAGES: [&str; 3] = ["pcscd", "vsmartcard-vpcd", "iproute2"];

const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// What runs inside the namespace: `$0` is the directory that becomes `/run/pcscd`, `$1` pcscd, `$2` its configuration, `$3`
/// the process that must still be the parent (it could have ended before the death signal was set); with a cable, `$4` is its
/// folder of drivers and `$5` its library.
const SCRIPT: &str = r#"set -e
[ "$PPID" = "$3" ]
if [ ! -d /run/pcscd ]; then mount -t tmpfs none /run; mkdir /run/pcscd; fi
if [ -d /dev/bus/usb ]; then mount -t tmpfs none /dev/bus/usb; fi
mount --bind "$0" /run/pcscd
PATH="$PATH:/usr/sbin:/sbin" ip link set lo up
if [ $# -gt 3 ]; then mount --bind "$4" /usr/lib/pcsc/drivers; export LD_PRELOAD="$5"; fi
exec "$1" --foreground --info --config "$2"
"#;

/// Why there is no pcscd.
#[derive(Debug, thiserror::Error)]
pub enum PcscdError {
    /// A program or the driver is not installed.
    #[error("{what} is missing: apt-get install pcscd vsmartcard-vpcd iproute2")]
    Missing {
        /// Name or path.
        what: &'static str,
    },
    /// The temporary directory's path is too long for a Unix socket.
    #[error("{path} is too long for a Unix socket; set TMPDIR to a shorter one")]
    PathTooLong {
        /// The socket's path.
        path: PathBuf,
    },
    /// pcscd, or what prepares its namespace, ended at once.
    #[error("pcscd did not start (it needs root or unprivileged user namespaces); its output:\n{output}")]
    Ended {
        /// What it printed.
        output: String,
    },
    /// pcscd runs, but its socket takes no connection.
    #[error("pcscd took no connection in time; its output:\n{output}")]
    NotReady {
        /// What it printed.
        output: String,
    },
    /// The driver with a cable could not be compiled.
    #[error("the driver of the reader with a cable was not compiled:\n{output}")]
    Compiler {
        /// What the compiler said.
        output: String,
    },
    /// A file or a process could not be made.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Slots that vpcd gives to each entry of pcscd's configuration.
const SLOTS_PER_READER: u16 = 2;

/// What a virtual card says to the shell: connect, say so, stay until told otherwise.
const CONNECT: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$0" && echo && read -r"#;

/// The descriptor that [`CONNECT`] opens.
const CONNECTED_FD: i32 = 3;

/// Which readers a pcscd has.
enum Readers<'a> {
    /// These, from its start on.
    Fixed(&'a [&'a str]),
    /// One of this name that is plugged in and pulled.
    OnCable(&'a str),
}

/// A running pcscd.
pub struct Pcscd {
    directory: PathBuf,
    own_directory: bool,
    cable: Option<Cable>,
    keeper: Option<Keeper>,
}

impl Pcscd {
    /// Starts pcscd with these readers in a new temporary directory and waits until it takes connections. Each reader has two
    /// slots, which PC/SC lists as `{name} 00 00` and `{name} 00 01` (the first number counts readers of one name). Names are
    /// at most 100 characters, without quotation marks.
    pub fn start(readers: &[&str]) -> Result<Self, PcscdError> {
        Self::start_in(&new_directory()?, Readers::Fixed(readers), true)
    }

    /// The same in a directory that the caller owns, so that the socket's path can be known beforehand (see [`socket_in`]).
    pub fn start_at(directory: &Path, readers: &[&str]) -> Result<Self, PcscdError> {
        Self::start_in(&std::path::absolute(directory)?, Readers::Fixed(readers), false)
    }

    /// Starts pcscd with a USB reader of this name, which is not plugged in yet. It has two slots, too.
    pub fn start_with_cable(reader: &str) -> Result<Self, PcscdError> {
        Self::start_in(&new_directory()?, Readers::OnCable(reader), true)
    }

    /// The same in a directory that the caller owns.
    pub fn start_with_cable_at(directory: &Path, reader: &str) -> Result<Self, PcscdError> {
        Self::start_in(&std::path::absolute(directory)?, Readers::OnCable(reader), false)
    }

    /// Puts the cable in.
    ///
    /// # Errors
    /// It is in already, or there is none.
    pub fn plug(&self) -> io::Result<()> {
        self.cable()?.plug()
    }

    /// Pulls the cable: nothing comes from the reader any more. pcscd hears that it has gone by [`Pcscd::tell_pulled`],
    /// as udev tells it a moment later.
    ///
    /// # Errors
    /// There is none.
    pub fn pull(&self) -> io::Result<()> {
        self.cable()?.pull()
    }

    /// See [`Pcscd::pull`].
    ///
    /// # Errors
    /// There is none.
    pub fn tell_pulled(&self) -> io::Result<()> {
        self.cable()?.tell_pulled()
    }

    fn cable(&self) -> io::Result<&Cable> {
        self.cable.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn start_in(directory: &Path, readers: Readers<'_>, own: bool) -> Result<Self, PcscdError> {
        let directory = directory.to_path_buf();
        let mut this = Self { directory, own_directory: own, cable: None, keeper: None };
        if this.socket().as_os_str().len() > limits::SOCKET_PATH_LEN_MAX {
            return Err(PcscdError::PathTooLong { path: this.socket() });
        }
        if !Path::new(DRIVER).exists() {
            return Err(PcscdError::Missing { what: DRIVER });
        }
        fs::create_dir_all(this.run_directory())?;
        match readers {
            Readers::Fixed(readers) => this.configure(readers)?,
            Readers::OnCable(reader) => {
                this.configure(&[])?;
                this.cable = Some(Cable::new(&this.directory, reader)?);
            }
        }
        this.restart()?;
        Ok(this)
    }

    /// Where vpcd listens for the two slots of a reader, by its place in the list given at the start.
    pub fn addresses(&self, reader: u16) -> [VpcdAddress; 2] {
        addresses_in(&self.directory, reader)
    }

    /// Its directory, from which other processes find it by [`socket_in`] and [`addresses_in`].
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The socket to give to clients in [`SOCKET_VARIABLE`].
    pub fn socket(&self) -> PathBuf {
        socket_in(&self.directory)
    }

    /// The environment variable for a client's process.
    pub fn variable(&self) -> (&'static str, OsString) {
        (SOCKET_VARIABLE, self.socket().into_os_string())
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.keeper.as_ref().map(|k| k.child.id())
    }

    /// What it has logged since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Ends it with SIGKILL, as a crash would, and waits until it is gone. Its socket file stays behind.
    pub fn kill(&mut self) {
        self.keeper = None;
    }

    /// Starts it anew, after [`Pcscd::kill`] or instead of it.
    pub fn restart(&mut self) -> Result<(), PcscdError> {
        self.kill();
        for name in ["pcscd.comm", "pcscd.pid"] {
            match fs::remove_file(self.run_directory().join(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
                Ok(()) | Err(_) => {}
            }
        }
        let keeper = Keeper::start(self.command()?)?;
        self.keeper = Some(keeper);
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<(), PcscdError> {
        let started = Instant::now();
        loop {
            if UnixStream::connect(self.socket()).is_ok() {
                return Ok(());
            }
            if self.keeper.as_mut().is_none_or(|k| k.ended()) {
                self.kill();
                return Err(PcscdError::Ended { output: self.log() });
            }
            if started.elapsed() > limits::PCSCD_READY {
                self.kill();
                return Err(PcscdError::NotReady { output: self.log() });
            }
            std::thread::sleep(limits::POLL);
        }
    }

    fn command(&self) -> Result<Command, PcscdError> {
        let unshare = find("unshare")?;
        let setpriv = find("setpriv")?;
        let pcscd = find("pcscd")?;
        let log = fs::File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(unshare);
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        // Entering a user namespace forgets the death signal, so it is set inside. No step forks: the process id stays ours.
        command.args(["--mount", "--propagation", "private", "--net"]).arg(setpriv).args([
            "--pdeathsig",
            "KILL",
            "sh",
            "-c",
            SCRIPT,
        ]);
        command.arg(self.run_directory()).arg(pcscd).arg(self.config_path()).arg(std::process::id().to_string());
        if let Some(cable) = &self.cable {
            command.arg(cable.drivers()).arg(cable.library());
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// vpcd keeps its slots in variables of the library, so each further reader gets a copy of the library.
    fn configure(&self, readers: &[&str]) -> Result<(), PcscdError> {
        let mut text = String::new();
        for (index, name) in (0_u16..).zip(readers) {
            let driver = if index == 0 {
                PathBuf::from(DRIVER)
            } else {
                let copy = self.directory.join(format!("libifdvpcd-{index}.so"));
                fs::copy(DRIVER, &copy)?;
                copy
            };
            let port = port_of(index, 0);
            text.push_str(&format!(
                "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:{port}\nLIBPATH {}\nCHANNELID {port}\n",
                driver.display()
            ));
        }
        Ok(fs::write(self.config_path(), text)?)
    }

    fn run_directory(&self) -> PathBuf {
        self.directory.join("run")
    }

    fn config_path(&self) -> PathBuf {
        self.directory.join("reader.conf")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("pcscd.log")
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        self.kill();
        if self.own_directory {
            // A directory that cannot be removed is left to the system's cleaning of its temporary files.
            drop(fs::remove_dir_all(&self.directory));
        }
    }
}

/// The socket that a pcscd started by [`Pcscd::start_at`] in this directory will have.
pub fn socket_in(directory: &Path) -> PathBuf {
    directory.join("run").join("pcscd.comm")
}

/// Where vpcd listens for the two slots of a reader of the pcscd in this directory.
pub fn addresses_in(directory: &Path, reader: u16) -> [VpcdAddress; 2] {
    let address = |slot| VpcdAddress::Private { directory: directory.to_path_buf(), port: port_of(reader, slot) };
    [address(0), address(1)]
}

/// Connects to a TCP port on loopback inside the network namespace of the pcscd in this directory.
///
/// A process enters a namespace of another user only as a whole, and ours has threads; so a shell goes in, connects, and its
/// socket is taken over from it.
pub fn connect_inside(directory: &Path, port: u16) -> io::Result<TcpStream> {
    let pid = running_pcscd(directory)?;
    let mut command = Command::new(find("nsenter").map_err(|_| io::ErrorKind::NotFound)?);
    command.arg("--target").arg(pid.to_string()).arg("--net");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["setpriv", "--pdeathsig", "KILL", "bash", "-c", CONNECT]).arg(port.to_string());
    let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut said = [0];
    let connected = shell.stdout.take().map_or(Ok(0), |mut out| out.read(&mut said));
    let socket = match connected {
        Ok(1) => take_descriptor(&shell, CONNECTED_FD),
        Ok(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        Err(e) => Err(e),
    };
    // Its input ends, so it ends.
    drop(shell.stdin.take());
    shell.wait()?;
    Ok(TcpStream::from(socket?))
}

fn take_descriptor(process: &Child, descriptor: i32) -> io::Result<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    let handle = pidfd_open(Pid::from_child(process), PidfdFlags::empty())?;
    Ok(pidfd_getfd(handle, descriptor, PidfdGetfdFlags::empty())?)
}

/// The process id in pcscd's own file, which a killed one leaves behind.
fn running_pcscd(directory: &Path) -> io::Result<u32> {
    let text = fs::read_to_string(directory.join("run").join("pcscd.pid"))?;
    // pcscd writes the string's end mark too.
    let pid: u32 = text.trim_matches(|c: char| !c.is_ascii_digit()).parse().map_err(|_| io::ErrorKind::InvalidData)?;
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) if name.trim_end() == "pcscd" => Ok(pid),
        Ok(_) | Err(_) => Err(io::ErrorKind::NotConnected.into()),
    }
}

fn port_of(reader: u16, slot: u16) -> u16 {
    vpcd::PORT.saturating_add(reader.saturating_mul(SLOTS_PER_READER)).saturating_add(slot)
}

/// A new directory for a pcscd, readable by its owner only.
pub fn new_directory() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pcscd-{}-{count}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            // A leftover of an earlier process with the same number.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

/// The child, and the thread that made it: Linux sends the death signal when that *thread* ends, so it stays as long as the child;
/// it ends when `release` is dropped.
struct Keeper {
    child: Child,
    release: Option<mpsc::Sender<()>>,
    parent_thread: Option<JoinHandle<()>>,
}

impl Keeper {
    fn start(mut command: Command) -> io::Result<Self> {
        let (report, started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("pcscd".to_owned()).spawn(move || {
            if report.send(command.spawn()).is_ok() {
                while released.recv().is_ok() {}
            }
        })?;
        let child = started.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        Ok(Self { child, release: Some(release), parent_thread: Some(thread) })
    }

    fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Either it runs and is ended now, or it has ended; both are reaped.
        drop(self.child.kill());
        drop(self.child.wait());
        self.release = None;
        if let Some(thread) = self.parent_thread.take() {
            drop(thread.join());
        }
    }
}

fn find(program: &'static str) -> Result<PathBuf, PcscdError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // pcscd lives in /usr/sbin, which is not in an ordinary user's path.
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")])
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(PcscdError::Missing { what: program })
}
