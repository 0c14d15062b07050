//! Any bytes as the body of an honest frame: refused, or a message that survives its own round trip.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| squall_fuzz::check_body(body));
