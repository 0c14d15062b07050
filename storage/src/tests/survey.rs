//! A survey sees each piece, and which of them are damaged.

use squall_raft::LogPosition;

use super::crash_disk::CrashDisk;
use super::story::{Act, IDENTITY, Step, Story, command, formatted, image, noop, open, options, vote};
use crate::pages::Pages;
use crate::segment::Segment;
use crate::slot::{SLOT_BYTES, Slot};
use crate::{Identity, Options, PAGE_BYTES, Part, Piece, Storage, envelope, owner, record, survey};

/// Two lives, a truncation, a snapshot and a part of one.
fn lived() -> CrashDisk {
    let (mut disk, mut story) = (formatted(), Story::default());
    for life in 1..=2 {
        let mut storage = story.recover(&mut disk).unwrap();
        let first = story.acknowledged.last_index().0 + 1;
        let entries = vec![noop(life, first), command(life, first + 1, 700), command(life, first + 2, 9)];
        let write = Step { hard_state: Some(vote(life, 1)), entries, ..Step::default() };
        let from = story.acknowledged.last_index().next();
        let cut = Step { truncate_from: Some(squall_raft::LogIndex(from.0 + 2)), ..Step::default() };
        story.live(&mut storage, &[Act::Commit(vec![write]), Act::Commit(vec![cut])], &mut disk).unwrap();
    }
    let mut storage = story.recover(&mut disk).unwrap();
    let last = LogPosition::new(2, 4);
    let acts = [Act::Begin(last), Act::Write(5000), Act::Finish, Act::Receive(LogPosition::new(2, 9), 9000)];
    story.live(&mut storage, &acts, &mut disk).unwrap();
    story.live(&mut storage, &[Act::Get(4500)], &mut disk).unwrap();
    assert_eq!(image(last, 0..1).len(), 1);
    disk
}

fn pieces(disk: &CrashDisk) -> Vec<Piece> {
    survey(&mut disk.clone()).unwrap()
}

fn is_rest(piece: &Piece) -> bool {
    piece.part == Part::Rest
}

#[test]
fn every_piece_of_a_sound_disk_can_be_read_and_none_is_left_out() {
    let disk = lived();
    let all = pieces(&disk);
    let unreadable: Vec<_> = all.iter().filter(|piece| !piece.is_readable && !is_rest(piece)).collect();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    let records = |named: &dyn Fn(&Part) -> Option<u64>| {
        let mut sequences: Vec<u64> = all.iter().filter_map(|piece| named(&piece.part)).collect();
        sequences.sort_unstable();
        sequences.dedup();
        sequences
    };
    let of_records =
        records(&|part| if let Part::Record(named) = part { Some(named.sequence) } else { None });
    let of_slots = records(&|part| if let Part::Slot(named) = part { Some(named.sequence) } else { None });
    assert_eq!(of_records, (1..=8).collect::<Vec<_>>());
    assert_eq!(of_slots, of_records);
    let chunks = all.iter().filter(|piece| matches!(piece.part, Part::SnapshotChunk { .. })).count();
    assert_eq!(chunks, 3, "two of the snapshot, one of the part");
    let mut disk = disk;
    assert_eq!(owner(&mut disk).unwrap(), Some(IDENTITY));
}

#[test]
fn a_flipped_bit_anywhere_is_seen_in_the_piece_that_it_is_in_and_in_no_other() {
    let disk = lived();
    let before = pieces(&disk);
    let mut hits = 0;
    for place in before.iter().filter(|piece| piece.is_readable) {
        for at in [0, place.bytes / 2, place.bytes - 1] {
            let mut damaged = disk.clone();
            damaged.damage(&place.file, |bytes| bytes[(place.offset + at) as usize] ^= 4);
            let after = pieces(&damaged);
            let bad: Vec<_> = after.iter().filter(|piece| !piece.is_readable && !is_rest(piece)).collect();
            assert!(
                bad.len() == 1 && (&bad[0].file, bad[0].offset) == (&place.file, place.offset),
                "{bad:?}"
            );
            assert_eq!(after.len(), before.len(), "{place:?}");
            hits += 1;
        }
    }
    assert!(hits > 100, "{hits}");
}

