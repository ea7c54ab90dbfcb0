//! Settings of the broker adapter.
//!
//! **Invariant:** without TLS the broker is on this machine, unless the settings say in so many words that the network
//! between is trusted.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use protocols::id::DeviceId;
use protocols::topic::Topic;
use rumqttc::MqttOptions;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::limits;
use super::market::{MarketDevice, MarketError};

/// The broker and how the gateway knocks there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// Name or address.
    pub host: String,
    /// Port; 1883 where absent.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The client id, under which the broker keeps the session: one for each gateway, never changed.
    pub client_id: String,
    /// User name.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the password on its first line.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Seconds between signs of life.
    #[serde(default = "default_keep_alive")]
    pub keep_alive_s: u16,
    /// The broker may be on another machine although nothing is encrypted.
    #[serde(default)]
    pub network_is_trusted: bool,
    /// Seconds between two messages of the gateway's own that go through the broker and back, on the topic
    /// `care-probe/{client_id}`; 0: none.
    #[serde(default = "default_probe_every")]
    pub probe_every_s: u16,
    /// Devices from the market; each stands in the devices file, too.
    #[serde(default)]
    pub market: Vec<MarketDevice>,
}

const fn default_port() -> u16 {
    1883
}

const fn default_keep_alive() -> u16 {
    limits::KEEP_ALIVE_S_DEFAULT
}

const fn default_probe_every() -> u16 {
    limits::PROBE_EVERY_S_DEFAULT
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum BrokerSettingsError {
    /// Without a client id the broker keeps no session, and what comes while the gateway is away is lost.
    #[error("broker: client_id must be 1 to 64 characters without control characters")]
    ClientId,
    /// The broker is on another machine.
    #[error(
        "broker: host: {0} is not this machine, and nothing would be encrypted; \
         set network_is_trusted = true if that is meant"
    )]
    NotLoopback(String),
    /// Outside 1 to 3,600 seconds.
    #[error("broker: keep_alive_s must be between 1 and 3600")]
    KeepAlive,
    /// More devices than the adapter can subscribe.
    #[error("broker: more than {} devices; assign some of them to another gateway", limits::DEVICES_MAX)]
    Devices,
    /// A device from the market that the devices file does not have.
    #[error("broker: market: the device {0} is not in the devices file")]
    DeviceUnknown(DeviceId),
    /// A device from the market that is there twice.
    #[error("broker: market: the device {0} is there twice")]
    DeviceTwice(DeviceId),
    /// A topic of two devices.
    #[error("broker: market: the topic of {0} is another device's, too")]
    TopicTwice(DeviceId),
    /// A device from the market.
    #[error("broker: market: {device}: {error}")]
    Market {
        /// Which.
        device: DeviceId,
        /// What is wrong.
        error: MarketError,
    },
    /// A password needs a user name.
    #[error("broker: password_file needs user")]
    PasswordWithoutUser,
    /// The password cannot be read.
    #[error("broker: password_file: {path}: {source}")]
    Password {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read the password.
    #[error("broker: password_file: {path}: mode {mode:04o}; it must be for its owner only: chmod 0600")]
    PasswordOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The client's options, checked together with the devices.
pub(super) fn client_options(
    settings: &BrokerSettings,
    devices: &BTreeSet<DeviceId>,
) -> Result<MqttOptions, BrokerSettingsError> {
    let id = &settings.client_id;
    if id.is_empty() || id.len() > 64 || id.chars().any(char::is_control) {
        return Err(BrokerSettingsError::ClientId);
    }
    if !settings.network_is_trusted && !is_this_machine(&settings.host) {
        return Err(BrokerSettingsError::NotLoopback(settings.host.clone()));
    }
    if !(1..=3_600).contains(&settings.keep_alive_s) {
        return Err(BrokerSettingsError::KeepAlive);
    }
    check_devices(settings, devices)?;
    let mut options = MqttOptions::new(id, &settings.host, settings.port);
    options
        .set_keep_alive(std::time::Duration::from_secs(u64::from(settings.keep_alive_s)))
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_inflight(limits::IDENTIFIERS)
        .set_max_packet_size(limits::PACKET_LEN_MAX, limits::PACKET_LEN_MAX);
    match (&settings.user, &settings.password_file) {
        (None, None) => {}
        (None, Some(_)) => return Err(BrokerSettingsError::PasswordWithoutUser),
        (Some(user), None) => {
            options.set_credentials(user, "");
        }
        (Some(user), Some(path)) => {
            options.set_credentials(user, password(path)?.as_str());
        }
    }
    Ok(options)
}

fn check_devices(settings: &BrokerSettings, devices: &BTreeSet<DeviceId>) -> Result<(), BrokerSettingsError> {
    if devices.len() > limits::DEVICES_MAX {
        return Err(BrokerSettingsError::Devices);
    }
    let mut ids = BTreeSet::new();
    let mut topics = BTreeSet::new();
    for market in &settings.market {
        let device = market.device.clone();
        if !devices.contains(&device) {
            return Err(BrokerSettingsError::DeviceUnknown(device));
        }
        if !ids.insert(&market.device) {
            return Err(BrokerSettingsError::DeviceTwice(device));
        }
        market.check().map_err(|error| BrokerSettingsError::Market { device: device.clone(), error })?;
        if !topics.insert(&market.topic) || Topic::parse(&market.topic).is_some() {
            return Err(BrokerSettingsError::TopicTwice(device));
        }
    }
    Ok(())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn password(path: &Path) -> Result<Zeroizing<String>, BrokerSettingsError> {
    let unreadable = |source| BrokerSettingsError::Password { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o027 != 0 {
        return Err(BrokerSettingsError::PasswordOpen { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
