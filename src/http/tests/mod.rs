//! Claims about the whole HTTP side, one file per subject.

mod access;
mod accounts;
mod bookmarks;
mod document;
mod exports;
mod operation;
mod push;
mod refusals;
mod roles;
mod shares;
mod streams;
mod users;
