//! The specification's log, and the disk under it: what is written, what is durable, and what a crash may leave.
//!
//! A disk is a sure state and a queue of operations that may or may not have reached it. Operations on the log
//! take effect in order, so a crash leaves the sure state and some prefix of the queue; the hard state is a
//! record of its own, and is any of the queued ones or the sure one.

use std::collections::VecDeque;

use squall_raft::{HardState, LogIndex, LogPosition, Term};

/// The log in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
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
}

/// The disk below one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) hard_state: HardState,
    /// The terms of the log that is surely there.
    terms: Vec<Term>,
    queue: VecDeque<Operation>,
    /// For each write under way its sequence, and how many operations there were when it was asked for.
    writes: VecDeque<(u64, u64)>,
    /// Operations of this life: all, and those that are durable.
    asked: u64,
    done: u64,
    /// The last write that was asked for, in this life.
    last_sequence: u64,
}

fn place(index: LogIndex) -> Option<usize> {
    usize::try_from(index.0.checked_sub(1)?).ok()
}

impl Log {
    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.entries.len() as u64)
    }

    pub(super) fn last(&self) -> LogPosition {
        let term = self.entries.last().map_or(Term::ZERO, |entry| entry.term);
        LogPosition { term, index: self.last_index() }
    }

    pub(super) fn term_at(&self, index: LogIndex) -> Option<Term> {
        if index == LogIndex::ZERO {
            return Some(Term::ZERO);
        }
        self.entries.get(place(index)?).map(|entry| entry.term)
    }

    pub(super) fn holds(&self, position: LogPosition) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    pub(super) fn truncate(&mut self, from: LogIndex) {
        self.entries.truncate(place(from).unwrap_or(0));
    }

    /// Takes an entry at the end; `operation` is what wrote it, 0 for what was recovered.
    pub(super) fn append(&mut self, term: Term, operation: u64) {
        self.entries.push(Written { term, operation });
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Moves an index up to where the log is durable. Entries were written in log order, so that it stops at
    /// the first that is not.
    pub(super) fn durable_from(&self, mut durable_index: LogIndex, disk: &Disk) -> LogIndex {
        while let Some(entry) = self.entries.get(durable_index.0 as usize)
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
            Operation::Truncate(from) => self.terms.truncate(place(from).unwrap_or(0)),
            Operation::Append(term) => self.terms.push(term),
        }
    }

    /// Whether a crash may have left this hard state.
    pub(super) fn may_leave_hard_state(&self, hard_state: HardState) -> bool {
        self.hard_state == hard_state || self.queue.contains(&Operation::HardState(hard_state))
    }

    /// Whether a crash may have left this log: tries the sure state, and it after each queued operation.
    pub(super) fn may_leave_log(&self, log: &Log) -> bool {
        let recovered = |place: usize| log.entries.get(place).map(|entry| entry.term);
        let mut terms = self.terms.clone();
        // How far the log tried so far agrees with the recovered one.
        let mut common =
            (0..terms.len()).take_while(|place| recovered(*place) == Some(terms[*place])).count();
        let matches = |common: usize, len: usize| common == len && len == log.entries.len();
        if matches(common, terms.len()) {
            return true;
        }
        for operation in &self.queue {
            match operation {
                Operation::HardState(_) => continue,
                Operation::Truncate(from) => terms.truncate(place(*from).unwrap_or(0)),
                Operation::Append(term) => {
                    if common == terms.len() && recovered(common) == Some(*term) {
                        common += 1;
                    }
                    terms.push(*term);
                }
            }
            common = common.min(terms.len());
            if matches(common, terms.len()) {
                return true;
            }
        }
        false
    }

    /// A new life begins with what was recovered, and all of it is durable.
    pub(super) fn restart(&mut self, hard_state: HardState, log: &Log) {
        self.hard_state = hard_state;
        self.terms.clear();
        self.terms.extend(log.entries.iter().map(|entry| entry.term));
        self.queue.clear();
        self.writes.clear();
        (self.asked, self.done, self.last_sequence) = (0, 0, 0);
    }
}
