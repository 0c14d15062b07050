//! Faults that came to nothing go, but for what others wait for.

use squall_sim::scenario;

use super::*;

/// A run in which nobody comes to rest, with faults: n1 crashes, `e2` waits for an office that never comes, and `e3` finds n1 down.
const FAULTS: &str = "squall-scenario 1\n\
    cluster voters=4\n\
    processes count=5\n\
    clients count=3 delay_min=5ms\n\
    limits safety=2s liveness=1ms core_size=3 liveness_operations=1\n\
    e1 @300ms crash n1 kind=power outage=500ms\n\
    e2 @n1:leads#99 pause n3 for=1s clock=running\n\
    e3 @400ms pause n1 for=1s clock=running\n";

/// The numbers of the faults that are left.
fn left(text: &str) -> Vec<u32> {
    let scenario = scenario::parse(text, "faults.scn").expect("it is a scenario");
    let run = storm::replay(&scenario, &repeat::OPTIONS).expect("it can be replayed");
    assert_eq!(run.vain, [2, 3]);
    let (less, run) = without_vain_faults(scenario, run, "Liveness", &repeat::OPTIONS);
    assert!(failing(&run, "Liveness").is_some());
    less.events.iter().map(|event| event.id).collect()
}

#[test]
fn what_came_to_nothing_goes_and_what_struck_stays() {
    assert_eq!(left(FAULTS), [1]);
}

#[test]
fn what_others_wait_for_stays_though_it_came_to_nothing() {
    let waiting = format!("{FAULTS}e4 @e3:begins+10ms crash n0 kind=process outage=100ms\n");
    assert_eq!(left(&waiting), [1, 3, 4]);
}
