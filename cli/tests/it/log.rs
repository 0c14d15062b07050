//! `squall log`: what a data directory holds, and what recovery would make of it.

use std::fs;
use std::path::{Path, PathBuf};

use squall_disk::RealDisk;
use squall_raft::{Entry, HardState, LogIndex, LogPosition, NodeId, Payload, Term, Write, WriteToken};
use squall_storage::{Group, Identity, Options, Storage};

use crate::{alone, path, refused, squall, succeed};

/// A data directory with a few entries, and all bytes in it.
fn data_directory(name: &str) -> (PathBuf, Vec<(PathBuf, Vec<u8>)>) {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_from_before = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).expect("the folder for temporary files can be written");
    let _alone = alone();
    let mut disk = RealDisk::open(&directory).expect("it was just made");
    let (identity, options) = (Identity { node: NodeId(3), cluster: 7, incarnation: 0 }, Options::default());
    Storage::format(&mut disk, identity, &options).expect("the directory is empty");
    let (mut storage, recovered) =
        Storage::open(&mut disk, identity, &options).expect("it was just formatted");
    for index in 1..=3 {
        let data = format!("the data of entry {index}").into_bytes();
        let payload = Payload::Command(data.into());
        let entries = [Entry { term: Term(1), index: LogIndex(index), payload }];
        let hard_state = HardState { current_term: Term(1), voted_for: None, longest_promise: 0 };
        let mut group = Group::default();
        group.add(&Write {
            token: WriteToken { boot: recovered.boot, sequence: index },
            hard_state: (index == 1).then_some(hard_state),
            truncate_from: None,
            reset_to: None,
            compact_to: None,
            repairs: &[],
            entries: (&entries, &[]),
        });
        storage.commit(&mut group, &mut disk).expect("the disk is sound");
    }
    let contents = contents(&directory);
    (directory, contents)
}

fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("the file can be read");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn log_shows_each_record_and_what_recovery_would_do_and_writes_nothing() {
    let (directory, before) = data_directory("log-sound");
    let name = directory.display().to_string();
    let text = succeed(0, &["log", &name]);
    for expected in [
        "ok record #2 of group 2: 1@2 command, 19 bytes",
        "ok slot #3 of group 3: 1@3 command, 19 bytes",
        "these are the files of n3 of cluster 00000000000000000000000000000007",
        "recovery: would start, as boot 2, in term 1 with no vote",
        "recovery: entries 1 to 3",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("!!"), "{text}");
    assert_eq!(contents(&directory), before);
}

/// Lets the storage of a data directory go on.
fn continue_with(directory: &Path, work: impl FnOnce(&mut Storage, u64, &mut RealDisk)) {
    let _alone = alone();
    let mut disk = RealDisk::open(directory).expect("nobody else uses it");
    let identity = Identity { node: NodeId(3), cluster: 7, incarnation: 0 };
    let opened = Storage::open(&mut disk, identity, &Options::default());
    let (mut storage, recovered) = opened.expect("it is sound");
    work(&mut storage, recovered.boot, &mut disk);
}

/// Flips a bit in a file of which this is the beginning of the name.
fn damage_at(directory: &Path, prefix: &str, offset: usize) {
    for (path, mut bytes) in contents(directory) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(prefix) {
            bytes[offset] ^= 1;
            fs::write(path, bytes).expect("the file can be written");
        }
    }
}

/// Leaves neither the slot of a record nor itself.
fn damage_record(directory: &Path, sequence: u64) {
    let text = succeed(0, &["log", &directory.display().to_string()]);
    for kind in ["slot", "record"] {
        let wanted = format!("{kind} #{sequence} ");
        let line = text.lines().find(|line| line.contains(&wanted)).expect("the record is shown");
        let offset = line.split_whitespace().next().and_then(|word| word.parse().ok());
        damage_at(directory, "log-", offset.expect("a line begins with the place"));
    }
}

