//! The specification's log, and the disk under it: what is written, what is durable, and what a crash may leave.
//!
//! A disk is a sure state and a queue of operations that may or may not have reached it. Operations on the log
//! take effect in order, so a crash leaves the sure state and some prefix of the queue; the hard state is a
//! record of its own, and is any of the queued ones or the sure one.

use std::collections::{BTreeSet, VecDeque};

use squall_raft::{HardState, LogIndex, LogPosition, Term};

/// The log in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// The entry before the first; a snapshot stands for all up to it.
    base: LogPosition,
    entries: Vec<Written>,
}

/// An entry, and the operation that wrote it.
#[derive(Clone, Copy, Debug)]
struct Written {
    term: Term,
    operation: u64,
}

/// One operation of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    HardState(HardState),
    Truncate(LogIndex),
    Append(Term),
    Reset(LogPosition),
    Repair(LogIndex),
}

/// The number of no operation: what it wrote is not durable.
const NEVER: u64 = u64::MAX;

/// The disk below one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) hard_state: HardState,
    /// The log that is surely there: the entry before its first, and the terms from there on.
    base: LogPosition,
    terms: Vec<Term>,
    /// Of these the data is surely not there.
    lost: BTreeSet<LogIndex>,
    /// Entries up to here need not be there.
    compact_to: LogIndex,
    queue: VecDeque<Operation>,
    /// For each write under way its sequence, and how many operations there were when it was asked for.
    writes: VecDeque<(u64, u64)>,
    /// Operations of this life: all, and those that are durable.
    asked: u64,
    done: u64,
    /// The last write that was asked for, in this life.
    last_sequence: u64,
}

/// Where an entry stands in a log that begins after `base`.
fn place(base: LogPosition, index: LogIndex) -> Option<usize> {
    usize::try_from(index.0.checked_sub(base.index.0 + 1)?).ok()
}

impl Log {
    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.base.index.0 + self.entries.len() as u64)
    }

    pub(super) fn last(&self) -> LogPosition {
        let term = self.entries.last().map_or(self.base.term, |entry| entry.term);
        LogPosition { term, index: self.last_index() }
    }

    pub(super) fn term_at(&self, index: LogIndex) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.entries.get(place(self.base, index)?).map(|entry| entry.term)
    }

    pub(super) fn holds(&self, position: LogPosition) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    /// Whether the entry is there, or was before it was compacted: then it is committed, and any leader has it.
    pub(super) fn agrees_with(&self, position: LogPosition) -> bool {
        position.index < self.base.index || self.holds(position)
    }

    pub(super) fn base(&self) -> LogPosition {
        self.base
    }

    pub(super) fn truncate(&mut self, from: LogIndex) {
        self.entries.truncate(place(self.base, from).unwrap_or(0));
    }

    /// Forgets the entries up to `base`, which it holds.
    pub(super) fn compact(&mut self, base: LogPosition) {
        self.entries.drain(..place(self.base, base.index).map_or(0, |place| place + 1));
        self.base = base;
    }

    /// Takes an entry at the end; `operation` is what wrote it, 0 for what was recovered.
    pub(super) fn append(&mut self, term: Term, operation: u64) {
        self.entries.push(Written { term, operation });
    }

    /// Takes an entry without its data at the end.
    pub(super) fn append_lost(&mut self, term: Term) {
        self.append(term, NEVER);
    }

    /// Whether an entry, or one that takes its place, is durable with its data; what was compacted is.
    pub(super) fn is_durable(&self, index: LogIndex, disk: &Disk) -> bool {
        let entry = place(self.base, index).and_then(|place| self.entries.get(place));
        entry.is_none_or(|entry| entry.operation <= disk.done)
    }

    /// The data of an entry comes back with this operation; 0 where it is not missed any more.
    pub(super) fn repair(&mut self, index: LogIndex, operation: u64) {
        if let Some(entry) = place(self.base, index).and_then(|place| self.entries.get_mut(place)) {
            entry.operation = operation;
        }
    }

    /// Begins anew after `base`.
    pub(super) fn reset(&mut self, base: LogPosition) {
        self.base = base;
        self.entries.clear();
    }

    /// Moves an index up to where the log is durable. Entries were written in log order, so that it stops at
    /// the first that is not.
    pub(super) fn durable_from(&self, mut durable_index: LogIndex, disk: &Disk) -> LogIndex {
        while let Some(entry) =
            place(self.base, durable_index.next()).and_then(|place| self.entries.get(place))
            && entry.operation <= disk.done
        {
            durable_index = durable_index.next();
        }
        durable_index
    }
}

impl Disk {
    pub(super) fn write_hard_state(&mut self, hard_state: HardState) {
        self.ask(Operation::HardState(hard_state));
    }

    pub(super) fn truncate(&mut self, from: LogIndex) {
        self.ask(Operation::Truncate(from));
    }

    /// Returns the operation's number.
    pub(super) fn append(&mut self, term: Term) -> u64 {
        self.ask(Operation::Append(term));
        self.asked
    }

    pub(super) fn reset(&mut self, base: LogPosition) {
        self.ask(Operation::Reset(base));
    }

    /// Returns the operation's number.
    pub(super) fn repair(&mut self, index: LogIndex) -> u64 {
        self.ask(Operation::Repair(index));
        self.asked
    }

