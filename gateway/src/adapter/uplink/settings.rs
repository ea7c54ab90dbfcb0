//! The uplink's section of the configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use gateway_core::limits::HOLD_WAIT_MS;
use reqwest::Url;
use serde::Deserialize;

use super::error::SettingsError;
use super::limits::{
    ADDRESSES_MAX, ALARM_MS, ALARM_SECOND_PATH_MS, CONNECT_MS, DEADLINE_MS_MAX, HOLD_SECOND_PATH_MS, ORDER_MARGIN_MS,
    ORDER_WAIT_S, ORDER_WAIT_S_MAX, UPLOAD_MS,
};

/// Where the centre is and how the gateway shows who it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkSettings {
    /// Addresses of one centre, which share its store; the first is tried first. HTTPS, or HTTP to this machine.
    pub urls: Vec<String>,
    /// The file with the gateway's bearer token; nobody else may read it.
    pub token_file: PathBuf,
    /// The PEM file of the authority that signs the centre's certificates; needed for HTTPS. No other is trusted.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The PEM file of the gateway's certificate with its chain, for mutual TLS.
    #[serde(default)]
    pub client_cert_file: Option<PathBuf>,
    /// The PEM file of its key; nobody else may read it.
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// How long things may take.
    #[serde(default)]
    pub deadlines: Deadlines,
}

/// How long things may take, in milliseconds but for `order_wait_s`. The defaults fit a district; see the constants.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// To a connection with TLS.
    pub connect_ms: u64,
    /// An upload of sales or the rest on one address, from the connection to the answer's last byte.
    pub upload_ms: u64,
    /// An upload of alarms on one path.
    pub alarm_ms: u64,
    /// An alarm without an answer goes out on the next path after it.
    pub alarm_second_path_ms: u64,
    /// A hold, from the core's wish to the answer; at most what the core waits.
    pub hold_ms: u64,
    /// A hold without an answer goes out on the next path after it.
    pub hold_second_path_ms: u64,
    /// How long the centre is asked to keep a poll open.
    pub order_wait_s: u64,
    /// What a poll may take beyond it.
    pub order_margin_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect_ms: CONNECT_MS,
            upload_ms: UPLOAD_MS,
            alarm_ms: ALARM_MS,
            alarm_second_path_ms: ALARM_SECOND_PATH_MS,
            hold_ms: HOLD_WAIT_MS,
            hold_second_path_ms: HOLD_SECOND_PATH_MS,
            order_wait_s: ORDER_WAIT_S,
            order_margin_ms: ORDER_MARGIN_MS,
        }
    }
}

impl Deadlines {
    pub(super) const fn poll(&self) -> Duration {
        Duration::from_millis(self.order_wait_s.saturating_mul(1_000).saturating_add(self.order_margin_ms))
    }

    fn check(&self) -> Result<(), SettingsError> {
        in_range("deadlines.connect_ms", self.connect_ms, 1, DEADLINE_MS_MAX)?;
        in_range("deadlines.upload_ms", self.upload_ms, 1, DEADLINE_MS_MAX)?;
        in_range("deadlines.alarm_ms", self.alarm_ms, 1, DEADLINE_MS_MAX)?;
        in_range("deadlines.alarm_second_path_ms", self.alarm_second_path_ms, 1, self.alarm_ms)?;
        in_range("deadlines.hold_ms", self.hold_ms, 1, HOLD_WAIT_MS)?;
        in_range("deadlines.hold_second_path_ms", self.hold_second_path_ms, 1, self.hold_ms)?;
        in_range("deadlines.order_wait_s", self.order_wait_s, 1, ORDER_WAIT_S_MAX)?;
        in_range("deadlines.order_margin_ms", self.order_margin_ms, 1, DEADLINE_MS_MAX)
    }
}

const fn in_range(key: &'static str, value: u64, min: u64, max: u64) -> Result<(), SettingsError> {
    if value < min || value > max { Err(SettingsError::Range { key, min, max }) } else { Ok(()) }
}

