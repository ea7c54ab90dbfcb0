//! From the text of an upload to typed entries. Pure: no database, no clock.
//!
//! **Invariant:** one entry that cannot be read never hides another; it becomes a refusal with a reason.
//! **Invariant:** an entry that calls itself an alarm is read as one, whatever its body is.

use hmac::{Hmac, KeyInit as _, Mac as _};
use protocols::device::AlarmState;
use protocols::id::GatewayId;
use protocols::unit::Points;
use protocols::uplink::{
    AlarmBody, AlarmDatedBody, AlarmStepBody, Clock, DeviceReportBody, DeviceStateBody, Entry, EntryUpload, Epoch,
    HASH_LEN, OrderResultBody, Origin, OwnAlarm, PrivateRecord, ReportRefusedBody, SaleIntentBody, SaleItem,
    SaleOutcomeBody, SalePrivate, Source, Urgency, kind,
};
use protocols::version;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::issuer::serial_number;
use crate::limits;

/// A hash of the chain.
pub type Hash = [u8; HASH_LEN];

/// The hash before the first entry.
pub const FIRST_HASH: Hash = [0; HASH_LEN];

/// `hash(n)` from `hash(n-1)` and the entry's bytes.
#[must_use]
pub fn link(previous: &Hash, bytes: &str) -> Hash {
    Sha256::new().chain_update(previous).chain_update(bytes.as_bytes()).finalize().into()
}

/// Why an entry can never be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JSON of an entry, or longer than an entry may be.
    Unreadable,
    /// Its version is not known here.
    Version,
    /// Its origin or subject is of a form that no source has.
    Origin,
    /// It claims to come from another gateway, or ends a sale of one.
    ForeignOrigin,
    /// Its body is not that of its kind.
    Body,
    /// A sale without lines, without an amount, or with an amount that is not their sum.
    Amount,
    /// The private record that belongs to it is missing or not a card's.
    PrivateMissing,
    /// The private record is not the one that the entry speaks of.
    PrivateMismatch,
    /// It has no number, and is no alarm.
    NumberMissing,
    /// Its number is none that a journal gives.
    NumberForm,
    /// Its hash is no hash.
    HashForm,
    /// Its number was used with another hash.
    NumberUsed,
    /// Its hash does not follow from the entry before it.
    Chain,
}

impl Refusal {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::Origin => "origin",
            Self::ForeignOrigin => "foreign_origin",
            Self::Body => "body",
            Self::Amount => "amount",
            Self::PrivateMissing => "private_missing",
            Self::PrivateMismatch => "private_mismatch",
            Self::NumberMissing => "number_missing",
            Self::NumberForm => "number_form",
            Self::HashForm => "hash_form",
            Self::NumberUsed => "number_used",
            Self::Chain => "chain",
        }
    }
}

/// The fact in an entry, by its kind.
#[derive(Debug)]
pub enum Fact {
    /// `alarm.raised`.
    Raised(AlarmBody),
    /// `alarm.repeated`.
    Repeated(AlarmBody),
    /// `alarm.cancelled`.
    Cancelled(AlarmBody),
    /// `alarm.dated`.
    Dated(AlarmDatedBody),
    /// `alarm.state`.
    Step(AlarmStepBody),
    /// `device.state`.
    DeviceState(DeviceStateBody),
    /// `sale.intent` with the card from its private record.
    Intent(Box<SaleIntentBody>, String),
    /// `sale.outcome`.
    Outcome(Box<SaleOutcomeBody>),
    /// `order.result`.
    OrderResult(OrderResultBody),
    /// `device.reported`, `report.refused`, and kinds that are not known here: kept, without effect.
    Kept,
}

/// An entry that could be read.
#[derive(Debug)]
pub struct Readable {
    /// The identity of the fact.
    pub origin: Origin,
    /// Its text form, which is the key together with `kind`.
    pub origin_key: String,
    /// Its kind.
    pub kind: String,
    /// What it speaks of.
    pub about: Option<Origin>,
    /// The time at the gateway, as it was written.
    pub recorded_at: String,
    /// Whether that time could be trusted.
    pub clock: Clock,
    /// The body as it was written.
    pub body: String,
    /// The body, read.
    pub fact: Fact,
}

impl Readable {
    /// The text form of `about`.
    #[must_use]
    pub fn about_key(&self) -> Option<String> {
        self.about.as_ref().map(ToString::to_string)
    }

