//! Disks on which something went wrong on a large scale: a node starts with what was written once, or not at all.
//!
//! That flipped bits and torn writes lose nothing is tested where the storage lives; here files are cut, grown,
//! exchanged, overwritten and invented.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use squall_disk::{Disk, DiskError};
use squall_raft::{
    Entry, HardState, LogIndex, LogPosition, NodeId, Payload, SnapshotId, Term, Write, WriteToken,
};
use squall_sim::disk::DiskParameters;
use squall_sim::{Choice, ProcessId, SimDisk};
use squall_storage::{Group, Identity, Options, Storage};

const IDENTITY: Identity = Identity { node: NodeId(2), cluster: 0x0051_5541_4c4c, incarnation: 0 };

fn options() -> Options {
    Options { segment_bytes: 16 << 10, tail_bytes: 2_000, salt_seed: 5 }
}

fn empty() -> SimDisk {
    SimDisk::new(ProcessId(0), DiskParameters::default(), Choice::from_script([]))
}

/// What a node did in its life.
struct Life {
    disk: SimDisk,
    entries: BTreeSet<(LogPosition, Option<Bytes>)>,
    hard_states: Vec<HardState>,
    snapshots: Vec<SnapshotId>,
}

/// What a snapshot holds.
fn image() -> Vec<u8> {
    (0..20_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// Two starts, several segments, some entries written over; two snapshots, the first segments gone, a third snapshot
/// received in part.
fn lived() -> Life {
    let mut disk = empty();
    Storage::format(&mut disk, IDENTITY, &options()).expect("the disk is empty");
    let mut life = Life {
        disk,
        entries: BTreeSet::new(),
        hard_states: vec![HardState::default()],
        snapshots: Vec::new(),
    };
    for boot in 1..=2 {
        let (mut storage, recovered) =
            Storage::open(&mut life.disk, IDENTITY, &options()).expect("nothing has happened to the disk");
        let first = recovered.last_index.next().0.saturating_sub(boot).max(1);
        for number in 0..12 {
            let index = LogIndex(first + number);
            let hard_state =
                HardState { current_term: Term(boot), voted_for: Some(NodeId(boot)), longest_promise: boot };
            let size = usize::try_from(number * 300).expect("it is small");
            let payload =
                Payload::Command(Bytes::from(vec![u8::try_from(number).expect("it is small"); size]));
            let entries = [Entry { term: Term(boot), index, payload }];
            let mut group = Group::default();
            group.add(&Write {
                token: WriteToken { boot, sequence: number + 1 },
                hard_state: (number == 0).then_some(hard_state),
                truncate_from: (index <= storage.last_index()).then_some(index),
                reset_to: None,
                compact_to: None,
                repairs: &[],
                entries: (&entries, &[]),
            });
            storage.commit(&mut group, &mut life.disk).expect("the disk is sound");
            life.hard_states.push(hard_state);
            life.entries.extend(entries.map(named));
        }
        life.take_snapshot(&mut storage, LogPosition { term: Term(boot), index: LogIndex(first + 8) });
        let promised = SnapshotId { last: LogPosition::new(9, 99), bytes: 80_000, checksum: 1 };
        storage.store_received(promised, 0, &image()[..30_000], &mut life.disk).expect("the disk is sound");
    }
    life.disk.settle();
    life
}

impl Life {
    /// Takes a snapshot and gives up the entries that it stands for.
    fn take_snapshot(&mut self, storage: &mut Storage, last: LogPosition) {
        storage.begin_snapshot(last, &mut self.disk).expect("the disk is sound");
        storage.write_snapshot(&image(), &mut self.disk).expect("the disk is sound");
        self.snapshots.push(storage.finish_snapshot(&mut self.disk).expect("the disk is sound"));
        for (sequence, compact_to) in [(101, Some(last)), (102, None)] {
            let next = storage.last_index().next();
            let entry = Entry { term: last.term, index: next, payload: Payload::Noop };
            let mut group = Group::default();
            group.add(&Write {
                token: WriteToken { boot: last.term.0, sequence },
                hard_state: None,
                truncate_from: None,
                reset_to: None,
                compact_to,
                repairs: &[],
                entries: (core::slice::from_ref(&entry), &[]),
            });
            storage.commit(&mut group, &mut self.disk).expect("the disk is sound");
            self.entries.insert(named(entry));
        }
    }

    /// A snapshot that is said to be there was taken once, and reads as it was or not at all.
    fn check_snapshot(&mut self, storage: &Storage) -> Result<(), TestCaseError> {
        let Some(id) = storage.snapshot() else { return Ok(()) };
        prop_assert!(self.snapshots.contains(&id), "{id:?}");
        if let Ok(bytes) = storage.read_snapshot(id, 0, u64::MAX, &mut self.disk) {
            prop_assert!(bytes.is_some_and(|bytes| bytes[..] == image()), "{}", id);
        }
        Ok(())
    }
}

fn named(entry: Entry) -> (LogPosition, Option<Bytes>) {
    let position = entry.position();
    match entry.payload {
        Payload::Noop | Payload::Configuration(_) | Payload::Withheld => (position, None),
        Payload::Command(data) => (position, Some(data)),
    }
}

/// Something that happens to the files.
#[derive(Clone, Debug)]
enum Harm {
    Overwrite {
        file: Index,
        at: Index,
        bytes: Vec<u8>,
    },
    /// A stretch of one file lands in another, or elsewhere in the same: a misdirected write.
    Misdirect {
        from: Index,
        from_at: Index,
        to: Index,
        to_at: Index,
        length: usize,
    },
    SetLength {
        file: Index,
        length: u64,
    },
    Remove {
        file: Index,
    },
    Exchange {
        one: Index,
        other: Index,
    },
    Invent {
        name: String,
        bytes: Vec<u8>,
    },
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let place = any::<Index>;
    let bytes = || prop::collection::vec(any::<u8>(), 0..600);
    let names = prop_oneof![
        Just("hard-state".to_owned()),
        Just("identity".to_owned()),
        Just("hard-state.new".to_owned()),
        (0..9_u64).prop_map(|number| format!("log-{number:020}")),
        (0..30_u64).prop_map(|index| format!("snapshot-{index:020}-0000000000")),
        Just("received-snapshot".to_owned()),
        "[a-z.-]{1,12}",
    ];
    prop_oneof![
        (place(), place(), bytes()).prop_map(|(file, at, bytes)| Harm::Overwrite { file, at, bytes }),
        (place(), place(), place(), place(), 1_usize..9_000).prop_map(
            |(from, from_at, to, to_at, length)| { Harm::Misdirect { from, from_at, to, to_at, length } }
        ),
        (place(), 0..70_000_u64).prop_map(|(file, length)| Harm::SetLength { file, length }),
        place().prop_map(|file| Harm::Remove { file }),
        (place(), place()).prop_map(|(one, other)| Harm::Exchange { one, other }),
        (names, bytes()).prop_map(|(name, bytes)| Harm::Invent { name, bytes }),
    ]
}

fn strike(disk: &mut SimDisk, harm: &Harm) -> Result<(), DiskError> {
    let names = disk.list()?;
    if names.is_empty() {
        return Ok(());
    }
    let name = |file: &Index| names[file.index(names.len())].as_str();
    match harm {
        Harm::Overwrite { file, at, bytes } => {
            let (file, at) = place_in(disk, name(file), at)?;
            disk.write_at(file, at, bytes)
        }
        Harm::Misdirect { from, from_at, to, to_at, length } => {
            let (from, from_at) = place_in(disk, name(from), from_at)?;
            let (to, to_at) = place_in(disk, name(to), to_at)?;
            let mut buffer = vec![0; *length];
            // Sectors land whole.
            let count = disk.read_at(from, from_at & !511, &mut buffer)?;
            disk.write_at(to, to_at & !511, &buffer[..count])
        }
        Harm::SetLength { file, length } => {
            let file = disk.open(name(file))?;
            disk.set_len(file, *length)
        }
        Harm::Remove { file } => disk.remove(name(file)),
        Harm::Exchange { one, other } => {
            let (one, other) = (name(one), name(other));
            disk.rename(one, "aside")?;
            if one != other {
                disk.rename(other, one)?;
            }
            disk.rename("aside", other)
        }
        Harm::Invent { name, bytes } => {
            let file = if names.contains(name) { disk.open(name)? } else { disk.create(name)? };
            disk.write_at(file, 0, bytes)
        }
    }
}

fn place_in(disk: &mut SimDisk, name: &str, at: &Index) -> Result<(squall_disk::FileId, u64), DiskError> {
    let file = disk.open(name)?;
    let length = usize::try_from(disk.len(file)?).expect("the files are small");
    Ok((file, at.index(length.max(1)) as u64))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_node_whose_files_were_mangled_believes_nothing_that_nobody_wrote(
        harms in prop::collection::vec(any_harm(), 1..4),
    ) {
        let mut life = lived();
        for harm in &harms {
            strike(&mut life.disk, harm).expect("a sound disk does what it is told");
        }
        match Storage::open(&mut life.disk, IDENTITY, &options()) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok((storage, recovered)) => {
                prop_assert!(life.hard_states.contains(&recovered.hard_state), "{:?}", recovered.hard_state);
                life.check_snapshot(&storage)?;
                match storage.read(recovered.base.index.next(), recovered.last_index, u64::MAX, &mut life.disk) {
                    Err(error) => prop_assert!(!error.to_string().is_empty()),
                    Ok(log) => {
                        for entry in log {
                            prop_assert!(life.entries.contains(&named(entry.clone())), "{:?}", entry.position());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn files_that_are_garbage_throughout_start_no_node(
        files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 3),
    ) {
        let mut disk = empty();
        for (name, bytes) in ["identity", "hard-state", "log-00000000000000000001"].into_iter().zip(&files) {
            let file = disk.create(name).expect("the disk is empty");
            disk.write_at(file, 0, bytes).expect("the disk is sound");
        }
        let refused = Storage::open(&mut disk, IDENTITY, &options()).expect_err("nobody formatted this");
        prop_assert!(refused.to_string().contains("identity"), "{}", refused);
    }
}

#[test]
fn the_life_that_is_mangled_has_segments_and_entries_that_were_written_over() {
    let mut life = lived();
    let segments = life.disk.list().expect("the disk is sound").len() - 2;
    let (storage, recovered) =
        Storage::open(&mut life.disk, IDENTITY, &options()).expect("nothing has happened");
    assert!(segments > 4, "{segments} segments, snapshots, and what is received");
    assert_eq!(storage.snapshot(), life.snapshots.last().copied());
    assert!(recovered.base.index > LogIndex::ZERO && recovered.receiving.is_some());
    assert!(life.entries.len() as u64 > recovered.last_index.0, "no entry was written over");
    assert_eq!(
        recovered.hard_state,
        HardState { current_term: Term(2), voted_for: Some(NodeId(2)), longest_promise: 2 }
    );
}
