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
fn h5_an_empty_file_is_refused_and_crlf_is_taken() {
    assert!(!error_of("").is_empty());
    assert_eq!(error_of(&GOOD.replace('\n', "\r\n")), "");
}

#[test]
fn the_sample_configuration_is_taken() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/gateway.toml");
    let file = ConfigFile::read(&path).expect("the sample is good");
    assert_eq!(file.config.catalogue.service.len(), 2);
}
