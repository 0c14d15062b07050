//! From the core's messages to the schema's and back; the way back checks everything.
//!
//! Numbers are not judged: that an index is absurd, or a term falls, is for the core to say, which must
//! expect it from anyone. What is refused here is what the core's types cannot hold.

use std::sync::Arc;

use bytes::Bytes;
use squall_raft::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Configuration, Entries, Entry, Forward,
    ForwardResponse, Found, Heartbeat, HeartbeatResponse, InstallSnapshot, LogIndex, LogPosition, Message,
    NodeId, Payload, PreVote, PreVoteResponse, ProposeError, ReadId, ReadIndex, ReadIndexResponse,
    RepairRequest, RepairResponse, RequestVote, RequestVoteResponse, Round, Session, SnapshotChunk,
    SnapshotId, SnapshotRequest, Term,
};

use crate::{DecodeError, schema};

/// What a priority is that nobody set: it travels as nothing.
const DEFAULT_PRIORITY: u64 = 1;

impl From<&Message> for schema::Message {
    fn from(message: &Message) -> Self {
        Self {
            from: Some(message.from.0),
            to: Some(message.to.0),
            term: Some(message.term.0),
            body: Some(schema::Body::from(&message.body)),
        }
    }
}

impl TryFrom<schema::Message> for Message {
    type Error = DecodeError;

    fn try_from(message: schema::Message) -> Result<Self, DecodeError> {
        Ok(Self {
            from: NodeId(required(message.from, "message.from")?),
            to: NodeId(required(message.to, "message.to")?),
            term: Term(required(message.term, "message.term")?),
            body: message.body.ok_or(DecodeError::UnknownKind { of: "message" })?.try_into()?,
        })
    }
}

impl From<&Body> for schema::Body {
    fn from(body: &Body) -> Self {
        match body {
            Body::PreVote(PreVote { last_log }) => {
                Self::PreVote(schema::PreVote { last_log: Some((*last_log).into()) })
            }
            Body::PreVoteResponse(PreVoteResponse { asked_in, granted, is_conditional }) => {
                Self::PreVoteResponse(schema::PreVoteResponse {
                    asked_in: asked_in.0,
                    granted: *granted && !is_conditional,
                    is_conditional: *is_conditional,
                })
            }
            Body::RequestVote(RequestVote { last_log, leadership_transfer }) => {
                Self::RequestVote(schema::RequestVote {
                    last_log: Some((*last_log).into()),
                    leadership_transfer: *leadership_transfer,
                })
            }
            Body::RequestVoteResponse(RequestVoteResponse { granted, is_conditional }) => {
                Self::RequestVoteResponse(schema::RequestVoteResponse {
                    granted: *granted && !is_conditional,
                    is_conditional: *is_conditional,
                })
            }
            Body::AppendEntries(append) => Self::AppendEntries(append.into()),
            Body::AppendEntriesResponse(response) => Self::AppendEntriesResponse((*response).into()),
            Body::Heartbeat(Heartbeat { session, round, commit, outranked }) => {
                Self::Heartbeat(schema::Heartbeat {
                    session: session.0,
                    round: round.0,
                    commit: commit.0,
                    outranked: *outranked,
                })
            }
            Body::HeartbeatResponse(HeartbeatResponse {
                session,
                round,
                received,
                promise,
                clock,
                priority,
                snapshot_received,
            }) => Self::HeartbeatResponse(schema::HeartbeatResponse {
                session: session.0,
                round: round.0,
                received: received.0,
                promise: *promise,
                clock: *clock,
                priority: (*priority != DEFAULT_PRIORITY).then_some(*priority),
                snapshot_received: *snapshot_received,
            }),
            Body::TimeoutNow => Self::TimeoutNow(schema::Nothing {}),
            Body::ReadIndex(ReadIndex { boot, up_to }) => {
                Self::ReadIndex(schema::ReadIndex { boot: *boot, up_to: up_to.0 })
            }
            Body::ReadIndexResponse(ReadIndexResponse { boot, up_to, index }) => {
                Self::ReadIndexResponse(schema::ReadIndexResponse {
                    boot: *boot,
                    up_to: up_to.0,
                    index: index.0,
                })
            }
            Body::Forward(Forward { number, data }) => {
                Self::Forward(schema::Forward { number: *number, data: data.clone() })
            }
            Body::ForwardResponse(response) => Self::ForwardResponse((*response).into()),
            Body::InstallSnapshot(offer) => Self::InstallSnapshot(offer.into()),
            Body::SnapshotRequest(SnapshotRequest { snapshot, offset, max_bytes }) => {
                let (snapshot, offset, max_bytes) = (Some((*snapshot).into()), *offset, *max_bytes);
                Self::SnapshotRequest(schema::SnapshotRequest { snapshot, offset, max_bytes })
            }
            Body::SnapshotChunk(SnapshotChunk { snapshot, offset, data }) => {
                let (snapshot, offset, data) = (Some((*snapshot).into()), *offset, data.clone());
                Self::SnapshotChunk(schema::SnapshotChunk { snapshot, offset, data })
            }
            Body::RepairRequest(RepairRequest { lacking }) => {
                let lacking = lacking.iter().map(|position| (*position).into()).collect();
                Self::RepairRequest(schema::RepairRequest { lacking })
            }
            Body::RepairResponse(response) => Self::RepairResponse((&**response).into()),
        }
    }
}

