//! The description of all this.

use axum::Extension;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(openapi))
}

/// The OpenAPI document as it is sent: written once, when the router is made.
#[derive(Clone, Debug)]
pub struct Document(pub Bytes);

impl Document {
    pub fn new(document: &OpenApi) -> Self {
        // Made of strings and maps: there is nothing in it that JSON cannot hold.
        Document(document.to_pretty_json().expect("an OpenAPI document is JSON").into())
    }
}

/// This document
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
async fn openapi(Extension(Document(document)): Extension<Document>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, document).into_response()
}
