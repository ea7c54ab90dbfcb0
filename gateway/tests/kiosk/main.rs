//! The local interface over real sockets, with a core in memory.

mod access;
mod alarms;
mod counter;
mod desk_rig;
mod documents;
mod events;
mod fake_core;
mod login;
mod pages;
mod reads;
mod robustness;
mod sales;
