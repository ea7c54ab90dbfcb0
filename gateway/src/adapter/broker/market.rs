//! Devices from the market that speak their own JSON, such as Zigbee2MQTT's buttons and sensors: rules of the settings
//! turn their messages into event reports.
//!
//! A report needs a number that tells it from every other and stays the same when the broker delivers it again. The
//! adapter cannot count for the device: its count would be another after a restart. So the number has to be in the
//! message; Zigbee2MQTT puts `last_seen` in milliseconds there with `advanced.last_seen: epoch`.
//!
//! **Invariant:** a message that a rule takes for a report is never dropped: without its number it is passed on as it is,
//! and the core, which cannot read it, raises an alarm for it.
//! **Invariant:** a message that no rule takes is a sign of life and nothing else.

use protocols::device::{EventReport, Kind, PAYLOAD_LEN_MAX, encode};
use protocols::id::{DeviceId, Seq};
use serde::Deserialize;
use serde_json::Value;

use super::limits;

/// A sign of life that says nothing else.
const SIGN_OF_LIFE: &[u8] = br#"{"v":1}"#;

/// One device from the market.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketDevice {
    /// Its name, as the centre issued it.
    pub device: DeviceId,
    /// The topic it publishes on; no wildcards.
    pub topic: String,
    /// JSON pointer (RFC 6901) to the number of a message, such as `/last_seen`.
    pub seq: String,
    /// What its messages mean; the first that fits is taken.
    pub reports: Vec<MarketRule>,
}

/// When `pointer` leads to `value`, the message reports `kind`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketRule {
    /// JSON pointer, such as `/action`.
    pub pointer: String,
    /// A text, number or truth value.
    pub value: Value,
    /// The kind of the report, such as `sos`.
    #[serde(deserialize_with = "known_kind")]
    pub kind: Kind,
}

fn known_kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let kind = Kind::deserialize(deserializer)?;
    if let Kind::Unknown(name) = &kind {
        return Err(serde::de::Error::custom(format_args!("unknown kind {name:?}")));
    }
    Ok(kind)
}

/// What is wrong with a device from the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// Empty, too long, or with a wildcard.
    #[error("topic must be 1 to {} bytes without + # and control characters", limits::MARKET_TOPIC_LEN_MAX)]
    Topic,
    /// No JSON pointer.
    #[error("seq and pointer must be JSON pointers, such as /last_seen")]
    Pointer,
    /// A rule's value is no text, number or truth value.
    #[error("value must be a text, a number, true or false")]
    Value,
    /// Without a rule nothing is ever reported, and with too many each message takes long.
    #[error("reports must have 1 to {} rules", limits::MARKET_RULES_MAX)]
    Rules,
}

/// What a message is to the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An event report, or what could not be made one.
    Event(Vec<u8>),
    /// A sign of life.
    Status(Vec<u8>),
}

impl MarketDevice {
    /// Whether the rules can be followed.
    pub(super) fn check(&self) -> Result<(), MarketError> {
        let topic = &self.topic;
        if topic.is_empty()
            || topic.len() > limits::MARKET_TOPIC_LEN_MAX
            || topic.contains(['+', '#'])
            || topic.chars().any(char::is_control)
        {
            return Err(MarketError::Topic);
        }
        if !(1..=limits::MARKET_RULES_MAX).contains(&self.reports.len()) {
            return Err(MarketError::Rules);
        }
        let mut pointers = self.reports.iter().map(|rule| &rule.pointer).chain([&self.seq]);
        if !pointers.all(|pointer| pointer.starts_with('/')) {
            return Err(MarketError::Pointer);
        }
        if !self.reports.iter().all(|rule| rule.value.is_string() || rule.value.is_number() || rule.value.is_boolean())
        {
            return Err(MarketError::Value);
        }
        Ok(())
    }