#[test]
fn a_record_lost_with_its_slot_leaves_a_gap_and_what_follows_is_seen() {
    let mut disk = CrashDisk::default();
    let roomy = Options { segment_bytes: 128 << 10, ..options() };
    Storage::format(&mut disk, IDENTITY, &roomy).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &roomy).unwrap();
    let groups: Vec<_> = (1..=3)
        .map(|index| {
            vec![Step {
                hard_state: Some(vote(1, 1)),
                entries: vec![command(1, index, 9)],
                ..Step::default()
            }]
        })
        .collect();
    Story::default().commit(&mut storage, &groups, &mut disk).unwrap();
    let of_second =
        |piece: &&Piece| matches!(piece.part, Part::Slot(named) | Part::Record(named) if named.sequence == 2);
    for piece in pieces(&disk).iter().filter(of_second) {
        disk.damage(&piece.file, |bytes| bytes[piece.offset as usize] ^= 1);
    }
    let after = pieces(&disk);
    assert_eq!(
        after.iter().filter(|piece| is_rest(piece)).count(),
        2,
        "a gap, and the unused end: {after:#?}"
    );
    assert!(after.iter().any(|piece| matches!(piece.part, Part::Record(named) if named.sequence == 3)));
    assert!(open(&mut disk).is_err());
}

#[test]
fn a_forged_slot_that_tells_of_a_page_of_the_group_before_leads_nobody_back() {
    let mut disk = CrashDisk::default();
    let roomy = Options { segment_bytes: 128 << 10, ..options() };
    Storage::format(&mut disk, IDENTITY, &roomy).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &roomy).unwrap();
    let step = |entries| vec![Step { hard_state: Some(vote(1, 1)), entries, ..Step::default() }];
    let groups = [step(vec![command(1, 1, 9_000), noop(1, 2)]), step(vec![noop(1, 3)])];
    Story::default().commit(&mut storage, &groups, &mut disk).unwrap();
    let all = pieces(&disk);
    let of = |piece: &&Piece, wanted| matches!(piece.part, Part::Slot(named) | Part::Record(named) if named.sequence == wanted);
    for piece in all.iter().filter(|piece| of(piece, 2)) {
        disk.damage(&piece.file, |bytes| bytes[piece.offset as usize] ^= 1);
    }
    let record = all.iter().find(|piece| matches!(piece.part, Part::Record(_))).expect("the first record");
    let third = all.iter().find(|piece| of(piece, 3)).expect("a slot comes before its record");
    for offset in [record.offset + PAGE_BYTES, 0, u64::MAX - PAGE_BYTES] {
        forge_offset(&mut disk, third, offset);
        let after = pieces(&disk);
        assert_eq!(after.iter().filter(|piece| is_rest(piece)).count(), 1, "{after:#?}");
        assert!(!after.iter().any(|piece| of(&piece, 3)), "{after:#?}");
    }
}

/// Makes a slot say that its record stands there, with a checksum that is right.
fn forge_offset(disk: &mut CrashDisk, piece: &Piece, offset: u64) {
    let header =
        envelope::body(&disk.bytes(&piece.file)[..PAGE_BYTES as usize]).and_then(Segment::parse_header);
    let seed = record::seed(header.expect("the segment is sound").salt);
    let place = piece.offset as usize..(piece.offset + SLOT_BYTES) as usize;
    let slot = Slot::decode(seed, &disk.bytes(&piece.file)[place.clone()]).expect("the slot is sound");
    let mut forged = Pages::default();
    Slot { offset, ..slot.clone() }.encode(slot.record_crc.expect("it is a full one"), seed, &mut forged);
    disk.damage(&piece.file, |bytes| bytes[place].copy_from_slice(&forged[..SLOT_BYTES as usize]));
}

#[test]
fn arbitrary_files_are_looked_at_without_panic() {
    let disk = lived();
    for name in disk.names() {
        for length in [0, 1, 100, 4095, 4096, 5000, 9000, 20_000] {
            for fill in [0, 0xff, 0x17] {
                let mut strange = disk.clone();
                strange.damage(&name, |bytes| *bytes = vec![fill; length]);
                survey(&mut strange).unwrap();
                let _: Option<Identity> = owner(&mut strange).unwrap();
            }
            let mut cut = disk.clone();
            cut.damage(&name, |bytes| bytes.resize(length, 0));
            survey(&mut cut).unwrap();
        }
    }
}
