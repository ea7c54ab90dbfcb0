//! People, their cards, and which of them are on the hotlist.
//!
//! **Invariant:** a card's number comes in and is looked up, and never goes out: everybody else knows it by a random
//! reference.

use protocols::card::value::ApplicationSerialNumber;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::store::{StoreError, Tx};

/// A card that is known.
#[derive(Debug, Clone)]
pub struct Card {
    /// Its reference.
    pub reference: String,
    /// Whose it is.
    pub person: Option<String>,
    /// Whether it is on the hotlist.
    pub blocked: bool,
}

/// The card with this number, where it is known.
///
/// # Errors
/// The database cannot answer.
pub async fn card(conn: &mut SqliteConnection, serial: &ApplicationSerialNumber) -> Result<Option<Card>, StoreError> {
    let row = sqlx::query(
        "SELECT c.ref, c.person, EXISTS (SELECT 1 FROM hotlist h WHERE h.card = c.ref) FROM cards c WHERE c.serial = $1",
    )
    .bind(serial.to_hex().as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &SqliteRow) -> Result<Card, StoreError> {
    Ok(Card { reference: row.try_get(0)?, person: row.try_get(1)?, blocked: row.try_get::<i64, _>(2)? == 1 })
}

/// The card with this number; one that nobody registered gets a reference, and no person.
///
/// # Errors
/// The database cannot do it.
pub async fn card_or_new(tx: &mut Tx, serial: &ApplicationSerialNumber) -> Result<Card, StoreError> {
    if let Some(card) = card(&mut tx.conn, serial).await? {
        return Ok(card);
    }
    let reference = new_reference("card").map_err(|_| StoreError::Busy)?;
    sqlx::query("INSERT INTO cards (ref, serial) VALUES ($1, $2)")
        .bind(&reference)
        .bind(serial.to_hex().as_str())
        .execute(&mut tx.conn)
        .await?;
    Ok(Card { reference, person: None, blocked: false })
}

/// A random reference, `{prefix}-` and 16 hexadecimal digits.
///
/// # Errors
/// The operating system gives no randomness.
pub fn new_reference(prefix: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}-{}", hex::encode(bytes)))
}
