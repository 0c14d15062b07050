//! A stage for the tests of the oracles: puppets that claim to be Raft nodes, and do just what a test says.
//!
//! A puppet keeps its status and writes down its steps; nothing stops it from breaking a rule. The scenes at
//! the end (`elect`, `replicate`, `commit`) play by the rules, and insist that the judge agrees.

use squall_raft::{HardState, LogIndex, LogPosition, NodeId, RoleKind, Round, SnapshotId, Status, Term};

use crate::Violation;
use crate::invariants::{DurableView, Invariants};
use crate::membership::{Membership, NodeSet};
use crate::observation::{Content, Envelope, Observation, Span, Step, WITHHELD};
use crate::spec::Spec;

/// An oracle under test.
pub(crate) trait Judge {
    fn judge(&mut self, puppet: &Puppet) -> Result<(), Violation>;
    fn stopped(&mut self, node: NodeId);
}

/// A disk that loses nothing.
struct SoundDisk(HardState);

impl DurableView for SoundDisk {
    fn is_entry_durable(&self, _position: LogPosition) -> bool {
        true
    }

    fn is_snapshot_durable(&self, _snapshot: SnapshotId) -> bool {
        true
    }

    fn durable_hard_state(&self) -> Option<HardState> {
        Some(self.0)
    }
}

impl Judge for Invariants {
    fn judge(&mut self, puppet: &Puppet) -> Result<(), Violation> {
        self.observe(puppet.status.id, &puppet.observation, &SoundDisk(puppet.hard_state()))
    }

    fn stopped(&mut self, node: NodeId) {
        Self::stopped(self, node);
    }
}

impl Judge for Spec {
    fn judge(&mut self, puppet: &Puppet) -> Result<(), Violation> {
        self.observe(puppet.status.id, &puppet.observation)
    }

    fn stopped(&mut self, _node: NodeId) {}
}

/// All puppets and their judge.
#[derive(Clone)]
pub(crate) struct Cast<J> {
    pub(crate) judge: J,
    puppets: Vec<Puppet>,
}

/// One pretended node.
#[derive(Clone)]
pub(crate) struct Puppet {
    pub(crate) status: Status,
    pub(crate) observation: Observation,
    pub(crate) longest_promise: u64,
    /// The terms of its log.
    log: Vec<u64>,
    /// Its configurations after the one it began with, each with the index of its entry.
    configurations: Vec<(u64, Membership)>,
    /// The configuration that the cluster begins with.
    first: Membership,
    issued: u64,
    unissued: bool,
}

impl Cast<Invariants> {
    pub(crate) fn of_invariants(size: u64) -> Self {
        Self::new(size, size, NodeSet::EMPTY, Invariants::new)
    }

    /// So many nodes, of which the first ones vote.
    pub(crate) fn of_invariants_among(nodes: u64, voters: u64) -> Self {
        Self::new(nodes, voters, NodeSet::EMPTY, Invariants::new)
    }

    /// Two copies and n3, a witness.
    pub(crate) fn of_invariants_with_a_witness() -> Self {
        let n3 = NodeSet::EMPTY.with(NodeId(3));
        Self::new(3, 3, n3, |nodes, voters| Invariants::new(nodes, voters).with_witnesses(n3))
    }
}

impl Cast<Spec> {
    pub(crate) fn of_spec(size: u64) -> Self {
        Self::new(size, size, NodeSet::EMPTY, |nodes, voters| Spec::new(nodes, voters, None))
    }

    pub(crate) fn of_spec_with_leases(size: u64) -> Self {
        Self::new(size, size, NodeSet::EMPTY, |nodes, voters| Spec::new(nodes, voters, Some(0)))
    }

    /// So many nodes, of which the first ones vote.
    pub(crate) fn of_spec_among(nodes: u64, voters: u64) -> Self {
        Self::new(nodes, voters, NodeSet::EMPTY, |nodes, voters| Spec::new(nodes, voters, None))
    }

    /// So many nodes, of which the first ones vote, and these keep no data; elections take 15 ticks.
    pub(crate) fn of_spec_with_witnesses(nodes: u64, voters: u64, witnesses: &[u64]) -> Self {
        let witnesses: NodeSet = witnesses.iter().copied().map(NodeId).collect();
        Self::new(nodes, voters, witnesses, |nodes, voters| {
            Spec::new(nodes, voters, None).with_witnesses(witnesses, 15)
        })
    }
}

