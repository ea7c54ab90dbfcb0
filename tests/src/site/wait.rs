//! Waiting for something outside, with a deadline.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use super::error::{Seen, SiteError};
use super::limits;

/// Looks until there is something, at most this long.
///
/// # Errors
/// [`SiteError::Late`].
pub async fn until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T, SiteError> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if started.elapsed() > within {
            return Err(SiteError::Late { what: what.to_owned(), within, last: Seen::default() });
        }
        tokio::time::sleep(limits::POLL).await;
    }
}

/// Reads until what was read is as wanted, at most this long. Reads that fail are tried again; the error of a read that failed
/// to the end, or the last that was read, is in the error.
///
/// # Errors
/// [`SiteError::Late`].
pub async fn until_is<T: Debug>(
    what: &str,
    within: Duration,
    mut read: impl AsyncFnMut() -> Result<T, SiteError>,
    mut wanted: impl FnMut(&T) -> bool,
) -> Result<T, SiteError> {
    let started = Instant::now();
    loop {
        let seen = read().await;
        let last = match seen {
            Ok(seen) if wanted(&seen) => return Ok(seen),
            Ok(seen) => format!("{seen:?}"),
            Err(error) => error.to_string(),
        };
        if started.elapsed() > within {
            return Err(SiteError::Late { what: what.to_owned(), within, last: Seen(Some(last)) });
        }
        tokio::time::sleep(limits::POLL).await;
    }
}
