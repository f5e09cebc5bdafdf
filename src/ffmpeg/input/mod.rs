//! An opened source: its tracks, then its packets.

mod choose;

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;

use ffmpeg_next::ffi;

use super::codec_watch::{CodecWatch, Verdict};
use super::ffi_util::{Dictionary, OwnedPacket, bytes, c_string, out_of_memory, static_str};
use super::interrupt::{Interrupt, InterruptReason, interrupt_callback};
use super::reader::ReaderIo;
use super::track::{AudioParams, Media, Tracks, VideoParams};
use super::{AudioCodec, AudioTranscoder, Error, VideoCodec, guard};

/// How a source is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Demuxer to use whatever the bytes look like, for instance `mpegts`. `None`: libavformat looks.
    pub format: Option<&'static str>,
    /// Options of protocol and demuxer. Those neither knows are ignored.
    pub options: Vec<(String, String)>,
}

/// One packet of a chosen track. Borrowed from the input until the next read.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub media: Media,
    /// Ticks of the track's time base, as the source says: may be missing, wrap, or jump.
    pub pts: Option<i64>,
    pub dts: Option<i64>,
    /// 0 when the source does not say.
    pub duration_ticks: i64,
    pub keyframe: bool,
    pub data: &'a [u8],
}

/// What a read gave.
#[derive(Debug)]
pub enum Read<'a> {
    Packet(Packet<'a>),
    /// The source's tracks are others now: see [`Input::tracks`].
    TracksChanged,
    /// The source is over.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// The packet in `packet` has been read but not handed out.
    Packet,
    /// The transcoder has packets ready.
    Transcoder,
}

struct Chosen<P> {
    index: usize,
    params: P,
}

/// An opened source.
pub struct Input {
    context: *mut ffi::AVFormatContext,
    packet: OwnedPacket,
    video: Option<Chosen<VideoParams>>,
    audio: Option<Chosen<AudioParams>>,
    transcoder: Option<AudioTranscoder>,
    pending: Pending,
    ended: bool,
    streams_seen: u32,
    watch: CodecWatch,
    url: CString,
    options: OpenOptions,
    interrupt: Arc<Interrupt>,
    // Dropped after `Drop::drop` has closed the context that reads from it.
    io: Option<ReaderIo>,
}

// SAFETY: libavformat contexts have no thread affinity; all use is through `&mut self`.
unsafe impl Send for Input {}

impl Input {
    /// Opens `url` and looks at its tracks. Blocks; bounded by `interrupt`.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NoTracks`] when it opens but holds nothing that can be recorded.
    pub fn open(url: &str, options: &OpenOptions, interrupt: Arc<Interrupt>) -> Result<Input, Error> {
        Self::open_any(c_string(url)?, options, interrupt, None)
    }

    /// The same for bytes that are handed in. `options.format` should name the demuxer: guessing lets the
    /// sender choose which parser reads it.
    pub fn open_reader(read: Box<dyn std::io::Read + Send>, options: &OpenOptions, interrupt: Arc<Interrupt>) -> Result<Input, Error> {
        let io = ReaderIo::new(read, interrupt.clone())?;
        Self::open_any(CString::default(), options, interrupt, Some(io))
    }

    fn open_any(url: CString, options: &OpenOptions, interrupt: Arc<Interrupt>, io: Option<ReaderIo>) -> Result<Input, Error> {
        let context = open_context(&url, options, &interrupt, io.as_ref(), 0)?;
        let mut input = Input {
            context,
            packet: OwnedPacket::new()?,
            video: None,
            audio: None,
            transcoder: None,
            pending: Pending::Nothing,
            ended: false,
            streams_seen: 0,
            watch: CodecWatch::default(),
            url,
            options: options.clone(),
            interrupt,
            io,
        };
        input.look_at_tracks()?;
        Ok(input)
    }

    fn look_at_tracks(&mut self) -> Result<(), Error> {
        // SAFETY: the context is open. Probing errors on one stream are no reason to give up the others, but an
        // interrupt is.
        let code = unsafe { ffi::avformat_find_stream_info(self.context, ptr::null_mut()) };
        if code < 0 || self.interrupt.reason().is_some() {
            return Err(failure("look at the source's tracks", code, &self.interrupt));
        }
        self.choose_tracks()?;
        if self.video.is_none() && self.audio.is_none() {
            return Err(match guard::take_refused() {
                Some(address) => Error::Forbidden { step: "look at the source's tracks", address },
                None => Error::NoTracks { found: self.describe_streams() },
            });
        }
        Ok(())
    }

