//! The daemon's life: it stops in order under load, does not run twice, and does not start with a mistake in its configuration.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tests::site::audit::{Expected, audit};
use tests::site::dice::Dice;
use tests::site::load::{Load, LoadSettings, MIXED};
use tests::site::ports::Port;
use tests::site::process::{self, Said};
use tests::site::programs;
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(60);
/// EX_CONFIG.
const CONFIG: Option<i32> = Some(78);

#[tokio::test(flavor = "multi_thread")]
async fn h6_sigterm_under_load_ends_the_daemon_in_time_with_0_and_nothing_is_lost() {
    let mut site = Site::start(&SiteSettings::default().and_load(8)).await.expect("a site");
    let settings = LoadSettings { window: 50, pause: None, count: None, kinds: MIXED };
    let load = Load::start(site.load_logins(), 1, &settings, &mut Dice::new(6));
    for _ in 0..3 {
        load.progress(300, WITHIN).await.expect("there is load");
        let told = Instant::now();
        let status = site.gateway.stop(Duration::from_secs(10)).await.expect("it ends in time");
        assert!(status.is_some_and(|status| status.success()), "{status:?} after {:?}", told.elapsed());
        site.gateway.verify_journal().await.expect("the chain verifies");
        site.gateway.start().await.expect("it starts again");
    }
    let load = load.finish(WITHIN).await.expect("every report is acknowledged");
    let findings = audit(&site, &Expected { load, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn h6_sigterm_ends_the_centre_in_time_with_0() {
    let mut site = Site::start(&SiteSettings::default().and_load(4)).await.expect("a site");
    let settings = LoadSettings { window: 20, pause: None, count: None, kinds: MIXED };
    let load = Load::start(site.load_logins(), 1, &settings, &mut Dice::new(7));
    load.progress(300, WITHIN).await.expect("there is load");
    let status = site.centre.stop(Duration::from_secs(10)).await.expect("it ends in time");
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    site.centre.start().await.expect("it starts again");
    let load = load.finish(WITHIN).await.expect("every report is acknowledged");
    let findings = audit(&site, &Expected { load, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// A17.
#[tokio::test(flavor = "multi_thread")]
async fn a17_a_second_daemon_on_the_same_journal_is_refused_and_the_first_goes_on() {
    let mut site = Site::start(&SiteSettings::default()).await.expect("a site");
    let (mqtt, kiosk) = (Port::claim().expect("a port"), Port::claim().expect("a port"));
    let text = std::fs::read_to_string(&site.gateway.config).expect("it was written");
    let second = text
        .replace(&site.gateway.mqtt().to_string(), &mqtt.address().to_string())
        .replace(&site.gateway.kiosk_address().to_string(), &kiosk.address().to_string());
    assert_ne!(second, text);
    let config = site.directory().join("second.toml");
    std::fs::write(&config, second).expect("the directory is ours");
    let said = run(site.gateway.program(), &config).await;
    assert!(!said.status.success() && said.code().is_some(), "{said:?}");
    assert!(said.err.contains("already") || said.err.contains("in use") || said.err.contains("another"), "{said:?}");
    site.gateway.check().expect("the first runs");
    site.button("btn-0001").await.expect("it is let in").press("sos").await.expect("the first takes reports");
}

/// What is changed in a good configuration, and the key and the words that the message must have.
const GATEWAY_MISTAKES: &[(&str, &str, &[&str])] = &[
    ("state_dir = \"state\"", "state_dri = \"state\"", &["state_dri"]),
    ("[gateway]\n", "[gateway]\nextra = 1\n", &["extra"]),
    ("id = \"gw-demo\"\n", "", &["id"]),
    ("id = \"gw-demo\"", "id = \"gw demo\"", &["id"]),
    ("plain = \"127.0.0.1", "plain = \"0.0.0.0", &["device_link.plain", "127.0.0.1"]),
    (
        "devices_file = \"devices.toml\"",
        "devices_file = \"nowhere.toml\"",
        &["device_link.devices_file", "nowhere.toml"],
    ),
    ("token_file = \"uplink.token\"", "token_file = \"nowhere\"", &["uplink.token_file"]),
    ("urls = [\"http://127.0.0.1", "urls = [\"http://192.0.2.1", &["uplink.urls", "https"]),
    ("urls = [\"http://127.0.0.1", "urls = [\"ftp://127.0.0.1", &["uplink.urls"]),
    ("credentials_file = \"credentials.toml\"", "credentials_file = \"nowhere\"", &["kiosk.credentials_file"]),
    ("[uplink]", "[uplink", &[]),
    ("[kiosk]", "[policy]\nsale_max = 0\n\n[kiosk]", &["policy.sale_max"]),
    ("[kiosk]", "[policy]\nsale_max = -1\n\n[kiosk]", &["policy.sale_max", "whole number"]),
    ("[kiosk]", "[policy]\nsale_max = 12.5\n\n[kiosk]", &["policy.sale_max", "whole number"]),
    ("[kiosk]", "[broker]\n\n[kiosk]", &["host"]),
    ("trust_clock = true", "trust_clock = 1", &["gateway.trust_clock", "boolean"]),
    (
        "devices_file = \"devices.toml\"",
        "devices_file = \"devices.toml\"\ntls = { address = \"127.0.0.1:0\", certificate = \"no.pem\", key = \"no.key\" }",
        &["device_link.tls", "no.pem"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn h5_each_mistake_in_the_gateways_configuration_is_named_with_file_line_and_key_and_nothing_starts() {
    let site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    let good = std::fs::read_to_string(&site.gateway.config).expect("it was written");
    let place = Mistakes::in_copy_of(site.directory());
    for (right, wrong, words) in GATEWAY_MISTAKES {
        assert!(good.contains(right), "{right} is not in the configuration");
        let text = good.replacen(right, wrong, 1);
        let said = place.try_with(site.gateway.program(), "gateway.toml", &text).await;
        place.check(&said, "gateway.toml", words, wrong);
    }
    for text in ["", "\u{feff}gateway = 1", "\u{0}"] {
        let said = place.try_with(site.gateway.program(), "gateway.toml", text).await;
        place.check(&said, "gateway.toml", &[], text);
    }
    let crlf = good.replace('\n', "\r\n");
    let said = place.try_only_check(site.gateway.program(), "gateway.toml", &crlf).await;
    assert!(said.status.success(), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h5_each_mistake_in_the_centres_configuration_is_named_with_file_and_line_and_nothing_starts() {
    let site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    let central = programs::find("central").expect("it is built");
    let good = std::fs::read_to_string(site.directory().join("central.toml")).expect("it was written");
    let place = Mistakes::in_copy_of(site.directory());
    let mistakes: [(&str, &str, &[&str]); 6] = [
        ("listen = \"127.0.0.1", "listen = \"0.0.0.0", &["listen", "127.0.0.1"]),
        ("listen = \"127.0.0.1:", "listen = \"127.0.0.1", &["listen"]),
        ("database = ", "databse = ", &["databse"]),
        ("database = \"central.sqlite\"", "database = \"nowhere/central.sqlite\"", &["database", "nowhere"]),
        ("keys = \"issuer-keys.toml\"", "keys = \"nowhere.toml\"", &["issuer.keys", "nowhere.toml"]),
        ("log = \"info\"", "log = \"a=b=c\"", &["log"]),
    ];
    for (right, wrong, words) in mistakes {
        assert!(good.contains(right), "{right} is not in the configuration");
        let text = good.replacen(right, wrong, 1);
        let said = place.try_with(&central, "central.toml", &text).await;
        place.check(&said, "central.toml", words, wrong);
    }
}

/// A directory with copies of a site's files, but without a journal or database.
struct Mistakes(PathBuf);

impl Mistakes {
    fn in_copy_of(site: &Path) -> Self {
        let place = site.join("mistakes");
        std::fs::create_dir(&place).expect("the directory is ours");
        for name in ["uplink.token", "devices.toml", "credentials.toml", "issuer-keys.toml"] {
            let copied = std::fs::copy(site.join(name), place.join(name));
            assert!(copied.is_ok(), "{name}: {copied:?}");
        }
        Self(place)
    }

    async fn try_with(&self, program: &Path, name: &str, text: &str) -> Said {
        let config = self.0.join(name);
        std::fs::write(&config, text).expect("the directory is ours");
        run(program, &config).await
    }

    async fn try_only_check(&self, program: &Path, name: &str, text: &str) -> Said {
        let config = self.0.join(name);
        std::fs::write(&config, text).expect("the directory is ours");
        let words = ["check-config", "--config", config.to_str().expect("a plain path")];
        process::run(program, &words).await.expect("it ends")
    }

    /// It ended with EX_CONFIG, named file, line and key, and made nothing.
    fn check(&self, said: &Said, name: &str, words: &[&str], mistake: &str) {
        assert_eq!(said.code(), CONFIG, "{mistake}: {said:?}");
        let file = self.0.join(name).display().to_string();
        let line = said.err.split(&format!("{file}:")).nth(1).and_then(|rest| rest.chars().next());
        assert!(line.is_some_and(|first| first.is_ascii_digit()), "{mistake}: no file and line in {said:?}");
        for word in words {
            assert!(said.err.contains(word), "{mistake}: {word} is not in {said:?}");
        }
        for made in ["state", "central.sqlite"] {
            assert!(!self.0.join(made).exists(), "{mistake}: {made} was made");
        }
    }
}

async fn run(program: &Path, config: &Path) -> Said {
    let words = ["run", "--config", config.to_str().expect("a plain path")];
    process::run(program, &words).await.expect("it ends at once")
}
