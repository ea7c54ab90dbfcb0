//! State records that are found damaged at the start: people hear of it at once, and alarms are rebuilt from their entries.
//!
//! **Invariant:** a record that is left out is told, whether or not something takes its place.

use gateway_core::{Now, Rebuild};

use crate::adapter::store::{Journal, Reader, Restored, StoreFailure};
use crate::limits::{KEYS_TOLD_MAX, REBUILD_READ_MAX};
use crate::troubles::{Part, Troubles};

/// Tells of damaged state records, and gives those that could be rebuilt.
pub async fn damaged(
    found: &Restored,
    journal: Option<&Journal>,
    troubles: &Troubles,
    now: &Now,
) -> Vec<(String, String)> {
    if found.state_damaged.is_empty() {
        return Vec::new();
    }
    tracing::error!(keys = ?found.state_damaged, "state records are damaged");
    // A key that is damaged itself may look like that of a good record.
    let good = |key: &str| found.state.binary_search_by(|(known, _)| known.as_str().cmp(key)).is_ok();
    let keys = found.state_damaged.iter().map(String::as_str).filter(|key| !good(key));
    let rebuilt = match journal.map(Journal::reader) {
        Some(reader) => rebuilt(&reader, Rebuild::new(keys), now).await.unwrap_or_else(|failure| {
            tracing::error!(%failure, "the journal could not be read to rebuild damaged state records");
            Vec::new()
        }),
        None => Vec::new(),
    };
    troubles.begin(Part::JournalRows, &detail(&found.state_damaged, &rebuilt));
    rebuilt
}

async fn rebuilt(reader: &Reader, mut rebuild: Rebuild, now: &Now) -> Result<Vec<(String, String)>, StoreFailure> {
    if rebuild.is_empty() {
        return Ok(Vec::new());
    }
    let mut after = Some(0);
    while let Some(from) = after {
        let read = reader.alarm_entries(from, REBUILD_READ_MAX).await?;
        read.entries.iter().for_each(|(n, text)| rebuild.take(*n, text));
        after = read.last;
    }
    Ok(rebuild.finish(&now.civil))
}

fn detail(damaged: &[String], rebuilt: &[(String, String)]) -> String {
    let is_rebuilt = |key: &&String| rebuilt.iter().any(|(known, _)| known == *key);
    let (again, lost): (Vec<&String>, Vec<&String>) = damaged.iter().partition(is_rebuilt);
    let mut text = format!("{} state records did not fit their sums at the start", damaged.len());
    if !again.is_empty() {
        text.push_str(&format!("; alarms taken up again from their entries, look at each of them: {}", named(&again)));
    }
    if !lost.is_empty() {
        text.push_str(&format!(
            "; left out: {}. A sale among them is not settled by its card any more: settle it at the centre, whose list of \
             sales has its intent",
            named(&lost)
        ));
    }
    text.push_str(". Have the disk checked");
    text
}

fn named(keys: &[&String]) -> String {
    let mut text =
        keys.iter().take(KEYS_TOLD_MAX).map(|key| key.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
    if let Some(more) = keys.len().checked_sub(KEYS_TOLD_MAX).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
