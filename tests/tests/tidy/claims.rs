//! Claims in documents: where a document names tests for one (`-E 'test(…)'`), there are such tests.

use std::collections::BTreeSet;

use crate::Finding;
use crate::source;

/// The names of all functions of a Rust file.
pub fn functions(path: &str, text: &str) -> BTreeSet<String> {
    if !path.ends_with(".rs") {
        return BTreeSet::new();
    }
    let code = source::code_only(text);
    let words: Vec<&str> = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let names = words.windows(2).filter(|pair| pair.first() == Some(&"fn")).filter_map(|pair| pair.get(1));
    names.filter(|name| !name.is_empty()).map(|name| (*name).to_owned()).collect()
}

/// Names of tests in a document that fit no function. Of regular expressions only alternatives of plain names are judged, each for
/// itself.
pub fn without_test(path: &str, text: &str, functions: &BTreeSet<String>) -> Vec<Finding> {
    if !path.ends_with(".md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (at, start) in line.match_indices("test(") {
            let pattern = line[at + start.len()..].split(')').next().unwrap_or_default();
            for name in names(pattern) {
                let fits = |function: &String| match name.strip_prefix('=') {
                    Some(exact) => exact.rsplit("::").next() == Some(function.as_str()),
                    None => function.contains(&name),
                };
                if !functions.iter().any(fits) {
                    findings.push(Finding::new(path, index + 1, format!("no test is called `{name}`")));
                }
            }
        }
    }
    findings
}

/// The plain names in `name`, `=name`, `~name` or `/name|name/`; in a table of a document the bar is escaped.
fn names(pattern: &str) -> Vec<String> {
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_:=".contains(c));
    let alternatives = pattern.trim_start_matches('~').trim_matches('/').replace("\\|", "|");
    alternatives
        .split('|')
        .map(|name| name.trim_matches(['^', '$']))
        .filter(|name| plain(name))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#[test]\nfn a_press_counts_once() {}\nasync fn f1_torn() {} // fn gone()";

    fn findings(text: &str) -> usize {
        without_test("README.md", text, &functions("a.rs", SOURCE)).len()
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        for (text, count) in [
            ("`cargo nextest run -E 'test(gone)'`", 1),
            ("| `cargo nextest run -E 'test(/counts_once\\|gone/)'` |", 1),
            ("`test(=a_press)`", 1),
            ("`test(one)`, `test(two)`", 2),
        ] {
            assert_eq!(findings(text), count, "{text}");
        }
    }

    #[test]
    fn one_that_is_there_is_not() {
        for text in ["`test(counts_once)`", "`test(/f1_/)`", "`test(=press::a_press_counts_once)`", "`test(/f1.*n/)`"] {
            assert_eq!(findings(text), 0, "{text}");
        }
    }
}
