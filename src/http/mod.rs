//! The HTTP side: axum, and everything that knows axum.
//!
//! Leaves to others: what may be seen (`entitlement`), what players are sent (`playback`), what is recorded
//! (`ingest`). A handler reads the request, asks one of them, and writes the answer.
//!
//! **Invariants.** Nothing answers without credentials but [`auth::OPEN`] and the files of the web app: the check is
//! a layer over every route, present and future. Every failure is a [`Problem`] with a stable code; what only the
//! operator may know goes to the log. Tokens are never logged.

mod auth;
mod extract;
mod openapi;
mod problem;
mod routes;
mod state;
mod web;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

pub use extract::{Json, Path, Query};
pub use problem::{Code, HttpResult, Problem};
pub use state::{AppState, HttpSettings, Services};

/// Largest JSON body. The largest honest one, a token for hundreds of streams, has some 40 KiB.
const JSON_BYTES_MAX: usize = 64 * 1024;

/// All routes with their layers.
pub fn router(state: AppState) -> Router {
    let (routes, _document) = routes::all().split_for_parts();
    routes
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(from_fn_with_state(state.clone(), auth::authenticate))
        .with_state(state)
}

async fn unknown_route() -> Problem {
    Problem::new(Code::UnknownRoute, "See /v1/openapi.json for what there is.")
}

async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "The header Allow names the methods it takes.")
}
