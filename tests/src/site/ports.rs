//! Ports that belong to one site as long as it stands, also while its programs are down.
//!
//! Tests run as many processes at once, so a port is claimed by a lock on a file of its name in the temporary directory; the
//! kernel drops the lock with the process.
//!
//! **Invariant:** two sites on this machine never have the same port.

use std::fs::{DirBuilder, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use super::dice::Dice;
use super::error::SiteError;
use super::limits;

/// A port on loopback that nobody else takes.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Holds the lock.
    _claim: File,
}

impl Port {
    /// Claims a free one.
    ///
    /// # Errors
    /// [`SiteError::NoPort`], or the lock files cannot be made.
    pub fn claim() -> Result<Self, SiteError> {
        let directory = directory()?;
        let (first, count) = (limits::PORTS.start, limits::PORTS.end.saturating_sub(limits::PORTS.start));
        let seed = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        let from = u16::try_from(Dice::new(seed).below(u64::from(count))).unwrap_or(0);
        for step in 0..count {
            let offset = from.wrapping_add(step).checked_rem(count).unwrap_or(0);
            let number = first.saturating_add(offset);
            let path = directory.join(number.to_string());
            let claim = File::options().create(true).append(true).open(&path).map_err(SiteError::file(&path))?;
            if flock(&claim, FlockOperation::NonBlockingLockExclusive).is_ok() && is_free(number) {
                return Ok(Self { number, _claim: claim });
            }
        }
        Err(SiteError::NoPort(limits::PORTS.start, limits::PORTS.end))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}

fn directory() -> Result<PathBuf, SiteError> {
    let user = rustix::process::geteuid().as_raw();
    let path = std::env::temp_dir().join(format!("test-site-ports-{user}"));
    DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(SiteError::file(&path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_and_each_can_be_bound() {
        let ports: Vec<Port> = (0..50).map(|_| Port::claim().expect("there are thousands")).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(|port| port.address().port()).collect();
        assert_eq!(numbers.len(), ports.len());
        assert!(ports.iter().all(|port| TcpListener::bind(port.address()).is_ok()));
    }
}
