//! The bench for one test: a virtual reader with card and PSAM, and a pcscd of its own in front of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Slot;
use super::psam::Psam;
use super::purse::CitizenCard;
use super::vpcd::VpcdAddress;
use crate::pcscd::{self, Pcscd, PcscdError};

/// Name of the reader entry; PC/SC lists [`CARD_READER`] and [`PSAM_READER`].
pub const READER_NAME: &str = "Virtual Reader";

/// The PC/SC name of the card's slot.
pub const CARD_READER: &str = "Virtual Reader 00 00";

/// The PC/SC name of the PSAM's slot.
pub const PSAM_READER: &str = "Virtual Reader 00 01";

/// Tells the second run of a test where its pcscd is to live.
const DIRECTORY_VARIABLE: &str = "VIRTUAL_CARD_DIRECTORY";

/// A virtual reader with two slots.
pub struct VirtualReader {
    /// Slot 0.
    pub card: Slot<CitizenCard>,
    /// Slot 1.
    pub psam: Slot<Psam>,
}

impl VirtualReader {
    /// Two empty slots behind the two slots of one entry of vpcd.
    pub fn start([card, psam]: [VpcdAddress; 2]) -> io::Result<Self> {
        Ok(Self { card: Slot::start(card)?, psam: Slot::start(psam)? })
    }
}

/// A pcscd with one virtual reader.
pub struct CardBench {
    /// The reader.
    pub reader: VirtualReader,
    /// The pcscd before it.
    pub pcscd: Pcscd,
}

impl CardBench {
    /// A bench for clients in other processes, which get [`Pcscd::variable`]. The slots are empty.
    pub fn start() -> Result<Self, PcscdError> {
        Self::over(Pcscd::start(&[READER_NAME])?)
    }

    /// The same with a reader on a cable, which is not plugged in yet.
    pub fn start_with_cable() -> Result<Self, PcscdError> {
        Self::over(Pcscd::start_with_cable(READER_NAME)?)
    }

    /// Pulls the cable of the reader, with everything that lies in it: a command that is under way has no answer.
    pub fn unplug(&self) -> io::Result<()> {
        self.pcscd.pull()?;
        // What lies in a reader without power is as good as taken out of it.
        self.reader.card.remove();
        self.reader.psam.remove();
        self.pcscd.tell_pulled()
    }

    /// Puts the cable back, with the PSAM in its slot and the card still off.
    pub fn plug(&self) -> io::Result<()> {
        self.pcscd.plug()?;
        self.reader.psam.reinsert();
        Ok(())
    }

    fn over(pcscd: Pcscd) -> Result<Self, PcscdError> {
        Ok(Self { reader: VirtualReader::start(pcscd.addresses(0))?, pcscd })
    }

    /// A bench for a test that is itself the PC/SC client, in a process of its own (see [`own_process`]). The slots are empty.
    pub fn in_own_process(test: &str) -> Option<Self> {
        let directory = own_process(test)?;
        match Pcscd::start_at(&directory, &[READER_NAME]).and_then(Self::over) {
            Ok(bench) => Some(bench),
            Err(e) => panic!("{e}"),
        }
    }

    /// The same with a reader on a cable, which is not plugged in yet.
    pub fn with_cable_in_own_process(test: &str) -> Option<Self> {
        let directory = own_process(test)?;
        match Pcscd::start_with_cable_at(&directory, READER_NAME).and_then(Self::over) {
            Ok(bench) => Some(bench),
            Err(e) => panic!("{e}"),
        }
    }
}

/// Lets a test be itself the client of a pcscd of its own. libpcsclite takes the socket from the environment of its process, and a
/// process can only be given one at its start, so the test runs itself again: the first call starts that second run, waits for
/// it, fails if it failed and returns `None`; in the second run the call returns the directory for [`Pcscd::start_at`].
///
/// `test` is the test's full name as the harness knows it.
pub fn own_process(test: &str) -> Option<PathBuf> {
    match std::env::var_os(DIRECTORY_VARIABLE).map(PathBuf::from) {
        Some(directory) => {
            fs::write(marker(&directory), "").expect("the first run made the directory");
            Some(directory)
        }
        None => {
            first_run(test);
            None
        }
    }
}

fn first_run(test: &str) {
    let directory = pcscd::new_directory().expect("the temporary directory can be written");
    let status = Command::new(std::env::current_exe().expect("Linux knows the running program"))
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(pcscd::SOCKET_VARIABLE, pcscd::socket_in(&directory))
        .env(DIRECTORY_VARIABLE, &directory)
        .status();
    let ran = marker(&directory).exists();
    fs::remove_dir_all(&directory).expect("the directory is ours");
    assert!(status.is_ok_and(|s| s.success()), "{test} failed in its own process, see above");
    assert!(ran, "there is no test of the name {test}");
}

/// Shows that the second run found its test; a wrong name would run nothing and succeed.
fn marker(directory: &Path) -> PathBuf {
    directory.join("ran")
}
