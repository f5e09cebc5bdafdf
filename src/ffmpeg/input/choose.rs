//! Which of a source's streams are recorded.

use std::ptr;

use ffmpeg_next::ffi::{self, AVDiscard, AVMediaType};

use super::{Chosen, Input};
use crate::ffmpeg::track::{VideoParams, audio_params, codec_name, stream_time_base, video_params};
use crate::ffmpeg::{AudioTranscoder, Error};

impl Input {
    /// Chooses the first usable video and the first usable audio (of the video's program, where there are
    /// programs), and tells libavformat to leave the rest alone.
    pub(super) fn choose_tracks(&mut self) -> Result<(), Error> {
        let streams: Vec<usize> = (0..self.stream_count()).collect();
        // SAFETY: streams of an open context, here and below.
        let kind = |i: usize| unsafe { (*(*self.stream(i)).codecpar).codec_type };
        let is_cover = |i: usize| unsafe { (*self.stream(i)).disposition & ffi::AV_DISPOSITION_ATTACHED_PIC != 0 };

        let mut videos: Vec<Chosen<VideoParams>> = streams
            .iter()
            .filter(|i| kind(**i) == AVMediaType::AVMEDIA_TYPE_VIDEO && !is_cover(**i))
            .filter_map(|i| unsafe { video_params(self.stream(*i)) }.map(|params| Chosen { index: *i, params }))
            .collect();
        // HLS shows every variant as a program of its own; the best is what one wants to keep.
        if self.format() == "hls" {
            videos.sort_by_key(|v| std::cmp::Reverse(u64::from(v.params.width) * u64::from(v.params.height)));
        }
        let video = videos.into_iter().next();

        let program = video.as_ref().map_or_else(Vec::new, |v| self.program_of(v.index));
        let mut audio_streams: Vec<usize> = streams.iter().copied().filter(|i| kind(*i) == AVMediaType::AVMEDIA_TYPE_AUDIO).collect();
        audio_streams.sort_by_key(|i| !program.contains(i));
        let mut audio = None;
        self.transcoder = None;
        for index in audio_streams {
            let stream = self.stream(index);
            if let Some(params) = unsafe { audio_params(stream) }.filter(|p| p.sample_rate > 0 && p.channels > 0) {
                audio = Some(Chosen { index, params });
                break;
            }
            let transcoder = unsafe { AudioTranscoder::new(&*(*stream).codecpar, stream_time_base(stream)) };
            if let Ok(transcoder) = transcoder {
                audio = Some(Chosen { index, params: transcoder.params() });
                self.transcoder = Some(transcoder);
                break;
            }
        }

        for i in streams {
            let chosen = video.as_ref().is_some_and(|c| c.index == i) || audio.as_ref().is_some_and(|c| c.index == i);
            let discard = if chosen { AVDiscard::AVDISCARD_DEFAULT } else { AVDiscard::AVDISCARD_ALL };
            unsafe { (*self.stream(i)).discard = discard };
        }
        self.streams_seen = u32::try_from(self.stream_count()).unwrap_or(u32::MAX);
        (self.video, self.audio) = (video, audio);
        Ok(())
    }

    /// The streams of the program that holds `index`; empty when there is none.
    fn program_of(&self, index: usize) -> Vec<usize> {
        // SAFETY: the program, if any, belongs to the context and lists nb_stream_indexes indexes.
        unsafe {
            let program = ffi::av_find_program_from_stream(self.context, ptr::null_mut(), index as i32);
            let Some(program) = program.as_ref() else { return Vec::new() };
            (0..program.nb_stream_indexes as usize).map(|i| *program.stream_index.add(i) as usize).collect()
        }
    }

    pub(super) fn describe_streams(&self) -> String {
        let name = |i: usize| unsafe {
            // SAFETY: a stream of the open context.
            let parameters = &*(*self.stream(i)).codecpar;
            match parameters.codec_type {
                AVMediaType::AVMEDIA_TYPE_VIDEO => format!("{} video", codec_name(parameters.codec_id)),
                AVMediaType::AVMEDIA_TYPE_AUDIO => format!("{} audio", codec_name(parameters.codec_id)),
                _ => "data".to_owned(),
            }
        };
        let found: Vec<String> = (0..self.stream_count()).map(name).collect();
        if found.is_empty() {
            return "the source has no tracks".into();
        }
        format!("the source has {}; recorded are H.264, H.265 and AV1 video, AAC, Opus, MP3 and PCM audio", found.join(", "))
    }
}
