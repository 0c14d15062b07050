//! The example `tickets`, with which docs/your-own-system.md begins: its bug is found and made small, and the page tells what comes of it.

#[expect(dead_code, reason = "it is a program, and its `main` is not called here")]
#[path = "../../examples/tickets.rs"]
mod example;

#[test]
fn the_smallest_program_finds_its_bug_and_makes_it_as_small_as_the_page_says() {
    let page = include_str!("../../../docs/your-own-system.md");
    let system = example::system();
    let tally = system.sweep(0..100);
    let classes: Vec<&str> = tally.failures.keys().copied().collect();
    assert_eq!(classes, ["TicketsAreUnique"], "{tally}");
    let seed = tally.first_failure().expect("one failed");
    let small = system.shrink(&system.record(seed)).expect("it failed").scenario.to_string();
    assert!(page.contains(&small), "the page shows another scenario than\n{small}");
}
