//! The wiring: opens the store, checks it, binds, serves, and stops within a bound.
//!
//! **Invariant:** nothing is bound before the database was opened, its settings read back and its ledger checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocols::id::{ActorId, GatewayId};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api;
use crate::config::Config;
use crate::enrolment;
use crate::identity::Token;
use crate::issuer::{Issuer, KeysError};
use crate::ledger::audit::{self, Finding};
use crate::ledger::{sale, settle};
use crate::limits;
use crate::listener::{Listener, Peer, TlsError};
use crate::login::lockout::Lockout;
use crate::login::password::{self, PasswordError};
use crate::orders;
use crate::presence::Presence;
use crate::store::{Now, OpenError, Priority, Store, StoreError, WriterTask};
use crate::supervision;

/// Why the centre did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Open(#[from] OpenError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// The issuer's keys cannot be used.
    #[error("the issuer's keys cannot be used")]
    Keys(#[from] KeysError),
    /// The ledger does not hold what it promises.
    #[error("the ledger does not hold what it promises: {} findings, the first: {first}", count)]
    Ledger {
        /// How many findings.
        count: usize,
        /// The first of them.
        first: Finding,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// TLS cannot be served.
    #[error("TLS cannot be served")]
    Tls(#[from] TlsError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// What every handler reaches.
#[derive(Debug)]
pub struct Centre {
    /// The database.
    pub store: Store,
    /// The card issuer.
    pub issuer: Arc<Issuer>,
    /// The stream that orders are numbered in.
    pub stream: String,
    /// Whether anybody may read what is about no person: only on loopback.
    pub open_reads: bool,
    /// Who is at a board.
    pub presence: Presence,
    /// Passwords that may still be compared now.
    pub password_checks: Arc<Semaphore>,
    lockout: Mutex<Lockout>,
    seen: Mutex<BTreeMap<String, i64>>,
    stop: watch::Receiver<bool>,
}

/// The shared state of the handlers.
pub type App = Arc<Centre>;

impl Centre {
    /// Notes that a gateway called.
    pub fn saw(&self, gateway: &GatewayId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(gateway.as_str().to_owned(), Now::read().ms);
    }

    /// When a gateway called last, since this process started, Unix milliseconds.
    #[must_use]
    pub fn seen(&self, gateway: &str) -> Option<i64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(gateway).copied()
    }

    /// The count of wrong passwords.
    pub fn lockout(&self) -> MutexGuard<'_, Lockout> {
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the centre is to stop.
    pub async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // An error means that the one who says stop is gone, which is a stop too.
        stop.wait_for(|stop| *stop).await.ok();
    }
}

/// A centre that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    writer: WriterTask,
}

/// How a centre ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything finished in time.
    Clean,
    /// Requests were cut off after the time for stopping.
    RequestsCut,
    /// The writer ended with an error: the process must start again from the disk.
    WriterFailed,
}

/// Starts a centre.
///
/// # Errors
/// Anything that would make it run wrongly.
pub async fn start(config: &Config) -> Result<Running, StartError> {
    let issuer = match &config.issuer_keys {
        Some(path) => Issuer::from_file(path)?,
        None => {
            tracing::warn!("no issuer keys: cards cannot prove themselves, and debits stay pending");
            Issuer::without_keys()
        }
    };
    let (store, writer) = open(config).await?;
    let stream = facts(&store).await?;
    check_ledger(&store).await?;
    let lockout = Lockout::load(&store.readers, Instant::now()).await?;
    let tcp =
        TcpListener::bind(config.listen).await.map_err(|source| StartError::Bind { address: config.listen, source })?;
    let address = tcp.local_addr().map_err(|source| StartError::Bind { address: config.listen, source })?;
    let listener = Listener::start(tcp, address, config.tls.as_ref())?;
    let (stop, stopped) = watch::channel(false);
    let open_reads = config.tls.is_none() && address.ip().is_loopback();
    let app = Arc::new(Centre {
        store,
        issuer: Arc::new(issuer),
        stream,
        open_reads,
        presence: Presence::default(),
        password_checks: Arc::new(Semaphore::new(limits::PASSWORD_CHECKS_MAX)),
        lockout: Mutex::new(lockout),
        seen: Mutex::new(BTreeMap::new()),
        stop: stopped.clone(),
    });
    tokio::spawn(ask_issuer(Arc::clone(&app)));
    tokio::spawn(supervision::run(Arc::clone(&app), config.gateway_silent_after));
    let router = api::router(Arc::clone(&app));
    let mut signal = stopped;
    let server = tokio::spawn(async move {
        axum::serve(listener, router.into_make_service_with_connect_info::<Peer>())
            .with_graceful_shutdown(async move {
                signal.wait_for(|stop| *stop).await.ok();
            })
            .await
    });
    tracing::info!(address = %address, tls = config.tls.is_some(), "the centre serves");
    Ok(Running { address, stop, server, writer })
}

