//! The composition root: configuration in, adapters and core built, run until told to stop, drained in order.
//!
//! ```text
//! build: configuration, files, journal, core, sockets        nothing is bound before everything was read
//! run:   adapters as tasks, event loop, ready
//! end:   stop intake -> drain core and journal -> stop adapters -> close the journal
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gateway_core::{CardInput, Core, CoreConfig, Head, LinkInput, Now, RestoreError, Restored, Storage};
use jiff::tz::TimeZone;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::sync::{mpsc, watch};

use crate::adapter::broker::{Broker, BrokerHandle};
use crate::adapter::card_reader::{CardReaderHandle, CardReaders};
use crate::adapter::device_link::{DeviceLink, DeviceLinkHandle, check_certificate};
use crate::adapter::kiosk::{self, CoreView, Credentials as StaffCredentials, Kiosk, Server};
use crate::adapter::store::{Journal, Reader, Space};
use crate::adapter::uplink::{Credentials, GatewayIdentity, Uplink};
use crate::adapters::Adapters;
use crate::answers::Answers;
use crate::config::{Config, ConfigError, ConfigFile};
use crate::descriptors::Room;
use crate::devices_file::DeviceDirectory;
use crate::devices_watch::{DevicesWatch, Listed};
use crate::entry_source::JournalSource;
use crate::event_loop::{self, Ended, Inputs};
use crate::file_stamp::FileStamp;
use crate::limits::{GRACE, GRACE_AFTER_FAILURE, LINK_QUEUE, QUEUE};
use crate::outside::{Collected, Daemon, Looked};
use crate::rebuild;
use crate::scrub::{self, Pace, Scrubbed};
use crate::storage::{self, Opened};
use crate::time_source::TimeSource;
use crate::troubles::{Part, Troubles};

/// How the daemon ended, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Told to stop, and everything was drained.
    Stopped,
    /// The configuration is wrong (EX_CONFIG).
    Config,
    /// The journal needs a person, or a commit failed; the code says which.
    Storage(u8),
    /// The disk takes commits again, or an adapter was lost: start me anew (EX_TEMPFAIL).
    Again,
}

impl ExitCode {
    /// The number for the system.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Config => 78,
            Self::Storage(code) => code,
            Self::Again => 75,
        }
    }
}

/// Everything that a configuration names, read and checked. Nothing is bound or written yet.
pub struct Checked {
    file: ConfigFile,
    directory: Arc<DeviceDirectory>,
    /// The version of the devices file before it was read.
    devices_seen: Option<FileStamp>,
    credentials: Credentials,
    staff: StaffCredentials,
}

impl Checked {
    /// Reads every file that the configuration names.
    ///
    /// # Errors
    /// The first mistake, with file, line and key.
    pub fn read(file: ConfigFile) -> Result<Self, ConfigError> {
        let config = &file.config;
        let devices_seen = FileStamp::of(&config.device_link.devices_file);
        let directory = DeviceDirectory::from_file(&config.device_link.devices_file)
            .map_err(|error| file.wrong("device_link.devices_file", error))?;
        let credentials =
            Credentials::load(&config.uplink).map_err(|error| file.wrong(&format!("uplink.{}", error.key()), error))?;
        if let Some(tls) = &config.device_link.tls {
            check_certificate(&tls.certificate, &tls.key).map_err(|error| file.wrong("device_link.tls", error))?;
        }
        if let Some(broker) = &config.broker {
            let (unused, _) = mpsc::channel(1);
            let devices = directory.devices();
            Broker::new(broker, devices.keys().cloned(), unused).map_err(|error| file.wrong("broker", error))?;
        }
        let staff = match &config.kiosk.credentials_file {
            Some(path) => StaffCredentials::load(path).map_err(|error| file.wrong("kiosk.credentials_file", error))?,
            None => StaffCredentials::default(),
        };
        let kiosk = kiosk_settings(config, staff.clone());
        kiosk.check().map_err(|error| file.wrong("kiosk.listen", error))?;
        Ok(Self { directory: Arc::new(directory), devices_seen, credentials, staff, file })
    }

