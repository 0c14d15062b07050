//! What must hold of any Raft, whatever its inside: the invariants of Figure 3 and what they stand on, checked
//! after each event of a node from what was observed of it.
//!
//! Each invariant has a file of its own; this front keeps the shadows of the nodes, hands each observed step to
//! the invariants that it concerns, and collects what fires. The cost of an event is in proportion to what it
//! changed. Nothing here knows one implementation's inside, and nothing walks a log.

mod acknowledged;
mod commit_quorum;
mod committed;
mod configuration_safety;
mod election_safety;
mod exactly_once;
mod leader_append_only;
mod leader_completeness;
mod log_matching;
mod progress;
mod revealed;
mod shadow;
mod snapshots;
mod stale_reads;
mod state_machine_safety;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use squall_raft::{HardState, LogIndex, LogPosition, NodeId, RoleKind, SnapshotId, Status};

pub use acknowledged::DurableView;

use crate::Violation;
use crate::membership::{Membership, NodeSet};
use crate::observation::{Content, Envelope, Observation, Step, WITHHELD};
use acknowledged::Acknowledged;
use committed::Committed;
use election_safety::ElectionSafety;
use exactly_once::ExactlyOnce;
use log_matching::LogMatching;
use revealed::Revealed;
use shadow::Shadow;
use snapshots::Snapshots;
use stale_reads::OpenReads;
use state_machine_safety::{Applied, StateMachineSafety};

/// All invariants of one cluster.
#[derive(Clone, Debug)]
pub struct Invariants {
    /// One for each node, and beside it what that node has promised.
    shadows: Vec<Shadow>,
    promises: Vec<Promises>,
    committed: Committed,
    election_safety: ElectionSafety,
    exactly_once: ExactlyOnce,
    log_matching: LogMatching,
    snapshots: Snapshots,
    state_machine_safety: StateMachineSafety,
    /// The most up to date that any log ever was.
    furthest: LogPosition,
    report: Report,
}

#[derive(Clone, Debug, Default)]
struct Promises {
    revealed: Revealed,
    acknowledged: Acknowledged,
    reads: OpenReads,
    /// The commit index rose, and the entries it covers may still have to be shown.
    commit_to_check: Option<LogIndex>,
    /// A leader's rose, in this configuration; it may have counted in the next one.
    counted: Option<(LogIndex, Membership)>,
}

/// What fired.
#[derive(Clone, Debug, Default)]
struct Report {
    /// In this event, first.
    now: Option<Violation>,
    /// In this run, the first of each class.
    ever: Vec<Violation>,
    /// The classes that do not count: they are no reason to end a run.
    ignored: Arc<[&'static str]>,
}

impl Report {
    fn note(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            self.add(violation);
        }
    }

    #[cold]
    fn add(&mut self, violation: Violation) {
        if self.ever.iter().all(|known| known.class != violation.class) {
            self.ever.push(violation.clone());
        }
        if !self.ignored.contains(&violation.class) {
            self.now.get_or_insert(violation);
        }
    }
}

impl Invariants {
    /// The invariants of a cluster of these nodes, before any of them has started; it begins with these voters.
    ///
    /// # Panics
    /// Where a voter's number is 64 or more.
    #[must_use]
    pub fn new(nodes: &[NodeId], voters: &[NodeId]) -> Self {
        let first = Membership::first(voters);
        let begins_with = |id| if first.voters.has(id) { first } else { Membership::default() };
        Self {
            shadows: nodes.iter().map(|id| Shadow::new(*id, begins_with(*id))).collect(),
            promises: vec![Promises::default(); nodes.len()],
            committed: Committed::new(first),
            election_safety: ElectionSafety::default(),
            exactly_once: ExactlyOnce::default(),
            log_matching: LogMatching::default(),
            snapshots: Snapshots::default(),
            state_machine_safety: StateMachineSafety::default(),
            furthest: LogPosition::default(),
            report: Report::default(),
        }
    }

