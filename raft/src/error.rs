//! Refusals, each with its reason.

use core::fmt;

use crate::{LogIndex, NodeId};

/// Why a proposal was refused. A refused proposal has no effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProposeError {
    /// This replica does not lead.
    NotLeader {
        /// Who does, as far as it knows.
        leader: Option<NodeId>,
    },
    /// The leader is handing its office to another.
    Transferring {
        /// To whom.
        to: NodeId,
    },
    /// A bound on memory, on uncommitted bytes or on unapplied entries is reached; try again later.
    Busy,
    /// This replica is being shut down; ask another.
    ShuttingDown,
    /// Larger than any proposal may be.
    TooLarge {
        /// The proposal's bytes.
        size: u64,
        /// The bound.
        max: u64,
    },
}

/// Why a read was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReadError {
    /// No leader is known: try again later, or elsewhere.
    NoLeader,
    /// As many reads as may wait are waiting; try again later.
    Busy,
    /// This replica is being shut down; ask another.
    ShuttingDown,
    /// This replica is a witness: it has no state to read.
    Witness,
    /// The question is larger than any proposal may be.
    TooLarge {
        /// The question's bytes.
        size: u64,
        /// The bound.
        max: u64,
    },
}

/// Why leadership cannot be handed over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TransferError {
    /// This replica does not lead.
    NotLeader {
        /// Who does, as far as it knows.
        leader: Option<NodeId>,
    },
    /// The target is this replica itself.
    AlreadyLeader,
    /// The target does not vote.
    NotAVoter {
        /// The target.
        to: NodeId,
    },
    /// The target could not serve now, by its own word: its disk hangs, its state machine stands still, or is being put
    /// into a snapshot, or it is being shut down.
    CannotServe {
        /// The target.
        to: NodeId,
    },
    /// The target is a witness, which never leads.
    Witness {
        /// The target.
        to: NodeId,
    },
    /// Another transfer is under way.
    Transferring {
        /// To whom.
        to: NodeId,
    },
}

/// Why the membership was not changed. A refused change has no effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChangeError {
    /// This replica does not lead.
    NotLeader {
        /// Who does, as far as it knows.
        leader: Option<NodeId>,
    },
    /// The leader is handing its office to another.
    Transferring {
        /// To whom.
        to: NodeId,
    },
    /// The leader has not yet committed an entry of its own term.
    NotReady,
    /// Another change is not yet done.
    UnderWay {
        /// Where its latest entry stands.
        index: LogIndex,
    },
    /// A bound on memory is reached; try again later.
    Busy,
    /// The batch asks for nothing.
    NothingToChange,
    /// The batch names a node twice.
    NamedTwice {
        /// Whom.
        id: NodeId,
    },
    /// The node is no member.
    NotAMember {
        /// Who.
        id: NodeId,
    },
    /// The node is a member, or has not yet left.
    AlreadyAMember {
        /// Who.
        id: NodeId,
    },
    /// The node votes.
    AlreadyAVoter {
        /// Who.
        id: NodeId,
    },
    /// The node is a member that does not vote.
    AlreadyALearner {
        /// Who.
        id: NodeId,
    },
    /// The learner cannot follow fast enough, or is not heard: as a voter it would hold the others up.
    NotCaughtUp {
        /// Who.
        id: NodeId,
        /// How many entries it lacks.
        behind: u64,
    },
    /// The member is a witness: it has no data with which it could be anything else.
    KeepsNoData {
        /// Who.
        id: NodeId,
    },
    /// Nobody would vote.
    NoVoterLeft,
    /// Those that keep data would be no majority of the voters.
    TooManyWitnesses {
        /// How many of the voters to be would be witnesses.
        witnesses: usize,
        /// How many voters there would be.
        voters: usize,
    },
    /// The members heard of lately would be no majority of the voters: nothing could be committed any more.
    WouldLoseQuorum {
        /// How many of the voters to be were heard.
        heard: usize,
        /// How many there would be.
        voters: usize,
    },
    /// More members than a configuration has room for, those counted that are about to leave.
    TooManyMembers {
        /// The bound.
        max: usize,
    },
}