#[test]
fn log_tells_of_a_snapshot_that_is_lost() {
    let (directory, _) = data_directory("log-lost-snapshot");
    let name = directory.display().to_string();
    continue_with(&directory, |storage, _, disk| {
        // One that a leader sent, and that a crash kept the log from being reset to.
        storage.begin_snapshot(LogPosition { term: Term(1), index: LogIndex(9) }, disk).expect("sound");
        storage.write_snapshot(&[7; 10_000], disk).expect("sound");
        storage.finish_snapshot(disk).expect("sound");
    });
    let text = succeed(0, &["log", &name]);
    assert!(text.contains("recovery: a snapshot of 1@9 with 10000 bytes"), "{text}");
    damage_at(&directory, "snapshot-", 13_000);
    let text = succeed(1, &["log", &name]);
    for expected in [
        "!! chunk 1",
        "recovery: the snapshot of 1@9 is damaged: what it lacks is drawn from the others; until then nothing is applied, and the node does not campaign",
        "recovery: the snapshot of 1@9 is being received: 4080 of 10000 bytes are here",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("no snapshot"), "{text}");
}

#[test]
fn log_asks_the_others_for_nothing_that_the_snapshot_stands_for() {
    let (directory, _) = data_directory("log-covered");
    let name = directory.display().to_string();
    continue_with(&directory, |storage, _, disk| {
        storage.begin_snapshot(LogPosition { term: Term(1), index: LogIndex(2) }, disk).expect("sound");
        storage.write_snapshot(b"the state", disk).expect("sound");
        storage.finish_snapshot(disk).expect("sound");
    });
    for (path, mut bytes) in contents(&directory) {
        let wanted = b"the data of entry 2";
        if let Some(at) = bytes.windows(wanted.len()).position(|window| window == wanted) {
            bytes[at] ^= 1;
            fs::write(path, bytes).expect("the file can be written");
        }
    }
    let text = succeed(0, &["log", &name]);
    assert!(text.contains("!! record #2") && !text.contains("asked of the others"), "{text}");
}

