//! The only room that names libav*, and the only `unsafe`.
//!
//! What it does: opens sources and reads their packets ([`Input`]), recodes audio that browsers cannot play
//! ([`AudioTranscoder`], used inside `Input`), makes init segments ([`init_segment`]), takes pictures out of footage
//! in child processes ([`DecoderPool`]), keeps workers from reaching forbidden networks ([`guard`]), and plays a
//! synthetic camera ([`camera`]).
//!
//! What it leaves to others: what packets mean in time and where to cut (`segment`), which sources may be
//! opened and when to try again (`ingest`).
//!
//! **Invariants.** Every pointer handed out by libav* is owned by one struct that frees it. No panic crosses
//! a C frame. Nothing here logs a URL: sources carry credentials.
//!
//! When things fail: an [`Error`] names the step; [`Error::cause`] says which gap it makes. An interrupt
//! surfaces from libavformat as almost any code, so the interrupt's own state is asked first.

#![allow(unsafe_code)]
// Constants that are `i32` with this libav* are `u32` with another.
#![allow(clippy::unnecessary_cast)]

pub mod camera;
mod codec_string;
mod codec_watch;
mod decode;
mod error;
mod ffi_util;
pub mod guard;
mod init;
mod input;
mod interrupt;
mod reader;
mod track;
mod transcode;

pub use decode::{DecoderPool, FrameError, Jpeg, SmallPictures, decode_frame, decode_small, decoder_main, last_picture_is_whole};
pub use error::Error;
pub use init::{InitSegment, init_segment, picture_size};
pub use input::{Input, OpenOptions, Packet, Read};
pub use interrupt::{Interrupt, InterruptReason};
pub use track::{AudioCodec, AudioParams, Media, TimeBase, Tracks, VideoCodec, VideoParams};
pub use transcode::AudioTranscoder;

/// Quiets libav*: it writes to stderr by itself, and its messages may hold URLs with credentials. Call once
/// at the start of every process that uses this room.
pub fn init() {
    // SAFETY: sets a process-wide integer.
    unsafe { ffmpeg_next::ffi::av_log_set_level(ffmpeg_next::ffi::AV_LOG_QUIET) };
}

/// Crash signals end the process at once, also when they are sent from outside. For processes made to be killed.
///
/// Rust's runtime catches SIGSEGV and SIGBUS to tell a stack overflow from other faults. It then returns, so
/// that a real fault happens again and kills; a signal that was sent does not happen again, and is lost.
pub fn die_of_crash_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action needs no handler; only a message about stack overflows is given up.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
