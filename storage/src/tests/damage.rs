//! Bytes that were durable and changed: masked where a second place holds them, else found and placed.

use squall_disk::Disk;
use squall_raft::{Faulty, LogIndex, LogPosition, Recovered, Term};

use super::crash_disk::{CrashDisk, End};
use super::story::{
    IDENTITY, Step, Story, command, configuration, formatted, noop, open, options, state_of, vote,
};
use crate::{Identity, Options, PAGE_BYTES, Part, Storage, StorageError, Tail, survey};

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

pub(super) fn segments(disk: &CrashDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.starts_with("log-")).collect()
}

/// The place of a record in a file: where a header names this sequence number.
fn record_of(disk: &CrashDisk, name: &str, position: LogPosition, from: usize) -> usize {
    let mut wanted = position.term.0.to_le_bytes().to_vec();
    wanted.extend(position.index.0.to_le_bytes());
    let bytes = &disk.bytes(name)[from..];
    from + bytes.windows(16).position(|window| window == wanted).expect("the record is in this file") - 32
}

/// Opens a disk of which one place is damaged: all that was promised is there, or the name of an entry is and its data is
/// said to be lost, or the damage is reported. Only of the last group may it be said that it is in doubt.
fn check_damage(mut disk: CrashDisk, story: &Story, what: &str) -> &'static str {
    let Ok((storage, recovered)) = open(&mut disk) else { return "reported" };
    let found = state_of(&storage, &recovered, &mut disk);
    let whole = &story.acknowledged;
    assert_eq!(found.hard_state, whole.hard_state, "{what}");
    assert!(!matches!(storage.tail(), Tail::Torn { .. }), "{what}");
    assert_eq!((found.base, found.last_index()), (whole.base, whole.last_index()), "{what}");
    for (entry, known) in found.log.iter().zip(&whole.log) {
        let is_lost = found.faulty.contains(&entry.index);
        assert!(entry.position() == known.position() && (is_lost || entry == known), "{what}: {entry:?}");
    }
    let last_group = whole.last_index().0 - 1;
    for faulty in &recovered.faulty {
        assert!(!faulty.is_doubtful || faulty.index.0 >= last_group, "{what}: {faulty:?}");
    }
    match recovered.faulty.first() {
        None => "masked",
        Some(faulty) if faulty.is_doubtful => "doubtful",
        Some(_) => "lost",
    }
}

#[test]
fn a_flipped_bit_anywhere_is_masked_or_costs_the_data_of_one_entry_or_is_reported() {
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
    let outcomes: Vec<_> = outcomes.into_iter().collect();
    let counts: Vec<_> = outcomes.iter().map(|(outcome, _)| *outcome).collect();
    assert_eq!(counts, ["doubtful", "lost", "masked"], "one bit stops no node: {outcomes:?}");
    assert!(outcomes.iter().all(|(_, count)| *count > 10), "{outcomes:?}");
}

#[test]
fn a_zeroed_sector_anywhere_is_masked_or_costs_data_or_is_reported() {
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

/// A life of one segment, in which n3 lost the data of 1@4, and what is left of it.
fn with_a_loss() -> (CrashDisk, Story) {
    let mut story = Story::default();
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &roomy()).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &roomy()).unwrap();
    let groups: Vec<_> = (1..=6)
        .map(|index| {
            let entries = vec![command(1, index, 100 + index as usize)];
            vec![Step { hard_state: Some(vote(1, 1)), entries, ..Step::default() }]
        })
        .collect();
    story.commit(&mut storage, &groups, &mut disk).unwrap();
    let name = segments(&disk)[0].clone();
    let record = record_of(&disk, &name, LogPosition::new(1, 4), 8 * PAGE);
    disk.damage(&name, |bytes| bytes[record + 50] ^= 1);
    (disk, story)
}

pub(super) fn roomy() -> Options {
    Options { segment_bytes: 128 << 10, ..options() }
}

pub(super) fn reopen(disk: &mut CrashDisk) -> (Storage, Recovered) {
    Storage::open(disk, IDENTITY, &roomy()).unwrap()
}

const LOST: Faulty = Faulty { index: LogIndex(4), is_doubtful: false };