    fn core_config(&self, storage: Storage) -> anyhow::Result<CoreConfig> {
        let config = &self.file.config;
        let devices = self.directory.devices();
        Ok(CoreConfig {
            gateway: config.gateway.id.clone(),
            readers: config.card_reader.iter().flat_map(|readers| readers.reader_ids().cloned()).collect(),
            devices: devices
                .values()
                .map(|device| (device.id.clone(), u64::from(device.silent_after_s).saturating_mul(1_000)))
                .collect(),
            catalogue: config.catalogue.order(),
            catalogue_age: config.catalogue.age(),
            policy: config.policy.order(),
            battery_low_mv: config.gateway.battery_low_mv,
            device_test_ms: u64::from(config.kiosk.device_test_s).saturating_mul(1_000),
            jitter_seed: getrandom::u64().context("the system gives no random numbers")?,
            storage,
        })
    }
}

/// The core as the journal left it; within, what a newer release wrote.
async fn restore_core(
    checked: &Checked,
    opened: &Opened,
    troubles: &Troubles,
    now: &Now,
) -> anyhow::Result<Result<Core, RestoreError>> {
    let found = &opened.restored;
    let rebuilt = rebuild::damaged(found, opened.journal.as_ref(), troubles, now).await;
    let head = Head { journal: found.journal.clone(), n: found.last_n, hash: found.last_hash };
    let keys = rebuilt.iter().map(|(key, _)| key.clone()).collect();
    let restored = Restored { head, state: found.state.iter().cloned().chain(rebuilt).collect(), rebuilt: keys };
    Ok(Core::restore(checked.core_config(opened.storage)?, restored, now))
}

/// Runs the daemon until it is told to stop or cannot go on.
///
/// # Errors
/// What kept it from starting, beside the configuration.
pub async fn run(checked: Checked, mut shutdown: watch::Receiver<bool>) -> anyhow::Result<ExitCode> {
    let metrics = PrometheusBuilder::new().install_recorder().context("the metrics recorder")?;
    let troubles = Troubles::default();
    let config = checked.file.config.clone();
    let opened = match storage::open(&config.gateway.state_dir, &troubles).await {
        Ok(opened) => opened,
        Err(error) => return Ok(storage::does_not_start(&error)),
    };
    let mut time =
        TimeSource::new(config.gateway.trust_clock, opened.restored.last_trusted).context("the bundled time zones")?;
    let now = time.now();
    let core = match restore_core(&checked, &opened, &troubles, &now).await? {
        Ok(core) => core,
        Err(error) => return Ok(storage::does_not_start(&error)),
    };
    let (link_inputs, link) = mpsc::channel(LINK_QUEUE);
    let (store_events, store) = mpsc::channel(QUEUE);
    let (uplink_inputs, uplink) = mpsc::channel(QUEUE);
    let (desk_inputs, desk) = mpsc::channel(QUEUE);
    let (card_inputs, card) = mpsc::channel(QUEUE);
    let (view, queries) = CoreView::channel();
    let inputs = Inputs { link, store, uplink, desk, card, queries };

    let (stop_adapters, stopped) = watch::channel(false);
    let mut adapters = Adapters::default();
    let reader = opened.journal.as_ref().map(Journal::reader);
    let space = opened.journal.as_ref().map(Journal::space);

    let settings = kiosk_settings(&config, checked.staff.clone());
    let (kiosk, server) = Kiosk::new(settings, desk_inputs.clone(), view, metrics, troubles.clone())?;
    let (link, server) = listen(&checked, link_inputs.clone(), server, &troubles).await?;
    let link_handle = link.handle();
    let identity = GatewayIdentity { gateway: config.gateway.id.clone(), journal: opened.restored.journal.clone() };
    let source = JournalSource::new(reader.clone(), store_events.clone());
    let credentials = checked.credentials.clone().with_time(time.tls_time());
    let (uplink, uplink_handle) = Uplink::new(&config.uplink, credentials, identity, source, uplink_inputs.clone())?;
    let broker = start_broker(&checked, &mut adapters, link_inputs, &troubles, &stopped)?;
    let readers = start_readers(&config, &card_inputs, &troubles);
    spawn_adapters(&mut adapters, link, server, uplink, &stopped);

    let scrubbed = spawn_scrub(&mut adapters, reader.clone(), &troubles, &stopped);
    let watched = (link_handle.clone(), broker.clone());
    let listed = spawn_devices_watch(&checked, &mut adapters, watched, &troubles, &stopped);

    let (writer, dead_journal) = storage::writer_or_journal(opened.storage, opened.journal, &store_events);
    let answers = answers(&checked, &now, reader.clone(), time.zone(), space.clone(), (troubles.clone(), scrubbed));
    let mut daemon = Daemon {
        link: link_handle,
        broker,
        readers: readers.as_ref().map(|(_, handle)| handle.clone()),
        writer,
        journal: reader,
        space,
        store_events: store_events.clone(),
        uplink: uplink_handle,
        kiosk,
        answers,
        time,
        troubles,
        listed,
        collected: Collected::default(),
        looked: Looked::new(),
    };
    tell_ready();
    tracing::info!(journal = %opened.restored.journal, head = opened.restored.last_n, "the gateway is ready");
    let ended = tokio::select! {
        ended = event_loop::run(core, inputs, &mut daemon, shutdown.clone(), GRACE) => ended,
        () = storage::is_back(opened.storage, dead_journal, opened.broken, config.gateway.storage_retry()) => Ended::StorageIsBack,
        name = adapters.gone() => Ended::AdapterGone(name),
    };
    let _already_stopping = shutdown.borrow_and_update();
    finish(daemon, adapters, readers.map(|(readers, _)| readers), &stop_adapters, grace(&ended)).await;
    Ok(exit_code(&ended))
}

