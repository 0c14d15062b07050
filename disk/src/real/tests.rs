//! Real files in a directory of their own, which goes when the test ends.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("squall-disk-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn disk(&self) -> RealDisk {
        RealDisk::open(&self.0).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A directory that stays behind is a nuisance, not a failure.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_was_written_is_read_after_reopening() {
    let directory = Directory::new();
    let mut disk = directory.disk();
    let file = disk.create("log").unwrap();
    disk.set_len(file, 4096).unwrap();
    disk.write_at(file, 4094, b"abcd").unwrap();
    disk.sync(file).unwrap();
    disk.sync_dir().unwrap();
    drop(disk);

    let mut disk = directory.disk();
    let file = disk.open("log").unwrap();
    assert_eq!(disk.len(file).unwrap(), 4098);
    let mut buffer = [0xff; 8];
    assert_eq!(disk.read_at(file, 4092, &mut buffer).unwrap(), 6, "fewer only at the end of the file");
    assert_eq!(&buffer[..6], b"\0\0abcd");
    assert_eq!(disk.read_at(file, 5000, &mut buffer).unwrap(), 0);
}

#[test]
fn a_rename_replaces_and_a_handle_follows_its_file() {
    let directory = Directory::new();
    let mut disk = directory.disk();
    let old = disk.create("value").unwrap();
    disk.write_at(old, 0, b"old").unwrap();
    let new = disk.create("value.new").unwrap();
    disk.write_at(new, 0, b"new").unwrap();
    disk.rename("value.new", "value").unwrap();

    assert_eq!(disk.list().unwrap(), ["value"]);
    let mut buffer = [0; 3];
    disk.read_at(new, 0, &mut buffer).unwrap();
    assert_eq!(&buffer, b"new");
    let error = disk.read_at(old, 0, &mut buffer).unwrap_err();
    assert_eq!(error.kind, DiskErrorKind::InvalidInput, "the handle went with the file that was replaced");

    disk.remove("value").unwrap();
    assert_eq!(disk.sync(new).unwrap_err().kind, DiskErrorKind::InvalidInput);
    assert!(disk.list().unwrap().is_empty());
}

/// A storage replaces its hard state in this way, and opens all of its files anew when a replica starts again.
#[test]
fn files_that_are_replaced_and_opened_over_and_over_take_up_one_handle() {
    let directory = Directory::new();
    let mut disk = directory.disk();
    let first = disk.create("value").unwrap();
    for _ in 0..100 {
        disk.create("value.new").unwrap();
        disk.rename("value.new", "value").unwrap();
        disk.open("value").unwrap();
    }
    assert_eq!(disk.files.len(), 1);
    assert_eq!(disk.len(first).unwrap_err().kind, DiskErrorKind::InvalidInput, "handles are not used again");
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    let directory = Directory::new();
    let mut disk = directory.disk();
    for name in ["", ".", "..", "../up", "a/b", "a\\b", "nul\0", &"x".repeat(256)] {
        let error = disk.create(name).unwrap_err();
        assert_eq!(error.kind, DiskErrorKind::InvalidInput, "{name:?}");
        assert_eq!(disk.open(name).unwrap_err().kind, DiskErrorKind::InvalidInput);
        assert_eq!(disk.rename("log", name).unwrap_err().kind, DiskErrorKind::InvalidInput);
        assert_eq!(disk.remove(name).unwrap_err().kind, DiskErrorKind::InvalidInput);
    }
    assert!(disk.list().unwrap().is_empty());
}

#[test]
fn errors_say_what_was_tried_on_which_file() {
    let directory = Directory::new();
    let mut disk = directory.disk();
    let error = disk.open("log").unwrap_err();
    assert_eq!(
        (error.operation, error.kind, error.file.as_str()),
        (Operation::Open, DiskErrorKind::NotFound, "log")
    );
    assert!(error.to_string().starts_with("Open on log failed: "), "{error}");

    disk.create("log").unwrap();
    assert_eq!(disk.create("log").unwrap_err().kind, DiskErrorKind::AlreadyExists);
    assert_eq!(disk.sync(FileId(9)).unwrap_err().kind, DiskErrorKind::InvalidInput);

    let missing = RealDisk::open(directory.0.join("missing")).unwrap_err();
    assert_eq!(missing.kind, DiskErrorKind::NotFound);
    assert!(missing.to_string().contains("missing"), "{missing}");
    assert!(
        missing.to_string().ends_with("; mount the file system that holds it, or correct the path"),
        "{missing}"
    );
    let file = RealDisk::open(directory.0.join("log")).unwrap_err();
    assert_eq!(file.kind, DiskErrorKind::InvalidInput, "a file is no directory");
}

#[test]
fn directories_inside_are_not_listed() {
    let directory = Directory::new();
    fs::create_dir(directory.0.join("lost+found")).unwrap();
    let mut disk = directory.disk();
    disk.create("b").unwrap();
    disk.create("a").unwrap();
    assert_eq!(disk.list().unwrap(), ["a", "b"]);
}

#[test]
fn one_disk_at_a_time_may_change_a_directory() {
    let directory = Directory::new();
    let disk = directory.disk();
    let error = RealDisk::open(&directory.0).unwrap_err();
    assert_eq!(error.kind, DiskErrorKind::InUse);
    let path = directory.0.to_str().unwrap();
    assert!(error.to_string().contains(path) && error.to_string().contains("another process"), "{error}");
    RealDisk::read_only(&directory.0).unwrap();
    drop(disk);
    directory.disk();
}

#[test]
fn space_that_a_length_gave_reads_as_zeros_whatever_is_written_around_it() {
    const MIB: u64 = 1 << 20;
    let directory = Directory::new();
    let mut disk = directory.disk();
    let file = disk.create("log").unwrap();
    disk.write_at(file, 0, &[1; 5000]).unwrap();
    disk.set_len(file, 4 * MIB + 100).unwrap();
    let writes = [(3 * MIB - 10, 20), (6000, 10), (MIB, 10), (4 * MIB, 200), (5000, 7), (3 * MIB + 50, 5)];
    let mut expected = vec![0; 4 * MIB as usize + 200];
    expected[..5000].fill(1);
    for (offset, bytes) in writes {
        disk.write_at(file, offset, &vec![2; bytes]).unwrap();
        expected[offset as usize..][..bytes].fill(2);
        let mut found = vec![3; expected.len() + 1];
        let count = disk.read_at(file, 0, &mut found).unwrap();
        assert!(found[..count] == expected[..count], "after {bytes} bytes at {offset}");
    }
    disk.set_len(file, MIB).unwrap();
    disk.write_at(file, 3 * MIB, &[2]).unwrap();
    assert_eq!(disk.len(file).unwrap(), 3 * MIB + 1);
    let mut found = [3; 30];
    disk.read_at(file, 3 * MIB - 29, &mut found).unwrap();
    assert_eq!((found[..29].iter().max(), found[29]), (Some(&0), 2), "what was cut off does not come back");
}

#[test]
fn who_looks_learns_whether_a_directory_is_in_use_and_keeps_nobody_out() {
    let directory = Directory::new();
    let running = directory.disk();
    let looking = RealDisk::read_only(&directory.0).unwrap();
    assert!(looking.is_in_use().unwrap());
    drop(running);
    assert!(!looking.is_in_use().unwrap());
    let running = directory.disk();
    assert!(looking.is_in_use().unwrap());
    assert!(running.is_in_use().unwrap(), "by itself");
}
