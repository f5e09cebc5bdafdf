//! What happens in a history, thrown with dice that fall the same way for the same seed.

use crate::random::Random;

pub struct Dice(Random);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(Random(seed))
    }
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.below(limit)
    }
    /// Both ends included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        least + (self.0.next() % (most - least + 1).unsigned_abs()) as i64
    }
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }
    pub fn number(&mut self) -> u128 {
        u128::from(self.0.next()) << 64 | u128::from(self.0.next())
    }
    /// The place in `weights` that the dice fall on, each as likely as it is heavy.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (i, weight) in weights.iter().enumerate() {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return i,
            }
        }
        0
    }
}