    /// What a message means.
    pub(super) fn read(&self, payload: &[u8]) -> Meaning {
        let Ok(message) = serde_json::from_slice::<Value>(payload) else { return Meaning::Status(SIGN_OF_LIFE.into()) };
        let fits = |rule: &&MarketRule| message.pointer(&rule.pointer) == Some(&rule.value);
        let Some(rule) = self.reports.iter().find(fits) else { return Meaning::Status(SIGN_OF_LIFE.into()) };
        let number = message.pointer(&self.seq).and_then(Value::as_u64).and_then(Seq::new);
        let Some(seq) = number else { return Meaning::Event(kept(payload)) };
        let report = EventReport {
            v: protocols::version::CURRENT,
            epoch: 0,
            seq,
            kind: rule.kind.clone(),
            boot: None,
            up_ms: None,
            at: None,
            battery_mv: None,
            rssi_dbm: None,
            of: None,
            detail: None,
        };
        let mut buffer = [0; PAYLOAD_LEN_MAX];
        match encode(&report, &mut buffer) {
            Ok(len) => Meaning::Event(buffer.get(..len).unwrap_or_default().to_vec()),
            Err(_) => Meaning::Event(kept(payload)),
        }
    }
}

/// The start of a message, as long as an event may be; cut JSON cannot be read, which is what it is passed on for.
fn kept(payload: &[u8]) -> Vec<u8> {
    payload.get(..PAYLOAD_LEN_MAX).unwrap_or(payload).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn button() -> MarketDevice {
        toml::from_str(
            r#"
            device = "btn-0100"
            topic = "zigbee2mqtt/Room 12 button"
            seq = "/last_seen"
            reports = [
                { pointer = "/action", value = "single", kind = "sos" },
                { pointer = "/tamper", value = true, kind = "tamper" },
            ]
            "#,
        )
        .unwrap()
    }

    fn report(payload: &str) -> Option<EventReport> {
        match button().read(payload.as_bytes()) {
            Meaning::Event(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
            Meaning::Status(bytes) => {
                assert_eq!(bytes, SIGN_OF_LIFE);
                None
            }
        }
    }

    #[test]
    fn a_press_becomes_a_report_with_the_number_of_its_message() {
        let press = r#"{"action":"single","battery":97,"last_seen":1754000000123,"linkquality":80}"#;
        let first = report(press).unwrap();
        assert_eq!((first.kind.clone(), first.seq.get(), first.epoch), (Kind::Sos, 1_754_000_000_123, 0));
        assert_eq!(report(press).unwrap(), first, "delivered again it is the same report");
        assert_eq!(report(r#"{"tamper":true,"last_seen":5}"#).unwrap().kind, Kind::Tamper);
    }

    #[test]
    fn what_no_rule_takes_is_a_sign_of_life() {
        for payload in
            [r#"{"battery":97}"#, r#"{"action":"double","last_seen":1}"#, r#"{"tamper":"true"}"#, "online", ""]
        {
            assert_eq!(report(payload), None, "{payload}");
        }
    }

    #[test]
    fn a_press_without_its_number_is_passed_on_as_it_is() {
        for payload in [
            r#"{"action":"single"}"#,
            r#"{"action":"single","last_seen":"2026-01-01T00:00:00Z"}"#,
            r#"{"action":"single","last_seen":-1}"#,
            r#"{"action":"single","last_seen":9007199254740993}"#,
        ] {
            assert_eq!(button().read(payload.as_bytes()), Meaning::Event(payload.as_bytes().to_vec()));
            assert!(
                serde_json::from_str::<EventReport>(payload).is_err(),
                "the core cannot read it and raises an alarm"
            );
        }
        let long = format!(r#"{{"action":"single","x":"{}"}}"#, "x".repeat(4_000));
        let Meaning::Event(bytes) = button().read(long.as_bytes()) else { panic!("an event") };
        assert_eq!(bytes.len(), PAYLOAD_LEN_MAX);
    }

    #[test]
    fn rules_that_cannot_be_followed_are_refused() {
        let check = |change: fn(&mut MarketDevice)| {
            let mut device = button();
            change(&mut device);
            device.check()
        };
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|d| d.topic = "zigbee2mqtt/#".to_owned()), Err(MarketError::Topic));
        assert_eq!(check(|d| d.seq = "last_seen".to_owned()), Err(MarketError::Pointer));
        assert_eq!(check(|d| d.reports.clear()), Err(MarketError::Rules));
        assert_eq!(check(|d| d.reports[0].value = Value::Null), Err(MarketError::Value));
        assert!(toml::from_str::<MarketRule>("pointer = \"/a\"\nvalue = 1\nkind = \"sso\"").is_err());
        assert!(toml::from_str::<MarketRule>("pointer = \"/a\"\nvalue = 1\nkind = \"sos\"").is_ok());
    }
}
