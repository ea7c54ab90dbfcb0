//! The journal is numbered without gaps, and each row's hash follows from the row before it.

use sha2::{Digest, Sha256};

use super::Findings;
use crate::disk::Disk;

/// At rest.
pub fn at_rest(gateway: usize, disk: &Disk, findings: &mut Findings) {
    let (mut n, mut hash) = (0_u64, [0_u8; 32]);
    for row in &disk.rows {
        n = n.saturating_add(1);
        let expected: [u8; 32] = Sha256::new().chain_update(hash).chain_update(row.bytes.as_bytes()).finalize().into();
        if row.n != n || row.hash != expected {
            findings.note("the chain verifies", &format!("gateway {gateway} breaks at {n}, which says {}", row.n));
            return;
        }
        hash = row.hash;
    }
}
