//! Everything that the core wants done outside.

use protocols::device::AlarmState;
use protocols::id::{DeviceId, ReaderId};
use protocols::unit::Points;
use protocols::uplink::{BalanceRequest, HASH_LEN, HoldRequest, Lane, PrivateRecord, SaleOutcome, Tender};
use serde::{Deserialize, Serialize};

use crate::device_tests::DeviceTest;
use crate::input::{AckToken, CommandId, DialogueId, OutLane, ReaderState, ReplyToken, SaleId, SessionId, Ticket};

/// One journal row, ready to be stored as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number: 1, 2, 3 … without gaps.
    pub n: u64,
    /// SHA-256(hash of `n`-1 ‖ `bytes`); before the first row stand 32 zero bytes.
    pub hash: [u8; HASH_LEN],
    /// The exact bytes of the entry.
    pub bytes: String,
    /// The origin's source.
    pub source: String,
    /// The origin's epoch.
    pub epoch: String,
    /// The origin's number.
    pub seq: u64,
    /// The entry's kind.
    pub kind: String,
    /// Fingerprint of what was reported, for telling duplicates from conflicts: the first 8 bytes of a SHA-256.
    pub body: u64,
    /// The lane it leaves on.
    pub lane: OutLane,
    /// Personal data beside it.
    pub private: Option<PrivateRecord>,
}

/// A change of the state from which the core restores itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateChange {
    /// Sets `key` to a JSON value.
    Put {
        /// Such as `alarm/btn-0001.1.42`.
        key: String,
        /// JSON.
        value: String,
    },
    /// Removes `key`.
    Delete {
        /// The key.
        key: String,
    },
}

/// What goes to disk in one transaction. At most one group is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number, for [`StoreInput::Committed`](crate::StoreInput::Committed).
    pub id: u64,
    /// Rows, ascending by `n`; may be empty.
    pub rows: Vec<Row>,
    /// State, in order; a later change of a key wins.
    pub state: Vec<StateChange>,
}

/// What a device's publish is answered with. MQTT 3.1.1 knows only success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckCode {
    /// Taken (or taken before).
    Success,
    /// Recorded as refused: retained, foreign topic.
    NotAuthorized,
    /// Recorded as unreadable.
    PayloadFormatInvalid,
    /// Recorded as too large.
    QuotaExceeded,
}

/// What a dialogue may do after the card was identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardVerdict {
    /// Go on.
    Approved,
    /// Stop here.
    Declined,
}

/// A dialogue for a reader's thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogueOrder {
    /// Read the public file only.
    Identify,
    /// Prove that the card is genuine.
    Proof,
    /// Debit the purse.
    Purchase {
        /// Fen.
        amount: u32,
    },
    /// Read what a person may know of the card: its public file, its purse, a proof for the centre.
    Look,
    /// Find out what became of a debit.
    Settle {
        /// What was about to happen.
        intent: protocols::card::intent::PurchaseIntent,
    },
}

