//! A list of small pictures, also as WebVTT, which players know for their seek bars.

use crate::media::{BlockId, THUMBNAIL_WIDTH, TimeRange, Timestamp};
use crate::playback::text::{push_seconds, push_u64};

/// Small pictures over a range, in time order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thumbnails {
    /// What was asked for; parts of it may have no picture.
    pub range: TimeRange,
    pub thumbnails: Vec<Thumbnail>,
}

/// One small picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thumbnail {
    /// When it was taken; of the first this may be before the range.
    pub at: Timestamp,
    /// It stands for the time until then.
    pub until: Timestamp,
    pub image: ThumbnailImage,
    /// x, y, width and height in the image.
    pub place: [u32; 4],
}

/// The file that a small picture is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThumbnailImage {
    /// The full picture of this moment, made small.
    Frame(Timestamp),
    /// The small pictures of a block: all of them, or so many from one on. `version` is said where not all may be seen, so that no cache
    /// takes one for the other.
    Sheet { block: BlockId, part: Option<(u32, u32)>, version: Option<u32> },
}

impl ThumbnailImage {
    /// Relative to the list. `token` is what signed addresses carry on.
    pub fn url(&self, token: Option<&str>) -> String {
        let mut url = String::new();
        match self {
            ThumbnailImage::Frame(at) => {
                url.push_str("frame.jpg?at=");
                push_seconds(&mut url, at.as_micros().unsigned_abs());
                url.push_str("&width=");
                push_u64(&mut url, u64::from(THUMBNAIL_WIDTH));
            }
            ThumbnailImage::Sheet { block, part, version } => {
                url = format!("thumbnails/{block}.jpg");
                let part = part.map(|(from, count)| format!("from={from}&count={count}"));
                let query: Vec<String> = part.into_iter().chain(version.map(|v| format!("v={v:x}"))).collect();
                if !query.is_empty() {
                    url.push('?');
                    url.push_str(&query.join("&"));
                }
            }
        }
        if let Some(token) = token {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("token=");
            url.push_str(token);
        }
        url
    }
}

impl Thumbnails {
    /// WebVTT; times count from the start of the range, and so does what players show. `token` as in [`ThumbnailImage::url`].
    pub fn to_vtt(&self, token: Option<&str>) -> String {
        let zero = self.range.start();
        let mut out = String::with_capacity(64 + self.thumbnails.len() * 120);
        out.push_str("WEBVTT\n\nNOTE 00:00:00.000 is ");
        out.push_str(&zero.to_rfc3339(6));
        out.push('\n');
        for thumbnail in &self.thumbnails {
            let [x, y, w, h] = thumbnail.place;
            out.push('\n');
            push_cue_time(&mut out, thumbnail.at.micros_since(zero));
            out.push_str(" --> ");
            push_cue_time(&mut out, thumbnail.until.micros_since(zero));
            out.push('\n');
            out.push_str(&thumbnail.image.url(token));
            out.push_str(&format!("#xywh={x},{y},{w},{h}\n"));
        }
        out
    }
}

/// `hh:mm:ss.mmm`, not before zero.
fn push_cue_time(out: &mut String, us: i64) {
    let ms = us.max(0) / 1000;
    let (s, ms) = (ms / 1000, ms % 1000);
    out.push_str(&format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_webvtt_that_counts_from_its_start() {
        let at = |s: i64| Timestamp::from_secs(1_777_816_800 + s);
        let thumbnail =
            |from, to| Thumbnail { at: at(from), until: at(to), image: ThumbnailImage::Frame(at(from)), place: [0, 0, 160, 90] };
        let list = Thumbnails { range: TimeRange::new(at(5), at(3700)).unwrap(), thumbnails: vec![thumbnail(2, 10), thumbnail(10, 3700)] };
        assert_eq!(
            list.to_vtt(Some("abc")),
            "WEBVTT\n\nNOTE 00:00:00.000 is 2026-05-03T14:00:05.000000Z\n\n\
             00:00:00.000 --> 00:00:05.000\nframe.jpg?at=1777816802&width=160&token=abc#xywh=0,0,160,90\n\n\
             00:00:05.000 --> 01:01:35.000\nframe.jpg?at=1777816810&width=160&token=abc#xywh=0,0,160,90\n"
        );
    }

    #[test]
    fn images_are_named_by_what_they_show() {
        let block = BlockId::from_bytes([0; 16]);
        let url = |part, version| ThumbnailImage::Sheet { block, part, version }.url(Some("t"));
        assert_eq!(url(None, None), format!("thumbnails/{block}.jpg?token=t"));
        assert_eq!(url(Some((10, 3)), None), format!("thumbnails/{block}.jpg?from=10&count=3&token=t"));
        assert_eq!(url(Some((0, 1)), Some(0xab)), format!("thumbnails/{block}.jpg?from=0&count=1&v=ab&token=t"));
        assert_eq!(ThumbnailImage::Sheet { block, part: None, version: Some(1) }.url(None), format!("thumbnails/{block}.jpg?v=1"));
    }
}
