//! What the oracles see of a Raft node: neutral, so that another implementation can be judged by the same code.
//!
//! An adapter gathers one `Observation` during each event of its node; the oracles read it and clear it. The
//! buffers are kept, so that observing allocates nothing once they have grown.

use squall_raft::{
    Found, HardState, LogIndex, LogPosition, NodeId, ReadId, RoleKind, Round, SnapshotId, Status, Term,
};

use crate::membership::Membership;

/// What happened to one node during one event, in order.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The inputs that the node was given and what it did, in order.
    pub steps: Vec<Step>,
    /// The identifiers of entries in messages; a [`Span`] names a stretch of it.
    pub entries: Vec<LogPosition>,
    /// What messages say of entries that their senders cannot send; a [`Span`] names a stretch of it.
    pub answers: Vec<(LogPosition, Found)>,
    /// The node's own ticks since it started, as they were fed to it.
    pub ticks: u64,
    /// The node's state after the event, `None` before its first.
    pub status: Option<Status>,
}

/// A stretch of [`Observation::entries`] or of [`Observation::answers`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Where it begins.
    pub start: u32,
    /// How many entries it has.
    pub len: u32,
}

/// The hash of a payload that was not told to a node: its entry has a name, and no data.
pub const WITHHELD: u64 = 0;

/// One input or one visible deed of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Input: the node started with what its storage had kept.
    Started {
        /// The hard state that was recovered.
        hard_state: HardState,
        /// The newest snapshot that was recovered, be it only its name ([`Step::SnapshotLost`]).
        snapshot: Option<SnapshotId>,
        /// The entry before the first that was recovered.
        base: LogPosition,
        /// The last entry that was recovered (`Appended` steps for the whole log follow), or the base.
        last_log: LogPosition,
        /// Entries of terms up to this one may have been lost behind it; 0 where none were.
        uncertain: Term,
    },
    /// Of the snapshot that was recovered bytes are lost: its name counts, and its state is missing. Follows the log.
    SnapshotLost(SnapshotId),
    /// Input: a message was delivered.
    Received(Envelope),
    /// Input: time passed. `status` is the state after it: a timeout may have fired.
    Ticked,
    /// Input: a client's or operator's command was accepted or refused.
    Proposed {
        /// Where the entry was placed, where it was accepted.
        accepted: Option<LogPosition>,
    },
    /// Input: an operator asked for a campaign, a transfer, or a change of the membership.
    Administered,
    /// Input: all writes up to one were reported durable; the log of the node is durable up to `durable_index`.
    Persisted {
        /// The write, as its `WriteIssued` numbered it.
        sequence: u64,
        /// The node's own word after the report.
        durable_index: LogIndex,
    },
    /// Input: entries were fetched from disk.
    Fetched,
    /// Input: a client asked for a linearizable read without a log entry.
    ReadAsked {
        /// Its number, where it was accepted; numbers rise by one within a life.
        read: Option<ReadId>,
    },
    /// Input: a snapshot of the node's own state is whole and durable.
    SnapshotTaken(SnapshotId),
    /// Input: a snapshot that was received is whole, verified and durable.
    SnapshotReceived(SnapshotId),
    /// Input: a part of a snapshot was read or stored, or what was received turned out to be wrong.
    SnapshotStepped,
    /// Input: a snapshot that the state machine is being put into said which configuration is in force at its end.
    ConfigurationRestored {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The configuration, and the index of its entry.
        configuration: (LogIndex, Membership),
    },
    /// Input: the state machine was put into the state of a snapshot.
    Restored {
        /// The snapshot.
        snapshot: SnapshotId,
        /// A digest of the state machine after it.
        state_digest: u64,
    },
    /// State after the input above, where role, term, vote, leader or commit index changed.
    Changed(Status),
    /// The node asked for its hard state to be written.
    WroteHardState(HardState),
    /// The node removed the entries from this index on (and asked for it to be written).
    Truncated {
        /// The first index that is gone.
        from: LogIndex,
    },
    /// The node discarded its log, which begins anew after this entry (and asked for it to be written).
    Reset {
        /// The last entry that its snapshot stands for.
        base: LogPosition,
    },
    /// The node gave up its entries up to here (and said so with a write).
    Compacted {
        /// The last of them.
        base: LogPosition,
    },
    /// The node appended an entry (and asked for it to be written).
    Appended {
        /// Its name.
        position: LogPosition,
        /// A hash of its payload, or [`WITHHELD`].
        payload_hash: u64,
    },
    /// The node recovered, next in its log, an entry without its data. It stands for an `Appended`.
    Lost {
        /// Its name.
        position: LogPosition,
        /// It was of the last sync group that the disk held, and perhaps its data never was there.
        is_doubtful: bool,
    },
    /// The node asked for the data of an entry that it had lost to be written again.
    Repaired {
        /// Its name.
        position: LogPosition,
        /// A hash of its payload.
        payload_hash: u64,
    },
    /// The entry appended last puts a configuration in force.
    Configured(Membership),
    /// The hard state, truncation and entries since the last such step form one write.
    WriteIssued {
        /// Its number: rises within a life.
        sequence: u64,
    },
    /// The node decided on its reads up to one.
    ReadsSettled {
        /// The last of them.
        up_to: ReadId,
        /// What they must have seen before they are answered; `None` where they are not answered.
        index: Option<LogIndex>,
    },
    /// The node decided on one of its reads by itself, whatever becomes of those asked before it.
    ReadServed {
        /// Which.
        read: ReadId,
        /// What it must have seen before it is answered.
        index: LogIndex,
    },
    /// The node sent a message (it left the core).
    Sent(Envelope),
    /// The node applied an entry.
    Applied {
        /// Its name.
        position: LogPosition,
        /// A hash of its payload.
        payload_hash: u64,
        /// The client operation whose command the state machine was given with it (0 where none was: the entry carries
        /// none, or a copy of one that was), as the adapter's clients number them.
        operation: u128,
        /// A digest of the state machine after it.
        state_digest: u64,
    },
}

