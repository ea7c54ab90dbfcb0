//! What stands between two parts of a site and misbehaves when told to: a proxy for bytes ([`proxy`]), one for HTTP answers
//! ([`meddler`]), and MQTT packets that no proper client sends ([`packets`]).
//!
//! **Invariant:** each fault can be switched on and off while connections stand.
//! **Invariant:** everything listens on loopback only.

pub mod limits;
pub mod meddler;
pub mod packets;
pub mod proxy;
