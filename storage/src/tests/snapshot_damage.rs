//! Snapshots of which bytes changed after they were durable: masked, or done without, or found and placed.

use squall_raft::LogPosition;

use super::crash_disk::{CrashDisk, End};
use super::snapshots::{append, at, live, snapshot, snapshots};
use super::story::{Act, IDENTITY, Step, Story, command, id_of, image, open, options, state_of, vote};
use crate::snapshot::{CHUNK_BYTES, chunk_at, encode_chunk};
use crate::{Identity, PAGE_BYTES, Part, Storage, StorageError, record, survey};

const PAGE: usize = PAGE_BYTES as usize;
const CHUNK: u64 = CHUNK_BYTES;

/// A log that begins after its snapshot, of three chunks.
fn compacted() -> (CrashDisk, Story) {
    let give_up = Act::Commit(vec![Step { compact_to: Some(at(4)), ..Step::default() }]);
    let acts = (1..=5).map(append).chain(snapshot(4, 9000)).chain([give_up, append(6)]);
    let (disk, story, storage) = live(acts);
    assert_eq!(storage.base(), at(4));
    (disk, story)
}

#[test]
fn a_byte_of_a_snapshot_that_changed_is_masked_or_costs_its_chunk_and_is_never_believed() {
    let (disk, _) = compacted();
    let [name] = &snapshots(&disk)[..] else { panic!("one snapshot") };
    let id = id_of(at(4), 9000);
    let (mut masked, mut lost) = (0, 0);
    for byte in 0..disk.bytes(name).len() {
        let mut damaged = disk.clone();
        damaged.damage(name, |bytes| bytes[byte] ^= 1 << (byte % 8));
        let (_, recovered) = open(&mut damaged).unwrap();
        if recovered.snapshot == Some(id) {
            masked += 1;
            continue;
        }
        let sound = (byte / PAGE - 2) as u64 * CHUNK;
        assert_eq!((recovered.snapshot, recovered.lost_snapshot), (None, Some(id)));
        assert_eq!(recovered.receiving, Some((id, sound)), "what came before is there");
        lost += 1;
    }
    assert_eq!((masked, lost), (2 * PAGE, 3 * PAGE), "the header has two copies, a chunk has one");
}

/// Whichever chunk is bad is all that has to come from elsewhere.
#[test]
fn a_snapshot_that_lost_chunks_is_whole_again_with_those_alone() {
    let (disk, story) = compacted();
    let [name] = &snapshots(&disk)[..] else { panic!("one snapshot") };
    let (id, whole) = (id_of(at(4), 9000), image(at(4), 0..9000));
    for bad in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
        for restarts in [false, true] {
            let mut disk = disk.clone();
            disk.damage(name, |bytes| {
                bad.iter().for_each(|chunk| bytes[chunk_at(*chunk) as usize + 99] ^= 1);
            });
            let (mut storage, recovered) = open(&mut disk).unwrap();
            let (_, mut here) = recovered.receiving.expect("it is being received");
            let mut drawn = 0;
            while here < id.bytes {
                if restarts {
                    (storage, _) = open(&mut disk).unwrap();
                }
                let offset = storage.begin_received(id, &mut disk).unwrap();
                assert!(offset == here || restarts, "{offset} of {here}");
                here = offset;
                let chunk_end = ((here / CHUNK + 1) * CHUNK).min(id.bytes);
                drawn += chunk_end - here;
                here = storage
                    .write_received(here, &whole[here as usize..chunk_end as usize], &mut disk)
                    .unwrap();
            }
            let needed: u64 = bad.iter().map(|chunk| CHUNK.min(id.bytes - chunk * CHUNK)).sum();
            assert!(drawn == needed || restarts, "{drawn} bytes instead of {needed} for {bad:?}");
            assert_eq!(storage.finish_received(&mut disk).unwrap(), Ok(id));
            assert_eq!((storage.snapshot(), storage.lost_snapshot()), (Some(id), None));
            story.clone().recover(&mut disk).unwrap();
        }
    }
}

