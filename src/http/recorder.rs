//! What the HTTP side asks of recording. A trait, so that claims about HTTP need no worker processes.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::db::DbResult;
use crate::ingest::protocol::{PushFormat, Sight};
use crate::ingest::{LookError, NotRecording, Publication, PublishError, SourceSpec, StreamStatus, SupervisorHandle, WorkerCount};
use crate::media::StreamId;

#[async_trait]
pub trait Recorder: Send + Sync {
    /// What the stream is doing; `None` for one that is not recorded here.
    fn status(&self, stream: &StreamId) -> Option<StreamStatus>;
    fn statuses(&self) -> HashMap<StreamId, StreamStatus>;
    /// The processes that record.
    fn workers(&self) -> WorkerCount {
        WorkerCount::default()
    }
    /// Why nothing can be recorded, if that is so.
    fn not_recording(&self) -> Option<NotRecording> {
        None
    }
    /// Rows of streams have changed: look at them now.
    async fn reload(&self) -> DbResult<()>;
    /// Opens a push stream for one sender.
    async fn publish(&self, stream: &StreamId, format: PushFormat) -> Result<Publication, PublishError>;
    /// What a source sends that is not recorded yet.
    async fn look(&self, source: &SourceSpec) -> Result<Sight, LookError>;
}

#[async_trait]
impl Recorder for SupervisorHandle {
    fn status(&self, stream: &StreamId) -> Option<StreamStatus> {
        SupervisorHandle::status(self, stream)
    }
    fn statuses(&self) -> HashMap<StreamId, StreamStatus> {
        SupervisorHandle::statuses(self)
    }
    fn workers(&self) -> WorkerCount {
        SupervisorHandle::workers(self)
    }
    fn not_recording(&self) -> Option<NotRecording> {
        SupervisorHandle::not_recording(self)
    }
    async fn reload(&self) -> DbResult<()> {
        SupervisorHandle::reload(self).await
    }
    async fn publish(&self, stream: &StreamId, format: PushFormat) -> Result<Publication, PublishError> {
        SupervisorHandle::publish(self, stream, format).await
    }
    async fn look(&self, source: &SourceSpec) -> Result<Sight, LookError> {
        SupervisorHandle::look(self, source).await
    }
}
