//! Each rule of the persistence model seen to act, by itself; `model.rs` checks all of them together.

mod failures;
mod model;
mod ruin;

use super::*;
use crate::choice::{DrawKey, Purpose};
use squall_disk::{Disk, DiskErrorKind};
use std::borrow::Cow;

const PAGE: u64 = PAGE_BYTES as u64;

/// Weights under which a power loss does nothing but what a test then asks for.
fn calm() -> CrashWeights {
    CrashWeights {
        file: FileWeights { kept: 1, dropped: 0, torn: 0 },
        page: PageWeights { kept: 1, dropped: 0, damaged: 0 },
        sector: SectorWeights { new: 1, old: 0, garbage: 0 },
        extent: ExtentWeights { whole: 1, prefix: 0, suffix: 0 },
        growth: GrowthWeights { zeros: 1, garbage: 0 },
        directory: DirectoryWeights { kept: 1, ordered: 0, scattered: 0 },
    }
}

fn torn(page: PageWeights) -> CrashWeights {
    CrashWeights { file: FileWeights { kept: 0, dropped: 0, torn: 1 }, page, ..calm() }
}

const DROPPED: FileWeights = FileWeights { kept: 0, dropped: 1, torn: 0 };
const PAGES_DROPPED: PageWeights = PageWeights { kept: 0, dropped: 1, damaged: 0 };
const PAGES_DAMAGED: PageWeights = PageWeights { kept: 0, dropped: 0, damaged: 1 };

fn disk(seed: u64, crash: CrashWeights) -> SimDisk {
    let parameters = DiskParameters { latency: DiskLatency::NONE, crash };
    SimDisk::new(ProcessId(1), parameters, Choice::from_seed(seed))
}

/// A disk with one durable file `a` of this content.
fn disk_with(seed: u64, crash: CrashWeights, content: &[u8]) -> (SimDisk, FileId) {
    let mut disk = disk(seed, crash);
    let file = disk.create("a").unwrap();
    disk.write_at(file, 0, content).unwrap();
    disk.sync(file).unwrap();
    disk.sync_dir().unwrap();
    disk.settle();
    (disk, file)
}

/// The whole content of a file, by name.
fn content(disk: &mut SimDisk, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    let mut bytes = vec![0xEE; disk.len(file).unwrap() as usize];
    assert_eq!(disk.read_at(file, 0, &mut bytes).unwrap(), bytes.len());
    disk.settle();
    bytes
}

/// The content after a power loss, and what that did.
fn after_power_loss(mut disk: SimDisk) -> (Vec<u8>, CrashEffects) {
    let effects = disk.crash(Time(0), CrashKind::PowerLoss);
    (content(&mut disk, "a"), effects)
}

#[test]
fn a_read_sees_what_was_issued_though_nothing_has_completed() {
    let mut disk = disk(1, calm());
    let file = disk.create("a").unwrap();
    disk.write_at(file, 3, b"storm").unwrap();
    disk.set_len(file, 6).unwrap();
    disk.set_len(file, 10).unwrap();
    let mut bytes = [0xEE; 20];
    assert_eq!(disk.read_at(file, 1, &mut bytes).unwrap(), 9);
    assert_eq!(&bytes[..9], b"\0\0sto\0\0\0\0");
    assert_eq!((disk.operations_issued(), disk.operations_completed()), (5, 0));
    assert!(!disk.is_idle());
}

#[test]
fn operations_complete_in_issue_order_each_after_a_time_of_its_own() {
    let latency = DiskLatency { read_us_mean: 5, write_us_mean: 10, sync_us_mean: 1_000, us_max: 3_000 };
    let parameters = DiskParameters { latency, crash: calm() };
    let mut disk = SimDisk::new(ProcessId(0), parameters, Choice::from_seed(3));
    disk.set_now(Time(500));
    let file = disk.create("a").unwrap();
    for _ in 0..200 {
        disk.write_at(file, 0, b"x").unwrap();
        disk.sync(file).unwrap();
    }
    let last = disk.last_completion().unwrap();
    let (mut now, mut number, mut sync_us, mut write_us) = (Time(500), 0, 0, 0);
    while let Some(next) = disk.next_completion() {
        assert!(next.0 == 0 || disk.complete(Time(next.0 - 1)).is_none(), "nothing completes early");
        let done = disk.complete(next).unwrap();
        assert_eq!(done.number, number);
        let spent = if done.operation == Operation::Sync { &mut sync_us } else { &mut write_us };
        *spent += next.since(now);
        (now, number) = (next, number + 1);
    }
    assert_eq!((now, number), (last, 401));
    assert!((700..1_400).contains(&(sync_us / 200)), "mean of a sync: {} us", sync_us / 200);
    assert!((7..14).contains(&(write_us / 201)), "mean of a write: {} us", write_us / 201);
    assert!(disk.is_idle() && disk.next_completion().is_none());
}

