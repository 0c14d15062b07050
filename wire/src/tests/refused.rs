//! What is refused, with which words; and what a newer version may add.

use bytes::Bytes;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use squall_raft::{
    AppendEntries, Body, Config, Entries, LogIndex, LogPosition, MEMBERS_MAX, NodeId, Payload, Session,
};

use super::{command, encoded, entry, framed, message};
use crate::{
    DecodeError, EncodeError, HEADER_BYTES, MAX_BODY_BYTES, MAX_CONFIG_BYTES, MAX_ENTRIES, check_config,
    decode, decode_bytes, schema,
};

fn append(entries: Vec<squall_raft::Entry>) -> squall_raft::Message {
    message(Body::AppendEntries(AppendEntries {
        session: Session(1),
        prev_log: LogPosition::new(3, 4),
        entries: Entries::from(entries),
        leader_commit: LogIndex(4),
    }))
}

fn refusal(body: &schema::Message) -> String {
    decode(&framed(&body.encode_to_vec())).expect_err("the body lacks something").to_string()
}

#[test]
fn a_field_without_which_a_message_means_nothing_is_asked_for_by_name() {
    let whole = schema::Message {
        from: Some(1),
        to: Some(2),
        term: Some(3),
        body: Some(schema::Body::TimeoutNow(schema::Nothing {})),
    };
    assert_eq!(refusal(&schema::Message { from: None, ..whole.clone() }), "message.from is missing");
    assert_eq!(refusal(&schema::Message { to: None, ..whole.clone() }), "message.to is missing");
    assert_eq!(refusal(&schema::Message { term: None, ..whole.clone() }), "message.term is missing");

    let of_body = |body| refusal(&schema::Message { body: Some(body), ..whole.clone() });
    let pre_vote = schema::PreVote { last_log: None };
    assert_eq!(of_body(schema::Body::PreVote(pre_vote)), "pre_vote.last_log is missing");
    let request = schema::RequestVote { last_log: None, leadership_transfer: true };
    assert_eq!(of_body(schema::Body::RequestVote(request)), "request_vote.last_log is missing");
    let append = schema::AppendEntries { session: 1, prev_log: None, entries: vec![], leader_commit: 0 };
    assert_eq!(of_body(schema::Body::AppendEntries(append)), "append_entries.prev_log is missing");
    let offer = schema::InstallSnapshot { session: 1, snapshot: None, in_force: None };
    assert_eq!(of_body(schema::Body::InstallSnapshot(offer)), "install_snapshot.snapshot is missing");
    let nameless = Some(schema::SnapshotId { last: None, bytes: 9, checksum: 7 });
    let offer = schema::InstallSnapshot { session: 1, snapshot: nameless, in_force: None };
    assert_eq!(of_body(schema::Body::InstallSnapshot(offer)), "snapshot.last is missing");
    let request = schema::SnapshotRequest { snapshot: None, offset: 0, max_bytes: 9 };
    assert_eq!(of_body(schema::Body::SnapshotRequest(request)), "snapshot_request.snapshot is missing");
    let chunk = schema::SnapshotChunk { snapshot: None, offset: 0, data: Bytes::new() };
    assert_eq!(of_body(schema::Body::SnapshotChunk(chunk)), "snapshot_chunk.snapshot is missing");
    let answers = vec![schema::RepairAnswer { position: None, found: None }];
    let response = schema::RepairResponse { answers, entries: Vec::new(), snapshot: None };
    assert_eq!(of_body(schema::Body::RepairResponse(response)), "repair_answer.position is missing");
    let conflict =
        schema::AppendResult::Conflict(schema::Conflict { rejected: 7, hint: None, is_uncertain: false });
    let response = schema::AppendEntriesResponse { session: 1, result: Some(conflict) };
    assert_eq!(of_body(schema::Body::AppendEntriesResponse(response)), "conflict.hint is missing");
}

#[test]
fn a_kind_from_a_newer_version_is_an_error_that_says_so() {
    let unknown =
        |of| format!("the kind of the {of} is unknown: it comes from a newer version, or was left out");
    let known = schema::Message { from: Some(1), to: Some(2), term: Some(3), body: None };

    let mut body = known.encode_to_vec();
    encode_key(99, WireType::LengthDelimited, &mut body);
    encode_varint(0, &mut body);
    assert_eq!(decode(&framed(&body)).expect_err("body 99 is unknown").to_string(), unknown("message"));

    let response = schema::AppendEntriesResponse { session: 1, result: None };
    let body = Some(schema::Body::AppendEntriesResponse(response));
    assert_eq!(refusal(&schema::Message { body, ..known }), unknown("append result"));
    let response = schema::ForwardResponse { number: 1, refusal: None };
    let body = Some(schema::Body::ForwardResponse(response));
    assert_eq!(refusal(&schema::Message { body, ..known }), unknown("refusal"));

    let entries = vec![schema::Entry { term: 3, index: 5, payload: None }];
    let append = schema::AppendEntries {
        session: 1,
        prev_log: Some(schema::Position { term: 3, index: 4 }),
        entries,
        leader_commit: 4,
    };
    let body = Some(schema::Body::AppendEntries(append));
    assert_eq!(refusal(&schema::Message { body, ..known }), unknown("entry"));
}

