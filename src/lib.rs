//! Retroview records streams, keeps every second exactly as long as the plan says, and puts anyone entitled
//! back at any second.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod entitlement;
pub mod ffmpeg;
pub mod http;
pub mod index;
pub mod ingest;
pub mod media;
pub mod playback;
pub mod segment;
pub mod store;
pub mod telemetry;
