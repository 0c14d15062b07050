//! Messages from anyone, with any content: near the truth often enough to get past the first guard.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use squall_raft::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Configuration, Entries, Entry, Forward,
    ForwardResponse, Found, Heartbeat, HeartbeatResponse, InstallSnapshot, LogIndex, LogPosition, Member,
    Message, NodeId, Payload, PreVote, PreVoteResponse, ProposeError, ReadId, ReadIndex, ReadIndexResponse,
    RepairRequest, RepairResponse, RequestVote, RequestVoteResponse, Round, Session, SnapshotChunk,
    SnapshotId, SnapshotRequest, Standing, Term,
};

/// What a voter promises by default, in ticks.
const PROMISE: u64 = 15;

/// What the receiver is at, to which hostile numbers are relative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) receiver: NodeId,
    pub(crate) term: Term,
    pub(crate) last_log: LogPosition,
    pub(crate) commit_index: LogIndex,
    /// Echoes of what it sent last.
    pub(crate) session: Session,
    pub(crate) round: Round,
    /// The previous entry that it asked a follower for last.
    pub(crate) asked: LogPosition,
    /// The part of a snapshot that it asked for last.
    pub(crate) wanted: SnapshotRequest,
    /// The snapshot that it has.
    pub(crate) snapshot: Option<SnapshotId>,
    /// What it asked for last as a leader that lacks it.
    pub(crate) lacking: &'a [LogPosition],
}

/// A number: mostly the truth, as a message in which much is wrong is refused for the first wrong thing only.
#[derive(Clone, Copy, Debug)]
enum Number {
    True,
    Near(i8),
    Any(u64),
}

/// A message before it is known what it is near to.
#[derive(Clone, Debug, Arbitrary)]
pub struct HostileMessage {
    /// Mostly a voter, modulo 4, from 2 on.
    from: u8,
    to: Number,
    term: Number,
    body: HostileBody,
}

#[derive(Clone, Debug, Arbitrary)]
enum HostileBody {
    PreVote {
        last_log: Position,
    },
    PreVoteResponse {
        asked_in: Number,
        granted: bool,
        is_conditional: bool,
    },
    RequestVote {
        last_log: Position,
        leadership_transfer: bool,
    },
    RequestVoteResponse {
        granted: bool,
        is_conditional: bool,
    },
    AppendEntries {
        session: Number,
        prev_log: Position,
        entries: Vec<HostileEntry>,
        leader_commit: Number,
    },
    /// As a copy or as a witness, as the sender is drawn.
    Matched {
        session: Number,
        index: Number,
    },
    Conflict {
        session: Number,
        rejected: Number,
        hint: Position,
        is_uncertain: bool,
    },
    Lacking {
        session: Number,
        first: Number,
        named: Number,
    },
    RepairRequest {
        lacking: Vec<Position>,
    },
    /// Of what was asked for, mostly: what is found of each, or the entry itself.
    RepairResponse {
        found: Vec<u8>,
        entries: Vec<HostileEntry>,
    },
    Heartbeat {
        session: Number,
        round: Number,
        commit: Number,
        outranked: bool,
    },
    HeartbeatResponse {
        session: Number,
        round: Number,
        received: Number,
        promise: Number,
        clock: Number,
        priority: u8,
        snapshot_received: u8,
    },
    TimeoutNow,
    ReadIndex {
        boot: Number,
        up_to: Number,
    },
    ReadIndexResponse {
        boot: Number,
        up_to: Number,
        index: Number,
    },
    Forward {
        number: u64,
        bytes: u8,
    },
    ForwardRefused {
        number: u64,
        leader: u8,
    },
    /// Of a snapshot that ends so many entries behind the receiver's log, in the sender's term.
    InstallSnapshot {
        session: Number,
        ahead: u8,
        term: Number,
        bytes: u8,
    },
    SnapshotRequest {
        offset: u8,
        max_bytes: Number,
    },
    SnapshotChunk {
        offset: Number,
        bytes: u8,
        other: bool,
    },
}

/// A position near the end of the log.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Position {
    term: Number,
    index: Number,
}

/// An entry near the place where it belongs.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct HostileEntry {
    term: Number,
    index: Number,
    /// Bytes of its command; a no-op where there are none.
    bytes: u8,
}

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match bytes.arbitrary::<u8>()? {
            0..224 => Self::True,
            224..252 => Self::Near(bytes.int_in_range(-3..=3)?),
            252..=255 => Self::Any(bytes.arbitrary()?),
        })
    }
}

impl Number {
    fn near(self, truth: u64) -> u64 {
        match self {
            Self::True => truth,
            Self::Near(offset) => truth.saturating_add_signed(i64::from(offset)),
            Self::Any(number) => number,
        }
    }
}

