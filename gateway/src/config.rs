//! The configuration file: read once, checked wholly before anything is bound.
//!
//! Sections belong to the adapters that they set up; this module composes them, finds the line of whatever is wrong and
//! says what would be right.
//!
//! **Invariant:** a mistake is an error with file, line and key, and nothing has been started.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_core::limits::CATALOGUE_AGE_DAYS_MAX;
use gateway_core::{CatalogueAge, WhenOld};
use protocols::id::GatewayId;
use protocols::unit::Points;
use protocols::uplink::{CatalogueOrder, PolicyOrder};
use serde::Deserialize;

use crate::adapter::broker::BrokerSettings;
use crate::adapter::card_reader::CardReaderSettings;
use crate::adapter::device_link::{DeviceLinkSettings, TlsSettings};
use crate::adapter::uplink::UplinkSettings;
use crate::limits::{CONFIG_LEN_MAX, DEVICE_TEST_S, DEVICE_TEST_S_DEFAULT, STORAGE_RETRY_S};

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This gateway.
    pub gateway: GatewaySection,
    /// The MQTT end that devices connect to.
    pub device_link: DeviceLinkSection,
    /// An existing broker beside it.
    #[serde(default)]
    pub broker: Option<BrokerSettings>,
    /// The card readers; without them no sales.
    #[serde(default)]
    pub card_reader: Option<CardReaderSettings>,
    /// The way to the centre.
    pub uplink: UplinkSettings,
    /// The local interface.
    #[serde(default)]
    pub kiosk: KioskSection,
    /// Rules until the centre sends its own.
    #[serde(default)]
    pub policy: PolicySection,
    /// What can be ordered until the centre sends its own.
    #[serde(default)]
    pub catalogue: CatalogueSection,
}

/// This gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySection {
    /// Its name, unique in the district.
    pub id: GatewayId,
    /// The directory of its journal; nobody else may read it.
    pub state_dir: PathBuf,
    /// Below this a battery counts as low, millivolts.
    #[serde(default = "battery_low_mv")]
    pub battery_low_mv: u16,
    /// Take the clock for synchronised although the system does not say so.
    #[serde(default)]
    pub trust_clock: bool,
    /// After how many seconds at the latest it tries again to store, on a disk that takes nothing.
    #[serde(default = "storage_retry_s")]
    pub storage_retry_s: u16,
}

impl GatewaySection {
    /// The longest pause between attempts to store, on a disk that takes nothing.
    #[must_use]
    pub const fn storage_retry(&self) -> Duration {
        Duration::from_secs(self.storage_retry_s as u64)
    }
}

const fn storage_retry_s() -> u16 {
    30
}

const fn battery_low_mv() -> u16 {
    2_600
}

/// The MQTT end that devices connect to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceLinkSection {
    /// Who may log in.
    pub devices_file: PathBuf,
    /// Plain TCP; on loopback only.
    #[serde(default)]
    pub plain: Option<SocketAddr>,
    /// TLS: address, certificate and key.
    #[serde(default)]
    pub tls: Option<TlsSettings>,
    /// The most connections in all.
    #[serde(default)]
    pub connections_max: Option<usize>,
    /// The most connections from one address.
    #[serde(default)]
    pub connections_per_address_max: Option<usize>,
}

impl DeviceLinkSection {
    /// The adapter's part of it.
    #[must_use]
    pub fn settings(&self) -> DeviceLinkSettings {
        let default = DeviceLinkSettings::default();
        DeviceLinkSettings {
            plain: self.plain,
            tls: self.tls.clone(),
            connections_max: self.connections_max.unwrap_or(default.connections_max),
            connections_per_address_max: self
                .connections_per_address_max
                .unwrap_or(default.connections_per_address_max),
        }
    }
}

/// The local interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KioskSection {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Host names with port by which other machines reach it.
    pub hosts: Vec<String>,
    /// PINs and tokens of staff; nobody else may read it.
    pub credentials_file: Option<PathBuf>,
    /// How long a device is watched when staff try it, seconds.
    pub device_test_s: u16,
}

impl Default for KioskSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            hosts: Vec::new(),
            credentials_file: None,
            device_test_s: DEVICE_TEST_S_DEFAULT,
        }
    }
}

