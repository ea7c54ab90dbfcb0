//! The pages as files: their texts are complete in both languages, nothing comes from outside, none is heavy.
//!
//! A page is an HTML file with everything that it leads to: styles, scripts, and what those import.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;

/// Where the files of the pages lie, and the address under which they are served.
pub const FOLDERS: [(&str, &str); 3] =
    [("gateway/pages/", "/pages/"), ("gateway/kiosk/", "/page/"), ("gateway/central/board/", "/board/")];
/// The texts, one file for each language.
pub const TEXTS: [&str; 2] = ["gateway/pages/text/zh.json", "gateway/pages/text/en.json"];
/// Others' files, as they published them.
const VENDOR: &str = "gateway/pages/vendor/";
/// What a page may weigh with everything that it leads to and the texts of one language, without fonts, bytes.
pub const PAGE_BYTES_MAX: usize = 150 * 1024;
/// Sections of texts whose keys are asked for by name; all others are groups of words.
const SECTIONS: [&str; 5] = ["common", "look", "kiosk", "staff", "board"];
/// What no own file of a page has: addresses elsewhere, and ways by which text becomes markup or program.
const BANNED: [&str; 12] = [
    "http:",
    "https:",
    "\"//",
    "style=\"",
    "onclick=\"",
    "javascript:",
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "eval(",
    "@import",
    "Date.now(",
];

/// Whether a file belongs to a page.
pub fn is_page(path: &str) -> bool {
    FOLDERS.iter().any(|(folder, _)| path.starts_with(folder))
        && [".html", ".js", ".css"].iter().any(|ending| path.ends_with(ending))
}

/// What a file of a page must not have.
pub fn banned(path: &str, text: &str) -> Vec<Finding> {
    if !is_page(path) || path.starts_with(VENDOR) {
        return Vec::new();
    }
    let in_line = |(number, line): (usize, &str)| {
        let found = BANNED.iter().filter(|banned| line.contains(**banned));
        found.map(|banned| Finding::new(path, number + 1, format!("a page has no `{banned}`"))).collect::<Vec<_>>()
    };
    let mut findings: Vec<_> = text.lines().enumerate().flat_map(in_line).collect();
    let inline = |tag: &str| !tag.starts_with(" src=\"/") && !tag.starts_with(" type=\"module\" src=\"/");
    if path.ends_with(".html") && text.split("<script").skip(1).any(inline) {
        findings.push(Finding::new(path, 0, "a script lies in a file of its own"));
    }
    findings
}

/// The keys of a file of texts, dotted; each must be a text with something in it.
pub fn keys(path: &str, texts: &Value) -> Result<BTreeSet<String>, Finding> {
    let mut found = BTreeSet::new();
    for (section, words) in texts.as_object().into_iter().flatten() {
        let words = words.as_object().ok_or_else(|| Finding::new(path, 0, format!("`{section}` has no words")))?;
        for (key, text) in words {
            if text.as_str().is_none_or(|text| text.trim().is_empty()) {
                return Err(Finding::new(path, 0, format!("`{section}.{key}` is no text")));
            }
            found.insert(format!("{section}.{key}"));
        }
    }
    Ok(found)
}

/// Literals that follow one of these marks.
fn literals<'a>(text: &'a str, marks: &[&str]) -> Vec<&'a str> {
    let after = |mark: &&str| text.split(*mark).skip(1).filter_map(|piece| piece.split('"').next()).collect::<Vec<_>>();
    marks.iter().flat_map(after).collect()
}

/// Texts that a file asks for and that are not there.
pub fn asked_for_in_vain(path: &str, text: &str, known: &BTreeSet<String>) -> Vec<Finding> {
    if !is_page(path) || path.starts_with(VENDOR) {
        return Vec::new();
    }
    let keys = literals(text, &["say(\"", "data-text=\""]).into_iter().filter(|key| !known.contains(*key));
    let mut findings: Vec<_> = keys.map(|key| Finding::new(path, 0, format!("no text for `{key}`"))).collect();
    for group in literals(text, &["word(\"", "hasWord(\""]) {
        let prefix = format!("{group}.");
        if !known.iter().any(|key| key.starts_with(&prefix)) {
            findings.push(Finding::new(path, 0, format!("no words of `{group}`")));
        }
    }
    findings
}

/// Texts for which nothing asks.
pub fn never_asked_for(known: &BTreeSet<String>, sources: &str) -> Vec<Finding> {
    let of_section = |key: &&String| SECTIONS.iter().any(|section| key.starts_with(&format!("{section}.")));
    let asked = |key: &str| {
        let name = key.split_once('.').map_or(key, |(_, name)| name);
        sources.contains(&format!("\"{key}\"")) || sources.contains(&format!("\"{name}\""))
    };
    let idle = known.iter().filter(of_section).filter(|key| !asked(key));
    idle.map(|key| Finding::new(TEXTS[0], 0, format!("nothing asks for `{key}`"))).collect()
}

