//! Damage in groups of many entries, whose slots are brief.

use std::collections::BTreeSet;

use squall_raft::Entry;

use super::crash_disk::CrashDisk;
use super::damage::{reopen, roomy, segments};
use super::story::{IDENTITY, Step, Story, command, configuration, noop, state_of, vote};
use crate::slot::BRIEF_BYTES;
use crate::{PAGE_BYTES, Part, Piece, Storage, StorageError, Tail, survey};

const PAGE: usize = PAGE_BYTES as usize;

/// One life, in which these groups were written.
fn life_of(groups: &[Vec<Entry>]) -> (CrashDisk, Story) {
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &roomy()).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &roomy()).unwrap();
    let group = |entries: &Vec<Entry>| {
        vec![Step { hard_state: Some(vote(1, 1)), entries: entries.clone(), ..Step::default() }]
    };
    let mut story = Story::default();
    story.commit(&mut storage, &groups.iter().map(group).collect::<Vec<_>>(), &mut disk).unwrap();
    (disk, story)
}

/// Groups so large that most slots are brief, and stand on several sectors.
fn lived() -> (CrashDisk, Story) {
    let group = |first: u64| {
        let commands = (first..first + 50).map(|index| command(1, index, (index % 7) as usize));
        [noop(1, first - 1)].into_iter().chain(commands).chain([configuration(1, first + 50, 3)]).collect()
    };
    life_of(&[group(2), group(54)])
}

#[test]
fn of_a_large_group_each_piece_that_goes_bad_costs_the_data_of_one_entry_at_most() {
    let (disk, story) = lived();
    let pieces = survey(&mut disk.clone()).unwrap();
    let (mut masked, mut lost) = (0, 0);
    for piece in &pieces {
        let (Part::Record(named) | Part::Slot(named)) = piece.part else { continue };
        for at in [0, 5, piece.bytes - 1] {
            let mut damaged = disk.clone();
            damaged.damage(&piece.file, |bytes| bytes[(piece.offset + at) as usize] ^= 1);
            let (storage, recovered) = reopen(&mut damaged);
            let found = state_of(&storage, &recovered, &mut damaged);
            let known = &story.acknowledged;
            assert_eq!(found.last_index(), known.last_index(), "{piece:?}");
            let is_data =
                matches!(piece.part, Part::Record(_)) && named.kind == "command" && named.payload_bytes > 0;
            let faulty: Vec<_> = recovered.faulty.iter().map(|faulty| faulty.index).collect();
            assert_eq!(faulty, if is_data { vec![named.position.index] } else { vec![] }, "{piece:?}");
            let is_kept = |(entry, was): (&Entry, &Entry)| entry == was || faulty.contains(&entry.index);
            assert!(found.log.iter().zip(&known.log).all(is_kept), "{piece:?}");
            *(if is_data { &mut lost } else { &mut masked }) += 1;
        }
    }
    assert!(masked > 300 && lost > 200, "{masked} {lost}");
}

/// Where a slot is gone, what stands behind it is found all the same: records tell how long slots are.
#[test]
fn of_a_large_group_a_sector_of_slots_or_a_page_of_records_can_be_done_without() {
    let (disk, story) = lived();
    let name = segments(&disk)[0].clone();
    let pieces = survey(&mut disk.clone()).unwrap();
    let second_group = |piece: &&Piece| matches!(piece.part, Part::Slot(named) if named.group == 2);
    let slots_end = pieces.iter().filter(second_group).map(|piece| piece.offset + piece.bytes).max().unwrap();
    for sector in (PAGE..slots_end as usize).step_by(512) {
        for fill in [0, 0xA5] {
            let mut damaged = disk.clone();
            damaged.damage(&name, |bytes| bytes[sector..sector + 512].fill(fill));
            let (storage, recovered) = reopen(&mut damaged);
            assert_eq!(state_of(&storage, &recovered, &mut damaged), story.acknowledged, "{sector} {fill}");
        }
    }
    let records = pieces.iter().filter(|piece| matches!(piece.part, Part::Record(_)));
    let pages: BTreeSet<u64> = records.map(|piece| piece.offset / PAGE_BYTES).collect();
    for page in pages {
        let mut damaged = disk.clone();
        let at = (page * PAGE_BYTES) as usize;
        damaged.damage(&name, |bytes| bytes[at..at + PAGE].fill(0xA5));
        let (_, recovered) = reopen(&mut damaged);
        assert_eq!(recovered.last_index, story.acknowledged.last_index(), "{page}");
        assert_eq!(recovered.configurations.len(), 2, "{page}");
    }
}

