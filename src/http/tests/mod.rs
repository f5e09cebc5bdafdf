//! Claims about the whole HTTP side, one file per subject.

mod access;
mod accounts;
mod bookmarks;
mod document;
mod exports;
mod push;
mod refusals;
mod roles;
mod shares;
mod streams;
mod users;
