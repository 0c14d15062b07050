//! The format, byte by byte. A change here is a change of the format: it needs a new version.

use squall_raft::{Entry, LogIndex, Payload, Term};

use super::story::{Step, formatted, group_of, noop, open, vote};

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
    let step = Step {
        hard_state: Some(vote(5, 2)),
        truncate_from: Some(LogIndex(1)),
        entries: vec![noop(5, 1), entry(2, b"squall")],
    };
    storage.commit(&mut group_of(&[step]), &mut disk).unwrap();

    assert_eq!(disk.names(), ["hard-state", "identity", "log-00000000000000000001"]);
    let identity = disk.bytes("identity");
    assert_eq!(identity.len(), 4096 + 44);
    assert_eq!(identity[..44], identity[4096..]);
    assert_eq!(hex(&identity[..44]), IDENTITY_FILE);

    let hard_state = disk.bytes("hard-state");
    assert_eq!(hard_state.len(), 4096 + 92);
    assert_eq!(hard_state[..92], hard_state[4096..]);
    assert_eq!(hex(&hard_state[..92]), HARD_STATE_FILE);

    let segment = disk.bytes("log-00000000000000000001");
    assert_eq!(segment.len(), 16 << 10);
    assert_eq!(hex(&segment[..100]), SEGMENT_HEADER);
    assert_eq!(segment[..4096], segment[3 * 4096..]);
    assert_eq!(hex(&segment[4096..4096 + 192]), SLOTS);
    assert_eq!(hex(&segment[8192..8192 + 162]), RECORDS);
    let holes = [100..4096, 4096 + 192..8192, 8192 + 162..3 * 4096];
    assert!(holes.into_iter().all(|hole| segment[hole].iter().all(|byte| *byte == 0)));
}

/// Magic; version and length; node; cluster; checksum.
const IDENTITY_FILE: &str = "\
    73716c6964656e74 0100000018000000 0300000000000000 0100000000000000 \
    0000000000eeffc0 3c7d9ce0";

/// Magic; version and length; node; cluster; boot; newest segment; term; has voted; for whom; longest promise;
/// checksum.
const HARD_STATE_FILE: &str = "\
    73716c6861726473 0100000048000000 0300000000000000 0100000000000000 \
    0000000000eeffc0 0100000000000000 0100000000000000 0500000000000000 \
    0100000000000000 0200000000000000 0f00000000000000 2365ba79";

/// Magic; version and length; node; cluster; number; first group; first sequence; salt; carries; pages of slots; of
/// records; checksum.
const SEGMENT_HEADER: &str = "\
    73716c7365676d74 0100000050000000 0300000000000000 0100000000000000 \
    0000000000eeffc0 0100000000000000 0100000000000000 0100000000000000 \
    dda1a1b5cb045ff7 0000000000000000 0100000000000000 0100000000000000 \
    bdccd180";

/// Payload length and kind; ordinal and count; sequence; group; term; index; offset; record's and slot's checksum.
const SLOTS: &str = "\
    0000000003000000 0000000003000000 0100000000000000 0100000000000000 \
    0000000000000000 0100000000000000 0020000000000000 273e13abba0f1bbd \
    0000000001000000 0100000003000000 0200000000000000 0100000000000000 \
    0500000000000000 0100000000000000 3420000000000000 3ab392c419d3c3a9 \
    0600000002000000 0200000003000000 0300000000000000 0100000000000000 \
    0500000000000000 0200000000000000 6820000000000000 b349a380281952d6";

/// Payload length and kind; ordinal and count; sequence; group; term; index; payload; checksum.
const RECORDS: &str = "\
    0000000003000000 0000000003000000 0100000000000000 0100000000000000 \
    0000000000000000 0100000000000000 273e13ab00000000 0100000001000000 \
    0300000002000000 0000000001000000 0000000005000000 0000000001000000 \
    000000003ab392c4 0600000002000000 0200000003000000 0300000000000000 \
    0100000000000000 0500000000000000 0200000000000000 737175616c6cb349 \
    a380";
