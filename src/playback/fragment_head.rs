//! The first bytes of a stored fragment, copied to have some of its numbers changed.

use bytes::Bytes;

use super::PlaybackError;
use super::boxes::damaged;
use crate::media::fragment::{DECODE_TIME_AT, DESCRIPTION_AT, SEQUENCE_AT, TRACK_ID_AT, TRUN_AT};

/// Everything of a fragment before its `trun`: see [`crate::media::fragment`].
pub(super) struct FragmentHead([u8; TRUN_AT]);

impl FragmentHead {
    /// # Errors
    /// [`PlaybackError::Damaged`] for what does not begin as our fragments do.
    pub(super) fn copy(fragment: &[u8]) -> Result<Self, PlaybackError> {
        let head: [u8; TRUN_AT] =
            fragment.get(..TRUN_AT).and_then(|h| h.try_into().ok()).ok_or_else(|| damaged("a fragment is cut short"))?;
        let is_ours = &head[4..8] == b"moof" && &head[36..40] == b"tfhd" && &head[68..72] == b"tfdt";
        if is_ours { Ok(FragmentHead(head)) } else { Err(damaged("a fragment is not one of ours")) }
    }
    pub(super) fn decode_time(&self) -> u64 {
        u64::from_be_bytes(self.0[DECODE_TIME_AT].try_into().expect("the range is eight bytes long"))
    }
    pub(super) fn set_decode_time(&mut self, ticks: u64) {
        self.0[DECODE_TIME_AT].copy_from_slice(&ticks.to_be_bytes());
    }
    pub(super) fn set_sequence(&mut self, number: u32) {
        self.0[SEQUENCE_AT].copy_from_slice(&number.to_be_bytes());
    }
    pub(super) fn set_track(&mut self, track_id: u32, description: u32) {
        self.0[TRACK_ID_AT].copy_from_slice(&track_id.to_be_bytes());
        self.0[DESCRIPTION_AT].copy_from_slice(&description.to_be_bytes());
    }
}

impl From<FragmentHead> for Bytes {
    fn from(head: FragmentHead) -> Bytes {
        Bytes::copy_from_slice(&head.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_fragment_of_ours_is_not_touched() {
        for bytes in [&[][..], &[0; 84], &[0; 500]] {
            assert!(FragmentHead::copy(bytes).is_err());
        }
    }
}
