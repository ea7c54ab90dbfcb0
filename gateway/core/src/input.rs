//! Everything that can happen to the core.

use protocols::card::card_file::CardFile;
use protocols::card::date::CardDate;
use protocols::card::intent::PurchaseIntent;
use protocols::card::psam::PsamIdentity;
use protocols::card::{look, proof, purchase, settle};
use protocols::id::{ActorId, DeviceId, ReaderId, ServiceId};
use protocols::uplink::{BalanceAnswer, HoldAnswer, Lane, OrderPage, OwnAlarm, Results, Tender, UploadResult};

/// Which adapter a session belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkId {
    /// The daemon's own MQTT end.
    Device,
    /// An existing broker.
    Broker,
}

/// One connection of a device, numbered by its adapter, never used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The adapter.
    pub link: LinkId,
    /// Its number for the connection.
    pub number: u64,
}

/// What an adapter needs to acknowledge one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckToken {
    /// The connection it came on.
    pub session: SessionId,
    /// MQTT packet identifier.
    pub packet: u16,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

number! {
    /// Names one command to a device until the device acknowledged it.
    CommandId
}
number! {
    /// Names a question that the core asked outside.
    Ticket
}
number! {
    /// Names a caller of the local interface who waits for an answer.
    ReplyToken
}
number! {
    /// Names one dialogue with a card.
    DialogueId
}

/// A sale's id: 32 hex digits, drawn at random by the local interface.
pub type SaleId = String;

/// A lane of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutLane {
    /// Alarms that somebody has to act on soon, and their steps.
    Alarms,
    /// Further presses on open alarms, and technical alarms: they may wait behind a life.
    AlarmNotes,
    /// Sales.
    Sales,
    /// Everything else.
    Rest,
}

impl OutLane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Alarms, Self::AlarmNotes, Self::Sales, Self::Rest];

    /// A word for keys, metrics and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alarms => "alarms",
            Self::AlarmNotes => "alarm_notes",
            Self::Sales => "sales",
            Self::Rest => "rest",
        }
    }
}

/// An input.
#[derive(Debug)]
pub enum Input {
    /// From the devices, by either adapter.
    Link(LinkInput),
    /// From the journal.
    Store(StoreInput),
    /// From the centre.
    Uplink(UplinkInput),
    /// From a person, by the kiosk or staff page.
    Desk(DeskInput),
    /// From the card readers.
    Card(CardInput),
    /// A new version of the devices file: all its devices, each with the milliseconds after which it counts as silent.
    DevicesListed(Vec<(DeviceId, u64)>),
    /// The daemon noticed that a part of itself does not work: technicians are told by an alarm.
    Trouble {
        /// The alarm's kind.
        kind: OwnAlarm,
        /// What is wrong; nothing personal.
        detail: String,
    },
    /// A moment that [`Core::poll_timeout`](crate::Core::poll_timeout) named has come.
    Timer,
}

/// Why an adapter refused something before it became a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRefusal {
    /// Wrong name or secret, or none.
    Login,
    /// A publish outside the own prefix, or on a topic that devices do not publish on.
    ForeignTopic,
    /// A subscription to anything but the own commands.
    ForeignSubscription,
    /// A payload above the limit.
    Oversize,
    /// A packet that MQTT does not allow.
    Malformed,
    /// Too many connections or too many tries.
    Limit,
}

impl LinkRefusal {
    /// The word in entries, metrics and pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::ForeignTopic => "foreign_topic",
            Self::ForeignSubscription => "foreign_subscription",
            Self::Oversize => "oversize",
            Self::Malformed => "malformed",
            Self::Limit => "limit",
        }
    }
}

/// From the devices. The adapter has checked who it is: `device` is the authenticated one.
#[derive(Debug)]
pub enum LinkInput {
    /// A device is connected and can be sent commands.
    Connected {
        /// The device.
        device: DeviceId,
        /// The connection; a later one replaces it.
        session: SessionId,
    },
    /// A connection ended.
    Disconnected {
        /// The device.
        device: DeviceId,
        /// The connection.
        session: SessionId,
    },
    /// A publish on `…/event`. To be acknowledged by [`Effect::Ack`](crate::Effect::Ack), once durable.
    Event {
        /// The device.
        device: DeviceId,
        /// How to acknowledge it; absent at QoS 0.
        ack: Option<AckToken>,
        /// At most `PAYLOAD_LEN_MAX` bytes.
        payload: Vec<u8>,
        /// The retained flag.
        retained: bool,
    },
    /// A publish on `…/status`.
    Status {
        /// The device.
        device: DeviceId,
        /// How to acknowledge it; absent at QoS 0.
        ack: Option<AckToken>,
        /// At most `PAYLOAD_LEN_MAX` bytes.
        payload: Vec<u8>,
        /// A broker kept it from earlier: it says nothing about now.
        retained: bool,
    },
    /// The device acknowledged a command; where it subscribed without acknowledgements, the command was written to it.
    CommandTaken {
        /// The device.
        device: DeviceId,
        /// The command.
        command: CommandId,
    },
    /// A command cannot be sent to this device on this connection: it is longer than the device takes.
    CommandGivenUp {
        /// The device.
        device: DeviceId,
        /// The command.
        command: CommandId,
    },
    /// The adapter refused something itself.
    Refused {
        /// The device, where it is authenticated.
        device: Option<DeviceId>,
        /// Why.
        reason: LinkRefusal,
        /// How to acknowledge it once the refusal is on record, where the connection lives on.
        ack: Option<AckToken>,
        /// Bytes of the payload.
        size: u64,
        /// Its first bytes, at most `SAMPLE_LEN_MAX`.
        sample: Vec<u8>,
    },
}

