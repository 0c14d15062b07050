//! What holds of every driver, and what tells them apart.

use super::{Choice, Decision, DrawKey, Purpose, Ratio, Sparsity, Unheeded};
use std::borrow::Cow;

/// One event decided in full.
fn decide(choice: &mut Choice, a: u64, b: u64) -> (u64, bool, u64, usize, u64) {
    let mut draw = choice.draw(Purpose::Network, a, b);
    (
        draw.range("range", 10, 1_000_000),
        draw.chance("chance", Ratio::new(1, 3)),
        draw.exponential("exponential", 500, 100_000),
        draw.pick("pick", &[1, 0, 2, 3]),
        draw.bits("bits"),
    )
}

#[test]
fn a_decision_depends_on_its_key_alone_and_not_on_what_was_decided_before() {
    let mut all = Choice::from_seed(7);
    let in_order: Vec<_> = (0..50).map(|b| decide(&mut all, 3, b)).collect();
    let mut some = Choice::from_seed(7);
    for b in [49, 3, 17] {
        assert_eq!(decide(&mut some, 3, b), in_order[b as usize], "event {b}");
    }
    assert_ne!(decide(&mut some, 4, 0), in_order[0], "another identity decides otherwise");
    assert_ne!(decide(&mut Choice::from_seed(8), 3, 0), in_order[0], "another seed decides otherwise");
}

#[test]
fn an_event_with_more_fields_than_a_block_has_words_gets_a_fresh_block() {
    let mut choice = Choice::from_seed(1);
    let mut draw = choice.draw(Purpose::User, 1, 2);
    let mut words: Vec<u64> = (0..40).map(|_| draw.bits("many")).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), 40);
    let neighbour = choice.draw(Purpose::User, 1, 3).bits("many");
    assert!(words.binary_search(&neighbour).is_err(), "the next event's block is its own");
}

#[test]
fn frequencies_are_what_they_are_said_to_be() {
    let mut choice = Choice::from_seed(2);
    let (mut chances, mut picks, mut sum) = (0, [0_u32; 4], 0);
    for event in 0..30_000 {
        let (range, chance, exponential, pick, _) = decide(&mut choice, 0, event);
        assert!((10..=1_000_000).contains(&range));
        chances += u32::from(chance);
        picks[pick] += 1;
        sum += exponential;
    }
    assert!(chances.abs_diff(10_000) < 400, "one in three: {chances}");
    assert_eq!(picks[1], 0, "what weighs nothing is never picked");
    assert!(picks[3].abs_diff(15_000) < 400, "one in two: {picks:?}");
    assert!((sum / 30_000).abs_diff(500) < 15, "mean: {}", sum / 30_000);
}

#[test]
fn a_recording_replayed_as_a_script_decides_the_same() {
    let mut seeded = Choice::from_seed(11).recording();
    let original: Vec<_> = (0..200).map(|b| decide(&mut seeded, b % 3, b)).collect();
    let recording = seeded.take_recording();
    let mut scripted = Choice::from_script(recording.iter().cloned()).recording();
    let replayed: Vec<_> = (0..200).map(|b| decide(&mut scripted, b % 3, b)).collect();
    assert_eq!(original, replayed);
    assert_eq!(recording, scripted.take_recording());
}

#[test]
fn where_a_script_is_silent_every_decision_is_its_default() {
    assert_eq!(decide(&mut Choice::from_script([]), 0, 0), (10, false, 0, 0, 0));
}

#[test]
fn the_default_of_a_pick_is_never_what_weighs_nothing() {
    let pick =
        |choice: &mut Choice, event| choice.draw(Purpose::Network, 0, event).pick("pick", &[0, 0, 5, 1]);
    assert_eq!(pick(&mut Choice::from_script([]), 0), 2);
    assert_eq!(pick(&mut Choice::from_bytes(&[]), 0), 2);
    let mut seeded = Choice::from_seed(1).recording();
    let picked: Vec<usize> = (0..50).map(|event| pick(&mut seeded, event)).collect();
    let last = picked.iter().filter(|index| **index == 3).count();
    assert_eq!(seeded.take_recording().len(), last, "only what is not the default is recorded: {picked:?}");
}

