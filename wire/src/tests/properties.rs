//! What holds for every message, and for arbitrary bytes.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use squall_raft::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Configuration, Entries, Entry, Forward,
    ForwardResponse, Found, Heartbeat, HeartbeatResponse, InstallSnapshot, LogIndex, LogPosition,
    MEMBERS_MAX, Member, Message, NodeId, Payload, PreVote, PreVoteResponse, ProposeError, ReadId, ReadIndex,
    ReadIndexResponse, RepairRequest, RepairResponse, RequestVote, RequestVoteResponse, Round, Session,
    SnapshotChunk, SnapshotId, SnapshotRequest, Standing, Term,
};

use super::{encoded, framed};
use crate::{DecodeError, decode, decode_bytes};

/// Small numbers, and the ends of the range.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..300_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn position() -> impl Strategy<Value = LogPosition> {
    (number(), number()).prop_map(|(term, index)| LogPosition::new(term, index))
}

fn configuration() -> impl Strategy<Value = Configuration> {
    let standing = prop_oneof![
        Just(Standing::Voter),
        any::<bool>().prop_map(|promote| Standing::Learner { promote }),
        Just(Standing::Witness),
        any::<bool>().prop_map(|witness| Standing::Leaving { witness }),
    ];
    let members = btree_map(number(), (number(), standing, any::<bool>()), 1..MEMBERS_MAX);
    members.prop_filter_map("no configuration", |members| {
        let member = |(id, (session, standing, outgoing))| Member {
            id: NodeId(id),
            session: Session(session),
            standing,
            outgoing,
        };
        Configuration::of(members.into_iter().map(member).collect()).ok()
    })
}

fn snapshot_id() -> impl Strategy<Value = SnapshotId> {
    (position(), number(), any::<u64>()).prop_map(|(last, bytes, checksum)| SnapshotId {
        last,
        bytes,
        checksum,
    })
}

fn in_force() -> impl Strategy<Value = Option<(LogIndex, Arc<Configuration>)>> {
    let in_force = (number(), configuration());
    proptest::option::of(
        in_force.prop_map(|(index, configuration)| (LogIndex(index), Arc::new(configuration))),
    )
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let payload = prop_oneof![
        Just(Payload::Noop),
        Just(Payload::Withheld),
        vec(any::<u8>(), 0..100).prop_map(|data| Payload::Command(Bytes::from(data))),
        configuration().prop_map(|configuration| Payload::Configuration(Arc::new(configuration))),
    ];
    (number(), number(), payload).prop_map(|(term, index, payload)| Entry {
        term: Term(term),
        index: LogIndex(index),
        payload,
    })
}

fn append_entries() -> impl Strategy<Value = AppendEntries> {
    (number(), position(), vec(any_entry(), 0..6), number()).prop_map(
        |(session, prev_log, entries, leader_commit)| AppendEntries {
            session: Session(session),
            prev_log,
            entries: Entries::from(entries),
            leader_commit: LogIndex(leader_commit),
        },
    )
}

fn append_result() -> impl Strategy<Value = AppendResult> {
    prop_oneof![
        number().prop_map(|index| AppendResult::Matched(LogIndex(index))),
        number().prop_map(|index| AppendResult::Witnessed(LogIndex(index))),
        (number(), number()).prop_map(|(first, named)| {
            AppendResult::Lacking { first: LogIndex(first), named: LogIndex(named) }
        }),
        (number(), position(), any::<bool>()).prop_map(|(rejected, hint, is_uncertain)| {
            AppendResult::Conflict { rejected: LogIndex(rejected), hint, is_uncertain }
        }),
    ]
}

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        Just(Found::Absent),
        Just(Found::Named),
        Just(Found::Lost),
        Just(Found::Doubtful),
        Just(Found::Compacted),
    ]
}

fn refusal() -> impl Strategy<Value = ProposeError> {
    prop_oneof![
        proptest::option::of(number())
            .prop_map(|leader| ProposeError::NotLeader { leader: leader.map(NodeId) }),
        number().prop_map(|to| ProposeError::Transferring { to: NodeId(to) }),
        Just(ProposeError::Busy),
        Just(ProposeError::ShuttingDown),
        (number(), number()).prop_map(|(size, max)| ProposeError::TooLarge { size, max }),
    ]
}

