//! What replicas say to one another (Figure 2, and §9.6 of Ongaro's thesis for PreVote).
//!
//! Messages are plain values; their bytes are the business of another crate.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::{
    Configuration, Entries, LogIndex, LogPosition, NodeId, ProposeError, ReadId, Round, Session, SnapshotId,
    Term,
};

/// One message from one replica to another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// Who sends it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The sender's current term.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

// It is moved from queue to queue. A rare kind that is larger than the common ones goes into a box.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Message>() <= 112);

/// What a message says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Body {
    /// "Would you vote for me in the term after `term`?" Changes no term and no vote (thesis §9.6).
    PreVote(PreVote),
    /// Answers a [`PreVote`]; a refusal carries the refuser's term back.
    PreVoteResponse(PreVoteResponse),
    /// Asks for a vote in `term` (§5.2).
    RequestVote(RequestVote),
    /// Answers a [`RequestVote`].
    RequestVoteResponse(RequestVoteResponse),
    /// Replicates entries (§5.3).
    AppendEntries(AppendEntries),
    /// Answers an [`AppendEntries`].
    AppendEntriesResponse(AppendEntriesResponse),
    /// Holds the office, and tells what is committed (§5.2).
    Heartbeat(Heartbeat),
    /// Answers a [`Heartbeat`]; waits for no disk but for the term's own record.
    HeartbeatResponse(HeartbeatResponse),
    /// Asks the receiver to campaign at once (thesis §3.10).
    TimeoutNow,
    /// A follower asks from where on its state is fresh enough for its clients' reads (thesis §6.4).
    ReadIndex(ReadIndex),
    /// Answers a [`ReadIndex`].
    ReadIndexResponse(ReadIndexResponse),
    /// Passes a client's proposal on to the leader (thesis §6.2).
    Forward(Forward),
    /// Refuses a [`Forward`]; one that is accepted is answered by the log.
    ForwardResponse(ForwardResponse),
    /// Offers a snapshot to one whose next entry was compacted (§7); it is answered by drawing it, or by an
    /// [`AppendEntriesResponse`] once it is there.
    InstallSnapshot(InstallSnapshot),
    /// Asks for a part of a snapshot, of whoever may have it.
    SnapshotRequest(SnapshotRequest),
    /// Answers a [`SnapshotRequest`].
    SnapshotChunk(SnapshotChunk),
    /// A leader asks for entries whose data its disk lost.
    RepairRequest(RepairRequest),
    /// Answers a [`RepairRequest`], or a part of it; or a [`SnapshotRequest`] for what is not here any more.
    /// Rare and large: in a box, since all messages are moved a lot.
    RepairResponse(Box<RepairResponse>),
}

/// Asks whether a campaign would succeed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PreVote {
    /// The sender's last entry.
    pub last_log: LogPosition,
}

/// Says whether a campaign would get this vote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PreVoteResponse {
    /// The term that the asker was in when it asked; its campaign would be for the next.
    pub asked_in: Term,
    /// Whether this vote would be given.
    pub granted: bool,
    /// Whether it would count only where all voters grant theirs.
    pub is_conditional: bool,
}

/// Asks for a vote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestVote {
    /// The candidate's last entry.
    pub last_log: LogPosition,
    /// The leader itself asked for this campaign: stickiness does not apply (thesis §4.2.3).
    pub leadership_transfer: bool,
}

/// Gives or refuses a vote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestVoteResponse {
    /// Whether the vote was given.
    pub granted: bool,
    /// Whether it counts only where all voters grant theirs: the sender's log may lack entries that it acknowledged.
    pub is_conditional: bool,
}

/// Replicates entries.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AppendEntries {
    /// The stay of the receiver that this is for.
    pub session: Session,
    /// The entry that must stand before the first of `entries`.
    pub prev_log: LogPosition,
    /// What follows it; may be none, when the leader probes.
    pub entries: Entries,
    /// The leader's commit index.
    pub leader_commit: LogIndex,
}

/// Answers an [`AppendEntries`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AppendEntriesResponse {
    /// Echoed.
    pub session: Session,
    /// What became of it.
    pub result: AppendResult,
}

