//! The head of a clip: `ftyp moov` over the init segments of several runs.
//!
//! A player of a plain file reads one `moov` and expects it to fit the whole file. Runs whose codec (fourcc) and timescale
//! agree share a track: each has a sample description of its own there, and its fragments name it. A run that
//! differs gets a track of its own, which a player may or may not switch to.

use bytes::Bytes;

use super::super::PlaybackError;
use super::super::boxes::{Mp4Box, be32, child, children, damaged, descend, put, put_full, put16, put32, put64};
use crate::media::{AUDIO_TRACK_ID, VIDEO_TRACK_ID};

/// Ticks per second of the movie header: what `mehd` counts in.
pub(super) const MOVIE_TIMESCALE: u32 = 90_000;

/// Where fragments of one track of one run go in the clip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TrackPlace {
    pub track_id: u32,
    /// From 1.
    pub description: u32,
    pub timescale: u32,
}

/// Where the fragments of one run go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct RunPlaces {
    pub video: Option<TrackPlace>,
    pub audio: Option<TrackPlace>,
}

/// `ftyp moov` for runs with these init segments, `duration_ticks` long by [`MOVIE_TIMESCALE`], and for each of them
/// where its fragments go.
pub(super) fn clip_head(inits: &[Bytes], duration_ticks: u64) -> Result<(Bytes, Vec<RunPlaces>), PlaybackError> {
    let mut tracks: Vec<Track<'_>> = Vec::new();
    let mut places = Vec::with_capacity(inits.len());
    for init in inits {
        let moov = child(init, b"moov")?.payload;
        let mut place = RunPlaces::default();
        for trak in children(moov)?.into_iter().filter(|b| &b.kind == b"trak") {
            let source = SourceTrack::read(trak)?;
            let id = source.track_id;
            let found = Some(place_in(&mut tracks, source));
            match id {
                VIDEO_TRACK_ID => place.video = found,
                AUDIO_TRACK_ID => place.audio = found,
                _ => return Err(damaged(format!("an init segment has a track {id}"))),
            }
        }
        places.push(place);
    }
    Ok((write_head(&tracks, duration_ticks)?, places))
}

/// One track of the clip.
struct Track<'a> {
    model: SourceTrack<'a>,
    descriptions: Vec<&'a [u8]>,
}

/// One track of a run's init segment.
struct SourceTrack<'a> {
    trak: Mp4Box<'a>,
    track_id: u32,
    timescale: u32,
    fourcc: [u8; 4],
    description: &'a [u8],
}

impl<'a> SourceTrack<'a> {
    fn read(trak: Mp4Box<'a>) -> Result<Self, PlaybackError> {
        let short = || damaged("an init segment's track header is cut short");
        let tkhd = child(trak.payload, b"tkhd")?.payload;
        let track_id = be32(tkhd, if tkhd.first() == Some(&1) { 20 } else { 12 }).ok_or_else(short)?;
        let mdhd = descend(trak.payload, &[b"mdia", b"mdhd"])?.payload;
        let timescale = be32(mdhd, if mdhd.first() == Some(&1) { 20 } else { 12 }).ok_or_else(short)?;
        let stsd = descend(trak.payload, &[b"mdia", b"minf", b"stbl", b"stsd"])?.payload;
        let entry = *children(stsd.get(8..).ok_or_else(short)?)?.first().ok_or_else(short)?;
        Ok(SourceTrack { trak, track_id, timescale, fourcc: entry.kind, description: entry.whole })
    }
}

fn place_in<'a>(tracks: &mut Vec<Track<'a>>, source: SourceTrack<'a>) -> TrackPlace {
    let (timescale, description) = (source.timescale, source.description);
    let same = |t: &Track<'_>| (t.model.track_id, t.model.fourcc, t.model.timescale) == (source.track_id, source.fourcc, timescale);
    let track = tracks.iter().position(same).unwrap_or(tracks.len());
    if track == tracks.len() {
        tracks.push(Track { model: source, descriptions: Vec::new() });
    }
    let known = &mut tracks[track].descriptions;
    let number = known.iter().position(|d| *d == description).unwrap_or(known.len());
    if number == known.len() {
        known.push(description);
    }
    TrackPlace { track_id: from_one(track), description: from_one(number), timescale }
}

