//! The one shape of `moof` we write.
//!
//! Every fragment holds one track, and everything before `trun` has a fixed size, so that sequence number,
//! track id, sample description and decode time can be rewritten in place (a clip that starts at zero, an
//! export over several runs) without parsing and without changing a length:
//!
//! ```text
//!   0 moof  8
//!   8   mfhd 16   sequence_number at 20
//!  24   traf  8
//!  32     tfhd 32  flags 0x02003a; track_ID at 44, sample_description_index at 48,
//!                  default duration 52, default size 56, default flags 60
//!  64     tfdt 20  version 1; baseMediaDecodeTime (u64) at 76
//!  84     trun     version 1 (signed composition offsets), data_offset to the mdat payload
//! ```
//!
//! Source: ISO/IEC 14496-12 §8.8. Decode times are shifted per run so that the first keyframe's decode time
//! equals its presentation time; later composition offsets may be negative, which version 1 allows.

use std::ops::Range;

/// `mfhd.sequence_number`, u32.
pub const SEQUENCE_AT: Range<usize> = 20..24;
/// `tfhd.track_ID`, u32.
pub const TRACK_ID_AT: Range<usize> = 44..48;
/// `tfhd.sample_description_index`, u32, from 1.
pub const DESCRIPTION_AT: Range<usize> = 48..52;
/// `tfdt.baseMediaDecodeTime`, u64, in the track's timescale.
pub const DECODE_TIME_AT: Range<usize> = 76..84;
/// Where `trun` begins: all before it has this fixed size.
pub const TRUN_AT: usize = 84;
