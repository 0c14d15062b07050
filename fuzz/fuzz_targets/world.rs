//! Whole runs in the simulator, decided by the input: a violation is a crash, which prints itself as a scenario. See
//! `squall_fuzz`.

#![no_main]

use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target, fuzzer_mutate};
use squall_fuzz::World;

fuzz_target!(|world: World| world.check());

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    squall_fuzz::mutate(data, size, max_size, seed, fuzzer_mutate)
});

fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
    squall_fuzz::cross_over(data1, data2, out, seed)
});
