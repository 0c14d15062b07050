//! What a leader knows of one follower (Figure 2, `nextIndex[]` and `matchIndex[]`), and how much it may have
//! under way to it.

use alloc::collections::VecDeque;

use crate::lease::Lease;
use crate::{Config, FollowerStatus, LogIndex, Member, NodeId, Round, Session, SnapshotId, Votes};

/// One follower, as its leader sees it.
///
/// Invariant: `match_index < next_index`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Progress {
    pub(crate) id: NodeId,
    /// Which stay of this member it is; replies of another stay do not count.
    pub(crate) session: Session,
    /// What it counts for.
    pub(crate) part: Part,
    /// It keeps no data, for as long as it stays.
    pub(crate) is_witness: bool,
    /// Up to where the follower has acknowledged, durably.
    pub(crate) match_index: LogIndex,
    /// The next entry to send.
    pub(crate) next_index: LogIndex,
    pub(crate) mode: Mode,
    /// The tick at which the follower was last heard.
    pub(crate) heard_at: u64,
    /// Its priority as a leader, by its last word; 0 where it could not serve.
    pub(crate) priority: Option<u64>,
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

/// What a follower is to its leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Part {
    /// It counts towards majorities.
    Voter(Votes),
    /// It is brought up to date, and counts for nothing.
    Learner(CatchUp),
    /// It is no member any more, and is to learn of it.
    Departing(Departing),
}

/// How well a learner keeps up, in rounds: each brings it what the leader had when the round began (thesis §4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CatchUp {
    /// Where the present round ends, and when it began.
    until: LogIndex,
    began: u64,
    /// Whether the last round took no longer than an election timeout.
    pub(crate) is_quick: bool,
}

/// How far one that departs has been told of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Departing {
    /// The entry by which it departs.
    index: LogIndex,
    /// The first round that told it that the entry is committed.
    told_in: Option<Round>,
    /// How many more checks of the quorum it is given.
    checks_left: u8,
}

/// How many checks of the quorum one that departs is given to learn of it, once it is committed.
const DEPARTING_CHECKS: u8 = 4;

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
    /// What comes next was compacted: a snapshot stands for it, and entries go on after it (§7).
    Snapshot(Offer),
}

/// A snapshot that a follower has to get, from whomever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Offer {
    pub(crate) snapshot: SnapshotId,
    /// The offer is under way, or was taken up.
    pub(crate) sent: bool,
    /// So many bytes are stored, and when there were last more than ever before.
    received: u64,
    advanced_at: u64,
}

