//! Values that are met again and again, each kept once under a small number.
//!
//! Two values have one number if and only if they are equal: a hash only leads to those that may be.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::Xxh3;

/// The number of a value, in the order in which they were met.
pub(super) type Id = u32;

/// A table of values.
pub(super) struct Interner<T> {
    values: Vec<T>,
    by_hash: BTreeMap<u64, Vec<Id>>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), by_hash: BTreeMap::new() }
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The number of this value, a new one where it has none.
    pub(super) fn intern(&mut self, value: T) -> Id {
        let mut hasher = Xxh3::new();
        value.hash(&mut hasher);
        let same_hash = self.by_hash.entry(hasher.finish()).or_default();
        if let Some(known) = same_hash.iter().find(|known| self.values[**known as usize] == value) {
            return *known;
        }
        let id = Id::try_from(self.values.len()).expect("memory ends before the numbers do");
        same_hash.push(id);
        self.values.push(value);
        id
    }

    pub(super) fn value(&self, id: Id) -> &T {
        &self.values[id as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}
