//! What a node asked to be written, what it was promised, and what it finds: the judge of every crash test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use squall_disk::Disk;
use squall_raft::{
    Configuration, Entry, HardState, LogIndex, LogPosition, Member, NodeId, Payload, Recovered, Session,
    SnapshotId, Standing, Term, Write, WriteToken,
};
use xxhash_rust::xxh3::xxh3_64;

use super::crash_disk::CrashDisk;
use crate::snapshot::CHUNK_BYTES;
use crate::{Group, Identity, Options, Storage, StorageError};

pub(super) const IDENTITY: Identity =
    Identity { node: NodeId(3), cluster: 0xC0FF_EE00_0000_0000_0000_0000_0000_0001, incarnation: 0 };

/// The smallest segments there are: every history rolls.
pub(super) fn options() -> Options {
    Options { segment_bytes: 16 << 10, tail_bytes: 4096, salt_seed: 7 }
}

/// A write that owns its entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) hard_state: Option<HardState>,
    pub(super) truncate_from: Option<LogIndex>,
    pub(super) reset_to: Option<LogPosition>,
    pub(super) compact_to: Option<LogPosition>,
    pub(super) repairs: Vec<Entry>,
    pub(super) entries: Vec<Entry>,
}

/// One call of a storage. What a snapshot holds follows from its last entry; see [`image`].
#[derive(Clone, Debug)]
pub(super) enum Act {
    Commit(Vec<Step>),
    Begin(LogPosition),
    /// Writes so many bytes.
    Write(u64),
    Finish,
    /// Begins to receive the snapshot of this entry with so many bytes.
    Receive(LogPosition, u64),
    /// Writes so many bytes of it.
    Get(u64),
    Install,
}

/// What is on disk, as it ought to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct State {
    pub(super) hard_state: HardState,
    /// The entry before the first of the log.
    pub(super) base: LogPosition,
    /// Of a faulty entry the data is not told.
    pub(super) log: Vec<Entry>,
    pub(super) faulty: BTreeSet<LogIndex>,
    /// Entries up to here may be missing.
    pub(super) compact_to: LogIndex,
    pub(super) snapshot: Option<SnapshotId>,
    /// The snapshot that is taken, and how many bytes it has. A restart forgets it.
    pub(super) taken: Option<(LogPosition, u64)>,
    pub(super) received: Option<Received>,
}

/// A snapshot that is being received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Received {
    pub(super) id: SnapshotId,
    pub(super) bytes: u64,
    pub(super) durable: u64,
    /// What is durable even if the last piece is lost, as by a power loss while it is written anew.
    pub(super) safe: u64,
}

/// A node's life so far: the states after each act, and what of it was promised.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// The state that is promised.
    pub(super) acknowledged: State,
    /// The state after the act that was under way when the life ended.
    pub(super) in_flight: Option<State>,
    /// What was ever received. A power loss may bring it back where it was discarded: its name tells what it is.
    partial: Vec<Received>,
    /// All entries that were ever to be written.
    pub(super) written: Vec<Entry>,
    pub(super) boot: u64,
}

/// Bytes of the snapshot of an entry.
pub(super) fn image(last: LogPosition, range: core::ops::Range<u64>) -> Vec<u8> {
    range.map(|at| (at * 7 + at / 251 + last.index.0 * 13 + last.term.0) as u8).collect()
}

/// The name that the snapshot of an entry has.
pub(super) fn id_of(last: LogPosition, bytes: u64) -> SnapshotId {
    SnapshotId { last, bytes, checksum: xxh3_64(&image(last, 0..bytes)) }
}

pub(super) fn noop(term: u64, index: u64) -> Entry {
    Entry { term: Term(term), index: LogIndex(index), payload: Payload::Noop }
}

pub(super) fn command(term: u64, index: u64, bytes: usize) -> Entry {
    let data: Vec<u8> = (0..bytes).map(|at| (at as u64 * 31 + term * 7 + index) as u8).collect();
    Entry { term: Term(term), index: LogIndex(index), payload: Payload::Command(Bytes::from(data)) }
}

/// An entry by which voters n1 and on learn of another that is named after the entry.
pub(super) fn configuration(term: u64, index: u64, voters: u64) -> Entry {
    let member = |id, standing| Member { id, session: Session(0), standing, outgoing: false };
    let mut members: Vec<Member> = (1..=voters).map(|id| member(NodeId(id), Standing::Voter)).collect();
    members.push(member(NodeId(1000 + index), Standing::Learner { promote: true }));
    let configuration = Arc::new(Configuration::of(members).unwrap());
    Entry { term: Term(term), index: LogIndex(index), payload: Payload::Configuration(configuration) }
}

pub(super) fn vote(term: u64, node: u64) -> HardState {
    HardState { current_term: Term(term), voted_for: Some(NodeId(node)), longest_promise: 15 }
}

