//! One node as the specification sees it: its own state, stepped by what the node was given and reported.
//!
//! After a broken rule the model takes the node's word and goes on, so that one fault is not reported as many.

use std::collections::{BTreeMap, BTreeSet};

use squall_raft::{HardState, LogIndex, LogPosition, NodeId, RoleKind, SnapshotId, Status, Term};

use super::certainty::Tally;
use super::disk::{Disk, Log};
use super::reads::Reads;
use super::repair::Repairs;
use super::rule::Rule;
use super::witnesses::Witnesses;
use crate::Violation;
use crate::membership::{Membership, NodeSet};
use crate::observation::{Content, Envelope, Observation, Span, Step};

/// The state of one node (Figure 2), and what it rests on.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) id: NodeId,
    /// All nodes there are, members or not.
    nodes: NodeSet,
    /// The configurations of its log, the last of them in force, each with the index of its entry; before the first
    /// entry, the one that the node begins with.
    pub(super) configurations: Vec<(LogIndex, Membership)>,

    pub(super) role: RoleKind,
    pub(super) current_term: Term,
    pub(super) voted_for: Option<NodeId>,
    pub(super) longest_promise: u64,
    /// Entries of terms up to this one may be missing at its log's end; outlives a crash.
    pub(super) uncertain: Term,
    /// It was certain of its log when it gave its vote of this term, in this life.
    pub(super) voted_certain: bool,
    pub(super) log: Log,
    pub(super) disk: Disk,
    pub(super) durable_index: LogIndex,
    pub(super) commit_index: LogIndex,
    /// The commit index before the input that is being digested.
    pub(super) committed_before: LogIndex,
    pub(super) last_applied: LogIndex,
    /// The last entry that it may rightly take as committed; outlives a crash as far as it was durable.
    pub(super) known_committed: LogIndex,

    // Of this term, as a follower.
    /// Whom it heard act as the leader.
    pub(super) leader: Option<NodeId>,
    /// Its log is the leader's up to here.
    pub(super) matched: LogIndex,
    /// What it acknowledged to the leader; outlives a crash.
    pub(super) acknowledged: LogIndex,
    /// Requests that it may refuse: from whom and at which index, and the term of the previous entry that was asked for.
    pub(super) refusals: BTreeMap<(NodeId, LogIndex), Term>,
    /// Who sent it an AppendEntries or a heartbeat, of this term or an earlier one.
    pub(super) heard: NodeSet,
    /// Who passed a proposal on to it, in any term.
    pub(super) passed_on: NodeSet,

    // Of this term, as a candidate and as a leader.
    pub(super) votes: Tally,
    pub(super) pre_votes: Tally,
    pub(super) match_index: BTreeMap<NodeId, LogIndex>,
    /// What the input that is being digested led it to commit, and who was told to hold that.
    pub(super) counted: Option<(LogIndex, NodeSet)>,

    /// The first index of its own term, as a leader.
    pub(super) first_own: LogIndex,
    pub(super) reads: Reads,
    pub(super) repairs: Repairs,
    /// The entries whose data may have gone bad on disk.
    pub(super) rotted: BTreeSet<LogPosition>,
    /// The last entries of snapshots of which chunks may have gone bad.
    pub(super) rotted_snapshots: BTreeSet<LogIndex>,
    /// The one whose state is lost: its name counts, and nothing is applied.
    pub(super) lost_snapshot: Option<SnapshotId>,
    /// Its disk was ruined: what it knew of snapshots may be gone.
    pub(super) is_ruined: bool,
    pub(super) witnesses: Witnesses,
    /// Its own clock.
    pub(super) ticks: u64,
    /// By how much clocks may differ, in parts of a million, where the cluster serves reads by leases.
    pub(super) lease_drift_ppm: Option<u32>,

    // Snapshots; all of it outlives a crash.
    /// Those that were ever whole and durable here, and those that a leader ever offered.
    pub(super) snapshots: BTreeSet<SnapshotId>,
    pub(super) offered: BTreeSet<SnapshotId>,
    /// The newest of those that are here.
    pub(super) newest_snapshot: Option<SnapshotId>,
    /// The one after which the log has to begin anew, and the one that the state machine is to be put into.
    pub(super) to_reset: Option<LogPosition>,
    pub(super) to_restore: Option<SnapshotId>,
    /// The latter has yet to say which configuration is in force at its end.
    pub(super) configuration_is_unknown: bool,

    /// The configuration with which it begins.
    first: Membership,
    /// What was in force before the input that is being digested, and that input.
    pub(super) in_force_before: Membership,
    pub(super) cause: Cause,
    pub(super) offer: Option<Offer>,
    /// The last entry of the recovered log, while it is being shown.
    recovering: Option<LogPosition>,
    broken: Option<Violation>,
}