#[test]
fn a_stall_holds_what_waits_and_what_comes_until_it_ends_or_is_healed() {
    let mut disk = disk(1, calm());
    let file = disk.create("a").unwrap();
    disk.stall_until(Time(700));
    disk.set_now(Time(100));
    disk.sync(file).unwrap();
    assert_eq!((disk.next_completion(), disk.last_completion()), (Some(Time(700)), Some(Time(700))));
    assert_eq!(disk.complete(Time(699)), None);
    disk.settle();
    disk.stall_until(Time(900));
    disk.sync(file).unwrap();
    assert_eq!(disk.next_completion(), Some(Time(900)), "what comes is held too");
    disk.heal(Time(300), DiskLatency::NONE);
    assert_eq!(disk.last_completion(), Some(Time(300)));
    disk.settle();
    disk.sync(file).unwrap();
    assert_eq!(disk.next_completion(), Some(Time(100)), "the stall is forgotten");
}

#[test]
fn a_process_crash_keeps_what_completed_and_loses_the_rest_but_for_a_part_of_what_was_in_progress() {
    let mut lengths = Vec::new();
    for seed in 0..200 {
        let (mut disk, file) = disk_with(seed, CrashWeights { file: DROPPED, ..calm() }, b"");
        disk.write_at(file, 0, b"completed ").unwrap();
        assert_eq!(disk.complete(Time(0)).map(|done| done.operation), Some(Operation::Write));
        disk.write_at(file, 10, b"abcd").unwrap();
        disk.write_at(file, 14, b"never").unwrap();
        let effects = disk.crash(Time(0), CrashKind::Process);
        let bytes = content(&mut disk, "a");
        assert!(b"completed abcd".starts_with(&bytes) && bytes.len() >= 10, "{bytes:?}");
        assert_eq!(effects.operation_cut, bytes.len() > 10);
        assert_eq!(effects.operations_lost, 2 - u64::from(effects.operation_cut));
        lengths.push(bytes.len());
        assert_eq!(after_power_loss(disk).0, b"", "the page cache was all there was");
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert_eq!(lengths, [10, 11, 12, 13, 14], "every part occurs");
}

#[test]
fn a_change_of_a_name_or_a_length_in_progress_at_a_crash_happened_or_did_not() {
    let mut seen = Vec::new();
    for seed in 0..40 {
        for step in [0, 1] {
            let (mut disk, file) = disk_with(seed, calm(), b"12345678");
            if step == 0 {
                disk.rename("a", "b").unwrap();
            } else {
                disk.set_len(file, 4).unwrap();
            }
            disk.sync(file).unwrap();
            let effects = disk.crash(Time(0), CrashKind::Process);
            let name = disk.list().unwrap().concat();
            let len = content(&mut disk, &name).len();
            assert_eq!(effects.operation_cut, (name.as_str(), len) != ("a", 8));
            seen.push((step, name, len));
        }
    }
    seen.sort();
    seen.dedup();
    let expected = [(0, "a", 8), (0, "b", 8), (1, "a", 4), (1, "a", 8)];
    assert_eq!(seen, expected.map(|(step, name, len)| (step, name.to_owned(), len)));
}

#[test]
fn a_handle_dies_with_its_process_and_no_later_one_takes_its_place() {
    let (mut disk, file) = disk_with(1, calm(), b"a");
    disk.crash(Time(0), CrashKind::Process);
    let again = disk.open("a").unwrap();
    assert_eq!(disk.len(file).unwrap_err().kind, DiskErrorKind::InvalidInput);
    assert_eq!(disk.len(again).unwrap(), 1);
    assert_eq!(disk.number(file), None);
}

#[test]
fn a_sync_makes_durable_what_was_issued_before_it_and_nothing_after() {
    let (mut disk, file) = disk_with(1, CrashWeights { file: DROPPED, ..calm() }, b"........");
    disk.write_at(file, 0, b"one").unwrap();
    disk.sync(file).unwrap();
    disk.write_at(file, 4, b"two").unwrap();
    let number = disk.number(file).unwrap();
    disk.complete(Time(0));
    assert_eq!(after_power_loss(disk.clone()).0, b"........", "a sync in progress promises nothing");
    disk.complete(Time(0));
    assert_eq!(after_power_loss(disk.clone()).0, b"one.....");
    assert!(!disk.is_range_durable(number, 0, 3), "the page waits for a sync again");
    disk.settle();
    assert_eq!(after_power_loss(disk.clone()).0, b"one.....");
    disk.sync(file).unwrap();
    disk.settle();
    assert!(disk.is_range_durable(number, 0, 8));
    assert_eq!(after_power_loss(disk).0, b"one.two.");
}

#[test]
fn a_page_written_twice_may_survive_after_its_first_write() {
    let weights = torn(PageWeights { kept: 1, dropped: 0, damaged: 0 });
    let outcomes = outcomes(&weights, b"----", |disk, file| {
        disk.write_at(file, 0, b"1").unwrap();
        disk.write_at(file, 1, b"2").unwrap();
    });
    assert_eq!(outcomes, [b"1---".to_vec(), b"12--".to_vec()]);
}

#[test]
fn each_page_of_a_torn_file_and_each_file_has_a_fate_of_its_own() {
    let weights = torn(PageWeights { kept: 1, dropped: 1, damaged: 0 });
    let mut fates = Vec::new();
    for seed in 0..60 {
        let (mut disk, a) = disk_with(seed, weights.clone(), &[b'o'; 2 * PAGE_BYTES]);
        let b = disk.create("b").unwrap();
        disk.write_at(b, 0, b"o").unwrap();
        disk.sync(b).unwrap();
        disk.write_at(a, 0, &[b'n'; 2 * PAGE_BYTES]).unwrap();
        disk.write_at(b, 0, b"n").unwrap();
        disk.settle();
        disk.crash(Time(0), CrashKind::PowerLoss);
        let (a, b) = (content(&mut disk, "a"), content(&mut disk, "b"));
        assert!(a.chunks(PAGE_BYTES).all(|page| page.iter().all(|byte| *byte == page[0])), "pages are whole");
        fates.push(String::from_utf8(vec![a[0], a[PAGE_BYTES], b[0]]).unwrap());
    }
    fates.sort();
    fates.dedup();
    assert_eq!(fates, ["nnn", "nno", "non", "noo", "onn", "ono", "oon", "ooo"]);
}

#[test]
fn a_damaged_page_harms_what_was_durable_in_it_and_nothing_in_its_neighbour() {
    let sector = SectorWeights { new: 0, old: 0, garbage: 1 };
    let weights = CrashWeights { sector, ..torn(PAGES_DAMAGED) };
    let (mut disk, file) = disk_with(5, weights, &[b'd'; 2 * PAGE_BYTES]);
    disk.write_at(file, PAGE, b"new").unwrap();
    disk.settle();
    let number = disk.number(file).unwrap();
    assert!(disk.is_range_durable(number, 0, PAGE) && !disk.is_range_durable(number, 2 * PAGE - 1, 1));
    let (bytes, effects) = after_power_loss(disk);
    assert_eq!((effects.files_torn, effects.pages_damaged), (1, 1));
    assert!(bytes[..PAGE_BYTES].iter().all(|byte| *byte == b'd'));
    let harmed = bytes[PAGE_BYTES..].iter().filter(|byte| **byte != b'd').count();
    assert!(harmed > PAGE_BYTES * 9 / 10, "garbage everywhere: {harmed}");
}

#[test]
fn a_sector_of_a_damaged_page_is_new_or_old_whole_or_at_one_end() {
    let (old, new) = ([b'o'; PAGE_BYTES], [b'n'; PAGE_BYTES]);
    // What the sectors of many damaged pages are made of, as runs of n(ew) and o(ld).
    let shapes = |sector: SectorWeights, extent: ExtentWeights| {
        let mut shapes = Vec::new();
        for seed in 0..20 {
            let weights =
                CrashWeights { sector: sector.clone(), extent: extent.clone(), ..torn(PAGES_DAMAGED) };
            let (mut disk, file) = disk_with(seed, weights, &old);
            disk.write_at(file, 0, &new).unwrap();
            disk.settle();
            let (bytes, _) = after_power_loss(disk);
            for sector in bytes.chunks(512) {
                let mut shape = sector.to_vec();
                shape.dedup();
                shapes.push(String::from_utf8(shape).unwrap());
            }
        }
        shapes.sort();
        shapes.dedup();
        shapes
    };
    let whole = ExtentWeights { whole: 1, prefix: 0, suffix: 0 };
    let prefix = ExtentWeights { whole: 0, prefix: 1, suffix: 0 };
    let suffix = ExtentWeights { whole: 0, prefix: 0, suffix: 1 };
    let only_old = SectorWeights { new: 0, old: 1, garbage: 0 };
    assert_eq!(shapes(SectorWeights { new: 1, old: 0, garbage: 0 }, whole.clone()), ["n"]);
    assert_eq!(shapes(only_old.clone(), whole.clone()), ["o"]);
    assert_eq!(shapes(only_old.clone(), prefix), ["on"]);
    assert_eq!(shapes(only_old, suffix), ["no"]);
    assert_eq!(shapes(SectorWeights { new: 1, old: 1, garbage: 0 }, whole), ["n", "o"]);
}

#[test]
fn a_file_may_have_grown_though_its_data_did_not_arrive_and_shows_zeros_or_garbage() {
    for (garbage, expected) in [(0, true), (1, false)] {
        let growth = GrowthWeights { zeros: 1 - garbage, garbage };
        let weights = CrashWeights { growth, ..torn(PAGES_DROPPED) };
        let mut grown = 0;
        for seed in 0..20 {
            let (mut disk, file) = disk_with(seed, weights.clone(), b"durable");
            disk.write_at(file, 7, &[b'n'; 100]).unwrap();
            disk.settle();
            let (bytes, effects) = after_power_loss(disk);
            assert_eq!(&bytes[..7], b"durable");
            assert!(bytes.len() == 7 || bytes.len() == 107);
            assert_eq!(effects.growth_without_data, u32::from(bytes.len() == 107));
            if bytes.len() == 107 {
                assert_eq!(bytes[7..].iter().all(|byte| *byte == 0), expected);
                grown += 1;
            }
        }
        assert!((3..18).contains(&grown), "the length is kept as often as not: {grown}");
    }
}

#[test]
fn data_may_have_arrived_though_the_file_did_not_grow_and_is_gone_when_it_grows_later() {
    let weights = torn(PageWeights { kept: 1, dropped: 0, damaged: 0 });
    let mut disk = (0..100)
        .find_map(|seed| {
            let (mut disk, file) = disk_with(seed, weights.clone(), b"old");
            disk.write_at(file, 0, b"new and longer").unwrap();
            disk.settle();
            let effects = disk.crash(Time(0), CrashKind::PowerLoss);
            (effects.data_without_growth == 1).then_some(disk)
        })
        .unwrap();
    assert_eq!(content(&mut disk, "a"), b"new");
    let file = disk.open("a").unwrap();
    disk.set_len(file, 14).unwrap();
    assert_eq!(content(&mut disk, "a"), b"new\0\0\0\0\0\0\0\0\0\0\0");
}

#[test]
fn of_several_lengths_the_first_survive_and_a_cut_that_is_lost_takes_nothing() {
    let weights = torn(PageWeights { kept: 1, dropped: 0, damaged: 0 });
    let outcomes = outcomes(&weights, b"12345678", |disk, file| {
        disk.set_len(file, 2).unwrap();
        disk.set_len(file, 4).unwrap();
        disk.write_at(file, 0, b"x").unwrap();
    });
    assert_eq!(outcomes, [b"x2".to_vec(), b"x2\0\0".to_vec(), b"x2345678".to_vec()]);
}

#[test]
fn a_file_whose_creation_was_not_synced_may_be_gone_though_its_data_was() {
    let scattered = DirectoryWeights { kept: 0, ordered: 0, scattered: 1 };
    let mut gone = 0;
    for seed in 0..40 {
        let mut disk = disk(seed, CrashWeights { directory: scattered.clone(), ..calm() });
        let file = disk.create("a").unwrap();
        disk.write_at(file, 0, b"data").unwrap();
        disk.sync(file).unwrap();
        disk.settle();
        let number = disk.number(file).unwrap();
        assert!(!disk.is_entry_durable(number) && !disk.is_range_durable(number, 0, 4));
        assert!(disk.worst_case_clone().list().unwrap().is_empty());
        let effects = disk.crash(Time(0), CrashKind::PowerLoss);
        assert_eq!((effects.entries_lost, effects.files_gone), (effects.files_gone, effects.entries_lost));
        if effects.files_gone == 1 {
            assert_eq!(disk.open("a").unwrap_err().kind, DiskErrorKind::NotFound);
            gone += 1;
        } else {
            assert_eq!(content(&mut disk, "a"), b"data");
            assert!(disk.is_range_durable(disk.number_of("a").unwrap(), 0, 4));
        }
    }
    assert!((8..32).contains(&gone), "{gone}");
}

#[test]
fn renames_and_removals_are_whole_or_lost_and_in_order_where_the_weights_say_so() {
    let names = |directory: DirectoryWeights| {
        let mut all = Vec::new();
        for seed in 0..60 {
            let (mut disk, _) =
                disk_with(seed, CrashWeights { directory: directory.clone(), ..calm() }, b"a");
            disk.create("b").unwrap();
            disk.sync_dir().unwrap();
            disk.settle();
            disk.rename("a", "c").unwrap();
            disk.remove("b").unwrap();
            assert_eq!(disk.list().unwrap(), ["c"]);
            disk.settle();
            let effects = disk.crash(Time(0), CrashKind::PowerLoss);
            let names = disk.list().unwrap().concat();
            assert_eq!(effects.files_returned, u32::from(names.contains('b')));
            all.push(names);
        }
        all.sort();
        all.dedup();
        all
    };
    assert_eq!(names(DirectoryWeights { kept: 1, ordered: 0, scattered: 0 }), ["c"]);
    assert_eq!(names(DirectoryWeights { kept: 0, ordered: 1, scattered: 0 }), ["ab", "bc", "c"]);
    assert_eq!(names(DirectoryWeights { kept: 0, ordered: 0, scattered: 1 }), ["a", "ab", "bc", "c"]);
}

#[test]
fn a_rename_over_a_file_leaves_one_of_the_two_and_both_are_uncertain_until_the_directory_is_synced() {
    let (mut disk, _) = disk_with(1, calm(), b"old");
    let file = disk.create("tmp").unwrap();
    disk.write_at(file, 0, b"new").unwrap();
    disk.sync(file).unwrap();
    disk.sync_dir().unwrap();
    disk.settle();
    let (old, new) = (disk.number_of("a").unwrap(), disk.number_of("tmp").unwrap());
    disk.rename("tmp", "a").unwrap();
    assert_eq!(disk.list().unwrap(), ["a"]);
    assert!(!disk.is_entry_durable(old) && !disk.is_entry_durable(new));
    assert_eq!(content(&mut disk.worst_case_clone(), "a"), b"old");
    disk.sync_dir().unwrap();
    disk.settle();
    assert!(!disk.is_entry_durable(old) && disk.is_entry_durable(new));
    assert_eq!(content(&mut disk.worst_case_clone(), "a"), b"new");
    assert_eq!(disk.durable_len(old), None, "the file that nothing can bring back takes no room");
}

#[test]
fn a_script_that_says_nothing_makes_a_power_loss_that_takes_nothing() {
    let script = |decisions| Choice::from_script(decisions);
    let run = |choice: Choice| {
        let parameters = DiskParameters::default();
        let mut disk = SimDisk::new(ProcessId(1), parameters, choice);
        let file = disk.create("a").unwrap();
        disk.write_at(file, 0, b"kept").unwrap();
        disk.settle();
        disk.crash(Time(0), CrashKind::PowerLoss);
        content(&mut disk, "a")
    };
    assert_eq!(run(script(vec![])), b"kept");
    let file = DrawKey { purpose: Purpose::Crash, a: 1 << 32, b: 3 << 60 };
    let dropped = Decision { key: file, field: Cow::Borrowed("file"), value: 1 };
    assert_eq!(run(script(vec![dropped])), b"", "one line decides over one file");
}

#[test]
fn what_a_crash_makes_of_one_file_does_not_depend_on_another() {
    let run = |with_other: bool| {
        let (mut disk, file) = disk_with(9, CrashWeights::default(), &[b'o'; 3 * PAGE_BYTES]);
        let other = disk.create("b").unwrap();
        disk.sync_dir().unwrap();
        disk.settle();
        disk.write_at(file, 0, &[b'n'; 3 * PAGE_BYTES]).unwrap();
        if with_other {
            disk.write_at(other, 0, &[b'n'; 3 * PAGE_BYTES]).unwrap();
        }
        disk.settle();
        after_power_loss(disk).0
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn what_cannot_be_done_is_refused_by_name_and_leaves_no_trace() {
    let (mut disk, file) = disk_with(1, calm(), b"a");
    let before = (disk.digest(), disk.operations_issued());
    let kinds = [
        disk.create("a").unwrap_err().kind,
        disk.create("").unwrap_err().kind,
        disk.create("a/b").unwrap_err().kind,
        disk.open("b").unwrap_err().kind,
        disk.rename("b", "c").unwrap_err().kind,
        disk.remove("b").unwrap_err().kind,
        disk.sync(FileId(77)).unwrap_err().kind,
        disk.write_at(file, u64::MAX, b"x").unwrap_err().kind,
        disk.set_len(file, u64::MAX).unwrap_err().kind,
    ];
    use DiskErrorKind::{AlreadyExists, InvalidInput, NoSpace, NotFound};
    let expected = [
        AlreadyExists,
        InvalidInput,
        InvalidInput,
        NotFound,
        NotFound,
        NotFound,
        InvalidInput,
        NoSpace,
        NoSpace,
    ];
    assert_eq!(kinds, expected);
    assert_eq!((disk.digest(), disk.operations_issued()), before);
    assert_eq!(disk.read_at(file, u64::MAX, &mut [0; 8]).unwrap(), 0);
    let message = disk.set_len(file, u64::MAX).unwrap_err().to_string();
    assert_eq!(message, "SetLen on a failed: a simulated file holds at most 1073741824 bytes");
}

#[test]
fn preallocated_space_costs_no_memory_and_reads_as_zeros() {
    let (mut disk, file) = disk_with(1, calm(), b"");
    disk.set_len(file, 1 << 30).unwrap();
    disk.write_at(file, 1 << 20, b"x").unwrap();
    disk.sync(file).unwrap();
    disk.settle();
    let number = disk.number(file).unwrap();
    assert_eq!(disk.durable_len(number), Some(1 << 30));
    assert!(disk.is_range_durable(number, 1 << 20, 1));
    assert!(!disk.is_range_durable(number, 1 << 29, 1), "a hole was never written");
    let mut bytes = [0xEE; 3];
    assert_eq!(disk.read_at(file, (1 << 20) - 1, &mut bytes).unwrap(), 3);
    assert_eq!(&bytes, b"\0x\0");
    assert_eq!(disk.read_at(file, (1 << 30) - 2, &mut bytes).unwrap(), 2);
    assert_eq!(&bytes[..2], b"\0\0");
}

#[test]
fn replacing_a_file_by_the_book_is_atomic_at_every_crash_and_without_its_sync_it_is_not() {
    let replace = |disk: &mut SimDisk, by_the_book: bool| {
        let file = disk.create("tmp").unwrap();
        disk.write_at(file, 0, b"the new content").unwrap();
        if by_the_book {
            disk.sync(file).unwrap();
        }
        disk.rename("tmp", "a").unwrap();
        disk.sync_dir().unwrap();
    };
    // What is left over all crash points and many seeds, by the number of operations that completed.
    let left = |by_the_book: bool, kind: CrashKind| {
        let mut left = Vec::new();
        for seed in 0..100 {
            let (mut disk, _) = disk_with(seed, CrashWeights::default(), b"old");
            replace(&mut disk, by_the_book);
            while !disk.is_idle() {
                let mut crashed = disk.clone();
                crashed.crash(Time(0), kind);
                left.push(content(&mut crashed, "a"));
                disk.complete(Time(0));
            }
            disk.crash(Time(0), kind);
            assert!(!by_the_book || content(&mut disk, "a") == b"the new content", "acknowledged");
        }
        left.sort();
        left.dedup();
        left
    };
    let atomic = [b"old".to_vec(), b"the new content".to_vec()];
    assert_eq!(left(true, CrashKind::Process), atomic);
    assert_eq!(left(true, CrashKind::PowerLoss), atomic);
    assert_eq!(left(false, CrashKind::Process), atomic, "the page cache hides the mistake");
    let torn = left(false, CrashKind::PowerLoss);
    assert!(torn.contains(&Vec::new()) && torn.len() > 10, "empty and damaged files: {torn:?}");
}

#[test]
fn under_the_default_weights_every_effect_of_a_power_loss_occurs() {
    let mut all = CrashEffects::default();
    for seed in 0..200 {
        let (mut disk, file) = disk_with(seed, CrashWeights::default(), b"durable");
        disk.write_at(file, 7, &[b'n'; 5_000]).unwrap();
        disk.remove("a").unwrap();
        disk.create("b").unwrap();
        disk.settle();
        disk.write_at(file, 0, b"in progress").unwrap();
        disk.sync(file).unwrap();
        let effects = disk.crash(Time(0), CrashKind::PowerLoss);
        all.operations_lost += effects.operations_lost;
        all.operation_cut |= effects.operation_cut;
        all.files_dropped += effects.files_dropped;
        all.files_torn += effects.files_torn;
        all.pages_damaged += effects.pages_damaged;
        all.growth_without_data += effects.growth_without_data;
        all.data_without_growth += effects.data_without_growth;
        all.entries_lost += effects.entries_lost;
        all.files_gone += effects.files_gone;
        all.files_returned += effects.files_returned;
    }
    assert!(all.operation_cut && all.operations_lost > 200);
    let counts = [
        all.files_dropped,
        all.files_torn,
        all.pages_damaged,
        all.growth_without_data,
        all.data_without_growth,
        all.entries_lost,
        all.files_gone,
        all.files_returned,
    ];
    assert!(counts.iter().all(|count| *count > 5), "{all:?}");
}

/// The different contents of `a` over many power losses, after it was durably `before` and then changed.
fn outcomes(weights: &CrashWeights, before: &[u8], change: impl Fn(&mut SimDisk, FileId)) -> Vec<Vec<u8>> {
    let mut outcomes = Vec::new();
    for seed in 0..60 {
        let (mut disk, file) = disk_with(seed, weights.clone(), before);
        change(&mut disk, file);
        disk.settle();
        outcomes.push(after_power_loss(disk).0);
    }
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

#[test]
fn what_rots_is_durable_and_read_at_once_until_it_is_written_again() {
    let (mut disk, file) = disk_with(1, calm(), b"abcdef");
    disk.rot("a", 2, 2, |bytes| bytes.fill(b'!'));
    assert_eq!(content(&mut disk, "a"), b"ab!!ef");
    let image = disk.clone();
    assert_eq!(after_power_loss(image).0, b"ab!!ef");
    disk.write_at(file, 2, b"cd").unwrap();
    assert_eq!(content(&mut disk, "a"), b"abcdef", "what is written covers it");
    assert_eq!(after_power_loss(disk.clone()).0, b"abcdef");
}

#[test]
fn nothing_rots_behind_the_end_or_in_a_file_that_is_not_there() {
    let (mut disk, _) = disk_with(1, calm(), b"abcdef");
    disk.rot("a", 6, 4, |_| panic!("nothing is there"));
    disk.rot("b", 0, 4, |_| panic!("no such file"));
    disk.rot("a", 4, 100, |bytes| assert_eq!(bytes, b"ef"));
    assert_eq!(content(&mut disk, "a"), b"abcdef");
}

#[test]
fn what_waits_for_its_sync_covers_what_rots_below_and_bares_it_where_it_is_lost() {
    let (mut disk, file) = disk_with(1, CrashWeights { file: DROPPED, ..calm() }, b"abcdef");
    disk.write_at(file, 0, b"AB").unwrap();
    disk.settle();
    disk.rot("a", 0, 4, |bytes| bytes.fill(b'!'));
    assert_eq!(content(&mut disk, "a"), b"AB!!ef");
    assert_eq!(after_power_loss(disk).0, b"!!!!ef");
}
