//! The consensus core: Raft as a plain value, inputs in, actions out.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod action;
mod ballot;
mod boundary;
mod config;
mod drive;
mod durability;
mod election;
mod entry;
mod error;
mod follower;
mod leader;
mod log;
mod message;
mod progress;
mod raft;
mod random;
mod receive;
mod role;
mod status;
mod terms;
mod transfer;
mod types;

pub use action::{Action, Fetch, FetchPurpose, Write};
pub use boundary::Recovered;
pub use config::{Config, ConfigError};
pub use entry::{ENTRY_OVERHEAD_BYTES, Entries, Entry, Payload};
pub use error::{Ignored, ProposeError, TransferError};
pub use message::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Heartbeat, HeartbeatResponse, Message, PreVote,
    PreVoteResponse, RequestVote, RequestVoteResponse,
};
pub use raft::Raft;
pub use status::{RoleKind, Status};
pub use types::{HardState, LogIndex, LogPosition, NodeId, Round, Session, Term, WriteToken};
