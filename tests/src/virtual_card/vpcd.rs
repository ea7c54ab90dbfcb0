//! The wire between the reader driver vpcd and a virtual card (protocol page of vsmartcard).
//!
//! Both ways a message is a length (u16, big-endian) and that many bytes. A message of one byte is a control:
//! 00 power off, 01 power on, 02 reset, all without a reply; 04 asks for the ATR. Anything else is a command APDU,
//! answered by a response APDU. The driver has no time-out anywhere.
//!
//! **Invariant:** a message is written in one piece, so that the driver, which reads length and body apart, never waits for a
//! delayed acknowledgement; the other direction's acknowledgements are sent at once for the same reason (44 ms otherwise).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use crate::pcscd;

/// The port of vpcd's first slot; each further slot has the next one.
pub const PORT: u16 = 0x8C7B;

/// Where vpcd listens for one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VpcdAddress {
    /// In the ordinary network: the machine's own pcscd with Debian's configuration of vpcd.
    Tcp(SocketAddr),
    /// In the network namespace of a [`pcscd::Pcscd`].
    Private {
        /// The directory of that pcscd.
        directory: PathBuf,
        /// The slot's port there.
        port: u16,
    },
}

impl VpcdAddress {
    /// Connects, which puts a card onto the reader.
    pub fn connect(&self) -> io::Result<TcpStream> {
        match self {
            Self::Tcp(address) => TcpStream::connect(address),
            Self::Private { directory, port } => pcscd::connect_inside(directory, *port),
        }
    }
}

/// What vpcd sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Control 00.
    PowerOff,
    /// Control 01.
    PowerOn,
    /// Control 02.
    Reset,
    /// Control 04; wants [`Wire::send`] with the ATR.
    GetAtr,
    /// A control byte that the protocol page does not name; gets no reply.
    UnknownControl(u8),
    /// A command APDU; wants [`Wire::send`] with the response.
    Apdu(Vec<u8>),
}

/// One connection with vpcd.
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Takes over an accepted connection.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        rustix::net::sockopt::set_tcp_quickack(&stream, true)?;
        Ok(Self { stream })
    }

    /// The next message, or `None` when the driver closed the connection between two messages.
    pub fn receive(&mut self) -> io::Result<Option<Message>> {
        let mut length = [0; 2];
        if !self.fill(&mut length)? {
            return Ok(None);
        }
        let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
        if !self.fill(&mut payload)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(parse(payload)))
    }

    /// Sends an ATR or a response APDU; more than 65,535 bytes cannot be said in this protocol.
    pub fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u16::try_from(payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut frame = Vec::with_capacity(payload.len().saturating_add(2));
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame)
    }

    /// Fills the buffer; false when the connection ended before its first byte. Linux turns quick acknowledgement
    /// off again by itself, so it is armed after every read.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut have = 0;
        while have < buffer.len() {
            let rest = buffer.get_mut(have..).unwrap_or_default();
            match self.stream.read(rest) {
                Ok(0) if have == 0 => return Ok(false),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => have = have.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            rustix::net::sockopt::set_tcp_quickack(&self.stream, true)?;
        }
        Ok(true)
    }
}

fn parse(payload: Vec<u8>) -> Message {
    match payload.as_slice() {
        [0x00] => Message::PowerOff,
        [0x01] => Message::PowerOn,
        [0x02] => Message::Reset,
        [0x04] => Message::GetAtr,
        [other] => Message::UnknownControl(*other),
        _apdu => Message::Apdu(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    fn pair() -> (TcpStream, Wire) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let driver = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        let (stream, _) = listener.accept().expect("connected");
        (driver, Wire::new(stream).expect("a TCP socket"))
    }

    #[test]
    fn controls_and_apdus_are_told_apart_by_their_length() {
        let (mut driver, mut wire) = pair();
        driver.write_all(&[0, 1, 0, 0, 1, 1, 0, 1, 2, 0, 1, 4, 0, 1, 9, 0, 5, 0x80, 0x5C, 0, 2, 4]).expect("connected");
        drop(driver);
        let mut seen = Vec::new();
        while let Some(message) = wire.receive().expect("whole messages") {
            seen.push(message);
        }
        assert_eq!(
            seen,
            [
                Message::PowerOff,
                Message::PowerOn,
                Message::Reset,
                Message::GetAtr,
                Message::UnknownControl(9),
                Message::Apdu(vec![0x80, 0x5C, 0, 2, 4]),
            ]
        );
    }

    #[test]
    fn a_connection_that_ends_inside_a_message_is_an_error() {
        for cut in [&[0_u8][..], &[0, 5], &[0, 5, 0x80]] {
            let (mut driver, mut wire) = pair();
            driver.write_all(cut).expect("connected");
            drop(driver);
            assert!(wire.receive().is_err(), "{cut:02X?}");
        }
    }

    #[test]
    fn an_answer_longer_than_the_length_field_is_refused() {
        let (_driver, mut wire) = pair();
        assert!(wire.send(&vec![0; 65_536]).is_err());
        assert!(wire.send(&[0x90, 0x00]).is_ok());
    }
}
