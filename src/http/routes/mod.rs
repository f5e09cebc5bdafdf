//! One file per noun. Each has a `routes()` and a line here; there is no other way to a route, so what is served
//! and what the OpenAPI document says are the same.

mod accounts;
mod aliases;
mod audit;
mod bookmarks;
mod clips;
mod coverage;
mod document;
mod erasures;
mod exports;
mod frames;
mod health;
mod holds;
mod ingest;
mod links;
mod media;
mod metrics;
mod outlook;
mod playlists;
mod probe;
mod receipts;
mod retention;
mod session;
mod sessions;
mod setup;
mod shares;
mod signing_keys;
mod storage;
mod streams;
mod subscriptions;
mod system;
mod thumbnails;
mod tokens;
mod urls;
mod users;

pub use document::Document;
use utoipa_axum::router::OpenApiRouter;

use super::openapi;
use super::state::AppState;

/// Every route with its description.
pub fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(document::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(system::routes())
        .merge(setup::routes())
        .merge(session::routes())
        .merge(sessions::routes())
        .merge(links::routes())
        .merge(users::routes())
        .merge(tokens::routes())
        .merge(accounts::routes())
        .merge(subscriptions::routes())
        .merge(erasures::routes())
        .merge(receipts::routes())
        .merge(retention::routes())
        .merge(storage::routes())
        .merge(outlook::routes())
        .merge(audit::routes())
        .merge(holds::routes())
        .merge(signing_keys::routes())
        .merge(streams::routes())
        .merge(bookmarks::routes())
        .merge(shares::routes())
        .merge(exports::routes())
        .merge(probe::routes())
        .merge(ingest::routes())
        .merge(urls::routes())
        .merge(playlists::routes())
        .merge(media::routes())
        .merge(clips::routes())
        .merge(frames::routes())
        .merge(thumbnails::routes())
        .merge(coverage::routes())
        .merge(aliases::routes())
}