pub(super) fn formatted() -> CrashDisk {
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &options()).unwrap();
    disk.operations = 0;
    disk
}

pub(super) fn open(disk: &mut impl Disk) -> Result<(Storage, Recovered), StorageError> {
    Storage::open(disk, IDENTITY, &options())
}

pub(super) fn group_of(steps: &[Step]) -> Group {
    let mut group = Group::default();
    for (step, sequence) in steps.iter().zip(1..) {
        group.add(&Write {
            token: WriteToken { boot: 1, sequence },
            hard_state: step.hard_state,
            truncate_from: step.truncate_from,
            reset_to: step.reset_to,
            compact_to: step.compact_to,
            repairs: &step.repairs,
            entries: step.entries.split_at(step.entries.len() / 2),
        });
    }
    group
}

/// The log, of faulty entries as much as is known.
fn read_log(storage: &Storage, recovered: &Recovered, disk: &mut impl Disk) -> Vec<Entry> {
    let (mut log, mut next) = (Vec::new(), recovered.base.index.next());
    while next <= recovered.last_index {
        let read = storage.read(next, recovered.last_index, u64::MAX, disk).unwrap();
        if read.is_empty() {
            assert!(recovered.faulty.iter().any(|faulty| faulty.index == next), "{next} is neither");
            let run = recovered.terms.iter().rev().find(|run| run.index <= next).unwrap();
            log.push(Entry { term: run.term, index: next, payload: Payload::Withheld });
        }
        log.extend(read);
        next = log.last().unwrap().index.next();
    }
    log
}

/// All that is on disk, by way of what `open` says and `read` reads.
pub(super) fn state_of(storage: &Storage, recovered: &Recovered, disk: &mut impl Disk) -> State {
    let base = recovered.base;
    let log = read_log(storage, recovered, disk);
    assert_eq!(base.index.0 + log.len() as u64, recovered.last_index.0);
    assert_eq!(recovered.tail, log[log.len() - recovered.tail.len()..], "the tail is the log's");
    let faulty: BTreeSet<_> = recovered.faulty.iter().map(|faulty| faulty.index).collect();
    let tail_begins = recovered.last_index.0 - recovered.tail.len() as u64;
    assert!(faulty.last().is_none_or(|last| last.0 <= tail_begins), "{faulty:?} in the tail");
    let mut terms = Vec::new();
    for entry in &log {
        if terms.last().is_none_or(|run: &LogPosition| run.term != entry.term) {
            terms.push(entry.position());
        }
    }
    assert_eq!(recovered.terms, terms, "the runs of terms are the log's");
    let configurations = log.iter().filter_map(|entry| match &entry.payload {
        Payload::Configuration(configuration) => Some((entry.index, Arc::clone(configuration))),
        Payload::Noop | Payload::Command(_) | Payload::Withheld => None,
    });
    assert!(configurations.eq(recovered.configurations.iter().cloned()), "the configurations are the log's");
    if let Some(id) = recovered.snapshot {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < id.bytes {
            let read = storage.read_snapshot(id, bytes.len() as u64, 5000, disk).unwrap();
            bytes.extend(read.expect("the snapshot that was found is there"));
        }
        assert_eq!(bytes, image(id.last, 0..id.bytes));
    }
    let received = storage.received_snapshot();
    State {
        hard_state: recovered.hard_state,
        base,
        log,
        faulty,
        compact_to: base.index,
        snapshot: recovered.snapshot,
        taken: None,
        received: received.map(|(id, durable)| Received { id, bytes: durable, durable, safe: 0 }),
    }
}

