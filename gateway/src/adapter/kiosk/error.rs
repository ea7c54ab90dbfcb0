//! What the local interface answers when it does not do what was asked: status, code, and a message that a person can
//! act on, in Chinese and English.
//!
//! **Invariant:** each [`Refusal`] and each [`Fault`] has both messages; the tables below are exhaustive by construction.
//! **Invariant:** a message never repeats what the caller sent.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gateway_core::Refusal;
use serde_json::json;

use super::lang::Lang;
use super::view::ViewError;

/// What the interface itself refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No such address.
    NotFound,
    /// The address does not take this method.
    MethodNotAllowed,
    /// The `Host` is none of this interface's.
    HostForeign,
    /// The request comes from a page of another origin.
    OriginForeign,
    /// Neither session nor token.
    LoginMissing,
    /// A session, but not one of staff.
    StaffOnly,
    /// A token that is not known.
    TokenWrong,
    /// Staff number or PIN is wrong.
    PinWrong,
    /// Too many wrong PINs.
    PinLocked,
    /// The body is not declared as JSON.
    JsonMissing,
    /// The body is not the JSON that is wanted.
    BodyInvalid,
    /// The body is too long.
    BodyTooLong,
    /// A quantity that is no whole number from 1 to 99.
    QuantityInvalid,
    /// A tender other than `purse` and `account`.
    TenderInvalid,
    /// No Idempotency-Key.
    KeyMissing,
    /// The cause is too long or has control characters.
    CauseInvalid,
    /// The name of who is sent is too long or has control characters.
    ResponderInvalid,
    /// Nobody is sent who comes in so many minutes.
    EtaInvalid,
    /// Too many requests under way.
    Busy,
    /// No answer in time; whether it was done is not known.
    Late,
    /// The daemon is being ended.
    Closing,
    /// The daemon has no random numbers or made a mistake.
    Broken,
}

/// What is told about one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The HTTP status.
    pub status: StatusCode,
    /// The word for programs.
    pub code: &'static str,
    /// The message in Chinese.
    pub zh: &'static str,
    /// The message in English.
    pub en: &'static str,
}