/// From the journal. A commit that failed is no input: the process ends.
#[derive(Debug)]
pub enum StoreInput {
    /// A group is durable.
    Committed {
        /// Its number.
        group: u64,
    },
    /// Whether the disk is so full that sales close.
    SpaceLow(bool),
    /// A row does not fit its hash; it must not be sent.
    RowDamaged {
        /// The lane it waits in.
        lane: OutLane,
        /// Its number.
        n: u64,
    },
    /// Answer to [`Effect::FindOrigin`](crate::Effect::FindOrigin).
    OriginFound {
        /// The question.
        ticket: Ticket,
        /// The fingerprint of the body that the journal holds for that report, if it holds one.
        body: Result<Option<u64>, LookUpFailed>,
    },
    /// Answer to [`Effect::LoadReports`](crate::Effect::LoadReports).
    ReportsLoaded {
        /// The question.
        ticket: Ticket,
        /// What the journal has of it; `None` when it has no report.
        found: Result<Option<NewestReports>, LookUpFailed>,
    },
}

/// The newest reports of a device in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestReports {
    /// Its newest epoch.
    pub epoch: u32,
    /// Numbers and fingerprints of that epoch's reports with the highest numbers.
    pub recent: Vec<(u64, u64)>,
}

/// The journal could not be asked: whether it has what was looked for is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal could not be asked")]
pub struct LookUpFailed;

/// Why the centre gave no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UplinkFailure {
    /// No answer within the deadline, no route, no connection, TLS refused.
    Unreachable,
    /// 401 or 403: an identity trouble.
    Identity,
    /// 429 or 503; try again after so many milliseconds at the earliest.
    Busy {
        /// From `Retry-After`, where given.
        retry_after_ms: Option<u64>,
    },
    /// 400, 413 or 422: this request as a whole will not be taken; less, or another one, may be.
    RefusedWhole,
    /// An answer that is none of this protocol: a captive portal, a redirect, garbage, another status.
    Garbage,
}

/// An answer to a direct upload.
#[derive(Debug)]
pub struct Direct {
    /// The question.
    pub ticket: Ticket,
    /// What the centre said.
    pub result: Result<UploadResult, UplinkFailure>,
}

/// From the centre.
#[derive(Debug)]
pub enum UplinkInput {
    /// Answer to [`Effect::Upload`](crate::Effect::Upload).
    Uploaded {
        /// The lane.
        lane: OutLane,
        /// The effect's `after`: which upload of the lane this answers.
        after: u64,
        /// The numbers that were sent, ascending; empty when the journal had none.
        sent: Vec<u64>,
        /// What the centre said.
        result: Result<Results, UplinkFailure>,
    },
    /// Answer to [`Effect::UploadDirect`](crate::Effect::UploadDirect).
    Direct(Direct),
    /// Answer to [`Effect::Hold`](crate::Effect::Hold).
    HoldAnswered {
        /// The sale.
        sale: SaleId,
        /// What the centre said.
        result: Result<HoldAnswer, UplinkFailure>,
    },
    /// Answer to [`Effect::AskBalance`](crate::Effect::AskBalance).
    BalanceAnswered {
        /// The look at the card.
        look: String,
        /// What the centre said.
        result: Result<BalanceAnswer, UplinkFailure>,
    },
    /// Answer to [`Effect::PollOrders`](crate::Effect::PollOrders).
    Orders {
        /// The lane.
        lane: Lane,
        /// What the centre said.
        result: Result<OrderPage, UplinkFailure>,
    },
}

