//! What the oracles and the marks are shown of a server: its inputs, its deeds, its state, in neutral terms.
//!
//! Nothing here has any effect on the server.

use squall_raft::{
    AppendResult, Body, Configuration, Entry, Faulty, FollowerStatus, HandoverReason, Heartbeat,
    HeartbeatResponse, Ignored, LogIndex, LogPosition, Member, Message, Payload, PreVoteResponse,
    ProposeError, ReadError, ReadId, ReadIndex, ReadIndexResponse, Recovered, RequestVoteResponse, RoleKind,
    SnapshotId, Standing, Status, Term, Write,
};
use squall_replica::{Outcome, Proposal, State, Submitted, open_proposal};
use squall_sim::{Env, passes, sometimes};
use squall_storage::{Storage, Tail};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::observe_milestones;
use super::snapshots::Done;
use super::{Recalled, Server};
use crate::machine::Machine;
use crate::marks;
use crate::membership::{Membership, NodeSet};
use crate::milestones;
use crate::observation::{Content, Envelope, Observation, Span, Step, WITHHELD};

impl Server {
    pub(super) fn observe_start(&mut self, recovered: &Recovered, log: &[Recalled]) {
        let Recovered { hard_state, base, lost_snapshot, uncertain, .. } = *recovered;
        let snapshot = lost_snapshot.or(recovered.snapshot);
        let last_log = log.last().map_or(base, Recalled::position);
        self.observation.steps.push(Step::Started { hard_state, snapshot, base, last_log, uncertain });
        for entry in log {
            let position = entry.position();
            match entry {
                Recalled::Whole(entry) => {
                    let payload_hash = hash_payload(&entry.payload);
                    self.observation.steps.push(Step::Appended { position, payload_hash });
                    self.observation.steps.extend(configured(&entry.payload));
                }
                Recalled::Lost(_, Faulty { is_doubtful, .. }) => {
                    self.observation.steps.push(Step::Lost { position, is_doubtful: *is_doubtful });
                }
            }
        }
        self.observation.steps.extend(lost_snapshot.map(Step::SnapshotLost));
        self.observation.status = Some(self.shown);
    }

    pub(super) fn observe_message(&mut self, message: &Message, env: &mut Env<'_, Self>) {
        let is_stale = message.term < self.shown.current_term;
        sometimes!(
            env,
            marks::NAMES,
            "a stale request was answered with the present term",
            is_stale && is_request(message)
        );
        sometimes!(env, marks::NAMES, "a stale response was ignored", is_stale && !is_request(message));
        if let Body::RequestVoteResponse(response) = message.body {
            let is_split = !response.granted
                && self.shown.role == RoleKind::Candidate
                && message.term == self.shown.current_term;
            sometimes!(env, marks::NAMES, "a candidate was refused in its own term", is_split);
            if response.granted && !response.is_conditional && message.term == self.shown.current_term {
                self.certain_votes = self.certain_votes.with(message.from);
            }
        }
        if let Body::RequestVote(request) = message.body {
            let is_behind = !is_stale && request.last_log < self.shown.last_log;
            sometimes!(env, marks::NAMES, "a vote was refused to a log out of date", is_behind);
        }
        if let Body::RepairResponse(_) = message.body {
            let is_whole = self.replica.raft().faulty().next().is_none();
            let is_late = self.shown.role == RoleKind::Leader && !is_stale && is_whole;
            sometimes!(env, marks::NAMES, "an answer came too late for a repair", is_late);
        }
        let envelope = envelope(&mut self.observation, message);
        self.observation.steps.push(Step::Received(envelope));
    }

    /// `acknowledged` is the index that the message acknowledged, if it did.
    pub(super) fn observe_reception(
        &mut self,
        result: Result<(), Ignored>,
        acknowledged: Option<LogIndex>,
        env: &mut Env<'_, Self>,
    ) {
        if let Err(reason) = result {
            sometimes!(
                env,
                marks::NAMES,
                "a vote request was not heard because a leader is",
                reason == Ignored::LeaderIsHeard
            );
            sometimes!(
                env,
                marks::NAMES,
                "a repeated or late answer was ignored",
                reason == Ignored::StaleResponse
            );
            sometimes!(env, marks::NAMES, "a follower had no room for entries", reason == Ignored::Busy);
        }
        self.observe_change(env);
        if let Some(index) = acknowledged {
            let is_held_back = self.holds_back_commit(index);
            sometimes!(
                env,
                marks::NAMES,
                "a commit was held back because the entry was of an earlier term",
                is_held_back
            );
        }
    }

