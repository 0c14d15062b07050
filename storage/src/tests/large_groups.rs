//! Damage in groups of many entries, whose slots are brief.

use std::collections::BTreeSet;

use squall_raft::{Entry, LogIndex, LogPosition, Payload, Term};

use super::crash_disk::{CrashDisk, Draws};
use super::damage::{reopen, roomy, segments};
use super::story::{IDENTITY, State, Step, Story, command, configuration, noop, options, state_of, vote};
use crate::record::{Encoder, Header, Kind, seed};
use crate::segment::Segment;
use crate::slot::{BRIEF_BYTES, Brief, SLOT_BYTES};
use crate::{Options, PAGE_BYTES, Part, Piece, Storage, StorageError, Tail, envelope, survey};

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

/// A brief slot is the only trace of its group, in a page that else is damaged or zeros.
#[test]
fn a_brief_slot_of_a_later_group_shows_that_what_is_before_it_was_durable() {
    let (disk, _) = lived();
    let pieces = survey(&mut disk.clone()).unwrap();
    let is_brief = |piece: &&Piece| {
        matches!(piece.part, Part::Slot(named) if named.group == 2) && piece.bytes == BRIEF_BYTES
    };
    let slots: Vec<&Piece> = pieces.iter().filter(is_brief).collect();
    assert_eq!(slots.len(), 49);
    for (left, how) in slots.iter().flat_map(|left| [How::Flip, How::Zero].map(|how| (*left, how))) {
        let mut damaged = disk.clone();
        for piece in pieces.iter().filter(|piece| *piece != left) {
            let (Part::Record(named) | Part::Slot(named)) = piece.part else { continue };
            if named.group == 2 || named.sequence == 1 {
                let range = piece.offset as usize..(piece.offset + piece.bytes) as usize;
                damaged.damage(&piece.file, |bytes| how.spoil(&mut bytes[range]));
            }
        }
        let error = Storage::open(&mut damaged, IDENTITY, &roomy()).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { .. }), "{how:?}: {error}");
    }
}

#[derive(Clone, Copy, Debug)]
enum How {
    Flip,
    Zero,
}

impl How {
    fn spoil(self, bytes: &mut [u8]) {
        match self {
            How::Flip => bytes[5] ^= 1,
            How::Zero => bytes.fill(0),
        }
    }
}

/// Its checksum holds, and it is of another group: whoever wrote it, it was not this one's.
#[test]
fn a_brief_slot_of_another_group_names_no_record_of_this_one() {
    let (disk, story) = life_of(&[(1..=9).map(|index| command(1, index, 30)).collect()]);
    let pieces = survey(&mut disk.clone()).unwrap();
    let of_fifth =
        |piece: &&Piece| matches!(piece.part, Part::Slot(named) | Part::Record(named) if named.sequence == 5);
    let [slot, record] = pieces.iter().filter(of_fifth).collect::<Vec<_>>()[..] else {
        panic!("a slot and a record")
    };
    let header = envelope::body(&disk.bytes(&slot.file)[..PAGE]).and_then(Segment::parse_header).unwrap();
    for (group, is_lost) in [(1, true), (2, false)] {
        let mut damaged = disk.clone();
        let brief = Brief { payload_bytes: 30, group }.encode(seed(header.salt), slot.offset);
        damaged.damage(&slot.file, |bytes| {
            bytes[slot.offset as usize..][..brief.len()].copy_from_slice(&brief);
            bytes[record.offset as usize + 50] ^= 1;
        });
        let opened = Storage::open(&mut damaged, IDENTITY, &roomy());
        assert_eq!(
            opened.is_ok_and(|(_, recovered)| recovered.last_index == story.acknowledged.last_index()),
            is_lost
        );
    }
}

