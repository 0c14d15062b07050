//! What the search finds, and that its reductions hide nothing.

use squall_raft::{LogIndex, NodeId, Term};
use squall_sim::scenario::parse;

use super::ghost::{EntryName, Ghost, Sight, check_log_matching};
use super::*;

/// Searches to the end, and returns how many states there are and how far the farthest is.
fn complete(bounds: Bounds) -> (u64, u32) {
    let (end, progress) = search(bounds, |_| true);
    assert_eq!((&end, progress.restarts), (&End::Complete, 0), "{bounds:?}");
    (progress.states, progress.depth)
}

fn two_elections() -> Bounds {
    Bounds { elections: 2, disk: DiskPace::Prompt, ..Bounds::of(3) }
}

#[test]
fn small_worlds_are_searched_to_the_end() {
    let worlds = [
        Bounds { elections: 1, ..Bounds::of(1) },
        Bounds { elections: 1, ..Bounds::of(3) },
        two_elections(),
        Bounds { crashes: 1, ..two_elections() },
        Bounds { changes: 1, spares: 1, start: Start::Elected, disk: DiskPace::Prompt, ..Bounds::of(3) },
    ];
    assert_eq!(
        worlds.map(complete),
        [(4, 3), (129, 14), (3839, 18), (40939, 21), (16604, 27)],
        "states and depth"
    );
}

#[test]
fn without_reductions_there_are_more_states_and_none_is_farther() {
    let bounds = Bounds { elections: 2, disk: DiskPace::Prompt, ..Bounds::of(3) };
    let reduced = complete(bounds);
    let plain = complete(Bounds { symmetry: false, drops_spent: false, ..bounds });
    assert!(plain.0 > reduced.0 && plain.1 >= reduced.1, "{plain:?} {reduced:?}");
}

#[test]
fn a_search_that_is_stopped_says_so() {
    let (end, progress) = search(two_elections(), |progress| progress.states < 100);
    assert_eq!(end, End::Stopped);
    assert!(progress.waiting > 0);
}

fn sight(node: u64, term: u64, leads: bool, terms: &[u64], commit: u64) -> Sight {
    let entry = |(index, term): (usize, &u64)| {
        let index = LogIndex(index as u64 + 1);
        EntryName::of(&squall_raft::Entry { term: Term(*term), index, payload: squall_raft::Payload::Noop })
    };
    let log = terms.iter().enumerate().map(entry).collect();
    Sight { node: NodeId(node), term: Term(term), leads, log, commit }
}

/// What the ghost says of nodes that show themselves one after the other.
fn judged(sights: &[Sight]) -> Option<&'static str> {
    let judged = sights.iter().try_fold(Ghost::default(), |ghost, sight| ghost.after(sight));
    judged.err().map(|violation| violation.class)
}

#[test]
fn the_ghost_tells_harm_from_what_may_be() {
    let old = sight(0, 1, true, &[1, 1], 1);
    assert_eq!(judged(&[old.clone(), sight(1, 2, true, &[1, 2], 2), sight(0, 2, false, &[1, 2], 2)]), None);
    let other_leader = sight(1, 1, true, &[1], 0);
    assert_eq!(judged(&[old.clone(), other_leader]), Some("ElectionSafety"));
    let incomplete = sight(1, 2, true, &[2], 0);
    assert_eq!(judged(&[old.clone(), incomplete.clone()]), Some("LeaderCompleteness"));
    assert_eq!(judged(&[incomplete, old.clone()]), Some("LeaderCompleteness"), "committed too late");
    let paused = sight(1, 1, true, &[], 0);
    assert_eq!(judged(&[sight(0, 2, false, &[1], 1), paused]), None, "an old term may still be won");
    assert_eq!(judged(&[old, sight(1, 2, false, &[2], 1)]), Some("StateMachineSafety"));
    assert_eq!(judged(&[sight(0, 1, false, &[], 1)]), Some("StateMachineSafety"));
}

#[test]
fn logs_that_hold_the_same_entry_are_the_same_before_it() {
    let check = |left: &[u64], right: &[u64]| {
        let result = check_log_matching(&sight(0, 3, false, left, 0), &sight(1, 3, false, right, 0));
        result.err().map(|violation| violation.class)
    };
    assert_eq!(check(&[1, 1, 3], &[1, 2, 3]), Some("LogMatching"));
    assert_eq!(check(&[1, 1, 3], &[1, 2]), None);
    assert_eq!(check(&[], &[1]), None);
}

