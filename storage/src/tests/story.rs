//! What a node asked to be written, what it was promised, and what it finds: the judge of every crash test.

use bytes::Bytes;
use squall_disk::Disk;
use squall_raft::{Entry, HardState, LogIndex, NodeId, Payload, Recovered, Term, Write, WriteToken};

use super::crash_disk::CrashDisk;
use crate::{Group, Identity, Options, Storage, StorageError};

pub(super) const IDENTITY: Identity =
    Identity { node: NodeId(3), cluster: 0xC0FF_EE00_0000_0000_0000_0000_0000_0001 };

/// The smallest segments there are: every history rolls.
pub(super) fn options() -> Options {
    Options { segment_bytes: 16 << 10, tail_bytes: 4096, salt_seed: 7 }
}

/// A write that owns its entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) hard_state: Option<HardState>,
    pub(super) truncate_from: Option<LogIndex>,
    pub(super) entries: Vec<Entry>,
}

/// What is on disk, as it ought to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct State {
    pub(super) hard_state: HardState,
    pub(super) log: Vec<Entry>,
}

/// A node's life so far: the states after each group it committed, and what of it was promised.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// The state that is promised.
    pub(super) acknowledged: State,
    /// The state after the group that was being written when the life ended.
    pub(super) in_flight: Option<State>,
    pub(super) boot: u64,
}

pub(super) fn noop(term: u64, index: u64) -> Entry {
    Entry { term: Term(term), index: LogIndex(index), payload: Payload::Noop }
}

pub(super) fn command(term: u64, index: u64, bytes: usize) -> Entry {
    let data: Vec<u8> = (0..bytes).map(|at| (at as u64 * 31 + term * 7 + index) as u8).collect();
    Entry { term: Term(term), index: LogIndex(index), payload: Payload::Command(Bytes::from(data)) }
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
            reset_to: None,
            compact_to: None,
            entries: step.entries.split_at(step.entries.len() / 2),
        });
    }
    group
}

/// All that is on disk, by way of what `open` says and `read` reads.
pub(super) fn state_of(storage: &Storage, recovered: &Recovered, disk: &mut impl Disk) -> State {
    let log = storage.read(LogIndex(1), recovered.last_index, u64::MAX, disk).unwrap();
    assert_eq!(log.len() as u64, recovered.last_index.0);
    assert_eq!(recovered.tail, log[log.len() - recovered.tail.len()..], "the tail is the log's");
    let mut terms = Vec::new();
    for entry in &log {
        if terms.last().is_none_or(|run: &squall_raft::LogPosition| run.term != entry.term) {
            terms.push(entry.position());
        }
    }
    assert_eq!(recovered.terms, terms, "the runs of terms are the log's");
    State { hard_state: recovered.hard_state, log }
}

impl State {
    pub(super) fn after(&self, steps: &[Step]) -> State {
        let mut state = self.clone();
        for step in steps {
            state.hard_state = step.hard_state.unwrap_or(state.hard_state);
            if let Some(from) = step.truncate_from {
                state.log.truncate(from.prev().0 as usize);
            }
            state.log.extend(step.entries.iter().cloned());
        }
        state
    }
}

impl Story {
    /// Opens the disk and judges what it finds: all that was promised, at most the group in flight beside it.
    pub(super) fn recover(&mut self, disk: &mut CrashDisk) -> Result<Storage, StorageError> {
        let (storage, recovered) = open(disk)?;
        let found = state_of(&storage, &recovered, disk);
        assert!(recovered.boot > self.boot, "boot {} after {}", recovered.boot, self.boot);
        let in_flight = self.in_flight.as_ref().unwrap_or(&self.acknowledged);
        let old = &self.acknowledged;
        assert!([old.hard_state, in_flight.hard_state].contains(&found.hard_state), "{found:?}\n{self:?}");
        assert!(
            found.log == old.log || (found.log == in_flight.log && found.hard_state == in_flight.hard_state),
            "{found:?}\n{self:?}"
        );
        *self = Self { acknowledged: found, in_flight: None, boot: recovered.boot };
        Ok(storage)
    }

    /// Commits groups until one fails.
    pub(super) fn commit(
        &mut self,
        storage: &mut Storage,
        groups: &[Vec<Step>],
        disk: &mut CrashDisk,
    ) -> Result<(), StorageError> {
        for steps in groups {
            let next = self.acknowledged.after(steps);
            self.in_flight = Some(next.clone());
            let mut group = group_of(steps);
            let token = storage.commit(&mut group, disk)?;
            assert_eq!(token.sequence, steps.len() as u64);
            assert!(group.is_empty());
            *self = Self { acknowledged: next, in_flight: None, boot: self.boot };
        }
        Ok(())
    }

    /// A group that continues whatever was found, and replaces its last entry.
    pub(super) fn continuation(&self) -> Vec<Step> {
        let (state, last) = (&self.acknowledged, self.acknowledged.log.len() as u64);
        let term = state.hard_state.current_term.0 + 1;
        let first = last.max(1);
        vec![Step {
            hard_state: Some(vote(term, 9)),
            truncate_from: (last > 0).then_some(LogIndex(last)),
            entries: vec![noop(term, first), command(term, first + 1, 20)],
        }]
    }
}
