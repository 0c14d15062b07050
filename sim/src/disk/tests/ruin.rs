//! What becomes of a disk apart from what its process does: files are cut, or gone; all is lost, or as it once was.

use super::*;

#[test]
fn a_file_that_is_cut_reads_so_and_grows_again_with_zeros() {
    let (mut disk, file) = disk_with(1, calm(), b"abcdef");
    disk.cut("b", 0);
    disk.cut("a", 9);
    assert_eq!(content(&mut disk, "a"), b"abcdef", "it is no longer than that");
    disk.cut("a", 2);
    assert_eq!(content(&mut disk, "a"), b"ab");
    assert_eq!(after_power_loss(disk.clone()).0, b"ab");
    disk.write_at(file, 4, b"E").unwrap();
    disk.settle();
    assert_eq!(content(&mut disk, "a"), b"ab\0\0E");
}

#[test]
fn a_file_without_its_name_is_gone_but_for_who_has_it_open() {
    let (mut disk, file) = disk_with(1, calm(), b"abc");
    disk.unlink("b");
    disk.unlink("a");
    assert_eq!(disk.open("a").map_err(|error| error.kind), Err(DiskErrorKind::NotFound));
    assert_eq!(disk.read_at(file, 0, &mut [0; 3]).unwrap(), 3);
    assert!(!disk.is_entry_durable(disk.number(file).unwrap()));
    disk.write_at(file, 0, b"x").unwrap();
    disk.sync(file).unwrap();
    disk.create("a").expect("the name is free");
    disk.crash(Time(0), CrashKind::Process);
    assert_eq!(disk.list().unwrap(), [""; 0], "the creation was still under way");
}

#[test]
fn a_disk_that_is_lost_is_empty_and_can_be_used_again() {
    let (mut disk, _) = disk_with(1, calm(), b"abc");
    disk.crash(Time(0), CrashKind::PowerLoss);
    disk.lose();
    assert_eq!(disk.list().unwrap(), [""; 0]);
    let file = disk.create("a").unwrap();
    disk.write_at(file, 0, b"new").unwrap();
    disk.settle();
    assert_eq!(content(&mut disk, "a"), b"new");
}

#[test]
fn a_disk_that_goes_back_in_time_holds_what_was_durable_then() {
    let (mut disk, file) = disk_with(1, calm(), b"abc");
    disk.write_at(file, 0, b"x").unwrap();
    disk.settle();
    let image = disk.worst_case_clone();
    disk.sync(file).unwrap();
    disk.rename("a", "b").unwrap();
    disk.sync_dir().unwrap();
    disk.settle();
    disk.crash(Time(0), CrashKind::PowerLoss);
    disk.restore(&image);
    assert_eq!((disk.list().unwrap(), content(&mut disk, "a")), (vec!["a".to_owned()], b"abc".to_vec()));
    let other = disk.create("c").unwrap();
    assert_ne!(disk.number(other), disk.number_of("a"), "numbers are not used again");
}