    /// Entries up to `to` may go, now or later.
    pub(super) fn compact(&mut self, to: LogIndex) {
        self.compact_to = self.compact_to.max(to);
    }

    fn ask(&mut self, operation: Operation) {
        self.queue.push_back(operation);
        self.asked += 1;
    }

    /// What was asked for since the last write is one write.
    pub(super) fn issue(&mut self, sequence: u64) {
        self.last_sequence = sequence;
        self.writes.push_back((sequence, self.asked));
    }

    /// The write and all before it are durable. Returns whether it had been asked for.
    pub(super) fn complete(&mut self, sequence: u64) -> bool {
        while let Some((issued, operations)) = self.writes.front().copied() {
            if issued > sequence {
                break;
            }
            self.writes.pop_front();
            while self.done < operations {
                let operation = self.queue.pop_front().expect("each operation that is not done is queued");
                self.carry_out(operation);
            }
        }
        sequence <= self.last_sequence
    }

    fn carry_out(&mut self, operation: Operation) {
        self.done += 1;
        match operation {
            Operation::HardState(hard_state) => self.hard_state = hard_state,
            Operation::Truncate(from) => {
                self.terms.truncate(place(self.base, from).unwrap_or(0));
                self.lost.split_off(&from);
            }
            Operation::Append(term) => self.terms.push(term),
            Operation::Reset(base) => {
                self.base = base;
                self.terms.clear();
                self.lost.clear();
            }
            Operation::Repair(index) => {
                self.lost.remove(&index);
            }
        }
    }

    /// Whether a crash may have left this hard state.
    pub(super) fn may_leave_hard_state(&self, hard_state: HardState) -> bool {
        self.hard_state == hard_state || self.queue.contains(&Operation::HardState(hard_state))
    }

    /// Whether a crash may have left this log: tries the sure state, and it after each queued operation.
    pub(super) fn may_leave_log(&self, log: &Log) -> bool {
        let mut tried = Tried { base: self.base, terms: self.terms.clone(), common: 0 };
        tried.extend(log);
        if tried.is(log, self.compact_to) {
            return true;
        }
        for operation in &self.queue {
            match operation {
                Operation::HardState(_) | Operation::Repair(_) => continue,
                Operation::Truncate(from) => tried.terms.truncate(place(tried.base, *from).unwrap_or(0)),
                Operation::Append(term) => tried.terms.push(*term),
                Operation::Reset(base) => tried = Tried { base: *base, terms: Vec::new(), common: 0 },
            }
            tried.common = tried.common.min(tried.terms.len());
            tried.extend(log);
            if tried.is(log, self.compact_to) {
                return true;
            }
        }
        false
    }

    /// Whether a crash may have left the name of this entry without its data: it was lost before, or it was not surely
    /// there.
    pub(super) fn may_lose(&self, position: LogPosition) -> bool {
        !self.surely_names(position) || self.lost.contains(&position.index)
    }

    /// Whether a crash may have left this entry whole: it was not lost, or was being written again.
    pub(super) fn may_keep(&self, position: LogPosition) -> bool {
        let is_rewritten = |operation: &Operation| match *operation {
            Operation::Repair(index) => index == position.index,
            Operation::Truncate(from) => from <= position.index,
            Operation::Reset(_) => true,
            Operation::HardState(_) | Operation::Append(_) => false,
        };
        let is_lost = self.surely_names(position) && self.lost.contains(&position.index);
        !is_lost || self.queue.iter().any(is_rewritten)
    }

    fn surely_names(&self, position: LogPosition) -> bool {
        place(self.base, position.index).and_then(|place| self.terms.get(place)) == Some(&position.term)
    }

    /// A new life begins with what was recovered, and all of it is durable, but for the data of what was lost.
    pub(super) fn restart(&mut self, hard_state: HardState, log: &Log, lost: BTreeSet<LogIndex>) {
        self.lost = lost;
        self.hard_state = hard_state;
        self.base = log.base;
        self.terms.clear();
        self.terms.extend(log.entries.iter().map(|entry| entry.term));
        self.queue.clear();
        self.writes.clear();
        (self.asked, self.done, self.last_sequence) = (0, 0, 0);
    }
}

/// A log that a crash may have left, and how far it agrees with the one that was recovered.
struct Tried {
    base: LogPosition,
    terms: Vec<Term>,
    /// So many of the terms agree.
    common: usize,
}

impl Tried {
    /// Compares further, as far as they agree. What the other has compacted is anything.
    fn extend(&mut self, recovered: &Log) {
        while let Some(term) = self.terms.get(self.common) {
            let index = LogIndex(self.base.index.0 + self.common as u64 + 1);
            if !recovered.agrees_with(LogPosition { term: *term, index }) {
                return;
            }
            self.common += 1;
        }
    }

    /// Whether it is the recovered log, of which entries up to `compact_to` may be missing.
    fn is(&self, recovered: &Log, compact_to: LogIndex) -> bool {
        let begins = recovered.base == self.base
            || (self.base.index < recovered.base.index && recovered.base.index <= compact_to);
        let last = LogIndex(self.base.index.0 + self.terms.len() as u64);
        begins && self.common == self.terms.len() && last == recovered.last_index()
    }
}