#[test]
fn an_entry_without_its_data_keeps_its_name_and_its_mark_however_often_one_starts() {
    let (mut disk, story) = with_a_loss();
    for _ in 0..3 {
        let (storage, recovered) = reopen(&mut disk);
        assert_eq!((&recovered.faulty[..], recovered.last_index), (&[LOST][..], LogIndex(6)));
        assert_eq!(recovered.tail, story.acknowledged.log[4..]);
        let read = |first| storage.read(LogIndex(first), LogIndex(6), u64::MAX, &mut disk.clone()).unwrap();
        assert_eq!((read(1), read(4)), (story.acknowledged.log[..3].to_vec(), Vec::new()));
        assert_eq!(storage.tail(), Tail::Whole);
    }
}

#[test]
fn a_repaired_entry_is_there_again_and_stays() {
    let (mut disk, mut story) = with_a_loss();
    let (mut storage, recovered) = reopen(&mut disk);
    story.acknowledged = state_of(&storage, &recovered, &mut disk);
    let whole = (1..=6).map(|index| command(1, index, 100 + index as usize)).collect::<Vec<_>>();
    let repair = Step { repairs: vec![whole[3].clone()], ..Step::default() };
    story.commit(&mut storage, &[vec![repair]], &mut disk).unwrap();
    assert_eq!(storage.read(LogIndex(1), LogIndex(6), u64::MAX, &mut disk).unwrap(), whole);
    for _ in 0..2 {
        let (storage, recovered) = reopen(&mut disk);
        assert_eq!((&recovered.faulty[..], recovered.last_index), (&[][..], LogIndex(6)));
        assert_eq!(storage.read(LogIndex(1), LogIndex(6), u64::MAX, &mut disk).unwrap(), whole);
    }
}

#[test]
fn a_repair_that_is_damaged_leaves_the_entry_lost() {
    let (mut disk, mut story) = with_a_loss();
    let (mut storage, _) = reopen(&mut disk);
    story.acknowledged.faulty.insert(LogIndex(4));
    let repair = Step { repairs: vec![command(1, 4, 104)], ..Step::default() };
    let more = Step { entries: vec![command(1, 7, 10)], ..Step::default() };
    story.commit(&mut storage, &[vec![repair], vec![more]], &mut disk).unwrap();
    let name = segments(&disk).pop().unwrap();
    let record = record_of(&disk, &name, LogPosition::new(1, 4), 8 * PAGE);
    disk.damage(&name, |bytes| bytes[record + 50] ^= 1);
    for _ in 0..2 {
        let (_, recovered) = reopen(&mut disk);
        assert_eq!((&recovered.faulty[..], recovered.last_index), (&[LOST][..], LogIndex(7)));
    }
}

/// The last group alone says nothing of the later term: it repairs an old entry.
#[test]
fn an_older_hard_state_is_noticed_whatever_the_last_group_holds() {
    let (mut disk, mut story) = with_a_loss();
    let (mut storage, _) = reopen(&mut disk);
    story.acknowledged.faulty.insert(LogIndex(4));
    let old = disk.bytes("hard-state").to_vec();
    let later = Step { hard_state: Some(vote(2, 1)), entries: vec![command(2, 7, 9)], ..Step::default() };
    let repair = Step { repairs: vec![command(1, 4, 104)], ..Step::default() };
    story.commit(&mut storage, &[vec![later], vec![repair]], &mut disk).unwrap();
    reopen(&mut disk.clone());
    disk.damage("hard-state", |bytes| *bytes = old);
    let error = Storage::open(&mut disk, IDENTITY, &roomy()).unwrap_err().to_string();
    assert!(error.contains("2@7") && error.contains("its term is above the hard state's"), "{error}");
}

/// A disk may fail to read for once what it holds.
#[test]
fn an_entry_that_was_repaired_and_can_be_read_again_is_there() {
    let (mut disk, mut story) = with_a_loss();
    let name = segments(&disk)[0].clone();
    let (mut storage, _) = reopen(&mut disk);
    story.acknowledged.faulty.insert(LogIndex(4));
    let repair = Step { repairs: vec![command(1, 4, 104)], ..Step::default() };
    let more = Step { entries: vec![command(1, 7, 10)], ..Step::default() };
    story.commit(&mut storage, &[vec![repair], vec![more]], &mut disk).unwrap();
    let record = record_of(&disk, &name, LogPosition::new(1, 4), 8 * PAGE);
    disk.damage(&name, |bytes| bytes[record + 50] ^= 1);
    for is_repair_lost in [false, true] {
        if is_repair_lost {
            let name = segments(&disk)[1].clone();
            let record = record_of(&disk, &name, LogPosition::new(1, 4), 8 * PAGE);
            disk.damage(&name, |bytes| bytes[record + 50] ^= 1);
        }
        let (storage, recovered) = reopen(&mut disk);
        assert_eq!((&recovered.faulty[..], recovered.last_index), (&[][..], LogIndex(7)));
        let read = storage.read(LogIndex(4), LogIndex(4), u64::MAX, &mut disk).unwrap();
        assert_eq!(read, [command(1, 4, 104)]);
    }
}

