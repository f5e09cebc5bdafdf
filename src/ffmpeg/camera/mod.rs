//! A synthetic camera: a moving picture with its wall time burned in, and a tone.
//!
//! The demo and the tests record it. Every frame shows its own time twice: as text for people, and as a row of
//! black and white cells along the bottom ([`clock_row`]) that a test reads back from a decoded picture.
//!
//! Frame `n` shows `start + n / fps` exactly, whatever the machine's clock does meanwhile; in real time the
//! frames only come out at that pace.

pub mod clock_row;
mod font;
mod jpeg;
mod picture;
mod repeat;
mod tone;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ffmpeg_next as ff;
use ffmpeg_next::{Dictionary, Packet, Rational};

use crate::clock::Clock;
use crate::media::Timestamp;
pub use jpeg::read_clock;
use picture::Scene;
use repeat::Repeat;
use tone::Tone;

/// What the camera sends.
#[derive(Clone, Debug)]
pub struct CameraOptions {
    /// What frame 0 shows.
    pub start: Timestamp,
    /// `None`: until told to stop.
    pub duration: Option<Duration>,
    pub fps: u32,
    pub width: u32,
    pub height: u32,
    pub video: Option<CameraVideo>,
    /// Keyframe distance in frames.
    pub gop: u32,
    pub b_frames: u32,
    pub audio: Option<CameraAudio>,
    pub format: CameraFormat,
    /// Come out at the pace of the clock instead of as fast as the encoder goes.
    pub realtime: bool,
    /// Shown in the corner; also varies the scene.
    pub label: String,
}