/// The file that is served at an address, seen from a file of a page.
fn file_at(from: &str, address: &str) -> Option<String> {
    if let Some((folder, _)) = FOLDERS.iter().find(|(_, served)| address.starts_with(served)) {
        let served = FOLDERS.iter().find(|(known, _)| known == folder).map_or("", |(_, served)| served);
        return Some(format!("{folder}{}", &address[served.len()..]));
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    let mut relative = address.strip_prefix("./").unwrap_or(address);
    while let Some(rest) = relative.strip_prefix("../") {
        parts.pop();
        relative = rest;
    }
    (address.starts_with('.')).then(|| format!("{}/{relative}", parts.join("/")))
}

/// A page with everything that it leads to, and what of it is not there.
pub fn leads_to(page: &str, files: &BTreeMap<String, String>) -> (BTreeSet<String>, Vec<Finding>) {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    let mut open = vec![page.to_owned()];
    while let Some(path) = open.pop() {
        let Some(text) = files.get(&path) else {
            findings.push(Finding::new(page, 0, format!("leads to {path}, which is not there")));
            continue;
        };
        if seen.insert(path.clone()) {
            let marks = ["src=\"", "href=\"", "from \"", "from\"", "import \"", "import(\""];
            open.extend(
                literals(text, &marks)
                    .into_iter()
                    .filter_map(|address| file_at(&path, address.split('#').next().unwrap_or(address))),
            );
        }
    }
    (seen, findings)
}

/// What a page weighs, bytes: everything that it leads to, and the longer of its texts.
pub fn weight(page: &str, files: &BTreeMap<String, String>) -> (usize, Vec<Finding>) {
    let (all, mut findings) = leads_to(page, files);
    let own: usize = all.iter().filter_map(|path| files.get(path)).map(String::len).sum();
    let texts = TEXTS.iter().filter_map(|path| files.get(*path)).map(String::len).max().unwrap_or(0);
    let weight = own.saturating_add(texts);
    if weight > PAGE_BYTES_MAX {
        findings.push(Finding::new(page, 0, format!("weighs {weight} bytes, more than {PAGE_BYTES_MAX}")));
    }
    (weight, findings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn files(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn markup_from_text_other_addresses_and_the_clock_of_the_browser_are_found() {
        for line in ["a.innerHTML = b", "fetch(\"https://x\")", "<p style=\"x\">", "age = Date.now() - at"] {
            assert_eq!(banned("gateway/kiosk/a.js", line).len(), 1, "{line}");
            assert!(banned("gateway/pages/vendor/a.js", line).is_empty());
            assert!(banned("gateway/src/a.rs", line).is_empty());
        }
        assert_eq!(banned("gateway/kiosk/a.html", "<script>x</script>").len(), 1);
        assert!(banned("gateway/kiosk/a.html", "<script type=\"module\" src=\"/page/a.js\"></script>").is_empty());
    }

    #[test]
    fn texts_that_are_missing_empty_or_idle_are_found() {
        let known = keys("zh.json", &json!({"kiosk": {"a": "甲", "b": "乙"}, "cause": {"x": "丙"}})).expect("texts");
        assert!(keys("zh.json", &json!({"kiosk": {"a": " "}})).is_err());
        assert!(keys("zh.json", &json!({"kiosk": {"a": 1}})).is_err());
        let source = "say(\"kiosk.a\") say(\"kiosk.c\") word(\"cause\", x) word(\"mood\", y)";
        assert_eq!(asked_for_in_vain("gateway/kiosk/a.js", source, &known).len(), 2);
        assert_eq!(never_asked_for(&known, source).len(), 1);
    }

    #[test]
    fn a_page_weighs_what_it_leads_to_and_a_file_that_is_not_there_is_found() {
        let page = "<link href=\"/page/a.css\"><script type=\"module\" src=\"/page/a.js\">";
        let script = "import { x } from \"../pages/b.js\";\nimport { y } from \"./a.js\";";
        let all = files(&[
            ("gateway/kiosk/index.html", page),
            ("gateway/kiosk/a.css", "0123456789"),
            ("gateway/kiosk/a.js", script),
            ("gateway/pages/b.js", "01234"),
        ]);
        let (bytes, findings) = weight("gateway/kiosk/index.html", &all);
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(bytes, page.len() + 10 + script.len() + 5);
        let (_, findings) = weight("gateway/kiosk/index.html", &files(&[("gateway/kiosk/index.html", page)]));
        assert_eq!(findings.len(), 2);
        let heavy = "x".repeat(PAGE_BYTES_MAX);
        let (_, findings) = weight("gateway/kiosk/index.html", &files(&[("gateway/kiosk/index.html", &(heavy + " "))]));
        assert_eq!(findings.len(), 1);
    }
}
