//! Snapshots that are taken, received and read.

use squall_disk::RealDisk;
use squall_raft::{LogPosition, SnapshotId};

use super::crash_disk::{CrashDisk, End};
use super::story::{
    Act, IDENTITY, Step, Story, command, formatted, group_of, id_of, image, noop, open, options, state_of,
    vote,
};
use crate::Storage;
use crate::snapshot::{CHUNK_BYTES, chunk_at};

const CHUNK: u64 = CHUNK_BYTES;

pub(super) fn at(index: u64) -> LogPosition {
    LogPosition::new(1, index)
}

pub(super) fn snapshot(index: u64, bytes: u64) -> [Act; 3] {
    [Act::Begin(at(index)), Act::Write(bytes), Act::Finish]
}

pub(super) fn append(index: u64) -> Act {
    let entries = vec![command(1, index, 20)];
    Act::Commit(vec![Step { hard_state: Some(vote(1, 1)), entries, ..Step::default() }])
}

pub(super) fn live(acts: impl IntoIterator<Item = Act>) -> (CrashDisk, Story, Storage) {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let acts: Vec<Act> = acts.into_iter().collect();
    story.live(&mut storage, &acts, &mut disk).unwrap();
    (disk, story, storage)
}

pub(super) fn snapshots(disk: &CrashDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.starts_with("snapshot-")).collect()
}

/// Reads a snapshot to its end in portions.
fn read_whole(storage: &Storage, id: SnapshotId, portion: u64, disk: &mut CrashDisk) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let read = storage.read_snapshot(id, bytes.len() as u64, portion, disk).unwrap()?;
        if read.is_empty() {
            return Some(bytes);
        }
        assert!(read.len() as u64 <= portion);
        bytes.extend(read);
    }
}

#[test]
fn a_snapshot_is_what_was_written_whatever_the_portions() {
    for bytes in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 40_000] {
        for pieces in [1, 2, 7] {
            let mut acts = vec![Act::Begin(at(1))];
            acts.extend(
                (0..pieces).map(|piece| Act::Write(bytes * (piece + 1) / pieces - bytes * piece / pieces)),
            );
            let (mut disk, mut story, mut storage) = live(acts.into_iter().chain([Act::Finish]));
            let id = id_of(at(1), bytes);
            for portion in [1000, CHUNK, 10_000, u64::MAX] {
                assert_eq!(read_whole(&storage, id, portion, &mut disk), Some(image(at(1), 0..bytes)));
            }
            disk.restart(End::PowerDropsAll);
            storage = story.recover(&mut disk).unwrap();
            assert_eq!(storage.snapshot(), Some(id));
        }
    }
}

#[test]
fn one_call_reads_a_mebibyte_at_most_however_much_is_asked_for() {
    let (mut disk, _, storage) = live([Act::Begin(at(1)), Act::Write(3 << 20), Act::Finish]);
    let id = id_of(at(1), 3 << 20);
    let read =
        |offset, disk: &mut _| storage.read_snapshot(id, offset, u64::MAX, disk).unwrap().unwrap().len();
    assert_eq!(read(5, &mut disk), 1 << 20);
    assert_eq!(read((3 << 20) - 7, &mut disk), 7);
    assert_eq!(read(u64::MAX, &mut disk), 0);
}

#[test]
fn a_piece_is_one_write_and_one_sync_and_none_where_it_fills_no_chunk() {
    let (mut disk, mut story, mut storage) = live([Act::Begin(at(1)), Act::Receive(at(9), 100_000)]);
    for (act, operations) in [
        (Act::Write(CHUNK - 1), 0),
        (Act::Write(1), 2),
        (Act::Write(50_000), 2),
        (Act::Get(9), 0),
        (Act::Get(90_000), 2),
    ] {
        let before = disk.operations;
        story.live(&mut storage, &[act], &mut disk).unwrap();
        assert_eq!(disk.operations - before, operations);
    }
}

