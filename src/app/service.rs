//! The running service: see [`super`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Asked, DataDirLock, Opened, Signals, StartError};
use crate::accounts::Accounts;
use crate::audit::{Event, acts};
use crate::clock::SharedClock;
use crate::config::{Config, Origin};
use crate::db::{AuditVerifier, Db};
use crate::entitlement::{Access, AccessSettings, Windows};
use crate::exports::{ExportSettings, Exports};
use crate::ffmpeg::DecoderPool;
use crate::http::{self, HttpSettings, Installation, ServeLimits, Services, ViewLog};
use crate::index::Index;
use crate::ingest::import::Importer;
use crate::ingest::protocol::WorkerConfig;
use crate::ingest::{IngestSettings, Looker, SourcePolicy, SupervisorHandle, WorkerProgram, supervisor};
use crate::media::{StreamId, Timestamp};
use crate::playback::Playback;
use crate::retention::{self, Amount, Retention, RetentionError, RunReport};
use crate::store::{BlockCache, MediaRoot};
use crate::telemetry::{self, metric};

/// A service that records and answers.
pub struct Service {
    address: SocketAddr,
    supervisor: SupervisorHandle,
    http: JoinHandle<()>,
    stop_http: CancellationToken,
    views: ViewLog,
    enforcing: JoinHandle<()>,
    exporting: JoinHandle<()>,
    db: Db,
    clock: SharedClock,
    _lock: DataDirLock,
}

/// # Errors
/// Workers cannot be started, or the key of signed addresses cannot be read.
pub async fn start(config: &Config, opened: Opened) -> Result<Service, StartError> {
    let address = opened.address();
    let step = |step| move |source: anyhow::Error| StartError::Step { step, source };
    let settings = IngestSettings {
        workers: config.ingest.workers as usize,
        run_dir: config.run_dir(),
        program: worker_program()?,
        worker: worker_config(config, &opened.root),
    };
    let metrics = telemetry::install_metrics().map_err(step("collect metrics"))?;
    let sources = SourcePolicy::new(&config.ingest.forbidden_networks, &config.ingest.file_roots);
    let sources = sources.map_err(|e| step("read what sources may be")(e.into()))?;
    let access_settings = AccessSettings { session_lifetime: config.access.session_lifetime };
    let access = Access::open(opened.db().clone(), opened.clock.clone(), access_settings).await;
    let access = access.map_err(|e| step("read the key of signed addresses")(e.into()))?;
    let supervisor = supervisor::start(settings, opened.index.clone(), opened.root.clone(), opened.clock.clone())
        .await
        .map_err(|e| step("start workers")(e.into()))?;
    let views = ViewLog::default();
    let retention = retention(config, opened.index.clone(), &opened.root, opened.clock.clone());
    let clock = opened.clock.clone();
    let verifier = AuditVerifier::new(opened.db().clone(), move || clock.now());
    let playback = playback(&opened, retention.windows())?;
    let export_settings = ExportSettings {
        folder: config.exports_dir(),
        keep: config.exports.keep,
        max_bytes: config.exports.max_bytes,
        min_free_bytes: config.media.min_free_bytes,
    };
    let exports = Exports::new(opened.db().clone(), opened.clock.clone(), playback.clone(), export_settings);
    let state = Arc::new(Services {
        db: opened.db().clone(),
        clock: opened.clock.clone(),
        access,
        playback,
        exports: exports.clone(),
        retention: retention.clone(),
        recorder: Arc::new(supervisor.clone()),
        sources,
        metrics: metrics.clone(),
        settings: HttpSettings {
            secure_cookies: config.access.secure_cookies,
            public_url: config.server.public_url.clone(),
            ingest_idle_timeout: config.ingest.silence_timeout,
            ..HttpSettings::default()
        },
        views: views.clone(),
        verifier: verifier.clone(),
        installation: Installation {
            root: opened.root.clone(),
            min_free_bytes: config.media.min_free_bytes,
            started_at: opened.clock.now(),
        },
    });
    tokio::spawn(record_views(views.clone(), opened.db().clone(), opened.clock.clone()));
    tokio::spawn(settle_accounts(Accounts::new(opened.db().clone()), opened.clock.clone()));
    tokio::spawn(keep_metrics_small(metrics));
    tokio::spawn(super::checkpoints::keep(config.audit.checkpoints.clone(), opened.db().clone(), opened.clock.clone()));
    record_start(config, opened.db(), opened.clock.now()).await;
    tokio::spawn(super::daily::verify_audit(verifier, opened.clock.clone()));
    tokio::spawn(super::daily::settle_storage(retention.clone(), opened.clock.clone()));
    let exporting = tokio::spawn(exports.run());
    let enforcing = tokio::spawn(enforce(retention, config.retention.interval, opened.clock.clone()));
    tokio::spawn(super::announce::keep(config.run_dir(), config.server.base_url_at(address), supervisor.clone()));
    let stop_http = CancellationToken::new();
    let limits = ServeLimits { drain_timeout: config.server.drain_timeout, ..ServeLimits::default() };
    let (db, clock) = (opened.db().clone(), opened.clock.clone());
    let super::Claim { listener, lock, .. } = opened.claim;
    let http = tokio::spawn(http::serve(listener, http::router(state), limits, stop_http.clone()));
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    Ok(Service { address, supervisor, http, stop_http, views, enforcing, exporting, db, clock, _lock: lock })
}

