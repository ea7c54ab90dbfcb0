//! Follows the devices file while the gateway runs: who is added may log in and is listened to at the broker, whoever is taken out or got another secret is
//! cut off at once.
//!
//! **Invariant:** a file with a mistake changes nothing; the last good one stays in use, and people are told.
//! **Invariant:** first the directory is replaced, then connections are cut, so that nobody comes back with what was revoked.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocols::id::DeviceId;
use tokio::sync::mpsc;

use crate::adapter::broker::BrokerHandle;
use crate::adapter::device_link::DeviceLinkHandle;
use crate::devices_file::{Device, DeviceDirectory, DevicesFileError, load};
use crate::file_stamp::FileStamp;
use crate::troubles::{Part, Troubles};

/// How often the file is looked at: one `stat`. A stolen device is out this long after it was removed.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Every device of the file, each with the milliseconds after which it counts as silent.
pub type Listed = Vec<(DeviceId, u64)>;

/// What is followed, and who is told.
pub struct DevicesWatch {
    /// The file.
    pub path: PathBuf,
    /// The directory that is kept like it.
    pub directory: Arc<DeviceDirectory>,
    /// Connections to cut.
    pub link: DeviceLinkHandle,
    /// A broker at which those are listened to that are in the file, and no others.
    pub broker: Option<BrokerHandle>,
    /// Who hears of each new version.
    pub listed: mpsc::Sender<Listed>,
    /// Who hears of a file with a mistake.
    pub troubles: Troubles,
}

/// What a new version of the file means.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    /// New in the file.
    added: Vec<DeviceId>,
    /// No longer in the file.
    removed: Vec<DeviceId>,
    /// With another secret.
    renewed: Vec<DeviceId>,
}

fn changes(before: &BTreeMap<DeviceId, Device>, after: &BTreeMap<DeviceId, Device>) -> Changes {
    let renewed = |id: &&DeviceId| {
        before.get(*id).zip(after.get(*id)).is_some_and(|(before, after)| before.secret_hash != after.secret_hash)
    };
    Changes {
        added: after.keys().filter(|id| !before.contains_key(*id)).cloned().collect(),
        removed: before.keys().filter(|id| !after.contains_key(*id)).cloned().collect(),
        renewed: before.keys().filter(renewed).cloned().collect(),
    }
}

impl DevicesWatch {
    /// Follows the file until `stop` is ready.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let work = async {
            // Read once more at first: it may have changed since the start read it.
            let mut seen = None;
            loop {
                let now = FileStamp::of(&self.path);
                if now.is_none() || now != seen {
                    self.read().await;
                    seen = now;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
    }

    async fn read(&self) {
        let path = self.path.clone();
        // A large file takes a while to be read and parsed.
        match tokio::task::spawn_blocking(move || load(&path)).await {
            Ok(Ok(devices)) => {
                self.troubles.end(Part::DevicesFile);
                self.take(devices);
            }
            Ok(Err(error)) => self.refuse(&error),
            Err(error) => tracing::error!(%error, "the devices file was not read"),
        }
    }

    fn refuse(&self, error: &DevicesFileError) {
        self.troubles.begin(Part::DevicesFile, &error.to_string());
    }

    fn take(&self, devices: Vec<Device>) {
        let before = self.directory.devices();
        self.directory.replace(devices);
        let after = self.directory.devices();
        let Changes { added, removed, renewed } = changes(&before, &after);
        for device in removed.iter().chain(&renewed) {
            let cut = self.link.cut(device);
            tracing::info!(%device, cut, "the device was taken out or got another secret");
        }
        if let Some(broker) = &self.broker {
            removed.into_iter().for_each(|device| broker.withdraw(device));
            added.into_iter().for_each(|device| broker.assign(device));
        }
        if before != after {
            tracing::info!(devices = after.len(), "the devices file has changed");
            let silence = |device: &Device| u64::from(device.silent_after_s).saturating_mul(1_000);
            let listed = after.values().map(|device| (device.id.clone(), silence(device))).collect();
            // Full only when files change faster than the core takes inputs; whoever connects is known all the same.
            self.listed.try_send(listed).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn device(id: &str, secret: &str) -> Device {
        Device {
            id: id.parse().expect("a name"),
            epoch: None,
            secret_hash: format!("v1${}${}", "07".repeat(16), secret.repeat(32)).parse().expect("a hash"),
            silent_after_s: 10_800,
            kind: None,
            place: None,
        }
    }

    fn directory(devices: Vec<Device>) -> Arc<BTreeMap<DeviceId, Device>> {
        DeviceDirectory::new(devices).devices()
    }

    #[test]
    fn a_device_that_moved_to_another_room_is_not_cut_and_one_with_another_secret_is() {
        let moved = Device { place: Some("1".to_owned()), ..device("moved", "aa") };
        let before = directory(vec![moved, device("renewed", "aa"), device("gone", "aa")]);
        let moved = Device { place: Some("2".to_owned()), ..device("moved", "aa") };
        let after = directory(vec![moved, device("renewed", "bb"), device("fresh", "aa")]);
        let names = |ids: Vec<DeviceId>| ids.iter().map(DeviceId::to_string).collect::<Vec<_>>();
        let Changes { added, removed, renewed } = changes(&before, &after);
        assert_eq!(
            [added, removed, renewed].map(names),
            ["fresh", "gone", "renewed"].map(|name| vec![name.to_owned()])
        );
    }
}
