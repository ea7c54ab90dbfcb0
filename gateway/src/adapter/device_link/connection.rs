//! One connection's task: it waits, then turns: takes what the core has for it, reads, writes, hands inputs to the core.
//!
//! **Invariant:** when the core's intake is full, or as many publishes wait for their acknowledgement as may, nothing more
//! is read; nothing that was read is dropped.
//! **Invariant:** whatever was taken out of the letter box in one turn leaves in one write.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gateway_core::{LinkId, LinkInput, SessionId};
use mqtt_protocol_core::mqtt::common::Cursor;
use protocols::id::DeviceId;
use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::Shared;
use super::admission::Place;
use super::bucket::Bucket;
use super::limits;
use super::mailbox::Mailbox;
use super::packets::LoginRefusal;
use super::session::{End, Login, Received, Session};
use super::stats::{count, count_many};
use super::wire::{Lost, Reading, Wire};

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; limits::READ_BUFFER_LEN].into_boxed_slice());
}

/// What a logged-in connection is held to.
#[derive(Debug)]
struct Standing {
    device: DeviceId,
    silence: Duration,
    keep_session_s: u32,
    /// The core was told that it can send commands.
    announced: bool,
    qos_0: Bucket,
}

/// A place in the core's intake, once there is one.
type Room = Pin<Box<dyn Future<Output = Result<OwnedPermit<LinkInput>, SendError<()>>> + Send>>;

/// A connection.
pub(super) struct Connection {
    shared: Arc<Shared>,
    inputs: mpsc::Sender<LinkInput>,
    wire: Wire,
    session: Session,
    id: SessionId,
    mailbox: Arc<Mailbox>,
    place: Place,
    address: IpAddr,
    standing: Option<Standing>,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    /// What the core had no room for, in order; while there is some, room is waited for.
    pending: VecDeque<LinkInput>,
    room: Option<Room>,
    started: Instant,
    heard: Instant,
    paused_until: Option<Instant>,
    stalled: Option<Instant>,
    ended: Option<End>,
    lost: bool,
    stop_reading: bool,
}

enum Woken {
    Mail,
    Room(OwnedPermit<LinkInput>),
    Readable,
    Writable,
    Time,
    CoreGone,
}

impl Connection {
    pub fn new(
        shared: Arc<Shared>,
        inputs: mpsc::Sender<LinkInput>,
        wire: Wire,
        place: Place,
        address: IpAddr,
    ) -> Self {
        let id = SessionId { link: LinkId::Device, number: shared.next_number() };
        Self {
            shared,
            inputs,
            wire,
            session: Session::new(id),
            id,
            mailbox: Arc::new(Mailbox::default()),
            place,
            address,
            standing: None,
            unread: Vec::new(),
            unsent: Vec::new(),
            pending: VecDeque::new(),
            room: None,
            started: Instant::now(),
            heard: Instant::now(),
            paused_until: None,
            stalled: None,
            ended: None,
            lost: false,
            stop_reading: false,
        }
    }

    /// Runs the connection to its end. What is large or rarely there lies outside of the task, of which there are ten thousand:
    /// the connection itself, the wait for room, the end.
    pub async fn serve(mut self: Box<Self>) {
        let mut timer = pin!(sleep_until(self.due()));
        loop {
            self.turn();
            if self.is_done() {
                break;
            }
            let due = self.due();
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            match poll_fn(|context| self.poll_woken(timer.as_mut(), context)).await {
                Woken::Mail | Woken::Writable => {}
                Woken::Room(permit) => self.hand_over(permit),
                Woken::Readable => self.read(),
                Woken::CoreGone => self.lose(),
                Woken::Time => {
                    self.time();
                    timer.as_mut().reset(self.due());
                }
            }
        }
        Box::pin(self.finish()).await;
    }

