//! `mosquitto_pub` of Debian's mosquitto-clients: a button pressed by hand.

use std::path::Path;

use super::error::SiteError;
use super::mqtt::Login;
use super::process::{self, Said};

/// A version of MQTT as the tool calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1.
    V311,
    /// 5.
    V5,
}

impl Version {
    const fn word(self) -> &'static str {
        match self {
            Self::V311 => "mqttv311",
            Self::V5 => "mqttv5",
        }
    }
}

/// The words of the tool that publish this payload with QoS 1 as this device, without what only shows more.
#[must_use]
pub fn words(login: &Login, version: Version, topic: &str, payload: &str) -> Vec<String> {
    let (host, port) = (login.address.ip().to_string(), login.address.port().to_string());
    let device = login.device.as_str();
    let words = ["-V", version.word(), "-h", &host, "-p", &port, "-i", device, "-u", device, "-P", &login.secret];
    let what = ["-q", "1", "-t", topic, "-m", payload];
    words.iter().chain(&what).map(|word| (*word).to_owned()).collect()
}

/// The same as a line for a shell.
#[must_use]
pub fn line(login: &Login, version: Version, topic: &str, payload: &str) -> String {
    let quoted = words(login, version, topic, payload).into_iter().map(|word| {
        let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b));
        if plain { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    format!("mosquitto_pub {}", quoted.collect::<Vec<_>>().join(" "))
}

/// Publishes; `more` are further words, such as `-r`. The tool ends after the PUBACK, and shows packets with their reason codes.
///
/// # Errors
/// The tool is not there, or does not end in time.
pub async fn publish(
    login: &Login,
    version: Version,
    topic: &str,
    payload: &str,
    more: &[&str],
) -> Result<Said, SiteError> {
    let words = words(login, version, topic, payload);
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["-d"]).chain(more.iter().copied()).collect();
    process::run(Path::new("mosquitto_pub"), &words).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_a_shell_quotes_what_a_shell_would_take_apart() {
        let address = ([127, 0, 0, 1], 1883).into();
        let login = Login { device: "btn-0001".to_owned(), secret: "ab12".to_owned(), address };
        let line = line(&login, Version::V5, "care/v1/btn-0001/event", r#"{"v":1}"#);
        assert_eq!(
            line,
            "mosquitto_pub -V mqttv5 -h 127.0.0.1 -p 1883 -i btn-0001 -u btn-0001 -P ab12 -q 1 -t care/v1/btn-0001/event -m '{\"v\":1}'"
        );
    }
}