    /// The same, where these nodes are witnesses, members or not: they keep no data.
    #[must_use]
    pub fn with_witnesses(mut self, witnesses: NodeSet) -> Self {
        let name = |first: Membership| Membership { witnesses: first.voters.and(witnesses), ..first };
        for shadow in &mut self.shadows {
            *shadow = Shadow::new(shadow.id, name(shadow.membership()));
            shadow.is_witness = witnesses.has(shadow.id);
        }
        self.committed = Committed::new(name(self.committed.first()));
        self
    }

    /// Judges what was observed of `node` in one event, its disk standing as `disk` shows.
    ///
    /// # Errors
    /// The first violation of this event. All are kept, the first of each class.
    ///
    /// # Panics
    /// Where `node` is none of the nodes.
    pub fn observe(
        &mut self,
        node: NodeId,
        observation: &Observation,
        disk: &impl DurableView,
    ) -> Result<(), Violation> {
        let slot = self.slot(node);
        for step in &observation.steps {
            self.observe_step(slot, step, disk);
        }
        self.finish_input(slot);
        if let Some(status) = &observation.status {
            self.report.note(self.shadows[slot].check_status(status));
            // A snapshot may have taken the place of what was lost: then what stands behind it counts.
            self.report.note(self.shadows[slot].persist(status.durable_index));
        }
        self.report.now.take().map_or(Ok(()), Err)
    }

    /// The same, where violations of these classes do not count.
    #[must_use]
    pub fn ignoring(mut self, classes: Arc<[&'static str]>) -> Self {
        self.report.ignored = classes;
        self
    }

    /// `node` crashed or was stopped; it leads no more, and what it held durably still counts.
    ///
    /// # Panics
    /// Where `node` is none of the nodes.
    pub fn stopped(&mut self, node: NodeId) {
        let slot = self.slot(node);
        self.shadows[slot].stop();
        self.promises[slot].commit_to_check = None;
        self.promises[slot].counted = None;
        self.promises[slot].reads.clear();
    }

    /// Judges the hard state with which `node` would come back now.
    ///
    /// # Errors
    /// Where it forgets what the node has revealed.
    ///
    /// # Panics
    /// Where `node` is none of the nodes.
    pub fn check_hard_state(&self, node: NodeId, recovered: HardState) -> Result<(), Violation> {
        self.promises[self.slot(node)].revealed.check_recovered(node, recovered)
    }

    /// The violations of this run, the first of each class, in the order in which they fired.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.report.ever
    }

    /// The client operations whose commands state machines were given, in log order: that of the entry at index `i`
    /// stands at `i - 1`; 0 where they were given none.
    #[must_use]
    pub fn applied_operations(&self) -> &[u128] {
        self.state_machine_safety.operations()
    }

    /// The last index that a leader committed.
    #[must_use]
    pub fn committed_index(&self) -> LogIndex {
        self.committed.last_index()
    }

    /// On how many disks the entry stands that `node` has at `index`. Not even a majority commits it by itself
    /// (Figure 8).
    #[must_use]
    pub fn copies(&self, node: NodeId, index: LogIndex) -> usize {
        let Some(link) = self.shadows[self.slot(node)].link(index) else { return 0 };
        let holds = |shadow: &&Shadow| shadow.durable_index >= index && shadow.link(index) == Some(link);
        self.shadows.iter().filter(holds).count()
    }

    /// The configurations that may come to be in force from what this node has: that of what is durable, and all
    /// after it.
    pub fn configurations(&self, node: NodeId) -> impl Iterator<Item = Membership> {
        self.shadows[self.slot(node)].configurations_beyond_durable()
    }

    /// The configurations by which an entry of this node's log may be committed: the one in force before it, and all that follow.
    pub fn configurations_reaching(&self, node: NodeId, index: LogIndex) -> impl Iterator<Item = Membership> {
        self.shadows[self.slot(node)].configurations_reaching(index)
    }

