//! Follows the devices file while the gateway runs: who is added may log in and is listened to at the broker; who got another
//! secret is cut off at once, and who is taken out when the file says so twice.
//!
//! ```text
//! changed ─┬ a mistake ──────────────────────────────────────> the last good one stays, people are told
//!          ├ nobody is missing ──────────────────────────────> taken at once
//!          └ devices are missing ─ next look ─┬ the same ────> taken; where none is left it is a mistake
//!                                             └ another one ─> as at first
//! ```
//!
//! **Invariant:** a file with a mistake changes nothing; the last good one stays in use, and people are told.
//! **Invariant:** a file that somebody is just writing, or could not write, cuts nobody off: one that lacks devices counts when
//! it read the same twice, one without any never does while the gateway runs.
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
use crate::limits::{REMOVED_NAMED_MAX, REMOVED_TOLD_FROM};
use crate::troubles::{Part, Troubles};

/// How often the file is looked at: one `stat`. A stolen device is out twice this long after it was removed.
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
    /// The version that the directory was read from; none where it is to be read at once.
    pub seen: Option<FileStamp>,
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

/// What is done with a version of the file.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It counts.
    Take,
    /// Devices are missing: it counts when it reads the same at the next look.
    LookAgain,
    /// It has no device any more: a mistake.
    NobodyLeft,
}

/// `seen`: what the file was at the last look, where it did not count then.
fn judge(before: &BTreeMap<DeviceId, Device>, read: &[Device], seen: Option<&[Device]>) -> Verdict {
    let stays = |id: &DeviceId| read.binary_search_by(|device| device.id.cmp(id)).is_ok();
    if before.keys().all(stays) {
        Verdict::Take
    } else if seen != Some(read) {
        Verdict::LookAgain
    } else if read.is_empty() {
        Verdict::NobodyLeft
    } else {
        Verdict::Take
    }
}

