//! Footage from the synthetic camera, made once per machine and kept below Cargo's target folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use retroview::clock::SystemClock;
use retroview::ffmpeg::camera::{self, CameraAudio, CameraFormat, CameraOptions, CameraOutput, CameraVideo};
use retroview::media::Timestamp;

/// A recording to be made; small and quick unless told otherwise.
#[derive(Clone)]
pub struct Camera(CameraOptions);

/// Ten seconds of 320 x 180 at 25 frames a second, a keyframe each second, H.264 and AAC, MPEG-TS,
/// from 2026-05-03 14:00:00 UTC.
pub fn camera() -> Camera {
    Camera(CameraOptions {
        start: Timestamp::from_secs(1_777_816_800),
        duration: Some(Duration::from_secs(10)),
        width: 320,
        height: 180,
        gop: 25,
        ..CameraOptions::default()
    })
}

impl Camera {
    pub fn start(mut self, start: Timestamp) -> Self {
        self.0.start = start;
        self
    }
    pub fn seconds(mut self, seconds: u64) -> Self {
        self.0.duration = Some(Duration::from_secs(seconds));
        self
    }
    pub fn size(mut self, width: u32, height: u32) -> Self {
        (self.0.width, self.0.height) = (width, height);
        self
    }
    pub fn gop(mut self, frames: u32) -> Self {
        self.0.gop = frames;
        self
    }
    pub fn b_frames(mut self, b_frames: u32) -> Self {
        self.0.b_frames = b_frames;
        self
    }
    pub fn video(mut self, video: impl Into<Option<CameraVideo>>) -> Self {
        self.0.video = video.into();
        self
    }
    pub fn audio(mut self, audio: impl Into<Option<CameraAudio>>) -> Self {
        self.0.audio = audio.into();
        self
    }
    pub fn format(mut self, format: CameraFormat) -> Self {
        self.0.format = format;
        self
    }

    /// The recording as a file; made now unless an earlier test made the same.
    pub fn file(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("footage");
        std::fs::create_dir_all(&folder).expect("Cargo's temporary folder is writable");
        let path = folder.join(self.name());
        if path.exists() {
            return path;
        }
        // Tests run side by side, in processes or threads: each writes a file of its own, the last to finish gives the name.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let own = folder.join(format!("{}.{}-{}", self.name(), std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)));
        retroview::ffmpeg::init();
        camera::run(&self.0, CameraOutput::File(own.clone()), &SystemClock, &AtomicBool::new(false)).expect("the camera runs");
        std::fs::rename(&own, &path).expect("both are in one folder");
        path
    }

    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.file()).expect("just made")
    }

    fn name(&self) -> String {
        let o = &self.0;
        let kind = match o.format {
            CameraFormat::MpegTs => "ts",
            CameraFormat::FragmentedMp4 | CameraFormat::Mp4 => "mp4",
            CameraFormat::Matroska => "mkv",
        };
        let seconds = o.duration.map_or(0, |d| d.as_secs());
        let (start, fps, gop, b) = (o.start.as_micros(), o.fps, o.gop, o.b_frames);
        format!("{:?}-{:?}-{:?}-{}x{}-{fps}-{gop}-{b}-{start}-{seconds}.{kind}", o.format, o.video, o.audio, o.width, o.height)
            .replace(['(', ')'], "")
    }
}
