//! The HTTP side: axum, and everything that knows axum.
//!
//! Leaves to others: what may be seen (`entitlement`), what players are sent (`playback`), what is recorded
//! (`ingest`). A handler reads the request, asks one of them, and writes the answer.
//!
//! **Invariants.** Nothing answers without credentials but [`auth::OPEN`] and the files of the web app: the check is
//! a layer over every route, present and future. Every failure is a [`Problem`] with a stable code; what only the
//! operator may know goes to the log. Tokens are never logged.

mod auth;
mod entity;
mod extract;
mod gzip;
mod layers;
mod linger;
mod observe;
mod openapi;
mod peer;
mod problem;
mod recorder;
mod routes;
mod sendfile;
mod server;
mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod web;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;

pub use extract::{Json, Path, Query};
pub use problem::{Code, HttpResult, Problem};
pub use recorder::Recorder;
pub use server::{ServeLimits, serve};
pub use state::{AppState, HttpSettings, Installation, Services, ViewLog};

/// Largest JSON body. The largest honest one, a token for hundreds of streams, has some 40 KiB.
const JSON_BYTES_MAX: usize = 64 * 1024;

/// All routes with their layers.
pub fn router(state: AppState) -> Router {
    let (routes, document) = routes::all().split_for_parts();
    layered(routes, &document, state)
}

fn layered(routes: Router<AppState>, document: &OpenApi, state: AppState) -> Router {
    let document = routes::Document::new(&openapi::complete(document.clone()));
    // The last one is the outermost.
    routes
        .merge(web::routes())
        .fallback(web::serve)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(Extension(document))
        .layer(from_fn_with_state(state.clone(), auth::authenticate))
        .layer(from_fn_with_state(state.clone(), layers::limit_time))
        .layer(from_fn(layers::share_footage))
        .layer(layers::compression())
        .layer(from_fn(layers::harden))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}

async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "The header Allow names the methods it takes.")
}