/// What the node was given last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    Nothing,
    Started,
    Received(Envelope),
    Ticked,
    Proposed(Option<LogPosition>),
    Administered,
    Persisted,
    Fetched,
    Asked,
    Snapshot,
}

/// An AppendEntries of this term's leader, which the node may carry out, wholly, in part, or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Offer {
    pub(super) prev_log: LogPosition,
    pub(super) entries: Span,
    pub(super) leader_commit: LogIndex,
    /// Whether the previous entry is there.
    pub(super) fits: bool,
    /// How many of the entries the log has.
    pub(super) held: u32,
}

impl Model {
    /// A node that begins with `first`, among all these.
    pub(super) fn new(id: NodeId, nodes: NodeSet, first: Membership, lease_drift_ppm: Option<u32>) -> Self {
        Self {
            id,
            nodes,
            configurations: vec![(LogIndex::ZERO, first)],
            role: RoleKind::Follower,
            current_term: Term::ZERO,
            voted_for: None,
            longest_promise: 0,
            uncertain: Term::ZERO,
            voted_certain: false,
            log: Log::default(),
            disk: Disk::default(),
            durable_index: LogIndex::ZERO,
            commit_index: LogIndex::ZERO,
            committed_before: LogIndex::ZERO,
            last_applied: LogIndex::ZERO,
            known_committed: LogIndex::ZERO,
            leader: None,
            matched: LogIndex::ZERO,
            acknowledged: LogIndex::ZERO,
            refusals: BTreeMap::new(),
            heard: NodeSet::EMPTY,
            passed_on: NodeSet::EMPTY,
            votes: Tally::default(),
            pre_votes: Tally::default(),
            match_index: BTreeMap::new(),
            counted: None,
            first_own: LogIndex::ZERO,
            reads: Reads::default(),
            repairs: Repairs::default(),
            rotted: BTreeSet::new(),
            rotted_snapshots: BTreeSet::new(),
            lost_snapshot: None,
            is_ruined: false,
            witnesses: Witnesses::default(),
            ticks: 0,
            lease_drift_ppm,
            first,
            in_force_before: first,
            snapshots: BTreeSet::new(),
            offered: BTreeSet::new(),
            newest_snapshot: None,
            to_reset: None,
            to_restore: None,
            configuration_is_unknown: false,
            cause: Cause::Nothing,
            offer: None,
            recovering: None,
            broken: None,
        }
    }

    /// Some nodes, perhaps this one, are witnesses. It has not started.
    pub(super) fn name_witnesses(&mut self, witnesses: NodeSet, election_timeout: u64) {
        self.witnesses = Witnesses::new(witnesses, election_timeout);
        self.first.witnesses = self.first.voters.and(witnesses);
        (self.configurations, self.in_force_before) = (vec![(LogIndex::ZERO, self.first)], self.first);
    }