    /// What there is to do first. Polled by hand, since every future of a `select!` would have its place in every task. Time
    /// comes last: it counts only for who is silent or may not be read.
    fn poll_woken(&mut self, timer: Pin<&mut Sleep>, context: &mut Context<'_>) -> Poll<Woken> {
        if self.mailbox.poll_filled(context).is_ready() {
            return Poll::Ready(Woken::Mail);
        }
        if !self.pending.is_empty() {
            let room = self.room.get_or_insert_with(|| Box::pin(self.inputs.clone().reserve_owned()));
            if let Poll::Ready(reserved) = room.as_mut().poll(context) {
                self.room = None;
                return Poll::Ready(reserved.map_or(Woken::CoreGone, Woken::Room));
            }
        }
        if self.stalled.is_some() && self.wire.poll_writable(context).is_ready() {
            return Poll::Ready(Woken::Writable);
        }
        if self.may_read() && self.wire.poll_readable(context).is_ready() {
            return Poll::Ready(Woken::Readable);
        }
        timer.poll(context).map(|()| Woken::Time)
    }

    fn turn(&mut self) {
        self.take_mail();
        if self.may_take() && !self.unread.is_empty() {
            let unread = std::mem::take(&mut self.unread);
            self.take(&unread);
        }
        if self.stop_reading && self.ended.is_none() && self.pending.is_empty() && self.session.unacked() == 0 {
            let received = self.session.end(End::Closed, None, &mut self.unsent);
            self.received(received);
        }
        self.flush();
        self.settle_commands();
    }

    fn take_mail(&mut self) {
        let mail = self.mailbox.take();
        self.stop_reading |= mail.stop_reading;
        if self.ended.is_some() {
            count_many(&self.shared.counters.acks_late, mail.acks.len());
            count_many(&self.shared.counters.commands_late, mail.commands.len());
            return;
        }
        for (packet, code) in &mail.acks {
            self.session.acknowledge(*packet, *code, &mut self.unsent);
        }
        count_many(&self.shared.counters.acks, mail.acks.len());
        let mut end = mail.end;
        for (command, payload) in mail.commands {
            if let Err(cannot) = self.session.command(command, payload, &mut self.unsent) {
                end = end.or(Some(cannot));
            }
        }
        if let Some(end) = end {
            let received = self.session.end(end, None, &mut self.unsent);
            self.received(received);
        }
    }

    fn may_take(&self) -> bool {
        let room = self.pending.is_empty() && !self.session.is_full() && self.paused_until.is_none();
        room && self.ended.is_none() && !self.stop_reading
    }

    fn may_read(&self) -> bool {
        self.may_take() && self.unread.is_empty() && self.stalled.is_none()
    }

    fn read(&mut self) {
        READ_BUFFER.with_borrow_mut(|buffer| match self.wire.read(buffer) {
            Ok(Reading::Bytes(n)) => {
                self.heard = Instant::now();
                if let Some(bytes) = buffer.get(..n) {
                    self.take(bytes);
                }
            }
            Ok(Reading::Later) => {}
            Ok(Reading::End) | Err(Lost::Gone) => self.lose(),
            Err(Lost::Tls) => {
                count(&self.shared.counters.tls_failures);
                self.lose();
            }
        });
    }

    /// Takes packets from `bytes` as long as it may; the rest waits.
    fn take(&mut self, bytes: &[u8]) {
        let mut cursor = Cursor::new(bytes);
        while self.may_take() && (cursor.position() as usize) < bytes.len() {
            let received = self.session.receive(&mut cursor, &mut self.unsent);
            self.received(received);
        }
        if self.ended.is_none() {
            self.unread.extend_from_slice(cursor.remaining_slice());
        }
    }

    fn received(&mut self, received: Received) {
        match received {
            Received::Nothing => {}
            Received::Login(login) => {
                let received = self.login(&login);
                self.received(received);
            }
            Received::Input(input) => self.input(input),
            Received::Inputs(inputs) => inputs.into_iter().for_each(|input| self.input(input)),
            Received::End(end, input) => {
                self.ended = self.ended.or(Some(end));
                if matches!(end, End::Refused(_)) {
                    count(&self.shared.counters.faults);
                }
                match input {
                    Some(input) if self.standing.is_some() => self.input(input),
                    Some(input) => self.shared.report_stranger(&self.inputs, input),
                    None => {}
                }
            }
        }
    }

