//! What a caller may rely on, without crashes.

use squall_disk::{Disk, RealDisk};
use squall_raft::{Entry, HardState, LogIndex, LogPosition, NodeId, Payload};

use super::crash_disk::{CrashDisk, End};
use super::story::{
    IDENTITY, State, Step, Story, command, configuration, formatted, group_of, noop, open, options, state_of,
    vote,
};
use crate::{Identity, Options, Storage, StorageError, Tail};

fn entries(entries: Vec<Entry>) -> Step {
    Step { hard_state: Some(vote(1, 1)), entries, ..Step::default() }
}

#[test]
fn an_empty_directory_does_not_start() {
    let error = open(&mut CrashDisk::default()).unwrap_err();
    assert_eq!(error, StorageError::NotFormatted { found: None, foreign: None });
    assert!(error.to_string().contains("explicit format"), "{error}");
}

#[test]
fn a_directory_with_anything_in_it_is_not_formatted() {
    let mut disk = CrashDisk::default();
    disk.put("notes.txt", b"mine");
    let error = Storage::format(&mut disk, IDENTITY, &options()).unwrap_err();
    assert_eq!(error, StorageError::NotEmpty { found: "notes.txt".to_owned() });
    let error = open(&mut disk).unwrap_err();
    let foreign = Some("notes.txt".to_owned());
    assert_eq!(error, StorageError::NotFormatted { found: None, foreign: foreign.clone() });
    assert!(error.to_string().starts_with("this is no data directory: it holds notes.txt"), "{error}");

    // Nobody is told to empty a directory in which something of his own may be.
    disk.put("hard-state", b"half");
    let error = open(&mut disk).unwrap_err();
    assert_eq!(error, StorageError::NotFormatted { found: Some("hard-state".to_owned()), foreign });
    assert!(!error.to_string().contains("empty it"), "{error}");
}

#[test]
fn another_nodes_directory_is_refused_untouched() {
    let mut disk = formatted();
    let before = disk.bytes("hard-state").to_vec();
    let others = [
        Identity { node: NodeId(4), ..IDENTITY },
        Identity { cluster: 1, ..IDENTITY },
        Identity { incarnation: 1, ..IDENTITY },
    ];
    for other in others {
        let error = Storage::open(&mut disk, other, &options()).unwrap_err();
        assert_eq!(
            error,
            StorageError::Foreign { file: "identity".to_owned(), found: IDENTITY, expected: other }
        );
        assert!(error.to_string().contains("n3 of cluster c0ffee"), "{error}");
    }
    assert_eq!(disk.bytes("hard-state"), before);
}

#[test]
fn segment_sizes_that_make_no_sense_are_refused() {
    for segment_bytes in [0, 4096, 16385, 1 << 41] {
        let options = Options { segment_bytes, ..options() };
        let error = Storage::format(&mut CrashDisk::default(), IDENTITY, &options).unwrap_err();
        assert!(matches!(error, StorageError::InvalidOption { field: "segment_bytes", .. }), "{error}");
    }
}

#[test]
fn a_new_node_starts_with_nothing_and_counts_its_starts() {
    let mut disk = formatted();
    for boot in 1..4 {
        let (storage, recovered) = open(&mut disk).unwrap();
        assert_eq!((recovered.boot, recovered.last_index), (boot, LogIndex::ZERO));
        assert_eq!(state_of(&storage, &recovered, &mut disk), State::default());
        assert_eq!(storage.tail(), Tail::Whole);
    }
}

#[test]
fn starts_do_not_heap_up_segments() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    story.commit(&mut storage, &[vec![entries(vec![noop(1, 1)])]], &mut disk).unwrap();
    for _ in 0..5 {
        disk.restart(End::PowerDropsAll);
        story.recover(&mut disk).unwrap();
    }
    let names = disk.names();
    assert_eq!(names.iter().filter(|name| name.starts_with("log-")).count(), 1, "{names:?}");
}

#[test]
fn of_several_votes_in_a_group_the_last_one_counts() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let hard = |state| Step { hard_state: Some(state), ..Step::default() };
    let no_vote = HardState { voted_for: None, ..vote(3, 0) };
    let mut group = group_of(&[hard(vote(1, 1)), hard(vote(2, 2)), hard(no_vote)]);
    assert_eq!(group.last_token().unwrap().sequence, 3);
    storage.commit(&mut group, &mut disk).unwrap();
    assert_eq!(open(&mut disk).unwrap().1.hard_state, no_vote);
}

#[test]
fn a_group_without_a_vote_is_one_write_to_each_region_and_one_sync() {
    let (mut disk, options) = (formatted(), Options { segment_bytes: 64 << 10, ..options() });
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &options).unwrap();
    storage.commit(&mut group_of(&[entries(vec![noop(1, 1)])]), &mut disk).unwrap();
    let before = disk.operations;
    let step = Step { entries: vec![command(1, 2, 10), command(1, 3, 3000)], ..Step::default() };
    storage.commit(&mut group_of(&[step]), &mut disk).unwrap();
    assert_eq!(disk.operations - before, 3);
}