impl Offer {
    /// The follower says how much it has. Returns whether that is more than it ever had: a transfer that begins anew
    /// gets no further until it passes where an earlier one was.
    pub(crate) fn advance(&mut self, received: u64, now: u64) -> bool {
        let further = received.min(self.snapshot.bytes) > self.received;
        if further {
            (self.received, self.advanced_at) = (received.min(self.snapshot.bytes), now);
        }
        further
    }
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
    pub(crate) fn new(member: &Member, next_index: LogIndex, now: u64) -> Self {
        let catch_up = CatchUp { until: next_index.prev(), began: now, is_quick: false };
        let votes = member.votes();
        Self {
            id: member.id,
            session: member.session,
            part: if votes.any() { Part::Voter(votes) } else { Part::Learner(catch_up) },
            is_witness: member.is_witness(),
            match_index: LogIndex::ZERO,
            next_index,
            mode: Mode::Probe { asked: false },
            heard_at: now,
            priority: None,
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

    /// What it counts for in majorities.
    pub(crate) fn votes(&self) -> Votes {
        match self.part {
            Part::Voter(votes) => votes,
            Part::Learner(_) | Part::Departing(_) => Votes::default(),
        }
    }

    /// Whether it said that it could serve as a leader.
    pub(crate) fn could_serve(&self) -> bool {
        self.priority > Some(0)
    }

    /// It is this member of the configuration that is in force now.
    pub(crate) fn take_part(&mut self, member: &Member, last_index: LogIndex, now: u64) {
        let votes = member.votes();
        match self.part {
            _ if votes.any() => self.part = Part::Voter(votes),
            Part::Learner(_) => {}
            Part::Voter(_) | Part::Departing(_) => {
                self.part = Part::Learner(CatchUp { until: last_index, began: now, is_quick: false });
            }
        }
    }

    /// The entry at `index` makes it no member any more.
    pub(crate) fn depart(&mut self, index: LogIndex) {
        match self.part {
            Part::Departing(_) => {}
            Part::Voter(_) | Part::Learner(_) => {
                let departing = Departing { index, told_in: None, checks_left: DEPARTING_CHECKS };
                self.part = Part::Departing(departing);
            }
        }
    }

    /// Whether it answers a round that told it of its departure.
    pub(crate) fn knows_it_departs(&self, answered: Round) -> bool {
        match self.part {
            Part::Departing(departing) => departing.told_in.is_some_and(|round| answered >= round),
            Part::Voter(_) | Part::Learner(_) => false,
        }
    }

    /// One more check of the quorum has passed. Returns whether it is still worth while to tell it anything.
    pub(crate) fn outlasts_check(&mut self, commit_index: LogIndex) -> bool {
        match &mut self.part {
            Part::Departing(departing) if departing.index <= commit_index => {
                departing.checks_left = departing.checks_left.saturating_sub(1);
                departing.checks_left > 0
            }
            Part::Departing(_) | Part::Voter(_) | Part::Learner(_) => true,
        }
    }

    /// A learner has got further: perhaps to the end of a round, from where the next one begins.
    pub(crate) fn end_round(&mut self, last_index: LogIndex, now: u64, timeout: u64) {
        if let Part::Learner(catch_up) = &mut self.part
            && self.match_index >= catch_up.until
        {
            let is_quick = now - catch_up.began <= timeout || self.match_index == last_index;
            *catch_up = CatchUp { until: last_index, began: now, is_quick };
        }
    }

    /// What an observer may see of it.
    pub(crate) fn status(&self, config: &Config) -> FollowerStatus {
        let (is_replicating, is_window_full, snapshot) = match &self.mode {
            Mode::Probe { asked } => (false, *asked, None),
            Mode::Replicate(window) => (true, !window.has_room(config), None),
            Mode::Snapshot(offer) => (false, offer.sent, Some(offer.snapshot)),
        };
        let Self { id, session, is_witness, match_index, next_index, .. } = *self;
        let votes = self.votes();
        FollowerStatus {
            id,
            session,
            votes,
            is_witness,
            match_index,
            next_index,
            is_replicating,
            is_window_full,
            snapshot,
        }
    }

    /// When the transfer of a snapshot to it last got further, where one is under way and ever did.
    pub(crate) fn transfer_advanced_at(&self) -> Option<u64> {
        match &self.mode {
            Mode::Snapshot(offer) if offer.received > 0 => Some(offer.advanced_at),
            Mode::Snapshot(_) | Mode::Probe { .. } | Mode::Replicate(_) => None,
        }
    }

    /// The follower acknowledged up to `index`. Returns whether it told anything new.
    pub(crate) fn acknowledge(&mut self, index: LogIndex) -> bool {
        let advanced = index > self.match_index;
        self.match_index = self.match_index.max(index);
        self.next_index = self.next_index.max(self.match_index.next());
        match &mut self.mode {
            // The answer to a probe: the logs agree up to `index`, and from there messages may follow one
            // another. An older answer tells nothing about the place that is probed. So with a snapshot, once all
            // that it stands for is there.
            Mode::Probe { .. } | Mode::Snapshot(_) if index.next() >= self.next_index => {
                self.next_index = index.next();
                self.mode = Mode::Replicate(Window::default());
            }
            Mode::Probe { .. } | Mode::Snapshot(_) => {}
            Mode::Replicate(window) => window.free_up_to(index),
        }
        self.check();
        advanced
    }

    /// The data of the entry at `index` is lost there, and all before it is there: what was acknowledged of it and behind it
    /// does not hold any more.
    pub(crate) fn lacks(&mut self, index: LogIndex) {
        self.match_index = index.prev();
        self.become_probe(index);
    }

    /// Looks for agreement again, from `next_index` on, which is brought above `match_index`.
    pub(crate) fn become_probe(&mut self, next_index: LogIndex) {
        self.go_on_from(next_index.max(self.match_index.next()));
        self.mode = Mode::Probe { asked: false };
        self.check();
    }

    /// What the follower lacks was compacted: it has to get `snapshot`, and entries go on after that.
    pub(crate) fn become_snapshot(&mut self, snapshot: SnapshotId, now: u64) {
        assert!(snapshot.last.index >= self.next_index, "{}: {snapshot} does not help", self.id);
        self.go_on_from(snapshot.last.index.next());
        self.mode = Mode::Snapshot(Offer { snapshot, sent: false, received: 0, advanced_at: now });
        self.check();
    }

    /// What was sent before says nothing about what is lost from `next_index` on.
    fn go_on_from(&mut self, next_index: LogIndex) {
        self.next_index = next_index;
        self.next_at_round = self.next_at_round.min(next_index);
        self.next_at_previous_round = self.next_at_previous_round.min(next_index);
    }

    /// A heartbeat of `round` is being sent, which tells that entries up to `commit` are committed. While an earlier one
    /// is unanswered, its answer is awaited first: a round trip may take longer than the interval between heartbeats.
    pub(crate) fn begin_round(&mut self, round: Round, commit: LogIndex, now: u64) {
        if let Part::Departing(departing) = &mut self.part
            && departing.index <= commit
        {
            departing.told_in.get_or_insert(round);
        }
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
    use alloc::vec::Vec;

    use super::*;
    use crate::{LogPosition, Standing};

    fn progress() -> Progress {
        Progress::new(&member(Standing::Voter), LogIndex(11), 0)
    }

    #[test]
    #[should_panic(expected = "n2: match 11 is not below next 11")]
    fn what_is_to_be_sent_and_matches_already_is_a_contradiction() {
        Progress { match_index: LogIndex(11), ..progress() }.check();
    }

    fn member(standing: Standing) -> Member {
        Member { id: NodeId(2), session: Session(4), standing, outgoing: false }
    }

    fn learner() -> Progress {
        Progress::new(&member(Standing::Learner { promote: false }), LogIndex(11), 0)
    }

    fn is_quick(progress: &Progress) -> bool {
        matches!(progress.part, Part::Learner(CatchUp { is_quick: true, .. }))
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
        assert!(!progress.acknowledge(LogIndex(20)), "it comes twice");
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
    fn entries_go_on_after_the_snapshot_once_all_that_it_stands_for_is_there() {
        let snapshot = SnapshotId { last: LogPosition::new(1, 30), bytes: 100, checksum: 7 };
        let mut progress = progress();
        progress.become_snapshot(snapshot, 5);
        assert!(progress.acknowledge(LogIndex(29)), "of entries from an earlier probe, say");
        assert!(matches!(progress.mode, Mode::Snapshot(_)));
        progress.acknowledge(LogIndex(30));
        assert_eq!(
            (&progress.mode, progress.next_index),
            (&Mode::Replicate(Window::default()), LogIndex(31))
        );
    }

    #[test]
    fn a_transfer_gets_further_only_where_none_of_it_has_been_before() {
        let snapshot = SnapshotId { last: LogPosition::new(1, 30), bytes: 100, checksum: 7 };
        let mut offer = Offer { snapshot, sent: true, received: 0, advanced_at: 5 };
        let heard = [(40, 10), (0, 11), (40, 12), (41, 13), (u64::MAX, 14), (u64::MAX, 15)];
        let further: Vec<bool> = heard.iter().map(|(bytes, now)| offer.advance(*bytes, *now)).collect();
        assert_eq!(further, [true, false, false, true, true, false]);
        assert_eq!(offer.advanced_at, 14);
    }

    #[test]
    fn probing_never_goes_below_what_is_acknowledged() {
        let mut progress = progress();
        progress.acknowledge(LogIndex(20));
        progress.become_probe(LogIndex(3));
        assert_eq!(progress.next_index, LogIndex(21));
    }

    #[test]
    fn a_learner_has_caught_up_when_a_round_is_no_longer_than_an_election_timeout() {
        const TIMEOUT: u64 = 15;
        let mut progress = learner();
        // Round by round: the entries at its end, when it ends, what the leader has by then.
        for (matched, now, last, quick) in
            [(10, 100, 70, false), (40, 110, 80, false), (70, 150, 90, false), (90, 165, 95, true)]
        {
            progress.acknowledge(LogIndex(matched));
            progress.end_round(LogIndex(last), now, TIMEOUT);
            assert_eq!(is_quick(&progress), quick, "matched {matched} at {now}");
        }
        // It has all there is, then nothing happens for long, then it gets the next entry at once.
        progress.acknowledge(LogIndex(95));
        progress.end_round(LogIndex(95), 170, TIMEOUT);
        progress.acknowledge(LogIndex(96));
        progress.end_round(LogIndex(96), 9_000, TIMEOUT);
        assert!(is_quick(&progress));
    }

    #[test]
    fn a_stay_that_goes_on_keeps_what_is_known_of_it() {
        let mut progress = learner();
        progress.acknowledge(LogIndex(20));
        progress.take_part(&member(Standing::Voter), LogIndex(20), 5);
        assert_eq!(progress.votes(), Votes { incoming: true, outgoing: false });
        assert_eq!(progress.match_index, LogIndex(20));
        progress.take_part(
            &Member { outgoing: true, ..member(Standing::Leaving { witness: false }) },
            LogIndex(20),
            6,
        );
        assert_eq!(progress.votes(), Votes { incoming: false, outgoing: true });
        progress.take_part(&member(Standing::Learner { promote: false }), LogIndex(21), 7);
        assert_eq!(progress.votes(), Votes::default());
        assert!(!is_quick(&progress), "a learner begins with a round");
    }

    #[test]
    fn one_that_departs_is_told_once_it_is_committed_and_not_for_ever() {
        let mut progress = progress();
        progress.depart(LogIndex(12));
        assert_eq!(progress.votes(), Votes::default());
        progress.begin_round(Round(1), LogIndex(11), 0);
        assert!(!progress.knows_it_departs(Round(1)), "its departure is not committed");
        progress.begin_round(Round(2), LogIndex(12), 0);
        progress.begin_round(Round(3), LogIndex(12), 0);
        assert!(!progress.knows_it_departs(Round(1)), "an answer to what was said before");
        assert!(progress.knows_it_departs(Round(2)));
        assert!(progress.outlasts_check(LogIndex(11)), "it is not committed yet");
        let checks = (0..9).take_while(|_| progress.outlasts_check(LogIndex(12))).count();
        assert_eq!(checks, 3);
    }
}