/// Rules until the centre sends its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySection {
    /// The most one sale may cost, fen.
    pub sale_max: Points,
}

impl Default for PolicySection {
    fn default() -> Self {
        Self { sale_max: Points::from_fen(50_000).unwrap_or(Points::ZERO) }
    }
}

impl PolicySection {
    /// As version 0, so that any policy of the centre is newer.
    #[must_use]
    pub fn order(&self) -> PolicyOrder {
        PolicyOrder { version: 0, from: "1970-01-01".to_owned(), sale_max: self.sale_max }
    }
}

/// What can be ordered until the centre sends its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogueSection {
    /// The services.
    pub service: Vec<protocols::uplink::CatalogueService>,
    /// Days without the centre's word that there is nothing newer, after which the prices are too old; 0: never.
    pub age_days_max: u32,
    /// What happens then: `close` sales, or `sell` at the old prices with a standing alarm.
    pub when_old: WhenOld,
}

impl Default for CatalogueSection {
    fn default() -> Self {
        Self { service: Vec::new(), age_days_max: CATALOGUE_AGE_DAYS_MAX, when_old: WhenOld::default() }
    }
}

impl CatalogueSection {
    /// How old the prices may be.
    #[must_use]
    pub const fn age(&self) -> CatalogueAge {
        CatalogueAge { days_max: self.age_days_max, when_old: self.when_old }
    }

    /// As version 0, so that any catalogue of the centre is newer.
    #[must_use]
    pub fn order(&self) -> CatalogueOrder {
        CatalogueOrder { version: 0, services: self.service.clone() }
    }
}

/// What is wrong with a configuration file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {reason}: name an existing file with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::ErrorKind,
    },
    /// Larger than any configuration.
    #[error("{}: larger than {CONFIG_LEN_MAX} bytes: this is not a configuration file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Bytes that are no text.
    #[error("{}: is not UTF-8 text: save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// No TOML, an unknown key, a missing key, or a value of the wrong type.
    #[error("{}:{line}: {}{message}{}", path.display(), named(key), hinted(*wanted))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The key, with its section, where the text has the form of the format.
        key: Option<String>,
        /// What the reader of the format says.
        message: String,
        /// What would be right, where the key says it.
        wanted: Option<&'static str>,
    },
    /// A value that cannot be used.
    #[error("{}:{line}: {key}: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The key, with its section.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// A configuration with the text it was read from, so that what is found later can still name its line.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// What it says.
    pub config: Config,
    path: PathBuf,
    text: String,
}

impl ConfigFile {
    /// Reads and checks a file. Paths in it are relative to its directory.
    ///
    /// # Errors
    /// The first mistake, with file, line and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable =
            |error: std::io::Error| ConfigError::Unreadable { path: path.to_owned(), reason: error.kind() };
        if std::fs::metadata(path).map_err(unreadable)?.len() > CONFIG_LEN_MAX {
            return Err(ConfigError::TooLarge { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })?;
        Self::parse(path, text)
    }

