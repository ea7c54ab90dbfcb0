//! Which settings are taken and which refused.

use super::*;

const GOOD: &str = r#"
psam = "Reader 00 01"
reader = [{ id = "kiosk-1", pcsc = "Reader 00 00" }, { id = "kiosk-2", pcsc = "Other" }]
[deadlines]
mute_ms = 1000
"#;

fn parse(text: &str) -> CardReaderSettings {
    toml::from_str(text).unwrap()
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = parse(GOOD);
    assert_eq!(settings.check(), Ok(()));
    assert_eq!(settings.deadlines.mute(), Duration::from_secs(1));
    assert_eq!(settings.deadlines.intent_wait(), Duration::from_millis(INTENT_WAIT_MS));
    assert_eq!(settings.profile, Profile::city_union());
    assert_eq!(settings.reader_ids().map(|id| id.as_str()).collect::<Vec<_>>(), ["kiosk-1", "kiosk-2"]);
}

#[test]
fn an_unknown_key_is_refused() {
    for wrong in ["colour = 1", "[profile]\nage = 1", "[deadlines]\nmute = 1"] {
        let text = GOOD.replace("[deadlines]\nmute_ms = 1000", wrong);
        assert!(toml::from_str::<CardReaderSettings>(&text).is_err(), "{wrong}");
    }
}

#[test]
fn two_readers_share_neither_id_nor_pcsc_name() {
    let same_id = parse(&GOOD.replace("kiosk-2", "kiosk-1"));
    assert_eq!(same_id.check(), Err(SettingsError::IdRepeated { index: 1 }));
    let same_name = parse(&GOOD.replace("Other", "Reader 00 01"));
    assert_eq!(same_name.check(), Err(SettingsError::NameRepeated { index: 1 }));
}

#[test]
fn names_and_deadlines_have_their_ranges() {
    let nameless = parse(&GOOD.replace("Other", ""));
    assert_eq!(nameless.check(), Err(SettingsError::Name { key: "reader" }));
    let endless = parse(&GOOD.replace("1000", "0"));
    assert_eq!(endless.check().map_err(|error| error.key()), Err("deadlines.mute_ms"));
    let none = CardReaderSettings { reader: Vec::new(), ..parse(GOOD) };
    assert_eq!(none.check(), Err(SettingsError::ReadersMissing));
}
