//! Claims about the whole HTTP side, one file per subject.

mod access;
mod accounts;
mod bookmarks;
mod document;
mod operation;
mod push;
mod refusals;
mod roles;
mod streams;
mod users;
