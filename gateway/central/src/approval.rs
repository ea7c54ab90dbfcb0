//! A person's word on a gateway's journal: after it, the gateway may sell again.
//!
//! Of a chain that forked, the branch that the gateway is on is approved; the other one is put aside and kept. What was
//! refused until then for its place in the chain takes effect now.

use std::sync::Arc;

use protocols::id::GatewayId;
use serde_json::json;
use sqlx::Row as _;

use crate::intake::heal;
use crate::issuer::Issuer;
use crate::news::{Event, News};
use crate::store::{StoreError, Tx};

/// What became of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApproveAnswer {
    /// The gateway's journal is approved, now or before.
    Approved {
        /// The journal.
        journal: String,
    },
    /// It has not sent a journal yet.
    NoJournal,
    /// No such gateway.
    NoGateway,
}

/// Approves the journal that a gateway uses.
///
/// # Errors
/// The database cannot do it.
pub async fn approve(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    actor: &str,
) -> Result<ApproveAnswer, StoreError> {
    let row = sqlx::query(
        "SELECT g.journal, j.id, j.forked_n FROM gateways g
         LEFT JOIN journals j ON j.gateway = g.id AND j.journal = g.journal WHERE g.id = $1",
    )
    .bind(gateway.as_str())
    .fetch_optional(&mut tx.conn)
    .await?;
    let Some(row) = row else { return Ok(ApproveAnswer::NoGateway) };
    let (Some(journal), Some(id)) = (row.try_get::<Option<String>, _>(0)?, row.try_get::<Option<i64>, _>(1)?) else {
        return Ok(ApproveAnswer::NoJournal);
    };
    if let Some(forked_n) = row.try_get::<Option<i64>, _>(2)? {
        heal::go_on(tx, issuer, gateway, id, forked_n.unsigned_abs()).await?;
    }
    sqlx::query("UPDATE journals SET approved = 1 WHERE id = $1").bind(id).execute(&mut tx.conn).await?;
    sqlx::query("UPDATE gateways SET closed_reason = NULL WHERE id = $1")
        .bind(gateway.as_str())
        .execute(&mut tx.conn)
        .await?;
    tracing::info!(gateway = gateway.as_str(), by = actor, "a journal is approved");
    tx.news
        .push(News::Event(Event { name: "gateway.approved", data: json!({"gateway": gateway.as_str(), "by": actor}) }));
    Ok(ApproveAnswer::Approved { journal })
}
