//! Cryptography of the purse against known vectors: A and B from published tutorials, F made up for this project
//! and computed with OpenSSL, and the proof of the card.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use protocols::card::crypto::{
    AuthCode, CardKey, CardRandom, Challenge, DiversificationFactor, Mac1, MasterKey, ProofResponse, TransactionData,
};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::value::{
    AlgorithmId, ApplicationSerialNumber, CardAmount, CardCounter, TerminalId, TerminalSequence, TransactionType,
};

fn octets<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn transaction(amount: u32, kind: u8, terminal: &str, date: &str, time: &str) -> TransactionData {
    TransactionData {
        amount: CardAmount::new(amount).unwrap(),
        kind: TransactionType::new(kind),
        terminal: TerminalId::from_bytes(octets(terminal)),
        date: CardDate::from_bcd(octets(date)).unwrap(),
        time: CardTime::from_bcd(octets(time)).unwrap(),
    }
}

fn random(text: &str) -> CardRandom {
    CardRandom::from_bytes(octets(text))
}

fn tutorial_key() -> CardKey {
    CardKey::from_hex("11223344556677888877665544332211").unwrap()
}

fn factor() -> DiversificationFactor {
    DiversificationFactor::from_bytes(octets("3100000012345678"))
}

fn card_key(master: &str) -> CardKey {
    MasterKey::from_hex(master).unwrap().diversify(&factor())
}

fn purchase_key() -> CardKey {
    card_key("000102030405060708090A0B0C0D0E0F")
}

fn load_key() -> CardKey {
    card_key("101112131415161718191A1B1C1D1E1F")
}

fn tac_key() -> CardKey {
    card_key("202122232425262728292A2B2C2D2E2F")
}

fn f_transaction(kind: u8) -> TransactionData {
    transaction(1000, kind, "310000000042", "20261123", "093000")
}

#[test]
fn vector_a_purchase_of_the_tutorial() {
    let session =
        tutorial_key().purchase_session_key(&random("11223344"), CardCounter::new(0), TerminalSequence::new(1));
    assert_eq!(hex::encode_upper(session.expose()), "003238ABC57659DD");
    let data = transaction(0x1000, 0x06, "001122334455", "20120229", "135100");
    assert_eq!(session.purchase_mac1(&data, None).to_hex(), "f15cab75");
    assert_eq!(session.purchase_mac2(data.amount).to_hex(), "56988a13");
}

#[test]
fn vector_b_load_of_the_tutorial() {
    let session = tutorial_key().load_session_key(&random("11223344"), CardCounter::new(0));
    assert_eq!(hex::encode_upper(session.expose()), "9B1D924E05595603");
    let data = transaction(0x1000, 0x01, "001122334455", "20111221", "214822");
    assert_eq!(session.load_mac1(CardAmount::ZERO, data.amount, data.kind, &data.terminal).to_hex(), "2988ae5a");
    assert_eq!(session.load_mac2(&data).to_hex(), "3a845bf0");
}

#[test]
fn vector_f_keys_follow_from_the_serial_number() {
    let serial = ApplicationSerialNumber::new(octets("00003100000012345678")).unwrap();
    assert_eq!(serial.factor(), factor());
    assert_eq!(hex::encode_upper(purchase_key().expose()), "4E6E2BAA042CD54DED6C9287EA66477E");
    assert_eq!(hex::encode_upper(load_key().expose()), "A489B38C8723D0A169BC804C6269732A");
    assert_eq!(hex::encode_upper(tac_key().expose()), "6787C28A58B6AF19C16C63A1A0C6EC47");
}

