//! What the search remembers: hash tables with a fixed hash function, so that runs repeat bit for bit.
//!
//! The hash decides where things lie and nothing else; it does not withstand chosen keys, which cost time only.

use std::hash::{Hash, Hasher};

/// Finds entries, numbered from 0 in the order in which they were added, by hash. The entries themselves are kept
/// by its owner.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Open addressing with linear probing: 0 where empty, otherwise an entry's number plus one.
    /// Invariant: a power of two in length (or none), at most half full.
    slots: Vec<u32>,
    /// Each entry's hash.
    hashes: Vec<u64>,
}

impl Table {
    /// The first entry with this hash that `is_it` says is the one.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.slots[at].checked_sub(1)?;
            if self.hashes[entry as usize] == hash && is_it(entry) {
                return Some(entry);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds an entry, and tells its number.
    pub(super) fn add(&mut self, hash: u64) -> u32 {
        if self.slots.len() <= self.hashes.len() * 2 {
            self.grow();
        }
        let entry = u32::try_from(self.hashes.len()).expect("the memory budget ends before 2^32 entries");
        self.hashes.push(hash);
        self.place(entry, hash);
        entry
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory_bytes(&self) -> u64 {
        4 * self.slots.len() as u64 + 8 * self.hashes.len() as u64
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(16);
        self.slots.clear();
        self.slots.resize(len, 0);
        for entry in 0..self.hashes.len() {
            self.place(entry as u32, self.hashes[entry]);
        }
    }

    fn place(&mut self, entry: u32, hash: u64) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = entry + 1;
    }
}

/// Values with numbers: equal values have equal numbers.
#[derive(Debug)]
pub(super) struct Interner<T> {
    table: Table,
    values: Vec<T>,
}

impl<T: Eq + Hash> Interner<T> {
    pub(super) fn new() -> Self {
        Self { table: Table::default(), values: Vec::new() }
    }

    /// The value's number, and whether it is new.
    pub(super) fn intern(&mut self, value: T) -> (u32, bool) {
        let hash = hash_of(&value);
        if let Some(number) = self.table.find(hash, |entry| self.values[entry as usize] == value) {
            return (number, false);
        }
        self.values.push(value);
        (self.table.add(hash), true)
    }

    pub(super) fn value(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.table.memory_bytes()
    }
}

/// Sets of small numbers, themselves numbered; the empty set is 0.
#[derive(Debug)]
pub(super) struct Sets {
    table: Table,
    /// All sets one after the other, each sorted.
    members: Vec<u32>,
    /// Where each set ends in `members`; it begins where the one before it ends.
    ends: Vec<usize>,
    scratch: Vec<u32>,
}

/// The set of nothing.
pub(super) const EMPTY_SET: u32 = 0;

impl Sets {
    pub(super) fn new() -> Self {
        let mut sets =
            Self { table: Table::default(), members: Vec::new(), ends: Vec::new(), scratch: Vec::new() };
        sets.intern_scratch();
        sets
    }

    /// The members of a set, sorted.
    pub(super) fn members(&self, set: u32) -> &[u32] {
        let start = set.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.members[start..self.ends[set as usize]]
    }

    pub(super) fn contains(&self, set: u32, member: u32) -> bool {
        self.members(set).binary_search(&member).is_ok()
    }

    /// The set with one member more.
    pub(super) fn with(&mut self, set: u32, member: u32) -> u32 {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(self.members(set));
        if let Err(place) = scratch.binary_search(&member) {
            scratch.insert(place, member);
        }
        self.scratch = scratch;
        self.intern_scratch()
    }

    /// Whether `whole` has all members of `part`.
    pub(super) fn is_subset(&self, part: u32, whole: u32) -> bool {
        if part == EMPTY_SET || part == whole {
            return true;
        }
        let mut whole = self.members(whole).iter();
        self.members(part).iter().all(|member| whole.any(|other| other == member))
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.table.memory_bytes() + 4 * self.members.len() as u64 + 8 * self.ends.len() as u64
    }

    fn intern_scratch(&mut self) -> u32 {
        let hash = hash_of(&self.scratch[..]);
        if let Some(set) = self.table.find(hash, |set| self.members(set) == self.scratch) {
            return set;
        }
        self.members.extend_from_slice(&self.scratch);
        self.ends.push(self.members.len());
        self.table.add(hash)
    }
}

/// Hashes a value.
pub(super) fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = FixedHasher(0);
    value.hash(&mut hasher);
    hasher.finish()
}

/// A hash function without a key: a multiplication and a rotation for each eight bytes.
struct FixedHasher(u64);

impl FixedHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(last));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    /// The low bits choose the slot, and a product's low bits are its worst.
    fn finish(&self) -> u64 {
        let hash = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ (hash >> 32)
    }
}
