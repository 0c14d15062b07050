//! What runs can come across: by these marks a test shows that the inputs get somewhere.

/// Something worth reaching.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    /// Leads, with other voters around.
    Leads,
    /// Commits as a leader, with other voters around.
    CommitsAsLeader,
    /// Refuses a proposal for want of room.
    RefusesForWantOfRoom,
    /// Tells another to campaign.
    HandsOver,
    /// Grants a vote.
    Votes,
    /// Acknowledges entries.
    Acknowledges,
    /// Acknowledges entries as a witness.
    Witnesses,
    /// Takes a snapshot without data.
    TakesPosition,
    /// Answers that the previous entry is not there.
    Contradicts,
    /// Removes entries that were written.
    Truncates,
    /// Applies entries.
    Applies,
    /// Asks the disk for entries for a follower.
    FetchesToReplicate,
    /// Asks the disk for entries to apply.
    FetchesToApply,
    /// Asks the disk for entries that a leader lost.
    FetchesToRepair,
    /// Says that it lacks the data of an entry.
    Lacks,
    /// Asks others, as a leader, for entries that it lacks.
    AsksForRepair,
    /// Answers a leader that asks so.
    AnswersRepair,
    /// Writes the data of an entry again.
    Repairs,
    /// Restarts with entries.
    Recovers,
    /// Confirms that reads may be served.
    ServesReads,
    /// Takes a change of the membership.
    ChangesMembership,
    /// Is in a joint configuration.
    IsJoint,
    /// Gives up the beginning of its log.
    Compacts,
    /// Offers a snapshot.
    OffersSnapshot,
    /// Sends a part of one.
    ServesSnapshot,
    /// Discards its log for one that it received.
    BeginsAnew,
    /// Has its state machine put into one.
    Restores,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Leads,
        Self::CommitsAsLeader,
        Self::RefusesForWantOfRoom,
        Self::HandsOver,
        Self::Votes,
        Self::Acknowledges,
        Self::Witnesses,
        Self::TakesPosition,
        Self::Contradicts,
        Self::Truncates,
        Self::Applies,
        Self::FetchesToReplicate,
        Self::FetchesToApply,
        Self::FetchesToRepair,
        Self::Lacks,
        Self::AsksForRepair,
        Self::AnswersRepair,
        Self::Repairs,
        Self::Recovers,
        Self::ServesReads,
        Self::ChangesMembership,
        Self::IsJoint,
        Self::Compacts,
        Self::OffersSnapshot,
        Self::ServesSnapshot,
        Self::BeginsAnew,
        Self::Restores,
    ];
}