/// What became of an [`AppendEntries`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AppendResult {
    /// The log matches the leader's up to here, durably: previous index plus entries received, never
    /// "my last index".
    Matched(LogIndex),
    /// So do the identifiers and configurations of a witness, which has no data.
    Witnessed(LogIndex),
    /// The log matches the leader's up to `named`, durably, but for the data of the entry `first`, and perhaps of more, which
    /// was lost on disk. It is asked for.
    Lacking {
        /// The first entry that lacks its data: all before it are whole.
        first: LogIndex,
        /// Up to where the names match; at least `first`.
        named: LogIndex,
    },
    /// The previous entry is not there.
    Conflict {
        /// The index of the previous entry that was asked for.
        rejected: LogIndex,
        /// The latest entry of the follower's log that may match: its index at most `rejected`, its term
        /// at most the one asked for.
        hint: LogPosition,
        /// The follower may have acknowledged that entry, and lost it.
        is_uncertain: bool,
    },
}

/// Holds the office.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heartbeat {
    /// The stay of the receiver that this is for.
    pub session: Session,
    /// The leader's round.
    pub round: Round,
    /// The leader's commit index, bounded by what the receiver has acknowledged.
    pub commit: LogIndex,
    /// Another voter, which is heard and keeps up, has a higher priority than the receiver: it is to campaign first.
    pub outranked: bool,
}

/// Answers a [`Heartbeat`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HeartbeatResponse {
    /// Echoed.
    pub session: Session,
    /// Echoed.
    pub round: Round,
    /// Up to where the log is known to match this leader's, durable or not: it tells the leader what was
    /// lost on the way and counts for nothing else.
    pub received: LogIndex,
    /// For how many ticks of its own, from when the heartbeat came in, the follower votes for nobody else.
    pub promise: u64,
    /// The follower's ticks, by which the leader compares the clocks.
    pub clock: u64,
    /// The follower's priority; 0 while it could not serve as a leader.
    pub priority: u64,
    /// So many bytes of a snapshot that is being received are stored; 0 where none is.
    pub snapshot_received: u64,
}

/// Asks for a read index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReadIndex {
    /// The follower's life: no two share a number.
    pub boot: u64,
    /// The last of its reads that it asks for; the answer is good for all before it.
    pub up_to: ReadId,
}

/// Gives a read index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReadIndexResponse {
    /// Echoed.
    pub boot: u64,
    /// Echoed.
    pub up_to: ReadId,
    /// What was committed before the question came in stands at this index or before.
    pub index: LogIndex,
}

/// Passes a client's proposal on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Forward {
    /// The sender's name for it.
    pub number: u64,
    /// The proposal.
    pub data: Bytes,
}

/// Refuses a proposal that was passed on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ForwardResponse {
    /// Echoed.
    pub number: u64,
    /// Why, and who leads where the refuser does not.
    pub refusal: ProposeError,
}

/// Offers a snapshot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InstallSnapshot {
    /// The stay of the receiver that this is for.
    pub session: Session,
    /// The snapshot: it stands for all that the receiver lacks from the leader's log.
    pub snapshot: SnapshotId,
    /// To a witness, which goes on from the snapshot's last entry without its bytes: the configuration in force there, and
    /// the index of its entry.
    pub in_force: Option<(LogIndex, Arc<Configuration>)>,
}

/// Asks for a part of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SnapshotRequest {
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// Where the part begins.
    pub offset: u64,
    /// At most so many bytes.
    pub max_bytes: u64,
}

/// A part of a snapshot. It counts for exactly the one that it names, whoever sends it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SnapshotChunk {
    /// Echoed.
    pub snapshot: SnapshotId,
    /// Echoed.
    pub offset: u64,
    /// The bytes from there on; none where the sender does not have this snapshot.
    pub data: Bytes,
}

/// Asks for the data of entries.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RepairRequest {
    /// Their names, in log order.
    pub lacking: Vec<LogPosition>,
}

/// Says what became of entries that were asked for. Of those that it does not speak of, more may follow.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RepairResponse {
    /// Of those whose data the sender does not have, why.
    pub answers: Vec<(LogPosition, Found)>,
    /// The others.
    pub entries: Entries,
    /// The sender's newest snapshot, where that stands for what it was asked for.
    pub snapshot: Option<SnapshotId>,
}