impl Told {
    /// The message in a language.
    #[must_use]
    pub const fn message(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}

macro_rules! told {
    ($(#[$doc:meta])* $function:ident, $all:ident, $type:ident:
        $($variant:ident $status:ident $code:literal $zh:literal $en:literal)*) => {
        $(#[$doc])*
        #[must_use]
        pub const fn $function(reason: $type) -> Told {
            match reason {
                $($type::$variant => Told { status: StatusCode::$status, code: $code, zh: $zh, en: $en },)*
            }
        }

        /// Every variant, for tests and documents.
        pub const $all: &[$type] = &[$($type::$variant),*];
    };
}

told! {
    /// What is told about a fault.
    fault_told, FAULTS, Fault:
    NotFound NOT_FOUND "not_found"
        "没有这个地址。请从首页重新进入。" "There is nothing at this address. Start again from the first page."
    MethodNotAllowed METHOD_NOT_ALLOWED "method_not_allowed"
        "这个地址不支持该操作。请查阅接口说明。" "This address does not take that method. See the interface description."
    HostForeign MISDIRECTED_REQUEST "host_foreign"
        "请求中的主机名不属于本网关。请使用 127.0.0.1，或在配置中登记该主机名。"
        "The host name of the request is not this gateway's. Use 127.0.0.1, or list the name in the configuration."
    OriginForeign FORBIDDEN "origin_foreign"
        "该请求来自其他网页，已拒绝。请在本网关的页面上操作。"
        "The request came from a foreign page and was refused. Use the gateway's own pages."
    LoginMissing UNAUTHORIZED "login_missing"
        "尚未登录或登录已过期。请登录后再试。" "Nobody is logged in, or the session has ended. Log in and try again."
    StaffOnly FORBIDDEN "staff_only"
        "此操作只限工作人员。请在工作人员页面登录。" "Only staff may do this. Log in on the staff page."
    TokenWrong UNAUTHORIZED "token_wrong"
        "令牌无效。请核对令牌，或请管理员重新签发。" "The token is not known. Check it, or have a new one issued."
    PinWrong UNAUTHORIZED "pin_wrong"
        "工号或密码不正确。请重新输入。" "The staff number or the PIN is wrong. Enter them again."
    PinLocked TOO_MANY_REQUESTS "pin_locked"
        "密码错误次数过多，已暂时锁定。请稍后再试；紧急报警不受影响。"
        "Too many wrong PINs; locked for a while. Try again later; alarms are not affected."
    JsonMissing UNSUPPORTED_MEDIA_TYPE "json_missing"
        "请求内容必须是 JSON。请设置 Content-Type: application/json。"
        "The body must be JSON. Set Content-Type: application/json."
    BodyInvalid BAD_REQUEST "body_invalid"
        "请求内容的格式不正确。请对照接口说明修改。" "The body does not have the wanted form. Compare it with the interface description."
    BodyTooLong PAYLOAD_TOO_LARGE "body_too_long"
        "请求内容过长。请减少内容后重试。" "The body is too long. Send less and try again."
    QuantityInvalid UNPROCESSABLE_ENTITY "quantity_invalid"
        "数量必须是 1 到 99 的整数。请修改数量。" "A quantity is a whole number from 1 to 99. Change it."
    TenderInvalid UNPROCESSABLE_ENTITY "tender_invalid"
        "支付方式不正确。请选择重阳分账户或卡内钱包。" "This way of paying is not known. Choose the account or the purse."
    KeyMissing BAD_REQUEST "key_missing"
        "缺少 Idempotency-Key 请求头。请为每次购买生成一个新值。"
        "The header Idempotency-Key is missing. Make a fresh value for each purchase."
    CauseInvalid UNPROCESSABLE_ENTITY "cause_invalid"
        "原因过长或含有不允许的字符。请从列表中选择。" "The cause is too long or has characters that are not allowed. Choose one from the list."
    ResponderInvalid UNPROCESSABLE_ENTITY "responder_invalid"
        "前往人员的名称过长或含有不允许的字符。请用不超过 64 个字填写。"
        "The name of who is sent is too long or has characters that are not allowed. Write it in at most 64 characters."
    EtaInvalid UNPROCESSABLE_ENTITY "eta_invalid"
        "预计到达时间应为 1 到 240 分钟。请重新填写。" "Somebody who is sent is there in 1 to 240 minutes. Correct the minutes."
    Busy SERVICE_UNAVAILABLE "busy"
        "系统繁忙。请稍候几秒再试。" "The gateway is busy. Wait a few seconds and try again."
    Late SERVICE_UNAVAILABLE "late"
        "系统没有及时答复，结果未知。请用同一请求再查一次，不要重复付款。"
        "There was no answer in time; the result is not known. Ask again with the same request; do not pay again."
    Closing SERVICE_UNAVAILABLE "closing"
        "系统正在重启。请等一分钟再试。" "The gateway is restarting. Try again in a minute."
    Broken INTERNAL_SERVER_ERROR "broken"
        "系统内部出错。请联系工作人员。" "Something in the gateway is broken. Call the staff."
}

told! {
    /// What is told about a refusal of the core.
    refusal_told, REFUSALS, Refusal:
    SaleUnknown NOT_FOUND "sale_unknown"
        "没有找到这笔订单。请返回首页重新选择服务。" "There is no such order. Go back and choose a service again."
    AlarmUnknown NOT_FOUND "alarm_unknown"
        "没有找到这条报警。请刷新报警列表。" "There is no such alarm. Load the list of alarms again."
    SaleUnderWay CONFLICT "sale_under_way"
        "正在扣款，不能取消。请不要移开卡片，等待结果。" "Payment is under way and cannot be cancelled. Leave the card and wait for the result."
    SaleEnded CONFLICT "sale_ended"
        "这笔订单已经结束。请查看结果，或重新选择服务。" "This order has ended. Look at its result, or choose a service again."
    ReaderBusy CONFLICT "reader_busy"
        "读卡器上还有一笔未完成的订单。请先完成或取消它。" "Another order waits at this reader. Finish or cancel it first."
    ReaderGone SERVICE_UNAVAILABLE "reader_gone"
        "读卡器没有连接。请叫工作人员检查读卡器。" "The card reader is not connected. Ask the staff to check it."
    ReaderUnknown UNPROCESSABLE_ENTITY "reader_unknown"
        "系统里没有这个读卡器。请叫工作人员检查配置。" "This reader is not configured. Ask the staff to check the configuration."
    PsamGone SERVICE_UNAVAILABLE "psam_gone"
        "读卡器的安全模块不可用，暂时不能付款。请叫工作人员。"
        "The security module is not there, so no card can pay. Call the staff."
    ServiceUnknown UNPROCESSABLE_ENTITY "service_unknown"
        "没有这项服务，可能已经下架。请重新选择服务。" "This service is not offered, perhaps no longer. Choose again."
    ItemsInvalid UNPROCESSABLE_ENTITY "items_invalid"
        "订单为空或项目过多。请选择 1 到 20 项服务，每项 1 到 99 份。"
        "The order is empty or too long. Choose 1 to 20 services, 1 to 99 of each."
    AmountTooHigh UNPROCESSABLE_ENTITY "amount_too_high"
        "金额超过单笔上限。请减少数量，或分几次购买。" "The amount is above the limit of one order. Choose less, or order in parts."
    KeyReused CONFLICT "key_reused"
        "这个 Idempotency-Key 已用于另一笔订单。请为新的购买生成新值。"
        "This Idempotency-Key was used for another order. Make a fresh one for a new purchase."
    KeyInvalid BAD_REQUEST "key_invalid"
        "Idempotency-Key 为空或过长。请使用 1 到 64 个字符。" "The Idempotency-Key is empty or too long. Use 1 to 64 characters."
    StorageDown SERVICE_UNAVAILABLE "storage_down"
        "系统暂时无法保存记录，已停止收款，没有扣款。请叫工作人员。"
        "Nothing can be stored just now, so sales are closed; nothing was charged. Call the staff."
    Offline SERVICE_UNAVAILABLE "offline"
        "与中心的网络已断开，账户暂时不能付款，没有扣款。请改用卡内钱包，或稍后再试。"
        "The line to the centre is down, so the account cannot pay; nothing was charged. Pay from the purse, or try later."
    StepNotTaken SERVICE_UNAVAILABLE "step_not_taken"
        "本机无法保存记录，中心也没有收到这一步，尚未生效。请再试一次，或打电话给中心。"
        "Nothing can be stored here and the centre has not got this step, so it does not count yet. Try again, or call the centre."
    EntryUnknown NOT_FOUND "entry_unknown"
        "没有这个编号的记录。请刷新隔离列表。" "There is no entry of this number. Load the quarantine list again."
    EntryDamaged CONFLICT "entry_damaged"
        "这条记录在磁盘上已损坏，不能再发送。请联系技术人员检查磁盘。"
        "This entry is damaged on the disk and cannot be sent. Have technicians look at the disk."
    DeviceUnknown NOT_FOUND "device_unknown"
        "本网关没有这个设备。请核对设备编号，或刷新设备列表。"
        "This gateway looks after no such device. Check its number, or load the list of devices again."
    TestsTooMany CONFLICT "tests_too_many"
        "同时测试的设备太多。请等一个测试结束后再试。" "As many devices are being tried as may be at once. Try again when one test has ended."
    CauseMissing UNPROCESSABLE_ENTITY "cause_missing"
        "结束报警需要填写原因。请选择原因后再试。" "An alarm is resolved with a cause. Choose one and try again."
    HelpNotCalled SERVICE_UNAVAILABLE "help_not_called"
        "呼叫没有送到。请直接找工作人员，或请旁边的人帮忙。"
        "The call did not get through. Please go to the staff, or ask somebody nearby to."
    CardExpired UNPROCESSABLE_ENTITY "card_expired"
        "卡片已过期或尚未生效，没有扣款。请到市民卡服务网点办理。"
        "The card has expired or is not valid yet; nothing was charged. Take it to a citizen card office."
    CardBlocked UNPROCESSABLE_ENTITY "card_blocked"
        "卡片已挂失或停用，没有扣款。请到市民卡服务网点办理。"
        "The card is reported lost or blocked; nothing was charged. Take it to a citizen card office."
    CardUnreadable UNPROCESSABLE_ENTITY "card_unreadable"
        "读不出这张卡，没有扣款。请只放一张市民卡，平放后再试。"
        "The card could not be read; nothing was charged. Lay one citizen card flat on the reader and try again."
    CardChanged UNPROCESSABLE_ENTITY "card_changed"
        "中途换了另一张卡。请放回开始时的那张卡。" "This is another card than before. Put the first card back."
    CardNotGenuine UNPROCESSABLE_ENTITY "card_not_genuine"
        "卡片没有通过验证，没有扣款。请换一张卡，或叫工作人员。"
        "The card did not prove itself; nothing was charged. Use another card, or call the staff."
    CardRemoved UNPROCESSABLE_ENTITY "card_removed"
        "卡片拿开得太早，没有扣款。请重新购买，付款时不要移动卡片。"
        "The card was taken away too soon; nothing was charged. Order again and leave the card until it is done."
    CardMute UNPROCESSABLE_ENTITY "card_mute"
        "卡片没有反应，没有扣款。请拿起卡片，擦干净后平放再试；仍不行请叫工作人员。"
        "The card does not answer; nothing was charged. Lift it, wipe it and lay it flat again, or call the staff."
    CardHeld SERVICE_UNAVAILABLE "card_held"
        "读卡器正被本机的其他程序占用，没有扣款。请拿起卡片，稍等几秒再放；仍不行请叫工作人员。"
        "Another program on this machine holds the reader; nothing was charged. Lift the card and lay it on again in a few seconds, or call the staff."
    PsamBusy SERVICE_UNAVAILABLE "psam_busy"
        "安全模块正在为另一个读卡器服务，没有扣款。请拿起卡片，稍等几秒再放。"
        "The security module serves another reader just now; nothing was charged. Lift the card and lay it on again in a few seconds."
    ReaderBroken SERVICE_UNAVAILABLE "reader_broken"
        "读卡器暂时不能工作，没有扣款。请叫工作人员检查网关。"
        "The card reader cannot work just now; nothing was charged. Ask the staff to check the gateway."
    Insufficient UNPROCESSABLE_ENTITY "insufficient"
        "余额不足，没有扣款。请减少数量，或换一种支付方式。"
        "There is not enough to pay; nothing was charged. Choose less, or pay another way."
    NoAccount UNPROCESSABLE_ENTITY "no_account"
        "中心没有这张卡的重阳分账户，没有扣款。请改用卡内钱包，或向社区申请开户。"
        "The centre has no account for this card; nothing was charged. Pay from the purse, or ask the community office for an account."
    Closed SERVICE_UNAVAILABLE "closed"
        "中心已暂停本网关收款，没有扣款。请叫工作人员联系中心。"
        "The centre has closed sales of this gateway; nothing was charged. Ask the staff to call the centre."
    PriceChanged UNPROCESSABLE_ENTITY "price_changed"
        "价格刚刚更新，没有扣款。请返回首页，按新价格重新选择。"
        "The prices have just changed; nothing was charged. Go back and choose again at the new prices."
    ServiceWithdrawn UNPROCESSABLE_ENTITY "service_withdrawn"
        "有一项服务已经下架，没有扣款。请返回首页，重新选择服务。"
        "A service of this order is no longer offered; nothing was charged. Go back and choose again."
    OrderNotTaken UNPROCESSABLE_ENTITY "order_not_taken"
        "中心没有接受这笔订单，没有扣款。请返回首页重新选择；仍不行请叫工作人员。"
        "The centre did not take this order; nothing was charged. Go back and choose again, or call the staff."
    CardNotChecked SERVICE_UNAVAILABLE "card_not_checked"
        "中心暂时不能核对卡片，没有扣款。请改用卡内钱包，或稍后再试。"
        "The centre cannot check the card just now; nothing was charged. Pay from the purse, or try later."
    CentreRefused UNPROCESSABLE_ENTITY "centre_refused"
        "中心没有批准这笔付款，没有扣款。请叫工作人员联系中心。"
        "The centre did not grant this payment; nothing was charged. Ask the staff to call the centre."
    CardWaitEnded UNPROCESSABLE_ENTITY "card_wait_ended"
        "等待放卡超时，没有扣款。请重新选择服务。" "No card was laid on in time; nothing was charged. Choose a service again."
    TakenBack UNPROCESSABLE_ENTITY "taken_back"
        "订单已取消，没有扣款。可以重新选择服务。" "The order was cancelled; nothing was charged. You can choose again."
    Interrupted UNPROCESSABLE_ENTITY "interrupted"
        "付款时系统重启，没有扣款。请重新选择服务。" "The gateway was restarted in the middle; nothing was charged. Choose a service again."
    NotDebited UNPROCESSABLE_ENTITY "not_debited"
        "已核实：卡片没有被扣款。请重新选择服务。" "It is now certain that the card was not charged. Choose a service again."
    PsamRefused UNPROCESSABLE_ENTITY "psam_refused"
        "安全模块没有完成这笔付款，没有扣款。请再试一次；仍不行请叫工作人员。"
        "The security module did not finish the payment; nothing was charged. Try once more, or call the staff."
    CatalogueOld SERVICE_UNAVAILABLE "catalogue_old"
        "价格已太久没有得到中心确认，暂停收款，没有扣款。请叫工作人员检查网络。"
        "The centre has not confirmed the prices for too long, so sales are closed; nothing was charged. Ask the staff to check the line."
    CardCounterRegress UNPROCESSABLE_ENTITY "card_counter_regress"
        "这张卡的计数器倒退，可能是复制的卡，没有扣款。请叫工作人员，并到市民卡服务网点办理。"
        "The card's counter went back, so it may be a copy; nothing was charged. Call the staff and take it to a citizen card office."
    Unsettled UNPROCESSABLE_ENTITY "unsettled"
        "还不能确定是否已扣款。请把同一张卡放回读卡器，不要重复付款。"
        "It is not certain yet whether the card was charged. Put the same card back on the reader; do not pay again."
    ProofRejected UNPROCESSABLE_ENTITY "proof_rejected"
        "卡片的付款凭证没有通过核对，还不能确定是否已扣款。请把同一张卡放回读卡器核实；卡不在时由发卡方核定。不要重复付款。"
        "The card's proof was rejected, so it is not certain whether it was charged. Put the same card back on the reader; without it the card issuer decides. Do not pay again."
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The core refused.
    Refusal(Refusal),
    /// The interface itself refused.
    Fault(Fault),
}

/// An error answer; its body is written once the caller's language is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiError {
    /// Why.
    pub reason: Reason,
    /// Seconds after which it is worth another try.
    pub retry_after_s: Option<u64>,
}

impl ApiError {
    /// Too many wrong PINs; the lock ends after `retry_after_s` seconds.
    #[must_use]
    pub const fn locked(retry_after_s: u64) -> Self {
        Self { reason: Reason::Fault(Fault::PinLocked), retry_after_s: Some(retry_after_s) }
    }

    /// What is told about it.
    #[must_use]
    pub const fn told(&self) -> Told {
        match self.reason {
            Reason::Refusal(refusal) => refusal_told(refusal),
            Reason::Fault(fault) => fault_told(fault),
        }
    }

    /// The answer in the caller's language.
    #[must_use]
    pub fn render(&self, lang: Lang) -> Response {
        let told = self.told();
        let body = json!({"error": {"code": told.code, "message": told.message(lang)}});
        let mut response = (told.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let retry_after_s = match fault {
            Fault::Busy | Fault::Late => Some(2),
            Fault::Closing => Some(10),
            Fault::NotFound
            | Fault::MethodNotAllowed
            | Fault::HostForeign
            | Fault::OriginForeign
            | Fault::LoginMissing
            | Fault::StaffOnly
            | Fault::TokenWrong
            | Fault::PinWrong
            | Fault::PinLocked
            | Fault::JsonMissing
            | Fault::BodyInvalid
            | Fault::BodyTooLong
            | Fault::QuantityInvalid
            | Fault::TenderInvalid
            | Fault::KeyMissing
            | Fault::CauseInvalid
            | Fault::ResponderInvalid
            | Fault::EtaInvalid
            | Fault::Broken => None,
        };
        Self { reason: Reason::Fault(fault), retry_after_s }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self { reason: Reason::Refusal(refusal), retry_after_s: None }
    }
}

impl From<ViewError> for ApiError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Busy => Fault::Busy.into(),
            ViewError::Late => Fault::Late.into(),
        }
    }
}

