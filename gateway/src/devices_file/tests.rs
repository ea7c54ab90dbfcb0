//! The devices file: mistakes name their line and key, changes keep what a person wrote.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

const HASH: &str =
    "v1$000102030405060708090a0b0c0d0e0f$0000000000000000000000000000000000000000000000000000000000000000";

fn error(text: &str) -> String {
    parse(Path::new("devices.toml"), text).expect_err("the text has a mistake").to_string()
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let mut name = [0_u8; 8];
        getrandom::fill(&mut name).unwrap();
        let path = std::env::temp_dir().join(format!("devices-file-{}", hex::encode(name)));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn new_device(id: &str) -> NewDevice {
    NewDevice {
        id: id.parse().unwrap(),
        epoch: Some(1),
        silent_after_s: None,
        kind: Some("button \"红\"".to_owned()),
        place: Some("3号楼 201 卧室".to_owned()),
    }
}

#[test]
fn a_mistake_is_named_with_file_line_and_key() {
    let entry = format!("[[device]]\nid = \"a\"\nsecret_hash = \"{HASH}\"\n");
    assert_eq!(
        error(&format!("{entry}silent_after_s = 5\n")),
        "devices.toml:4: silent_after_s: must be between 60 and 86400 seconds"
    );
    assert_eq!(error(&format!("{entry}\n{entry}")), "devices.toml:6: id: this id is already used on line 2");
    assert!(error(&format!("{entry}secret = \"x\"\n")).starts_with("devices.toml:4: unknown field `secret`"));
    assert!(error("[[device]]\nid = \"a\"\n").contains("secret_hash"));
    assert_eq!(
        error("[[device]]\nid = \"a b\"\nsecret_hash = \"\"\n"),
        "devices.toml:2: id: the name has a character outside A-Z a-z 0-9 - _"
    );
    assert!(
        error("[[device]]\nid = \"a\"\nsecret_hash = \"v2$00$00\"\n").starts_with("devices.toml:3: secret_hash: must")
    );
    assert!(error("[[device]]\nid = \"a\nsecret_hash = 1").starts_with("devices.toml:2:"));
    assert!(error(&format!("{entry}epoch = -1\n")).starts_with("devices.toml:4:"));
    assert!(error(&format!("{entry}kind = \"\"\n")).starts_with("devices.toml:4: kind:"));
    let long = "楼".repeat(33);
    assert!(error(&format!("{entry}place = \"{long}\"\n")).starts_with("devices.toml:4: place: must be 1 to 96 bytes"));
}

#[test]
fn an_added_device_logs_in_with_the_secret_that_was_shown_and_with_no_other() {
    let folder = Folder::new();
    let path = folder.0.join("devices.toml");
    let secret = add(&path, &new_device("btn-0001")).unwrap();
    let other = add(&path, &new_device("btn-0002")).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(secret.reveal()), "the secret is not in the file");

    let directory = DeviceDirectory::from_file(&path).unwrap();
    let id = "btn-0001".parse().unwrap();
    assert_eq!(directory.verify(&id, secret.reveal().as_bytes()), Ok(()));
    assert_eq!(directory.verify(&id, other.reveal().as_bytes()), Err(LoginError::WrongSecret));
    assert_eq!(directory.verify(&id, b""), Err(LoginError::WrongSecret));
    assert_eq!(directory.verify(&"nobody".parse().unwrap(), b""), Err(LoginError::UnknownDevice));
    assert_eq!(directory.devices()[&id].kind.as_deref(), Some("button \"红\""));
    assert_eq!(directory.devices()[&id].place.as_deref(), Some("3号楼 201 卧室"));
    assert!(matches!(add(&path, &new_device("btn-0001")), Err(EditError::Exists(_))));
}

#[test]
fn removing_a_device_keeps_the_others_and_the_comments() {
    let folder = Folder::new();
    let path = folder.0.join("devices.toml");
    let table = |id: &str| format!("[[device]] # {id}\nid = \"{id}\"\nsecret_hash = \"{HASH}\"\n");
    std::fs::write(&path, format!("# head\n{}\n# room 2\n{}\n# tail\n", table("a"), table("b"))).unwrap();
    remove(&path, &"a".parse().unwrap()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("# head\n# room 2\n{}\n# tail\n", table("b")));
    remove(&path, &"b".parse().unwrap()).unwrap();
    assert!(load(&path).unwrap().is_empty());
    assert!(matches!(remove(&path, &"b".parse().unwrap()), Err(EditError::Absent(_))));
}

#[test]
fn a_file_that_cannot_be_changed_safely_is_left_as_it_was() {
    let folder = Folder::new();
    let path = folder.0.join("devices.toml");
    let inline = format!("device = [{{ id = \"a\", secret_hash = \"{HASH}\" }}]\n");
    std::fs::write(&path, &inline).unwrap();
    assert!(matches!(remove(&path, &"a".parse().unwrap()), Err(EditError::Layout(_))));
    assert!(matches!(add(&path, &new_device("b")), Err(EditError::File(_))), "an array cannot be extended");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), inline);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn neither_a_secret_nor_its_hash_is_shown_by_debug() {
    let secret = Secret::draw().unwrap();
    let hash = SecretHash::of(&secret).unwrap();
    assert_eq!(secret.reveal().len(), 40);
    let shown = format!("{secret:?} {hash:?}");
    assert!(!shown.contains(secret.reveal()));
    assert_eq!(shown, "Secret(…) SecretHash(…)");
}

#[test]
fn the_sample_in_config_is_a_devices_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/devices.toml");
    assert_eq!(load(&path).unwrap().len(), 2);
}

#[test]
fn a_long_file_is_read_in_parts_as_if_it_were_one() {
    let entry = |n: usize| format!("[[device]] # number {n}\nid = \"d{n:04}\"\nsecret_hash = \"{HASH}\"\n\n");
    let mut text = "# devices\n".to_owned();
    text.extend((0..300).map(entry));
    let path = Path::new("devices.toml");
    let devices = parse(path, &text).expect("a good file");
    assert_eq!(devices.len(), 300);
    assert_eq!(devices[299].id.as_str(), "d0299");
    let twice = format!("{text}{}", entry(7));
    let said = parse(path, &twice).expect_err("an id twice").to_string();
    assert_eq!(said, "devices.toml:1203: id: this id is already used on line 31");
    let wrong = format!("{text}[[device]]\nid = 5\n");
    let said = parse(path, &wrong).expect_err("no name").to_string();
    assert!(said.starts_with("devices.toml:1203: "), "{said}");
    let mixed = format!("device = [{{ id = \"a\", secret_hash = \"{HASH}\" }}]\n{text}");
    assert!(parse(path, &mixed).is_err(), "an array that is written out cannot be added to");
    let quoted = format!("[[device]]\nid = \"a\"\nsecret_hash = \"{HASH}\"\nplace = \"\"\"\n[[device]]\n\"\"\"\n");
    let said = parse(path, &quoted).expect_err("a place of several lines").to_string();
    assert_eq!(said, "devices.toml:4: place: must be 1 to 96 bytes without control characters");
}
