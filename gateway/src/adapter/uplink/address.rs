//! The centre's addresses, as one lane sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Client, Url, redirect};

use super::credentials::Credentials;
use super::limits::{
    IDLE_CONNECTION_MS, IDLE_CONNECTIONS_MAX, KEEPALIVE_INTERVAL_MS, KEEPALIVE_MS, KEEPALIVE_RETRIES,
    TCP_USER_TIMEOUT_MS,
};
use super::resolver::Resolver;

/// What all lanes share.
#[derive(Clone)]
pub(super) struct Centre {
    pub(super) urls: Arc<[Url]>,
    pub(super) credentials: Credentials,
    pub(super) resolver: Resolver,
    pub(super) connect: Duration,
    last_good: Arc<AtomicUsize>,
}

impl Centre {
    pub(super) fn new(urls: Vec<Url>, credentials: Credentials, resolver: Resolver, connect: Duration) -> Self {
        Self { urls: urls.into(), credentials, resolver, connect, last_good: Arc::default() }
    }

    /// The same for one lane.
    pub(super) fn for_lane(&self) -> Self {
        Self { resolver: self.resolver.for_lane(), ..self.clone() }
    }

    /// Which address to begin with.
    pub(super) fn last_good(&self) -> usize {
        self.last_good.load(Ordering::Relaxed)
    }

    /// An exchange that began with `first` was answered by `address`. Where that is the same, another lane may have
    /// learnt better meanwhile, and nothing changes.
    pub(super) fn answered(&self, first: usize, address: usize) {
        if first != address {
            self.last_good.store(address, Ordering::Relaxed);
        }
    }

    /// Connections for one lane, which no other lane uses.
    pub(super) fn client(&self) -> reqwest::Result<Client> {
        Client::builder()
            .tls_backend_preconfigured(self.credentials.tls().clone())
            .dns_resolver(self.resolver.clone())
            .connect_timeout(self.connect)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(Duration::from_millis(IDLE_CONNECTION_MS))
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_millis(KEEPALIVE_MS))
            .tcp_keepalive_interval(Duration::from_millis(KEEPALIVE_INTERVAL_MS))
            .tcp_keepalive_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(Duration::from_millis(TCP_USER_TIMEOUT_MS))
            .build()
    }
}
