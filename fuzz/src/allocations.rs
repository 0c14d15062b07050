//! Memory in parts of a bounded size: whoever asks for more at once was told so by its input, and ends the program.
//!
//! No target needs as much, so an allocation by an unchecked number is found even where it would have succeeded.

#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};

/// No allocation is larger.
const BYTES_MAX: usize = 64 << 20;

/// The system's allocator, up to that size.
struct Bounded;

#[global_allocator]
static BOUNDED: Bounded = Bounded;

// SAFETY: every call is handed to the system's allocator as it came, or refused, as any call may be.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > BYTES_MAX {
            return core::ptr::null_mut();
        }
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > BYTES_MAX {
            return core::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size > BYTES_MAX {
            return core::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_more_than_the_bound_is_to_be_had_at_once() {
        let mut bytes = Vec::<u8>::new();
        assert!(bytes.try_reserve_exact(super::BYTES_MAX + 1).is_err());
        assert!(bytes.try_reserve_exact(super::BYTES_MAX).is_ok());
    }
}