    /// Checks a text as if it were the content of `path`.
    ///
    /// # Errors
    /// The first mistake, with file, line and key.
    pub fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let mut config: Config = toml::from_str(&text).map_err(|error| syntax(path, &text, &error))?;
        config.resolve_paths(path.parent().unwrap_or(Path::new(".")));
        let file = Self { config, path: path.to_owned(), text };
        file.check()?;
        Ok(file)
    }

    /// An error about the value of `key`, with its line.
    #[must_use]
    pub fn wrong(&self, key: &str, problem: impl ToString) -> ConfigError {
        ConfigError::Value {
            path: self.path.clone(),
            line: line_of_key(&self.text, key).unwrap_or(1),
            key: key.to_owned(),
            problem: problem.to_string(),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let link = &self.config.device_link;
        if link.plain.is_none() && link.tls.is_none() {
            return Err(self.wrong("device_link", "no listener: give `tls`, or `plain` on loopback"));
        }
        if let Some(plain) = link.plain
            && !plain.ip().is_loopback()
        {
            return Err(
                self.wrong("device_link.plain", "plain TCP only on loopback, such as 127.0.0.1:1883; use `tls`")
            );
        }
        for (key, most) in [
            ("connections_max", link.connections_max),
            ("connections_per_address_max", link.connections_per_address_max),
        ] {
            if most == Some(0) {
                return Err(self.wrong(&format!("device_link.{key}"), "0 lets nobody in: at least 1"));
            }
        }
        if self.config.gateway.battery_low_mv == 0 {
            return Err(
                self.wrong("gateway.battery_low_mv", "0 would call no battery low: give millivolts, such as 2600")
            );
        }
        if !STORAGE_RETRY_S.contains(&self.config.gateway.storage_retry_s) {
            let (least, most) = (STORAGE_RETRY_S.start(), STORAGE_RETRY_S.end());
            return Err(self.wrong("gateway.storage_retry_s", format!("give {least} to {most} seconds, such as 30")));
        }
        if !DEVICE_TEST_S.contains(&self.config.kiosk.device_test_s) {
            let (least, most) = (DEVICE_TEST_S.start(), DEVICE_TEST_S.end());
            return Err(self.wrong("kiosk.device_test_s", format!("give {least} to {most} seconds, such as 180")));
        }
        if self.config.gateway.state_dir.exists() && !self.config.gateway.state_dir.is_dir() {
            return Err(self.wrong("gateway.state_dir", "is no directory: name one for the journal"));
        }
        self.check_addresses()?;
        if let Err(error) = self.config.uplink.check() {
            return Err(self.wrong(&format!("uplink.{}", error.key()), error));
        }
        if let Some(readers) = &self.config.card_reader
            && let Err(error) = readers.check()
        {
            return Err(self.wrong(&format!("card_reader.{}", error.key()), error));
        }
        self.check_catalogue()
    }

    /// No two listeners on one address, and host names as a browser sends them.
    fn check_addresses(&self) -> Result<(), ConfigError> {
        let config = &self.config;
        let mut taken = std::collections::BTreeMap::new();
        for (key, address) in [
            ("device_link.plain", config.device_link.plain),
            ("device_link.tls", config.device_link.tls.as_ref().map(|tls| tls.address)),
            ("kiosk.listen", Some(config.kiosk.listen)),
        ] {
            let Some(address) = address.filter(|address| address.port() != 0) else { continue };
            if let Some(other) = taken.insert(address, key) {
                return Err(self.wrong(key, format!("{address} is that of {other}, too: give each its own port")));
            }
        }
        if let Some(host) = config.kiosk.hosts.iter().find(|host| !is_host(host)) {
            return Err(self.wrong(
                "kiosk.hosts",
                format!("{host:?} is no host name with port: right would be \"gateway.centre.lan:8080\""),
            ));
        }
        if config.kiosk.listen.ip().is_unspecified() && config.kiosk.hosts.is_empty() {
            return Err(self.wrong(
                "kiosk.listen",
                "stands for every address: list in kiosk.hosts the host names with port by which it is reached",
            ));
        }
        if !config.kiosk.listen.ip().is_loopback() && config.kiosk.credentials_file.is_none() {
            return Err(self.wrong(
                "kiosk.listen",
                "is reachable from other machines: name a kiosk.credentials_file with staff or tokens, or listen on \
                 127.0.0.1:8080",
            ));
        }
        Ok(())
    }

    fn check_catalogue(&self) -> Result<(), ConfigError> {
        if self.config.policy.sale_max == Points::ZERO {
            return Err(
                self.wrong("policy.sale_max", "0 would refuse every sale: give the most one sale may cost, in fen")
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        for service in &self.config.catalogue.service {
            if !seen.insert(&service.id) {
                return Err(self.wrong("catalogue.service", format!("service {} stands there twice", service.id)));
            }
            if service.price == Points::ZERO {
                return Err(
                    self.wrong("catalogue.service", format!("service {} has the price 0: give it in fen", service.id))
                );
            }
            if service.price > self.config.policy.sale_max {
                return Err(self.wrong(
                    "catalogue.service",
                    format!("service {} costs more than policy.sale_max: nobody could buy it", service.id),
                ));
            }
            if let Err(wrong) = service.check_shown() {
                return Err(self.wrong("catalogue.service", format!("service {}: {wrong}", service.id)));
            }
        }
        Ok(())
    }
}

impl Config {
    fn resolve_paths(&mut self, base: &Path) {
        let resolve = |path: &mut PathBuf| *path = base.join(&*path);
        resolve(&mut self.gateway.state_dir);
        resolve(&mut self.device_link.devices_file);
        resolve(&mut self.uplink.token_file);
        if let Some(tls) = &mut self.device_link.tls {
            resolve(&mut tls.certificate);
            resolve(&mut tls.key);
        }
        if let Some(path) = self.broker.as_mut().and_then(|broker| broker.password_file.as_mut()) {
            resolve(path);
        }
        for path in [
            &mut self.uplink.ca_file,
            &mut self.uplink.client_cert_file,
            &mut self.uplink.client_key_file,
            &mut self.kiosk.credentials_file,
        ]
        .into_iter()
        .flatten()
        {
            resolve(path);
        }
    }
}

/// An error of the format's reader, with line, key and what would be right.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let key = key_at(text, at);
    let wanted = key.as_deref().and_then(|key| wanted(key.rsplit('.').next().unwrap_or(key)));
    ConfigError::Syntax {
        path: path.to_owned(),
        line: line_at(text, at),
        key,
        message: in_plain_words(error.message()),
        wanted,
    }
}

/// What the reader says, without names of types.
fn in_plain_words(message: &str) -> String {
    let mut plain = message.replace('\n', " ");
    for integer in ["u64", "u32", "u16", "u8", "usize"] {
        plain = plain.replace(&format!("expected {integer}"), "expected a whole number, 0 or more, in range");
    }
    plain
}

/// What a key wants, where its reader does not say it.
fn wanted(key: &str) -> Option<&'static str> {
    match key {
        "listen" | "plain" | "address" => Some("an IP address with a port, such as \"127.0.0.1:8080\""),
        "price" | "sale_max" => Some("a whole number of fen, such as 1250"),
        "id" | "device" | "provider" => Some("1 to 32 of A-Z a-z 0-9 - _"),
        _ => None,
    }
}