    /// When it was recorded, Unix milliseconds: by its gateway's clock where that could be trusted, else, and at the latest, when
    /// it came here.
    #[must_use]
    pub fn recorded_ms(&self, received_ms: i64) -> i64 {
        match (self.clock, self.recorded_at.parse::<jiff::Timestamp>()) {
            (Clock::Trusted, Ok(time)) => time.as_millisecond().min(received_ms),
            (Clock::Trusted, Err(_)) | (Clock::Untrusted, _) => received_ms,
        }
    }
}

/// One entry of an upload.
#[derive(Debug)]
pub struct Item {
    /// Its number.
    pub n: Option<u64>,
    /// The exact bytes.
    pub bytes: String,
    /// The hash it claims, where it has the form of one.
    pub hash: Option<Hash>,
    /// Where the entry before it is in the same upload: whether its hash follows from that one's.
    pub follows: Option<bool>,
    /// The entry, or why it can never be taken.
    pub entry: Result<Readable, Refusal>,
    /// Personal data beside it.
    pub private: Option<PrivateRecord>,
}

impl Item {
    /// Whether the entry says that it is about an alarm.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.entry.as_ref().is_ok_and(|entry| {
            matches!(
                entry.fact,
                Fact::Raised(_) | Fact::Repeated(_) | Fact::Cancelled(_) | Fact::Dated(_) | Fact::Step(_)
            )
        })
    }
}

/// Reads all entries of an upload, and checks each hash whose predecessor is in the same upload.
#[must_use]
pub fn read_all(gateway: &GatewayId, uploads: Vec<EntryUpload>) -> Vec<Item> {
    let mut previous: Option<(u64, Hash)> = None;
    let mut items = Vec::with_capacity(uploads.len());
    for upload in uploads {
        let mut hash = [0; HASH_LEN];
        let hash = hex::decode_to_slice(&upload.hash, &mut hash).is_ok().then_some(hash);
        let follows = match (previous, upload.n, hash) {
            (Some((n, before)), Some(now), Some(hash)) if n.checked_add(1) == Some(now) => {
                Some(link(&before, &upload.entry) == hash)
            }
            _ => None,
        };
        if let (Some(n), Some(hash)) = (upload.n, hash) {
            previous = Some((n, hash));
        }
        let entry = read(gateway, &upload.entry, upload.private.as_ref());
        items.push(Item { n: upload.n, bytes: upload.entry, hash, follows, entry, private: upload.private });
    }
    items
}

fn read(gateway: &GatewayId, bytes: &str, private: Option<&PrivateRecord>) -> Result<Readable, Refusal> {
    if bytes.len() > limits::ENTRY_BYTES_MAX {
        return Err(Refusal::Unreadable);
    }
    let entry: Entry = serde_json::from_str(bytes).map_err(|_| Refusal::Unreadable)?;
    if !version::is_supported(entry.v) {
        return Err(Refusal::Version);
    }
    if entry.kind.is_empty()
        || entry.kind.len() > limits::KIND_BYTES_MAX
        || entry.recorded_at.len() > limits::RECORDED_AT_BYTES_MAX
    {
        return Err(Refusal::Unreadable);
    }
    check_origin(&entry.origin)?;
    entry.about.as_ref().map_or(Ok(()), check_origin)?;
    if matches!(&entry.origin.source, Source::Gateway(name) if name != gateway) {
        return Err(Refusal::ForeignOrigin);
    }
    if matches!(entry.origin.source, Source::Centre(_)) {
        return Err(Refusal::ForeignOrigin);
    }
    if entry.kind == kind::SALE_OUTCOME
        && matches!(&entry.about, Some(Origin { source: Source::Gateway(name), .. }) if name != gateway)
    {
        return Err(Refusal::ForeignOrigin);
    }
    let fact = read_fact(&entry, private)?;
    Ok(Readable {
        origin_key: entry.origin.to_string(),
        origin: entry.origin,
        kind: entry.kind,
        about: entry.about,
        recorded_at: entry.recorded_at,
        clock: entry.clock,
        body: entry.body.get().to_owned(),
        fact,
    })
}

/// Devices count epochs; all others name them. So no two origins share a text.
pub(crate) fn check_origin(origin: &Origin) -> Result<(), Refusal> {
    let fits = match (&origin.source, &origin.epoch) {
        (Source::Device(_), Epoch::Number(_)) => true,
        (Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_), Epoch::Text(text)) => {
            !text.is_empty()
                && text.len() <= limits::EPOCH_BYTES_MAX
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        }
        (Source::Device(_), Epoch::Text(_))
        | (Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_), Epoch::Number(_)) => false,
    };
    if fits { Ok(()) } else { Err(Refusal::Origin) }
}

