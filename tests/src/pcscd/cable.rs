//! The cable of a virtual USB reader: pulled and put back while pcscd runs.
//!
//! pcscd takes its USB readers from udev, and its serial ones only at its start (Debian's build does not read `reader.conf`
//! again). So `cable.c`, compiled here when a test asks for it, stands before libudev with one USB reader that comes and goes,
//! and is that reader's driver: vpcd's, until the cable is pulled. Everything that pcscd does about it is its own.
//!
//! **Invariant:** from the moment a cable is pulled no answer of its reader reaches anybody.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{DRIVER, PcscdError};
use crate::virtual_card::vpcd;

const SOURCE: &str = include_str!("cable.c");

/// What pcscd knows the reader's driver by.
const VENDOR: &str = "16C0";
const PRODUCT: &str = "0001";

/// The driver's library: in its bundle, before libudev, and what it is linked to.
const LIBRARY: &str = "libcable.so";
/// The name by which vpcd's driver calls itself.
const VPCD_LIBRARY: &str = "libifdvpcd.so.0";

/// A cable, not plugged in at first.
pub(super) struct Cable {
    directory: PathBuf,
}

impl Cable {
    /// Compiles and lays out what pcscd needs in this directory, for a reader of this name.
    pub(super) fn new(directory: &Path, reader: &str) -> Result<Self, PcscdError> {
        let this = Self { directory: directory.to_path_buf() };
        fs::copy(DRIVER, directory.join(VPCD_LIBRARY))?;
        fs::write(directory.join("cable.c"), SOURCE)?;
        this.compile()?;
        let contents = this.drivers().join("cable.bundle/Contents");
        fs::create_dir_all(contents.join("Linux"))?;
        symlink(this.library(), contents.join("Linux").join(LIBRARY))?;
        fs::write(contents.join("Info.plist"), info(reader))?;
        rustix::fs::mkfifoat(rustix::fs::CWD, this.events(), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
            .map_err(io::Error::from)?;
        fs::write(this.mark(), "")?;
        Ok(this)
    }

    /// What becomes pcscd's folder of USB drivers.
    pub(super) fn drivers(&self) -> PathBuf {
        self.directory.join("drivers")
    }

    /// What is loaded into pcscd before libudev.
    pub(super) fn library(&self) -> PathBuf {
        self.directory.join(LIBRARY)
    }

    /// Puts it in; pcscd adds the reader at once.
    pub(super) fn plug(&self) -> io::Result<()> {
        fs::remove_file(self.mark())?;
        self.tell(b"+")
    }

    /// Pulls it: the driver loses the reader now, and pcscd hears of it by [`Cable::tell_pulled`].
    pub(super) fn pull(&self) -> io::Result<()> {
        fs::write(self.mark(), "")
    }

    /// The word of udev that the reader has gone.
    pub(super) fn tell_pulled(&self) -> io::Result<()> {
        self.tell(b"-")
    }

    /// Open for reading, too, so that a pcscd that has ended is no reason to wait.
    fn tell(&self, event: &[u8]) -> io::Result<()> {
        fs::File::options().read(true).write(true).open(self.events())?.write_all(event)
    }

    fn compile(&self) -> Result<(), PcscdError> {
        let text = |path: PathBuf| format!("\"{}\"", path.display());
        let port = vpcd::PORT;
        let defined = [
            ("UNPLUGGED", text(self.mark())),
            ("EVENTS", text(self.events())),
            ("VENDOR", format!("\"{VENDOR}\"")),
            ("PRODUCT", format!("\"{PRODUCT}\"")),
            ("DEVICE", format!("\"/dev/null:{port}\"")),
        ];
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-I/usr/include/PCSC"])
            .args(defined.iter().map(|(name, value)| format!("-D{name}={value}")))
            .arg(self.directory.join("cable.c"))
            .arg("-o")
            .arg(self.library())
            .arg("-Wl,--no-as-needed,-rpath,$ORIGIN")
            .arg(self.directory.join(VPCD_LIBRARY))
            .output()
            .map_err(|_| PcscdError::Missing { what: "cc" })?;
        if output.status.success() {
            return Ok(());
        }
        Err(PcscdError::Compiler { output: String::from_utf8_lossy(&output.stderr).into_owned() })
    }

    fn events(&self) -> PathBuf {
        self.directory.join("events")
    }

    fn mark(&self) -> PathBuf {
        self.directory.join("unplugged")
    }
}

/// The description of the driver, as pcscd wants it of each USB driver.
fn info(reader: &str) -> String {
    let one = |key: &str, value: &str| format!("<key>{key}</key><string>{value}</string>\n");
    let list = |key: &str, value: &str| format!("<key>{key}</key><array><string>{value}</string></array>\n");
    let entries = [
        one("CFBundleExecutable", LIBRARY),
        one("CFBundleName", "CABLE"),
        one("ifdCapabilities", "0x00000000"),
        list("ifdVendorID", &format!("0x{VENDOR}")),
        list("ifdProductID", &format!("0x{PRODUCT}")),
        list("ifdFriendlyName", reader),
    ];
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\n{}</dict></plist>\n",
        entries.concat()
    )
}