/// Why a person's wish is not granted. Each has a message in the local interface that says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such sale.
    SaleUnknown,
    /// No such alarm.
    AlarmUnknown,
    /// The card was touched already.
    SaleUnderWay,
    /// The sale has ended.
    SaleEnded,
    /// Another sale waits at this reader.
    ReaderBusy,
    /// The reader is not there.
    ReaderGone,
    /// The reader is not configured.
    ReaderUnknown,
    /// The security module is not there.
    PsamGone,
    /// A service that the catalogue does not have.
    ServiceUnknown,
    /// No lines, too many, or a quantity outside its range.
    ItemsInvalid,
    /// Above the most that one sale may cost.
    AmountTooHigh,
    /// The Idempotency-Key was used for something else.
    KeyReused,
    /// The key is empty or too long.
    KeyInvalid,
    /// Nothing can be stored just now; sales are closed.
    StorageDown,
    /// The line to the centre is down: the account cannot pay, the purse can.
    Offline,
    /// Nothing can be stored, and the centre did not take a step of an alarm: it does not count yet.
    StepNotTaken,
    /// To resolve an alarm a cause is needed.
    CauseMissing,
    /// A call for the staff could not be recorded.
    HelpNotCalled,
    /// The card has expired or is not valid yet.
    CardExpired,
    /// The card is on the hotlist or blocked.
    CardBlocked,
    /// The card is of another scheme or could not be read.
    CardUnreadable,
    /// Another card than the one the sale began with.
    CardChanged,
    /// The card did not prove itself.
    CardNotGenuine,
    /// The card was taken away too soon; nothing was charged.
    CardRemoved,
    /// The card does not answer.
    CardMute,
    /// Another program holds the card.
    CardHeld,
    /// The security module serves another reader just now.
    PsamBusy,
    /// The reader cannot work: a person has to look at the gateway.
    ReaderBroken,
    /// Not enough in the account or purse.
    Insufficient,
    /// The centre knows no account for this card.
    NoAccount,
    /// The centre has closed sales of this gateway.
    Closed,
    /// The centre has other prices: the list here was old.
    PriceChanged,
    /// The centre no longer offers a service of this order.
    ServiceWithdrawn,
    /// The centre knows this order otherwise, or as ended: a new one is needed.
    OrderNotTaken,
    /// The centre cannot ask the issuer about the card just now.
    CardNotChecked,
    /// The centre refused for another reason.
    CentreRefused,
    /// Nobody laid a card on in time.
    CardWaitEnded,
    /// A person took it back.
    TakenBack,
    /// The gateway was restarted in mid-sale; nothing was charged.
    Interrupted,
    /// The card was not debited, as it proved afterwards.
    NotDebited,
    /// The security module refused or broke off; nothing was charged.
    PsamRefused,
    /// Whether the card was debited is not known until it is laid on again.
    Unsettled,
    /// The security module rejected the card's proof: not known until the card proves itself at its next tap, or the
    /// issuer or people at the centre have decided.
    ProofRejected,
    /// The centre has not confirmed the prices for too long.
    CatalogueOld,
    /// The card's counter went back: it is a copy of an older state.
    CardCounterRegress,
    /// The journal has no entry of this number.
    EntryUnknown,
    /// The entry does not fit its hash: it is never sent.
    EntryDamaged,
    /// No device of this name is looked after here.
    DeviceUnknown,
    /// As many tests of devices run as may at once.
    TestsTooMany,
}

impl Refusal {
    /// Whether the purse on the card may pay what the account did not: what people are told then says so, too.
    #[must_use]
    pub const fn offers_purse(self) -> bool {
        matches!(self, Self::Offline | Self::NoAccount | Self::Insufficient | Self::CardNotChecked)
    }

    /// The word in metrics, pages and answers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SaleUnknown => "sale_unknown",
            Self::AlarmUnknown => "alarm_unknown",
            Self::SaleUnderWay => "sale_under_way",
            Self::SaleEnded => "sale_ended",
            Self::ReaderBusy => "reader_busy",
            Self::ReaderGone => "reader_gone",
            Self::ReaderUnknown => "reader_unknown",
            Self::PsamGone => "psam_gone",
            Self::ServiceUnknown => "service_unknown",
            Self::ItemsInvalid => "items_invalid",
            Self::AmountTooHigh => "amount_too_high",
            Self::KeyReused => "key_reused",
            Self::KeyInvalid => "key_invalid",
            Self::StorageDown => "storage_down",
            Self::Offline => "offline",
            Self::CauseMissing => "cause_missing",
            Self::HelpNotCalled => "help_not_called",
            Self::CardExpired => "card_expired",
            Self::CardBlocked => "card_blocked",
            Self::CardUnreadable => "card_unreadable",
            Self::CardChanged => "card_changed",
            Self::CardNotGenuine => "card_not_genuine",
            Self::CardRemoved => "card_removed",
            Self::Insufficient => "insufficient",
            Self::NoAccount => "no_account",
            Self::Closed => "closed",
            Self::PriceChanged => "price_changed",
            Self::ServiceWithdrawn => "service_withdrawn",
            Self::OrderNotTaken => "order_not_taken",
            Self::CardNotChecked => "card_not_checked",
            Self::CentreRefused => "centre_refused",
            Self::CardWaitEnded => "card_wait_ended",
            Self::TakenBack => "taken_back",
            Self::Interrupted => "interrupted",
            Self::NotDebited => "not_debited",
            Self::PsamRefused => "psam_refused",
            Self::StepNotTaken => "step_not_taken",
            Self::CardMute => "card_mute",
            Self::CardHeld => "card_held",
            Self::PsamBusy => "psam_busy",
            Self::ReaderBroken => "reader_broken",
            Self::ProofRejected => "proof_rejected",
            Self::Unsettled => "unsettled",
            Self::CatalogueOld => "catalogue_old",
            Self::CardCounterRegress => "card_counter_regress",
            Self::EntryUnknown => "entry_unknown",
            Self::EntryDamaged => "entry_damaged",
            Self::DeviceUnknown => "device_unknown",
            Self::TestsTooMany => "tests_too_many",
        }
    }
}

