//! Mutations that know what the bytes mean: blows come, go, change places and times as wholes.

use super::input::{BLOW_BYTES, BLOWS_MAX, SIZE_BYTES};
use super::plan::WAITS_FROM;

/// An input in its parts.
struct Parts {
    size: [u8; SIZE_BYTES],
    blows: Vec<[u8; BLOW_BYTES]>,
    decisions: Vec<u8>,
}

/// Pseudo-random numbers (SplitMix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % end.max(1) as u64).expect("it is below a usize")
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("it is below 256")
    }

    /// A blow. What waits for something mostly comes soon after it: that is when the window is open.
    fn blow(&mut self) -> [u8; BLOW_BYTES] {
        let mut blow: [u8; BLOW_BYTES] = std::array::from_fn(|_| self.byte());
        let [.., waits, _, at] = &mut blow;
        if *waits >= WAITS_FROM {
            *at >>= self.below(8);
        }
        blow
    }
}

impl Parts {
    fn read(bytes: &[u8]) -> Self {
        let mut size = [0; SIZE_BYTES];
        let (head, rest) = bytes.split_at(bytes.len().min(SIZE_BYTES));
        size[..head.len()].copy_from_slice(head);
        let count = usize::from(size[SIZE_BYTES - 1] % (BLOWS_MAX + 1));
        let (blows, _) = rest.as_chunks();
        let blows = blows[..count.min(blows.len())].to_vec();
        let decisions = rest[blows.len() * BLOW_BYTES..].to_vec();
        Self { size, blows, decisions }
    }

    /// Writes as much as there is room for; how much that is.
    fn write(mut self, out: &mut [u8]) -> usize {
        self.blows.truncate(BLOWS_MAX.into());
        self.size[SIZE_BYTES - 1] = u8::try_from(self.blows.len()).expect("there are few blows");
        let bytes = [&self.size, self.blows.as_flattened(), &self.decisions].concat();
        let length = bytes.len().min(out.len());
        out[..length].copy_from_slice(&bytes[..length]);
        length
    }

    fn mutate(&mut self, draws: &mut Draws) {
        let count = self.blows.len();
        let place = draws.below(count);
        match draws.below(8) {
            _ if count == 0 => self.blows.push(draws.blow()),
            0 | 1 if count < BLOWS_MAX.into() => {
                let new = draws.blow();
                self.blows.insert(draws.below(count + 1), new);
            }
            2 => {
                self.blows.remove(place);
            }
            3 if count < BLOWS_MAX.into() => {
                let mut again = self.blows[place];
                again[draws.below(BLOW_BYTES)] = draws.byte();
                self.blows.insert(draws.below(count + 1), again);
            }
            4 => self.blows.swap(place, draws.below(count)),
            5 => self.size[draws.below(SIZE_BYTES - 1)] = draws.byte(),
            6 => {
                let byte = &mut self.blows[place][draws.below(BLOW_BYTES)];
                *byte = byte.wrapping_add(draws.byte() % 17).wrapping_sub(8);
            }
            _ => self.blows[place][draws.below(BLOW_BYTES)] = draws.byte(),
        }
    }
}

/// Changes an input of `length` bytes in place; its new length. Every other time that is left to `otherwise`, which knows only bytes.
pub fn mutate(
    data: &mut [u8],
    length: usize,
    max: usize,
    seed: u32,
    otherwise: impl FnOnce(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut draws = Draws(seed.into());
    if draws.below(2) == 0 {
        return otherwise(data, length, max);
    }
    let mut parts = Parts::read(&data[..length]);
    for _ in 0..=draws.below(3) {
        parts.mutate(&mut draws);
    }
    parts.write(&mut data[..max])
}

/// Puts blows of both inputs into one; its length.
pub fn cross_over(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let mut draws = Draws(seed.into());
    let (mut one, other) = (Parts::read(one), Parts::read(other));
    let (kept, from) = (draws.below(one.blows.len() + 1), draws.below(other.blows.len() + 1));
    one.blows.truncate(kept);
    one.blows.extend_from_slice(&other.blows[from..]);
    one.write(out)
}