impl State {
    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.base.index.0 + self.log.len() as u64)
    }

    /// The name of the entry at `index`, as far as it is known.
    pub(super) fn position(&self, index: LogIndex) -> Option<LogPosition> {
        match index.0.checked_sub(self.base.index.0)? {
            0 => Some(self.base),
            distance => self.log.get(distance as usize - 1).map(Entry::position),
        }
    }

    /// The state after a group.
    pub(super) fn after(&self, steps: &[Step]) -> State {
        let mut state = self.clone();
        for step in steps {
            state.hard_state = step.hard_state.unwrap_or(state.hard_state);
            if let Some(from) = step.truncate_from {
                state.log.truncate((from.prev().0 - state.base.index.0) as usize);
                state.faulty.split_off(&from);
            }
            if let Some(base) = step.reset_to {
                (state.base, state.log, state.faulty) = (base, Vec::new(), BTreeSet::new());
            }
            for given_up in [step.reset_to, step.compact_to].into_iter().flatten() {
                state.compact_to = state.compact_to.max(given_up.index);
            }
            for entry in &step.repairs {
                assert!(state.faulty.remove(&entry.index), "{} is repaired", entry.position());
                let place = (entry.index.prev().0 - state.base.index.0) as usize;
                state.log[place] = entry.clone();
            }
            state.log.extend(step.entries.iter().cloned());
        }
        state
    }

    /// The state after an act that succeeded.
    pub(super) fn after_act(&self, act: &Act) -> State {
        let mut state = self.clone();
        match act {
            Act::Commit(steps) => return self.after(steps),
            Act::Begin(last) => state.taken = Some((*last, 0)),
            Act::Write(bytes) => state.taken.as_mut().unwrap().1 += bytes,
            Act::Finish => {
                let (last, bytes) = state.taken.take().unwrap();
                state.add_snapshot(id_of(last, bytes));
            }
            Act::Receive(last, bytes) => {
                let id = id_of(*last, *bytes);
                state.received = state.received.filter(|received| received.id == id);
                state.received.get_or_insert(Received { id, bytes: 0, durable: 0, safe: 0 });
            }
            Act::Get(bytes) => {
                let received = state.received.as_mut().unwrap();
                received.bytes += bytes;
                let durable = received.bytes - received.bytes % CHUNK_BYTES;
                if durable > received.durable {
                    (received.safe, received.durable) = (received.durable, durable);
                }
            }
            Act::Install => {
                let id = state.received.take().unwrap().id;
                state.add_snapshot(id);
            }
        }
        state
    }

    fn add_snapshot(&mut self, id: SnapshotId) {
        if self.snapshot.is_none_or(|newest| newest.last.index <= id.last.index) {
            self.snapshot = Some(id);
        }
    }

    /// Whether a log may be found where this one ought to be: it may begin later, as far as it was given up, and of what is
    /// not `durable` it may have the names alone.
    fn allows_log(&self, found: &State, durable: &State) -> bool {
        let gone = found.base.index.0.checked_sub(self.base.index.0);
        let Some(gone) = gone.filter(|gone| *gone <= self.log.len() as u64) else { return false };
        let (before, rest) = self.log.split_at(gone as usize);
        let base = before.last().map_or(self.base, Entry::position);
        let is_given_up = gone == 0 || base.index <= self.compact_to;
        let is_durable =
            |entry: &Entry| durable.log.contains(entry) && !durable.faulty.contains(&entry.index);
        let is_allowed = |(entry, found_entry): (&Entry, &Entry)| {
            if found.faulty.contains(&entry.index) {
                entry.position() == found_entry.position() && !is_durable(entry)
            } else {
                entry == found_entry
            }
        };
        let is_same = found.log.len() == rest.len() && rest.iter().zip(&found.log).all(is_allowed);
        is_given_up && found.base == base && is_same
    }

    /// Whether this may be found of the snapshot that is received.
    fn allows_received(&self, found: Option<Received>) -> bool {
        match (self.received, found) {
            (None, found) => found.is_none(),
            (Some(received), None) => {
                let is_late = self.snapshot.is_some_and(|id| id.last.index >= received.id.last.index);
                received.safe == 0 || is_late
            }
            (Some(received), Some(found)) => {
                found.id == received.id && (received.safe..=received.durable).contains(&found.durable)
            }
        }
    }
}

impl Story {
    /// Opens the disk and judges what it finds: all that was promised, at most the act in flight beside it.
    pub(super) fn recover(&mut self, disk: &mut CrashDisk) -> Result<Storage, StorageError> {
        let (storage, recovered) = open(disk)?;
        let found = state_of(&storage, &recovered, disk);
        assert!(recovered.boot > self.boot, "boot {} after {}", recovered.boot, self.boot);
        let (old, new) = (&self.acknowledged, self.in_flight.as_ref().unwrap_or(&self.acknowledged));
        assert!([old.hard_state, new.hard_state].contains(&found.hard_state), "{found:?}\n{self:?}");
        assert!(
            old.allows_log(&found, old)
                || (new.allows_log(&found, old) && found.hard_state == new.hard_state),
            "{found:?}\n{self:?}"
        );
        assert!(recovered.faulty.iter().all(|faulty| faulty.is_doubtful), "a crash damages what is new only");
        assert!([old.snapshot, new.snapshot].contains(&found.snapshot), "{found:?}\n{self:?}");
        let comes_back = found.received.is_some_and(|found| {
            self.partial.iter().any(|known| known.id == found.id && found.durable <= known.durable)
        });
        assert!(
            old.allows_received(found.received) || new.allows_received(found.received) || comes_back,
            "{found:?}\n{self:?}"
        );
        check_names(disk, &found);
        (self.acknowledged, self.in_flight, self.boot) = (found, None, recovered.boot);
        Ok(storage)
    }

