//! The keys of card and PSAM. All are made up; the masters are those of the project's own test vectors.

use protocols::card::crypto::{CardKey, DiversificationFactor, MasterKey};
use serde::{Deserialize, Serialize};

/// Master of the purchase keys (DPK).
const PURCHASE: [u8; 16] = counting_from(0x00);
/// Master of the load keys (DLK).
const LOAD: [u8; 16] = counting_from(0x10);
/// Master of the TAC keys (DTK).
const TAC: [u8; 16] = counting_from(0x20);
/// Master of the keys for the proof of the card (DIK).
const PROOF: [u8; 16] = counting_from(0x30);

/// One of a chip's keys; hexadecimal in its state file, which is the only place that shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredKey(#[serde(with = "hex::serde")] [u8; 16]);

impl StoredKey {
    /// From its octets.
    pub const fn from_bytes(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// For use as the key of one card.
    pub fn card(&self) -> CardKey {
        CardKey::from_bytes(self.0)
    }

    /// For use as an issuer's master.
    pub fn master(&self) -> MasterKey {
        MasterKey::from_bytes(self.0)
    }

    /// The key below this one by these factors, outermost level first; itself without any.
    pub fn diversify(&self, factors: &[DiversificationFactor]) -> Self {
        factors.iter().fold(self.clone(), |key, factor| Self(*key.master().diversify(factor).expose()))
    }
}

/// What the issuer of the test cards holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masters {
    /// DPK.
    pub purchase: StoredKey,
    /// DLK.
    pub load: StoredKey,
    /// DTK.
    pub tac: StoredKey,
    /// DIK.
    pub proof: StoredKey,
}

impl Masters {
    /// The masters of all sample cards and PSAMs.
    pub const fn made_up() -> Self {
        Self { purchase: StoredKey(PURCHASE), load: StoredKey(LOAD), tac: StoredKey(TAC), proof: StoredKey(PROOF) }
    }

    /// The keys below these by the same factors.
    pub fn diversify(&self, factors: &[DiversificationFactor]) -> CardKeys {
        CardKeys {
            purchase: self.purchase.diversify(factors),
            load: self.load.diversify(factors),
            tac: self.tac.diversify(factors),
            proof: self.proof.diversify(factors),
        }
    }
}

/// What one card holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardKeys {
    /// DPK.
    pub purchase: StoredKey,
    /// DLK.
    pub load: StoredKey,
    /// DTK.
    pub tac: StoredKey,
    /// DIK.
    pub proof: StoredKey,
}

const fn counting_from(first: u8) -> [u8; 16] {
    let mut octets = [first; 16];
    let mut index = 0;
    while index < 16 {
        octets[index] = first | index as u8;
        index += 1;
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_made_up_masters_give_the_published_card_keys() {
        let factor = DiversificationFactor::from_bytes([0x31, 0, 0, 0, 0x12, 0x34, 0x56, 0x78]);
        let keys = Masters::made_up().diversify(&[factor]);
        let hex = |key: &StoredKey| hex::encode_upper(key.0);
        assert_eq!(hex(&keys.purchase), "4E6E2BAA042CD54DED6C9287EA66477E");
        assert_eq!(hex(&keys.load), "A489B38C8723D0A169BC804C6269732A");
        assert_eq!(hex(&keys.tac), "6787C28A58B6AF19C16C63A1A0C6EC47");
        assert_eq!(hex(&keys.proof), "0BF448CF9B5B458A5374EE0FE4BEDF8B");
    }
}
