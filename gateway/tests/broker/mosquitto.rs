//! A mosquitto of the test's own: free port, own folder, persistence; ended by its process, never by its name.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Anything that a test waits for comes within this, or the test fails: a probe that cannot go out just now is put off by 10 s, and
/// of a broker that forbids probes two have to go out.
pub const DEADLINE: Duration = Duration::from_secs(60);

const MISSING: &str = "mosquitto is needed for this test: apt-get install mosquitto mosquitto-clients";

pub struct Mosquitto {
    pub port: u16,
    folder: PathBuf,
    child: Child,
}

impl Mosquitto {
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// One with rules about topics, which can be changed while it runs.
    pub async fn with(rules: Option<&str>) -> Self {
        let mut name = [0_u8; 8];
        getrandom::fill(&mut name).unwrap();
        let folder = std::env::temp_dir().join(format!("broker-test-{}", hex::encode(name)));
        std::fs::create_dir(&folder).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
             user root\nmax_queued_messages 0\nlog_dest file {}/log\nlog_type all\n",
            folder.display(),
            folder.display()
        );
        let acl = folder.join("acl");
        let more = rules.map(|rules| {
            std::fs::write(&acl, rules).unwrap();
            format!("acl_file {}\n", acl.display())
        });
        std::fs::write(folder.join("conf"), config + &more.unwrap_or_default()).unwrap();
        let child = spawn(&folder);
        let broker = Self { port, folder, child };
        broker.listening().await;
        broker
    }

    /// Stops it as an administrator would, so that it saves its state, and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.begin().await;
    }

    /// Stops it as an administrator would.
    pub async fn stop(&mut self) {
        self.signal("TERM").await;
    }

    /// Starts it again.
    pub async fn begin(&mut self) {
        self.child = spawn(&self.folder);
        self.listening().await;
    }

    /// Kills it, takes its state away, and starts it again.
    pub async fn kill_and_forget(&mut self) {
        self.signal("KILL").await;
        std::fs::remove_file(self.folder.join("mosquitto.db")).ok();
        std::fs::remove_file(self.folder.join("log")).ok();
        self.child = spawn(&self.folder);
        self.listening().await;
    }

    /// Changes the rules about topics.
    pub async fn rule(&mut self, rules: &str) {
        std::fs::write(self.folder.join("acl"), rules).unwrap();
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", "HUP", &id]).status().await.unwrap().success());
    }

    async fn signal(&mut self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().await.unwrap().success());
        timeout(DEADLINE, self.child.wait()).await.expect("it ends in time").unwrap();
    }

    async fn listening(&self) {
        let until = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, until).await.expect("mosquitto listens in time");
    }

    /// Waits until the adapter's filters are subscribed, so many.
    pub async fn subscribed(&self, filters: usize) {
        self.logged("gateway-test 1 care/v1/", filters).await;
    }

    /// Waits until the adapter has unsubscribed both filters of a device.
    pub async fn unsubscribed(&self, device: &str) {
        for channel in ["event", "status"] {
            self.logged(&format!("gateway-test care/v1/{device}/{channel}"), 1).await;
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    async fn logged(&self, what: &str, lines: usize) {
        let until = async {
            loop {
                if self.log().lines().filter(|line| line.contains(what)).count() >= lines {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, until).await.expect("the adapter tells the broker in time");
    }

    pub async fn publish(&self, topic: &str, payload: &str) {
        let output = publish(self.port, topic, payload).await;
        assert!(output.status.success(), "{output:?}");
    }

    /// Publishes with the retained flag, so that the broker keeps it.
    pub async fn publish_kept(&self, topic: &str, payload: &str) {
        let output = client("mosquitto_pub", self.port).args(["-r", "-t", topic, "-m", payload]).output();
        let output = timeout(DEADLINE, output).await.expect("the client ends in time").expect(MISSING);
        assert!(output.status.success(), "{output:?}");
    }

    /// Publishes each line, one after the other on one connection.
    pub async fn publish_lines(&self, topic: &str, lines: &str) {
        let mut child =
            client("mosquitto_pub", self.port).args(["-t", topic, "-l"]).stdin(Stdio::piped()).spawn().expect(MISSING);
        let mut input = child.stdin.take().unwrap();
        input.write_all(lines.as_bytes()).await.unwrap();
        drop(input);
        assert!(timeout(DEADLINE, child.wait()).await.unwrap().unwrap().success());
    }

    /// A client that hears `count` messages and prints them; it is subscribed when this returns.
    pub async fn subscriber(&self, topic: &str, count: usize) -> Child {
        let child = client("mosquitto_sub", self.port)
            .args(["-t", topic, "-C", &count.to_string(), "-i", "device-test"])
            .stdout(Stdio::piped())
            .spawn()
            .expect(MISSING);
        let until = async {
            loop {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                if log.contains("Sending SUBACK to device-test") {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, until).await.expect("the subscriber is there in time");
        child
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.child.start_kill().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn spawn(folder: &std::path::Path) -> Child {
    Command::new("mosquitto")
        .arg("-c")
        .arg(folder.join("conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .or_else(|_| Command::new("/usr/sbin/mosquitto").arg("-c").arg(folder.join("conf")).kill_on_drop(true).spawn())
        .expect(MISSING)
}

fn client(tool: &str, port: u16) -> Command {
    let mut command = Command::new(tool);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1"]).kill_on_drop(true);
    command
}

async fn publish(port: u16, topic: &str, payload: &str) -> std::process::Output {
    let output = client("mosquitto_pub", port).args(["-t", topic, "-m", payload]).output();
    timeout(DEADLINE, output).await.expect("the client ends in time").expect(MISSING)
}

/// Publishes, again and again until the broker has taken it, as a device does.
pub async fn publish_until_taken(port: u16, topic: &str, payload: &str) {
    let until = async {
        while !publish(port, topic, payload).await.status.success() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, until).await.expect("the broker takes it in time");
}
