//! The hash chain over the entries' bytes: `hash(n)` = SHA-256(`hash(n-1)` ‖ bytes), before the first 32 zero bytes.
//!
//! **Invariant:** an entry is given out only when its bytes, hashed behind the hash of the entry before, give its hash.

use protocols::uplink::HASH_LEN;
use sha2::{Digest, Sha256};

/// A hash of the chain.
pub type Hash = [u8; HASH_LEN];

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tip {
    /// The last number; 0 before the first entry.
    pub n: u64,
    /// Its hash; zeros before the first entry.
    pub hash: Hash,
}

/// What is wrong with a row of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// One or more entries before it are missing.
    #[error("the entries from {first} to the one before it are missing")]
    Gap {
        /// The first number that is missing.
        first: u64,
    },
    /// Its bytes and the hash before it do not give its hash.
    #[error("its bytes do not give its hash")]
    Hash,
    /// The stored hash has another length.
    #[error("its hash is not 32 bytes long")]
    HashLength,
    /// The bytes are no entry of this format.
    #[error("its bytes are no entry")]
    NotAnEntry,
    /// The columns for the look-up differ from the bytes.
    #[error("its columns (source, epoch, seq, kind) differ from its bytes")]
    Columns,
    /// The private record does not give the HMAC in the body.
    #[error("its private record was changed")]
    Private,
    /// A private record lies beside an entry that names none.
    #[error("a private record lies beside it that it does not name")]
    PrivateUnnamed,
}

impl Fault {
    /// A word for logs, metrics and the reason that the centre sees.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gap { .. } => "gap",
            Self::Hash => "hash",
            Self::HashLength => "hash_length",
            Self::NotAnEntry => "not_an_entry",
            Self::Columns => "columns",
            Self::Private => "private",
            Self::PrivateUnnamed => "private_unnamed",
        }
    }
}

/// The hash of an entry behind `before`.
#[must_use]
pub fn link(before: &Hash, bytes: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update(bytes);
    sha.finalize().into()
}

impl Tip {
    /// Goes on to row `n`, when it is the next and fits.
    ///
    /// # Errors
    /// What is wrong with the row; the tip stays.
    pub fn advance(&mut self, n: u64, hash: &[u8], bytes: &[u8]) -> Result<(), Fault> {
        let next = self.n.saturating_add(1);
        if n != next {
            return Err(Fault::Gap { first: next });
        }
        let hash: Hash = hash.try_into().map_err(|_| Fault::HashLength)?;
        if link(&self.hash, bytes) != hash {
            return Err(Fault::Hash);
        }
        *self = Self { n, hash };
        Ok(())
    }
}

/// The checksum of a state record: the first 8 bytes of SHA-256(key ‖ 0 ‖ value).
#[must_use]
pub fn state_sum(key: &str, value: &str) -> i64 {
    let mut sha = Sha256::new();
    sha.update(key.as_bytes());
    sha.update([0]);
    sha.update(value.as_bytes());
    let digest: Hash = sha.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tip_takes_only_the_next_row_with_the_right_hash() {
        let mut tip = Tip::default();
        let first = link(&[0; HASH_LEN], b"one");
        assert_eq!(tip.advance(2, &first, b"one"), Err(Fault::Gap { first: 1 }));
        assert_eq!(tip.advance(1, &first, b"onf"), Err(Fault::Hash));
        assert_eq!(tip.advance(1, b"short", b"one"), Err(Fault::HashLength));
        assert_eq!(tip.advance(1, &first, b"one"), Ok(()));
        assert_eq!(tip, Tip { n: 1, hash: first });
    }

    #[test]
    fn the_chain_is_sha_256_over_the_hash_before_and_the_bytes() {
        let expected = "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370";
        assert_eq!(hex::encode(link(&[0; HASH_LEN], b"abc")), expected);
        assert_eq!(state_sum("k", "v"), 4_850_850_460_154_889_350);
    }
}