    /// Starts over where the source is now: what libavformat believes of it is out of date. A file goes on
    /// behind the packet just read, a pushed body with what comes next, and an address is connected to again.
    fn reopen(&mut self) -> Result<(), Error> {
        let position = self.raw_packet().pos;
        let is_file = self.io.is_none() && (self.url.to_bytes().starts_with(b"file:") || !self.url.to_bytes().contains(&b':'));
        let skip = if is_file { position.max(0) } else { 0 };
        // SAFETY: closed once; the pointer is replaced or left null, which close and drop take.
        unsafe { ffi::avformat_close_input(&mut self.context) };
        self.context = open_context(&self.url, &self.options, &self.interrupt, self.io.as_ref(), skip)?;
        self.watch = CodecWatch::default();
        self.look_at_tracks()
    }

    /// The tracks that are recorded.
    pub fn tracks(&self) -> Tracks {
        Tracks { video: self.video.as_ref().map(|c| c.params.clone()), audio: self.audio.as_ref().map(|c| c.params.clone()) }
    }

    /// Name of the demuxer, for instance `mpegts`.
    pub fn format(&self) -> &'static str {
        // SAFETY: an open context has an input format, whose name is static.
        unsafe { static_str((*(*self.context).iformat).name) }
    }

    /// Duration in microseconds where the container says (files); `None` for live sources.
    pub fn duration_us(&self) -> Option<i64> {
        // SAFETY: plain field of an open context; AV_TIME_BASE is microseconds.
        Some(unsafe { (*self.context).duration }).filter(|d| *d > 0)
    }

    /// Wall time at which the recording began, from the container's `creation_time`; RFC 3339 text.
    pub fn creation_time(&self) -> Option<String> {
        // SAFETY: the entry belongs to the context's metadata and is copied at once.
        unsafe {
            let entry = ffi::av_dict_get((*self.context).metadata, c"creation_time".as_ptr(), ptr::null(), 0);
            if entry.is_null() {
                return None;
            }
            Some(CStr::from_ptr((*entry).value).to_string_lossy().into_owned())
        }
    }

    /// The next packet of a chosen track. Blocks; bounded by the interrupt.
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::TimedOut`] by the interrupt; otherwise what libavformat says. An
    /// orderly end is [`Read::End`], also when asked again.
    pub fn read(&mut self) -> Result<Read<'_>, Error> {
        loop {
            match self.pending {
                Pending::Packet => {
                    self.pending = Pending::Nothing;
                    if let Some(media) = self.media_of_packet() {
                        if media == Media::Audio && self.transcoder.is_some() {
                            self.recode()?;
                            continue;
                        }
                        return Ok(Read::Packet(self.borrow_packet(media)));
                    }
                }
                Pending::Transcoder => {
                    let more = self.transcoder.as_mut().map_or(Ok(false), AudioTranscoder::receive)?;
                    if more {
                        let transcoder = self.transcoder.as_ref().expect("it has just given a packet");
                        return Ok(Read::Packet(transcoder.packet()));
                    }
                    self.pending = Pending::Nothing;
                }
                Pending::Nothing => {}
            }
            if self.ended {
                return Ok(Read::End);
            }
            if self.next_raw()? {
                self.pending = Pending::Packet;
                if self.tracks_changed()? {
                    return Ok(Read::TracksChanged);
                }
            }
        }
    }

    /// Whether the format names tracks only when their first packet comes.
    pub fn names_tracks_late(&self) -> bool {
        matches!(self.format(), "flv" | "live_flv")
    }

    /// Reads into `self.packet`; false at the end.
    fn next_raw(&mut self) -> Result<bool, Error> {
        loop {
            // SAFETY: context and packet are valid.
            let code = unsafe {
                ffi::av_packet_unref(self.packet.as_ptr());
                ffi::av_read_frame(self.context, self.packet.as_ptr())
            };
            if code >= 0 {
                return Ok(true);
            }
            // A demuxer between two things to wait for; it has waited inside.
            if code == ffi::AVERROR(libc::EAGAIN) && self.interrupt.reason().is_none() {
                std::thread::yield_now();
                continue;
            }
            if self.interrupt.reason().is_some() || code != ffi::AVERROR_EOF {
                return Err(failure("read from the source", code, &self.interrupt));
            }
            // SAFETY: pb may be null for demuxers without one.
            let io_error = unsafe { (*self.context).pb.as_ref().map_or(0, |pb| pb.error) };
            if io_error < 0 && io_error != ffi::AVERROR_EOF {
                return Err(failure("read from the source", io_error, &self.interrupt));
            }
            self.ended = true;
            if let Some(transcoder) = &mut self.transcoder {
                transcoder.finish()?;
                self.pending = Pending::Transcoder;
            }
            return Ok(false);
        }
    }

    fn raw_packet(&self) -> &ffi::AVPacket {
        // SAFETY: allocated for the life of the input.
        unsafe { &*self.packet.as_ptr() }
    }

    fn media_of_packet(&self) -> Option<Media> {
        let index = usize::try_from(self.raw_packet().stream_index).ok()?;
        if self.video.as_ref().is_some_and(|c| c.index == index) {
            Some(Media::Video)
        } else if self.audio.as_ref().is_some_and(|c| c.index == index) {
            Some(Media::Audio)
        } else {
            None
        }
    }

    fn borrow_packet(&self, media: Media) -> Packet<'_> {
        let raw = self.raw_packet();
        let ticks = |t: i64| (t != ffi::AV_NOPTS_VALUE).then_some(t);
        Packet {
            media,
            pts: ticks(raw.pts),
            dts: ticks(raw.dts),
            duration_ticks: raw.duration.max(0),
            keyframe: raw.flags & ffi::AV_PKT_FLAG_KEY != 0,
            // SAFETY: valid until the packet is unreferenced by the next read, which takes `&mut self`.
            data: unsafe { bytes(raw.data, raw.size) },
        }
    }

    fn recode(&mut self) -> Result<(), Error> {
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.send(self.packet.as_ptr())?;
            self.pending = Pending::Transcoder;
        }
        Ok(())
    }

    /// Looks whether the packet just read shows other tracks than before: a stream that appeared, another
    /// codec behind the same stream (a new TS program map), new parameters in the container.
    fn tracks_changed(&mut self) -> Result<bool, Error> {
        match self.verdict() {
            Verdict::Same => {}
            Verdict::Suspicious => {
                self.pending = Pending::Nothing;
                return Ok(false);
            }
            Verdict::Changed => {
                self.pending = Pending::Nothing;
                self.reopen()?;
                return Ok(true);
            }
        }
        let Some(media) = self.media_of_packet() else {
            // SAFETY: plain field.
            let streams = unsafe { (*self.context).nb_streams };
            if streams == self.streams_seen || (self.video.is_some() && self.audio.is_some()) {
                self.streams_seen = streams;
                return Ok(false);
            }
            let before = (self.video.is_some(), self.audio.is_some());
            self.choose_tracks()?;
            return Ok(before != (self.video.is_some(), self.audio.is_some()));
        };
        let stream = self.stream(usize::try_from(self.raw_packet().stream_index).unwrap_or(0));
        let new_extradata = self.new_extradata();
        // SAFETY: the stream belongs to the open context.
        let changed = unsafe {
            match media {
                Media::Video => {
                    let known = &self.video.as_ref().expect("media_of_packet found it").params;
                    let codec = VideoCodec::from_id((*(*stream).codecpar).codec_id);
                    codec != Some(known.codec) || new_extradata.is_some_and(|e| e != &known.extradata[..])
                }
                Media::Audio if self.transcoder.is_some() => self.transcoder.as_ref().is_some_and(|t| !t.takes(&*(*stream).codecpar)),
                Media::Audio => {
                    let known = &self.audio.as_ref().expect("media_of_packet found it").params;
                    let codec = AudioCodec::from_id((*(*stream).codecpar).codec_id);
                    codec != Some(known.codec) || new_extradata.is_some_and(|e| e != &known.extradata[..])
                }
            }
        };
        if !changed {
            return Ok(false);
        }
        if let Some(extradata) = new_extradata.map(<[u8]>::to_vec) {
            // SAFETY: the stream's parameters are ours to read and libavformat's to free; it takes a copy.
            unsafe { super::ffi_util::set_extradata((*stream).codecpar, &extradata)? };
        }
        self.choose_tracks()?;
        Ok(true)
    }

    fn verdict(&mut self) -> Verdict {
        let Some(codec) = self.video.as_ref().map(|v| v.params.codec) else { return Verdict::Same };
        if self.media_of_packet() != Some(Media::Video) || !matches!(self.format(), "mpegts" | "hls") {
            return Verdict::Same;
        }
        // SAFETY: the packet just read, until the end of this function.
        let data = unsafe { bytes((*self.packet.as_ptr()).data, (*self.packet.as_ptr()).size) };
        self.watch.look(codec, data)
    }

    fn new_extradata(&self) -> Option<&[u8]> {
        if self.raw_packet().side_data_elems == 0 {
            return None;
        }
        let mut size = 0usize;
        // SAFETY: side data lives as long as the packet.
        unsafe {
            let kind = ffi::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA;
            let data = ffi::av_packet_get_side_data(self.packet.as_ptr(), kind, &mut size);
            let data = bytes(data, i32::try_from(size).ok()?);
            (!data.is_empty()).then_some(data)
        }
    }

    fn stream(&self, index: usize) -> *mut ffi::AVStream {
        // SAFETY: callers pass indexes below nb_streams.
        unsafe { *(*self.context).streams.add(index) }
    }

    fn stream_count(&self) -> usize {
        // SAFETY: plain field.
        unsafe { (*self.context).nb_streams as usize }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // SAFETY: closes and frees once; custom I/O is left to its owner.
        unsafe { ffi::avformat_close_input(&mut self.context) };
    }
}

/// Opens without looking at tracks yet. `skip` bytes of a file are passed over.
fn open_context(
    url: &CStr,
    options: &OpenOptions,
    interrupt: &Arc<Interrupt>,
    io: Option<&ReaderIo>,
    skip: i64,
) -> Result<*mut ffi::AVFormatContext, Error> {
    let format = match options.format {
        Some(name) => find_demuxer(name)?,
        None => ptr::null(),
    };
    // What an earlier try was refused does not explain this one.
    guard::take_refused();
    let skip = skip.to_string();
    let given = options.options.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let mut dictionary = Dictionary::new(given.chain([("skip_initial_bytes", skip.as_str())]))?;
    // SAFETY: the context is ours until avformat_open_input, which frees it when it fails. The interrupt lives in
    // the Input that holds the context, longer than it.
    unsafe {
        let mut context = ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(out_of_memory());
        }
        (*context).interrupt_callback.callback = Some(interrupt_callback);
        (*context).interrupt_callback.opaque = Arc::as_ptr(interrupt).cast_mut().cast();
        if let Some(io) = io {
            (*context).pb = io.as_ptr();
            (*context).flags |= ffi::AVFMT_FLAG_CUSTOM_IO;
        }
        let code = ffi::avformat_open_input(&mut context, url.as_ptr(), format, &mut dictionary.0);
        if code < 0 {
            return Err(failure("open the source", code, interrupt));
        }
        Ok(context)
    }
}

fn find_demuxer(name: &str) -> Result<*const ffi::AVInputFormat, Error> {
    let c_name = c_string(name)?;
    // SAFETY: looks up a static table.
    let format = unsafe { ffi::av_find_input_format(c_name.as_ptr()) };
    if format.is_null() { Err(Error::Unsupported(format!("this libavformat has no `{name}` demuxer"))) } else { Ok(format) }
}

/// The interrupt's state comes before the code: an interrupted call fails with almost anything. So does a refused
/// connection, which libavformat may go on to try again until the deadline.
fn failure(step: &'static str, code: i32, interrupt: &Interrupt) -> Error {
    match (interrupt.reason(), guard::take_refused()) {
        (Some(InterruptReason::Stopped), _) => Error::Stopped { step },
        (_, Some(address)) => Error::Forbidden { step, address },
        (Some(InterruptReason::TimedOut), None) => Error::TimedOut { step },
        (None, None) => Error::Library { step, code },
    }
}
