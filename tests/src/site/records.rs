//! What the centre has, read from its database beside it: everything, where its interface shows pages.
//!
//! **Invariant:** nothing is written.

use std::collections::BTreeMap;
use std::path::Path;

use protocols::uplink::{Entry, FoldedSeqs, OwnAlarmBody};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

use super::load::ReportKey;

/// The centre's database, open for reading.
#[derive(Debug)]
pub struct Records {
    connection: SqliteConnection,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// In the order in which the centre took them.
    pub id: i64,
    /// `{source}/{epoch}/{seq}`.
    pub origin: String,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub about: Option<String>,
    /// Unix milliseconds at which the centre took it.
    pub received_ms: i64,
    /// Its bytes.
    pub bytes: String,
}

/// A sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleRecord {
    /// The gateway's id for it.
    pub sale: String,
    /// `account`, `purse`; none until its intent came.
    pub tender: Option<String>,
    /// Fen.
    pub amount: Option<i64>,
    /// `paid`, `refused`, `cancelled`, `unknown`; none until one came.
    pub outcome: Option<String>,
    /// Of a purse that paid: `valid`, `invalid`, `pending`.
    pub verdict: Option<String>,
    /// The origin of its intent.
    pub origin: String,
}

impl Records {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn open(database: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        Ok(Self { connection: options.connect().await? })
    }

    /// Every entry, in the order in which the centre took them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn entries(&mut self) -> Result<Vec<Record>, sqlx::Error> {
        let rows = sqlx::query("SELECT id, origin, kind, about, received_ms, bytes FROM entries ORDER BY id")
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Record {
                    id: row.try_get(0)?,
                    origin: row.try_get(1)?,
                    kind: row.try_get(2)?,
                    about: row.try_get(3)?,
                    received_ms: row.try_get(4)?,
                    bytes: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// Whether there is an entry of this origin.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn has(&mut self, origin: &str) -> Result<bool, sqlx::Error> {
        let found =
            sqlx::query("SELECT 1 FROM entries WHERE origin = $1").bind(origin).fetch_optional(&mut self.connection);
        Ok(found.await?.is_some())
    }

    /// Every sale.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn sales(&mut self) -> Result<Vec<SaleRecord>, sqlx::Error> {
        let rows = sqlx::query("SELECT sale, tender, amount, outcome, verdict, origin FROM sales ORDER BY received_ms")
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(SaleRecord {
                    sale: row.try_get(0)?,
                    tender: row.try_get(1)?,
                    amount: row.try_get(2)?,
                    outcome: row.try_get(3)?,
                    verdict: row.try_get(4)?,
                    origin: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// Balances of the ledger, fen.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn balances(&mut self) -> Result<BTreeMap<String, i64>, sqlx::Error> {
        let rows = sqlx::query("SELECT account, SUM(amount) FROM postings GROUP BY account")
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Rows of tables in which anything at all is a fault that people must see: quarantine, doubts, forked journals.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn troubles(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT 'quarantine: ' || outcome || ' ' || reason || ' ' || COALESCE(origin, bytes) FROM quarantine
             UNION ALL SELECT 'doubt: ' || what || ' ' || subject FROM doubts
             UNION ALL SELECT 'fork: ' || journal || ' at ' || forked_n FROM journals WHERE forked_n IS NOT NULL",
        )
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// The head of the only journal of the only gateway, and the highest entry the centre knows of it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn heads(&mut self) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT j.head_n, (SELECT MAX(c.n) FROM chain c WHERE c.journal = j.id) FROM journals j ORDER BY j.id",
        )
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<Option<i64>, _>(1)?.unwrap_or(0)))).collect()
    }

    /// Every alarm by its id, with the rank of its state: 0 raised to 5 resolved.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn alarm_states(&mut self) -> Result<BTreeMap<String, i64>, sqlx::Error> {
        let rows = sqlx::query("SELECT id, state FROM alarms").fetch_all(&mut self.connection).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// How many alarms there are, how many of them are the same origin with another body, how many were begun by a further press
    /// on a resolved one, and how many times a press was folded.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn alarms(&mut self) -> Result<(i64, i64, i64, i64), sqlx::Error> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM alarms), (SELECT COUNT(*) FROM alarms WHERE variant > 0),
             (SELECT COUNT(*) FROM alarms a JOIN entries e ON e.origin = a.origin
              WHERE a.follows IS NOT NULL AND e.kind = 'alarm.repeated'),
             (SELECT COUNT(*) FROM alarm_events WHERE what = 'repeated')",
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
    }
}

/// The reports of devices among entries, by their origins, each with the kinds of the entries it became.
#[must_use]
pub fn reports(entries: &[Record]) -> BTreeMap<ReportKey, Vec<String>> {
    let mut found: BTreeMap<ReportKey, Vec<String>> = BTreeMap::new();
    for entry in entries {
        if let Some(key) = report_key(&entry.origin) {
            found.entry(key).or_default().push(entry.kind.clone());
        }
    }
    found
}

/// Runs of presses that came too fast for entries of their own: device, epoch, first and last number.
#[must_use]
pub fn folded(entries: &[Record]) -> Vec<(String, u32, u64, u64)> {
    let mut runs = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == "alarm.repeated") {
        let Ok(read) = serde_json::from_str::<Entry>(&entry.bytes) else { continue };
        let Ok(body) = read.body_as::<OwnAlarmBody>() else { continue };
        let Some(device) = body.alarm.device else { continue };
        let run = |run: &FoldedSeqs| (device.as_str().to_owned(), run.epoch, run.from.get(), run.to.get());
        runs.extend(body.folded_seqs.iter().map(run));
    }
    runs
}

/// The report that an origin names, where it is a device's.
#[must_use]
pub fn report_key(origin: &str) -> Option<ReportKey> {
    let mut parts = origin.strip_prefix("device:")?.split('/');
    let (device, epoch, seq) = (parts.next()?, parts.next()?, parts.next()?);
    Some((device.to_owned(), epoch.parse().ok()?, seq.parse().ok()?))
}