/// Whether it is given, and on which condition.
fn vote() -> impl Strategy<Value = (bool, bool)> {
    prop_oneof![Just((false, false)), Just((true, false)), Just((true, true))]
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        position().prop_map(|last_log| Body::PreVote(PreVote { last_log })),
        (number(), vote()).prop_map(|(asked_in, (granted, is_conditional))| {
            Body::PreVoteResponse(PreVoteResponse { asked_in: Term(asked_in), granted, is_conditional })
        }),
        (position(), any::<bool>()).prop_map(|(last_log, leadership_transfer)| {
            Body::RequestVote(RequestVote { last_log, leadership_transfer })
        }),
        vote().prop_map(|(granted, is_conditional)| {
            Body::RequestVoteResponse(RequestVoteResponse { granted, is_conditional })
        }),
        append_entries().prop_map(Body::AppendEntries),
        (number(), append_result()).prop_map(|(session, result)| {
            Body::AppendEntriesResponse(AppendEntriesResponse { session: Session(session), result })
        }),
        (number(), number(), number(), any::<bool>()).prop_map(|(session, round, commit, outranked)| {
            Body::Heartbeat(Heartbeat {
                session: Session(session),
                round: Round(round),
                commit: LogIndex(commit),
                outranked,
            })
        }),
        [number(), number(), number(), number(), number(), number(), number()].prop_map(
            |[session, round, received, promise, clock, priority, snapshot_received]| {
                Body::HeartbeatResponse(HeartbeatResponse {
                    session: Session(session),
                    round: Round(round),
                    received: LogIndex(received),
                    promise,
                    clock,
                    priority,
                    snapshot_received,
                })
            }
        ),
        (number(), number())
            .prop_map(|(boot, up_to)| Body::ReadIndex(ReadIndex { boot, up_to: ReadId(up_to) })),
        (number(), number(), number()).prop_map(|(boot, up_to, index)| {
            let (up_to, index) = (ReadId(up_to), LogIndex(index));
            Body::ReadIndexResponse(ReadIndexResponse { boot, up_to, index })
        }),
        Just(Body::TimeoutNow),
        (number(), vec(any::<u8>(), 0..100))
            .prop_map(|(number, data)| Body::Forward(Forward { number, data: Bytes::from(data) })),
        (number(), refusal())
            .prop_map(|(number, refusal)| { Body::ForwardResponse(ForwardResponse { number, refusal }) }),
        (number(), snapshot_id(), in_force()).prop_map(|(session, snapshot, in_force)| {
            Body::InstallSnapshot(InstallSnapshot { session: Session(session), snapshot, in_force })
        }),
        (snapshot_id(), number(), number()).prop_map(|(snapshot, offset, max_bytes)| {
            Body::SnapshotRequest(SnapshotRequest { snapshot, offset, max_bytes })
        }),
        vec(position(), 0..9).prop_map(|lacking| Body::RepairRequest(RepairRequest { lacking })),
        (vec((position(), found()), 0..9), vec(any_entry(), 0..4), proptest::option::of(snapshot_id()))
            .prop_map(|(answers, entries, snapshot)| {
                let response = RepairResponse { answers, entries: entries.into(), snapshot };
                Body::RepairResponse(Box::new(response))
            }),
        (snapshot_id(), number(), vec(any::<u8>(), 0..100)).prop_map(|(snapshot, offset, data)| {
            Body::SnapshotChunk(SnapshotChunk { snapshot, offset, data: Bytes::from(data) })
        }),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    (number(), number(), number(), body()).prop_map(|(from, to, term, body)| Message {
        from: NodeId(from),
        to: NodeId(to),
        term: Term(term),
        body,
    })
}

proptest! {
    #[test]
    fn every_message_comes_back_as_it_was(message in any_message()) {
        let bytes = encoded(&message);
        prop_assert_eq!(decode(&bytes), Ok((message.clone(), bytes.len())));
        let consumed = bytes.len();
        prop_assert_eq!(decode_bytes(&Bytes::from(bytes)), Ok((message, consumed)));
    }

    #[test]
    fn frames_in_a_row_are_read_one_by_one(messages in vec(any_message(), 1..8)) {
        let mut stream = Vec::new();
        for message in &messages {
            crate::encode(message, &mut stream).expect("the message is small");
        }
        let mut rest = &stream[..];
        for message in messages {
            let (decoded, consumed) = decode(rest).expect("the stream holds whole frames");
            prop_assert_eq!(decoded, message);
            rest = &rest[consumed..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_frame_cut_short_asks_for_more_and_never_for_too_much(message in any_message(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&message);
        let cut = cut.index(bytes.len());
        match decode(&bytes[..cut]) {
            Err(DecodeError::Incomplete { needed }) => {
                prop_assert!(cut < needed as usize && needed as usize <= bytes.len());
            }
            other => prop_assert!(false, "{} of {} bytes gave {:?}", cut, bytes.len(), other),
        }
    }

    /// CRC32C finds every damage of up to three bits, where the length is not among them.
    #[test]
    fn flipped_bits_are_never_taken_for_a_message(
        message in any_message(),
        flips in vec(any::<prop::sample::Index>(), 1..=3),
    ) {
        let whole = encoded(&message);
        let mut damaged = whole.clone();
        for flip in flips {
            let bit = flip.index(whole.len() * 8);
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
        if damaged != whole {
            prop_assert!(decode(&damaged).is_err());
            prop_assert!(decode_bytes(&Bytes::from(damaged)).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_frame(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn an_arbitrary_body_in_an_honest_frame_is_refused_or_survives_its_own_round_trip(
        body in vec(prop_oneof![3 => 0..16_u8, 1 => any::<u8>()], 0..200),
    ) {
        if let Ok((message, _)) = decode(&framed(&body)) {
            prop_assert_eq!(decode(&encoded(&message)).map(|(again, _)| again), Ok(message));
        }
    }

    /// Most of such bodies still decode, so that both branches are taken.
    #[test]
    fn a_mutated_body_in_an_honest_frame_is_refused_or_survives_its_own_round_trip(
        message in any_message(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = encoded(&message).split_off(crate::HEADER_BYTES);
        let place = place.index(body.len());
        body[place] = byte;
        if let Ok((message, _)) = decode(&framed(&body)) {
            prop_assert_eq!(decode(&encoded(&message)).map(|(again, _)| again), Ok(message));
        }
    }
}
