//! Where disks may rot so that the cluster has to survive it (docs/fault-model.md, "Rot").
//!
//! The simulator knows bytes only; here it is said what they hold, and which of them may go bad now: never a record together
//! with its slot, never both copies of a piece of metadata, and the data of an entry only where a server that would be asked
//! has it, too, or where nobody can have been told of it. So whatever rots can be repaired, and the run must make progress.

use std::collections::{BTreeMap, BTreeSet};

use squall_raft::LogPosition;
use squall_sim::process::Extent;
use squall_sim::world::Processes;
use squall_sim::{ProcessId, SimDisk};
use squall_storage::{Part, Piece, survey};

use crate::holdings::{Holdings, asked_by};
use crate::invariants::Invariants;
use crate::server::Server;

/// What a label says that an extent is; the other words are sequence, term and index of a record.
const COPY: u64 = 0;
const SLOT: u64 = 1;
const RECORD: u64 = 2;
/// A record all of which its slot says, too.
const BARE_RECORD: u64 = 3;

/// What has gone bad, and was not written again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rot {
    entries: BTreeMap<ProcessId, BTreeSet<LogPosition>>,
}

impl Rot {
    /// Notes what rots. Returns the entry whose data it is, if it is any's.
    pub(crate) fn note(&mut self, id: ProcessId, extent: &Extent) -> Option<LogPosition> {
        let [RECORD, _, term, index] = extent.label else { return None };
        let position = LogPosition::new(term, index);
        self.entries.entry(id).or_default().insert(position);
        Some(position)
    }

    pub(crate) fn repaired(&mut self, id: ProcessId, position: LogPosition) {
        if let Some(entries) = self.entries.get_mut(&id) {
            entries.remove(&position);
        }
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
    rot: &Rot,
) -> impl Fn(usize) -> bool {
    let holdings = Holdings::of(processes, rot);
    let asked = asked_by(id, invariants);
    // A leader gets entries back, and not yet the snapshot that has taken their place on all others.
    let takes_snapshots = processes.setup().snapshots.is_some();
    let committed_index = invariants.committed_index();
    let has_witnesses = !invariants.witnesses().is_empty();
    let is_spare = move |extent: &Extent| {
        let [kind, _, term, index] = extent.label;
        let position = LogPosition::new(term, index);
        // A witness may come to name it, and would never deny it.
        let can_be_denied = || {
            !has_witnesses && position.index > committed_index && !holdings.is_named_elsewhere(id, position)
        };
        kind != RECORD
            || !holdings.is_live(id, position)
            || (!takes_snapshots && (holdings.has_another(id, position, asked) || can_be_denied()))
    };
    move |place| {
        let extent = &extents[place];
        let is_other_half = |other: &Extent| (&other.file, other.label[1]) == (&extent.file, extent.label[1]);
        let before = place.checked_sub(1).map(|before| &extents[before]);
        let has_other_half =
            before.is_some_and(is_other_half) || extents.get(place + 1).is_some_and(is_other_half);
        has_other_half && is_spare(extent)
    }
}
