//! Steps of alarms, taken by people at the centre or told by gateways.
//!
//! **Invariant:** an alarm only goes forward; each step is kept with who took it.
//! **Invariant:** of two people who take the same step, exactly one takes it.

use protocols::device::AlarmState;
use protocols::id::{ActorId, GatewayId};
use protocols::uplink::{AlarmStateOrder, AlarmStepBody, Origin};
use sqlx::Row as _;

use crate::alarms::{of_rank, rank};
use crate::intake::shape::Readable;
use crate::origin_key;
use crate::store::{StoreError, Tx};
use crate::telling::tell_step;
use crate::without_journal;

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
    };
    keep_step(tx, variant, &order, gateway.as_str()).await?;
    if raise_state(tx, &origin, variant, step.state).await? {
        tell_step(tx, variant, &order, Some(gateway.as_str())).await?;
    }
    Ok(())
}

async fn keep_step(tx: &mut Tx, variant: i64, step: &AlarmStateOrder, source: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alarm_events (alarm, variant, what, state, actor, cause, source, at, received_ms)
         VALUES ($1, $2, 'step', $3, $4, $5, $6, $7, $8)",
    )
    .bind(step.alarm.to_string())
    .bind(variant)
    .bind(rank(step.state))
    .bind(step.by.as_str())
    .bind(step.cause.as_deref())
    .bind(source)
    .bind(&step.at)
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
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
    Ok(done.rows_affected() == 1)
}

/// What became of a step that a person at the centre asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAnswer {
    /// This person has taken it, now or before.
    Taken {
        /// How far the alarm is; it may be beyond the step.
        state: AlarmState,
    },
    /// The alarm is so far already, by somebody else.
    TakenBy {
        /// Who took the step, or one beyond it.
        by: Option<String>,
        /// How far the alarm is.
        state: AlarmState,
    },
    /// No such alarm.
    NoAlarm,
}

/// A person at the centre takes an alarm a step further.
///
/// # Errors
/// The database cannot do it.
pub async fn step_by_person(
    tx: &mut Tx,
    id: &str,
    state: AlarmState,
    by: &ActorId,
    cause: Option<String>,
) -> Result<StepAnswer, StoreError> {
    let row = sqlx::query("SELECT origin, variant, state FROM alarms WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(row) = row else { return Ok(StepAnswer::NoAlarm) };
    let (origin, variant): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
    let known = of_rank(row.try_get(2)?)?;
    if known >= state {
        let actor: Option<String> = sqlx::query_scalar(
            "SELECT actor FROM alarm_events WHERE alarm = $1 AND variant = $2 AND what = 'step' AND state >= $3
             ORDER BY (source = 'centre' AND actor = $4 AND state = $3) DESC, state, id LIMIT 1",
        )
        .bind(&origin)
        .bind(variant)
        .bind(rank(state))
        .bind(by.as_str())
        .fetch_optional(&mut tx.conn)
        .await?;
        return Ok(if actor.as_deref() == Some(by.as_str()) {
            StepAnswer::Taken { state: known }
        } else {
            StepAnswer::TakenBy { by: actor, state: known }
        });
    }
    let step = AlarmStateOrder {
        alarm: origin_key::parse(&origin).ok_or(StoreError::Row { table: "alarms" })?,
        state,
        by: by.clone(),
        at: tx.now.text.clone(),
        cause,
        presses: Vec::new(),
        follows: None,
        kind: None,
        urgency: None,
    };
    keep_step(tx, variant, &step, "centre").await?;
    raise_state(tx, &origin, variant, state).await?;
    tell_step(tx, variant, &step, None).await?;
    Ok(StepAnswer::Taken { state })
}
