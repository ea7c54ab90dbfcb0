//! The thread of one reader: takes the core's orders and carries each dialogue through, card and PSAM in turn.
//!
//! ```text
//! order ─► a card lies there? ─► PSAM lent, if needed ─► card held ─► steps … ─► Done told ─► card let go, PSAM given back
//!              └─ no ─► NotRun      └─ no ─► NotRun         └─ no ─► NotRun, each with its reason
//! ```
//!
//! **Invariant:** within a dialogue nothing is reset or connected anew: after any error of PC/SC the dialogue only hears
//! "no answer".
//! **Invariant:** without the core's word nothing is debited: a word that does not come in time counts as a no.
//! **Invariant:** logs have stages, words of status and errors; never a command's or an answer's data.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use gateway_core::{CardInput, CardVerdict, DialogueId, DialogueOrder, DialogueOutcome, NotRun};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use metrics::{counter, histogram};
use protocols::card::card_file::CardFile;
use protocols::card::crypto::Challenge;
use protocols::card::dialogue::{Answer, Slot as Side, Transmit};
use protocols::card::intent::PurchaseIntent;
use protocols::card::profile::Profile;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::connector::{Connector, HoldError};
use super::handle::Routes;
use super::limits::LOOK_MAX;
use super::line::LineError;
use super::presence::Lying;
use super::psam::{Lease, Psam};
use super::settings::CardDeadlines;
use super::site_time;
use super::slot::Slot;
use super::stepper::{Step, Stepper, Terms, needs_psam, order_word, outcome_word};

/// A dialogue to be carried through.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) dialogue: DialogueId,
    pub(super) order: DialogueOrder,
    /// What the core says to it.
    pub(super) words: Receiver<Word>,
}

/// What the core says to a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// On the card.
    Verdict(CardVerdict),
    /// The intent is durable.
    Proceed,
}

/// One reader.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) slot: Arc<Slot>,
    pub(super) connector: Connector,
    pub(super) psam: Arc<Psam>,
    pub(super) profile: Arc<Profile>,
    pub(super) deadlines: CardDeadlines,
    pub(super) zone: TimeZone,
    pub(super) inputs: mpsc::Sender<CardInput>,
    pub(super) routes: Arc<Routes>,
}

impl Reader {
    /// Runs until nobody orders any more.
    pub(super) fn run(&mut self, jobs: &Receiver<Job>) {
        // After a panic a card may still be held.
        self.connector.release();
        while let Ok(job) = jobs.recv() {
            let started = Instant::now();
            let outcome = DialogueOutcome::NotRun(NotRun::Broken);
            let owed = Owed { dialogue: job.dialogue, inputs: self.inputs.clone(), outcome };
            let (outcome, lease) = self.carry_through(&job);
            let (order, word) = (order_word(&job.order), outcome_word(&outcome));
            info!(reader = %self.slot.of, order, outcome = word, ms = started.elapsed().as_millis(), "dialogue");
            counter!("card_dialogues", "order" => order, "outcome" => word).increment(1);
            histogram!("card_dialogue_seconds", "order" => order).record(started.elapsed());
            self.routes.forget(job.dialogue);
            // Told first: the elder waits for this, and nobody for the card to be let go.
            owed.pay(outcome);
            drop(lease);
            self.connector.release();
        }
    }

    /// The outcome, with the PSAM if it was lent.
    fn carry_through(&mut self, job: &Job) -> (DialogueOutcome, Option<Lease>) {
        let Some(card) = self.slot.lying() else { return (DialogueOutcome::NotRun(self.slot.why_not()), None) };
        let mut lease = None;
        if needs_psam(&job.order) {
            match self.psam.lend(self.deadlines.psam_wait()) {
                Ok(lent) => lease = Some(lent),
                Err(why) => {
                    warn!(reader = %self.slot.of, why = why.word(), "no PSAM for a dialogue");
                    return (DialogueOutcome::NotRun(why), None);
                }
            }
        }
        let outcome = self.converse(job, &card, lease.as_mut()).unwrap_or_else(DialogueOutcome::NotRun);
        (outcome, lease)
    }

    /// An error where not even the first command went out.
    fn converse(&mut self, job: &Job, card: &Lying, lease: Option<&mut Lease>) -> Result<DialogueOutcome, NotRun> {
        let moment = self.moment().ok_or(NotRun::Broken)?;
        let challenge = Challenge::from_bytes(self.draw().ok_or(NotRun::Broken)?);
        let psam = lease.as_ref().and_then(|lease| lease.identity());
        let terms = Terms { profile: &self.profile, psam, challenge, moment };
        let (mut stepper, mut step) = Stepper::begin(&job.order, terms).ok_or(NotRun::Broken)?;
        self.hold(card)?;
        let mut parties = Parties { reader: self, card, lease };
        let began = Instant::now();
        loop {
            step = match step {
                // Somebody may want to pay: a slow card shows less.
                Step::Transmit(_) if job.order == DialogueOrder::Look && began.elapsed() > LOOK_MAX => {
                    stepper.next(Answer::NoAnswer)
                }
                Step::Transmit(transmit) => match parties.transmit(&transmit) {
                    Some(answer) => stepper.next(Answer::Received(&answer)),
                    None => stepper.next(Answer::NoAnswer),
                },
                Step::Identified(file) => stepper.next(parties.judged(job, file)),
                Step::RecordIntent(intent) => stepper.next(parties.recorded(job, intent)),
                Step::Done(outcome) => return Ok(outcome),
            };
        }
    }

