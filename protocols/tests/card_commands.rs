//! Commands to card and PSAM byte by byte, and the answers that real cards and scripts gave.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use proptest::prelude::*;
use protocols::card::apdu::{Command, Response};
use protocols::card::card_file::{CardFile, CardFileError, Validity};
use protocols::card::crypto::{AuthCode, CardRandom, Challenge, DiversificationFactor, Mac1, Mac2};
use protocols::card::date::{CardDate, CardTime, DateError};
use protocols::card::log_record::LogRecord;
use protocols::card::profile::{Aid, Profile};
use protocols::card::psam::{self, PsamFile, PurchaseInit};
use protocols::card::purse::{
    self, AnswerError, DebitAnswer, InitLoadAnswer, InitPurchaseAnswer, LogIndex, ProofLayout, Purse, TransactionProof,
};
use protocols::card::tlv::Fci;
use protocols::card::value::{
    AlgorithmId, AmountTooLarge, ApplicationSerialNumber, CardAmount, CardCounter, KeyVersion, SerialNumberError,
    TerminalId, TerminalSequence, TransactionType,
};

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn octets<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().unwrap()
}

fn wire(command: &Command) -> String {
    hex::encode_upper(command.to_bytes())
}

fn amount(fen: u32) -> CardAmount {
    CardAmount::new(fen).unwrap()
}

fn date() -> CardDate {
    CardDate::new(2026, 11, 23).unwrap()
}

fn time() -> CardTime {
    CardTime::new(9, 30, 0).unwrap()
}

fn terminal() -> TerminalId {
    TerminalId::from_bytes(octets("310000000042"))
}

fn purchase_init(factors: &[&str], auth_code: Option<&str>) -> PurchaseInit {
    PurchaseInit {
        random: CardRandom::from_bytes(octets("A1B2C3D4")),
        counter: CardCounter::new(7),
        amount: amount(1000),
        kind: TransactionType::EP_PURCHASE,
        date: date(),
        time: time(),
        key_version: KeyVersion::new(1),
        algorithm: AlgorithmId::TRIPLE_DES,
        factors: factors.iter().map(|factor| DiversificationFactor::from_bytes(octets(factor))).collect(),
        auth_code: auth_code.map(|code| AuthCode::from_bytes(octets(code))),
    }
}

#[test]
fn commands_to_the_card_have_their_bytes() {
    let mac1 = Mac1::from_bytes(octets("7518DF38"));
    let mac2 = Mac2::from_bytes(octets("7D4B5174"));
    let sequence = TerminalSequence::new(0x2A);
    for (command, expected) in [
        (purse::select(&Aid::CITY_UNION), "00A4040009A0000000038698070100"),
        (purse::read_card_file(), "00B095001E"),
        (purse::get_balance(Purse::Ep), "805C000204"),
        (purse::get_balance(Purse::Ed), "805C000104"),
        (purse::get_auth_code(), "80CA000009"),
        (purse::init_for_purchase(Purse::Ep, 1, amount(1000), &terminal()), "805001020B01000003E83100000000420F"),
        (purse::debit_for_purchase(sequence, date(), time(), &mac1), "805401000F0000002A202611230930007518DF3808"),
        (purse::init_for_load(Purse::Ep, 1, amount(1000), &terminal()), "805000020B01000003E831000000004210"),
        (purse::credit_for_load(date(), time(), &mac2), "805200000B202611230930007D4B517404"),
        (purse::transaction_prove(TransactionType::EP_PURCHASE, CardCounter::new(8)), "805A000602000808"),
        (purse::read_log_record(LogIndex::NEWEST), "00B201C417"),
        (
            Profile::city_union().internal_authenticate(&Challenge::from_bytes(octets("1122334455667788"))),
            "00880000081122334455667788",
        ),
    ] {
        assert_eq!(wire(&command), expected);
        assert_eq!(Command::parse(&command.to_bytes()), Ok(command));
    }
}

#[test]
fn commands_to_the_psam_have_their_bytes() {
    let profile = Profile::city_union();
    let one = purchase_init(&["3100000012345678"], None);
    let three =
        purchase_init(&["3100000012345678", "B1B1BEA9B1B1BEA9", "3100310031003100"], Some("8588D32B7688D32B76"));
    let challenge = Challenge::from_bytes(octets("1122334455667788"));
    for (command, expected) in [
        (psam::select_master_file(), "00A40000023F00"),
        (psam::select_file([0x10, 0x01]), "00A40000021001"),
        (psam::read_psam_file(), "00B095000E"),
        (psam::read_terminal_id(), "00B0960006"),
        (one.command(), "807000001CA1B2C3D40007000003E806202611230930000100 3100000012345678"),
        (
            three.command(),
            "8070000035A1B2C3D40007000003E806202611230930000100 3100000012345678B1B1BEA9B1B1BEA93100310031003100 \
             8588D32B7688D32B76",
        ),
        (psam::credit_for_purchase(&Mac2::from_bytes(octets("BF4EAC96"))), "8072000004BF4EAC96"),
        (psam::init_for_proof(&profile.proof.psam_init, &one.factors), "801A0001083100000012345678"),
        (psam::crypt_for_proof(&profile.proof.psam_crypt, &challenge), "80FA0000081122334455667788"),
    ] {
        assert_eq!(wire(&command), expected.replace(' ', ""));
    }
}

