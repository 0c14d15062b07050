//! Soaks over made-up runs: what is remembered does not depend on stops, turns and machines; and what is no state is refused.

use squall_scenarios::marks;
use squall_sim::choice::Unheeded;
use squall_sim::{Verdict, Violation};

use super::merge::merge;
use super::*;

/// The run of a seed: every seventh fails, in two classes, the later the faster; every eleventh has no verdict.
fn outcome(seed: u64) -> Outcome {
    let verdict = match seed {
        _ if seed % 14 == 3 => Verdict::Failed(violation("Liveness", seed)),
        _ if seed % 14 == 10 => Verdict::Failed(violation("LogMatching", seed)),
        _ if seed.is_multiple_of(11) => Verdict::Inconclusive(format!("seed {seed} went on for ever")),
        _ => Verdict::Passed,
    };
    Outcome {
        seed,
        verdict,
        also_fired: Vec::new(),
        hash: u128::from(seed) << 64 | 7,
        events: 10_000 - seed,
        virtual_us: 3_000_000,
        safety_us: 2_000_000,
        operations: seed,
        missed: Vec::new(),
        vain: Vec::new(),
        unheeded: Unheeded::default(),
        marks: marks::all().enumerate().map(|(mark, _)| mark as u64 % 5 == seed % 5).collect(),
        parameters: Vec::new(),
        trace: None,
        scenario: None,
    }
}

fn violation(class: &'static str, seed: u64) -> Violation {
    Violation { class, message: format!("seed {seed} went wrong") }
}

#[test]
fn a_profile_that_has_changed_is_noticed_though_the_first_run_is_what_it_was() {
    let lite = profile::load("lite").expect("it is built in");
    let mut other = lite.clone();
    other.limits.events.high += 1;
    let hash = |profile| repeat::row(0, &|seed, options| storm::run_seed(profile, seed, options)).hash;
    assert_eq!(hash(&lite), hash(&other));
    assert_ne!(fingerprint(&lite, 0), fingerprint(&other, 0));
}

fn new_state(shard: Shard) -> State {
    State::new(100, shard, Hash(3), ["storm", "disk"].map(|name| (name.to_owned(), Hash(7))))
}

/// Goes on until so many seeds of each profile are done, all shards taken together.
fn soak(mut state: State, seeds_max: u64) -> State {
    let session = Session { seeds_max: Some(seeds_max), time: None, jobs: 2 };
    let run = |nth: usize, seed: u64, _: &RunOptions| outcome(seed + nth as u64);
    let progress = Progress::new(None, None, true);
    go_on(&mut state, &session, &progress, run, |_| Ok(())).expect("made-up runs can be run");
    // The one thing that is measured.
    state.profiles.iter_mut().for_each(|ledger| ledger.busy_us = 0);
    state
}

/// The totals, whatever the shards.
fn totals(mut state: State) -> State {
    state.profiles.iter_mut().for_each(|ledger| ledger.done.clear());
    state
}

fn text(state: &State) -> String {
    String::from_utf8(rendered(state)).expect("JSON is text")
}

#[test]
fn stopped_and_resumed_it_knows_what_it_would_have_known_in_one_go() {
    let whole = soak(new_state(Shard::WHOLE), 200);
    let mut stopped = new_state(Shard::WHOLE);
    for seeds_max in [1, 30, 30, 117, 200] {
        stopped = garbled::parse(&rendered(&soak(stopped, seeds_max))).expect("what was written can be read");
    }
    assert_eq!(stopped, whole);
    assert_eq!((whole.seeds(), whole.profiles[0].seeds()), (400, 200));
    assert_eq!(soak(whole.clone(), 150), whole);
}

#[test]
fn the_shards_of_several_machines_are_the_whole_in_any_order() {
    let whole = totals(soak(new_state(Shard::WHOLE), 200));
    let shard = |index| soak(new_state(Shard { index, of: 3 }), 200);
    for [first, second, third] in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let merged = merge(shard(first), shard(second)).and_then(|two| merge(two, shard(third)));
        assert_eq!(totals(merged.expect("three shards of one soak")), whole);
    }
}

