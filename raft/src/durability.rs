//! What has been asked to be written, and what is durable.
//!
//! The core changes its state at once and asks for the write when the driver drains; what a message promises
//! is compared with what this ledger says is durable. A completion names its write by a token, and counts only
//! for this life of the node and for what has not been truncated since.

use alloc::collections::VecDeque;

use crate::{LogIndex, LogPosition, WriteToken};

/// Writes that may wait for the disk at one time.
const WRITES_IN_FLIGHT_MAX: usize = 1024;

/// The ledger of writes.
///
/// Invariant: `durable_index <= written_index`, and both are at most the log's last index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Ledger {
    boot: u64,
    /// The last write that was asked for, and the last reported durable.
    asked: u64,
    persisted: u64,
    in_flight: VecDeque<InFlight>,
    /// The write (asked for, or the next to be) that makes the present hard state durable.
    hard_state_sequence: u64,
    /// The log's last index as the last write leaves it.
    written_index: LogIndex,
    /// A truncation that no write carries yet.
    truncate_from: Option<LogIndex>,
    /// A new beginning of the log that no write carries yet, and up to where entries are no longer needed.
    reset_to: Option<LogPosition>,
    compact_to: Option<LogPosition>,
    durable_index: LogIndex,
    /// Entries behind this one are not durable, whatever the disk reports: the next one is faulty.
    sound_to: LogIndex,
}

/// A write that the disk has not reported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct InFlight {
    sequence: u64,
    /// Up to where the log is durable once this write is, as far as nothing was truncated since.
    durable_to: LogIndex,
    asked_at: u64,
}

/// What the next write has to carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Due {
    pub(crate) token: WriteToken,
    pub(crate) hard_state: bool,
    pub(crate) truncate_from: Option<LogIndex>,
    pub(crate) reset_to: Option<LogPosition>,
    pub(crate) compact_to: Option<LogPosition>,
    /// The first entry to write; all from there to the log's end are.
    pub(crate) first: LogIndex,
}

impl Ledger {
    /// All that was recovered is durable.
    pub(crate) fn new(boot: u64, last_index: LogIndex) -> Self {
        Self {
            boot,
            asked: 0,
            persisted: 0,
            in_flight: VecDeque::new(),
            hard_state_sequence: 0,
            written_index: last_index,
            truncate_from: None,
            reset_to: None,
            compact_to: None,
            durable_index: last_index,
            sound_to: LogIndex(u64::MAX),
        }
    }

    /// Which life of the node this is.
    pub(crate) fn boot(&self) -> u64 {
        self.boot
    }

    /// Up to where the log is durable, with the data of all its entries.
    pub(crate) fn durable_index(&self) -> LogIndex {
        self.durable_index.min(self.sound_to)
    }

    /// Up to where its names are.
    pub(crate) fn named_index(&self) -> LogIndex {
        self.durable_index
    }

    /// The entries up to here are whole, and the next one is not.
    pub(crate) fn set_sound_to(&mut self, index: LogIndex) {
        self.sound_to = index;
    }

    pub(crate) fn hard_state_is_durable(&self) -> bool {
        self.persisted >= self.hard_state_sequence
    }

    /// Whether another write may be asked for. While the disk hangs, what is due gathers for one write.
    pub(crate) fn takes_writes(&self) -> bool {
        self.in_flight.len() < WRITES_IN_FLIGHT_MAX
    }

    /// When the oldest write that the disk has not reported was asked for.
    pub(crate) fn waiting_since(&self) -> Option<u64> {
        self.in_flight.front().map(|write| write.asked_at)
    }

    /// The hard state changed: the next write carries it.
    pub(crate) fn hard_state_changed(&mut self) {
        self.hard_state_sequence = self.asked + 1;
    }

