//! Bytes that are written as whole pages, filled up with zeros.
//!
//! Of a small group most of its page is zeros. They are kept from one group to the next, so that a group costs what it is
//! long.

use core::ops::Deref;

use crate::PAGE_BYTES;

static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// So many zeros; no more than a MiB.
pub(crate) fn zeros(bytes: u64) -> &'static [u8] {
    &ZEROS[..bytes as usize]
}

/// A buffer that is reused.
#[derive(Clone, Default, Debug)]
pub(crate) struct Pages {
    /// Invariant: all zeros from `used` on.
    bytes: Vec<u8>,
    used: usize,
}

impl Pages {
    /// Empties it and keeps its memory.
    pub(crate) fn clear(&mut self) {
        if self.used <= PAGE_BYTES as usize {
            self.bytes[..self.used].fill(0);
        } else {
            self.bytes.clear();
        }
        self.used = 0;
    }

    /// How many bytes were appended.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Whether nothing was appended.
    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Appends bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        if end <= self.bytes.len() {
            self.bytes[self.used..end].copy_from_slice(bytes);
        } else {
            self.bytes.truncate(self.used);
            self.bytes.extend_from_slice(bytes);
        }
        self.used = end;
    }

    /// Appends zeros, up to this length.
    pub(crate) fn push_zeros_to(&mut self, end: usize) {
        assert!(self.used <= end, "{} bytes are more than {end}", self.used);
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.used = end;
    }

    /// Makes it whole pages.
    pub(crate) fn fill(&mut self) {
        self.bytes.resize(self.used.next_multiple_of(PAGE_BYTES as usize), 0);
    }
}

/// Once it is filled, whole pages.
impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_up_a_page_is_zeros_however_often_it_was_used() {
        let mut pages = Pages::default();
        for used in [5000, 3, 0, 4096, 100, 9000, 4097, 4000, 50] {
            pages.clear();
            assert!(pages.is_empty());
            pages.push(&vec![7; used / 2]);
            pages.push_zeros_to(used / 2 + 10);
            pages.push(&vec![7; used - used / 2]);
            assert_eq!(pages.used(), used + 10);
            pages.fill();
            let mut expected = [vec![7; used / 2], vec![0; 10], vec![7; used - used / 2]].concat();
            expected.resize(expected.len().div_ceil(4096) * 4096, 0);
            assert!(*pages == expected[..], "{used} bytes");
        }
    }
}
