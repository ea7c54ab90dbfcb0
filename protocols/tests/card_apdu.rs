//! APDUs and TLV under any bytes: what is well formed survives, the rest is refused by name, nothing panics.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use proptest::prelude::*;
use protocols::card::apdu::{Command, CommandError, ExpectedLength, Header, Response, ResponseError};
use protocols::card::status::StatusWord;
use protocols::card::tlv::{Fci, Objects, TlvError, find};
use protocols::card::transport::{Exchange, Transport, TransportError};

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn select() -> Command {
    Command::parse(&bytes("00A4040009A0000000038698070100")).unwrap()
}

#[test]
fn the_four_cases_of_a_command_read_back() {
    for (text, data, le) in [
        ("00840000", 0, None),
        ("805C000204", 0, Some(4)),
        ("00B2010000", 0, Some(256)),
        ("8072000004BF4EAC96", 4, None),
        ("00A40400023F0000", 2, Some(256)),
    ] {
        let command = Command::parse(&bytes(text)).unwrap();
        assert_eq!(command.data().len(), data, "{text}");
        assert_eq!(command.expected().map(ExpectedLength::bytes), le, "{text}");
        assert_eq!(command.to_bytes().as_slice(), bytes(text), "{text}");
    }
}

#[test]
fn malformed_commands_are_refused_by_name() {
    let refused = |text: &str| Command::parse(&bytes(text)).unwrap_err();
    assert_eq!(refused(""), CommandError::TooShort { found: 0 });
    assert_eq!(refused("00A404"), CommandError::TooShort { found: 3 });
    assert_eq!(refused("00A4040000000100"), CommandError::ExtendedLength);
    assert_eq!(refused("00A4040003AABB"), CommandError::LengthMismatch { declared: 3, found: 2 });
    assert_eq!(refused("00A4040001AABBCC"), CommandError::LengthMismatch { declared: 1, found: 3 });
    let header = Header::new([0; 4]);
    assert_eq!(Command::new(header, &[0; 256], None), Err(CommandError::DataTooLong { found: 256 }));
}

#[test]
fn responses_of_impossible_lengths_are_refused_by_name() {
    assert_eq!(Response::parse(&[]), Err(ResponseError::NoStatusWord { found: 0 }));
    assert_eq!(Response::parse(&[0x90]), Err(ResponseError::NoStatusWord { found: 1 }));
    assert_eq!(Response::parse(&[0; 259]), Err(ResponseError::TooLong { found: 259 }));
    assert_eq!(Response::parse(&vec![0x90; 65_538]), Err(ResponseError::TooLong { found: 65_538 }));
    let longest = Response::parse(&[0; 258]).unwrap();
    assert_eq!((longest.data().len(), longest.status()), (256, StatusWord::Unlisted(0)));
}

#[test]
fn debug_output_shows_no_data() {
    let command = Command::parse(&bytes("805401000F11223344556677889900112233445508")).unwrap();
    assert_eq!(format!("{command:?}"), "Command(80 54 01 00, 15 data bytes, Le 08)");
    let response = Response::parse(&bytes("11223344556677889000")).unwrap();
    assert_eq!(format!("{response:?}"), "Response(8 data bytes, 9000 done)");
}

#[test]
fn an_answer_in_parts_is_fetched_and_joined() {
    let mut transport = Transport::repeatable(select());
    let Exchange::Send(command) = transport.next(&bytes("AABB6103")) else { panic!("the card has more") };
    assert_eq!(command.to_bytes().as_slice(), bytes("00C0000003"));
    let Exchange::Send(command) = transport.next(&bytes("6C02")) else { panic!("the card wants another Le") };
    assert_eq!(command.to_bytes().as_slice(), bytes("00C0000002"));
    let Exchange::Done(answered) = transport.next(&bytes("CCDD9000")) else { panic!("the card is done") };
    assert_eq!(answered.response, Response::parse(&bytes("AABBCCDD9000")).unwrap());
    assert!(answered.fetched);
}

#[test]
fn a_wrong_le_is_corrected_once_and_the_command_sent_again() {
    let mut transport = Transport::repeatable(select());
    let Exchange::Send(command) = transport.next(&bytes("6C30")) else { panic!("the card wants another Le") };
    assert_eq!(command.to_bytes().as_slice(), bytes("00A4040009A0000000038698070130"));
    let Exchange::Done(answered) = transport.next(&bytes("9000")) else { panic!("the card is done") };
    assert!(!answered.fetched);
}

