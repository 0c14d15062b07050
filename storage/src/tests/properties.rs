//! Arbitrary histories and crashes; arbitrary bytes.

use proptest::prelude::*;
use squall_raft::LogIndex;

use super::crash_disk::{CrashDisk, End};
use super::story::{IDENTITY, State, Step, Story, command, formatted, noop, open, options, vote};
use crate::Storage;

/// What a step is made of, before it is known what it follows.
#[derive(Clone, Debug)]
struct Seed {
    next_term: bool,
    truncate: Option<u64>,
    sizes: Vec<usize>,
    ends_group: bool,
}

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let size = prop_oneof![8 => 0_usize..200, 1 => 3000_usize..9000, 1 => 30_000_usize..40_000];
    let seed = (
        any::<bool>(),
        prop::option::weighted(0.3, 0_u64..6),
        prop::collection::vec(size, 0..5),
        any::<bool>(),
    );
    let seed = seed.prop_map(|(next_term, truncate, sizes, ends_group)| Seed {
        next_term,
        truncate,
        sizes,
        ends_group,
    });
    prop::collection::vec(seed, 1..12)
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        1 => Just(End::Process),
        1 => Just(End::PowerKeepsAll),
        1 => Just(End::PowerDropsAll),
        5 => any::<u64>().prop_map(End::PowerTears),
    ]
}

/// The groups of a history that continues `state`.
fn history(mut state: State, seeds: &[Seed]) -> Vec<Vec<Step>> {
    let mut groups = vec![Vec::new()];
    for seed in seeds {
        let mut step = Step::default();
        let mut term = state.hard_state.current_term.0;
        if seed.next_term || term == 0 {
            term += 1;
            step.hard_state = Some(vote(term, term % 3 + 1));
        }
        let last = state.log.len() as u64;
        let from = (last + 1) - seed.truncate.unwrap_or(0).min(last);
        step.truncate_from = seed.truncate.is_some().then_some(LogIndex(from));
        step.entries =
            seed.sizes.iter().zip(from..).map(|(size, index)| command(term, index, *size)).collect();
        if from == 1 {
            step.entries.insert(0, noop(term, 1));
            for (entry, index) in step.entries.iter_mut().zip(1..) {
                entry.index = LogIndex(index);
            }
        }
        state = state.after(core::slice::from_ref(&step));
        groups.last_mut().unwrap().push(step);
        if seed.ends_group {
            groups.push(Vec::new());
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_was_promised_is_recovered_and_nothing_else(
        lives in prop::collection::vec((seeds(), 0_u64..60, ends()), 1..6),
    ) {
        let (mut disk, mut story) = (formatted(), Story::default());
        for (seeds, crash_at, end) in lives {
            disk.operations = 0;
            disk.crash_at = Some(crash_at);
            let groups = |story: &Story| history(story.acknowledged.clone(), &seeds);
            // A recovery that is cut short promises nothing new.
            if let Ok(mut storage) = story.recover(&mut disk) {
                let _ = story.commit(&mut storage, &groups(&story), &mut disk);
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
    fn slots_with_good_checksums_and_any_content_do_not_panic(
        words in prop::collection::vec((any::<u64>(), 0_u32..64), 7),
        is_record in any::<bool>(),
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
            content[4..8].copy_from_slice(&2_u32.to_le_bytes());
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