/// Carries the error to the front, which knows the language.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.told().status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every() -> Vec<ApiError> {
        let refusals = REFUSALS.iter().copied().map(ApiError::from);
        FAULTS.iter().copied().map(ApiError::from).chain(refusals).collect()
    }

    #[test]
    fn every_reason_has_a_code_of_its_own_and_two_messages_that_say_what_to_do() {
        let mut seen = BTreeSet::new();
        for error in every() {
            let told = error.told();
            assert!(seen.insert(told.code), "{} stands for two reasons", told.code);
            assert!(told.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", told.code);
            assert!(told.status.is_client_error() || told.status.is_server_error(), "{}", told.code);
            assert!(told.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}", told.code);
            assert!(told.zh.ends_with('。') && told.en.ends_with('.'), "{}", told.code);
            assert!(told.zh.contains('请') || told.zh.contains("可以"), "{} does not say what to do", told.code);
            assert!(told.en.matches('.').count() >= 2, "{} does not say what to do", told.code);
        }
    }

    #[test]
    fn the_code_of_a_refusal_is_its_name_in_a_sale() {
        for refusal in REFUSALS {
            let name = serde_json::to_value(refusal).expect("a refusal is a word");
            assert_eq!(name, refusal_told(*refusal).code);
            assert_eq!(name, refusal.word());
        }
    }
}
