//! Counts allocations, in a program that makes [`Counting`] its global allocator; one thread only.

#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting allocations and reallocations.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(1);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(1);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A plain load and store: the programs that count have one thread, and this must cost nothing.
fn add(count: u64) {
    ALLOCATIONS.store(ALLOCATIONS.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}

/// Allocations so far; always 0 where [`Counting`] is not the allocator.
#[must_use]
pub fn count() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Runs `work` without counting its allocations.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let before = count();
    let result = work();
    ALLOCATIONS.store(before, Ordering::Relaxed);
    result
}
