//! A process that writes and is killed, a thousand times, on real files: what it acknowledged is there, and nothing else.
//!
//! The process is this program once more. It says through a pipe what is durable; its killer draws how much it listens to, and
//! then strikes, wherever the other has got to meanwhile. The page cache survives: what this cannot show is a power loss.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use squall_disk::{Overlay, RealDisk};
use squall_raft::{Entry, HardState, LogIndex, LogPosition, NodeId, Payload, Term, Write, WriteToken};
use squall_storage::{Group, Identity, Options, Storage};

const IDENTITY: Identity = Identity { node: NodeId(1), cluster: 1, incarnation: 0 };
const DIRECTORIES: u64 = 4;
const KILLS: u64 = 250;
const MESSAGES_MAX: u64 = 20;
/// A snapshot is taken, and the log compacted, at about every so many entries.
const SNAPSHOT_ENTRIES: u64 = 40;
/// Tells the process where to write; its own test has it not.
const DIRECTORY: &str = "SQUALL_KILLED_DIRECTORY";
const SIGKILL: i32 = 9;

fn options() -> Options {
    Options { segment_bytes: 64 << 10, ..Options::default() }
}

/// A number that these two determine, below `end`.
fn draw(seed: u64, number: u64, end: u64) -> u64 {
    let mut word = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number);
    for _ in 0..2 {
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    }
    (word ^ (word >> 31)) % end
}

/// The one entry that ever stands at an index.
fn entry(index: u64) -> Entry {
    let bytes = if draw(1, index, 8) == 0 { draw(2, index, 9000) } else { draw(2, index, 300) };
    let data: Vec<u8> = (0..bytes).map(|at| draw(index, at, 256) as u8).collect();
    Entry { term: Term(1), index: LogIndex(index), payload: Payload::Command(data.into()) }
}

/// How many entries the group has that begins with this one.
fn group_entries(first: u64) -> u64 {
    1 + draw(3, first, 8)
}

/// Writes until it is killed, where it is told to; else there is nothing to do.
#[test]
#[expect(clippy::disallowed_methods, reason = "the other process is told by its environment what it is for")]
fn writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut pipe = std::io::stderr();
    let mut say = |number: u64| pipe.write_all(&number.to_le_bytes()).unwrap();
    let mut disk = RealDisk::open(directory).unwrap();
    say(0);
    let (mut storage, recovered) = Storage::open(&mut disk, IDENTITY, &options()).unwrap();
    let mut last = recovered.last_index.0;
    let mut covered = recovered.snapshot.map_or(0, |snapshot| snapshot.last.index.0);
    let mut hard_state = Some(HardState { current_term: Term(1), voted_for: None, longest_promise: 0 });
    loop {
        say(last);
        let mut compact_to = None;
        if last > covered + SNAPSHOT_ENTRIES {
            covered = last - 5;
            let position = LogPosition::new(1, covered);
            storage.begin_snapshot(position, &mut disk).unwrap();
            storage.write_snapshot(&covered.to_le_bytes(), &mut disk).unwrap();
            storage.finish_snapshot(&mut disk).unwrap();
            compact_to = Some(position);
        }
        let entries: Vec<Entry> = (last + 1..=last + group_entries(last + 1)).map(entry).collect();
        let mut group = Group::default();
        group.add(&Write {
            token: WriteToken { boot: recovered.boot, sequence: last },
            hard_state: hard_state.take(),
            truncate_from: None,
            reset_to: None,
            compact_to,
            repairs: &[],
            entries: (&entries, &[]),
        });
        storage.commit(&mut group, &mut disk).unwrap();
        last += entries.len() as u64;
    }
}

/// Lets the other process write, listens for so long, kills it, and hears what it had still said. Returns the last.
fn run_and_kill(directory: &Path, messages: u64) -> Option<u64> {
    let program = std::env::current_exe().expect("a running test knows its own program");
    let mut process = Command::new(program)
        .args(["--exact", "writes_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program that runs can be run again");
    let mut pipe = process.stderr.take().expect("it was asked for");
    let mut said = vec![0; 8 * messages as usize];
    pipe.read_exact(&mut said).expect("it says more than that");
    process.kill().expect("it runs");
    pipe.read_to_end(&mut said).expect("the pipe ends with the process");
    let status = process.wait().expect("it was started");
    assert_eq!(status.signal(), Some(SIGKILL), "{status}: {}", String::from_utf8_lossy(&said));
    let last = said.chunks_exact(8).next_back()?;
    Some(u64::from_le_bytes(last.try_into().expect("eight bytes")))
}

/// What a start would find: everything up to `acknowledged`, and of the group after it all or nothing.
fn check(directory: &Path, acknowledged: u64) -> u64 {
    drop(RealDisk::open(directory).expect("the lock went with the process"));
    let mut disk = Overlay::new(RealDisk::read_only(directory).expect("it is there"));
    let (storage, recovered) = Storage::open(&mut disk, IDENTITY, &options()).expect("it is sound");
    let last = recovered.last_index.0;
    let in_flight = acknowledged + group_entries(acknowledged + 1);
    assert!([acknowledged, in_flight].contains(&last), "{acknowledged} was acknowledged, {last} is there");
    assert_eq!(recovered.faulty, []);
    let covered = recovered.snapshot.map_or(0, |snapshot| snapshot.last.index.0);
    assert!(recovered.base.index.0 <= covered, "{} {covered}", recovered.base);
    let mut next = recovered.base.index.0 + 1;
    while next <= last {
        let read = storage.read(LogIndex(next), LogIndex(last), u64::MAX, &mut disk).expect("it is sound");
        assert!(!read.is_empty(), "{next} is there");
        for found in read {
            assert!(found == entry(next), "{next} is what was written");
            next += 1;
        }
    }
    last
}

#[test]
fn a_process_that_is_killed_at_any_moment_has_kept_what_it_acknowledged() {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("killed-{}", std::process::id()));
    let (mut entries, mut files) = (0, 0);
    for seed in 0..DIRECTORIES {
        let directory = root.join(seed.to_string());
        fs::create_dir_all(&directory).unwrap();
        Storage::format(&mut RealDisk::open(&directory).unwrap(), IDENTITY, &options()).unwrap();
        let mut last = 0;
        for kill in 0..KILLS {
            let messages = draw(seed + 10, kill, MESSAGES_MAX);
            let said = run_and_kill(&directory, messages).unwrap_or(0);
            assert!(said == 0 || said >= last, "it found what was there");
            last = check(&directory, last.max(said));
        }
        entries += last;
        files = files.max(segment_number(&directory));
    }
    fs::remove_dir_all(&root).unwrap();
    assert!(entries > 10_000, "much was written: {entries} entries");
    assert!(files > 500, "segments were made and went: {files}");
}

fn segment_number(directory: &Path) -> u64 {
    let names =
        fs::read_dir(directory).expect("it is there").map(|file| file.expect("it is there").file_name());
    let number = |name: OsString| name.to_str()?.strip_prefix("log-")?.parse().ok();
    names.filter_map(number).max().unwrap_or(0)
}
