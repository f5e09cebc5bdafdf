//! `retroview camera`, hidden: the synthetic camera of demo and tests.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::clock::{Clock, SystemClock};
use crate::ffmpeg::{
    self,
    camera::{self, CameraAudio, CameraError, CameraFormat, CameraOptions, CameraOutput, CameraVideo},
};
use crate::media::Timestamp;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::is_broken_pipe;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview camera --realtime | curl -T - -X POST -H 'Content-Type: video/mp2t' http://127.0.0.1:8080/v1/streams/studio/ingest
  retroview camera --start 2026-05-03T14:00:00Z --duration 600 --output recording.ts")]
pub(super) struct CameraArgs {
    /// What the first frame shows
    #[arg(long, default_value = "now", allow_hyphen_values = true)]
    start: String,
    /// Seconds to film; without end unless given
    #[arg(long)]
    duration: Option<f64>,
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// Width and height in pixels
    #[arg(long, default_value = "640x360", value_parser = size)]
    size: (u32, u32),
    #[arg(long, value_enum, default_value_t = Codec::H264)]
    codec: Codec,
    #[arg(long, default_value_t = 0)]
    bframes: u32,
    /// Frames from one keyframe to the next
    #[arg(long, default_value_t = 50)]
    gop: u32,
    #[arg(long, value_enum, default_value_t = Sound::Aac)]
    audio: Sound,
    /// Film at the pace of the clock
    #[arg(long)]
    realtime: bool,
    /// Text in the corner
    #[arg(long, default_value = "CAMERA")]
    label: String,
    #[arg(long, value_enum, default_value_t = Format::Mpegts)]
    format: Format,
    /// A file instead of stdout
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Codec {
    H264,
    H265,
    Av1,
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Sound {
    Aac,
    Opus,
    Mp3,
    PcmAlaw,
    PcmMulaw,
    Pcm,
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Mpegts,
    /// Fragmented MP4
    Fmp4,
    Mp4,
    Matroska,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let sane = parts.filter(|(w, h)| (16..=7680).contains(w) && (16..=4320).contains(h) && w % 2 == 0 && h % 2 == 0);
    sane.ok_or_else(|| "WIDTHxHEIGHT in even numbers is allowed, such as 640x360".into())
}

pub(super) fn run(args: CameraArgs, context: &Context) -> anyhow::Result<Exit> {
    let wrong = |e: String| Failure::new(Exit::Usage, e).hint("retroview camera --help");
    let clock = SystemClock;
    let seconds = args.duration.map(|s| Duration::try_from_secs_f64(s).map_err(|e| wrong(format!("--duration: {e}")))).transpose()?;
    let options = CameraOptions {
        start: Timestamp::parse(&args.start, clock.now()).map_err(|e| wrong(e.to_string()))?,
        duration: seconds,
        fps: args.fps,
        width: args.size.0,
        height: args.size.1,
        video: match args.codec {
            Codec::H264 => Some(CameraVideo::H264),
            Codec::H265 => Some(CameraVideo::H265),
            Codec::Av1 => Some(CameraVideo::Av1),
            Codec::None => None,
        },
        gop: args.gop,
        b_frames: args.bframes,
        audio: match args.audio {
            Sound::Aac => Some(CameraAudio::Aac),
            Sound::Opus => Some(CameraAudio::Opus),
            Sound::Mp3 => Some(CameraAudio::Mp3),
            Sound::PcmAlaw => Some(CameraAudio::Alaw),
            Sound::PcmMulaw => Some(CameraAudio::Mulaw),
            Sound::Pcm => Some(CameraAudio::Pcm),
            Sound::None => None,
        },
        format: match args.format {
            Format::Mpegts => CameraFormat::MpegTs,
            Format::Fmp4 => CameraFormat::FragmentedMp4,
            Format::Mp4 => CameraFormat::Mp4,
            Format::Matroska => CameraFormat::Matroska,
        },
        realtime: args.realtime,
        label: args.label,
    };
    let output = match args.output {
        Some(path) => CameraOutput::File(path),
        None => CameraOutput::Stream(Box::new(std::io::stdout())),
    };
    ffmpeg::init();
    let stop = stop_on_signal(context)?;
    match camera::run(&options, output, &clock, &stop) {
        Ok(()) => Ok(Exit::Ok),
        Err(CameraError::Options(text)) => Err(wrong(text.into()).into()),
        // Whoever was watching has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(Exit::Ok),
        Err(error) => Err(error.into()),
    }
}

/// Set when SIGTERM or Ctrl-C comes: the file is finished, not torn.
fn stop_on_signal(context: &Context) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = context.runtime()?;
    let seen = stop.clone();
    runtime.block_on(async { crate::app::Signals::listen() }).map(|mut signals| {
        std::thread::spawn(move || {
            runtime.block_on(signals.stop_again());
            seen.store(true, Ordering::Relaxed);
        });
    })?;
    Ok(stop)
}
