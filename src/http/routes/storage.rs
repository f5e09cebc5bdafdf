//! How much is stored: day by day, by stream, and what it will come to.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::system::{Disk, disk};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::AccountId;
use crate::retention::{DAYS_MAX, Storage};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show_account_storage)).routes(routes!(show_storage))
}

const DAYS_DEFAULT: i64 = 90;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct StorageQuery {
    /// So many days back, 1 to 800. Missing: 90.
    days: Option<i64>,
}

/// What all accounts take, against the disk.
#[derive(Serialize, utoipa::ToSchema)]
struct InstallationStorage {
    #[serde(flatten)]
    storage: Storage,
    /// Null: the media folder is not there.
    disk: Option<Disk>,
    /// The first day of the forecast on which recording would stop for want of room; null: none within it.
    full_on: Option<String>,
}

/// Storage of an account
///
/// Days are UTC; the last one is today, as far as it has come. The forecast reaches 90 days ahead: the mean of what the last days
/// added, less what leaves its window, a grace later. Holds are left out of it.
#[utoipa::path(get, path = "/v1/accounts/{account}/storage", tag = "retention",
    params(("account" = String, Path, description = "Id of the account"), StorageQuery), responses((status = 200, body = Storage)))]
async fn show_account_storage(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(asked): Query<StorageQuery>,
) -> HttpResult<Json<Storage>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    Ok(Json(state.retention.storage(Some(&account), days(&asked)?, state.clock.now()).await?))
}

/// Storage of the installation
///
/// As of an account, for all of them, against the disk.
#[utoipa::path(get, path = "/v1/storage", tag = "retention", params(StorageQuery), responses((status = 200, body = InstallationStorage)))]
async fn show_storage(
    State(state): State<AppState>,
    who: Principal,
    Query(asked): Query<StorageQuery>,
) -> HttpResult<Json<InstallationStorage>> {
    who.require_everywhere(Scope::Operate)?;
    let storage = state.retention.storage(None, days(&asked)?, state.clock.now()).await?;
    let disk = disk(&state);
    let full_on = disk.as_ref().and_then(|disk| full_on(&storage, disk.free_bytes.saturating_sub(disk.min_free_bytes)));
    Ok(Json(InstallationStorage { storage, disk, full_on }))
}

fn days(asked: &StorageQuery) -> HttpResult<i64> {
    let days = asked.days.unwrap_or(DAYS_DEFAULT);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::new(Code::InvalidQuery, format!("`days` is 1 to {DAYS_MAX}.")));
    }
    Ok(days)
}

/// When more has come than is free now.
fn full_on(storage: &Storage, free_bytes: u64) -> Option<String> {
    let stored = storage.days.last().map_or(0, |today| today.stored_bytes);
    let full = storage.forecast.iter().find(|day| day.stored_bytes > stored.saturating_add(free_bytes));
    full.map(|day| day.day.clone())
}