impl Default for CameraOptions {
    fn default() -> Self {
        CameraOptions {
            start: Timestamp::MIN,
            duration: None,
            fps: 25,
            width: 640,
            height: 360,
            video: Some(CameraVideo::H264),
            gop: 50,
            b_frames: 0,
            audio: Some(CameraAudio::Aac),
            format: CameraFormat::MpegTs,
            realtime: false,
            label: "CAMERA".into(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CameraVideo {
    H264,
    H265,
    Av1,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CameraAudio {
    Aac,
    Opus,
    Mp3,
    /// G.711 A-law, 8 kHz mono.
    Alaw,
    /// G.711 µ-law, 8 kHz mono.
    Mulaw,
    /// 16-bit linear PCM, 48 kHz.
    Pcm,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CameraFormat {
    MpegTs,
    FragmentedMp4,
    /// Needs [`CameraOutput::File`]: the index is written last.
    Mp4,
    Matroska,
}

/// Where the bytes go.
pub enum CameraOutput {
    Stream(Box<dyn Write + Send>),
    File(PathBuf),
}

/// Why the camera could not go on.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    #[error("{0}")]
    Options(&'static str),
    #[error("{step}")]
    Media {
        step: &'static str,
        #[source]
        source: ff::Error,
    },
    #[error("open {path} for writing")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

fn media(step: &'static str) -> impl FnOnce(ff::Error) -> CameraError {
    move |source| CameraError::Media { step, source }
}

/// Runs until the duration is over, `stop` is raised, or the reader goes away.
///
/// # Errors
/// [`CameraError`]: options that do not go together, an encoder this machine does not have, a reader that left.
pub fn run(options: &CameraOptions, output: CameraOutput, clock: &dyn Clock, stop: &AtomicBool) -> Result<(), CameraError> {
    check(options)?;
    let mut camera = Camera::open(options, output)?;
    let began = clock.monotonic();
    let frames = options.duration.map(|d| (d.as_secs_f64() * f64::from(options.fps)).round() as u64);
    let mut n = 0u64;
    while frames.is_none_or(|f| n < f) && !stop.load(Ordering::Relaxed) {
        if options.realtime {
            let due = began + Duration::from_micros(n * 1_000_000 / u64::from(options.fps));
            std::thread::sleep(due.saturating_sub(clock.monotonic()));
        }
        camera.step(n, options)?;
        n += 1;
    }
    camera.finish()
}

fn check(o: &CameraOptions) -> Result<(), CameraError> {
    let refuse = |why| Err(CameraError::Options(why));
    if o.video.is_none() && o.audio.is_none() {
        return refuse("the camera needs a picture or a sound");
    }
    if !(1..=120).contains(&o.fps) || o.gop == 0 {
        return refuse("the frame rate goes from 1 to 120, and the keyframe distance from 1");
    }
    if o.width < 96 || o.height < 64 || o.width > 4096 || o.height > 2304 || o.width % 2 == 1 || o.height % 2 == 1 {
        return refuse("the picture size is even and goes from 96x64 to 4096x2304");
    }
    if o.format == CameraFormat::MpegTs && o.video == Some(CameraVideo::Av1) {
        return refuse("MPEG-TS does not carry AV1 here: choose fmp4, mp4 or matroska");
    }
    if matches!(o.format, CameraFormat::MpegTs) && matches!(o.audio, Some(CameraAudio::Alaw | CameraAudio::Mulaw | CameraAudio::Pcm)) {
        return refuse("MPEG-TS does not carry PCM here: choose matroska");
    }
    Ok(())
}

struct Camera {
    out: ff::format::context::Output,
    video: Option<VideoEncoder>,
    audio: Option<AudioEncoder>,
}

struct VideoEncoder {
    encoder: ff::encoder::Video,
    scene: Scene,
    frame: ff::frame::Video,
    stream: usize,
    time_base: Rational,
}

struct AudioEncoder {
    encoder: ff::encoder::Audio,
    tone: Tone,
    stream: usize,
    time_base: Rational,
    frame_samples: usize,
    repeat: Option<Repeat>,
}

impl Camera {
    fn open(options: &CameraOptions, output: CameraOutput) -> Result<Camera, CameraError> {
        let (muxer, flags) = match options.format {
            CameraFormat::MpegTs => ("mpegts", None),
            CameraFormat::FragmentedMp4 => ("mp4", Some("frag_keyframe+empty_moov+default_base_moof")),
            CameraFormat::Mp4 => ("mp4", None),
            CameraFormat::Matroska => ("matroska", None),
        };
        let io = match output {
            CameraOutput::Stream(_) if options.format == CameraFormat::Mp4 => {
                return Err(CameraError::Options("an mp4 needs a file to write to: choose fmp4 for a pipe"));
            }
            CameraOutput::Stream(writer) => ff::format::context::StreamIo::from_write(writer),
            CameraOutput::File(path) => {
                let file = File::create(&path).map_err(|source| CameraError::File { path, source })?;
                ff::format::context::StreamIo::from_write_seek(file)
            }
        };
        let io = io.map_err(media("make the output"))?;
        let mut out = ff::format::output_to_stream(io, None, Some(muxer)).map_err(media("make the muxer"))?;
        let global_header = out.format().flags().contains(ff::format::flag::Flags::GLOBAL_HEADER);

        let mut video = options.video.map(|codec| VideoEncoder::open(codec, options, global_header, &mut out)).transpose()?;
        let mut audio = options.audio.map(|codec| AudioEncoder::open(codec, options, global_header, &mut out)).transpose()?;

        let mut metadata = Dictionary::new();
        metadata.set("creation_time", &options.start.to_rfc3339(6));
        out.set_metadata(metadata);
        let mut muxer_options = Dictionary::new();
        if let Some(flags) = flags {
            muxer_options.set("movflags", flags);
        }
        if options.realtime {
            muxer_options.set("flush_packets", "1");
        }
        out.write_header_with(muxer_options).map_err(media("write the header"))?;
        if let Some(v) = &mut video {
            v.time_base = out.stream(v.stream).map_or(v.time_base, |s| s.time_base());
        }
        if let Some(a) = &mut audio {
            a.time_base = out.stream(a.stream).map_or(a.time_base, |s| s.time_base());
        }
        Ok(Camera { out, video, audio })
    }

    /// Frame `n` and the sound up to it.
    fn step(&mut self, n: u64, options: &CameraOptions) -> Result<(), CameraError> {
        if let Some(audio) = &mut self.audio {
            audio.advance(n + 1, options.fps, &mut self.out)?;
        }
        if let Some(video) = &mut self.video {
            let at = options.start.saturating_add_micros(i64::try_from(n * 1_000_000 / u64::from(options.fps)).unwrap_or(i64::MAX));
            video.scene.draw(&mut video.frame, n, at);
            video.frame.set_pts(Some(i64::try_from(n).unwrap_or(i64::MAX)));
            video.encoder.send_frame(&video.frame).map_err(media("encode a picture"))?;
            video.drain(&mut self.out)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), CameraError> {
        if let Some(video) = &mut self.video {
            video.encoder.send_eof().map_err(media("finish the picture"))?;
            video.drain(&mut self.out)?;
        }
        if let Some(audio) = &mut self.audio {
            audio.finish(&mut self.out)?;
        }
        self.out.write_trailer().map_err(media("write the end"))
    }
}

impl VideoEncoder {
    fn open(
        codec: CameraVideo,
        o: &CameraOptions,
        global_header: bool,
        out: &mut ff::format::context::Output,
    ) -> Result<Self, CameraError> {
        let names: &[&str] = match codec {
            CameraVideo::H264 => &["libx264"],
            CameraVideo::H265 => &["libx265"],
            CameraVideo::Av1 => &["libsvtav1", "libaom-av1"],
        };
        let found = names.iter().find_map(|n| ff::encoder::find_by_name(n));
        let found = found.ok_or(CameraError::Options("this machine's libavcodec has no encoder for that picture codec"))?;
        let context = ff::codec::Context::new_with_codec(found);
        let mut encoder = context.encoder().video().map_err(media("set up the picture encoder"))?;
        let fps = i32::try_from(o.fps).unwrap_or(25);
        encoder.set_width(o.width);
        encoder.set_height(o.height);
        encoder.set_format(ff::format::Pixel::YUV420P);
        encoder.set_time_base(Rational(1, fps));
        encoder.set_frame_rate(Some(Rational(fps, 1)));
        encoder.set_gop(o.gop);
        encoder.set_max_b_frames(o.b_frames as usize);
        if global_header {
            encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER);
        }
        let encoder = encoder.open_with(video_options(found.name(), o)).map_err(media("open the picture encoder"))?;
        let stream = {
            let mut stream = out.add_stream(found).map_err(media("add the picture"))?;
            stream.set_parameters(&encoder);
            stream.set_time_base(Rational(1, fps));
            stream.set_avg_frame_rate(Rational(fps, 1));
            stream.index()
        };
        Ok(VideoEncoder {
            encoder,
            scene: Scene::new(o.width as usize, o.height as usize, &o.label),
            frame: ff::frame::Video::new(ff::format::Pixel::YUV420P, o.width, o.height),
            stream,
            time_base: Rational(1, fps),
        })
    }

    fn drain(&mut self, out: &mut ff::format::context::Output) -> Result<(), CameraError> {
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            packet.set_stream(self.stream);
            if packet.duration() == 0 {
                packet.set_duration(1);
            }
            packet.rescale_ts(self.encoder.time_base(), self.time_base);
            packet.write_interleaved(out).map_err(media("write a picture"))?;
        }
        Ok(())
    }
}

/// The cheapest settings that keep keyframes where they are asked for: the camera shares two cores with what is tested.
fn video_options(encoder: &str, o: &CameraOptions) -> Dictionary<'static> {
    let mut d = Dictionary::new();
    match encoder {
        "libx264" => {
            d.set("preset", "ultrafast");
            if o.b_frames == 0 {
                d.set("tune", "zerolatency");
            }
            let cells = format!("scenecut=0:keyint={0}:min-keyint={0}:threads=1:bframes={1}:b-pyramid=0:b-adapt=0", o.gop, o.b_frames);
            d.set("x264-params", &cells);
            d.set("crf", "26");
        }
        "libx265" => {
            d.set("preset", "ultrafast");
            let cells =
                format!("log-level=none:scenecut=0:keyint={0}:min-keyint={0}:pools=none:frame-threads=1:bframes={1}", o.gop, o.b_frames);
            d.set("x265-params", &cells);
            d.set("forced-idr", "1");
        }
        "libsvtav1" => {
            d.set("preset", "12");
            d.set("svtav1-params", &format!("pred-struct=1:lp=1:irefresh-type=2:keyint={}", o.gop));
        }
        _ => {
            d.set("cpu-used", "8");
            d.set("usage", "realtime");
            d.set("lag-in-frames", "0");
        }
    }
    d
}

impl AudioEncoder {
    fn open(
        codec: CameraAudio,
        o: &CameraOptions,
        global_header: bool,
        out: &mut ff::format::context::Output,
    ) -> Result<Self, CameraError> {
        use ff::format::Sample;
        use ff::format::sample::Type::{Packed, Planar};
        let (name, rate, format) = match codec {
            CameraAudio::Aac => ("aac", 48_000, Sample::F32(Planar)),
            CameraAudio::Opus => ("libopus", 48_000, Sample::I16(Packed)),
            CameraAudio::Mp3 => ("libmp3lame", 44_100, Sample::I16(Planar)),
            CameraAudio::Alaw => ("pcm_alaw", 8_000, Sample::I16(Packed)),
            CameraAudio::Mulaw => ("pcm_mulaw", 8_000, Sample::I16(Packed)),
            CameraAudio::Pcm => ("pcm_s16le", 48_000, Sample::I16(Packed)),
        };
        let missing = CameraError::Options("this machine's libavcodec has no encoder for that sound codec");
        let found = ff::encoder::find_by_name(name).ok_or(missing)?;
        let context = ff::codec::Context::new_with_codec(found);
        let mut encoder = context.encoder().audio().map_err(media("set up the sound encoder"))?;
        encoder.set_rate(rate);
        encoder.set_format(format);
        encoder.set_channel_layout(ff::ChannelLayout::MONO);
        encoder.set_channels(1);
        encoder.set_time_base(Rational(1, rate));
        encoder.set_bit_rate(64_000);
        if global_header {
            encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER);
        }
        let mut settings = Dictionary::new();
        if codec == CameraAudio::Aac {
            // Two thirds of the default's time.
            settings.set("aac_coder", "fast");
        }
        let encoder = encoder.open_with(settings).map_err(media("open the sound encoder"))?;
        let stream = {
            let mut stream = out.add_stream(found).map_err(media("add the sound"))?;
            stream.set_parameters(&encoder);
            stream.set_time_base(Rational(1, rate));
            stream.index()
        };
        // PCM encoders take any length; 20 ms is what telephony sends.
        let frame_samples = match encoder.frame_size() {
            0 => rate as usize / 50,
            n => n as usize,
        };
        let tone = Tone::new(rate.unsigned_abs(), format, &o.label);
        // Frames of MP3 refer to those before them, and the others cost nothing.
        let repeat = (codec == CameraAudio::Aac).then(|| Repeat::new(tone.period(), frame_samples));
        Ok(AudioEncoder { encoder, tone, stream, time_base: Rational(1, rate), frame_samples, repeat })
    }

    /// Sound up to the moment picture `frames` begins.
    fn advance(&mut self, frames: u64, fps: u32, out: &mut ff::format::context::Output) -> Result<(), CameraError> {
        let until = frames * u64::from(self.tone.rate()) / u64::from(fps);
        while self.tone.position() + self.frame_samples as u64 <= until {
            if let Some(packet) = self.repeat.as_mut().and_then(Repeat::next) {
                self.tone.skip(self.frame_samples);
                self.write(packet, out)?;
                continue;
            }
            let frame = self.tone.frame(self.frame_samples);
            self.encoder.send_frame(&frame).map_err(media("encode a sound"))?;
            self.drain(out)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut ff::format::context::Output) -> Result<(), CameraError> {
        // What the encoder still holds is from before the repetition. As it would at its end, the sound reaches to where the
        // tone does: the encoder's packets lag behind what went in.
        if self.repeat.as_ref().is_some_and(Repeat::is_complete) {
            let end = i64::try_from(self.tone.position()).unwrap_or(i64::MAX);
            while let Some(packet) = self.repeat.as_mut().and_then(Repeat::next).filter(|p| p.pts().is_some_and(|pts| pts < end)) {
                self.write(packet, out)?;
            }
            return Ok(());
        }
        self.encoder.send_eof().map_err(media("finish the sound"))?;
        self.drain(out)
    }

    fn drain(&mut self, out: &mut ff::format::context::Output) -> Result<(), CameraError> {
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            // What the encoder primes itself with lies before the start: a muxer that cannot say so would move
            // everything, the picture's times included.
            if packet.pts().is_some_and(|pts| pts < 0) {
                continue;
            }
            if let Some(repeat) = &mut self.repeat {
                repeat.encoded(&packet);
            }
            self.write(std::mem::replace(&mut packet, Packet::empty()), out)?;
        }
        Ok(())
    }

    fn write(&self, mut packet: Packet, out: &mut ff::format::context::Output) -> Result<(), CameraError> {
        packet.set_stream(self.stream);
        packet.rescale_ts(self.encoder.time_base(), self.time_base);
        packet.write_interleaved(out).map_err(media("write a sound"))
    }
}
