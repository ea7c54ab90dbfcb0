//! The local interface: pages for the kiosk and for staff, their API, monitoring. HTTP on loopback by default.
//!
//! A person's wish becomes a [`DeskInput`] with a [`ReplyToken`]; the core's answer comes back through
//! [`Kiosk::reply`]. Reads are questions to the core ([`view::Query`]). What changes is told to open pages by
//! [`Kiosk::notify`]. Nothing is decided here: prices, states and refusals are the core's.
//!
//! **Invariant:** a request that changes something has a person or program behind it: the kiosk's own page on this
//! machine, a staff session, or a bearer token. From elsewhere than this machine reads need one too.
//! **Invariant:** only hosts that are this gateway's are answered, and a page of another origin changes nothing.
//! **Invariant:** no request waits without a deadline, and everything that waits is counted against a limit.

mod app;
mod counter;
pub mod credentials;
mod desk;
mod error;
mod events;
mod front;
mod guard;
mod lang;
pub mod limits;
mod lockout;
mod login;
mod pages;
mod reads;
mod routes;
pub mod sale_request;
mod server;
mod session;
pub mod view;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use gateway_core::{DeskAnswer, DeskInput, Notice, ReplyToken};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::mpsc;

use app::App;
pub use credentials::Credentials;
pub use error::{ApiError, FAULTS, Fault, REFUSALS, Reason, Told, fault_told, refusal_told};
pub use lang::Lang;
pub use limits::REFUSALS_KEPT;
pub use routes::{Access, RouteName, route_names};
pub use server::Server;
pub use view::CoreView;

use crate::troubles::Troubles;

/// How the local interface is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; `127.0.0.1:8080` by default.
    pub listen: SocketAddr,
    /// Host names with port by which other machines reach it, such as `gateway.centre.lan:8080`.
    pub hosts: Vec<String>,
    /// Who may act.
    pub credentials: Credentials,
    /// A directory of the daemon's own, for the count of wrong PINs.
    pub state_dir: PathBuf,
}

impl Settings {
    /// Whether nobody from elsewhere could get in unasked.
    ///
    /// # Errors
    /// [`KioskError::CredentialsMissing`], [`KioskError::HostsMissing`].
    pub fn check(&self) -> Result<(), KioskError> {
        let address = self.listen;
        if address.ip().is_loopback() {
            return Ok(());
        }
        if self.credentials.is_empty() {
            return Err(KioskError::CredentialsMissing(address));
        }
        if address.ip().is_unspecified() && self.hosts.is_empty() {
            return Err(KioskError::HostsMissing(address));
        }
        Ok(())
    }
}

/// Why the local interface cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum KioskError {
    /// Reachable from other machines, but nobody could log in there.
    #[error("{0} is reachable from other machines: credentials with staff or tokens are needed")]
    CredentialsMissing(SocketAddr),
    /// Bound to every address, but no host name is given under which requests may come.
    #[error("{0} stands for every address: list the host names with port by which it is reached")]
    HostsMissing(SocketAddr),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

/// The handle by which the event loop answers and tells.
#[derive(Debug, Clone)]
pub struct Kiosk {
    app: Arc<App>,
}

impl Kiosk {
    /// Makes the interface. Wishes go to `desk`, questions to `view`; `metrics` renders `/metrics`. It answers once
    /// [`Server::run`] runs, which binds its address, again and again where that is taken, and tells `troubles`.
    ///
    /// # Errors
    /// When it would be open to other machines without credentials or host names, or there are no random numbers.
    pub fn new(
        settings: Settings,
        desk: mpsc::Sender<DeskInput>,
        view: CoreView,
        metrics: PrometheusHandle,
        troubles: Troubles,
    ) -> Result<(Self, Server), KioskError> {
        settings.check()?;
        let app = Arc::new(App::new(settings, desk, view, metrics).map_err(KioskError::Random)?);
        let server = Server::new(Arc::clone(&app), troubles);
        Ok((Self { app }, server))
    }

    /// Where it listens, or will.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.app.local()
    }

    /// The core's answer for the caller behind `token`. A caller who has gone is no error.
    pub fn reply(&self, token: ReplyToken, answer: DeskAnswer) {
        self.app.reply(token, answer);
    }

    /// Tells open pages.
    pub fn notify(&self, notice: Notice) {
        self.app.notify(notice);
    }
}
