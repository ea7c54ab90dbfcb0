//! Steps of alarms, taken by people at the centre or told by gateways, and who has an alarm.
//!
//! **Invariant:** an alarm only goes forward; each step is kept with who took it.
//! **Invariant:** of two people who take the same step, exactly one takes it.
//! **Invariant:** whoever took the newest step has the alarm. Another person at the centre takes a step only where they say that
//! they take it over, and the history says so.

use protocols::device::AlarmState;
use protocols::id::{ActorId, GatewayId};
use protocols::uplink::{AlarmStateOrder, AlarmStepBody, Origin, is_eta_min, is_responder};
use sqlx::Row as _;

use crate::alarms::{of_rank, rank};
use crate::intake::shape::Readable;
use crate::orders::time_text;
use crate::origin_key;
use crate::store::{StoreError, Tx};
use crate::telling::{tell_step, tell_taken_over};
use crate::without_journal;

/// What an alarm's columns say of its steps: when each was first taken, who has it since when, and who comes. Only steps that
/// count, which are those up to the alarm's state.
const SETTLE: &str = "WITH e AS (SELECT * FROM alarm_events x WHERE x.alarm = $1 AND x.variant = $2
  AND x.what IN ('step', 'taken_over') AND x.state <= (SELECT state FROM alarms WHERE origin = $1 AND variant = $2)),
 h AS (SELECT actor, at_ms FROM e WHERE state >= 2 ORDER BY state DESC, what = 'taken_over' DESC,
  CASE what WHEN 'taken_over' THEN -id ELSE id END LIMIT 1),
 d AS (SELECT responder, eta_min, at_ms FROM e WHERE what = 'step' AND state = 3 ORDER BY at_ms DESC, id DESC LIMIT 1)
 UPDATE alarms SET
  acknowledged_ms = (SELECT MIN(at_ms) FROM e WHERE what = 'step' AND state >= 2),
  dispatched_ms = (SELECT MIN(at_ms) FROM e WHERE what = 'step' AND state = 3),
  on_site_ms = (SELECT MIN(at_ms) FROM e WHERE what = 'step' AND state = 4),
  resolved_ms = (SELECT MIN(at_ms) FROM e WHERE what = 'step' AND state = 5),
  cause = (SELECT cause FROM e WHERE what = 'step' AND state = 5 ORDER BY id LIMIT 1),
  held_ms = CASE WHEN holder IS (SELECT actor FROM h) THEN held_ms ELSE (SELECT at_ms FROM h) END,
  holder = (SELECT actor FROM h),
  responder = (SELECT responder FROM d),
  eta_ms = (SELECT at_ms + eta_min * 60000 FROM d)
 WHERE origin = $1 AND variant = $2";

/// A step that a person took at a gateway.
///
/// # Errors
/// The database cannot do it.
pub async fn step_from_gateway(
    tx: &mut Tx,
    gateway: &GatewayId,
    entry: &Readable,
    about: &Origin,
    step: &AlarmStepBody,
) -> Result<(), StoreError> {
    let counted_into = without_journal::counted_into(tx, gateway, about).await?;
    let about = counted_into.as_ref().unwrap_or(about);
    let origin = about.to_string();
    let variant: i64 =
        sqlx::query_scalar("SELECT COALESCE(MIN(variant), 0) FROM alarms WHERE origin = $1 AND gateway = $2")
            .bind(&origin)
            .bind(gateway.as_str())
            .fetch_one(&mut tx.conn)
            .await?;
    let order = AlarmStateOrder {
        alarm: about.clone(),
        state: step.state,
        by: step.by.clone(),
        at: entry.recorded_at.clone(),
        cause: step.cause.clone(),
        presses: Vec::new(),
        follows: None,
        kind: None,
        urgency: None,
        responder: step.responder.clone().filter(|responder| is_responder(responder)),
        eta_min: step.eta_min.filter(|minutes| is_eta_min(*minutes)),
    };
    let taken = Taken { variant, source: gateway.as_str(), at_ms: entry.recorded_ms(tx.now.ms), from: None };
    keep_step(tx, &order, &taken).await?;
    if raise_state(tx, &origin, variant, step.state).await? {
        tell_step(tx, variant, &order).await?;
    }
    Ok(())
}

/// Where and when a step was taken, and who had the alarm before, where it was taken over from them.
struct Taken<'a> {
    variant: i64,
    source: &'a str,
    at_ms: i64,
    from: Option<&'a str>,
}

async fn keep_step(tx: &mut Tx, step: &AlarmStateOrder, taken: &Taken<'_>) -> Result<(), StoreError> {
    keep(tx, "step", step, taken).await
}

