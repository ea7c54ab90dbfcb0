//! The form of the configuration: which keys there are, in which section, and of which type.
//!
//! **Invariant:** a mistake in the form is named by the section and key that are wrong, also where the key is missing, with
//! what would be right.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;

/// What a value has to be.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    /// A whole number, 0 or more.
    Number,
}

struct Key {
    /// Empty for those before all sections.
    section: &'static str,
    name: &'static str,
    /// Whether its section cannot be without it.
    required: bool,
    shape: Shape,
    right: &'static str,
}

const fn text(section: &'static str, name: &'static str, required: bool, right: &'static str) -> Key {
    Key { section, name, required, shape: Shape::Text, right }
}

/// Every key, in the order of the sample.
const KEYS: [Key; 8] = [
    text("", "listen", true, "\"127.0.0.1:8090\" (an IP address and a port)"),
    text("", "database", true, "\"central.db\" (the path of a file)"),
    text("", "log", false, "\"info\" or \"info,central=debug\""),
    text("issuer", "keys", true, "\"issuer-keys.toml\" (the path of a file)"),
    Key {
        section: "supervision",
        name: "gateway_silent_s",
        required: true,
        shape: Shape::Number,
        right: "180 (a whole number of seconds)",
    },
    text("tls", "certificate", true, "\"server.pem\" (the path of a PEM file)"),
    text("tls", "key", true, "\"server.key\" (the path of a PEM file)"),
    text("tls", "client_ca", false, "\"gateways-ca.pem\" (the path of a PEM file)"),
];

/// A mistake in the form, with the byte where it is and its key with the section.
pub(super) struct Misform {
    pub at: usize,
    pub key: Option<String>,
    pub mistake: Mistake,
}

/// Checks the form; the first mistake by its place, and what is missing last.
pub(super) fn check(text: &str) -> Result<(), Misform> {
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Misform { at, key: key_on_line(text, at), mistake: Mistake::Form(error.message().to_owned()) }
    })?;
    let mut found = Vec::new();
    let mut missing = missing_in(document.get_ref(), "", 0);
    for (name, value) in document.get_ref() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        if !is_section(name) {
            found.extend(wrong_key("", name, at, value));
            continue;
        }
        let Some(table) = value.get_ref().as_table() else {
            found.push(Misform { at, key: Some(name.to_owned()), mistake: Mistake::NoSection });
            continue;
        };
        for (key, value) in table {
            found.extend(wrong_key(name, key.get_ref(), key.span().start, value));
        }
        missing.extend(missing_in(table, name, at));
    }
    found.sort_by_key(|misform| misform.at);
    found.into_iter().chain(missing).next().map_or(Ok(()), Err)
}

fn is_section(name: &str) -> bool {
    !name.is_empty() && KEYS.iter().any(|key| key.section == name)
}

/// What is wrong with a key that stands in a section.
fn wrong_key(section: &str, name: &str, at: usize, value: &Spanned<DeValue<'_>>) -> Option<Misform> {
    let mistake = match KEYS.iter().find(|key| key.section == section && key.name == name) {
        None => Mistake::UnknownKey(known_in(section)),
        Some(key) if fits(key.shape, value.get_ref()) => return None,
        Some(key) => Mistake::WrongType(key.right),
    };
    Some(Misform { at, key: Some(full(section, name)), mistake })
}

fn fits(shape: Shape, value: &DeValue<'_>) -> bool {
    match shape {
        Shape::Text => value.as_str().is_some(),
        Shape::Number => value.as_integer().is_some_and(|number| {
            // What does not fit a signed number is no number of this format either.
            i64::from_str_radix(number.as_str(), number.radix()).is_ok_and(|number| number >= 0)
        }),
    }
}

/// Keys that a section cannot be without and does not have.
fn missing_in(table: &DeTable<'_>, section: &str, at: usize) -> Vec<Misform> {
    KEYS.iter()
        .filter(|key| key.section == section && key.required && table.get(key.name).is_none())
        .map(|key| Misform { at, key: Some(full(section, key.name)), mistake: Mistake::Missing(key.right) })
        .collect()
}

/// The keys of a section; before all sections, their names too.
fn known_in(section: &str) -> Vec<&'static str> {
    let mut known: Vec<&'static str> = KEYS.iter().filter(|key| key.section == section).map(|key| key.name).collect();
    if section.is_empty() {
        known.extend(KEYS.iter().map(|key| key.section).filter(|name| !name.is_empty()));
        known.dedup();
    }
    known
}

fn full(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The key that the line of a byte sets, where the text is no TOML and nothing better is known.
fn key_on_line(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let (key, _) = text.get(start..)?.lines().next()?.split_once('=')?;
    let key = key.trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!key.is_empty() && key.chars().all(is_key)).then(|| key.to_owned())
}
