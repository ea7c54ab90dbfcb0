//! The description of the interface against the interface.

use std::collections::BTreeSet;
use std::path::Path;

use gateway::adapter::kiosk::{Access, FAULTS, REFUSALS, fault_told, refusal_told, route_names};
use serde_json::Value;

use crate::desk_rig::{Rig, ask};

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the document")).expect("JSON")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut found = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            if method != "parameters" {
                found.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    found
}

#[test]
fn the_document_has_exactly_the_routes_of_the_interface() {
    let described: BTreeSet<_> = operations(&document()).into_iter().map(|(method, path, _)| (method, path)).collect();
    let served: BTreeSet<_> =
        route_names().into_iter().map(|route| (route.method.to_owned(), route.path.replace("{*", "{"))).collect();
    assert_eq!(described, served);
}

#[test]
fn the_document_says_who_may_use_each_route() {
    let document = document();
    for route in route_names() {
        let operation = &document["paths"][route.path.replace("{*", "{")][route.method.to_lowercase()];
        let word = match route.access {
            Access::Open => "open",
            Access::Read => "read",
            Access::Desk => "desk",
            Access::Staff => "staff",
        };
        assert_eq!(operation["x-access"], word, "{} {}", route.method, route.path);
        let secured = operation.get("security").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(secured > 0, route.access != Access::Open, "{} {}", route.method, route.path);
    }
}

#[test]
fn the_document_lists_every_error_code() {
    let document = document();
    let listed: BTreeSet<_> = document["components"]["schemas"]["ErrorCode"]["enum"]
        .as_array()
        .expect("a list of codes")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let told: BTreeSet<_> = FAULTS
        .iter()
        .map(|fault| fault_told(*fault).code)
        .chain(REFUSALS.iter().map(|refusal| refusal_told(*refusal).code))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, told);
}

#[test]
fn every_reference_inside_the_document_has_its_target() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    let pointer = target.strip_prefix('#').expect("a reference inside the document");
                    assert!(document.pointer(pointer).is_some(), "{target}");
                }
                map.values().for_each(|value| walk(value, document));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, document)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    walk(&document, &document);
}

#[tokio::test]
async fn the_document_is_served() {
    let rig = Rig::start().await;
    let (status, served) = ask(rig.get("/api/v1/openapi.json")).await;
    assert_eq!((status.as_u16(), served), (200, document()));
}