    fn login(&mut self, login: &Login) -> Received {
        let now = self.heard.into_std();
        let refusal = match self.shared.judge(login, now) {
            Ok(device) => match self.shared.registry.enter(self.id.number, &device, login, &self.mailbox, now) {
                Ok(entered) => {
                    // The directory may have changed between the look and the entry, when nobody could cut this connection.
                    if self.shared.directory.verify(&device, &login.secret).is_err() {
                        self.mailbox.end(End::Revoked);
                    }
                    self.stand(device.clone(), login);
                    return self.session.let_in(device, entered.resumed, &mut self.unsent);
                }
                Err(_) => LoginRefusal::Closing,
            },
            Err(refusal) => refusal,
        };
        count(&self.shared.counters.logins_refused);
        let answered = refusal == LoginRefusal::Rate || self.shared.door.failure(self.address, now);
        self.session.turn_away(refusal, login.device.as_ref(), !answered, &mut self.unsent)
    }

    fn stand(&mut self, device: DeviceId, login: &Login) {
        count(&self.shared.counters.logins);
        self.place.known();
        // Section 3.1.2.10 of both versions: one and a half times the keep-alive.
        let silence = match login.keep_alive_s {
            0 => limits::IDLE_TIMEOUT,
            seconds => Duration::from_millis(u64::from(seconds).saturating_mul(1_500)),
        };
        let qos_0 = Bucket::new(limits::QOS_0_BURST, limits::QOS_0_REFILL, self.heard.into_std());
        let keep_session_s = login.keep_session_s;
        self.standing = Some(Standing { device, silence, keep_session_s, announced: false, qos_0 });
    }

    fn input(&mut self, input: LinkInput) {
        match (&input, &mut self.standing) {
            (LinkInput::Connected { .. }, Some(standing)) => standing.announced = true,
            (LinkInput::Event { ack, .. } | LinkInput::Status { ack, .. }, Some(standing)) => {
                count(&self.shared.counters.publishes);
                if ack.is_none() && !standing.qos_0.take_and_look(self.heard.into_std()) {
                    self.paused_until = Some(Instant::now() + limits::QOS_0_REFILL);
                }
            }
            (_, _) => {}
        }
        // The order stays: nothing overtakes what waits.
        if !self.pending.is_empty() {
            self.pending.push_back(input);
        } else if let Some(input) = self.offer(input) {
            self.pending.push_back(input);
        }
    }

    /// Gives an input to the core; gives it back where there is no room.
    fn offer(&mut self, input: LinkInput) -> Option<LinkInput> {
        match self.inputs.try_send(input) {
            Ok(()) => None,
            Err(TrySendError::Full(input)) => Some(input),
            Err(TrySendError::Closed(_)) => {
                self.pending.clear();
                self.lose();
                None
            }
        }
    }

    /// Hands over what the core has room for.
    fn hand_over(&mut self, permit: OwnedPermit<LinkInput>) {
        if let Some(first) = self.pending.pop_front() {
            permit.send(first);
        }
        while let Some(next) = self.pending.pop_front() {
            if let Some(next) = self.offer(next) {
                self.pending.push_front(next);
                return;
            }
        }
        // Rarely needed, so its memory is not kept.
        self.pending = VecDeque::new();
    }

    fn flush(&mut self) {
        if self.lost || (self.unsent.is_empty() && self.stalled.is_none()) {
            return;
        }
        let before = self.unsent.len();
        count(&self.shared.counters.writes);
        match self.wire.write(&mut self.unsent) {
            Ok(true) => {
                self.stalled = None;
                self.unsent = Vec::new();
            }
            Ok(false) if self.unsent.len() < before => self.stalled = Some(Instant::now()),
            Ok(false) => self.stalled = self.stalled.or(Some(Instant::now())),
            Err(_) => self.lose(),
        }
    }

