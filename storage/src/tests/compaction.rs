//! What may go, goes; and only that.

use squall_raft::{Entry, LogIndex, LogPosition};

use super::crash_disk::{CrashDisk, End};
use super::story::{
    Act, IDENTITY, Step, Story, command, formatted, group_of, id_of, noop, open, options, state_of, vote,
};
use crate::live::Live;
use crate::record::{Header, Kind};
use crate::segment::Segment;
use crate::slot::Slot;
use crate::{Options, Storage};

fn append(term: u64, indices: core::ops::RangeInclusive<u64>) -> Act {
    let entries: Vec<Entry> = indices.map(|index| command(term, index, 10)).collect();
    Act::Commit(vec![Step { hard_state: Some(vote(term, 1)), entries, ..Step::default() }])
}

/// The log goes on: in the smallest segments each group has its own.
fn roll(term: u64, index: u64) -> Act {
    Act::Commit(vec![Step { entries: vec![noop(term, index)], ..Step::default() }])
}

fn compact(to: LogPosition) -> Act {
    Act::Commit(vec![Step { compact_to: Some(to), ..Step::default() }])
}

fn reset(to: LogPosition) -> Act {
    Act::Commit(vec![Step { reset_to: Some(to), ..Step::default() }])
}

fn snapshot(last: LogPosition) -> [Act; 3] {
    [Act::Begin(last), Act::Write(5000), Act::Finish]
}

fn segments(disk: &CrashDisk) -> usize {
    disk.names().iter().filter(|name| name.starts_with("log-")).count()
}

fn live(acts: impl IntoIterator<Item = Act>) -> (CrashDisk, Story, Storage) {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let acts: Vec<Act> = acts.into_iter().collect();
    story.live(&mut storage, &acts, &mut disk).unwrap();
    (disk, story, storage)
}

/// Entries 1@1 to 1@10, two in each segment, and a snapshot of 1@7.
fn log_of_ten() -> impl Iterator<Item = Act> {
    (0..5).map(|pair| append(1, pair * 2 + 1..=pair * 2 + 2)).chain(snapshot(LogPosition::new(1, 7)))
}

#[test]
fn what_a_snapshot_stands_for_goes_when_the_next_segment_is_made_and_no_sooner() {
    let (mut disk, mut story, mut storage) = live(log_of_ten().chain([compact(LogPosition::new(1, 7))]));
    assert_eq!((segments(&disk), storage.base()), (5, LogPosition::ZERO));
    story.live(&mut storage, &[roll(1, 11)], &mut disk).unwrap();
    // Entry 7 shares a segment with 8, which is needed. Of the three that went, two wait to be used again.
    assert_eq!((segments(&disk), storage.base()), (3 + 2, LogPosition::new(1, 6)));
    let read = |first, disk: &mut _| storage.read(LogIndex(first), LogIndex(11), u64::MAX, disk).unwrap();
    assert_eq!(read(7, &mut disk), story.acknowledged.log[6..]);
    assert_eq!(read(6, &mut disk), [], "what is gone is not read, nor what follows in its place");
    assert_eq!(storage.extent(LogPosition::new(1, 6)), None);
    assert!(storage.extent(LogPosition::new(1, 7)).is_some());
}

#[test]
fn no_more_goes_than_was_given_up() {
    let (mut disk, mut story, mut storage) = live(log_of_ten().chain([compact(LogPosition::new(1, 4))]));
    story.live(&mut storage, &[roll(1, 11), roll(1, 12)], &mut disk).unwrap();
    assert_eq!(storage.base(), LogPosition::new(1, 4));
    for _ in 0..3 {
        disk.restart(End::PowerDropsAll);
        let storage = story.recover(&mut disk).unwrap();
        assert_eq!(storage.base(), LogPosition::new(1, 4), "a restart gives up nothing");
    }
}

#[test]
fn a_log_of_which_nothing_is_left_goes_on_behind_its_base() {
    let all = LogPosition::new(1, 10);
    let (mut disk, mut story, mut storage) = live(log_of_ten().chain(snapshot(all)).chain([compact(all)]));
    let vote_again = Act::Commit(vec![Step { hard_state: Some(vote(2, 2)), ..Step::default() }]);
    story.live(&mut storage, &[vote_again], &mut disk).unwrap();
    // The last segment holds 9 and 10, and is written to.
    assert_eq!(storage.base(), LogPosition::new(1, 8));
    story.live(&mut storage, &[roll(2, 11)], &mut disk).unwrap();
    assert_eq!((storage.base(), segments(&disk)), (all, 1 + 2));
    disk.restart(End::PowerDropsAll);
    let mut storage = story.recover(&mut disk).unwrap();
    let replace = Step { truncate_from: Some(LogIndex(11)), entries: vec![noop(2, 11)], ..Step::default() };
    story.live(&mut storage, &[Act::Commit(vec![replace]), roll(2, 12)], &mut disk).unwrap();
    disk.restart(End::PowerDropsAll);
    story.recover(&mut disk).unwrap();
}

