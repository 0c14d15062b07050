//! The bytes of each kind of message, as they stand: nodes of two versions must read one another.

use std::sync::Arc;

use bytes::Bytes;
use squall_raft::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Configuration, Entries, Forward,
    ForwardResponse, Found, Heartbeat, HeartbeatResponse, InstallSnapshot, LogIndex, LogPosition, Member,
    NodeId, Payload, PreVote, PreVoteResponse, ProposeError, ReadId, ReadIndex, ReadIndexResponse,
    RepairRequest, RepairResponse, RequestVote, RequestVoteResponse, Round, Session, SnapshotChunk,
    SnapshotId, SnapshotRequest, Standing, Term,
};

use super::{command, encoded, entry, message};
use crate::decode;

/// One of each kind, with its frame as hex: mark, length, checksum, body.
fn golden() -> Vec<(Body, &'static str)> {
    let last_log = LogPosition::new(3, 300);
    let session = Session(9);
    vec![
        (Body::PreVote(PreVote { last_log }), "53715701 0f000000 a5cb5567 08011002180322070a05080310ac02"),
        (
            Body::PreVoteResponse(PreVoteResponse {
                asked_in: Term(2),
                granted: true,
                is_conditional: false,
            }),
            "53715701 0c000000 f045526a 0801100218032a0408021001",
        ),
        (
            Body::RequestVote(RequestVote { last_log, leadership_transfer: true }),
            "53715701 11000000 27900582 08011002180332090a05080310ac021001",
        ),
        (
            Body::RequestVoteResponse(RequestVoteResponse { granted: false, is_conditional: false }),
            "53715701 08000000 e624ecdf 0801100218033a00",
        ),
        (
            Body::PreVoteResponse(PreVoteResponse { asked_in: Term(2), granted: true, is_conditional: true }),
            "53715701 0c000000 488646f7 0801100218032a0408021801",
        ),
        (
            Body::RequestVoteResponse(RequestVoteResponse { granted: true, is_conditional: true }),
            "53715701 0a000000 31b5192e 0801100218033a021001",
        ),
        (
            Body::AppendEntries(AppendEntries {
                session,
                prev_log: last_log,
                entries: Entries::from(vec![
                    entry(3, 301, Payload::Noop),
                    entry(3, 302, command(b"put")),
                    entry(3, 303, command(b"")),
                ]),
                leader_commit: LogIndex(299),
            }),
            "53715701 32000000 ef32821e 080110021803422a08091205080310ac021a07080310ad021a001a0a080310ae0222037075741a07080310af02220020ab02",
        ),
        (
            Body::AppendEntriesResponse(AppendEntriesResponse {
                session,
                result: AppendResult::Matched(LogIndex(302)),
            }),
            "53715701 0d000000 ced42d40 0801100218034a05080910ae02",
        ),
        (
            Body::AppendEntriesResponse(AppendEntriesResponse {
                session,
                result: AppendResult::Conflict {
                    rejected: LogIndex(300),
                    hint: LogPosition::new(2, 250),
                    is_uncertain: false,
                },
            }),
            "53715701 16000000 6de04bb5 0801100218034a0e08091a0a08ac021205080210fa01",
        ),
        (
            Body::Heartbeat(Heartbeat { session, round: Round(5), commit: LogIndex(299), outranked: false }),
            "53715701 0f000000 01bf42e7 08011002180352070809100518ab02",
        ),
        (
            Body::ReadIndex(ReadIndex { boot: 4, up_to: ReadId(300) }),
            "53715701 0d000000 309f100a 0801100218036a05080410ac02",
        ),
        (
            Body::ReadIndexResponse(ReadIndexResponse { boot: 4, up_to: ReadId(300), index: LogIndex(302) }),
            "53715701 10000000 a082a16d 0801100218037208080410ac0218ae02",
        ),
        (Body::TimeoutNow, "53715701 08000000 dbd02a82 0801100218036200"),
        (
            Body::Forward(Forward { number: 7, data: Bytes::from_static(b"put") }),
            "53715701 10000000 682d8d82 0801100218039a010708071203707574",
        ),
        (
            refusal(ProposeError::NotLeader { leader: Some(NodeId(0)) }),
            "53715701 0f000000 99f352e9 080110021803a20106080712020800",
        ),
        (
            refusal(ProposeError::NotLeader { leader: None }),
            "53715701 0d000000 4aa86a7b 080110021803a2010408071200",
        ),
        (
            refusal(ProposeError::Transferring { to: NodeId(2) }),
            "53715701 0d000000 eb2b0020 080110021803a2010408071802",
        ),
        (refusal(ProposeError::Busy), "53715701 0d000000 c9ba243b 080110021803a2010408072200"),
        (
            refusal(ProposeError::TooLarge { size: 300, max: 200 }),
            "53715701 13000000 afdd45c5 080110021803a2010a08072a0608ac0210c801",
        ),
    ]
}

