//! Who is at the other end, C10, C12 and C13 of the fault reference: names that lead nowhere or to somebody else, a centre whose
//! database stops in the middle of commits, and two gateways with one identity.
//!
//! C12 names PostgreSQL; the centre keeps its store in SQLite so far, so its process is killed and its database is locked by another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tests::site::audit::{Expected, audit};
use tests::site::button::Button;
use tests::site::dice::Dice;
use tests::site::load::{Load, LoadSettings, MIXED};
use tests::site::ports::Port;
use tests::site::process::Program;
use tests::site::records::Records;
use tests::site::shopper::SERVICE;
use tests::site::till::Tender;
use tests::site::wait::{until, until_is};
use tests::site::{EPOCH, Site, SiteSettings, files};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const WITHIN: Duration = Duration::from_secs(60);

/// Somebody with a certificate for these names, who counts the bytes that he is told.
async fn impostor(names: &[&str]) -> (String, String, Arc<AtomicU64>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("a pair");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
        .expect("they belong together");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://localhost:{}", listener.local_addr().expect("bound").port());
    let (acceptor, told) = (TlsAcceptor::from(Arc::new(config)), Arc::<AtomicU64>::default());
    let counted = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut bytes = [0; 1_024];
            while let Ok(n @ 1..) = stream.read(&mut bytes).await {
                counted.fetch_add(n as u64, Ordering::Relaxed);
            }
        }
    });
    (url, cert.pem(), told)
}

/// C10.
#[tokio::test(flavor = "multi_thread")]
async fn c10_names_that_lead_nowhere_or_to_an_impostor_cost_time_and_no_alarm_and_the_impostor_hears_nothing() {
    let mut site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    // One has the right name from an authority that is not the site's, one the site's trust for another name.
    let (wrong_authority, _, told_first) = impostor(&["localhost"]).await;
    let (wrong_name, trusted, told_second) = impostor(&["other.example"]).await;
    files::write(&site.directory().join("ca.pem"), &trusted).expect("the directory is ours");
    let real = site.centre.api.base().to_owned();
    let urls = ["https://no-such-host.invalid", &wrong_authority, &wrong_name, &real];
    site.gateway.reroute(&urls, "").expect("its configuration");
    site.gateway
        .reconfigure(|text| text.replace("[uplink]\n", "[uplink]\nca_file = \"ca.pem\"\n"))
        .expect("its configuration");
    site.centre.start().await.expect("the centre runs");
    site.gateway.start().await.expect("the gateway runs");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let alarm = button.press("sos").await.expect("acknowledged");
    let path = format!("/api/v1/alarms/{}", alarm.alarm("btn-0001"));
    let read = async || site.centre.operator.get(&path).await;
    until_is("the alarm is there", Duration::from_secs(10), read, |answer| answer.status == 200)
        .await
        .expect("in time");
    button.press("test").await.expect("acknowledged");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert_eq!((told_first.load(Ordering::Relaxed), told_second.load(Ordering::Relaxed)), (0, 0), "TLS fails closed");
}

