//! Any bytes as a trace file, or a trace of which some bytes were changed: refused with the place and the reason, or read
//! as it was written. See `squall_fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_fuzz::TraceFile;

fuzz_target!(|file: TraceFile| file.check());