    /// The entries from `from` on are gone: completions of writes that carried them confirm no more than what
    /// stands before.
    pub(crate) fn truncated(&mut self, from: LogIndex) {
        let kept = from.prev();
        if self.written_index > kept {
            self.written_index = kept;
            self.truncate_from = Some(self.truncate_from.map_or(from, |earlier| earlier.min(from)));
        }
        self.durable_index = self.durable_index.min(kept);
        for write in &mut self.in_flight {
            write.durable_to = write.durable_to.min(kept);
        }
    }

    /// The log was discarded: a snapshot, which is durable, stands for all up to `base`. So all up to there is durable
    /// whether or not this write is: without it, recovery compares log and snapshot and comes to the same.
    pub(crate) fn reset(&mut self, base: LogPosition) {
        (self.written_index, self.durable_index) = (base.index, base.index);
        self.reset_to = Some(base);
        (self.truncate_from, self.compact_to) = (None, None);
        for write in &mut self.in_flight {
            write.durable_to = base.index;
        }
    }

    /// Entries up to `to` are no longer needed. The next write says so; none is made for it.
    pub(crate) fn compacted(&mut self, to: LogPosition) {
        assert!(to.index <= self.durable_index, "entry {to} is given up for a snapshot before it is durable");
        self.compact_to = Some(to);
    }

    /// Takes what the next write has to carry, where there is anything, given the log's last index, and whether data of
    /// faulty entries is to be written.
    pub(crate) fn take_due(&mut self, last_index: LogIndex, repairs_are_due: bool, now: u64) -> Option<Due> {
        let hard_state = self.hard_state_sequence > self.asked;
        let log_changed =
            self.reset_to.is_some() || self.truncate_from.is_some() || self.written_index != last_index;
        let nothing_is_due = !hard_state && !log_changed && !repairs_are_due;
        if nothing_is_due || !self.takes_writes() {
            return None;
        }
        assert!(self.written_index <= last_index, "a truncation was not entered in the ledger");
        self.asked += 1;
        self.in_flight.push_back(InFlight { sequence: self.asked, durable_to: last_index, asked_at: now });
        let due = Due {
            token: WriteToken { boot: self.boot, sequence: self.asked },
            hard_state,
            truncate_from: self.truncate_from.take(),
            reset_to: self.reset_to.take(),
            compact_to: self.compact_to.take(),
            first: self.written_index.next(),
        };
        self.written_index = last_index;
        Some(due)
    }

