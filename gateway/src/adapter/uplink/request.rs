//! The requests of DESIGN.md section 7.

use bytes::Bytes;
use protocols::id::GatewayId;
use protocols::uplink::{BalanceRequest, EntryUpload, HoldRequest, Lane, Uploads};
use protocols::version::CURRENT;
use reqwest::{Method, Url};

use super::limits::{ANSWER_BYTES_MAX, ORDERS_BYTES_MAX};

/// One request, the same on every address and path.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
    /// Bytes of the answer at most.
    pub(super) answer_bytes_max: usize,
}

impl Request {
    /// Entries of one journal, ascending.
    pub(super) fn entries(gateway: &GatewayId, journal: &str, entries: Vec<EntryUpload>) -> Self {
        let body = Uploads { v: CURRENT, journal: journal.to_owned(), entries };
        Self::post(gateway, "entries", &body)
    }

    /// One entry that no disk took.
    pub(super) fn direct(gateway: &GatewayId, journal: &str, entry: String) -> Self {
        Self::entries(gateway, journal, vec![EntryUpload { n: None, entry, hash: String::new(), private: None }])
    }

    /// A hold.
    pub(super) fn hold(gateway: &GatewayId, hold: &HoldRequest) -> Self {
        Self::post(gateway, "holds", hold)
    }

    /// The question what is in an account.
    pub(super) fn balance(gateway: &GatewayId, balance: &BalanceRequest) -> Self {
        Self::post(gateway, "balances", balance)
    }

    /// A long poll.
    pub(super) fn orders(gateway: &GatewayId, lane: Lane, stream: String, after: u64, wait_s: u64) -> Self {
        Self {
            method: Method::GET,
            path: format!("v1/gateways/{gateway}/orders"),
            query: vec![
                ("lane", lane.name().to_owned()),
                ("stream", stream),
                ("after", after.to_string()),
                ("wait_s", wait_s.to_string()),
            ],
            body: None,
            answer_bytes_max: ORDERS_BYTES_MAX,
        }
    }

    fn post<T: serde::Serialize>(gateway: &GatewayId, what: &str, body: &T) -> Self {
        let body = serde_json::to_vec(body).expect("these types have text keys and no failing serialiser");
        Self {
            method: Method::POST,
            path: format!("v1/gateways/{gateway}/{what}"),
            query: Vec::new(),
            body: Some(Bytes::from(body)),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// Where it goes on the address `base`, which ends with a slash.
    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        url.set_path(&format!("{}{}", base.path(), self.path));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_carries_its_stream_escaped_behind_the_base_path() {
        let gateway = "gw-1".parse().unwrap();
        let request = Request::orders(&gateway, Lane::Alarms, String::from("a&b=/ü"), 17, 25);
        let base = Url::parse("https://centre.example:8443/care/").unwrap();
        assert_eq!(
            request.url(&base).as_str(),
            "https://centre.example:8443/care/v1/gateways/gw-1/orders?lane=alarms&stream=a%26b%3D%2F%C3%BC&after=17&wait_s=25"
        );
    }
}
