//! One replica's mind as one deterministic value: the consensus core, a state machine, the clients' sessions, and the
//! requests that wait for their entries.
//!
//! It owns no disk, socket, clock or thread: a driver feeds it inputs, drains its outputs, and decides when
//! the state machine may work. Snapshots are not part of it yet.
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

mod forwards;
mod hash;
pub mod kv;
mod outcome;
mod pending;
mod proposal;
mod reads;
mod replica;
mod requests;
mod sessions;
mod state;
#[cfg(test)]
mod tests;

pub use outcome::{Outcome, Submitted};
pub use proposal::{Proposal, RequestId, open_proposal, seal_proposal};
pub use reads::Consistency;
pub use replica::{MAX_PENDING_REQUESTS, Output, Replica};
pub use sessions::{SessionId, SessionLimits, Sessions, SessionsError, Ticket};
pub use state::State;

use bytes::Bytes;
use squall_raft::LogPosition;

/// What is replicated: a deterministic machine that changes only through the commands it is given.
///
/// Two machines that were given the same commands at the same positions are equal, in every answer and in
/// [`digest`](Self::digest) (§2: "if two state machines are in the same state and receive the same commands").
pub trait StateMachine: Clone {
    /// Applies one command and returns its answer. It cannot fail: what makes no sense gets an answer that
    /// says so, on every replica alike.
    fn apply(&mut self, position: LogPosition, command: &[u8]) -> Bytes;

    /// Answers a question without any effect. What makes no sense gets an answer that says so.
    fn query(&self, query: &[u8]) -> Bytes;

    /// A digest of the whole state, kept up to date by `apply`, so that reading it costs nothing.
    fn digest(&self) -> u64;
}
