//! The way to the centre: uploads of journal entries, alarms that no disk takes, holds, and orders by long poll.
//!
//! The core says what to send and when to try again; this adapter makes one exchange for each effect, over as many
//! addresses of the centre as it takes, and answers each effect by exactly one input.
//!
//! Each lane is a task with a queue and connections of its own: uploads (alarms, sales, rest), direct alarms, holds,
//! order polls (alarms, other). Uploads of alarms go beside each other, so that a new one waits for none that stalls.
//!
//! **Invariant:** no lane waits for another, in either direction.
//! **Invariant:** nothing counts as taken by the centre but what a well-formed 200 answer names, by the numbers sent.
//! **Invariant:** an answer that names another request than the one it came for is none: a line may double or delay it.
//! **Invariant:** every exchange has a total deadline, every answer a size limit; no redirect is followed.
//! **Invariant:** the token, the keys and what is sent appear in no log, metric or error text.

mod address;
pub mod answer;
mod credentials;
mod error;
mod exchange;
mod handle;
mod lane;
pub mod limits;
mod race;
mod request;
mod resolver;
mod run;
mod settings;
mod source;
mod stop;

pub use credentials::Credentials;
pub use error::SettingsError;
pub use handle::{Refused, UplinkHandle};
pub use run::{BuildError, GatewayIdentity, Stopped, Uplink};
pub use settings::{Deadlines, UplinkSettings};
pub use source::{EntrySource, ReadError};
