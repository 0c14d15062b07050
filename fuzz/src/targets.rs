//! The targets by their names, for those who have bytes and no fuzzer.

use arbitrary::{Arbitrary, Unstructured};

use crate::{Damage, Run, TraceFile, World};

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// All targets.
pub const TARGETS: [(&str, Target); 7] = [
    ("core_inputs", |bytes| {
        with::<Run>(bytes, |run| {
            run.carry_out();
        });
    }),
    ("profiles", crate::check_profile),
    ("recovery", |bytes| {
        with::<Damage>(bytes, |damage| {
            damage.check();
        });
    }),
    ("scenarios", crate::check_scenario),
    ("traces", |bytes| with::<TraceFile>(bytes, |file| file.check())),
    ("wire_frames", crate::check_body),
    ("world", |bytes| with::<World>(bytes, |world| world.check())),
];

/// Reads the bytes as a fuzzer does, which has no use for those that make no input.
fn with<'a, T: Arbitrary<'a>>(bytes: &'a [u8], check: impl FnOnce(T)) {
    if let Ok(input) = T::arbitrary_take_rest(Unstructured::new(bytes)) {
        check(input);
    }
}
