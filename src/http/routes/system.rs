//! How the installation is: for those who see to it.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit::{VerificationView, newest_checkpoint};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::Json;
use crate::http::problem::HttpResult;
use crate::http::state::{AppState, Services};
use crate::ingest::NotRecording;
use crate::ingest::protocol::StreamState;
use crate::media::Timestamp;
use crate::retention::Status;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show_system))
}

/// The installation at this moment.
#[derive(Serialize, utoipa::ToSchema)]
struct System {
    version: &'static str,
    started_at_us: i64,
    uptime_s: u64,
    /// Where footage lies; null: the folder is not there.
    disk: Option<Disk>,
    database_bytes: u64,
    workers: Workers,
    /// Streams of all accounts by what they are doing; removed ones left out.
    #[schema(value_type = BTreeMap<String, u64>)]
    streams: BTreeMap<&'static str, u64>,
    retention: Status,
    /// When the last checkpoint of the audit log was signed.
    checkpoint_at_us: Option<i64>,
    audit: VerificationView,
    /// Asked for, and not through yet.
    erasures_running: u64,
    /// Those that wait or run.
    exports_running: u64,
}

/// A disk.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Disk {
    pub total_bytes: u64,
    /// For us: without what the system keeps for itself.
    pub free_bytes: u64,
    /// Recording stops when less is free.
    pub min_free_bytes: u64,
}

/// The processes that read sources.
#[derive(Serialize, utoipa::ToSchema)]
struct Workers {
    alive: u64,
    /// That died with streams of theirs, since the service started. Each was replaced.
    deaths: u64,
    /// Why nothing is recorded, whatever the streams are like.
    not_recording: Option<WhyNotRecording>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum WhyNotRecording {
    /// They cannot be started.
    NoWorkers,
    /// The service is shutting down.
    Stopping,
}

/// System state
#[utoipa::path(get, path = "/v1/system", tag = "operation", responses((status = 200, body = System)))]
async fn show_system(State(state): State<AppState>, who: Principal) -> HttpResult<Json<System>> {
    who.require_everywhere(Scope::Operate)?;
    let now = state.clock.now();
    let started_at = state.installation.started_at;
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION"),
        started_at_us: started_at.as_micros(),
        uptime_s: u64::try_from(now.micros_since(started_at) / 1_000_000).unwrap_or(0),
        disk: disk(&state),
        database_bytes: state.db.database_bytes().await?,
        workers: workers(&state),
        streams: streams(&state).await?,
        retention: state.retention.status().await?,
        checkpoint_at_us: newest_checkpoint(&state).await?.map(Timestamp::as_micros),
        audit: VerificationView::of(&state).await?,
        erasures_running: state.db.unfinished_erasures(1000).await?.len() as u64,
        exports_running: state.db.exports_to_do().await?,
    }))
}

pub(super) fn disk(state: &Services) -> Option<Disk> {
    let room = state.installation.root.room().ok()?;
    let min_free_bytes = state.installation.min_free_bytes;
    Some(Disk { total_bytes: room.total_bytes, free_bytes: room.free_bytes, min_free_bytes })
}

fn workers(state: &Services) -> Workers {
    let workers = state.recorder.workers();
    let not_recording = state.recorder.not_recording().map(|why| match why {
        NotRecording::NoWorkers => WhyNotRecording::NoWorkers,
        NotRecording::Stopping => WhyNotRecording::Stopping,
    });
    Workers { alive: workers.alive, deaths: workers.deaths, not_recording }
}

async fn streams(state: &Services) -> HttpResult<BTreeMap<&'static str, u64>> {
    let all = [
        StreamState::Connecting,
        StreamState::Recording,
        StreamState::Stalled,
        StreamState::BackingOff,
        StreamState::Quarantined,
        StreamState::Disabled,
    ];
    let mut counts: BTreeMap<&'static str, u64> = all.iter().map(|s| (s.as_str(), 0)).collect();
    let statuses = state.recorder.statuses();
    for row in state.db.streams(false).await? {
        let idle = if row.paused { StreamState::Disabled } else { StreamState::Connecting };
        let doing = statuses.get(&row.id).map_or(idle, |status| status.state);
        *counts.entry(doing.as_str()).or_default() += 1;
    }
    Ok(counts)
}