    /// The nodes that keep no data.
    #[must_use]
    pub fn witnesses(&self) -> NodeSet {
        self.shadows.iter().filter(|shadow| shadow.is_witness).map(|shadow| shadow.id).collect()
    }

    /// Whether no log was ever more up to date, durable or not, than what `node` has durably. What another has lost may
    /// still be on its way to somebody.
    #[must_use]
    pub fn is_ahead_of_all(&self, node: NodeId) -> bool {
        let own = &self.shadows[self.slot(node)];
        own.position(own.durable_index) >= Some(self.furthest)
    }

    /// How many committed configurations stand after `index`.
    #[must_use]
    pub fn changes_committed_after(&self, index: LogIndex) -> usize {
        self.committed.changes_after(index)
    }

    /// Whether every node begins as a member.
    #[must_use]
    pub fn are_all_members(&self) -> bool {
        self.shadows.iter().all(Shadow::begins_as_member)
    }

    /// Whether no log has ever held a configuration.
    #[must_use]
    pub fn is_membership_fixed(&self) -> bool {
        self.shadows.iter().all(|shadow| shadow.membership_index() == LogIndex::ZERO)
    }

    /// Whether the log of `node` holds an entry other than the committed one, up to `base`.
    #[must_use]
    pub fn is_in_conflict(&self, node: NodeId, base: LogPosition) -> bool {
        let shadow = &self.shadows[self.slot(node)];
        shadow.parts_from(self.committed.prefix(base.index)) <= base.index.min(shadow.last_index())
    }

    /// The node that took the very same snapshot first.
    #[must_use]
    pub fn taker(&self, snapshot: SnapshotId) -> Option<NodeId> {
        self.snapshots.taker(snapshot)
    }

    fn slot(&self, node: NodeId) -> usize {
        self.shadows.iter().position(|shadow| shadow.id == node).expect("only known nodes are observed")
    }

    fn observe_step(&mut self, slot: usize, step: &Step, disk: &impl DurableView) {
        match step {
            Step::Started { hard_state, snapshot, base, last_log, uncertain: _ } => {
                self.observe_start(slot, *hard_state, *snapshot, *base, *last_log, disk);
            }
            Step::Persisted { durable_index, .. } => {
                self.finish_input(slot);
                self.report.note(self.shadows[slot].persist(*durable_index));
            }
            Step::Received(_)
            | Step::Ticked
            | Step::Proposed { .. }
            | Step::Administered
            | Step::Fetched
            | Step::SnapshotStepped => self.finish_input(slot),
            Step::SnapshotTaken(snapshot) => {
                self.finish_input(slot);
                self.report.note(self.snapshots.check_own(&self.shadows[slot], *snapshot, &self.committed));
                self.keep(slot, *snapshot, disk);
            }
            Step::SnapshotReceived(snapshot) => {
                self.finish_input(slot);
                let node = self.shadows[slot].id;
                self.report.note(self.snapshots.check_received(node, *snapshot, &self.committed));
                self.keep(slot, *snapshot, disk);
            }
            Step::ConfigurationRestored { snapshot, configuration } => {
                self.finish_input(slot);
                let node = self.shadows[slot].id;
                self.report.note(snapshots::check_configuration(
                    node,
                    *snapshot,
                    *configuration,
                    &self.committed,
                ));
            }
            Step::Restored { snapshot, state_digest } => {
                self.finish_input(slot);
                self.observe_restored(slot, snapshot.last, *state_digest);
            }
            Step::Reset { base } => self.observe_reset(slot, *base),
            Step::Compacted { base } => {
                let shadow = &self.shadows[slot];
                self.report.note(snapshots::check_given_up(shadow, *base, &self.committed));
            }
            Step::ReadAsked { read } => {
                self.finish_input(slot);
                if let Some(read) = read {
                    self.promises[slot].reads.ask(*read, self.committed.last_index());
                }
            }
            Step::ReadsSettled { up_to, index } => {
                let node = self.shadows[slot].id;
                self.report.note(self.promises[slot].reads.check_settled(node, *up_to, *index));
            }
            Step::ReadServed { read, index } => {
                let node = self.shadows[slot].id;
                self.report.note(self.promises[slot].reads.check_served(node, *read, *index));
            }
            Step::WroteHardState(_) | Step::WriteIssued { .. } => {}
            Step::Changed(status) => self.observe_change(slot, status, disk),
            Step::Truncated { from } => self.observe_truncation(slot, *from),
            Step::Appended { position, payload_hash } => self.observe_entry(slot, *position, *payload_hash),
            Step::Lost { position, .. } => self.observe_lost(slot, *position),
            // Its name counts, as it did.
            Step::SnapshotLost(_) => {}
            Step::Repaired { position, payload_hash } => {
                self.observe_repair(slot, *position, *payload_hash);
            }
            Step::Configured(membership) => self.observe_configuration(slot, *membership),
            Step::Sent(message) => self.observe_sent(slot, message, disk),
            Step::Applied { position, payload_hash, operation, state_digest } => {
                let shadow = &mut self.shadows[slot];
                self.report.note(progress::check_apply(shadow, *position));
                shadow.last_applied = position.index;
                let applied = Applied {
                    node: shadow.id,
                    position: *position,
                    payload_hash: *payload_hash,
                    state_digest: *state_digest,
                };
                let known = self.applied_operations().len();
                self.report.note(self.state_machine_safety.check_apply(applied, *operation));
                if self.applied_operations().len() > known {
                    self.report.note(self.exactly_once.check_apply(*position, *operation));
                }
            }
        }
    }