impl Position {
    fn near(self, truth: LogPosition) -> LogPosition {
        LogPosition::new(self.term.near(truth.term.0), self.index.near(truth.index.0))
    }
}

impl HostileMessage {
    pub(crate) fn resolve(
        self,
        context: &Context<'_>,
        term_at: impl Fn(LogIndex) -> Option<Term>,
    ) -> Message {
        let Context {
            receiver,
            term,
            last_log,
            commit_index,
            session: true_session,
            round: true_round,
            asked,
            wanted,
            snapshot: present,
            lacking,
        } = *context;
        let session = |number: Number| Session(number.near(true_session.0));
        let round = |number: Number| Round(number.near(true_round.0));
        let from_index = |number: Number| LogIndex(number.near(last_log.index.0));
        let term = Term(self.term.near(term.0));
        let body = match self.body {
            HostileBody::PreVote { last_log: theirs } => {
                Body::PreVote(PreVote { last_log: theirs.near(last_log) })
            }
            HostileBody::PreVoteResponse { asked_in, granted, is_conditional } => {
                let asked_in = Term(asked_in.near(context.term.0));
                Body::PreVoteResponse(PreVoteResponse { asked_in, granted, is_conditional })
            }
            HostileBody::RequestVote { last_log: theirs, leadership_transfer } => {
                Body::RequestVote(RequestVote { last_log: theirs.near(last_log), leadership_transfer })
            }
            HostileBody::RequestVoteResponse { granted, is_conditional } => {
                Body::RequestVoteResponse(RequestVoteResponse { granted, is_conditional })
            }
            HostileBody::AppendEntries { session: number, prev_log, entries, leader_commit } => {
                let index = LogIndex(prev_log.index.near(last_log.index.0));
                let true_term = term_at(index).unwrap_or(last_log.term);
                let prev_log = LogPosition { term: Term(prev_log.term.near(true_term.0)), index };
                Body::AppendEntries(AppendEntries {
                    session: session(number),
                    prev_log,
                    entries: resolve_entries(&entries, prev_log, term),
                    leader_commit: LogIndex(leader_commit.near(commit_index.0)),
                })
            }
            HostileBody::Matched { session: number, index } => {
                let (session, index) = (session(number), from_index(index));
                let result = if self.from < 128 {
                    AppendResult::Matched(index)
                } else {
                    AppendResult::Witnessed(index)
                };
                Body::AppendEntriesResponse(AppendEntriesResponse { session, result })
            }
            HostileBody::Conflict { session: number, rejected, hint, is_uncertain } => {
                let before =
                    LogPosition { term: asked.term, index: LogIndex(asked.index.0.saturating_sub(1)) };
                let rejected = LogIndex(rejected.near(asked.index.0));
                let result = AppendResult::Conflict { rejected, hint: hint.near(before), is_uncertain };
                Body::AppendEntriesResponse(AppendEntriesResponse { session: session(number), result })
            }
            HostileBody::Lacking { session: number, first, named } => {
                let named = LogIndex(named.near(last_log.index.0));
                let result = AppendResult::Lacking { first: LogIndex(first.near(named.0)), named };
                Body::AppendEntriesResponse(AppendEntriesResponse { session: session(number), result })
            }
            HostileBody::RepairRequest { lacking: asked } => {
                let mut lacking: Vec<LogPosition> = asked
                    .iter()
                    .map(|position| {
                        let index = LogIndex(position.index.near(last_log.index.0));
                        let term = term_at(index).unwrap_or(last_log.term);
                        LogPosition { term: Term(position.term.near(term.0)), index }
                    })
                    .collect();
                if self.from < 128 {
                    lacking.sort_by_key(|position| position.index);
                    lacking.dedup_by_key(|position| position.index);
                }
                Body::RepairRequest(RepairRequest { lacking })
            }
            HostileBody::RepairResponse { found, entries } => {
                let founds = [Found::Absent, Found::Named, Found::Lost, Found::Doubtful, Found::Compacted];
                let answer = |(position, found): (&LogPosition, &u8)| {
                    (*position, founds[usize::from(*found) % founds.len()])
                };
                let answers = lacking.iter().zip(&found).map(answer).collect();
                let of = lacking.last().copied().unwrap_or(last_log);
                let prev_log = LogPosition { index: LogIndex(of.index.0.saturating_sub(1)), ..of };
                let entries = resolve_entries(&entries, prev_log, of.term);
                let snapshot =
                    (found.len() % 2 == 1).then_some(SnapshotId { last: of, bytes: 1, checksum: 0 });
                Body::RepairResponse(Box::new(RepairResponse { answers, entries, snapshot }))
            }
            HostileBody::Heartbeat { session: number, round: theirs, commit, outranked } => {
                Body::Heartbeat(Heartbeat {
                    session: session(number),
                    round: round(theirs),
                    commit: LogIndex(commit.near(commit_index.0)),
                    outranked,
                })
            }
            HostileBody::HeartbeatResponse {
                session: number,
                round: theirs,
                received,
                promise,
                clock,
                priority,
                snapshot_received,
            } => Body::HeartbeatResponse(HeartbeatResponse {
                session: session(number),
                round: round(theirs),
                received: from_index(received),
                promise: promise.near(PROMISE),
                clock: clock.near(PROMISE),
                priority: u64::from(priority),
                snapshot_received: u64::from(snapshot_received),
            }),
            HostileBody::TimeoutNow => Body::TimeoutNow,
            HostileBody::ReadIndex { boot, up_to } => {
                Body::ReadIndex(ReadIndex { boot: boot.near(1), up_to: ReadId(up_to.near(1)) })
            }
            HostileBody::ReadIndexResponse { boot, up_to, index } => {
                Body::ReadIndexResponse(ReadIndexResponse {
                    boot: boot.near(1),
                    up_to: ReadId(up_to.near(1)),
                    index: LogIndex(index.near(commit_index.0)),
                })
            }
            HostileBody::Forward { number, bytes } => {
                Body::Forward(Forward { number, data: vec![0; usize::from(bytes)].into() })
            }
            HostileBody::ForwardRefused { number, leader } => {
                let refusal = ProposeError::NotLeader { leader: Some(NodeId(leader.into())) };
                Body::ForwardResponse(ForwardResponse { number, refusal })
            }
            HostileBody::InstallSnapshot { session: number, ahead, term: of, bytes } => {
                let index = LogIndex(last_log.index.0.saturating_add(u64::from(ahead % 8)).saturating_sub(2));
                let last = LogPosition { term: Term(of.near(context.term.0)), index };
                let snapshot = SnapshotId { last, bytes: u64::from(bytes % 20), checksum: 1 };
                let in_force = configuration(bytes).filter(|_| ahead >= 128);
                let in_force = in_force.map(|configuration| (LogIndex(u64::from(ahead % 4)), configuration));
                Body::InstallSnapshot(InstallSnapshot { session: session(number), snapshot, in_force })
            }
            HostileBody::SnapshotRequest { offset, max_bytes } => {
                let snapshot = present.unwrap_or_default();
                let (offset, max_bytes) = (u64::from(offset) % 20, max_bytes.near(10));
                Body::SnapshotRequest(SnapshotRequest { snapshot, offset, max_bytes })
            }
            HostileBody::SnapshotChunk { offset, bytes, other } => {
                let SnapshotRequest { mut snapshot, offset: asked, max_bytes } = wanted;
                snapshot.checksum ^= u64::from(other);
                // Mostly as much as was asked for.
                let count = if bytes < 200 { max_bytes.min(20) } else { u64::from(bytes % 8) };
                let data = Bytes::from(vec![0x3c; usize::try_from(count).unwrap_or_default()]);
                Body::SnapshotChunk(SnapshotChunk { snapshot, offset: offset.near(asked), data })
            }
        };
        let from = NodeId(2 + u64::from(self.from % 4));
        Message { from, to: NodeId(self.to.near(receiver.0)), term, body }
    }
}

