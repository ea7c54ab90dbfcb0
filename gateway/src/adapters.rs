//! The adapters' tasks, under watch: one that ends or panics while the daemon runs ends the daemon, which starts anew.
//!
//! **Invariant:** no adapter is gone unnoticed: a gateway that no longer hears its devices or its centre must not look
//! alive to the service manager.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

/// The tasks, by name.
#[derive(Debug, Default)]
pub struct Adapters {
    tasks: JoinSet<()>,
    names: BTreeMap<Id, &'static str>,
}

impl Adapters {
    /// Runs an adapter.
    pub fn spawn(&mut self, name: &'static str, adapter: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(adapter).id();
        self.names.insert(id, name);
    }

    /// Waits until the first of them has ended; its name. Waits for ever where there are none.
    pub async fn gone(&mut self) -> &'static str {
        let (id, panicked) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, false),
            Some(Err(error)) => (error.id(), error.is_panic()),
            None => std::future::pending().await,
        };
        let name = self.names.get(&id).copied().unwrap_or("unnamed");
        tracing::error!(adapter = name, panicked, "an adapter has ended while the gateway runs");
        name
    }

    /// Waits until all have ended, at most so long; what is left then is cut off.
    pub async fn finish(mut self, within: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::error!(left = self.tasks.len(), "adapters did not stop within the grace period");
            self.tasks.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn i8_an_adapter_that_panics_or_ends_is_noticed_by_name() {
        let mut adapters = Adapters::default();
        adapters.spawn("device_link", std::future::pending());
        adapters.spawn("uplink", async { panic!("a fault in a lane") });
        assert_eq!(adapters.gone().await, "uplink");
        adapters.spawn("kiosk", async {});
        assert_eq!(adapters.gone().await, "kiosk");
        let waiting = tokio::time::timeout(Duration::from_millis(50), adapters.gone()).await;
        assert!(waiting.is_err(), "the device link runs");
        adapters.finish(Duration::from_millis(50)).await;
    }
}
