//! What is kept in memory of the log on disk: where each live entry's record is, the runs of terms, and where
//! configurations stand.
//!
//! It can be rebuilt from any segment on: what a segment's header and its records do not tell of the entries before
//! is not needed of them.

use std::collections::BTreeMap;

use squall_raft::{Entry, Faulty, LogIndex, LogPosition, Payload, Term};

use crate::group::Operation;
use crate::places::{Place, Places};
use crate::record::{Kind, Record};
use crate::slot::Slot;

/// The log as its records say it is now.
#[derive(Clone, Default, Debug)]
pub(crate) struct Live {
    /// The entry before the first, or 0@0.
    base: LogPosition,
    /// Of each entry in order, from the one after `base`.
    places: Places,
    /// The first entry of each run of entries of one term, after `base`.
    terms: Vec<LogPosition>,
    /// The entries that hold a configuration, in order.
    configurations: Vec<LogIndex>,
    /// The entries of which only the name is known.
    faulty: BTreeMap<LogIndex, Faulty>,
    /// Where the data is of entries that were lost and written again.
    repaired: BTreeMap<LogIndex, Place>,
    /// Entries of which the slot says all, where the record cannot be read.
    in_slot: BTreeMap<LogIndex, Entry>,
    /// Some entry was ever withheld.
    is_withheld: bool,
}

impl Live {
    /// The empty log after this entry.
    pub(crate) fn after(base: LogPosition) -> Self {
        Self { base, ..Self::default() }
    }

    pub(crate) fn base(&self) -> LogPosition {
        self.base
    }

    pub(crate) fn first_index(&self) -> LogIndex {
        self.base.index.next()
    }

    pub(crate) fn last_index(&self) -> LogIndex {
        LogIndex(self.base.index.0 + self.places.len() as u64)
    }

    pub(crate) fn terms(&self) -> &[LogPosition] {
        &self.terms
    }

    pub(crate) fn configurations(&self) -> &[LogIndex] {
        &self.configurations
    }

    /// The entries of which only the name is known, in order.
    pub(crate) fn faulty(&self) -> impl DoubleEndedIterator<Item = Faulty> {
        self.faulty.values().copied()
    }

    /// The first of them at `index` or behind it.
    pub(crate) fn next_faulty(&self, index: LogIndex) -> Option<LogIndex> {
        self.faulty.range(index..).next().map(|(index, _)| *index)
    }

    /// The first entry at `index` or behind it of which the slot says all, for the record cannot be read.
    pub(crate) fn next_in_slot(&self, index: LogIndex) -> Option<&Entry> {
        self.in_slot.range(index..).next().map(|(_, entry)| entry)
    }

    /// Whether the disk is a witness's: some record that was read is of an entry without its data, though it be gone from the log.
    pub(crate) fn is_withheld(&self) -> bool {
        self.is_withheld
    }

    /// The last entry's name, or that of the base.
    pub(crate) fn last_position(&self) -> LogPosition {
        let run = self.terms.last();
        run.map_or(self.base, |run| LogPosition { term: run.term, index: self.last_index() })
    }

    /// The name of the entry at `index`, where there is one.
    pub(crate) fn position(&self, index: LogIndex) -> Option<LogPosition> {
        self.term(index).map(|term| LogPosition { term, index })
    }

    /// The term of the entry at `index`, which is the base's or one after it.
    pub(crate) fn term(&self, index: LogIndex) -> Option<Term> {
        if index < self.base.index || index > self.last_index() {
            return None;
        }
        let following = self.terms.partition_point(|run| run.index <= index);
        Some(following.checked_sub(1).map_or(self.base.term, |run| self.terms[run].term))
    }

    /// Where an entry of the log is.
    pub(crate) fn place(&self, index: LogIndex) -> Place {
        self.repaired.get(&index).copied().unwrap_or_else(|| self.first_place(index))
    }

    /// Where an entry was first written, whatever became of that.
    fn first_place(&self, index: LogIndex) -> Place {
        self.places.get((index.0 - self.first_index().0) as usize)
    }

