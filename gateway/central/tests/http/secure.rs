//! TLS: with a client certificate of the right authority, and not without.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

use central::app::{self, Running};
use central::config;
use central::seed::{self, District};

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
        self.issue_as(vec![name.to_owned()], "somebody", purpose)
    }

    /// The same, with these DNS names and this common name.
    fn issue_as(&self, names: Vec<String>, common: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
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

/// A centre that lets in only clients with a certificate of this authority.
async fn serve(directory: &Directory, site: &Authority) -> (District, Running) {
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
    (district, running)
}

#[tokio::test]
async fn e2_only_clients_with_a_certificate_of_the_right_authority_get_in() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = Directory::new();
    let (site, foreign) = (Authority::new(), Authority::new());
    let (district, running) = serve(&directory, &site).await;
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
async fn e5_a_gateways_certificate_reaches_only_its_own_addresses() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = Directory::new();
    let site = Authority::new();
    let running = serve(&directory, &site).await;
    let url = |gateway: &str| {
        format!("https://localhost:{}/v1/gateways/{gateway}/orders?lane=alarms", running.1.address.port())
    };
    let ask = async |(names, common): (&[&str], &str), gateway: &str| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let identity = site.issue_as(names, common, ExtendedKeyUsagePurpose::ClientAuth);
        let request = client(&site, Some(identity)).get(url(gateway)).bearer_auth(&running.0.gateway.token);
        let (status, body) = answer(request).await;
        (status, body["error"]["code"].as_str().unwrap_or("").to_owned())
    };
    for own in [(&["gw-demo"][..], "rcgen"), (&[], "gw-demo"), (&["other.example"], "gw-demo")] {
        assert_eq!(ask(own, "gw-demo").await.0, 200, "{own:?}");
    }
    for other in [(&["gw-other"][..], "gw-other"), (&["GW-DEMO"], "gw-demo.example"), (&[], "gw-dem"), (&[], "")] {
        assert_eq!(ask(other, "gw-demo").await, (403, "foreign_certificate".to_owned()), "{other:?}");
    }
    assert_eq!(ask((&["gw-demo"], ""), "gw-other").await, (403, "foreign_gateway".to_owned()));
    assert_eq!(running.1.stop().await, app::Ended::Clean);
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
