//! The replica's state (Figure 2) and its changes of role. What it does with inputs stands in the files named
//! after them; nothing here reads a clock, a disk or a network.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::ballot::{Ballot, Count};
use crate::configuration::Configurations;
use crate::durability::Ledger;
use crate::faults::Faults;
use crate::fitness::DiskReads;
use crate::log::Log;
use crate::random::Random;
use crate::read::Reads;
use crate::repair::Repair;
use crate::role::{Candidate, Follower, Leader, Role};
use crate::snapshot::Snapshots;
use crate::{
    Body, Config, Entry, Fetch, HardState, LogIndex, Message, NodeId, Payload, PreVote, RequestVote, Round,
    Term,
};

/// Messages held back at one time, at most; one more is lost, as on any network. It is more than all members together
/// give rise to.
const HELD_MAX: usize = 1024;

/// One replica of one Raft group: a plain value. Inputs are its methods; what it wants done is drained with
/// [`next_action`](Raft::next_action). See `boundary.rs` for all of them.
///
/// Equality and hash leave out the random stream.
///
/// Invariant: `last_applied <= commit_index <= log.last_index()`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Raft {
    pub(crate) config: Config,
    pub(crate) random: Random,
    /// Ticks since the start of this life.
    pub(crate) now: u64,
    pub(crate) hard_state: HardState,
    pub(crate) log: Log,
    /// Entries of terms up to this one may be missing at the log's end (`certainty.rs`).
    pub(crate) uncertain: Term,
    /// Of the entries in the log, and the one that it begins with.
    pub(crate) configurations: Configurations,
    pub(crate) ledger: Ledger,
    /// Invariant: the first one is behind `last_applied`.
    pub(crate) faults: Faults,
    pub(crate) commit_index: LogIndex,
    pub(crate) last_applied: LogIndex,
    /// Since when there is more for the state machine, and it has got no further.
    pub(crate) machine_owes_since: Option<u64>,
    /// Up to where `Apply` has been asked for.
    pub(crate) applying: LogIndex,
    /// Entries that `Apply` needs and that came from disk.
    pub(crate) fetched_for_apply: Vec<Entry>,
    pub(crate) fetching_for_apply: Option<LogIndex>,
    pub(crate) reads: Reads,
    pub(crate) role: Role,
    /// Up to when, exclusive, this node votes for nobody, since it promised a leader.
    pub(crate) promised_until: u64,
    /// When a node that does not lead campaigns, and the timeout that was drawn for this wait (§5.2).
    pub(crate) election_at: u64,
    pub(crate) election_timeout: u64,
    /// This node is about to stop: it lets others lead where they can.
    pub(crate) retires: bool,
    /// For so many election timeouts this node leads before it gives way to one that is preferred.
    pub(crate) give_way_timeouts: u64,
    /// Messages that may go out.
    pub(crate) outbox: VecDeque<Message>,
    /// Messages that wait for the hard state to be durable; all are of the current term.
    pub(crate) held: Vec<Message>,
    pub(crate) fetches: VecDeque<Fetch>,
    /// Entries, and parts of snapshots.
    pub(crate) disk_reads: DiskReads,
    /// Entries that a leader lacks are being read from disk.
    pub(crate) fetching_for_repair: bool,
    /// One brought nothing of use: no more are asked for until time has passed.
    pub(crate) fetches_pause: bool,
    pub(crate) snapshots: Snapshots,
    /// So many offices in a row ended before the log was whole.
    pub(crate) repairs_failed: u32,
    /// All was said, and nothing has come in since.
    pub(crate) is_at_rest: bool,
}

impl Raft {
    pub(crate) fn current_term(&self) -> Term {
        self.hard_state.current_term
    }

    /// Follows `term`, whose leader is not known yet. The vote of an earlier term is history; the vote of this
    /// one stays.
    pub(crate) fn become_follower(&mut self, term: Term) {
        assert!(term >= self.current_term(), "terms never fall: {} to {term}", self.current_term());
        if term > self.current_term() {
            self.set_term_and_vote(term, None);
        }
        let lets_others_go_first = self.is_outranked();
        self.drop_reads();
        // What the former role still wanted to say in this term is not said any more.
        self.held.clear();
        self.role = Role::Follower(Follower::default());
        self.draw_election_timeout();
        if lets_others_go_first {
            self.election_at += self.config.election_timeout;
        }
    }

    /// Asks the others whether a campaign would succeed, and changes nothing else (thesis §9.6).
    pub(crate) fn become_pre_candidate(&mut self) {
        // The answer to another's campaign may wait here for the disk: it is lost to the candidate, like any message,
        // and the vote itself stands.
        self.held.clear();
        self.drop_reads();
        self.draw_election_timeout();
        let mut ballot = Ballot::default();
        ballot.record(self.config.id, self.own_vote());
        let won = ballot.count(self.configurations.latest()) == Count::Won;
        self.role = Role::PreCandidate(ballot);
        if won {
            return self.become_candidate(false);
        }
        let last_log = self.log.last();
        self.send_to_voters(&Body::PreVote(PreVote { last_log }));
    }

    /// Campaigns in the next term (§5.2). The requests, and the node's own vote, wait until the vote is
    /// durable.
    pub(crate) fn become_candidate(&mut self, leadership_transfer: bool) {
        let Some(term) = self.current_term().next() else {
            return self.become_follower(self.current_term());
        };
        self.set_term_and_vote(term, Some(self.config.id));
        self.drop_reads();
        self.draw_election_timeout();
        self.role = Role::Candidate(Candidate { ballot: Ballot::default() });
        let last_log = self.log.last();
        self.send_to_voters(&Body::RequestVote(RequestVote { last_log, leadership_transfer }));
    }

