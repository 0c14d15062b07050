//! Where disks may rot so that the cluster has to survive it (docs/fault-model.md, "Rot").
//!
//! The simulator knows bytes only; here it is said what they hold, and which of them may go bad now: never a record together
//! with its slot, never both copies of a piece of metadata, the data of an entry only where a server that would be asked
//! has it, too, or where nobody can have been told of it, and a chunk of a snapshot only where such a server has one that
//! stands for as much. So whatever rots can be repaired, and the run must make progress.

use std::collections::{BTreeMap, BTreeSet};

use squall_raft::{LogIndex, LogPosition};
use squall_sim::fault::Ruin;
use squall_sim::process::Extent;
use squall_sim::world::Processes;
use squall_sim::{ProcessId, ProcessSet, SimDisk};
use squall_storage::{Named, Part, Piece, survey};

use crate::holdings::{Holdings, asked_by};
use crate::invariants::Invariants;
use crate::membership::NodeSet;
use crate::server::{Server, node_id};

/// What a label says that an extent is; the other words are sequence, term, index and group of a record.
const COPY: u64 = 0;
const SLOT: u64 = 1;
const RECORD: u64 = 2;
/// A record all of which its slot says, too.
const BARE_RECORD: u64 = 3;
/// A chunk of a whole snapshot, numbered from 1; what it stands for goes up to that term and index.
const CHUNK: u64 = 4;

/// A lost write is of so many bytes at most, of what the storage had to write there.
const WRITE_BYTES_MAX: u64 = 4 * 4096;

/// What has gone bad, and was not written again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage {
    entries: BTreeMap<ProcessId, BTreeSet<LogPosition>>,
    /// By their last entries.
    snapshots: BTreeMap<ProcessId, BTreeSet<LogIndex>>,
    lost_disks: ProcessSet,
    ruined: ProcessSet,
    /// Some disk has forgotten, so that nobody can tell.
    has_forgotten: bool,
}

/// What has lost data.
pub(crate) enum Rotted {
    Entry(LogPosition),
    Snapshot(LogIndex),
}

