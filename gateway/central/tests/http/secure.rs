//! TLS: with a client certificate of the right authority, and not without.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use central::app;
use central::config;
use central::seed;

use crate::support::{Directory, answer};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Certificate and key, PEM.
    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

fn client(authority: &Authority, identity: Option<(String, String)>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(authority.0.pem().as_bytes()).expect("a certificate");
    let mut builder = reqwest::Client::builder().tls_certs_only([root]);
    if let Some((certificate, key)) = identity {
        let pem = format!("{key}{certificate}");
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("an identity"));
    }
    builder.build().expect("a client")
}

#[tokio::test]
async fn e2_only_clients_with_a_certificate_of_the_right_authority_get_in() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = Directory::new();
    let (site, foreign) = (Authority::new(), Authority::new());
    let (certificate, key) = site.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    directory.write("server.pem", &certificate);
    directory.write("server.key", &key);
    directory.write("ca.pem", &site.0.pem());
    let text = "listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n[tls]\ncertificate = \"server.pem\"\n\
        key = \"server.key\"\nclient_ca = \"ca.pem\"\n";
    let path = directory.write("central.toml", text);
    let read = || config::read(&path).expect("the configuration is well");
    let district = seed::run(read()).await.expect("the demonstration can be made");
    let running = app::start(&read().check().expect("well")).await.expect("the centre starts");
    let url = format!("https://localhost:{}/api/v1/alarms", running.address.port());

    let good = client(&site, Some(site.issue("gw-demo", ExtendedKeyUsagePurpose::ClientAuth)));
    assert_eq!(answer(good.get(&url)).await.0, 401, "with TLS, reading needs a token too");
    assert_eq!(answer(good.get(&url).bearer_auth(&district.operators[0].token)).await.0, 200);
    for identity in [
        None,
        Some(foreign.issue("gw-demo", ExtendedKeyUsagePurpose::ClientAuth)),
        Some(site.issue("gw-demo", ExtendedKeyUsagePurpose::ServerAuth)),
    ] {
        let refused = client(&site, identity).get(&url).send().await;
        assert!(refused.is_err(), "{refused:?}");
    }
    assert!(client(&foreign, None).get(&url).send().await.is_err(), "the client does not trust another authority");
    let plain = reqwest::Client::new().get(url.replace("https", "http")).send().await;
    assert!(plain.is_err(), "{plain:?}");
    assert_eq!(answer(good.get(url.replace("/api/v1/alarms", "/healthz"))).await.0, 200);
    assert_eq!(running.stop().await, app::Ended::Clean);
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_at_the_start() {
    let directory = Directory::new();
    let site = Authority::new();
    let (certificate, _) = site.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    let (_, other_key) = site.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    directory.write("server.pem", &certificate);
    directory.write("server.key", &other_key);
    let text = "listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    let path = directory.write("central.toml", text);
    let mistake = config::read(&path).and_then(config::Unchecked::check).expect_err("they do not fit").to_string();
    assert!(mistake.contains(":4: tls: ") && mistake.contains("cannot be used together"), "{mistake}");
}
