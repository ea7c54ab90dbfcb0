//! Who may come in: how many connections at once, from one address, without having logged in; how often one device may
//! connect; how many failures of an address are answered and reported.
//!
//! **Invariant:** a right secret is never refused because of what somebody else did at the same address.
//! **Invariant:** what is kept here is bounded by the connections that stand, the devices of the directory and
//! [`limits::ADDRESSES_MAX`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use protocols::id::DeviceId;

use super::bucket::Bucket;
use super::limits;

/// The connections of one address; at least one.
#[derive(Debug, Default)]
struct Address {
    connections: usize,
    strangers: usize,
}

/// Failed logins by address. Addresses beyond the bound share one bucket.
#[derive(Debug)]
struct Failures {
    by_address: BTreeMap<IpAddr, Bucket>,
    others: Bucket,
    looked_through: Instant,
}

/// How often devices connect; only of those that did lately.
#[derive(Debug)]
struct Connects {
    by_device: BTreeMap<DeviceId, Bucket>,
    looked_through: Instant,
}

#[derive(Debug)]
struct State {
    connections: usize,
    strangers: usize,
    addresses: BTreeMap<IpAddr, Address>,
    failures: Failures,
    connects: Connects,
    reports: Bucket,
}

/// The most connections, in all and from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Most {
    pub connections: usize,
    pub per_address: usize,
}

/// The door.
#[derive(Debug)]
pub(super) struct Admission {
    most: Most,
    state: Mutex<State>,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    door: Arc<Admission>,
    address: IpAddr,
    stranger: bool,
}

impl Admission {
    pub fn new(most: Most, now: Instant) -> Self {
        let state = State {
            connections: 0,
            strangers: 0,
            addresses: BTreeMap::new(),
            failures: Failures { by_address: BTreeMap::new(), others: failure_bucket(now), looked_through: now },
            connects: Connects { by_device: BTreeMap::new(), looked_through: now },
            reports: Bucket::new(limits::STRANGER_REPORTS_BURST, limits::STRANGER_REFILL, now),
        };
        Self { most, state: Mutex::new(state) }
    }

