//! Appending allocates nothing for each record: memory is taken over from group to group.

#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use squall_disk::RealDisk;
use squall_raft::{Entry, HardState, LogIndex, NodeId, Payload, Term, Write, WriteToken};
use squall_storage::{Group, Identity, Options, Storage};

/// The system's allocator, counting what this thread asks of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator as it came; a growth that is not overridden counts as an allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn a_group_of_thousands_of_entries_allocates_a_handful_of_times() {
    const ENTRIES: usize = 4096;
    const ALLOCATIONS_MAX: u64 = 10;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("allocations-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    let mut disk = RealDisk::open(&path).unwrap();
    let identity = Identity { node: NodeId(1), cluster: 1, incarnation: 0 };
    Storage::format(&mut disk, identity, &Options::default()).unwrap();
    let (mut storage, _) = Storage::open(&mut disk, identity, &Options::default()).unwrap();

    let payload = Payload::Command(Bytes::from(vec![7; 256]));
    let mut entries = vec![Entry { term: Term(1), index: LogIndex(0), payload }; ENTRIES];
    let (mut group, mut next) = (Group::default(), LogIndex(1));
    let mut hard_state = Some(HardState { current_term: Term(1), voted_for: None, longest_promise: 0 });
    let mut counts = Vec::with_capacity(8);
    for sequence in 1..=8 {
        for entry in &mut entries {
            entry.index = next;
            next = next.next();
        }
        let before = ALLOCATIONS.get();
        group.add(&Write {
            token: WriteToken { boot: 1, sequence },
            hard_state: hard_state.take(),
            truncate_from: None,
            reset_to: None,
            compact_to: None,
            repairs: &[],
            entries: (&entries, &[]),
        });
        storage.commit(&mut group, &mut disk).unwrap();
        counts.push(ALLOCATIONS.get() - before);
    }
    fs::remove_dir_all(&path).unwrap();
    assert!(counts[0] > 0, "they are counted: {counts:?}");
    assert!(counts[2..].iter().all(|count| *count <= ALLOCATIONS_MAX), "{counts:?}");
}
