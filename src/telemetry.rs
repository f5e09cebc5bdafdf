//! What the service says about itself: the form of its log, and the names of its metrics.
//!
//! Log lines go to stderr, so that stdout stays free for answers. Levels: ERROR means someone should look,
//! WARN means it went on but oddly, INFO is what an operator would tell a colleague.
//!
//! Metrics are named here and nowhere else, so that a dashboard can be checked against one list. Names follow
//! the Prometheus rules: base units, `_total` for counters.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Names of metrics. Those with a `stream` label are gauges and counters per stream.
pub mod metric {
    /// 1 for the state a stream is in, 0 for the others. Labels: stream, state.
    pub const STREAM_STATE: &str = "retroview_stream_state";
    /// Stored bytes of a stream. Labels: stream.
    pub const STREAM_BYTES: &str = "retroview_stream_bytes";
    /// Stored segments of a stream. Labels: stream.
    pub const STREAM_SEGMENTS: &str = "retroview_stream_segments";
    /// Seconds since the end of a stream's newest segment. Labels: stream.
    pub const STREAM_LAST_SEGMENT_AGE: &str = "retroview_stream_last_segment_age_seconds";
    /// Connections made anew since the service started. Labels: stream.
    pub const STREAM_RECONNECTS: &str = "retroview_stream_reconnects_total";
    /// Worker processes that ended unasked.
    pub const WORKER_CRASHES: &str = "retroview_worker_crashes_total";
    /// Time of one index transaction.
    pub const INDEX_COMMIT_SECONDS: &str = "retroview_index_commit_seconds";
    /// Time of one index look-up. Labels: kind.
    pub const INDEX_LOOKUP_SECONDS: &str = "retroview_index_lookup_seconds";
    /// Time to the first byte of an answer. Labels: route, status.
    pub const HTTP_REQUEST_SECONDS: &str = "retroview_http_request_seconds";
    /// Answers given. Labels: route, status.
    pub const HTTP_REQUESTS: &str = "retroview_http_requests_total";
    /// Bytes of footage that the kernel sent from the page cache without a copy through us.
    pub const HTTP_SENDFILE_BYTES: &str = "retroview_http_sendfile_bytes_total";
    /// Connections open now.
    pub const HTTP_CONNECTIONS: &str = "retroview_http_connections";
    /// 1 while retention stands still and deletes nothing until an operator confirms.
    pub const RETENTION_STOPPED: &str = "retroview_retention_stopped";
    /// Seconds since the last run of retention came to its end.
    pub const RETENTION_LAST_RUN_AGE: &str = "retroview_retention_last_run_age_seconds";
    /// Blocks that retention deleted.
    pub const RETENTION_SWEPT_BLOCKS: &str = "retroview_retention_swept_blocks_total";
    /// Bytes that retention deleted.
    pub const RETENTION_SWEPT_BYTES: &str = "retroview_retention_swept_bytes_total";
    /// Build facts as labels; always 1.
    pub const BUILD_INFO: &str = "retroview_build_info";

    /// Every name with its help text: what [`super::install_metrics`] describes.
    pub const ALL: [(&str, &str); 17] = [
        (STREAM_STATE, "1 for the state a stream is in, 0 for the others."),
        (STREAM_BYTES, "Stored bytes of a stream."),
        (STREAM_SEGMENTS, "Stored segments of a stream."),
        (STREAM_LAST_SEGMENT_AGE, "Seconds since the end of a stream's newest segment."),
        (STREAM_RECONNECTS, "Connections made anew since the service started."),
        (WORKER_CRASHES, "Worker processes that ended unasked."),
        (INDEX_COMMIT_SECONDS, "Time of one index transaction."),
        (INDEX_LOOKUP_SECONDS, "Time of one index look-up."),
        (HTTP_REQUEST_SECONDS, "Time to the first byte of an answer."),
        (HTTP_REQUESTS, "Answers given."),
        (HTTP_SENDFILE_BYTES, "Bytes of footage that the kernel sent from the page cache."),
        (HTTP_CONNECTIONS, "HTTP connections open now."),
        (RETENTION_STOPPED, "1 while retention stands still and deletes nothing until an operator confirms."),
        (RETENTION_LAST_RUN_AGE, "Seconds since the last run of retention came to its end."),
        (RETENTION_SWEPT_BLOCKS, "Blocks that retention deleted."),
        (RETENTION_SWEPT_BYTES, "Bytes that retention deleted."),
        (BUILD_INFO, "Build facts as labels; always 1."),
    ];
}

/// From 10 µs (a cached look-up) to 10 s: each bound is about three times the one before.
const LATENCY_BUCKETS: [f64; 13] = [0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Starts logging as configured. Once per process; a second call changes nothing.
pub fn start_logging(log: &Log) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error here means that logging runs already, which is what was wanted.
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
    };
}

/// Installs the recorder that `/metrics` prints. Once per process.
///
/// # Errors
/// When another recorder is installed already.
pub fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &LATENCY_BUCKETS)?;
    let handle = builder.install_recorder()?;
    for (name, help) in metric::ALL {
        let is = |suffix: &str| name.ends_with(suffix);
        match name {
            metric::STREAM_LAST_SEGMENT_AGE | metric::RETENTION_LAST_RUN_AGE => {
                metrics::describe_gauge!(name, metrics::Unit::Seconds, help)
            }
            _ if is("_total") => metrics::describe_counter!(name, help),
            _ if is("_seconds") => metrics::describe_histogram!(name, metrics::Unit::Seconds, help),
            _ => metrics::describe_gauge!(name, help),
        }
    }
    metrics::gauge!(metric::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_follow_the_rules_and_are_described_once() {
        let mut names: Vec<_> = metric::ALL.iter().map(|(name, _)| *name).collect();
        for name in &names {
            assert!(name.starts_with("retroview_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), metric::ALL.len());
    }
}