impl TryFrom<schema::Body> for Body {
    type Error = DecodeError;

    fn try_from(body: schema::Body) -> Result<Self, DecodeError> {
        Ok(match body {
            schema::Body::PreVote(pre_vote) => {
                Self::PreVote(PreVote { last_log: required(pre_vote.last_log, "pre_vote.last_log")?.into() })
            }
            schema::Body::PreVoteResponse(response) => Self::PreVoteResponse(PreVoteResponse {
                asked_in: Term(response.asked_in),
                granted: response.granted || response.is_conditional,
                is_conditional: response.is_conditional,
            }),
            schema::Body::RequestVote(request) => Self::RequestVote(RequestVote {
                last_log: required(request.last_log, "request_vote.last_log")?.into(),
                leadership_transfer: request.leadership_transfer,
            }),
            schema::Body::RequestVoteResponse(response) => Self::RequestVoteResponse(RequestVoteResponse {
                granted: response.granted || response.is_conditional,
                is_conditional: response.is_conditional,
            }),
            schema::Body::AppendEntries(append) => Self::AppendEntries(append.try_into()?),
            schema::Body::AppendEntriesResponse(response) => {
                Self::AppendEntriesResponse(response.try_into()?)
            }
            schema::Body::Heartbeat(heartbeat) => Self::Heartbeat(Heartbeat {
                session: Session(heartbeat.session),
                round: Round(heartbeat.round),
                commit: LogIndex(heartbeat.commit),
                outranked: heartbeat.outranked,
            }),
            schema::Body::HeartbeatResponse(response) => Self::HeartbeatResponse(HeartbeatResponse {
                session: Session(response.session),
                round: Round(response.round),
                received: LogIndex(response.received),
                promise: response.promise,
                clock: response.clock,
                priority: response.priority.unwrap_or(DEFAULT_PRIORITY),
                snapshot_received: response.snapshot_received,
            }),
            schema::Body::TimeoutNow(schema::Nothing {}) => Self::TimeoutNow,
            schema::Body::ReadIndex(request) => {
                Self::ReadIndex(ReadIndex { boot: request.boot, up_to: ReadId(request.up_to) })
            }
            schema::Body::ReadIndexResponse(response) => Self::ReadIndexResponse(ReadIndexResponse {
                boot: response.boot,
                up_to: ReadId(response.up_to),
                index: LogIndex(response.index),
            }),
            schema::Body::Forward(schema::Forward { number, data }) => {
                Self::Forward(Forward { number, data })
            }
            schema::Body::ForwardResponse(response) => Self::ForwardResponse(response.try_into()?),
            schema::Body::InstallSnapshot(offer) => Self::InstallSnapshot(offer.try_into()?),
            schema::Body::SnapshotRequest(request) => Self::SnapshotRequest(SnapshotRequest {
                snapshot: required(request.snapshot, "snapshot_request.snapshot")?.try_into()?,
                offset: request.offset,
                max_bytes: request.max_bytes,
            }),
            schema::Body::SnapshotChunk(chunk) => Self::SnapshotChunk(SnapshotChunk {
                snapshot: required(chunk.snapshot, "snapshot_chunk.snapshot")?.try_into()?,
                offset: chunk.offset,
                data: chunk.data,
            }),
            schema::Body::RepairRequest(request) => {
                let lacking = request.lacking.into_iter().map(LogPosition::from).collect();
                Self::RepairRequest(RepairRequest { lacking })
            }
            schema::Body::RepairResponse(response) => Self::RepairResponse(Box::new(response.try_into()?)),
        })
    }
}

