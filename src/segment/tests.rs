//! Claims about the whole segmenter, on real media made with ffmpeg and on drawn packet streams.

mod drawn;
mod media;
mod mutated;
