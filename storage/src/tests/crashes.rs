//! A short history, and a crash at every operation of it and of the recovery that follows.

use squall_raft::{Entry, LogIndex, LogPosition};

use super::crash_disk::{CrashDisk, End};
use super::story::{Act, IDENTITY, Step, Story, command, formatted, noop, open, options, vote};
use crate::{Storage, StorageError};

const ENDS: [End; 7] = [
    End::Process,
    End::PowerKeepsAll,
    End::PowerDropsAll,
    End::PowerTears(1),
    End::PowerTears(2),
    End::PowerTears(3),
    End::PowerTears(4),
];

type History = fn() -> Vec<Act>;

const HISTORIES: [History; 2] = [history, history_with_snapshots];

/// Votes, small and large groups, a truncation, a segment that fills up, and a group that needs its own.
fn history() -> Vec<Act> {
    let groups = vec![
        vec![Step { hard_state: Some(vote(1, 3)), entries: vec![noop(1, 1)], ..Step::default() }],
        vec![entries(vec![command(1, 2, 100), command(1, 3, 5000)]), entries(vec![command(1, 4, 0)])],
        vec![Step { hard_state: Some(vote(2, 1)), ..Step::default() }],
        vec![Step {
            hard_state: Some(vote(3, 2)),
            truncate_from: Some(LogIndex(3)),
            entries: vec![noop(3, 3), command(3, 4, 30)],
            ..Step::default()
        }],
        vec![entries(vec![command(3, 5, 20_000), command(3, 6, 10)])],
        vec![entries(vec![command(3, 7, 10)])],
    ];
    groups.into_iter().map(Act::Commit).collect()
}

/// A snapshot is taken while the log goes on, and the log is compacted, more than one commit removes; another is received
/// and discarded, another received while a conflict is found, and the log is reset to it; one more is taken.
fn history_with_snapshots() -> Vec<Act> {
    let hard = |term| Step { hard_state: Some(vote(term, 3)), ..Step::default() };
    let append = |list| Act::Commit(vec![entries(list)]);
    let compact = |to| Act::Commit(vec![Step { compact_to: Some(to), ..Step::default() }]);
    let at = LogPosition::new;
    let mut acts = vec![Act::Commit(vec![hard(1), entries(vec![noop(1, 1)])])];
    acts.extend((2..=7).map(|index| append(vec![command(1, index, 900)])));
    acts.extend([Act::Begin(at(1, 6)), Act::Write(3000), append(vec![command(1, 8, 10)]), Act::Write(9000)]);
    acts.extend([Act::Finish, compact(at(1, 6)), append(vec![command(1, 9, 10)])]);
    acts.extend([Act::Receive(at(2, 15), 20_000), Act::Get(9000), Act::Receive(at(2, 20), 13_000)]);
    acts.extend([Act::Get(5000), Act::Commit(vec![hard(2), entries(vec![noop(2, 10)])]), Act::Get(4000)]);
    let conflict = Step { truncate_from: Some(LogIndex(9)), entries: vec![noop(3, 9)], ..hard(3) };
    acts.extend([Act::Commit(vec![conflict]), Act::Get(1000), Act::Get(3000), Act::Install]);
    let reset = Step { reset_to: Some(at(2, 20)), entries: vec![noop(3, 21)], ..Step::default() };
    acts.extend([
        Act::Commit(vec![entries(vec![command(3, 10, 9)]), reset]),
        append(vec![command(3, 22, 9)]),
    ]);
    acts.extend([Act::Begin(at(3, 22)), Act::Write(100), Act::Finish, append(vec![command(3, 23, 9)])]);
    acts.extend([compact(at(3, 22)), Act::Commit(vec![hard(4)])]);
    acts
}

fn entries(entries: Vec<Entry>) -> Step {
    Step { entries, ..Step::default() }
}

/// Lives a history on a disk that stops at operation `crash_at`. Returns whether it did.
fn live(history: History, crash_at: u64) -> (CrashDisk, Story, bool) {
    let (mut disk, mut story) = (formatted(), Story::default());
    disk.crash_at = Some(crash_at);
    let result =
        story.recover(&mut disk).and_then(|mut storage| story.live(&mut storage, &history(), &mut disk));
    (disk, story, result.is_err())
}

/// What was found stays so, whatever happens next; and the log goes on.
fn check_it_stays_so(mut disk: CrashDisk, mut story: Story, mut storage: Storage, end: End) {
    let mut later = (disk.clone(), story.clone());
    later.0.restart(end);
    later.1.recover(&mut later.0).unwrap();

    let acts = story.continuation();
    story.live(&mut storage, &acts, &mut disk).unwrap();
    disk.restart(end);
    story.recover(&mut disk).unwrap();
}

#[test]
fn a_crash_at_any_operation_loses_nothing_and_invents_nothing() {
    HISTORIES.into_iter().for_each(check_crashes);
}

