//! What can be wrong with the uplink's settings and files. Each says its key and what would be right.

use super::limits::{ADDRESSES_MAX, TOKEN_LEN_MAX, TOKEN_LEN_MIN};

/// What is wrong. Keys are relative to the uplink's section.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No address.
    #[error("urls: give at least one address of the centre, such as \"https://centre.example:8443\"")]
    UrlsMissing,
    /// Too many addresses.
    #[error("urls: give at most {ADDRESSES_MAX} addresses")]
    UrlsTooMany,
    /// Not an address.
    #[error("urls[{index}]: is no address; give one such as \"https://centre.example:8443\"")]
    UrlUnreadable {
        /// Which, from 0.
        index: usize,
    },
    /// Another scheme than HTTP.
    #[error("urls[{index}]: must start with https://")]
    UrlScheme {
        /// Which, from 0.
        index: usize,
    },
    /// HTTP without TLS to another machine.
    #[error(
        "urls[{index}]: goes to another machine without TLS; give https://, or http:// with 127.0.0.1, [::1] or localhost"
    )]
    PlainNotLoopback {
        /// Which, from 0.
        index: usize,
    },
    /// A name, password, query or fragment in it.
    #[error("urls[{index}]: has a user name, query or fragment; give scheme, host, port and path only")]
    UrlParts {
        /// Which, from 0.
        index: usize,
    },
    /// The same address twice.
    #[error("urls[{index}]: is there twice; give each address once")]
    UrlRepeated {
        /// Which, from 0.
        index: usize,
    },
    /// HTTPS without a root.
    #[error("ca_file: is missing; https needs the PEM file of the authority that signs the centre's certificate")]
    CaMissing,
    /// A certificate without its key, or a key without its certificate.
    #[error("{key}: is missing; client_cert_file and client_key_file go together")]
    ClientPairIncomplete {
        /// The missing one.
        key: &'static str,
    },
    /// A number outside its range.
    #[error("{key}: must be between {min} and {max}")]
    Range {
        /// The key.
        key: &'static str,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A file that cannot be read.
    #[error("{key}: the file cannot be read ({source}); check its path and owner")]
    FileUnreadable {
        /// The key.
        key: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is larger than any of its kind.
    #[error("{key}: the file is too large to be what it should be")]
    FileTooLarge {
        /// The key.
        key: &'static str,
    },
    /// A secret that others can read.
    #[error("{key}: others can read or change the file; make it `chmod 600`")]
    FileOpen {
        /// The key.
        key: &'static str,
    },
    /// A secret that belongs to somebody else.
    #[error("{key}: the file belongs to another user; make the service's user or root its owner")]
    FileForeign {
        /// The key.
        key: &'static str,
    },
    /// No token in its file.
    #[error(
        "token_file: must hold one line of {TOKEN_LEN_MIN} to {TOKEN_LEN_MAX} characters of A-Z a-z 0-9 - . _ ~ + / ="
    )]
    TokenShape,
    /// No certificate or key in its file, or a broken one.
    #[error("{key}: the file must hold {wanted} in PEM form")]
    Pem {
        /// The key.
        key: &'static str,
        /// What should be there.
        wanted: &'static str,
    },
    /// Certificate and key do not fit together, or are of a kind that TLS does not take.
    #[error(
        "client_key_file: the key does not belong to the certificate of client_cert_file, or is of an unknown kind"
    )]
    ClientPair {
        /// Why.
        source: rustls::Error,
    },
}

impl SettingsError {
    /// The key at fault, without an index.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::UrlsMissing
            | Self::UrlsTooMany
            | Self::UrlUnreadable { .. }
            | Self::UrlScheme { .. }
            | Self::PlainNotLoopback { .. }
            | Self::UrlParts { .. }
            | Self::UrlRepeated { .. } => "urls",
            Self::CaMissing => "ca_file",
            Self::ClientPairIncomplete { key }
            | Self::Range { key, .. }
            | Self::FileUnreadable { key, .. }
            | Self::FileTooLarge { key }
            | Self::FileOpen { key }
            | Self::FileForeign { key }
            | Self::Pem { key, .. } => key,
            Self::TokenShape => "token_file",
            Self::ClientPair { .. } => "client_key_file",
        }
    }
}
