//! Card readers over PC/SC: who lies on which reader, and the dialogues of the core with cards and PSAM.
//!
//! | thread | one for | does |
//! |---|---|---|
//! | `card-monitor` | all slots | watches readers, cards and the service with a context of its own |
//! | `card-reader` | each reader | carries dialogues through, one at a time |
//! | `card-psam` | the PSAM's slot | identifies the PSAM, lends it |
//! | `pcsc` | each connection | makes the calls that may block for ever; one that does is left behind |
//!
//! Owns: the PC/SC contexts and connections; the stepping of dialogues, whose bytes the card protocols decide; nothing that
//! outlives the process.
//!
//! **Invariant:** two dialogues never share a card or the PSAM.
//! **Invariant:** no card, reader or service, however it fails, holds up anybody outside this module.
//! **Invariant:** an error of a reader is not an error of the card: the dialogue hears "no answer", and the sale is settled by proof.

mod connector;
mod dialogue;
mod handle;
pub mod limits;
mod line;
mod monitor;
mod presence;
mod psam;
mod settings;
mod site_time;
mod slot;
mod stepper;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gateway_core::CardInput;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tracing::error;

use connector::Connector;
use dialogue::Reader;
use handle::Routes;
use limits::{DIALOGUES_WAITING_MAX, RETRY_MIN, STOP_LOOK};
use line::pcsc_work;
use monitor::Monitor;
use psam::{Keeper, Psam};
use slot::{Slot, Use};

pub use handle::{CardReaderHandle, Refused};
pub use settings::{CardDeadlines, CardReaderSettings, ReaderSettings, SettingsError};

/// Why the readers could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error("card_reader.{}: {wrong}", .wrong.key())]
    Settings {
        /// The first of what is wrong.
        wrong: SettingsError,
    },
    /// The time zone of the site is not known.
    #[error("the time zone {} is not known", site_time::SITE_ZONE)]
    Zone(#[source] jiff::Error),
    /// The system gives no thread.
    #[error("no thread for the card readers")]
    Thread(#[source] std::io::Error),
}

/// What did not end in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{threads} threads of the card readers did not end in time")]
pub struct StillRunning {
    /// How many.
    pub threads: usize,
}

/// The running readers. Dropping them orders their end, without waiting for it.
#[derive(Debug)]
pub struct CardReaders {
    slots: Vec<Arc<Slot>>,
    routes: Arc<Routes>,
    threads: Vec<JoinHandle<()>>,
}

impl CardReaders {
    /// Starts the threads. What happens is told in `inputs`, which closes when the last thread has ended. The PC/SC service
    /// need not be there: its readers are gone until it is.
    ///
    /// # Errors
    /// See [`StartError`]; then nothing runs.
    pub fn start(
        settings: &CardReaderSettings,
        inputs: &mpsc::Sender<CardInput>,
    ) -> Result<(Self, CardReaderHandle), StartError> {
        settings.check().map_err(|wrong| StartError::Settings { wrong })?;
        let zone = TimeZone::get(site_time::SITE_ZONE).map_err(StartError::Zone)?;
        let slot = |of, pcsc: &str| Arc::new(Slot::new(of, pcsc.to_owned(), inputs.clone()));
        let psam = Arc::new(Psam::new(slot(Use::Psam, &settings.psam)));
        let mute = settings.deadlines.mute();
        let routes = Arc::new(Routes::default());
        let mut this = Self { slots: vec![Arc::clone(&psam.slot)], routes: Arc::clone(&routes), threads: Vec::new() };
        let profile = Arc::new(settings.profile.clone());
        for configured in &settings.reader {
            let slot = slot(Use::Reader(configured.id.clone()), &configured.pcsc);
            let (order, jobs) = sync_channel(DIALOGUES_WAITING_MAX);
            let mut reader = Reader {
                slot: Arc::clone(&slot),
                connector: Connector::new(Arc::clone(&slot), pcsc_work, mute),
                psam: Arc::clone(&psam),
                profile: Arc::clone(&profile),
                deadlines: settings.deadlines,
                zone: zone.clone(),
                inputs: inputs.clone(),
                routes: Arc::clone(&routes),
            };
            routes.add(configured.id.clone(), order);
            this.slots.push(slot);
            this.spawn("card-reader", move || reader.run(&jobs))?;
        }
        let mut keeper = Keeper::new(psam, settings.profile.psam_df, pcsc_work, mute, inputs.clone());
        this.spawn("card-psam", move || keeper.run())?;
        let monitor = Monitor { slots: this.slots.clone() };
        this.spawn("card-monitor", move || monitor.run())?;
        Ok((this, CardReaderHandle { routes }))
    }

    /// A thread that goes on after a panic: what it looks after must not stay as it was left.
    fn spawn(&mut self, name: &'static str, mut run: impl FnMut() + Send + 'static) -> Result<(), StartError> {
        let run = move || {
            while catch_unwind(AssertUnwindSafe(&mut run)).is_err() {
                error!(thread = name, "a thread of the card readers panicked and goes on");
                std::thread::sleep(RETRY_MIN);
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StartError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Orders the end and waits for it: a dialogue that waits for the core gives up, one that speaks to a card goes on to
    /// its end. Somebody must still take the inputs.
    ///
    /// # Errors
    /// What has not ended within this time, and is left behind.
    pub fn stop(mut self, within: Duration) -> Result<(), StillRunning> {
        self.order_end();
        let started = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) && started.elapsed() < within {
            std::thread::sleep(STOP_LOOK);
        }
        self.threads.retain(|thread| !thread.is_finished());
        if self.threads.is_empty() { Ok(()) } else { Err(StillRunning { threads: self.threads.len() }) }
    }

    fn order_end(&self) {
        self.routes.close();
        for slot in &self.slots {
            slot.stop();
        }
    }
}

impl Drop for CardReaders {
    fn drop(&mut self) {
        self.order_end();
    }
}
