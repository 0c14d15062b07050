//! Bytes that were durable and changed: masked where a second place holds them, else found and placed.

use squall_raft::{LogIndex, LogPosition};

use super::crash_disk::CrashDisk;
use super::story::{IDENTITY, Step, Story, command, formatted, noop, open, options, state_of, vote};
use crate::{Identity, Options, PAGE_BYTES, Storage, StorageError, Tail};

const PAGE: usize = PAGE_BYTES as usize;

/// A life of three starts and several segments.
fn lived() -> (CrashDisk, Story) {
    let (mut disk, mut story) = (formatted(), Story::default());
    for life in 0..3 {
        let mut storage = story.recover(&mut disk).unwrap();
        let groups: Vec<_> = (0..3)
            .map(|group| {
                let (term, first) = (life + 1, life * 6 + group * 2 + 1);
                let entries = vec![noop(term, first), command(term, first + 1, 1500 * group as usize)];
                vec![Step { hard_state: Some(vote(term, 1)), entries, ..Step::default() }]
            })
            .collect();
        story.commit(&mut storage, &groups, &mut disk).unwrap();
    }
    (disk, story)
}

fn segments(disk: &CrashDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.starts_with("log-")).collect()
}

/// The place of a record in a file: where a header names this sequence number.
fn record_of(disk: &CrashDisk, name: &str, position: LogPosition, from: usize) -> usize {
    let mut wanted = position.term.0.to_le_bytes().to_vec();
    wanted.extend(position.index.0.to_le_bytes());
    let bytes = &disk.bytes(name)[from..];
    from + bytes.windows(16).position(|window| window == wanted).expect("the record is in this file") - 32
}

/// Opens a disk of which one place is damaged: all that was promised is there, or the damage is reported, or it
/// is the last group that cannot be told from a torn one, and is said to be doubtful.
fn check_damage(mut disk: CrashDisk, story: &Story, what: &str) -> &'static str {
    match open(&mut disk) {
        Err(_) => "reported",
        Ok((storage, recovered)) => {
            let found = state_of(&storage, &recovered, &mut disk);
            assert_eq!(found.hard_state, story.acknowledged.hard_state, "{what}");
            if found == story.acknowledged {
                assert!(!matches!(storage.tail(), Tail::Torn { .. }), "{what}");
                return "masked";
            }
            assert!(matches!(storage.tail(), Tail::Doubtful { .. }), "{what}: {:?}", storage.tail());
            let whole = &story.acknowledged.log;
            assert_eq!(found.log, whole[..whole.len() - 2], "{what}: only the last group is missing");
            "doubtful"
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_masked_or_reported_or_in_doubt() {
    let (disk, story) = lived();
    let mut outcomes = std::collections::BTreeMap::new();
    for name in disk.names() {
        for at in (0..disk.bytes(&name).len()).step_by(5) {
            let mut damaged = disk.clone();
            damaged.damage(&name, |bytes| bytes[at] ^= 1 << (at % 8));
            let outcome = check_damage(damaged, &story, &format!("{name} at {at}"));
            *outcomes.entry(outcome).or_insert(0) += 1;
        }
    }
    assert!(outcomes.len() == 3 && outcomes.values().all(|count| *count > 10), "{outcomes:?}");
}

#[test]
fn a_zeroed_sector_anywhere_is_masked_or_reported_or_in_doubt() {
    let (disk, story) = lived();
    for name in disk.names() {
        for at in (0..disk.bytes(&name).len()).step_by(512) {
            let mut damaged = disk.clone();
            damaged.damage(&name, |bytes| {
                let end = (at + 512).min(bytes.len());
                bytes[at..end].fill(0);
            });
            check_damage(damaged, &story, &format!("{name} at {at}"));
        }
    }
}

#[test]
fn a_damaged_record_is_reported_with_its_place_and_its_name() {
    let (mut disk, _) = lived();
    let name = segments(&disk)[0].clone();
    let position = LogPosition::new(1, 2);
    let record = record_of(&disk, &name, position, 2 * PAGE);
    disk.damage(&name, |bytes| bytes[record + 50] ^= 1);
    let StorageError::Damaged { file, offset, position: found, .. } = open(&mut disk).unwrap_err() else {
        panic!("damage is called damage");
    };
    assert_eq!((file, offset, found), (name, record as u64, Some(position)));
}

#[test]
fn a_damaged_slot_costs_nothing_while_its_record_is_there() {
    let (disk, story) = lived();
    for name in segments(&disk) {
        let mut disk = disk.clone();
        disk.damage(&name, |bytes| bytes[PAGE..2 * PAGE].fill(0xA5));
        assert_eq!(check_damage(disk, &story, &name), "masked");
    }
}

#[test]
fn a_record_damaged_while_it_runs_is_not_handed_out() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let entries = vec![noop(1, 1), command(1, 2, 200)];
    let group = vec![Step { hard_state: Some(vote(1, 1)), entries, ..Step::default() }];
    story.commit(&mut storage, &[group], &mut disk).unwrap();
    let name = segments(&disk)[0].clone();
    let record = record_of(&disk, &name, LogPosition::new(1, 2), 2 * PAGE);
    disk.damage(&name, |bytes| bytes[record + 100] ^= 1);
    let error = storage.read(LogIndex(1), LogIndex(2), u64::MAX, &mut disk).unwrap_err();
    assert!(error.to_string().contains(", 1@2: "), "{error}");
    assert_eq!(storage.read(LogIndex(1), LogIndex(1), u64::MAX, &mut disk).unwrap().len(), 1);
}

#[test]
fn an_old_vote_never_comes_back() {
    let (disk, _) = lived();
    let mut one = disk.clone();
    one.damage("hard-state", |bytes| bytes[30] ^= 1);
    assert_eq!(open(&mut one).unwrap().1.hard_state, vote(3, 1));
    let mut both = disk;
    both.damage("hard-state", |bytes| {
        bytes[30] ^= 1;
        bytes[PAGE + 30] ^= 1;
    });
    assert!(matches!(open(&mut both), Err(StorageError::Damaged { file, .. }) if file == "hard-state"));
}

#[test]
fn an_old_hard_state_under_a_newer_log_is_noticed() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let old = disk.bytes("hard-state").to_vec();
    let group = vec![Step { hard_state: Some(vote(1, 1)), entries: vec![noop(1, 1)], ..Step::default() }];
    story.commit(&mut storage, &[group], &mut disk).unwrap();
    disk.damage("hard-state", |bytes| *bytes = old);
    let error = open(&mut disk).unwrap_err();
    assert!(error.to_string().contains("1@1: its term is above the hard state's"), "{error}");
}

