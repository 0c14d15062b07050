//! Any text as a profile: refused with the place and the reason, or the runs that it draws can be written down as
//! scenarios, and simulated. See `squall_fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| squall_fuzz::check_profile(bytes));