    /// Whether a quorum has `index` durably, and yet it is not committed, since its term is not the leader's own
    /// (§5.4.2).
    fn holds_back_commit(&self, index: LogIndex) -> bool {
        let (raft, status) = (self.replica.raft(), self.shown);
        if status.role != RoleKind::Leader || index <= status.commit_index || index > status.durable_index {
            return false;
        }
        let is_earlier = raft.term_at(index).is_some_and(|term| term < status.current_term);
        let holds = |id| {
            let mut followers = raft.followers();
            id == status.id || followers.any(|follower| follower.id == id && follower.match_index >= index)
        };
        is_earlier && raft.configuration().has_quorum(holds)
    }

    pub(super) fn observe_proposal(
        &mut self,
        result: &Result<Submitted, ProposeError>,
        env: &mut Env<'_, Self>,
    ) {
        let accepted = match result {
            Ok(Submitted::Proposed(position)) => Some(*position),
            Ok(Submitted::Forwarded(_) | Submitted::Decided(_)) | Err(_) => None,
        };
        let is_known = matches!(result, Ok(Submitted::Decided(Outcome::Applied { .. })));
        sometimes!(env, marks::NAMES, "a retry was answered from the session table", is_known);
        if let Err(error) = result {
            let error = *error;
            sometimes!(
                env,
                marks::NAMES,
                "a proposal was refused because of a bound",
                error == ProposeError::Busy
            );
            let is_large = matches!(error, ProposeError::TooLarge { .. });
            sometimes!(env, marks::NAMES, "a proposal was refused because of its size", is_large);
            let in_transfer = matches!(error, ProposeError::Transferring { .. });
            sometimes!(env, marks::NAMES, "a proposal was refused during a transfer", in_transfer);
        }
        let is_full = |follower: FollowerStatus| follower.is_replicating && follower.is_window_full;
        let any_is_full = accepted.is_some() && self.replica.raft().followers().any(is_full);
        sometimes!(env, marks::NAMES, "a window was full", any_is_full);
        self.observation.steps.push(Step::Proposed { accepted });
        self.observe_change(env);
    }

    pub(super) fn observe_read(
        &mut self,
        result: Result<Option<ReadId>, ReadError>,
        env: &mut Env<'_, Self>,
    ) {
        let read = match result {
            // A serializable read is no business of the core's.
            Ok(None) => return,
            Ok(read) => read,
            Err(error) => {
                let is_busy = error == ReadError::Busy;
                sometimes!(env, marks::NAMES, "a read was refused because of a bound", is_busy);
                None
            }
        };
        passes!(env, milestones::NAMES, "reads", read.is_some());
        self.observation.steps.push(Step::ReadAsked { read });
    }

    /// Shows what came of a step of work on snapshots, before the core is told.
    pub(super) fn observe_snapshot(&mut self, done: &Done, env: &mut Env<'_, Self>) {
        let step = match done {
            Done::Taken(snapshot) => Step::SnapshotTaken(*snapshot),
            Done::Received(snapshot) => Step::SnapshotReceived(*snapshot),
            Done::Refused(_)
            | Done::Step
            | Done::Loaded { .. }
            | Done::Served { .. }
            | Done::Stored { .. } => Step::SnapshotStepped,
        };
        self.observation.steps.push(step);
        if let Done::Taken(snapshot) = done {
            self.mark_position(*snapshot, env);
        }
        sometimes!(env, marks::NAMES, "a snapshot was taken", matches!(done, Done::Taken(_)));
        passes!(env, milestones::NAMES, "takes-snapshot", matches!(done, Done::Taken(_)));
        let is_late =
            matches!(done, Done::Received(snapshot) if snapshot.last.index <= self.shown.commit_index);
        sometimes!(env, marks::NAMES, "a snapshot came when it was not needed any more", is_late);
        let is_resumed = matches!(done, Done::Stored { is_resumed: true, .. });
        sometimes!(env, marks::NAMES, "a snapshot was drawn on after an interruption", is_resumed);
        let is_gone = matches!(done, Done::Served { data: None, .. });
        sometimes!(env, marks::NAMES, "a part of a snapshot was asked of one that does not have it", is_gone);
        let is_served = matches!(done, Done::Served { data: Some(_), .. });
        let leads = self.shown.role == RoleKind::Leader;
        sometimes!(env, marks::NAMES, "a snapshot was served by one that does not lead", is_served && !leads);
    }