#[test]
fn terms_are_known_from_the_base_on() {
    let base = LogPosition::new(2, 6);
    let acts = [append(1, 1..=3), append(2, 4..=6), append(2, 7..=8), append(4, 9..=9)];
    let (mut disk, _, _) = live(acts.into_iter().chain(snapshot(base)).chain([compact(base), roll(4, 10)]));
    let (storage, recovered) = open(&mut disk).unwrap();
    assert_eq!(recovered.base, base);
    assert_eq!(recovered.terms, [LogPosition::new(2, 7), LogPosition::new(4, 9)]);
    assert_eq!(recovered.tail.len(), 4, "the tail ends before the base");
    assert_eq!(recovered.snapshot, Some(id_of(base, 5000)));
    state_of(&storage, &recovered, &mut disk);
}

#[test]
fn compaction_costs_no_sync_and_removes_a_few_files_at_a_time() {
    let appends = || (1..=20).map(|index| append(1, index..=index));
    let last = LogPosition::new(1, 20);
    let cost = |acts: Vec<Act>| {
        let (mut disk, mut story, mut storage) = live(acts);
        let before = disk.operations;
        story.live(&mut storage, &[roll(1, 21)], &mut disk).unwrap();
        (disk.operations - before, disk, story, storage)
    };
    let (without, ..) = cost(appends().chain(snapshot(last)).collect());
    let (with, mut disk, mut story, mut storage) =
        cost(appends().chain(snapshot(last)).chain([compact(last)]).collect());
    assert_eq!((with, segments(&disk)), (without + 4, 17), "four removals, and nothing else");
    // Two files are used again, and then there are new ones.
    for left in [13, 9, 6, 5, 6] {
        let index = storage.last_index().next().0;
        story.live(&mut storage, &[roll(1, index)], &mut disk).unwrap();
        assert_eq!(segments(&disk), left);
    }
}

#[test]
fn a_file_that_is_used_again_has_empty_slots_and_old_records_that_nobody_believes() {
    for is_of_an_earlier_life in [false, true] {
        check_file_that_is_used_again(is_of_an_earlier_life);
    }
}

fn check_file_that_is_used_again(is_of_an_earlier_life: bool) {
    let options = Options { segment_bytes: 64 << 10, ..options() };
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &options).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &options).unwrap();
    let mut commit =
        |storage: &mut Storage, step: Step| storage.commit(&mut group_of(&[step]), &mut disk).unwrap();
    commit(&mut storage, Step { hard_state: Some(vote(1, 1)), ..Step::default() });
    // Three groups in each segment, of three pages each.
    for index in 1..=9 {
        commit(&mut storage, Step { entries: vec![command(1, index, 12_000)], ..Step::default() });
    }
    if is_of_an_earlier_life {
        disk.restart(End::Process);
        (storage, _) = Storage::open(&mut disk, IDENTITY, &options).unwrap();
    }
    let last = LogPosition::new(1, 9);
    storage.begin_snapshot(last, &mut disk).unwrap();
    storage.finish_snapshot(&mut disk).unwrap();
    let mut commit =
        |storage: &mut Storage, step: Step| storage.commit(&mut group_of(&[step]), &mut disk).unwrap();
    commit(&mut storage, Step { compact_to: Some(last), ..Step::default() });
    let mut index = last.index;
    while storage.files_reused() == 0 {
        index = index.next();
        commit(&mut storage, Step { entries: vec![noop(1, index.0)], ..Step::default() });
    }
    assert!(storage.base() <= last && index <= LogIndex(20), "{} {index}", storage.base());

    let segment = storage.segments.last().unwrap();
    let (layout, used) = (segment.header.layout, segment.used);
    let file = disk.bytes(&segment.name());
    let is_zero = |from: u64, to: u64| file[from as usize..to as usize].iter().all(|byte| *byte == 0);
    assert!(is_zero(layout.slots_at(used.slot_pages), layout.records_at(0)), "no slot is left");
    let end = layout.records_at(layout.record_pages);
    assert!(!is_zero(layout.records_at(used.record_pages), end), "old records are");
    for end in [End::Process, End::PowerDropsAll] {
        disk.restart(end);
        let (storage, recovered) = Storage::open(&mut disk, IDENTITY, &options).unwrap();
        assert_eq!((storage.tail(), recovered.last_index), (crate::Tail::Whole, index));
        let behind: Vec<_> = recovered.tail.into_iter().filter(|entry| entry.index > last.index).collect();
        assert_eq!(behind, (10..=index.0).map(|index| noop(1, index)).collect::<Vec<_>>());
    }
}

