//! The server certificate of the TLS listener.
//!
//! **Invariant:** a key file that others can read, or that somebody else owns, is refused before anything is bound.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Permission bits that a key file must not have: anything for others, writing for the group.
const KEY_MODE_FORBIDDEN: u32 = 0o027;

/// Why the certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate file cannot be read, or holds no certificate in PEM.
    #[error("{path}: no certificate in PEM can be read")]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file cannot be read, or holds no private key in PEM.
    #[error("{path}: no private key in PEM can be read")]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the key, or the group can write it.
    #[error(
        "{path}: mode {mode:04o}; the key must be for its owner only, or readable by its group: chmod 0600 or 0640"
    )]
    KeyMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is owned by another user than root and the one who runs the daemon.
    #[error("{path}: owned by user {owner}; the key must be owned by root or by the user who runs the gateway")]
    KeyOwner {
        /// The file.
        path: PathBuf,
        /// The owner's number.
        owner: u32,
    },
    /// Key and certificate do not belong together, or are of a kind that is not accepted.
    #[error("{certificate} and {key} cannot be used together: {source}")]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// Reads certificate and key as the listener will, and forgets them.
///
/// # Errors
/// They cannot be used.
pub fn check_certificate(certificate: &Path, key: &Path) -> Result<(), CertificateError> {
    server_config(certificate, key).map(drop)
}

/// Reads certificate chain and key.
pub(super) fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let unreadable = || CertificateError::Certificate { path: certificate.to_owned() };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(|_| unreadable())?;
    if chain.is_empty() {
        return Err(unreadable());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pair = |source| CertificateError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, read_key(key)?)
        .map_err(pair)?;
    // A device that reconnects proves itself again; tickets would only cost memory.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let unreadable = || CertificateError::Key { path: path.to_owned() };
    let metadata = std::fs::metadata(path).map_err(|_| unreadable())?;
    let mode = metadata.mode() & 0o7777;
    if mode & KEY_MODE_FORBIDDEN != 0 {
        return Err(CertificateError::KeyMode { path: path.to_owned(), mode });
    }
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != own && owner != 0 {
        return Err(CertificateError::KeyOwner { path: path.to_owned(), owner });
    }
    PrivateKeyDer::from_pem_file(path).map_err(|_| unreadable())
}
