//! The recorder that a world writes to: a rolling hash always, the records themselves when asked.
//!
//! Each record's bytes are hashed together with the hash so far, so two runs have the same hash exactly
//! when they recorded the same things in the same order (up to a chance of 2^-128 per pair). The hash
//! guards against our own mistakes, not against an attacker: xxh3 is not a cryptographic hash.

use xxhash_rust::xxh3::xxh3_128;

use super::{CHECKPOINT_RECORDS, Header, Record, Trace};

/// What a [`Recorder`] keeps besides the hash and its checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Nothing more: a sweep's runs.
    Hash,
    /// Every record: a run that somebody wants to look at.
    Records,
}

/// Hashes, and keeps on request, what happens in one world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorder {
    keep: Keep,
    hash: u128,
    count: u64,
    /// Invariant: the hash after each full run of `CHECKPOINT_RECORDS` records, in order.
    checkpoints: Vec<u128>,
    /// Invariant: all records since the beginning, or none, as `keep` says.
    records: Vec<Record>,
}

impl Recorder {
    /// A recorder that has seen nothing yet.
    #[must_use]
    pub const fn new(keep: Keep) -> Self {
        Self { keep, hash: 0, count: 0, checkpoints: Vec::new(), records: Vec::new() }
    }

    /// Takes note of what happened.
    #[inline]
    pub fn record(&mut self, record: Record) {
        self.hash = chain(self.hash, &record);
        self.count += 1;
        if self.count.is_multiple_of(CHECKPOINT_RECORDS) {
            self.checkpoints.push(self.hash);
        }
        if self.keep == Keep::Records {
            self.records.push(record);
        }
    }

    /// The hash of everything recorded so far.
    #[must_use]
    pub const fn hash(&self) -> u128 {
        self.hash
    }

    /// How many records there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The records kept: all of them, or none.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Ends the recording.
    #[must_use]
    pub fn into_trace(self, header: Header) -> Trace {
        debug_assert_eq!(self.checkpoints.len() as u64, self.count / CHECKPOINT_RECORDS);
        Trace {
            header,
            hash: self.hash,
            count: self.count,
            checkpoints: self.checkpoints,
            records: self.records,
        }
    }
}

/// The hash after `record`, where `before` was the hash before it.
#[inline]
fn chain(before: u128, record: &Record) -> u128 {
    let Record { step, time_us, process, kind, cause, a, b, digest } = *record;
    let mut bytes = [0_u8; 72];
    bytes[..16].copy_from_slice(&before.to_le_bytes());
    let process_and_kind = u64::from(process) << 8 | u64::from(kind as u8);
    let words = [step, time_us, process_and_kind, cause, a, b, digest];
    for (place, word) in bytes[16..].chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    xxh3_128(&bytes)
}