impl From<&AppendEntries> for schema::AppendEntries {
    fn from(append: &AppendEntries) -> Self {
        Self {
            session: append.session.0,
            prev_log: Some(append.prev_log.into()),
            entries: append.entries.iter().map(schema::Entry::from).collect(),
            leader_commit: append.leader_commit.0,
        }
    }
}

impl TryFrom<schema::AppendEntries> for AppendEntries {
    type Error = DecodeError;

    fn try_from(append: schema::AppendEntries) -> Result<Self, DecodeError> {
        let entries: Result<Vec<Entry>, DecodeError> =
            append.entries.into_iter().map(Entry::try_from).collect();
        Ok(Self {
            session: Session(append.session),
            prev_log: required(append.prev_log, "append_entries.prev_log")?.into(),
            entries: Entries::from(entries?),
            leader_commit: LogIndex(append.leader_commit),
        })
    }
}

impl From<&Entry> for schema::Entry {
    fn from(entry: &Entry) -> Self {
        let payload = match &entry.payload {
            Payload::Noop => schema::Payload::Noop(schema::Nothing {}),
            Payload::Command(data) => schema::Payload::Command(data.clone()),
            Payload::Configuration(configuration) => {
                schema::Payload::Configuration(encode_configuration(configuration))
            }
            Payload::Withheld => schema::Payload::Withheld(schema::Nothing {}),
        };
        Self { term: entry.term.0, index: entry.index.0, payload: Some(payload) }
    }
}

impl TryFrom<schema::Entry> for Entry {
    type Error = DecodeError;

    fn try_from(entry: schema::Entry) -> Result<Self, DecodeError> {
        let payload = match entry.payload.ok_or(DecodeError::UnknownKind { of: "entry" })? {
            schema::Payload::Noop(schema::Nothing {}) => Payload::Noop,
            schema::Payload::Command(data) => Payload::Command(data),
            schema::Payload::Configuration(bytes) => Payload::Configuration(decode_configuration(&bytes)?),
            schema::Payload::Withheld(schema::Nothing {}) => Payload::Withheld,
        };
        Ok(Self { term: Term(entry.term), index: LogIndex(entry.index), payload })
    }
}

impl From<AppendEntriesResponse> for schema::AppendEntriesResponse {
    fn from(response: AppendEntriesResponse) -> Self {
        let result = match response.result {
            AppendResult::Matched(index) => schema::AppendResult::Matched(index.0),
            AppendResult::Witnessed(index) => schema::AppendResult::Witnessed(index.0),
            AppendResult::Lacking { first, named } => {
                schema::AppendResult::Lacking(schema::Lacking { first: first.0, named: named.0 })
            }
            AppendResult::Conflict { rejected, hint, is_uncertain } => {
                let (rejected, hint) = (rejected.0, Some(hint.into()));
                schema::AppendResult::Conflict(schema::Conflict { rejected, hint, is_uncertain })
            }
        };
        Self { session: response.session.0, result: Some(result) }
    }
}