/// From a person.
#[derive(Debug)]
pub enum DeskInput {
    /// Somebody chose services; the card comes next.
    StartSale {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// A fresh random id for the sale; not used when the key is known.
        sale: SaleId,
        /// The Idempotency-Key.
        key: String,
        /// Where the card will lie.
        reader: ReaderId,
        /// Services and how many of each.
        items: Vec<(ServiceId, u32)>,
        /// What pays.
        tender: Tender,
        /// Random salt for the private record.
        salt: [u8; 32],
    },
    /// How is the sale that this key has begun? None is begun.
    FindSale {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// The Idempotency-Key.
        key: String,
        /// Where the card was to lie.
        reader: ReaderId,
        /// Services and how many of each.
        items: Vec<(ServiceId, u32)>,
        /// What was to pay.
        tender: Tender,
    },
    /// Take a sale back.
    CancelSale {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// The sale.
        sale: SaleId,
    },
    /// What lies on a reader?
    LookAtCard {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// The reader.
        reader: ReaderId,
        /// A fresh random name for this lay-on of the card; not used when it has one.
        reference: String,
    },
    /// Somebody at a kiosk calls the staff.
    CallStaff {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// The Idempotency-Key.
        key: String,
        /// The kiosk's reader.
        reader: ReaderId,
    },
    /// Take an alarm further.
    StepAlarm {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// The alarm's id.
        alarm: String,
        /// How far.
        state: protocols::device::AlarmState,
        /// Who does it.
        by: ActorId,
        /// The cause, needed to resolve.
        cause: Option<String>,
        /// Who is sent.
        sent: crate::alarms::Sent,
    },
    /// Offer an entry in quarantine to the centre again.
    SendAgain {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// The entry's number.
        n: u64,
        /// Who wants it.
        by: ActorId,
    },
    /// Watch a device for a while, to see whether its button works.
    TestDevice {
        /// Who waits for the answer.
        reply: ReplyToken,
        /// The device.
        device: DeviceId,
        /// Who wants it.
        by: ActorId,
    },
}

/// What a reader can do just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReaderState {
    /// The reader or the PC/SC service is not there.
    Gone,
    /// Ready, no card.
    Empty,
    /// A card lies on it.
    Card,
    /// The card does not answer within the deadline.
    Mute,
}

/// How a dialogue ended; the steppers of `protocols::card` say the details.
#[derive(Debug)]
pub enum DialogueOutcome {
    /// The proof of the card, or [`DialogueOrder::Identify`](crate::DialogueOrder::Identify), which is its beginning.
    Proof(proof::Outcome),
    /// The purchase.
    Purchase(purchase::Outcome),
    /// The settlement.
    Settle(settle::Outcome),
    /// The look.
    Look(look::Outcome),
    /// No dialogue: given up before the first command, so nothing was charged.
    NotRun(NotRun),
}

/// Why a dialogue was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRun {
    /// The card had gone.
    NoCard,
    /// The card did not answer to its reset or within the deadline.
    CardMute,
    /// Another program holds the card.
    CardHeld,
    /// The card does not speak as cards of this kind do.
    CardForeign,
    /// The reader or the PC/SC service is not there, or is out of use.
    ReaderGone,
    /// The reader is not configured, has more to do than it can, or has ended.
    NotTaken,
    /// The PSAM is not there, or cannot be used.
    PsamGone,
    /// A dialogue at another reader has the PSAM.
    PsamBusy,
    /// The reader's thread cannot work: no clock, no random octets, no thread, or it broke.
    Broken,
}

impl NotRun {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoCard => "no_card",
            Self::CardMute => "card_mute",
            Self::CardHeld => "card_held",
            Self::CardForeign => "card_foreign",
            Self::ReaderGone => "reader_gone",
            Self::NotTaken => "not_taken",
            Self::PsamGone => "psam_gone",
            Self::PsamBusy => "psam_busy",
            Self::Broken => "reader_broken",
        }
    }
}

/// From the card readers.
#[derive(Debug)]
pub enum CardInput {
    /// A reader changed.
    Reader {
        /// The reader.
        reader: ReaderId,
        /// Its state; [`ReaderState::Card`] is told once for each time a card is laid on.
        state: ReaderState,
    },
    /// The PSAM is there (with its terminal id and serial, hex) or not.
    Psam(Option<PsamIdentity>),
    /// A dialogue read the card's public file and waits for [`Effect::CardVerdict`](crate::Effect::CardVerdict).
    Identified {
        /// The dialogue.
        dialogue: DialogueId,
        /// The public file.
        card: CardFile,
        /// Today at the site, from the wall clock, as the card's dates are written.
        today: CardDate,
    },
    /// A purchase has MAC1 and waits for [`Effect::Proceed`](crate::Effect::Proceed) before the debit.
    IntentReady {
        /// The dialogue.
        dialogue: DialogueId,
        /// What is about to happen.
        intent: PurchaseIntent,
        /// Random salt for the private record.
        salt: [u8; 32],
    },
    /// A dialogue ended.
    Done {
        /// The dialogue.
        dialogue: DialogueId,
        /// How.
        outcome: DialogueOutcome,
    },
}
