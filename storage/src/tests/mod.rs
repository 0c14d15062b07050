//! The storage against a small disk that crashes, tears and lies.

mod arbitrary_damage;
mod behaviour;
mod compaction;
mod crash_disk;
mod crashes;
mod damage;
mod format;
mod large_groups;
mod properties;
mod snapshot_damage;
mod snapshots;
mod story;
mod survey;