#[test]
fn a_script_that_states_the_impossible_is_brought_within_bounds() {
    let mut choice = Choice::from_seed(0);
    let key = choice.draw(Purpose::Network, 0, 0).key();
    let state = |field, value| Decision { key, field: Cow::Borrowed(field), value };
    let mut script =
        Choice::from_script([state("range", u64::MAX), state("exponential", u64::MAX), state("pick", 99)]);
    assert_eq!(decide(&mut script, 0, 0), (1_000_000, false, 100_000, 3, 0));
}

#[test]
fn bytes_decide_until_they_are_used_up_and_then_everything_is_calm() {
    let mut choice = Choice::from_bytes(&[0xFF; 24]);
    let (range, chance, ..) = decide(&mut choice, 0, 0);
    assert!(range > 10 && chance, "the first event is decided by bytes");
    let _ = decide(&mut choice, 0, 1);
    assert_eq!(decide(&mut choice, 0, 2), (10, false, 0, 0, 0));
}

#[test]
fn a_fork_of_bytes_draws_from_bytes_of_its_own() {
    let mut choice = Choice::from_bytes(&[0xFF; 80]);
    let mut fork = choice.fork();
    assert_eq!(fork.draw(Purpose::Disk, 0, 0).bits("bits"), u64::MAX);
    assert_eq!(choice.draw(Purpose::Disk, 0, 0).bits("bits"), u64::MAX);
    let left = (0..20).filter(|n| fork.draw(Purpose::Disk, 0, *n).bits("bits") != 0).count();
    assert_eq!(left, 1, "the fork had an eighth: ten bytes");
}

#[test]
fn a_sparse_source_decides_one_event_in_so_many_and_those_as_a_full_one_does() {
    let sparsity = |clients, others| Sparsity { clients, others };
    let draw =
        |choice: &mut Choice, number| choice.draw(Purpose::Network, 3, number).range("delay", 0, 999_999);
    let (mut full, mut sparse) = (Choice::from_seed(11), Choice::from_seed_sparsely(11, sparsity(1, 16)));
    let events: Vec<(u64, u64)> =
        (0..16_000).map(|number| (draw(&mut full, number), draw(&mut sparse, number))).collect();
    assert!(events.iter().all(|(full, sparse)| *sparse == 0 || sparse == full));
    let decided = events.iter().filter(|(_, sparse)| *sparse != 0).count();
    assert!((900..1_100).contains(&decided), "{decided} of 16,000");
    let mut all = Choice::from_seed_sparsely(11, sparsity(1, 1));
    assert!((0..100).all(|number| draw(&mut all, number) == events[number as usize].0));
    let of_client =
        |choice: &mut Choice, number| choice.draw(Purpose::Client, 3, number).range("think", 0, 999_999);
    assert!((0..100).all(|number| of_client(&mut sparse, number) == of_client(&mut full, number)));
}

#[test]
fn a_script_keeps_what_nobody_asked_for_and_what_could_not_be() {
    let decision = |b, field: &'static str, value| Decision {
        key: DrawKey { purpose: Purpose::Disk, a: 1, b },
        field: Cow::Borrowed(field),
        value,
    };
    let stated =
        [decision(0, "latency", 7), decision(0, "loss", 1), decision(1, "latency", 3), decision(1, "x", 1)];
    let mut choice = Choice::from_script(stated);
    let mut fork = choice.fork();
    assert_eq!(fork.draw(Purpose::Disk, 1, 0).range("latency", 0, 5), 5);
    assert!(
        !choice.draw(Purpose::Disk, 1, 0).chance("loss", Ratio::ZERO),
        "what is impossible does not happen"
    );
    assert_eq!(choice.draw(Purpose::Disk, 1, 1).exponential("latency", 9, 9), 3);
    assert_eq!(choice.draw(Purpose::Disk, 1, 2).exponential("latency", 9, 9), 0, "nothing is stated of it");
    let unheeded = Choice::unheeded([&choice, &fork].into_iter());
    assert_eq!(unheeded.unasked, [decision(1, "x", 1)]);
    assert_eq!(unheeded.clamped, [(decision(0, "latency", 7), 5), (decision(0, "loss", 1), 0)]);
    assert_eq!(unheeded.unasked[0].to_string(), "disk n1#1 x=1");
    let mut seeded = Choice::from_seed(1);
    let _ = seeded.draw(Purpose::Disk, 1, 0).bits("latency");
    assert_eq!(Choice::unheeded([&seeded].into_iter()), Unheeded::default());
}
