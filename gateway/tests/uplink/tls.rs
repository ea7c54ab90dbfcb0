//! Who the centre is and who the gateway is, by certificate.

use std::sync::Arc;
use std::time::Duration;

use gateway::adapter::uplink::{Credentials, UplinkSettings};
use gateway_core::{OutLane, UplinkFailure};
use protocols::uplink::Outcome;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::bench::{Bench, Directory, Journal, deadlines, settings};
use super::centre::{Act, Centre};
use super::lanes::{Back, uploaded};

/// A made-up authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    pub fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose, days: i64) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2025, 1, 1);
        if days > 0 {
            params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A TLS listener.
struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (socket, from) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(socket).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// A centre with that certificate; where `clients` is given, it asks for certificates of that authority.
async fn centre(pair: &Pair, clients: Option<&Authority>) -> Centre {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config = builder.with_single_cert(chain, key).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", tcp.local_addr().unwrap().port());
    Centre::on(Tls { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) }, url, Arc::default(), Act::Good)
}

fn trusting(directory: &Directory, centre: &Centre, authority: &Authority) -> UplinkSettings {
    let mut settings = settings(directory, &[&centre.url], deadlines());
    settings.ca_file = Some(directory.secret("ca.pem", &authority.pem()));
    settings
}

fn with_pair(directory: &Directory, settings: &mut UplinkSettings, pair: &Pair) {
    settings.client_cert_file = Some(directory.secret("client.pem", &pair.certificate));
    settings.client_key_file = Some(directory.secret("client.key", &pair.key));
}

async fn upload(settings: &UplinkSettings, directory: Arc<Directory>) -> Back {
    let mut bench = Bench::of(settings, Journal::lane(OutLane::Alarms, 1, 1), directory);
    bench.handle.upload(OutLane::Alarms, 0, Vec::new(), 500).unwrap();
    uploaded(bench.answer().await).2
}

const SERVER: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ServerAuth;
const CLIENT: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ClientAuth;

#[tokio::test]
async fn a_centre_that_proves_its_name_is_served() {
    let (authority, directory) = (Authority::new(), Arc::new(Directory::new()));
    let centre = centre(&authority.issue("localhost", SERVER, 1), None).await;
    let settings = trusting(&directory, &centre, &authority);
    assert_eq!(upload(&settings, directory).await, Ok(vec![(1, Outcome::Accepted)]));
}

#[tokio::test]
async fn c10_a_server_with_another_name_authority_or_an_old_certificate_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let wrong = [
        authority.issue("other.example", SERVER, 1),
        other.issue("localhost", SERVER, 1),
        authority.issue("localhost", SERVER, 0),
        authority.issue("localhost", CLIENT, 1),
    ];
    for pair in wrong {
        let directory = Arc::new(Directory::new());
        let centre = centre(&pair, None).await;
        let settings = trusting(&directory, &centre, &authority);
        assert_eq!(upload(&settings, directory).await, Err(UplinkFailure::Unreachable));
        assert!(centre.seen().is_empty());
    }
}

#[tokio::test]
async fn a_centre_that_asks_for_a_certificate_gets_the_gateways() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let centre = centre(&authority.issue("localhost", SERVER, 1), Some(&clients)).await;
    let directory = Arc::new(Directory::new());
    let mut settings = trusting(&directory, &centre, &authority);
    assert_eq!(upload(&settings, Arc::clone(&directory)).await, Err(UplinkFailure::Unreachable));
    with_pair(&directory, &mut settings, &authority.issue("gw-1", CLIENT, 1));
    assert_eq!(upload(&settings, Arc::clone(&directory)).await, Err(UplinkFailure::Unreachable));
    assert!(centre.seen().is_empty());
    with_pair(&directory, &mut settings, &clients.issue("gw-1", CLIENT, 1));
    assert_eq!(upload(&settings, directory).await, Ok(vec![(1, Outcome::Accepted)]));
}

#[derive(Debug)]
struct Year(u64);

impl TimeProvider for Year {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs((self.0 - 1970) * 31_557_000 + 15_000_000)))
    }
}

#[tokio::test]
async fn b1_certificates_are_judged_by_the_gateways_clock() {
    let authority = Authority::new();
    for (days, year, good) in [(0, 2024, true), (0, 2026, false), (1, 2026, true), (1, 2101, false), (1, 1970, false)] {
        let centre = centre(&authority.issue("localhost", SERVER, days), None).await;
        let directory = Arc::new(Directory::new());
        let settings = trusting(&directory, &centre, &authority);
        let credentials = Credentials::load(&settings).unwrap().with_time(Arc::new(Year(year)));
        let mut bench = Bench::who(&settings, credentials, Journal::lane(OutLane::Alarms, 1, 1), directory);
        bench.handle.upload(OutLane::Alarms, 0, Vec::new(), 500).unwrap();
        assert_eq!(uploaded(bench.answer().await).2.is_ok(), good, "{days} {year}");
    }
}

#[test]
fn e7_a_secret_that_others_can_read_is_refused_and_nothing_shows_a_secret() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    let (authority, directory) = (Authority::new(), Directory::new());
    let mut settings = settings(&directory, &["http://127.0.0.1:1"], deadlines());
    let shown = format!("{:?}", Credentials::load(&settings).unwrap());
    assert_eq!(shown, "Credentials(..)");
    for mode in [0o644, 0o640, 0o620, 0o602] {
        set_permissions(&settings.token_file, Permissions::from_mode(mode)).unwrap();
        let error = Credentials::load(&settings).unwrap_err().to_string();
        assert_eq!(error, "token_file: others can read or change the file; make it `chmod 600`");
    }
    set_permissions(&settings.token_file, Permissions::from_mode(0o400)).unwrap();
    with_pair(&directory, &mut settings, &authority.issue("gw-1", CLIENT, 1));
    assert!(Credentials::load(&settings).is_ok());
    set_permissions(settings.client_key_file.as_ref().unwrap(), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(Credentials::load(&settings).unwrap_err().key(), "client_key_file");
}

#[test]
fn files_that_are_not_what_they_should_be_are_named_by_their_key() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let fault = |settings: &UplinkSettings| Credentials::load(settings).unwrap_err().to_string();
    let good = settings(&directory, &["http://127.0.0.1:1"], deadlines());
    for token in ["", "short", "with a blank in its middle", "two-lines-of-token-text\ntwo-lines-of-token-text"] {
        let mut wrong = good.clone();
        wrong.token_file = directory.secret("wrong", token);
        assert!(fault(&wrong).starts_with("token_file: must hold one line"), "{token}");
    }
    let mut wrong = good.clone();
    wrong.token_file = directory.0.join("missing");
    let missing = fault(&wrong);
    assert!(missing.contains("No such file") && missing.ends_with("check its path and owner"), "{missing}");
    let mut wrong = good.clone();
    wrong.ca_file = Some(directory.secret("empty.pem", "no certificate"));
    assert_eq!(fault(&wrong), "ca_file: the file must hold certificates in PEM form");
    let (one, two) = (authority.issue("gw-1", CLIENT, 1), authority.issue("gw-1", CLIENT, 1));
    let mut wrong = good;
    with_pair(&directory, &mut wrong, &Pair { certificate: one.certificate, key: two.key });
    assert!(fault(&wrong).starts_with("client_key_file: the key does not belong"));
}
