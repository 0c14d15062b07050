//! What the oracles and the marks are shown of a server, from outside the crate: its state before and after each call,
//! and what it hands out.
//!
//! Nothing here has any effect on the server, but that election timeouts are pinned where a call into the crate is over.

use raft::eraftpb::{Entry, Message, MessageType};
use raft::{RawNode, StateRole};
use squall_raft::{LogIndex, LogPosition, Payload, RoleKind, Status, Term};
use squall_replica::StateMachine;
use squall_scenarios::marks;
use squall_scenarios::observation::{Observation, Step};
use squall_sim::{Env, ProcessId, sometimes};
use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{Batch, Line};
use crate::log::Log;
use crate::messages::{self, node_id};
use crate::server::TikvServer;

impl TikvServer {
    /// The state at a glance.
    pub(crate) fn status_now(&self) -> Status {
        status_of(self.id, &self.node, &self.line, self.applied)
    }

    /// A call into the crate is over: shows the state where it changed, and marks what changed with it.
    pub(crate) fn observe_change(&mut self, env: &mut Env<'_, Self>) {
        self.timeouts.pin(&mut self.node.raft);
        let (before, after) = (self.shown, self.status_now());
        self.shown = after;
        let parts = |status: &Status| {
            (status.role, status.current_term, status.voted_for, status.leader, status.commit_index)
        };
        if parts(&before) == parts(&after) {
            return;
        }
        self.observation.steps.push(Step::Changed(after));
        marks::mark_change(&before, &after, env);
    }

    /// The event is over, and all that was written has been shown.
    pub(crate) fn observe_end(&mut self, env: &mut Env<'_, Self>) {
        self.observe_change(env);
        self.observation.status = Some(self.shown);
    }

    pub(crate) fn observe_write(&mut self, batch: &Batch<'_>, last: LogIndex, env: &mut Env<'_, Self>) {
        let steps = &mut self.observation.steps;
        steps.extend(batch.hard_state.map(Step::WroteHardState));
        if let Some(from) = batch.truncate_from {
            steps.push(Step::Truncated { from });
            sometimes!(env, marks::NAMES, "a follower removed entries in conflict", true);
            sometimes!(env, marks::NAMES, "a follower removed several entries in conflict", from < last);
        }
        steps.extend(batch.reset_to.map(|base| Step::Reset { base }));
        for entry in batch.entries {
            steps.push(Step::Appended { position: entry.position(), payload_hash: hash_stored(entry) });
        }
        sometimes!(env, marks::NAMES, "one write carried several entries", batch.entries.len() > 1);
        steps.push(Step::WriteIssued { sequence: batch.token.sequence });
    }

    pub(crate) fn observe_sent(
        &mut self,
        message: &Message,
        term: Term,
        standing: LogIndex,
        env: &mut Env<'_, Self>,
    ) {
        let kind = message.get_msg_type();
        let is = |wanted: MessageType| kind == wanted;
        let refused = is(MessageType::MsgAppendResponse) && message.reject;
        sometimes!(env, marks::NAMES, "a follower refused entries that do not fit", refused);
        let refused = is(MessageType::MsgRequestVoteResponse) && message.reject;
        sometimes!(env, marks::NAMES, "a vote was refused", refused);
        let is_order = is(MessageType::MsgTimeoutNow);
        sometimes!(env, marks::NAMES, "a leader told another to campaign", is_order);
        sometimes!(env, marks::NAMES, "a snapshot was offered", is(MessageType::MsgSnapshot));
        let envelope = messages::envelope(&mut self.observation, message, term, standing);
        self.observation.steps.push(Step::Sent(envelope));
    }

    pub(crate) fn observe_applied(&mut self, entry: &Entry, operation: u128) {
        let step = Step::Applied {
            position: messages::position(entry),
            payload_hash: hash_payload(&entry.data),
            operation,
            state_digest: self.machine.digest(),
        };
        self.observation.steps.push(step);
    }
}

/// Shows the log that was recovered, entry by entry.
pub(crate) fn show_log(observation: &mut Observation, entries: &[Entry]) {
    let appended = entries.iter().map(|entry| Step::Appended {
        position: messages::position(entry),
        payload_hash: hash_payload(&entry.data),
    });
    observation.steps.extend(appended);
}

/// The state of a node at a glance.
pub(crate) fn status_of(id: ProcessId, node: &RawNode<Log>, line: &Line, applied: LogIndex) -> Status {
    let raft = &node.raft;
    let role = match raft.state {
        StateRole::Follower => RoleKind::Follower,
        StateRole::PreCandidate => RoleKind::PreCandidate,
        StateRole::Candidate => RoleKind::Candidate,
        StateRole::Leader => RoleKind::Leader,
    };
    let (term, index) = (raft.raft_log.last_term(), raft.raft_log.last_index());
    Status {
        id: squall_scenarios::server::node_id(id),
        role,
        current_term: Term(raft.term),
        voted_for: node_id(raft.vote),
        leader: node_id(raft.leader_id),
        last_log: LogPosition::new(term, index),
        durable_index: line.durable_index(),
        commit_index: LogIndex(raft.raft_log.committed),
        last_applied: applied,
        first_in_memory: LogIndex(raft.raft_log.first_index()),
        configuration_index: LogIndex::ZERO,
        is_voter: true,
    }
}

fn hash_stored(entry: &squall_raft::Entry) -> u64 {
    match &entry.payload {
        Payload::Noop => hash_payload(&[]),
        Payload::Command(data) => hash_payload(data),
        Payload::Configuration(_) | Payload::Withheld => unreachable!("the crate's entries become neither"),
    }
}

/// A leader's first entry has no payload, and yet a hash: none stands for a payload that was withheld.
fn hash_payload(data: &[u8]) -> u64 {
    if data.is_empty() { 1 } else { xxh3_64(data) }
}
