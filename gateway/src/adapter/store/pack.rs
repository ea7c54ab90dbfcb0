//! Many rows in one value: the numbers and lengths of each row, ended by `:`, then its texts one behind the other.
//!
//! `n:lane:seq:len(source):len(epoch):len(kind):len(bytes):hash in hex:` source epoch kind bytes

/// Binds the first and the last number; gives the hash of the entry before the first one, and the rows ascending.
pub const SQL: &str = "SELECT (SELECT hash FROM entry WHERE n = ?1 - 1), group_concat(x, '') FROM (\
     SELECT n || ':' || lane || ':' || seq || ':' || octet_length(source) || ':' || octet_length(epoch) || ':' || \
     octet_length(kind) || ':' || octet_length(bytes) || ':' || hex(hash) || ':' || \
     source || epoch || kind || bytes AS x FROM entry WHERE n BETWEEN ?1 AND ?2 ORDER BY n)";

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
    /// Its hash in hex.
    pub hash_hex: &'a [u8],
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
    let lane = take_number(rest)?;
    let seq = take_number::<i64>(rest)?.cast_unsigned();
    let mut lengths = [0_usize; 4];
    for length in &mut lengths {
        *length = take_number(rest)?;
    }
    let hash_hex = take_field(rest)?;
    let [source, epoch, kind, bytes] = lengths.map(|length| {
        let (text, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        Some(text)
    });
    Some(PackedRow { n, lane, seq, source: source?, epoch: epoch?, kind: kind?, hash_hex, bytes: bytes? })
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b':')?;
    let (field, behind) = rest.split_at(end);
    *rest = behind.get(1..)?;
    Some(field)
}

fn take_number<T: std::str::FromStr>(rest: &mut &[u8]) -> Option<T> {
    std::str::from_utf8(take_field(rest)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_gives_its_rows_and_ends_at_the_first_that_is_cut() {
        let pack = b"7:2:42:3:1:2:4:00ff:dev1ab{:}:8:0:1:0:0:0:1:aa:x9:0:1:9:0:0:1:aa:x";
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
                hash_hex: b"00ff",
                bytes: b"{:}:"
            }
        );
        assert_eq!((found[1].n, found[1].bytes), (8, b"x".as_slice()));
    }
}
