//! Alarms that no person and no device raised: what a gateway or the centre found by itself.
//!
//! **Invariant:** every page that shows alarms has words for each of them, in each language; a test of the repository
//! looks each up.

/// What was found; [`word`](OwnAlarm::word) is the `kind` in the body of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnAlarm {
    /// A report of a kind that is not known, or an alarm that only the centre knows.
    Unknown,
    /// A payload that cannot be read.
    Unreadable,
    /// A report's number was used twice, with two bodies.
    Conflict,
    /// A report that was recorded long ago came again.
    Replayed,
    /// Nothing was heard of a device for too long.
    DeviceSilent,
    /// A device's battery is low.
    DeviceBatteryLow,
    /// A device told of a fault in itself.
    DeviceFault,
    /// A device had to give up reports.
    DeviceLostReports,
    /// Nothing can be stored.
    Storage,
    /// The disk is nearly full.
    StorageLow,
    /// Entries of the journal do not fit their hashes.
    JournalDamaged,
    /// The journal has fewer entries than the centre signed.
    JournalShort,
    /// The journal cannot be read.
    JournalUnreadable,
    /// An entry does not get to the centre.
    UploadRefused,
    /// A press had not reached the centre when it should have.
    Undelivered,
    /// The centre refuses the gateway's identity.
    UplinkIdentity,
    /// The centre has not confirmed the prices for too long.
    CatalogueOld,
    /// A card's counter went back.
    CardCounterRegress,
    /// The security module rejected a card's proof.
    CardMac2Rejected,
    /// A listener for devices is not there.
    DeviceLinkDown,
    /// The gateway has no connection to the broker that devices report to.
    BrokerDown,
    /// The broker that devices report to takes messages and does not deliver them.
    BrokerStuck,
    /// The kiosk's pages are not served.
    KioskDown,
    /// The threads of the card readers did not start.
    CardReadersDown,
    /// The devices file has a mistake.
    DevicesFileWrong,
    /// A gateway has not been heard of for too long; the centre raises it.
    GatewaySilent,
    /// Somebody at a kiosk calls the staff.
    Help,
}

impl OwnAlarm {
    /// The kind on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unreadable => "unreadable",
            Self::Conflict => "conflict",
            Self::Replayed => "replayed",
            Self::DeviceSilent => "device_silent",
            Self::DeviceBatteryLow => "device_battery_low",
            Self::DeviceFault => "device_fault",
            Self::DeviceLostReports => "device_lost_reports",
            Self::Storage => "storage",
            Self::StorageLow => "storage_low",
            Self::JournalDamaged => "journal_damaged",
            Self::JournalShort => "journal_short",
            Self::JournalUnreadable => "journal_unreadable",
            Self::UploadRefused => "upload_refused",
            Self::Undelivered => "undelivered",
            Self::UplinkIdentity => "uplink_identity",
            Self::CatalogueOld => "catalogue_old",
            Self::CardCounterRegress => "card_counter_regress",
            Self::CardMac2Rejected => "card_mac2_rejected",
            Self::DeviceLinkDown => "device_link_down",
            Self::BrokerDown => "broker_down",
            Self::BrokerStuck => "broker_stuck",
            Self::KioskDown => "kiosk_down",
            Self::CardReadersDown => "card_readers_down",
            Self::DevicesFileWrong => "devices_file_wrong",
            Self::GatewaySilent => "gateway_silent",
            Self::Help => "help",
        }
    }
}
