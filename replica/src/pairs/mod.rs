//! What a state machine can keep its state in: an ordered map of byte strings that knows its digest, and whose image is
//! taken in an instant.
//!
//! The digest is a sum over the pairs, so that a change costs the pair that changed. It tells honest replicas apart; it does
//! not withstand someone who seeks collisions.

mod image;
mod pages;

use bytes::Bytes;

use crate::hash::{hash_bytes, mix};
use pages::Pages;

pub use image::{PairsImage, PairsLoader};

/// A map from byte strings to byte strings. A clone costs nothing, and what either of two clones changes is copied by then,
/// a page at a time.
///
/// ```
/// use squall_replica::{Image, Pairs};
///
/// let mut pairs = Pairs::default();
/// pairs.set(b"a", "1".into());
/// let mut image = pairs.image([7]);
/// pairs.set(b"a", "2".into());
/// let mut bytes = bytes::BytesMut::new();
/// image.read(image.bytes_left(), &mut bytes);
/// assert!(bytes.ends_with(b"1"), "the image is of the moment in which it was taken");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pairs {
    pages: Pages,
    /// Invariant: the wrapping sum of `hash_pair` over `pages`.
    digest: u64,
}

impl Pairs {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.pages.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key's value.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Bytes> {
        self.pages.get(key)
    }

    /// All pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.pages.iter()
    }

    /// All pairs whose key is greater than this one, by key.
    pub fn iter_after<'a>(&'a self, key: &[u8]) -> impl Iterator<Item = (&'a Bytes, &'a Bytes)> + use<'a> {
        let mut next = self.pages.after(key);
        std::iter::from_fn(move || self.pages.next_at(&mut next))
    }

    /// Sets the key's value, and returns the one that it had.
    pub fn set(&mut self, key: &[u8], value: Bytes) -> Option<Bytes> {
        let mut digest = self.digest.wrapping_add(hash_pair(key, &value));
        let before = self.pages.set(key, value);
        if let Some(before) = &before {
            digest = digest.wrapping_sub(hash_pair(key, before));
        }
        self.digest = digest;
        before
    }

    /// Removes the key, and returns its value.
    pub fn remove(&mut self, key: &[u8]) -> Option<Bytes> {
        let value = self.pages.remove(key)?;
        self.digest = self.digest.wrapping_sub(hash_pair(key, &value));
        Some(value)
    }

    /// A digest of all pairs and of the numbers that a state machine keeps beside them.
    #[must_use]
    pub fn digest<const N: usize>(&self, numbers: [u64; N]) -> u64 {
        numbers.into_iter().fold(self.digest, mix)
    }

    /// An image of all pairs and of the numbers that a state machine keeps beside them; a [`PairsLoader`] reads it.
    #[must_use]
    pub fn image<const N: usize>(&self, numbers: [u64; N]) -> PairsImage {
        PairsImage::new(&numbers, self.pages.clone())
    }
}

/// Hashes one pair; key and value are kept apart by the key's length.
fn hash_pair(key: &[u8], value: &[u8]) -> u64 {
    hash_bytes(hash_bytes(key.len() as u64, key), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_moves_from_key_to_value_changes_the_hash_of_the_pair() {
        let cuts = (0..=9).map(|cut| b"\0\0\0\0\0\0\0\0\0".split_at(cut));
        let mut hashes: Vec<u64> = cuts.map(|(key, value)| hash_pair(key, value)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 10);
    }

    #[test]
    fn a_number_beside_the_pairs_shows_in_the_digest() {
        let mut pairs = Pairs::default();
        pairs.set(b"k", Bytes::new());
        assert_ne!(pairs.digest([1, 2]), pairs.digest([2, 1]));
        assert_ne!(pairs.digest([1]), Pairs::default().digest([1]));
    }
}
