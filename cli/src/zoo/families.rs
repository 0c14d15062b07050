//! What an ablation switches off: faults by the family, oracles by the class.

use squall_scenarios::{classes, spec};

/// Classes of faults that are of one kind.
pub(super) struct FaultFamily {
    pub(super) name: &'static str,
    /// As `--without` names them.
    pub(super) classes: &'static [&'static str],
}

const fn family(name: &'static str, classes: &'static [&'static str]) -> FaultFamily {
    FaultFamily { name, classes }
}

/// All of them; only what outlasts the storm, and links that keep the order, are not here.
pub(super) const FAULT_FAMILIES: [FaultFamily; 13] = [
    family("lost messages", &["loss", "capacity"]),
    family("copies and ghosts", &["duplication", "ghosts"]),
    family("damaged frames", &["corruption"]),
    family("long delays", &["tail"]),
    family("partitions", &["partition", "flapping"]),
    family("clogs", &["clog", "swizzle"]),
    family("crashes", &["crash", "crash_all", "crash_loop"]),
    family("pauses", &["pause"]),
    family("slow disks", &["disk_latency", "slow_disk", "disk_stall"]),
    family("failing disks", &["disk_error"]),
    family("damaged disks", &["rot", "lost_disk", "ruin", "amnesia"]),
    family("clocks", &["clock_offset", "clock_drift", "wild_clock", "clock_jump", "clock_freeze"]),
    family("operators", &["membership"]),
];

/// How all rules of the specification are called together.
const SPECIFICATION: &str = "the specification";

/// The oracle that a class of violations belongs to: the specification, or an invariant of that name.
pub(super) fn oracle_of(class: &str) -> &str {
    if spec::rules().any(|rule| rule == class) { SPECIFICATION } else { class }
}

/// Every oracle.
pub(super) fn oracles() -> impl Iterator<Item = &'static str> {
    [SPECIFICATION].into_iter().chain(classes::BESIDE_THE_RULES)
}

#[cfg(test)]
mod tests {
    use squall_scenarios::profile;

    use super::*;

    #[test]
    fn every_family_can_be_switched_off_and_no_class_is_of_two() {
        let mut storm = profile::load("storm").expect("it is built in");
        let mut classes: Vec<&str> =
            FAULT_FAMILIES.iter().flat_map(|family| family.classes).copied().collect();
        assert_eq!(classes.iter().try_for_each(|class| storm.switch_off(class)), Ok(()));
        let count = classes.len();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), count);
    }

    #[test]
    fn a_rule_is_of_the_specification_and_an_invariant_stands_for_itself() {
        assert_eq!(oracle_of("CampaignWithoutPreVotes"), SPECIFICATION);
        assert_eq!(oracle_of("ElectionSafety"), "ElectionSafety");
        assert!(oracles().any(|oracle| oracle == "Linearizability"));
    }
}
