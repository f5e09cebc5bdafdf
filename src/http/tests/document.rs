//! What is served is what the document says, and nothing of it is open.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::Method;
use serde_json::Value;

use crate::http::testing::TestApp;
use crate::http::{auth, openapi, routes, web};

pub(super) fn document() -> Value {
    let (_, document) = routes::all().split_for_parts();
    serde_json::to_value(openapi::complete(document)).unwrap()
}

/// Method, path, and the operation of every route.
pub(super) fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Ok(method) = method.to_uppercase().parse() {
                all.push((method, path.clone(), operation.clone()));
            }
        }
    }
    all
}

pub(super) fn is_open(method: &Method, path: &str) -> bool {
    auth::OPEN.iter().any(|(open, route)| open == method && *route == path)
}

#[test]
fn the_document_is_the_one_that_was_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openapi.json");
    let now = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let first = now.lines().zip(reviewed.lines()).position(|(a, b)| a != b).map_or(0, |n| n + 1);
    assert!(now == reviewed, "{} differs from line {first}; UPDATE_SNAPSHOTS=1 writes it anew, then look at the diff", path.display());
}

#[test]
fn every_route_is_described_with_its_answers_and_refusals() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        let text = |field: &str| operation[field].as_str().unwrap_or("").len();
        assert!(text("summary") > 0, "{name} has no summary");
        assert!(text("operationId") > 0, "{name} has no operationId");
        assert!(operation["tags"].as_array().is_some_and(|t| !t.is_empty()), "{name} has no tag");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name} says nothing of success");
        assert!(answers.contains_key("default"), "{name} says nothing of failure");
        assert_eq!(answers.contains_key("401"), !is_open(&method, &path), "{name}");
        for (status, answer) in answers.iter().filter(|(_, a)| a.get("$ref").is_none()) {
            assert!(!answer["description"].as_str().unwrap_or("").is_empty(), "{name}: {status} is not explained");
        }
        let named: BTreeSet<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let described = parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(named, described, "{name}: variable parts of the path");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|v| references(v, found));
            }
            Value::Array(items) => items.iter().for_each(|v| references(v, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn no_operation_id_is_used_twice() {
    let mut seen = BTreeSet::new();
    for (method, path, operation) in operations(&document()) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(seen.insert(id.clone()), "{method} {path}: `{id}`");
    }
}

/// axum has no way to write a path whose last part ends in a suffix: it serves `{run}.mp4` as `{file}`.
fn as_served(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((before, last)) if last.starts_with('{') && !last.ends_with('}') => format!("{before}/{{file}}"),
        _ => path.to_owned(),
    }
}

/// axum does not list its routes, but it shows them when asked how it looks.
fn served(router: &axum::Router<impl Clone>) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    let paths = shown.split("paths: {").nth(1).expect("axum shows its paths").split('}');
    // Paths hold braces themselves: go by the quotes.
    let paths: String = paths.collect::<Vec<_>>().join("}");
    let end = paths.find("fallback_router").unwrap_or(paths.len());
    paths[..end].split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn there_is_no_route_that_the_document_does_not_name() {
    let app = TestApp::new().await;
    let document = document();
    let named: BTreeSet<String> = document["paths"].as_object().unwrap().keys().map(|path| as_served(path)).collect();
    let web: BTreeSet<String> = web::ROUTES.iter().map(|r| (*r).to_owned()).collect();
    let served = served(&app.router);
    let expected: BTreeSet<String> = named.union(&web).cloned().collect();
    assert_eq!(served, expected);
}

#[tokio::test]
async fn no_route_answers_without_credentials() {
    let app = TestApp::new().await;
    for (method, path, _) in operations(&document()) {
        if is_open(&method, &path) {
            continue;
        }
        let uri: String = path.replace("{stream}", "cam1").replace(['{', '}'], "");
        let also_head = (method == Method::GET).then_some(Method::HEAD);
        for method in [Some(method.clone()), also_head].into_iter().flatten() {
            for headers in [&[][..], &[("content-type", "application/json")][..], &[("authorization", "Bearer rv_wrong")][..]] {
                let answer = app.ask(method.clone(), &uri, headers).await;
                assert_eq!(answer.status, 401, "{method} {uri} {headers:?}");
                assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"retroview\"", "{method} {uri}");
            }
            let answer = app.ask(method.clone(), &format!("{uri}?token=v1.AAAA.BBBB"), &[]).await;
            assert_eq!(answer.status, 401, "{method} {uri}?token");
        }
    }
}
