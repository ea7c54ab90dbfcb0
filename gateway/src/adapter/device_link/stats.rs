//! What the device link has seen, as counters that only grow.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub $name: AtomicU64,)+
        }

        /// What the device link has seen since its start.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct LinkStats {
            /// Connections that stand now.
            pub connections: u64,
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            pub fn snapshot(&self, connections: u64) -> LinkStats {
                LinkStats { connections, $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }

        impl LinkStats {
            /// Each counter's name with its value, for metrics.
            #[must_use]
            pub fn counters(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Connections that were taken.
    accepted,
    /// Connections that were closed at once, because the house or the address was full.
    turned_away,
    /// Failures of accept, such as too many open files.
    accept_failures,
    /// Logins that were let in.
    logins,
    /// Logins that were refused.
    logins_refused,
    /// Connections that did not log in in time.
    greetings_late,
    /// TLS handshakes and records that failed.
    tls_failures,
    /// Connections that ended because a device broke a rule.
    faults,
    /// Refusals of strangers that were counted here only, since too many came.
    refusals_unreported,
    /// Events and heartbeats that were handed to the core.
    publishes,
    /// Acknowledgements that were written.
    acks,
    /// Acknowledgements whose connection was gone; the device sends again.
    acks_late,
    /// Commands that were taken for a connection.
    commands,
    /// Commands whose connection was gone; the core sends them again.
    commands_late,
    /// Writes to the network.
    writes,
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// So many more.
pub(super) fn count_many(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}
