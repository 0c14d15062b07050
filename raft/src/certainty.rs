//! Whether a log may lack what its node has acknowledged, and what its word is worth then.
//!
//! Where neither the last records of a log nor their slots can be read, and they may have been there, storage drops them and
//! says up to which term they were ([`Recovered::uncertain`](crate::Recovered::uncertain)). They may have been acknowledged, and
//! committed by that. By such a log a vote must not help to elect one that lacks them ("Protocol-Aware Recovery for
//! Consensus-Based Storage", Alagappan et al., FAST '18, §3.4.2).
//!
//! - A node is *certain* again as soon as its last entry is of a later term. It came from a leader of that term, whose log
//!   has all that was committed before, and to which this log matches. So there is nothing to be cleared: a log that is
//!   cut back behind that entry is uncertain once more.
//! - Until then its vote is *conditional*: given, durable and binding like any other, but a candidate has won only with the
//!   unconditional votes of a quorum, or with those of *every* voter.
//! - What it does not have it does not deny either: perhaps it had it.
//! - It follows, acknowledges and promises like any other. What it acknowledges it has; of what it acknowledged before, it
//!   tells its leader where it is asked for that and does not have it, and is sent it again.
//!
//! *Why a quorum of certain voters is safe.* Let an entry be committed in term T by a quorum, and a leader of a later term be
//! elected by a quorum of certain voters. One voter is of both. It acknowledged the entry in T, before it voted. If it lost
//! it since, then at a start that found it in a term not below T, and it was certain when it voted: its last entry was of a
//! later term than that, from a leader which had the entry, by induction over the terms. So its log had the entry, and it
//! voted only for a log that is at least as up to date. The candidate's own word is a voter's like any other. Only the
//! intersection counts, so this holds for joint configurations, half by half, and whether the candidate knows of the
//! last change of the membership or not.
//!
//! *Why every voter's word will do.* Of an entry that was committed one copy is in a log among theirs, whether certain or
//! not, unless the whole quorum that had it lost it: each copy damaged, record and slot, while it was the last thing on its
//! disk. This excludes that, as the rule for doubtful entries does (`repair.rs`): else a loss of power to all of a cluster, or
//! to a node that is alone, could stall it for ever. A voter that was alone, and lost its last record while another was being
//! added, does not know of that one and is a quorum by itself: it is the one case where a single damaged copy is enough.

use crate::ballot::Vote;
use crate::{LogPosition, Raft, Term};

impl Raft {
    pub(crate) fn head_is_certain(&self) -> bool {
        self.uncertain == Term::ZERO || self.log.last().term > self.uncertain
    }

    /// What this node's word is worth where it gives it.
    pub(crate) fn own_vote(&self) -> Vote {
        if self.head_is_certain() { Vote::Unconditional } else { Vote::Conditional }
    }

    /// Whether an entry that the log does not have may have been there.
    pub(crate) fn may_have_lost(&self, position: LogPosition) -> bool {
        !self.head_is_certain() && position.term <= self.uncertain
    }
}
