//! What can happen.

use std::fmt;

use serde_json::{Map, Value};

use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// A kind of act, as `noun.verb`. The names are part of the record and never change their meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Act(pub &'static str);

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Something that happened, before it has its place in the chain.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    pub at: Timestamp,
    /// `None`: the installation as a whole.
    pub account: Option<AccountId>,
    /// `user admin`, `token t0123456789ab`, `signed cam1`, `command line`, `system`.
    pub actor: String,
    pub act: String,
    pub stream: Option<StreamId>,
    /// The part of the stream's time that it is about.
    pub range: Option<TimeRange>,
    /// What else belongs to it. Never credentials. Numbers are integers.
    pub details: Map<String, Value>,
}

impl Event {
    /// By the service itself, about the installation.
    pub fn system(at: Timestamp, act: Act) -> Self {
        Event { at, account: None, actor: "system".into(), act: act.0.into(), stream: None, range: None, details: Map::new() }
    }
    #[must_use]
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.actor = actor.into();
        self
    }
    #[must_use]
    pub fn of_account(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }
    #[must_use]
    pub fn on_stream(mut self, stream: &StreamId) -> Self {
        self.stream = Some(stream.clone());
        self
    }
    #[must_use]
    pub fn over(mut self, range: TimeRange) -> Self {
        self.range = Some(range);
        self
    }
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}
