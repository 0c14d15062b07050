//! Any sequence of inputs to one core: whatever peers say and whenever the disk is done, it neither panics nor
//! breaks a promise. See `squall_fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_fuzz::Run;

fuzz_target!(|run: Run| {
    run.carry_out();
});