#[test]
fn a_command_that_changes_something_is_never_sent_twice() {
    let mut transport = Transport::once(select());
    let Exchange::Done(answered) = transport.next(&bytes("6C08")) else { panic!("6C08 is the answer") };
    assert_eq!(answered.response.status(), StatusWord::WrongExpectedLength(8));
}

#[test]
fn f11_a_card_that_loops_is_left_after_eight_exchanges() {
    for word in ["6101", "6C01"] {
        let mut transport = Transport::repeatable(select());
        let mut sent = 1;
        let error = loop {
            match transport.next(&bytes(word)) {
                Exchange::Send(_) => sent += 1,
                Exchange::Failed(error) => break error,
                Exchange::Done(answered) => panic!("{word} is no end: {answered:?}"),
            }
        };
        assert_eq!((error, sent), (TransportError::Loop, 8));
    }
}

#[test]
fn parts_that_exceed_a_response_together_are_refused() {
    let mut transport = Transport::repeatable(select());
    let part = [[0xAA; 200].as_slice(), &[0x61, 0xFF]].concat();
    assert!(matches!(transport.next(&part), Exchange::Send(_)));
    assert_eq!(transport.next(&part), Exchange::Failed(TransportError::TooLong));
}

#[test]
fn the_fci_of_a_real_card_is_read() {
    let answer = bytes(concat!(
        "6F328409A00000000386980701A5259F0801019F0C1E",
        "0731410000000000010100004100000089999985201506052038080800009000"
    ));
    let response = Response::parse(&answer).unwrap();
    let fci = Fci::parse(response.data()).unwrap();
    assert_eq!(fci.df_name.map(<[u8]>::to_vec), Some(bytes("A00000000386980701")));
    assert_eq!(fci.version, Some(1));
    assert_eq!(fci.issuer_data.map(<[u8]>::len), Some(30));
}

#[test]
fn f11_invalid_tlv_lengths_are_refused_by_name() {
    for (text, error) in [
        ("6F", TlvError::CutOff),
        ("6F05840100", TlvError::CutOff),
        ("6F80", TlvError::LengthForm),
        ("6F84FFFFFFFF", TlvError::LengthForm),
        ("6F82FFFF00", TlvError::CutOff),
        ("9F8C0100", TlvError::TagTooLong),
        ("6F028405", TlvError::CutOff),
    ] {
        assert!(matches!(Fci::parse(&bytes(text)), Err(found) if found == error), "{text}");
    }
    assert!(matches!(find(&[0; 2 * 40], 0x6F), Err(TlvError::TooMany)));
    assert!(matches!(Fci::parse(&[]), Ok(Fci { df_name: None, version: None, issuer_data: None })));
}

proptest! {
    #[test]
    fn commands_survive_their_bytes(
        header: [u8; 4],
        data in prop::collection::vec(any::<u8>(), 0..=255),
        le: Option<u8>,
    ) {
        let command = Command::new(Header::new(header), &data, le.map(ExpectedLength::from_le)).unwrap();
        prop_assert_eq!(Command::parse(&command.to_bytes()).unwrap(), command);
    }

    #[test]
    fn any_bytes_that_parse_as_a_command_are_its_bytes(input in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(command) = Command::parse(&input) {
            prop_assert_eq!(command.to_bytes().to_vec(), input);
        }
    }

    #[test]
    fn any_bytes_that_parse_as_a_response_are_its_bytes(input in prop::collection::vec(any::<u8>(), 0..300)) {
        match Response::parse(&input) {
            Ok(response) => prop_assert_eq!(response.to_bytes().to_vec(), input),
            Err(_) => prop_assert!(input.len() < 2 || input.len() > 258),
        }
    }

    #[test]
    fn any_bytes_are_read_as_tlv_in_bounded_steps(input in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Objects::new(&input).count() <= 33);
        let _ = Fci::parse(&input);
    }

    #[test]
    fn any_sequence_of_answers_ends_a_command(
        answers in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                (0x61_u8..=0x6C, any::<u8>()).prop_map(|(a, b)| vec![a, b]),
            ],
            9,
        ),
        repeatable: bool,
    ) {
        let mut transport = if repeatable { Transport::repeatable(select()) } else { Transport::once(select()) };
        let ended = answers.iter().any(|answer| !matches!(transport.next(answer), Exchange::Send(_)));
        prop_assert!(ended);
    }
}
