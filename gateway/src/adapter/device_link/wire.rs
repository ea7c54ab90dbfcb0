//! Bytes to and from one peer, plain or under TLS, without waiting and without a buffer of our own.
//!
//! **Invariant:** nothing is read or written under TLS before the handshake has ended; a broken record ends the
//! connection.

use std::io::{self, ErrorKind, Read, Write};
use std::task::{Context, Poll};

use rustls::ServerConnection;
use tokio::net::TcpStream;

/// Why the peer can be neither read nor written any more.
#[derive(Debug)]
pub(super) enum Lost {
    /// The connection is gone.
    Gone,
    /// What came is no TLS, or none that is accepted.
    Tls,
}

/// What a try to read gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// So many bytes.
    Bytes(usize),
    /// Nothing just now.
    Later,
    /// The peer sends no more.
    End,
}

/// A connection's bytes.
pub(super) struct Wire {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Wire {
    /// A plain connection.
    pub fn plain(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// A connection that begins with a handshake.
    pub fn tls(socket: TcpStream, tls: ServerConnection) -> Self {
        Self { socket, tls: Some(Box::new(tls)) }
    }

    /// Ready when there may be something to read; else `context` is woken then.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error of the socket shows at the read that follows.
        self.socket.poll_read_ready(context).map(|_| ())
    }

    /// Ready when there may be room to write; else `context` is woken then.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_write_ready(context).map(|_| ())
    }

    /// Reads what is there.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Reading, Lost> {
        let Some(tls) = &mut self.tls else {
            return match self.socket.try_read(buffer) {
                Ok(0) => Ok(Reading::End),
                Ok(n) => Ok(Reading::Bytes(n)),
                Err(error) => later(&error),
            };
        };
        loop {
            match tls.reader().read(buffer) {
                Ok(0) => return Ok(Reading::End),
                Ok(n) => return Ok(Reading::Bytes(n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Ok(Reading::End),
            }
            match tls.read_tls(&mut Socket(&self.socket)) {
                Ok(0) => return Ok(Reading::End),
                Ok(_) => {}
                Err(error) => return later(&error),
            }
            let read = tls.process_new_packets().is_ok();
            // The handshake's next flight, or the alert that says what was wrong.
            write_tls(tls, &self.socket)?;
            if !read {
                return Err(Lost::Tls);
            }
        }
    }

    /// Writes from the front of `bytes` what can be written; `true` when nothing is left.
    pub fn write(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Lost> {
        let mut done = 0;
        let written = self.write_from(bytes, &mut done);
        bytes.drain(..done);
        written
    }

    fn write_from(&mut self, bytes: &[u8], done: &mut usize) -> Result<bool, Lost> {
        let Some(tls) = &mut self.tls else {
            while let Some(rest) = bytes.get(*done..).filter(|rest| !rest.is_empty()) {
                match self.socket.try_write(rest) {
                    Ok(n) => *done = done.saturating_add(n),
                    Err(error) => return later(&error).map(|_| false),
                }
            }
            return Ok(true);
        };
        if let Some(rest) = bytes.get(*done..).filter(|rest| !rest.is_empty()) {
            *done = done.saturating_add(tls.writer().write(rest).map_err(|_| Lost::Gone)?);
        }
        Ok(write_tls(tls, &self.socket)? && *done == bytes.len())
    }

    /// Says that we send no more; the peer can still read what was sent.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // Whether the peer hears it or not, the connection is over.
            write_tls(tls, &self.socket).ok();
        }
        rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write).ok();
    }

    /// Throws away what comes; `None` at the end.
    pub fn discard(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self.socket.try_read(buffer) {
            Ok(0) => None,
            Ok(n) => Some(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(0),
            Err(_) => None,
        }
    }
}

fn later(error: &io::Error) -> Result<Reading, Lost> {
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
        Ok(Reading::Later)
    } else {
        Err(Lost::Gone)
    }
}

fn write_tls(tls: &mut ServerConnection, socket: &TcpStream) -> Result<bool, Lost> {
    while tls.wants_write() {
        match tls.write_tls(&mut Socket(socket)) {
            Ok(_) => {}
            Err(error) => return later(&error).map(|_| false),
        }
    }
    Ok(true)
}

struct Socket<'s>(&'s TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
