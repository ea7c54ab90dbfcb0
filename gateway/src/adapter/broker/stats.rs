//! What the broker adapter has seen, as counters that only grow.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub $name: AtomicU64,)+
        }

        /// What the broker adapter has seen since its start.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct BrokerStats {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            pub fn snapshot(&self) -> BrokerStats {
                BrokerStats { $($name: Self::get(&self.$name),)+ }
            }
        }

        impl BrokerStats {
            /// Each counter's name with its value, for metrics.
            #[must_use]
            pub fn counters(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Connections that the broker took.
    connects,
    /// Of these, those on which the broker knew no session any more: what it had kept for us is gone.
    sessions_fresh,
    /// Topic filters that the broker refused.
    subscriptions_refused,
    /// Publishes that the broker delivered.
    publishes,
    /// Acknowledgements that were passed on.
    acks,
    /// Acknowledgements whose connection was gone; the broker delivers again.
    acks_late,
    /// Commands that were published.
    commands,
    /// Commands whose session was gone; the core sends them again.
    commands_late,
    /// Messages of the adapter's own that did not come back through the broker in time.
    probes_missed,
}

impl Counters {
    pub fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