/// Numbers that no log reaches, with good checksums.
#[test]
fn a_survey_looks_at_records_with_any_numbers() {
    let (mut disk, _) = life_of(&[vec![noop(1, 1)]]);
    let name = segments(&disk)[0].clone();
    let header = envelope::body(&disk.bytes(&name)[..PAGE]).and_then(Segment::parse_header).unwrap();
    let (slots_at, records_at) = (header.layout.slots_at(0), header.layout.records_at(0));
    let mut encoder = Encoder::default();
    encoder.begin(slots_at, records_at, seed(header.salt));
    for ordinal in 0..2 {
        let position = LogPosition::new(1, 1 + u64::from(ordinal));
        let (payload_bytes, kind, count, sequence, group) = (0, Kind::Command, 2, u64::MAX, 1);
        encoder.push(Header { payload_bytes, kind, ordinal, count, sequence, group, position }, b"");
    }
    encoder.fill_pages();
    disk.damage(&name, |bytes| {
        bytes[slots_at as usize..][..encoder.slots.len()].copy_from_slice(&encoder.slots);
        bytes[records_at as usize..][..encoder.records.len()].copy_from_slice(&encoder.records);
    });
    survey(&mut disk).unwrap();
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

/// Of a group that was never durable only its last page of slots arrived.
#[test]
fn a_slot_on_a_later_page_is_what_remains_of_a_torn_group() {
    let entries = (1..=332).map(|index| command(1, index, 3)).chain([noop(1, 333)]);
    let (mut disk, _) = life_of(&[vec![command(1, 1, 9)], entries.skip(1).collect()]);
    for piece in survey(&mut disk.clone()).unwrap() {
        let (Part::Slot(named) | Part::Record(named)) = piece.part else { continue };
        let arrived = matches!(piece.part, Part::Slot(_)) && piece.offset / PAGE_BYTES == 3;
        if named.position.index.0 > 1 && !arrived {
            disk.damage(&piece.file, |bytes| {
                bytes[piece.offset as usize..(piece.offset + piece.bytes) as usize].fill(0);
            });
        }
    }
    assert_eq!(reopen(&mut disk).0.tail(), Tail::Torn { group: 2 });
}

const CASES: usize = 300;

/// A life of so many groups of hundreds of entries of all kinds, and the state after each.
fn draw_life(draws: &mut Draws, groups: u64) -> (CrashDisk, Vec<State>) {
    let mut disk = CrashDisk::default();
    Storage::format(&mut disk, IDENTITY, &spacious()).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &spacious()).unwrap();
    let mut story = Story::default();
    let mut states = vec![story.acknowledged.clone()];
    let (mut term, mut next) = (1, 1);
    for _ in 0..groups {
        let entries = draw_group(draws, next, &mut term);
        next = entries.last().unwrap().index.0 + 1;
        let step = Step { hard_state: Some(vote(term, 1)), entries, ..Step::default() };
        story.commit(&mut storage, &[vec![step]], &mut disk).unwrap();
        states.push(story.acknowledged.clone());
    }
    assert_eq!(segments(&disk).len(), 1);
    (disk, states)
}

fn spacious() -> Options {
    Options { segment_bytes: 512 << 10, ..options() }
}

fn draw_group(draws: &mut Draws, first: u64, term: &mut u64) -> Vec<Entry> {
    let (count, is_plain) = (1 + draws.below(400), draws.below(4) == 0);
    let mut entries: Vec<Entry> = Vec::new();
    while (entries.len() as u64) < count {
        let index = first + entries.len() as u64;
        match if is_plain { 4 } else { draws.below(12) } {
            0 => entries.push(noop(*term, index)),
            1 => entries.push(configuration(*term, index, 1 + draws.below(12))),
            2 => *term += 1,
            3 => entries.extend((index..=index + draws.below(60)).map(|index| Entry {
                term: Term(*term),
                index: LogIndex(index),
                payload: Payload::Withheld,
            })),
            _ => {
                let longest = 1 + draws.below(40);
                for index in index..=index + draws.below(120) {
                    entries.push(command(*term, index, draws.below(longest) as usize));
                }
            }
        }
    }
    entries
}

