//! What a leader knows of one follower (Figure 2, `nextIndex[]` and `matchIndex[]`), and how much it may have
//! under way to it.

use alloc::collections::VecDeque;

use crate::lease::Lease;
use crate::{Config, FollowerStatus, LogIndex, NodeId, Round, Session};

/// One follower, as its leader sees it.
///
/// Invariant: `match_index < next_index`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Progress {
    pub(crate) id: NodeId,
    /// Which stay of this member it is; replies of another stay do not count.
    pub(crate) session: Session,
    /// Up to where the follower has acknowledged, durably.
    pub(crate) match_index: LogIndex,
    /// The next entry to send.
    pub(crate) next_index: LogIndex,
    pub(crate) mode: Mode,
    /// The tick at which the follower was last heard.
    pub(crate) heard_at: u64,
    /// The round whose answer, or that of a later one, is awaited; `next_index` when it was sent, and when the
    /// one awaited before it was.
    pub(crate) round: Round,
    pub(crate) round_at: u64,
    pub(crate) answered: bool,
    pub(crate) next_at_round: LogIndex,
    pub(crate) next_at_previous_round: LogIndex,
    /// The latest round that it has answered, and what its answers promise.
    pub(crate) confirmed: Round,
    pub(crate) lease: Lease,
    /// Entries for it are being read from disk.
    pub(crate) fetching: bool,
}

/// How a follower is being served.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Mode {
    /// Looking for the place where the logs agree: one message at a time.
    Probe {
        /// One is under way.
        asked: bool,
    },
    /// The logs agree up to what was sent: messages follow one another without waiting.
    Replicate(Window),
}

/// The AppendEntries under way to one follower.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Window {
    in_flight: VecDeque<(LogIndex, u64)>,
    bytes: u64,
}

impl Window {
    /// Whether another message may be sent.
    pub(crate) fn has_room(&self, config: &Config) -> bool {
        (self.in_flight.len() as u64) < config.max_in_flight_messages
            && self.bytes < config.max_in_flight_bytes
    }

    /// Takes up room for a message that ends at `last`.
    pub(crate) fn add(&mut self, last: LogIndex, bytes: u64) {
        self.in_flight.push_back((last, bytes));
        self.bytes += bytes;
    }

    /// Frees the room of every message that ends at or before `index`.
    pub(crate) fn free_up_to(&mut self, index: LogIndex) {
        while let Some((last, bytes)) = self.in_flight.front() {
            if *last > index {
                break;
            }
            self.bytes -= bytes;
            self.in_flight.pop_front();
        }
    }
}

impl Progress {
    pub(crate) fn new(id: NodeId, next_index: LogIndex, now: u64) -> Self {
        Self {
            id,
            session: Session::default(),
            match_index: LogIndex::ZERO,
            next_index,
            mode: Mode::Probe { asked: false },
            heard_at: now,
            round: Round::default(),
            round_at: now,
            answered: true,
            next_at_round: next_index,
            next_at_previous_round: next_index,
            confirmed: Round::default(),
            lease: Lease::default(),
            fetching: false,
        }
    }

    /// What an observer may see of it.
    pub(crate) fn status(&self, config: &Config) -> FollowerStatus {
        let (is_replicating, is_window_full) = match &self.mode {
            Mode::Probe { asked } => (false, *asked),
            Mode::Replicate(window) => (true, !window.has_room(config)),
        };
        let Self { id, match_index, next_index, .. } = *self;
        FollowerStatus { id, match_index, next_index, is_replicating, is_window_full }
    }

    /// The follower acknowledged up to `index`. Returns whether it told anything new.
    pub(crate) fn acknowledge(&mut self, index: LogIndex) -> bool {
        let advanced = index > self.match_index;
        self.match_index = self.match_index.max(index);
        self.next_index = self.next_index.max(self.match_index.next());
        match &mut self.mode {
            // The answer to a probe: the logs agree up to `index`, and from there messages may follow one
            // another. An older answer tells nothing about the place that is probed.
            Mode::Probe { .. } if index.next() >= self.next_index => {
                self.next_index = index.next();
                self.mode = Mode::Replicate(Window::default());
            }
            Mode::Probe { .. } => {}
            Mode::Replicate(window) => window.free_up_to(index),
        }
        self.check();
        advanced
    }

    /// Looks for agreement again, from `next_index` on, which is brought above `match_index`.
    pub(crate) fn become_probe(&mut self, next_index: LogIndex) {
        self.next_index = next_index.max(self.match_index.next());
        self.next_at_round = self.next_at_round.min(self.next_index);
        self.next_at_previous_round = self.next_at_previous_round.min(self.next_index);
        self.mode = Mode::Probe { asked: false };
        self.check();
    }

    /// A heartbeat is being sent. While an earlier one is unanswered, its answer is awaited first: a round trip
    /// may take longer than the interval between heartbeats.
    pub(crate) fn begin_round(&mut self, round: Round, now: u64) {
        if !core::mem::take(&mut self.answered) {
            return;
        }
        (self.round, self.round_at) = (round, now);
        self.next_at_previous_round = self.next_at_round;
        self.next_at_round = self.next_index;
    }

    fn check(&self) {
        assert!(
            self.match_index < self.next_index,
            "{}: match {} is not below next {}",
            self.id,
            self.match_index,
            self.next_index
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress::new(NodeId(2), LogIndex(11), 0)
    }

    #[test]
    fn an_answered_probe_begins_replication_where_the_logs_agree() {
        let mut progress = progress();
        progress.mode = Mode::Probe { asked: true };
        assert!(progress.acknowledge(LogIndex(12)));
        assert_eq!(progress.next_index, LogIndex(13));
        assert_eq!(progress.mode, Mode::Replicate(Window::default()));
    }

    #[test]
    fn a_late_acknowledgement_moves_nothing_back() {
        let mut progress = progress();
        progress.acknowledge(LogIndex(20));
        progress.next_index = LogIndex(30);
        assert!(!progress.acknowledge(LogIndex(15)));
        assert_eq!((progress.match_index, progress.next_index), (LogIndex(20), LogIndex(30)));
    }

    #[test]
    fn an_acknowledgement_frees_every_message_it_covers() {
        let config = Config {
            max_in_flight_messages: 3,
            max_in_flight_bytes: 100,
            ..Config::new(NodeId(1), alloc::vec![NodeId(1)])
        };
        let mut window = Window::default();
        for last in [5, 7, 9] {
            assert!(window.has_room(&config));
            window.add(LogIndex(last), 10);
        }
        assert!(!window.has_room(&config), "three messages are under way");
        window.free_up_to(LogIndex(8));
        assert!(window.has_room(&config));
        window.add(LogIndex(12), 90);
        assert!(!window.has_room(&config), "a hundred bytes are under way");
        window.free_up_to(LogIndex(12));
        assert_eq!(window, Window::default());
    }

    #[test]
    fn probing_never_goes_below_what_is_acknowledged() {
        let mut progress = progress();
        progress.acknowledge(LogIndex(20));
        progress.become_probe(LogIndex(3));
        assert_eq!(progress.next_index, LogIndex(21));
    }
}
