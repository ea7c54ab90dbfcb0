//! The gateway's card readers against the real pcscd, with virtual cards and PSAM, and a few lines in place of the core.

mod cable;
mod dialogues;
mod logs;
mod looks;
mod presence;
mod script;
mod service;
mod sharing;
mod tears;
mod with_core;