    /// Steps through one event; returns the first rule that was broken.
    pub(super) fn observe(&mut self, observation: &Observation) -> Result<(), Violation> {
        self.ticks = observation.ticks;
        let steps = &observation.steps;
        // An input and all that it led to. A node has changed before it speaks, in whatever order its driver carries out what
        // it asks for.
        let (mut input, mut first_sent) = (0, None);
        for (place, step) in steps.iter().enumerate() {
            if step.is_input() && place > input {
                self.finish_input(&steps[first_sent.take().unwrap_or(place)..place], observation);
                input = place;
            }
            if matches!(step, Step::Sent(_)) {
                first_sent.get_or_insert(place);
            } else {
                self.step(step, observation);
            }
        }
        if !steps.is_empty() {
            self.finish_input(&steps[first_sent.unwrap_or(steps.len())..], observation);
        }
        if let Some(status) = &observation.status {
            self.check_status(status);
        }
        self.broken.take().map_or(Ok(()), Err)
    }

    fn step(&mut self, step: &Step, observation: &Observation) {
        match step {
            Step::Started { hard_state, snapshot, base, last_log, uncertain } => {
                self.cause = Cause::Started;
                self.recovered_uncertain(*uncertain, *hard_state);
                self.start(*hard_state, *snapshot, *base, *last_log);
            }
            Step::SnapshotLost(snapshot) => self.snapshot_lost(*snapshot),
            Step::Received(message) => {
                self.cause = Cause::Received(*message);
                self.receive(message);
                self.heard_of_repair(message, observation);
            }
            Step::Ticked => self.cause = Cause::Ticked,
            Step::Proposed { accepted } => {
                self.cause = Cause::Proposed(*accepted);
                self.check_proposal(*accepted);
            }
            Step::Administered => self.cause = Cause::Administered,
            Step::Persisted { sequence, durable_index } => {
                self.cause = Cause::Persisted;
                self.persisted(*sequence, *durable_index);
            }
            Step::Fetched => self.cause = Cause::Fetched,
            Step::ReadAsked { read } => {
                self.cause = Cause::Asked;
                self.asked_to_read(*read);
            }
            Step::ReadsSettled { up_to, index } => self.settled_reads(*up_to, *index),
            // This core settles its reads in order.
            Step::ReadServed { .. } => {}
            Step::SnapshotTaken(snapshot) => {
                self.cause = Cause::Snapshot;
                self.snapshot_taken(*snapshot);
            }
            Step::SnapshotReceived(snapshot) => {
                self.cause = Cause::Snapshot;
                self.snapshot_received(*snapshot);
            }
            Step::SnapshotStepped => self.cause = Cause::Snapshot,
            Step::ConfigurationRestored { snapshot, configuration } => {
                self.cause = Cause::Snapshot;
                self.configuration_restored(*snapshot, *configuration);
            }
            Step::Restored { snapshot, .. } => {
                self.cause = Cause::Snapshot;
                self.restored(*snapshot);
            }
            Step::Reset { base } => self.reset(*base),
            Step::Compacted { base } => self.compacted(*base),
            Step::Changed(status) => self.changed(status),
            Step::WroteHardState(hard_state) => self.wrote_hard_state(*hard_state),
            Step::Truncated { from } => self.truncated(*from, observation),
            Step::Appended { position, .. } if self.recovering.is_some() => self.recovered(*position),
            Step::Appended { position, payload_hash } => {
                self.check_withheld(*position, *payload_hash);
                self.appended(*position, observation);
            }
            Step::Lost { position, is_doubtful } => self.recovered_lost(*position, *is_doubtful),
            Step::Repaired { position, .. } => self.repaired(*position, observation),
            Step::Configured(membership) => self.configured(*membership),
            Step::WriteIssued { sequence } => self.disk.issue(*sequence),
            Step::Sent(message) => self.sent(message, observation),
            Step::Applied { position, .. } => self.applied(*position),
        }
    }

