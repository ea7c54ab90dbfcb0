//! Debian packages: which are needed for what, and installing those that are missing.
//!
//! **Invariant:** apt is asked for nothing that is there already.
//! **Invariant:** no system service runs afterwards that did not run before. Tests and demo start their own instances.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{cargo, limits};

/// A package and what it is needed for.
pub struct Package {
    name: &'static str,
    /// System units that its installation switches on.
    services: &'static [&'static str],
}

const fn package(name: &'static str) -> Package {
    Package { name, services: &[] }
}

const VIRTUAL_READER: &str = "vsmartcard-vpcd";

/// For a machine with a pcscd of its own: the package adds its readers to that one too.
const VIRTUAL_READER_NOTE: &str = "note: from its next start on, this machine's own pcscd has a virtual reader too, which listens on \
port 35963 of all addresses; this project does not need it there: rm /etc/reader.conf.d/vpcd";

/// Building, and running with virtual card readers: demo and benchmarks.
pub const DEMO: &[Package] = &[
    package("pkg-config"),
    package("libpcsclite-dev"),
    Package { name: "pcscd", services: &["pcscd.socket", "pcscd.service"] },
    package(VIRTUAL_READER),
    // `unshare` and `ip` for the namespaces in which pcscd runs.
    package("util-linux"),
    package("iproute2"),
    // For the line that presses the button by hand.
    package("mosquitto-clients"),
];

/// A broker of the market: for the tests of the broker adapter, and to be measured beside the gateway.
pub const BROKER: &[Package] = &[Package { name: "mosquitto", services: &["mosquitto.service"] }];

/// What the tests need beyond [`DEMO`] and [`BROKER`].
pub const TEST: &[Package] = &[
    // The pages, in a real browser, in Chinese.
    package("chromium"),
    package("fonts-noto-cjk"),
    // Disks of the tests' own, whose power is cut.
    package("e2fsprogs"),
    package("mount"),
];

/// Drives the browser; not asked for where Node.js came from elsewhere.
pub const NODE: &[Package] = &[package("nodejs"), package("npm")];

/// Why packages are missing.
#[derive(Debug)]
pub enum PackageError {
    /// Not a Debian: somebody has to install what gives the same.
    NoApt {
        /// Debian's names.
        missing: Vec<&'static str>,
    },
    /// Not root, and no sudo.
    NotRoot {
        /// Debian's names.
        missing: Vec<&'static str>,
    },
    /// apt-get ended with an error, which it has printed.
    Failed {
        /// Debian's names.
        missing: Vec<&'static str>,
    },
}

impl std::fmt::Display for PackageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoApt { missing } => write!(
                f,
                "no apt-get here; this project is made for Debian. Install what gives the same as: {}",
                missing.join(" ")
            ),
            Self::NotRoot { missing } => {
                write!(f, "neither root nor sudo; as root, run: apt-get install {}", missing.join(" "))
            }
            Self::Failed { missing } => write!(
                f,
                "apt-get failed (see above); when that is solved, run this again, or: apt-get install {}",
                missing.join(" ")
            ),
        }
    }
}

/// Installs what is missing of these. Returns what was installed.
pub fn ensure(wanted: &[&[Package]]) -> Result<Vec<&'static str>, PackageError> {
    let wanted: Vec<&Package> = wanted.iter().copied().flatten().collect();
    let installed = installed(&wanted);
    let missing: Vec<&Package> =
        wanted.into_iter().filter(|p| !installed.lines().any(|line| is_installed(line, p.name))).collect();
    let names: Vec<&'static str> = missing.iter().map(|p| p.name).collect();
    if missing.is_empty() {
        return Ok(names);
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(PackageError::NoApt { missing: names });
    }
    let root = is_root();
    if !root && !cargo::succeeds(with(cargo::command("sudo"), &["-V"])) {
        return Err(PackageError::NotRoot { missing: names });
    }
    println!("installing with apt-get: {}", names.join(" "));
    let lock = format!("DPkg::Lock::Timeout={}", limits::APT_LOCK_S);
    let update = as_root(root, &["apt-get", "-q", "-o", &lock, "update"]);
    // A source that cannot be reached does no harm if the lists already know the packages.
    drop(cargo::status(update));
    let mut install = as_root(
        root,
        &[
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-q",
            "-o",
            &lock,
            "install",
            "-y",
            "--no-install-recommends",
        ],
    );
    install.args(&names);
    let done = cargo::status(install).is_ok_and(|s| s.success());
    switch_off(root, &missing);
    if names.contains(&VIRTUAL_READER) && !names.contains(&"pcscd") {
        println!("{VIRTUAL_READER_NOTE}");
    }
    if done { Ok(names) } else { Err(PackageError::Failed { missing: names }) }
}

/// One line `name status` for each package that dpkg knows.
fn installed(packages: &[&Package]) -> String {
    let mut query = cargo::command("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Abbrev}\n"]);
    query.args(packages.iter().map(|p| p.name));
    // It fails when it knows one of them not at all, and still tells of the others.
    query.stderr(Stdio::null()).output().map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
}

/// Wanted, and unpacked and configured: dpkg's `ii`.
fn is_installed(line: &str, name: &str) -> bool {
    line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).is_some_and(|status| status.trim_end() == "ii")
}

fn switch_off(root: bool, newly_installed: &[&Package]) {
    let services: Vec<&str> = newly_installed.iter().flat_map(|p| p.services).copied().collect();
    if services.is_empty() {
        return;
    }
    if Path::new("/run/systemd/system").exists() {
        let mut disable = as_root(root, &["systemctl", "disable", "--now", "--quiet"]);
        disable.args(&services);
        drop(cargo::status(disable));
        return;
    }
    for service in services.iter().filter_map(|unit| unit.strip_suffix(".service")) {
        if Path::new("/etc/init.d").join(service).exists() {
            drop(cargo::status(as_root(root, &["service", service, "stop"])));
        }
    }
}

fn is_root() -> bool {
    cargo::command("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

fn as_root(root: bool, words: &[&str]) -> Command {
    let (program, arguments) = match words {
        [program, arguments @ ..] if root => (*program, arguments),
        _ => ("sudo", words),
    };
    with(cargo::command(program), arguments)
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_configured_counts_as_installed() {
        assert!(is_installed("mosquitto ii ", "mosquitto"));
        assert!(!is_installed("mosquitto rc ", "mosquitto"), "removed, configuration left");
        assert!(!is_installed("mosquitto iU ", "mosquitto"), "unpacked only");
        assert!(!is_installed("mosquitto-clients ii ", "mosquitto"), "another package");
    }

    #[test]
    fn root_needs_no_sudo() {
        assert_eq!(as_root(true, &["apt-get", "update"]).get_program(), "apt-get");
        let command = as_root(false, &["apt-get", "update"]);
        assert_eq!(command.get_program(), "sudo");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["apt-get", "update"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = PackageError::NotRoot { missing: vec!["pcscd", "chromium"] };
        assert!(error.to_string().ends_with("apt-get install pcscd chromium"));
    }
}