    /// The state machine is in the state of a snapshot.
    pub(super) fn observe_configuration_restored(&mut self, snapshot: SnapshotId) {
        let configuration = self.replica.raft().configurations().next().expect("a log has one to begin with");
        let configuration = (configuration.0, membership(configuration.1));
        self.observation.steps.push(Step::ConfigurationRestored { snapshot, configuration });
    }

    pub(super) fn observe_restored(&mut self, snapshot: SnapshotId) {
        let state_digest = self.replica.state().digest();
        self.observation.steps.push(Step::Restored { snapshot, state_digest });
    }

    /// Shows the state where it changed, and marks what changed with it.
    pub(super) fn observe_change(&mut self, env: &mut Env<'_, Self>) {
        let before = self.shown;
        let has_changed = self.observe_quietly();
        let after = self.shown;
        if after.role == RoleKind::Leader {
            self.mark_handover(env);
        }
        if has_changed || after.configuration_index != before.configuration_index {
            self.mark_membership(&before, &after, env);
        }
        if !has_changed {
            return;
        }
        observe_milestones::pass_change(&before, &after, env);
        if after.commit_index > before.commit_index {
            self.mark_commit(&after, env);
        }
        self.mark_election(&before, &after, env);
        marks::mark_change(&before, &after, env);
    }

    /// A leader that was not elected by certain votes alone has everybody's.
    fn mark_election(&mut self, before: &Status, after: &Status, env: &mut Env<'_, Self>) {
        let is_certain = self.uncertain == Term::ZERO || before.last_log.term > self.uncertain;
        let elected = before.role != RoleKind::Leader && after.role == RoleKind::Leader;
        let votes = self.certain_votes;
        let is_by_all = elected
            && !self
                .replica
                .raft()
                .configuration()
                .has_quorum(|id| votes.has(id) || (id == after.id && is_certain));
        sometimes!(
            env,
            marks::NAMES,
            "a leader was elected by the word of every voter, not all of them certain",
            is_by_all
        );
        if after.current_term > before.current_term {
            self.certain_votes = NodeSet::EMPTY;
        }
    }

    /// The office goes to another, and no operator asked for it.
    fn mark_handover(&mut self, env: &mut Env<'_, Self>) {
        let reason = self.replica.raft().handover().map(|handover| handover.reason);
        let is_unfit = reason == Some(HandoverReason::Unfit);
        sometimes!(env, marks::NAMES, "a leader that could not serve abdicated", is_unfit);
        let is_outranked = reason == Some(HandoverReason::Outranked);
        sometimes!(env, marks::NAMES, "a leader gave way to one of a higher priority", is_outranked);
        let retires = reason == Some(HandoverReason::Retiring);
        sometimes!(env, marks::NAMES, "a leader that was to be shut down handed over", retires);
    }

    /// Shows the state where it changed. Returns whether it did.
    pub(super) fn observe_quietly(&mut self) -> bool {
        let status = self.replica.status();
        self.observation.status = Some(status);
        let before = self.shown;
        self.shown = status;
        let changed =
            (before.role, before.current_term, before.voted_for, before.leader, before.commit_index)
                != (status.role, status.current_term, status.voted_for, status.leader, status.commit_index);
        if changed {
            self.observation.steps.push(Step::Changed(status));
        }
        changed
    }
}

pub(super) fn mark_recovery(storage: &Storage, env: &mut Env<'_, Server>) {
    let is_half = storage.received_snapshot().is_some_and(|(_, bytes)| bytes > 0);
    sometimes!(env, marks::NAMES, "a server started with a part of a snapshot", is_half);
    sometimes!(env, marks::NAMES, "a torn tail was dropped", matches!(storage.tail(), Tail::Torn { .. }));
    sometimes!(env, marks::NAMES, "a tail was in doubt", matches!(storage.tail(), Tail::Doubtful { .. }));
    let is_uncertain = matches!(storage.tail(), Tail::Uncertain { .. });
    sometimes!(env, marks::NAMES, "a head was uncertain", is_uncertain);
}

