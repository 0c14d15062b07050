//! The protobuf schema of a message body, as derives: no schema compiler takes part in the build.
//!
//! Rules for whoever changes it, so that two versions of Squall can talk while a cluster is upgraded: a tag
//! keeps its meaning for ever; a new field gets a new tag and a meaning for its absence; a field that an old
//! receiver must not overlook is a new kind of body. Old receivers skip unknown fields and refuse unknown
//! kinds. Nothing here is public: `convert.rs` is the only reader.

use bytes::Bytes;
use prost::{Message as Derive, Oneof};

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct Message {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) from: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) to: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) term: Option<u64>,
    #[prost(oneof = "Body", tags = "4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22")]
    pub(crate) body: Option<Body>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Body {
    #[prost(message, tag = "4")]
    PreVote(PreVote),
    #[prost(message, tag = "5")]
    PreVoteResponse(PreVoteResponse),
    #[prost(message, tag = "6")]
    RequestVote(RequestVote),
    #[prost(message, tag = "7")]
    RequestVoteResponse(RequestVoteResponse),
    #[prost(message, tag = "8")] // `tag::APPEND_ENTRIES`
    AppendEntries(AppendEntries),
    #[prost(message, tag = "9")]
    AppendEntriesResponse(AppendEntriesResponse),
    #[prost(message, tag = "10")]
    Heartbeat(Heartbeat),
    #[prost(message, tag = "11")]
    HeartbeatResponse(HeartbeatResponse),
    #[prost(message, tag = "12")]
    TimeoutNow(Nothing),
    #[prost(message, tag = "13")]
    ReadIndex(ReadIndex),
    #[prost(message, tag = "14")]
    ReadIndexResponse(ReadIndexResponse),
    #[prost(message, tag = "19")]
    Forward(Forward),
    #[prost(message, tag = "20")]
    ForwardResponse(ForwardResponse),
    #[prost(message, tag = "15")]
    InstallSnapshot(InstallSnapshot),
    #[prost(message, tag = "16")]
    SnapshotRequest(SnapshotRequest),
    #[prost(message, tag = "17")]
    SnapshotChunk(SnapshotChunk),
    #[prost(message, tag = "21")] // `tag::REPAIR_REQUEST`
    RepairRequest(RepairRequest),
    #[prost(message, tag = "22")] // `tag::REPAIR_RESPONSE`
    RepairResponse(RepairResponse),
}

