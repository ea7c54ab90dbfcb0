//! Does for a flow what people do with their hands, and what happens to machines.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use protocols::card::value::CardAmount;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::site::button::Button;
use crate::site::error::SiteError;
use crate::site::gateway::{NURSE, PIN};
use crate::site::wait::until;
use crate::site::{CARD_SERIAL, EPOCH, READER, Site};
use crate::virtual_card::card_state::CardState;
use crate::virtual_card::fault::{Act, Fault, When};
use crate::virtual_card::purse::CitizenCard;

/// A card that nobody registered: the last 8 of its 10 bytes.
const STRANGER_SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x99, 0x99, 0x99, 0x99];
/// The last day of a card that has expired, as it is written on it: 2020-12-31.
const EXPIRED: [u8; 4] = [0x20, 0x20, 0x12, 0x31];
/// The instruction byte of SELECT.
const SELECT: u8 = 0xA4;
/// A card has no such application.
const NOT_FOUND: [u8; 2] = [0x6A, 0x82];
/// How long a card holds its answer back: longer than a gateway takes to be killed and to start.
const HELD_BACK: Duration = Duration::from_secs(4);
/// How long one thing may take.
const STEP: Duration = Duration::from_secs(60);

/// What a flow may ask for: `{"do":"press","device":"btn-0001","kind":"sos"}`.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Addresses, names and secrets of the site.
    Tell,
    /// Lays the card on the reader.
    LayCard,
    /// Takes it away; the gateway has noticed when this is done.
    TakeCard,
    /// The card will be torn at the next command with this instruction byte, before or after it is carried out.
    TearCard {
        /// The instruction byte.
        ins: u8,
        /// Whether the card has carried it out.
        after: bool,
    },
    /// From now on another card is in the hand; it has the site's number, unless it is a stranger's.
    OtherCard {
        /// What its purse holds, fen.
        balance: u32,
        /// Whether it has expired.
        #[serde(default)]
        expired: bool,
        /// Whether the centre knows nobody whose card it is.
        #[serde(default)]
        stranger: bool,
        /// Whether it has another scheme's application alone, such as a bank's.
        #[serde(default)]
        other_scheme: bool,
    },
    /// Lays the card on, and kills the gateway while the card has carried out a command with this instruction byte and not answered.
    LayCardAndKillGateway {
        /// The instruction byte.
        ins: u8,
    },
    /// Takes the security module out.
    TakePsam,
    /// Puts it back.
    PutPsam,
    /// What the card's purse holds, fen.
    Purse,
    /// SIGKILL for the centre.
    KillCentre,
    /// Starts the centre and waits until it takes entries.
    StartCentre,
    /// SIGKILL for the gateway.
    KillGateway,
    /// Starts the gateway and waits until it is ready.
    StartGateway,
    /// A device reports; done when it is acknowledged.
    Press {
        /// The device.
        device: String,
        /// `sos`, `pull_cord` …
        kind: String,
    },
    /// So many devices, those whose names begin so, report one after the other.
    PressMany {
        /// How their names begin.
        devices: String,
        /// How many of them, in the order of their names.
        count: usize,
        /// `sos` …
        kind: String,
    },
    /// A figure that was measured, for whoever plays the flow.
    Figure {
        /// Of what.
        name: String,
        /// Milliseconds.
        ms: f64,
    },
    /// Waits until a device has heard of a state of its report.
    Hear {
        /// The device.
        device: String,
        /// The report's number.
        seq: u64,
        /// `acknowledged` …
        state: String,
    },
}

/// Who does it.
pub struct Stagehand<'a> {
    site: &'a mut Site,
    buttons: BTreeMap<String, Button>,
    figures: Vec<(String, f64)>,
}

impl<'a> Stagehand<'a> {
    /// With this site at hand.
    pub const fn new(site: &'a mut Site) -> Self {
        Self { site, buttons: BTreeMap::new(), figures: Vec::new() }
    }

    /// What was measured: of what, and milliseconds.
    pub fn into_figures(self) -> Vec<(String, f64)> {
        self.figures
    }