/// `is_voter` is whether the sender votes, by its own log.
pub(super) fn sent(
    observation: &mut Observation,
    message: &Message,
    is_voter: bool,
    env: &mut Env<'_, Server>,
) {
    if let Body::AppendEntriesResponse(response) = message.body {
        let refused = matches!(response.result, AppendResult::Conflict { .. });
        let has = matches!(response.result, AppendResult::Matched(_) | AppendResult::Witnessed(_));
        passes!(env, milestones::NAMES, "acknowledges", has);
        sometimes!(env, marks::NAMES, "a follower refused entries that do not fit", refused);
    }
    if let Body::RequestVoteResponse(response) = message.body {
        sometimes!(env, marks::NAMES, "a vote was refused", !response.granted);
        let is_unknowing = response.granted && !is_voter;
        sometimes!(env, marks::NAMES, "a vote was given by one that knows of none", is_unknowing);
    }
    if let Body::PreVoteResponse(PreVoteResponse { granted: false, .. }) = message.body {
        let is_promised = refuses_one_that_could_lead(observation);
        sometimes!(env, marks::NAMES, "a pre-vote was refused for a promise's sake", is_promised);
    }
    let is_offer = matches!(message.body, Body::InstallSnapshot(_));
    sometimes!(env, marks::NAMES, "a snapshot was offered", is_offer);
    sometimes!(env, marks::NAMES, "a leader told another to campaign", message.body == Body::TimeoutNow);
    let is_forward = matches!(message.body, Body::Forward(_));
    sometimes!(env, marks::NAMES, "a request was forwarded", is_forward);
    let is_refusal = matches!(message.body, Body::ForwardResponse(_));
    sometimes!(env, marks::NAMES, "a forwarded request was refused", is_refusal);
    let envelope = envelope(observation, message);
    observation.steps.push(Step::Sent(envelope));
}

/// Whether the pre-vote that was asked for last has a log that may lead, and who was asked hears no leader. What is left is a
/// promise that it gave.
fn refuses_one_that_could_lead(observation: &Observation) -> bool {
    let Some(status) = observation.status else { return false };
    let asked = observation.steps.iter().rev().find_map(|step| {
        let Step::Received(Envelope { term, content: Content::PreVote { last_log }, .. }) = step else {
            return None;
        };
        Some((*term, *last_log))
    });
    let is_free = status.role == RoleKind::Follower && status.leader.is_none();
    is_free
        && asked.is_some_and(|(term, last_log)| term >= status.current_term && last_log >= status.last_log)
}

/// The core settled reads, on a leader or on a follower.
pub(super) fn settled(
    observation: &mut Observation,
    up_to: ReadId,
    index: Option<LogIndex>,
    leads: bool,
    env: &mut Env<'_, Server>,
) {
    let is_by_lease = matches!(observation.steps.last(), Some(Step::ReadAsked { .. }));
    sometimes!(env, marks::NAMES, "a lease served a read", index.is_some() && leads && is_by_lease);
    sometimes!(
        env,
        marks::NAMES,
        "a round of heartbeats served a read",
        index.is_some() && leads && !is_by_lease
    );
    sometimes!(env, marks::NAMES, "a follower served a read", index.is_some() && !leads);
    sometimes!(env, marks::NAMES, "a leader that was deposed served no read", index.is_none());
    passes!(env, milestones::NAMES, "confirms-reads", index.is_some());
    observation.steps.push(Step::ReadsSettled { up_to, index });
}

