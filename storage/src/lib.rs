//! The durable log, the hard state and the snapshots of one replica, correct under power loss, torn writes and failed
//! syncs.
//!
//! A [`Storage`] is a value beside the disk: it owns no handle but file numbers, and each call is given the
//! [`Disk`](squall_disk::Disk) to work on. The same code runs on real files and in the storm.
//!
//! # Files
//!
//! - `identity`: whose files these are. It is written last by [`Storage::format`], so its presence is the mark
//!   that formatting was finished. An empty directory never starts by itself, and one of another node, cluster or
//!   incarnation not at all.
//! - `hard-state`: term, vote, boot number, with which segment the log begins, up to which term its end is uncertain. It
//!   is replaced as a whole (see `envelope.rs`).
//! - `log-<number>`: a segment, made at its full length, in a new file or in that of a segment that was let go. Records fill
//!   its larger part; a small *slot* that names each record stands physically apart from it, in the same file (see
//!   `segment.rs` and `slot.rs`).
//! - `snapshot-<index>-<times named>`: a whole snapshot, in chunks of a page (see `snapshot.rs`).
//! - `received-snapshot`: one that is being received (see `draft.rs`).
//!
//! # The log
//!
//! It is a stream of records, never overwritten: an entry, a truncation, a reset, or the data of an entry that lost it. What the core asked for while the
//! disk was busy forms one [`Group`]: records, slots, one sync. A group begins on a fresh 4 KiB page in both
//! regions and the next group's first byte is written only after its sync returned, so that tearing it cannot
//! hurt what was durable before. A group counts as a whole or not at all. Its hard state is durable before its
//! first record is written, so no entry is ever newer than the term on disk.
//!
//! # Snapshots and compaction
//!
//! A snapshot is written in pieces, between the groups of the log, and gets its name when all of it is durable. From then
//! on the log may be given up as far as the snapshot stands for it: [`Storage::commit`] asserts that it does. A
//! *compaction* is a permission; whole segments go when the next one is made, and the hard state, written on that
//! occasion anyway, says which is the first now. A *reset* is a record; the log begins anew behind it. Each
//! segment says with which entry the log ended when it began, and each truncation which entry it left as the last,
//! so that the log can be read from any segment on (see `compaction.rs`).
//!
//! Between a snapshot that was received and the reset to it, or where entries that were applied were not durable
//! here yet, a crash leaves a snapshot that goes beyond the log, or that contradicts it. Both are handed to the core as they
//! are: the snapshot is right, and the core resets the log.
//!
//! # Recovery
//!
//! *A checksum error is not an end of the log.* Groups, and records within them, are numbered without gaps, and
//! every segment says with which group it begins; that voids groups from there on in earlier segments, and
//! proves all before it to have been synced. So only the last group of all can be torn (see `scan.rs`). An entry of which the slot
//! alone can be read is *faulty*: its name is known and its data is lost, which the core is told, and brings back. Faulty
//! entries of the last group are *doubtful*, for a tear looks the same. Where record and slot are both gone elsewhere, nobody can
//! tell what stood there: [`StorageError::Damaged`]. Of the last group a slot that is gone was never written, or it was, and then the
//! group may have been acknowledged: the log's head is *uncertain*, which the core is told, now and after every later start
//! ([`Recovered::uncertain`]).
//!
//! What a process reads at start may be a page cache that lies: of a group whose sync failed it shows what the
//! disk does not hold. Every life ends with its first failed write or sync, so a lie can cover the last group
//! only. Each [`Storage::open`] therefore copies that one group, under its old number, into a new segment of which
//! it writes every byte anew, and gives the segment its name only after its sync. The same name voids, for good,
//! a torn tail that was dropped. Until that name is durable nothing of the log has changed, so a crash anywhere in
//! recovery leaves what recovery found. For the same reason the newest snapshot gets a new name, and of one that is being
//! received the last piece is written anew.
//!
//! The newest snapshot is read to its end. Where it is damaged, and the log still has all that it stands for, it is
//! done without; where the log begins behind it, does not reach as far as it, or contradicts it, it is *lost*: its name
//! counts, and when it is received again, what can still be read of it is taken over. Where not even its name can be read,
//! that is [`StorageError::Damaged`], unless the log has some entry in the place of its last one.
//!
//! An example stands at [`Storage`].
//!
//! The format follows "Protocol-Aware Recovery for Consensus-Based Storage" (Alagappan et al., FAST '18, §3.3); the
//! rules for files follow ALICE (Pillai et al., OSDI '14) and "Can Applications Recover from fsync Failures?"
//! (Rebello et al., ATC '20).
#![forbid(unsafe_code)]

mod compaction;
mod draft;
mod envelope;
mod error;
mod group;
mod hard_state;
mod identity;
mod inspect;
mod live;
mod options;
mod pages;
mod places;
mod record;
mod recovery;
mod scan;
mod segment;
mod slot;
mod snapshot;
mod snapshots;
mod storage;
mod survey;
#[cfg(test)]
mod tests;
mod window;

pub use error::StorageError;
pub use group::Group;
pub use identity::Identity;
pub use inspect::Extent;
pub use options::Options;
pub use scan::Tail;
pub use snapshots::Mismatch;
pub use squall_raft::Recovered;
pub use storage::Storage;
pub use survey::{Named, Part, Piece, not_formatted, owner, survey};

/// The format of every file here. A reader refuses any other.
const FORMAT_VERSION: u32 = 5;

/// A group begins on a fresh page; a device writes a page, or tears it, without touching the next.
const PAGE_BYTES: u64 = 4096;
