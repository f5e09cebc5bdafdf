//! One file per noun. Each has a `routes()` and a line here; there is no other way to a route, so what is served
//! and what the OpenAPI document says are the same.

mod health;

use utoipa_axum::router::OpenApiRouter;

use super::openapi;
use super::state::AppState;

/// Every route with its description.
pub fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base()).merge(health::routes())
}
