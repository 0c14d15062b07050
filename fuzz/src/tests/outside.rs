//! What comes from outside: random bytes get somewhere in each target, and its checks fire.

use std::collections::BTreeMap;

use super::bytes;
use crate::recovery::{Harm, Start};
use crate::{Damage, TARGETS};

/// So many random inputs, of which one in a thousand comes to each outcome at least.
const INPUTS: u64 = 4_000;

#[test]
fn damage_made_of_random_bytes_is_refused_survived_and_unnoticed_with_forgeries_and_without() {
    let mut outcomes = BTreeMap::<(bool, Start), u64>::new();
    for seed in 0..INPUTS {
        let damage = Damage::from_bytes(&bytes(seed, 40 + (seed % 160) as usize));
        println!("{seed}");
        let start = damage.check();
        *outcomes.entry((damage.harms().iter().any(Harm::forges), start)).or_default() += 1;
    }
    for forged in [false, true] {
        for start in [Start::Refused, Start::Wounded, Start::Whole] {
            let count = outcomes.get(&(forged, start)).copied().unwrap_or(0);
            assert!(count > INPUTS / 1_000, "{outcomes:?}");
        }
    }
}

#[test]
fn files_of_random_bytes_start_no_node() {
    for seed in 0..200 {
        crate::check_directory(&bytes(seed, 30_000));
    }
}

#[test]
fn random_bytes_are_no_trace_and_no_text() {
    for (name, target) in
        TARGETS.into_iter().filter(|(name, _)| ["traces", "scenarios", "profiles"].contains(name))
    {
        for seed in 0..2_000 {
            println!("{name} {seed}");
            target(&bytes(seed, (seed % 200) as usize));
        }
    }
}
