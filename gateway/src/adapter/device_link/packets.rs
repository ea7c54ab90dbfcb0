//! The packets that the device link sends, in both versions of MQTT, and the sections that they follow.

use gateway_core::AckCode;
use mqtt_protocol_core::mqtt::packet::{
    GenericPacket, MaximumQos, Property, Qos, ReceiveMaximum, SharedSubscriptionAvailable,
    SubscriptionIdentifierAvailable, WildcardSubscriptionAvailable, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, PubackReasonCode, SubackReasonCode,
    SubackReturnCode, UnsubackReasonCode,
};

use super::limits;

/// A packet with a 16-bit identifier.
pub(super) type Packet = GenericPacket<u16>;

/// The version of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// MQTT 3.1.1.
    V3,
    /// MQTT 5.
    V5,
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginRefusal {
    /// Client id is no device name, or is not the user name.
    Name,
    /// No such device, or another secret.
    Secret,
    /// A last will outside the own status topic.
    Will,
    /// An authentication method that is not offered.
    Method,
    /// Too many connects.
    Rate,
    /// The daemon is on its way out.
    Closing,
}

/// CONNACK of a login that is let in; MQTT 5 also hears what the gateway can do (section 3.2.2.3).
pub(super) fn welcome(version: Version, session_present: bool) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V3 => v3_1_1::Connack::builder()
            .session_present(session_present)
            .return_code(ConnectReturnCode::Accepted)
            .build()?
            .into(),
        Version::V5 => v5_0::Connack::builder()
            .session_present(session_present)
            .reason_code(ConnectReasonCode::Success)
            .props(vec![
                Property::ReceiveMaximum(ReceiveMaximum::new(limits::UNACKED_MAX)?),
                Property::MaximumQos(MaximumQos::new(1)?),
                Property::WildcardSubscriptionAvailable(WildcardSubscriptionAvailable::new(0)?),
                Property::SubscriptionIdentifierAvailable(SubscriptionIdentifierAvailable::new(0)?),
                Property::SharedSubscriptionAvailable(SharedSubscriptionAvailable::new(0)?),
            ])
            .build()?
            .into(),
    })
}

/// CONNACK of a login that is refused (3.1.1: section 3.2.2.3; 5: section 3.2.2.2).
pub(super) fn turned_away(version: Version, why: LoginRefusal) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V3 => {
            let code = match why {
                LoginRefusal::Name => ConnectReturnCode::IdentifierRejected,
                LoginRefusal::Secret => ConnectReturnCode::BadUserNameOrPassword,
                LoginRefusal::Will | LoginRefusal::Method => ConnectReturnCode::NotAuthorized,
                LoginRefusal::Rate | LoginRefusal::Closing => ConnectReturnCode::ServerUnavailable,
            };
            v3_1_1::Connack::builder().session_present(false).return_code(code).build()?.into()
        }
        Version::V5 => {
            let code = match why {
                LoginRefusal::Name => ConnectReasonCode::ClientIdentifierNotValid,
                LoginRefusal::Secret => ConnectReasonCode::BadUserNameOrPassword,
                LoginRefusal::Will => ConnectReasonCode::NotAuthorized,
                LoginRefusal::Method => ConnectReasonCode::BadAuthenticationMethod,
                LoginRefusal::Rate => ConnectReasonCode::ConnectionRateExceeded,
                LoginRefusal::Closing => ConnectReasonCode::ServerUnavailable,
            };
            v5_0::Connack::builder().session_present(false).reason_code(code).build()?.into()
        }
    })
}

/// The answer to a CONNECT of a version that is not spoken: 3.1.1's, which older clients read.
pub(super) fn version_refused() -> Result<Vec<u8>, MqttError> {
    let connack = v3_1_1::Connack::builder()
        .session_present(false)
        .return_code(ConnectReturnCode::UnacceptableProtocolVersion)
        .build()?;
    Ok(connack.to_continuous_buffer())
}

/// PUBACK; MQTT 5 with its reason (section 3.4.2.1), left out at success.
pub(super) fn puback(version: Version, id: u16, code: AckCode) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V3 => v3_1_1::Puback::builder().packet_id(id).build()?.into(),
        Version::V5 => {
            let builder = v5_0::Puback::builder().packet_id(id);
            match code {
                AckCode::Success => builder,
                AckCode::NotAuthorized => builder.reason_code(PubackReasonCode::NotAuthorized),
                AckCode::PayloadFormatInvalid => builder.reason_code(PubackReasonCode::PayloadFormatInvalid),
                AckCode::QuotaExceeded => builder.reason_code(PubackReasonCode::QuotaExceeded),
            }
            .build()?
            .into()
        }
    })
}

/// What a topic filter is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    /// Commands come with QoS 0, since the device asked for no more.
    AtMostOnce,
    /// Commands come with QoS 1.
    AtLeastOnce,
    /// Not one of the device's own.
    Refused,
}

/// SUBACK, one grant for each filter in order.
pub(super) fn suback(version: Version, id: u16, grants: &[Grant]) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V3 => {
            let codes = grants.iter().map(|grant| match grant {
                Grant::AtMostOnce => SubackReturnCode::SuccessMaximumQos0,
                Grant::AtLeastOnce => SubackReturnCode::SuccessMaximumQos1,
                Grant::Refused => SubackReturnCode::Failure,
            });
            v3_1_1::Suback::builder().packet_id(id).return_codes(codes.collect()).build()?.into()
        }
        Version::V5 => {
            let codes = grants.iter().map(|grant| match grant {
                Grant::AtMostOnce => SubackReasonCode::GrantedQos0,
                Grant::AtLeastOnce => SubackReasonCode::GrantedQos1,
                Grant::Refused => SubackReasonCode::NotAuthorized,
            });
            v5_0::Suback::builder().packet_id(id).reason_codes(codes.collect()).build()?.into()
        }
    })
}

/// UNSUBACK; for each filter whether it was subscribed.
pub(super) fn unsuback(version: Version, id: u16, existed: &[bool]) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V3 => v3_1_1::Unsuback::builder().packet_id(id).build()?.into(),
        Version::V5 => {
            let codes = existed.iter().map(|existed| {
                if *existed { UnsubackReasonCode::Success } else { UnsubackReasonCode::NoSubscriptionExisted }
            });
            v5_0::Unsuback::builder().packet_id(id).reason_codes(codes.collect()).build()?.into()
        }
    })
}

/// PUBLISH of a command: QoS 1 with an identifier, QoS 0 without.
pub(super) fn command(version: Version, id: Option<u16>, topic: &str, payload: Vec<u8>) -> Result<Packet, MqttError> {
    let qos = if id.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    Ok(match version {
        Version::V3 => {
            v3_1_1::Publish::builder().topic_name(topic)?.qos(qos).packet_id(id).payload(payload).build()?.into()
        }
        Version::V5 => {
            v5_0::Publish::builder().topic_name(topic)?.qos(qos).packet_id(id).payload(payload).build()?.into()
        }
    })
}

/// DISCONNECT of the gateway, which only MQTT 5 has.
pub(super) fn disconnect(code: DisconnectReasonCode) -> Result<Packet, MqttError> {
    Ok(v5_0::Disconnect::builder().reason_code(code).build()?.into())
}