#[test]
fn a_scenario_of_steps_is_replayed_and_what_cannot_be_is_told() {
    let text = "squall-scenario 1\nexplore nodes=3\ns1 campaign n0\ns2 persisted n0\ns3 deliver n0>n1#1\n\
                s4 persisted n1\ns5 deliver n1>n0#1\ns6 deliver n2>n0#1\nexpect passed\n";
    let run = |text: &str| replay(&parse(text, "steps.scn").expect("well formed"));
    let replayed = run(text).expect("it makes sense");
    assert_eq!((replayed.taken, replayed.violation), (5, None));
    assert!(replayed.story[4].contains("n0 Leader of term 1"), "{:?}", replayed.story);
    assert_eq!(replayed.missed, ["s6 was not taken: `deliver n2>n0#1`, and n2 has sent n0 nothing so far"]);
    for (right, wrong, place) in [
        ("campaign n0", "campaign n3", "3:13"),
        ("campaign n0", "canvass n0", "3:4"),
        ("deliver n0>n1#1", "deliver n0>n1", "5:12"),
        ("persisted n1", "persisted n1 n2", "6:17"),
        ("persisted n1", "crash n1", "6:1"),
        ("nodes=3", "nodes=9", "2:9"),
    ] {
        let text = text.replace(right, wrong);
        let misfit = run(&text).expect_err(wrong).at(&text, "steps.scn").to_string();
        assert!(misfit.contains(&format!("steps.scn:{place}:")), "{misfit}");
    }
}

#[test]
fn power_may_fail_between_term_and_log_of_one_write() {
    let text = "squall-scenario 1\nexplore nodes=3\ns1 campaign n0\ns2 persisted n0\ns3 deliver n0>n1#1\n\
                s4 persisted n1\ns5 deliver n1>n0#1\ns6 deliver n0>n2#2\ns7 crash n2 done=";
    let left = |done: &str| {
        let replayed = replay(&parse(&format!("{text}{done}"), "steps.scn").expect("well formed"));
        let replayed = replayed.expect("it makes sense");
        let last = replayed.missed.into_iter().chain(replayed.story).next_back().expect("seven steps");
        last.rsplit_once("n2 ").expect("it tells of n2").1.to_owned()
    };
    assert_eq!(left("0"), "Follower of term 0, log to 0@0, committed to 0");
    assert_eq!(left("1"), "Follower of term 1, log to 0@0, committed to 0");
    assert_eq!(left("2"), "Follower of term 1, log to 1@1, committed to 0");
}

#[test]
fn a_step_that_the_world_cannot_take_is_missed_and_one_that_the_core_refuses_is_not() {
    let missed = |steps: &str| {
        let text = format!("squall-scenario 1\nexplore nodes=3\n{steps}");
        replay(&parse(&text, "steps.scn").expect("well formed")).expect("it makes sense").missed
    };
    assert_eq!(
        missed("s1 campaign n0\ns2 persisted n0\ns3 persisted n0\ns4 deliver n0>n1#9\ns5 crash n0 done=2"),
        [
            "s3 was not taken: `persisted n0`, and n0 has no write under way",
            "s4 was not taken: `deliver n0>n1#9`, and n0 has sent n1 one message so far",
            "s5 was not taken: `crash n0 done=2`, and n0 has no write under way",
        ]
    );
    assert_eq!(missed("s1 propose n0\ns2 heartbeat n1\ns3 remove n0 n1"), [""; 0], "nobody leads");
    let again = "s1 campaign n0\ns2 persisted n0\ns3 deliver n0>n1#1\ns4 deliver n0>n1#1\ns5 persisted n1\n";
    assert_eq!(missed(again), [""; 0], "it learns nothing from what it knows");
}

#[test]
fn hundreds_of_steps_that_no_search_would_take_are_refused_or_taken() {
    let many = |what: &str| {
        let steps: String = (1..=300).map(|id| format!("s{id} {what} n0\n")).collect();
        let text = format!("squall-scenario 1\nexplore nodes=1 elected=yes\n{steps}");
        replay(&parse(&text, "steps.scn").expect("well formed"))
            .map_err(|misfit| misfit.at(&text, "steps.scn").to_string())
    };
    assert_eq!(many("campaign").expect("each makes sense").violation, None);
    let refused = many("propose").expect_err("commands are numbered by bytes");
    assert!(
        refused.contains("steps.scn:258:6:") && refused.contains("no more than 255 proposals"),
        "{refused}"
    );
}
