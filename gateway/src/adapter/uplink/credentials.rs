//! How the gateway shows who it is, and whom it trusts: bearer token, root of the centre's authority, client certificate.
//!
//! **Invariant:** the only trusted root is the configured one; neither token nor key has a text form.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderValue;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::error::SettingsError;
use super::limits::{SECRET_FILE_LEN_MAX, TOKEN_LEN_MAX, TOKEN_LEN_MIN};
use super::settings::UplinkSettings;

/// Token and TLS configuration, read from their files at the start; the token once more when the centre does not take it.
#[derive(Clone)]
pub struct Credentials {
    token_file: PathBuf,
    authorization: Arc<Mutex<HeaderValue>>,
    tls: ClientConfig,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// The key whose file is missing, open to others or not what it should be.
    pub fn load(settings: &UplinkSettings) -> Result<Self, SettingsError> {
        let authorization = Arc::new(Mutex::new(token(&settings.token_file)?));
        let mut roots = RootCertStore::empty();
        if let Some(file) = &settings.ca_file {
            for certificate in certificates("ca_file", file)? {
                let wrong = |_| SettingsError::Pem { key: "ca_file", wanted: "certificates" };
                roots.add(certificate).map_err(wrong)?;
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots);
        let tls = match (&settings.client_cert_file, &settings.client_key_file) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("client_cert_file", certificate)?;
                let key = private_key("client_key_file", key)?;
                builder.with_client_auth_cert(chain, key).map_err(|source| SettingsError::ClientPair { source })?
            }
            (None, None) => builder.with_no_client_auth(),
            (Some(_), None) => return Err(SettingsError::ClientPairIncomplete { key: "client_key_file" }),
            (None, Some(_)) => return Err(SettingsError::ClientPairIncomplete { key: "client_cert_file" }),
        };
        Ok(Self { token_file: settings.token_file.clone(), authorization, tls })
    }

    /// The same, with certificates judged by that clock instead of the system's.
    #[must_use]
    pub fn with_time(mut self, time: Arc<dyn TimeProvider>) -> Self {
        self.tls.time_provider = time;
        self
    }

    pub(super) fn authorization(&self) -> HeaderValue {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The centre did not take the token: it may have been renewed, and the new one be in its file already. A file that
    /// holds none leaves the token as it is.
    pub(super) fn renew(&self) {
        match token(&self.token_file) {
            Ok(token) => *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = token,
            Err(error) => tracing::warn!(%error, "the centre does not take the token, and its file holds no other"),
        }
    }

    pub(super) const fn tls(&self) -> &ClientConfig {
        &self.tls
    }
}

fn token(file: &Path) -> Result<HeaderValue, SettingsError> {
    authorization(&Zeroizing::new(read("token_file", file, Keep::Secret)?))
}

fn authorization(token: &[u8]) -> Result<HeaderValue, SettingsError> {
    let token = token.trim_ascii();
    let shape = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b);
    if !(TOKEN_LEN_MIN..=TOKEN_LEN_MAX).contains(&token.len()) || !token.iter().all(shape) {
        return Err(SettingsError::TokenShape);
    }
    let mut line = Zeroizing::new(b"Bearer ".to_vec());
    line.extend_from_slice(token);
    let mut value = HeaderValue::from_bytes(&line).map_err(|_| SettingsError::TokenShape)?;
    value.set_sensitive(true);
    Ok(value)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let wrong = || SettingsError::Pem { key, wanted: "certificates" };
    let bytes = read(key, path, Keep::Open)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.ok().filter(|chain| !chain.is_empty()).ok_or_else(wrong)
}

fn private_key(key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, SettingsError> {
    let bytes = Zeroizing::new(read(key, path, Keep::Secret)?);
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| SettingsError::Pem { key, wanted: "a private key" })
}

/// Whether a file must be closed to others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Secret,
    Open,
}

fn read(key: &'static str, path: &Path, keep: Keep) -> Result<Vec<u8>, SettingsError> {
    let unreadable = |source| SettingsError::FileUnreadable { key, source };
    let mut file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.len() > SECRET_FILE_LEN_MAX {
        return Err(SettingsError::FileTooLarge { key });
    }
    if keep == Keep::Secret {
        let own = rustix::process::geteuid().as_raw();
        if meta.uid() != own && meta.uid() != 0 {
            return Err(SettingsError::FileForeign { key });
        }
        // A systemd credential is root's and opened to the service by an ACL, whose mask shows as the group's bits.
        let open_to_others = if meta.uid() == 0 && own != 0 { 0o037 } else { 0o077 };
        if meta.mode() & open_to_others != 0 {
            return Err(SettingsError::FileOpen { key });
        }
    }
    let mut bytes = Vec::new();
    file.by_ref().take(SECRET_FILE_LEN_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