#[test]
fn vector_f_purchase() {
    let session =
        purchase_key().purchase_session_key(&random("A1B2C3D4"), CardCounter::new(7), TerminalSequence::new(0x2A));
    assert_eq!(hex::encode_upper(session.expose()), "90727C6DE65AE7FF");
    assert_eq!(session.purchase_mac1(&f_transaction(0x05), None).to_hex(), "8db1fa9f");
    assert_eq!(session.purchase_mac1(&f_transaction(0x06), None).to_hex(), "7518df38");
    let auth_code = AuthCode::from_bytes(octets("8588D32B7688D32B76"));
    assert_eq!(session.purchase_mac1(&f_transaction(0x09), Some(&auth_code)).to_hex(), "91e54e98");
    assert_eq!(session.purchase_mac2(f_transaction(0x06).amount).to_hex(), "bf4eac96");
}

#[test]
fn only_the_low_half_of_the_terminal_number_enters_the_session_key() {
    let of = |number| {
        let key = purchase_key();
        *key.purchase_session_key(&random("A1B2C3D4"), CardCounter::new(7), TerminalSequence::new(number)).expose()
    };
    assert_eq!(of(0x2A), of(0x0005_002A));
    assert_ne!(of(0x2A), of(0x2B));
}

#[test]
fn vector_f_tac() {
    let key = tac_key().tac_key();
    assert_eq!(hex::encode_upper(key.expose()), "A6EBA12BF870435E");
    for (kind, tac) in [(0x05, "344cc262"), (0x06, "5f169176"), (0x09, "90fcc9c6")] {
        assert_eq!(key.purchase_tac(&f_transaction(kind), TerminalSequence::new(0x2A)).to_hex(), tac);
    }
}

#[test]
fn vector_f_load() {
    let data = f_transaction(0x02);
    let online = CardCounter::new(3);
    let old = CardAmount::new(0x2710).unwrap();
    let new = old.checked_add(data.amount).unwrap();
    assert_eq!(new.fen(), 0x2AF8);
    let session = load_key().load_session_key(&random("A1B2C3D4"), online);
    assert_eq!(hex::encode_upper(session.expose()), "D397CC17A45139E5");
    assert_eq!(session.load_mac1(old, data.amount, data.kind, &data.terminal).to_hex(), "df26d7d2");
    assert_eq!(session.load_mac2(&data).to_hex(), "7d4b5174");
    assert_eq!(tac_key().tac_key().load_tac(new, online, &data).to_hex(), "a26864ee");
}

#[test]
fn vector_f_secure_messaging_tells_algorithm_3_from_plain_chaining() {
    let mac = purchase_key().command_mac(octets("A1B2C3D4"), &hex::decode("04D695000811223344").unwrap());
    assert_eq!(mac.to_hex(), "049cceb8");
}

#[test]
fn the_proof_of_the_card_follows_its_vector() {
    let key = card_key("303132333435363738393A3B3C3D3E3F");
    assert_eq!(hex::encode_upper(key.expose()), "0BF448CF9B5B458A5374EE0FE4BEDF8B");
    let challenge = Challenge::from_bytes(octets("1122334455667788"));
    assert_eq!(key.proof_response(&challenge), ProofResponse::from_bytes(octets("9C2B4DD8C4FEC173")));
}

#[test]
fn codes_that_differ_in_any_bit_are_different() {
    let code = Mac1::from_bytes(octets("7518DF38"));
    assert_eq!(code, Mac1::from_bytes(octets("7518DF38")));
    for bit in 0..32 {
        let mut other = *code.as_bytes();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(code, Mac1::from_bytes(other));
    }
}

#[test]
fn an_sm4_purse_is_refused_by_name() {
    assert!(AlgorithmId::TRIPLE_DES.supported().is_ok());
    let error = AlgorithmId::new(0x01).supported().unwrap_err();
    assert!(error.to_string().contains("01") && error.to_string().contains("SM4"), "{error}");
}

#[test]
fn keys_and_serial_numbers_do_not_show_in_debug_output() {
    let serial = ApplicationSerialNumber::new(octets("00003100000012345678")).unwrap();
    let shown = format!("{:?} {:?} {:?} {serial:?}", purchase_key(), tac_key().tac_key(), factor());
    assert!(!shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
    assert_eq!(serial.to_hex(), "00003100000012345678");
    assert_eq!(serial.last_four_digits(), "5678");
}
