//! The time of [`Storage::open`] for a log of 1 GiB, beside reading its files once, with a CRC32C over all.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use squall_disk::RealDisk;
use squall_storage::{Options, Storage};

use crate::log::{IDENTITY, Log};
use crate::{is_wanted, median};

const LOG_BYTES: u64 = 1 << 30;
const ROUNDS: usize = 9;

/// Prints the times and their ratio, for logs of small and of large groups.
pub(crate) fn measure(directory: &Path) {
    println!("\nopening a log of 1 GiB, page cache warm");
    println!("  group    entries    reading    opening   opening/reading");
    for entries in [16, 256, 4096].into_iter().filter(|entries| is_wanted(&format!("open-{entries}"))) {
        let path = directory.join(format!("open-{entries}"));
        let mut log = Log::new(Log::create(&path), entries, None);
        while length(&path) < LOG_BYTES {
            for _ in 0..20 {
                log.run();
            }
        }
        drop(log);
        let (mut reading, mut opening) = (Vec::new(), Vec::new());
        let mut count = 0;
        for _ in 0..ROUNDS {
            reading.push(read(&path).as_secs_f64());
            let start = Instant::now();
            let mut disk = RealDisk::open(&path).expect("it is there");
            let (_, recovered) =
                Storage::open(&mut disk, IDENTITY, &Options::default()).expect("it is sound");
            opening.push(start.elapsed().as_secs_f64());
            count = recovered.last_index.0;
        }
        let ratio =
            median(opening.iter().zip(&reading).map(|(opening, reading)| opening / reading).collect());
        let (reading, opening) = (median(reading), median(opening));
        println!("{entries:>7} {count:>10} {reading:>9.3}s {opening:>9.3}s {ratio:>16.2}x");
        fs::remove_dir_all(&path).expect("nobody uses it");
    }
}

fn length(path: &Path) -> u64 {
    let files = fs::read_dir(path).expect("it is there");
    files.map(|file| file.and_then(|file| file.metadata()).expect("it is there").len()).sum()
}

fn read(path: &Path) -> Duration {
    let start = Instant::now();
    let mut buffer = vec![0; 1 << 20];
    let mut checksum = 0;
    for file in fs::read_dir(path).expect("it is there") {
        let mut file = File::open(file.expect("it is there").path()).expect("it is there");
        loop {
            let count = file.read(&mut buffer).expect("the disk is sound");
            if count == 0 {
                break;
            }
            checksum = crc32c::crc32c_append(checksum, &buffer[..count]);
        }
    }
    std::hint::black_box(checksum);
    start.elapsed()
}
