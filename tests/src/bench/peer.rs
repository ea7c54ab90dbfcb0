//! The same reports through brokers: Debian's mosquitto with its persistence as hard as it goes, and any other one that runs
//! already. A subscriber with a kept session, who is away, is owed every report, as the centre is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fleet::{Account, Fleet, Plan, Target};
use super::limits::WARM_UP;
use super::table::{Goal, Table};
use super::{BenchError, Settings, figure, packets};
use crate::site::error::SiteError;
use crate::site::files;
use crate::site::limits::READY;
use crate::site::ports::Port;
use crate::site::process::{Process, Program};
use crate::site::wait::until;

/// Debian puts it there.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";
const SUBSCRIBER: &str = "away";
/// How long a subscriber waits for the next message before it takes it that there is none.
const SILENCE: Duration = Duration::from_secs(2);

/// Measures and prints.
///
/// # Errors
/// Anything that is measured fails.
pub async fn measure(table: &mut Table<'_>, settings: &Settings) -> Result<(), BenchError> {
    table.heading("the same reports through brokers, 100 × 20 under way, an absent subscriber is owed them")?;
    let mut ours = figure("this gateway, the same, an empty journal", "/s");
    for _ in 0..settings.rounds {
        let mut stage = super::stage::Stage::prepare(100, Vec::new(), 0, 0).await?;
        stage.site.gateway.start().await?;
        let fleet =
            Fleet::start(stage.target(false)?, stage.accounts("load-", 0, 100), Plan::Flood { window: 20 }).await?;
        tokio::time::sleep(WARM_UP).await;
        ours.values.push(fleet.rate(settings.each).await?);
        drop(fleet.cut().await);
    }
    table.figure(&ours)?;
    if Path::new(MOSQUITTO).exists() {
        mosquitto(table, settings, false).await?;
        let hard = mosquitto(table, settings, true).await?;
        table.goal(Goal::at_least("this gateway ÷ mosquitto at its hardest", ours.median() / hard.max(1.0), 10.0, "×"));
    } else {
        table.line("mosquitto is not installed: apt-get install mosquitto")?;
    }
    if let Some(address) = settings.peer {
        let mut rate = figure(format!("the broker at {address}, as it is configured"), "/s");
        for _ in 0..settings.rounds {
            rate.values.push(load(address, settings.each).await?.0);
        }
        rate.note = "not killed: it is not ours".to_owned();
        table.figure(&rate)?;
    }
    Ok(())
}

/// Debian's mosquitto, as it saves by itself or after each change, at most once a second.
async fn mosquitto(table: &mut Table<'_>, settings: &Settings, hard: bool) -> Result<f64, BenchError> {
    let name = if hard { "autosave_on_changes, each change" } else { "persistence as Debian sets it" };
    let mut rate = figure(format!("Debian's mosquitto, {name}"), "/s");
    let (mut lost, mut of) = (0, 0);
    for _ in 0..settings.rounds {
        let mut broker = Broker::prepare(hard)?;
        broker.start().await?;
        let (found, acknowledged) = load_and_kill(&mut broker, settings.each).await?;
        broker.start().await?;
        let kept = subscribe(broker.port.address(), true).await?;
        rate.values.push(found);
        lost += acknowledged.saturating_sub(kept);
        of += acknowledged;
    }
    rate.note = format!("lost when killed amid them: {lost} of {of} acknowledged");
    table.figure(&rate)?;
    Ok(rate.median())
}

async fn load_and_kill(broker: &mut Broker, within: Duration) -> Result<(f64, u64), BenchError> {
    let address = broker.port.address();
    subscribe(address, false).await?;
    let fleet = Fleet::start(Target { address, tls: None }, accounts(), Plan::Flood { window: 20 }).await?;
    tokio::time::sleep(WARM_UP).await;
    let rate = fleet.rate(within).await?;
    broker.process = None;
    let acknowledged = fleet.cut().await;
    Ok((rate, acknowledged.iter().map(|(_, numbers)| numbers.len() as u64).sum()))
}

/// Reports acknowledged a second, and in all.
async fn load(address: SocketAddr, within: Duration) -> Result<(f64, u64), BenchError> {
    subscribe(address, false).await?;
    let fleet = Fleet::start(Target { address, tls: None }, accounts(), Plan::Flood { window: 20 }).await?;
    tokio::time::sleep(WARM_UP).await;
    let rate = fleet.rate(within).await?;
    let acknowledged = fleet.cut().await;
    Ok((rate, acknowledged.iter().map(|(_, numbers)| numbers.len() as u64).sum()))
}

fn accounts() -> Vec<Account> {
    (0..100).map(|number| Account { device: format!("load-{number:05}"), secret: None }).collect()
}

/// The subscriber comes with a kept session, and goes; or comes back, and counts what it was owed.
async fn subscribe(address: SocketAddr, back: bool) -> Result<u64, BenchError> {
    let gone = |_| BenchError::Peer(address);
    let mut socket = TcpStream::connect(address).await.map_err(gone)?;
    let mut hello = packets::connect(SUBSCRIBER, None, false);
    if !back {
        hello.extend(packets::subscribe("care/v1/+/event"));
    }
    socket.write_all(&hello).await.map_err(gone)?;
    let mut answer = vec![0; if back { 4 } else { 9 }];
    socket.read_exact(&mut answer).await.map_err(gone)?;
    if !back {
        socket.write_all(&[0xE0, 0x00]).await.map_err(gone)?;
        return Ok(0);
    }
    let (mut bytes, mut count) = (Vec::new(), 0);
    // Silence, or the end: there is no more.
    while let Ok(Ok(1..)) = tokio::time::timeout(SILENCE, socket.read_buf(&mut bytes)).await {
        let mut answer = Vec::new();
        let taken = packets::each(&bytes, |packet| {
            if let packets::Heard::Command { id, .. } = packet {
                count += 1;
                packets::puback(&mut answer, id);
            }
        });
        bytes.drain(..taken);
        socket.write_all(&answer).await.map_err(gone)?;
    }
    Ok(count)
}

/// A mosquitto of our own.
struct Broker {
    directory: PathBuf,
    program: Program,
    process: Option<Process>,
    port: Port,
}

impl Broker {
    fn prepare(hard: bool) -> Result<Self, SiteError> {
        let (directory, port) = (files::new_directory()?, Port::claim()?);
        let config = directory.join("mosquitto.conf");
        let saves = if hard { "autosave_on_changes true\nautosave_interval 1\n" } else { "" };
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n\
             log_type error\npersistence true\npersistence_location {}/\nuser root\n{saves}",
            port.address().port(),
            directory.display()
        );
        files::write(&config, &text)?;
        let program = Program {
            name: "mosquitto".to_owned(),
            path: MOSQUITTO.into(),
            arguments: vec!["-c".into(), config.into_os_string()],
            before: Vec::new(),
            variables: Vec::new(),
            log: directory.join("mosquitto.log"),
        };
        Ok(Self { directory, program, process: None, port })
    }

    async fn start(&mut self) -> Result<(), SiteError> {
        self.process = Some(self.program.start()?);
        let address = self.port.address();
        until("mosquitto listens", READY, async || TcpStream::connect(address).await.ok()).await?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process = None;
        // A directory that cannot be removed is left to the system's cleaning of its temporary files.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}