#[test]
fn a_damaged_snapshot_costs_nothing_while_the_log_has_all_that_it_stands_for() {
    let (disk, mut story, _) = live((1..=5).map(append).chain(snapshot(4, 9000)));
    let [name] = &snapshots(&disk)[..] else { panic!("one snapshot") };
    for byte in (0..disk.bytes(name).len()).step_by(97) {
        let mut damaged = disk.clone();
        damaged.damage(name, |bytes| {
            bytes[byte] ^= 1;
            bytes[byte % PAGE] ^= 1;
            bytes[PAGE + byte % PAGE] ^= 1;
        });
        let (storage, recovered) = open(&mut damaged).unwrap();
        let found = state_of(&storage, &recovered, &mut damaged);
        assert_eq!(found.log, story.acknowledged.log);
        if found.snapshot.is_none() {
            assert_eq!(snapshots(&damaged), [""; 0], "what is of no use is removed");
        }
    }
    let mut damaged = disk;
    damaged.damage(name, |bytes| bytes.truncate(3 * PAGE));
    story.acknowledged.snapshot = None;
    story.recover(&mut damaged).unwrap();
}

#[test]
fn where_the_newest_is_damaged_the_one_before_serves_if_the_log_goes_back_so_far() {
    for is_compacted in [false, true] {
        let mut acts: Vec<Act> =
            (1..=5).map(append).chain(snapshot(2, 9000)).chain(snapshot(4, 9000)).collect();
        if is_compacted {
            acts.push(Act::Commit(vec![Step { compact_to: Some(at(4)), ..Step::default() }]));
        }
        let (mut disk, mut story, _) = live(acts.into_iter().chain([append(6)]));
        let names = snapshots(&disk);
        disk.damage(&names[1], |bytes| bytes[3 * PAGE] ^= 1);
        if is_compacted {
            let (_, recovered) = open(&mut disk).unwrap();
            let found = (recovered.snapshot, recovered.lost_snapshot);
            assert_eq!(found, (None, Some(id_of(at(4), 9000))), "an older one is of no use");
        } else {
            story.acknowledged.snapshot = Some(id_of(at(2), 9000));
            story.recover(&mut disk).unwrap();
        }
    }
}

#[test]
fn a_chunk_from_elsewhere_is_no_chunk() {
    let (disk, _) = compacted();
    let [name] = &snapshots(&disk)[..] else { panic!("one snapshot") };
    let (other, ..) = live(snapshot(5, 9000));
    let theirs = other.bytes(&snapshots(&other)[0]).to_vec();
    let (second, third) = (chunk_at(1) as usize, chunk_at(2) as usize);
    let own = disk.bytes(name)[third..][..PAGE].to_vec();
    for page in [&own[..], &theirs[second..][..PAGE]] {
        let mut disk = disk.clone();
        disk.damage(name, |bytes| bytes[second..][..PAGE].copy_from_slice(page));
        let (_, recovered) = open(&mut disk).unwrap();
        assert_eq!(recovered.lost_snapshot, Some(id_of(at(4), 9000)));
        assert_eq!(recovered.receiving, Some((id_of(at(4), 9000), CHUNK)));
    }
}

#[test]
fn a_snapshot_under_the_name_of_another_is_damaged() {
    let (mut disk, mut story) = compacted();
    let name = snapshots(&disk)[0].clone();
    let (other, ..) = live(snapshot(5, 9000));
    let theirs = other.bytes(&snapshots(&other)[0]).to_vec();
    disk.damage(&name, |bytes| *bytes = theirs);
    let error = story.recover(&mut disk).unwrap_err();
    assert!(error.to_string().contains("another entry than its name"), "{error}");
}