#[test]
fn the_card_file_of_a_published_card_is_read() {
    let answer =
        bytes("6F2E8409A00000000386980701A5219F0C1E000000010000000001010001010203040506070820170101202712310000 9000");
    let response = Response::parse(&answer).unwrap();
    let fci = Fci::parse(response.data()).unwrap();
    let card = CardFile::parse(fci.issuer_data.unwrap()).unwrap();
    assert_eq!(card.serial_number.to_hex(), "00010102030405060708");
    assert_eq!((card.start.to_hex().as_str(), card.expiry.to_hex().as_str()), ("20170101", "20271231"));
    assert_eq!((card.application_type, card.application_version), (1, 1));
    assert_eq!(card.to_bytes().as_slice(), fci.issuer_data.unwrap());
}

#[test]
fn a_card_is_valid_from_its_first_to_its_last_day() {
    let card = CardFile::parse(&bytes("0000310000000000 0101 00003100000012345678 20250101 20281231 0000")).unwrap();
    assert_eq!(card.issuer.city_code().to_hex(), "3100");
    let on = |year, month, day| card.validity(CardDate::new(year, month, day).unwrap());
    assert_eq!(on(2024, 12, 31), Validity::NotYet);
    assert_eq!(on(2025, 1, 1), Validity::Valid);
    assert_eq!(on(2028, 12, 31), Validity::Valid);
    assert_eq!(on(2029, 1, 1), Validity::Expired);
}

#[test]
fn card_files_that_cannot_be_used_are_refused_by_name() {
    let with = |serial: &str, start: &str| {
        CardFile::parse(&bytes(&format!("0000310000000000 0101 {serial} {start} 20281231 0000")))
    };
    let serial = "00003100000012345678";
    assert_eq!(CardFile::parse(&[0; 29]), Err(CardFileError::Length { found: 29 }));
    assert_eq!(with("0000310000001234567A", "20250101"), Err(SerialNumberError::NotDecimal.into()));
    assert_eq!(with("00000000000000000000", "20250101"), Err(SerialNumberError::AllZero.into()));
    assert_eq!(with(serial, "FFFFFFFF"), Err(DateError::NotDecimal.into()));
    assert_eq!(with(serial, "20251301"), Err(DateError::OutOfRange.into()));
}

#[test]
fn the_junk_top_bit_of_a_balance_is_masked() {
    let response = Response::parse(&bytes("8000164E 9000")).unwrap();
    assert_eq!(purse::parse_balance(response.data()), Ok(amount(0x164E)));
    let init = InitPurchaseAnswer::parse(&bytes("80002710 0007 000000 01 00 A1B2C3D4")).unwrap();
    assert_eq!(init.balance, amount(0x2710));
    assert_eq!(
        (init.counter, init.key_version, init.algorithm),
        (CardCounter::new(7), KeyVersion::new(1), AlgorithmId::TRIPLE_DES)
    );
    assert_eq!(init.random.to_hex(), "a1b2c3d4");
}

#[test]
fn a_log_record_of_a_published_card_is_read() {
    let record = LogRecord::parse(&bytes("0002 000000 000003E8 05 000000000024 20170830125637")).unwrap();
    assert_eq!(
        (record.counter, record.amount, record.kind),
        (CardCounter::new(2), amount(1000), TransactionType::ED_PURCHASE)
    );
    assert_eq!(
        (record.terminal.to_hex().as_str(), record.moment.to_hex().as_str()),
        ("000000000024", "20170830125637")
    );
    assert!(LogRecord::parse(&[0xFF; 23]).is_ok(), "an unwritten record is no reason to stop reading the log");
}

#[test]
fn answers_of_another_length_are_refused() {
    let found = 7;
    let short = [0; 7];
    assert_eq!(DebitAnswer::parse(&short), Err(AnswerError { expected: 8, found }));
    assert_eq!(psam::InitAnswer::parse(&short), Err(AnswerError { expected: 8, found }));
    assert_eq!(TransactionProof::parse(&short), Err(AnswerError { expected: 8, found }));
    assert_eq!(InitPurchaseAnswer::parse(&short), Err(AnswerError { expected: 15, found }));
    assert_eq!(InitLoadAnswer::parse(&short), Err(AnswerError { expected: 16, found }));
    assert_eq!(LogRecord::parse(&short), Err(AnswerError { expected: 23, found }));
    assert_eq!(PsamFile::parse(&short), Err(AnswerError { expected: 14, found }));
    assert_eq!(psam::parse_terminal_id(&short), Err(AnswerError { expected: 6, found }));
    assert_eq!(purse::parse_balance(&short), Err(AnswerError { expected: 4, found }));
    assert_eq!(purse::parse_auth_code(&short), Err(AnswerError { expected: 9, found }));
    assert_eq!(purse::parse_load_tac(&short), Err(AnswerError { expected: 4, found }));
}