    fn observe_start(
        &mut self,
        slot: usize,
        hard_state: HardState,
        snapshot: Option<SnapshotId>,
        base: LogPosition,
        last_log: LogPosition,
        disk: &impl DurableView,
    ) {
        if let Some(snapshot) = snapshot {
            self.report.note(self.snapshots.check_own(&self.shadows[slot], snapshot, &self.committed));
        }
        let (shadow, promises) = (&mut self.shadows[slot], &mut self.promises[slot]);
        promises.commit_to_check = None;
        self.report.note(promises.revealed.check_recovered(shadow.id, hard_state));
        let configurations = self.committed.configurations_up_to(base.index);
        shadow.start(hard_state, snapshot, self.committed.prefix(base.index), configurations, last_log);
        self.report.note(snapshots::check_given_up(shadow, base, &self.committed));
        if let Some(snapshot) = snapshot {
            // It may have become whole when the life before ended, and nobody had heard of it.
            promises.acknowledged.keep_by_snapshot(shadow, snapshot.last.index, disk);
        }
        if shadow.has_recovered() {
            self.report.note(promises.acknowledged.check_recovered(shadow));
        }
    }

    /// It has a snapshot, which is whole.
    fn keep(&mut self, slot: usize, snapshot: SnapshotId, disk: &impl DurableView) {
        let (shadow, promises) = (&mut self.shadows[slot], &mut self.promises[slot]);
        shadow.keep(snapshot);
        promises.acknowledged.keep_by_snapshot(shadow, snapshot.last.index, disk);
    }