impl DevicesWatch {
    /// Follows the file until `stop` is ready.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let work = async {
            let (mut seen, mut doubted) = (self.seen, None);
            loop {
                let now = FileStamp::of(&self.path);
                if now.is_none() || now != seen || doubted.is_some() {
                    doubted = self.read(doubted).await;
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

    /// Gives what it read where that is to be read once more. `doubted`: what was given the last time.
    async fn read(&self, doubted: Option<Vec<Device>>) -> Option<Vec<Device>> {
        let path = self.path.clone();
        // A large file takes a while to be read and parsed.
        match tokio::task::spawn_blocking(move || load(&path)).await {
            Ok(Ok(devices)) => {
                let before = self.directory.devices();
                match judge(&before, &devices, doubted.as_deref()) {
                    Verdict::Take => {
                        self.troubles.end(Part::DevicesFile);
                        self.take(devices);
                    }
                    Verdict::LookAgain => return Some(devices),
                    Verdict::NobodyLeft => self.refuse_empty(before.len()),
                }
            }
            Ok(Err(error)) => self.refuse(&error),
            Err(error) => tracing::error!(%error, "the devices file was not read"),
        }
        None
    }

    fn refuse_empty(&self, before: usize) {
        let detail = format!(
            "{}: no device is left of {before}; all of them stay let in. Put them back; to take the last device out, stop the \
             gateway, change the file and start the gateway",
            self.path.display()
        );
        self.troubles.begin(Part::DevicesFile, &detail);
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
        self.tell_removed(&removed, after.len());
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

impl DevicesWatch {
    /// One that is taken out is everyday work; of several at once people hear, since the file may have lost its end.
    fn tell_removed(&self, removed: &[DeviceId], left: usize) {
        if removed.is_empty() {
            return;
        }
        tracing::warn!(removed = removed.len(), left, "devices are in the devices file no more and were cut off");
        if removed.len() >= REMOVED_TOLD_FROM {
            let names: Vec<&str> = removed.iter().take(REMOVED_NAMED_MAX).map(|device| device.as_str()).collect();
            let detail = format!(
                "{} devices are in the file no more and were cut off, {left} are left; if that was not meant, put them back: {}",
                removed.len(),
                names.join(", ")
            );
            self.troubles.tell(Part::DevicesFile, &detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::adapter::device_link::{DeviceLink, DeviceLinkSettings};

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

    #[test]
    fn a_file_that_lacks_devices_counts_when_it_reads_the_same_twice_and_an_empty_one_never() {
        let before = directory(vec![device("a", "aa"), device("b", "aa")]);
        let (all, one) = (vec![device("a", "aa"), device("b", "aa"), device("c", "aa")], vec![device("b", "aa")]);
        assert_eq!(judge(&before, &all, None), Verdict::Take);
        assert_eq!(judge(&before, &one, None), Verdict::LookAgain);
        assert_eq!(judge(&before, &one, Some(&[])), Verdict::LookAgain, "it is still being written");
        assert_eq!(judge(&before, &one, Some(&one)), Verdict::Take);
        assert_eq!(judge(&before, &[], None), Verdict::LookAgain);
        assert_eq!(judge(&before, &[], Some(&[])), Verdict::NobodyLeft);
        assert_eq!(judge(&BTreeMap::new(), &[], None), Verdict::Take, "it had none");
    }

    fn text(names: &[&str]) -> String {
        let table = |name: &&str| {
            let hash = format!("v1${}${}", "07".repeat(16), "aa".repeat(32));
            format!("[[device]]\nid = \"{name}\"\nsecret_hash = \"{hash}\"\n")
        };
        names.iter().map(table).collect()
    }

    /// A watch over a file that is beside nothing else.
    fn watch(name: &str) -> (DevicesWatch, mpsc::Receiver<Listed>) {
        let path = std::env::temp_dir().join(format!("devices-watch-{name}-{}.toml", std::process::id()));
        std::fs::write(&path, text(&["a", "b", "c"])).expect("written");
        let directory = Arc::new(DeviceDirectory::from_file(&path).expect("devices"));
        let troubles = Troubles::default();
        let settings = DeviceLinkSettings { plain: Some(([127, 0, 0, 1], 0).into()), ..DeviceLinkSettings::default() };
        let (inputs, _) = mpsc::channel(1);
        let link =
            DeviceLink::bind_or_retry(&settings, Arc::clone(&directory), inputs, troubles.clone()).expect("a link");
        let (listed, out) = mpsc::channel(8);
        (DevicesWatch { path, directory, link: link.handle(), broker: None, listed, troubles, seen: None }, out)
    }

    #[tokio::test]
    async fn an_emptied_file_cuts_nobody_and_is_told_until_the_devices_are_back() {
        let (watch, _listed) = watch("emptied");
        assert!(watch.read(None).await.is_none());
        std::fs::write(&watch.path, "").expect("written");
        let doubted = watch.read(None).await;
        assert_eq!(
            (doubted.as_deref(), watch.troubles.now().len()),
            (Some(&[] as &[Device]), 0),
            "it may be half written"
        );
        assert!(watch.read(doubted).await.is_none());
        assert_eq!(watch.directory.devices().len(), 3);
        let told = watch.troubles.now();
        assert!(
            told.len() == 1 && told[0].0 == Part::DevicesFile && told[0].1.contains("stop the gateway"),
            "{told:?}"
        );
        assert_eq!(watch.troubles.take_news().len(), 1, "a technical alarm");
        std::fs::write(&watch.path, text(&["a", "b", "c"])).expect("written");
        assert!(watch.read(None).await.is_none());
        assert_eq!(watch.troubles.now(), []);
        std::fs::remove_file(&watch.path).ok();
    }

    #[tokio::test]
    async fn a_file_that_lost_several_devices_is_taken_at_the_second_look_and_told() {
        let (watch, mut listed) = watch("shrunken");
        std::fs::write(&watch.path, text(&["c"])).expect("written");
        let doubted = watch.read(None).await;
        assert_eq!(watch.directory.devices().len(), 3);
        assert!(watch.read(doubted).await.is_none());
        assert_eq!(watch.directory.devices().len(), 1);
        assert_eq!(listed.try_recv().expect("told").len(), 1);
        let news = watch.troubles.take_news();
        assert!(news.len() == 1 && news[0].detail.contains("2 devices") && news[0].detail.contains("a, b"), "{news:?}");
        assert_eq!(watch.troubles.now(), [], "it works");
        std::fs::remove_file(&watch.path).ok();
    }
}
