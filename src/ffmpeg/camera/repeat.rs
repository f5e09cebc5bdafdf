//! Encoded sound that comes again.
//!
//! The tone repeats, so what the encoder makes of it does too: once it has settled, one round of packets is kept and sent
//! again and again. Encoding was seven eighths of the time it took to film hours of history.

use ffmpeg_next::Packet;

/// One round of packets.
pub(super) struct Repeat {
    /// In samples, whole frames and whole periods of the tone.
    round: i64,
    packets: Vec<Packet>,
    packets_wanted: usize,
    sent: usize,
}

impl Repeat {
    pub(super) fn new(period: u64, frame_samples: usize) -> Self {
        let frame = frame_samples as u64;
        let round = period / gcd(period, frame) * frame;
        let packets_wanted = (round / frame) as usize;
        Repeat { round: i64::try_from(round).unwrap_or(i64::MAX), packets: Vec::with_capacity(packets_wanted), packets_wanted, sent: 0 }
    }

    /// The encoder has made this packet, its times in samples. The first round is let pass: the encoder is still settling.
    pub(super) fn encoded(&mut self, packet: &Packet) {
        if !self.is_complete() && packet.pts().is_some_and(|pts| pts >= self.round) {
            self.packets.push(packet.clone());
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.packets.len() == self.packets_wanted
    }

    /// What follows the packet sent last; `None` while the encoder has to go on.
    pub(super) fn next(&mut self) -> Option<Packet> {
        if !self.is_complete() {
            return None;
        }
        let rounds = i64::try_from(self.sent / self.packets_wanted).unwrap_or(i64::MAX - 1) + 1;
        let mut packet = self.packets[self.sent % self.packets_wanted].clone();
        packet.set_pts(packet.pts().map(|t| t + rounds * self.round));
        packet.set_dts(packet.dts().map(|t| t + rounds * self.round));
        self.sent += 1;
        Some(packet)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_one_round_the_next_is_kept_and_comes_again_and_again() {
        // A period of 6 samples in frames of 4: a round is 12 samples, three frames.
        let mut repeat = Repeat::new(6, 4);
        let mut encode = |n: i64| {
            let mut packet = Packet::copy(&[n as u8]);
            packet.set_pts(Some(n * 4));
            packet.set_dts(Some(n * 4));
            assert!(repeat.next().is_none());
            repeat.encoded(&packet);
        };
        (0..6).for_each(&mut encode);
        let came: Vec<_> = (0..7).map(|_| repeat.next().unwrap()).map(|p| (p.pts().unwrap() / 4, p.data().unwrap()[0])).collect();
        assert_eq!(came, [(6, 3), (7, 4), (8, 5), (9, 3), (10, 4), (11, 5), (12, 3)]);
    }
}
