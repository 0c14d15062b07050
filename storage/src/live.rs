//! What is kept in memory of the log on disk: where each live entry's record is, and the runs of terms.

use squall_raft::{LogIndex, LogPosition, Term};

use crate::record::{Kind, Slot};

/// The log as its records say it is now.
#[derive(Clone, Default, Debug)]
pub(crate) struct Live {
    /// Of each entry in order, from index 1.
    places: Vec<Place>,
    /// The first entry of each run of entries of one term.
    terms: Vec<LogPosition>,
}

/// Where a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Which of the segments, counted from 0.
    pub(crate) segment: u32,
    /// How long the whole record is.
    pub(crate) record_bytes: u32,
    /// Where it begins in the file.
    pub(crate) offset: u64,
}

impl Live {
    pub(crate) fn last_index(&self) -> LogIndex {
        LogIndex(self.places.len() as u64)
    }

    pub(crate) fn terms(&self) -> &[LogPosition] {
        &self.terms
    }

    /// The last entry's name, or 0@0.
    pub(crate) fn last_position(&self) -> LogPosition {
        let run = self.terms.last();
        run.map_or(LogPosition::ZERO, |run| LogPosition { term: run.term, index: self.last_index() })
    }

    /// The name of the entry at `index`, where there is one.
    pub(crate) fn position(&self, index: LogIndex) -> Option<LogPosition> {
        self.term(index).map(|term| LogPosition { term, index })
    }

    /// The term of the entry at `index`, where there is one.
    pub(crate) fn term(&self, index: LogIndex) -> Option<Term> {
        if index == LogIndex::ZERO || index > self.last_index() {
            return None;
        }
        let following = self.terms.partition_point(|run| run.index <= index);
        following.checked_sub(1).map(|run| self.terms[run].term)
    }

    /// Where an entry of the log is.
    pub(crate) fn place(&self, index: LogIndex) -> Place {
        self.places[index.prev().0 as usize]
    }

    /// Does what a record says; where it does not follow what came before, says how.
    pub(crate) fn apply(&mut self, slot: &Slot, segment: u32) -> Result<(), &'static str> {
        let LogPosition { term, index } = slot.header.position;
        let last = self.last_position();
        match slot.header.kind {
            Kind::Truncate => {
                if index == LogIndex::ZERO || index > last.index.next() {
                    return Err("it truncates what is not there");
                }
                self.places.truncate(index.prev().0 as usize);
                let runs = self.terms.partition_point(|run| run.index < index);
                self.terms.truncate(runs);
            }
            Kind::Noop | Kind::Command => {
                if index != last.index.next() {
                    return Err("it does not follow the last entry");
                }
                if term < last.term {
                    return Err("its term is below that of the entry before");
                }
                if term > last.term || self.terms.is_empty() {
                    self.terms.push(slot.header.position);
                }
                let record_bytes = u32::try_from(slot.header.record_bytes()).map_err(|_| "it is too long")?;
                self.places.push(Place { segment, record_bytes, offset: slot.offset });
            }
        }
        Ok(())
    }
}
