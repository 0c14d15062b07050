//! What a simulated disk's behaviour is drawn from: plain data, resolved before the run begins.
//!
//! Weights are relative to one another; within one struct at least one must be above zero, or the draw panics.
//! The first of each is the mildest outcome and what a scenario file gets where it says nothing.
//! docs/fault-model.md: "Disks".

/// Everything that a disk draws from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DiskParameters {
    /// How long operations take.
    pub latency: DiskLatency,
    /// What a crash leaves of what was not synced.
    pub crash: CrashWeights,
}

/// How long operations take: exponentially distributed, one operation after the other. A mean of zero is
/// an instant, and costs no draw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskLatency {
    /// Mean of `read_at`, in microseconds.
    pub read_us_mean: u64,
    /// Mean of what changes a file or the directory without making it durable, in microseconds.
    pub write_us_mean: u64,
    /// Mean of `sync` and `sync_dir`, in microseconds.
    pub sync_us_mean: u64,
    /// No operation takes longer, in microseconds.
    pub us_max: u64,
}

/// What a power loss leaves of what was completed but not synced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CrashWeights {
    /// Of a file with unsynced changes.
    pub file: FileWeights,
    /// Of a page with unsynced writes, in a torn file.
    pub page: PageWeights,
    /// Of a sector in a damaged page.
    pub sector: SectorWeights,
    /// How much of a sector is not new, where it is not.
    pub extent: ExtentWeights,
    /// Of a page by which a file grew and whose data did not arrive.
    pub growth: GrowthWeights,
    /// Of unsynced creations, renames and removals.
    pub directory: DirectoryWeights,
}

/// What becomes of a file's unsynced changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileWeights {
    /// All of them arrived.
    pub kept: u32,
    /// None of them arrived.
    pub dropped: u32,
    /// It differs from page to page, and the length goes its own way.
    pub torn: u32,
}

/// What becomes of one page of a torn file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageWeights {
    /// It was written out after its last write or, as often, after one before that.
    pub kept: u32,
    /// It was not written out.
    pub dropped: u32,
    /// Power was lost while it was written out: its sectors differ, and none of them is safe.
    pub damaged: u32,
}

/// What becomes of one sector of a damaged page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SectorWeights {
    /// It holds the new content.
    pub new: u32,
    /// It holds, as far as the extent goes, what was there before.
    pub old: u32,
    /// It holds, as far as the extent goes, what nobody ever wrote.
    pub garbage: u32,
}

/// Which part of a sector is old or garbage; the rest is new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtentWeights {
    /// All of it.
    pub whole: u32,
    /// Its first bytes.
    pub prefix: u32,
    /// Its last bytes.
    pub suffix: u32,
}

/// What stands where a file grew but its data did not arrive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrowthWeights {
    /// Zeros.
    pub zeros: u32,
    /// What was left there by somebody else.
    pub garbage: u32,
}

/// What becomes of unsynced creations, renames and removals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryWeights {
    /// All of them survive.
    pub kept: u32,
    /// The first of them survive, the later ones do not.
    pub ordered: u32,
    /// Each survives or not by itself.
    pub scattered: u32,
}

impl Default for DiskLatency {
    /// A common solid-state disk.
    fn default() -> DiskLatency {
        DiskLatency { read_us_mean: 50, write_us_mean: 10, sync_us_mean: 1_000, us_max: 100_000 }
    }
}

impl DiskLatency {
    /// Every operation is an instant.
    pub const NONE: DiskLatency =
        DiskLatency { read_us_mean: 0, write_us_mean: 0, sync_us_mean: 0, us_max: 0 };
}

impl Default for CrashWeights {
    /// Hostile in every respect, with the proportions of FoundationDB's `AsyncFileNonDurable` inside a page.
    fn default() -> CrashWeights {
        CrashWeights {
            file: FileWeights { kept: 1, dropped: 2, torn: 7 },
            page: PageWeights { kept: 1, dropped: 1, damaged: 1 },
            sector: SectorWeights { new: 2, old: 3, garbage: 3 },
            extent: ExtentWeights { whole: 1, prefix: 1, suffix: 1 },
            growth: GrowthWeights { zeros: 3, garbage: 1 },
            directory: DirectoryWeights { kept: 1, ordered: 1, scattered: 2 },
        }
    }
}
