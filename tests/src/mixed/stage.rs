//! The site with a line on either side of its gateway and a disk under it, each of which can be broken.

use std::time::Duration;

use protocols::card::value::CardAmount;
use reqwest::Method;
use serde_json::json;

use super::limits::{DEVICES, MORE_FEN, SHORT};
use crate::faults::proxy::Proxy;
use crate::power::Faults;
use crate::power::error::PowerError;
use crate::site::audit::Expected;
use crate::site::error::SiteError;
use crate::site::mqtt::Login;
use crate::site::till::fresh_key;
use crate::site::{CARD_SERIAL, PURSE_FEN, Site, SiteSettings};
use crate::virtual_card::card_state::CardState;
use crate::virtual_card::purse::CitizenCard;

/// Deadlines of a short run.
const SOON: &str = "[uplink.deadlines]\nupload_ms = 3000\nalarm_ms = 3000\nalarm_second_path_ms = 1000\norder_wait_s = 3\norder_margin_ms = 1000\n";

/// The site and what is around it.
pub struct Stage {
    /// The site; its gateway reaches the centre through `uplink`, and has the disk.
    pub site: Site,
    /// From the gateway to the centre.
    pub uplink: Proxy,
    /// From the devices to the gateway.
    pub field: Proxy,
    /// The gateway's disk.
    pub disk: Faults,
}

impl Stage {
    /// Everything runs, the catalogue is there, the reader waits for a card; for a run of this length.
    ///
    /// # Errors
    /// Anything that it is made of fails.
    pub async fn start(length: Duration) -> Result<Self, PowerError> {
        let mut site = Site::prepare(&SiteSettings::with_cards().and_load(DEVICES)).await?;
        let disk = Faults::new(site.directory())?;
        disk.under(&mut site.gateway);
        let port = |source| SiteError::Start { program: "a proxy".to_owned(), source };
        let uplink = Proxy::start(site.centre.address()).await.map_err(port)?;
        let field = Proxy::start(site.gateway.mqtt()).await.map_err(port)?;
        site.gateway.reroute(&[&uplink.url()], if length < SHORT { SOON } else { "" })?;
        site.centre.start().await?;
        site.gateway.start().await?;
        let stage = Self { site, uplink, field, disk };
        stage.hand_out().await?;
        stage.site.wait_catalogue().await?;
        stage.site.till().wait_reader("empty").await?;
        Ok(stage)
    }

    /// What the devices log in with, over their line.
    #[must_use]
    pub fn logins(&self) -> Vec<Login> {
        let address = self.field.address();
        self.site.load_logins().into_iter().map(|login| Login { address, ..login }).collect()
    }

    /// What the account at the end has to know of this stage.
    #[must_use]
    pub fn expected(&self) -> Expected {
        let more = i64::from(MORE_FEN);
        Expected { more_granted_fen: more, more_on_card_fen: more, ..Expected::default() }
    }

    /// Points into the account and money on the card, enough for the whole run.
    async fn hand_out(&self) -> Result<(), SiteError> {
        let balance_fen = CardAmount::new(PURSE_FEN.saturating_add(MORE_FEN)).expect("cards can hold much more");
        self.site.card().insert(CitizenCard::new(CardState { balance_fen, ..CardState::new(CARD_SERIAL) }));
        self.site.card().remove();
        let (path, key) = ("/api/v1/accounts/person-0001/grants", fresh_key());
        let body = json!({"amount": MORE_FEN}).to_string();
        let answer =
            self.site.centre.operator.send(Method::POST, path, &[("Idempotency-Key", &key)], Some(body)).await?;
        if answer.is_success() { Ok(()) } else { Err(answer.into_error()) }
    }
}
