//! What a journal has, read from its file beside the gateway's own reading.

use std::collections::BTreeMap;
use std::path::Path;

use protocols::uplink::{Entry, FoldedSeqs, OwnAlarmBody};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use crate::site::load::ReportKey;

/// The reports in a journal.
#[derive(Debug, Default)]
pub struct Stored {
    /// How many entries each report became.
    reports: BTreeMap<ReportKey, u32>,
    /// Presses that came too fast for entries of their own: by device and epoch, first and last number.
    folded: BTreeMap<(String, u32), Vec<(u64, u64)>>,
}

impl Stored {
    /// Reads them from the journal in this state directory; the gateway may run. Nothing is written but what reading needs.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read(state: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(state.join("journal.db")).read_only(true);
        let mut connection = options.connect().await?;
        let rows = sqlx::query("SELECT source, epoch, seq FROM entry WHERE source LIKE 'device:%'")
            .fetch_all(&mut connection)
            .await?;
        let mut stored = Self::default();
        for row in rows {
            let (source, epoch): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let seq = row.try_get::<i64, _>(2)?.cast_unsigned();
            let device = source.strip_prefix("device:").unwrap_or_default().to_owned();
            let count = stored.reports.entry((device, epoch.parse().unwrap_or(0), seq)).or_default();
            *count = count.saturating_add(1);
        }
        let runs = sqlx::query_scalar::<_, String>("SELECT bytes FROM entry WHERE kind = 'alarm.repeated'")
            .fetch_all(&mut connection)
            .await?;
        runs.iter().for_each(|bytes| stored.told(bytes));
        let alarms = sqlx::query_scalar::<_, String>("SELECT value FROM state WHERE key LIKE 'alarm/%'")
            .fetch_all(&mut connection)
            .await?;
        alarms.iter().for_each(|value| stored.counted(value));
        connection.close().await?;
        Ok(stored)
    }

    /// Presses that an entry tells of together.
    fn told(&mut self, bytes: &str) {
        let Ok(entry) = serde_json::from_str::<Entry>(bytes) else { return };
        let Ok(body) = entry.body_as::<OwnAlarmBody>() else { return };
        let Some(device) = body.alarm.device else { return };
        body.folded_seqs.iter().for_each(|run| self.fold(device.as_str(), run));
    }

    /// Presses that are only counted with their open alarm as yet.
    fn counted(&mut self, value: &str) {
        let Ok(mut alarm) = serde_json::from_str::<Value>(value) else { return };
        let Ok(runs) = serde_json::from_value::<Vec<FoldedSeqs>>(alarm["unrecorded_seqs"].take()) else { return };
        let device = alarm["device"].as_str().unwrap_or_default();
        runs.iter().for_each(|run| self.fold(device, run));
    }

    fn fold(&mut self, device: &str, run: &FoldedSeqs) {
        let runs = self.folded.entry((device.to_owned(), run.epoch)).or_default();
        runs.push((run.from.get(), run.to.get()));
    }

    /// How many reports.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reports.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// The broken promises: acknowledged reports that are missing, and reports that are there more than once.
    #[must_use]
    pub fn findings<'a>(&self, acknowledged: impl IntoIterator<Item = &'a ReportKey>) -> Vec<String> {
        let missing = acknowledged.into_iter().filter(|key| !self.has(key));
        let missing = missing.map(|key| format!("acknowledged and missing in the journal: {key:?}"));
        let doubled = self.reports.iter().filter(|(_, count)| **count > 1);
        let doubled = doubled.map(|(key, count)| format!("{count} times in the journal: {key:?}"));
        missing.chain(doubled).collect()
    }

    fn has(&self, key: &ReportKey) -> bool {
        let folded = || self.folded.get(&(key.0.clone(), key.1));
        self.reports.contains_key(key)
            || folded().is_some_and(|runs| runs.iter().any(|(from, to)| (from..=to).contains(&&key.2)))
    }
}