impl TryFrom<schema::AppendEntriesResponse> for AppendEntriesResponse {
    type Error = DecodeError;

    fn try_from(response: schema::AppendEntriesResponse) -> Result<Self, DecodeError> {
        let result = match response.result.ok_or(DecodeError::UnknownKind { of: "append result" })? {
            schema::AppendResult::Matched(index) => AppendResult::Matched(LogIndex(index)),
            schema::AppendResult::Witnessed(index) => AppendResult::Witnessed(LogIndex(index)),
            schema::AppendResult::Lacking(schema::Lacking { first, named }) => {
                AppendResult::Lacking { first: LogIndex(first), named: LogIndex(named) }
            }
            schema::AppendResult::Conflict(conflict) => AppendResult::Conflict {
                rejected: LogIndex(conflict.rejected),
                hint: required(conflict.hint, "conflict.hint")?.into(),
                is_uncertain: conflict.is_uncertain,
            },
        };
        Ok(Self { session: Session(response.session), result })
    }
}

impl From<ForwardResponse> for schema::ForwardResponse {
    fn from(response: ForwardResponse) -> Self {
        let refusal = match response.refusal {
            ProposeError::NotLeader { leader } => {
                schema::Refusal::NotLeader(schema::NotLeader { leader: leader.map(|leader| leader.0) })
            }
            ProposeError::Transferring { to } => schema::Refusal::Transferring(to.0),
            ProposeError::Busy => schema::Refusal::Busy(schema::Nothing {}),
            ProposeError::ShuttingDown => schema::Refusal::ShuttingDown(schema::Nothing {}),
            ProposeError::TooLarge { size, max } => schema::Refusal::TooLarge(schema::TooLarge { size, max }),
        };
        Self { number: response.number, refusal: Some(refusal) }
    }
}

impl TryFrom<schema::ForwardResponse> for ForwardResponse {
    type Error = DecodeError;

    fn try_from(response: schema::ForwardResponse) -> Result<Self, DecodeError> {
        let refusal = match response.refusal.ok_or(DecodeError::UnknownKind { of: "refusal" })? {
            schema::Refusal::NotLeader(schema::NotLeader { leader }) => {
                ProposeError::NotLeader { leader: leader.map(NodeId) }
            }
            schema::Refusal::Transferring(to) => ProposeError::Transferring { to: NodeId(to) },
            schema::Refusal::Busy(schema::Nothing {}) => ProposeError::Busy,
            schema::Refusal::ShuttingDown(schema::Nothing {}) => ProposeError::ShuttingDown,
            schema::Refusal::TooLarge(schema::TooLarge { size, max }) => ProposeError::TooLarge { size, max },
        };
        Ok(Self { number: response.number, refusal })
    }
}

impl From<&InstallSnapshot> for schema::InstallSnapshot {
    fn from(offer: &InstallSnapshot) -> Self {
        let in_force = offer.in_force.as_ref().map(|(index, configuration)| schema::InForce {
            index: index.0,
            configuration: encode_configuration(configuration),
        });
        Self { session: offer.session.0, snapshot: Some(offer.snapshot.into()), in_force }
    }
}

impl TryFrom<schema::InstallSnapshot> for InstallSnapshot {
    type Error = DecodeError;

    fn try_from(offer: schema::InstallSnapshot) -> Result<Self, DecodeError> {
        let snapshot = required(offer.snapshot, "install_snapshot.snapshot")?.try_into()?;
        let in_force = match offer.in_force {
            None => None,
            Some(schema::InForce { index, configuration }) => {
                Some((LogIndex(index), decode_configuration(&configuration)?))
            }
        };
        Ok(Self { session: Session(offer.session), snapshot, in_force })
    }
}