#[test]
fn the_seed_that_fails_fastest_is_kept_and_what_was_made_of_a_slower_one_is_not() {
    let small = Small { file: "a.scn".to_owned(), events: 3, complete: true };
    let mut state = soak(new_state(Shard::WHOLE), 40);
    let before = state.profiles[0].findings[0].clone();
    assert_eq!(
        (before.class.as_str(), before.seeds, before.fastest, before.events),
        ("Liveness", 3, 129, 9_871)
    );
    assert_eq!(before.message, "seed 129 went wrong");
    state.profiles[0].findings[0].shrunk = Some(small.clone());

    let unchanged = soak(state.clone(), 43);
    assert_eq!(unchanged.profiles[0].findings[0], Finding { shrunk: Some(small), ..before });
    let after = &soak(state, 50).profiles[0].findings[0];
    assert_eq!((after.seeds, after.fastest, after.events, &after.shrunk), (4, 143, 9_857, &None));
}

#[test]
fn a_panic_is_a_class_like_others_and_a_run_that_does_not_repeat_ends_in_another_exit_code() {
    let mut state = new_state(Shard::WHOLE);
    let session = Session { seeds_max: Some(40), time: None, jobs: 2 };
    let calls = std::sync::atomic::AtomicU64::new(0);
    let run = |nth: usize, seed: u64, _: &RunOptions| {
        assert_ne!((nth, seed), (0, 104), "commit index fell");
        let mut outcome = Outcome { verdict: Verdict::Passed, ..outcome(seed) };
        if (nth, seed) == (1, 128) {
            outcome.hash = u128::from(calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
        outcome
    };
    let keep = |_: &State| Ok(());
    go_on(&mut state, &session, &Progress::new(None, None, true), run, keep)
        .expect("made-up runs can be run");
    let panic = &state.profiles[0].findings[0];
    assert_eq!((panic.class.as_str(), panic.fastest), ("Panic", 104));
    assert!(panic.message.contains("commit index fell"), "{}", panic.message);
    assert_eq!(state.exit(), Exit::Harness);
    let told = report::soak(&state);
    assert!(told.contains("disk: NOT REPEATABLE, 1 seed, first seed 128:\n"), "{told}");
    assert!(told.contains("run --profile disk --seed 128 --check-determinism\n"), "{told}");
    state.profiles[1].doubts.clear();
    assert_eq!(state.exit(), Exit::Violated);
}

#[test]
fn profiles_take_turns_and_the_state_is_kept_after_each() {
    let mut state = new_state(Shard::WHOLE);
    let session = Session { seeds_max: Some(10), time: None, jobs: 1 };
    let kept = std::cell::RefCell::new(Vec::new());
    let run = |_: usize, seed: u64, _: &RunOptions| outcome(seed);
    let keep = |state: &State| {
        kept.borrow_mut().push(state.seeds());
        Ok(())
    };
    go_on(&mut state, &session, &Progress::new(None, None, true), run, keep)
        .expect("made-up runs can be run");
    assert_eq!(kept.into_inner(), [10, 20]);
    state.profiles[0].busy_us = 5;
    state.profiles[1].busy_us = 4;
    let more = Session { seeds_max: Some(20), ..session };
    assert_eq!(next_turn(&state, &more, None).map(|(nth, plan)| (nth, plan.seed(0))), Some((1, Some(110))));
}

#[test]
fn a_soak_that_reaches_the_last_seed_ends_there() {
    let state = State::new(u64::MAX - 1, Shard::WHOLE, Hash(3), [("storm".to_owned(), Hash(7))]);
    let session = Session { seeds_max: None, time: None, jobs: 2 };
    let mut state = state;
    let run = |_: usize, seed: u64, _: &RunOptions| outcome(seed & 0xf);
    go_on(&mut state, &session, &Progress::new(None, None, true), run, |_| Ok(())).expect("it ends");
    assert_eq!(state.seeds(), 2);
}

#[test]
fn what_is_no_part_of_the_soak_is_not_merged() {
    let shard = |index, of| soak(new_state(Shard { index, of }), 50);
    let refusal = |part: State| merge(shard(0, 3), part).expect_err("it does not belong to it");
    assert!(refusal(shard(0, 3)).contains("shard 1/3 is in a state before it already"));
    assert!(refusal(shard(1, 4)).contains("it has shard 2/4, the others 1/3"));
    assert!(
        refusal(State { start: 0, ..new_state(Shard { index: 1, of: 3 }) }).contains("it begins at seed 0")
    );
    let mut other = shard(1, 3);
    other.profiles[1].fingerprint = Hash(8);
    assert!(refusal(other).contains("the runs of their first seeds"));
    let other = State { executable: Hash(4), ..shard(1, 3) };
    assert!(refusal(other).contains("its runs are another program's"));
    let mut other = shard(1, 3);
    other.profiles.pop();
    assert!(refusal(other).contains("its profiles"));
}

#[test]
fn shards_that_are_missing_are_named_and_of_very_many_the_first() {
    let shard = |index, of| soak(new_state(Shard { index, of }), 50);
    let told = |state: &State| report::soak(state).lines().next().expect("it has a head").to_owned();
    let some = merge(shard(0, 4), shard(2, 4)).expect("two shards of one soak");
    assert_eq!(told(&some), "soak: 50 seeds from 100 on, of 4 shards only 1, 3; not here: 2, 4");
    let one = told(&shard(1, u64::MAX));
    assert!(
        one.contains("only 2; not here: 1, 3, 4,")
            && one.ends_with(", 21 and 18,446,744,073,709,551,594 more"),
        "{one}"
    );
    assert_eq!(shard(0, 1).missing_shards(), (Vec::new(), 0));
}

#[test]
fn totals_that_no_longer_fit_are_refused() {
    let huge = |index| {
        let mut state = soak(new_state(Shard { index, of: 2 }), 50);
        state.profiles[0].events = 1 << 62;
        state
    };
    let said = merge(huge(0), huge(1)).expect_err("the sum is too large");
    assert!(said.contains("more than any soak counts"), "{said}");
}

#[test]
fn a_state_that_was_edited_is_refused_by_its_line_with_what_would_be_right() {
    let whole = text(&soak(new_state(Shard::WHOLE), 200));
    for (line, edited, said) in [
        ("\"version\": 2", "\"version\": 1", "it is of version 1; this program reads version 2"),
        ("\"version\": 2", "\"version\": -1", "2:15: invalid value: integer `-1`, expected u64"),
        ("\"version\": 2", "\"edition\": 2", "missing field `version`"),
        ("\"program\": \"", "\"program\": \"9", "`program` is 9"),
        ("\"start\": 100", "\"start\": 100.5", "5:16: invalid type: floating point `100.5`, expected u64"),
        ("\"start\": 100", "\"start\": 500", "seed 297 is not among those that were run"),
        ("\"shard\": \"1/1\"", "\"shard\": \"2/1\"", "`2/1` is no shard; give I/N with 1 <= I <= N"),
        ("\"seeds\": 200", "\"seeds\": 201", "201 seeds are done, and 200 have an end"),
        ("\"seeds\": 200", "\"seeds\": -200", "invalid value: integer `-200`, expected u64"),
        ("\"seeds\": 200", "\"seeds\": 99999999999999999999", "expected u64"),
        (
            "\"seeds\": 200",
            "\"seeds\": 9000000000000000000",
            "more than any soak counts; expected 2^62 at most",
        ),
        ("\"passed\": ", "\"passed\": 1e999, \"failed\": ", "number out of range"),
        ("\"passed\": ", "\"past\": ", "unknown field `past`, expected one of `profile`, "),
        (
            "\"class\": \"Liveness\"",
            "\"class\": \"Livenes\"",
            "no violation is called `Livenes`; expected `Liveness`",
        ),
        ("\"class\": \"Liveness\"", "\"class\": \"Zoo\"", "no violation is called `Zoo`"),
        (
            "\"class\": \"Liveness\"",
            "\"class\": \"LogMatching\"",
            "`findings` has a class twice, or not in order",
        ),
        ("\"fastest\": ", "\"fastest\": 7", "is not among those that were run"),
        (
            "\"kind\": \"inconclusive\"",
            "\"kind\": \"perhaps\"",
            "unknown variant `perhaps`, expected `inconclusive`",
        ),
        ("\"hash\": \"", "\"hash\": \"x", "is no hash; expected 32 hexadecimal digits"),
        ("\"fingerprint\": \"", "\"fingerprint\": \"+", "is no hash; expected 32 hexadecimal digits"),
        ("\"profile\": \"storm\"", "\"profile\": \"disk\"", "`profiles` names one twice"),
        ("\"marks\": {", "\"marks\": {\n\"a pig flew\": 3,", "no situation is called `a pig flew`"),
        ("\"events\": ", "\"events\": 5", "`checksum` is of another state"),
        ("\"executable\": \"00", "\"executable\": \"0f", "`checksum` is of another state"),
        ("\"checksum\": \"", "\"checksum\": \"x", "is no hash; expected 32 hexadecimal digits"),
        ("\"checksum\": \"", "\"sum\": \"", "unknown field `sum`"),
    ] {
        assert!(whole.contains(line), "{line}");
        let refusal = garbled::parse(whole.replacen(line, edited, 1).as_bytes()).expect_err(edited);
        assert!(refusal.contains(said), "{edited}: {refusal}");
    }
    // An edit that makes sense is told at the checksum, for nobody knows where it was made.
    let place = 1 + whole.lines().position(|line| line.contains("checksum")).expect("it has one");
    let refusal = garbled::parse(whole.replacen("\"events\": ", "\"events\": 5", 1).as_bytes());
    assert!(refusal.expect_err("it was edited").starts_with(&format!("{place}: `checksum`")));
    // What is wrong with a profile as a whole is told right behind it.
    let end = 1 + whole.lines().position(|line| line == "    },").expect("there is a second profile");
    let refusal = garbled::parse(whole.replacen("\"seeds\": 200", "\"seeds\": 201", 1).as_bytes());
    let refusal = refusal.expect_err("it is wrong");
    assert!(refusal.starts_with(&format!("{}:", end + 1)), "{end}: {refusal}");
}

#[test]
fn a_state_that_was_cut_off_or_flipped_anywhere_is_refused_or_says_the_same_and_nothing_panics() {
    let state = soak(new_state(Shard::WHOLE), 30);
    let whole = rendered(&state);
    let end = whole.len() - 2;
    for length in 0..end {
        garbled::parse(&whole[..length]).expect_err("it was cut off");
    }
    for place in 0..whole.len() {
        for with in [b'"', b'9', 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = with;
            if let Ok(read) = garbled::parse(&bytes) {
                assert_eq!(read, state, "byte {place} became {with}");
            }
        }
    }
    for text in
        ["", "null", "[]", "7", "once upon a time", "{\"version\":2}", "{\"version\":2,\"profiles\":[]}"]
    {
        garbled::parse(text.as_bytes()).expect_err(text);
    }
}

#[test]
fn the_same_counts_at_their_largest_are_added_up_without_overflow() {
    let largest = format!("{}", 1_u64 << 62);
    let mut state = soak(new_state(Shard::WHOLE), 30);
    let done: Vec<String> =
        (1..=9).map(|shard| format!("{{\"shard\":\"{shard}/9\",\"seeds\":{largest}}}")).collect();
    state.profiles.pop();
    let text = serde_json::to_string(&state).expect("a state is JSON");
    let own = "[{\"shard\":\"1/1\",\"seeds\":30}]";
    assert!(text.contains(own), "{text}");
    let refusal = garbled::parse(text.replace(own, &format!("[{}]", done.join(","))).as_bytes());
    assert!(refusal.expect_err("it is too much").contains("seeds are done, and 30 have an end"));
}
