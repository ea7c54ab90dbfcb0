//! Mistakes in a configuration file are named with file, line and key.

use super::*;

const GOOD: &str = r#"
[gateway]
id = "gw-test"
state_dir = "state"

[device_link]
devices_file = "devices.toml"
plain = "127.0.0.1:1883"

[uplink]
urls = ["http://127.0.0.1:8090"]
token_file = "token"
"#;

fn error_of(text: &str) -> String {
    match ConfigFile::parse(Path::new("/etc/gateway.toml"), text.to_owned()) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_least_configuration_is_taken_and_paths_are_relative_to_it() {
    let file = ConfigFile::parse(Path::new("/etc/chongyang/gateway.toml"), GOOD.to_owned()).expect("it is complete");
    assert_eq!(file.config.gateway.state_dir, Path::new("/etc/chongyang/state"));
    assert_eq!(file.config.kiosk.listen.port(), 8080);
}

#[test]
fn h5_unknown_and_missing_keys_are_named_with_their_line() {
    let unknown = error_of(&GOOD.replace("plain =", "plian ="));
    assert!(unknown.starts_with("/etc/gateway.toml:8: ") && unknown.contains("plian"), "{unknown}");
    let missing = error_of(&GOOD.replace("id = \"gw-test\"\n", ""));
    assert!(missing.contains("id"), "{missing}");
    let broken = error_of(&GOOD.replace("[uplink]", "[uplink"));
    assert!(broken.starts_with("/etc/gateway.toml:10: "), "{broken}");
}

#[test]
fn h5_values_that_cannot_be_used_say_what_would_be_right() {
    let open = error_of(&GOOD.replace("127.0.0.1:1883", "0.0.0.0:1883"));
    assert!(open.starts_with("/etc/gateway.toml:8: device_link.plain: "), "{open}");
    let tls = error_of(&GOOD.replace("plain = \"127.0.0.1:1883\"", "tls = { address = \"0.0.0.0:8883\" }"));
    assert!(tls.contains("certificate"), "{tls}");
    let nowhere = error_of(&GOOD.replace("plain = \"127.0.0.1:1883\"", ""));
    assert!(nowhere.starts_with("/etc/gateway.toml:6: device_link: "), "{nowhere}");
    let http = error_of(&GOOD.replace("http://127.0.0.1:8090", "http://centre.example:8090"));
    assert!(http.starts_with("/etc/gateway.toml:11: uplink.urls: "), "{http}");
    let zero = error_of(&format!("{GOOD}\n[policy]\nsale_max = 0\n"));
    assert!(zero.contains("policy.sale_max"), "{zero}");
    let negative = error_of(&format!("{GOOD}\n[policy]\nsale_max = -5\n"));
    assert!(negative.contains(":15:"), "{negative}");
}

#[test]
fn h5_a_value_of_another_type_names_its_key_and_what_would_be_right() {
    let cases = [
        ("plain = \"127.0.0.1:1883\"", "plain = \"127.0.0.1\"", ":8: device_link.plain: ", "127.0.0.1:8080"),
        ("plain = \"127.0.0.1:1883\"", "plain = 1883", ":8: device_link.plain: ", "with a port"),
        ("id = \"gw-test\"", "id = \"网关\"", ":3: gateway.id: ", "A-Z a-z"),
        ("state_dir = \"state\"", "state_dir = 5", ":4: gateway.state_dir: ", "string"),
        ("token_file", "urls_max = -1\ntoken_file", ":12: ", "urls_max"),
    ];
    for (right, wrong, place, word) in cases {
        let said = error_of(&GOOD.replace(right, wrong));
        assert!(said.starts_with(&format!("/etc/gateway.toml{place}")) && said.contains(word), "{said}");
    }
    let service = "\n[[catalogue.service]]\nid = \"a\"\nprovider = \"p\"\ncategory = \"meal\"\nname_zh = \"x\"\nname_en = \"x\"\n";
    let negative = error_of(&format!("{GOOD}{service}price = -1\n"));
    assert!(negative.contains(":20: catalogue.service.price: ") && negative.contains("whole number"), "{negative}");
    assert!(!negative.contains("u64"), "{negative}");
    let dear = error_of(&format!("{GOOD}{service}price = 50001\n"));
    assert!(dear.contains("catalogue.service: service a costs more than policy.sale_max"), "{dear}");
    let cheaper = error_of(&format!("{GOOD}{service}price = 500\nfull_price = 499\n"));
    assert!(cheaper.contains("catalogue.service: service a: full_price is below price"), "{cheaper}");
    let wordy = error_of(&format!("{GOOD}{service}price = 500\ndescription_zh = \"{}\"\n", "字".repeat(201)));
    assert!(wordy.contains("catalogue.service: service a: a description has more than 200"), "{wordy}");
}

#[test]
fn h5_combinations_that_would_fail_at_the_start_are_refused_before_it() {
    let none = error_of(&GOOD.replace("plain =", "connections_max = 0\nplain ="));
    assert!(none.starts_with("/etc/gateway.toml:8: device_link.connections_max: "), "{none}");
    let battery = error_of(&GOOD.replace("state_dir", "battery_low_mv = 0\nstate_dir"));
    assert!(battery.starts_with("/etc/gateway.toml:4: gateway.battery_low_mv: "), "{battery}");
    for seconds in [0, 3_601] {
        let retry = error_of(&GOOD.replace("state_dir", &format!("storage_retry_s = {seconds}\nstate_dir")));
        assert!(retry.starts_with("/etc/gateway.toml:4: gateway.storage_retry_s: give 1 to 3600"), "{retry}");
    }
    let kiosk = |lines: &str| error_of(&format!("{GOOD}\n[kiosk]\n{lines}\n"));
    let twice = kiosk("listen = \"127.0.0.1:1883\"");
    assert!(
        twice.starts_with("/etc/gateway.toml:15: kiosk.listen: ") && twice.contains("device_link.plain"),
        "{twice}"
    );
    let everywhere = kiosk("listen = \"0.0.0.0:8080\"\ncredentials_file = \"staff.toml\"");
    assert!(everywhere.contains("kiosk.listen: ") && everywhere.contains("kiosk.hosts"), "{everywhere}");
    let open = kiosk("listen = \"10.0.0.1:8080\"");
    assert!(open.contains("kiosk.credentials_file"), "{open}");
    for seconds in [9, 601] {
        let odd = kiosk(&format!("device_test_s = {seconds}"));
        assert!(odd.starts_with("/etc/gateway.toml:15: kiosk.device_test_s: ") && odd.contains("10 to 600"), "{odd}");
    }
    assert_eq!((kiosk("device_test_s = 10"), kiosk("device_test_s = 600")), (String::new(), String::new()));
    let host = kiosk("hosts = [\"http://gateway.lan/\"]");
    assert!(
        host.starts_with("/etc/gateway.toml:15: kiosk.hosts: ") && host.contains("gateway.centre.lan:8080"),
        "{host}"
    );
    assert_eq!(kiosk("hosts = [\"gateway.lan:8080\", \"10.0.0.1:8080\", \"[::1]:8080\"]"), "");
}

#[test]
fn h5_a_state_directory_that_is_a_file_and_a_file_that_is_no_text_are_refused() {
    let dir = std::env::temp_dir().join(format!("gateway-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join("gateway.toml");
    std::fs::write(dir.join("state"), "a file").expect("a file");
    std::fs::write(&path, GOOD).expect("a file");
    let said = ConfigFile::read(&path).expect_err("the state directory is a file").to_string();
    assert!(said.contains(":4: gateway.state_dir: is no directory"), "{said}");
    std::fs::write(&path, b"[gateway]\nid = \"\xff\"").expect("a file");
    assert!(ConfigFile::read(&path).expect_err("no text").to_string().contains("UTF-8"));
    std::fs::remove_dir_all(&dir).expect("its own directory");
}

#[test]
fn h5_an_empty_file_is_refused_and_crlf_is_taken() {
    assert!(!error_of("").is_empty());
    assert_eq!(error_of(&GOOD.replace('\n', "\r\n")), "");
}

#[test]
fn the_sample_configuration_is_taken() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/gateway.toml");
    let file = ConfigFile::read(&path).expect("the sample is good");
    assert_eq!(file.config.catalogue.service.len(), 10);
}

/// Under the unit nothing but its state directory can be written.
#[test]
fn the_sample_keeps_its_journal_where_the_unit_lets_it_write() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    let unit = std::fs::read_to_string(config.join("gateway.service")).expect("the unit");
    let state = unit.lines().find_map(|line| line.strip_prefix("StateDirectory=")).expect("it has a state directory");
    let file = ConfigFile::read(&config.join("gateway.toml")).expect("the sample is good");
    assert!(unit.contains("ProtectSystem=strict"));
    assert!(file.config.gateway.state_dir.starts_with(Path::new("/var/lib").join(state)));
}

#[test]
fn the_units_start_the_services_anew_however_often_they_ended() {
    for name in ["gateway.service", "central.service"] {
        let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name);
        let unit = std::fs::read_to_string(unit).expect("the unit");
        let head = unit.split("[Service]").next().unwrap_or_default();
        assert!(head.lines().any(|line| line == "StartLimitIntervalSec=0"), "{name}");
        assert!(unit.lines().any(|line| line == "Restart=always"), "{name}");
    }
}

#[test]
fn g7_the_age_of_prices_is_configured_with_the_catalogue() {
    let file = |text: &str| ConfigFile::parse(Path::new("gateway.toml"), format!("{GOOD}{text}")).expect("good");
    let default = file("").config.catalogue.age();
    assert_eq!(default, CatalogueAge { days_max: CATALOGUE_AGE_DAYS_MAX, when_old: WhenOld::Close });
    let set = file("\n[catalogue]\nage_days_max = 7\nwhen_old = \"sell\"\n").config.catalogue.age();
    assert_eq!(set, CatalogueAge { days_max: 7, when_old: WhenOld::Sell });
    let wrong = error_of(&format!("{GOOD}\n[catalogue]\nwhen_old = \"maybe\"\n"));
    assert!(wrong.contains("when_old") && wrong.contains("close"), "{wrong}");
}
