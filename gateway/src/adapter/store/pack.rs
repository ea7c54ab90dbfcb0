//! Many rows in one value: the numbers and lengths of each row, each ended by `:`, then its parts one behind the other.
//!
//! `n:lane:seq:len(source):len(epoch):len(kind):len(hash):len(bytes):` source epoch kind hash bytes

/// Binds the first and the last number; gives the hash of the entry before the first one, and the rows ascending. `concat` makes
/// each row in one piece, where `||` would copy it once for each part.
pub const WHOLE_ROWS: &str = "SELECT (SELECT hash FROM entry WHERE n = ?1 - 1), group_concat(x, '') FROM (\
     SELECT concat(n, ':', lane, ':', seq, ':', octet_length(source), ':', octet_length(epoch), ':', octet_length(kind), ':', \
     octet_length(hash), ':', octet_length(bytes), ':', source, epoch, kind, hash, bytes) AS x \
     FROM entry WHERE n BETWEEN ?1 AND ?2 ORDER BY n)";

/// The same with what the chain needs: lane, number, source, epoch and kind are left out, as 0 and empty.
pub const CHAIN_ONLY: &str = "SELECT (SELECT hash FROM entry WHERE n = ?1 - 1), group_concat(x, '') FROM (\
     SELECT concat(n, ':0:0:0:0:0:', octet_length(hash), ':', octet_length(bytes), ':', hash, bytes) AS x \
     FROM entry WHERE n BETWEEN ?1 AND ?2 ORDER BY n)";

/// A row in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedRow<'a> {
    /// Its number.
    pub n: u64,
    /// Its lane as it is stored.
    pub lane: i64,
    /// The origin's number.
    pub seq: u64,
    /// The origin's source.
    pub source: &'a [u8],
    /// The origin's epoch.
    pub epoch: &'a [u8],
    /// Its kind.
    pub kind: &'a [u8],
    /// Its hash.
    pub hash: &'a [u8],
    /// The entry.
    pub bytes: &'a [u8],
}

/// The rows of a pack; ends where the pack is not as it should be.
pub fn rows(pack: &[u8]) -> impl Iterator<Item = PackedRow<'_>> {
    let mut rest = pack;
    std::iter::from_fn(move || take_row(&mut rest))
}

fn take_row<'a>(rest: &mut &'a [u8]) -> Option<PackedRow<'a>> {
    let n = take_number(rest)?;
    let lane = take_number(rest)?.cast_signed();
    let seq = take_number(rest)?;
    let mut lengths = [0_usize; 5];
    for length in &mut lengths {
        *length = usize::try_from(take_number(rest)?).ok()?;
    }
    let [source, epoch, kind, hash, bytes] = lengths.map(|length| {
        let (text, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        Some(text)
    });
    Some(PackedRow { n, lane, seq, source: source?, epoch: epoch?, kind: kind?, hash: hash?, bytes: bytes? })
}

/// A number up to its `:`. SQLite's numbers are signed; those below zero are taken as the bits that they have.
fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let (is_negative, mut digits) = rest.strip_prefix(b"-").map_or((false, *rest), |behind| (true, behind));
    let mut number = 0_u64;
    let mut count = 0_u32;
    while let Some((digit, behind)) = digits.split_first() {
        digits = behind;
        if *digit == b':' {
            *rest = behind;
            return (count > 0).then_some(if is_negative { number.wrapping_neg() } else { number });
        }
        let value = digit.checked_sub(b'0').filter(|value| *value <= 9)?;
        number = number.checked_mul(10)?.checked_add(u64::from(value))?;
        count = count.saturating_add(1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_gives_its_rows_and_ends_at_the_first_that_is_cut() {
        let pack = b"7:2:42:3:1:2:2:4:dev1ab\x00\xff{:}:8:0:-1:0:0:0:1:1:hx9:0:1:9:0:0:1:1:hx";
        let found: Vec<_> = rows(pack).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            PackedRow {
                n: 7,
                lane: 2,
                seq: 42,
                source: b"dev",
                epoch: b"1",
                kind: b"ab",
                hash: b"\x00\xff",
                bytes: b"{:}:"
            }
        );
        assert_eq!((found[1].n, found[1].seq, found[1].bytes), (8, u64::MAX, b"x".as_slice()));
    }
}
