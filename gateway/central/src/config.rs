//! The configuration file: read once, before anything is opened or bound.
//!
//! **Invariant:** an unknown key, a missing file or a combination that cannot work is refused with file, line and key
//! and with what would be right; nothing is started then.
//! **Invariant:** secrets are files that the configuration names; it holds none itself.

mod form;

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::issuer::{Issuer, KeysError};
use crate::limits;
use crate::listener::{self, TlsError};
use crate::store;

/// A mistake in the configuration, with where it is and what would be right.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    key: Option<String>,
    mistake: Box<Mistake>,
}

/// What is wrong.
#[derive(Debug)]
pub enum Mistake {
    /// The file cannot be read.
    Read(std::io::Error),
    /// It is larger than any configuration.
    TooLarge,
    /// It is not UTF-8 text.
    NotText,
    /// The text is no TOML; what its reader says.
    Form(String),
    /// A key that its section does not have, with those that it has.
    UnknownKey(Vec<&'static str>),
    /// A key is not there, with a value that would be right.
    Missing(&'static str),
    /// A value has the wrong type, with one that would be right.
    WrongType(&'static str),
    /// The name of a section is used for a value.
    NoSection,
    /// The address is none.
    Address,
    /// Plain HTTP beyond loopback.
    PlainBeyondLoopback,
    /// A file that the configuration names cannot be read.
    FileMissing(PathBuf, std::io::Error),
    /// The directory of the database is missing.
    DirectoryMissing(PathBuf),
    /// The database is a directory.
    DatabaseIsDirectory,
    /// A secret, or the database, that others can read, with its permission bits.
    Exposed(PathBuf, u32),
    /// Certificate, key or authority cannot be used.
    Tls(TlsError),
    /// The issuer's keys cannot be used.
    Keys(KeysError),
    /// A value of `log` that is no filter.
    LogFilter,
    /// A path is empty.
    EmptyPath,
    /// A time that no gateway could keep, or that nobody would wait for.
    SilentSeconds,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        f.write_str(": ")?;
        match &*self.mistake {
            Mistake::Read(error) => write!(f, "cannot be read: {error}"),
            Mistake::TooLarge => write!(f, "is larger than {} bytes", limits::CONFIG_BYTES_MAX),
            Mistake::NotText => f.write_str("is not UTF-8 text; save it as UTF-8"),
            Mistake::Form(message) => f.write_str(message.trim_end()),
            Mistake::UnknownKey(known) => write!(f, "is not known; right would be one of {}", known.join(", ")),
            Mistake::Missing(right) => write!(f, "is missing; right would be {right}"),
            Mistake::WrongType(right) => write!(f, "has the wrong type; right would be {right}"),
            Mistake::NoSection => f.write_str("is a section; right would be its name alone on a line, in brackets"),
            Mistake::Address => f.write_str("is no address; right would be \"127.0.0.1:8090\" (an IP address and a port)"),
            Mistake::PlainBeyondLoopback => f.write_str(
                "plain HTTP is served on loopback only; right would be \"127.0.0.1:8090\", or a [tls] section with certificate and key",
            ),
            Mistake::FileMissing(path, error) => {
                write!(f, "the file {} cannot be read: {error}; right would be the path of a readable file", path.display())
            }
            Mistake::DirectoryMissing(path) => {
                write!(f, "the directory {} does not exist; make it, or name another place", path.display())
            }
            Mistake::DatabaseIsDirectory => f.write_str("is a directory; right would be the path of a file in it"),
            Mistake::Exposed(path, mode) => write!(
                f,
                "{}: mode {mode:04o}; it must be for its owner only, or readable by its group: chmod 0600 or 0640",
                path.display()
            ),
            Mistake::Tls(error) => write!(f, "{error}; right would be PEM files that belong together"),
            Mistake::Keys(error) => write!(f, "{error}"),
            Mistake::LogFilter => f.write_str("is no log filter; right would be \"info\" or \"info,central=debug\""),
            Mistake::SilentSeconds => write!(
                f,
                "is out of range; right would be {} to {} seconds, for example 180",
                limits::GATEWAY_SILENT_S_MIN,
                limits::GATEWAY_SILENT_S_MAX
            ),
            Mistake::EmptyPath => f.write_str("is empty; right would be the path of a file"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Spanned<String>,
    database: Spanned<PathBuf>,
    log: Option<Spanned<String>>,
    tls: Option<TlsFile>,
    issuer: Option<IssuerFile>,
    supervision: Option<SupervisionFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SupervisionFile {
    gateway_silent_s: Spanned<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    certificate: Spanned<PathBuf>,
    key: Spanned<PathBuf>,
    client_ca: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerFile {
    keys: Spanned<PathBuf>,
}

/// TLS of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Certificates of the authority that every client's certificate must come from, PEM.
    pub client_ca: Option<PathBuf>,
}

/// The configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; beyond loopback only with TLS.
    pub listen: SocketAddr,
    /// The database file.
    pub database: PathBuf,
    /// The log filter.
    pub log: String,
    /// TLS, where there is.
    pub tls: Option<TlsConfig>,
    /// The reference issuer's keys, where there are.
    pub issuer_keys: Option<PathBuf>,
    /// After which time a gateway counts as silent.
    pub gateway_silent_after: Duration,
}

/// A configuration of the right form, whose files were not looked at yet.
#[derive(Debug)]
pub struct Unchecked {
    /// The configuration.
    pub config: Config,
    path: PathBuf,
    lines: Lines,
}

#[derive(Debug, Default)]
struct Lines {
    database: usize,
    certificate: usize,
    key: usize,
    client_ca: usize,
    issuer_keys: usize,
}

/// Reads the configuration, without looking at the files it names.
///
/// # Errors
/// A [`ConfigError`] with file, line, key and what would be right.
pub fn read(path: &Path) -> Result<Unchecked, ConfigError> {
    let fail = |line, key: Option<&str>, mistake| ConfigError {
        file: path.to_owned(),
        line,
        key: key.map(str::to_owned),
        mistake: Box::new(mistake),
    };
    let size = std::fs::metadata(path).map_err(|error| fail(None, None, Mistake::Read(error)))?.len();
    if size > limits::CONFIG_BYTES_MAX {
        return Err(fail(None, None, Mistake::TooLarge));
    }
    let bytes = std::fs::read(path).map_err(|error| fail(None, None, Mistake::Read(error)))?;
    let text = String::from_utf8(bytes).map_err(|_| fail(None, None, Mistake::NotText))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    form::check(text).map_err(|wrong| fail(Some(line_of(text, wrong.at)), wrong.key.as_deref(), wrong.mistake))?;
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        fail(line, None, Mistake::Form(error.message().to_owned()))
    })?;
    let line = |start: usize| line_of(text, start);
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let resolve = |key: &'static str, value: &Spanned<PathBuf>| {
        if value.get_ref().as_os_str().is_empty() {
            return Err(fail(Some(line(value.span().start)), Some(key), Mistake::EmptyPath));
        }
        Ok(directory.join(value.get_ref()))
    };
    let listen: SocketAddr = file
        .listen
        .get_ref()
        .parse()
        .map_err(|_| fail(Some(line(file.listen.span().start)), Some("listen"), Mistake::Address))?;
    if file.tls.is_none() && !listen.ip().is_loopback() {
        return Err(fail(Some(line(file.listen.span().start)), Some("listen"), Mistake::PlainBeyondLoopback));
    }
    if let Some(log) = &file.log
        && log.get_ref().parse::<tracing_subscriber::EnvFilter>().is_err()
    {
        return Err(fail(Some(line(log.span().start)), Some("log"), Mistake::LogFilter));
    }
    let silent_s = file.supervision.as_ref().map_or(limits::GATEWAY_SILENT_S, |file| *file.gateway_silent_s.get_ref());
    if let Some(supervision) = &file.supervision
        && !(limits::GATEWAY_SILENT_S_MIN..=limits::GATEWAY_SILENT_S_MAX).contains(&silent_s)
    {
        let at = line(supervision.gateway_silent_s.span().start);
        return Err(fail(Some(at), Some("supervision.gateway_silent_s"), Mistake::SilentSeconds));
    }
    let mut lines = Lines { database: line(file.database.span().start), ..Lines::default() };
    let tls = match &file.tls {
        None => None,
        Some(tls) => {
            lines.certificate = line(tls.certificate.span().start);
            lines.key = line(tls.key.span().start);
            lines.client_ca = tls.client_ca.as_ref().map_or(0, |ca| line(ca.span().start));
            Some(TlsConfig {
                certificate: resolve("tls.certificate", &tls.certificate)?,
                key: resolve("tls.key", &tls.key)?,
                client_ca: tls.client_ca.as_ref().map(|ca| resolve("tls.client_ca", ca)).transpose()?,
            })
        }
    };
    lines.issuer_keys = file.issuer.as_ref().map_or(0, |issuer| line(issuer.keys.span().start));
    let config = Config {
        listen,
        database: resolve("database", &file.database)?,
        gateway_silent_after: Duration::from_secs(silent_s),
        log: file.log.map_or_else(|| "info".to_owned(), Spanned::into_inner),
        tls,
        issuer_keys: file.issuer.as_ref().map(|issuer| resolve("issuer.keys", &issuer.keys)).transpose()?,
    };
    Ok(Unchecked { config, path: path.to_owned(), lines })
}

impl Unchecked {
    /// Looks at the files that the configuration names.
    ///
    /// # Errors
    /// One of them is missing or cannot be read.
    pub fn check(self) -> Result<Config, ConfigError> {
        let fail = |line, key: &str, mistake| ConfigError {
            file: self.path.clone(),
            line: Some(line),
            key: Some(key.to_owned()),
            mistake: Box::new(mistake),
        };
        let readable = |line, key, path: &Path| match std::fs::File::open(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(fail(line, key, Mistake::FileMissing(path.to_owned(), error))),
        };
        if let Some(directory) = self.config.database.parent()
            && !directory.as_os_str().is_empty()
            && !directory.is_dir()
        {
            return Err(fail(self.lines.database, "database", Mistake::DirectoryMissing(directory.to_owned())));
        }
        if self.config.database.is_dir() {
            return Err(fail(self.lines.database, "database", Mistake::DatabaseIsDirectory));
        }
        for file in store::files(&self.config.database) {
            if let Some(mode) = exposed(&file) {
                return Err(fail(self.lines.database, "database", Mistake::Exposed(file, mode)));
            }
        }
        if let Some(tls) = &self.config.tls {
            readable(self.lines.certificate, "tls.certificate", &tls.certificate)?;
            readable(self.lines.key, "tls.key", &tls.key)?;
            if let Some(ca) = &tls.client_ca {
                readable(self.lines.client_ca, "tls.client_ca", ca)?;
            }
            if let Some(mode) = exposed(&tls.key) {
                return Err(fail(self.lines.key, "tls.key", Mistake::Exposed(tls.key.clone(), mode)));
            }
            if let Err(error) = listener::check(tls) {
                return Err(fail(self.lines.certificate, "tls", Mistake::Tls(error)));
            }
        }
        if let Some(keys) = &self.config.issuer_keys {
            readable(self.lines.issuer_keys, "issuer.keys", keys)?;
            if let Some(mode) = exposed(keys) {
                return Err(fail(self.lines.issuer_keys, "issuer.keys", Mistake::Exposed(keys.clone(), mode)));
            }
            if let Err(error) = Issuer::from_file(keys) {
                return Err(fail(self.lines.issuer_keys, "issuer.keys", Mistake::Keys(error)));
            }
        }
        Ok(self.config)
    }
}

/// Permission bits of a file that others can read, or the group can write; `None` also where it is missing.
fn exposed(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o7777;
    (mode & 0o027 != 0).then_some(mode)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count().saturating_add(1)
}