impl<J: Judge> Cast<J> {
    fn new(
        size: u64,
        voters: u64,
        witnesses: NodeSet,
        judge: impl FnOnce(&[NodeId], &[NodeId]) -> J,
    ) -> Self {
        let nodes: Vec<NodeId> = (1..=size).map(NodeId).collect();
        let judge = judge(&nodes, &nodes[..voters as usize]);
        let first = Membership::first(&nodes[..voters as usize]);
        let first = Membership { witnesses: first.voters.and(witnesses), ..first };
        let mut cast = Self { judge, puppets: nodes.iter().map(|id| Puppet::new(*id, first)).collect() };
        for node in 1..=size {
            assert_eq!(cast.event(node, |n| n.starts(0, None, &[])), Ok(()));
        }
        cast
    }

    /// One event of one node, as `act` makes it up; returns the class of what the judge objects to.
    pub(crate) fn event(
        &mut self,
        node: u64,
        act: impl FnOnce(&mut Puppet) -> &mut Puppet,
    ) -> Result<(), &'static str> {
        self.try_event(node, act).map_err(|violation| violation.class)
    }

    pub(crate) fn try_event(
        &mut self,
        node: u64,
        act: impl FnOnce(&mut Puppet) -> &mut Puppet,
    ) -> Result<(), Violation> {
        let puppet = &mut self.puppets[node as usize - 1];
        puppet.observation.clear();
        act(puppet).issue_write();
        puppet.observation.status = Some(puppet.status);
        self.judge.judge(puppet)
    }

    pub(crate) fn stop(&mut self, node: u64) {
        self.judge.stopped(NodeId(node));
    }

    /// The other voters, by the configurations that they begin with.
    fn others(&self, node: u64) -> Vec<u64> {
        let voters = self.puppets.iter().filter(|puppet| puppet.first.is_voter(puppet.status.id));
        voters.map(|puppet| puppet.status.id.0).filter(|other| *other != node).collect()
    }

    pub(crate) fn puppet(&self, node: u64) -> &Puppet {
        &self.puppets[node as usize - 1]
    }
}

impl Puppet {
    fn new(id: NodeId, first: Membership) -> Self {
        let status = Status {
            id,
            role: RoleKind::Follower,
            current_term: Term::ZERO,
            voted_for: None,
            leader: None,
            last_log: LogPosition::ZERO,
            durable_index: LogIndex::ZERO,
            commit_index: LogIndex::ZERO,
            last_applied: LogIndex::ZERO,
            first_in_memory: LogIndex(1),
            configuration_index: LogIndex::ZERO,
            is_voter: first.is_voter(id),
        };
        Self {
            status,
            observation: Observation::default(),
            longest_promise: 0,
            log: Vec::new(),
            configurations: Vec::new(),
            first,
            issued: 0,
            unissued: false,
        }
    }

    fn hard_state(&self) -> HardState {
        HardState {
            current_term: self.status.current_term,
            voted_for: self.status.voted_for,
            longest_promise: self.longest_promise,
        }
    }

    pub(crate) fn step(&mut self, step: Step) -> &mut Self {
        self.observation.steps.push(step);
        self
    }

    fn changed(&mut self) -> &mut Self {
        self.step(Step::Changed(self.status))
    }

    /// Ends the write that is being put together, if one is.
    pub(crate) fn issue_write(&mut self) -> &mut Self {
        if self.unissued {
            self.unissued = false;
            self.issued += 1;
            self.step(Step::WriteIssued { sequence: self.issued });
        }
        self
    }

    fn set_log(&mut self) {
        let (index, term) = (self.log.len() as u64, self.log.last().copied().unwrap_or(0));
        self.status.last_log = LogPosition::new(term, index);
        self.status.durable_index = self.status.durable_index.min(LogIndex(index));
        self.configurations.retain(|(entry, _)| *entry <= index);
        let last = self.configurations.last();
        self.status.configuration_index = LogIndex(last.map_or(0, |(index, _)| *index));
        let is_voter = |(_, membership): &(u64, Membership)| membership.is_voter(self.status.id);
        self.status.is_voter = last.map_or(self.first.is_voter(self.status.id), is_voter);
    }

    // Inputs.