/// What settles a sale of which it is not known whether it was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettledBy {
    /// The card's counter, proof or log, when it is laid on again.
    Card,
    /// The card again, but only where it proves itself to the security module; or the issuer by the TAC.
    GenuineCard,
    /// The centre: the issuer's verdict on the card's proof, or people. The card here has nothing more to say.
    Centre,
}

/// A sale as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SaleView {
    /// Its id.
    pub id: SaleId,
    /// `awaiting_card`, `in_progress`, `paid`, `refused`, `cancelled`, `unknown`.
    pub state: &'static str,
    /// What pays.
    pub tender: Tender,
    /// Where.
    pub reader: ReaderId,
    /// Total, fen.
    pub amount: Points,
    /// The lines.
    pub items: Vec<protocols::uplink::SaleItem>,
    /// The lines as people read them, with the names that they had when the sale began.
    pub lines: Vec<SaleLine>,
    /// What the city pays of it beside the total, fen.
    pub subsidy: Points,
    /// Why not, where it was not paid.
    pub reason: Option<Refusal>,
    /// Why it is not known whether it was paid: `no_answer`, `log_rolled_over`, `contradiction` …
    pub doubt: Option<String>,
    /// What will settle it, where that is not known.
    pub settled_by: Option<SettledBy>,
    /// What is left in the account or purse, fen, where known.
    pub balance: Option<Points>,
    /// What was in it before, fen, where known.
    pub balance_before: Option<Points>,
    /// Whether the purse could be used instead.
    pub purse_offered: bool,
    /// Civil time at which it began, RFC 3339.
    pub started_at: String,
    /// The origin of its intent, once recorded.
    pub origin: Option<String>,
    /// The number on a receipt, once there is an intent: the terminal and its transaction number, or the gateway and the
    /// number of its entry.
    pub receipt: Option<String>,
    /// Civil time at which what became of it was recorded, RFC 3339.
    pub ended_at: Option<String>,
    /// How long it still waits for its card, milliseconds, while it does.
    pub card_wait_left_ms: Option<u64>,
}

/// A line of a sale as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleLine {
    /// The service's name in Chinese.
    pub name_zh: String,
    /// The service's name in English.
    pub name_en: String,
    /// How many.
    pub quantity: u32,
    /// The price of one, fen.
    pub unit_price: Points,
    /// What the city pays of one, fen.
    pub unit_subsidy: Points,
}

/// How a card stands that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardStanding {
    /// It may pay.
    Valid,
    /// It has expired or is not valid yet.
    Expired,
    /// It is on the hotlist.
    Blocked,
    /// It could not be read, or is of another scheme.
    Unreadable,
}

/// What is known of the account behind a card that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookedAccount {
    /// The centre is being asked.
    Asking,
    /// So many points can be spent.
    Known(Points),
    /// It is not known, and why.
    NotKnown(Refusal),
}

/// A card that was looked at. Neither a number nor a name is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedCard {
    /// Names this lay-on of the card; the next one has another.
    pub reference: String,
    /// How it stands.
    pub standing: CardStanding,
    /// Why it may not pay, if so.
    pub reason: Option<Refusal>,
    /// What is in its purse, fen, where it said so.
    pub purse: Option<Points>,
    /// What is in its account.
    pub account: LookedAccount,
}

/// What people may know of a reader and what lies on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardLook {
    /// The reader.
    pub reader: ReaderId,
    /// What it can do.
    pub state: ReaderState,
    /// Whether the card on it is being read just now.
    pub reading: bool,
    /// The card, once it was looked at.
    pub card: Option<LookedCard>,
    /// The sale that waits or runs there.
    pub sale: Option<SaleId>,
    /// The open call for the staff from there, by its alarm's id.
    pub help: Option<String>,
}

/// An answer to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeskAnswer {
    /// The sale, new or as the key found it.
    Sale(Box<SaleView>),
    /// What lies on a reader.
    Card(Box<CardLook>),
    /// The alarm's state after the step or call.
    Alarm {
        /// The alarm's id.
        id: String,
        /// Its state.
        state: AlarmState,
    },
    /// An entry that is no longer in quarantine.
    SentAgain {
        /// The entry's number.
        n: u64,
        /// Whether it waits to be offered to the centre again; else the centre has it, or it never was in quarantine.
        waiting: bool,
    },
    /// A test of a device, new or under way.
    Test(DeviceTest),
    /// No.
    Refused(Refusal),
}