/// Why a node does not have an entry's data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Found {
    /// Its log has no such entry, and never takes it from a leader of an earlier term any more.
    Absent,
    /// It is a witness, and knows the name.
    Named,
    /// It lost the data, too; and had it.
    Lost,
    /// It lacks the data, and perhaps never had it: it was of the last sync group on its disk, or may have been.
    Doubtful,
    /// Its log begins behind that index: whatever was committed there, it has been applied.
    Compacted,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{} term {} {}", self.from, self.to, self.term, self.body)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = |granted, is_conditional| match (granted, is_conditional) {
            (false, _) => "refused",
            (true, false) => "granted",
            (true, true) => "granted if all do",
        };
        match self {
            Self::PreVote(request) => write!(f, "PreVote last {}", request.last_log),
            Self::PreVoteResponse(response) => {
                let answer = answer(response.granted, response.is_conditional);
                write!(f, "PreVoteResponse {answer} asked in {}", response.asked_in)
            }
            Self::RequestVote(request) => {
                let transfer = if request.leadership_transfer { " by transfer" } else { "" };
                write!(f, "RequestVote last {}{transfer}", request.last_log)
            }
            Self::RequestVoteResponse(response) => {
                let answer = answer(response.granted, response.is_conditional);
                write!(f, "RequestVoteResponse {answer}")
            }
            Self::AppendEntries(request) => {
                write!(f, "AppendEntries prev {} [", request.prev_log)?;
                match &request.entries[..] {
                    [] => {}
                    [only] => write!(f, "{}", only.position())?,
                    [first, .., last] => write!(f, "{}..{}", first.position(), last.position())?,
                }
                write!(f, "] commit {}", request.leader_commit)
            }
            Self::AppendEntriesResponse(response) => match response.result {
                AppendResult::Matched(index) => write!(f, "AppendEntriesResponse matched {index}"),
                AppendResult::Witnessed(index) => write!(f, "AppendEntriesResponse witnessed {index}"),
                AppendResult::Lacking { first, named } => {
                    write!(f, "AppendEntriesResponse lacks {first}, has the names up to {named}")
                }
                AppendResult::Conflict { rejected, hint, is_uncertain: _ } => {
                    write!(f, "AppendEntriesResponse conflict at {rejected}, perhaps {hint}")
                }
            },
            Self::Heartbeat(request) => {
                write!(f, "Heartbeat round {} commit {}", request.round.0, request.commit)?;
                f.write_str(if request.outranked { " outranked" } else { "" })
            }
            Self::HeartbeatResponse(response) => {
                write!(f, "HeartbeatResponse round {} received {}", response.round.0, response.received)?;
                match response.priority {
                    1 => {}
                    priority => write!(f, " priority {priority}")?,
                }
                match response.snapshot_received {
                    0 => Ok(()),
                    bytes => write!(f, " and {bytes} bytes"),
                }
            }
            Self::TimeoutNow => f.write_str("TimeoutNow"),
            Self::ReadIndex(request) => write!(f, "ReadIndex up to {}", request.up_to.0),
            Self::ReadIndexResponse(response) => {
                write!(f, "ReadIndexResponse up to {} at {}", response.up_to.0, response.index)
            }
            Self::Forward(request) => write!(f, "Forward {} bytes", request.data.len()),
            Self::ForwardResponse(response) => write!(f, "ForwardResponse {}", response.refusal),
            Self::InstallSnapshot(InstallSnapshot { snapshot, in_force: Some((index, _)), .. }) => {
                write!(f, "InstallSnapshot {} without data, configuration of {index}", snapshot.last)
            }
            Self::InstallSnapshot(InstallSnapshot { snapshot, in_force: None, .. }) => {
                write!(f, "InstallSnapshot {} of {} bytes", snapshot.last, snapshot.bytes)
            }
            Self::RepairRequest(RepairRequest { lacking }) => {
                write!(f, "RepairRequest")?;
                lacking.iter().try_for_each(|position| write!(f, " {position}"))
            }
            Self::RepairResponse(response) => {
                let RepairResponse { answers, entries, snapshot } = &**response;
                write!(f, "RepairResponse")?;
                answers.iter().try_for_each(|(position, found)| write!(f, " {position} {found:?}"))?;
                entries.iter().try_for_each(|entry| write!(f, " {}", entry.position()))?;
                snapshot.iter().try_for_each(|snapshot| write!(f, ", snapshot {}", snapshot.last))
            }
            Self::SnapshotRequest(SnapshotRequest { snapshot, offset, max_bytes }) => {
                write!(f, "SnapshotRequest {} from {offset}, {max_bytes} bytes", snapshot.last)
            }
            Self::SnapshotChunk(SnapshotChunk { snapshot, offset, data }) => match data.len() {
                0 => write!(f, "SnapshotChunk {} is not here", snapshot.last),
                bytes => write!(f, "SnapshotChunk {} from {offset}, {bytes} bytes", snapshot.last),
            },
        }
    }
}