fn answers(
    checked: &Checked,
    now: &Now,
    reader: Option<Reader>,
    zone: TimeZone,
    space: Option<Space>,
    (troubles, scrubbed): (Troubles, Scrubbed),
) -> Answers {
    Answers {
        gateway: checked.file.config.gateway.id.clone(),
        started_at: Arc::clone(&now.civil),
        reader,
        space,
        directory: Arc::clone(&checked.directory),
        zone,
        troubles,
        scrubbed,
    }
}

fn tell_ready() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "the service manager could not be told that the gateway is ready");
    }
}

/// Binds what can be bound now. What is taken is tried again while the gateway runs: nothing that works waits for it.
async fn listen(
    checked: &Checked,
    inputs: mpsc::Sender<LinkInput>,
    mut server: Server,
    troubles: &Troubles,
) -> anyhow::Result<(DeviceLink, Server)> {
    let room = Room::of_this_process();
    server.at_most(room.kiosk);
    let mut settings = checked.file.config.device_link.settings();
    settings.connections_max = room.for_devices(settings.connections_max);
    let link = DeviceLink::bind_or_retry(&settings, Arc::clone(&checked.directory), inputs, troubles.clone())?;
    let kiosk = server.bind().await.then_some(checked.file.config.kiosk.listen);
    tracing::info!(plain = ?link.plain_address(), tls = ?link.tls_address(), ?kiosk, "listening");
    Ok((link, server))
}

/// The card readers, where there are some. Without them there are no sales, but alarms.
fn start_readers(
    config: &Config,
    inputs: &mpsc::Sender<CardInput>,
    troubles: &Troubles,
) -> Option<(CardReaders, CardReaderHandle)> {
    match CardReaders::start(config.card_reader.as_ref()?, inputs) {
        Ok(started) => Some(started),
        Err(error) => {
            troubles.begin(Part::CardReaders, &error.to_string());
            None
        }
    }
}

fn kiosk_settings(config: &Config, credentials: StaffCredentials) -> kiosk::Settings {
    kiosk::Settings {
        listen: config.kiosk.listen,
        hosts: config.kiosk.hosts.clone(),
        credentials,
        state_dir: config.gateway.state_dir.clone(),
    }
}

fn start_broker(
    checked: &Checked,
    adapters: &mut Adapters,
    inputs: mpsc::Sender<LinkInput>,
    troubles: &Troubles,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Option<BrokerHandle>> {
    let Some(settings) = &checked.file.config.broker else { return Ok(None) };
    let devices: Vec<_> = checked.directory.devices().keys().cloned().collect();
    let broker = Broker::new(settings, devices, inputs)?;
    let handle = broker.handle();
    adapters.spawn("broker", broker.run(troubles.clone(), until_stopped(stopped.clone())));
    Ok(Some(handle))
}

/// Ready when the adapters are to stop. A sender that is gone means the same: the daemon is ending.
async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    let _ended = stopped.wait_for(|stop| *stop).await;
}

