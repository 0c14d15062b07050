//! The decisions on one event, field by field.
//!
//! Where a script says nothing of a field its default holds: the lower bound, false, zero, the first that
//! can be. A value that a script states is brought within the field's bounds, since a file may say anything.

use super::script::OfEvent;
use super::{Choice, Decision, DrawKey, Driver, Ratio};
use crate::chacha;
use crate::choice::exponential;
use std::borrow::Cow;

/// The draws that decide one event.
pub struct Draw<'a> {
    source: Source<'a>,
    key: DrawKey,
    recording: Option<&'a mut Vec<Decision>>,
}

enum Source<'a> {
    Stream(Stream),
    Bytes {
        data: &'a [u8],
        next: &'a mut usize,
    },
    /// What is stated of the event, if anything is.
    Script(Option<OfEvent<'a>>),
}

/// The words of the blocks that belong to one event: the first is computed with the first draw.
struct Stream {
    key: [u32; 8],
    nonce: u64,
    counter: u64,
    words: [u32; 16],
    used: usize,
}

impl<'a> Draw<'a> {
    #[inline]
    pub(super) fn new(choice: &'a mut Choice, key: DrawKey) -> Draw<'a> {
        let source = match &mut choice.driver {
            Driver::Seed(seed) => Source::Stream(Stream::new(seed, key)),
            Driver::Sparse(seed, sparsity) if is_chosen(seed, key, sparsity.of(key.purpose)) => {
                Source::Stream(Stream::new(seed, key))
            }
            Driver::Sparse(..) => Source::Script(None),
            Driver::Bytes { data, next, end } => Source::Bytes { data: &data[..*end], next },
            Driver::Script(script) => Source::Script(script.of_event(key)),
        };
        Draw { source, key, recording: choice.recording.as_mut() }
    }

    /// The event that is decided.
    #[must_use]
    pub fn key(&self) -> DrawKey {
        self.key
    }

    /// A number from `low` to `high`, both included, each as likely. The default is `low`.
    ///
    /// # Panics
    /// When `low > high`.
    #[inline]
    pub fn range(&mut self, field: &'static str, low: u64, high: u64) -> u64 {
        assert!(low <= high, "field {field}: {low} is above {high}");
        let span = high - low;
        let value = match &mut self.source {
            Source::Stream(stream) => low + stream.up_to(span),
            Source::Bytes { data, next } => low + bytes_up_to(data, next, span),
            Source::Script(stated) => stated
                .as_mut()
                .and_then(|stated| stated.take(field, |value| value.clamp(low, high)))
                .unwrap_or(low),
        };
        self.note(field, value, low)
    }

    /// Whether something happens whose probability is `probability`; anything above one is certain. The
    /// default is no. What is impossible or certain costs no draw.
    #[inline]
    pub fn chance(&mut self, field: &'static str, probability: Ratio) -> bool {
        let Ratio { num, den } = probability;
        let value = match &mut self.source {
            Source::Stream(_) | Source::Bytes { .. } if num == 0 => false,
            Source::Stream(_) | Source::Bytes { .. } if num >= den => true,
            Source::Stream(stream) => stream.up_to(u64::from(den) - 1) < u64::from(num),
            // The highest values are the faults, so that bytes of zero (and none at all) are a calm world.
            Source::Bytes { data, next } => {
                bytes_up_to(data, next, u64::from(den) - 1) >= u64::from(den - num)
            }
            Source::Script(stated) => {
                let bring = |value| u64::from(num > 0 && value > 0);
                stated.as_mut().and_then(|stated| stated.take(field, bring)) == Some(1)
            }
        };
        self.note(field, u64::from(value), 0) != 0
    }

    /// A number with an exponential distribution of this mean, cut off at `max`. The default is zero.
    #[inline]
    pub fn exponential(&mut self, field: &'static str, mean: u64, max: u64) -> u64 {
        let value = match &mut self.source {
            Source::Stream(_) | Source::Bytes { .. } if mean == 0 => 0,
            Source::Stream(stream) => exponential::scale(stream.next_u64(), mean).min(max),
            Source::Bytes { data, next } => bytes_up_to(data, next, max.min(mean.saturating_mul(8))).min(max),
            Source::Script(stated) => {
                let max = if mean == 0 { 0 } else { max };
                stated.as_mut().and_then(|stated| stated.take(field, |value| value.min(max))).unwrap_or(0)
            }
        };
        self.note(field, value, 0)
    }

    /// One of several by weight: its index. The default is the first that weighs anything.
    ///
    /// # Panics
    /// When all weights are zero.
    #[inline]
    pub fn pick(&mut self, field: &'static str, weights: &[u32]) -> usize {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        assert!(total > 0, "field {field}: there is nothing to pick");
        let default = weights.iter().take_while(|weight| **weight == 0).count() as u64;
        let mut point = match &mut self.source {
            Source::Stream(stream) => stream.up_to(total - 1),
            Source::Bytes { data, next } => bytes_up_to(data, next, total - 1),
            Source::Script(stated) => {
                let bring = |index: u64| index.min(weights.len() as u64 - 1);
                let index = stated.as_mut().and_then(|stated| stated.take(field, bring)).unwrap_or(default);
                return self.note(field, index, default) as usize;
            }
        };
        let mut index = 0;
        while point >= u64::from(weights[index]) {
            point -= u64::from(weights[index]);
            index += 1;
        }
        self.note(field, index as u64, default) as usize
    }

    /// Any 64 bits. The default is zero.
    #[inline]
    pub fn bits(&mut self, field: &'static str) -> u64 {
        self.range(field, 0, u64::MAX)
    }

    #[inline]
    fn note(&mut self, field: &'static str, value: u64, default: u64) -> u64 {
        if let Some(recording) = &mut self.recording
            && value != default
        {
            recording.push(Decision { key: self.key, field: Cow::Borrowed(field), value });
        }
        value
    }
}

impl Stream {
    #[inline]
    fn new(seed: &[u32; 8], key: DrawKey) -> Stream {
        let mut seed = *seed;
        seed[7] = u32::from(key.purpose as u8);
        Stream { key: seed, nonce: key.a, counter: key.b, words: [0; 16], used: 16 }
    }

