//! A whole site on this machine, for the demonstration and for tests from end to end: the real `central` and `gateway` as processes, a
//! private pcscd with a citizen card and a PSAM made of software, devices over real MQTT.
//!
//! Owns: one temporary directory with the files of both services and their logs, the ports, the processes. When a test fails, the
//! ends of both logs are printed and the directory stays.
//!
//! **Invariant:** nothing outlives its [`Site`], nor the process that holds it, however that ends.
//! **Invariant:** everything listens on loopback only.

pub mod audit;
pub mod button;
pub mod centre;
pub mod error;
pub mod files;
pub mod gateway;
pub mod http;
pub mod limits;
pub mod load;
pub mod mosquitto;
pub mod mqtt;
pub mod ports;
pub mod process;
pub mod programs;
pub mod records;
pub mod shopper;
pub mod till;
pub mod wait;

pub use simulation::{dice, long_run};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocols::card::value::CardAmount;

use crate::pcscd::PcscdError;
use crate::virtual_card::card_state::CardState;
use crate::virtual_card::psam::{Psam, PsamState};
use crate::virtual_card::purse::CitizenCard;
use crate::virtual_card::{CardBench, Slot};
use button::Button;
use centre::Centre;
use error::SiteError;
use gateway::{Gateway, Preparation};
use mqtt::Login;
use process::last_lines;

/// The reader's name in the gateway.
pub const READER: &str = "kiosk-1";
/// The epoch of every device of a site.
pub const EPOCH: u32 = 1;
/// The number of the site's card, which the centre's made-up district knows: the last 8 of its 10 bytes.
pub const CARD_SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78];
/// What its purse holds, fen.
pub const PURSE_FEN: u32 = 100_000;
/// The terminal's number in the PSAM.
const TERMINAL: [u8; 6] = [0x31, 0x00, 0x00, 0x00, 0x00, 0x42];

/// What a site has.
#[derive(Debug, Clone)]
pub struct SiteSettings {
    /// Whether there are readers, a card (off the reader at first) and a PSAM.
    pub cards: bool,
    /// Whether the reader is on a cable, which is plugged in at first.
    pub cable: bool,
    /// Devices that may log in.
    pub devices: Vec<String>,
    /// How long a device is watched when staff try it, seconds.
    pub device_test_s: u16,
    /// How much both services log.
    pub log: &'static str,
    /// Whether it is for measuring: the gateway listens with TLS too, and one address may have every connection.
    pub for_measuring: bool,
    /// Devices more, by the thousand: their names are added to the file at once, not by the command line.
    pub many: Vec<String>,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            cards: false,
            cable: false,
            devices: vec!["btn-0001".to_owned()],
            device_test_s: 180,
            log: "info",
            for_measuring: false,
            many: Vec::new(),
        }
    }
}

impl SiteSettings {
    /// With card readers.
    #[must_use]
    pub fn with_cards() -> Self {
        Self { cards: true, ..Self::default() }
    }

    /// With so many devices more, `load-0001` and on.
    #[must_use]
    pub fn and_load(mut self, devices: usize) -> Self {
        self.devices.extend((1..=devices).map(|number| format!("load-{number:04}")));
        self
    }
}

/// A site.
pub struct Site {
    /// The centre.
    pub centre: Centre,
    /// The gateway.
    pub gateway: Gateway,
    /// Readers, card and PSAM, where there are some.
    pub cards: Option<CardBench>,
    logins: BTreeMap<String, Login>,
    directory: PathBuf,
}

impl Site {
    /// A site whose services run.
    ///
    /// # Errors
    /// Anything that the site is made of fails.
    pub async fn start(settings: &SiteSettings) -> Result<Self, SiteError> {
        let mut site = Self::prepare(settings).await?;
        site.centre.start().await?;
        site.gateway.start().await?;
        Ok(site)
    }