    pub(crate) fn starts(&mut self, term: u64, vote: Option<u64>, log: &[u64]) -> &mut Self {
        let (id, first) = (self.status.id, self.first);
        let observation = std::mem::take(&mut self.observation);
        *self = Self { observation, log: log.to_vec(), ..Self::new(id, first) };
        self.set_log();
        self.status.durable_index = self.status.last_log.index;
        self.status.current_term = Term(term);
        self.status.voted_for = vote.map(NodeId);
        let (hard_state, last_log) = (self.hard_state(), self.status.last_log);
        self.step(Step::Started {
            hard_state,
            snapshot: None,
            base: LogPosition::ZERO,
            last_log,
            uncertain: Term::ZERO,
        });
        for (place, term) in log.iter().enumerate() {
            let position = LogPosition::new(*term, place as u64 + 1);
            self.step(Step::Appended { position, payload_hash: payload_hash(position) });
        }
        self
    }

    /// Starts in a term, with a vote in it, a snapshot up to `snapshot.last`, and the entries behind it.
    pub(crate) fn starts_from(&mut self, hard: (u64, u64), snapshot: SnapshotId, log: &[u64]) -> &mut Self {
        let (id, first, base) = (self.status.id, self.first, snapshot.last);
        let observation = std::mem::take(&mut self.observation);
        let before = vec![base.term.0; base.index.0 as usize];
        *self = Self { observation, log: [&before, log].concat(), ..Self::new(id, first) };
        self.set_log();
        self.status.durable_index = self.status.last_log.index;
        (self.status.current_term, self.status.voted_for) = (Term(hard.0), Some(NodeId(hard.1)));
        self.status.commit_index = base.index;
        self.status.is_voter = false;
        let (hard_state, last_log) = (self.hard_state(), self.status.last_log);
        self.step(Step::Started {
            hard_state,
            snapshot: Some(snapshot),
            base,
            last_log,
            uncertain: Term::ZERO,
        });
        for (term, index) in log.iter().zip(base.index.0 + 1..) {
            let position = LogPosition::new(*term, index);
            self.step(Step::Appended { position, payload_hash: payload_hash(position) });
        }
        self
    }

    /// Starts with a snapshot that the log does not lead up to.
    pub(crate) fn starts_beside(&mut self, hard: (u64, u64), snapshot: SnapshotId, log: &[u64]) -> &mut Self {
        self.starts(hard.0, Some(hard.1), log);
        let Some(Step::Started { snapshot: started, .. }) = self.observation.steps.first_mut() else {
            panic!("a start comes first");
        };
        *started = Some(snapshot);
        self.status.commit_index = snapshot.last.index;
        self.status.is_voter = false;
        self
    }

    pub(crate) fn takes_snapshot(&mut self, snapshot: SnapshotId) -> &mut Self {
        self.step(Step::SnapshotTaken(snapshot))
    }

    pub(crate) fn receives_snapshot(&mut self, snapshot: SnapshotId) -> &mut Self {
        self.step(Step::SnapshotReceived(snapshot))
    }

    /// The log begins anew after an entry.
    pub(crate) fn resets(&mut self, term: u64, index: u64) -> &mut Self {
        self.log = vec![term; index as usize];
        self.set_log();
        self.status.is_voter = false;
        self.status.durable_index = LogIndex(index);
        self.unissued = true;
        self.step(Step::Reset { base: LogPosition::new(term, index) })
    }

    pub(crate) fn compacts(&mut self, term: u64, index: u64) -> &mut Self {
        self.unissued = true;
        self.step(Step::Compacted { base: LogPosition::new(term, index) })
    }

    pub(crate) fn restores(&mut self, snapshot: SnapshotId, state_digest: u64) -> &mut Self {
        self.restores_with(snapshot, state_digest, (LogIndex::ZERO, self.first))
    }

    pub(crate) fn restores_with(
        &mut self,
        snapshot: SnapshotId,
        state_digest: u64,
        configuration: (LogIndex, Membership),
    ) -> &mut Self {
        (self.status.configuration_index, self.status.is_voter) =
            (configuration.0, configuration.1.is_voter(self.status.id));
        self.step(Step::ConfigurationRestored { snapshot, configuration });
        self.status.last_applied = snapshot.last.index;
        self.step(Step::Restored { snapshot, state_digest })
    }

