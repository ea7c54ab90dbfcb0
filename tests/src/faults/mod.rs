//! What stands between two parts of a site and misbehaves when told to: a proxy for bytes ([`proxy`]), one for HTTP answers
//! ([`meddler`]), MQTT packets that no proper client sends ([`packets`]), and right bytes made wrong ([`mutation`]).
//!
//! **Invariant:** each fault can be switched on and off while connections stand.
//! **Invariant:** everything listens on loopback only.

pub mod limits;
pub mod meddler;
pub mod mutation;
pub mod packets;
pub mod proxy;
