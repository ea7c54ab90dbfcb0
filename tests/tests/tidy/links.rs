//! Links in documents: a relative one leads to a file or folder of the repository, and to a heading that is there.

use std::collections::BTreeSet;

use crate::Finding;

/// The headings of a file, as the ends of links; `None`: there is no such file.
type Anchors<'a> = dyn Fn(&str) -> Option<BTreeSet<String>> + 'a;

/// Relative links of a document that lead nowhere.
pub fn dead(path: &str, text: &str, paths: &BTreeSet<String>, anchors: &Anchors) -> Vec<Finding> {
    if !path.ends_with(".md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (line, target) in links(text) {
        let (file, anchor) = target.split_once('#').map_or((target.as_str(), None), |(f, a)| (f, Some(a)));
        let Some(file) = resolve(path, file) else {
            findings.push(Finding::new(path, line, format!("`{target}` leads out of the repository")));
            continue;
        };
        let folder = format!("{file}/");
        if !file.is_empty() && !paths.contains(&file) && !paths.iter().any(|p| p.starts_with(&folder)) {
            findings.push(Finding::new(path, line, format!("`{target}`: there is no {file}")));
            continue;
        }
        let known = anchor.filter(|_| file.ends_with(".md")).and_then(|anchor| Some((anchor, anchors(&file)?)));
        if let Some((anchor, known)) = known
            && !known.contains(anchor)
        {
            findings.push(Finding::new(path, line, format!("`{target}`: there is no such heading")));
        }
    }
    findings
}

/// Every heading of a document, as the hosting sites write it in links.
pub fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let plain: String =
            title.trim().to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
        let anchor = plain.replace(' ', "-");
        // A second heading of the same text gets a number.
        let free = (1..).map(|n| format!("{anchor}-{n}")).find(|numbered| !anchors.contains(numbered));
        anchors.insert(if anchors.contains(&anchor) { free.unwrap_or(anchor) } else { anchor });
    }
    anchors
}

/// Lines outside of fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// Targets of `[…](target)`, `[…]: target`, `src="target"` and `href="target"` that have no scheme.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let mut add = |target: &str| {
            let target = target.trim().trim_start_matches('<').split(['>', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !has_scheme(target) {
                found.push((number, target.to_owned()));
            }
        };
        for (at, start) in line.match_indices("](") {
            let rest = &line[at + start.len()..];
            add(rest.split(')').next().unwrap_or(rest));
        }
        for attribute in ["src=\"", "href=\""] {
            for (at, start) in line.match_indices(attribute) {
                add(line[at + start.len()..].split('"').next().unwrap_or_default());
            }
        }
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            add(target);
        }
    }
    found
}

/// Without what stands between back quotes.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

fn has_scheme(target: &str) -> bool {
    target
        .split_once(':')
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The path in the repository; `None` above its root. A link to a heading alone leads to the document itself.
fn resolve(from: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = if link.starts_with('/') { Vec::new() } else { from.split('/').collect() };
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = "# Big title\n## What it's for: 重阳\n```\n# no heading\n```\n## Twice\n## Twice\n";

    fn findings(text: &str) -> Vec<String> {
        let paths = ["gateway/ARCHITECTURE.md", "gateway/docs/a.md", "README.md"].map(str::to_owned).into();
        let headings = |path: &str| (path != "README.md").then(|| anchors(OTHER));
        dead("gateway/ARCHITECTURE.md", text, &paths, &headings).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn a_dead_link_is_found_however_it_is_written() {
        for text in [
            "see [a](docs/b.md)",
            "![a](a.png)",
            "[a]: docs/b.md",
            "<img src=\"a.png\">",
            "[a](../../outside.md)",
            "[one](docs/a.md), [two](docs/b.md)",
            "[a](docs/b.md \"title\")",
        ] {
            assert_eq!(findings(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_living_one_is_not() {
        for text in [
            "[a](docs/a.md) [b](../README.md) [c](docs) [d](docs/) [e](/README.md) [f](./docs/a.md)",
            "[web](https://example.org/x) <a href=\"mailto:a@example.org\">",
            "`[a](b.md)`",
            "```\n[a](b.md)\n```",
            "[a](#big-title) [b](docs/a.md#what-its-for-重阳) [c](#twice) [d](#twice-1)",
        ] {
            assert_eq!(findings(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_heading_that_is_not_there_is_found() {
        for text in ["[a](#small-title)", "[a](docs/a.md#no-heading)", "[a](#twice-2)"] {
            assert_eq!(findings(text).len(), 1, "{text}");
        }
    }
}