    pub(crate) fn ticks(&mut self) -> &mut Self {
        self.step(Step::Ticked)
    }

    pub(crate) fn receives(&mut self, from: u64, term: u64, content: Content) -> &mut Self {
        let to = self.status.id;
        self.step(Step::Received(Envelope { from: NodeId(from), to, term: Term(term), content }))
    }

    fn span(&mut self, entries: &[(u64, u64)]) -> Span {
        let start = self.observation.entries.len() as u32;
        self.observation.entries.extend(entries.iter().map(|(term, index)| LogPosition::new(*term, *index)));
        Span { start, len: entries.len() as u32 }
    }

    /// An AppendEntries of this node's term.
    pub(crate) fn receives_entries(
        &mut self,
        from: u64,
        prev: (u64, u64),
        entries: &[(u64, u64)],
        leader_commit: u64,
    ) -> &mut Self {
        self.receives_entries_in(self.status.current_term.0, from, prev, entries, leader_commit)
    }

    pub(crate) fn receives_entries_in(
        &mut self,
        term: u64,
        from: u64,
        prev: (u64, u64),
        entries: &[(u64, u64)],
        leader_commit: u64,
    ) -> &mut Self {
        let entries = self.span(entries);
        let prev_log = LogPosition::new(prev.0, prev.1);
        self.receives(
            from,
            term,
            Content::AppendEntries { prev_log, entries, leader_commit: LogIndex(leader_commit) },
        )
    }

    pub(crate) fn receives_acknowledgement(&mut self, from: u64, match_index: u64) -> &mut Self {
        let match_index = LogIndex(match_index);
        let known = self.configurations.iter().map(|(_, membership)| membership.witnesses);
        let as_witness = known.fold(self.first.witnesses, NodeSet::or).has(NodeId(from));
        let content = Content::AppendAcknowledged { match_index, as_witness };
        self.receives(from, self.status.current_term.0, content)
    }

    /// Everything asked for so far is durable.
    pub(crate) fn persists(&mut self) -> &mut Self {
        self.issue_write();
        let durable_index = self.status.last_log.index;
        self.status.durable_index = durable_index;
        self.step(Step::Persisted { sequence: self.issued, durable_index })
    }

    // What it shows.

    pub(crate) fn becomes(&mut self, role: RoleKind) -> &mut Self {
        self.status.role = role;
        self.changed()
    }

    pub(crate) fn becomes_leader(&mut self) -> &mut Self {
        self.status.leader = Some(self.status.id);
        self.becomes(RoleKind::Leader)
    }

    pub(crate) fn steps_down(&mut self) -> &mut Self {
        self.status.leader = None;
        self.becomes(RoleKind::Follower)
    }

    pub(crate) fn follows(&mut self, leader: u64) -> &mut Self {
        self.status.leader = Some(NodeId(leader));
        self.becomes(RoleKind::Follower)
    }

    /// Takes up a term as a follower that has not voted.
    pub(crate) fn adopts(&mut self, term: u64) -> &mut Self {
        self.status.current_term = Term(term);
        self.status.voted_for = None;
        self.steps_down().writes()
    }

    pub(crate) fn votes(&mut self, term: u64, candidate: u64) -> &mut Self {
        self.status.current_term = Term(term);
        self.status.voted_for = Some(NodeId(candidate));
        self.steps_down().writes()
    }

    pub(crate) fn campaigns(&mut self, term: u64) -> &mut Self {
        self.status.current_term = Term(term);
        self.status.voted_for = Some(self.status.id);
        self.status.leader = None;
        self.becomes(RoleKind::Candidate).writes()
    }

    pub(crate) fn commits(&mut self, index: u64) -> &mut Self {
        self.status.commit_index = LogIndex(index);
        self.changed()
    }

    // What it does.

    /// Asks for its hard state to be written.
    pub(crate) fn writes(&mut self) -> &mut Self {
        self.unissued = true;
        self.step(Step::WroteHardState(self.hard_state()))
    }

    pub(crate) fn truncates(&mut self, from: u64) -> &mut Self {
        self.log.truncate(from as usize - 1);
        self.set_log();
        self.unissued = true;
        self.step(Step::Truncated { from: LogIndex(from) })
    }

