//! The OpenAPI document and the router say the same, and writes need a token.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Centre, answer};

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).expect("the document is JSON")
}

/// Method and path of every route; axum's `{*file}` is written `{file}` in the document.
fn served() -> BTreeSet<(String, String)> {
    central::api::routes()
        .into_iter()
        .map(|(method, path)| (method.as_str().to_lowercase(), path.replace("{*", "{")))
        .collect()
}

#[test]
fn every_route_is_in_the_document_and_every_path_of_the_document_is_served() {
    let document = document();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("an item").keys() {
            described.insert((method.clone(), path.clone()));
        }
    }
    assert_eq!(described, served());
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    match value.as_str() {
                        Some(text) if name == "$ref" => found.push(text),
                        _ => walk(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    let mut references = Vec::new();
    walk(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_write_and_whatever_is_about_a_person_or_a_gateway_needs_its_token() {
    let centre = Centre::start().await;
    let document = document();
    for (method, path) in served() {
        let access = &document["paths"][&path][&method]["x-access"];
        let filled = path
            .replace("{gateway}", "gw-demo")
            .replace("{id}", "a.1.1")
            .replace("{ref}", "person-0001")
            .replace("{provider}", "canteen-01")
            .replace("{day}", "2026-11-24")
            .replace("{origin}", "gateway:none")
            .replace("{file}", "board.css");
        let url = format!("{}{filled}?lane=alarms", centre.url);
        let method = method.to_uppercase().parse().expect("a method");
        let (status, _) = answer(centre.http.request(method, url)).await;
        if access == "gateway" || access == "operator" {
            assert_eq!(status, 401, "{path}");
        } else {
            assert!(status < 401 || status == 404, "{path} {status}");
        }
    }
}

#[tokio::test]
async fn problems_are_told_in_the_language_that_was_asked_for() {
    let centre = Centre::start().await;
    let url = format!("{}/api/v1/nothing", centre.url);
    let english = answer(centre.http.get(&url).header("Accept-Language", "en-GB,zh;q=0.5")).await;
    assert_eq!(english.1["error"]["code"], "not_found");
    assert!(english.1["error"]["message"].as_str().is_some_and(str::is_ascii), "{english:?}");
    for request in [centre.http.get(&url), centre.http.get(&url).header("Accept-Language", "zh-CN")] {
        let chinese = answer(request).await;
        assert!(chinese.1["error"]["message"].as_str().is_some_and(|text| text.contains("没有找到")), "{chinese:?}");
    }
    let (status, method) = answer(centre.http.delete(format!("{}/api/v1/alarms", centre.url))).await;
    assert_eq!((status, method["error"]["code"].as_str()), (405, Some("method_not_allowed")));
}

#[tokio::test]
async fn a_page_from_elsewhere_cannot_read_through_a_name_of_its_own() {
    let centre = Centre::start().await;
    let url = format!("{}/api/v1/gateways", centre.url);
    assert_eq!(answer(centre.http.get(&url)).await.0, 200);
    let (status, body) = answer(centre.http.get(&url).header("Host", "evil.example")).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("foreign_host")));
}