#[test]
fn a_snapshot_that_is_begun_anew_forgets_what_was_written() {
    let acts = [Act::Begin(at(1)), Act::Write(9000), Act::Begin(at(1)), Act::Write(10), Act::Begin(at(2))];
    let (disk, _, storage) = live(acts.into_iter().chain([Act::Write(5), Act::Finish]));
    assert_eq!(storage.snapshot(), Some(id_of(at(2), 5)));
    assert_eq!(snapshots(&disk).len(), 1);
}

#[test]
fn the_newest_two_are_kept_for_those_who_read_them() {
    let (mut disk, mut story, storage) = live((1..=3).flat_map(|index| snapshot(index, 5000 * index)));
    let read = |index, disk: &mut _| read_whole(&storage, id_of(at(index), 5000 * index), 3000, disk);
    assert_eq!(read(1, &mut disk), None);
    assert_eq!(read(2, &mut disk), Some(image(at(2), 0..10_000)));
    assert_eq!(read(3, &mut disk), Some(image(at(3), 0..15_000)));
    let another = SnapshotId { checksum: 7, ..id_of(at(3), 15_000) };
    assert_eq!(read_whole(&storage, another, 3000, &mut disk), None, "a name is more than an index");
    story.recover(&mut disk).unwrap();
    assert_eq!(snapshots(&disk).len(), 1, "a start has no readers yet");
}

#[test]
fn a_snapshot_that_was_overtaken_does_not_win() {
    let overtaken = [Act::Begin(at(3)), Act::Write(50), Act::Receive(at(8), 60), Act::Get(60), Act::Install];
    let (_, _, storage) = live(overtaken.into_iter().chain([Act::Write(50), Act::Finish]));
    assert_eq!(storage.snapshot(), Some(id_of(at(8), 60)));
}

#[test]
fn what_is_received_goes_on_where_it_was_durable_after_any_number_of_restarts() {
    let (mut disk, mut story, _) =
        live([Act::Receive(at(9), 50_000), Act::Get(9000), Act::Get(9000), Act::Get(100)]);
    let received = Some((id_of(at(9), 50_000), 4 * CHUNK));
    for end in [End::Process, End::PowerDropsAll, End::PowerKeepsAll, End::PowerDropsAll] {
        disk.restart(end);
        let storage = story.recover(&mut disk).unwrap();
        assert_eq!(storage.received_snapshot(), received);
    }
    let (mut storage, recovered) = open(&mut disk).unwrap();
    assert_eq!(recovered.receiving, received);
    story
        .live(
            &mut storage,
            &[Act::Receive(at(9), 50_000), Act::Get(50_000 - 4 * CHUNK), Act::Install],
            &mut disk,
        )
        .unwrap();
    assert_eq!(storage.received_snapshot(), None);
    disk.restart(End::PowerDropsAll);
    story.recover(&mut disk).unwrap();
}

#[test]
fn of_what_is_received_anything_behind_a_bad_chunk_is_received_anew() {
    let (mut disk, mut story, _) =
        live([Act::Receive(at(9), 50_000), Act::Get(2 * CHUNK), Act::Get(4 * CHUNK)]);
    disk.damage("received-snapshot", |bytes| bytes[chunk_at(3) as usize + 50] ^= 1);
    let (mut storage, recovered) = open(&mut disk).unwrap();
    let id = id_of(at(9), 50_000);
    assert_eq!(recovered.receiving, Some((id, 3 * CHUNK)));
    let piece = image(at(9), 3 * CHUNK..4 * CHUNK);
    assert_eq!(storage.write_received(3 * CHUNK, &piece, &mut disk), Ok(4 * CHUNK));
    let (mut storage, recovered) = open(&mut disk).unwrap();
    assert_eq!(recovered.receiving, Some((id, 4 * CHUNK)), "what stood behind it does not come back");
    story.acknowledged.received = None;
    let rest = image(at(9), 4 * CHUNK..50_000);
    storage.write_received(4 * CHUNK, &rest, &mut disk).unwrap();
    assert_eq!(storage.finish_received(&mut disk), Ok(Ok(id)));
}