#[test]
fn a_missing_segment_is_missed() {
    let (disk, _) = lived();
    let names = segments(&disk);
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let mut rest = CrashDisk::default();
        for other in disk.names().into_iter().filter(|other| *other != name) {
            rest.put(&other, disk.bytes(&other));
        }
        let error = open(&mut rest).unwrap_err();
        assert!(
            matches!(error, StorageError::Damaged { .. }) && error.to_string().contains("missing"),
            "{error}"
        );
    }
}

#[test]
fn a_segment_of_another_length_or_another_number_is_damaged() {
    let (disk, _) = lived();
    let names = segments(&disk);
    let name = &names[0];
    for length in [0, 100, PAGE, 3 * PAGE, 5 * PAGE] {
        let mut disk = disk.clone();
        disk.damage(name, |bytes| bytes.resize(length, 0));
        assert!(
            matches!(open(&mut disk), Err(StorageError::Damaged { file, .. }) if file == *name),
            "{length}"
        );
    }
    let mut disk = disk;
    let copy = disk.bytes(&names[1]).to_vec();
    disk.damage(name, |bytes| *bytes = copy);
    let error = open(&mut disk).unwrap_err();
    assert!(error.to_string().contains("another number"), "{error}");
}

#[test]
fn a_segment_of_another_cluster_is_foreign() {
    let (mut disk, _) = lived();
    let other = Identity { cluster: 1, ..IDENTITY };
    let mut foreign = CrashDisk::default();
    Storage::format(&mut foreign, other, &options()).unwrap();
    Storage::open(&mut foreign, other, &options()).unwrap();
    let (name, theirs) = (segments(&disk)[0].clone(), segments(&foreign)[0].clone());
    let bytes = foreign.bytes(&theirs).to_vec();
    disk.damage(&name, |old| *old = bytes);
    assert!(matches!(open(&mut disk), Err(StorageError::Foreign { file, .. }) if file == name));
}

