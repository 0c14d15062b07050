//! What a node did before its disk was damaged: its storage wrote all of it, and everything is remembered.

use std::collections::BTreeSet;
use std::sync::Arc;

use arbitrary::Arbitrary;
use bytes::Bytes;
use squall_raft::{
    Configuration, Entry, HardState, LogIndex, LogPosition, Member, NodeId, Payload, Recovered, Session,
    SnapshotId, Standing, Term, Write, WriteToken,
};
use squall_storage::{Group, Identity, Options, Storage};
use xxhash_rust::xxh3::xxh3_64;

use super::files::Files;

pub(super) const IDENTITY: Identity = Identity { node: NodeId(2), cluster: 0x5351, incarnation: 3 };

/// The smallest segments there are, so that every log has several.
pub(super) fn options() -> Options {
    Options { segment_bytes: 16 << 10, tail_bytes: 2_000, salt_seed: 5 }
}

/// Something that the node does.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) enum Act {
    /// Writes entries, as one group.
    Append {
        /// So many, modulo 12, and one at least; every fourth group is a new term's.
        count: u8,
        /// The bytes of each.
        bytes: u16,
        /// What they are: no-ops, commands, configurations.
        kind: u8,
    },
    /// Takes back so many entries, modulo 8, for another one of a later term.
    Truncate(u8),
    /// Enters a term, and votes.
    Vote(u8),
    /// Starts again.
    Restart,
    /// Takes a snapshot that stands for all but so many entries, modulo 8.
    Snapshot { keep: u8, bytes: u16, compacts: bool },
    /// Receives some bytes of a snapshot that others took, which goes so far beyond the log, modulo 8.
    Receive { beyond: u8, bytes: u16 },
    /// Receives the rest of it, and lets it take the place of the log.
    Install,
}

/// A disk, and all that was ever written on it.
pub(super) struct Life {
    pub(super) files: Files,
    pub(super) entries: BTreeSet<(LogPosition, Option<Bytes>)>,
    pub(super) hard_states: Vec<HardState>,
    pub(super) snapshots: Vec<SnapshotId>,
    pub(super) boot: u64,
    storage: Storage,
    /// Whether it keeps no data: neither that of entries nor that of snapshots, and nobody sends it any.
    pub(super) is_witness: bool,
    /// The terms of the log after `base`.
    terms: Vec<Term>,
    base: LogPosition,
    sequence: u64,
    /// The snapshots that others promised.
    pub(super) promised: Vec<SnapshotId>,
    /// The one of them that is being received.
    receiving: Option<SnapshotId>,
}

/// The bytes of the snapshot that stands for this entry.
pub(super) fn image(last: LogPosition, bytes: u64) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 + at / 251 + last.index.0 * 13 + last.term.0) as u8).collect()
}

fn id_of(last: LogPosition, bytes: u64) -> SnapshotId {
    SnapshotId { last, bytes, checksum: xxh3_64(&image(last, bytes)) }
}

/// What there is to remember of an entry.
pub(super) fn named(entry: &Entry) -> (LogPosition, Option<Bytes>) {
    match &entry.payload {
        Payload::Noop | Payload::Withheld => (entry.position(), None),
        Payload::Command(data) => (entry.position(), Some(data.clone())),
        Payload::Configuration(configuration) => {
            let mut bytes = b"configuration ".to_vec();
            configuration.encode(&mut bytes);
            (entry.position(), Some(bytes.into()))
        }
    }
}

fn payload(kind: u8, bytes: u16, index: LogIndex, is_witness: bool) -> Payload {
    match kind % 8 {
        0 => Payload::Noop,
        1 => Payload::Configuration(Arc::new(configuration(1 + u64::from(bytes % 7)))),
        2..=7 if is_witness => Payload::Withheld,
        2..=7 => Payload::Command(vec![index.0 as u8; usize::from(bytes) % 3_000].into()),
        8.. => unreachable!("a remainder of 8"),
    }
}