#[test]
fn sound_chunks_of_another_state_are_not_the_snapshot() {
    let (mut disk, mut story) = compacted();
    let [name] = &snapshots(&disk)[..] else { panic!("one snapshot") };
    let seed = record::seed(options().snapshot_salt(1, at(4).index));
    disk.damage(name, |bytes| {
        let mut page = Vec::new();
        encode_chunk(seed, 1, 1, &image(at(5), 0..CHUNK), &mut page);
        bytes[chunk_at(1) as usize..][..PAGE].copy_from_slice(&page);
    });
    let error = story.recover(&mut disk).unwrap_err();
    assert!(error.to_string().contains("are not what its header tells of"), "{error}");
}

#[test]
fn a_snapshot_that_the_log_needs_is_missed() {
    let (disk, mut story) = compacted();
    let mut rest = CrashDisk::default();
    for name in disk.names().into_iter().filter(|name| !name.starts_with("snapshot-")) {
        rest.put(&name, disk.bytes(&name));
    }
    let error = story.recover(&mut rest).unwrap_err();
    assert!(error.to_string().contains(", 1@4: the log begins after this entry, and no snapshot"), "{error}");
}

#[test]
fn a_snapshot_of_another_entry_at_the_place_where_the_log_begins_is_no_help() {
    let (mut disk, mut story) = compacted();
    let name = snapshots(&disk)[0].clone();
    let (other, ..) = live([Act::Begin(LogPosition::new(2, 4)), Act::Write(9000), Act::Finish]);
    let theirs = other.bytes(&snapshots(&other)[0]).to_vec();
    disk.damage(&name, |bytes| *bytes = theirs);
    let error = story.recover(&mut disk).unwrap_err();
    assert!(error.to_string().contains("no snapshot stands for"), "{error}");
}

#[test]
fn a_snapshot_of_another_length_is_damaged() {
    let (disk, story) = compacted();
    let [name] = &snapshots(&disk)[..] else { panic!("one snapshot") };
    for length in [0, 100, PAGE, 2 * PAGE, 4 * PAGE, 5 * PAGE - 1, 5 * PAGE + 1, 6 * PAGE] {
        let mut disk = disk.clone();
        disk.damage(name, |bytes| bytes.resize(length, 0));
        let error = story.clone().recover(&mut disk).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { ref file, .. } if file == name), "{length}: {error}");
    }
}

#[test]
fn a_snapshot_of_another_cluster_is_foreign() {
    let (mut disk, _) = compacted();
    let other = Identity { cluster: 1, ..IDENTITY };
    let mut foreign = CrashDisk::default();
    Storage::format(&mut foreign, other, &options()).unwrap();
    let (mut storage, _) = Storage::open(&mut foreign, other, &options()).unwrap();
    storage.begin_snapshot(at(4), &mut foreign).unwrap();
    storage.finish_snapshot(&mut foreign).unwrap();
    let (name, theirs) = (snapshots(&disk)[0].clone(), snapshots(&foreign)[0].clone());
    let bytes = foreign.bytes(&theirs).to_vec();
    disk.damage(&name, |old| *old = bytes);
    assert!(matches!(open(&mut disk), Err(StorageError::Foreign { file, .. }) if file == name));
}

#[test]
fn a_chunk_damaged_while_it_runs_is_not_handed_out() {
    let (mut disk, _, storage) = live(snapshot(4, 9000));
    let name = snapshots(&disk)[0].clone();
    disk.damage(&name, |bytes| bytes[chunk_at(1) as usize + 99] ^= 1);
    let id = id_of(at(4), 9000);
    let error = storage.read_snapshot(id, 0, 9000, &mut disk).unwrap_err();
    assert!(matches!(error, StorageError::Damaged { offset, .. } if offset == chunk_at(1)), "{error}");
    assert_eq!(storage.read_snapshot(id, 2 * CHUNK, 10, &mut disk).unwrap().unwrap().len(), 10);
}

