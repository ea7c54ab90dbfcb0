//! What goes wrong for a caller: one code each, with a message that says what to do, in Chinese or English.
//!
//! A handler answers with a [`Problem`]; [`localise`] writes the body in the language that the caller asked for.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocols::device::AlarmState;
use serde_json::{Value, json};

use crate::store::StoreError;

/// Why a request was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No token, or one that is not known.
    Unauthorized,
    /// The token is another gateway's.
    ForeignGateway,
    /// The client certificate is another's.
    ForeignCertificate,
    /// The address of the centre that the request names is none that it serves.
    ForeignHost,
    /// No such thing.
    NotFound,
    /// The address takes another method.
    Method,
    /// The body is no JSON of the right form.
    BadJson,
    /// A parameter is missing or of the wrong form.
    BadParameter,
    /// The message's version is not known here.
    Version,
    /// The body or the number of entries is above the limit.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// An alarm is resolved only with a cause.
    CauseMissing,
    /// Somebody else has the alarm.
    AlarmTaken,
    /// Who is sent, or when they are there, is out of bounds.
    Responder,
    /// Name or password is wrong.
    PasswordWrong,
    /// Too many passwords were wrong.
    Locked,
    /// The password is not fit to be one.
    PasswordForm,
    /// The idempotency key was used for something else.
    KeyUsed,
    /// The header with the idempotency key is missing.
    KeyMissing,
    /// An amount is nothing, or more than an account can hold.
    Amount,
    /// Nothing waits for approval.
    NothingToApprove,
    /// The hold was posted or given back already.
    HoldEnded,
    /// The card belongs to another person.
    CardTaken,
    /// Another person said otherwise of the sale.
    SaleSaidOtherwise,
    /// The sale is not unknown, or no purse was to pay it.
    SaleNotUnknown,
    /// The sale was paid with another card.
    OtherCard,
    /// No account paid the sale.
    NotRefundable,
    /// More is to come back than was paid and is left.
    MoreThanPaid,
    /// The catalogue names a service twice, or one without a name.
    Catalogue,
    /// Rules from a later day hold already.
    PolicyOver,
    /// Too many rules wait for their day.
    TooManyPolicies,
    /// Too much at once.
    Busy,
    /// The disk is full.
    Full,
    /// Something broke; the log says what.
    Internal,
}

