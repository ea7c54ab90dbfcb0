//! Where the event loop puts the effects that are for the readers.
//!
//! **Invariant:** nothing here waits: what cannot be taken is answered at once.
//! **Invariant:** every dialogue is answered by one `Done`: by its thread, or at once where it is not taken.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::{CardInput, CardVerdict, DialogueId, DialogueOrder, DialogueOutcome, NotRun};
use metrics::counter;
use protocols::id::ReaderId;
use tracing::{debug, warn};

use super::dialogue::{Job, Word};
use super::limits::WORDS_WAITING_MAX;

/// Where orders and words go.
#[derive(Debug, Default)]
pub(super) struct Routes(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    readers: BTreeMap<ReaderId, SyncSender<Job>>,
    /// The dialogues that were taken and have not ended.
    dialogues: BTreeMap<DialogueId, SyncSender<Word>>,
}

impl Routes {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, reader: ReaderId, jobs: SyncSender<Job>) {
        self.lock().readers.insert(reader, jobs);
    }

    /// The dialogue has ended.
    pub(super) fn forget(&self, dialogue: DialogueId) {
        self.lock().dialogues.remove(&dialogue);
    }

    /// Nobody orders or says anything any more: readers end, and whoever waits for a word goes on without.
    pub(super) fn close(&self) {
        *self.lock() = Open::default();
    }

    fn order(&self, reader: &ReaderId, dialogue: DialogueId, order: DialogueOrder) -> bool {
        let (say, words) = sync_channel(WORDS_WAITING_MAX);
        let mut open = self.lock();
        let Some(jobs) = open.readers.get(reader) else { return false };
        let taken = jobs.try_send(Job { dialogue, order, words }).is_ok();
        if taken {
            open.dialogues.insert(dialogue, say);
        }
        taken
    }

    fn say(&self, dialogue: DialogueId, word: Word) {
        match self.lock().dialogues.get(&dialogue) {
            Some(words) => {
                if words.try_send(word).is_err() {
                    warn!(dialogue = dialogue.0, "a dialogue takes no more words of the core");
                }
            }
            // It gave up before; its outcome says so.
            None => debug!(dialogue = dialogue.0, "a word for a dialogue that has ended"),
        }
    }
}

/// A dialogue that was not taken, with the input that answers it: hand it to the core at once.
pub type Refused = Box<CardInput>;

/// The way to the readers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CardReaderHandle {
    pub(super) routes: Arc<Routes>,
}

impl CardReaderHandle {
    /// [`Effect::RunDialogue`](gateway_core::Effect::RunDialogue).
    ///
    /// # Errors
    /// The reader is not configured, has more to do than it can, or has ended; the answer is [`NotRun::NotTaken`].
    pub fn run(&self, reader: &ReaderId, dialogue: DialogueId, order: DialogueOrder) -> Result<(), Refused> {
        if self.routes.order(reader, dialogue, order) {
            return Ok(());
        }
        counter!("card_dialogues_refused").increment(1);
        warn!(%reader, "a dialogue that no reader takes");
        Err(Box::new(CardInput::Done { dialogue, outcome: DialogueOutcome::NotRun(NotRun::NotTaken) }))
    }

    /// [`Effect::CardVerdict`](gateway_core::Effect::CardVerdict). For a dialogue that has ended it does nothing.
    pub fn verdict(&self, dialogue: DialogueId, verdict: CardVerdict) {
        self.routes.say(dialogue, Word::Verdict(verdict));
    }

    /// [`Effect::Proceed`](gateway_core::Effect::Proceed). For a dialogue that has ended it does nothing.
    pub fn proceed(&self, dialogue: DialogueId) {
        self.routes.say(dialogue, Word::Proceed);
    }
}
