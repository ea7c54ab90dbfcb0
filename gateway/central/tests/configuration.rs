//! Every mistake in the configuration is refused with file, line, key and what would be right.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use central::config;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("central-config-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory can be made");
        Self(path)
    }

    fn file(&self, text: &[u8]) -> PathBuf {
        let path = self.0.join("central.toml");
        std::fs::write(&path, text).expect("a file can be written");
        path
    }

    /// Each text is refused with the words beside it.
    fn refuses(&self, cases: &[(&[u8], &[&str])]) {
        for (text, expected) in cases {
            let path = self.file(text);
            let mistake = config::read(&path).and_then(config::Unchecked::check).expect_err("a mistake").to_string();
            assert!(mistake.starts_with(&path.display().to_string()), "{mistake}");
            for word in *expected {
                assert!(mistake.contains(word), "{word} in {mistake}");
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn the_sample_is_a_configuration() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/central.toml");
    let unchecked = config::read(&sample).expect("the sample can be read");
    assert_eq!(unchecked.config.listen.to_string(), "127.0.0.1:8090");
    let unit = std::fs::read_to_string(sample.with_file_name("central.service")).expect("the unit");
    let state = unit.lines().find_map(|line| line.strip_prefix("StateDirectory=")).expect("it has a state directory");
    assert!(unit.contains("ProtectSystem=strict"), "nothing but the state directory can be written");
    assert!(unchecked.config.database.starts_with(Path::new("/var/lib").join(state)));
    let text = std::fs::read_to_string(&sample).expect("the sample can be read");
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line).to_owned() + "\n")
        .collect();
    let scratch = Scratch::new("sample");
    let all = config::read(&scratch.file(uncommented.replace("# client_ca", "client_ca").as_bytes()));
    assert!(
        all.expect("the settings that are commented out are settings")
            .config
            .tls
            .is_some_and(|tls| tls.client_ca.is_some())
    );
}

fn is_setting(line: &str) -> bool {
    line.starts_with('[') || line.contains(" = \"") || line.starts_with("# ")
}

#[test]
fn h5_a_mistake_in_the_form_names_section_and_key_and_what_would_be_right() {
    let cases: [(&[u8], &[&str]); 12] = [
        (b"", &[": listen: is missing", "127.0.0.1:8090"]),
        (b"# listen = 5\nlog = \"info\"\n", &[": listen: is missing"]),
        (b"listen = \"127.0.0.1:0\"\n", &[": database: is missing", "central.db"]),
        (b"\nlistn = \"x\"\n", &[":2: listn: is not known", "one of listen, database, log, issuer"]),
        (b"listen = 8090\ndatabase = \"x\"", &[":1: listen: has the wrong type", "127.0.0.1:8090"]),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[tls]\nkey = \"k\"\n",
            &[":3: tls.certificate: is missing", "PEM"],
        ),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[issuer]\n",
            &[":3: issuer.keys: is missing", "issuer-keys.toml"],
        ),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[issuer]\nkey = \"k\"\n",
            &[":4: issuer.key: is not known", "one of keys"],
        ),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[isuer]\nkeys = \"k\"\n",
            &[":3: isuer: is not known", "issuer"],
        ),
        (b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\ntls = 5\n", &[":3: tls: is a section"]),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[supervision]\ngateway_silent_s = -5\n",
            &[":4: supervision.gateway_silent_s: has the wrong type", "180"],
        ),
        (b"database = \"x\"\nlisten = \n", &[":2: listen: "]),
    ];
    Scratch::new("form").refuses(&cases);
}