impl Service {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until told to stop, then ends in order.
    pub async fn run(self, mut signals: Signals) {
        while signals.next().await == Asked::Reload {
            tracing::info!("looking at the streams again");
            if let Err(error) = self.supervisor.reload().await {
                tracing::warn!(%error, "the streams cannot be read; what is being recorded goes on");
            }
        }
        tracing::info!("stopping; a second signal ends it at once");
        tokio::select! {
            () = self.end() => tracing::info!("stopped"),
            () = signals.stop_again() => tracing::warn!("ended at once; what was open is recovered at the next start"),
        }
    }

    /// Recording ends while requests drain: pushes are requests too, and end when their stream does.
    async fn end(self) {
        // Cut short at any line, it goes on from there with the next run.
        self.enforcing.abort();
        // What is being written begins anew with the next start.
        self.exporting.abort();
        self.stop_http.cancel();
        tokio::join!(self.supervisor.shutdown(), async {
            if let Err(error) = self.http.await {
                tracing::error!(%error, "the HTTP side ended in disorder");
            }
            // Nothing is sent any more: what was seen until now is recorded now.
            self.views.record(&self.db, self.clock.now(), true).await;
        });
    }
}

/// How the service is configured is part of what happened: what is not as it comes, secrets without their values.
async fn record_start(config: &Config, db: &Db, now: Timestamp) {
    let chosen = config.settings.iter().filter(|s| s.origin != Origin::Default);
    let settings: serde_json::Map<String, serde_json::Value> = chosen.map(|s| (s.key.to_string(), s.value.to_string().into())).collect();
    let event = Event::system(now, acts::SERVICE_STARTED).with("version", env!("CARGO_PKG_VERSION")).with("settings", settings);
    if let Err(error) = db.audit(event).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the start could not be recorded in the audit log");
    }
}

/// Half the time somebody must have stopped watching: their record comes soon after that.
const VIEWS_STEP: Duration = Duration::from_secs(30);

async fn record_views(views: ViewLog, db: Db, clock: SharedClock) {
    let mut every = tokio::time::interval(VIEWS_STEP);
    loop {
        every.tick().await;
        views.record(&db, clock.now(), false).await;
    }
}

/// Terms end at moments, and what follows from that holds from the moment on whoever looks: this only writes it down. Half would
/// look twice as often for something that happens once a month; an hour would be long to wait for a ledger line.
const SETTLE_STEP: Duration = Duration::from_secs(600);

async fn settle_accounts(accounts: Accounts, clock: SharedClock) {
    let mut every = tokio::time::interval(SETTLE_STEP);
    loop {
        every.tick().await;
        match accounts.settle_all(clock.now()).await {
            Ok(0) => {}
            Ok(changed) => tracing::info!(accounts = changed, "terms have ended and are in the ledger"),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "not every subscription could be settled; trying again later");
            }
        }
    }
}

/// Measurements are summed up when they are read, and collected until then: where nobody scrapes, this reads them.
async fn keep_metrics_small(metrics: PrometheusHandle) {
    // Half does the little work twice as often; a busy server collects some ten thousand numbers meanwhile.
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}

/// What brings existing recordings in; `index` as [`Index::for_command`] makes it when a service may be running.
///
/// # Errors
/// This program's own file cannot be found.
pub fn importer(config: &Config, index: Index, root: &MediaRoot, clock: SharedClock) -> Result<Importer, StartError> {
    let (program, worker) = (worker_program()?, worker_config(config, root));
    Ok(Importer { index, clock, program, worker, run_dir: config.run_dir() })
}

/// What tries sources for a command.
///
/// # Errors
/// This program's own file cannot be found, or the system refuses a thread.
pub fn looker(config: &Config, root: &MediaRoot) -> Result<Looker, StartError> {
    let started = Looker::start(worker_program()?, worker_config(config, root));
    started.map_err(|e| StartError::Step { step: "start the thread that starts processes", source: e.into() })
}