#[test]
fn what_a_crash_leaves_of_segments_that_went_is_swept_up() {
    let last = LogPosition::new(1, 20);
    let appends = (1..=20).map(|index| append(1, index..=index));
    let (mut disk, mut story, _) = live(appends.chain(snapshot(last)).chain([compact(last), roll(1, 21)]));
    assert_eq!(segments(&disk), 17);
    disk.restart(End::PowerDropsAll);
    let storage = story.recover(&mut disk).unwrap();
    assert_eq!((segments(&disk), storage.base()), (1, last));
}

#[test]
fn a_log_that_was_truncated_can_be_read_from_the_middle_of_the_story_on() {
    // When the last segment began, the log ended with 1@6; what it holds begins by removing 4 to 6.
    let conflict = Step {
        hard_state: Some(vote(2, 2)),
        truncate_from: Some(LogIndex(4)),
        entries: vec![noop(2, 4), noop(2, 5)],
        ..Step::default()
    };
    let acts = [append(1, 1..=3), append(1, 4..=6), Act::Commit(vec![conflict])];
    let covered = LogPosition::new(2, 4);
    let acts = acts.into_iter().chain(snapshot(covered)).chain([compact(covered)]);
    let vote_again = Act::Commit(vec![Step { hard_state: Some(vote(3, 3)), ..Step::default() }]);
    let (mut disk, mut story, storage) = live(acts.chain([vote_again]));
    assert_eq!((storage.base(), segments(&disk)), (LogPosition::new(1, 3), 1 + 2));
    for _ in 0..3 {
        disk.restart(End::PowerDropsAll);
        let storage = story.recover(&mut disk).unwrap();
        assert_eq!(storage.base(), LogPosition::new(1, 3), "the truncation tells the term of what it left");
    }
    let mut storage = story.recover(&mut disk).unwrap();
    story.live(&mut storage, &[roll(3, 6), roll(3, 7)], &mut disk).unwrap();
    disk.restart(End::PowerDropsAll);
    story.recover(&mut disk).unwrap();
}

#[test]
fn after_a_reset_the_log_begins_behind_the_snapshot_whatever_it_held() {
    for last in [LogPosition::new(2, 4), LogPosition::new(2, 10), LogPosition::new(2, 50)] {
        let mut acts: Vec<Act> = (0..5).map(|pair| append(1, pair * 2 + 1..=pair * 2 + 2)).collect();
        acts.extend([
            append(2, 11..=11),
            Act::Receive(last, 9000),
            Act::Get(9000),
            Act::Install,
            reset(last),
        ]);
        let (mut disk, mut story, mut storage) = live(acts);
        assert_eq!((storage.base(), storage.last_index()), (last, last.index));
        story.live(&mut storage, &[roll(2, last.index.next().0)], &mut disk).unwrap();
        disk.restart(End::PowerDropsAll);
        let storage = story.recover(&mut disk).unwrap();
        assert_eq!((storage.base(), storage.last_index()), (last, last.index.next()));
        assert_eq!(segments(&disk), 1, "what the reset discarded is gone");
    }
}

#[test]
fn a_reset_in_the_last_group_of_all_is_carried_like_any_other() {
    let last = LogPosition::new(2, 4);
    let acts = [append(2, 1..=9), Act::Receive(last, 100), Act::Get(100), Act::Install, reset(last)];
    let (mut disk, mut story, _) = live(acts);
    for _ in 0..3 {
        disk.restart(End::PowerDropsAll);
        let storage = story.recover(&mut disk).unwrap();
        assert_eq!((storage.base(), storage.last_index()), (last, last.index));
    }
}

#[test]
fn the_first_segment_of_a_compacted_log_is_missed() {
    let last = LogPosition::new(1, 4);
    let (disk, _, storage) = live(log_of_ten().chain([compact(last), roll(1, 11)]));
    for name in storage.segments.iter().map(Segment::name) {
        let mut rest = CrashDisk::default();
        for other in disk.names().into_iter().filter(|other| *other != name) {
            rest.put(&other, disk.bytes(&other));
        }
        let error = open(&mut rest).unwrap_err();
        assert!(error.to_string().contains("missing"), "{name}: {error}");
    }
}