/// Opens the database alone, as `run` and `seed-demo` both need it.
///
/// # Errors
/// The database cannot be used.
pub async fn open(config: &Config) -> Result<(Store, WriterTask), StartError> {
    Ok(Store::open(&config.database).await?)
}

/// Gives an operator a new token, in a database that no running centre has.
///
/// # Errors
/// The database cannot be used.
pub async fn add_operator(config: &Config, name: ActorId) -> Result<Token, StartError> {
    let token = Token::draw().map_err(|_| StartError::Randomness)?;
    let (store, writer) = open(config).await?;
    facts(&store).await?;
    let kept = token.clone();
    store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { enrolment::operator(tx, &name, &kept).await }))
        .await?;
    drop(store);
    writer.await.map_err(|_| StoreError::Ended)??;
    Ok(token)
}

/// Gives an operator a password, in a database that no running centre has.
///
/// # Errors
/// The password is not fit to be one, or the database cannot be used.
pub async fn set_password(config: &Config, name: ActorId, password: &str) -> Result<(), StartError> {
    let hash = password::hash(password)?;
    let (store, writer) = open(config).await?;
    facts(&store).await?;
    store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { password::set(tx, &name, &hash).await }))
        .await?;
    drop(store);
    writer.await.map_err(|_| StoreError::Ended)??;
    Ok(())
}

/// Makes the values that are as old as the database, and gives back the stream.
///
/// # Errors
/// The database cannot do it.
pub async fn facts(store: &Store) -> Result<String, StartError> {
    let mut random = [[0_u8; 16]; 2];
    for bytes in &mut random {
        getrandom::fill(bytes).map_err(|_| StartError::Randomness)?;
    }
    let [stream, salt] = random.map(hex::encode);
    let stream = store
        .writer
        .run(Priority::Person, 1, move |tx| {
            Box::pin(async move {
                let now_s = tx.now.ms / 1_000;
                let counters = [("hotlist_version", now_s.to_string()), ("settings_version", "0".to_owned())];
                for (name, value) in [("stream", stream), ("hotlist_salt", salt)].into_iter().chain(counters) {
                    sqlx::query("INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                        .bind(name)
                        .bind(value)
                        .execute(&mut tx.conn)
                        .await?;
                }
                orders::sweep(tx).await?;
                orders::stream(&mut tx.conn).await
            })
        })
        .await?;
    Ok(stream)
}

/// What waits for the issuer's word.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    /// Debits whose proof is pending.
    Debits,
    /// Sales that their gateway left as unknown, with a proof.
    Unknown,
}

/// Asks the issuer, beside everything else, about what waited for its keys or for a proof.
async fn ask_issuer(app: App) {
    if !app.issuer.has_keys() {
        return;
    }
    for waiting in [Waiting::Debits, Waiting::Unknown] {
        let mut after = String::new();
        loop {
            let (issuer, last) = (Arc::clone(&app.issuer), after.clone());
            let asked = app.store.writer.run(Priority::Bulk, 1, move |tx| {
                Box::pin(async move {
                    match waiting {
                        Waiting::Debits => sale::prove_pending(tx, &issuer, &last).await,
                        Waiting::Unknown => settle::judge_unknown(tx, &issuer, &last).await,
                    }
                })
            });
            let asked = tokio::select! {
                asked = asked => asked,
                () = app.stopping() => return,
            };
            match asked {
                Ok(Some(last)) => after = last,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(error = %error, "the issuer was not asked about all that waits; the next start goes on");
                    return;
                }
            }
        }
    }
}

async fn check_ledger(store: &Store) -> Result<(), StartError> {
    let mut reader = store.readers.acquire().await.map_err(StoreError::from)?;
    let findings = audit::run(&mut reader).await?;
    for finding in &findings {
        tracing::error!(finding = %finding, "the ledger does not hold what it promises");
    }
    let count = findings.len();
    findings.into_iter().next().map_or(Ok(()), |first| Err(StartError::Ledger { count, first }))
}

impl Running {
    /// Ends when the writer failed, which nothing but a new start repairs.
    pub async fn failed(&mut self) {
        (&mut self.writer).await.ok();
    }

    /// Whether the writer has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.writer.is_finished()
    }

    /// Stops: takes nothing new, lets open requests finish for a bounded time, closes the database.
    pub async fn stop(mut self) -> Ended {
        self.stop.send(true).ok();
        let cut = match tokio::time::timeout(limits::SHUTDOWN_GRACE, &mut self.server).await {
            Ok(_) => false,
            Err(_) => {
                tracing::warn!("open requests did not finish in time and were cut off");
                self.server.abort();
                true
            }
        };
        match tokio::time::timeout(limits::SHUTDOWN_GRACE, self.writer).await {
            Ok(Ok(Ok(()))) if cut => Ended::RequestsCut,
            Ok(Ok(Ok(()))) => Ended::Clean,
            Ok(_) => Ended::WriterFailed,
            Err(_) => {
                tracing::warn!("the database was not closed in time");
                Ended::RequestsCut
            }
        }
    }
}