/// The tags that `limits.rs` looks for before anything is allocated.
pub(crate) mod tag {
    /// `AppendEntries` in a [`Message`](super::Message).
    pub(crate) const APPEND_ENTRIES: u32 = 8;
    /// `entries` in an [`AppendEntries`](super::AppendEntries).
    pub(crate) const ENTRIES: u32 = 3;
    /// `RepairRequest` in a [`Message`](super::Message).
    pub(crate) const REPAIR_REQUEST: u32 = 21;
    /// `lacking` in a [`RepairRequest`](super::RepairRequest).
    pub(crate) const LACKING: u32 = 1;
    /// `RepairResponse` in a [`Message`](super::Message).
    pub(crate) const REPAIR_RESPONSE: u32 = 22;
    /// `answers` in a [`RepairResponse`](super::RepairResponse).
    pub(crate) const ANSWERS: u32 = 1;
    /// `entries` in a [`RepairResponse`](super::RepairResponse).
    pub(crate) const REPAIRS: u32 = 2;
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct Nothing {}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct Position {
    #[prost(uint64, tag = "1")]
    pub(crate) term: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) index: u64,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct PreVote {
    #[prost(message, optional, tag = "1")]
    pub(crate) last_log: Option<Position>,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct PreVoteResponse {
    #[prost(uint64, tag = "1")]
    pub(crate) asked_in: u64,
    /// Without a condition: to a version that does not know `is_conditional` a conditional vote is a refusal.
    #[prost(bool, tag = "2")]
    pub(crate) granted: bool,
    #[prost(bool, tag = "3")]
    pub(crate) is_conditional: bool,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct RequestVote {
    #[prost(message, optional, tag = "1")]
    pub(crate) last_log: Option<Position>,
    #[prost(bool, tag = "2")]
    pub(crate) leadership_transfer: bool,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct RequestVoteResponse {
    /// As in [`PreVoteResponse`].
    #[prost(bool, tag = "1")]
    pub(crate) granted: bool,
    #[prost(bool, tag = "2")]
    pub(crate) is_conditional: bool,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct AppendEntries {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) prev_log: Option<Position>,
    #[prost(message, repeated, tag = "3")] // `tag::ENTRIES`
    pub(crate) entries: Vec<Entry>,
    #[prost(uint64, tag = "4")]
    pub(crate) leader_commit: u64,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct Entry {
    #[prost(uint64, tag = "1")]
    pub(crate) term: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) index: u64,
    #[prost(oneof = "Payload", tags = "3, 4, 5, 6")]
    pub(crate) payload: Option<Payload>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Payload {
    #[prost(message, tag = "3")]
    Noop(Nothing),
    #[prost(bytes = "bytes", tag = "4")]
    Command(Bytes),
    /// The core's own encoding, the one that disks keep too: its reader checks everything, and allocates for as many
    /// members as a configuration may have.
    #[prost(bytes = "bytes", tag = "5")]
    Configuration(Bytes),
    #[prost(message, tag = "6")]
    Withheld(Nothing),
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct AppendEntriesResponse {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    #[prost(oneof = "AppendResult", tags = "2, 3, 4, 5")]
    pub(crate) result: Option<AppendResult>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum AppendResult {
    #[prost(uint64, tag = "2")]
    Matched(u64),
    #[prost(message, tag = "3")]
    Conflict(Conflict),
    #[prost(uint64, tag = "4")]
    Witnessed(u64),
    #[prost(message, tag = "5")]
    Lacking(Lacking),
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct Lacking {
    #[prost(uint64, tag = "1")]
    pub(crate) first: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) named: u64,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct Conflict {
    #[prost(uint64, tag = "1")]
    pub(crate) rejected: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) hint: Option<Position>,
    #[prost(bool, tag = "3")]
    pub(crate) is_uncertain: bool,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct Heartbeat {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) round: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) commit: u64,
    /// Absent: nobody is preferred.
    #[prost(bool, tag = "4")]
    pub(crate) outranked: bool,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct HeartbeatResponse {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) round: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) received: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) promise: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) clock: u64,
    /// Absent: no snapshot is being received.
    #[prost(uint64, tag = "6")]
    pub(crate) snapshot_received: u64,
    /// Absent: 1, which it is for all who do not set it.
    #[prost(uint64, optional, tag = "7")]
    pub(crate) priority: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct ReadIndex {
    #[prost(uint64, tag = "1")]
    pub(crate) boot: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) up_to: u64,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct ReadIndexResponse {
    #[prost(uint64, tag = "1")]
    pub(crate) boot: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) up_to: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) index: u64,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct Forward {
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) data: Bytes,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct ForwardResponse {
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    #[prost(oneof = "Refusal", tags = "2, 3, 4, 5, 6")]
    pub(crate) refusal: Option<Refusal>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum Refusal {
    #[prost(message, tag = "2")]
    NotLeader(NotLeader),
    #[prost(uint64, tag = "3")]
    Transferring(u64),
    #[prost(message, tag = "4")]
    Busy(Nothing),
    #[prost(message, tag = "5")]
    TooLarge(TooLarge),
    #[prost(message, tag = "6")]
    ShuttingDown(Nothing),
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct NotLeader {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) leader: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct TooLarge {
    #[prost(uint64, tag = "1")]
    pub(crate) size: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) max: u64,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct SnapshotId {
    #[prost(message, optional, tag = "1")]
    pub(crate) last: Option<Position>,
    #[prost(uint64, tag = "2")]
    pub(crate) bytes: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) checksum: u64,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct InstallSnapshot {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) snapshot: Option<SnapshotId>,
    /// Absent: the receiver is to have the snapshot's bytes.
    #[prost(message, optional, tag = "3")]
    pub(crate) in_force: Option<InForce>,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct InForce {
    #[prost(uint64, tag = "1")]
    pub(crate) index: u64,
    /// As in [`Payload`].
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) configuration: Bytes,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct SnapshotRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) snapshot: Option<SnapshotId>,
    #[prost(uint64, tag = "2")]
    pub(crate) offset: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) max_bytes: u64,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct SnapshotChunk {
    #[prost(message, optional, tag = "1")]
    pub(crate) snapshot: Option<SnapshotId>,
    #[prost(uint64, tag = "2")]
    pub(crate) offset: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) data: Bytes,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct RepairRequest {
    #[prost(message, repeated, tag = "1")] // `tag::LACKING`
    pub(crate) lacking: Vec<Position>,
}

#[derive(Clone, PartialEq, Derive)]
pub(crate) struct RepairResponse {
    #[prost(message, repeated, tag = "1")] // `tag::ANSWERS`
    pub(crate) answers: Vec<RepairAnswer>,
    #[prost(message, repeated, tag = "2")] // `tag::REPAIRS`
    pub(crate) entries: Vec<Entry>,
    #[prost(message, optional, tag = "3")]
    pub(crate) snapshot: Option<SnapshotId>,
}

#[derive(Clone, Copy, PartialEq, Derive)]
pub(crate) struct RepairAnswer {
    #[prost(message, optional, tag = "1")]
    pub(crate) position: Option<Position>,
    #[prost(oneof = "Found", tags = "2, 3, 4, 5, 6")]
    pub(crate) found: Option<Found>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum Found {
    #[prost(message, tag = "2")]
    Absent(Nothing),
    #[prost(message, tag = "3")]
    Named(Nothing),
    #[prost(message, tag = "4")]
    Lost(Nothing),
    #[prost(message, tag = "5")]
    Doubtful(Nothing),
    #[prost(message, tag = "6")]
    Compacted(Nothing),
}