    /// Does what a node asks for, until something fails.
    pub(super) fn live(
        &mut self,
        storage: &mut Storage,
        acts: &[Act],
        disk: &mut CrashDisk,
    ) -> Result<(), StorageError> {
        for act in acts {
            let next = self.acknowledged.after_act(act);
            self.in_flight = Some(next.clone());
            self.partial.extend(next.received);
            if let Act::Commit(steps) = act {
                self.written.extend(steps.iter().flat_map(|step| step.entries.iter().cloned()));
            }
            self.act(storage, act, disk)?;
            (self.acknowledged, self.in_flight) = (next, None);
        }
        Ok(())
    }

    fn act(&self, storage: &mut Storage, act: &Act, disk: &mut CrashDisk) -> Result<(), StorageError> {
        let state = &self.acknowledged;
        match act {
            Act::Commit(steps) => {
                let mut group = group_of(steps);
                let token = storage.commit(&mut group, disk)?;
                assert_eq!(token.sequence, steps.len() as u64);
                assert!(group.is_empty());
            }
            Act::Begin(last) => storage.begin_snapshot(*last, disk)?,
            Act::Write(bytes) => {
                let (last, start) = state.taken.unwrap();
                storage.write_snapshot(&image(last, start..start + bytes), disk)?;
            }
            Act::Finish => {
                let (last, bytes) = state.taken.unwrap();
                assert_eq!(storage.finish_snapshot(disk)?, id_of(last, bytes));
            }
            Act::Receive(last, bytes) => {
                let id = id_of(*last, *bytes);
                let here = state.received.filter(|received| received.id == id);
                let offset = storage.begin_received(id, disk)?;
                assert_eq!(offset, here.map_or(0, |received| received.bytes));
            }
            Act::Get(bytes) => {
                let Received { id, bytes: start, .. } = state.received.unwrap();
                let here = storage.write_received(start, &image(id.last, start..start + bytes), disk)?;
                let received = state.after_act(act).received.unwrap();
                assert_eq!(
                    (here, storage.received_snapshot()),
                    (received.bytes, Some((id, received.durable)))
                );
            }
            Act::Install => {
                let promised = state.received.unwrap().id;
                assert_eq!(storage.finish_received(disk)?, Ok(promised));
            }
        }
        Ok(())
    }

    /// Commits groups until one fails.
    pub(super) fn commit(
        &mut self,
        storage: &mut Storage,
        groups: &[Vec<Step>],
        disk: &mut CrashDisk,
    ) -> Result<(), StorageError> {
        let acts: Vec<_> = groups.iter().cloned().map(Act::Commit).collect();
        self.live(storage, &acts, disk)
    }

    /// The data of all faulty entries.
    pub(super) fn repairs(&self) -> Vec<Entry> {
        let is_lost = |entry: &&Entry| {
            let found = self.acknowledged.position(entry.index) == Some(entry.position());
            found && self.acknowledged.faulty.contains(&entry.index)
        };
        let lost: BTreeMap<_, _> =
            self.written.iter().filter(is_lost).map(|entry| (entry.index, entry.clone())).collect();
        lost.into_values().collect()
    }

    /// What continues whatever was found: what is faulty is repaired; what was being received is received to its end; a group replaces the last entry
    /// where no snapshot stands for it. Where one stands for more than the log has, the log is reset to it, as a core does.
    pub(super) fn continuation(&self) -> Vec<Act> {
        let (state, last) = (&self.acknowledged, self.acknowledged.last_index());
        let received = state.received.map_or_else(Vec::new, |received| {
            vec![Act::Get(received.id.bytes - received.bytes), Act::Install]
        });
        let newest = received.iter().fold(state.clone(), |state, act| state.after_act(act)).snapshot;
        let covered = newest.map_or(LogPosition::ZERO, |id| id.last);
        let term = state.hard_state.current_term.0.max(covered.term.0) + 1;
        let truncates = last > covered.index;
        let first = if truncates { last.0 } else { last.max(covered.index).0 + 1 };
        let step = Step {
            hard_state: Some(vote(term, 9)),
            truncate_from: truncates.then_some(last),
            reset_to: (covered.index > last).then_some(covered),
            entries: vec![noop(term, first), command(term, first + 1, 20)],
            ..Step::default()
        };
        let repairs = Step { repairs: self.repairs(), ..Step::default() };
        let repairs = (!repairs.repairs.is_empty()).then(|| Act::Commit(vec![repairs]));
        repairs.into_iter().chain(received).chain([Act::Commit(vec![step])]).collect()
    }
}

/// A start leaves no file behind that is of no use.
fn check_names(disk: &CrashDisk, found: &State) {
    let names = disk.names();
    let count = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count();
    assert_eq!(count("snapshot-"), usize::from(found.snapshot.is_some()), "{names:?}");
    assert_eq!(count("received-"), usize::from(found.received.is_some()), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with(".new")), "{names:?}");
}
