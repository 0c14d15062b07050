//! The storage against a small disk that crashes, tears and lies.

mod behaviour;
mod crash_disk;
mod crashes;
mod damage;
mod format;
mod properties;
mod story;