    /// Tells the core what became of commands without an answer, once they are written.
    fn settle_commands(&mut self) {
        if self.lost || self.stalled.is_some() || !self.unsent.is_empty() {
            return;
        }
        for settled in self.session.settled() {
            if let LinkInput::CommandGivenUp { device, .. } = &settled {
                tracing::warn!(%device, "device link: a command is longer than the device takes; it is not sent");
            }
            self.input(settled);
        }
    }

    /// The next moment at which something is overdue. One that ended waits only until its last bytes are written.
    fn due(&self) -> Instant {
        let silence = self.standing.as_ref().map_or(limits::GREETING_TIMEOUT, |standing| standing.silence);
        let silent = self.ended.is_none().then(|| self.silent_since() + silence);
        let written = self.stalled.map(|since| since + limits::WRITE_TIMEOUT);
        let due = [silent, written, self.paused_until].into_iter().flatten().min();
        due.unwrap_or_else(|| Instant::now() + limits::WRITE_TIMEOUT)
    }

    /// A stranger's time runs from the start, so that a byte now and then gains nothing.
    fn silent_since(&self) -> Instant {
        if self.standing.is_some() { self.heard } else { self.started }
    }

    fn time(&mut self) {
        let now = Instant::now();
        if self.stalled.is_some_and(|since| now >= since + limits::WRITE_TIMEOUT) {
            return self.lose();
        }
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            self.heard = now;
            return;
        }
        if self.ended.is_some() || now < self.due() {
            return;
        }
        if self.standing.is_some() && !self.may_read() {
            // It may well have said something that we do not read just now.
            self.heard = now;
            return;
        }
        if self.standing.is_none() {
            count(&self.shared.counters.greetings_late);
        }
        let received = self.session.end(End::KeepAlive, None, &mut self.unsent);
        self.received(received);
    }

    fn lose(&mut self) {
        self.lost = true;
        self.stalled = None;
        self.unsent.clear();
        self.ended = self.ended.or(Some(End::ByDevice));
    }

    fn is_done(&self) -> bool {
        self.ended.is_some() && (self.lost || self.unsent.is_empty())
    }

    async fn finish(&mut self) {
        let disconnected = self.leave();
        // A place that is kept for it there would be missing here.
        self.room = None;
        for input in self.pending.drain(..).chain(disconnected) {
            if self.inputs.send(input).await.is_err() {
                break;
            }
        }
        if !self.lost {
            self.wire.finish();
            // Whoever does not close in time is closed.
            timeout(limits::LINGER_TIMEOUT, linger(&mut self.wire)).await.ok();
        }
    }

    /// Gives the registry back its entry; the input that tells the core.
    fn leave(&mut self) -> Option<LinkInput> {
        let standing = self.standing.take()?;
        let (number, now) = (self.id.number, Instant::now().into_std());
        let subscribed = self.session.subscribed();
        self.shared.registry.leave(number, &standing.device, subscribed, standing.keep_session_s, now);
        if standing.announced {
            Some(LinkInput::Disconnected { device: standing.device, session: self.id })
        } else {
            None
        }
    }
}

impl Drop for Connection {
    /// Reached with an entry only when the task was ended from outside.
    fn drop(&mut self) {
        if let Some(input) = self.leave() {
            self.inputs.try_send(input).ok();
        }
    }
}

/// Reads on until the peer has closed, so that the kernel does not throw away what we told it last.
async fn linger(wire: &mut Wire) {
    let mut left = limits::LINGER_LEN_MAX;
    while left > 0 {
        poll_fn(|context| wire.poll_readable(context)).await;
        match READ_BUFFER.with_borrow_mut(|buffer| wire.discard(buffer)) {
            Some(n) => left = left.saturating_sub(n),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_takes_little_memory() {
        fn size<F>(_: fn(Box<Connection>) -> F) -> usize {
            size_of::<F>()
        }
        let (connection, task) = (size_of::<Connection>(), size(Connection::serve));
        assert!(connection <= 1_344 && task <= 192, "{connection} bytes and {task} for its task");
    }
}
