//! Arbitrary histories and crashes; arbitrary bytes.

use proptest::prelude::*;
use squall_raft::{LogIndex, LogPosition, Term};

use super::crash_disk::{CrashDisk, End};
use super::story::{
    Act, IDENTITY, State, Step, Story, command, configuration, formatted, id_of, noop, open, options, vote,
};
use crate::{Storage, StorageError};

/// What an act is made of, before it is known what it follows. One that makes no sense there is left out.
#[derive(Clone, Debug)]
pub(super) enum Seed {
    Write {
        next_term: bool,
        truncate: Option<u64>,
        sizes: Vec<usize>,
        ends_group: bool,
    },
    /// Of the entry so far from the log's end.
    Begin(u64),
    Piece(u64),
    Finish,
    /// Of an entry so far behind the log's end, or before it, in a term of its own.
    Receive {
        ahead: i64,
        bytes: u64,
    },
    Get(u64),
    Install,
    /// Up to so far before the newest snapshot.
    Compact(u64),
}

pub(super) fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let size = prop_oneof![8 => 0_usize..200, 1 => 3000_usize..9000, 1 => 30_000_usize..40_000];
    let write = (
        any::<bool>(),
        prop::option::weighted(0.3, 0_u64..6),
        prop::collection::vec(size, 0..5),
        any::<bool>(),
    );
    let write = write.prop_map(|(next_term, truncate, sizes, ends_group)| Seed::Write {
        next_term,
        truncate,
        sizes,
        ends_group,
    });
    let seed = prop_oneof![
        8 => write,
        2 => (0_u64..4).prop_map(Seed::Begin),
        2 => (0_u64..9000).prop_map(Seed::Piece),
        2 => Just(Seed::Finish),
        1 => (-3_i64..5, 0_u64..20_000).prop_map(|(ahead, bytes)| Seed::Receive { ahead, bytes }),
        3 => (0_u64..9000).prop_map(Seed::Get),
        2 => Just(Seed::Install),
        2 => (0_u64..3).prop_map(Seed::Compact),
    ];
    prop::collection::vec(seed, 1..24)
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        1 => Just(End::Process),
        1 => Just(End::PowerKeepsAll),
        1 => Just(End::PowerDropsAll),
        5 => any::<u64>().prop_map(End::PowerTears),
    ]
}

/// The acts that continue `state`.
pub(super) fn history(mut state: State, seeds: &[Seed]) -> Vec<Act> {
    let (mut acts, mut group) = (Vec::new(), Vec::new());
    for seed in seeds {
        if let Seed::Write { ends_group, .. } = seed {
            let step = write(&state, seed);
            state = state.after(core::slice::from_ref(&step));
            group.push(step);
            if !ends_group {
                continue;
            }
        }
        let commit = (!group.is_empty()).then(|| Act::Commit(core::mem::take(&mut group)));
        acts.extend(commit);
        if let Some(act) = act(&state, seed) {
            state = state.after_act(&act);
            acts.push(act);
        }
    }
    let commit = (!group.is_empty()).then_some(Act::Commit(group));
    acts.into_iter().chain(commit).collect()
}

/// A write, which resets the log where a snapshot stands for more than it has, or for another entry.
fn write(state: &State, seed: &Seed) -> Step {
    let Seed::Write { next_term, truncate, sizes, .. } = seed else { panic!("{seed:?} is no write") };
    let mut step = Step::default();
    let mut term = state.hard_state.current_term.0;
    if *next_term || term == 0 {
        term += 1;
        step.hard_state = Some(vote(term, term % 3 + 1));
    }
    let mut first = state.last_index().next();
    if let Some(covered) =
        state.snapshot.map(|id| id.last).filter(|last| state.position(last.index) != Some(*last))
        && covered.index > state.base.index
    {
        step.reset_to = Some(covered);
        first = covered.index.next();
    } else if let Some(truncate) = truncate {
        let committed = [state.snapshot.map(|id| id.last.index), state.taken.map(|(last, _)| last.index)];
        let committed = committed.into_iter().flatten().fold(state.base.index, LogIndex::max);
        first = LogIndex(first.0.saturating_sub(*truncate)).max(committed.next()).min(first);
        step.truncate_from = Some(first);
    }
    let sized = sizes.iter().zip(first.0..);
    let entry = |(size, index): (&usize, u64)| match *size {
        0 => noop(term, index),
        1..20 => configuration(term, index, *size as u64),
        20.. => command(term, index, *size),
    };
    step.entries = sized.map(entry).collect();
    step
}

