//! A file system's metadata as a state machine to replicate: a tree of directories and files, changed atomically.
//!
//! It keeps what a metadata service keeps: names, inodes, and for each file a size, a time and a small blob, in which a
//! client says where the data is. The data itself is elsewhere. Times are the clients': the machine has no clock.
//! Errors are those of POSIX, in a fixed order, and a command that fails changes nothing.
//!
//! There are no links, owners, permissions or open files. A path therefore names one inode, and a client that works
//! with a file guards itself by the version that it expects.
//!
//! Beside its use it is an example of a state machine that one writes oneself: see docs/state-machines.md.
//!
//! ```
//! use squall_files::{Command, Content, Error, FileSystem, Reply};
//! use squall_raft::LogPosition;
//! use squall_replica::StateMachine;
//!
//! let mut files = FileSystem::default();
//! // A replica does this with each command that is committed.
//! let mut apply = |command: Command<&[u8]>| {
//!     Reply::decode(&files.apply(LogPosition::new(1, 1), &command.encode()))
//! };
//! let content = Content { size: 7, modified: 1_700_000_000, blob: &b"block 12"[..] };
//! apply(Command::MakeDirectory { path: b"/var" })?;
//! apply(Command::Create { path: b"/var/new", content })?;
//! assert_eq!(apply(Command::Rename { from: b"/var/new", to: b"/var/log" })?, Reply::Moved { replaced: None });
//! assert_eq!(apply(Command::RemoveDirectory { path: b"/var" })?, Reply::Failed(Error::NotEmpty));
//! assert_eq!(apply(Command::RemoveTree { path: b"/var" })?, Reply::RemovedTree { inodes: 2 });
//! # Ok::<(), squall_replica::codec::DecodeError>(())
//! ```
#![forbid(unsafe_code)]

mod command;
mod error;
mod file_system;
mod inode;
mod loader;
mod path;
mod reply;
#[cfg(test)]
mod tests;
mod tree;

pub use command::Command;
pub use error::Error;
pub use file_system::{FileSystem, LIST_ENTRIES_MAX, Limits};
pub use inode::{Content, Inode, InodeId, Kind};
pub use loader::FileSystemLoader;
pub use reply::{Entry, Reply};
