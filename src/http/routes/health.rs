//! For those who watch over the process: is it alive, can it do its work.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::ingest::NotRecording;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "`ok`", body = str, content_type = "text/plain")))]
async fn healthz() -> Response {
    ok()
}

/// The database can be written and streams can be recorded. Fails before start-up is through and while it shuts down.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses((status = 200, description = "`ok`", body = str, content_type = "text/plain")))]
async fn readyz(State(state): State<AppState>) -> HttpResult<Response> {
    // Why is for the log: this answers without credentials.
    let not_ready = |error| Problem::new(Code::Unavailable, "The database cannot be written.").caused_by(error);
    state.db.check_writable().await.map_err(not_ready)?;
    match state.recorder.not_recording() {
        None => {}
        Some(NotRecording::NoWorkers) => return Err(Problem::new(Code::Unavailable, "Recording processes cannot be started.")),
        Some(NotRecording::Stopping) => return Err(Problem::new(Code::Unavailable, "The service is shutting down.")),
    }
    Ok(ok())
}

fn ok() -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], "ok\n").into_response()
}