    /// Does it; gives what there is to tell of it.
    ///
    /// # Errors
    /// It could not be done.
    pub async fn carry_out(&mut self, request: Request) -> Result<Value, SiteError> {
        match request {
            Request::Tell => Ok(self.tell()),
            Request::LayCard => self.site.till().lay_card().await.map(|()| Value::Null),
            Request::TakeCard => self.site.till().take_card().await.map(|()| Value::Null),
            Request::TearCard { ins, after } => {
                let when = When::Ins(ins);
                let fault = if after { Fault::tear_after(when) } else { Fault::tear_before(when) };
                self.site.card().arm(fault);
                Ok(Value::Null)
            }
            Request::OtherCard { balance, expired, stranger, other_scheme } => {
                self.other_card(balance, expired, stranger);
                if other_scheme {
                    self.site.card().arm(
                        Fault::once(When::Ins(SELECT), Act::AnswerWithoutExecuting(NOT_FOUND.to_vec())).times(u32::MAX),
                    );
                }
                Ok(Value::Null)
            }
            Request::LayCardAndKillGateway { ins } => self.lay_card_and_kill_gateway(ins).await,
            Request::TakePsam => Ok(json!(self.site.psam().remove())),
            Request::PutPsam => Ok(json!(self.site.psam().reinsert())),
            Request::Purse => Ok(json!(self.site.till().purse())),
            Request::KillCentre => {
                self.site.centre.kill();
                Ok(Value::Null)
            }
            Request::StartCentre => self.site.centre.start().await.map(|()| Value::Null),
            Request::KillGateway => Ok(self.kill_gateway()),
            Request::StartGateway => self.site.gateway.start().await.map(|()| Value::Null),
            Request::Press { device, kind } => self.press(&device, &kind).await,
            Request::PressMany { devices, count, kind } => self.press_many(&devices, count, &kind).await,
            Request::Figure { name, ms } => {
                self.figures.push((name, ms));
                Ok(Value::Null)
            }
            Request::Hear { device, seq, state } => {
                self.button(&device).await?.hear_state(seq, &state, STEP).await.map(|_| Value::Null)
            }
        }
    }

    fn other_card(&self, balance: u32, expired: bool, stranger: bool) {
        let serial = if stranger { STRANGER_SERIAL } else { CARD_SERIAL };
        let balance_fen = CardAmount::from_balance(balance.to_be_bytes());
        let mut state = CardState { balance_fen, ..CardState::new(serial) };
        if expired {
            state.valid_until = EXPIRED;
        }
        let card = self.site.card();
        card.disarm();
        card.insert(CitizenCard::new(state));
        card.remove();
    }

    fn kill_gateway(&mut self) -> Value {
        self.buttons.clear();
        self.site.gateway.kill();
        Value::Null
    }

    async fn lay_card_and_kill_gateway(&mut self, ins: u8) -> Result<Value, SiteError> {
        let card = self.site.card();
        card.clear_trace();
        card.arm(Fault::mute(When::Ins(ins), HELD_BACK));
        self.site.till().lay_card().await?;
        let begun = async || self.site.card().wait_command(ins, Duration::ZERO).then_some(());
        until("the command reaches the card", STEP, begun).await?;
        Ok(self.kill_gateway())
    }

    fn tell(&self) -> Value {
        let operators: Vec<Value> = self
            .site
            .centre
            .district
            .operators
            .iter()
            .map(|operator| json!({"id": operator.id, "token": operator.token, "password": operator.password}))
            .collect();
        json!({
            "kiosk": self.site.gateway.kiosk_page(),
            "gateway": self.site.gateway.api.base(),
            "board": self.site.centre.board(),
            "centre": self.site.centre.api.base(),
            "reader": READER,
            "nurse": NURSE,
            "pin": PIN,
            "operators": operators,
        })
    }

    /// A device that stays connected.
    async fn button(&mut self, device: &str) -> Result<&mut Button, SiteError> {
        match self.buttons.entry(device.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(self.site.button(device).await?)),
        }
    }

    async fn press(&mut self, device: &str, kind: &str) -> Result<Value, SiteError> {
        let pressed = self.button(device).await?.press(kind).await?;
        Ok(json!({"alarm": pressed.alarm(device), "seq": pressed.seq}))
    }

    async fn press_many(&self, devices: &str, count: usize, kind: &str) -> Result<Value, SiteError> {
        let mut alarms = Vec::new();
        for login in self.site.logins_of(devices).into_iter().take(count) {
            let device = login.device.clone();
            alarms.push(Button::connect(login, EPOCH).await?.press(kind).await?.alarm(&device));
        }
        Ok(json!(alarms))
    }
}
