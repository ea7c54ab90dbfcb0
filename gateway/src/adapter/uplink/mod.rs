//! The way to the centre.