impl Problem {
    /// Its status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized | Self::PasswordWrong => StatusCode::UNAUTHORIZED,
            Self::Locked => StatusCode::TOO_MANY_REQUESTS,
            Self::ForeignGateway | Self::ForeignCertificate | Self::ForeignHost => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadJson | Self::BadParameter | Self::Version | Self::KeyMissing => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::CauseMissing
            | Self::Responder
            | Self::PasswordForm
            | Self::Amount
            | Self::Catalogue
            | Self::OtherCard
            | Self::NotRefundable
            | Self::MoreThanPaid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::SaleSaidOtherwise
            | Self::SaleNotUnknown
            | Self::AlarmTaken
            | Self::KeyUsed
            | Self::NothingToApprove
            | Self::HoldEnded
            | Self::CardTaken
            | Self::PolicyOver
            | Self::TooManyPolicies => StatusCode::CONFLICT,
            Self::Busy | Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::ForeignGateway => "foreign_gateway",
            Self::ForeignCertificate => "foreign_certificate",
            Self::ForeignHost => "foreign_host",
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::BadJson => "bad_json",
            Self::BadParameter => "bad_parameter",
            Self::Version => "version",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::CauseMissing => "cause_missing",
            Self::AlarmTaken => "alarm_taken",
            Self::Responder => "responder",
            Self::PasswordWrong => "password_wrong",
            Self::Locked => "locked",
            Self::PasswordForm => "password_form",
            Self::KeyUsed => "key_used",
            Self::KeyMissing => "key_missing",
            Self::Amount => "amount",
            Self::NothingToApprove => "nothing_to_approve",
            Self::HoldEnded => "hold_ended",
            Self::CardTaken => "card_taken",
            Self::SaleSaidOtherwise => "said_otherwise",
            Self::SaleNotUnknown => "not_unknown",
            Self::OtherCard => "other_card",
            Self::NotRefundable => "not_refundable",
            Self::MoreThanPaid => "more_than_paid",
            Self::Catalogue => "catalogue",
            Self::PolicyOver => "policy_over",
            Self::TooManyPolicies => "too_many_policies",
            Self::Busy => "busy",
            Self::Full => "disk_full",
            Self::Internal => "internal",
        }
    }

    /// What to do, in Chinese.
    #[must_use]
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Unauthorized => "请提供有效的令牌(Authorization: Bearer …)。",
            Self::ForeignGateway => "该令牌属于另一台网关,请检查网关名称和令牌文件。",
            Self::ForeignCertificate => "客户端证书不是该网关的,请检查网关的证书和名称(证书的主体名称必须是网关名称)。",
            Self::ForeignHost => "请通过 127.0.0.1 或 localhost 访问本服务。",
            Self::NotFound => "没有找到,请检查地址或编号。",
            Self::Method => "该地址不支持此方法,请查看 /api/openapi.json。",
            Self::BadJson => "请求内容不是所需格式的 JSON,请对照 /api/openapi.json 修改。",
            Self::BadParameter => "参数缺失或格式不正确,请对照 /api/openapi.json 修改。",
            Self::Version => "不支持该消息版本,请升级本服务。",
            Self::TooLarge => "请求过大,请分批发送。",
            Self::TooSlow => "请求内容传输过慢,请检查网络后重发。",
            Self::CauseMissing => "关闭报警前请填写原因。",
            Self::AlarmTaken => "该报警已由其他人员处理,请先查看;需要接手时请明确选择接手。",
            Self::Responder => "前往人员不超过 64 个字,预计到达时间为 1 至 240 分钟,请修改后重新提交。",
            Self::PasswordWrong => "姓名或密码不正确,请重新输入。",
            Self::Locked => "密码错误次数过多,请稍后再试。",
            Self::PasswordForm => "密码至少 10 个字符,且不能全部相同,请换一个。",
            Self::KeyUsed => "该幂等键已用于另一笔操作,请换一个新的键。",
            Self::KeyMissing => "请在 Idempotency-Key 头中提供唯一的键(1 至 100 个字符)。",
            Self::Amount => "金额必须为大于零的整数(分),且不超过账户上限。",
            Self::NothingToApprove => "该网关尚无日志可批准。",
            Self::HoldEnded => "该冻结已入账或已退回,无需处理。",
            Self::SaleSaidOtherwise => "已有人作出不同的判断,请先一起核实。",
            Self::SaleNotUnknown => "该笔交易不是待确认的钱包付款,无需处理。",
            Self::OtherCard => "该笔交易不是用这张卡付款的,请核对卡和交易。",
            Self::NotRefundable => "该笔交易不是由重阳分账户付款(或尚未入账),不能退回重阳分。",
            Self::MoreThanPaid => "退款超过了该笔交易中尚可退回的数量,请核对服务和数量。",
            Self::CardTaken => "该卡已登记在其他人名下,请先核实。",
            Self::Catalogue => "服务目录中有重复的编号、空的名称、低于价格的全价或过长的说明,请修改后重新提交。",
            Self::PolicyOver => "已有更晚日期的规则生效,此规则不会生效;请填写不早于现行规则的生效日期。",
            Self::TooManyPolicies => "等待生效的规则过多,请修改其中一条的内容,或等其生效后再提交。",
            Self::Busy => "系统繁忙,请稍后重试。",
            Self::Full => "中心磁盘已满,请立即联系维护人员;请求未被记录,可重发。",
            Self::Internal => "内部错误,请重发同一请求;如仍失败请联系维护人员。",
        }
    }

    /// What to do, in English.
    #[must_use]
    pub const fn english(self) -> &'static str {
        match self {
            Self::Unauthorized => "Send a valid token (Authorization: Bearer …).",
            Self::ForeignGateway => {
                "This token belongs to another gateway: check the gateway's name and its token file."
            }
            Self::ForeignCertificate => {
                "The client certificate is not this gateway's: its subject must be the gateway's name. Check both."
            }
            Self::ForeignHost => "Use 127.0.0.1 or localhost to reach this service.",
            Self::NotFound => "There is no such thing: check the address or the reference.",
            Self::Method => "This address does not take that method: see /api/openapi.json.",
            Self::BadJson => "The body is no JSON of the right form: compare it with /api/openapi.json.",
            Self::BadParameter => "A parameter is missing or of the wrong form: compare it with /api/openapi.json.",
            Self::Version => "This version of the message is not known here: upgrade this service.",
            Self::TooLarge => "The request is too large: send it in parts.",
            Self::TooSlow => "The body did not come in time: check the line and send it again.",
            Self::CauseMissing => "Give a cause before closing the alarm.",
            Self::AlarmTaken => "Somebody else has this alarm: look at it first, and say so if you take it over.",
            Self::Responder => "Who is sent has at most 64 characters and is there in 1 to 240 minutes: correct it.",
            Self::PasswordWrong => "The name or the password is wrong: try again.",
            Self::Locked => "Too many passwords were wrong: wait, then try again.",
            Self::PasswordForm => "A password has at least 10 characters, not all the same: choose another.",
            Self::KeyUsed => "This idempotency key was used for something else: take a new one.",
            Self::KeyMissing => "Send a unique key of 1 to 100 characters in the header Idempotency-Key.",
            Self::Amount => "The amount must be a whole number of fen above zero, within what an account can hold.",
            Self::NothingToApprove => "This gateway has no journal to approve yet.",
            Self::HoldEnded => "This hold was posted or given back already: nothing is left to do.",
            Self::SaleSaidOtherwise => "Somebody said otherwise of this sale: look at it together.",
            Self::SaleNotUnknown => "This is no purse sale in doubt: nothing is left to do.",
            Self::OtherCard => "Another card paid this sale: check the card and the sale.",
            Self::NotRefundable => {
                "No account paid this sale (yet), so no points can go back: see its state and tender."
            }
            Self::MoreThanPaid => "That is more than is left of this sale: check the services and how many.",
            Self::CardTaken => "This card belongs to another person: check its number.",
            Self::Catalogue => {
                "The catalogue names a service twice, or one without a name, with a full price below its price or too long a description: correct it and send it again."
            }
            Self::PolicyOver => {
                "Rules from a later day hold already, so these never would: give a day that is not before theirs."
            }
            Self::TooManyPolicies => "Too many rules wait for their day: change one of them, or wait for the next.",
            Self::Busy => "Too much waits at the moment: try again shortly.",
            Self::Full => "The centre's disk is full: call maintenance now. Nothing was recorded; send it again later.",
            Self::Internal => "Something broke: send the same request again, and call maintenance if it still fails.",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem with what the caller needs to act on it; it stands beside code and message.
#[derive(Debug, Clone)]
pub enum Detailed {
    /// Just the problem.
    Plain(Problem),
    /// Somebody else has the alarm.
    AlarmTaken {
        /// Who.
        by: Option<String>,
        /// Since when, RFC 3339.
        since: Option<String>,
        /// How far the alarm is.
        state: AlarmState,
    },
    /// Too many passwords were wrong: the seconds until the next try.
    Locked(u64),
}

impl Detailed {
    const fn problem(&self) -> Problem {
        match self {
            Self::Plain(problem) => *problem,
            Self::AlarmTaken { .. } => Problem::AlarmTaken,
            Self::Locked(_) => Problem::Locked,
        }
    }

    fn message(&self, chinese: bool) -> String {
        let plain = if chinese { self.problem().chinese() } else { self.problem().english() };
        match self {
            Self::AlarmTaken { by: Some(by), since: Some(since), .. } => {
                let since = since.get(11..16).unwrap_or(since);
                if chinese {
                    format!("{by} 自 {since} 起在处理该报警。需要接手时请明确选择接手。")
                } else {
                    format!("{by} has this alarm since {since}. Say so if you take it over.")
                }
            }
            Self::Locked(left_s) if chinese => format!("密码错误次数过多,请在 {left_s} 秒后再试。"),
            Self::Locked(left_s) => format!("Too many passwords were wrong: try again in {left_s} seconds."),
            Self::Plain(_) | Self::AlarmTaken { .. } => plain.to_owned(),
        }
    }

    fn body(&self, chinese: bool) -> Value {
        let mut error = json!({"code": self.problem().code(), "message": self.message(chinese)});
        match self {
            Self::Plain(_) => {}
            Self::AlarmTaken { by, since, state } => {
                error["by"] = json!(by);
                error["since"] = json!(since);
                error["state"] = json!(state);
            }
            Self::Locked(left_s) => error["retry_after_s"] = json!(left_s),
        }
        json!({"error": error})
    }
}

impl IntoResponse for Detailed {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Problem> for Detailed {
    fn from(problem: Problem) -> Self {
        Self::Plain(problem)
    }
}

impl From<StoreError> for Detailed {
    fn from(error: StoreError) -> Self {
        Self::Plain(error.into())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Full => Self::Full,
            StoreError::Database(sqlx::Error::PoolTimedOut) => Self::Busy,
            StoreError::Ended | StoreError::Unknown => Self::Internal,
            StoreError::Database(_) | StoreError::Row { .. } => {
                tracing::error!(error = ?error, "the store failed");
                Self::Internal
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Database(error).into()
    }
}

/// Whether the caller would rather read Chinese: the first of the two languages that it names, Chinese where it names
/// neither.
#[must_use]
pub fn wants_chinese(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
    accepted
        .split(',')
        .map(|part| part.trim().to_ascii_lowercase())
        .find_map(|language| match language.get(..2) {
            Some("zh") => Some(true),
            Some("en") => Some(false),
            Some(_) | None => None,
        })
        .unwrap_or(true)
}

/// Writes the body of a [`Problem`] in the caller's language.
pub async fn localise(request: Request, next: Next) -> Response {
    let chinese = wants_chinese(request.headers());
    let response = next.run(request).await;
    let problem = match (response.extensions().get::<Problem>(), response.status()) {
        (Some(problem), _) => *problem,
        // Answers of the router itself.
        (None, StatusCode::METHOD_NOT_ALLOWED) => Problem::Method,
        (None, StatusCode::PAYLOAD_TOO_LARGE) => Problem::TooLarge,
        (None, _) => return response,
    };
    metrics::counter!("central_problems_total", "code" => problem.code()).increment(1);
    let detailed = response.extensions().get::<Detailed>().cloned().unwrap_or(Detailed::Plain(problem));
    let mut answer = (problem.status(), Json(detailed.body(chinese))).into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(if chinese { "zh-CN" } else { "en" }));
    if problem == Problem::Unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Detailed::Locked(left_s) = detailed {
        headers.insert(RETRY_AFTER, HeaderValue::from(left_s));
    }
    if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(if problem == Problem::Full { "30" } else { "1" }));
    }
    answer
}