    pub(crate) fn appends(&mut self, term: u64, index: u64) -> &mut Self {
        self.log.truncate(index as usize - 1);
        self.log.push(term);
        self.set_log();
        self.unissued = true;
        let position = LogPosition::new(term, index);
        let is_witness = self.first.witnesses.has(self.status.id);
        let payload_hash = if is_witness { WITHHELD } else { payload_hash(position) };
        self.step(Step::Appended { position, payload_hash })
    }

    /// Appends an entry without its data.
    pub(crate) fn appends_withheld(&mut self, term: u64, index: u64) -> &mut Self {
        self.appends(term, index);
        if let Some(Step::Appended { payload_hash, .. }) = self.observation.steps.last_mut() {
            *payload_hash = WITHHELD;
        }
        self
    }

    /// Appends an entry that puts a configuration in force.
    pub(crate) fn configures(&mut self, term: u64, index: u64, membership: Membership) -> &mut Self {
        self.appends(term, index);
        self.configurations.push((index, membership));
        self.set_log();
        self.step(Step::Configured(membership))
    }

    pub(crate) fn sends(&mut self, to: u64, content: Content) -> &mut Self {
        self.sends_in(self.status.current_term.0, to, content)
    }

    pub(crate) fn sends_in(&mut self, term: u64, to: u64, content: Content) -> &mut Self {
        self.issue_write();
        let from = self.status.id;
        self.step(Step::Sent(Envelope { from, to: NodeId(to), term: Term(term), content }))
    }

    pub(crate) fn sends_entries(
        &mut self,
        to: u64,
        prev: (u64, u64),
        entries: &[(u64, u64)],
        leader_commit: u64,
    ) -> &mut Self {
        let entries = self.span(entries);
        let prev_log = LogPosition::new(prev.0, prev.1);
        self.sends(to, Content::AppendEntries { prev_log, entries, leader_commit: LogIndex(leader_commit) })
    }

    pub(crate) fn acknowledges(&mut self, to: u64, match_index: u64) -> &mut Self {
        let as_witness = self.first.witnesses.has(self.status.id);
        self.sends(to, Content::AppendAcknowledged { match_index: LogIndex(match_index), as_witness })
    }

    pub(crate) fn applies(&mut self, term: u64, index: u64) -> &mut Self {
        self.issue_write();
        self.status.last_applied = LogIndex(index);
        let position = LogPosition::new(term, index);
        let operation = u128::from(index);
        self.step(Step::Applied {
            position,
            payload_hash: payload_hash(position),
            operation,
            state_digest: index,
        })
    }

    /// Its log as (term, index), from `first` on, and what stands before.
    fn log_from(&self, first: u64) -> ((u64, u64), Vec<(u64, u64)>) {
        let term = |index: u64| index.checked_sub(1).map_or(0, |place| self.log[place as usize]);
        let entries = (first..=self.log.len() as u64).map(|index| (term(index), index)).collect();
        ((term(first - 1), first - 1), entries)
    }
}

fn payload_hash(position: LogPosition) -> u64 {
    position.term.0 * 1000 + position.index.0
}

pub(crate) fn request_vote(term: u64, index: u64) -> Content {
    Content::RequestVote { last_log: LogPosition::new(term, index), leadership_transfer: false }
}

pub(crate) fn vote_response(granted: bool) -> Content {
    Content::RequestVoteResponse { granted, is_conditional: false }
}

