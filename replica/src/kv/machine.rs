//! The key-value machine itself.
//!
//! Its digest is a sum over the pairs, so that a change costs the pair that changed, and a count of what was
//! applied, so that a command applied twice shows even where it leaves the same pairs. It tells honest
//! replicas apart; it does not withstand someone who seeks collisions.

use bytes::{Bytes, BytesMut};
use squall_raft::LogPosition;

use super::pages::Pages;
use super::{Command, KeyValueImage, KeyValueLoader, Reply};
use crate::StateMachine;
use crate::hash::{hash_bytes, mix};

/// A map from keys to values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyValue {
    pub(super) pairs: Pages,
    /// Invariant: the wrapping sum of `hash_pair` over `pairs`.
    pairs_digest: u64,
    /// How many commands were applied, those that changed nothing among them.
    pub(super) commands: u64,
}

impl StateMachine for KeyValue {
    type Image = KeyValueImage;
    type Loader = KeyValueLoader;

    fn apply(&mut self, _position: LogPosition, command: &[u8]) -> Bytes {
        self.commands += 1;
        let reply = match Command::borrow(command) {
            Ok(command) => self.execute(command),
            Err(_) => Reply::Malformed,
        };
        reply.encode()
    }

    /// A [`Command::Get`] is a question; nothing else is.
    fn query(&self, query: &[u8]) -> Bytes {
        let reply = match Command::borrow(query) {
            Ok(Command::Get { key }) => self.value(key),
            Ok(
                Command::Put { .. }
                | Command::CompareAndSet { .. }
                | Command::Append { .. }
                | Command::Delete { .. },
            )
            | Err(_) => Reply::Malformed,
        };
        reply.encode()
    }

    fn digest(&self) -> u64 {
        mix(self.pairs_digest, self.commands)
    }

    fn image(&self) -> KeyValueImage {
        KeyValueImage::new(self)
    }
}

impl KeyValue {
    /// The key's value.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Bytes> {
        self.pairs.get(key)
    }

    /// All pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.pairs.iter()
    }

    /// How many keys have a value.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.pairs.len()
    }

    /// How many commands it was given, ever: those that changed nothing among them.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Whether no key has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn value(&self, key: &[u8]) -> Reply {
        Reply::Value(self.get(key).cloned())
    }

    fn execute(&mut self, command: Command<&[u8]>) -> Reply {
        match command {
            Command::Get { key } => self.value(key),
            Command::Put { key, value } => {
                self.set(key, Bytes::copy_from_slice(value));
                Reply::Done
            }
            Command::CompareAndSet { key, expected, value } => {
                let as_expected = self.get(key).map(|value| &value[..]) == expected;
                if as_expected {
                    self.set(key, Bytes::copy_from_slice(value));
                }
                Reply::Swapped(as_expected)
            }
            Command::Append { key, value } => {
                let before = self.get(key).map_or(&[][..], |value| value);
                let mut after = BytesMut::with_capacity(before.len() + value.len());
                after.extend_from_slice(before);
                after.extend_from_slice(value);
                self.set(key, after.freeze());
                Reply::Done
            }
            Command::Delete { key } => {
                if let Some(value) = self.pairs.remove(key) {
                    self.pairs_digest = self.pairs_digest.wrapping_sub(hash_pair(key, &value));
                }
                Reply::Done
            }
        }
    }

    pub(super) fn set(&mut self, key: &[u8], value: Bytes) {
        let mut digest = self.pairs_digest.wrapping_add(hash_pair(key, &value));
        if let Some(before) = self.pairs.set(key, value) {
            digest = digest.wrapping_sub(hash_pair(key, &before));
        }
        self.pairs_digest = digest;
    }
}

/// Hashes one pair; key and value are kept apart by the key's length.
pub(super) fn hash_pair(key: &[u8], value: &[u8]) -> u64 {
    hash_bytes(hash_bytes(key.len() as u64, key), value)
}
