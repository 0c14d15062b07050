//! The format, byte by byte. A change here is a change of the format: it needs a new version.

use squall_raft::{Entry, LogIndex, LogPosition, Payload, Term};

use super::story::{Step, configuration, formatted, group_of, noop, open, vote};

fn hex(bytes: &[u8]) -> String {
    let words: Vec<String> =
        bytes.chunks(8).map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    words.join(" ")
}

#[test]
fn every_byte_stands_where_it_always_stood() {
    let mut disk = formatted();
    let (mut storage, _) = open(&mut disk).unwrap();
    let entry = |index, data: &'static [u8]| Entry {
        term: Term(5),
        index: LogIndex(index),
        payload: Payload::Command(bytes::Bytes::from_static(data)),
    };
    storage.begin_snapshot(LogPosition::new(5, 1), &mut disk).unwrap();
    storage.write_snapshot(b"storm", &mut disk).unwrap();
    let id = storage.finish_snapshot(&mut disk).unwrap();
    assert_eq!((id.bytes, id.checksum), (5, 0x8a5e_0a95_70a5_cbef));
    let step = Step {
        hard_state: Some(vote(5, 2)),
        truncate_from: Some(LogIndex(1)),
        reset_to: Some(id.last),
        entries: vec![noop(5, 2), entry(3, b"squall"), entry(4, b"sq")],
        ..Step::default()
    };
    storage.commit(&mut group_of(&[step]), &mut disk).unwrap();

    let [hard_state, identity, segment, snapshot] = &disk.names()[..] else { panic!("four files") };
    assert_eq!([&hard_state[..], identity, segment], ["hard-state", "identity", "log-00000000000000000001"]);
    assert_eq!(snapshot, "snapshot-00000000000000000001-0000000000");
    let identity = disk.bytes(identity);
    assert_eq!(identity.len(), 4096 + 52);
    assert_eq!(identity[..52], identity[4096..]);
    assert_eq!(hex(&identity[..52]), IDENTITY_FILE);

    let hard_state = disk.bytes(hard_state);
    assert_eq!(hard_state.len(), 4096 + 116);
    assert_eq!(hard_state[..116], hard_state[4096..]);
    assert_eq!(hex(&hard_state[..116]), HARD_STATE_FILE);

    let segment = disk.bytes(segment);
    assert_eq!(segment.len(), 16 << 10);
    assert_eq!(hex(&segment[..124]), SEGMENT_HEADER);
    assert_eq!(segment[..4096], segment[3 * 4096..]);
    assert_eq!(hex(&segment[4096..4096 + 268]), SLOTS);
    assert_eq!(hex(&segment[8192..8192 + 268]), RECORDS);
    check_holes(segment, &[124..4096, 4096 + 268..8192, 8192 + 268..3 * 4096]);

    let snapshot = disk.bytes(snapshot);
    assert_eq!(snapshot.len(), 3 * 4096);
    assert_eq!(hex(&snapshot[..92]), SNAPSHOT_HEADER);
    assert_eq!(snapshot[..4096], snapshot[4096..8192]);
    assert_eq!(hex(&snapshot[8192..8192 + 21]), CHUNK);
    check_holes(snapshot, &[92..4096, 8192 + 21..3 * 4096]);
}

fn check_holes(file: &[u8], holes: &[core::ops::Range<usize>]) {
    assert!(holes.iter().all(|hole| file[hole.clone()].iter().all(|byte| *byte == 0)));
}

#[test]
fn every_byte_of_a_configuration_stands_where_it_always_stood() {
    let mut disk = formatted();
    let (mut storage, _) = open(&mut disk).unwrap();
    let step =
        Step { hard_state: Some(vote(5, 2)), entries: vec![configuration(5, 1, 1)], ..Step::default() };
    storage.commit(&mut group_of(&[step]), &mut disk).unwrap();
    let segment = disk.bytes("log-00000000000000000001");
    assert_eq!(hex(&segment[8192..8192 + 52 + 34]), CONFIGURATION_RECORD);
}