async fn keep(tx: &mut Tx, what: &str, step: &AlarmStateOrder, taken: &Taken<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alarm_events
         (alarm, variant, what, state, actor, cause, source, at, received_ms, at_ms, responder, eta_min, took_over)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(step.alarm.to_string())
    .bind(taken.variant)
    .bind(what)
    .bind(rank(step.state))
    .bind(step.by.as_str())
    .bind(step.cause.as_deref())
    .bind(taken.source)
    .bind(&step.at)
    .bind(tx.now.ms)
    .bind(taken.at_ms)
    .bind(step.responder.as_deref())
    .bind(step.eta_min.map(i64::from))
    .bind(taken.from)
    .execute(&mut tx.conn)
    .await?;
    settle(tx, &step.alarm.to_string(), taken.variant).await
}

async fn settle(tx: &mut Tx, origin: &str, variant: i64) -> Result<(), StoreError> {
    sqlx::query(SETTLE).bind(origin).bind(variant).execute(&mut tx.conn).await?;
    Ok(())
}

/// Moves an alarm forward; false where it was so far already, or is not here yet.
pub(crate) async fn raise_state(
    tx: &mut Tx,
    origin: &str,
    variant: i64,
    state: AlarmState,
) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE alarms SET state = $3 WHERE origin = $1 AND variant = $2 AND state < $3")
        .bind(origin)
        .bind(variant)
        .bind(rank(state))
        .execute(&mut tx.conn)
        .await?;
    let moved = done.rows_affected() == 1;
    if moved {
        settle(tx, origin, variant).await?;
    }
    Ok(moved)
}

/// What a person at the centre wants of an alarm.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The step.
    pub state: AlarmState,
    /// Who wants it.
    pub by: ActorId,
    /// The cause, where it ends.
    pub cause: Option<String>,
    /// Who is sent.
    pub responder: Option<String>,
    /// In how many minutes they are there.
    pub eta_min: Option<u16>,
    /// Also where somebody else has it.
    pub take_over: bool,
}

/// What became of a step that a person at the centre asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAnswer {
    /// This person has taken it, now or before.
    Taken {
        /// How far the alarm is; it may be beyond the step.
        state: AlarmState,
    },
    /// Somebody else has the alarm.
    TakenBy {
        /// Who.
        by: Option<String>,
        /// Since when, RFC 3339.
        since: Option<String>,
        /// How far the alarm is.
        state: AlarmState,
    },
    /// No such alarm.
    NoAlarm,
}

/// A person at the centre takes an alarm a step further, or over.
///
/// # Errors
/// The database cannot do it.
pub async fn step_by_person(tx: &mut Tx, id: &str, wish: Wish) -> Result<StepAnswer, StoreError> {
    let row = sqlx::query("SELECT origin, variant, state, holder, held_ms, responder FROM alarms WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(row) = row else { return Ok(StepAnswer::NoAlarm) };
    let (origin, variant): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
    let known = of_rank(row.try_get(2)?)?;
    let holder: Option<String> = row.try_get(3)?;
    let is_mine = holder.as_deref() == Some(wish.by.as_str());
    let is_over = known == AlarmState::Resolved;
    let others = holder.clone().filter(|_| !is_mine);
    if (others.is_some() || known >= wish.state && holder.is_none()) && (is_over || !wish.take_over) {
        let since = row.try_get::<Option<i64>, _>(4)?.map(time_text);
        return Ok(StepAnswer::TakenBy { by: holder, since, state: known });
    }
    let step = AlarmStateOrder {
        alarm: origin_key::parse(&origin).ok_or(StoreError::Row { table: "alarms" })?,
        state: wish.state.max(known),
        by: wish.by,
        at: tx.now.text.clone(),
        cause: wish.cause,
        presses: Vec::new(),
        follows: None,
        kind: None,
        urgency: None,
        responder: wish.responder,
        eta_min: wish.eta_min,
    };
    let taken = Taken { variant, source: "centre", at_ms: tx.now.ms, from: others.as_deref() };
    if known < wish.state {
        keep_step(tx, &step, &taken).await?;
        raise_state(tx, &origin, variant, wish.state).await?;
        tell_step(tx, variant, &step).await?;
        return Ok(StepAnswer::Taken { state: step.state });
    }
    if others.is_some() {
        let bare = AlarmStateOrder { responder: None, eta_min: None, ..step.clone() };
        keep(tx, "taken_over", &bare, &taken).await?;
        tell_taken_over(tx, id, &bare);
    }
    if known == AlarmState::Dispatched && step.state == wish.state && sends_another(&step, row.try_get(5)?) {
        keep_step(tx, &step, &Taken { from: None, ..taken }).await?;
        tell_step(tx, variant, &step).await?;
    }
    Ok(StepAnswer::Taken { state: step.state })
}

/// Whether a dispatch names somebody else than the one who was sent: the first one cannot come.
fn sends_another(step: &AlarmStateOrder, sent: Option<String>) -> bool {
    step.responder.is_some() && step.responder != sent
}