    fn observe_change(&mut self, slot: usize, status: &Status, disk: &impl DurableView) {
        let shadow = &mut self.shadows[slot];
        self.report.note(progress::check_change(shadow, status));
        let was_elected = status.role == RoleKind::Leader && !shadow.leads(status.current_term);
        let committed_more = status.commit_index > shadow.commit_index;
        shadow.change(status);
        if was_elected {
            self.report.note(self.election_safety.check_claim(status.current_term, status.id));
            self.report.note(leader_completeness::check_election(&self.committed, shadow));
        }
        if !committed_more {
            return;
        }
        if status.role != RoleKind::Leader {
            // A follower shows the entries of the message that told it only after this.
            self.promises[slot].commit_to_check = Some(status.commit_index);
            return;
        }
        let index = status.commit_index;
        let covered = shadow.snapshot.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        if index <= covered {
            // It counted nothing: a snapshot told it, which stands for what it had lost.
            self.promises[slot].commit_to_check = Some(index);
            return;
        }
        // What a leader counts of its own is a promise like an acknowledgement.
        let own = index.min(shadow.durable_index);
        self.report.note(self.promises[slot].acknowledged.check_log(shadow, own, disk));
        self.report.note(commit_quorum::check_leader(&self.shadows, slot, index));
        let counted = &mut self.promises[slot].counted;
        let before = counted.map_or_else(|| self.shadows[slot].membership(), |(_, before)| before);
        *counted = Some((index, before));
        self.committed.record(status.current_term, &self.shadows[slot], index);
        self.report.note(commit_quorum::check_learner(&self.committed, &self.shadows[slot], index));
        self.report.note(leader_completeness::check_commit(&self.shadows, &self.shadows[slot], index));
    }

    fn observe_truncation(&mut self, slot: usize, from: LogIndex) {
        let shadow = &mut self.shadows[slot];
        self.report.note(leader_append_only::check_truncation(shadow, from));
        if shadow.role == RoleKind::Leader && shadow.has_lost(from) {
            self.report.note(leader_completeness::check_discard(&self.committed, shadow, from));
        }
        self.report.note(progress::check_truncation(shadow, from));
        shadow.truncate(from);
        self.promises[slot].acknowledged.release(shadow, from);
    }

    /// What the old log held beyond the snapshot, or instead of it, is removed.
    fn observe_reset(&mut self, slot: usize, base: LogPosition) {
        let shadow = &mut self.shadows[slot];
        self.report.note(snapshots::check_given_up(shadow, base, &self.committed));
        let prefix = self.committed.prefix(base.index);
        let from = shadow.parts_from(prefix);
        self.report.note(leader_append_only::check_truncation(shadow, from));
        // A log that only ends too early loses nothing.
        if from <= base.index.min(shadow.last_index()) {
            self.report.note(progress::check_truncation(shadow, from));
        }
        shadow.reset(prefix, self.committed.configurations_up_to(base.index));
        let link = shadow.link(base.index).unwrap_or_default();
        self.promises[slot].acknowledged.reset(base.index, link);
    }

    fn observe_restored(&mut self, slot: usize, position: LogPosition, state_digest: u64) {
        let shadow = &mut self.shadows[slot];
        self.report.note(progress::check_restored(shadow, position));
        shadow.last_applied = position.index;
        // What a witness restores is where its log begins, and no state.
        if !shadow.is_witness {
            let node = shadow.id;
            self.report.note(self.state_machine_safety.check_restored(node, position, state_digest));
        }
    }

    fn observe_entry(&mut self, slot: usize, position: LogPosition, payload_hash: u64) {
        let payload_hash = match self.told_payload(slot, position, payload_hash) {
            Err(violation) => return self.report.add(violation),
            Ok(payload_hash) => payload_hash,
        };
        let shadow = &mut self.shadows[slot];
        let was_recovering = !shadow.has_recovered();
        match shadow.append(position, payload_hash) {
            Err(violation) => return self.report.add(violation),
            Ok(link) => {
                self.furthest = self.furthest.max(position);
                self.report.note(self.log_matching.check_entry(shadow.id, position, link, payload_hash));
            }
        }
        if was_recovering && shadow.has_recovered() {
            self.report.note(self.promises[slot].acknowledged.check_recovered(shadow));
        }
    }