/// `last_index` is the log's last index as the writes before this one leave it.
pub(super) fn written(
    observation: &mut Observation,
    write: &Write<'_>,
    last_index: &mut LogIndex,
    env: &mut Env<'_, Server>,
) {
    if let Some(hard_state) = write.hard_state {
        observation.steps.push(Step::WroteHardState(hard_state));
    }
    if let Some(base) = write.reset_to {
        observation.steps.push(Step::Reset { base });
        sometimes!(env, marks::NAMES, "a snapshot was installed", true);
        passes!(env, milestones::NAMES, "installs-snapshot", true);
        *last_index = base.index;
    }
    if let Some(base) = write.compact_to {
        observation.steps.push(Step::Compacted { base });
        sometimes!(env, marks::NAMES, "the log was compacted", true);
    }
    if let Some(from) = write.truncate_from {
        observation.steps.push(Step::Truncated { from });
        sometimes!(env, marks::NAMES, "a follower removed entries in conflict", true);
        passes!(env, milestones::NAMES, "truncates", true);
        sometimes!(env, marks::NAMES, "a follower removed several entries in conflict", from < *last_index);
        *last_index = from.prev();
    }
    for entry in write.repairs {
        let (position, payload_hash) = (entry.position(), hash_payload(&entry.payload));
        observation.steps.push(Step::Repaired { position, payload_hash });
        sometimes!(env, marks::NAMES, "a lost entry was repaired", true);
    }
    let mut count = 0;
    for entry in write.iter() {
        let (position, payload_hash) = (entry.position(), hash_payload(&entry.payload));
        observation.steps.push(Step::Appended { position, payload_hash });
        observation.steps.extend(configured(&entry.payload));
        *last_index = position.index;
        count += 1;
    }
    sometimes!(env, marks::NAMES, "one write carried several entries", count > 1);
    passes!(env, milestones::NAMES, "appends", count > 0);
    observation.steps.push(Step::WriteIssued { sequence: write.token.sequence });
}

/// What of a replicated state tells what the next entry did to it.
pub(super) struct Witness {
    /// How many commands the state machine was given.
    commands: u64,
    sessions: u64,
}

impl Witness {
    pub(super) fn of(state: &State<Machine>) -> Self {
        Self { commands: state.machine().commands(), sessions: state.sessions().len() }
    }
}

/// An entry names an operation for the oracles if the state machine was really given its command, whatever the
/// session table says.
pub(super) fn applied(
    observation: &mut Observation,
    before: &mut Witness,
    entry: &Entry,
    outcome: &Outcome,
    state: &State<Machine>,
    env: &mut Env<'_, Server>,
) {
    let after = Witness::of(state);
    let was_given = after.commands > before.commands;
    let proposal = match &entry.payload {
        Payload::Noop | Payload::Configuration(_) | Payload::Withheld => None,
        Payload::Command(proposal) => open_proposal(proposal),
    };
    let is_copy = matches!(proposal, Some((_, Proposal::InSession(..))))
        && matches!(outcome, Outcome::Applied { .. })
        && !was_given;
    sometimes!(env, marks::NAMES, "a duplicate entry in the log was not applied", is_copy);
    let is_opened = matches!(outcome, Outcome::Opened { .. });
    let made_room = is_opened && after.sessions <= before.sessions;
    sometimes!(env, marks::NAMES, "a session expired to make room for another", made_room);
    sometimes!(env, marks::NAMES, "a session was full", *outcome == Outcome::SessionFull);
    sometimes!(
        env,
        marks::NAMES,
        "a late copy of an acknowledged request was not applied",
        *outcome == Outcome::AlreadyAcknowledged
    );
    *before = after;
    observation.steps.push(Step::Applied {
        position: entry.position(),
        payload_hash: hash_payload(&entry.payload),
        operation: proposal.filter(|_| was_given).map_or(0, |(request, _)| request.0),
        state_digest: state.digest(),
    });
}

/// The configuration that an entry puts in force, in neutral terms.
fn configured(payload: &Payload) -> Option<Step> {
    let Payload::Configuration(configuration) = payload else { return None };
    Some(Step::Configured(membership(configuration)))
}

fn membership(configuration: &Configuration) -> Membership {
    let set = |which: fn(&Member) -> bool| {
        configuration.members().iter().filter(|member| which(member)).map(|member| member.id).collect()
    };
    Membership {
        voters: set(|member| member.votes().incoming),
        outgoing: set(|member| member.votes().outgoing),
        learners: set(Member::is_learner),
        promoting: set(|member| member.standing == Standing::Learner { promote: true }),
        witnesses: set(Member::is_witness),
    }
}

fn hash_payload(payload: &Payload) -> u64 {
    match payload {
        Payload::Withheld => WITHHELD,
        Payload::Noop => 1,
        Payload::Command(data) => xxh3_64(data),
        Payload::Configuration(configuration) => {
            let mut bytes = Vec::with_capacity(configuration.encoded_len());
            configuration.encode(&mut bytes);
            xxh3_64(&bytes)
        }
    }
}