fn configuration(voters: u64) -> Configuration {
    let member =
        |id| Member { id: NodeId(id), session: Session(0), standing: Standing::Voter, outgoing: false };
    Configuration::of((1..=voters).map(member).collect()).expect("voters without gaps are a configuration")
}

impl Life {
    pub(super) fn of(acts: &[Act], is_witness: bool) -> Self {
        let mut files = Files::default();
        Storage::format(&mut files, IDENTITY, &options()).expect("the disk is empty");
        let (storage, recovered) = open(&mut files);
        let mut life = Self {
            files,
            entries: BTreeSet::new(),
            hard_states: vec![recovered.hard_state],
            snapshots: Vec::new(),
            boot: recovered.boot,
            storage,
            is_witness,
            terms: Vec::new(),
            base: LogPosition::default(),
            sequence: 0,
            promised: Vec::new(),
            receiving: None,
        };
        acts.iter().for_each(|act| life.act(*act));
        life
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Append { count, bytes, kind } => {
                if count.is_multiple_of(4) {
                    self.vote(1);
                }
                self.append(u64::from(count % 12).max(1), bytes, kind, None);
            }
            Act::Truncate(back) => self.truncate(back),
            Act::Vote(term) => self.vote(term),
            Act::Restart => self.restart(),
            Act::Snapshot { keep, bytes, compacts } => self.snapshot(keep, bytes, compacts),
            Act::Receive { beyond, bytes } => self.receive(beyond, bytes),
            Act::Install => self.install(),
        }
    }

    fn last(&self) -> LogPosition {
        let index = LogIndex(self.base.index.0 + self.terms.len() as u64);
        self.terms.last().map_or(self.base, |term| LogPosition { term: *term, index })
    }

    fn hard_state(&self) -> HardState {
        *self.hard_states.last().expect("there is the first one")
    }

    fn vote(&mut self, ahead: u8) {
        let current_term = Term(self.hard_state().current_term.0 + u64::from(ahead % 4));
        let voted_for = (!ahead.is_multiple_of(3)).then_some(NodeId(u64::from(ahead % 5)));
        let state = HardState { current_term, voted_for, longest_promise: u64::from(ahead) };
        self.hard_states.push(state);
        self.commit(Write { hard_state: Some(state), ..nothing() });
    }

    fn commit(&mut self, write: Write<'_>) {
        self.sequence += 1;
        let token = WriteToken { boot: self.boot, sequence: self.sequence };
        let mut group = Group::default();
        group.add(&Write { token, ..write });
        self.storage.commit(&mut group, &mut self.files).expect("the disk is sound");
    }

    fn append(&mut self, count: u64, bytes: u16, kind: u8, truncate_from: Option<LogIndex>) {
        self.leave_term_zero();
        let (term, first) = (self.hard_state().current_term, self.last().index.0 + 1);
        let entry = |index| Entry { term, index, payload: payload(kind, bytes, index, self.is_witness) };
        let entries: Vec<Entry> = (first..first + count).map(LogIndex).map(entry).collect();
        self.entries.extend(entries.iter().map(named));
        self.terms.extend(entries.iter().map(|entry| entry.term));
        self.commit(Write { truncate_from, entries: (&entries, &[]), ..nothing() });
    }

    /// Takes entries back, but none that a snapshot stands for: those are committed.
    fn truncate(&mut self, back: u8) {
        let free = self.last().index.0 - self.newest_snapshot().max(self.base.index).0;
        let gone = (u64::from(back % 8) + 1).min(free);
        if gone > 0 {
            self.terms.truncate(self.terms.len() - usize::try_from(gone).expect("logs are short"));
            self.vote(2);
            self.append(1, 10, back, Some(self.last().index.next()));
        }
    }

    fn newest_snapshot(&self) -> LogIndex {
        self.snapshots.iter().map(|id| id.last.index).max().unwrap_or_default()
    }

    /// Nothing is written in term 0.
    fn leave_term_zero(&mut self) {
        if self.hard_state().current_term == Term::ZERO {
            self.vote(1);
        }
    }

    fn restart(&mut self) {
        let (storage, recovered) = open(&mut self.files);
        assert_eq!(recovered.hard_state, self.hard_state(), "a sound disk keeps the hard state");
        assert_eq!(recovered.last_index, self.last().index, "a sound disk keeps the log");
        assert!(recovered.boot > self.boot && recovered.faulty.is_empty());
        (self.storage, self.boot, self.sequence) = (storage, recovered.boot, 0);
        self.compacted(recovered.base);
    }

    /// Where the log begins now.
    fn compacted(&mut self, base: LogPosition) {
        let gone = base.index.0 - self.base.index.0;
        self.terms.drain(..usize::try_from(gone).expect("logs are short"));
        self.base = base;
    }

    fn snapshot(&mut self, keep: u8, bytes: u16, compacts: bool) {
        let kept = usize::from(keep % 8).min(self.terms.len());
        let place = self.terms.len() - kept;
        let index = LogIndex(self.base.index.0 + place as u64);
        if place == 0 || index <= self.newest_snapshot() {
            return;
        }
        let last = LogPosition { term: self.terms[place - 1], index };
        let bytes = if self.is_witness { 0 } else { bytes };
        let files = &mut self.files;
        self.storage.begin_snapshot(last, files).expect("the disk is sound");
        self.storage.write_snapshot(&image(last, bytes.into()), files).expect("the disk is sound");
        let id = self.storage.finish_snapshot(files).expect("the disk is sound");
        assert_eq!(id, id_of(last, bytes.into()), "a snapshot is named after what it holds");
        self.snapshots.push(id);
        if compacts {
            self.commit(Write { compact_to: Some(last), ..nothing() });
        }
    }

    fn receive(&mut self, beyond: u8, bytes: u16) {
        if self.is_witness {
            return;
        }
        self.leave_term_zero();
        let beyond = u64::from(beyond % 8) + 1;
        let last = LogPosition { term: self.hard_state().current_term, index: self.last().index };
        let fresh = id_of(LogPosition { index: LogIndex(last.index.0 + beyond), ..last }, 9_000 + beyond);
        let id = *self.receiving.get_or_insert(fresh);
        self.promised.push(id);
        let here = match self.storage.received_snapshot() {
            Some((known, durable)) if known == id => durable,
            Some(_) | None => 0,
        };
        let end = (here + u64::from(bytes)).min(id.bytes);
        let piece = &image(id.last, end)[usize::try_from(here).expect("snapshots are short")..];
        self.storage.store_received(id, here, piece, &mut self.files).expect("the disk is sound");
    }

    fn install(&mut self) {
        let Some(id) = self.receiving.take() else { return };
        // Entries that came meanwhile are not thrown away for an older snapshot.
        if id.last.index <= self.last().index || id.last.term < self.last().term {
            return;
        }
        self.receiving = Some(id);
        self.receive(0, u16::MAX);
        self.receiving = None;
        let done = self.storage.finish_received(&mut self.files).expect("the disk is sound");
        assert_eq!(done, Ok(id), "what was received is what was promised");
        self.snapshots.push(id);
        self.commit(Write { reset_to: Some(id.last), ..nothing() });
        (self.base, self.terms) = (id.last, Vec::new());
    }
}

/// A write of nothing; a commit gives it its name.
fn nothing() -> Write<'static> {
    Write {
        token: WriteToken { boot: 0, sequence: 0 },
        hard_state: None,
        truncate_from: None,
        reset_to: None,
        compact_to: None,
        repairs: &[],
        entries: (&[], &[]),
    }
}

fn open(files: &mut Files) -> (Storage, Recovered) {
    Storage::open(files, IDENTITY, &options()).expect("nothing has happened to the disk")
}
