//! Small pictures for scrubbing, made beside the recording.
//!
//! Recording hands a copy of a keyframe over about every ten seconds and goes on; one thread has it decoded and writes the small picture
//! beside the block ([`crate::store::thumbnails`]). It asks nobody and reports nothing: sealing the block takes what is there.
//!
//! **Why a process of its own.** This worker parses containers; a decoder is a far larger target for hostile bytes, and its crash here
//! would interrupt every stream of the worker and make a gap in each. So keyframes are decoded by a `retroview decoder` child, one a
//! worker, at a low priority. It costs the copy of a keyframe through a pipe, some 100 KB in ten seconds.
//!
//! **When things fail.** Under load, when the queue is full, a live stream's picture is left out. One that does not decode is left out, and
//! its stream is tried less and less often. The child that died is started again for the next picture.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::SharedClock;
use crate::ffmpeg::{FrameError, Jpeg, SmallPictures};
use crate::media::{BlockId, StreamId, THUMBNAIL_WIDTH, Timestamp};
use crate::store::MediaRoot;
use crate::store::thumbnails::{Thumbnail, add_thumbnail, begin_thumbnails};

/// Pictures that wait. At 20 ms each this is what 64 streams that began together take; more would be late anyway.
const QUEUE_MAX: usize = 64;
/// Of all keyframes that wait.
const QUEUE_BYTES_MAX: usize = 32 << 20;
/// A keyframe of 8K at a high rate; larger ones are not worth the memory.
const KEYFRAME_BYTES_MAX: usize = 8 << 20;
/// A 4K picture takes 0.1 s; on a machine that is busy this process comes last.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A stream whose pictures do not decode is tried at each step, then at every second, up to one in so many: about once an hour.
const SKIP_MAX: u32 = 360;
/// How long the end of an import waits for its last pictures.
const LAST_MAX: Duration = Duration::from_secs(60);

/// A keyframe to be made small.
#[derive(Debug)]
pub(super) struct Keyframe {
    pub stream: StreamId,
    pub block: BlockId,
    pub at: Timestamp,
    pub init: Bytes,
    /// The beginning of the segment's video fragment, up to the end of its first picture.
    pub media: Vec<u8>,
    /// Somebody waits for it.
    pub hurry: bool,
}

/// Makes one small picture out of a keyframe.
pub(super) type Make = Box<dyn FnMut(&Keyframe) -> Result<Jpeg, FrameError> + Send>;

enum Job {
    Picture(Keyframe),
    /// Says when everything before it is done.
    Mark(SyncSender<()>),
}

/// Where keyframes are handed over. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    desk: Option<Desk>,
    /// Nothing is left out: whoever hands over can wait, and there is no second chance.
    patient: bool,
}

#[derive(Clone, Debug)]
struct Desk {
    jobs: SyncSender<Job>,
    bytes: Arc<AtomicUsize>,
}

impl Pictures {
    /// Makes none.
    pub fn none() -> Self {
        Pictures { desk: None, patient: false }
    }

    /// With a decoder process of its own.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(root: MediaRoot, clock: SharedClock) -> std::io::Result<Self> {
        let mut small = SmallPictures::of_this_program(TIMEOUT, clock)?;
        let make = move |k: &Keyframe| {
            if k.hurry {
                small.hurry();
            }
            small.make(&k.init, &k.media, THUMBNAIL_WIDTH)
        };
        Self::start_with(root, Box::new(make))
    }

    /// # Errors
    /// As [`Pictures::start`].
    pub fn start_with(root: MediaRoot, make: Make) -> std::io::Result<Self> {
        let (jobs, inbox) = sync_channel(QUEUE_MAX);
        let bytes = Arc::<AtomicUsize>::default();
        let maker = Maker { root, make, bytes: Arc::clone(&bytes), troubled: HashMap::new() };
        std::thread::Builder::new().name("pictures".into()).stack_size(256 << 10).spawn(move || maker.work(&inbox))?;
        Ok(Pictures { desk: Some(Desk { jobs, bytes }), patient: false })
    }

    /// The same, for whoever reads faster than time passes and would rather wait than go without.
    pub fn patient(&self) -> Self {
        Pictures { patient: true, ..self.clone() }
    }

    /// A block begins that may get pictures. False: it gets none.
    pub fn begin(&self, root: &MediaRoot, block: BlockId) -> bool {
        // Without room for them there are none.
        self.desk.is_some() && begin_thumbnails(root, block).is_ok()
    }

    /// Never waits for a live stream.
    pub fn hand_over(&self, mut keyframe: Keyframe) {
        let Some(desk) = &self.desk else { return };
        keyframe.hurry = self.patient;
        let len = keyframe.media.len();
        let waiting = desk.bytes.load(Ordering::Acquire);
        if len > KEYFRAME_BYTES_MAX || (waiting + len > QUEUE_BYTES_MAX && !self.patient) {
            return;
        }
        desk.bytes.fetch_add(len, Ordering::AcqRel);
        let lost = match self.patient {
            true => desk.jobs.send(Job::Picture(keyframe)).is_err(),
            false => matches!(desk.jobs.try_send(Job::Picture(keyframe)), Err(TrySendError::Full(_) | TrySendError::Disconnected(_))),
        };
        if lost {
            desk.bytes.fetch_sub(len, Ordering::AcqRel);
        }
    }

    /// A block is about to be sealed: who is patient waits for its last pictures.
    pub fn settle(&self) {
        let Some(desk) = self.desk.as_ref().filter(|_| self.patient) else { return };
        let (done, wait) = sync_channel(1);
        if desk.jobs.send(Job::Mark(done)).is_ok() {
            // Late ones are left out.
            let _ = wait.recv_timeout(LAST_MAX);
        }
    }
}

