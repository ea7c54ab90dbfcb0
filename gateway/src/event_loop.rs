//! The event loop: `select` awaits and changes nothing, `apply` changes the core and awaits nothing.
//!
//! ```text
//!   device_link ─┐                                      ┌─> acknowledgements, commands
//!   broker ──────┤                                      ├─> dialogues, verdicts
//!   card_reader ─┼─> select ─> Core::handle ─> effects ─┼─> uploads, holds, polls
//!   uplink ──────┤       ▲                              ├─> answers and notices for pages
//!   kiosk ───────┘       └── Committed <── journal <────┴─> group commit
//! ```
//!
//! **Invariant:** the core is touched by this task only.
//! **Invariant:** everything that waits is handled before a group commit starts, so it shares the group.

use std::time::Duration;

use gateway_core::{CardInput, Core, DeskInput, Effect, Input, LinkInput, Mono, Now, UplinkInput};
use tokio::sync::{mpsc, watch};

use crate::adapter::kiosk::view::Query;
use crate::adapter::store::{StoreEvent, StoreFailure};
use crate::limits::{IDLE_LOOK, INPUTS_PER_TURN};

/// Where the loop's inputs come from.
#[derive(Debug)]
pub struct Inputs {
    /// From both device adapters.
    pub link: mpsc::Receiver<LinkInput>,
    /// From the journal.
    pub store: mpsc::Receiver<StoreEvent>,
    /// From the centre.
    pub uplink: mpsc::Receiver<UplinkInput>,
    /// From people.
    pub desk: mpsc::Receiver<DeskInput>,
    /// From the readers.
    pub card: mpsc::Receiver<CardInput>,
    /// Questions of the local interface.
    pub queries: mpsc::Receiver<Query>,
}

/// What the loop needs from outside, besides inputs.
pub trait Outside {
    /// The time.
    fn now(&mut self) -> Now;
    /// Carries an effect out, without waiting.
    fn carry_out(&mut self, effect: Effect);
    /// Hands over what was collected: called when no more effects come out for now.
    fn hand_over(&mut self);
    /// Answers a question about the core, without waiting.
    fn answer(&mut self, core: &Core, query: Query, now: &Now);
    /// Called once a turn, for the watchdog and what is looked after from time to time; what it found becomes input, and
    /// it is called again until nothing was found.
    fn look_around(&mut self, core: &Core) -> Option<Input>;
}