/// Pictures are decoded by children of this process; `frame.jpg` waits for one of them.
fn playback(opened: &Opened, windows: Arc<dyn Windows>) -> Result<Playback, StartError> {
    // Two at once: a page full of streams asks for many, and recording and playback need the rest of a small machine.
    const DECODERS: usize = 2;
    // A picture at the end of a long segment without keyframes, on a busy machine; players give up after that.
    const DECODE_MAX: Duration = Duration::from_secs(10);
    let program = std::env::current_exe().map_err(|e| StartError::Step { step: "find this program's file", source: e.into() })?;
    let files = Arc::new(BlockCache::new(opened.root.clone()));
    let decoders = DecoderPool::new(program, vec!["decoder".into()], DECODERS, DECODE_MAX);
    Ok(Playback::within(windows, opened.index.clone(), files, opened.clock.clone()).with_decoders(decoders))
}

/// How careful retention is, as the operator chose.
pub fn retention_settings(config: &Config) -> retention::Settings {
    let c = &config.retention;
    retention::Settings { grace: c.grace, share_percent: c.share_percent, ..retention::Settings::default() }
}

/// Everything there is to do with retention; `index` as [`Index::for_command`] makes it when a service may be running.
pub fn retention(config: &Config, index: Index, root: &MediaRoot, clock: SharedClock) -> Retention {
    Retention::new(index, root.clone(), retention_settings(config), clock, &config.retention_lock_path())
}

/// Long enough for recording and playback to have begun, short enough that who starts a service sees what it says.
const FIRST_RUN_AFTER: Duration = Duration::from_secs(60);

/// Makes what is stored what was promised, again and again. What is wrong with one run, the next one says again.
async fn enforce(retention: Retention, interval: Duration, clock: SharedClock) {
    let mut every = tokio::time::interval_at(Instant::now() + FIRST_RUN_AFTER.min(interval), interval);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = tokio::time::interval(retention::ASKED_STEP);
    loop {
        let run = tokio::select! {
            _ = every.tick() => retention.run(clock.now(), false).await.map(Some),
            _ = asked.tick() => retention.answer_command(clock.now()).await,
        };
        match run {
            Ok(report) => report.iter().for_each(tell),
            // The command line is at it.
            Err(RetentionError::Running) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "retention could not be enforced; it is tried again"),
        }
    }
}

fn tell(report: &RunReport) {
    if let Some(stop) = &report.stopped {
        tracing::error!(reason = %stop, "retention stands still and deletes nothing; `retroview retention status` says more");
    }
    let sum =
        |amounts: &BTreeMap<StreamId, Amount>| amounts.values().fold((0, 0), |(blocks, bytes), a| (blocks + a.blocks, bytes + a.bytes));
    let ((marked, _), (swept, swept_bytes)) = (sum(&report.marked), sum(&report.swept));
    metrics::counter!(metric::RETENTION_SWEPT_BLOCKS).increment(swept);
    metrics::counter!(metric::RETENTION_SWEPT_BYTES).increment(swept_bytes);
    if marked + swept + report.rescued > 0 {
        tracing::info!(marked, rescued = report.rescued, swept, swept_bytes, "retention");
    }
}

fn worker_program() -> Result<WorkerProgram, StartError> {
    let path = std::env::current_exe();
    let path = path.map_err(|e| StartError::Step { step: "find this program's file", source: e.into() })?;
    Ok(WorkerProgram { path, arguments: vec!["worker".into()] })
}

fn worker_config(config: &Config, root: &MediaRoot) -> WorkerConfig {
    let us = |d: std::time::Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    let us32 = |d: std::time::Duration| u32::try_from(d.as_micros()).unwrap_or(u32::MAX);
    let (media, ingest) = (&config.media, &config.ingest);
    WorkerConfig {
        media_root: root.path().display().to_string(),
        segment_target_us: us32(media.segment_target),
        segment_max_us: us32(media.segment_max),
        block_max_us: us(media.block_max),
        block_max_bytes: media.block_max_bytes,
        min_free_bytes: media.min_free_bytes,
        stop_first: media.stop_first.clone(),
        stop_first_step_bytes: media.stop_first_step_bytes,
        sync_interval_us: us(media.sync_interval),
        connect_timeout_us: us(ingest.connect_timeout),
        silence_timeout_us: us(ingest.silence_timeout),
        backoff_min_us: us(ingest.backoff_min),
        backoff_max_us: us(ingest.backoff_max),
        forbidden_networks: ingest.forbidden_networks.clone(),
        file_roots: ingest.file_roots.clone(),
        thumbnails: media.thumbnails,
        lock_file: None,
    }
}
