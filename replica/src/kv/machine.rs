//! The key-value machine itself.
//!
//! Its digest counts what was applied, so that a command applied twice shows even where it leaves the same pairs.

use bytes::{Bytes, BytesMut};
use squall_raft::LogPosition;

use super::{Command, Reply};
use crate::{LoadError, Loader, Pairs, PairsImage, PairsLoader, StateMachine};

/// A map from keys to values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyValue {
    pairs: Pairs,
    /// How many commands were applied, those that changed nothing among them.
    commands: u64,
}

/// Reads a machine from its bytes: how many commands were applied, and the pairs.
#[derive(Clone, Debug, Default)]
pub struct KeyValueLoader(PairsLoader<1>);

impl StateMachine for KeyValue {
    type Image = PairsImage;
    type Loader = KeyValueLoader;

    fn apply(&mut self, _position: LogPosition, command: &[u8]) -> Bytes {
        self.commands += 1;
        match Command::borrow(command) {
            Ok(command) => self.execute(command),
            Err(_) => Reply::Malformed.encode(),
        }
    }

    /// A [`Command::Get`] is a question; nothing else is.
    fn query(&self, query: &[u8]) -> Bytes {
        match Command::borrow(query) {
            Ok(Command::Get { key }) => self.value(key),
            Ok(
                Command::Put { .. }
                | Command::CompareAndSet { .. }
                | Command::Append { .. }
                | Command::Delete { .. },
            )
            | Err(_) => Reply::Malformed.encode(),
        }
    }

    fn digest(&self) -> u64 {
        self.pairs.digest([self.commands])
    }

    fn image(&self) -> PairsImage {
        self.pairs.image([self.commands])
    }
}

impl Loader for KeyValueLoader {
    type Machine = KeyValue;

    fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.0.load(bytes)
    }

    fn finish(self) -> Result<KeyValue, LoadError> {
        let ([commands], pairs) = self.0.finish()?;
        Ok(KeyValue { pairs, commands })
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

    fn value(&self, key: &[u8]) -> Bytes {
        Reply::encode_value(self.get(key).map(|value| &value[..]))
    }

    fn execute(&mut self, command: Command<&[u8]>) -> Bytes {
        let reply = match command {
            Command::Get { key } => return self.value(key),
            Command::Put { key, value } => {
                self.pairs.set(key, Bytes::copy_from_slice(value));
                Reply::Done
            }
            Command::CompareAndSet { key, expected, value } => {
                let as_expected = self.get(key).map(|value| &value[..]) == expected;
                if as_expected {
                    self.pairs.set(key, Bytes::copy_from_slice(value));
                }
                Reply::Swapped(as_expected)
            }
            Command::Append { key, value } => {
                let before = self.get(key).map_or(&[][..], |value| value);
                let mut after = BytesMut::with_capacity(before.len() + value.len());
                after.extend_from_slice(before);
                after.extend_from_slice(value);
                self.pairs.set(key, after.freeze());
                Reply::Done
            }
            Command::Delete { key } => {
                self.pairs.remove(key);
                Reply::Done
            }
        };
        reply.encode()
    }
}