fn is_request(message: &Message) -> bool {
    match message.body {
        Body::PreVote(_)
        | Body::RequestVote(_)
        | Body::AppendEntries(_)
        | Body::Heartbeat(_)
        | Body::TimeoutNow
        | Body::ReadIndex(_)
        | Body::Forward(_)
        | Body::InstallSnapshot(_)
        | Body::SnapshotRequest(_)
        | Body::RepairRequest(_) => true,
        Body::PreVoteResponse(_)
        | Body::RequestVoteResponse(_)
        | Body::AppendEntriesResponse(_)
        | Body::HeartbeatResponse(_)
        | Body::ReadIndexResponse(_)
        | Body::ForwardResponse(_)
        | Body::SnapshotChunk(_)
        | Body::RepairResponse(_) => false,
    }
}

fn span<T>(list: &mut Vec<T>, new: impl Iterator<Item = T>) -> Span {
    let count = |len: usize| u32::try_from(len).expect("one event handles less than 2^32 entries");
    let start = count(list.len());
    list.extend(new);
    Span { start, len: count(list.len()) - start }
}

/// The message in neutral terms; the names of its entries go to the observation's list.
fn envelope(observation: &mut Observation, message: &Message) -> Envelope {
    let content = match &message.body {
        Body::PreVote(request) => Content::PreVote { last_log: request.last_log },
        Body::PreVoteResponse(PreVoteResponse { granted, is_conditional, .. }) => {
            Content::PreVoteResponse { granted: *granted, is_conditional: *is_conditional }
        }
        Body::RequestVote(request) => Content::RequestVote {
            last_log: request.last_log,
            leadership_transfer: request.leadership_transfer,
        },
        Body::RequestVoteResponse(RequestVoteResponse { granted, is_conditional }) => {
            Content::RequestVoteResponse { granted: *granted, is_conditional: *is_conditional }
        }
        Body::AppendEntries(request) => {
            let entries = span(&mut observation.entries, request.entries.iter().map(Entry::position));
            let (prev_log, leader_commit) = (request.prev_log, request.leader_commit);
            Content::AppendEntries { prev_log, entries, leader_commit }
        }
        Body::AppendEntriesResponse(response) => match response.result {
            AppendResult::Matched(match_index) => {
                Content::AppendAcknowledged { match_index, as_witness: false }
            }
            AppendResult::Witnessed(match_index) => {
                Content::AppendAcknowledged { match_index, as_witness: true }
            }
            AppendResult::Lacking { first, named } => Content::AppendLacking { first, named },
            AppendResult::Conflict { rejected, hint, is_uncertain } => {
                Content::AppendRefused { rejected, hint, is_uncertain }
            }
        },
        Body::RepairRequest(request) => {
            let lacking = span(&mut observation.entries, request.lacking.iter().copied());
            Content::RepairRequest { lacking }
        }
        Body::RepairResponse(response) => {
            let answers = span(&mut observation.answers, response.answers.iter().copied());
            let entries = span(&mut observation.entries, response.entries.iter().map(Entry::position));
            Content::RepairResponse { answers, entries, snapshot: response.snapshot }
        }
        Body::Heartbeat(Heartbeat { round, commit, .. }) => {
            Content::Heartbeat { round: *round, commit: *commit }
        }
        Body::HeartbeatResponse(HeartbeatResponse { round, promise, .. }) => {
            Content::HeartbeatResponse { round: *round, promise: *promise }
        }
        Body::TimeoutNow => Content::TimeoutNow,
        Body::ReadIndex(ReadIndex { boot, up_to }) => Content::ReadIndex { boot: *boot, up_to: *up_to },
        Body::ReadIndexResponse(ReadIndexResponse { boot, up_to, index }) => {
            Content::ReadIndexResponse { boot: *boot, up_to: *up_to, index: *index }
        }
        Body::Forward(_) => Content::Forward,
        Body::ForwardResponse(_) => Content::ForwardRefused,
        Body::InstallSnapshot(offer) => {
            Content::InstallSnapshot { snapshot: offer.snapshot, without_data: offer.in_force.is_some() }
        }
        Body::SnapshotRequest(request) => Content::SnapshotRequest { snapshot: request.snapshot },
        Body::SnapshotChunk(chunk) => {
            Content::SnapshotChunk { snapshot: chunk.snapshot, bytes: chunk.data.len() as u64 }
        }
    };
    Envelope { from: message.from, to: message.to, term: message.term, content }
}