fn named(key: &Option<String>) -> String {
    key.as_ref().map_or_else(String::new, |key| format!("{key}: "))
}

fn hinted(wanted: Option<&str>) -> String {
    wanted.map_or_else(String::new, |wanted| format!(": right would be {wanted}"))
}

/// Whether a text is a host name or address with an optional port, as the header `Host` has it.
fn is_host(text: &str) -> bool {
    text.parse::<axum::http::uri::Authority>().is_ok_and(|authority| !authority.as_str().contains('@'))
}

/// The key whose value, or whose name, lies at a byte; the deepest one.
fn key_at(text: &str, at: usize) -> Option<String> {
    let document = toml::de::DeTable::parse(text).ok()?;
    key_in(document.get_ref(), at)
}

fn key_in(table: &toml::de::DeTable<'_>, at: usize) -> Option<String> {
    let mut found = None;
    for (name, value) in table {
        let deeper = match value.get_ref() {
            toml::de::DeValue::Table(table) => key_in(table, at),
            toml::de::DeValue::Array(values) => {
                values.iter().find_map(|value| value.get_ref().as_table().and_then(|table| key_in(table, at)))
            }
            toml::de::DeValue::String(_)
            | toml::de::DeValue::Integer(_)
            | toml::de::DeValue::Float(_)
            | toml::de::DeValue::Boolean(_)
            | toml::de::DeValue::Datetime(_) => None,
        };
        if let Some(deeper) = deeper {
            return Some(format!("{}.{deeper}", name.get_ref()));
        }
        if value.span().contains(&at) || name.span().contains(&at) {
            found = Some(name.get_ref().to_string());
        }
    }
    found
}

/// The line, from 1, of a byte.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

/// The line of a dotted key; of the deepest part of it that the text has.
fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut line = None;
    let mut table = Some(document.get_ref());
    for part in key.split('.') {
        let Some((found, value)) = table.and_then(|table| table.get_key_value(part)) else { break };
        line = Some(line_at(text, found.span().start));
        table = value.get_ref().as_table();
    }
    line
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
