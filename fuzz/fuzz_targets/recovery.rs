//! The directory of a node that lived, and what becomes of it: after whatever damage a start finds nothing that nobody
//! wrote, and does not panic. See `squall_fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_fuzz::Damage;

fuzz_target!(|damage: Damage| {
    damage.check();
});