/// `winner` is elected in the next term by all that may vote for it, and writes its no-op.
pub(crate) fn elect<J: Judge>(cast: &mut Cast<J>, winner: u64) {
    let latest = cast.puppets.iter().map(|puppet| puppet.status.current_term.0).max().unwrap_or(0);
    if cast.puppet(winner).status.current_term.0 < latest {
        assert_eq!(
            cast.event(winner, |n| n.receives(1, latest, vote_response(false)).adopts(latest)),
            Ok(())
        );
    }
    let term = latest + 1;
    let last_log = cast.puppet(winner).status.last_log;
    let request = request_vote(last_log.term.0, last_log.index.0);
    let others = cast.others(winner);
    assert_eq!(cast.event(winner, |n| n.ticks().campaigns(term)), Ok(()));
    let campaign = |n: &mut Puppet| {
        n.persists();
        for other in &others {
            n.sends(*other, request);
        }
    };
    let asked = cast.event(winner, |n| {
        campaign(n);
        n
    });
    assert_eq!(asked, Ok(()));
    let mut votes = 1;
    for voter in others.clone() {
        if cast.puppet(voter).status.last_log > last_log {
            assert_eq!(cast.event(voter, |n| n.receives(winner, term, request).adopts(term)), Ok(()));
            let refused = cast.event(voter, |n| n.persists().sends(winner, vote_response(false)));
            assert_eq!(refused, Ok(()));
            continue;
        }
        assert_eq!(cast.event(voter, |n| n.receives(winner, term, request).votes(term, winner)), Ok(()));
        assert_eq!(cast.event(voter, |n| n.persists().sends(winner, vote_response(true))), Ok(()));
        votes += 1;
        let wins = votes == others.len().div_ceil(2) + 1;
        let counted = cast.event(winner, |n| {
            n.receives(voter, term, vote_response(true));
            if wins { n.becomes_leader().appends(term, last_log.index.0 + 1) } else { n }
        });
        assert_eq!(counted, Ok(()));
    }
    assert!(votes * 2 > others.len() + 1, "the scene needs a winner with an up-to-date log");
    assert_eq!(cast.event(winner, |n| n.persists()), Ok(()));
}

/// `leader` appends an entry and brings the followers' logs up to its own; it hears their acknowledgements.
pub(crate) fn replicate<J: Judge>(cast: &mut Cast<J>, leader: u64, followers: &[u64]) {
    let status = cast.puppet(leader).status;
    let (term, index) = (status.current_term.0, status.last_log.index.0 + 1);
    let accepted = Some(LogPosition::new(term, index));
    let proposed = cast.event(leader, |n| n.step(Step::Proposed { accepted }).appends(term, index));
    assert_eq!(proposed, Ok(()));
    assert_eq!(cast.event(leader, |n| n.persists()), Ok(()));
    catch_up(cast, leader, followers);
}

/// `leader` brings the followers' logs up to its own, and commits all of it.
pub(crate) fn commit<J: Judge>(cast: &mut Cast<J>, leader: u64, followers: &[u64]) {
    catch_up(cast, leader, followers);
    let last = cast.puppet(leader).status.last_log.index.0;
    assert_eq!(cast.event(leader, |n| n.ticks().commits(last)), Ok(()));
}

/// Everybody has the leader's log, and knows all of it to be committed.
pub(crate) fn commit_on_all<J: Judge>(cast: &mut Cast<J>, leader: u64) {
    let others = cast.others(leader);
    commit(cast, leader, &others);
    let commit = cast.puppet(leader).status.commit_index;
    for follower in others {
        let round = Round(cast.puppet(leader).status.commit_index.0);
        let heartbeat = Content::Heartbeat { round, commit };
        assert_eq!(cast.event(leader, |n| n.ticks().sends(follower, heartbeat)), Ok(()));
        let term = cast.puppet(leader).status.current_term.0;
        let learned = cast.event(follower, |n| {
            n.receives(leader, term, heartbeat)
                .commits(commit.0)
                .sends(leader, Content::HeartbeatResponse { round, promise: 0 })
        });
        assert_eq!(learned, Ok(()));
    }
}

fn catch_up<J: Judge>(cast: &mut Cast<J>, leader: u64, followers: &[u64]) {
    for follower in followers.iter().copied() {
        let common = {
            let (ours, theirs) = (&cast.puppet(leader).log, &cast.puppet(follower).log);
            ours.iter().zip(theirs).take_while(|(a, b)| a == b).count() as u64
        };
        let conflicts = cast.puppet(follower).log.len() as u64 > common;
        let (prev, entries) = cast.puppet(leader).log_from(common + 1);
        assert_eq!(cast.event(leader, |n| n.ticks().sends_entries(follower, prev, &entries, 0)), Ok(()));
        let stored = cast.event(follower, |n| {
            n.receives_entries(leader, prev, &entries, 0).follows(leader);
            if conflicts && !entries.is_empty() {
                n.truncates(common + 1);
            }
            for (term, index) in &entries {
                n.appends(*term, *index);
            }
            n
        });
        assert_eq!(stored, Ok(()));
        let last = prev.1 + entries.len() as u64;
        assert_eq!(cast.event(follower, |n| n.persists().acknowledges(leader, last)), Ok(()));
        assert_eq!(cast.event(leader, |n| n.receives_acknowledgement(follower, last)), Ok(()));
    }
}
