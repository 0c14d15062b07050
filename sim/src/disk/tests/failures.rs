//! Operations that fail, and what they leave.

use super::*;
use crate::disk::{ArmedFailure, Failed};
use crate::fault::DiskFailure;

fn next(failure: DiskFailure) -> ArmedFailure {
    ArmedFailure { event: 1, failure, after: 0, times: 1, until: Time::END, outage_us: 7 }
}

/// A disk whose file `a` was changed from `before` to `after` at its beginning, and the sync of that failed.
fn after_a_failed_sync(seed: u64, before: &[u8], after: &[u8]) -> (SimDisk, FileId) {
    let (mut disk, file) = disk_with(seed, calm(), before);
    disk.write_at(file, 0, after).unwrap();
    disk.arm(next(DiskFailure::Sync));
    let error = disk.sync(file).expect_err("the device fails");
    assert_eq!((error.kind, &*error.file), (DiskErrorKind::Io, "a"));
    (disk, file)
}

/// Seeds for which a failed sync keeps nothing of one page.
fn seeds_that_keep_nothing() -> impl Iterator<Item = u64> {
    (0..40).filter(|seed| after_power_loss(after_a_failed_sync(*seed, b"old", b"new").0).0 == b"old")
}

#[test]
fn those_of_the_sort_fail_after_so_many_so_often_and_so_long() {
    let (mut disk, file) = disk_with(1, calm(), b"abc");
    disk.set_now(Time(100));
    disk.arm(ArmedFailure { after: 1, times: 2, until: Time(200), ..next(DiskFailure::Read) });
    let read = |disk: &mut SimDisk| disk.read_at(file, 0, &mut [0; 3]).is_ok();
    assert_eq!(disk.failed(), None);
    assert_eq!([(); 4].map(|()| read(&mut disk)), [true, false, false, true]);
    assert_eq!(disk.failed(), Some(Failed { failure: DiskFailure::Read, outage_us: 7 }));
    disk.crash(Time(100), CrashKind::Process);
    assert_eq!(disk.failed(), None, "that was another life");
    disk.arm(ArmedFailure { event: 2, until: Time(99), ..next(DiskFailure::Write) });
    disk.create("b").expect("the failure is over");
    disk.arm(ArmedFailure { event: 3, ..next(DiskFailure::Space) });
    disk.heal(Time(100), DiskLatency::NONE);
    disk.create("c").expect("the disk was healed");
    assert_eq!(disk.idle_failures(Time(100)).collect::<Vec<_>>(), [2, 3], "the first one struck");
    disk.arm(ArmedFailure { event: 4, until: Time(300), ..next(DiskFailure::Sync) });
    assert_eq!(disk.idle_failures(Time(299)).collect::<Vec<_>>(), [2, 3], "the fourth has time");
    assert_eq!(disk.idle_failures(Time(300)).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn each_sort_strikes_its_own_operations() {
    for (failure, expected) in [
        (DiskFailure::Read, "read"),
        (DiskFailure::Write, "create write set_len rename remove"),
        (DiskFailure::Sync, "sync sync_dir"),
        (DiskFailure::Space, "create write set_len"),
    ] {
        let (mut disk, file) = disk_with(1, calm(), b"abc");
        disk.arm(ArmedFailure { times: u64::MAX, ..next(failure) });
        let kind = if failure == DiskFailure::Space { DiskErrorKind::NoSpace } else { DiskErrorKind::Io };
        let tried = [
            ("create", disk.create("b").err()),
            ("write", disk.write_at(file, 0, b"x").err()),
            ("set_len", disk.set_len(file, 9).err()),
            ("read", disk.read_at(file, 0, &mut [0]).err()),
            ("sync", disk.sync(file).err()),
            ("rename", disk.rename("a", "c").err()),
            ("remove", disk.remove(if failure == DiskFailure::Write { "a" } else { "c" }).err()),
            ("sync_dir", disk.sync_dir().err()),
        ];
        let failed = tried.iter().filter(|(_, error)| error.as_ref().is_some_and(|error| error.kind == kind));
        let failed: Vec<&str> = failed.map(|(name, _)| *name).collect();
        let others = tried.iter().filter(|(name, error)| error.is_some() && !failed.contains(name));
        let others = others.count();
        assert_eq!(failed.join(" "), expected, "{failure:?}");
        assert_eq!(others, 0, "{failure:?}");
    }
}

#[test]
fn what_a_failed_sync_lost_is_read_and_survives_the_process_until_power_is_lost() {
    let mut count = 0;
    for seed in seeds_that_keep_nothing() {
        count += 1;
        let (mut disk, file) = after_a_failed_sync(seed, b"old and long", b"new");
        assert_eq!(content(&mut disk, "a"), b"new and long");
        disk.sync(file).expect("the next sync finds nothing to do");
        disk.settle();
        assert!(!disk.is_range_durable(disk.number(file).unwrap(), 0, 3));
        disk.crash(Time(0), CrashKind::Process);
        assert_eq!(content(&mut disk, "a"), b"new and long", "the page cache lives on");
        assert_eq!(content(&mut disk.worst_case_clone(), "a"), b"old and long");
        let (bytes, effects) = after_power_loss(disk);
        assert_eq!((&*bytes, effects.unkept), (&b"old and long"[..], 1));
    }
    assert!((5..40).contains(&count), "some seeds keep the page: {count} did not");
}

#[test]
fn a_page_that_is_written_again_is_kept_as_it_is_read() {
    for seed in seeds_that_keep_nothing() {
        let (mut disk, file) = after_a_failed_sync(seed, b"old and long", b"new");
        disk.write_at(file, 8, b"LONG").unwrap();
        disk.write_at(file, PAGE, b"more").unwrap();
        disk.sync(file).unwrap();
        disk.settle();
        assert!(disk.is_range_durable(disk.number(file).unwrap(), 0, 12));
        assert_eq!(&after_power_loss(disk).0[..12], b"new and LONG");
    }
}

#[test]
fn a_file_keeps_the_length_that_a_failed_sync_gave_it_and_each_page_goes_its_own_way() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..60 {
        let bytes = vec![b'n'; 3 * PAGE_BYTES];
        let (disk, _) = after_a_failed_sync(seed, b"old", &bytes);
        let (bytes, effects) = after_power_loss(disk);
        assert_eq!(bytes.len(), 3 * PAGE_BYTES);
        for page in bytes.chunks(PAGE_BYTES) {
            let is_kept = page.iter().all(|byte| *byte == b'n');
            let is_lost = page.iter().all(|byte| *byte == 0) || page.starts_with(b"old\0");
            assert!(is_kept != is_lost, "pages are whole");
            (lost, kept) = (lost + u32::from(is_lost), kept + u32::from(is_kept));
        }
        assert!(effects.unkept <= 3);
    }
    assert!(lost > kept && kept > 10, "{lost} lost, {kept} kept");
}

#[test]
fn names_that_a_failed_sync_lost_are_seen_until_power_is_lost() {
    let (mut disk, file) = disk_with(1, calm(), b"abc");
    disk.rename("a", "b").unwrap();
    let other = disk.create("a").unwrap();
    disk.write_at(other, 0, b"other").unwrap();
    disk.sync(other).unwrap();
    disk.arm(next(DiskFailure::Sync));
    disk.sync_dir().expect_err("the device fails");
    disk.sync_dir().expect("the next sync finds nothing to do");
    disk.settle();
    assert!(!disk.is_entry_durable(disk.number(file).unwrap()));
    disk.crash(Time(0), CrashKind::Process);
    assert_eq!(disk.list().unwrap(), ["a", "b"]);
    let mut replaced = disk.clone();
    let (bytes, effects) = after_power_loss(disk);
    assert_eq!((&*bytes, effects.unkept), (&b"abc"[..], 2));

    let third = replaced.create("c").unwrap();
    replaced.sync(third).unwrap();
    replaced.rename("c", "a").unwrap();
    replaced.sync_dir().unwrap();
    replaced.settle();
    replaced.crash(Time(0), CrashKind::Process);
    assert_eq!(
        (replaced.list().unwrap(), content(&mut replaced, "a")),
        (vec!["a".into(), "b".into()], vec![])
    );
    assert_eq!(after_power_loss(replaced).0, b"", "what was durable under that name is replaced, too");
}

#[test]
fn a_write_that_fails_leaves_its_first_bytes_or_none() {
    let mut lengths = Vec::new();
    for seed in 0..60 {
        let (mut disk, file) = disk_with(seed, calm(), b"");
        disk.arm(next(DiskFailure::Space));
        disk.write_at(file, 0, b"0123456789").expect_err("the disk is full");
        let bytes = content(&mut disk, "a");
        assert!(b"0123456789".starts_with(&bytes));
        disk.crash(Time(0), CrashKind::Process);
        assert_eq!(content(&mut disk, "a"), bytes, "that much was done");
        lengths.push(bytes.len());
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 5 && lengths[0] == 0, "{lengths:?}");
}