impl Step {
    /// Whether it is an input, so that what follows is what it led to.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Started { .. }
            | Self::Received(_)
            | Self::Ticked
            | Self::Proposed { .. }
            | Self::Administered
            | Self::Persisted { .. }
            | Self::Fetched
            | Self::ReadAsked { .. }
            | Self::SnapshotTaken(_)
            | Self::SnapshotReceived(_)
            | Self::SnapshotStepped
            | Self::ConfigurationRestored { .. }
            | Self::Restored { .. } => true,
            Self::Changed(_)
            | Self::WroteHardState(_)
            | Self::Truncated { .. }
            | Self::Reset { .. }
            | Self::Compacted { .. }
            | Self::Appended { .. }
            | Self::Lost { .. }
            | Self::SnapshotLost(_)
            | Self::Repaired { .. }
            | Self::Configured(_)
            | Self::WriteIssued { .. }
            | Self::ReadsSettled { .. }
            | Self::ReadServed { .. }
            | Self::Sent(_)
            | Self::Applied { .. } => false,
        }
    }
}

/// A message in neutral terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Who sends it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The sender's current term.
    pub term: Term,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Asks whether a campaign for the term after the message's would succeed.
    PreVote {
        /// The asker's last entry.
        last_log: LogPosition,
    },
    /// Answers a pre-vote.
    PreVoteResponse {
        /// Whether it would get the vote.
        granted: bool,
        /// Only if all others grant theirs.
        is_conditional: bool,
    },
    /// Asks for a vote.
    RequestVote {
        /// The candidate's last entry.
        last_log: LogPosition,
        /// Asked for by the leader.
        leadership_transfer: bool,
    },
    /// Answers a vote request.
    RequestVoteResponse {
        /// Whether the vote was given.
        granted: bool,
        /// It counts only if all others grant theirs.
        is_conditional: bool,
    },
    /// Replicates entries.
    AppendEntries {
        /// What must stand before them.
        prev_log: LogPosition,
        /// Their identifiers.
        entries: Span,
        /// The leader's commit index.
        leader_commit: LogIndex,
    },
    /// Promises that the log matches the leader's, durably, up to here.
    AppendAcknowledged {
        /// Up to where.
        match_index: LogIndex,
        /// By their names only: the sender has no data.
        as_witness: bool,
    },
    /// Promises that the log matches the leader's, but for lost data.
    AppendLacking {
        /// The first entry whose data is lost: all before it are promised.
        first: LogIndex,
        /// Up to where the names match.
        named: LogIndex,
    },
    /// Refuses an AppendEntries.
    AppendRefused {
        /// The index that was asked for.
        rejected: LogIndex,
        /// Where it may match.
        hint: LogPosition,
        /// The sender may have acknowledged that entry, and lost it.
        is_uncertain: bool,
    },
    /// Holds the office.
    Heartbeat {
        /// The leader's round.
        round: Round,
        /// What the receiver may take as committed.
        commit: LogIndex,
    },
    /// Answers a heartbeat.
    HeartbeatResponse {
        /// The round that is answered.
        round: Round,
        /// For how many of its ticks the sender votes for nobody else.
        promise: u64,
    },
    /// Asks the receiver to campaign at once.
    TimeoutNow,
    /// Asks from which index on the sender may serve its reads up to one.
    ReadIndex {
        /// The sender's life.
        boot: u64,
        /// The last of the reads.
        up_to: ReadId,
    },
    /// Answers that.
    ReadIndexResponse {
        /// The asker's life.
        boot: u64,
        /// The last of the reads.
        up_to: ReadId,
        /// From where on they may be served.
        index: LogIndex,
    },
    /// Passes a client's proposal on.
    Forward,
    /// Refuses a proposal that was passed on.
    ForwardRefused,
    /// Offers a snapshot to one that lacks what was compacted.
    InstallSnapshot {
        /// The snapshot.
        snapshot: SnapshotId,
        /// To go on from where it ends, without its bytes.
        without_data: bool,
    },
    /// Asks for a part of a snapshot.
    SnapshotRequest {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// Carries a part of a snapshot.
    SnapshotChunk {
        /// The snapshot.
        snapshot: SnapshotId,
        /// How many bytes of it; 0 where the sender does not have it.
        bytes: u64,
    },
    /// A leader asks for entries whose data it lost.
    RepairRequest {
        /// Their identifiers.
        lacking: Span,
    },
    /// Answers that.
    RepairResponse {
        /// What is said of those that the sender does not send, a stretch of [`Observation::answers`].
        answers: Span,
        /// The identifiers of those that it sends.
        entries: Span,
        /// The sender's newest snapshot.
        snapshot: Option<SnapshotId>,
    },
}

impl Observation {
    /// Forgets what was observed, and keeps the room it took.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.entries.clear();
        self.answers.clear();
    }

    /// The entries of a span.
    #[must_use]
    pub fn span(&self, span: Span) -> &[LogPosition] {
        &self.entries[span.start as usize..][..span.len as usize]
    }

    /// The answers of a span.
    #[must_use]
    pub fn answers(&self, span: Span) -> &[(LogPosition, Found)] {
        &self.answers[span.start as usize..][..span.len as usize]
    }
}

/// Whether a status shows a leader.
#[must_use]
pub fn leads(status: &Status) -> bool {
    status.role == RoleKind::Leader
}
