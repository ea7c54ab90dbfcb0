//! Where files lie, how long they are, how they begin, what they are called.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::source;

/// Lines of a file at most. A file that needs more is two files.
const LINES_MAX: usize = 800;
/// Lines that a file aims at.
const LINES_AIM: usize = 400;

/// What is written by hand and read from top to bottom.
const WRITTEN: [&str; 6] = [".rs", ".js", ".css", ".html", ".sql", ".sh"];

const TOP_LEVEL: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "README.md", "LICENSE", "config", "firmware", "gateway", "protocols", "tests"];

/// Names that fit everything, and so say nothing.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "utility", "utilities", "helper", "helpers", "common", "manager", "misc"];

/// A written file of more than [`LINES_MAX`] lines.
pub fn file_too_long(path: &str, text: &str) -> Vec<Finding> {
    longer_than(LINES_MAX, "the limit", path, text)
}

/// A written file of more than [`LINES_AIM`] lines.
pub fn file_longer_than_the_aim(path: &str, text: &str) -> Vec<Finding> {
    longer_than(LINES_AIM, "the aim", path, text)
}

fn longer_than(bound: usize, name: &str, path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    if lines > bound && WRITTEN.iter().any(|ending| path.ends_with(ending)) {
        return vec![Finding::new(path, 0, format!("{lines} lines, {name} is {bound}"))];
    }
    Vec::new()
}

/// A Rust file that does not begin with `//!`.
pub fn header_missing(path: &str, text: &str) -> Vec<Finding> {
    if !path.ends_with(".rs") || text.strip_prefix("//!").is_some_and(|rest| rest.starts_with(' ')) {
        return Vec::new();
    }
    vec![Finding::new(path, 1, "begins without `//!`: what is it for, what does it own, what holds always?")]
}

/// A module, as a file, a folder or within a file, whose name says nothing.
pub fn module_name_says_nothing(path: &str, text: &str) -> Vec<Finding> {
    let Some(stem) = path.strip_suffix(".rs") else { return Vec::new() };
    let mut findings = Vec::new();
    for part in stem.split('/') {
        if EMPTY_NAMES.contains(&part) {
            findings.push(Finding::new(path, 0, format!("`{part}` says nothing: name it after what it does")));
        }
    }
    for (index, line) in source::code_only(text).lines().enumerate() {
        let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        for pair in words.windows(2) {
            if let ["mod", name] = pair
                && EMPTY_NAMES.contains(name)
            {
                findings.push(Finding::new(path, index + 1, format!("`mod {name}` says nothing")));
            }
        }
    }
    findings
}

/// A file outside the fixed top level.
pub fn not_at_top_level(path: &str) -> Option<Finding> {
    let first = path.split('/').next().unwrap_or(path);
    if first.starts_with('.') || TOP_LEVEL.contains(&first) {
        return None;
    }
    Some(Finding::new(path, 0, format!("`{first}` does not belong at the top level")))
}

/// Decision records without a number of four digits, or with another's.
pub fn decision_numbers(paths: &BTreeSet<String>) -> Vec<Finding> {
    let mut taken = BTreeMap::new();
    let mut findings = Vec::new();
    for path in paths {
        let Some((_, name)) = path.split_once("/docs/decisions/") else { continue };
        match name.split_once('-') {
            Some((number, _)) if number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()) => {
                if let Some(other) = taken.insert(number, path) {
                    findings.push(Finding::new(path, 0, format!("has the number of {other}")));
                }
            }
            Some(_) | None => findings.push(Finding::new(path, 0, "is not called NNNN-title.md")),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_the_limit_is_found() {
        assert_eq!(file_too_long("a.rs", &"\n".repeat(800)), []);
        assert_eq!(file_too_long("a.rs", &"\n".repeat(801))[0].what, "801 lines, the limit is 800");
        assert_eq!(file_longer_than_the_aim("a.js", &"\n".repeat(401)).len(), 1);
        assert_eq!(file_too_long("Cargo.lock", &"\n".repeat(9000)), [], "nobody reads it");
    }

    #[test]
    fn a_missing_header_is_found() {
        assert_eq!(header_missing("a.rs", "//! What it is for.\n"), []);
        for text in ["", "//!\n", "// What\n", "\n//! What\n", "#![allow(x)]\n//! What\n"] {
            assert_eq!(header_missing("a.rs", text).len(), 1, "{text:?}");
        }
        assert_eq!(header_missing("a.toml", "x = 1"), []);
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        for path in ["gateway/src/utils.rs", "gateway/src/helpers/mod.rs", "tests/tests/common/mod.rs"] {
            assert_eq!(module_name_says_nothing(path, "").len(), 1, "{path}");
        }
        assert_eq!(module_name_says_nothing("a.rs", "//! A.\npub mod manager {\n}").first().map(|f| f.line), Some(2));
        assert_eq!(module_name_says_nothing("a.rs", "// mod utils;\nmod utilisation;\nlet common = 1;"), []);
    }

    #[test]
    fn a_stray_entry_at_the_top_level_is_found() {
        assert!(not_at_top_level("deny.toml").is_some());
        assert!(not_at_top_level("docs/a.md").is_some());
        for path in ["Cargo.toml", ".ci/run", "gateway/src/main.rs"] {
            assert_eq!(not_at_top_level(path), None, "{path}");
        }
    }

    #[test]
    fn a_decision_number_that_is_taken_or_missing_is_found() {
        let paths = |names: &[&str]| names.iter().map(|n| format!("gateway/docs/decisions/{n}")).collect();
        assert_eq!(decision_numbers(&paths(&["0001-a.md", "0002-b.md"])), []);
        assert_eq!(decision_numbers(&paths(&["0001-a.md", "0001-b.md"])).len(), 1);
        assert_eq!(decision_numbers(&paths(&["a.md"])).len(), 1);
        assert_eq!(decision_numbers(&paths(&["12-a.md"])).len(), 1);
    }
}
