//! Words of the pages: each code that the core, the gateway or the centre can tell a page has words in each language.
//!
//! The codes are read from the source where they are given out, so that a code that is added there is missed here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;
use super::pages::TEXTS;

/// Codes of one type, and the groups of words in which a page looks them up.
pub struct Codes {
    /// Where they are given out.
    pub path: &'static str,
    /// The first line of what gives them out; it ends with the next `}` that is indented as far.
    from: &'static str,
    /// Groups of words in which they are looked up.
    groups: &'static [&'static str],
}

/// Everything that gives out codes to pages.
pub const ALL: &[Codes] = &[
    codes("protocols/src/uplink/own_alarm.rs", "impl OwnAlarm {", &["alarm_kind"]),
    codes("protocols/src/device/event.rs", "const NAMES: ", &["alarm_kind"]),
    codes("protocols/src/uplink/hold.rs", "impl HoldRefusal {", &["refusal"]),
    codes("gateway/core/src/effect.rs", "impl Refusal {", &["refusal"]),
    codes("protocols/src/card/purchase.rs", "impl Doubt {", &["doubt", "refusal"]),
    codes("protocols/src/card/settle.rs", "impl StillUnknown {", &["doubt", "refusal"]),
    codes("protocols/src/card/dialogue.rs", "impl Refusal {", &["doubt", "refusal"]),
    codes("gateway/core/src/input.rs", "impl LinkRefusal {", &["report_refusal"]),
    codes("gateway/src/adapter/uplink/answer.rs", "pub(super) const fn word(", &["uplink_failure"]),
    codes("gateway/src/troubles.rs", "    pub const fn word(", &["part"]),
    codes("gateway/core/src/orders.rs", "impl OrderRefusal {", &["order_refusal"]),
    codes("gateway/central/src/intake/shape.rs", "impl Refusal {", &["entry_refusal"]),
    codes("gateway/central/src/intake/mod.rs", "const OTHER_BODY: ", &["entry_refusal"]),
    codes("protocols/src/uplink/entry.rs", "pub mod kind {", &["entry_kind"]),
    codes("protocols/src/uplink/order.rs", "pub mod order_kind {", &["order_kind"]),
    codes("gateway/central/src/ledger/decide.rs", "impl Doubt {", &["doubt"]),
    codes("gateway/central/src/ledger/decide.rs", "impl HoldState {", &["hold"]),
    codes("gateway/central/src/issuer.rs", "impl Verdict {", &["verdict"]),
    codes("gateway/central/src/devices.rs", "pub const fn word(", &["trouble"]),
    codes("gateway/central/src/alarms.rs", "pub const fn urgency_word(", &["urgency"]),
];

const fn codes(path: &'static str, from: &'static str, groups: &'static [&'static str]) -> Codes {
    Codes { path, from, groups }
}

/// The codes in a piece of source: the literals that its arms, rows and constants end with.
pub fn codes_in(text: &str, from: &str) -> BTreeSet<String> {
    let indent = from.len() - from.trim_start().len();
    let end = |line: &str| line.trim_start().starts_with(['}', ']']) && line.len() - line.trim_start().len() == indent;
    let lines = text.lines().skip_while(|line| !line.starts_with(from)).take_while(|line| !end(line));
    let code = |line: &str| {
        let line = line.trim().trim_end_matches([',', ')', ';']).strip_suffix('"')?;
        let (before, code) = line.rsplit_once('"')?;
        let is_arm = before.ends_with("=> ") || before.ends_with(", ") || before.ends_with(": &str = ");
        (is_arm && !line.starts_with("//")).then(|| code.to_owned())
    };
    lines.filter_map(code).collect()
}

/// Codes without words at a page that looks them up.
pub fn missing(source: &str, codes: &Codes, words: &dyn Fn(&str) -> Value) -> Vec<Finding> {
    let given = codes_in(source, codes.from);
    if given.is_empty() {
        return vec![Finding::new(codes.path, 0, format!("`{}` gives out no codes any more", codes.from.trim()))];
    }
    let mut found = Vec::new();
    for file in TEXTS {
        let words = words(file);
        for (group, code) in codes.groups.iter().flat_map(|group| given.iter().map(move |code| (group, code))) {
            if words[*group][code].as_str().is_none_or(|text| text.trim().is_empty()) {
                found.push(Finding::new(file, 0, format!("no words for {group}.{code} of {}", codes.path)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SOURCE: &str = "impl Other {\n    X => \"other\",\n}\nimpl Doubt {\n    match self {\n        // => \"no\",\n        Self::A => \"a\",\n        Self::B(_) => \"b\",\n    }\n}\n";

    #[test]
    fn codes_are_those_of_the_piece_that_is_named() {
        assert_eq!(codes_in(SOURCE, "impl Doubt {"), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        let rows = "const NAMES: [(Kind, &str); 2] = [\n    (Kind::Sos, \"sos\"),\n    (Kind::Co, \"co\"),\n];\n";
        assert_eq!(codes_in(rows, "const NAMES: "), BTreeSet::from(["sos".to_owned(), "co".to_owned()]));
        let constants = "pub mod kind {\n    pub const A: &str = \"alarm.raised\";\n}\n";
        assert_eq!(codes_in(constants, "pub mod kind {"), BTreeSet::from(["alarm.raised".to_owned()]));
    }

    #[test]
    fn a_code_without_words_in_one_language_is_found() {
        let codes = codes("doubt.rs", "impl Doubt {", &["doubt"]);
        let words = |path: &str| json!({"doubt": if path.ends_with("zh.json") { json!({"a": "甲", "b": "乙"}) } else { json!({"a": "A"}) }});
        let found = missing(SOURCE, &codes, &words);
        assert_eq!(found, [Finding::new(TEXTS[1], 0, "no words for doubt.b of doubt.rs")]);
        assert_eq!(missing("", &codes, &words).len(), 1, "a piece that is gone is no silence");
    }
}
