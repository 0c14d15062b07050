//! A torn file: pages, sectors and the length each go their own way.
//!
//! Changes of the length are metadata: the first of them happened, the later ones did not. Writes are data: a
//! page shows what it held after some number of the writes that touch it, or, where power went while it was
//! written out, a mixture of sectors from which nothing in that page is safe, old bytes included.

use super::crash::{Crash, Place};
use super::file::{Change, File};
use super::image::{PAGE_BYTES, SECTOR_BYTES};
use crate::choice::Draw;
use core::ops::Range;
use std::sync::Arc;

type PageBytes = [u8; PAGE_BYTES];
const PAGE: u64 = PAGE_BYTES as u64;

/// A torn file while its pages are worked out.
struct Torn<'a> {
    file: &'a File,
    /// The changes before this one did what they do to the length, the others did not.
    sized: usize,
    /// The length that the file ends up with.
    len: u64,
}

impl Crash<'_> {
    /// Settles the changes of `file` page by page.
    pub(super) fn tear(&mut self, file: &mut File) {
        let (sized, len) = self.tear_length(file);
        let torn = Torn { file, sized, len };
        let mut pages: Vec<u64> = file.changes.iter().flat_map(|change| change.pages()).collect();
        pages.sort_unstable();
        pages.dedup();
        let contents: Vec<(u64, PageBytes)> =
            pages.into_iter().map(|page| (page, self.tear_page(&torn, page))).collect();

        let durable = Arc::make_mut(&mut file.durable);
        for change in file.changes.iter().take(sized) {
            if let Change::SetLen { len } = change {
                durable.set_len(*len);
            }
        }
        for (page, content) in &contents {
            let visible = len.saturating_sub(page * PAGE).min(PAGE) as usize;
            let is_cut = content[visible..].iter().any(|byte| *byte != 0);
            self.effects.data_without_growth += u32::from(is_cut);
            durable.write(page * PAGE, content, PAGE_BYTES);
        }
        durable.set_len(len);
    }

    /// Draws how many changes of the length are lost: the number of changes before the first of these, and the
    /// length that is left.
    fn tear_length(&mut self, file: &File) -> (usize, u64) {
        let mut len = file.durable.len();
        let mut lens = vec![(0, len)];
        for (number, change) in file.changes.iter().enumerate() {
            let before = len;
            len = change.len_after(before);
            if len != before {
                lens.push((number + 1, len));
            }
        }
        let most = lens.len() as u64 - 1;
        match self.draw(Place::Length(file.number)).range("lost", 0, most) {
            0 => (file.changes.len(), len),
            lost => lens[(most - lost) as usize],
        }
    }

    /// Draws what a page holds.
    fn tear_page(&mut self, torn: &Torn<'_>, page: u64) -> PageBytes {
        let (weights, growth) = (&self.weights.page, &self.weights.growth);
        let (weights, growth) =
            ([weights.kept, weights.dropped, weights.damaged], [growth.zeros, growth.garbage]);
        let writes = torn.writes(page);
        let mut draw = self.draw(Place::Page(torn.file.number, page));
        match draw.pick("page", &weights) {
            0 => torn.page_after(page, writes - draw.range("writes_lost", 0, writes - 1)),
            1 => {
                let mut content = torn.page_after(page, 0);
                if torn.growth(page).next().is_some() {
                    if draw.pick("growth", &growth) == 1 {
                        let garbage = draw.bits("garbage");
                        torn.growth(page).for_each(|bytes| fill_with_garbage(garbage, &mut content[bytes]));
                    }
                    self.effects.growth_without_data += 1;
                }
                content
            }
            _ => self.damage(torn, page),
        }
    }

    /// Draws the sectors of a page during whose writing power went.
    fn damage(&mut self, torn: &Torn<'_>, page: u64) -> PageBytes {
        let (sector, extent) = (&self.weights.sector, &self.weights.extent);
        let sector_weights = [sector.new, sector.old, sector.garbage];
        let extent_weights = [extent.whole, extent.prefix, extent.suffix];
        let old = torn.page_after(page, 0);
        let mut content = torn.page_after(page, torn.writes(page));
        for (number, start) in (0..PAGE_BYTES).step_by(SECTOR_BYTES).enumerate() {
            let sector = page * (PAGE_BYTES / SECTOR_BYTES) as u64 + number as u64;
            let mut draw = self.draw(Place::Sector(torn.file.number, sector));
            let fate = draw.pick("sector", &sector_weights);
            if fate == 0 {
                continue;
            }
            let part = |draw: &mut Draw<'_>| draw.range("bytes", 1, SECTOR_BYTES as u64 - 1) as usize;
            let end = start + SECTOR_BYTES;
            let extent = match draw.pick("extent", &extent_weights) {
                0 => start..end,
                1 => start..start + part(&mut draw),
                _ => end - part(&mut draw)..end,
            };
            if fate == 1 {
                content[extent.clone()].copy_from_slice(&old[extent]);
            } else {
                fill_with_garbage(draw.bits("garbage"), &mut content[extent]);
            }
        }
        self.effects.pages_damaged += 1;
        content
    }
}

impl Torn<'_> {
    /// How many writes touch a page.
    fn writes(&self, page: u64) -> u64 {
        self.file.changes.iter().filter(|change| change.touches(&(page..page + 1))).count() as u64
    }

    /// The bytes of a page that were written beyond the durable length and lie within the new one.
    fn growth(&self, page: u64) -> impl Iterator<Item = Range<usize>> {
        let from = page * PAGE;
        let clip = move |position: u64| position.saturating_sub(from).min(PAGE) as usize;
        self.file.changes.iter().filter_map(move |change| match *change {
            Change::Write { offset, len, .. } => {
                let start = clip(offset.max(self.file.durable.len()));
                let end = clip((offset + len as u64).min(self.len));
                (start < end).then_some(start..end)
            }
            Change::SetLen { .. } => None,
        })
    }

    /// The page after the first `writes` of the writes that touch it.
    fn page_after(&self, page: u64, mut writes: u64) -> PageBytes {
        let mut content = [0; PAGE_BYTES];
        self.file.durable.read(page * PAGE, &mut content);
        for (number, change) in self.file.changes.iter().enumerate() {
            let happened = match change {
                Change::SetLen { .. } => number < self.sized,
                Change::Write { .. } if writes > 0 && change.touches(&(page..page + 1)) => {
                    writes -= 1;
                    true
                }
                Change::Write { .. } => false,
            };
            if happened {
                change.overlay(&self.file.data, page * PAGE, &mut content);
            }
        }
        content
    }
}

/// Bytes that nobody ever wrote (the SplitMix64 sequence; Steele, Lea and Flood, OOPSLA '14).
fn fill_with_garbage(mut seed: u64, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = (seed ^ seed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
}
