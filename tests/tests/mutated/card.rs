//! What cards and PSAMs answer.

use protocols::card::apdu::{Command, Response};
use protocols::card::card_file::CardFile;
use protocols::card::log_record::LogRecord;
use protocols::card::octets;
use protocols::card::psam::{self, PsamFile};
use protocols::card::purse::{self, DebitAnswer, InitLoadAnswer, InitPurchaseAnswer, ProofLayout, TransactionProof};
use protocols::card::tlv::{self, Fci, Objects};

use crate::try_all;

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

#[test]
fn responses() {
    let originals = [
        "9000",
        "6108",
        "6C19",
        "000F4240 9000",
        "00000000 0001 0203 04 05 06 07 08 9000",
        &format!("{}9000", "5A".repeat(256)),
    ]
    .map(bytes);
    let originals: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    try_all("responses", 100_000, &originals, |bytes, _| {
        let Ok(response) = Response::parse(bytes) else { return false };
        assert_eq!(response.to_bytes().as_slice(), bytes);
        true
    });
}

#[test]
fn commands() {
    let originals = [
        "00A40400 09 A00000000386980701 00",
        "80500102 0B 01000003E8310000000042 0F",
        "00B0951E",
        "0088000008 1122334455667788",
    ]
    .map(bytes);
    let originals: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    try_all("APDUs", 50_000, &originals, |bytes, _| {
        let Ok(command) = Command::parse(bytes) else { return false };
        assert_eq!(Command::parse(&command.to_bytes()).unwrap(), command);
        true
    });
}

#[test]
fn tlv() {
    let originals = [
        "6F17 8409A00000000386980701 A50A 9F080102 9F0C03112233",
        "6F05 8403A1A2A3",
        "6F8117 8409A00000000386980701 A50A 9F080102 9F0C03112233",
        "9F0C820003112233",
    ]
    .map(bytes);
    let originals: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    try_all("TLV", 200_000, &originals, |bytes, mutator| {
        let mut read = 0;
        for object in Objects::new(bytes) {
            match object {
                Ok(object) => read += object.value.len(),
                Err(_) => break,
            }
        }
        assert!(read <= bytes.len(), "no value is longer than what it came from");
        let tag = u16::try_from(mutator.dice().below(0xFFFF)).unwrap();
        for tag in [0x6F, 0x84, 0xA5, 0x9F08, 0x9F0C, tag] {
            if let Ok(Some(found)) = tlv::find(bytes, tag) {
                assert!(found.len() <= bytes.len());
            }
        }
        Fci::parse(bytes).is_ok() || Objects::new(bytes).all(|object| object.is_ok())
    });
}

#[test]
fn files_and_answers() {
    let originals: [Vec<u8>; 7] = [
        [bytes("1122334455667788 01 01"), bytes("00003100000012345678"), bytes("20200101 20301231 0000")].concat(),
        bytes("000003E8 0007 000000 00 01 A1B2C3D4 5A"),
        bytes("000003E8 0007 01 00 A1B2C3D4"),
        bytes("5F169176 BF4EAC96"),
        bytes("31000000000000000042 01 02 0304"),
        bytes("0007 000000 000003E8 06 310000000042 20261124 093000"),
        bytes("310000000042"),
    ];
    let originals: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    try_all("files and answers", 150_000, &originals, |bytes, _| {
        let mut taken = originals.contains(&bytes);
        // A balance has a bit that is not part of it, so what is written need not be the bytes that were read.
        macro_rules! same {
            ($($answer:ty),+) => {
                $(if let Ok(answer) = <$answer>::parse(bytes) {
                    taken = true;
                    assert_eq!(<$answer>::parse(&answer.to_bytes()), Ok(answer));
                })+
            };
        }
        same!(InitPurchaseAnswer, InitLoadAnswer, DebitAnswer, psam::InitAnswer, PsamFile, LogRecord, CardFile);
        if let Ok(proof) = TransactionProof::parse(bytes) {
            taken = true;
            proof.tac(ProofLayout::MacThenTac);
        }
        let others = [
            purse::parse_balance(bytes).is_ok(),
            purse::parse_auth_code(bytes).is_ok(),
            purse::parse_load_tac(bytes).is_ok(),
            psam::parse_terminal_id(bytes).is_ok(),
            psam::parse_proof_response(bytes).is_ok(),
        ];
        taken || others.contains(&true)
    });
}

#[test]
fn digits_of_hex() {
    let originals: [&[u8]; 2] = [b"0123456789abcdefABCDEF00", b"00"];
    try_all("hex", 50_000, &originals, |bytes, _| {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        let mut out = vec![0; bytes.len() / 2];
        let read = octets::decode(text, &mut out).is_ok();
        assert!(!read || hex::encode(&out) == text.to_ascii_lowercase(), "{text}");
        read
    });
}