fn spawn_adapters(
    adapters: &mut Adapters,
    link: DeviceLink,
    server: Server,
    uplink: Uplink<JournalSource>,
    stopped: &watch::Receiver<bool>,
) {
    let link_stop = until_stopped(stopped.clone());
    adapters.spawn("device_link", async move {
        let drained = link.run(link_stop).await;
        if drained.cut > 0 {
            tracing::warn!(connections = drained.cut, "connections of devices were cut");
        }
    });
    let server_stop = until_stopped(stopped.clone());
    adapters.spawn("kiosk", async move {
        let ended = server.run(server_stop).await;
        tracing::info!(?ended, "local interface: closed");
    });
    let uplink_stop = stopped.clone();
    adapters.spawn("uplink", async move {
        let ended = uplink.run(uplink_stop).await;
        tracing::info!(cut = ?ended.cut, "uplink: closed");
    });
}

/// The daily look through the journal, where there is one.
fn spawn_scrub(
    adapters: &mut Adapters,
    reader: Option<Reader>,
    troubles: &Troubles,
    stopped: &watch::Receiver<bool>,
) -> Scrubbed {
    let scrubbed = Scrubbed::default();
    if let Some(reader) = reader {
        let stop = until_stopped(stopped.clone());
        adapters.spawn("scrub", scrub::run(reader, Pace::default(), scrubbed.clone(), troubles.clone(), stop));
    }
    scrubbed
}

/// Follows the devices file; each new version of it comes out.
fn spawn_devices_watch(
    checked: &Checked,
    adapters: &mut Adapters,
    (link, broker): (DeviceLinkHandle, Option<BrokerHandle>),
    troubles: &Troubles,
    stopped: &watch::Receiver<bool>,
) -> mpsc::Receiver<Listed> {
    let (listed, out) = mpsc::channel(QUEUE);
    let path = checked.file.config.device_link.devices_file.clone();
    let directory = Arc::clone(&checked.directory);
    let watched =
        DevicesWatch { path, directory, link, broker, listed, troubles: troubles.clone(), seen: checked.devices_seen };
    adapters.spawn("devices_file", watched.run(until_stopped(stopped.clone())));
    out
}

/// How long the adapters may take to end. After a failed commit nothing that they have under way can be promised any more, and
/// every device waits for the next start.
const fn grace(ended: &Ended) -> Duration {
    match ended {
        Ended::CommitFailed(_) => GRACE_AFTER_FAILURE,
        Ended::Shutdown | Ended::AdapterGone(_) | Ended::StorageIsBack => GRACE,
    }
}

/// Stops the adapters within this time and closes the journal, each part within its own bound.
async fn finish(
    daemon: Daemon,
    adapters: Adapters,
    readers: Option<CardReaders>,
    stop: &watch::Sender<bool>,
    within: Duration,
) {
    stop.send_replace(true);
    let Daemon { writer, journal, .. } = daemon;
    adapters.finish(within).await;
    if let Some(readers) = readers {
        // Its threads are joined without blocking the runtime.
        let stopped = tokio::task::spawn_blocking(move || readers.stop(GRACE)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::error!("card readers did not stop within the grace period");
        }
    }
    if let Some(journal) = journal {
        journal.close().await;
    }
    if let Some(writer) = writer
        && tokio::time::timeout(GRACE, writer.close()).await.is_err()
    {
        tracing::error!("the journal was not closed within the grace period");
    }
}

fn exit_code(ended: &Ended) -> ExitCode {
    match ended {
        Ended::Shutdown => ExitCode::Stopped,
        Ended::CommitFailed(failure) => {
            tracing::error!(%failure, "a commit failed: its outcome is unknown until the next start");
            ExitCode::Storage(failure.exit_code())
        }
        Ended::AdapterGone(adapter) => {
            tracing::error!(adapter, "an adapter has ended");
            ExitCode::Again
        }
        Ended::StorageIsBack => {
            tracing::info!("starting anew to see whether the disk takes commits again");
            ExitCode::Again
        }
    }
}