#[test]
fn h5_each_mistake_names_file_line_key_and_what_would_be_right() {
    let scratch = Scratch::new("mistakes");
    let good = "listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n";
    std::fs::create_dir_all(scratch.0.join("folder")).expect("a directory");
    for (name, text, mode) in [
        ("garbage.toml", "dik = 5", 0o600),
        ("open.toml", "", 0o644),
        ("garbage.pem", "no PEM", 0o600),
        ("open.pem", "", 0o604),
        ("open.db", "", 0o644),
        ("beside.db", "", 0o600),
        ("beside.db-wal", "", 0o604),
    ] {
        let path = scratch.0.join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
    }
    let cases: [(&[u8], &[&str]); 15] = [
        (b"listen = \"localhost\"\ndatabase = \"x\"", &[":1", "listen", "127.0.0.1:8090"]),
        (b"database = \"x\"\nlisten = \"0.0.0.0:80\"\n", &[":2", "listen", "loopback", "[tls]"]),
        (b"listen = \"127.0.0.1:0\"\ndatabase = \"\"\n", &[":2", "database", "empty"]),
        (b"listen = \"127.0.0.1:0\"\ndatabase = \"none/central.db\"\n", &[":2", "database", "does not exist"]),
        (b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\nlog = \"a=b=c\"\n", &[":3", "log", "info"]),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[issuer]\nkeys = \"gone.toml\"\n",
            &[":4", "issuer.keys", "gone.toml"],
        ),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[supervision]\ngateway_silent_s = 0\n",
            &[":4", "supervision.gateway_silent_s", "180"],
        ),
        (b"listen = \"\xff\"", &["UTF-8"]),
        (b"listen = \"127.0.0.1:0\"\ndatabase = \"folder\"\n", &[":2", "database", "directory"]),
        (b"listen = \"127.0.0.1:0\"\ndatabase = \"open.db\"\n", &[":2", "database", "open.db: mode 0644", "chmod 0600"]),
        (b"listen = \"127.0.0.1:0\"\ndatabase = \"beside.db\"\n", &[":2", "database", "beside.db-wal: mode 0604"]),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[issuer]\nkeys = \"garbage.toml\"\n",
            &[":4", "issuer.keys", "32 hexadecimal digits"],
        ),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[issuer]\nkeys = \"open.toml\"\n",
            &[":4", "issuer.keys", "mode 0644", "chmod 0600"],
        ),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[tls]\ncertificate = \"garbage.pem\"\nkey = \"garbage.pem\"\n",
            &[":4", "tls", "garbage.pem", "PEM"],
        ),
        (
            b"listen = \"127.0.0.1:0\"\ndatabase = \"x\"\n[tls]\ncertificate = \"garbage.pem\"\nkey = \"open.pem\"\n",
            &[":5", "tls.key", "mode 0604"],
        ),
    ];
    scratch.refuses(&cases);
    let with_mark = format!("\u{feff}{}", good.replace('\n', "\r\n"));
    assert!(
        config::read(&scratch.file(with_mark.as_bytes())).is_ok(),
        "a mark and line ends of other systems are taken"
    );
}

#[test]
fn a_wrong_configuration_ends_every_command_with_78_and_starts_nothing() {
    let scratch = Scratch::new("exit");
    let path = scratch.file(b"listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\nport = 1\n");
    for command in ["run", "seed-demo", "check-config"] {
        let done = Command::new(env!("CARGO_BIN_EXE_central")).arg(command).arg("--config").arg(&path).output();
        let done = done.expect("the program can be started");
        assert_eq!(done.status.code(), Some(78), "{command}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("central.toml:3: port: is not known"), "{done:?}");
    }
    assert!(!scratch.0.join("central.db").exists());
}

#[test]
fn the_database_is_made_for_its_owner_alone() {
    let scratch = Scratch::new("modes");
    let path = scratch.file(b"listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n");
    // Under whatever umask the service runs.
    let script = format!("umask 0; exec {} seed-demo --config {}", env!("CARGO_BIN_EXE_central"), path.display());
    let done = Command::new("sh").arg("-c").arg(script).output().expect("the program can be started");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let mode = |name: &str| std::fs::metadata(scratch.0.join(name)).map(|found| found.permissions().mode() & 0o777);
    for name in ["central.db", "central.db.lock"] {
        assert_eq!(mode(name).expect("it was made"), 0o600, "{name}");
    }
}

#[test]
fn a_right_configuration_is_said_to_be_well() {
    let scratch = Scratch::new("well");
    let path = scratch.file(b"listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n");
    let done = Command::new(env!("CARGO_BIN_EXE_central")).arg("check-config").arg("--config").arg(&path).output();
    let done = done.expect("the program can be started");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(!scratch.0.join("central.db").exists());
}