impl UplinkSettings {
    /// Checks all that can be checked without opening a file; [`Credentials::load`](super::Credentials::load) checks
    /// the files.
    ///
    /// # Errors
    /// The first key that is wrong, and what would be right.
    pub fn check(&self) -> Result<(), SettingsError> {
        let urls = self.addresses()?;
        if urls.iter().any(|url| url.scheme() == "https") && self.ca_file.is_none() {
            return Err(SettingsError::CaMissing);
        }
        match (&self.client_cert_file, &self.client_key_file) {
            (Some(_), None) => return Err(SettingsError::ClientPairIncomplete { key: "client_key_file" }),
            (None, Some(_)) => return Err(SettingsError::ClientPairIncomplete { key: "client_cert_file" }),
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.deadlines.check()
    }

    /// The addresses, checked; each ends with a slash.
    pub(super) fn addresses(&self) -> Result<Vec<Url>, SettingsError> {
        if self.urls.is_empty() {
            return Err(SettingsError::UrlsMissing);
        }
        if self.urls.len() > ADDRESSES_MAX {
            return Err(SettingsError::UrlsTooMany);
        }
        let mut seen = BTreeSet::new();
        let mut addresses = Vec::with_capacity(self.urls.len());
        for (index, text) in self.urls.iter().enumerate() {
            let address = address(index, text)?;
            if !seen.insert(address.to_string()) {
                return Err(SettingsError::UrlRepeated { index });
            }
            addresses.push(address);
        }
        Ok(addresses)
    }
}

fn address(index: usize, text: &str) -> Result<Url, SettingsError> {
    let mut url = Url::parse(text).map_err(|_| SettingsError::UrlUnreadable { index })?;
    let Some(host) = url.host_str().map(str::to_owned) else {
        return Err(SettingsError::UrlUnreadable { index });
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => return Err(SettingsError::PlainNotLoopback { index }),
        _ => return Err(SettingsError::UrlScheme { index }),
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(SettingsError::UrlParts { index });
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Whether a host of an address is this machine; `localhost` is, since the resolver holds it to loopback.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(urls: &[&str]) -> UplinkSettings {
        UplinkSettings {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            token_file: "token".into(),
            ca_file: Some("ca.pem".into()),
            client_cert_file: None,
            client_key_file: None,
            deadlines: Deadlines::default(),
        }
    }

    fn fault(settings: &UplinkSettings) -> String {
        settings.check().map_or_else(|error| error.to_string(), |()| String::from("none"))
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for good in ["http://127.0.0.1:8090", "http://127.8.9.1/", "http://[::1]:1", "http://localhost:8090/base"] {
            assert_eq!(fault(&settings(&[good])), "none", "{good}");
        }
        for bad in ["http://centre.example", "http://10.0.0.1", "http://localhost.example", "http://[2001:db8::1]"] {
            assert!(fault(&settings(&[bad])).contains("urls[0]: goes to another machine without TLS"), "{bad}");
        }
    }

    #[test]
    fn addresses_that_are_none_are_named_by_their_place() {
        assert!(fault(&settings(&[])).starts_with("urls: give at least one"));
        assert!(fault(&settings(&["https://a", "b"])).starts_with("urls[1]: is no address"));
        assert!(fault(&settings(&["ftp://a"])).starts_with("urls[0]: must start with https://"));
        assert!(fault(&settings(&["https://u:p@a"])).starts_with("urls[0]: has a user name"));
        assert!(fault(&settings(&["https://a/?q=1"])).starts_with("urls[0]: has a user name, query"));
        assert!(fault(&settings(&["https://a", "https://a/"])).starts_with("urls[1]: is there twice"));
        assert!(
            fault(&settings(&["https://a", "https://b", "https://c", "https://d", "https://e"])).starts_with("urls: ")
        );
    }

    #[test]
    fn https_needs_a_root_and_a_certificate_its_key() {
        let mut without = settings(&["https://a"]);
        without.ca_file = None;
        assert!(fault(&without).starts_with("ca_file: is missing"));
        let mut half = settings(&["https://a"]);
        half.client_cert_file = Some("cert.pem".into());
        assert!(fault(&half).starts_with("client_key_file: is missing"));
        half.client_cert_file = None;
        half.client_key_file = Some("key.pem".into());
        assert!(fault(&half).starts_with("client_cert_file: is missing"));
    }

    #[test]
    fn deadlines_that_contradict_each_other_are_refused() {
        let mut wrong = settings(&["https://a"]);
        wrong.deadlines.alarm_second_path_ms = wrong.deadlines.alarm_ms + 1;
        assert!(fault(&wrong).starts_with("deadlines.alarm_second_path_ms: must be between 1 and 20000"));
        wrong = settings(&["https://a"]);
        wrong.deadlines.hold_ms = HOLD_WAIT_MS + 1;
        assert!(fault(&wrong).starts_with("deadlines.hold_ms: must be"));
        wrong = settings(&["https://a"]);
        wrong.deadlines.connect_ms = 0;
        assert_eq!(wrong.check().map_err(|error| error.key()), Err("deadlines.connect_ms"));
    }

    #[test]
    fn the_section_is_read_with_defaults_and_unknown_keys_are_refused() {
        let text = "urls = [\"https://a\"]\ntoken_file = \"t\"\nca_file = \"c\"\n[deadlines]\norder_wait_s = 10\n";
        let read: UplinkSettings = toml::from_str(text).unwrap();
        assert_eq!((read.deadlines.order_wait_s, read.deadlines.upload_ms), (10, UPLOAD_MS));
        assert_eq!(fault(&read), "none");
        assert!(toml::from_str::<UplinkSettings>("urls = []\ntoken_file = \"t\"\ntoken = \"x\"\n").is_err());
        assert!(toml::from_str::<UplinkSettings>("urls = []\ntoken_file = \"t\"\n[deadlines]\nx = 1\n").is_err());
    }
}
