//! The pages as files.

use std::collections::BTreeSet;
use std::path::Path;

use gateway::adapter::kiosk::{FAULTS, fault_told};
use serde_json::Value;

use crate::desk_rig::Rig;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk")
}

fn file(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn keys(text: &str) -> BTreeSet<String> {
    fn walk(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| walk(&format!("{prefix}/{key}"), value, into)),
            Value::String(text) => {
                assert!(!text.trim().is_empty(), "{prefix} is empty");
                into.insert(prefix.to_owned());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => panic!("{prefix} is {value}"),
        }
    }
    let mut found = BTreeSet::new();
    walk("", &serde_json::from_str(text).expect("JSON"), &mut found);
    found
}

#[test]
fn both_languages_have_the_same_texts() {
    assert_eq!(keys(&file("text/zh.json")), keys(&file("text/en.json")));
}

#[test]
fn every_text_that_a_page_asks_for_is_there() {
    let known = keys(&file("text/zh.json"));
    for name in ["shared.js", "kiosk.js", "staff.js", "index.html", "staff.html"] {
        let text = file(name);
        for mark in ["say(\"", "data-text=\""] {
            for piece in text.split(mark).skip(1) {
                let key = piece.split('"').next().unwrap_or("");
                assert!(known.contains(&format!("/{}", key.replace('.', "/"))), "{name} asks for {key}");
            }
        }
        for piece in text.split("word(\"").skip(1) {
            let group = format!("/{}/", piece.split('"').next().unwrap_or(""));
            assert!(known.iter().any(|key| key.starts_with(&group)), "{name} asks for words of {group}");
        }
    }
}

/// What the staff see of refusals at a page; what the core refuses has its words looked up beside those of the centre.
#[test]
fn every_fault_of_the_interface_has_its_words() {
    let known = keys(&file("text/zh.json"));
    for fault in FAULTS {
        let code = fault_told(*fault).code;
        assert!(known.contains(&format!("/page_fault/{code}")), "{code}");
    }
}

#[test]
fn pages_have_no_inline_script_or_style_and_nothing_from_outside() {
    for name in ["index.html", "staff.html", "kiosk.js", "staff.js", "shared.js", "page.css"] {
        let text = file(name);
        for banned in
            ["http:", "https:", "//cdn", "style=\"", "onclick=\"", "javascript:", "innerHTML", "eval(", "@import"]
        {
            assert!(!text.contains(banned), "{name} has {banned}");
        }
        for script in text.split("<script").skip(1) {
            assert!(script.trim_start().starts_with("type=\"module\" src=\"/page/"), "{name}");
            assert!(script.contains("></script>"), "{name}");
        }
    }
}

#[tokio::test]
async fn pages_are_served_with_the_headers_that_protect_them() {
    let rig = Rig::start().await;
    for path in ["/", "/staff", "/page/kiosk.js", "/page/page.css", "/page/text/zh.json", "/api/v1/status", "/nothing"]
    {
        let response = rig.get(path).send().await.expect("an answer");
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        assert!(header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(!header("content-security-policy").contains("unsafe-inline"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert!(!header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn files_have_their_type_and_an_unchanged_one_is_not_sent_twice() {
    let rig = Rig::start().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page/staff.js", "text/javascript; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/text/en.json", "application/json"),
    ] {
        let first = rig.get(path).send().await.expect("the file");
        assert_eq!(first.status(), 200, "{path}");
        assert_eq!(first.headers().get("content-type").and_then(|v| v.to_str().ok()), Some(kind));
        let tag = first.headers().get("etag").cloned().expect("a tag");
        let second = rig.get(path).header("if-none-match", tag).send().await.expect("an answer");
        assert_eq!(second.status(), 304, "{path}");
    }
    for path in ["/page/none.js", "/page/..%2f..%2fCargo.toml", "/page/text/fr.json", "/page/index.html/x"] {
        assert_eq!(rig.get(path).send().await.expect("an answer").status(), 404, "{path}");
    }
}