    /// All that the last input caused has been shown, and looked at but for what the node sent, which is among `spoken`.
    fn finish_input(&mut self, spoken: &[Step], observation: &Observation) {
        let sent = spoken.iter().filter(|step| matches!(step, Step::Sent(_)));
        sent.for_each(|step| self.step(step, observation));
        self.check_learned_commit(observation);
        self.check_counted();
        if self.is_witness() && self.to_restore.is_none() {
            // It has nothing to do with what is committed and durable.
            self.last_applied = self.last_applied.max(self.commit_index.min(self.durable_index));
        }
        if let Cause::Proposed(Some(accepted)) = self.cause {
            let holds = self.log.holds(accepted);
            self.require(holds, Rule::AcceptedElsewhere, |model| {
                format!(
                    "{} accepted a proposal for {accepted}; its log ends at {}",
                    model.id,
                    model.log.last()
                )
            });
        }
        self.check_transfer_is_heard();
        self.check_was_reset();
        if let Some(last_log) = self.recovering.take() {
            self.require(false, Rule::RecoveredLog, |model| {
                format!(
                    "{} recovered up to {last_log}, and showed entries up to {}",
                    model.id,
                    model.log.last()
                )
            });
        }
        self.cause = Cause::Nothing;
        self.offer = None;
        self.committed_before = self.commit_index;
        self.in_force_before = self.in_force();
    }

    /// Notes a broken rule; the first of an event is the one that is told.
    pub(super) fn require(&mut self, holds: bool, rule: Rule, details: impl FnOnce(&Self) -> String) {
        if !holds && self.broken.is_none() {
            let message = format!("{}: {}", rule.name(), details(self));
            self.broken = Some(Violation { class: rule.class(), message });
        }
    }

    pub(super) fn knows(&self, node: NodeId) -> bool {
        self.nodes.has(node)
    }

    // Restart, and the disk.

    /// Restart(i): all but the persistent state is lost, and that comes back as the disk had it.
    fn start(
        &mut self,
        hard_state: HardState,
        snapshot: Option<SnapshotId>,
        base: LogPosition,
        last_log: LogPosition,
    ) {
        let may_leave = self.disk.may_leave_hard_state(hard_state);
        self.require(may_leave, Rule::RecoveredHardState, |model| {
            let (id, disk) = (model.id, &model.disk);
            format!(
                "{id} came back with {hard_state:?}; its disk had {:?}, or a later write",
                disk.hard_state
            )
        });
        self.require(last_log.term <= hard_state.current_term, Rule::RecoveredTermBehindLog, |model| {
            format!("{} came back in term {} with {last_log}", model.id, hard_state.current_term)
        });
        let same_term = self.current_term == hard_state.current_term;
        let acknowledged = if same_term { self.acknowledged } else { LogIndex::ZERO };
        self.known_committed = self.known_committed.min(self.durable_index);
        self.adopt_term(hard_state.current_term);
        self.acknowledged = acknowledged;
        self.voted_for = hard_state.voted_for;
        self.longest_promise = hard_state.longest_promise;
        self.reads.restart(hard_state.longest_promise);
        self.durable_index = LogIndex::ZERO;
        self.last_applied = LogIndex::ZERO;
        self.log.reset(base);
        self.repairs = Repairs::default();
        self.configurations = vec![(LogIndex::ZERO, self.first)];
        self.start_from_snapshot(snapshot, base);
        self.recovering = Some(last_log);
        self.finish_recovery();
    }

    fn recovered(&mut self, position: LogPosition) {
        self.log.append(position.term, 0);
        self.finish_recovery();
    }

