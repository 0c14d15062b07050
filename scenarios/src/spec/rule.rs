//! The rules, each by the name of the action of the specification that it belongs to.
//!
//! The names are those of Ongaro's TLA+ specification where it has the action, and of the thesis where it has
//! not. A violation's class is its rule in one word, as a scenario file states it; its message begins with the name.

macro_rules! rules {
    ($($rule:ident = $name:literal,)*) => {
        /// A rule of the specification.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(super) enum Rule { $(#[doc = $name] $rule,)* }

        impl Rule {
            pub(super) const ALL: &[Self] = &[$(Self::$rule,)*];

            /// In one word.
            pub(super) const fn class(self) -> &'static str {
                match self { $(Self::$rule => stringify!($rule),)* }
            }

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }
        }
    };
}

rules! {
    // §5.2, Figure 2 "Persistent state"; crash with partial persistence.
    RecoveredHardState = "Restart: recovered another term or vote than was written",
    RecoveredLog = "Restart: recovered a log that no prefix of its writes leaves",
    RecoveredTermBehindLog = "Restart: the log holds a term beyond the recovered one",
    RecoveredUncertain = "Restart: its log may have lost entries up to another term than was kept or than it is in",
    WroteOtherHardState = "Persist: wrote another term or vote than the node has",
    PersistedUnknownWrite = "Persist: reported a write that was never asked for",
    DurableBeyondWrites = "Persist: claims durability that no completed write gives",

    // §5.1, §5.2.
    TermFell = "UpdateTerm: the term fell",
    TermRose = "UpdateTerm: the term rose without a message of that term",
    CampaignUnprompted = "Timeout: campaigned though no time passed and nobody asked",
    CampaignInOffice = "Timeout: a leader campaigned",
    CampaignSameTerm = "Timeout: became a candidate without a new term and its own vote",
    CampaignWithoutPreVotes = "Timeout: campaigned without a quorum of pre-votes",
    PreVoteChangedState = "HandlePreVoteRequest: changed the state",
    PreVoteForStaleLog = "HandlePreVoteRequest: granted to an out-of-date log",
    SecondVote = "HandleRequestVoteRequest: voted twice in one term",
    VoteForgotten = "HandleRequestVoteRequest: forgot its vote within the term",
    VoteUnasked = "HandleRequestVoteRequest: voted for a node that did not ask",
    VoteForStaleLog = "HandleRequestVoteRequest: voted for an out-of-date log",
    VoteUnconditional = "HandleRequestVoteRequest: made no condition though its log may have lost entries",
    TransferIgnored = "HandleRequestVoteRequest: did not hear a campaign that the leader wished",
    LeaderNotCandidate = "BecomeLeader: was no candidate of this term",
    LeaderWithoutQuorum = "BecomeLeader: without the votes of a quorum",
    LeaderUncertain = "BecomeLeader: with the certain votes of no quorum, and not with everybody's",
    LeaderVoteNotDurable = "BecomeLeader: its own vote is not durable",

    // §5.3, §5.4.
    AcceptedOutOfOffice = "ClientRequest: accepted by a node that does not lead",
    AcceptedElsewhere = "ClientRequest: accepted, but not appended where it was said",
    LeaderAppendedOther = "ClientRequest: a leader appended an entry of another term or place",
    AppendedUnasked = "HandleAppendEntriesRequest: appended what no leader sent",
    AppendedWithoutPrevious = "HandleAppendEntriesRequest: appended after a previous entry that it does not have",
    AppendedOther = "HandleAppendEntriesRequest: appended another entry than was sent",
    AppendedCampaigning = "HandleAppendEntriesRequest: changed its log while campaigning",
    TruncatedWithoutConflict = "HandleAppendEntriesRequest: truncated without a conflict",
    TruncatedCommitted = "HandleAppendEntriesRequest: truncated a committed entry",
    UnheardLeader = "HandleAppendEntriesRequest: believes in a leader that it did not hear",
    CommitBeyondMatched = "HandleAppendEntriesRequest: committed beyond what matches the leader's log",
    CommitFell = "AdvanceCommitIndex: the commit index fell",
    CommitOldTerm = "AdvanceCommitIndex: committed an entry of an earlier term by counting copies",
    CommitWithoutQuorum = "AdvanceCommitIndex: committed without durable copies on a quorum",

    // §6; thesis §4.
    CampaignWithoutVote = "Timeout: campaigned without a vote, and was not needed by those who have one",
    ConfigurationNotReady = "ChangeMembership: before an entry of the leader's own term is committed",
    ConfigurationTwice = "ChangeMembership: while the configuration before is not committed",
    ConfigurationLeap = "ChangeMembership: votes came or went without a joint configuration",

    // Witnesses (Pâris; thesis §11.7.2).
    WitnessCampaigned = "Timeout: a witness campaigned",
    WitnessApplied = "Apply: a witness applied an entry",
    WithheldFromCopy = "HandleAppendEntriesRequest: a node that is no witness took an entry without its data",
    CommitByWitness = "AdvanceCommitIndex: counted witnesses though the others within reach are a quorum",
    WitnessToldTooMuch = "AppendEntries: told a witness of an entry that its word could not commit, or that a copy within reach lacks",

    // Repair (Alagappan et al., FAST '18).
    RecoveredFaulty = "Restart: lost the data of an entry that was durable",
    RecoveredUnmarked = "Restart: has data for an entry whose data was lost, and never written again",
    RepairedUnasked = "Repair: took data that nobody sent, or for an entry that is not lost",
    AppendedLacking = "Repair: a leader appended an entry before its log was whole",
    DiscardedOther = "Repair: a leader removed an entry that it had not lost",
    DiscardedUnproven = "Repair: a leader gave up an entry that may have been committed",
    SentLost = "AppendEntries: sent an entry whose data is lost",
    LackingOther = "AppendEntriesResponse: asked for an entry that is not the first that is lost",
    AskedForOther = "RepairRequest: asked for an entry that is not lost",
    AnsweredOther = "RepairResponse: said of an entry what is not so",

    // What leaves the node.
    SentOtherTerm = "Send: another sender or term than the node's own",
    SentUndurableTerm = "Send: revealed a term that is not durable",
    SentUndurableVote = "Send: revealed a vote that is not durable",
    SentOtherLastLog = "RequestVote: claimed another last entry than its own",
    PreVoteByOther = "PreVote: sent by no pre-candidate",
    RequestVoteByOther = "RequestVote: sent by no candidate",
    GrantedWithoutVote = "RequestVoteResponse: granted without having voted so",
    SentOutOfOffice = "AppendEntries: sent by a node that does not lead",
    SentOtherPrevious = "AppendEntries: the previous entry is not in its log",
    SentOtherEntries = "AppendEntries: the entries are not its log's",
    SentCommitBeyond = "AppendEntries: claims more committed than it knows",
    HeartbeatBeyondMatch = "Heartbeat: claims more committed than the receiver matches",
    AnsweredUnasked = "AppendEntriesResponse: answered a node that did not ask",
    AcknowledgedBeyondMatch = "AppendEntriesResponse: acknowledged more than matches the leader's log",
    AcknowledgedUndurable = "AppendEntriesResponse: acknowledged what is not durable",
    AcknowledgedAsOther = "AppendEntriesResponse: a witness acknowledged as a copy, or a copy as a witness",
    RefusedMatching = "AppendEntriesResponse: refused what it has",
    RefusedWithOtherHint = "AppendEntriesResponse: hinted at an entry beyond the one refused, or not in its log",
    ForwardUnasked = "Forward: not what a client has just asked of this node",
    ForwardElsewhere = "Forward: to a node that it does not follow",
    RefusedUnasked = "ForwardResponse: to a node that passed nothing on",
    TimeoutNowToLaggard = "TimeoutNow: sent to a node whose log is behind",
    TimeoutNowToOther = "TimeoutNow: sent to a node that does not vote, or to a witness",

    // §7, thesis §5.
    RecoveredSnapshot = "Restart: without the newest snapshot that was durable, or with a log that no snapshot leads up to",
    LostSnapshot = "Restart: lost bytes of a snapshot that was durable",
    TookOtherSnapshot = "TakeSnapshot: of another state than that after an entry that was applied",
    ReceivedUnoffered = "InstallSnapshot: asked for or received what no leader offered",
    SnapshotNotHere = "InstallSnapshot: offered or sent a snapshot that it does not have",
    OfferedAsOther = "InstallSnapshot: offered data to a witness, or a copy a place without data",
    ResetUnasked = "InstallSnapshot: discarded its log for no snapshot that asks for it",
    ResetMatching = "InstallSnapshot: discarded a log that holds the snapshot's last entry",
    ResetInOffice = "InstallSnapshot: a leader, or one that campaigns, discarded its log",
    NotReset = "InstallSnapshot: kept a log that conflicts with the snapshot, or ends before it",
    RestoredOther = "InstallSnapshot: put its state machine into another snapshot than it installed",
    CompactedBeyond = "Compact: gave up entries for which no snapshot stands, or that were not applied",

    // §8, thesis §6.4.
    AnsweredOtherRound = "HeartbeatResponse: answered a round that its leader of this term did not begin",
    PromiseUndurable = "HeartbeatResponse: promised what a restart forgets",
    PromiseBroken = "HandleRequestVoteRequest: voted though it had promised a leader not to",
    PromiseFell = "Persist: the longest promise became shorter",
    RoundFell = "Heartbeat: the round fell",
    ReadUnasked = "Read: settled or numbered reads that were not asked for, or asked another than the leader",
    ReadUnconfirmed = "Read: served though no quorum has confirmed, since it came in, who leads",
    ReadIndexTooLow = "Read: served below what was committed, or may have been, when it came in",
    ReadIndexUncommitted = "Read: served from an index that is not committed",

    // Figure 2, "Rules for Servers".
    AppliedOutOfOrder = "Apply: not the next entry",
    AppliedUncommitted = "Apply: not committed",
    AppliedUndurable = "Apply: not durable here",
    AppliedOther = "Apply: not the entry of its log",
    StatusDiffers = "Observe: the state is not what the node was seen to do",
}
