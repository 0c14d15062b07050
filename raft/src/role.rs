//! The roles (§5.1). What only a leader has lives in `Role::Leader`, and so on.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::ballot::Ballot;
use crate::configuration::Quorum;
use crate::progress::Progress;
use crate::read::Batch;
use crate::repair::Repair;
use crate::{HandoverReason, LogIndex, NodeId, ReadId, RoleKind, Round, Session, Votes};

/// A replica's role, with what only that role holds. Its tag is a byte of its own, for it is looked at all the time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Role {
    Follower(Follower),
    PreCandidate(Ballot),
    Candidate(Candidate),
    Leader(Leader),
}

/// What a follower holds. All of it is about one leader of one term.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Follower {
    /// Who leads this term, once heard.
    pub(crate) leader: Option<Heard>,
    /// Another would rather lead, and is likely to win: it is let go first.
    pub(crate) outranked: bool,
    /// As which stay of this node the leader speaks to it; the latest, where messages of several are under way.
    pub(crate) session: Session,
    /// Up to where the log is known to match that leader's.
    pub(crate) matched: LogIndex,
    /// Up to where the leader waits for an acknowledgement, which waits for the disk.
    pub(crate) owed: Option<LogIndex>,
    /// Up to where the leader has been sent an acknowledgement.
    pub(crate) acknowledged: LogIndex,
    /// Up to which of this node's reads the leader was last asked, and when.
    pub(crate) asked_up_to: ReadId,
    pub(crate) asked_at: u64,
}

/// A leader, and when it was last heard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Heard {
    pub(crate) leader: NodeId,
    pub(crate) at: u64,
}

/// What a candidate holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Candidate {
    pub(crate) ballot: Ballot,
}

/// What a leader holds (Figure 2, "Volatile state on leaders").
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Leader {
    /// The other members, and those that are told that they are none any more, in order of their ids.
    pub(crate) followers: Vec<Progress>,
    /// What a majority of the configuration in force takes, and what this leader counts for.
    pub(crate) quorum: Quorum,
    pub(crate) votes: Votes,
    /// Some of the followers may be witnesses.
    pub(crate) has_witnesses: bool,
    /// What the log held whole when the quorum was last counted, and when it was counted before. Whoever keeps data and lacks some
    /// of the latter is out of reach.
    pub(crate) last_at_check: LogIndex,
    pub(crate) owed_index: LogIndex,
    /// The configuration in force asks nothing more of this leader.
    pub(crate) is_settled: bool,
    /// The no-op with which the term began; the end of all numbers, while it has not.
    pub(crate) first_index: LogIndex,
    /// Bytes of this term's entries that are not committed.
    pub(crate) uncommitted_bytes: u64,
    /// The latest heartbeat round, when it was sent, and when the next is due.
    pub(crate) round: Round,
    pub(crate) round_at: u64,
    pub(crate) heartbeat_at: u64,
    /// When the quorum is next counted.
    pub(crate) check_at: u64,
    /// Up to where a quorum had the log, durably, when it was last counted, and when it last got further or had all.
    pub(crate) quorum_match: LogIndex,
    pub(crate) advanced_at: u64,
    /// Followers may have something to be sent.
    pub(crate) replication_due: bool,
    /// Reads that wait, in the order in which they came.
    /// Invariant: rounds never fall.
    pub(crate) reads: VecDeque<Batch>,
    /// Somebody was told to campaign in this term: promises do not hold any more.
    pub(crate) lease_ended: bool,
    /// From when on the office may go to one that is preferred.
    pub(crate) gives_way_at: u64,
    /// The office is being handed over.
    pub(crate) transfer: Option<Transfer>,
    /// This leader lacks entries, and its office has not begun.
    pub(crate) repair: Option<Repair>,
}

/// A handover under way (thesis §3.10).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Transfer {
    pub(crate) to: NodeId,
    pub(crate) reason: HandoverReason,
    /// When the leader gives up: it serves on, or lets go all the same.
    pub(crate) deadline: u64,
    /// The target has been told to campaign.
    pub(crate) told: bool,
}

impl Role {
    pub(crate) fn kind(&self) -> RoleKind {
        match self {
            Self::Follower(_) => RoleKind::Follower,
            Self::PreCandidate(_) => RoleKind::PreCandidate,
            Self::Candidate(_) => RoleKind::Candidate,
            Self::Leader(_) => RoleKind::Leader,
        }
    }
}

impl Leader {
    /// Whether those followers of which it holds, and this leader itself, are a majority.
    pub(crate) fn has_quorum(&self, holds: impl Fn(&Progress) -> bool) -> bool {
        let agreeing = self.followers.iter().filter(|progress| holds(progress)).map(Progress::votes);
        self.quorum.is_met(agreeing.chain([self.votes]))
    }

    /// The most, above `floor`, that a majority has reached, where this leader has reached `own`; `floor` where it has
    /// not reached more.
    pub(crate) fn reached_by_quorum<T: Copy + Ord>(
        &self,
        own: T,
        floor: T,
        reached: impl Fn(&Progress) -> T,
    ) -> T {
        let all = || {
            let followers = self.followers.iter().map(|progress| (reached(progress), progress.votes()));
            followers.chain([(own, self.votes)])
        };
        let has_quorum = |least: T| {
            self.quorum.is_met(all().filter(|(reached, _)| *reached >= least).map(|(_, votes)| votes))
        };
        let higher = |best, (reached, _)| if reached > best && has_quorum(reached) { reached } else { best };
        all().fold(floor, higher)
    }

    /// The highest priority among the voters that were heard at `oldest` or later and have all that is committed.
    pub(crate) fn best_priority(&self, oldest: u64, commit_index: LogIndex) -> u64 {
        let keeps_up = |progress: &&Progress| {
            progress.votes().incoming && progress.heard_at >= oldest && progress.match_index >= commit_index
        };
        self.followers.iter().filter(keeps_up).filter_map(|progress| progress.priority).max().unwrap_or(0)
    }

    pub(crate) fn follower_mut(&mut self, id: NodeId) -> Option<&mut Progress> {
        let position = self.followers.binary_search_by_key(&id, |progress| progress.id).ok()?;
        Some(&mut self.followers[position])
    }
}
