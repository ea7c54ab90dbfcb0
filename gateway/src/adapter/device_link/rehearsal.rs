//! What the link makes of the bytes of one connection, without socket, clock and directory: the state machine that serves
//! connections, so that anybody can try millions of byte strings on it.
//!
//! **Invariant:** no secret is looked at: whoever names itself as a device should is let in.

use gateway_core::{AckCode, AckToken, LinkId, LinkInput, SessionId};
use mqtt_protocol_core::mqtt::common::Cursor;

use super::packets::LoginRefusal;
use super::session::{Login, Received, Session};

/// One connection.
pub struct Rehearsal {
    session: Session,
    written: Vec<u8>,
    over: bool,
}

impl Rehearsal {
    /// A fresh one, on which nothing was said; `number` tells its inputs from another's.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let id = SessionId { link: LinkId::Device, number };
        Self { session: Session::new(id), written: Vec::new(), over: false }
    }

    /// Reads bytes as they come from a socket; what they are for the core. What may not be read before something is
    /// acknowledged is left out.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<LinkInput> {
        let mut inputs = Vec::new();
        let mut cursor = Cursor::new(bytes);
        while !self.over && !self.session.is_full() && (cursor.position() as usize) < bytes.len() {
            let mut received = self.session.receive(&mut cursor, &mut self.written);
            if let Received::Login(login) = received {
                received = self.login(login);
            }
            match received {
                Received::Nothing | Received::Login(_) => {}
                Received::Input(input) => inputs.push(input),
                Received::Inputs(more) => inputs.extend(more),
                Received::End(_, input) => {
                    self.over = true;
                    inputs.extend(input);
                }
            }
        }
        inputs
    }

    /// Acknowledges a publish, as the core does once it is durable.
    pub fn acknowledge(&mut self, token: AckToken, code: AckCode) {
        self.session.acknowledge(token.packet, code, &mut self.written);
    }

    /// Whether the link has ended the connection.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What the link has written since the last look.
    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    fn login(&mut self, login: Login) -> Received {
        match (login.device, login.refusal) {
            (Some(device), None) => self.session.let_in(device, None, &mut self.written),
            (device, refusal) => {
                let why = refusal.unwrap_or(LoginRefusal::Secret);
                self.session.turn_away(why, device.as_ref(), false, &mut self.written)
            }
        }
    }
}
