//! Retroview records streams, keeps every second exactly as long as the plan says, and puts anyone entitled
//! back at any second.
//!
//! ```text
//! source ─► ingest worker ─► segment ─► store (bytes) ◄───── playback ◄── http ◄── browser, player, curl
//!           (own process)       │          ▲                    │           │
//!                               └► index ◄─┴── db (rows) ◄──────┘      entitlement: may they, and which range?
//! ```
//!
//! The words are in [`media`]; its doc is the glossary. In reading order:
//!
//! | room | does |
//! |---|---|
//! | [`cli`], [`app`] | commands; wiring, start-up, draining at shutdown |
//! | [`config`] | what the operator wrote becomes checked values |
//! | [`clock`], [`telemetry`] | the only place that asks the time; form of the log, names of metrics |
//! | [`media`] | timestamp, range, segment, run, block, gap as pure values |
//! | [`audit`] | events, and the chain of records that cannot be changed unnoticed |
//! | [`plans`] | what is sold: grants, versions, the catalogue |
//! | [`ffmpeg`] | the only room that names FFmpeg: open, read, init segments, decode |
//! | [`ingest`] | bytes come in: supervisor, worker processes, sources, import |
//! | [`segment`] | packets become segments |
//! | [`store`] | bytes at rest: block files and the media folder |
//! | [`db`] | every SQL statement |
//! | [`index`] | which segments cover which time; live edge, recovery, rebuild, check |
//! | [`entitlement`] | who may do what, and the only maker of a permitted range |
//! | [`accounts`] | customers: subscriptions, what they cost and grant |
//! | [`retention`] | judge, mark, grace, sweep: how long footage stays |
//! | [`bookmarks`] | moments and ranges to find again |
//! | [`playback`] | playlists, ranges, clips, frames |
//! | [`exports`] | footage written into files, in the background |
//! | [`http`] | axum, and nothing else that knows axum |
//!
//! ARCHITECTURE.md walks through them; `tests/rooms.rs` holds which may use which.

#![deny(unsafe_code)]
// These pages are for those who work on the code: built with --document-private-items.
#![allow(rustdoc::private_intra_doc_links)]

pub mod accounts;
pub mod app;
pub mod audit;
pub mod bookmarks;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod entitlement;
pub mod exports;
pub mod ffmpeg;
pub mod http;
pub mod index;
pub mod ingest;
pub mod media;
pub mod plans;
pub mod playback;
pub mod retention;
pub mod segment;
pub mod store;
pub mod telemetry;