#[test]
fn a_group_larger_than_a_segment_gets_one_of_its_own_size() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let many = (1..=500).map(|index| command(1, index, 10)).collect();
    let large = vec![command(1, 501, 300_000)];
    let groups = [vec![entries(many)], vec![entries(large)], vec![entries(vec![noop(1, 502)])]];
    story.commit(&mut storage, &groups, &mut disk).unwrap();
    disk.restart(End::PowerDropsAll);
    story.recover(&mut disk).unwrap();
}

#[test]
fn reading_returns_what_fits_and_at_least_one() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let groups: Vec<_> = (0..4)
        .map(|group| vec![entries((1..=3).map(|at| command(1, group * 3 + at, 68)).collect())])
        .collect();
    story.commit(&mut storage, &groups, &mut disk).unwrap();
    let log = &story.acknowledged.log;
    let mut read =
        |first, last, max_bytes| storage.read(LogIndex(first), LogIndex(last), max_bytes, &mut disk).unwrap();
    // An entry counts for 100 bytes: its command and the overhead.
    assert_eq!(read(2, 11, 0), log[1..2]);
    assert_eq!(read(2, 11, 99), log[1..2]);
    assert_eq!(read(2, 11, 300), log[1..4]);
    assert_eq!(read(2, 11, 399), log[1..4]);
    assert_eq!(read(2, 11, 400), log[1..5]);
    assert_eq!(read(2, 4, u64::MAX), log[1..4]);
    assert_eq!(read(1, 99, u64::MAX), log[..], "up to the end of the log");
    assert_eq!(read(13, 20, u64::MAX), []);
    assert_eq!(read(5, 4, u64::MAX), []);
}

#[test]
fn the_tail_handed_over_is_as_long_as_asked() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let group = vec![entries((1..=9).map(|index| command(1, index, 68)).collect())];
    story.commit(&mut storage, &[group], &mut disk).unwrap();
    for (tail_bytes, first) in [(0, 10), (99, 10), (100, 9), (350, 7), (1 << 20, 1)] {
        let options = Options { tail_bytes, ..options() };
        let (_, recovered) = Storage::open(&mut disk, IDENTITY, &options).unwrap();
        assert_eq!(recovered.tail, story.acknowledged.log[first - 1..]);
    }
}

#[test]
fn terms_are_known_for_the_whole_log_after_truncations() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let step = |term, from: Option<u64>, entries| Step {
        hard_state: Some(vote(term, 1)),
        truncate_from: from.map(LogIndex),
        entries,
        ..Step::default()
    };
    let group = vec![
        step(1, None, vec![noop(1, 1), command(1, 2, 1)]),
        step(2, None, vec![noop(2, 3), command(2, 4, 1)]),
        step(4, Some(2), vec![noop(4, 2)]),
        step(5, Some(3), vec![noop(5, 3)]),
    ];
    story.commit(&mut storage, &[group], &mut disk).unwrap();
    let (_, recovered) = open(&mut disk).unwrap();
    let terms = [LogPosition::new(1, 1), LogPosition::new(4, 2), LogPosition::new(5, 3)];
    assert_eq!(recovered.terms, terms);
}

#[test]
#[should_panic(expected = "1@3 cannot be written: it does not follow the last entry; the log ends with 1@1")]
fn a_gap_in_the_log_is_the_callers_bug() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let _ = story.commit(&mut storage, &[vec![entries(vec![noop(1, 1), noop(1, 3)])]], &mut disk);
}

#[test]
#[should_panic(expected = "its term is above the hard state's")]
fn an_entry_of_a_term_that_is_not_durable_is_the_callers_bug() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let _ = story.commit(&mut storage, &[vec![entries(vec![noop(2, 1)])]], &mut disk);
}

#[test]
fn recovery_reads_what_is_used_and_not_the_holes() {
    let mut disk = CrashDisk::default();
    let options = Options { segment_bytes: 1 << 20, tail_bytes: 0, salt_seed: 1 };
    Storage::format(&mut disk, IDENTITY, &options).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &options).unwrap();
    for index in 1..=600 {
        storage.commit(&mut group_of(&[entries(vec![command(1, index, 100)])]), &mut disk).unwrap();
    }
    disk.bytes_read = 0;
    Storage::open(&mut disk, IDENTITY, &options).unwrap();
    // Ten segments of 63 groups, of which each fills a page of slots and a page of records.
    let used = 600 * (64 + 152);
    let headers = 2 * 4096 * (10 + 2);
    // The last segment's free slots are looked at, and its free pages of records as far as a header.
    let free = 64 * 4096 + 192 * 64;
    assert!(disk.bytes_read < used + headers + free, "{} bytes", disk.bytes_read);
}

