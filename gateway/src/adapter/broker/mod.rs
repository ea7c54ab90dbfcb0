//! An existing MQTT broker, beside the device link.
