//! What the readers write into the log: stages and errors, nothing of a card.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_core::{DialogueOrder, ReaderState};
use tests::virtual_card::{Act, Fault, When};
use tracing_subscriber::filter::LevelFilter;

use crate::script::{KIOSK, PRICE, SERIAL, TERMINAL, ready};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn h7_no_log_holds_a_card_number_or_what_was_said_to_a_card() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
    // Of two calls for one process only the first takes effect; the harness's own process has no use for either.
    drop(subscriber.with_writer(move || writer.clone()).try_init());
    let name = "logs::h7_no_log_holds_a_card_number_or_what_was_said_to_a_card";
    let Some((bench, mut script)) = ready(name, "deadlines = { mute_ms = 300 }") else { return };
    script.buy();
    for order in [DialogueOrder::Identify, DialogueOrder::Proof] {
        script.run(order);
    }
    bench.reader.card.arm(Fault::once(When::Ins(0x50), Act::AnswerInstead(vec![0x6F, 0x00])));
    script.run(DialogueOrder::Purchase { amount: PRICE });
    bench.reader.card.arm(Fault::mute(When::Ins(0x54), Duration::from_secs(600)));
    script.run(DialogueOrder::Purchase { amount: PRICE });
    script.until_reader(KIOSK, ReaderState::Mute);
    let text = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text").to_lowercase();
    assert!(text.contains("stage=debit"), "the log says where it broke off: {text}");
    let state = bench.reader.card.chip(|card| card.state().clone()).expect("a card");
    let mut secrets = vec![hex::encode(SERIAL), hex::encode(TERMINAL), hex::encode(&state.holder[2..10])];
    secrets.extend(state.last_purchase.iter().flat_map(|last| [hex::encode(last.mac), hex::encode(last.tac)]));
    for exchange in bench.reader.card.trace().iter().chain(&bench.reader.psam.trace()) {
        let answers = exchange.response.iter().filter(|answer| answer.len() > 2).map(hex::encode);
        secrets.extend(answers.chain([hex::encode(&exchange.command)]));
    }
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} is in the log");
        let listed: Vec<String> = secret
            .as_bytes()
            .chunks(2)
            .filter_map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok())
            .map(|b| b.to_string())
            .collect();
        assert!(!text.contains(&listed.join(", ")), "{secret} is in the log, octet by octet");
    }
}