/// A stream whose pictures do not decode.
#[derive(Clone, Copy, Default)]
struct Trouble {
    skip: u32,
    left: u32,
}

struct Maker {
    root: MediaRoot,
    make: Make,
    bytes: Arc<AtomicUsize>,
    troubled: HashMap<StreamId, Trouble>,
}

impl Maker {
    fn work(mut self, inbox: &Receiver<Job>) {
        while let Ok(job) = inbox.recv() {
            match job {
                Job::Picture(keyframe) => {
                    self.bytes.fetch_sub(keyframe.media.len(), Ordering::AcqRel);
                    self.picture(&keyframe);
                }
                // Whoever waited has given up.
                Job::Mark(done) => drop(done.try_send(())),
            }
        }
    }

    fn picture(&mut self, keyframe: &Keyframe) {
        if let Some(trouble) = self.troubled.get_mut(&keyframe.stream).filter(|t| t.left > 0) {
            trouble.left -= 1;
            return;
        }
        match (self.make)(keyframe) {
            Ok(jpeg) => {
                self.troubled.remove(&keyframe.stream);
                // A disk without room has no pictures; recording says what is to be said about it.
                let _ = add_thumbnail(&self.root, keyframe.block, &Thumbnail { at: keyframe.at, jpeg: jpeg.bytes });
            }
            Err(_) => {
                let trouble = self.troubled.entry(keyframe.stream.clone()).or_default();
                trouble.skip = (trouble.skip * 2 + 1).min(SKIP_MAX);
                trouble.left = trouble.skip;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;
    use crate::store::testing::{T0, root};
    use crate::store::thumbnails::open_thumbnails;

    fn keyframe(n: i64) -> Keyframe {
        let at = T0.saturating_add_micros(n * 10_000_000);
        let (stream, block) = ("cam".parse().unwrap(), BlockId::new(T0, 1));
        Keyframe { stream, block, at, init: Bytes::new(), media: vec![0; 1000], hurry: false }
    }

    fn jpeg() -> Jpeg {
        Jpeg { bytes: Bytes::from_static(b"picture"), at_offset_us: 0, width: 160, height: 90 }
    }

    #[test]
    fn a_decoder_that_hangs_costs_pictures_and_no_time() {
        let (_dir, root) = root();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = gate.clone();
        let make: Make = Box::new(move |_| {
            let mut open = theirs.0.lock().unwrap();
            while !*open {
                open = theirs.1.wait(open).unwrap();
            }
            Ok(jpeg())
        });
        let pictures = Pictures::start_with(root.clone(), make).unwrap();
        assert!(pictures.begin(&root, keyframe(0).block));
        // Would hang here, if it waited.
        (0..1000).for_each(|n| pictures.hand_over(keyframe(n)));
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        pictures.patient().settle();
        let made = open_thumbnails(&root, keyframe(0).block).len();
        assert!((QUEUE_MAX..=QUEUE_MAX + 1).contains(&made), "{made}");
        assert_eq!(pictures.desk.unwrap().bytes.load(Ordering::Acquire), 0);
    }

    #[test]
    fn who_is_patient_gets_every_picture() {
        let (_dir, root) = root();
        let pictures = Pictures::start_with(root.clone(), Box::new(|_| Ok(jpeg()))).unwrap().patient();
        pictures.begin(&root, keyframe(0).block);
        (0..300).for_each(|n| pictures.hand_over(keyframe(n)));
        pictures.settle();
        assert_eq!(open_thumbnails(&root, keyframe(0).block).len(), 300);
    }

    #[test]
    fn a_stream_whose_pictures_do_not_decode_is_tried_less_and_less() {
        let (_dir, root) = root();
        let tried = Arc::new(Mutex::new(Vec::new()));
        let theirs = tried.clone();
        let make: Make = Box::new(move |k| {
            theirs.lock().unwrap().push(k.at.micros_since(T0) / 10_000_000);
            Err(FrameError::Undecodable(String::new()))
        });
        let pictures = Pictures::start_with(root, make).unwrap().patient();
        (0..40).for_each(|n| pictures.hand_over(keyframe(n)));
        pictures.settle();
        assert_eq!(*tried.lock().unwrap(), [0, 2, 6, 14, 30]);
    }
}
