//! What a simulated sync group costs: two writes and a sync, issued and completed. It prints nanoseconds and
//! decides nothing.

#![expect(clippy::disallowed_types, reason = "it measures real time")]

use squall_disk::Disk;
use squall_sim::disk::{CrashWeights, DiskLatency, DiskParameters, SimDisk};
use squall_sim::{Choice, ProcessId, Time};
use std::hint::black_box;
use std::time::Instant;

const GROUPS: u64 = 20_000;
const GROUPS_PER_SEGMENT: u64 = 128;
const PAGE: u64 = 4096;

fn main() {
    for (latency, words) in [(DiskLatency::NONE, "no latency"), (DiskLatency::default(), "drawn latencies")] {
        let parameters = DiskParameters { latency, crash: CrashWeights::default() };
        let mut disk = SimDisk::new(ProcessId(0), parameters, Choice::from_seed(1));
        let begin = Instant::now();
        write_groups(&mut disk);
        let ns = begin.elapsed().as_nanos() / u128::from(GROUPS);
        println!("{words}: {ns} ns per group of two writes and a sync");

        let begin = Instant::now();
        black_box(disk.clone());
        println!("{words}: {} us for a clone after {GROUPS} groups", begin.elapsed().as_micros());
    }
}

fn write_groups(disk: &mut SimDisk) {
    let (slot, record) = ([1; 64], [2; 200]);
    let mut file = None;
    let mut now = Time(0);
    for group in 0..GROUPS {
        let place = group % GROUPS_PER_SEGMENT;
        if place == 0 {
            let new = disk.create(&format!("log-{group:020}")).expect("the name is free");
            disk.set_len(new, 2 * GROUPS_PER_SEGMENT * PAGE).expect("it fits");
            disk.sync_dir().expect("a simulated disk does not fail");
            file = Some(new);
        }
        let file = file.expect("the first group made one");
        disk.write_at(file, place * PAGE, &slot).expect("it fits");
        disk.write_at(file, (GROUPS_PER_SEGMENT + place) * PAGE, &record).expect("it fits");
        disk.sync(file).expect("a simulated disk does not fail");
        while let Some(next) = disk.next_completion() {
            now = next;
            disk.complete(now);
        }
        disk.set_now(now);
    }
}
