//! What stands on the disks of a stopped cluster, and what is to be expected where some of it went bad.
//!
//! The rule is worked out from the pieces that were damaged and from what the logs held before; nothing that recovers is
//! asked.

use std::collections::{BTreeMap, BTreeSet};

use squall_raft::{LogIndex, LogPosition};
use squall_replica::SnapshotPolicy;
use squall_storage::{Part, Piece, Storage, survey};

use super::cluster::{Cluster, Ledger, identity, options};
use super::disk::MemoryDisk;

/// What becomes of a piece.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// The bit is drawn from the number of the case.
    Flip,
    Zero,
    Garbage,
}

impl How {
    pub(crate) const ALL: [Self; 3] = [Self::Flip, Self::Zero, Self::Garbage];
}

/// A piece of one disk.
pub(crate) type Place = (usize, usize);

/// A cluster that was stopped, before anything happened to its disks.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) disks: Vec<MemoryDisk>,
    pub(crate) pieces: Vec<Vec<Piece>>,
    ledger: Ledger,
    policies: Vec<Option<SnapshotPolicy>>,
    /// Of each node: where its log begins, and which snapshot it has.
    bases: Vec<LogIndex>,
    snapshots: Vec<Option<LogIndex>>,
    /// Of each node: the names in its log.
    logs: Vec<BTreeSet<LogPosition>>,
}

/// What a damaged cluster is to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Expected {
    /// Everybody starts, and gets back what it lacks.
    Recovers,
    /// Some do not start. The others are a majority that lacks nothing, and go on.
    GoesOn,
    /// Something that was committed is lost, or there is no majority: nothing may be served.
    Waits,
    /// It may serve or wait, and has to be safe.
    Either,
}

/// What a node is after its damage.
struct Remains {
    starts: bool,
    /// Whose data is gone.
    lost: BTreeSet<LogPosition>,
    /// Of a snapshot that the log cannot do without chunks are gone: the last entry that it stands for.
    lost_snapshot: Option<LogIndex>,
}

impl Scene {
    pub(crate) fn new(name: &'static str, cluster: Cluster) -> Self {
        let (disks, ledger, policies) = cluster.into_parts();
        let pieces: Vec<Vec<Piece>> = disks.iter().map(|disk| live_pieces(&mut disk.clone())).collect();
        let (mut bases, mut snapshots, mut logs) = (Vec::new(), Vec::new(), Vec::new());
        for (node, disk) in disks.iter().enumerate() {
            let (_, recovered) =
                Storage::open(&mut disk.clone(), identity(node), &options()).expect("it is sound");
            bases.push(recovered.base.index);
            snapshots.push(recovered.snapshot.map(|snapshot| snapshot.last.index));
            let named = |index| {
                let run = recovered.terms.iter().rev().find(|run| run.index <= LogIndex(index));
                LogPosition { term: run.expect("each entry has a term").term, index: LogIndex(index) }
            };
            logs.push((recovered.base.index.0 + 1..=recovered.last_index.0).map(named).collect());
        }
        let scene = Self { name, disks, pieces, ledger, policies, bases, snapshots, logs };
        scene.check_pieces();
        scene
    }

