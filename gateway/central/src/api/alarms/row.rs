//! An alarm as it stands in a list.

use protocols::device::AlarmState;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::alarms;
use crate::orders::time_text;
use crate::store::StoreError;

/// What a row is read from; see [`AlarmRow::read`].
pub(super) const COLUMNS: &str = "a.id, a.origin, a.gateway, a.device, a.kind, a.urgency, a.state, a.recorded_at, \
    a.received_ms, a.follows, d.place, d.person, a.body, a.presses, a.last_press_at, a.taken_back, a.variant, a.raised_ms, \
    a.holder, a.held_ms, a.responder, a.eta_ms, a.cause, p.name, p.address";

/// The tables of [`COLUMNS`].
pub(super) const TABLES: &str =
    " FROM alarms a LEFT JOIN devices d ON d.id = a.device LEFT JOIN people p ON p.ref = d.person ";

/// An alarm in a list.
#[derive(Debug, Serialize)]
pub struct AlarmRow {
    pub(super) id: String,
    pub(super) origin: String,
    gateway: String,
    pub(super) device: Option<String>,
    place: Option<String>,
    pub(super) person: Option<String>,
    /// The name of that person.
    name: Option<String>,
    /// Where they live.
    address: Option<String>,
    kind: String,
    urgency: String,
    state: AlarmState,
    recorded_at: String,
    received_at: String,
    /// How long it has been, seconds, since it was raised: by its gateway's clock where that could be trusted, else since it came
    /// here; with what is known of its age before that.
    age_s: i64,
    follows: Option<String>,
    /// When it happened, where it was recorded late and its age is known.
    happened_at: Option<String>,
    /// How often it was pressed or found, the first time included.
    presses: i64,
    /// When its gateway recorded the newest further press; none after the first.
    last_press_at: Option<String>,
    /// Whether the elder took it back and did not press since. It still waits for a person.
    taken_back: bool,
    /// Who has it: whoever took the newest step, or took it over.
    by: Option<String>,
    /// Since when.
    since: Option<String>,
    /// Who was sent last, as a person wrote it.
    responder: Option<String>,
    /// When they are there.
    eta_at: Option<String>,
    /// In how many seconds that is; below zero where it is over.
    eta_s: Option<i64>,
    /// Why it ended.
    cause: Option<String>,
}

impl AlarmRow {
    /// Reads [`COLUMNS`]. `now_ms`: the time of the answer.
    pub(super) fn read(row: &SqliteRow, now_ms: i64) -> Result<Self, StoreError> {
        let seconds = |ms: i64| ms.div_euclid(1_000);
        let eta_ms: Option<i64> = row.try_get(21)?;
        Ok(Self {
            id: row.try_get(0)?,
            origin: row.try_get(1)?,
            gateway: row.try_get(2)?,
            device: row.try_get(3)?,
            kind: row.try_get(4)?,
            urgency: row.try_get(5)?,
            state: alarms::of_rank(row.try_get(6)?)?,
            recorded_at: row.try_get(7)?,
            received_at: time_text(row.try_get(8)?),
            follows: row.try_get(9)?,
            place: row.try_get(10)?,
            person: row.try_get(11)?,
            happened_at: happened_at(row.try_get(7)?, row.try_get(12)?),
            presses: row.try_get(13)?,
            last_press_at: row.try_get(14)?,
            taken_back: row.try_get::<i64, _>(15)? != 0,
            age_s: seconds(now_ms.saturating_sub(row.try_get(17)?)).max(0),
            by: row.try_get(18)?,
            since: row.try_get::<Option<i64>, _>(19)?.map(time_text),
            responder: row.try_get(20)?,
            eta_at: eta_ms.map(time_text),
            eta_s: eta_ms.map(|eta_ms| seconds(eta_ms.saturating_sub(now_ms))),
            cause: row.try_get(22)?,
            name: row.try_get(23)?,
            address: row.try_get(24)?,
        })
    }
}

fn happened_at(recorded_at: &str, body: &str) -> Option<String> {
    let recorded: jiff::Timestamp = recorded_at.parse().ok()?;
    let age = i64::try_from(alarms::age_ms(body)?).ok()?;
    Some(time_text(recorded.as_millisecond().checked_sub(age)?))
}
