//! Where disks may rot so that the cluster has to survive it (docs/fault-model.md, "Rot").
//!
//! The simulator knows bytes only; here it is said what they hold, and which of them may go bad now: never a record together
//! with its slot, never both copies of a piece of metadata, the data of an entry only where a server that would be asked
//! has it, too, or where nobody can have been told of it, and a chunk of a snapshot only where such a server has one that
//! stands for as much. So whatever rots can be repaired, and the run must make progress.

use std::collections::{BTreeMap, BTreeSet};

use squall_raft::{LogIndex, LogPosition};
use squall_sim::process::Extent;
use squall_sim::world::Processes;
use squall_sim::{ProcessId, ProcessSet, SimDisk};
use squall_storage::{Part, Piece, survey};

use crate::holdings::{Holdings, asked_by};
use crate::invariants::Invariants;
use crate::membership::NodeSet;
use crate::server::{Server, node_id};

/// What a label says that an extent is; the other words are sequence, term and index of a record.
const COPY: u64 = 0;
const SLOT: u64 = 1;
const RECORD: u64 = 2;
/// A record all of which its slot says, too.
const BARE_RECORD: u64 = 3;
/// A chunk of a whole snapshot, numbered from 1; what it stands for goes up to that term and index.
const CHUNK: u64 = 4;

/// What has gone bad, and was not written again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage {
    entries: BTreeMap<ProcessId, BTreeSet<LogPosition>>,
    /// By their last entries.
    snapshots: BTreeMap<ProcessId, BTreeSet<LogIndex>>,
    lost_disks: ProcessSet,
}

/// What has lost data.
pub(crate) enum Rotted {
    Entry(LogPosition),
    Snapshot(LogIndex),
}

impl Damage {
    /// Notes what rots. Returns whose data it is, if it is any's.
    pub(crate) fn note(&mut self, id: ProcessId, extent: &Extent) -> Option<Rotted> {
        let [kind, _, term, index] = extent.label;
        match kind {
            RECORD => {
                let position = LogPosition::new(term, index);
                self.entries.entry(id).or_default().insert(position);
                Some(Rotted::Entry(position))
            }
            CHUNK => {
                self.snapshots.entry(id).or_default().insert(LogIndex(index));
                Some(Rotted::Snapshot(LogIndex(index)))
            }
            _ => None,
        }
    }

    /// A snapshot that ends there is whole. Returns whether it was not.
    pub(crate) fn renewed(&mut self, id: ProcessId, last: LogIndex) -> bool {
        self.snapshots.get_mut(&id).is_some_and(|snapshots| snapshots.remove(&last))
    }

    pub(crate) fn has_snapshot(&self, id: ProcessId, last: LogIndex) -> bool {
        self.snapshots.get(&id).is_some_and(|snapshots| snapshots.contains(&last))
    }

    pub(crate) fn repaired(&mut self, id: ProcessId, position: LogPosition) {
        if let Some(entries) = self.entries.get_mut(&id) {
            entries.remove(&position);
        }
    }

    pub(crate) fn note_lost_disk(&mut self, id: ProcessId) {
        self.lost_disks = self.lost_disks.with(id);
    }

    /// Whose disks are lost: they never come back.
    pub(crate) fn lost_disks(&self) -> ProcessSet {
        self.lost_disks
    }

    pub(crate) fn of(&self, id: ProcessId) -> impl Iterator<Item = LogPosition> {
        self.entries.get(&id).into_iter().flatten().copied()
    }
}

/// What is sound on a disk, and durable.
pub(crate) fn extents(disk: &SimDisk) -> Vec<Extent> {
    let pieces = survey(&mut disk.worst_case_clone()).expect("a simulated disk that nothing is done to");
    pieces.into_iter().filter(|piece| piece.is_readable).filter_map(extent).collect()
}

fn extent(piece: Piece) -> Option<Extent> {
    let label = match piece.part {
        Part::Identity | Part::HardState | Part::SegmentHeader | Part::SnapshotHeader => [COPY, 0, 0, 0],
        Part::Slot(named) => [SLOT, named.sequence, named.position.term.0, named.position.index.0],
        Part::Record(named) => {
            let has_data = named.payload_bytes > 0 && named.kind != "configuration";
            let kind = if has_data { RECORD } else { BARE_RECORD };
            [kind, named.sequence, named.position.term.0, named.position.index.0]
        }
        Part::SnapshotChunk { number, last } if piece.file.starts_with("snapshot-") => {
            [CHUNK, 1 + number, last.term.0, last.index.0]
        }
        Part::SnapshotChunk { .. } | Part::Rest | Part::Foreign => return None,
    };
    let Piece { file, offset, bytes, .. } = piece;
    Some(Extent { file, offset, bytes, label })
}

/// Tells of each of these, by its place, whether it may go bad on this disk now. The two halves of what is there twice, copies
/// of the same or a record and its slot, are neighbours.
pub(crate) fn may_rot(
    id: ProcessId,
    extents: &[Extent],
    processes: &Processes<'_, Server>,
    invariants: &Invariants,
    damage: &Damage,
) -> impl Fn(usize) -> bool {
    let holdings = Holdings::of(processes, damage);
    let asked = asked_by(id, invariants);
    let committed_index = invariants.committed_index();
    // A witness may come to name it, and would never deny it; nor will one whose disk is lost.
    let may_be_denied = invariants.witnesses().is_empty() && damage.lost_disks().is_empty();
    let is_witness = processes.setup().config(id).is_witness();
    move |place: usize| {
        let extent = &extents[place];
        if extent.label[0] == CHUNK {
            let last = LogIndex(extent.label[3]);
            return !is_witness && holdings.has_another_snapshot(id, last, asked);
        }
        let is_other_half = |other: &Extent| (&other.file, other.label[1]) == (&extent.file, extent.label[1]);
        let before = place.checked_sub(1).map(|before| &extents[before]);
        let has_other_half =
            before.is_some_and(is_other_half) || extents.get(place + 1).is_some_and(is_other_half);
        let is_spare = |extent: &Extent| {
            let [kind, _, term, index] = extent.label;
            let position = LogPosition::new(term, index);
            let can_be_denied = || {
                may_be_denied
                    && position.index > committed_index
                    && !holdings.is_named_elsewhere(id, position)
            };
            kind != RECORD
                || !holdings.is_live(id, position)
                || holdings.has_another(id, position, asked)
                || can_be_denied()
        };
        has_other_half && is_spare(extent)
    }
}

/// Whether this server may lose its disk now: every configuration that may be in force keeps a majority of servers that have
/// theirs, and whatever another lacks a third has. A witness and the lost one may be all that knew of an entry, so that there
/// are to be none.
pub(crate) fn may_lose_disk(
    id: ProcessId,
    processes: &Processes<'_, Server>,
    invariants: &Invariants,
    damage: &Damage,
) -> bool {
    let lost = damage.lost_disks().with(id);
    let left = || (0..processes.count()).map(ProcessId).filter(|other| !lost.contains(*other));
    let intact: NodeSet = left().map(node_id).collect();
    let mut memberships = left().flat_map(|other| invariants.configurations(node_id(other)));
    invariants.witnesses().is_empty()
        && memberships.all(|membership| membership.voters.is_empty() || membership.has_lasting_quorum(intact))
        && Holdings::of(processes, damage).can_spare(id, invariants)
}