#[test]
fn log_does_not_vouch_for_an_end_that_may_have_been_acknowledged_until_a_later_term_follows() {
    let (directory, before) = data_directory("log-uncertain");
    let name = directory.display().to_string();
    // Neither the last record nor its slot is left.
    damage_record(&directory, 3);
    assert_ne!(contents(&directory), before);
    let text = succeed(1, &["log", &name]);
    for expected in [
        "recovery: group 3 cannot be read, and is dropped: torn, or damaged after it was acknowledged",
        "recovery: entries of terms up to 1 may have been lost",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    continue_with(&directory, |storage, boot, disk| {
        let entries = [Entry { term: Term(2), index: LogIndex(3), payload: Payload::Noop }];
        let mut group = Group::default();
        group.add(&Write {
            token: WriteToken { boot, sequence: 1 },
            hard_state: Some(HardState { current_term: Term(2), voted_for: None, longest_promise: 0 }),
            truncate_from: None,
            reset_to: None,
            compact_to: None,
            repairs: &[],
            entries: (&entries, &[]),
        });
        storage.commit(&mut group, disk).expect("the disk is sound");
    });
    let text = succeed(0, &["log", &name]);
    assert!(text.contains("recovery: entries 1 to 3") && !text.contains("on condition"), "{text}");
}

#[test]
fn log_shows_what_is_damaged() {
    let (directory, before) = data_directory("log-damaged");
    let name = directory.display().to_string();
    let damage = |wanted: &[u8]| {
        for (path, bytes) in &before {
            if let Some(at) = bytes.windows(wanted.len()).position(|window| window == wanted) {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1;
                fs::write(path, bytes).expect("the file can be written");
            }
        }
    };
    damage(b"the data of entry 2");
    let text = succeed(1, &["log", &name, "--damage"]);
    assert!(text.contains("!! record #2 of group 2: 1@2 command, 19 bytes"), "{text}");
    let lost = "recovery: the data of 1 entry is lost here, and asked of the others: 2";
    assert!(text.contains(lost) && !text.contains("record #1"), "{text}");
    let with_damage = contents(&directory);
    succeed(1, &["log", &name]);
    assert_eq!(contents(&directory), with_damage);
    fs::write(directory.join("identity"), b"").expect("the file can be written");
    let text = succeed(1, &["log", &name]);
    let expected = "recovery: would not start: identity at byte 0: neither copy can be read, so nobody can tell whose files these are. ";
    assert!(text.contains(expected) && text.contains("remove the node"), "{text}");
}

#[test]
fn log_names_the_file_that_is_missing_and_what_to_do() {
    let (directory, _) = data_directory("log-missing");
    let name = directory.display().to_string();
    fs::remove_file(directory.join("hard-state")).expect("it is there");
    let text = succeed(1, &["log", &name]);
    let expected =
        "recovery: would not start: hard-state at byte 0: the hard state is missing. `squall log` shows";
    assert!(text.contains(expected) && text.contains("remove the node"), "{text}");
    fs::remove_file(directory.join("identity")).expect("it is there");
    let text = succeed(1, &["log", &name]);
    let expected =
        "recovery: would not start: the directory holds log-00000000000000000001 but no `identity`: ";
    assert!(text.contains(expected) && text.contains("empty it and format a new member"), "{text}");
    // What may be somebody else's is not to be emptied.
    fs::write(directory.join("notes.txt"), b"mine").expect("the file can be written");
    let text = succeed(1, &["log", &name]);
    assert!(text.contains("it holds notes.txt as well") && !text.contains("empty it"), "{text}");
}

#[test]
fn log_marks_a_gap_between_two_groups_and_leaves_strange_files_alone() {
    let (directory, _) = data_directory("log-gap");
    let name = directory.display().to_string();
    fs::write(directory.join("README.txt"), b"mine").expect("the file can be written");
    let text = succeed(0, &["log", &name]);
    assert!(text.contains("README.txt: 1 piece, 0 cannot be read"), "{text}");
    assert!(text.contains("-- no file of a storage's") && !text.contains("!!"), "{text}");
    assert!(!succeed(0, &["log", &name, "--damage"]).contains("README.txt"));
    damage_record(&directory, 2);
    let text = succeed(1, &["log", &name, "--damage"]);
    let expected = "log-00000000000000000001: 8 pieces, 1 cannot be read\n      16781312 +4096     !! nothing that can be read\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn log_refuses_what_is_no_data_directory() {
    assert!(refused(&["log", "no-such-directory"]).contains("no-such-directory"));
    let empty = path("log-empty");
    let _there_from_before = fs::create_dir(&empty);
    assert!(refused(&["log", &empty]).contains("the directory is empty"));
    let foreign = crate::folder("log-foreign");
    fs::write(Path::new(&foreign).join("notes.txt"), b"mine").expect("the file can be written");
    let said = refused(&["log", &foreign]);
    assert!(said.contains("log-foreign: this is no data directory: it holds notes.txt"), "{said}");
    assert!(!said.contains("empty it"), "{said}");
    let parent = path("log-parent");
    for node in ["n2", "n1"] {
        fs::create_dir_all(Path::new(&parent).join(node)).expect("the folder can be written");
    }
    let said = refused(&["log", &parent]);
    assert!(said.contains("holds no files, only directories: n1, n2; give one"), "{said}");
}

#[test]
fn log_gives_no_verdict_on_a_directory_that_is_in_use() {
    let (directory, before) = data_directory("log-in-use");
    let name = directory.display().to_string();
    let running = RealDisk::open(&directory).expect("nobody else uses it");
    let output = squall(&["log", &name]);
    assert_eq!(output.status.code(), Some(3));
    let shown = String::from_utf8(output.stdout).expect("reports are text");
    assert!(shown.contains("ok record #2 of group 2") && !shown.contains("recovery:"), "{shown}");
    let said = String::from_utf8(output.stderr).expect("words are text");
    assert!(said.contains("in use by a running process") && said.contains("look at a copy"), "{said}");
    drop(running);
    succeed(0, &["log", &name]);
    assert_eq!(contents(&directory), before);
}
