//! The preamble with a PSAM.

use protocols::card::dialogue::{Cause, Failure, Stage};
use protocols::card::profile::FileId;
use protocols::card::psam::{Identify, PsamIdentity};
use protocols::card::status::StatusWord;
use protocols::card::value::{PsamSerial, TerminalId};

use crate::script::{Line, fetched, octets, play, tears, x};

fn begin() -> (Identify, protocols::card::psam::Step) {
    Identify::begin(FileId::from_bytes([0x10, 0x01]))
}

fn script() -> Vec<Line> {
    vec![
        x("00A40000023F00", "9000"),
        x("00B095000E", "31000000000000000042 01 02 0000 9000"),
        x("00B0960006", "310000000042 9000"),
        x("00A40000021001", "9000"),
    ]
}

#[test]
fn a_psam_names_itself_and_its_terminal() {
    let identity = PsamIdentity {
        serial: PsamSerial::from_bytes(octets("31000000000000000042")),
        terminal: TerminalId::from_bytes(octets("310000000042")),
    };
    assert_eq!(play(begin(), &script()).outcome, Ok(identity));
    assert_eq!(play(begin(), &fetched(&script())).outcome, Ok(identity));
}

#[test]
fn a_psam_that_drops_out_is_named_with_the_exchange() {
    let stages = [Stage::PsamMasterFile, Stage::PsamFile, Stage::PsamTerminalId, Stage::PsamPurse];
    for (exchange, torn) in tears(&script()) {
        assert_eq!(play(begin(), &torn).outcome, Err(Failure { stage: stages[exchange], cause: Cause::NoAnswer }));
    }
}

#[test]
fn a_psam_without_its_files_is_refused_by_name() {
    for (at, response, cause) in [
        (1, "6A82", Cause::Status(StatusWord::NotFound)),
        (1, "00 9000", Cause::Malformed),
        (2, "00 9000", Cause::Malformed),
        (3, "6A82", Cause::Status(StatusWord::NotFound)),
    ] {
        let mut script = script();
        let Line::Exchange(command, _) = script[at].clone() else { panic!("line {at} is an exchange") };
        script.truncate(at);
        script.push(x(&command, response));
        assert_eq!(play(begin(), &script).outcome.unwrap_err().cause, cause);
    }
}
