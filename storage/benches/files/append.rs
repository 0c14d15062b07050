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
const ROUNDS: usize = 5;
/// Until all segments of a log that is compacted stand in files that were used before.
const WARM_UPS: usize = 4;
/// The places of the variants that take turns, and of the one that runs behind them.
const IN_TURNS: [usize; 4] = [0, 1, 2, 4];
const GROWING: usize = 3;
const PAGE_BYTES: usize = 4096;
const RECORD_BYTES: usize = ENTRY_BYTES + 52;
const SLOT_BYTES: usize = 64;
const SEGMENT_PAGES: usize = (64 << 20) / PAGE_BYTES - 2;

/// Prints a table.
pub(crate) fn measure(directory: &Path) {
    println!("appends of {ENTRY_BYTES} bytes, entries per second");
    println!(
        "  group       bare  all bytes    storage    growing   no slots   storage/bare  /all bytes  growing/bare  cost of slots"
    );
    for entries in GROUPS.into_iter().filter(|entries| is_wanted(&format!("append-{entries}"))) {
        let [bare, all, storage, growing, without] = rates(directory, entries);
        println!(
            "{entries:>7} {bare:>10.0} {all:>10.0} {storage:>10.0} {growing:>10.0} {without:>10.0} {:>13.1}% {:>10.1}% {:>12.1}% {:>13.1}%",
            100.0 * storage / bare,
            100.0 * storage / all,
            100.0 * growing / bare,
            100.0 * (1.0 - storage / without),
        );
    }
}

fn rates(directory: &Path, entries: usize) -> [f64; 5] {
    let slot_pages = (entries * SLOT_BYTES).div_ceil(PAGE_BYTES);
    let record_pages = (entries * RECORD_BYTES).div_ceil(PAGE_BYTES);
    let by_slots = SEGMENT_PAGES / 4 / slot_pages;
    let per_segment = by_slots.min((SEGMENT_PAGES - SEGMENT_PAGES / 4) / record_pages) as u64;
    // So many that each round has its share of new segments.
    let groups = per_segment.max(200);
    let at = |name: &str| directory.join(format!("{name}-{entries}"));
    let mut bare = Bare::new(&at("bare"), entries * ENTRY_BYTES);
    let mut all = Bare::new(&at("all"), (slot_pages + record_pages) * PAGE_BYTES);
    let mut storage = Log::new(Log::create(&at("storage")), entries, Some(per_segment));
    let mut growing = Log::new(Log::create(&at("growing")), entries, None);
    let mut without = Log::new(WithoutSlots(Log::create(&at("without"))), entries, Some(per_segment));
    let mut run = |variant: usize, groups: u64| match variant {
        0 => bare.run(groups),
        1 => all.run(groups),
        2 => storage.run(groups),
        3 => growing.run(groups),
        _ => without.run(groups),
    };
    for _ in 0..WARM_UPS {
        for variant in [2, 4] {
            run(variant, groups);
        }
    }
    let mut times: [Vec<Duration>; 5] = [const { Vec::new() }; 5];
    for round in 0..ROUNDS {
        // Nobody always follows the same other one.
        for turn in 0..4 {
            let variant = IN_TURNS[if round % 2 == 0 { turn } else { 3 - turn }];
            times[variant].push(run(variant, groups));
        }
    }
    // By itself: the file system goes on writing for a while what it learnt of new files.
    for _ in 0..ROUNDS {
        times[GROWING].push(run(GROWING, groups));
    }
    times.map(|times| (groups * entries as u64) as f64 / median(times))
}
