//! The key-value machine's bytes, as a snapshot holds them; all numbers little-endian:
//!
//! ```text
//! 0  8  how many commands were applied
//! 8  8  how many pairs there are
//! 16 .. the pairs by key: length (4), key, length (4), value
//! ```
//!
//! Equal machines have equal bytes. Both ways go piece by piece, and neither stops the machine.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::KeyValue;
use super::codec::{Reader, put_bytes};
use super::pages::{Cursor, Pages};
use crate::{Image, LoadError, Loader};

const HEAD_BYTES: u64 = 16;

/// Bytes of a pair beside its key and its value.
const PAIR_OVERHEAD_BYTES: u64 = 8;

/// A key-value machine at one moment, as a stream of its bytes.
#[derive(Clone, Debug)]
pub struct KeyValueImage {
    pairs: Pages,
    next: Cursor,
    /// What was made and not yet read.
    rest: Bytes,
    bytes_left: u64,
}

/// Reads a machine from its bytes.
#[derive(Clone, Debug, Default)]
pub struct KeyValueLoader {
    machine: KeyValue,
    /// How many pairs are to come, once that is known.
    pairs_left: Option<u64>,
    last_key: Option<Bytes>,
    /// The beginning of what is not whole yet.
    rest: BytesMut,
}

impl KeyValueImage {
    pub(super) fn new(machine: &KeyValue) -> Self {
        let pairs = machine.pairs.clone();
        let mut head = BytesMut::with_capacity(HEAD_BYTES as usize);
        head.put_u64_le(machine.commands);
        head.put_u64_le(pairs.len());
        let bytes_left = HEAD_BYTES + pairs.len() * PAIR_OVERHEAD_BYTES + pairs.bytes();
        Self { pairs, next: Cursor::default(), rest: head.freeze(), bytes_left }
    }
}

impl Image for KeyValueImage {
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

impl Loader for KeyValueLoader {
    type Machine = KeyValue;

    fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.rest.extend_from_slice(bytes);
        if self.pairs_left.is_none() {
            if (self.rest.len() as u64) < HEAD_BYTES {
                return Ok(());
            }
            self.machine.commands = self.rest.get_u64_le();
            self.pairs_left = Some(self.rest.get_u64_le());
        }
        let mut reader = Reader::new(&self.rest);
        let mut taken = 0;
        while let (Ok(key), Ok(value)) = (reader.bytes("key"), reader.bytes("value")) {
            let left = self.pairs_left.as_mut().expect("the head was read above");
            *left = left
                .checked_sub(1)
                .ok_or(LoadError::new("more pairs of the key-value machine than it says"))?;
            if self.last_key.as_ref().is_some_and(|last| last[..] >= *key) {
                return Err(LoadError::new("the pairs of the key-value machine are not in order"));
            }
            taken += key.len() + value.len() + PAIR_OVERHEAD_BYTES as usize;
            self.last_key = Some(Bytes::copy_from_slice(key));
            self.machine.set(key, Bytes::copy_from_slice(value));
        }
        self.rest.advance(taken);
        Ok(())
    }

    fn finish(self) -> Result<KeyValue, LoadError> {
        if self.pairs_left == Some(0) && self.rest.is_empty() {
            Ok(self.machine)
        } else {
            Err(LoadError::new("the key-value machine is cut short"))
        }
    }
}