/// The bytes that say how long a configuration is are believed when their checksum holds, and not before.
#[test]
fn a_configuration_of_which_the_slot_claims_any_length_is_there() {
    let large = Options { segment_bytes: 4 << 20, ..options() };
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &large).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &large).unwrap();
    let entries = vec![configuration(1, 1, 3), command(1, 2, 9)];
    let step = Step { hard_state: Some(vote(1, 1)), entries: entries.clone(), ..Step::default() };
    Story::default().commit(&mut storage, &[vec![step]], &mut disk).unwrap();
    let name = segments(&disk)[0].clone();
    for bit in 0..32 {
        let mut damaged = disk.clone();
        damaged.damage(&name, |bytes| bytes[PAGE + bit / 8] ^= 1 << (bit % 8));
        let (storage, _) = Storage::open(&mut damaged, IDENTITY, &large).unwrap();
        assert_eq!(storage.read(LogIndex(1), LogIndex(2), u64::MAX, &mut damaged).unwrap(), entries);
    }
}

#[test]
fn what_is_behind_two_groups_that_are_gone_is_not_dropped_with_them() {
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &roomy()).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &roomy()).unwrap();
    let one = Step { hard_state: Some(vote(1, 1)), entries: vec![command(1, 1, 9)], ..Step::default() };
    let two = Step { entries: vec![command(1, 2, 9), command(1, 3, 9)], ..Step::default() };
    Story::default().commit(&mut storage, &[vec![one], vec![two]], &mut disk).unwrap();
    for piece in survey(&mut disk.clone()).unwrap() {
        let (Part::Record(named) | Part::Slot(named)) = piece.part else { continue };
        if named.sequence < 3 {
            disk.damage(&piece.file, |bytes| bytes[piece.offset as usize] ^= 1);
        }
    }
    let error = Storage::open(&mut disk, IDENTITY, &roomy()).unwrap_err();
    assert!(matches!(error, StorageError::Damaged { .. }), "1@3 is sound: {error}");
}

/// It stands in its slot, too: who knows that there is one knows which.
#[test]
fn a_configuration_survives_the_loss_of_its_record_or_of_its_slot() {
    let (mut disk, mut story) = (CrashDisk::default(), Story::default());
    Storage::format(&mut disk, IDENTITY, &roomy()).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &roomy()).unwrap();
    let entries = vec![command(1, 1, 50), configuration(1, 2, 40), command(1, 3, 60), configuration(1, 4, 3)];
    let steps = vec![Step { hard_state: Some(vote(1, 1)), entries: entries.clone(), ..Step::default() }];
    let more = Step { entries: vec![command(1, 5, 9)], ..Step::default() };
    story.commit(&mut storage, &[steps, vec![more]], &mut disk).unwrap();
    let mut struck = 0;
    for piece in survey(&mut disk.clone()).unwrap() {
        let (Part::Record(named) | Part::Slot(named)) = piece.part else { continue };
        for at in [0, 60, 70, piece.bytes - 1] {
            let mut damaged = disk.clone();
            damaged
                .damage(&piece.file, |bytes| bytes[(piece.offset + at.min(piece.bytes - 1)) as usize] ^= 1);
            let (storage, recovered) = reopen(&mut damaged);
            let is_lost = matches!(piece.part, Part::Record(_)) && named.kind == "command";
            assert_eq!(recovered.faulty.len(), usize::from(is_lost), "{piece:?}");
            assert_eq!(recovered.configurations.len(), 2, "{piece:?}");
            let read = storage.read(LogIndex(4), LogIndex(4), u64::MAX, &mut damaged).unwrap();
            assert_eq!(read, entries[3..]);
            struck += 1;
        }
    }
    assert_eq!(struck, 40);
}