/// The same for answers to heartbeats, and what is said of who is to lead.
fn golden_of_offices() -> Vec<(Body, &'static str)> {
    let session = Session(9);
    vec![
        (
            Body::HeartbeatResponse(HeartbeatResponse {
                session,
                round: Round(5),
                received: LogIndex(302),
                promise: 0,
                clock: 0,
                priority: 1,
                snapshot_received: 0,
            }),
            "53715701 0f000000 3db41902 0801100218035a070809100518ae02",
        ),
        (
            Body::HeartbeatResponse(HeartbeatResponse {
                session,
                round: Round(5),
                received: LogIndex(302),
                promise: 15,
                clock: 300,
                priority: 1,
                snapshot_received: 0,
            }),
            "53715701 14000000 70d554d6 0801100218035a0c0809100518ae02200f28ac02",
        ),
        (
            Body::Heartbeat(Heartbeat { session, round: Round(5), commit: LogIndex(299), outranked: true }),
            "53715701 11000000 ef041be3 08011002180352090809100518ab022001",
        ),
        (
            Body::HeartbeatResponse(HeartbeatResponse {
                session,
                round: Round(5),
                received: LogIndex(302),
                promise: 15,
                clock: 300,
                priority: 0,
                snapshot_received: 0,
            }),
            "53715701 16000000 91a300e1 0801100218035a0e0809100518ae02200f28ac023800",
        ),
        (refusal(ProposeError::ShuttingDown), "53715701 0d000000 484be104 080110021803a2010408073200"),
    ]
}

/// The same for those that have to do with snapshots.
fn golden_of_snapshots() -> Vec<(Body, &'static str)> {
    let (session, last) = (Session(9), LogPosition::new(3, 300));
    let snapshot = SnapshotId { last, bytes: 1000, checksum: 0x1234_5678_9abc_def0 };
    vec![
        (
            Body::HeartbeatResponse(HeartbeatResponse {
                session,
                round: Round(5),
                received: LogIndex(302),
                promise: 0,
                clock: 0,
                priority: 1,
                snapshot_received: 4096,
            }),
            "53715701 12000000 b216b559 0801100218035a0a0809100518ae02308020",
        ),
        (
            Body::InstallSnapshot(InstallSnapshot { session, snapshot, in_force: None }),
            "53715701 1f000000 a7568e85 0801100218037a17080912130a05080310ac0210e80719f0debc9a78563412",
        ),
        (
            Body::SnapshotRequest(SnapshotRequest { snapshot, offset: 512, max_bytes: 256 }),
            "53715701 24000000 75b32e2c 08011002180382011b0a130a05080310ac0210e80719f0debc9a78563412108004188002",
        ),
        (
            Body::SnapshotChunk(SnapshotChunk { snapshot, offset: 512, data: Bytes::from_static(b"state") }),
            "53715701 28000000 3e82f828 0801100218038a011f0a130a05080310ac0210e80719f0debc9a785634121080041a057374617465",
        ),
        (
            Body::SnapshotChunk(SnapshotChunk { snapshot, offset: 512, data: Bytes::new() }),
            "53715701 21000000 ffe871de 0801100218038a01180a130a05080310ac0210e80719f0debc9a78563412108004",
        ),
    ]
}

