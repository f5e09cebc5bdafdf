//! Bytes come in.
pub mod protocol;
