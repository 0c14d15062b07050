//! A file's bytes as sparse pages: a page stores what was written up to the zeros at its end, the rest reads as zeros.
//!
//! All pages of a file live in one buffer, so that a preallocated file costs twelve bytes per page and a clone is
//! two copies of memory. That zeros were written to a page is known, though they are not stored: a hole is no zeros. It knows
//! nothing of durability; that is `file.rs`.

/// The unit in which pages are written out and torn.
pub(super) const PAGE_BYTES: usize = 4096;
/// The unit that a disk writes or damages.
pub(super) const SECTOR_BYTES: usize = 512;
/// A file grows no further: a length is never the caller's word alone.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 30;

/// The buffer grows by this at least: a file that is written to will be written to again.
const GROWTH_BYTES: usize = 2 * PAGE_BYTES;

/// The sparse content of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    /// Invariant: no page was written to beyond it.
    len: u64,
    /// By page number; pages beyond the last one are empty.
    pages: Vec<Page>,
    /// Where the pages' bytes are. A page that outgrows its place moves to one of twice the size, so that
    /// abandoned places take about as much as the pages at worst.
    bytes: Vec<u8>,
}

/// A page's place in the buffer.
#[derive(Clone, Copy, Debug, Default)]
struct Page {
    start: u32,
    /// From the start of the page to the end of the furthest write.
    written: u16,
    /// How many of these bytes stand in the buffer; the rest are zeros. Invariant: no more than were written, or than find
    /// room.
    stored: u16,
    capacity: u16,
}

/// The pages that `len` bytes at `offset` touch.
pub(super) fn pages_of(offset: u64, len: u64) -> core::ops::Range<u64> {
    let page = PAGE_BYTES as u64;
    if len == 0 { 0..0 } else { offset / page..(offset + len).div_ceil(page) }
}

impl Image {
    /// The file's length.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Writes `data` and zeros behind it, `len` bytes in all, at `offset`; the file grows where needed.
    ///
    /// # Panics
    /// When the end lies beyond [`FILE_BYTES_MAX`].
    pub(super) fn write(&mut self, mut offset: u64, mut data: &[u8], len: usize) {
        debug_assert!(data.len() <= len, "{} of {len} bytes", data.len());
        if len == 0 {
            return;
        }
        let end = offset + len as u64;
        assert!(end <= FILE_BYTES_MAX, "a write up to byte {end} was not refused");
        self.len = self.len.max(end);
        let pages = end.div_ceil(PAGE_BYTES as u64) as usize;
        if self.pages.len() < pages {
            self.pages.resize(pages, Page::default());
        }
        while offset < end {
            let within = offset as usize % PAGE_BYTES;
            let part = (end - offset).min((PAGE_BYTES - within) as u64) as usize;
            let (bytes, rest) = data.split_at(data.len().min(part));
            self.write_page(offset as usize / PAGE_BYTES, within, without_zeros(bytes), part);
            offset += part as u64;
            data = rest;
        }
    }

    /// Writes `data` and zeros behind it, `len` bytes in all.
    fn write_page(&mut self, number: usize, within: usize, data: &[u8], len: usize) {
        let (data_end, end) = (within + data.len(), within + len);
        debug_assert!(data_end <= end && end <= PAGE_BYTES);
        let stored = usize::from(self.pages[number].stored);
        let is_last = stored <= end;
        let stored_after = match data {
            _ if !is_last => stored,
            [] => stored.min(within),
            _ => data_end,
        };
        if stored_after > usize::from(self.pages[number].capacity) {
            self.move_page(number, stored_after);
        }
        let page = &mut self.pages[number];
        let place = &mut self.bytes[page.start as usize..][..usize::from(page.capacity)];
        if !data.is_empty() {
            if within > stored {
                place[stored..within].fill(0);
            }
            place[within..data_end].copy_from_slice(data);
        }
        if !is_last {
            place[data_end..end].fill(0);
        }
        page.written = page.written.max(end as u16);
        page.stored = stored_after as u16;
    }

    /// Gives a page a place for at least `needed` bytes, at the end of the buffer.
    fn move_page(&mut self, number: usize, needed: usize) {
        let page = self.pages[number];
        let capacity = needed.max(2 * usize::from(page.capacity)).next_multiple_of(64).min(PAGE_BYTES);
        let start = self.bytes.len();
        if self.bytes.capacity() < start + capacity {
            self.bytes.reserve(capacity.max(GROWTH_BYTES));
        }
        let old = page.start as usize..page.start as usize + usize::from(page.stored);
        self.bytes.resize(start + capacity, 0);
        self.bytes.copy_within(old, start);
        let start = u32::try_from(start).expect("a file of at most 1 GiB takes less than 4 GiB of places");
        self.pages[number] = Page { start, capacity: capacity as u16, ..page };
    }

    /// Cuts the file, or lengthens it by zeros.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let boundary = (len / PAGE_BYTES as u64) as usize;
            for (number, page) in self.pages.iter_mut().enumerate().skip(boundary) {
                let left = if number == boundary { (len % PAGE_BYTES as u64) as u16 } else { 0 };
                page.written = page.written.min(left);
                page.stored = page.stored.min(left);
            }
        }
        self.len = len;
    }

    /// Fills `buffer` from `offset` on; what was never written, or lies beyond the end, reads as zeros.
    pub(super) fn read(&self, mut offset: u64, mut buffer: &mut [u8]) {
        while !buffer.is_empty() {
            let within = (offset % PAGE_BYTES as u64) as usize;
            let (part, rest) = buffer.split_at_mut(buffer.len().min(PAGE_BYTES - within));
            let bytes = self.stored(offset / PAGE_BYTES as u64).get(within..).unwrap_or(&[]);
            let (stored, zeros) = part.split_at_mut(bytes.len().min(part.len()));
            stored.copy_from_slice(&bytes[..stored.len()]);
            zeros.fill(0);
            offset = offset.saturating_add(part.len() as u64);
            buffer = rest;
        }
    }

    /// Whether all of these bytes were written (a hole was not).
    pub(super) fn is_written(&self, offset: u64, len: u64) -> bool {
        let end = offset.saturating_add(len);
        end <= self.len
            && pages_of(offset, len).all(|page| {
                let wanted = (end - page * PAGE_BYTES as u64).min(PAGE_BYTES as u64);
                u64::from(self.page(page).written) >= wanted
            })
    }

    fn page(&self, number: u64) -> Page {
        let page = usize::try_from(number).ok().and_then(|number| self.pages.get(number));
        page.copied().unwrap_or_default()
    }

    /// A page but for the zeros at its end.
    fn stored(&self, number: u64) -> &[u8] {
        let page = self.page(number);
        &self.bytes[page.start as usize..][..usize::from(page.stored)]
    }
}

/// The bytes without the zeros at their end, but for fewer than 64 of these.
pub(super) fn without_zeros(bytes: &[u8]) -> &[u8] {
    without_chunks::<64>(without_chunks::<SECTOR_BYTES>(bytes))
}

/// The bytes without chunks of this size at their end that are all zeros.
fn without_chunks<const BYTES: usize>(mut bytes: &[u8]) -> &[u8] {
    while let Some((before, last)) = bytes.split_last_chunk::<BYTES>()
        && last.iter().fold(0, |all, byte| all | byte) == 0
    {
        bytes = before;
    }
    bytes
}