    /// Leads the current term, and begins it with a no-op (§8), once the log is whole.
    pub(crate) fn become_leader(&mut self) {
        assert!(matches!(self.role, Role::Candidate(_)), "only a candidate becomes leader");
        let is_whole = self.faults.is_empty();
        let configuration = self.configurations.latest();
        self.role = Role::Leader(Leader {
            followers: Vec::new(),
            quorum: configuration.quorum(),
            votes: self.configurations.own_votes(),
            has_witnesses: false,
            last_at_check: LogIndex::ZERO,
            owed_index: LogIndex::ZERO,
            is_settled: true,
            first_index: if is_whole { self.log.last_index().next() } else { LogIndex(u64::MAX) },
            uncommitted_bytes: 0,
            round: Round::default(),
            round_at: self.now,
            heartbeat_at: self.now + self.config.heartbeat_interval,
            check_at: self.now + self.config.election_timeout,
            quorum_match: LogIndex::ZERO,
            advanced_at: self.now,
            replication_due: true,
            reads: VecDeque::new(),
            lease_ended: false,
            gives_way_at: self.gives_way_at(),
            transfer: None,
            repair: (!is_whole).then(Repair::default),
        });
        // Whom a change that may not be committed yet removes, this leader tells as the one before it would have.
        self.enter_configurations(self.commit_index);
        if is_whole {
            self.append_own(Payload::Noop);
        } else {
            self.ask_for_repair();
        }
    }

    /// Appends an entry of this leader's term.
    pub(crate) fn append_own(&mut self, payload: Payload) {
        let entry = Entry { term: self.current_term(), index: self.log.last_index().next(), payload };
        let bytes = entry.size_bytes();
        self.log.append(entry);
        let Role::Leader(leader) = &mut self.role else { panic!("only a leader appends on its own") };
        assert!(leader.repair.is_none(), "a leader whose log is not whole appends nothing");
        leader.uncommitted_bytes += bytes;
        leader.replication_due = true;
    }

    /// Changes term and vote, which the next write carries. What was held for an earlier term goes.
    pub(crate) fn set_term_and_vote(&mut self, current_term: Term, voted_for: Option<NodeId>) {
        let old = self.hard_state;
        assert!(current_term >= old.current_term, "terms never fall");
        if current_term == old.current_term {
            assert!(old.voted_for.is_none(), "one vote in a term: {old:?}, then {voted_for:?}");
        } else {
            self.held.clear();
        }
        // The promise goes along, so that no write is needed for it when the first is given. One that has run out, and is
        // longer than any that may be given now, need not be remembered.
        let in_force = if self.is_promised() { old.longest_promise } else { 0 };
        let longest_promise = in_force.max(self.promise());
        self.hard_state = HardState { current_term, voted_for, longest_promise };
        self.ledger.hard_state_changed();
    }

    /// Draws the timeout anew, from `[election_timeout, 2 * election_timeout)`, and waits that long.
    pub(crate) fn draw_election_timeout(&mut self) {
        let base = self.config.election_timeout;
        self.election_timeout = base + self.random.below(base);
        self.election_at = (self.now + self.election_timeout).max(self.promised_until);
    }

    /// Asks every other voter.
    fn send_to_voters(&mut self, body: &Body) {
        for place in 0..self.configurations.latest().members().len() {
            let member = self.configurations.latest().members()[place];
            if member.votes().any() && member.id != self.config.id {
                self.send(member.id, body.clone());
            }
        }
    }

    /// Sends a message, now or as soon as the term and the vote that it reveals are durable. There is no other
    /// way out of the core.
    pub(crate) fn send(&mut self, to: NodeId, body: Body) {
        let message = Message { from: self.config.id, to, term: self.current_term(), body };
        if self.ledger.hard_state_is_durable() {
            self.outbox.push_back(message);
            return;
        }
        // The latest word of a kind replaces the earlier one, so that a slow disk cannot pile messages up.
        let kind = core::mem::discriminant(&message.body);
        let same = |held: &&mut Message| held.to == to && core::mem::discriminant(&held.body) == kind;
        let has_room = self.held.len() < HELD_MAX;
        match self.held.iter_mut().find(same) {
            Some(held) => *held = message,
            // Whoever asks is answered, member or not: more than the members there are need no answer at once.
            None if has_room => self.held.push(message),
            None => {}
        }
    }

    /// Learns that entries up to `index` are committed.
    pub(crate) fn advance_commit(&mut self, index: LogIndex) {
        assert!(index <= self.log.last_index(), "entry {index} is committed but not in the log");
        if index <= self.commit_index {
            return;
        }
        if let Role::Leader(leader) = &mut self.role {
            let own_first = self.commit_index.next().max(leader.first_index);
            let (front, back) = self.log.slices(own_first, index);
            leader.uncommitted_bytes -= front.iter().chain(back).map(Entry::size_bytes).sum::<u64>();
        }
        self.commit_index = index;
        self.note_machine_owes();
    }

    /// The leader that is known, this node itself where it leads.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Leader(_) => Some(self.config.id),
            Role::Follower(follower) => follower.leader.map(|heard| heard.leader),
            Role::PreCandidate(_) | Role::Candidate(_) => None,
        }
    }
}
