//! The daemon's own MQTT end, which devices connect to.