    /// A site of which nothing runs yet but pcscd.
    ///
    /// # Errors
    /// Anything that the site is made of fails.
    pub async fn prepare(settings: &SiteSettings) -> Result<Self, SiteError> {
        let directory = files::new_directory()?;
        let cards = if settings.cards { Some(cards(settings.cable)?) } else { None };
        let centre = Centre::prepare(&directory, settings.log).await?;
        let gateway = Gateway::prepare(Preparation {
            directory: &directory,
            identity: &centre.district.gateway,
            centres: vec![centre.api.base().to_owned()],
            readers: cards.as_ref().map(|bench| {
                let (name, value) = bench.pcscd.variable();
                (name.into(), value)
            }),
            device_test_s: settings.device_test_s,
            log: settings.log,
            for_measuring: settings.for_measuring,
        })
        .await?;
        let mut site = Self { centre, gateway, cards, logins: BTreeMap::new(), directory };
        for device in &settings.devices {
            let login = site.gateway.add_device(device).await?;
            site.logins.insert(device.clone(), login);
        }
        if !settings.many.is_empty() {
            let added = site.gateway.add_devices(&settings.many)?;
            site.logins.extend(added.into_iter().map(|login| (login.device.clone(), login)));
        }
        Ok(site)
    }

    /// What a device logs in with.
    ///
    /// # Panics
    /// When the site has no such device.
    #[must_use]
    pub fn login(&self, device: &str) -> Login {
        self.logins.get(device).expect("the settings name this device").clone()
    }

    /// What the devices for load log in with.
    #[must_use]
    pub fn load_logins(&self) -> Vec<Login> {
        self.logins_of("load-")
    }

    /// What the devices whose names begin so log in with, in the order of their names.
    #[must_use]
    pub fn logins_of(&self, name: &str) -> Vec<Login> {
        let found = self.logins.iter().filter(|(device, _)| device.starts_with(name));
        found.map(|(_, login)| login.clone()).collect()
    }

    /// A device that is connected.
    ///
    /// # Errors
    /// It is not let in.
    pub async fn button(&self, device: &str) -> Result<Button, SiteError> {
        Button::connect(self.login(device), EPOCH).await
    }

    /// The slot in which the card lies, or does not.
    ///
    /// # Panics
    /// When the site has no readers.
    #[must_use]
    pub fn card(&self) -> &Slot<CitizenCard> {
        &self.cards.as_ref().expect("the settings ask for cards").reader.card
    }

    /// The slot of the PSAM.
    ///
    /// # Panics
    /// When the site has no readers.
    #[must_use]
    pub fn psam(&self) -> &Slot<Psam> {
        &self.cards.as_ref().expect("the settings ask for cards").reader.psam
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The ends of both logs.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut text = format!("the site's files stay in {}\n", self.directory.display());
        for log in [self.centre.log(), self.gateway.log()] {
            let lines = last_lines(log, limits::LOG_LINES_SHOWN);
            text.push_str(&format!("----- the end of {}\n{lines}\n", log.display()));
        }
        text
    }
}

impl Drop for Site {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the services said")]
    fn drop(&mut self) {
        self.gateway.kill();
        self.centre.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        } else if std::env::var_os(files::KEEP_VARIABLE).is_none() {
            // A directory that cannot be removed is left to the system's cleaning of its temporary files.
            drop(std::fs::remove_dir_all(&self.directory));
        }
    }
}

/// pcscd with the PSAM in its slot and the card in the hand.
fn cards(cable: bool) -> Result<CardBench, SiteError> {
    let bench = if cable { CardBench::start_with_cable()? } else { CardBench::start()? };
    let balance_fen = CardAmount::new(PURSE_FEN).expect("the site's purse holds an amount that cards can hold");
    bench.reader.card.insert(CitizenCard::new(CardState { balance_fen, ..CardState::new(CARD_SERIAL) }));
    bench.reader.card.remove();
    bench.reader.psam.insert(Psam::new(PsamState::new(TERMINAL)));
    if cable {
        bench.plug().map_err(PcscdError::from)?;
    }
    Ok(bench)
}