#[test]
fn a_truncation_takes_lost_entries_along() {
    let (mut disk, mut story) = with_a_loss();
    let (mut storage, _) = reopen(&mut disk);
    let step = Step { truncate_from: Some(LogIndex(4)), entries: vec![command(1, 4, 9)], ..Step::default() };
    story.commit(&mut storage, &[vec![step]], &mut disk).unwrap();
    let (_, recovered) = reopen(&mut disk);
    assert_eq!((&recovered.faulty[..], recovered.last_index), (&[][..], LogIndex(4)));
}

#[test]
#[should_panic(expected = "a repair of 1@3 cannot be written: it repairs what is not lost")]
fn a_repair_of_what_is_there_is_the_callers_bug() {
    let (mut disk, mut story) = with_a_loss();
    let (mut storage, _) = reopen(&mut disk);
    story.acknowledged.faulty.insert(LogIndex(3));
    let repair = Step { repairs: vec![command(1, 3, 103)], ..Step::default() };
    let _ = story.commit(&mut storage, &[vec![repair]], &mut disk);
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
    let mut none = disk.clone();
    none.remove("hard-state").unwrap();
    let missing = open(&mut none).unwrap_err().to_string();
    assert!(
        missing.starts_with("hard-state at byte 0: the hard state is missing. `squall log`"),
        "{missing}"
    );
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

/// Two groups of two entries, each in a segment of its own, and where in the second one its last record is.
fn of_two_groups() -> (CrashDisk, String, usize) {
    let (mut disk, mut story) = (formatted(), Story::default());
    let mut storage = story.recover(&mut disk).unwrap();
    let step = |term, index| Step {
        hard_state: Some(vote(term, 1)),
        entries: vec![noop(term, index), command(term, index + 1, 9)],
        ..Step::default()
    };
    story.commit(&mut storage, &[vec![step(1, 1)], vec![step(1, 3)]], &mut disk).unwrap();
    // The smallest segment has one page of slots, so each group of these has a segment.
    let last = segments(&disk)[1].clone();
    let record = record_of(&disk, &last, LogPosition::new(1, 4), 2 * PAGE);
    (disk, last, record)
}

#[test]
fn the_last_group_is_in_doubt_where_only_a_record_is_gone() {
    let (mut doubtful, last, record) = of_two_groups();
    doubtful.damage(&last, |bytes| bytes[record] ^= 1);
    let (storage, recovered) = open(&mut doubtful).unwrap();
    assert_eq!(storage.tail(), Tail::Doubtful { group: 2, position: LogPosition::new(1, 4) });
    let faulty = Faulty { index: LogIndex(4), is_doubtful: true };
    assert_eq!((&recovered.faulty[..], recovered.last_index), (&[faulty][..], LogIndex(4)));
    let (storage, recovered) = open(&mut doubtful).unwrap();
    assert_eq!((storage.tail(), &recovered.faulty[..]), (Tail::Whole, &[faulty][..]), "the mark stays");
}

/// What a tear or damage makes of a place.
type Change = fn(&mut [u8]);

const FLIPPED: Change = |bytes| bytes[20] ^= 4;
const ZEROED: Change = |bytes| bytes.fill(0);
const GARBLED: Change = |bytes| bytes.fill(0xA5);
const CUT: Change = |bytes| bytes[30..].fill(0);

/// Only a slot that never arrived proves that a group was not acknowledged; whatever else is left of it is no proof.
#[test]
fn a_last_group_without_record_and_slot_is_torn_or_uncertain() {
    let (disk, last, second) = of_two_groups();
    let first = second - 52;
    let [torn, uncertain] = [Tail::Torn { group: 2 }, Tail::Uncertain { group: 2 }];
    for (record, slot, expected) in [
        (ZEROED, ZEROED, torn),
        (CUT, ZEROED, torn),
        (ZEROED, FLIPPED, uncertain),
        (ZEROED, CUT, uncertain),
        (FLIPPED, FLIPPED, uncertain),
        (GARBLED, GARBLED, uncertain),
        (FLIPPED, GARBLED, uncertain),
    ] {
        for (record_at, slot_at) in [(first, PAGE), (second, PAGE + 64)] {
            let mut damaged = disk.clone();
            damaged.damage(&last, |bytes| {
                record(&mut bytes[record_at..record_at + 52]);
                slot(&mut bytes[slot_at..slot_at + 64]);
            });
            let (storage, recovered) = open(&mut damaged).unwrap();
            // A slot that stands behind one that is not there proves that both were written.
            let expected = if slot_at == PAGE { uncertain } else { expected };
            assert_eq!(storage.tail(), expected, "at {slot_at}");
            let up_to = if expected == uncertain { Term(1) } else { Term::ZERO };
            assert_eq!((recovered.last_index, recovered.uncertain), (LogIndex(2), up_to), "at {slot_at}");
        }
    }
    let mut nothing = disk.clone();
    nothing.damage(&last, |bytes| bytes[PAGE..3 * PAGE].fill(0));
    let (storage, recovered) = open(&mut nothing).unwrap();
    assert_eq!((storage.tail(), recovered.uncertain), (Tail::Whole, Term::ZERO), "nothing was ever written");
    let mut all = disk;
    all.damage(&last, |bytes| bytes[PAGE..3 * PAGE].fill(0xA5));
    let (storage, recovered) = open(&mut all).unwrap();
    assert_eq!((storage.tail(), recovered.uncertain), (uncertain, Term(1)));
}

/// A group that replaces the whole log makes the segments before its own superfluous, and a vote lets go of them. If the group
/// went bad after that, what it replaced is not there to come back.
#[test]
fn a_last_group_for_which_others_were_given_up_is_missed_when_it_is_gone() {
    for votes in [false, true] {
        let (mut disk, mut story) = (CrashDisk::default(), Story::default());
        Storage::format(&mut disk, IDENTITY, &roomy()).unwrap();
        let entry = |term, index| Step {
            hard_state: Some(vote(term, 1)),
            entries: vec![noop(term, index)],
            ..Step::default()
        };
        let anew = Step { truncate_from: Some(LogIndex(1)), ..entry(3, 1) };
        let only_vote = Step { hard_state: Some(vote(4, 2)), ..Step::default() };
        for step in [entry(1, 1), entry(2, 2), anew] {
            let (mut storage, _) = reopen(&mut disk);
            let is_last = step.truncate_from.is_some();
            let groups = [vec![step], vec![only_vote.clone()]];
            let count = if is_last && votes { 2 } else { 1 };
            story.commit(&mut storage, &groups[..count], &mut disk).unwrap();
        }
        for piece in survey(&mut disk.clone()).unwrap() {
            if let Part::Slot(named) | Part::Record(named) = piece.part
                && named.position == LogPosition::new(3, 1)
            {
                disk.damage(&piece.file, |bytes| bytes[piece.offset as usize + 20] ^= 1);
            }
        }
        let opened = Storage::open(&mut disk, IDENTITY, &roomy());
        let found = opened.map(|(storage, recovered)| (storage.tail(), recovered.last_index));
        if votes {
            let error = found.unwrap_err().to_string();
            assert!(error.contains("1@1: the log begins after this entry"), "{error}");
        } else {
            assert_eq!(found, Ok((Tail::Uncertain { group: 3 }, LogIndex(2))));
        }
    }
}

/// A disk whose last group is uncertain.
fn with_an_uncertain_head() -> CrashDisk {
    let (mut disk, last, record) = of_two_groups();
    disk.damage(&last, |bytes| {
        bytes[record] ^= 1;
        bytes[PAGE + 64] ^= 1;
    });
    disk
}

/// What is left of a disk where recovery stops before its operation `at`; whether it got so far.
fn stopped(disk: &CrashDisk, at: u64) -> (CrashDisk, bool) {
    let mut stopped = disk.clone();
    stopped.operations = 0;
    stopped.crash_at = Some(at);
    let has_stopped = open(&mut stopped).is_err();
    (stopped, has_stopped)
}

/// The second time, what the first wrote last may be in the page cache only.
#[test]
fn an_uncertain_head_is_never_forgotten_whenever_recovery_stops_and_stops_again() {
    let disk = with_an_uncertain_head();
    let (mut first_stops, mut second_stops) = (0, 0);
    for first in 0.. {
        let (mut once, has_stopped) = stopped(&disk, first);
        once.restart(End::Process);
        for second in 0.. {
            let (twice, has_stopped) = stopped(&once, second);
            for end in [End::Process, End::PowerKeepsAll, End::PowerDropsAll, End::PowerTears(second)] {
                let mut disk = twice.clone();
                disk.restart(end);
                for _ in 0..2 {
                    let (_, recovered) = open(&mut disk).unwrap();
                    let found = (recovered.last_index, recovered.uncertain);
                    assert_eq!(found, (LogIndex(2), Term(1)), "{first} {second}");
                }
            }
            if !has_stopped {
                break;
            }
            second_stops += 1;
        }
        if !has_stopped {
            break;
        }
        first_stops += 1;
    }
    assert!(first_stops > 10 && second_stops > 100, "{first_stops} {second_stops}");
}

#[test]
fn an_uncertain_head_is_of_the_term_it_was_found_in_and_stays_so_until_another_is() {
    let mut disk = with_an_uncertain_head();
    let (mut storage, recovered) = open(&mut disk).unwrap();
    let mut story = Story::default();
    story.acknowledged = state_of(&storage, &recovered, &mut disk);
    let entries = vec![noop(4, 3), command(4, 4, 9)];
    let group = vec![Step { hard_state: Some(vote(4, 1)), entries, ..Step::default() }];
    story.commit(&mut storage, &[group], &mut disk).unwrap();
    let (storage, recovered) = open(&mut disk).unwrap();
    assert_eq!((storage.tail(), recovered.uncertain), (Tail::Whole, Term(1)));
    assert_eq!(recovered.last_index, LogIndex(4));
}

#[test]
fn of_a_group_each_record_is_read_from_itself_or_from_its_slot() {
    let (mut disk, last, record) = of_two_groups();
    disk.damage(&last, |bytes| {
        bytes[record] ^= 1;
        bytes[PAGE] ^= 1;
    });
    let (_, recovered) = open(&mut disk).unwrap();
    assert_eq!((recovered.faulty.len(), recovered.last_index), (1, LogIndex(4)));
}

#[test]
fn what_has_no_data_is_all_in_its_slot() {
    let (mut disk, last, record) = of_two_groups();
    disk.damage(&last, |bytes| bytes[record - 52] ^= 1);
    let (storage, recovered) = open(&mut disk).unwrap();
    assert_eq!((storage.tail(), recovered.faulty.len()), (Tail::Whole, 0));
    let read = storage.read(LogIndex(3), LogIndex(4), u64::MAX, &mut disk).unwrap();
    assert_eq!(read, [noop(1, 3), command(1, 4, 9)]);
}

#[test]
fn of_a_group_that_was_carried_forward_nothing_is_torn_or_in_doubt() {
    let (mut disk, mut story) = lived();
    story.recover(&mut disk).unwrap();
    let name = segments(&disk).pop().unwrap();
    let record = record_of(&disk, &name, story.acknowledged.log.last().unwrap().position(), 2 * PAGE);
    let mut lost = disk.clone();
    lost.damage(&name, |bytes| bytes[record] ^= 1);
    let (_, recovered) = open(&mut lost).unwrap();
    assert!(matches!(recovered.faulty[..], [Faulty { is_doubtful: false, .. }]), "{:?}", recovered.faulty);
    disk.damage(&name, |bytes| {
        bytes[record] ^= 1;
        bytes[PAGE + 64] ^= 1;
    });
    let error = open(&mut disk).unwrap_err();
    assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
}

#[test]
fn a_bad_group_before_a_good_one_is_lost_or_beyond_knowing_even_in_the_open_segment() {
    let (mut disk, mut story) = (CrashDisk::default(), Story::default());
    Storage::format(&mut disk, IDENTITY, &roomy()).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &roomy()).unwrap();
    let groups: Vec<_> = (1..=4)
        .map(|index| {
            let entries = vec![command(1, index, 5)];
            vec![Step { hard_state: Some(vote(1, 1)), entries, ..Step::default() }]
        })
        .collect();
    story.commit(&mut storage, &groups, &mut disk).unwrap();
    let name = segments(&disk)[0].clone();
    let records_start = (1 + 7) * PAGE;
    for group in 0..3 {
        let mut lost = disk.clone();
        lost.damage(&name, |bytes| bytes[records_start + group * PAGE..][..PAGE].fill(0));
        let mut unknown = lost.clone();
        let (_, recovered) = reopen(&mut lost);
        let index = LogIndex(group as u64 + 1);
        assert_eq!(recovered.faulty, [Faulty { index, ..LOST }]);
        unknown.damage(&name, |bytes| bytes[(1 + group) * PAGE..][..PAGE].fill(0));
        let error = Storage::open(&mut unknown, IDENTITY, &roomy()).unwrap_err();
        let place = (records_start + group * PAGE) as u64;
        assert!(
            matches!(&error, StorageError::Damaged { offset, position: None, .. } if *offset == place),
            "{error}"
        );
    }
}
