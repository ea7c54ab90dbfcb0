//! Orders to the gateway's disk: loaded into it before libc, written by the test while it runs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::compile::compile;
use super::error::PowerError;
use crate::site::gateway::Gateway;
use crate::site::{Site, SiteSettings};

const SOURCE: &str = include_str!("faults.c");
/// The orders and the count, 8 octets each.
const ORDERS_LEN: u64 = 56;

/// What can be ordered; each number means something else, and 0 "as usual". The order is that of `faults.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Not 0: a sync of the write-ahead log says that it is done, and does nothing.
    Lie,
    /// The so-manieth sync of the write-ahead log from now on says EIO. What was written is there all the same, as it may be.
    SyncError,
    /// Not 0: what was written since the sync before one that says EIO is gone, as it may be, too.
    SyncLoses,
    /// Each sync takes so many milliseconds more.
    SyncDelayMs,
    /// Reads of the journal's file from this offset on say EIO.
    ReadError,
    /// The so-manieth write to the journal's file from now on is done and does not return. Only a checkpoint writes there, so
    /// from then on one is under way.
    HoldAtWrite,
}

/// Faults that a gateway can be given.
#[derive(Debug)]
pub struct Faults {
    library: PathBuf,
    orders: PathBuf,
    file: File,
}

impl Faults {
    /// Compiled into this directory; none ordered yet.
    ///
    /// # Errors
    /// Files or the compiler fail.
    pub fn new(directory: &Path) -> Result<Self, PowerError> {
        let library = compile(directory, "faults.so", SOURCE, &["-shared", "-fPIC"])?;
        let orders = directory.join("disk-faults");
        let opened = File::options().read(true).write(true).create(true).truncate(true).open(&orders);
        let file = opened.map_err(PowerError::file(&orders))?;
        file.set_len(ORDERS_LEN).map_err(PowerError::file(&orders))?;
        Ok(Self { library, orders, file })
    }

    /// From its next start on this gateway's disk does as it is ordered.
    pub fn under(&self, gateway: &mut Gateway) {
        gateway.set_variable("LD_PRELOAD".into(), self.library.clone().into_os_string());
        gateway.set_variable("DISK_FAULTS".into(), self.orders.clone().into_os_string());
    }

    /// A site whose gateway runs under them; as usual until something is ordered.
    ///
    /// # Errors
    /// As [`Faults::new`], and whatever keeps a site from starting.
    pub async fn site(settings: &SiteSettings) -> Result<(Site, Self), PowerError> {
        let mut site = Site::prepare(settings).await?;
        let faults = Self::new(site.directory())?;
        faults.under(&mut site.gateway);
        site.centre.start().await?;
        site.gateway.start().await?;
        Ok((site, faults))
    }

    /// Orders it, or as usual: 0.
    ///
    /// # Errors
    /// The file of the orders cannot be written.
    pub fn order(&self, order: Order, value: i64) -> Result<(), PowerError> {
        let written = self.file.write_all_at(&value.to_ne_bytes(), place(order));
        written.map_err(PowerError::file(&self.orders))
    }

    /// Faults that were made so far.
    ///
    /// # Errors
    /// The file of the orders cannot be read.
    pub fn made(&self) -> Result<i64, PowerError> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, ORDERS_LEN - 8).map_err(PowerError::file(&self.orders))?;
        Ok(i64::from_ne_bytes(bytes))
    }
}

const fn place(order: Order) -> u64 {
    match order {
        Order::Lie => 0,
        Order::SyncError => 8,
        Order::SyncLoses => 16,
        Order::SyncDelayMs => 24,
        Order::ReadError => 32,
        Order::HoldAtWrite => 40,
    }
}
