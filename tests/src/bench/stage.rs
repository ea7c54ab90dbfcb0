//! The site that is measured: its devices, its daemon as a process of the system.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::BenchError;
use super::fleet::{Account, Target};
use super::limits::DELIVER_WITHIN;
use super::rows;
use crate::site::{Site, SiteSettings};

/// A site of which nothing runs until it is told so.
pub struct Stage {
    /// The site.
    pub site: Site,
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Processor time, seconds.
    pub cpu_s: f64,
    /// Resident memory, MB.
    pub resident_mb: f64,
}

impl Stage {
    /// A site with so many devices `load-…`, and others of these names; its journal has so many entries, of which some still
    /// have to reach the centre.
    ///
    /// # Errors
    /// Anything that the site is made of fails.
    pub async fn prepare(load: usize, others: Vec<String>, entries: u64, waiting: u64) -> Result<Self, BenchError> {
        let mut many = others;
        many.extend((0..load).map(|number| format!("load-{number:05}")));
        let settings = SiteSettings { for_measuring: true, many, log: "warn", ..SiteSettings::default() };
        let site = Site::prepare(&settings).await?;
        if entries > 0 {
            rows::fill(&site.gateway.state, entries, waiting).await?;
        }
        Ok(Self { site })
    }

    /// What the first so many devices whose names begin so log in with.
    #[must_use]
    pub fn accounts(&self, name: &str, skip: usize, count: usize) -> Vec<Account> {
        let logins = self.site.logins_of(name).into_iter().skip(skip).take(count);
        logins.map(|login| Account { device: login.device, secret: Some(login.secret) }).collect()
    }

    /// Where devices connect.
    ///
    /// # Errors
    /// The certificate cannot be trusted.
    pub fn target(&self, tls: bool) -> Result<Target, BenchError> {
        let plain = Target { address: self.site.gateway.mqtt(), tls: None };
        let Some((address, certificate)) = self.site.gateway.mqtt_tls().filter(|_| tls) else { return Ok(plain) };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate.to_vec()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Target { address, tls: Some(Arc::new(config)) })
    }

    /// What the daemon has used so far.
    ///
    /// # Errors
    /// It does not run.
    pub fn used(&self) -> Result<Used, BenchError> {
        used(self.site.gateway.pid().unwrap_or(0))
    }

    /// The commits of the journal so far, and their rows.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub async fn commits(&self) -> Result<(f64, f64), BenchError> {
        let text = self.site.gateway.api.get("/metrics").await?.text;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
        };
        Ok((value("journal_commits_total"), value("journal_rows_total")))
    }

    /// Entries that still have to reach the centre.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub async fn waiting(&self) -> Result<u64, BenchError> {
        Ok(waiting(&self.site.gateway.api.read("/api/v1/status").await?))
    }

    /// Waits until at most so many still have to.
    ///
    /// # Errors
    /// They do not in time.
    pub async fn wait_waiting(&self, most: u64) -> Result<(), BenchError> {
        let fewer = |status: &Value| waiting(status) <= most;
        self.site.gateway.wait_status("few entries wait for the centre", DELIVER_WITHIN, fewer).await?;
        Ok(())
    }
}

fn waiting(status: &Value) -> u64 {
    let lanes = status["lanes"].as_array().map(Vec::as_slice).unwrap_or_default();
    lanes.iter().filter_map(|lane| lane["waiting"].as_u64()).sum()
}

/// What a process has used.
///
/// # Errors
/// It does not run.
pub fn used(pid: u32) -> Result<Used, BenchError> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let (stat, status) = (read("stat"), read("status"));
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = resident
        .and_then(|line| line.split_whitespace().next())
        .and_then(|kib| kib.parse().ok())
        .ok_or(BenchError::Process(pid))?;
    // proc(5): the name, in brackets, may hold anything; utime and stime are the 12th and 13th fields behind it, in hundredths.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = behind.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(Used { cpu_s: ticks / 100.0, resident_mb: kib / 1_024.0 })
}

/// Waits, so that what was only needed to get there is given back.
pub async fn rest(how_long: Duration) {
    tokio::time::sleep(how_long).await;
}
