//! A button as a device of the site: counts its reports, waits for acknowledgements, hears commands.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::error::{Seen, SiteError};
use super::limits;
use super::mqtt::{Connection, Heard, Login};

/// A device that is connected.
#[derive(Debug)]
pub struct Button {
    login: Login,
    connection: Connection,
    epoch: u32,
    seq: u64,
    commands: Vec<HeardCommand>,
}

/// A command as it was heard.
#[derive(Debug, Clone)]
pub struct HeardCommand {
    /// Its JSON.
    pub body: Value,
    /// When.
    pub at: Instant,
}

/// A report that was acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Pressed {
    /// Its epoch.
    pub epoch: u32,
    /// Its number.
    pub seq: u64,
    /// When the button was pressed.
    pub at: Instant,
    /// From the press to its PUBACK.
    pub acknowledged_after: Duration,
}

impl Pressed {
    /// The id of the alarm that it raised.
    #[must_use]
    pub fn alarm(&self, device: &str) -> String {
        format!("{device}.{}.{}", self.epoch, self.seq)
    }
}

impl Button {
    /// Connects; its reports are numbered from 1 in this epoch.
    ///
    /// # Errors
    /// It is not let in.
    pub async fn connect(login: Login, epoch: u32) -> Result<Self, SiteError> {
        let connection = Connection::open(&login).await?;
        Ok(Self { login, connection, epoch, seq: 0, commands: Vec::new() })
    }

    /// Connects anew, as after a reset of the gateway.
    ///
    /// # Errors
    /// It is not let in.
    pub async fn reconnect(&mut self) -> Result<(), SiteError> {
        self.connection = Connection::open(&self.login).await?;
        Ok(())
    }

    /// Its id.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.login.device
    }

    /// Reports an event of this kind and waits for the PUBACK.
    ///
    /// # Errors
    /// It was cut off, or no PUBACK came in time.
    pub async fn press(&mut self, kind: &str) -> Result<Pressed, SiteError> {
        let report = self.new_report(kind);
        let at = Instant::now();
        self.send(report).await?;
        Ok(Pressed { epoch: self.epoch, seq: self.seq, at, acknowledged_after: at.elapsed() })
    }

    /// The bytes of a report with the next number, to be sent until it is acknowledged.
    #[must_use]
    pub fn new_report(&mut self, kind: &str) -> Vec<u8> {
        self.seq = self.seq.saturating_add(1);
        let body = json!({"v": 1, "epoch": self.epoch, "seq": self.seq, "kind": kind, "boot": 1});
        body.to_string().into_bytes()
    }

    /// Sends any payload to its event topic and waits for the PUBACK.
    ///
    /// # Errors
    /// It was cut off, or no PUBACK came in time.
    pub async fn send(&mut self, payload: Vec<u8>) -> Result<(), SiteError> {
        self.connection.report(self.seq, payload)?;
        let started = Instant::now();
        loop {
            let left = limits::ACKNOWLEDGED.saturating_sub(started.elapsed());
            match self.connection.hear_within(left).await {
                Some(Heard::Acknowledged { .. }) => return Ok(()),
                Some(Heard::Command { payload, at }) => self.keep(&payload, at),
                Some(Heard::Closed { why }) => {
                    return Err(SiteError::Device { device: self.login.device.clone(), why });
                }
                None => return Err(self.late("the PUBACK of a report", limits::ACKNOWLEDGED)),
            }
        }
    }

    /// The connection, for what a well-behaved device never does.
    #[must_use]
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Waits for a command that says this state of the alarm with this number; returns it. Commands that were heard before
    /// count.
    ///
    /// # Errors
    /// It was cut off, or no such command came in time.
    pub async fn hear_state(&mut self, seq: u64, state: &str, within: Duration) -> Result<HeardCommand, SiteError> {
        let epoch = self.epoch;
        let fits = |command: &HeardCommand| {
            let alarm = &command.body["alarm"];
            let seqs = alarm["seqs"].as_array().map(Vec::as_slice).unwrap_or_default();
            alarm["epoch"] == epoch && alarm["state"] == state && seqs.iter().any(|one| *one == seq)
        };
        let started = Instant::now();
        loop {
            if let Some(found) = self.commands.iter().find(|command| fits(command)) {
                return Ok(found.clone());
            }
            let left = within.saturating_sub(started.elapsed());
            match self.connection.hear_within(left).await {
                Some(Heard::Command { payload, at }) => self.keep(&payload, at),
                Some(Heard::Acknowledged { .. }) => {}
                Some(Heard::Closed { why }) => {
                    return Err(SiteError::Device { device: self.login.device.clone(), why });
                }
                None => return Err(self.late(&format!("the command `{state}` for press {seq}"), within)),
            }
        }
    }

    /// The commands heard so far.
    #[must_use]
    pub fn commands(&self) -> &[HeardCommand] {
        &self.commands
    }

    fn keep(&mut self, payload: &[u8], at: Instant) {
        let body = serde_json::from_slice(payload).unwrap_or(Value::Null);
        self.commands.push(HeardCommand { body, at });
    }

    fn late(&self, what: &str, within: Duration) -> SiteError {
        let heard: Vec<String> = self.commands.iter().map(|command| command.body.to_string()).collect();
        let what = format!("{}: {what}", self.login.device);
        SiteError::Late { what, within, last: Seen(Some(format!("commands {}", heard.join(" ")))) }
    }
}
