//! Sessions: who is behind a cookie. They live in memory; a restart ends them.
//!
//! The kiosk's session is one secret per process: a page that this machine loaded from here has it, a foreign page
//! cannot read it. Staff sessions are opened by a PIN.
//!
//! **Invariant:** only the hash of a session's secret is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use protocols::id::ActorId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::limits::{SESSION_AGE_S, SESSION_IDLE_S, SESSIONS_MAX};

/// The kiosk's cookie.
pub const KIOSK_COOKIE: &str = "chongyang_kiosk";
/// The staff cookie.
pub const STAFF_COOKIE: &str = "chongyang_staff";

type Key = [u8; 32];

#[derive(Debug)]
struct Session {
    who: ActorId,
    began: Instant,
    seen: Instant,
}

/// All sessions.
pub struct Sessions {
    kiosk: String,
    staff: BTreeMap<Key, Session>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({} of staff)", self.staff.len())
    }
}

fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

fn key(secret: &str) -> Key {
    Sha256::digest(secret.as_bytes()).into()
}

impl Sessions {
    /// No staff sessions, and a fresh secret for the kiosk.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { kiosk: secret()?, staff: BTreeMap::new() })
    }

    /// The `Set-Cookie` of the kiosk.
    #[must_use]
    pub fn kiosk_cookie(&self) -> String {
        format!("{KIOSK_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", self.kiosk)
    }

    /// Whether the request has the kiosk's cookie.
    #[must_use]
    pub fn is_kiosk(&self, headers: &HeaderMap) -> bool {
        cookie(headers, KIOSK_COOKIE).is_some_and(|secret| secret.as_bytes().ct_eq(self.kiosk.as_bytes()).into())
    }

    /// Opens a session of `who` and gives its `Set-Cookie`.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn open(&mut self, who: ActorId, now: Instant) -> Result<String, getrandom::Error> {
        let secret = secret()?;
        self.staff.retain(|_, session| session.lives(now));
        while self.staff.len() >= SESSIONS_MAX {
            let oldest = self.staff.iter().min_by_key(|(_, session)| session.seen).map(|(key, _)| *key);
            match oldest {
                Some(oldest) => self.staff.remove(&oldest),
                None => break,
            };
        }
        self.staff.insert(key(&secret), Session { who, began: now, seen: now });
        Ok(format!("{STAFF_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_AGE_S}"))
    }

    /// Whose session the request has; a use keeps it alive.
    pub fn staff(&mut self, headers: &HeaderMap, now: Instant) -> Option<ActorId> {
        let key = key(cookie(headers, STAFF_COOKIE)?);
        let session = self.staff.get_mut(&key)?;
        if !session.lives(now) {
            self.staff.remove(&key);
            return None;
        }
        session.seen = now;
        Some(session.who.clone())
    }

    /// Ends the request's staff session and gives the `Set-Cookie` that forgets it.
    pub fn close(&mut self, headers: &HeaderMap) -> String {
        if let Some(secret) = cookie(headers, STAFF_COOKIE) {
            self.staff.remove(&key(secret));
        }
        format!("{STAFF_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) < Duration::from_secs(SESSION_IDLE_S)
            && now.saturating_duration_since(self.began) < Duration::from_secs(SESSION_AGE_S)
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookie(set_cookie: &str) -> HeaderMap {
        let pair = set_cookie.split(';').next().unwrap_or("");
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("other=1; {pair}").parse().expect("a header value"));
        headers
    }

    fn nurse() -> ActorId {
        "n1024".parse().expect("a name")
    }

    #[test]
    fn a_session_ends_when_it_is_idle_too_old_or_closed() {
        let start = Instant::now();
        let mut sessions = Sessions::new().expect("random numbers");
        let headers = with_cookie(&sessions.open(nurse(), start).expect("random numbers"));
        let mut now = start;
        while now < start + Duration::from_secs(SESSION_AGE_S) {
            assert_eq!(sessions.staff(&headers, now), Some(nurse()));
            now += Duration::from_secs(SESSION_IDLE_S - 1);
        }
        assert_eq!(sessions.staff(&headers, now), None, "too old");
        let headers = with_cookie(&sessions.open(nurse(), now).expect("random numbers"));
        assert_eq!(sessions.staff(&headers, now + Duration::from_secs(SESSION_IDLE_S)), None, "idle");
        let headers = with_cookie(&sessions.open(nurse(), now).expect("random numbers"));
        sessions.close(&headers);
        assert_eq!(sessions.staff(&headers, now), None, "closed");
    }

    #[test]
    fn more_sessions_than_the_limit_end_the_one_seen_longest_ago() {
        let start = Instant::now();
        let mut sessions = Sessions::new().expect("random numbers");
        let first = with_cookie(&sessions.open(nurse(), start).expect("random numbers"));
        for n in 0..SESSIONS_MAX as u64 {
            sessions.open(nurse(), start + Duration::from_millis(n + 1)).expect("random numbers");
        }
        assert_eq!(sessions.staff(&first, start + Duration::from_secs(1)), None);
        assert_eq!(sessions.staff.len(), SESSIONS_MAX);
    }

    #[test]
    fn only_the_kiosks_own_cookie_is_the_kiosk() {
        let sessions = Sessions::new().expect("random numbers");
        assert!(sessions.is_kiosk(&with_cookie(&sessions.kiosk_cookie())));
        assert!(!sessions.is_kiosk(&with_cookie(&format!("{KIOSK_COOKIE}=0"))));
        assert!(!sessions.is_kiosk(&with_cookie(&format!("{KIOSK_COOKIE}="))));
        assert!(!sessions.is_kiosk(&HeaderMap::new()));
    }
}