impl From<&RepairResponse> for schema::RepairResponse {
    fn from(response: &RepairResponse) -> Self {
        let answer = |(position, found): &(LogPosition, Found)| schema::RepairAnswer {
            position: Some((*position).into()),
            found: Some((*found).into()),
        };
        Self {
            answers: response.answers.iter().map(answer).collect(),
            entries: response.entries.iter().map(schema::Entry::from).collect(),
            snapshot: response.snapshot.map(schema::SnapshotId::from),
        }
    }
}

impl TryFrom<schema::RepairResponse> for RepairResponse {
    type Error = DecodeError;

    fn try_from(response: schema::RepairResponse) -> Result<Self, DecodeError> {
        let answer = |answer: schema::RepairAnswer| {
            let position = required(answer.position, "repair_answer.position")?.into();
            let found = answer.found.ok_or(DecodeError::UnknownKind { of: "repair answer" })?;
            Ok((position, found.into()))
        };
        let answers: Result<Vec<_>, DecodeError> = response.answers.into_iter().map(answer).collect();
        let entries: Result<Vec<Entry>, DecodeError> =
            response.entries.into_iter().map(Entry::try_from).collect();
        let snapshot = response.snapshot.map(SnapshotId::try_from).transpose()?;
        Ok(Self { answers: answers?, entries: Entries::from(entries?), snapshot })
    }
}

impl From<Found> for schema::Found {
    fn from(found: Found) -> Self {
        let nothing = schema::Nothing {};
        match found {
            Found::Absent => Self::Absent(nothing),
            Found::Named => Self::Named(nothing),
            Found::Lost => Self::Lost(nothing),
            Found::Doubtful => Self::Doubtful(nothing),
            Found::Compacted => Self::Compacted(nothing),
        }
    }
}

impl From<schema::Found> for Found {
    fn from(found: schema::Found) -> Self {
        match found {
            schema::Found::Absent(schema::Nothing {}) => Self::Absent,
            schema::Found::Named(schema::Nothing {}) => Self::Named,
            schema::Found::Lost(schema::Nothing {}) => Self::Lost,
            schema::Found::Doubtful(schema::Nothing {}) => Self::Doubtful,
            schema::Found::Compacted(schema::Nothing {}) => Self::Compacted,
        }
    }
}

fn encode_configuration(configuration: &Configuration) -> Bytes {
    let mut bytes = Vec::with_capacity(configuration.encoded_len());
    configuration.encode(&mut bytes);
    bytes.into()
}

fn decode_configuration(bytes: &[u8]) -> Result<Arc<Configuration>, DecodeError> {
    Configuration::decode(bytes).map(Arc::new).map_err(DecodeError::Configuration)
}

impl From<SnapshotId> for schema::SnapshotId {
    fn from(snapshot: SnapshotId) -> Self {
        let SnapshotId { last, bytes, checksum } = snapshot;
        Self { last: Some(last.into()), bytes, checksum }
    }
}

impl TryFrom<schema::SnapshotId> for SnapshotId {
    type Error = DecodeError;

    fn try_from(snapshot: schema::SnapshotId) -> Result<Self, DecodeError> {
        let schema::SnapshotId { last, bytes, checksum } = snapshot;
        Ok(Self { last: required(last, "snapshot.last")?.into(), bytes, checksum })
    }
}

impl From<LogPosition> for schema::Position {
    fn from(position: LogPosition) -> Self {
        Self { term: position.term.0, index: position.index.0 }
    }
}

impl From<schema::Position> for LogPosition {
    fn from(position: schema::Position) -> Self {
        Self::new(position.term, position.index)
    }
}

fn required<T>(field: Option<T>, name: &'static str) -> Result<T, DecodeError> {
    field.ok_or(DecodeError::Missing { field: name })
}