    /// Of which entry the record of an operation tells that is done next; where it does not follow what came before, how.
    pub(crate) fn describe(&self, operation: &Operation) -> Result<LogPosition, &'static str> {
        match operation {
            Operation::Append(entry) => Ok(entry.position()),
            Operation::Repair(entry) => match entry.payload {
                Payload::Command(_) if !self.faulty.contains_key(&entry.index) => {
                    Err("it repairs what is not lost")
                }
                Payload::Command(_) => Ok(entry.position()),
                Payload::Noop | Payload::Configuration(_) | Payload::Withheld => {
                    Err("only commands lose their data")
                }
            },
            Operation::Truncate(from) => {
                let last = from.0.checked_sub(1).and_then(|last| self.term(LogIndex(last)));
                let term = last.ok_or("it truncates what is not there")?;
                Ok(LogPosition { term, index: *from })
            }
            Operation::Reset(base) if base.index <= self.base.index => {
                Err("it resets the log to what is gone")
            }
            Operation::Reset(base) => Ok(*base),
        }
    }

    /// Does what a record says; where it does not follow what came before, says how.
    pub(crate) fn apply(&mut self, slot: &Slot, segment: u32) -> Result<(), &'static str> {
        let position = slot.header.position;
        let LogPosition { term, index } = position;
        let last = self.last_position();
        match slot.header.kind {
            Kind::Truncate => {
                if index == LogIndex::ZERO || index > last.index.next() {
                    return Err("it truncates what is not there");
                }
                return self.truncate_after(LogPosition { term, index: index.prev() });
            }
            Kind::Reset => {
                *self = Self { is_withheld: self.is_withheld, ..Self::after(slot.header.position) };
            }
            Kind::Repaired | Kind::Lost { .. } if index <= last.index => {
                return self.repair(slot, segment);
            }
            Kind::Repaired => return Err("it repairs what is not there"),
            Kind::Noop | Kind::Command | Kind::Configuration | Kind::Withheld | Kind::Lost { .. } => {
                if index != last.index.next() {
                    return Err("it does not follow the last entry");
                }
                if term < last.term {
                    return Err("its term is below that of the entry before");
                }
                if term > last.term || self.terms.is_empty() {
                    self.terms.push(slot.header.position);
                }
                if slot.header.kind == Kind::Configuration {
                    self.configurations.push(index);
                }
                self.is_withheld |= slot.header.kind == Kind::Withheld;
                self.places.push(Place::of(slot, segment)?);
                self.note_faulty(slot);
                if !slot.has_record
                    && let Some(entry) = Record::of_slot(slot).into_entry()
                {
                    self.in_slot.insert(index, entry);
                }
            }
        }
        Ok(())
    }

    /// Takes the data of an entry that was lost; or learns that this record of it is lost, too. What a disk could not read
    /// once, and can again, needs neither: then both are the same. Where the log is read from a later segment on than that
    /// entry stands in, it is of no use.
    fn repair(&mut self, slot: &Slot, segment: u32) -> Result<(), &'static str> {
        let LogPosition { term, index } = slot.header.position;
        if index <= self.base.index {
            return Ok(());
        }
        if self.term(index) != Some(term) {
            return Err("it repairs another entry");
        }
        if slot.header.kind == Kind::Repaired {
            self.faulty.remove(&index);
            self.repaired.insert(index, Place::of(slot, segment)?);
        } else if self.faulty.contains_key(&index) {
            self.note_faulty(slot);
        }
        Ok(())
    }

    fn note_faulty(&mut self, slot: &Slot) {
        if let Kind::Lost { is_doubtful } = slot.header.kind {
            let index = slot.header.position.index;
            self.faulty.insert(index, Faulty { index, is_doubtful });
        }
    }

    /// Removes what follows `last`. Where the log is read from a later segment on than that entry stands in, nothing
    /// of it is known but its name.
    fn truncate_after(&mut self, last: LogPosition) -> Result<(), &'static str> {
        if last.index < self.base.index {
            *self = Self { is_withheld: self.is_withheld, ..Self::after(last) };
        } else if self.term(last.index) != Some(last.term) {
            return Err("it truncates another log");
        } else {
            self.places.truncate((last.index.0 - self.base.index.0) as usize);
            self.terms.truncate(self.terms.partition_point(|run| run.index <= last.index));
            let kept = self.configurations.partition_point(|entry| *entry <= last.index);
            self.configurations.truncate(kept);
            self.faulty.split_off(&last.index.next());
            self.repaired.split_off(&last.index.next());
            self.in_slot.split_off(&last.index.next());
        }
        Ok(())
    }

    /// The base as it will be when these records are applied, too.
    pub(crate) fn base_after(&self, group: &[Slot]) -> LogPosition {
        group.iter().fold(self.base, |base, slot| {
            let LogPosition { term, index } = slot.header.position;
            match slot.header.kind {
                Kind::Reset => slot.header.position,
                Kind::Truncate if index <= base.index => {
                    LogPosition { term, index: LogIndex(index.0.saturating_sub(1)) }
                }
                Kind::Truncate
                | Kind::Noop
                | Kind::Command
                | Kind::Configuration
                | Kind::Withheld
                | Kind::Lost { .. }
                | Kind::Repaired => base,
            }
        })
    }

    /// The name of the entry at `index` as it will be then, where there will be one.
    pub(crate) fn position_after(&self, group: &[Slot], index: LogIndex) -> Option<LogPosition> {
        for slot in group.iter().rev() {
            let position = slot.header.position;
            match slot.header.kind {
                Kind::Reset => return Some(position).filter(|base| base.index == index),
                Kind::Truncate if position.index <= index => return None,
                Kind::Truncate if position.index == index.next() => {
                    return Some(LogPosition { term: position.term, index });
                }
                Kind::Truncate => {}
                Kind::Noop
                | Kind::Command
                | Kind::Configuration
                | Kind::Withheld
                | Kind::Lost { .. }
                | Kind::Repaired => {
                    if position.index == index {
                        return Some(position);
                    }
                }
            }
        }
        self.position(index)
    }

    /// The segment of the first entry behind `index`, if there is one.
    pub(crate) fn segment_after(&self, index: LogIndex) -> Option<u32> {
        let next = index.max(self.base.index).next();
        (next <= self.last_index()).then(|| self.first_place(next).segment)
    }

    /// Forgets the entries in segments before this one. They are the first of the log: of two entries, the one that
    /// stands further back was written later.
    pub(crate) fn forget_before(&mut self, segment: u32) {
        let gone = self.places.count_before(segment);
        let base = LogIndex(self.base.index.0 + gone as u64);
        self.base = self.position(base).expect("the base, or an entry after it");
        self.places.forget_first(gone);
        // The run to which the first entry left belongs begins with it now.
        let before = self.terms.partition_point(|run| run.index <= base.next());
        if let Some(run) = before.checked_sub(1).filter(|_| !self.places.is_empty()) {
            self.terms[run].index = base.next();
        }
        let dropped = self.terms.partition_point(|run| run.index <= base);
        self.terms.drain(..dropped);
        let dropped = self.configurations.partition_point(|entry| *entry <= base);
        self.configurations.drain(..dropped);
        self.faulty = self.faulty.split_off(&base.next());
        self.repaired = self.repaired.split_off(&base.next());
        self.in_slot = self.in_slot.split_off(&base.next());
    }
}
