//! The consensus core: Raft as a plain value, inputs in, actions out.
//!
//! [`Raft`] has no clock, disk, network, thread, or trait to implement. A driver feeds it inputs (ticks, messages,
//! proposals, reports of what became durable) and drains what it wants done with [`Raft::next_action`].
//!
//! # The contract
//!
//! *An emitted [`Action::Send`] may always go out at once.* What promises something durable stays inside the core
//! until the write that it depends on is reported. The driver has four duties: it carries out [`Action::Persist`]
//! writes in order; it reports each as done; it applies entries in order; it feeds the ticks that are due before any
//! other input. A write that fails ends the value's life: a new one starts from what storage recovers ([`Recovered`]).
//!
//! # Example
//!
//! ```
#![doc = include_str!("../examples/three_nodes.rs")]
//! ```
//!
//! # What is here, and what is not
//!
//! Elections with PreVote, CheckQuorum and stickiness, priorities, pipelined replication, log compaction and snapshots,
//! linearizable reads without a log entry (by rounds of heartbeats and by leases, on followers too), leadership transfer
//! and abdication, changes of membership by joint consensus with learners and witnesses, bounds on memory.
//! `docs/protocol.md` goes through them; `§5.2` in a comment is a section of the Raft paper (extended version), and
//! "thesis" is Ongaro's. Not here: client sessions, which are the replica's.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod action;
mod ballot;
mod boundary;
mod certainty;
mod change;
mod config;
mod configuration;
mod drive;
mod durability;
mod election;
mod entry;
mod error;
mod faults;
mod fitness;
mod follower;
mod forward;
mod leader;
mod lease;
mod log;
mod membership;
mod message;
mod progress;
mod raft;
mod random;
mod read;
mod receive;
mod receiving;
mod repair;
mod role;
mod snapshot;
mod status;
mod terms;
mod transfer;
mod types;
mod witness;

pub use action::{Action, Fetch, FetchPurpose, SnapshotAction, Write};
pub use boundary::Recovered;
pub use change::Change;
pub use config::{Config, ConfigError};
pub use configuration::{Configuration, ConfigurationError, MEMBERS_MAX, Member, Standing, Votes};
pub use entry::{ENTRY_OVERHEAD_BYTES, Entries, Entry, Payload};
pub use error::{ChangeError, Ignored, ProposeError, ReadError, TransferError};
pub use faults::Faulty;
pub use message::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Forward, ForwardResponse, Found, Heartbeat,
    HeartbeatResponse, InstallSnapshot, Message, PreVote, PreVoteResponse, ReadIndex, ReadIndexResponse,
    RepairRequest, RepairResponse, RequestVote, RequestVoteResponse, SnapshotChunk, SnapshotRequest,
};
pub use raft::Raft;
pub use status::{FollowerStatus, Handover, HandoverReason, RoleKind, Status};
pub use types::{
    HardState, LogIndex, LogPosition, NodeId, ReadId, Round, Session, SnapshotId, Term, WriteToken,
};

/// The README's example, compiled and run like those of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