    /// A number from 0 to `last`, each exactly as likely (Lemire, "Fast random integer generation in an
    /// interval", 2019).
    #[inline]
    fn up_to(&mut self, last: u64) -> u64 {
        let Some(count) = last.checked_add(1) else {
            return self.next_u64();
        };
        let mut product = u128::from(self.next_u64()) * u128::from(count);
        if (product as u64) < count {
            let uneven = count.wrapping_neg() % count;
            while (product as u64) < uneven {
                product = u128::from(self.next_u64()) * u128::from(count);
            }
        }
        (product >> 64) as u64
    }

    #[inline]
    fn next_u64(&mut self) -> u64 {
        if self.used == self.words.len() {
            self.words = chacha::block(&self.key, self.nonce, self.counter);
            self.used = 0;
            // Every event has streams of its own: the next block differs in the key, never in the counter.
            self.key[6] += 1;
        }
        let word = u64::from(self.words[self.used]) | u64::from(self.words[self.used + 1]) << 32;
        self.used += 2;
        word
    }
}

/// Whether an event is the one of so many that is decided: a draw of its own, from a stream that decides nothing else.
fn is_chosen(seed: &[u32; 8], key: DrawKey, one_in: u64) -> bool {
    let mut seed = *seed;
    seed[6] = 1 << 31;
    Stream::new(&seed, key).up_to(one_in - 1) == 0
}

/// A number from 0 to `last` made of as few bytes as can hold it, small for small bytes; 0 when none are left.
fn bytes_up_to(data: &[u8], next: &mut usize, last: u64) -> u64 {
    let wanted = (64 - last.leading_zeros()).div_ceil(8) as usize;
    let taken = &data[*next..data.len().min(*next + wanted)];
    *next += taken.len();
    let value = taken.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte));
    ((value * (u128::from(last) + 1)) >> (8 * wanted)) as u64
}