    /// A place for a connection from `address`, if there is one.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut state = self.lock();
        if state.connections >= self.most.connections || state.strangers >= limits::STRANGERS_MAX {
            return None;
        }
        let standing = state.addresses.get(&address);
        if standing.is_some_and(|entry| {
            entry.connections >= self.most.per_address || entry.strangers >= limits::STRANGERS_PER_ADDRESS_MAX
        }) {
            return None;
        }
        let entry = state.addresses.entry(address).or_default();
        entry.connections = entry.connections.saturating_add(1);
        entry.strangers = entry.strangers.saturating_add(1);
        state.connections = state.connections.saturating_add(1);
        state.strangers = state.strangers.saturating_add(1);
        Some(Place { door: Arc::clone(self), address, stranger: true })
    }

    /// Whether a failed login from `address` is answered and reported.
    pub fn failure(&self, address: IpAddr, now: Instant) -> bool {
        self.lock().failures.bucket(address, now).take(now)
    }

    /// Whether `device` may connect once more.
    pub fn connect(&self, device: &DeviceId, now: Instant) -> bool {
        self.lock().connects.bucket(device, now).take(now)
    }

    /// Whether one more refusal of somebody without an identity is reported.
    pub fn report(&self, now: Instant) -> bool {
        self.lock().reports.take(now)
    }

    /// Connections that stand.
    pub fn connections(&self) -> usize {
        self.lock().connections
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure_bucket(now: Instant) -> Bucket {
    Bucket::new(limits::FAILURES_BURST, limits::FAILURE_REFILL, now)
}

impl Failures {
    fn bucket(&mut self, address: IpAddr, now: Instant) -> &mut Bucket {
        let is_full = self.by_address.len() >= limits::ADDRESSES_MAX;
        if is_full && now.saturating_duration_since(self.looked_through) >= limits::FAILURE_REFILL {
            self.looked_through = now;
            self.by_address.retain(|_, bucket| !bucket.is_full(now));
        }
        if self.by_address.len() >= limits::ADDRESSES_MAX && !self.by_address.contains_key(&address) {
            return &mut self.others;
        }
        self.by_address.entry(address).or_insert_with(|| failure_bucket(now))
    }
}

impl Connects {
    fn bucket(&mut self, device: &DeviceId, now: Instant) -> &mut Bucket {
        if now.saturating_duration_since(self.looked_through) >= limits::CONNECT_REFILL {
            self.looked_through = now;
            self.by_device.retain(|_, bucket| !bucket.is_full(now));
        }
        let fresh = || Bucket::new(limits::CONNECTS_BURST, limits::CONNECT_REFILL, now);
        self.by_device.entry(device.clone()).or_insert_with(fresh)
    }
}

impl Place {
    /// The connection has logged in.
    pub fn known(&mut self) {
        if std::mem::replace(&mut self.stranger, false) {
            let mut state = self.door.lock();
            state.strangers = state.strangers.saturating_sub(1);
            if let Some(entry) = state.addresses.get_mut(&self.address) {
                entry.strangers = entry.strangers.saturating_sub(1);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.known();
        let mut state = self.door.lock();
        state.connections = state.connections.saturating_sub(1);
        let Some(entry) = state.addresses.get_mut(&self.address) else { return };
        entry.connections = entry.connections.saturating_sub(1);
        if entry.connections == 0 {
            state.addresses.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(connections: usize, per_address: usize) -> Arc<Admission> {
        Arc::new(Admission::new(Most { connections, per_address }, Instant::now()))
    }

    #[test]
    fn one_address_cannot_take_every_place_and_a_place_comes_back() {
        let door = door(3, 2);
        let (one, two) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = door.enter(one).unwrap();
        let _second = door.enter(one).unwrap();
        assert!(door.enter(one).is_none(), "the address is full");
        let _third = door.enter(two).unwrap();
        assert!(door.enter(two).is_none(), "the house is full");
        drop(first);
        assert!(door.enter(two).is_some());
        assert_eq!(door.connections(), 2);
    }

    #[test]
    fn d13_strangers_do_not_take_the_places_of_those_who_logged_in() {
        let door = door(10_000, 10_000);
        let address = "192.0.2.1".parse().unwrap();
        let mut places: Vec<Place> =
            (0..limits::STRANGERS_PER_ADDRESS_MAX).map(|_| door.enter(address).unwrap()).collect();
        assert!(door.enter(address).is_none());
        assert!(door.enter("192.0.2.2".parse().unwrap()).is_some(), "other addresses come in");
        places[0].known();
        assert!(door.enter(address).is_some());
    }

    #[test]
    fn d12_a_flapping_device_is_slowed_and_others_are_not() {
        let (door, now) = (door(1, 1), Instant::now());
        let (flapping, calm) = ("a".parse().unwrap(), "b".parse().unwrap());
        let let_in = (0..1_000).filter(|_| door.connect(&flapping, now)).count();
        assert_eq!(let_in, limits::CONNECTS_BURST as usize);
        assert!(door.connect(&calm, now));
        assert!(door.connect(&flapping, now + limits::CONNECT_REFILL), "and it comes in again soon");
    }

    #[test]
    fn devices_that_connected_once_are_soon_forgotten_and_one_that_flaps_is_not() {
        let (door, now) = (door(1, 1), Instant::now());
        let flapping = "flapping".parse().unwrap();
        for number in 0..1_000 {
            assert!(door.connect(&format!("calm-{number}").parse().unwrap(), now));
        }
        let let_in = (0..limits::CONNECTS_BURST + 1).filter(|_| door.connect(&flapping, now)).count();
        let later = now + limits::CONNECT_REFILL;
        assert_eq!(let_in, limits::CONNECTS_BURST as usize);
        assert!(door.connect(&flapping, later));
        assert_eq!(door.lock().connects.by_device.len(), 1);
        assert!(!door.connect(&flapping, later));
    }

    #[test]
    fn failed_logins_are_counted_for_each_address_and_the_memory_is_bounded() {
        let (door, now) = (door(1, 1), Instant::now());
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        assert_eq!((0..100).filter(|_| door.failure(address(1), now)).count(), limits::FAILURES_BURST as usize);
        let answered = (2..20_000).filter(|n| door.failure(address(*n), now)).count();
        assert_eq!(answered, limits::ADDRESSES_MAX - 1 + limits::FAILURES_BURST as usize, "the rest share one bucket");
        assert!(door.lock().failures.by_address.len() <= limits::ADDRESSES_MAX);
        let later = now + limits::FAILURE_REFILL;
        assert!(door.failure(address(20_001), later), "those who have nothing to remember make room");
        assert!(door.lock().failures.by_address.len() <= 2);
        assert_eq!((0..100).filter(|_| door.failure(address(1), later)).count(), 1, "the worst is remembered");
    }
}
