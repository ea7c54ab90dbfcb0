//! The signal to stop, as the lanes see it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::limits::SHUTDOWN_GRACE_MS;

/// The signal: `true`, or its sender gone, means stop.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(super) const fn new(signal: watch::Receiver<bool>) -> Self {
        Self(signal)
    }

    /// Until the signal was given.
    pub(super) async fn asked(&mut self) {
        // An error means that the sender is gone, which stops as well.
        let _ended = self.0.wait_for(|stop| *stop).await;
    }

    /// Until the signal was given and the time for what is under way is over.
    pub(super) async fn over(&mut self) {
        self.asked().await;
        sleep(Duration::from_millis(SHUTDOWN_GRACE_MS)).await;
    }
}
