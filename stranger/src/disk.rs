//! What waits for the disk: the writes that the crate asked for, and the messages that must not leave before them
//! ([`Ready::persisted_messages`](raft::Ready::persisted_messages)).
//!
//! A `Ready` that writes nothing stands in the same line: what it says may rest on those before it.

use std::collections::VecDeque;

use raft::eraftpb::{Entry, HardState, Message};
use squall_raft::{LogIndex, Payload, Term, Write, WriteToken};
use squall_storage::Group;

use crate::messages::node_id;

/// All that waits, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The writes of the next sync group.
    pub(crate) group: Group,
    waiting: VecDeque<Waiting>,
    /// The last `Ready` that came.
    last: u64,
    /// The last write of the group that is durable.
    durable: u64,
    durable_index: LogIndex,
}

/// One `Ready`.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its number.
    pub(crate) number: u64,
    /// The sender's term, and what it says once this is durable.
    pub(crate) term: Term,
    pub(crate) messages: Vec<Message>,
    /// Where the log ends with it, where it is a write.
    writes_to: Option<LogIndex>,
    /// From where on it took entries back.
    truncated_from: Option<LogIndex>,
}

/// What a `Ready` wants written.
pub(crate) struct Batch<'a> {
    pub(crate) token: WriteToken,
    /// Where term or vote changed.
    pub(crate) hard_state: Option<squall_raft::HardState>,
    pub(crate) truncate_from: Option<LogIndex>,
    pub(crate) reset_to: Option<squall_raft::LogPosition>,
    pub(crate) entries: &'a [squall_raft::Entry],
    /// Where the log ends with it.
    pub(crate) last_index: LogIndex,
}

impl Line {
    pub(crate) fn new(durable_index: LogIndex) -> Self {
        Self { durable_index, ..Self::default() }
    }

    /// Up to where the log is durable as it stands now.
    pub(crate) fn durable_index(&self) -> LogIndex {
        self.durable_index
    }

    /// The number of the last `Ready` that came.
    pub(crate) fn last_number(&self) -> u64 {
        self.last
    }

    /// A `Ready` takes its place in the line.
    pub(crate) fn add(&mut self, batch: &Batch<'_>, term: Term, messages: Vec<Message>) {
        let Batch { token, hard_state, truncate_from, reset_to, entries, last_index } = *batch;
        self.last = token.sequence;
        let from_reset = reset_to.map(|base| base.index.next());
        let truncated_from = truncate_from.or(from_reset);
        let writes = hard_state.is_some() || truncated_from.is_some() || !entries.is_empty();
        if writes {
            let (compact_to, repairs) = (None, &[][..]);
            self.group.add(&Write {
                token,
                hard_state,
                truncate_from,
                reset_to,
                compact_to,
                repairs,
                entries: (entries, &[]),
            });
        }
        if let Some(from) = truncated_from {
            self.durable_index = self.durable_index.min(LogIndex(from.0.saturating_sub(1)));
        }
        let writes_to = writes.then_some(last_index);
        self.waiting.push_back(Waiting { number: token.sequence, term, messages, writes_to, truncated_from });
    }

    /// The writes up to this one are durable.
    pub(crate) fn persisted(&mut self, sequence: u64) {
        self.durable = sequence;
        let of_group = self.waiting.iter().filter(|waiting| waiting.number <= sequence);
        let Some(last_index) = of_group.filter_map(|waiting| waiting.writes_to).next_back() else { return };
        self.durable_index = last_index.min(self.standing_behind(sequence));
    }

    /// Up to where what the log held when this `Ready` came has not been taken back since.
    pub(crate) fn standing_behind(&self, number: u64) -> LogIndex {
        let later = self.waiting.iter().filter(|waiting| waiting.number > number);
        let from = later.filter_map(|waiting| waiting.truncated_from).min();
        from.map_or(LogIndex(u64::MAX), |from| LogIndex(from.0.saturating_sub(1)))
    }

    /// The next that waits for nothing any more.
    pub(crate) fn release(&mut self) -> Option<Waiting> {
        let first = self.waiting.front()?;
        let is_free = first.number <= self.durable || first.writes_to.is_none();
        if is_free { self.waiting.pop_front() } else { None }
    }
}

/// An entry as Squall's storage keeps it: one without data is what a leader begins with.
pub(crate) fn to_stored(entry: &Entry) -> squall_raft::Entry {
    let payload = if entry.data.is_empty() { Payload::Noop } else { Payload::Command(entry.data.clone()) };
    squall_raft::Entry { term: Term(entry.term), index: LogIndex(entry.index), payload }
}

/// The entry that storage kept.
///
/// # Errors
/// Where it is none that this adapter wrote.
pub(crate) fn from_stored(entry: &squall_raft::Entry) -> Result<Entry, String> {
    let mut restored = Entry { term: entry.term.0, index: entry.index.0, ..Entry::default() };
    match &entry.payload {
        Payload::Noop => {}
        Payload::Command(data) => restored.data = data.clone(),
        Payload::Configuration(_) | Payload::Withheld => {
            return Err(format!("{} is no entry that this adapter wrote", entry.position()));
        }
    }
    Ok(restored)
}

/// Term and vote as Squall's storage keeps them. The commit index is not kept: it may be lost at any time.
pub(crate) fn hard_state_to_stored(hard_state: &HardState) -> squall_raft::HardState {
    squall_raft::HardState {
        current_term: Term(hard_state.term),
        voted_for: node_id(hard_state.vote),
        longest_promise: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u64, index: u64) -> squall_raft::Entry {
        squall_raft::Entry { term: Term(term), index: LogIndex(index), payload: Payload::Noop }
    }

    /// The `Ready` of this number, which writes these entries, and has something to say.
    fn add(line: &mut Line, sequence: u64, truncate_from: Option<u64>, entries: &[squall_raft::Entry]) {
        let last_index = entries.last().map_or(LogIndex(0), |entry| entry.index);
        let batch = Batch {
            token: WriteToken { boot: 1, sequence },
            hard_state: None,
            truncate_from: truncate_from.map(LogIndex),
            reset_to: None,
            entries,
            last_index,
        };
        line.add(&batch, Term(1), vec![Message::default()]);
    }

    fn released(line: &mut Line) -> Vec<u64> {
        std::iter::from_fn(|| line.release()).map(|waiting| waiting.number).collect()
    }

    #[test]
    fn nothing_leaves_before_what_was_asked_for_before_it_is_durable() {
        let mut line = Line::new(LogIndex(0));
        add(&mut line, 1, None, &[]);
        assert_eq!(released(&mut line), [1], "there is nothing to wait for");
        add(&mut line, 2, None, &[entry(1, 1)]);
        add(&mut line, 3, None, &[]);
        add(&mut line, 4, None, &[entry(1, 2)]);
        assert_eq!(released(&mut line), [0; 0]);
        line.persisted(2);
        assert_eq!((released(&mut line), line.durable_index()), (vec![2, 3], LogIndex(1)));
        line.persisted(4);
        assert_eq!((released(&mut line), line.durable_index()), (vec![4], LogIndex(2)));
    }

    #[test]
    fn what_is_taken_back_while_it_is_written_is_not_durable() {
        let mut line = Line::new(LogIndex(0));
        add(&mut line, 1, None, &[entry(1, 1), entry(1, 2)]);
        add(&mut line, 2, Some(2), &[entry(2, 2)]);
        line.persisted(1);
        assert_eq!((line.durable_index(), line.standing_behind(1)), (LogIndex(1), LogIndex(1)));
        line.persisted(2);
        assert_eq!(line.durable_index(), LogIndex(2));
    }
}