    /// Each entry has a record and a slot.
    fn check_pieces(&self) {
        for (log, pieces) in self.logs.iter().zip(&self.pieces) {
            for position in log {
                let of_entry = pieces.iter().filter(|piece| entry_of(piece) == Some(*position));
                assert!(of_entry.count() >= 2, "{position}");
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.disks.len()
    }

    /// The names of all entries that any log has.
    pub(crate) fn entries(&self) -> BTreeSet<LogPosition> {
        self.logs.iter().flatten().copied().collect()
    }

    /// Of each node that has it, the piece for which this holds.
    pub(crate) fn find(&self, holds: impl Fn(&Piece) -> bool) -> Vec<Place> {
        let found = |node: usize| self.pieces[node].iter().position(&holds).map(|piece| (node, piece));
        (0..self.count()).filter_map(found).collect()
    }

    pub(crate) fn piece(&self, (node, piece): Place) -> &Piece {
        &self.pieces[node][piece]
    }

    /// The other copy of a piece, or the slot of a record and the reverse.
    pub(crate) fn twin(&self, (node, piece): Place) -> Option<Place> {
        let pieces = &self.pieces[node];
        let is_twin = |other: usize| {
            let (a, b) = (&pieces[piece], &pieces[other]);
            let is_same = match (a.part, b.part) {
                (Part::Record(a), Part::Slot(b)) | (Part::Slot(a), Part::Record(b)) => a == b,
                (a, b) => a == b,
            };
            other != piece && a.file == b.file && is_same
        };
        (0..pieces.len()).find(|other| is_twin(*other)).map(|other| (node, other))
    }

    fn remains(&self, node: usize, damaged: &BTreeSet<Place>) -> Remains {
        let mut remains = Remains { starts: true, lost: BTreeSet::new(), lost_snapshot: None };
        for place in damaged.iter().filter(|(of, _)| *of == node) {
            let piece = self.piece(*place);
            let is_last_copy = self.twin(*place).is_none_or(|twin| damaged.contains(&twin));
            match piece.part {
                // Its name goes with its header.
                Part::SnapshotHeader if is_last_copy => {
                    remains.starts &= self.bases[node] == LogIndex::ZERO;
                }
                Part::SnapshotChunk { last, .. } if self.bases[node] > LogIndex::ZERO => {
                    remains.lost_snapshot = Some(last.index);
                }
                Part::Record(named) if !is_last_copy => {
                    if named.kind.ends_with("command") {
                        remains.lost.insert(named.position);
                    }
                }
                Part::Identity
                | Part::HardState
                | Part::SegmentHeader
                | Part::Slot(_)
                | Part::Record(_)
                | Part::Rest
                | Part::SnapshotHeader
                | Part::SnapshotChunk { .. }
                | Part::Foreign => remains.starts &= !is_last_copy,
            }
        }
        // What its own snapshot stands for it does not miss.
        remains.lost.retain(|position| !self.covers(node, position.index, damaged));
        remains
    }

    /// Whether a node has a sound snapshot that stands for an entry.
    fn covers(&self, node: usize, index: LogIndex, damaged: &BTreeSet<Place>) -> bool {
        let is_lost = |place: &&Place| {
            let is_last_copy = self.twin(**place).is_none_or(|twin| damaged.contains(&twin));
            let of_snapshot =
                matches!(self.piece(**place).part, Part::SnapshotChunk { .. } | Part::SnapshotHeader);
            place.0 == node && is_last_copy && of_snapshot
        };
        self.snapshots[node].is_some_and(|last| last >= index) && !damaged.iter().any(|place| is_lost(&place))
    }

    /// What is to be expected, by the rule: the cluster recovers if of everything that was committed there is a sound copy on
    /// a node that is up, of each piece of metadata one on its own node, and of each record and its slot one.
    pub(crate) fn expected(&self, damaged: &BTreeSet<Place>) -> Expected {
        let majority = self.count() / 2 + 1;
        let remains: Vec<Remains> = (0..self.count()).map(|node| self.remains(node, damaged)).collect();
        let up: Vec<usize> = (0..self.count()).filter(|node| remains[*node].starts).collect();
        let holders = |position: &LogPosition| {
            let position = *position;
            (0..self.count()).filter(move |node| {
                self.logs[*node].contains(&position) || self.bases[*node] >= position.index
            })
        };
        let has_sound = |node: usize, position: &LogPosition| {
            let is_there = self.logs[node].contains(position) && !remains[node].lost.contains(position);
            is_there || self.covers(node, position.index, damaged)
        };
        let may_be_committed = |position: &LogPosition| {
            let applied = self.ledger.applied.get(&position.index);
            applied.is_some_and(|entry| entry.position() == *position)
                || holders(position).count() >= majority
        };
        let committed: Vec<LogPosition> =
            self.ledger.applied.values().map(|entry| entry.position()).collect();
        let others = self.entries().into_iter().filter(may_be_committed);
        let needed: BTreeSet<LogPosition> = committed.into_iter().chain(others).collect();
        let is_kept = |among: &[usize]| {
            needed.iter().all(|position| among.iter().any(|node| has_sound(*node, position)))
        };
        let all: Vec<usize> = (0..self.count()).collect();
        // Whoever lost its snapshot needs one that stands for as much, from somebody who is up. What it has of the entries
        // before its end is of use to others at best.
        let snapshots_come_back = up.iter().all(|node| {
            let lost = remains[*node].lost_snapshot;
            lost.is_none_or(|last| up.iter().any(|other| other != node && self.covers(*other, last, damaged)))
        });
        if up.len() < majority || !is_kept(&all) {
            Expected::Waits
        } else if !snapshots_come_back {
            Expected::Either
        } else if up.len() == self.count() && is_kept(&up) {
            Expected::Recovers
        } else if up.iter().all(|node| remains[*node].lost.is_empty()) && is_kept(&up) {
            Expected::GoesOn
        } else {
            Expected::Either
        }
    }

    /// Damages a copy of the disks, starts all who start, and lets them go on for so many ticks at most. Returns the cluster,
    /// too.
    pub(crate) fn run(&self, damaged: &BTreeSet<Place>, how: How, number: u64, ticks: u64) -> (Ran, Cluster) {
        let mut disks = self.disks.clone();
        for place in damaged {
            let piece = self.piece(*place);
            disks[place.0].damage(&piece.file, |bytes| spoil(bytes, piece, how, number));
        }
        let mut cluster = Cluster::of(disks, self.ledger.clone(), self.policies.clone(), number);
        let refusals: BTreeMap<usize, String> = (0..self.count())
            .filter_map(|node| Some((node, cluster.start(node).err()?.to_string())))
            .collect();
        let is_level = cluster.run_until(ticks, Cluster::serves);
        let fault = if is_level { cluster.check_level().err() } else { None };
        (Ran { is_served: cluster.is_served(), is_level, fault, refusals }, cluster)
    }
}

/// What a damaged cluster did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// A fresh write was acknowledged.
    pub(crate) is_served: bool,
    /// And everybody who is up has all of the log.
    pub(crate) is_level: bool,
    /// What is wrong then.
    pub(crate) fault: Option<String>,
    /// Who did not start, and why.
    pub(crate) refusals: BTreeMap<usize, String>,
}

impl Ran {
    /// Whether it did what was expected.
    pub(crate) fn is_right(&self, expected: Expected) -> bool {
        let is_safe = self.fault.is_none();
        is_safe
            && match expected {
                Expected::Recovers => self.is_level && self.refusals.is_empty(),
                Expected::GoesOn => self.is_level && !self.refusals.is_empty(),
                Expected::Waits => !self.is_served,
                Expected::Either => true,
            }
    }
}

/// Numbers that look random: SplitMix64.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    /// True once in so many times.
    pub(crate) fn is_one_in(&mut self, times: u64) -> bool {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)).is_multiple_of(times)
    }
}