/// Some configuration of the first five nodes.
fn configuration(bits: u8) -> Option<Arc<Configuration>> {
    let member = |id: u64| {
        let kind = ((u64::from(bits) * id * 37) >> 3) % 6;
        let standing = match kind {
            2 if id == 5 => Standing::Witness,
            0..3 => Standing::Voter,
            3 => Standing::Learner { promote: id.is_multiple_of(2) },
            4 => Standing::Leaving { witness: id == 4 },
            _ => return None,
        };
        let outgoing = bits.is_multiple_of(2) && kind != 2 || kind == 4;
        Some(Member { id: NodeId(id), session: Session(0), standing, outgoing })
    };
    Configuration::of((1..=5).filter_map(member).collect()).ok().map(Arc::new)
}

/// Entries that follow `prev_log` in the sender's term, as far as each tells the truth.
fn resolve_entries(entries: &[HostileEntry], prev_log: LogPosition, term: Term) -> Entries {
    let resolve = |(offset, entry): (u64, &HostileEntry)| Entry {
        term: Term(entry.term.near(term.0)),
        index: LogIndex(entry.index.near(prev_log.index.0.saturating_add(offset))),
        payload: match entry.bytes {
            0 => Payload::Noop,
            bytes @ 216.. => configuration(bytes).map_or(Payload::Noop, Payload::Configuration),
            215 => Payload::Withheld,
            bytes => Payload::Command(Bytes::from(vec![0xa5; usize::from(bytes)])),
        },
    };
    Entries::from((1..).zip(entries).map(resolve).collect::<Vec<Entry>>())
}