/// A brief slot is the only trace of its group.
#[test]
fn a_brief_slot_of_a_later_group_shows_that_what_is_before_it_was_durable() {
    let (disk, _) = lived();
    let pieces = survey(&mut disk.clone()).unwrap();
    let slots = pieces.iter().enumerate().filter(|(_, piece)| {
        matches!(piece.part, Part::Slot(named) if named.group == 2) && piece.bytes == BRIEF_BYTES
    });
    let slots: Vec<usize> = slots.map(|(place, _)| place).collect();
    assert_eq!(slots.len(), 49);
    for left in slots {
        let mut damaged = disk.clone();
        for (_, piece) in pieces.iter().enumerate().filter(|(place, _)| *place != left) {
            let (Part::Record(named) | Part::Slot(named)) = piece.part else { continue };
            if named.group == 2 || named.sequence == 1 {
                damaged.damage(&piece.file, |bytes| bytes[piece.offset as usize + 5] ^= 1);
            }
        }
        let error = Storage::open(&mut damaged, IDENTITY, &roomy()).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
    }
}

/// A misdirected write: a page of records stands in another's place, where each is a sound record.
#[test]
fn a_record_in_the_place_of_another_is_none() {
    let (mut disk, story) = life_of(&[(1..=32).map(|index| command(1, index, 204)).collect()]);
    let records = survey(&mut disk.clone()).unwrap();
    let mut pages =
        records.iter().filter(|piece| matches!(piece.part, Part::Record(_))).map(|piece| piece.offset);
    let first = pages.next().unwrap() as usize;
    let name = segments(&disk)[0].clone();
    disk.damage(&name, |bytes| bytes.copy_within(first..first + PAGE, first + PAGE));
    let (_, recovered) = reopen(&mut disk);
    assert_eq!(recovered.last_index, story.acknowledged.last_index());
    assert_eq!(
        recovered.faulty.iter().map(|faulty| faulty.index.0).collect::<Vec<_>>(),
        (17..=32).collect::<Vec<_>>()
    );
}

/// So many slots fill a page that the next may stand at its end, or, as this one does, on the page behind.
#[test]
fn whether_a_slot_arrived_is_asked_of_the_page_on_which_it_would_stand() {
    for commands in [331, 332] {
        let entries = (1..=commands).map(|index| command(1, index, 3)).chain([noop(1, commands + 1)]);
        let (disk, _) = life_of(&[vec![command(1, 1, 9)], entries.skip(1).collect()]);
        let pieces = survey(&mut disk.clone()).unwrap();
        let is_last = |piece: &&Piece| matches!(piece.part, Part::Slot(named) | Part::Record(named) if named.position.index.0 == commands + 1);
        let [slot, record] = pieces.iter().filter(is_last).collect::<Vec<_>>()[..] else {
            panic!("a slot and a record")
        };
        assert_eq!((slot.offset % PAGE_BYTES, slot.offset / PAGE_BYTES), (0, 3), "the third page of slots");
        for (fill, expected) in [(0, Tail::Torn { group: 2 }), (0xA5, Tail::Uncertain { group: 2 })] {
            let mut damaged = disk.clone();
            damaged.damage(&slot.file, |bytes| {
                bytes[slot.offset as usize..(slot.offset + slot.bytes) as usize].fill(fill);
                bytes[record.offset as usize] ^= 1;
            });
            assert_eq!(reopen(&mut damaged).0.tail(), expected, "{commands} {fill}");
        }
    }
}
