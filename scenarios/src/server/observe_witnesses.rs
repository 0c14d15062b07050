//! The marks that witnesses leave.

use squall_raft::{AppendResult, Body, LogIndex, Message, RoleKind, SnapshotId, Status};
use squall_sim::{Env, sometimes};

use super::Server;
use crate::marks;

/// What of a message is worth a mark, once it was taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// It acknowledges up to here.
    Matched(LogIndex),
    /// It acknowledges as a witness up to here.
    Witnessed(LogIndex),
    /// It gives a vote.
    Granted,
    /// Nothing.
    Nothing,
}

impl Told {
    pub(super) fn by(message: &Message) -> Self {
        match &message.body {
            Body::AppendEntriesResponse(response) => match response.result {
                AppendResult::Matched(index) => Self::Matched(index),
                AppendResult::Witnessed(index) => Self::Witnessed(index),
                AppendResult::Lacking { .. } | AppendResult::Conflict { .. } => Self::Nothing,
            },
            Body::RequestVoteResponse(response) if response.granted => Self::Granted,
            Body::RequestVoteResponse(_)
            | Body::PreVote(_)
            | Body::PreVoteResponse(_)
            | Body::RequestVote(_)
            | Body::AppendEntries(_)
            | Body::Heartbeat(_)
            | Body::HeartbeatResponse(_)
            | Body::TimeoutNow
            | Body::ReadIndex(_)
            | Body::ReadIndexResponse(_)
            | Body::Forward(_)
            | Body::ForwardResponse(_)
            | Body::InstallSnapshot(_)
            | Body::SnapshotRequest(_)
            | Body::SnapshotChunk(_)
            | Body::RepairRequest(_)
            | Body::RepairResponse(_) => Self::Nothing,
        }
    }

    /// The index that it acknowledges, if it does.
    pub(super) fn acknowledged(self) -> Option<LogIndex> {
        match self {
            Self::Matched(index) | Self::Witnessed(index) => Some(index),
            Self::Granted | Self::Nothing => None,
        }
    }
}

impl Server {
    /// A message was taken in, and led from one state to the other; `is_witness` is what its sender is.
    pub(super) fn mark_told(
        &self,
        told: Told,
        is_witness: bool,
        [before, after]: [&Status; 2],
        env: &mut Env<'_, Self>,
    ) {
        let elected = before.role == RoleKind::Candidate && after.role == RoleKind::Leader;
        let is_vote = told == Told::Granted && is_witness && elected;
        sometimes!(env, marks::NAMES, "a witness's vote made a leader", is_vote);
        if let Told::Witnessed(index) = told {
            let is_own_term = self.replica.raft().term_at(index) == Some(after.current_term);
            let waits = is_own_term && self.is_held(index, true) && index > after.commit_index;
            sometimes!(
                env,
                marks::NAMES,
                "a witness's acknowledgement did not count while copies are in reach",
                waits && after.role == RoleKind::Leader
            );
        }
    }

    /// A leader's commit index rose.
    pub(super) fn mark_commit(&self, after: &Status, env: &mut Env<'_, Self>) {
        let is_counted = after.role == RoleKind::Leader
            && self.setup.witnesses().next().is_some()
            && self.is_held(after.commit_index, true)
            && !self.is_held(after.commit_index, false);
        sometimes!(env, marks::NAMES, "an entry was committed with a witness's acknowledgement", is_counted);
    }

    /// A witness has a snapshot without data.
    pub(super) fn mark_position(&self, snapshot: SnapshotId, env: &mut Env<'_, Self>) {
        let is_witness = self.replica.raft().config().is_witness();
        let is_ahead = snapshot.last.index > self.shown.commit_index;
        sometimes!(env, marks::NAMES, "a witness took up a position", is_witness && is_ahead);
        sometimes!(env, marks::NAMES, "a witness compacted its log", is_witness && !is_ahead);
    }

    /// Whether a majority has acknowledged `index`, to this leader's knowledge, with the witnesses or without them.
    fn is_held(&self, index: LogIndex, with_witnesses: bool) -> bool {
        let (raft, status) = (self.replica.raft(), self.replica.status());
        let holds = |id| {
            let mut followers = raft.followers();
            let of_follower = followers.any(|follower| {
                let is_counted = with_witnesses || !follower.is_witness;
                follower.id == id && is_counted && follower.match_index >= index
            });
            of_follower || (id == status.id && status.durable_index >= index)
        };
        raft.configuration().has_quorum(holds)
    }
}
