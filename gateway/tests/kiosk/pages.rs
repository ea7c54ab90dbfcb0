//! The pages as files.

use std::path::Path;

use gateway::adapter::kiosk::{FAULTS, fault_told};
use serde_json::Value;

use crate::desk_rig::Rig;

fn words() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages/text/zh.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("texts")).expect("JSON")
}

/// What the staff see of refusals at a page; what the core refuses has its words looked up beside those of the centre.
#[test]
fn every_fault_of_the_interface_has_its_words() {
    let words = words();
    for fault in FAULTS {
        let code = fault_told(*fault).code;
        assert!(words["page_fault"][code].is_string(), "{code}");
    }
}

#[tokio::test]
async fn pages_are_served_with_the_headers_that_protect_them() {
    let rig = Rig::start().await;
    for path in
        ["/", "/staff", "/page/kiosk.js", "/page/kiosk.css", "/pages/text/zh.json", "/api/v1/status", "/nothing"]
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
        ("/page/kiosk.css", "text/css; charset=utf-8"),
        ("/pages/text/en.json", "application/json"),
    ] {
        let first = rig.get(path).send().await.expect("the file");
        assert_eq!(first.status(), 200, "{path}");
        assert_eq!(first.headers().get("content-type").and_then(|v| v.to_str().ok()), Some(kind));
        let tag = first.headers().get("etag").cloned().expect("a tag");
        let second = rig.get(path).header("if-none-match", tag).send().await.expect("an answer");
        assert_eq!(second.status(), 304, "{path}");
    }
    for path in ["/page/none.js", "/page/..%2f..%2fCargo.toml", "/pages/text/fr.json", "/page/index.html/x"] {
        assert_eq!(rig.get(path).send().await.expect("an answer").status(), 404, "{path}");
    }
}
