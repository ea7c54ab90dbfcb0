//! From the centre's host name to addresses, with the memory of the one that answered last.
//!
//! When names cannot be resolved, the address that answered last is tried; after a failed connection it is tried
//! first, and the next time the resolver's, in turn: a wrong answer of the resolver does not cut the gateway off.
//! Who answers there still has to prove the name by its certificate.
//!
//! **Invariant:** `localhost` is this machine, whatever the resolver says.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

use super::limits::LOOKUP_MS;

/// A look-up under way.
pub(super) type Found = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// Why a name has no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host name has no address")]
struct NoAddress;

/// One lane's resolver; what it remembers of good addresses is shared by all lanes, what it doubts is the lane's own.
#[derive(Clone)]
pub(super) struct Resolver {
    good: Arc<Mutex<BTreeMap<String, IpAddr>>>,
    doubted: Arc<Mutex<BTreeSet<String>>>,
    look_up: fn(String) -> Found,
    wait: Duration,
}

fn system(host: String) -> Found {
    Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
}

impl Resolver {
    /// Asks the system.
    pub(super) fn new() -> Self {
        Self::with(system, Duration::from_millis(LOOKUP_MS))
    }

    pub(super) fn with(look_up: fn(String) -> Found, wait: Duration) -> Self {
        Self { good: Arc::default(), doubted: Arc::default(), look_up, wait }
    }

    /// For another lane.
    pub(super) fn for_lane(&self) -> Self {
        Self { doubted: Arc::default(), ..self.clone() }
    }

    /// The host answered from that address.
    pub(super) fn answered(&self, host: &str, from: IpAddr) {
        held(&self.good).insert(host.to_owned(), from);
        held(&self.doubted).remove(host);
    }

    /// There was no connection to the host: next time it is looked for the other way round.
    pub(super) fn silent(&self, host: &str) {
        let mut doubted = held(&self.doubted);
        if !doubted.remove(host) {
            doubted.insert(host.to_owned());
        }
    }

    async fn addresses(self, host: String) -> Result<Vec<IpAddr>, NoAddress> {
        let found = timeout(self.wait, (self.look_up)(host.clone())).await;
        let mut addresses = found.ok().and_then(Result::ok).unwrap_or_default();
        if let Some(good) = held(&self.good).get(&host).copied() {
            addresses.retain(|address| *address != good);
            let place = if held(&self.doubted).contains(&host) { 0 } else { addresses.len() };
            addresses.insert(place, good);
        }
        if host == "localhost" {
            addresses.retain(IpAddr::is_loopback);
        }
        if addresses.is_empty() { Err(NoAddress) } else { Ok(addresses) }
    }
}

/// The memory; a poisoned one is still one, since it holds plain values.
fn held<T>(memory: &Mutex<T>) -> MutexGuard<'_, T> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_ascii_lowercase());
        Box::pin(async move {
            let found: Addrs = Box::new(addresses.await?.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const NEW: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    const WAIT: Duration = Duration::from_millis(50);

    fn nothing(_: String) -> Found {
        Box::pin(std::future::ready(Err(std::io::ErrorKind::NotFound.into())))
    }

    fn moved(_: String) -> Found {
        Box::pin(std::future::ready(Ok(vec![NEW])))
    }

    fn stuck(_: String) -> Found {
        Box::pin(std::future::pending())
    }

    async fn found(resolver: &Resolver) -> Result<Vec<IpAddr>, NoAddress> {
        resolver.clone().addresses(String::from("centre.example")).await
    }

    #[tokio::test]
    async fn c10_without_an_answer_of_the_resolver_the_last_good_address_is_tried() {
        for look_up in [nothing as fn(String) -> Found, stuck] {
            let resolver = Resolver::with(look_up, WAIT);
            assert_eq!(found(&resolver).await, Err(NoAddress));
            resolver.answered("centre.example", OLD);
            assert_eq!(found(&resolver).await, Ok(vec![OLD]));
        }
    }

    #[tokio::test]
    async fn c10_a_resolver_that_points_elsewhere_does_not_hide_the_last_good_address() {
        let resolver = Resolver::with(moved, WAIT);
        resolver.answered("centre.example", OLD);
        assert_eq!(found(&resolver).await, Ok(vec![NEW, OLD]));
        resolver.silent("centre.example");
        assert_eq!(found(&resolver).await, Ok(vec![OLD, NEW]));
        resolver.silent("centre.example");
        assert_eq!(found(&resolver).await, Ok(vec![NEW, OLD]));
        resolver.silent("centre.example");
        resolver.answered("centre.example", NEW);
        assert_eq!(found(&resolver).await, Ok(vec![NEW]));
    }

    #[tokio::test]
    async fn what_one_lane_doubts_is_its_own_and_what_it_knows_is_everybodys() {
        let resolver = Resolver::with(moved, WAIT);
        let other = resolver.for_lane();
        resolver.answered("centre.example", OLD);
        resolver.silent("centre.example");
        assert_eq!(found(&other).await, Ok(vec![NEW, OLD]));
    }

    #[tokio::test]
    async fn localhost_is_this_machine_whatever_the_resolver_says() {
        let resolver = Resolver::with(moved, WAIT);
        assert_eq!(resolver.clone().addresses(String::from("localhost")).await, Err(NoAddress));
    }
}
