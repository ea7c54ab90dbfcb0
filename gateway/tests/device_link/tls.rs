//! The TLS listener: with mosquitto's client, with garbage, with a wrong key file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use gateway::adapter::device_link::{
    BindError, CertificateError, DeviceLink, DeviceLinkHandle, DeviceLinkSettings, TlsSettings,
};
use gateway::devices_file::DeviceDirectory;
use gateway_core::{AckCode, LinkInput};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::rig::{DEADLINE, Raw, devices};

struct Site {
    folder: PathBuf,
    tls: TlsSettings,
}

impl Site {
    fn new() -> Self {
        let mut name = [0_u8; 8];
        getrandom::fill(&mut name).unwrap();
        let folder = std::env::temp_dir().join(format!("device-link-tls-{}", hex::encode(name)));
        std::fs::create_dir(&folder).unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        mode(&key, 0o600);
        Self { folder, tls: TlsSettings { address: "127.0.0.1:0".parse().unwrap(), certificate, key } }
    }

    fn bind(&self, inputs: mpsc::Sender<LinkInput>) -> Result<(DeviceLink, String), BindError> {
        let (devices, secrets) = devices(&["a"]);
        let settings = DeviceLinkSettings { tls: Some(self.tls.clone()), ..DeviceLinkSettings::default() };
        let link = DeviceLink::bind(&settings, Arc::new(DeviceDirectory::new(devices)), inputs)?;
        Ok((link, secrets[0].1.reveal().to_owned()))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

async fn press(
    site: &Site,
    port: u16,
    secret: &str,
    version: &str,
    inputs: &mut mpsc::Receiver<LinkInput>,
    handle: &DeviceLinkHandle,
) {
    let child = tokio::process::Command::new("mosquitto_pub")
        .args(["-h", "localhost", "-p", &port.to_string(), "-V", version, "-i", "a", "-u", "a", "-P", secret])
        .args(["-q", "1", "-t", "care/v1/a/event", "-m", "{}", "--cafile"])
        .arg(&site.tls.certificate)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mosquitto's clients are needed for this test: apt-get install mosquitto-clients");
    let input = timeout(DEADLINE, inputs.recv()).await.unwrap().unwrap();
    let LinkInput::Event { ack, .. } = input else { panic!("an event was expected, {input:?} came") };
    handle.ack(ack.unwrap(), AckCode::Success);
    let output = timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{version}: {output:?}");
}

#[tokio::test]
async fn a_device_presses_over_tls_while_others_send_garbage() {
    let site = Site::new();
    let (sender, mut inputs) = mpsc::channel(64);
    let (link, secret) = site.bind(sender).unwrap();
    let (address, handle) = (link.tls_address().unwrap(), link.handle());
    let task = tokio::spawn(link.run(std::future::pending()));
    press(&site, address.port(), &secret, "mqttv311", &mut inputs, &handle).await;

    let ssl_3 = [0x16, 3, 0, 0, 4, 1, 0, 0, 0];
    let garbage: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xFF; 4_096],
        &ssl_3,
        b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a",
        &[0x16, 3, 1, 0xFF, 0xFF, 0, 0, 0],
    ];
    for bytes in garbage {
        let mut raw = Raw::open(address).await;
        raw.send(bytes).await;
        let said = raw.rest().await;
        assert!(said.is_empty() || said[0] == 0x15, "an alert at most: {said:?}");
    }
    assert!(handle.stats().tls_failures >= 4);
    assert!(inputs.try_recv().is_err(), "nothing of it reaches the core");
    press(&site, address.port(), &secret, "mqttv5", &mut inputs, &handle).await;
    task.abort();
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut_and_a_large_flow_passes() {
    let site = Site::new();
    let (sender, mut inputs) = mpsc::channel(4);
    let (link, secret) = site.bind(sender).unwrap();
    let (address, handle) = (link.tls_address().unwrap(), link.handle());
    let task = tokio::spawn(link.run(std::future::pending()));
    let mut stalled = Raw::open(address).await;
    stalled.send(&[0x16, 3, 1, 2, 0]).await;
    let core = tokio::spawn({
        let handle = handle.clone();
        async move {
            let mut events = 0;
            while let Some(LinkInput::Event { ack, .. }) = inputs.recv().await {
                events += 1;
                ack.iter().for_each(|token| handle.ack(*token, AckCode::Success));
                if events == 2_000 {
                    break;
                }
            }
            events
        }
    });
    let mut child = tokio::process::Command::new("mosquitto_pub")
        .args(["-h", "localhost", "-p", &address.port().to_string(), "-V", "mqttv311", "-i", "a", "-u", "a"])
        .args(["-P", &secret, "-q", "1", "-t", "care/v1/a/event", "-l", "--cafile"])
        .arg(&site.tls.certificate)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("mosquitto's clients are needed for this test: apt-get install mosquitto-clients");
    let lines = format!("{:700}\n", "x").repeat(2_000);
    let mut input = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, lines.as_bytes()).await.unwrap();
    drop(input);
    assert_eq!(timeout(Duration::from_secs(60), core).await.unwrap().unwrap(), 2_000);
    let said = stalled.rest().await;
    assert!(said.is_empty() || said[0] == 0x15, "an alert at most, within the deadline for a greeting: {said:?}");
    task.abort();
}

#[tokio::test]
async fn e7_a_key_that_others_can_read_or_that_does_not_fit_is_refused() {
    let site = Site::new();
    let refused = |site: &Site| match site.bind(mpsc::channel(1).0) {
        Err(BindError::Certificate(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("bound"),
    };
    for bits in [0o644, 0o604, 0o660, 0o601] {
        mode(&site.tls.key, bits);
        assert!(matches!(refused(&site), CertificateError::KeyMode { mode, .. } if mode == bits));
    }
    for bits in [0o600, 0o400, 0o640] {
        mode(&site.tls.key, bits);
        assert!(site.bind(mpsc::channel(1).0).is_ok());
    }
    let other = Site::new();
    std::fs::copy(&other.tls.key, &site.tls.key).unwrap();
    mode(&site.tls.key, 0o600);
    assert!(matches!(refused(&site), CertificateError::Pair { .. }));
    std::fs::write(&site.tls.key, "no key").unwrap();
    assert!(matches!(refused(&site), CertificateError::Key { .. }));
    std::fs::write(&site.tls.certificate, "").unwrap();
    assert!(matches!(refused(&site), CertificateError::Certificate { .. }));
}