    /// An entry was recovered by its name alone.
    fn observe_lost(&mut self, slot: usize, position: LogPosition) {
        let Some(payload_hash) = self.log_matching.payload_of(position) else {
            let message =
                format!("{} has the name of {position}, which nobody ever held", self.shadows[slot].id);
            return self.report.add(Violation { class: "LogMatching", message });
        };
        self.shadows[slot].lose(position.index);
        self.observe_entry(slot, position, payload_hash);
    }

    /// What comes back is what was lost.
    fn observe_repair(&mut self, slot: usize, position: LogPosition, payload_hash: u64) {
        let shadow = &mut self.shadows[slot];
        let is_same = shadow.position(position.index) == Some(position)
            && self.log_matching.payload_of(position) == Some(payload_hash);
        if !is_same {
            let message = format!("{} took other data for {position} than it had lost", shadow.id);
            return self.report.add(Violation { class: "LogMatching", message });
        }
        shadow.regain(position.index);
    }

    /// What an entry says, even where that was withheld from the node: only a witness may have it so, and somebody who was
    /// told showed it before.
    fn told_payload(&self, slot: usize, position: LogPosition, payload_hash: u64) -> Result<u64, Violation> {
        if payload_hash != WITHHELD {
            return Ok(payload_hash);
        }
        let Shadow { id, is_witness, .. } = self.shadows[slot];
        if !is_witness {
            let message = format!("{id}, which is no witness, holds {position} without its data");
            return Err(Violation { class: "DataIsKept", message });
        }
        self.log_matching.payload_of(position).ok_or_else(|| {
            let message = format!("{id}, a witness, holds {position}, which nobody else ever held");
            Violation { class: "LogMatching", message }
        })
    }

    fn observe_configuration(&mut self, slot: usize, membership: Membership) {
        let shadow = &mut self.shadows[slot];
        if shadow.role == RoleKind::Leader {
            self.report.note(configuration_safety::check_append(shadow, membership));
        }
        shadow.configure(membership);
    }

    fn observe_sent(&mut self, slot: usize, message: &Envelope, disk: &impl DurableView) {
        let (shadow, promises) = (&self.shadows[slot], &mut self.promises[slot]);
        self.report.note(promises.revealed.check_sent(message));
        self.report.note(promises.acknowledged.check_sent(message, disk));
        match message.content {
            Content::AppendAcknowledged { match_index, .. } => {
                self.report.note(promises.acknowledged.check_log(shadow, match_index, disk));
            }
            Content::AppendEntries { .. }
            | Content::Heartbeat { .. }
            | Content::TimeoutNow
            | Content::ReadIndexResponse { .. }
            | Content::RepairRequest { .. }
            | Content::InstallSnapshot { .. } => {
                if !shadow.leads(message.term) {
                    self.report.note(self.election_safety.check_claim(message.term, message.from));
                }
            }
            Content::AppendLacking { first, .. } => {
                let match_index = LogIndex(first.0.saturating_sub(1));
                self.report.note(promises.acknowledged.check_log(shadow, match_index, disk));
            }
            Content::PreVote { .. }
            | Content::PreVoteResponse { .. }
            | Content::RequestVote { .. }
            | Content::RequestVoteResponse { .. }
            | Content::AppendRefused { .. }
            | Content::RepairResponse { .. }
            | Content::HeartbeatResponse { .. }
            | Content::ReadIndex { .. }
            | Content::Forward
            | Content::ForwardRefused
            | Content::SnapshotRequest { .. }
            | Content::SnapshotChunk { .. } => {}
        }
    }

    /// All that one input caused has been shown.
    fn finish_input(&mut self, slot: usize) {
        let shadow = &mut self.shadows[slot];
        shadow.committed_before = shadow.commit_index;
        if let Some((index, before)) = self.promises[slot].counted.take() {
            self.report.note(commit_quorum::check_quorum(&self.shadows, slot, index, before));
        }
        let shadow = &mut self.shadows[slot];
        if let Some(index) = self.promises[slot].commit_to_check.take() {
            self.report.note(commit_quorum::check_learner(&self.committed, shadow, index));
        }
    }
}
