//! The pure crates: no runtime, no clock, no environment, no file, no thread, no randomness, no order that could differ.

use crate::Finding;
use crate::source;

/// Folders of the pure crates.
pub const PURE: [&str; 2] = ["gateway/core/", "firmware/core/"];

/// Crates that a pure crate may not name.
pub const CRATES: [&str; 13] = [
    "tokio",
    "sqlx",
    "rumqttc",
    "pcsc",
    "rustls",
    "rand",
    "getrandom",
    "axum",
    "reqwest",
    "tracing",
    "metrics",
    "rustix",
    "mqtt_protocol_core",
];

/// Paths of the standard library, with what lies below them. (`Arc` is fine: what it shares does not change.)
const PATHS: [&str; 14] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::io",
    "std::os",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::sync::mpsc",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::Condvar",
    "std::sync::atomic",
];

/// Names that are banned wherever they come from.
const NAMES: [&str; 4] = ["HashMap", "HashSet", "SystemTime", "Instant"];

/// Names from outside in the code of a pure crate.
pub fn impure_names(path: &str, text: &str) -> Vec<Finding> {
    if !path.ends_with(".rs") || !PURE.iter().any(|folder| path.starts_with(folder)) {
        return Vec::new();
    }
    let code = source::code_only(text);
    let mut findings = Vec::new();
    for (line, used) in source::used_paths(&code) {
        if let Some(banned) = banned_path(&used).or_else(|| banned_crate(&used)) {
            findings.push(Finding::new(path, line, format!("`use {used}`: {banned} has no place in a pure crate")));
        }
    }
    for (index, line) in code.lines().enumerate() {
        for written in written_paths(line) {
            let names_a_crate = || banned_crate(&written).filter(|_| written.contains("::"));
            if let Some(banned) = banned_path(&written).or_else(|| banned_name(&written)).or_else(names_a_crate) {
                findings.push(Finding::new(
                    path,
                    index + 1,
                    format!("`{written}`: {banned} has no place in a pure crate"),
                ));
            }
        }
    }
    findings.sort_by_key(|f| f.line);
    findings.dedup_by_key(|f| f.line);
    findings
}

/// The words of a line, with `::` between those that form a path.
fn written_paths(line: &str) -> Vec<String> {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .map(|word| word.trim_matches(':').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

fn banned_path(path: &str) -> Option<&'static str> {
    let glob = path.strip_suffix('*');
    PATHS.into_iter().find(|p| begins_with(path, p) || glob.is_some_and(|g| p.starts_with(g)))
}

fn banned_crate(path: &str) -> Option<&'static str> {
    CRATES.into_iter().find(|name| begins_with(path, name))
}

fn begins_with(path: &str, banned: &str) -> bool {
    path.strip_prefix(banned).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn banned_name(path: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|name| path.split("::").any(|part| part == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        impure_names("gateway/core/src/a.rs", text).into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn each_way_to_name_the_outside_is_found() {
        for text in [
            "use tokio::time::sleep;",
            "use std::env;",
            "use std::{fmt, fs};",
            "use std::time::{Duration, Instant};",
            "use std::time::*;",
            "use std::collections::HashMap;",
            "let x = std::env::var(\"A\");",
            "let x: ::std::thread::JoinHandle<()>;",
            "let x = rand::random();",
            "fn f(x: &std::collections::HashMap<u8, u8>) {}",
            "fn now() -> Instant { todo() }",
            "use rand;",
            "let x = pcsc::Context::establish();",
        ] {
            assert_eq!(lines(text), [1], "{text}");
        }
    }

    #[test]
    fn what_only_sounds_alike_is_not() {
        for text in [
            "//! No tokio, no std::env, no HashMap.",
            "let message = \"std::fs\";",
            "use std::collections::{BTreeMap, BTreeSet};",
            "use std::time::Duration;",
            "let environment = my_std::envelope();",
            "use crate::instant::Instants;",
            "use std::sync::Arc;",
            "self.metrics.sold += rand;",
        ] {
            assert_eq!(lines(text), [0_usize; 0], "{text}");
        }
    }

    #[test]
    fn other_crates_may() {
        assert_eq!(impure_names("gateway/src/app.rs", "use tokio::net;"), []);
    }
}