/// Why the loop ended.
#[derive(Debug)]
pub enum Ended {
    /// It was told to.
    Shutdown,
    /// A commit failed: its outcome is unknown until the journal is opened anew.
    CommitFailed(StoreFailure),
    /// An adapter that the gateway cannot do without has ended.
    AdapterGone(&'static str),
    /// A disk that took nothing takes commits again.
    StorageIsBack,
}

enum Turn {
    Link,
    Store(StoreEvent),
    Uplink(UplinkInput),
    Desk(DeskInput),
    Card(CardInput),
    Query(Query),
    Time,
    Ended(Ended),
}

/// Runs until told to stop, a commit fails or an adapter is gone. After the order to stop nothing more is taken in, and
/// what waits is committed first, within `grace`.
pub async fn run<O: Outside>(
    mut core: Core,
    mut inputs: Inputs,
    outside: &mut O,
    mut shutdown: watch::Receiver<bool>,
    grace: Duration,
) -> Ended {
    let mut link = Vec::with_capacity(INPUTS_PER_TURN);
    drain(&mut core, outside);
    loop {
        let wake = next_wake(&core, outside);
        let turn = select(&mut inputs, &mut link, &mut shutdown, !core.is_intake_paused(), wake).await;
        let now = outside.now();
        match apply(&mut core, outside, turn, &mut link, &now) {
            None => {}
            Some(Ended::Shutdown) => return drain_journal(core, inputs, outside, grace).await,
            Some(ended) => return ended,
        }
        drain(&mut core, outside);
        while let Some(input) = outside.look_around(&core) {
            core.handle(input, &now);
            drain(&mut core, outside);
        }
    }
}

fn next_wake<O: Outside>(core: &Core, outside: &mut O) -> Duration {
    let Some((Mono(at), _)) = core.poll_timeout() else { return IDLE_LOOK };
    let Mono(now) = outside.now().mono;
    Duration::from_millis(at.saturating_sub(now)).min(IDLE_LOOK)
}

/// Waits for what comes first. The journal comes before everything, for it releases what waits.
async fn select(
    inputs: &mut Inputs,
    link: &mut Vec<LinkInput>,
    shutdown: &mut watch::Receiver<bool>,
    take_reports: bool,
    wake: Duration,
) -> Turn {
    let Inputs { link: reports, store, uplink, desk, card, queries } = inputs;
    // In fair turns: however many reports come in, alarms still leave, people are answered and cards are served.
    let others = async {
        tokio::select! {
            count = reports.recv_many(link, INPUTS_PER_TURN), if take_reports => {
                if count == 0 { Turn::Ended(Ended::AdapterGone("device_link")) } else { Turn::Link }
            }
            input = card.recv() => input.map_or(Turn::Ended(Ended::AdapterGone("card_reader")), Turn::Card),
            input = desk.recv() => input.map_or(Turn::Ended(Ended::AdapterGone("kiosk")), Turn::Desk),
            input = uplink.recv() => input.map_or(Turn::Ended(Ended::AdapterGone("uplink")), Turn::Uplink),
            query = queries.recv() => query.map_or(Turn::Ended(Ended::AdapterGone("kiosk")), Turn::Query),
            () = tokio::time::sleep(wake) => Turn::Time,
        }
    };
    tokio::select! {
        biased;
        changed = shutdown.wait_for(|stop| *stop) => {
            drop(changed);
            Turn::Ended(Ended::Shutdown)
        }
        event = store.recv() => event.map_or(Turn::Ended(Ended::AdapterGone("store")), Turn::Store),
        turn = others => turn,
    }
}

fn apply<O: Outside>(
    core: &mut Core,
    outside: &mut O,
    turn: Turn,
    link: &mut Vec<LinkInput>,
    now: &Now,
) -> Option<Ended> {
    match turn {
        Turn::Link => {
            for input in link.drain(..) {
                core.handle(Input::Link(input), now);
            }
        }
        Turn::Store(StoreEvent::Input(input)) => core.handle(Input::Store(input), now),
        Turn::Store(StoreEvent::Failed(failure)) => return Some(Ended::CommitFailed(failure)),
        Turn::Uplink(input) => core.handle(Input::Uplink(input), now),
        Turn::Desk(input) => core.handle(Input::Desk(input), now),
        Turn::Card(input) => core.handle(Input::Card(input), now),
        Turn::Query(query) => outside.answer(core, query, now),
        Turn::Time => core.handle(Input::Timer, now),
        Turn::Ended(ended) => return Some(ended),
    }
    None
}

fn drain<O: Outside>(core: &mut Core, outside: &mut O) {
    while let Some(effect) = core.poll_effect() {
        outside.carry_out(effect);
    }
    outside.hand_over();
}

/// The order to stop came: takes nothing more in, and waits until what was taken is durable and answered.
async fn drain_journal<O: Outside>(mut core: Core, mut inputs: Inputs, outside: &mut O, grace: Duration) -> Ended {
    let deadline = tokio::time::Instant::now() + grace;
    loop {
        drain(&mut core, outside);
        if core.is_settled() {
            return Ended::Shutdown;
        }
        match tokio::time::timeout_at(deadline, inputs.store.recv()).await {
            Ok(Some(StoreEvent::Input(input))) => {
                let now = outside.now();
                core.handle(Input::Store(input), &now);
            }
            Ok(Some(StoreEvent::Failed(failure))) => return Ended::CommitFailed(failure),
            Ok(None) => return Ended::AdapterGone("store"),
            Err(_) => {
                tracing::error!("the journal did not take what was waiting within the grace period");
                return Ended::Shutdown;
            }
        }
    }
}

#[cfg(test)]
#[path = "event_loop_tests.rs"]
mod tests;