#[test]
fn what_is_received_is_given_up_for_another_and_for_a_later_one_of_its_own() {
    let (mut disk, mut story, mut storage) = live([Act::Receive(at(9), 50_000), Act::Get(9000)]);
    let longer = id_of(at(9), 50_001);
    assert_eq!(storage.begin_received(longer, &mut disk), Ok(0));
    assert_eq!(storage.received_snapshot(), Some((longer, 0)));
    story.acknowledged = story.acknowledged.after_act(&Act::Receive(at(9), 50_001));
    story.live(&mut storage, &[Act::Get(9000)], &mut disk).unwrap();
    story.live(&mut storage, &snapshot(9, 100), &mut disk).unwrap();
    let storage = story.recover(&mut disk).unwrap();
    assert_eq!(storage.received_snapshot(), None);
}

#[test]
fn what_a_start_finds_of_a_received_snapshot_is_durable_even_if_its_sync_had_failed() {
    let (mut disk, mut story, mut storage) = live([Act::Receive(at(9), 50_000)]);
    disk.fail_at = Some(disk.operations + 2); // The write, then the sync.
    assert!(story.live(&mut storage, &[Act::Get(9000)], &mut disk).is_err());
    disk.restart(End::Process);
    let found = story.recover(&mut disk).unwrap().received_snapshot();
    assert_eq!(found, Some((id_of(at(9), 50_000), 2 * CHUNK)), "the page cache shows it");
    disk.restart(End::PowerDropsAll);
    assert_eq!(story.recover(&mut disk).unwrap().received_snapshot(), found);
}

#[test]
fn of_what_was_not_yet_received_a_restart_knows_nothing() {
    let (mut disk, mut story, _) = live([Act::Receive(at(9), 50_000), Act::Get(CHUNK - 1)]);
    let storage = story.recover(&mut disk).unwrap();
    assert_eq!(storage.received_snapshot(), None);
    assert!(!disk.names().iter().any(|name| name == "received-snapshot"));
}

#[test]
fn bytes_that_are_here_already_are_passed_over_and_those_behind_missing_ones_are_not_taken() {
    let (mut disk, _, mut storage) = live([Act::Receive(at(9), 9000), Act::Get(5000)]);
    let (id, other) = (id_of(at(9), 9000), id_of(at(12), 9000));
    let mut store = |id: SnapshotId, from: u64, to: u64| {
        let stored = storage.store_received(id, from, &image(id.last, from..to), &mut disk);
        let is_whole = stored == Ok(Some(id.bytes));
        (stored, is_whole.then(|| storage.finish_received(&mut disk)))
    };
    assert_eq!(store(id, 0, 3000), (Ok(Some(5000)), None));
    assert_eq!(store(id, 5001, 9000), (Ok(None), None));
    assert_eq!(store(id, 4000, 9000), (Ok(Some(9000)), Some(Ok(Ok(id)))));
    assert_eq!(store(id, 4000, 9000), (Ok(None), None), "it is whole");
    assert_eq!(store(other, 1, 2), (Ok(None), None));
    assert_eq!(store(other, 0, 2), (Ok(Some(2)), None));
}

#[test]
fn what_is_not_the_snapshot_that_was_promised_is_refused_and_forgotten() {
    let id = id_of(at(9), 9000);
    let mut wrong = image(at(9), 0..9000);
    wrong[8999] ^= 1;
    for bytes in [&wrong[..], &wrong[..8999], &[&wrong[..], &[0]].concat()] {
        let (mut disk, mut story, mut storage) = live([append(1)]);
        storage.begin_received(id, &mut disk).unwrap();
        storage.write_received(0, bytes, &mut disk).unwrap();
        let refused = storage.finish_received(&mut disk).unwrap().unwrap_err();
        assert_eq!((refused.promised, refused.received.bytes), (id, bytes.len() as u64));
        let said = refused.to_string();
        assert!(said.starts_with("the snapshot of 1@9 was to have 9000 bytes with checksum"), "{said}");
        assert_eq!((storage.snapshot(), storage.received_snapshot()), (None, None));
        story
            .live(
                &mut storage,
                &[append(2), Act::Receive(at(9), 9000), Act::Get(9000), Act::Install],
                &mut disk,
            )
            .unwrap();
        story.recover(&mut disk).unwrap();
    }
}

