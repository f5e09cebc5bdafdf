//! Claims about the whole HTTP side, one file per subject.

mod access;
mod document;
mod push;
mod refusals;
mod roles;
mod streams;