fn slot(kind: Kind, position: LogPosition) -> Slot {
    Slot {
        header: Header { payload_bytes: 0, kind, ordinal: 0, count: 1, sequence: 1, group: 1, position },
        offset: 0,
        record_crc: None,
        payload: None,
        has_record: true,
    }
}

#[test]
fn a_truncation_that_leaves_another_entry_than_it_says_belongs_to_another_log() {
    let mut log = Live::after(LogPosition::new(1, 4));
    assert_eq!(log.apply(&slot(Kind::Noop, LogPosition::new(2, 5)), 0), Ok(()));
    for (wrong, right) in [((1, 6), (2, 6)), ((2, 5), (1, 5))] {
        let [wrong, right] = [wrong, right].map(|(term, index)| LogPosition::new(term, index));
        assert_eq!(log.apply(&slot(Kind::Truncate, wrong), 0), Err("it truncates another log"));
        assert_eq!(log.apply(&slot(Kind::Truncate, right), 0), Ok(()));
    }
    assert_eq!(log.last_position(), LogPosition::new(1, 4));
}

#[test]
fn that_an_entry_was_withheld_is_known_when_the_log_holds_it_no_more() {
    for (kind, position, left) in [
        (Kind::Truncate, LogPosition::new(1, 5), LogPosition::new(1, 4)),
        (Kind::Truncate, LogPosition::new(1, 4), LogPosition::new(1, 3)), // Nothing before 1@5 was read.
        (Kind::Reset, LogPosition::new(2, 9), LogPosition::new(2, 9)),
    ] {
        let mut log = Live::after(LogPosition::new(1, 4));
        assert!(!log.is_withheld());
        log.apply(&slot(Kind::Withheld, LogPosition::new(1, 5)), 0).unwrap();
        log.apply(&slot(kind, position), 0).unwrap();
        assert_eq!((log.last_position(), log.is_withheld()), (left, true), "{kind:?}");
    }
}

#[test]
#[should_panic(expected = "the log is given up to 1@4, and the newest snapshot is of 0@0")]
fn a_compaction_without_a_snapshot_is_the_callers_bug() {
    live([
        append(1, 1..=6),
        Act::Begin(LogPosition::new(1, 5)),
        Act::Write(9),
        compact(LogPosition::new(1, 4)),
    ]);
}

#[test]
#[should_panic(expected = "the log is given up to 1@8, and the newest snapshot is of 1@7")]
fn a_compaction_beyond_the_snapshot_is_the_callers_bug() {
    live(log_of_ten().chain([compact(LogPosition::new(1, 8))]));
}

#[test]
#[should_panic(expected = "the log is given up to 2@50, and the newest snapshot is of 1@7")]
fn a_reset_before_its_snapshot_is_whole_is_the_callers_bug() {
    let last = LogPosition::new(2, 50);
    live(log_of_ten().chain([Act::Receive(last, 9000), Act::Get(9000), reset(last)]));
}

#[test]
#[should_panic(expected = "the log is given up to 2@7, and the newest snapshot is of 1@7")]
fn a_reset_to_another_entry_than_the_snapshots_is_the_callers_bug() {
    live(log_of_ten().chain([reset(LogPosition::new(2, 7))]));
}

#[test]
#[should_panic(expected = "the log is given up to 9@4, and has Some(1@4) there")]
fn a_compaction_of_an_entry_that_the_log_does_not_have_is_the_callers_bug() {
    live(log_of_ten().chain([compact(LogPosition::new(9, 4))]));
}

#[test]
#[should_panic(expected = "a truncation from 6 on cannot be written: it truncates what is not there")]
fn a_truncation_of_what_is_gone_is_the_callers_bug() {
    let (mut disk, _, mut storage) = live(log_of_ten().chain([compact(LogPosition::new(1, 7)), roll(1, 11)]));
    let step = Step { truncate_from: Some(LogIndex(6)), ..Step::default() };
    let _ = storage.commit(&mut group_of(&[step]), &mut disk);
}

#[test]
#[should_panic(expected = "a reset to 1@6 cannot be written: it resets the log to what is gone")]
fn a_reset_to_what_is_gone_is_the_callers_bug() {
    let (mut disk, _, mut storage) = live(log_of_ten().chain([compact(LogPosition::new(1, 7)), roll(1, 11)]));
    let step = Step { reset_to: Some(LogPosition::new(1, 6)), ..Step::default() };
    let _ = storage.commit(&mut group_of(&[step]), &mut disk);
}