/// The entry of which a piece is the record or the slot.
pub(crate) fn entry_of(piece: &Piece) -> Option<LogPosition> {
    let (Part::Record(named) | Part::Slot(named)) = piece.part else { return None };
    (!["truncation", "reset"].contains(&named.kind)).then_some(named.position)
}

/// Whether it is the data of an entry, and stands nowhere else on its disk.
pub(crate) fn is_data(piece: &Piece) -> bool {
    matches!(piece.part, Part::Record(named) if named.kind.ends_with("command"))
}

/// All pieces that can be read, but those that a later copy of the same took the place of.
fn live_pieces(disk: &mut MemoryDisk) -> Vec<Piece> {
    let pieces = survey(disk).expect("it is in memory");
    let sequence = |piece: &Piece| {
        let (Part::Record(named) | Part::Slot(named)) = piece.part else { return None };
        Some(named.sequence)
    };
    let newest: BTreeMap<u64, _> =
        pieces.iter().filter_map(|piece| Some((sequence(piece)?, piece.file.clone()))).collect();
    let is_live = |piece: &Piece| sequence(piece).is_none_or(|sequence| newest[&sequence] == piece.file);
    pieces.into_iter().filter(|piece| piece.is_readable && is_live(piece)).collect()
}

fn spoil(bytes: &mut [u8], piece: &Piece, how: How, number: u64) {
    let start = usize::try_from(piece.offset).expect("the files are small");
    let length = usize::try_from(piece.bytes).expect("the files are small");
    let piece = &mut bytes[start..start + length];
    let drawn = usize::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33).expect("31 bits");
    match how {
        How::Flip => piece[drawn / 8 % length] ^= 1 << (drawn % 8),
        How::Zero => piece.fill(0),
        How::Garbage => {
            for (at, byte) in piece.iter_mut().enumerate() {
                *byte ^= u8::try_from((at + drawn) % 255).expect("a byte") | 1;
            }
        }
    }
}
