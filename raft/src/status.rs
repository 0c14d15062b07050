//! What a replica shows of itself.

use crate::{LogIndex, LogPosition, NodeId, Session, SnapshotId, Term, Votes};

/// A replica's state at a glance (Figure 2, "State").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Status {
    /// This replica.
    pub id: NodeId,
    /// Its role.
    pub role: RoleKind,
    /// Its current term.
    pub current_term: Term,
    /// Whom it voted for in that term.
    pub voted_for: Option<NodeId>,
    /// Whom it believes to lead that term.
    pub leader: Option<NodeId>,
    /// The last entry of its log.
    pub last_log: LogPosition,
    /// Up to where its log is durable.
    pub durable_index: LogIndex,
    /// Up to where it knows entries to be committed.
    pub commit_index: LogIndex,
    /// Up to where its state machine has applied; at a witness, which has none, up to where it needs its entries no more.
    pub last_applied: LogIndex,
    /// The first entry held in memory.
    pub first_in_memory: LogIndex,
    /// The entry that put the present configuration in force; 0 for the one that the log begins with.
    pub configuration_index: LogIndex,
    /// Whether it votes, by that configuration.
    pub is_voter: bool,
}

/// One follower, as its leader sees it (Figure 2, "Volatile state on leaders").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FollowerStatus {
    /// Who it is.
    pub id: NodeId,
    /// Which stay in the cluster.
    pub session: Session,
    /// In which halves it votes: a learner in none, nor one that is no member any more and is told so.
    pub votes: Votes,
    /// Whether it keeps no data.
    pub is_witness: bool,
    /// Up to where it has acknowledged, durably.
    pub match_index: LogIndex,
    /// The next entry to send.
    pub next_index: LogIndex,
    /// Whether messages follow one another without waiting; otherwise the leader looks for agreement.
    pub is_replicating: bool,
    /// Whether nothing more may be under way to it.
    pub is_window_full: bool,
    /// The snapshot that it has to get before entries can go on.
    pub snapshot: Option<SnapshotId>,
}

/// A role (§5.1), without what it holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RoleKind {
    /// Follows, or waits for a leader.
    Follower,
    /// Asks whether a campaign would succeed.
    PreCandidate,
    /// Campaigns.
    Candidate,
    /// Leads.
    Leader,
}

/// An office that is being handed over (thesis §3.10).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Handover {
    /// To whom.
    pub to: NodeId,
    /// Why.
    pub reason: HandoverReason,
}

/// Why a leader hands its office over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HandoverReason {
    /// An operator wants it so.
    Asked,
    /// The other has a higher priority.
    Outranked,
    /// Its state machine stands still, or its disk hangs: it cannot serve.
    Unfit,
    /// It has no vote any more.
    Removed,
    /// It is about to stop.
    Retiring,
}

impl HandoverReason {
    /// Whether the leader lets go in any case, and does not serve on where the other does not win.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Asked | Self::Outranked | Self::Retiring => false,
            Self::Unfit | Self::Removed => true,
        }
    }
}
