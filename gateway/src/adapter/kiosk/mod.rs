//! The local interface: pages, API, monitoring.
