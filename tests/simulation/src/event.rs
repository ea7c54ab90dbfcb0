//! What can happen in a simulated world, and when.
//!
//! **Invariant:** events of one moment happen in the order in which they were planned, so that one seed gives one history.

use std::collections::BTreeMap;

use gateway_core::{DialogueId, Input, OutLane, Ticket, UplinkInput};
use protocols::uplink::{HoldRequest, Lane};

/// A request of a gateway to the centre.
#[derive(Debug, Clone)]
pub enum Request {
    /// Entries of a lane.
    Upload {
        /// The lane.
        lane: OutLane,
        /// From where on.
        after: u64,
        /// Number and bytes of each.
        entries: Vec<(u64, String)>,
    },
    /// An entry that no disk takes.
    Direct {
        /// The core's question.
        ticket: Ticket,
        /// The entry's bytes.
        entry: String,
    },
    /// Points are to be set aside.
    Hold {
        /// The sale at its gateway.
        sale: String,
        /// The request.
        request: HoldRequest,
    },
    /// A poll for orders.
    Orders {
        /// The lane.
        lane: Lane,
        /// The stream known so far.
        stream: String,
        /// The last order carried out.
        after: u64,
    },
}

/// One event.
#[derive(Debug)]
pub enum Event {
    /// Something reaches the core of a process, if it still runs.
    Input {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
        /// The input.
        input: Box<Input>,
    },
    /// The disk has the group under way, or the process dies of not knowing.
    Commit {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
    },
    /// The core wanted to be woken.
    Wake {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
    },
    /// A request reaches the centre.
    AtCentre {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
        /// What for.
        request: Request,
        /// Names it, so that one answer counts.
        number: u64,
    },
    /// An answer of the centre reaches its gateway, or the adapter's deadline has come.
    Answered {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
        /// Which request.
        number: u64,
        /// What the adapter says.
        input: Box<UplinkInput>,
    },
    /// A PUBACK reaches a button.
    Acknowledged {
        /// Index of the button.
        button: usize,
        /// The connection.
        session: u64,
        /// The packet.
        packet: u16,
    },
    /// A command reaches a button.
    Command {
        /// Index of the button.
        button: usize,
        /// The connection.
        session: u64,
        /// Its name at the gateway.
        command: gateway_core::CommandId,
        /// JSON.
        payload: Vec<u8>,
    },
    /// Somebody uses a button.
    Use {
        /// Index of the button.
        button: usize,
    },
    /// A button without a connection tries again.
    Connect {
        /// Index of the button.
        button: usize,
    },
    /// A person at the centre or at a gateway does something.
    Person,
    /// Something breaks.
    Fault,
    /// Somebody orders at a kiosk.
    Customer,
    /// A card is laid on a reader.
    Lay {
        /// Index of the gateway.
        gateway: usize,
        /// Index of the card.
        card: usize,
        /// Milliseconds until it is taken away, unless another one comes first.
        stays: u64,
    },
    /// A card is taken away.
    Take {
        /// Index of the gateway.
        gateway: usize,
        /// Which visit.
        visit: u64,
    },
    /// A dialogue with a card goes on, or has waited too long.
    Dialogue {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
        /// Which dialogue.
        dialogue: DialogueId,
        /// Which of its turns.
        turn: u64,
    },
    /// A button says that it is there.
    Heartbeat {
        /// Index of the button.
        button: usize,
    },
    /// Somebody looks whether silence is noticed.
    Watch,
    /// An alarm that became durable some time ago has to be at the centre.
    Due {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
        /// The alarm's origin.
        origin: String,
        /// The entry's kind.
        kind: String,
    },
    /// A gateway starts.
    Start {
        /// Index of the gateway.
        gateway: usize,
    },
    /// A disk that took nothing takes commits again: the process ends, to be started anew.
    DiskBack {
        /// Index of the gateway.
        gateway: usize,
        /// Which start of it.
        life: u64,
    },
}

/// Events by time.
#[derive(Debug, Default)]
pub struct Queue {
    // Boxed: the map moves what it keeps.
    planned: BTreeMap<(u64, u64), Box<Event>>,
    next: u64,
}

impl Queue {
    /// Plans an event.
    pub fn plan(&mut self, at: u64, event: Event) {
        let number = self.next;
        self.next = number.saturating_add(1);
        self.planned.insert((at, number), Box::new(event));
    }

    /// The next event and its time.
    pub fn take(&mut self) -> Option<(u64, Event)> {
        self.planned.pop_first().map(|((at, _), event)| (at, *event))
    }
}