/// Starts twice. How the log ended, and of how many groups everything is there, but for the data of the entries at these
/// indices.
fn start(disk: &mut CrashDisk, states: &[State]) -> Result<(Tail, usize, Vec<LogIndex>), StorageError> {
    let (storage, recovered) = Storage::open(disk, IDENTITY, &spacious())?;
    let found = state_of(&storage, &recovered, disk);
    let groups = states.iter().position(|state| state.log.len() == found.log.len()).expect("whole groups");
    for (entry, known) in found.log.iter().zip(&states[groups].log) {
        let is_lost = found.faulty.contains(&entry.index);
        assert!(entry.position() == known.position() && (is_lost || entry == known), "{entry:?} {known:?}");
    }
    let (again, recovered) = Storage::open(disk, IDENTITY, &spacious()).unwrap();
    let again = state_of(&again, &recovered, disk);
    assert_eq!((again.log, &again.faulty), (found.log, &found.faulty));
    Ok((storage.tail(), groups, found.faulty.into_iter().collect()))
}

/// Sectors of the last group arrived, or did not, or are garbage: the group before is there, and this one as a whole or not at
/// all.
#[test]
fn a_large_group_that_tears_costs_nothing_of_what_was_acknowledged() {
    let mut draws = Draws(1);
    let mut tails = BTreeSet::new();
    for case in 0..CASES as u64 {
        let (mut disk, states) = draw_life(&mut draws, 2);
        let of_last = |piece: &&Piece| matches!(piece.part, Part::Slot(named) | Part::Record(named) if named.group == 2);
        let pieces = survey(&mut disk.clone()).unwrap();
        let pages = pieces.iter().filter(of_last);
        let pages: BTreeSet<u64> = pages
            .flat_map(|piece| piece.offset / PAGE_BYTES..(piece.offset + piece.bytes).div_ceil(PAGE_BYTES))
            .collect();
        let (with_garbage, whole_pages) = (case % 2, draws.below(6));
        disk.damage(&segments(&disk)[0].clone(), |bytes| {
            for page in pages {
                let (is_gone, is_torn) =
                    (draws.below(3 + whole_pages) == 0, draws.below(3 + whole_pages) == 0);
                for sector in bytes[(page * PAGE_BYTES) as usize..][..PAGE].chunks_mut(512) {
                    match draws.below(2 + with_garbage) {
                        _ if is_gone => sector.fill(0),
                        0 if is_torn => sector.fill(0),
                        2 if is_torn => sector.fill_with(|| draws.below(256) as u8),
                        _ => {}
                    }
                }
            }
        });
        let (tail, groups, lost) = start(&mut disk, &states).unwrap();
        let acknowledged = states[1].last_index();
        assert!(groups >= 1 && lost.iter().all(|index| *index > acknowledged), "{case}: {tail:?} {lost:?}");
        tails.insert(match tail {
            Tail::Whole => "whole",
            Tail::Torn { .. } => "torn",
            Tail::Uncertain { .. } => "uncertain",
            Tail::Doubtful { .. } => "doubtful",
        });
    }
    assert_eq!(tails.into_iter().collect::<Vec<_>>(), ["doubtful", "torn", "uncertain", "whole"]);
}