/// Something that pages show live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    /// `reader.changed`
    Reader {
        /// The reader.
        reader: ReaderId,
        /// Its state.
        state: ReaderState,
    },
    /// `reader.card`: what is known of the card on a reader changed.
    Card {
        /// The reader.
        reader: ReaderId,
    },
    /// `sale.changed`
    Sale {
        /// The sale.
        sale: Box<SaleView>,
    },
    /// `alarm.changed`; the alarm's id.
    Alarm {
        /// The alarm's id.
        alarm: String,
        /// Its state.
        state: AlarmState,
    },
    /// `device.changed`
    Device {
        /// The device.
        device: DeviceId,
    },
    /// `uplink.changed`
    Uplink {
        /// Whether the centre answers.
        online: bool,
    },
}

/// An effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Store a group; answer by `StoreInput::Committed`.
    Commit(Group),
    /// Look a report up; answer by `StoreInput::OriginFound`.
    FindOrigin {
        /// The question.
        ticket: Ticket,
        /// The origin's source.
        source: String,
        /// The origin's epoch.
        epoch: String,
        /// The origin's number.
        seq: u64,
    },
    /// Load what the journal knows of a device's reports; answer by `StoreInput::ReportsLoaded`.
    LoadReports {
        /// The question.
        ticket: Ticket,
        /// The device.
        device: DeviceId,
        /// How many of the highest numbers.
        limit: usize,
    },
    /// Acknowledge a publish.
    Ack {
        /// Which.
        token: AckToken,
        /// How.
        code: AckCode,
    },
    /// Send a command, QoS 1; a later one for the same device may overtake it.
    Command {
        /// The device.
        device: DeviceId,
        /// On which connection.
        session: SessionId,
        /// Its name until it is taken.
        command: CommandId,
        /// JSON.
        payload: Vec<u8>,
    },
    /// End a connection: its device is no longer this gateway's. It may come back as long as its secret is good.
    Close {
        /// The connection.
        session: SessionId,
    },
    /// Send entries of a lane: those with `n` > `after`, but for `except`, at most `max`; answer by `Uploaded`.
    Upload {
        /// The lane.
        lane: OutLane,
        /// Everything up to here is done.
        after: u64,
        /// Done above it.
        except: Vec<u64>,
        /// How many at most.
        max: usize,
    },
    /// Send an alarm that no disk takes; answer by `Direct`.
    UploadDirect {
        /// The question.
        ticket: Ticket,
        /// The entry's bytes.
        entry: String,
    },
    /// Ask the centre for a hold; answer by `HoldAnswered`.
    Hold {
        /// The sale.
        sale: SaleId,
        /// The request.
        request: HoldRequest,
    },
    /// Ask the centre what is in the account of a card; answer by `BalanceAnswered`.
    AskBalance {
        /// The look at the card.
        look: String,
        /// The request.
        request: BalanceRequest,
    },
    /// Ask for orders by long poll; answer by `Orders`.
    PollOrders {
        /// The lane.
        lane: Lane,
        /// The stream known so far; empty at first.
        stream: String,
        /// The last order that was carried out.
        after: u64,
        /// Whether the centre may wait for the next order; false while it is not known whether it answers at all.
        wait: bool,
    },
    /// Answer a person.
    Reply {
        /// Whom.
        token: ReplyToken,
        /// What.
        answer: DeskAnswer,
    },
    /// Run a dialogue; answer by `Done`, with `Identified` and `IntentReady` on the way.
    RunDialogue {
        /// Where.
        reader: ReaderId,
        /// Its name.
        dialogue: DialogueId,
        /// What to do.
        order: DialogueOrder,
    },
    /// Answer to `Identified`.
    CardVerdict {
        /// The dialogue.
        dialogue: DialogueId,
        /// Whether to go on.
        verdict: CardVerdict,
    },
    /// Answer to `IntentReady`: the intent is durable.
    Proceed {
        /// The dialogue.
        dialogue: DialogueId,
    },
    /// Tell the pages.
    Notify(Notice),
    /// A person must know at once, whatever else works; counted and logged.
    Count {
        /// The metric, such as `reports_refused`.
        name: &'static str,
        /// Its label's value.
        label: &'static str,
    },
}

/// The state names of a sale as people see it.
#[must_use]
pub const fn outcome_name(outcome: SaleOutcome) -> &'static str {
    match outcome {
        SaleOutcome::Paid => "paid",
        SaleOutcome::Refused => "refused",
        SaleOutcome::Cancelled => "cancelled",
        SaleOutcome::Unknown => "unknown",
    }
}