/// The core acknowledges a snapshot as soon as it is durable, and the log begins anew behind it a moment later.
#[test]
fn a_damaged_snapshot_of_entries_that_the_log_never_had_is_lost_and_its_name_is_not() {
    let (mut disk, _, mut storage) = live([append(1)]);
    let id = id_of(at(9), 9000);
    storage.begin_received(id, &mut disk).unwrap();
    storage.write_received(0, &image(at(9), 0..9000), &mut disk).unwrap();
    assert_eq!(storage.finish_received(&mut disk), Ok(Ok(id)));
    disk.restart(End::PowerDropsAll);
    let name = snapshots(&disk)[0].clone();
    disk.damage(&name, |bytes| bytes[chunk_at(1) as usize + 99] ^= 1);
    let (_, recovered) = open(&mut disk).unwrap();
    assert_eq!((recovered.lost_snapshot, recovered.last_index), (Some(id), at(1).index));
}

/// Entries of another leader stood where the snapshot's are; the log begins anew behind it in the group after it, if it
/// comes to that, and if that group is left.
#[test]
fn a_damaged_snapshot_that_contradicts_the_log_is_lost_and_the_log_does_not_come_back_in_its_place() {
    let (last, later) = (LogPosition::new(2, 4), LogPosition::new(2, 5));
    let term = Some(vote(2, 1));
    let anew = [command(2, 5, 20)].to_vec();
    let reset = Step { hard_state: term, reset_to: Some(last), entries: anew.clone(), ..Step::default() };
    let entries = [vec![command(2, 4, 20)], anew].concat();
    let truncated = Step { hard_state: term, truncate_from: Some(last.index), entries, ..Step::default() };
    for (next, group_is_gone, is_lost, found_last) in [
        (None, false, true, at(6)),
        (Some(&reset), true, true, at(6)),
        (Some(&reset), false, true, later),
        (Some(&truncated), true, true, at(6)),
        // The log has what the snapshot stands for.
        (Some(&truncated), false, false, later),
    ] {
        let next = next.map(|step| Act::Commit(vec![step.clone()]));
        let received = [Act::Receive(last, 9000), Act::Get(9000), Act::Install];
        let (mut disk, ..) = live((1..=6).map(append).chain(received).chain(next.clone()));
        disk.restart(End::PowerDropsAll);
        let name = snapshots(&disk)[0].clone();
        disk.damage(&name, |bytes| bytes[chunk_at(1) as usize + 99] ^= 1);
        if group_is_gone {
            for piece in survey(&mut disk.clone()).unwrap() {
                let (Part::Slot(named) | Part::Record(named)) = piece.part else { continue };
                if named.position == later {
                    let middle = (piece.offset + piece.bytes / 2) as usize;
                    disk.damage(&piece.file, |bytes| bytes[middle] ^= 1);
                }
            }
        }
        for start in 0..2 {
            let (storage, recovered) = open(&mut disk).unwrap();
            let lost = is_lost.then_some(id_of(last, 9000));
            assert_eq!(
                (recovered.lost_snapshot, recovered.snapshot),
                (lost, None),
                "{next:?}, start {start}"
            );
            assert_eq!(storage.live.last_position(), found_last, "{next:?}, start {start}");
        }
    }
}

#[test]
fn a_sound_snapshot_is_not_given_up_for_a_damaged_one_of_the_same_entry() {
    let received = [Act::Receive(at(9), 9000), Act::Get(9000), Act::Install];
    let (mut disk, mut story, _) = live([append(1)].into_iter().chain(received));
    let name = snapshots(&disk)[0].clone();
    let mut bytes = disk.bytes(&name).to_vec();
    bytes[chunk_at(1) as usize + 99] ^= 1;
    let next = name.strip_suffix('0').expect("it was named once");
    disk.put(&format!("{next}1"), &bytes);
    for _ in 0..2 {
        story.recover(&mut disk).unwrap();
    }
}

#[test]
fn a_damaged_snapshot_does_not_take_the_name_of_a_sound_one_of_the_same_entry_with_it() {
    let (mut disk, mut story) = compacted();
    let [name] = &snapshots(&disk)[..] else { panic!("one snapshot") };
    let next = name.strip_suffix('0').expect("it was named once");
    disk.put(&format!("{next}1"), b"what once was a snapshot");
    for _ in 0..2 {
        story.recover(&mut disk).unwrap();
    }
}