#[test]
fn the_same_history_makes_the_same_bytes() {
    let live = || {
        let (mut disk, mut story) = (formatted(), Story::default());
        let mut storage = story.recover(&mut disk).unwrap();
        story.commit(&mut storage, &[vec![entries(vec![noop(1, 1), command(1, 2, 50)])]], &mut disk).unwrap();
        disk
    };
    let (mut one, other) = (live(), live());
    for name in one.list().unwrap() {
        assert_eq!(one.bytes(&name), other.bytes(&name), "{name}");
    }
}

#[test]
fn an_empty_command_is_not_a_noop() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    story.commit(&mut storage, &[vec![entries(vec![noop(1, 1), command(1, 2, 0)])]], &mut disk).unwrap();
    let log = storage.read(LogIndex(1), LogIndex(2), u64::MAX, &mut disk).unwrap();
    assert!(matches!(
        &log[..],
        [Entry { payload: Payload::Noop, .. }, Entry { payload: Payload::Command(_), .. }]
    ));
}

#[test]
fn a_withheld_entry_is_none_of_the_others_and_tells_whose_disk_it_is() {
    let withheld = |index| Entry { payload: Payload::Withheld, ..noop(1, index) };
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    story.commit(&mut storage, &[vec![entries(vec![command(1, 1, 9)])]], &mut disk).unwrap();
    assert!(!open(&mut disk).unwrap().1.is_withheld);
    let mut storage = story.recover(&mut disk).unwrap();
    let log = vec![withheld(2), configuration(1, 3, 3), withheld(4), command(1, 5, 9000)];
    story.commit(&mut storage, &[vec![entries(log.clone())]], &mut disk).unwrap();
    let read = storage.read(LogIndex(2), LogIndex(5), u64::MAX, &mut disk).unwrap();
    assert_eq!(read, log);
    assert!(open(&mut disk).unwrap().1.is_withheld, "though the tail that is handed over has none");
}

#[test]
fn configurations_are_found_wherever_they_stand_and_go_with_their_entries() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    // The second is far behind the tail that is handed over at start.
    let first =
        entries(vec![noop(1, 1), configuration(1, 2, 3), command(1, 3, 9000), configuration(1, 4, 1)]);
    story.commit(&mut storage, &[vec![first]], &mut disk).unwrap();
    let (_, recovered) = open(&mut disk).unwrap();
    let found: Vec<LogIndex> = recovered.configurations.iter().map(|(index, _)| *index).collect();
    assert_eq!(found, [LogIndex(2), LogIndex(4)]);
    assert_eq!(recovered.configurations[0].1.to_string(), "voters n1 n2 n3, learners n1002");

    let mut storage = story.recover(&mut disk).unwrap();
    let mut other = entries(vec![configuration(1, 4, 2)]);
    other.truncate_from = Some(LogIndex(4));
    story.commit(&mut storage, &[vec![other]], &mut disk).unwrap();
    let (_, recovered) = open(&mut disk).unwrap();
    assert_eq!(recovered.configurations.len(), 2);
    assert_eq!(recovered.configurations[1].1.to_string(), "voters n1 n2, learners n1004");
}

#[test]
fn a_record_that_checks_and_holds_no_configuration_is_damage() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    story.commit(&mut storage, &[vec![entries(vec![configuration(1, 1, 1)])]], &mut disk).unwrap();
    let record = (52 + 2 * 17, 8192);
    let seed = crate::record::seed(options().salt(1));
    disk.damage("log-00000000000000000001", |bytes| {
        let record = &mut bytes[record.1..record.1 + record.0];
        // Two members of one name.
        record[48 + 17..48 + 25].copy_from_slice(&1_u64.to_le_bytes());
        let crc = crc32c::crc32c_append(seed, &record[..82]);
        record[82..].copy_from_slice(&crc.to_le_bytes());
        let slot = &mut bytes[4096..4096 + 64];
        slot[56..60].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32c::crc32c_append(seed, &slot[..60]);
        slot[60..].copy_from_slice(&crc.to_le_bytes());
    });
    assert!(matches!(open(&mut disk), Err(StorageError::Damaged { .. })), "{:?}", open(&mut disk).err());
}

#[test]
fn real_files_give_back_what_was_written() {
    let path = std::env::temp_dir().join(format!("squall-storage-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    let mut disk = RealDisk::open(&path).unwrap();
    Storage::format(&mut disk, IDENTITY, &options()).unwrap();
    let (mut storage, _) = open(&mut disk).unwrap();
    let mut state = State::default();
    for group in 0..5 {
        let steps = [entries(vec![noop(1, group * 2 + 1), command(1, group * 2 + 2, 4000 * group as usize)])];
        storage.commit(&mut group_of(&steps), &mut disk).unwrap();
        state = state.after(&steps);
    }
    drop(disk);
    let mut disk = RealDisk::open(&path).unwrap();
    let (storage, recovered) = open(&mut disk).unwrap();
    let found = state_of(&storage, &recovered, &mut disk);
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!((found, recovered.boot), (state, 2));
}
