//! Rows as the core makes them of devices' reports, with a correct chain, and journals that are full of them.
//!
//! **Invariant:** they go to disk through the gateway's own store, so that a journal made here is one of the gateway's.

use std::path::Path;

use gateway::adapter::store::{Hash, Journal, StoreEvent, link};
use gateway_core::{Group, OutLane, Row, StateChange, StoreInput};
use protocols::id::DeviceId;
use protocols::uplink::{DeviceReportBody, kind};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::BenchError;

/// Rows in one commit.
const GROUP: usize = 2_000;

/// Rows without end: reports of so many devices in turn.
#[derive(Debug)]
pub struct Rows {
    devices: u64,
    name: &'static str,
    n: u64,
    hash: Hash,
}

impl Rows {
    /// Rows from 1 on, of devices with this name and a number.
    #[must_use]
    pub fn new(devices: u64, name: &'static str) -> Self {
        Self { devices: devices.max(1), name, n: 0, hash: Hash::default() }
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let device: DeviceId = format!("{}-{:04}", self.name, self.n % self.devices).parse().ok()?;
        self.n = self.n.checked_add(1)?;
        let seq = self.n.div_ceil(self.devices);
        let source = format!("device:{device}");
        let body = DeviceReportBody {
            kind: "test".to_owned(),
            device,
            of: None,
            boot: Some(17),
            up_ms: Some(123_456),
            at: None,
            battery_mv: Some(2_980),
            rssi_dbm: Some(-67),
            detail: None,
        };
        let body = serde_json::to_string(&body).ok()?;
        let kind = kind::DEVICE_REPORTED;
        let bytes = format!(
            "{{\"v\":1,\"origin\":{{\"source\":\"{source}\",\"epoch\":1,\"seq\":{seq}}},\"kind\":\"{kind}\",\"about\":null,\
             \"recorded_at\":\"2026-10-01T08:00:00.000+08:00\",\"clock\":\"trusted\",\"body\":{body}}}"
        );
        self.hash = link(&self.hash, bytes.as_bytes());
        let digest = Sha256::digest(body.as_bytes());
        let first = digest.first_chunk::<8>().copied().unwrap_or_default();
        Some(Row {
            n: self.n,
            hash: self.hash,
            bytes,
            source,
            epoch: "1".to_owned(),
            seq,
            kind: kind.to_owned(),
            body: u64::from_be_bytes(first) & (u64::MAX >> 1),
            lane: OutLane::Rest,
            private: None,
        })
    }
}

/// Fills the journal of a gateway that does not run; of the entries the last `waiting` still have to reach the centre.
///
/// # Errors
/// The journal cannot be opened or takes no commits.
pub async fn fill(state: &Path, entries: u64, waiting: u64) -> Result<(), BenchError> {
    let (journal, restored) = Journal::open(state).await.map_err(|_| BenchError::Journal)?;
    if restored.last_n != 0 {
        return Err(BenchError::Journal);
    }
    let (events, mut told) = mpsc::channel(4);
    let writer = journal.start(events);
    let mut rows = Rows::new(100, "old");
    let mut left = usize::try_from(entries).unwrap_or(usize::MAX);
    let mut id = 0;
    while left > 0 {
        id += 1;
        let part: Vec<Row> = rows.by_ref().take(left.min(GROUP)).collect();
        left = left.saturating_sub(part.len());
        let state = if left == 0 {
            let record = format!(
                "{{\"cursor\":{},\"done\":[],\"waiting\":{}}}",
                entries.saturating_sub(waiting),
                waiting.min(entries)
            );
            vec![StateChange::Put { key: format!("outbox/{}", OutLane::Rest.name()), value: record }]
        } else {
            Vec::new()
        };
        writer.submit(Group { id, rows: part, state }).map_err(|_| BenchError::Journal)?;
        match told.recv().await {
            Some(StoreEvent::Input(StoreInput::Committed { .. })) => {}
            Some(StoreEvent::Input(_) | StoreEvent::Failed(_)) | None => return Err(BenchError::Journal),
        }
    }
    writer.close().await;
    Ok(())
}
