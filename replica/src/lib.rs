//! One replica's mind as one deterministic value: the consensus core, a state machine, the clients' sessions, and the
//! requests that wait for their entries.
//!
//! It owns no disk, socket, clock or thread: a driver feeds it inputs, drains its outputs, and decides when
//! the state machine may work. By a [`SnapshotPolicy`] it takes snapshots and has its log compacted.
//!
//! A request outside a session may take effect twice where its client does not hear the answer and asks again; one
//! within a session does not ([`Replica::request_in_session`]).
//!
//! ```
//! use squall_raft::{Config, NodeId, Recovered};
//! use squall_replica::kv::{Command, KeyValue};
//! use squall_replica::{Output, Replica, RequestId};
//!
//! let config = Config::new(NodeId(1), vec![NodeId(1)]);
//! let mut replica = Replica::new(config, &Recovered::default(), KeyValue::default())?;
//! replica.campaign();
//! let mut put = Some(Command::Put { key: &b"k"[..], value: &b"v"[..] }.encode());
//! loop {
//!     match replica.next_output() {
//!         // There is nobody to send to, and the disk of this example is as fast as it is forgetful.
//!         Some(Output::Persist(write)) => {
//!             let token = write.token;
//!             replica.persisted(token);
//!         }
//!         Some(Output::Apply) => {
//!             replica.apply(u64::MAX);
//!         }
//!         Some(Output::Respond { .. }) => break,
//!         Some(Output::Send(_) | Output::Fetch(_)) => unreachable!("it is alone, and all is in memory"),
//!         Some(Output::ReadsSettled { .. }) => unreachable!("nobody reads"),
//!         Some(Output::Snapshot(_)) => unreachable!("it has no policy that would say when to take one"),
//!         None => {
//!             let command = put.take().expect("the answer follows without any further input");
//!             replica.request(RequestId(7), command)?;
//!         }
//!     }
//! }
//! assert_eq!(replica.machine().get(b"k").unwrap(), "v");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod codec;
mod forwards;
mod hash;
mod image;
pub mod kv;
mod outcome;
mod pairs;
mod pending;
mod proposal;
mod reads;
mod replica;
mod requests;
mod sessions;
mod shutdown;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;

pub use outcome::{Outcome, Submitted};
pub use pairs::{Pairs, PairsImage, PairsLoader};
pub use proposal::{Proposal, RequestId, open_proposal, seal_proposal};
pub use reads::Consistency;
pub use replica::{MAX_PENDING_REQUESTS, Output, Replica};
pub use sessions::{SessionId, SessionLimits, Sessions, SessionsError, Ticket};
pub use snapshot::{SnapshotJob, SnapshotPolicy};
pub use state::State;

use std::fmt;

use bytes::{Bytes, BytesMut};
use squall_raft::LogPosition;

/// What is replicated: a deterministic machine that changes only through the commands it is given.
///
/// Two machines that were given the same commands at the same positions are equal, in every answer and in
/// [`digest`](Self::digest) (§2: "if two state machines are in the same state and receive the same commands").
///
/// A whole one, which counts how often it was given each word (see docs/state-machines.md for what to mind):
///
/// ```
/// use bytes::Bytes;
/// use squall_raft::LogPosition;
/// use squall_replica::{LoadError, Loader, Pairs, PairsImage, PairsLoader, StateMachine};
///
/// #[derive(Clone, Default)]
/// struct Words {
///     counts: Pairs,
///     total: u64,
/// }
///
/// #[derive(Clone, Default)]
/// struct WordsLoader(PairsLoader<1>);
///
/// impl StateMachine for Words {
///     type Image = PairsImage;
///     type Loader = WordsLoader;
///
///     fn apply(&mut self, _position: LogPosition, word: &[u8]) -> Bytes {
///         let count = self.counts.get(word).and_then(|count| count.first_chunk());
///         let count = count.map_or(0, |count| u64::from_le_bytes(*count)) + 1;
///         self.total += 1;
///         self.counts.set(word, Bytes::copy_from_slice(&count.to_le_bytes()));
///         self.query(word)
///     }
///
///     fn query(&self, word: &[u8]) -> Bytes {
///         self.counts.get(word).cloned().unwrap_or_default()
///     }
///
///     fn digest(&self) -> u64 {
///         self.counts.digest([self.total])
///     }
///
///     fn image(&self) -> PairsImage {
///         self.counts.image([self.total])
///     }
/// }
///
/// impl Loader for WordsLoader {
///     type Machine = Words;
///
///     fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
///         self.0.load(bytes)
///     }
///
///     fn finish(self) -> Result<Words, LoadError> {
///         let ([total], counts) = self.0.finish()?;
///         Ok(Words { counts, total })
///     }
/// }
///
/// let mut words = Words::default();
/// words.apply(LogPosition::new(1, 1), b"one");
/// words.apply(LogPosition::new(1, 2), b"one");
/// assert_eq!(words.query(b"one"), 2_u64.to_le_bytes()[..]);
/// ```
pub trait StateMachine: Clone {
    /// Its state at one moment.
    type Image: Image;

    /// What reads it from its bytes.
    type Loader: Loader<Machine = Self>;

    /// Applies one command and returns its answer. It cannot fail: what makes no sense gets an answer that
    /// says so, on every replica alike.
    fn apply(&mut self, position: LogPosition, command: &[u8]) -> Bytes;

    /// Answers a question without any effect. What makes no sense gets an answer that says so.
    fn query(&self, query: &[u8]) -> Bytes;

    /// A digest of the whole state, kept up to date by `apply`, so that reading it costs nothing.
    fn digest(&self) -> u64;

    /// Its state as it is now. This is done between two commands, and so must be done in an instant, however large the
    /// state: by sharing what changes later with what is kept.
    fn image(&self) -> Self::Image;
}

/// A state machine's state at one moment, as a stream of its bytes. Equal states have equal bytes.
pub trait Image: Clone + fmt::Debug {
    /// How many bytes are left to read.
    fn bytes_left(&self) -> u64;

    /// Appends the next bytes to `out`: exactly `max_bytes`, or all that are left.
    fn read(&mut self, max_bytes: u64, out: &mut BytesMut);
}

/// Reads a state machine from the bytes of its image. It is not to believe them: a number among them sizes nothing
/// before it was compared with what is there.
pub trait Loader: Clone + Default {
    /// What is read.
    type Machine;

    /// Takes the next bytes, cut anywhere.
    ///
    /// # Errors
    /// Says what is wrong with them.
    fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError>;

    /// All bytes were given.
    ///
    /// # Errors
    /// Where there should have been more.
    fn finish(self) -> Result<Self::Machine, LoadError>;
}

/// Bytes that are no image of a state machine, or of a replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadError {
    what: &'static str,
}

impl LoadError {
    /// An error that says what is wrong.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self { what }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for LoadError {}