#[test]
fn an_entry_whose_configuration_is_none_is_refused_and_says_where() {
    for (bytes, what) in [
        (vec![], "no voter at byte 0"),
        (vec![7; 16], "half a member at byte 0"),
        (vec![7; 17], "an unknown standing at byte 16"),
        (vec![1; 17 * 2], "ids that do not rise at byte 17"),
        (vec![0; 17 * MEMBERS_MAX * 1000], "more than 64 members at byte 1088"),
    ] {
        let payload = Some(schema::Payload::Configuration(bytes.into()));
        let append = schema::AppendEntries {
            session: 1,
            prev_log: Some(schema::Position { term: 3, index: 4 }),
            entries: vec![schema::Entry { term: 3, index: 5, payload }],
            leader_commit: 4,
        };
        let body = Some(schema::Body::AppendEntries(append));
        let message = schema::Message { from: Some(1), to: Some(2), term: Some(3), body };
        assert_eq!(refusal(&message), format!("an entry's configuration is none: {what}"));
    }
}

#[test]
fn a_field_from_a_newer_version_is_skipped() {
    let old = append(vec![entry(3, 5, command(b"put"))]);
    let mut body = encoded(&old).split_off(HEADER_BYTES);
    encode_key(77, WireType::Varint, &mut body);
    encode_varint(1, &mut body);
    encode_key(78, WireType::LengthDelimited, &mut body);
    encode_varint(3, &mut body);
    body.extend_from_slice(b"new");
    assert_eq!(decode(&framed(&body)).map(|(message, _)| message), Ok(old));
}

#[test]
fn an_absurd_length_is_refused_before_the_body_is_there() {
    let mut header = encoded(&message(Body::TimeoutNow));
    header.truncate(HEADER_BYTES);
    header[4..8].copy_from_slice(&(MAX_BODY_BYTES + 1).to_le_bytes());
    let (length, max) = (u64::from(MAX_BODY_BYTES) + 1, u64::from(MAX_BODY_BYTES));
    assert_eq!(decode(&header), Err(DecodeError::BodyTooLong { length, max }));
}

#[test]
fn another_protocol_is_told_apart_from_its_first_byte_on() {
    assert_eq!(decode(b"G"), Err(DecodeError::NotAFrame { found: *b"G\0\0\0" }));
    assert_eq!(decode(b"GET / HTTP/1.1"), Err(DecodeError::NotAFrame { found: *b"GET " }));
    assert_eq!(decode(b"SqW\x02"), Err(DecodeError::NotAFrame { found: *b"SqW\x02" }));
    assert_eq!(decode(b"SqW"), Err(DecodeError::Incomplete { needed: HEADER_BYTES as u64 }));
}

#[test]
fn entries_beyond_the_bound_are_refused_both_ways_however_they_are_spread() {
    let too_many = append(vec![entry(3, 5, Payload::Noop); MAX_ENTRIES as usize + 1]);
    let mut out = b"before".to_vec();
    let (count, max) = (u64::from(MAX_ENTRIES) + 1, u64::from(MAX_ENTRIES));
    assert_eq!(crate::encode(&too_many, &mut out), Err(EncodeError::TooManyEntries { count, max }));
    assert_eq!(out, b"before");

    let half = append(vec![entry(3, 5, Payload::Noop); MAX_ENTRIES as usize / 2]);
    let half = encoded(&half).split_off(HEADER_BYTES);
    let one_more = encoded(&append(vec![entry(3, 5, Payload::Noop)])).split_off(HEADER_BYTES);
    let twice = [&half[..], &half[..]].concat();
    let (message, _) = decode(&framed(&twice)).expect("the bound itself is accepted");
    assert!(
        matches!(message.body, Body::AppendEntries(append) if append.entries.len() == MAX_ENTRIES as usize)
    );
    let beyond = [&half[..], &half[..], &one_more[..]].concat();
    assert_eq!(decode(&framed(&beyond)), Err(DecodeError::TooManyEntries { max }));
}

#[test]
fn a_message_longer_than_any_frame_is_refused_and_leaves_the_buffer_as_it_was() {
    let data = Bytes::from(vec![0; MAX_BODY_BYTES as usize]);
    let mut out = b"before".to_vec();
    let result = crate::encode(&append(vec![entry(3, 5, Payload::Command(data))]), &mut out);
    assert!(
        matches!(result, Err(EncodeError::BodyTooLong { length, .. }) if length > u64::from(MAX_BODY_BYTES))
    );
    assert_eq!(out, b"before");
}

#[test]
fn payloads_of_a_shared_buffer_are_not_copied() {
    let frame = Bytes::from(encoded(&append(vec![entry(3, 5, command(b"the payload"))])));
    let (decoded, _) = decode_bytes(&frame).expect("the frame is whole");
    let Body::AppendEntries(append) = decoded.body else { panic!("an append went in") };
    let Payload::Command(data) = &append.entries[0].payload else { panic!("a command went in") };
    assert!(frame.as_ptr_range().contains(&data.as_ptr()), "the payload lies in the frame's own buffer");
}

#[test]
fn a_core_whose_messages_would_fit_into_no_frame_is_refused_by_the_field() {
    let with = |field: &str, value| {
        let mut config = Config::new(NodeId(1), vec![NodeId(1)]);
        match field {
            "max_message_bytes" => config.max_message_bytes = value,
            "max_proposal_bytes" => config.max_proposal_bytes = value,
            _ => config.max_snapshot_chunk_bytes = value,
        }
        config
    };
    for field in ["max_message_bytes", "max_proposal_bytes", "max_snapshot_chunk_bytes"] {
        assert_eq!(check_config(&with(field, MAX_CONFIG_BYTES)), Ok(()));
        let refused = check_config(&with(field, MAX_CONFIG_BYTES + 1)).expect_err("one byte too many");
        let said = refused.to_string();
        assert!(said.starts_with(&format!("{field} is 33554433; expected at most 2^25 bytes")), "{said}");
    }
}