/// The same for those that have to do with witnesses.
fn golden_of_witnesses() -> Vec<(Body, &'static str)> {
    let (session, last) = (Session(9), LogPosition::new(3, 300));
    let member = |id, standing| Member { id: NodeId(id), session: Session(0), standing, outgoing: false };
    let members = vec![member(1, Standing::Voter), member(2, Standing::Voter), member(3, Standing::Witness)];
    let configuration = Arc::new(Configuration::of(members).expect("a sound configuration"));
    vec![
        (
            Body::AppendEntries(AppendEntries {
                session,
                prev_log: last,
                entries: Entries::One(entry(3, 301, Payload::Withheld)),
                leader_commit: LogIndex(299),
            }),
            "53715701 1d000000 92f657df 080110021803421508091205080310ac021a07080310ad02320020ab02",
        ),
        (
            Body::AppendEntriesResponse(AppendEntriesResponse {
                session,
                result: AppendResult::Witnessed(LogIndex(302)),
            }),
            "53715701 0d000000 5052cbd1 0801100218034a05080920ae02",
        ),
        (
            Body::InstallSnapshot(InstallSnapshot {
                session,
                snapshot: SnapshotId { last, bytes: 1000, checksum: 0x1234_5678_9abc_def0 },
                in_force: Some((LogIndex(280), configuration)),
            }),
            "53715701 59000000 18a8cbfa 0801100218037a51080912130a05080310ac0210e80719f0debc9a785634121a380898021233010000000000000000000000000000000002000000000000000000000000000000000300000000000000000000000000000004",
        ),
    ]
}

/// The same for those that have to do with repair.
fn golden_of_repair() -> Vec<(Body, &'static str)> {
    let at = LogPosition::new;
    let founds = [Found::Absent, Found::Named, Found::Lost, Found::Doubtful, Found::Compacted];
    vec![
        (
            Body::AppendEntriesResponse(AppendEntriesResponse {
                session: Session(9),
                result: AppendResult::Lacking { first: LogIndex(300), named: LogIndex(302) },
            }),
            "53715701 12000000 93b210ba 0801100218034a0a08092a0608ac0210ae02",
        ),
        (
            Body::RepairRequest(RepairRequest { lacking: vec![at(2, 300), at(3, 302)] }),
            "53715701 17000000 d2237f0c 080110021803aa010e0a05080210ac020a05080310ae02",
        ),
        (
            Body::RepairResponse(Box::new(RepairResponse {
                answers: (300..).zip(founds).map(|(index, found)| (at(3, index), found)).collect(),
                entries: Entries::One(entry(3, 310, Payload::Command(Bytes::from_static(b"data")))),
                snapshot: None,
            })),
            "53715701 4d000000 1b4d1894 080110021803b201440a090a05080310ac0212000a090a05080310ad021a000a090a05080310ae0222000a090a05080310af022a000a090a05080310b0023200120b080310b602220464617461",
        ),
    ]
}

/// From n1 n2 n4 to n2 alone; n1 becomes a learner, and n3 is one that is to be promoted.
fn joint() -> Payload {
    let member = |id, session, standing, outgoing| Member {
        id: NodeId(id),
        session: Session(session),
        standing,
        outgoing,
    };
    let members = vec![
        member(1, 0, Standing::Learner { promote: false }, true),
        member(2, 0, Standing::Voter, true),
        member(3, 280, Standing::Learner { promote: true }, false),
        member(4, 0, Standing::Leaving { witness: false }, true),
    ];
    Payload::Configuration(Arc::new(Configuration::of(members).expect("a sound configuration")))
}

fn refusal(refusal: ProposeError) -> Body {
    Body::ForwardResponse(ForwardResponse { number: 7, refusal })
}

fn hex(bytes: &[u8]) -> String {
    let groups = [&bytes[..4], &bytes[4..8], &bytes[8..12], &bytes[12..]];
    groups.map(|group| group.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).join(" ")
}

#[test]
fn each_kind_of_message_has_the_bytes_that_it_has_always_had() {
    let all = golden().into_iter().chain(golden_of_offices());
    let all = all.chain(golden_of_snapshots()).chain(golden_of_witnesses()).chain(golden_of_repair());
    for (body, expected) in all {
        let message = message(body);
        let bytes = encoded(&message);
        assert_eq!(hex(&bytes), expected, "{message:?}");
        assert_eq!(decode(&bytes), Ok((message, bytes.len())));
    }
}

#[test]
fn a_configuration_has_the_bytes_that_it_has_always_had() {
    let message = message(Body::AppendEntries(AppendEntries {
        session: Session(9),
        prev_log: LogPosition::new(3, 300),
        entries: Entries::One(entry(3, 301, joint())),
        leader_commit: LogIndex(299),
    }));
    let bytes = encoded(&message);
    let expected = "\
        53715701 61000000 7dd1a6ef 080110021803425908091205080310ac021a4b080310ad022a44\
        0100000000000000000000000000000081\
        0200000000000000000000000000000080\
        0300000000000000180100000000000002\
        0400000000000000000000000000000083\
        20ab02";
    assert_eq!(hex(&bytes), expected);
    assert_eq!(decode(&bytes), Ok((message, bytes.len())));
}