/// Payload length and kind; ordinal and count; sequence; group; term; index; for each member its id, its session, what
/// it is; checksum.
const CONFIGURATION_RECORD: &str = "\
    2200000004000000 0000000001000000 0100000000000000 0100000000000000 \
    0500000000000000 0100000000000000 0100000000000000 0000000000000000 \
    00e9030000000000 0000000000000000 0002bfc43d37";

/// Magic; version and length; node; cluster; incarnation; checksum.
const IDENTITY_FILE: &str = "\
    73716c6964656e74 0500000020000000 0300000000000000 0100000000000000 \
    0000000000eeffc0 0000000000000000 c59511c7";

/// Magic; version and length; node; cluster; incarnation; boot; newest and oldest segment; term; has voted; for whom;
/// longest promise; up to which term the log's end is uncertain; checksum.
const HARD_STATE_FILE: &str = "\
    73716c6861726473 0500000060000000 0300000000000000 0100000000000000 \
    0000000000eeffc0 0000000000000000 0100000000000000 0100000000000000 \
    0100000000000000 0500000000000000 0100000000000000 0200000000000000 \
    0f00000000000000 0000000000000000 7130be85";

/// Magic; version and length; node; cluster; incarnation; number; first group; first sequence; term and index of the last entry before;
/// salt; carries; pages of slots; of records; checksum.
const SEGMENT_HEADER: &str = "\
    73716c7365676d74 0500000068000000 0300000000000000 0100000000000000 \
    0000000000eeffc0 0000000000000000 0100000000000000 0100000000000000 \
    0100000000000000 0000000000000000 0000000000000000 dda1a1b5cb045ff7 \
    0000000000000000 0100000000000000 0100000000000000 1e158c07";

/// Payload length and kind; ordinal and count; sequence; group; term; index; offset; record's and slot's checksum; of a brief one payload
/// length, group, checksum.
const SLOTS: &str = "\
    0000000003000000 0000000005000000 0100000000000000 0100000000000000 \
    0000000000000000 0100000000000000 0020000000000000 afa7b803bad2b532 \
    0000000005000000 0100000005000000 0200000000000000 0100000000000000 \
    0500000000000000 0100000000000000 3420000000000000 bfcc91e80be03a24 \
    0000000001000000 0200000005000000 0300000000000000 0100000000000000 \
    0500000000000000 0200000000000000 6820000000000000 9c3477e9adcd2100 \
    0600000002000000 0300000005000000 0400000000000000 0100000000000000 \
    0500000000000000 0300000000000000 9c20000000000000 8891df78affc60d1 \
    0200000001000000 c00b2ec4";

/// Payload length and kind; ordinal and count; sequence; group; term; index; payload; checksum.
const RECORDS: &str = "\
    0000000003000000 0000000005000000 0100000000000000 0100000000000000 \
    0000000000000000 0100000000000000 afa7b80300000000 0500000001000000 \
    0500000002000000 0000000001000000 0000000005000000 0000000001000000 \
    00000000bfcc91e8 0000000001000000 0200000005000000 0300000000000000 \
    0100000000000000 0500000000000000 0200000000000000 9c3477e906000000 \
    0200000003000000 0500000004000000 0000000001000000 0000000005000000 \
    0000000003000000 0000000073717561 6c6c8891df780200 0000020000000400 \
    0000050000000500 0000000000000100 0000000000000500 0000000000000400 \
    0000000000007371 ff3a3b8f";

/// Magic; version and length; node; cluster; incarnation; term and index of the last entry; bytes; checksum; salt; checksum.
const SNAPSHOT_HEADER: &str = "\
    73716c736e617073 0500000048000000 0300000000000000 0100000000000000 \
    0000000000eeffc0 0000000000000000 0500000000000000 0100000000000000 \
    0500000000000000 efcba570950a5e8a befe1fe103383c0e e8253905";

/// Checksum; piece; number; content.
const CHUNK: &str = "\
    7de04b7e01000000 0000000000000000 73746f726d";
