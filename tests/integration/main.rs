//! The whole product from outside: the real binary, real senders, real players, on loopback.
//!
//! One binary, a file per behaviour. Every test starts a service of its own on a free port with folders of its
//! own ([`harness::Service`]), and fails when the service logs a warning or an error the test did not announce.

mod harness;
mod servers;

mod audit;
mod bad_input;
mod command_line;
mod erasure;
mod exports;
mod first_steps;
mod kill;
mod operate;
mod people;
mod playback;
mod probe;
mod push;
mod random;
mod receipts;
mod shares;
mod sources;
mod start_and_stop;
mod thumbnails;
mod walkthrough;
mod workers;
