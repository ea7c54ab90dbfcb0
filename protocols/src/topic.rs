//! MQTT topics of the device link: `care/v1/{device}/{event|status|command}`.

use core::fmt;

use crate::id::DeviceId;

/// The first two levels of every topic.
pub const PREFIX: &str = "care/v1";
/// The longest topic, in bytes.
pub const TOPIC_LEN_MAX: usize = PREFIX.len() + 1 + crate::id::NAME_LEN_MAX + 1 + "command".len();

/// What a topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Device to gateway, QoS 1: an event report.
    Event,
    /// Device to gateway, QoS 0 or 1: a heartbeat.
    Status,
    /// Gateway to device, QoS 1: a command.
    Command,
}

impl Channel {
    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Status => "status",
            Self::Command => "command",
        }
    }
}

/// A topic of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Whose topic it is.
    pub device: DeviceId,
    /// What it carries.
    pub channel: Channel,
}

impl Topic {
    /// Reads a topic name; `None` when it is none of this protocol (wildcards and other prefixes included).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?.strip_prefix('/')?;
        let (device, channel) = rest.split_once('/')?;
        let channel = match channel {
            "event" => Channel::Event,
            "status" => Channel::Status,
            "command" => Channel::Command,
            _ => return None,
        };
        Some(Self { device: device.parse().ok()?, channel })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}/{}/{}", self.device, self.channel.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    extern crate std;

    #[test]
    fn topics_round_trip_and_foreign_ones_are_none() {
        let topic = Topic::parse("care/v1/btn-0001/event").expect("a topic of the protocol");
        assert_eq!((topic.device.as_str(), topic.channel), ("btn-0001", Channel::Event));
        assert_eq!(topic.to_string(), "care/v1/btn-0001/event");
        for foreign in [
            "",
            "#",
            "care/v1/+/event",
            "care/v1/#",
            "care/v1/a/b/event",
            "care/v2/a/event",
            "care/v1//event",
            "care/v1/a/event/",
            "$SYS/a",
            "care/v1/a\0/event",
        ] {
            assert_eq!(Topic::parse(foreign), None, "{foreign}");
        }
    }
}