/// C12.
#[tokio::test(flavor = "multi_thread")]
async fn c12_a_centre_whose_database_stops_or_is_locked_in_the_middle_of_commits_has_each_report_once() {
    let mut site = Site::start(&SiteSettings::default().and_load(6)).await.expect("a site");
    let pace = LoadSettings { window: 8, pause: Some(Duration::from_millis(5)), count: None, kinds: MIXED };
    let mut dice = Dice::new(12);
    let load = Load::start(site.load_logins(), EPOCH, &pace, &mut dice);
    for round in 0..6_u32 {
        load.progress(100, WITHIN).await.expect("there is load");
        if round % 2 == 0 {
            site.centre.kill();
            site.centre.start().await.expect("it starts again");
        } else {
            let options = SqliteConnectOptions::new().filename(&site.centre.database);
            let mut other = options.connect().await.expect("it can be opened");
            let locked = async || sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.ok();
            until("another has the lock", WITHIN, locked).await.expect("it gets its turn");
            load.progress(200, WITHIN).await.expect("devices are acknowledged meanwhile");
            sqlx::query("ROLLBACK").execute(&mut other).await.expect("it lets go");
        }
    }
    let load = load.finish(WITHIN).await.expect("every report is acknowledged");
    assert!(load.acknowledged.len() > 500, "{}", load.acknowledged.len());
    let findings = audit(&site, &Expected { load, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// C13.
#[tokio::test(flavor = "multi_thread")]
async fn c13_two_gateways_with_one_identity_are_seen_their_sales_are_closed_and_alarms_of_both_are_taken() {
    let mut site = Site::start(&SiteSettings::with_cards()).await.expect("a site");
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let (before, _) = site.till().buy(Tender::Account, SERVICE, 1).await.expect("it ends");
    assert_eq!(before["state"], "paid", "{before}");
    let mut one = site.button("btn-0001").await.expect("it is let in");
    one.press("test").await.expect("acknowledged");
    site.gateway.wait_delivered(WITHIN).await.expect("it is at the centre");
    site.gateway.stop(WITHIN).await.expect("it stops");
    // The disk's image on a second box.
    let (mqtt, kiosk) = (Port::claim().expect("a port"), Port::claim().expect("a port"));
    let copy = site.directory().join("copy");
    std::fs::create_dir(&copy).expect("the directory is ours");
    for file in std::fs::read_dir(&site.gateway.state).expect("the state").filter_map(Result::ok) {
        if file.path().is_file() {
            std::fs::copy(file.path(), copy.join(file.file_name())).expect("copied");
        }
    }
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
    std::fs::set_permissions(&copy, mode).expect("ours");
    let text = std::fs::read_to_string(&site.gateway.config).expect("it was written");
    // It has the image, and not the readers.
    let (text, _) = text.split_once("\n[card_reader]").expect("readers stand last");
    let text = text
        .replace(&site.gateway.mqtt().to_string(), &mqtt.address().to_string())
        .replace(&site.gateway.kiosk_address().to_string(), &kiosk.address().to_string())
        .replace("state_dir = \"state\"", "state_dir = \"copy\"");
    let config = site.directory().join("copy.toml");
    files::write(&config, &text).expect("the directory is ours");
    let second = Program {
        name: "the copy".to_owned(),
        path: site.gateway.program().to_owned(),
        arguments: ["run", "--config"].iter().map(Into::into).chain([config.into_os_string()]).collect(),
        variables: Vec::new(),
        before: Vec::new(),
        log: site.directory().join("copy.log"),
    };
    let _second = second.start().expect("it starts");
    site.gateway.start().await.expect("the first runs");
    one.reconnect().await.expect("it is let in");
    let mut login = site.login("btn-0001");
    login.address = mqtt.address();
    let connect = async || Button::connect(login.clone(), 2).await.ok();
    let mut other = until("the copy takes reports", WITHIN, connect).await.expect("it runs");
    let pressed = [one.press("sos").await.expect("acknowledged"), other.press("fall").await.expect("acknowledged")];
    for alarm in pressed {
        let path = format!("/api/v1/alarms/{}", alarm.alarm("btn-0001"));
        let read = async || site.centre.operator.get(&path).await;
        until_is("alarms of both are taken", Duration::from_secs(10), read, |answer| answer.status == 200)
            .await
            .expect("in time");
    }
    let gateways = async || site.centre.operator.read("/api/v1/gateways").await;
    let closed = |all: &Value| all.to_string().contains("\"journal_forked\"") && all.to_string().contains("\"closed\"");
    until_is("the fork is seen and sales are closed", WITHIN, gateways, closed).await.expect("people have to look");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let (refused, _) = site.till().buy(Tender::Account, SERVICE, 1).await.expect("it ends");
    assert_eq!((&refused["state"], &refused["reason"]), (&"refused".into(), &"closed".into()), "{refused}");
    let mut records = Records::open(&site.centre.database).await.expect("the centre's database");
    let troubles = records.troubles().await.expect("readable");
    assert!(troubles.iter().any(|trouble| trouble.starts_with("fork: ")), "{troubles:?}");
}
