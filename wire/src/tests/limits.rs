//! A core within the bounds of `check_config` never meets those of a frame.

use bytes::Bytes;
use squall_raft::{
    AppendEntries, Body, Config, ENTRY_OVERHEAD_BYTES, Entry, LogIndex, LogPosition, Message, NodeId,
    Payload, Session, SnapshotChunk, SnapshotId, Term,
};

use super::{encoded, entry};
use crate::{HEADER_BYTES, MAX_BODY_BYTES, MAX_CONFIG_BYTES, MAX_ENTRIES, check_config};

/// Of its entries, the message with the longest frame.
fn widest(entries: Vec<Entry>) -> Message {
    let append = AppendEntries {
        session: Session(u64::MAX),
        prev_log: LogPosition::new(u64::MAX, u64::MAX),
        entries: entries.into(),
        leader_commit: LogIndex(u64::MAX),
    };
    let (from, to) = (NodeId(u64::MAX), NodeId(u64::MAX));
    Message { from, to, term: Term(u64::MAX), body: Body::AppendEntries(append) }
}

#[test]
fn an_entry_takes_no_more_in_a_frame_than_it_counts_for_in_the_core() {
    let empty = encoded(&widest(Vec::new())).len() as u64;
    for payload_bytes in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, MAX_CONFIG_BYTES] {
        let data = Bytes::from(vec![7; usize::try_from(payload_bytes).expect("memory for the largest")]);
        let entry = entry(u64::MAX, u64::MAX, Payload::Command(data));
        let counted = entry.size_bytes();
        // The lengths of what is around it grow, too, by five bytes at most.
        let taken = encoded(&widest(vec![entry])).len() as u64 - empty;
        assert!(taken <= counted + 5, "{payload_bytes} bytes of payload take {taken}");
    }
}

#[test]
fn the_largest_message_that_a_core_may_be_configured_for_fits_into_a_frame() {
    let empty = (encoded(&widest(Vec::new())).len() - HEADER_BYTES) as u64;
    let largest = MAX_CONFIG_BYTES + ENTRY_OVERHEAD_BYTES;
    assert!(empty + 5 + largest <= u64::from(MAX_BODY_BYTES));
    assert!(MAX_CONFIG_BYTES / ENTRY_OVERHEAD_BYTES <= u64::from(MAX_ENTRIES));

    let last = LogPosition::new(u64::MAX, u64::MAX);
    let snapshot = SnapshotId { last, bytes: u64::MAX, checksum: u64::MAX };
    let chunk = SnapshotChunk { snapshot, offset: u64::MAX, data: Bytes::new() };
    let (from, to) = (NodeId(u64::MAX), NodeId(u64::MAX));
    let empty = encoded(&Message { from, to, term: Term(u64::MAX), body: Body::SnapshotChunk(chunk) });
    assert!((empty.len() - HEADER_BYTES) as u64 + 10 + MAX_CONFIG_BYTES <= u64::from(MAX_BODY_BYTES));
}

#[test]
fn a_configuration_whose_messages_might_not_fit_is_refused() {
    let config = Config::new(NodeId(1), vec![NodeId(1)]);
    assert_eq!(check_config(&config), Ok(()), "the defaults of both fit together");
    let largest = Config {
        max_message_bytes: MAX_CONFIG_BYTES,
        max_proposal_bytes: MAX_CONFIG_BYTES,
        max_snapshot_chunk_bytes: MAX_CONFIG_BYTES,
        ..config
    };
    assert_eq!(check_config(&largest), Ok(()));

    let refusal =
        |config: &Config| check_config(config).expect_err("a bound is above the wire's").to_string();
    let message = Config { max_message_bytes: MAX_CONFIG_BYTES + 1, ..largest.clone() };
    let expected =
        "max_message_bytes is 33554433; expected at most 2^25 bytes, so that each message fits into a frame";
    assert_eq!(refusal(&message), expected);
    let proposal = Config { max_proposal_bytes: MAX_CONFIG_BYTES + 1, ..largest.clone() };
    assert_eq!(refusal(&proposal), expected.replace("message_bytes", "proposal_bytes"));
    let chunk = Config { max_snapshot_chunk_bytes: MAX_CONFIG_BYTES + 1, ..largest };
    assert_eq!(refusal(&chunk), expected.replace("message_bytes", "snapshot_chunk_bytes"));
}