fn from_one(index: usize) -> u32 {
    u32::try_from(index + 1).expect("a clip has far fewer runs than 2^32")
}

fn write_head(tracks: &[Track<'_>], duration_ticks: u64) -> Result<Bytes, PlaybackError> {
    let mut out = Vec::with_capacity(2048);
    put(&mut out, b"ftyp", |out| {
        out.extend_from_slice(b"iso6\0\0\0\0iso6isomdashmp41");
    });
    let mut failed = None;
    put(&mut out, b"moov", |out| {
        put_mvhd(out, from_one(tracks.len()));
        for (track, id) in tracks.iter().zip(1u32..) {
            put(out, b"trak", |out| {
                if let Err(error) = put_trak(out, track, id) {
                    failed = Some(error);
                }
            });
        }
        put(out, b"mvex", |out| {
            put_full(out, b"mehd", 1, 0, |out| put64(out, duration_ticks));
            for id in (1u32..).take(tracks.len()) {
                put_full(out, b"trex", 0, 0, |out| [id, 1, 0, 0, 0].into_iter().for_each(|v| put32(out, v)));
            }
        });
    });
    failed.map_or(Ok(out.into()), Err)
}

/// ISO/IEC 14496-12 §8.2.2. The duration is `mehd`'s to say.
fn put_mvhd(out: &mut Vec<u8>, next_track_id: u32) {
    put_full(out, b"mvhd", 0, 0, |out| {
        [0, 0, MOVIE_TIMESCALE, 0, 0x0001_0000].into_iter().for_each(|v| put32(out, v));
        put16(out, 0x0100);
        put16(out, 0);
        put64(out, 0);
        [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000].into_iter().for_each(|v| put32(out, v));
        (0..6).for_each(|_| put32(out, 0));
        put32(out, next_track_id);
    });
}

/// The model's `trak` with another id and all sample descriptions; edit lists are left out, because a clip starts at zero.
fn put_trak(out: &mut Vec<u8>, track: &Track<'_>, id: u32) -> Result<(), PlaybackError> {
    for part in children(track.model.trak.payload)? {
        match &part.kind {
            b"edts" => {}
            b"tkhd" => {
                let at = out.len() + (part.whole.len() - part.payload.len());
                out.extend_from_slice(part.whole);
                let id_at = at + if part.payload.first() == Some(&1) { 20 } else { 12 };
                out[id_at..id_at + 4].copy_from_slice(&id.to_be_bytes());
            }
            b"mdia" => put_around_stsd(out, part, &[b"minf", b"stbl"], &track.descriptions)?,
            _ => out.extend_from_slice(part.whole),
        }
    }
    Ok(())
}

/// Copies `parent`, following `path` down to `stsd`, which is written anew.
fn put_around_stsd(out: &mut Vec<u8>, parent: Mp4Box<'_>, path: &[&[u8; 4]], descriptions: &[&[u8]]) -> Result<(), PlaybackError> {
    let parts = children(parent.payload)?;
    let mut outcome = Ok(());
    put(out, &parent.kind, |out| {
        for part in parts {
            match path.split_first() {
                Some((next, deeper)) if part.kind == **next => {
                    let inner = put_around_stsd(out, part, deeper, descriptions);
                    outcome = std::mem::replace(&mut outcome, Ok(())).and(inner);
                }
                None if &part.kind == b"stsd" => put_full(out, b"stsd", 0, 0, |out| {
                    put32(out, u32::try_from(descriptions.len()).unwrap_or(u32::MAX));
                    descriptions.iter().for_each(|d| out.extend_from_slice(d));
                }),
                _ => out.extend_from_slice(part.whole),
            }
        }
    });
    outcome
}