/// Slots and records of any groups rot, alone or together: what has a sound half keeps its name, and where both are gone the
/// log ends there only if nothing of a later group is left.
#[test]
fn large_groups_that_rot_lose_exactly_what_has_no_sound_half() {
    let mut draws = Draws(2);
    let mut outcomes = BTreeSet::new();
    for case in 0..CASES {
        let groups = 1 + draws.below(4);
        let (sound, states) = draw_life(&mut draws, groups);
        let name = segments(&sound)[0].clone();
        let pieces = survey(&mut sound.clone()).unwrap();
        let is_of_log = |piece: &&Piece| matches!(piece.part, Part::Slot(_) | Part::Record(_));
        let pairs: Vec<&Piece> = pieces.iter().filter(is_of_log).collect();
        let mut disk = sound.clone();
        for _ in 0..=draws.below(5) {
            let place = draws.below(pairs.len() as u64) as usize;
            let (with_other_half, how, scope) = (draws.below(2) == 0, draws.below(3), draws.below(4));
            for piece in
                [Some(pairs[place]), with_other_half.then_some(pairs[place ^ 1])].into_iter().flatten()
            {
                let end = piece.offset + piece.bytes;
                let range = match scope {
                    0 => piece.offset..end,
                    1 => piece.offset / 512 * 512..piece.offset / 512 * 512 + 512,
                    2 => {
                        piece.offset / PAGE_BYTES * PAGE_BYTES
                            ..(piece.offset + 1).next_multiple_of(PAGE_BYTES)
                    }
                    _ => piece.offset..(piece.offset + 1).next_multiple_of(PAGE_BYTES),
                };
                disk.damage(&name, |bytes| {
                    for byte in &mut bytes[range.start as usize..range.end as usize] {
                        *byte = [0, draws.below(256) as u8, *byte ^ 4][how as usize];
                    }
                });
            }
        }
        outcomes.insert(
            judge_rot(&sound, &mut disk, &pairs, &states).unwrap_or_else(|what| panic!("{case}: {what}")),
        );
    }
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), ["masked", "refused", "torn", "uncertain"]);
}

/// What came of it, in a word; `pairs` are each slot with its record behind it.
fn judge_rot(
    sound: &CrashDisk,
    disk: &mut CrashDisk,
    pairs: &[&Piece],
    states: &[State],
) -> Result<&'static str, String> {
    let damaged = disk.bytes(&pairs[0].file).to_vec();
    let is_sound = |piece: &Piece| {
        // What fills up the slot of a configuration means nothing.
        let bytes = if let Part::Slot(named) = piece.part
            && named.kind == "configuration"
        {
            SLOT_BYTES + u64::from(named.payload_bytes)
        } else {
            piece.bytes
        };
        let range = piece.offset as usize..(piece.offset + bytes) as usize;
        sound.bytes(&piece.file)[range.clone()] == damaged[range]
    };
    let (mut gap, mut lost) = (None, Vec::new());
    for pair in pairs.chunks(2) {
        let Part::Record(named) = pair[1].part else { panic!("a record stands behind its slot") };
        match (is_sound(pair[0]), is_sound(pair[1])) {
            (false, false) => {
                gap = Some((named, pair[0]));
                break;
            }
            (true, false) if named.kind == "command" && named.payload_bytes > 0 => {
                lost.push(named.position.index);
            }
            _ => {}
        }
    }
    // A record inside a page is found by those before it, or by its slot.
    let leaves_a_trace = |group: u64| {
        pairs.chunks(2).any(|pair| {
            let Part::Slot(named) = pair[0].part else { return false };
            let begins_page = pair[1].offset.is_multiple_of(PAGE_BYTES);
            named.group > group && (is_sound(pair[0]) || (begins_page && is_sound(pair[1])))
        })
    };
    match (gap, start(disk, states)) {
        (None, Ok((_, groups, found))) if groups + 1 == states.len() && found == lost => Ok("masked"),
        (Some((named, _)), Err(StorageError::Damaged { .. })) if leaves_a_trace(named.group) => Ok("refused"),
        (Some((named, slot)), Ok((tail, groups, _)))
            if !leaves_a_trace(named.group) && groups as u64 == named.group - 1 =>
        {
            let page_end = (slot.offset + 1).next_multiple_of(PAGE_BYTES) as usize;
            let is_zero = damaged[slot.offset as usize..page_end].iter().all(|byte| *byte == 0);
            match tail {
                Tail::Torn { .. } | Tail::Whole if is_zero => Ok("torn"),
                Tail::Uncertain { .. } if !is_zero => Ok("uncertain"),
                Tail::Whole | Tail::Torn { .. } | Tail::Uncertain { .. } | Tail::Doubtful { .. } => {
                    Err(format!("{tail:?} after {named}, zeros: {is_zero}"))
                }
            }
        }
        (gap, found) => Err(format!("{gap:?}, {lost:?}: {found:?}")),
    }
}