#[test]
fn another_format_version_is_refused_by_its_number() {
    for name in ["identity", "hard-state"] {
        let mut disk = formatted();
        disk.damage(name, |bytes| {
            for start in [0, PAGE] {
                let length = u32::from_le_bytes(bytes[start + 12..start + 16].try_into().unwrap()) as usize;
                bytes[start + 8..start + 12].copy_from_slice(&99_u32.to_le_bytes());
                let crc = crc32c::crc32c(&bytes[start..start + 16 + length]);
                bytes[start + 16 + length..start + 20 + length].copy_from_slice(&crc.to_le_bytes());
            }
        });
        let error = open(&mut disk).unwrap_err();
        assert_eq!(error, StorageError::UnknownVersion { file: name.to_owned(), found: 99 });
    }
}

#[test]
fn a_group_is_torn_where_record_and_slot_are_gone_and_doubtful_where_only_the_record_is() {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let step = |term, index| Step {
        hard_state: Some(vote(term, 1)),
        entries: vec![noop(term, index), command(term, index + 1, 9)],
        ..Step::default()
    };
    story.commit(&mut storage, &[vec![step(1, 1)], vec![step(1, 3)]], &mut disk).unwrap();
    let name = segments(&disk)[0].clone();
    // The smallest segment has one page of slots, so each group of these has a segment.
    let last = segments(&disk)[1].clone();
    assert_ne!(name, last);
    let record = record_of(&disk, &last, LogPosition::new(1, 4), 2 * PAGE);

    let mut doubtful = disk.clone();
    doubtful.damage(&last, |bytes| bytes[record] ^= 1);
    let (storage, recovered) = open(&mut doubtful).unwrap();
    assert_eq!(storage.tail(), Tail::Doubtful { group: 2, position: LogPosition::new(1, 4) });
    assert_eq!(recovered.last_index, LogIndex(2));

    let mut torn = disk.clone();
    torn.damage(&last, |bytes| {
        bytes[record] ^= 1;
        bytes[PAGE] ^= 1;
    });
    let (storage, recovered) = open(&mut torn).unwrap();
    assert_eq!(storage.tail(), Tail::Torn { group: 2 });
    assert_eq!(recovered.last_index, LogIndex(2));
}

#[test]
fn a_group_that_was_carried_forward_is_never_taken_for_torn() {
    let (mut disk, mut story) = lived();
    story.recover(&mut disk).unwrap();
    let name = segments(&disk).pop().unwrap();
    let record = record_of(&disk, &name, story.acknowledged.log.last().unwrap().position(), 2 * PAGE);
    for is_slot_lost in [false, true] {
        let mut disk = disk.clone();
        disk.damage(&name, |bytes| {
            bytes[record] ^= 1;
            bytes[PAGE] ^= u8::from(is_slot_lost);
        });
        let error = open(&mut disk).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_bad_group_before_a_good_one_is_damage_even_in_the_open_segment() {
    let options = Options { segment_bytes: 128 << 10, ..options() };
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &options).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &options).unwrap();
    let mut story = Story::default();
    let groups: Vec<_> = (1..=4)
        .map(|index| {
            vec![Step { hard_state: Some(vote(1, 1)), entries: vec![noop(1, index)], ..Step::default() }]
        })
        .collect();
    story.commit(&mut storage, &groups, &mut disk).unwrap();
    let name = segments(&disk)[0].clone();
    let records_start = (1 + 7) * PAGE;
    for is_slot_lost in [false, true] {
        for group in 0..3 {
            let mut disk = disk.clone();
            disk.damage(&name, |bytes| {
                bytes[records_start + group * PAGE..][..PAGE].fill(0);
                if is_slot_lost {
                    bytes[(1 + group) * PAGE..][..PAGE].fill(0);
                }
            });
            let error = Storage::open(&mut disk, IDENTITY, &options).unwrap_err();
            let place = (records_start + group * PAGE) as u64;
            assert!(
                matches!(&error, StorageError::Damaged { offset, position, .. }
                    if *offset == place && position.is_some() != is_slot_lost),
                "{error}"
            );
        }
    }
}
