//! The bytes of pairs, as a snapshot holds them; all numbers little-endian:
//!
//! ```text
//! 0  8 each  the numbers that the state machine keeps beside its pairs
//!    8       how many pairs there are
//!    ..      the pairs by key: length (4), key, length (4), value
//! ```
//!
//! Equal pairs have equal bytes. Both ways go piece by piece, and neither stops the machine.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Pairs;
use super::pages::{Cursor, Pages};
use crate::codec::{Reader, put_bytes};
use crate::{Image, LoadError};

/// Bytes of a pair beside its key and its value.
const PAIR_OVERHEAD_BYTES: u64 = 8;

/// Pairs at one moment, as a stream of their bytes.
#[derive(Clone, Debug)]
pub struct PairsImage {
    pairs: Pages,
    next: Cursor,
    /// What was made and not yet read.
    rest: Bytes,
    bytes_left: u64,
}

/// Reads pairs, and `N` numbers before them, from their bytes.
#[derive(Clone)]
pub struct PairsLoader<const N: usize> {
    head: Option<Head<N>>,
    pairs: Pairs,
    last_key: Option<Bytes>,
    /// The beginning of what is not whole yet.
    rest: BytesMut,
}

#[derive(Clone, Copy, Debug)]
struct Head<const N: usize> {
    numbers: [u64; N],
    /// How many pairs are to come.
    pairs_left: u64,
}

impl PairsImage {
    pub(super) fn new(numbers: &[u64], pairs: Pages) -> Self {
        let mut head = BytesMut::with_capacity(size_of_val(numbers) + size_of::<u64>());
        for number in numbers {
            head.put_u64_le(*number);
        }
        head.put_u64_le(pairs.len());
        let bytes_left = head.len() as u64 + pairs.len() * PAIR_OVERHEAD_BYTES + pairs.bytes();
        Self { pairs, next: Cursor::default(), rest: head.freeze(), bytes_left }
    }
}

impl Image for PairsImage {
    fn bytes_left(&self) -> u64 {
        self.bytes_left
    }

    fn read(&mut self, max_bytes: u64, out: &mut BytesMut) {
        let count = usize::try_from(max_bytes.min(self.bytes_left)).expect("a piece that memory holds");
        let end = out.len() + count;
        while out.len() < end {
            if self.rest.is_empty() {
                let (key, value) =
                    self.pairs.next_at(&mut self.next).expect("the pairs have the bytes that they count");
                let mut pair =
                    BytesMut::with_capacity(key.len() + value.len() + PAIR_OVERHEAD_BYTES as usize);
                put_bytes(&mut pair, key);
                put_bytes(&mut pair, value);
                self.rest = pair.freeze();
            }
            let fits = self.rest.len().min(end - out.len());
            out.put_slice(&self.rest.split_to(fits));
        }
        self.bytes_left -= count as u64;
    }
}

impl<const N: usize> PairsLoader<N> {
    /// Takes the next bytes, cut anywhere.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.rest.extend_from_slice(bytes);
        let mut head = match self.head {
            Some(head) => head,
            None if self.rest.len() < (N + 1) * size_of::<u64>() => return Ok(()),
            None => {
                let numbers = std::array::from_fn(|_| self.rest.get_u64_le());
                Head { numbers, pairs_left: self.rest.get_u64_le() }
            }
        };
        let mut reader = Reader::new(&self.rest);
        let mut taken = 0;
        while let (Ok(key), Ok(value)) = (reader.bytes("key"), reader.bytes("value")) {
            head.pairs_left =
                head.pairs_left.checked_sub(1).ok_or(LoadError::new("more pairs than are announced"))?;
            if self.last_key.as_ref().is_some_and(|last| last[..] >= *key) {
                return Err(LoadError::new("the pairs are not in order"));
            }
            taken += key.len() + value.len() + PAIR_OVERHEAD_BYTES as usize;
            self.last_key = Some(Bytes::copy_from_slice(key));
            self.pairs.set(key, Bytes::copy_from_slice(value));
        }
        self.rest.advance(taken);
        self.head = Some(head);
        Ok(())
    }

    /// All bytes were given.
    ///
    /// # Errors
    /// Where there should have been more.
    pub fn finish(self) -> Result<([u64; N], Pairs), LoadError> {
        match self.head {
            Some(Head { numbers, pairs_left: 0 }) if self.rest.is_empty() => Ok((numbers, self.pairs)),
            Some(_) | None => Err(LoadError::new("the pairs are cut short")),
        }
    }
}

impl<const N: usize> Default for PairsLoader<N> {
    fn default() -> Self {
        Self { head: None, pairs: Pairs::default(), last_key: None, rest: BytesMut::new() }
    }
}

impl<const N: usize> fmt::Debug for PairsLoader<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairsLoader").field("head", &self.head).finish_non_exhaustive()
    }
}