/// Why a message was ignored. It had no effect beyond what the variant says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ignored {
    /// Meant for another node.
    NotForMe,
    /// From this replica itself, or an answer from nobody that it has asked.
    UnknownSender,
    /// Of an earlier term; where it was a request, the sender is told the present term.
    StaleTerm,
    /// Answers what is no longer asked, or repeats an answer.
    StaleResponse,
    /// A vote request, while a leader is heard (thesis §4.2.3).
    LeaderIsHeard,
    /// Contradicts itself: indices out of order, terms that fall, a term of the future.
    Malformed,
    /// Claims the office of this very leader, or of the one that is followed.
    SecondLeader,
    /// Would remove a committed entry, or one that the same leader sent before: no leader of this cluster does that.
    ContradictsCommitted,
    /// Confirms what was never sent.
    BeyondLog,
    /// Memory for entries is full, or too many writes wait for the disk.
    Busy,
    /// Asks a node to campaign that may not, or the term numbers have run out.
    CannotCampaign,
    /// Asks for what only a leader knows.
    CannotServe,
    /// Withholds data from one that keeps it, offers it to a witness, or acknowledges as the one what the receiver knows as
    /// the other.
    OtherStanding,
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { leader: Some(leader) } => write!(f, "not the leader: ask {leader}"),
            Self::NotLeader { leader: None } => f.write_str("not the leader, and none is known"),
            Self::Transferring { to } => write!(f, "leadership is being handed to {to}"),
            Self::Busy => f.write_str("too much is uncommitted, unapplied or in memory: try again later"),
            Self::ShuttingDown => f.write_str("this replica is being shut down: ask another"),
            Self::TooLarge { size, max } => {
                write!(f, "a proposal of {size} bytes; at most {max} are accepted")
            }
        }
    }
}

impl core::error::Error for ProposeError {}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader => f.write_str("no leader is known"),
            Self::Busy => f.write_str("too many reads wait: try again later"),
            Self::ShuttingDown => f.write_str("this replica is being shut down: ask another"),
            Self::Witness => f.write_str("a witness has nothing to read: ask another replica"),
            Self::TooLarge { size, max } => {
                write!(f, "a question of {size} bytes; at most {max} are accepted")
            }
        }
    }
}

impl core::error::Error for ReadError {}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { leader: Some(leader) } => write!(f, "not the leader: ask {leader}"),
            Self::NotLeader { leader: None } => f.write_str("not the leader, and none is known"),
            Self::AlreadyLeader => f.write_str("the target leads already"),
            Self::NotAVoter { to } => write!(f, "{to} does not vote"),
            Self::CannotServe { to } => write!(f, "{to} says that it could not serve now"),
            Self::Witness { to } => write!(f, "{to} is a witness: it keeps no data, and cannot lead"),
            Self::Transferring { to } => write!(f, "leadership is being handed to {to} already"),
        }
    }
}

impl core::error::Error for TransferError {}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { leader: Some(leader) } => write!(f, "not the leader: ask {leader}"),
            Self::NotLeader { leader: None } => f.write_str("not the leader, and none is known"),
            Self::Transferring { to } => write!(f, "leadership is being handed to {to}"),
            Self::NotReady => {
                f.write_str("the leader has committed no entry of its own term yet: try again soon")
            }
            Self::UnderWay { index } => {
                write!(f, "another change is under way since entry {index}: try again when it is done")
            }
            Self::Busy => f.write_str("too many bytes in memory: try again later"),
            Self::NothingToChange => f.write_str("nothing is asked to be changed"),
            Self::NamedTwice { id } => write!(f, "{id} is named twice: one change of a node at a time"),
            Self::NotAMember { id } => write!(f, "{id} is no member: add it as a learner first"),
            Self::AlreadyAMember { id } => write!(f, "{id} is a member already"),
            Self::AlreadyAVoter { id } => write!(f, "{id} is a voter already"),
            Self::AlreadyALearner { id } => write!(f, "{id} is a learner already"),
            Self::NotCaughtUp { id, behind } => {
                write!(f, "{id} has not caught up: it is {behind} entries behind, or not heard")
            }
            Self::KeepsNoData { id } => {
                write!(f, "{id} is a witness and keeps no data: it can only be removed")
            }
            Self::NoVoterLeft => f.write_str("nobody would be left to vote"),
            Self::TooManyWitnesses { witnesses, voters } => {
                write!(
                    f,
                    "of the {voters} voters to be {witnesses} would be witnesses: the others are no majority"
                )
            }
            Self::WouldLoseQuorum { heard, voters } => {
                write!(f, "of the {voters} voters to be only {heard} were heard lately, which is no majority")
            }
            Self::TooManyMembers { max } => {
                write!(f, "more than {max} members, those counted that are about to leave")
            }
        }
    }
}

impl core::error::Error for ChangeError {}

impl Ignored {
    /// Whether an honest, merely slow or duplicating network can cause it.
    #[must_use]
    pub fn is_stale(self) -> bool {
        match self {
            Self::StaleTerm
            | Self::StaleResponse
            | Self::LeaderIsHeard
            | Self::Busy
            | Self::CannotCampaign
            | Self::CannotServe => true,
            Self::NotForMe
            | Self::UnknownSender
            | Self::Malformed
            | Self::SecondLeader
            | Self::ContradictsCommitted
            | Self::BeyondLog
            | Self::OtherStanding => false,
        }
    }
}