    fn hold(&mut self, card: &Lying) -> Result<(), NotRun> {
        match self.connector.hold(card) {
            Ok(()) => Ok(()),
            Err(error) => {
                warn!(reader = %self.slot.of, %error, "a card cannot be taken");
                if error == HoldError::Silent {
                    self.slot.fell_silent(card.insertion);
                }
                Err(error.means())
            }
        }
    }

    fn moment(&self) -> Option<(protocols::card::date::CardDate, protocols::card::date::CardTime)> {
        let moment = site_time::at(Timestamp::now(), &self.zone);
        if moment.is_none() {
            error!("the clock shows a year that no card can write");
        }
        moment
    }

    /// Octets that nobody can foresee.
    fn draw<const N: usize>(&self) -> Option<[u8; N]> {
        let mut octets = [0; N];
        match getrandom::fill(&mut octets) {
            Ok(()) => Some(octets),
            Err(error) => {
                error!(%error, "the system gives no random octets");
                None
            }
        }
    }
}

/// The answer that the core waits for, and gets even from a thread that panics.
struct Owed {
    dialogue: DialogueId,
    inputs: mpsc::Sender<CardInput>,
    outcome: DialogueOutcome,
}

impl Owed {
    fn pay(mut self, outcome: DialogueOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, DialogueOutcome::NotRun(NotRun::Broken));
        drop(self.inputs.blocking_send(CardInput::Done { dialogue: self.dialogue, outcome }));
    }
}

/// Who takes part in one dialogue.
struct Parties<'a> {
    reader: &'a mut Reader,
    card: &'a Lying,
    lease: Option<&'a mut Lease>,
}

impl Parties<'_> {
    /// What came back, whatever it is; `None` for every error of PC/SC.
    fn transmit(&mut self, transmit: &Transmit) -> Option<Vec<u8>> {
        let command = transmit.command.to_bytes();
        let result = match transmit.stage.slot() {
            Side::Card => self.reader.connector.transmit(&command),
            Side::Psam => self.lease.as_mut()?.connector()?.transmit(&command),
        };
        let error = match result {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        warn!(reader = %self.reader.slot.of, stage = %transmit.stage, %error, "no answer");
        counter!("card_no_answer", "stage" => transmit.stage.name()).increment(1);
        match (transmit.stage.slot(), error) {
            (Side::Card, LineError::Overdue) => self.reader.slot.fell_silent(self.card.insertion),
            (Side::Card, LineError::Pcsc(_) | LineError::Ended) => {}
            (Side::Psam, LineError::Overdue | LineError::Pcsc(_) | LineError::Ended) => {
                if let Some(lease) = &mut self.lease {
                    lease.broke();
                }
            }
        }
        None
    }

    /// The core's verdict. To identify a card the file alone is wanted, so that dialogue ends here; a look goes on, since
    /// it changes nothing on any card.
    fn judged(&mut self, job: &Job, card: CardFile) -> Answer<'static> {
        let Some((today, _)) = self.reader.moment() else { return Answer::NoAnswer };
        self.tell(CardInput::Identified { dialogue: job.dialogue, card, today });
        if job.order == DialogueOrder::Identify {
            return Answer::Declined;
        }
        if job.order == DialogueOrder::Look {
            return Answer::Approved;
        }
        let verdict = wait_for(&job.words, self.reader.deadlines.verdict_wait(), |word| match word {
            Word::Verdict(verdict) => Some(verdict),
            Word::Proceed => None,
        });
        match verdict {
            Some(CardVerdict::Approved) => Answer::Approved,
            Some(CardVerdict::Declined) => Answer::Declined,
            None => {
                warn!(reader = %self.reader.slot.of, "no verdict on a card in time");
                Answer::NoAnswer
            }
        }
    }

    /// Whether the debit may go out. A card that is known to have gone in the meantime gets none, so that the sale need
    /// not be in doubt.
    fn recorded(&mut self, job: &Job, intent: PurchaseIntent) -> Answer<'static> {
        let Some(salt) = self.reader.draw() else { return Answer::NotRecorded };
        self.tell(CardInput::IntentReady { dialogue: job.dialogue, intent, salt });
        let proceed = wait_for(&job.words, self.reader.deadlines.intent_wait(), |word| match word {
            Word::Proceed => Some(()),
            Word::Verdict(_) => None,
        });
        if proceed.is_none() {
            warn!(reader = %self.reader.slot.of, "an intent was not durable in time; nothing is debited");
            return Answer::NotRecorded;
        }
        if self.reader.connector.is_held() { Answer::Recorded } else { Answer::NoAnswer }
    }

    fn tell(&self, input: CardInput) {
        // A core that has ended says no more words either.
        drop(self.reader.inputs.blocking_send(input));
    }
}

/// The first word that is wanted, within the time; other words are dropped.
fn wait_for<T>(words: &Receiver<Word>, within: Duration, wanted: impl Fn(Word) -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let word = words.recv_timeout(within.saturating_sub(started.elapsed())).ok()?;
        if let Some(found) = wanted(word) {
            return Some(found);
        }
    }
}
