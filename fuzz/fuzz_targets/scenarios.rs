//! Any text as a scenario: refused with the place and the reason, or it reads the same when it is printed, and can be
//! run. See `squall_fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| squall_fuzz::check_scenario(bytes));
