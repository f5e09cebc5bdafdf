//! Bytes come in.
pub mod backoff;
pub mod frame;
pub mod protocol;
pub mod source;

pub use source::{SourceError, SourceKind, SourcePolicy, SourceSpec};