    /// A write, and all before it, is durable. Returns whether that was news.
    ///
    /// # Panics
    /// Where the driver reports a write of this life that was never asked for.
    pub(crate) fn persisted(&mut self, token: WriteToken) -> bool {
        if token.boot != self.boot || token.sequence <= self.persisted {
            return false;
        }
        assert!(
            token.sequence <= self.asked,
            "write {} is reported durable, but {} is the last that was asked for",
            token.sequence,
            self.asked
        );
        self.persisted = token.sequence;
        while let Some(write) = self.in_flight.front() {
            if write.sequence > token.sequence {
                break;
            }
            self.durable_index = self.durable_index.max(write.durable_to);
            self.in_flight.pop_front();
        }
        assert!(self.durable_index <= self.written_index, "more is durable than was written");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(sequence: u64) -> WriteToken {
        WriteToken { boot: 7, sequence }
    }

    fn ledger() -> Ledger {
        Ledger::new(7, LogIndex(10))
    }

    #[test]
    fn nothing_is_due_until_something_changes() {
        let mut ledger = ledger();
        assert_eq!(ledger.take_due(LogIndex(10), false, 0), None);
        ledger.hard_state_changed();
        assert!(!ledger.hard_state_is_durable());
        let due = ledger.take_due(LogIndex(12), false, 0).expect("a hard state and two entries");
        assert_eq!((due.token, due.hard_state, due.first), (token(1), true, LogIndex(11)));
        assert_eq!(ledger.take_due(LogIndex(12), false, 0), None);
        assert!(ledger.persisted(token(1)));
        assert!(ledger.hard_state_is_durable());
        assert_eq!(ledger.durable_index(), LogIndex(12));
    }

    /// A write under way, the log truncated and grown again to the same length, then the old completion: it
    /// must not confirm the new entries (the ABA of asynchronous writes).
    #[test]
    fn a_late_completion_does_not_confirm_what_was_overwritten() {
        let mut ledger = ledger();
        ledger.take_due(LogIndex(15), false, 0).expect("entries 11 to 15");
        ledger.truncated(LogIndex(13));
        let due = ledger.take_due(LogIndex(15), false, 0).expect("new entries 13 to 15");
        assert_eq!((due.truncate_from, due.first), (Some(LogIndex(13)), LogIndex(13)));
        ledger.persisted(token(1));
        assert_eq!(ledger.durable_index(), LogIndex(12));
        ledger.persisted(token(2));
        assert_eq!(ledger.durable_index(), LogIndex(15));
    }

    #[test]
    fn entries_that_were_never_written_need_no_truncation_on_disk() {
        let mut ledger = ledger();
        ledger.truncated(LogIndex(11));
        assert_eq!(ledger.take_due(LogIndex(10), false, 0), None);
        ledger.truncated(LogIndex(9));
        ledger.truncated(LogIndex(10));
        let due = ledger.take_due(LogIndex(9), false, 0).expect("a truncation");
        assert_eq!((due.truncate_from, due.first), (Some(LogIndex(9)), LogIndex(9)));
        assert_eq!(ledger.durable_index(), LogIndex(8), "entry 9 is a new one, and not yet on disk");
    }

    #[test]
    fn a_reset_is_written_once_and_old_writes_confirm_nothing_behind_it() {
        let mut ledger = ledger();
        ledger.take_due(LogIndex(15), false, 0).expect("entries 11 to 15");
        ledger.truncated(LogIndex(12));
        ledger.reset(LogPosition::new(3, 13));
        assert_eq!(ledger.durable_index(), LogIndex(13), "the snapshot is");
        let due = ledger.take_due(LogIndex(14), false, 0).expect("a reset, and an entry after it");
        assert_eq!((due.reset_to, due.truncate_from), (Some(LogPosition::new(3, 13)), None));
        assert_eq!(due.first, LogIndex(14));
        ledger.persisted(token(1));
        assert_eq!(ledger.durable_index(), LogIndex(13));
        ledger.persisted(token(2));
        assert_eq!(ledger.durable_index(), LogIndex(14));
        assert_eq!(ledger.take_due(LogIndex(14), false, 0), None);
    }

    #[test]
    fn a_compaction_waits_for_a_write_that_is_made_anyway() {
        let mut ledger = ledger();
        ledger.compacted(LogPosition::new(1, 7));
        assert_eq!(ledger.take_due(LogIndex(10), false, 0), None);
        let due = ledger.take_due(LogIndex(11), false, 0).expect("an entry");
        assert_eq!(due.compact_to, Some(LogPosition::new(1, 7)));
    }

    #[test]
    fn while_the_disk_hangs_what_is_due_gathers_for_one_write() {
        let mut ledger = ledger();
        for last in 0..WRITES_IN_FLIGHT_MAX as u64 {
            ledger.take_due(LogIndex(11 + last), false, 0).expect("one more entry");
        }
        ledger.hard_state_changed();
        let last = LogIndex(20 + WRITES_IN_FLIGHT_MAX as u64);
        assert_eq!(ledger.take_due(last, false, 0), None);
        ledger.persisted(token(1));
        let due = ledger.take_due(last, false, 0).expect("all that has gathered");
        assert_eq!((due.hard_state, due.first), (true, LogIndex(11 + WRITES_IN_FLIGHT_MAX as u64)));
    }

    #[test]
    fn a_completion_from_an_earlier_life_is_no_news() {
        let mut ledger = ledger();
        ledger.take_due(LogIndex(12), false, 0).expect("two entries");
        assert!(!ledger.persisted(WriteToken { boot: 6, sequence: 1 }));
        assert_eq!(ledger.durable_index(), LogIndex(10));
    }
}
