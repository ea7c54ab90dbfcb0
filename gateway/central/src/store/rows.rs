//! Statements over many rows: full chunks keep their prepared form, the remainder is prepared once and dropped.

use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::limits::ROWS_PER_STATEMENT;

/// Inserts `rows` in chunks: `head` up to `VALUES`, `tail` behind the rows (such as `ON CONFLICT DO NOTHING RETURNING id`).
/// Gives back what the statements return.
///
/// # Errors
/// The database refuses a row.
pub async fn insert_rows<T, F>(
    conn: &mut SqliteConnection,
    head: &'static str,
    tail: &'static str,
    rows: &[T],
    mut bind: F,
) -> Result<Vec<SqliteRow>, sqlx::Error>
where
    F: FnMut(&mut Separated<'_, Sqlite, &'static str>, &T),
{
    let mut returned = Vec::new();
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let mut builder = QueryBuilder::<Sqlite>::new(head);
        builder.push(" ");
        builder.push_values(chunk, |mut row, item| bind(&mut row, item));
        builder.push(" ");
        builder.push(tail);
        let query = builder.build().persistent(chunk.len() == ROWS_PER_STATEMENT);
        returned.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(returned)
}

/// Selects by a list: `head` ends before the list, e.g. `SELECT … WHERE origin IN`; `bind` binds one value per item.
///
/// # Errors
/// The database cannot answer.
pub async fn in_list<T, F>(
    conn: &mut SqliteConnection,
    head: &'static str,
    tail: &'static str,
    items: &[T],
    mut bind: F,
) -> Result<Vec<SqliteRow>, sqlx::Error>
where
    F: FnMut(&mut Separated<'_, Sqlite, &'static str>, &T),
{
    let mut found = Vec::new();
    for chunk in items.chunks(ROWS_PER_STATEMENT) {
        let mut builder = QueryBuilder::<Sqlite>::new(head);
        builder.push(" (");
        let mut list = builder.separated(", ");
        for item in chunk {
            bind(&mut list, item);
        }
        builder.push(") ");
        builder.push(tail);
        let query = builder.build().persistent(chunk.len() == ROWS_PER_STATEMENT);
        found.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(found)
}