#[test]
fn the_tac_lies_where_the_profile_says() {
    let proof = TransactionProof::parse(&bytes("A5717B4F9909F538")).unwrap();
    assert_eq!(proof.tac(ProofLayout::MacThenTac).to_hex(), "9909f538");
    assert_eq!(proof.tac(ProofLayout::TacThenMac).to_hex(), "a5717b4f");
}

#[test]
fn the_log_has_ten_places() {
    let places: Vec<u8> =
        std::iter::successors(Some(LogIndex::NEWEST), |index| index.older()).map(LogIndex::get).collect();
    assert_eq!(places, (1..=10).collect::<Vec<u8>>());
}

#[test]
fn g3_amounts_neither_wrap_nor_exceed_what_a_card_holds() {
    let most = amount(0x7FFF_FFFF);
    assert_eq!(CardAmount::new(0x8000_0000), Err(AmountTooLarge));
    assert_eq!(most.checked_add(amount(1)), None);
    assert_eq!(amount(1).checked_sub(amount(2)), None);
    assert_eq!(CardCounter::new(u16::MAX).next(), None);
}

#[test]
fn what_is_persisted_reads_back_from_its_text() {
    let serial = ApplicationSerialNumber::new(octets("00003100000012345678")).unwrap();
    assert_eq!(serde_json::to_string(&serial).unwrap(), "\"00003100000012345678\"");
    assert_eq!(serde_json::from_str::<ApplicationSerialNumber>("\"00003100000012345678\"").unwrap(), serial);
    let debit = DebitAnswer::parse(&bytes("5F169176BF4EAC96")).unwrap();
    let text = serde_json::to_string(&debit).unwrap();
    assert_eq!(text, r#"{"tac":"5f169176","mac2":"bf4eac96"}"#);
    assert_eq!(serde_json::from_str::<DebitAnswer>(&text).unwrap(), debit);
    for wrong in [r#""5F169176""#, r#""5f1691""#, r#""5f16917g""#, "1"] {
        assert!(serde_json::from_str::<Mac1>(wrong).is_err(), "{wrong}");
    }
    assert!(serde_json::from_str::<CardAmount>("2147483648").is_err());
    assert!(serde_json::from_str::<ApplicationSerialNumber>("\"0000310000001234567a\"").is_err());
}

#[test]
fn a_profile_in_configuration_overrides_only_what_it_names() {
    let profile: Profile = serde_json::from_str("{}").unwrap();
    assert_eq!(profile, Profile::city_union());
    let profile: Profile = serde_json::from_str(
        r#"{"aid":"A000000632010105","purse":"ed","auth_code":true,"psam_df":"DF01",
            "factors":["issuer_region_twice",{"fixed":"3100310031003100"},"serial_number"],
            "proof":{"card":{"header":"00880001","le":8}}}"#,
    )
    .unwrap();
    let card = CardFile::parse(&bytes("B1B1BEA900000000 0101 00003100000012345678 20250101 20281231 0000")).unwrap();
    let factors: Vec<_> = profile.factors_of(&card).iter().map(|factor| factor.to_hex()).collect();
    assert_eq!(factors, ["b1b1bea9b1b1bea9", "3100310031003100", "3100000012345678"]);
    assert_eq!(profile.proof.psam_init, Profile::city_union().proof.psam_init);
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
    for wrong in [r#"{"factors":[]}"#, r#"{"aid":""}"#, r#"{"aid":"A0000"}"#, r#"{"colour":1}"#] {
        assert!(serde_json::from_str::<Profile>(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_a_parser_panic_and_what_is_read_is_written_back(data in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(card) = CardFile::parse(&data) { prop_assert_eq!(card.to_bytes().to_vec(), data.clone()); }
        if let Ok(answer) = DebitAnswer::parse(&data) { prop_assert_eq!(answer.to_bytes().to_vec(), data.clone()); }
        if let Ok(answer) = psam::InitAnswer::parse(&data) { prop_assert_eq!(answer.to_bytes().to_vec(), data.clone()); }
        if let Ok(file) = PsamFile::parse(&data) { prop_assert_eq!(file.to_bytes().to_vec(), data.clone()); }
        if let Ok(record) = LogRecord::parse(&data) { prop_assert_eq!(record.to_bytes()[9..].to_vec(), data[9..].to_vec()); }
        if let Ok(answer) = InitPurchaseAnswer::parse(&data) { prop_assert_eq!(answer.to_bytes()[4..].to_vec(), data[4..].to_vec()); }
        if let Ok(answer) = InitLoadAnswer::parse(&data) { prop_assert_eq!(answer.to_bytes()[4..].to_vec(), data[4..].to_vec()); }
    }
}
