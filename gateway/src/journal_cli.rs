//! What `gateway journal verify | show | init` do, and how they say it.

use std::io::{self, Write};
use std::path::Path;

use crate::adapter::store::{Depth, Journal, OpenError, ShowError, ShowFilter, VerifyReport};

/// Why a command about the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalCommandError {
    /// The journal could not be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// Nothing could be printed.
    #[error("the output could not be written")]
    Output(#[from] io::Error),
}

impl From<ShowError> for JournalCommandError {
    fn from(error: ShowError) -> Self {
        match error {
            ShowError::Journal(error) => Self::Journal(error),
            ShowError::Output(error) => Self::Output(error),
        }
    }
}

/// `gateway journal verify`: verifies the journal of a state directory and prints what was found. True when all is well.
///
/// # Errors
/// See [`JournalCommandError`].
pub async fn verify(dir: &Path, depth: Depth, out: &mut impl Write) -> Result<bool, JournalCommandError> {
    let report = crate::adapter::store::verify(dir, depth).await?;
    print_report(&report, depth, out)?;
    Ok(report.is_good())
}

/// `gateway journal show`: prints entries, one JSON object a line.
///
/// # Errors
/// See [`JournalCommandError`]. A reader that went away, such as `head`, is none.
pub async fn show(dir: &Path, filter: &ShowFilter, out: &mut impl Write) -> Result<(), JournalCommandError> {
    match crate::adapter::store::show(dir, filter, out).await {
        Err(ShowError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result.map(|_shown| ())?),
    }
}

/// `gateway journal init [--replace]`: begins a new journal and says what became of the one before.
///
/// # Errors
/// See [`JournalCommandError`].
pub async fn init(dir: &Path, replace: bool, out: &mut impl Write) -> Result<(), JournalCommandError> {
    let begun = Journal::init(dir, replace).await?;
    writeln!(out, "journal {} begun in {}", begun.journal, dir.display())?;
    if let Some(aside) = begun.aside {
        writeln!(out, "the journal before it was set aside as {}", aside.display())?;
    }
    if replace {
        writeln!(out, "sales stay closed until a person at the centre approves it; alarms are taken at once")?;
    }
    Ok(())
}

fn print_report(report: &VerifyReport, depth: Depth, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "journal   {}", report.journal)?;
    writeln!(out, "entries   {} verified", report.head_n)?;
    writeln!(out, "head      {} {}", report.head_n, hex::encode(report.head_hash))?;
    writeln!(out, "private   {} kept, {} erased", report.private_kept, report.private_erased)?;
    writeln!(out, "state     {} records", report.state)?;
    if depth == Depth::Whole && report.structure.is_none() {
        writeln!(out, "structure ok")?;
    }
    if let Some(bad) = report.bad {
        writeln!(out, "DAMAGED   {bad}; what follows it was not looked at")?;
    }
    if let Some(noted) = report.went_back_from {
        writeln!(out, "DAMAGED   entry {noted} was committed, but the file ends before it")?;
    }
    for key in &report.state_damaged {
        writeln!(out, "DAMAGED   state record {key}")?;
    }
    if let Some(said) = &report.structure {
        writeln!(out, "DAMAGED   structure: {said}")?;
    }
    writeln!(out, "{}", if report.is_good() { "all is well" } else { "the journal is damaged" })
}
