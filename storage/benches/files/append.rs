//! The rate of [`Storage::commit`](squall_storage::Storage::commit), for groups of entries of 256 bytes, beside that of
//! writing and syncing as many bytes to one file whose blocks are all written already.
//!
//! - *bare*: one write of the payloads of a group, and `fdatasync`. Not a byte more.
//! - *bare, all bytes*: the same with as many bytes as storage writes: records, slots, and what fills up their pages.
//! - *storage*: a log that is compacted as it grows, so that its segments are used again.
//! - *growing*: a log that only grows, each segment in a new file.
//! - *no slots*: as *storage*, but nothing is written to the slots' places.

use std::path::Path;
use std::time::Duration;

use crate::bare::Bare;
use crate::log::{ENTRY_BYTES, Log, WithoutSlots};
use crate::{is_wanted, median};

const GROUPS: [usize; 4] = [1, 16, 256, 4096];
const ROUNDS: usize = 7;
/// Until all segments of a log that is compacted stand in files that were used before.
const WARM_UPS: usize = 4;
/// The first four take turns, group by group: whatever slows the disk for a while slows them all.
const BARE: usize = 0;
const ALL: usize = 1;
const STORAGE: usize = 2;
const WITHOUT: usize = 3;
const GROWING: usize = 4;
const IN_TURNS: usize = 4;
const PAGE_BYTES: usize = 4096;
const RECORD_BYTES: usize = ENTRY_BYTES + 52;
/// A sector holds so many slots, and the first of a group so many.
const SLOTS_IN_SECTOR: usize = 42;
const SLOTS_IN_FIRST: usize = 38;
const SEGMENT_PAGES: usize = (64 << 20) / PAGE_BYTES - 2;

/// One round: the time that each variant took for as many groups.
type Times = [Duration; 5];

/// Prints a table: medians of the rounds, of the ratios, too.
pub(crate) fn measure(directory: &Path) {
    println!("appends of {ENTRY_BYTES} bytes, entries per second");
    println!(
        "  group       bare  all bytes    storage    growing   no slots   storage/bare  /all bytes  growing/bare  cost of slots"
    );
    for entries in GROUPS.into_iter().filter(|entries| is_wanted(&format!("append-{entries}"))) {
        let (groups, rounds) = run(directory, entries);
        let rate = |variant: usize| {
            let seconds = rounds.iter().map(|times| times[variant].as_secs_f64());
            (groups * entries as u64) as f64 / median(seconds.collect())
        };
        let ratio = |variant: usize, to: usize| {
            let ratios = rounds.iter().map(|times| times[to].as_secs_f64() / times[variant].as_secs_f64());
            100.0 * median(ratios.collect())
        };
        println!(
            "{entries:>7} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>13.1}% {:>10.1}% {:>12.1}% {:>13.1}%",
            rate(BARE),
            rate(ALL),
            rate(STORAGE),
            rate(GROWING),
            rate(WITHOUT),
            ratio(STORAGE, BARE),
            ratio(STORAGE, ALL),
            ratio(GROWING, BARE),
            100.0 - ratio(STORAGE, WITHOUT),
        );
    }
}

/// The rounds, and how many groups are in each.
fn run(directory: &Path, entries: usize) -> (u64, Vec<Times>) {
    let slot_sectors = 1 + entries.saturating_sub(SLOTS_IN_FIRST).div_ceil(SLOTS_IN_SECTOR);
    let slot_pages = slot_sectors.div_ceil(PAGE_BYTES / 512);
    let record_pages = (entries * RECORD_BYTES).div_ceil(PAGE_BYTES);
    let by_slots = SEGMENT_PAGES / 4 / slot_pages;
    let per_segment = by_slots.min((SEGMENT_PAGES - SEGMENT_PAGES / 4) / record_pages) as u64;
    // So many that each round has its share of new segments.
    let groups = per_segment.max(200).next_multiple_of(per_segment);
    let at = |name: &str| directory.join(format!("{name}-{entries}"));
    let mut bare = Bare::new(&at("bare"), entries * ENTRY_BYTES);
    let mut all = Bare::new(&at("all"), (slot_pages + record_pages) * PAGE_BYTES);
    let mut storage = Log::new(Log::create(&at("storage")), entries, Some(per_segment));
    let mut growing = Log::new(Log::create(&at("growing")), entries, None);
    let mut without = Log::new(WithoutSlots(Log::create(&at("without"))), entries, Some(per_segment));
    let mut run = |variant: usize| match variant {
        BARE => bare.run(),
        ALL => all.run(),
        STORAGE => storage.run(),
        WITHOUT => without.run(),
        _ => growing.run(),
    };
    for _ in 0..groups * WARM_UPS as u64 {
        run(STORAGE);
        run(WITHOUT);
    }
    let mut rounds = vec![Times::default(); ROUNDS];
    for times in &mut rounds {
        for group in 0..groups as usize {
            // Nobody always follows the same other one.
            for turn in 0..IN_TURNS {
                let forth = (group / 2 + turn) % IN_TURNS;
                let variant = if group % 2 == 0 { forth } else { IN_TURNS - 1 - forth };
                times[variant] += run(variant);
            }
        }
    }
    // By itself: the file system goes on writing for a while what it learnt of new files.
    for times in &mut rounds {
        times[GROWING] = (0..groups).map(|_| run(GROWING)).sum();
    }
    (groups, rounds)
}