fn check_crashes(history: History) {
    let mut dropped = 0;
    for crash_at in 0.. {
        let (crashed, lived, has_crashed) = live(history, crash_at);
        for end in ENDS {
            let (mut disk, mut story) = (crashed.clone(), lived.clone());
            disk.restart(end);
            let storage = story.recover(&mut disk).unwrap();
            dropped += u64::from(storage.tail() != crate::Tail::Whole);
            check_it_stays_so(disk, story, storage, end);
        }
        if !has_crashed {
            assert!(crash_at > 40, "the history is long enough: {crash_at} operations");
            break;
        }
    }
    assert!(dropped > 5, "torn tails were dropped: {dropped}");
}

#[test]
fn a_crash_at_any_operation_of_recovery_changes_nothing() {
    HISTORIES.into_iter().for_each(check_crashes_of_recovery);
}

fn check_crashes_of_recovery(history: History) {
    for crash_at in 0.. {
        let (crashed, lived, has_crashed) = live(history, crash_at);
        for end in ENDS.into_iter().skip(crash_at as usize % 3).step_by(3) {
            let mut first = (crashed.clone(), lived.clone());
            first.0.restart(end);
            first.0.operations = 0;
            for second_crash_at in 0.. {
                let (mut disk, mut story) = first.clone();
                disk.crash_at = Some(second_crash_at);
                if story.recover(&mut disk).is_ok() {
                    break;
                }
                let end = ENDS[(crash_at + second_crash_at) as usize % ENDS.len()];
                disk.restart(end);
                let storage = story.recover(&mut disk).unwrap();
                check_it_stays_so(disk, story, storage, end);
            }
        }
        if !has_crashed {
            break;
        }
    }
}

#[test]
fn a_failed_sync_is_never_believed_later() {
    HISTORIES.into_iter().for_each(check_failed_syncs);
}

fn check_failed_syncs(history: History) {
    let operations = live(history, u64::MAX).0.operations;
    let mut failed = 0;
    for fail_at in 1..=operations {
        let (mut disk, mut story) = (formatted(), Story::default());
        disk.fail_at = Some(fail_at);
        let result =
            story.recover(&mut disk).and_then(|mut storage| story.live(&mut storage, &history(), &mut disk));
        if result.is_ok() {
            continue; // That operation was no sync.
        }
        failed += 1;
        // The process starts again on a page cache that shows more than the disk holds.
        disk.restart(End::Process);
        let storage = story.recover(&mut disk).unwrap();
        for end in ENDS {
            check_it_stays_so(disk.clone(), story.clone(), storage.clone(), end);
        }
    }
    assert!(failed > 15, "syncs failed: {failed}");
}

#[test]
fn two_failed_syncs_in_a_row_are_not_believed_either() {
    HISTORIES.into_iter().for_each(check_two_failed_syncs);
}

fn check_two_failed_syncs(history: History) {
    let operations = live(history, u64::MAX).0.operations;
    for fail_at in 1..=operations {
        let (mut disk, mut story) = (formatted(), Story::default());
        disk.fail_at = Some(fail_at);
        let result =
            story.recover(&mut disk).and_then(|mut storage| story.live(&mut storage, &history(), &mut disk));
        if result.is_ok() {
            continue;
        }
        disk.restart(End::Process);
        disk.operations = 0;
        for fail_again_at in 1..30 {
            let (mut disk, mut story) = (disk.clone(), story.clone());
            disk.fail_at = Some(fail_again_at);
            if story.recover(&mut disk).is_ok() {
                continue;
            }
            disk.restart(ENDS[(fail_at + fail_again_at) as usize % ENDS.len()]);
            let storage = story.recover(&mut disk).unwrap();
            check_it_stays_so(disk, story, storage, End::PowerDropsAll);
        }
    }
}

#[test]
fn a_storage_whose_sync_failed_takes_no_more() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    disk.operations = 0;
    disk.fail_at = Some(2); // A hard state is created, written, synced.
    disk.fail_at = disk.fail_at.map(|at| at + 1);
    let acts = history();
    assert!(matches!(story.live(&mut storage, &acts[..1], &mut disk), Err(StorageError::Disk(_))));
    assert_eq!(story.live(&mut storage, &acts[..1], &mut disk), Err(StorageError::Dead));
    assert_eq!(storage.read(LogIndex(1), LogIndex(1), 1, &mut disk), Err(StorageError::Dead));
}

#[test]
fn a_crash_while_formatting_leaves_a_node_or_none() {
    for crash_at in 0.. {
        let mut crashed = CrashDisk::default();
        crashed.crash_at = Some(crash_at);
        let result = Storage::format(&mut crashed, IDENTITY, &options());
        for end in ENDS {
            let mut disk = crashed.clone();
            disk.restart(end);
            match open(&mut disk) {
                Ok((_, recovered)) => assert_eq!((recovered.boot, recovered.last_index.0), (1, 0)),
                Err(error) => {
                    assert!(result.is_err(), "{error}");
                    assert!(matches!(error, StorageError::NotFormatted { .. }), "{error}");
                }
            }
        }
        if result.is_ok() {
            assert!(crash_at > 5);
            break;
        }
    }
}
