//! The first steps of an installation: which of them are done, and that somebody has seen enough of them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::acts;
use crate::db::AuditQuery;
use crate::entitlement::{Principal, Scope};
use crate::http::extract::Json;
use crate::http::problem::HttpResult;
use crate::http::state::{AppState, Services};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show_setup)).routes(routes!(finish_setup))
}

/// Under which name it is remembered that somebody said so.
const DONE: &str = "setup_done";

/// Whether somebody is to be led through the first steps.
#[derive(Serialize, utoipa::ToSchema)]
struct Setup {
    /// There is no stream yet, and nobody has said that this is how it shall be.
    needed: bool,
    steps: SetupSteps,
}

/// What has been done.
#[derive(Serialize, utoipa::ToSchema)]
struct SetupSteps {
    /// Somebody has chosen a password.
    password: bool,
    /// Name, time zone or language of an account have been looked after.
    account: bool,
    /// There is a stream, or was.
    stream: bool,
}

/// First steps
#[utoipa::path(get, path = "/v1/setup", tag = "operation", responses((status = 200, body = Setup)))]
async fn show_setup(State(state): State<AppState>, who: Principal) -> HttpResult<Json<Setup>> {
    who.require_everywhere(Scope::Operate)?;
    let steps = SetupSteps {
        password: happened(&state, acts::USER_PASSWORD_SET.0).await? || happened(&state, acts::LINK_USED.0).await?,
        account: happened(&state, "account.changed").await? || happened(&state, "account.added").await?,
        stream: !state.db.streams(true).await?.is_empty(),
    };
    let needed = !steps.stream && state.db.fact(DONE).await?.is_none();
    Ok(Json(Setup { needed, steps }))
}

/// First steps are done
///
/// Nobody is led through them any more.
#[utoipa::path(post, path = "/v1/setup/done", tag = "operation", responses((status = 204, description = "From now on")))]
async fn finish_setup(State(state): State<AppState>, who: Principal) -> HttpResult<StatusCode> {
    who.require_everywhere(Scope::Operate)?;
    if state.db.fact(DONE).await?.is_none() {
        let now = state.clock.now().as_micros().to_string();
        state.db.recording(state.act(&who, acts::SETUP_DONE)).set_fact(DONE, &now).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn happened(state: &Services, act: &str) -> HttpResult<bool> {
    let query = AuditQuery { act: Some(act.into()), ..AuditQuery::default() };
    Ok(!state.db.newest_audit_records(&query, u64::MAX, 1).await?.is_empty())
}