/// A digest of what a message says, but for the payloads of its entries: those are told by their positions.
pub(super) fn digest_message(message: &Message) -> u64 {
    let position = |position: LogPosition| [position.term.0, position.index.0];
    let (tag, first, second): (u64, [u64; 2], [u64; 2]) = match &message.body {
        Body::PreVote(request) => (0, position(request.last_log), [0; 2]),
        Body::PreVoteResponse(PreVoteResponse { granted, is_conditional, asked_in }) => {
            (1, [u64::from(*granted), asked_in.0], [u64::from(*is_conditional), 0])
        }
        Body::RequestVote(request) => {
            (2, position(request.last_log), [u64::from(request.leadership_transfer), 0])
        }
        Body::RequestVoteResponse(RequestVoteResponse { granted, is_conditional }) => {
            (3, [u64::from(*granted), u64::from(*is_conditional)], [0; 2])
        }
        Body::AppendEntries(request) => {
            (4, position(request.prev_log), [request.entries.len() as u64, request.leader_commit.0])
        }
        Body::AppendEntriesResponse(response) => match response.result {
            AppendResult::Matched(index) => (5, [index.0, 0], [0; 2]),
            AppendResult::Witnessed(index) => (5, [index.0, 1], [0; 2]),
            AppendResult::Lacking { first, named } => (5, [first.0, 2], [named.0, 0]),
            AppendResult::Conflict { rejected, hint, is_uncertain } => {
                (6, [rejected.0, u64::from(is_uncertain)], position(hint))
            }
        },
        Body::RepairRequest(request) => {
            let first = request.lacking.first().copied().unwrap_or_default();
            (21, position(first), [request.lacking.len() as u64, 0])
        }
        Body::RepairResponse(response) => {
            let answers = response
                .answers
                .iter()
                .fold(0, |digest, (at, found)| mix(&[digest, at.term.0, at.index.0, *found as u64, 0, 0]));
            let first = response.entries.first().map(Entry::position).unwrap_or_default();
            let snapshot = response.snapshot.map_or(0, |snapshot| snapshot.checksum);
            (22, [answers ^ snapshot, response.entries.len() as u64], position(first))
        }
        Body::Heartbeat(request) => {
            (7, [request.round.0, request.commit.0], [u64::from(request.outranked), 0])
        }
        Body::HeartbeatResponse(response) => {
            let HeartbeatResponse { round, received, promise, clock, priority, .. } = *response;
            (8, [round.0, received.0], [promise ^ priority << 48, clock])
        }
        Body::TimeoutNow => (9, [0; 2], [0; 2]),
        Body::ReadIndex(request) => (10, [request.boot, request.up_to.0], [0; 2]),
        Body::ReadIndexResponse(response) => (11, [response.boot, response.up_to.0], [response.index.0, 0]),
        Body::Forward(request) => (19, [request.number, request.data.len() as u64], [0; 2]),
        Body::ForwardResponse(response) => (20, [response.number, 0], [0; 2]),
        Body::InstallSnapshot(offer) => {
            let in_force = offer.in_force.as_ref().map_or(0, |(index, _)| index.0 + 1);
            (15, position(offer.snapshot.last), [offer.snapshot.bytes, offer.snapshot.checksum ^ in_force])
        }
        Body::SnapshotRequest(request) => {
            (16, position(request.snapshot.last), [request.offset, request.max_bytes])
        }
        Body::SnapshotChunk(chunk) => {
            (17, position(chunk.snapshot.last), [chunk.offset, chunk.data.len() as u64])
        }
    };
    mix(&[tag, message.term.0, first[0], first[1], second[0], second[1]])
}

/// A digest of a server's state.
pub(super) fn digest_status(status: &Status, state_digest: u64) -> u64 {
    mix(&[
        status.role as u64 ^ status.current_term.0 << 2,
        status.voted_for.map_or(u64::MAX, |node| node.0),
        status.last_log.term.0 << 32 ^ status.last_log.index.0,
        status.durable_index.0 << 32 ^ status.commit_index.0,
        status.last_applied.0,
        state_digest,
    ])
}

fn mix(words: &[u64; 6]) -> u64 {
    let mut bytes = [0; 48];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    xxh3_64_with_seed(&bytes, 0x0051_5541_4c4c)
}