/// What else a node does, if it makes sense now.
fn act(state: &State, seed: &Seed) -> Option<Act> {
    let newest = state.snapshot.map_or(LogPosition::ZERO, |id| id.last);
    let is_later = |last: &LogPosition| last.index > newest.index && last.index > state.base.index;
    match *seed {
        Seed::Write { .. } => None,
        Seed::Begin(back) => {
            let last =
                state.last_index().0.checked_sub(back).and_then(|index| state.position(LogIndex(index)));
            let has_gap = state.position(newest.index) != Some(newest);
            last.filter(|last| is_later(last) && !has_gap).map(Act::Begin)
        }
        Seed::Piece(bytes) => state.taken.map(|_| Act::Write(bytes)),
        Seed::Finish => state.taken.map(|_| Act::Finish),
        Seed::Receive { ahead, bytes } => {
            let index = state.last_index().0.checked_add_signed(ahead)?;
            let last = LogPosition { term: state.hard_state.current_term, index: LogIndex(index) };
            (last.term > Term::ZERO && is_later(&last)).then_some(Act::Receive(last, bytes))
        }
        Seed::Get(bytes) => {
            let received = state.received?;
            Some(Act::Get(bytes.min(received.id.bytes - received.bytes)))
        }
        Seed::Install => {
            let received = state.received?;
            let is_taken = state.taken.is_some_and(|(last, _)| last.index >= received.id.last.index);
            let is_whole = received.bytes == received.id.bytes;
            (is_whole && !is_taken && is_later(&received.id.last)).then_some(Act::Install)
        }
        Seed::Compact(back) => {
            let to = newest.index.0.checked_sub(back).and_then(|index| state.position(LogIndex(index)))?;
            let step = Step { compact_to: Some(to), ..Step::default() };
            (state.position(newest.index) == Some(newest)).then(|| Act::Commit(vec![step]))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_was_promised_is_recovered_and_nothing_else(
        lives in prop::collection::vec((seeds(), 0_u64..150, ends()), 1..6),
    ) {
        let (mut disk, mut story) = (formatted(), Story::default());
        for (seeds, crash_at, end) in lives {
            disk.operations = 0;
            disk.crash_at = Some(crash_at);
            // A recovery that is cut short promises nothing new.
            if let Ok(mut storage) = story.recover(&mut disk) {
                let acts = history(story.acknowledged.clone(), &seeds);
                let _ = story.live(&mut storage, &acts, &mut disk);
            }
            disk.restart(end);
        }
        story.recover(&mut disk).unwrap();
    }

    #[test]
    fn arbitrary_bytes_for_files_are_refused_without_panic(
        files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 3),
        keep in 0_usize..4,
    ) {
        let mut disk = formatted();
        drop(open(&mut disk).unwrap());
        let names = disk.names();
        for (number, (name, bytes)) in names.iter().zip(&files).enumerate() {
            if number != keep {
                disk.damage(name, |old| old.clone_from(bytes));
            }
        }
        prop_assert!(open(&mut disk).is_err());
    }

    #[test]
    fn damaged_headers_and_records_with_good_checksums_do_not_panic(
        words in prop::collection::vec((0_usize..13, any::<u64>(), 0_u32..64), 1..4),
    ) {
        let mut disk = formatted();
        drop(open(&mut disk).unwrap());
        let name = disk.names().into_iter().find(|name| name.starts_with("log-")).unwrap();
        disk.damage(&name, |bytes| {
            for (word, value, shift) in &words {
                bytes[16 + word * 8..24 + word * 8].copy_from_slice(&(value >> shift).to_le_bytes());
            }
            let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
            let crc = crc32c::crc32c(&bytes[..16 + length]);
            bytes[16 + length..20 + length].copy_from_slice(&crc.to_le_bytes());
            let end = bytes.len();
            bytes.copy_within(..4096, end - 4096);
        });
        let _ = open(&mut disk);
    }

    #[test]
    fn damaged_headers_of_snapshots_with_good_checksums_do_not_panic(
        words in prop::collection::vec((3_usize..8, any::<u64>(), 0_u32..64), 1..4),
        is_received in any::<bool>(),
    ) {
        let (mut disk, mut story) = (formatted(), Story::default());
        let mut storage = story.recover(&mut disk).unwrap();
        let last = LogPosition::new(1, 9);
        let mut acts = vec![Act::Receive(last, 9000), Act::Get(9000)];
        acts.extend((!is_received).then_some(Act::Install));
        story.live(&mut storage, &acts, &mut disk).unwrap();
        let name = disk.names().pop().unwrap();
        disk.damage(&name, |bytes| {
            for (word, value, shift) in &words {
                bytes[16 + word * 8..24 + word * 8].copy_from_slice(&(value >> shift).to_le_bytes());
            }
            let crc = crc32c::crc32c(&bytes[..16 + 64]);
            bytes[80..84].copy_from_slice(&crc.to_le_bytes());
            bytes.copy_within(..4096, 4096);
        });
        let whole = id_of(last, 9000);
        let (storage, recovered) = match open(&mut disk) {
            Ok(opened) => opened,
            Err(StorageError::Damaged { file, .. }) if !is_received => {
                prop_assert_eq!(file, name, "the log does not reach so far");
                return Ok(());
            }
            Err(error) => panic!("{error}"),
        };
        let found = recovered.snapshot.unwrap_or(whole);
        prop_assert_eq!((found.bytes, found.checksum), (whole.bytes, whole.checksum));
        let received = storage.received_snapshot();
        prop_assert!(received.is_none_or(|(_, bytes)| bytes <= 9000));
    }

    #[test]
    fn slots_with_good_checksums_and_any_content_do_not_panic(
        words in prop::collection::vec((any::<u64>(), 0_u32..64), 7),
        is_record in any::<bool>(),
        kind in 1_u32..6,
    ) {
        let mut disk = formatted();
        let (_, _) = open(&mut disk).unwrap();
        let name = disk.names().into_iter().find(|name| name.starts_with("log-")).unwrap();
        let seed = crate::record::seed(options().salt(1));
        disk.damage(&name, |bytes| {
            let start = if is_record { 2 * 4096 } else { 4096 };
            let mut content: Vec<u8> = words.iter().flat_map(|(word, shift)| (word >> shift).to_le_bytes()).collect();
            if is_record {
                content.truncate(48);
                content[0] = 0;
            } else {
                content.extend([1, 2, 3, 4]);
            }
            content[4..8].copy_from_slice(&kind.to_le_bytes());
            let crc = crc32c::crc32c_append(seed, &content);
            content.extend(crc.to_le_bytes());
            bytes[start..start + content.len()].copy_from_slice(&content);
        });
        let _ = open(&mut disk);
    }
}

#[test]
fn a_disk_of_nothing_but_ones_is_refused() {
    let mut disk = CrashDisk::default();
    for name in ["identity", "hard-state", "log-00000000000000000001"] {
        disk.put(name, &[0xff; 16 << 10]);
    }
    assert!(Storage::open(&mut disk, IDENTITY, &options()).is_err());
}