fn read_fact(entry: &Entry, private: Option<&PrivateRecord>) -> Result<Fact, Refusal> {
    let alarm = || entry.body_as::<AlarmBody>().unwrap_or_else(|_| unreadable_alarm(&entry.origin));
    match entry.kind.as_str() {
        kind::ALARM_RAISED => Ok(Fact::Raised(alarm())),
        kind::ALARM_REPEATED => with_about(entry, Fact::Repeated(alarm())),
        kind::ALARM_CANCELLED => with_about(entry, Fact::Cancelled(alarm())),
        kind::ALARM_DATED => with_about(entry, Fact::Dated(body(entry)?)),
        kind::ALARM_STATE => with_about(entry, Fact::Step(step(entry)?)),
        kind::DEVICE_REPORTED => body::<DeviceReportBody>(entry).map(|_| Fact::Kept),
        kind::DEVICE_STATE => body(entry).map(Fact::DeviceState),
        kind::REPORT_REFUSED => body::<ReportRefusedBody>(entry).map(|_| Fact::Kept),
        kind::SALE_INTENT => intent(entry, private),
        kind::SALE_OUTCOME => with_about(entry, Fact::Outcome(Box::new(body(entry)?))),
        kind::ORDER_RESULT => with_about(entry, Fact::OrderResult(body(entry)?)),
        _ => Ok(Fact::Kept),
    }
}

fn body<'a, T: Deserialize<'a>>(entry: &'a Entry) -> Result<T, Refusal> {
    entry.body_as().map_err(|_| Refusal::Body)
}

fn with_about(entry: &Entry, fact: Fact) -> Result<Fact, Refusal> {
    if entry.about.is_some() {
        return Ok(fact);
    }
    match fact {
        // A further press on nobody knows what is a press.
        Fact::Repeated(alarm) => Ok(Fact::Raised(alarm)),
        Fact::Cancelled(_) => Ok(Fact::Kept),
        Fact::Raised(_)
        | Fact::Dated(_)
        | Fact::Step(_)
        | Fact::DeviceState(_)
        | Fact::Intent(..)
        | Fact::Outcome(_)
        | Fact::OrderResult(_)
        | Fact::Kept => Err(Refusal::Origin),
    }
}

fn step(entry: &Entry) -> Result<AlarmStepBody, Refusal> {
    let step: AlarmStepBody = body(entry)?;
    if step.state <= AlarmState::Accepted { Err(Refusal::Body) } else { Ok(step) }
}

fn intent(entry: &Entry, private: Option<&PrivateRecord>) -> Result<Fact, Refusal> {
    let intent: SaleIntentBody = body(entry)?;
    if !items_make(&intent.items, intent.amount) {
        return Err(Refusal::Amount);
    }
    let private = private.ok_or(Refusal::PrivateMissing)?;
    check_private(private, &intent.private_hmac)?;
    let SalePrivate { card } = serde_json::from_str(&private.bytes).map_err(|_| Refusal::PrivateMissing)?;
    serial_number(&card).ok_or(Refusal::PrivateMissing)?;
    Ok(Fact::Intent(Box::new(intent), card))
}

/// Whether lines add up to an amount above nothing.
#[must_use]
pub fn items_make(items: &[SaleItem], amount: Points) -> bool {
    let sum = items.iter().try_fold(Points::ZERO, |sum, item| {
        item.unit_price.checked_mul(item.quantity).and_then(|p| sum.checked_add(p))
    });
    sum == Some(amount) && amount > Points::ZERO && items.len() <= limits::SALE_ITEMS_MAX
}

fn check_private(private: &PrivateRecord, expected: &str) -> Result<(), Refusal> {
    let salt = hex::decode(&private.salt).map_err(|_| Refusal::PrivateMismatch)?;
    let expected = hex::decode(expected).map_err(|_| Refusal::Body)?;
    let mac = Hmac::<Sha256>::new_from_slice(&salt).map_err(|_| Refusal::PrivateMismatch)?;
    mac.chain_update(private.bytes.as_bytes()).verify_slice(&expected).map_err(|_| Refusal::PrivateMismatch)
}

fn unreadable_alarm(origin: &Origin) -> AlarmBody {
    let device = match &origin.source {
        Source::Device(device) => Some(device.clone()),
        Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_) => None,
    };
    AlarmBody {
        kind: OwnAlarm::Unreadable.word().to_owned(),
        urgency: Urgency::Urgent,
        device,
        boot: None,
        up_ms: None,
        at: None,
        battery_mv: None,
        rssi_dbm: None,
        detail: None,
    }
}