#[test]
fn files_that_only_look_like_snapshots_are_left_alone() {
    let (mut disk, mut story, _) = live(snapshot(4, 90));
    for name in ["snapshot-notes.txt", "snapshot-4-0", "snapshot-00000000000000000004-x000000000"] {
        disk.put(name, b"mine");
    }
    let (storage, _) = open(&mut disk).unwrap();
    assert_eq!(storage.snapshot(), story.acknowledged.snapshot.take());
    assert_eq!(snapshots(&disk).len(), 4);
}

#[test]
fn real_files_keep_a_snapshot_and_the_log_behind_it() {
    let path = std::env::temp_dir().join(format!("squall-storage-snapshots-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    let start = || {
        let mut disk = RealDisk::open(&path).unwrap();
        let (storage, recovered) = open(&mut disk).unwrap();
        (disk, storage, recovered)
    };
    Storage::format(&mut RealDisk::open(&path).unwrap(), IDENTITY, &options()).unwrap();
    let (mut disk, mut storage, _) = start();
    for index in 1..=9 {
        let step = Step { hard_state: Some(vote(1, 1)), entries: vec![noop(1, index)], ..Step::default() };
        storage.commit(&mut group_of(&[step]), &mut disk).unwrap();
    }
    let id = id_of(at(7), 9000);
    storage.begin_received(id, &mut disk).unwrap();
    storage.write_received(0, &image(at(7), 0..5000), &mut disk).unwrap();

    drop(disk);
    let (mut disk, mut storage, recovered) = start();
    assert_eq!(recovered.receiving, Some((id, CHUNK)));
    storage.write_received(CHUNK, &image(at(7), CHUNK..9000), &mut disk).unwrap();
    assert_eq!(storage.finish_received(&mut disk), Ok(Ok(id)));
    for step in [
        Step { compact_to: Some(at(7)), ..Step::default() },
        Step { entries: vec![noop(1, 10)], ..Step::default() },
    ] {
        storage.commit(&mut group_of(&[step]), &mut disk).unwrap();
    }

    drop(disk);
    let (mut disk, storage, recovered) = start();
    let found = state_of(&storage, &recovered, &mut disk);
    let files = std::fs::read_dir(&path).unwrap().count();
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!((found.base, found.snapshot, recovered.boot), (at(7), Some(id), 3));
    assert_eq!(found.log, [noop(1, 8), noop(1, 9), noop(1, 10)]);
    assert_eq!(files, 2 + 1 + 3, "identity and hard state, a snapshot, three segments");
}

#[test]
fn of_a_received_snapshot_that_got_no_name_before_a_crash_something_is_left_to_receive() {
    let (mut disk, _, mut storage) = live([append(1)]);
    let id = id_of(at(9), 2 * CHUNK_BYTES);
    storage.begin_received(id, &mut disk).unwrap();
    storage.write_received(0, &image(at(9), 0..2 * CHUNK_BYTES), &mut disk).unwrap();
    disk.restart(End::PowerDropsAll);
    let (mut storage, recovered) = open(&mut disk).unwrap();
    assert_eq!(recovered.receiving, Some((id, CHUNK_BYTES)));
    storage.write_received(CHUNK_BYTES, &image(at(9), CHUNK_BYTES..2 * CHUNK_BYTES), &mut disk).unwrap();
    assert_eq!(storage.finish_received(&mut disk), Ok(Ok(id)));
}