    pub(super) fn finish_recovery(&mut self) {
        let Some(last_log) = self.recovering.filter(|last_log| last_log.index <= self.log.last_index())
        else {
            return;
        };
        self.recovering = None;
        let may_leave = self.log.last() == last_log && self.disk.may_leave_log(&self.log);
        self.require(may_leave, Rule::RecoveredLog, |model| {
            format!("{} came back with a log that ends at {last_log}", model.id)
        });
        let hard_state = HardState {
            current_term: self.current_term,
            voted_for: self.voted_for,
            longest_promise: self.longest_promise,
        };
        self.check_recovered_faults();
        self.disk.restart(hard_state, &self.log, self.repairs.lost());
        self.expect_reset_after_recovery();
        let covered = self.newest_snapshot.filter(|snapshot| self.log.holds(snapshot.last));
        self.forgive_up_to(covered.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index));
        self.durable_index = self.log.durable_from(self.log.base().index, &self.disk);
    }

    fn wrote_hard_state(&mut self, hard_state: HardState) {
        // How much a node may promise is its own affair, as long as it keeps it.
        let (former, longest_promise) = (self.longest_promise, hard_state.longest_promise);
        self.longest_promise = longest_promise;
        let has_run_out = self.promise_has_run_out();
        self.require(longest_promise >= former || has_run_out, Rule::PromiseFell, |model| {
            format!("{} had promised {former} ticks, and wrote {longest_promise}", model.id)
        });
        let own = HardState { current_term: self.current_term, voted_for: self.voted_for, longest_promise };
        self.require(hard_state == own, Rule::WroteOtherHardState, |model| {
            format!("{} wrote {hard_state:?}; it has {own:?}", model.id)
        });
        self.disk.write_hard_state(hard_state);
    }

    fn persisted(&mut self, sequence: u64, claimed: LogIndex) {
        let was_asked = self.disk.complete(sequence);
        self.repairs.completed(&self.log, &self.disk);
        self.note_whole();
        self.require(was_asked, Rule::PersistedUnknownWrite, |model| {
            format!("{}: write {sequence}", model.id)
        });
        self.durable_index = self.log.durable_from(self.durable_index, &self.disk);
        self.require(claimed <= self.durable_index, Rule::DurableBeyondWrites, |model| {
            format!("{} is durable up to {}, and claims {claimed}", model.id, model.durable_index)
        });
    }

    // Apply, and the node's own word.

    fn applied(&mut self, position: LogPosition) {
        let index = position.index;
        let details = |model: &Self| {
            let (id, applied, commit) = (model.id, model.last_applied, model.commit_index);
            let durable = model.durable_index;
            format!(
                "{id} applied {position} after {applied}, committed up to {commit}, durable up to {durable}"
            )
        };
        self.require(!self.is_witness(), Rule::WitnessApplied, details);
        self.require(index.0 == self.last_applied.0 + 1, Rule::AppliedOutOfOrder, details);
        self.require(index <= self.commit_index, Rule::AppliedUncommitted, details);
        self.require(index <= self.durable_index, Rule::AppliedUndurable, details);
        self.require(self.log.holds(position), Rule::AppliedOther, details);
        self.last_applied = index;
    }

    fn check_status(&mut self, status: &Status) {
        let same = status.role == self.role
            && status.current_term == self.current_term
            && status.voted_for == self.voted_for
            && status.commit_index == self.commit_index
            && status.last_log == self.log.last()
            && status.durable_index <= self.durable_index
            && status.last_applied <= self.last_applied
            && status.configuration_index == self.configuration_index()
            && status.is_voter == self.in_force().is_voter(self.id);
        self.require(same, Rule::StatusDiffers, |model| {
            format!(
                "{status:?}; expected {:?} in term {}, vote {:?}, commit {}, last {}, durable {}, applied {}, {} since {}",
                model.role,
                model.current_term,
                model.voted_for,
                model.commit_index,
                model.log.last(),
                model.durable_index,
                model.last_applied,
                model.in_force(),
                model.configuration_index()
            )
        });
    }

    /// The message being handled, where it is one of the content that `is` accepts.
    pub(super) fn handling(&self, is: impl FnOnce(&Content) -> bool) -> Option<Envelope> {
        match self.cause {
            Cause::Received(message) if is(&message.content) => Some(message),
            Cause::Received(_)
            | Cause::Nothing
            | Cause::Started
            | Cause::Ticked
            | Cause::Proposed(_)
            | Cause::Administered
            | Cause::Persisted
            | Cause::Fetched
            | Cause::Asked
            | Cause::Snapshot => None,
        }
    }
}