impl Damage {
    /// Notes what rots. Returns whose data it is, if it is any's.
    pub(crate) fn note(&mut self, id: ProcessId, extent: &Extent) -> Option<Rotted> {
        let [kind, _, term, index, _] = extent.label;
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

    /// Whoever is ruined may refuse to start, or halt, for good.
    pub(crate) fn note_ruined(&mut self, id: ProcessId, how: Ruin) {
        self.ruined = self.ruined.with(id);
        self.has_forgotten |= how == Ruin::LostPair;
    }

    pub(crate) fn is_ruined(&self, id: ProcessId) -> bool {
        self.ruined.contains(id)
    }

    pub(crate) fn note_forgotten(&mut self) {
        self.has_forgotten = true;
    }

    /// Whether nothing is promised any more but that nobody panics and nothing is made up.
    pub(crate) fn has_forgotten(&self) -> bool {
        self.has_forgotten
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
    let pieces = survey(&mut disk.durable()).expect("a simulated disk that nothing is done to");
    pieces.into_iter().filter(|piece| piece.is_readable).filter_map(extent).collect()
}

fn extent(piece: Piece) -> Option<Extent> {
    let label = match piece.part {
        Part::Identity | Part::HardState | Part::SegmentHeader | Part::SnapshotHeader => [COPY, 0, 0, 0, 0],
        Part::Slot(named) => label(SLOT, &named),
        Part::Record(named) => {
            let has_data = named.payload_bytes > 0 && named.kind != "configuration";
            let kind = if has_data { RECORD } else { BARE_RECORD };
            label(kind, &named)
        }
        Part::SnapshotChunk { number, last } if piece.file.starts_with("snapshot-") => {
            [CHUNK, 1 + number, last.term.0, last.index.0, 0]
        }
        Part::SnapshotChunk { .. } | Part::Rest | Part::Foreign => return None,
    };
    let Piece { file, offset, bytes, .. } = piece;
    Some(Extent { file, offset, bytes, label })
}

fn label(kind: u64, named: &Named) -> [u64; 5] {
    [kind, named.sequence, named.position.term.0, named.position.index.0, named.group]
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
    // A witness may come to name it, and would never deny it; nor will one whose disk is lost. Who is a quorum by itself, or
    // will be when a joint configuration is left, may commit it, and nobody else's word counts.
    let own: NodeSet = core::iter::once(node_id(id)).collect();
    let may_commit_alone = move |index: LogIndex| {
        let mut reaching = invariants.configurations_reaching(node_id(id), index);
        reaching.any(|membership| membership.may_come_to_commit(own))
    };
    let may_be_denied = invariants.witnesses().is_empty() && damage.lost_disks().is_empty();
    let is_witness = processes.setup().config(id).is_witness();
    move |place: usize| {
        let extent = &extents[place];
        if extent.label[0] == CHUNK {
            let last = LogIndex(extent.label[3]);
            return !is_witness && holdings.snapshot_returns(id, last, |other| asked.has(node_id(other)));
        }
        let is_spare = |extent: &Extent| {
            let [kind, _, term, index, _] = extent.label;
            let position = LogPosition::new(term, index);
            let can_be_denied = || {
                may_be_denied
                    && !may_commit_alone(position.index)
                    && position.index > committed_index
                    && !holdings.is_named_elsewhere(id, position)
            };
            kind != RECORD
                || !holdings.is_live(id, position)
                || holdings.has_another(id, position, asked)
                || can_be_denied()
        };
        has_other_half(extents, place) && is_spare(extent)
    }
}

/// Whether what is at this place is there once more: its other half is its neighbour.
fn has_other_half(extents: &[Extent], place: usize) -> bool {
    let is_other_half = |other: &Extent| is_same(other, &extents[place]);
    let before = place.checked_sub(1).map(|before| &extents[before]);
    before.is_some_and(is_other_half) || extents.get(place + 1).is_some_and(is_other_half)
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

/// What may be ruined together on this disk now, in this way. That a record and its slot never were cannot be told from a write
/// that a power loss took: so of the last group, which alone may be such a one, one of both stays; and the data of an entry in it
/// stays unless another server has it, too (docs/fault-model.md, "Repair": doubtful entries).
pub(crate) fn may_ruin(
    id: ProcessId,
    how: Ruin,
    extents: Vec<Extent>,
    processes: &Processes<'_, Server>,
    invariants: &Invariants,
    damage: &Damage,
) -> Vec<Vec<Extent>> {
    let is_of_log = |extent: &Extent| matches!(extent.label[0], SLOT | RECORD | BARE_RECORD);
    if how == Ruin::LostPair {
        return pairs(&extents);
    }
    if matches!(how, Ruin::TruncatedFile | Ruin::MissingFile) {
        return extents.into_iter().map(|extent| vec![extent]).collect();
    }
    let holdings = Holdings::of(processes, damage);
    let last_group = extents.iter().map(|extent| extent.label[4]).max().unwrap_or(0);
    let asked = asked_by(id, invariants);
    let may_go = |place: usize| {
        let extent = &extents[place];
        let [kind, _, term, index, group] = extent.label;
        let has_data_elsewhere =
            || kind != RECORD || holdings.has_another(id, LogPosition::new(term, index), asked);
        let is_sure = !is_of_log(extent) || group < last_group;
        is_sure || (has_other_half(&extents, place) && has_data_elsewhere())
    };
    let free = (0..extents.len()).filter(|place| may_go(*place));
    let free: Vec<Extent> = free.map(|place| extents[place].clone()).collect();
    match how {
        Ruin::LostWrite => free.iter().map(|first| written_with(first, &free)).collect(),
        Ruin::MisdirectedWrite => {
            let others = free.iter().cycle().skip(free.len() / 2 + id.0 as usize);
            let apart = free.iter().zip(others).filter(|(one, other)| !is_same(one, other));
            apart.map(|(one, other)| vec![one.clone(), other.clone()]).collect()
        }
        Ruin::Rot | Ruin::TruncatedFile | Ruin::MissingFile | Ruin::LostPair => {
            free.into_iter().map(|extent| vec![extent]).collect()
        }
    }
}

/// Whether two extents are of one record, or copies of one another.
fn is_same(one: &Extent, other: &Extent) -> bool {
    one.file == other.file && one.label[1..] == other.label[1..]
}

/// What stands behind the first of them, is of the same kind, and may have been written with it.
fn written_with(first: &Extent, free: &[Extent]) -> Vec<Extent> {
    let region = |extent: &Extent| if extent.label[0] == BARE_RECORD { RECORD } else { extent.label[0] };
    let is_with = |extent: &&Extent| {
        let is_behind = (first.offset..first.offset + WRITE_BYTES_MAX).contains(&extent.offset);
        extent.file == first.file && region(extent) == region(first) && is_behind
    };
    free.iter().filter(is_with).cloned().collect()
}

/// Each record with its slot.
fn pairs(extents: &[Extent]) -> Vec<Vec<Extent>> {
    let is_pair = |pair: &&[Extent]| pair[0].label[0] == SLOT && is_same(&pair[0], &pair[1]);
    extents.windows(2).filter(is_pair).map(<[Extent]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use squall_raft::NodeId;
    use squall_sim::Time;

    use super::*;
    use crate::small_world::{Cluster, cluster};

    const N1: ProcessId = ProcessId(1);

    /// Three servers that have served their clients for a while, and what is known of them at first.
    fn busy() -> (Cluster, Invariants) {
        let mut world = cluster("processes count=3\nlimits safety=5s\n");
        world.run_until(Time(2_000_000));
        let nodes = [0, 1, 2].map(NodeId);
        (world, Invariants::new(&nodes, &nodes))
    }

    #[test]
    fn of_the_last_group_a_record_and_its_slot_go_together_only_where_a_disk_forgets() {
        let (world, invariants) = busy();
        let processes = world.processes();
        let found = extents(processes.disk(N1));
        let last_group = found.iter().map(|extent| extent.label[4]).max().expect("there is a log");
        for (how, expected) in [
            (Ruin::Rot, false),
            (Ruin::LostWrite, false),
            (Ruin::MisdirectedWrite, false),
            (Ruin::LostPair, true),
        ] {
            let damage = Damage::default();
            let strikes = may_ruin(N1, how, found.clone(), &processes, &invariants, &damage);
            let is_pair_of_last = |strike: &Vec<Extent>| {
                let of_last = strike.iter().filter(|extent| extent.label[4] == last_group);
                let sequences: BTreeSet<u64> = of_last.clone().map(|extent| extent.label[1]).collect();
                sequences.len() < of_last.count()
            };
            assert!(strikes.len() > 20, "{how:?}");
            assert_eq!(strikes.iter().any(is_pair_of_last), expected, "{how:?}");
        }
    }

    #[test]
    fn a_disk_may_be_lost_while_a_majority_keeps_theirs() {
        let (world, invariants) = busy();
        let mut damage = Damage::default();
        assert!(may_lose_disk(N1, &world.processes(), &invariants, &damage));
        damage.note_lost_disk(ProcessId(0));
        assert!(!may_lose_disk(N1, &world.processes(), &invariants, &damage), "n2 alone is no majority");
    }
}
