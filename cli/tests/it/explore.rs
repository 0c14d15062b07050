//! Exhaustive searches: bounds that are wrong, what is told of a search, steps that replay.

use crate::{file, json, path, refused, squall, succeed};

/// How `n0` is elected in term 1.
const ELECTION: &str = "squall-scenario 1\nexplore nodes=3\ns1 campaign n0\ns2 persisted n0\ns3 deliver n0>n1#1\n\
                        s4 persisted n1\ns5 deliver n1>n0#1\nexpect passed\n";

#[test]
fn wrong_bounds_are_refused_with_what_would_be_right() {
    for (arguments, right) in [
        (&["--nodes", "0"][..], "1 to 7 voters"),
        (&["--nodes", "8"], "1 to 7 voters"),
        (&["--nodes", "5", "--spares", "3"], "at most 7 nodes, voters and spares together"),
        (&["--elections", "256"], "0..=255"),
        (&["--duplicates", "many"], "any"),
        (&["--time", "60"], "with its unit"),
    ] {
        let said = refused(&[&["explore"], arguments].concat());
        assert!(said.contains(right), "{arguments:?}: {said}");
    }
}

#[test]
fn a_search_that_is_complete_says_so_and_how_much_it_met() {
    let bounds = ["explore", "--elections", "2", "--proposals", "0", "--prompt-disk"];
    let told = succeed(0, &bounds);
    assert!(told.starts_with("complete: every state within the bounds was met"), "{told}");
    assert!(told.contains("states      3,839, by 7,111 steps"), "{told}");
    assert!(told.contains("a chance of one in 2,503,955,668,729)"), "{told}");
    let report = json(&[&bounds[..], &["--json"]].concat());
    assert_eq!((&report["verdict"], &report["states"]), (&"held".into(), &3839.into()));
    assert!(report["stopped_by"].is_null() && report["waiting"] == 0, "{report}");
}

#[test]
fn a_search_that_is_stopped_ends_with_another_code_and_says_by_what() {
    for (bound, limit) in [("--states-max", "1000"), ("--depth-max", "5"), ("--time", "1ms")] {
        let told = succeed(3, &["explore", bound, limit]);
        assert!(told.starts_with(&format!("not complete, stopped by {bound}:")), "{told}");
        assert!(told.contains("unexplored") && !told.contains("complete: every state"), "{told}");
    }
}

#[test]
fn steps_are_replayed_and_told_one_by_one() {
    let election = file("election.scn", ELECTION.as_bytes());
    let report = json(&["replay", "--json", &election]);
    assert_eq!((&report["verdict"], &report["events"]), (&"passed".into(), &5.into()));
    let output = squall(&["replay", "-v", &election]);
    let story = String::from_utf8(output.stderr).expect("a story is text");
    assert!(
        story.contains("s5 deliver n1>n0#1 (n1>n0 term 1 RequestVoteResponse granted): n0 Leader"),
        "{story}"
    );
    let said = refused(&["replay", "--trace", &path("election.trace"), &election]);
    assert!(said.contains("is made of steps, which have no time and leave no trace"), "{said}");
}

#[test]
fn a_step_that_cannot_be_taken_is_told_and_so_is_how_many_were() {
    let told = succeed(0, &["replay", &file("elects.scn", ELECTION.as_bytes())]);
    assert!(
        told.contains("  5 steps, of which 5 led to another state, in ") && !told.contains("Note"),
        "{told}"
    );
    assert!(!told.contains("of a cluster's life"), "{told}");
    for expect in ["expect passed", "expect failed ElectionSafety"] {
        let text =
            ELECTION.replace("s3 deliver n0>n1#1", "s3 deliver n0>n1#9").replace("expect passed", expect);
        let path = file("stale_steps.scn", text.as_bytes());
        let told = succeed(0, &["replay", &path]);
        let note = "Note: s3 was not taken: `deliver n0>n1#9`, and n0 has sent n1 one message so far; s4 was not taken";
        assert!(told.contains(note), "{told}");
        assert!(told.contains("  5 steps, of which 2 led to another state, in "), "{told}");
        assert_eq!(json(&["replay", "--json", &path])["steps"], 5);
    }
}

#[test]
fn steps_that_make_no_sense_are_refused_by_line_and_column() {
    for (right, wrong, place, expected) in [
        ("campaign n0", "canvass n0", "3:4", "`campaign`"),
        ("campaign n0", "campaign n3", "3:13", "`n0` to `n2`"),
        ("deliver n0>n1#1", "deliver n0>n1", "5:12", "`n0>n1#1`"),
        ("s4 persisted n1", "s4", "6:3", "what happens"),
        ("s4 persisted n1", "s3 persisted n1", "6:1", "a number above"),
        ("nodes=3", "nodes=9", "2:9", "1 to 7 voters"),
        ("nodes=3", "nodes=3\ncluster seed=1", "3:1", "`explore` alone"),
        ("expect", "net n0>n1#1 loss=1\nexpect", "8:5", "steps alone"),
    ] {
        let garbled = file("garbled_steps.scn", ELECTION.replace(right, wrong).as_bytes());
        let said = refused(&["replay", &garbled]);
        assert!(
            said.contains(&format!("garbled_steps.scn:{place}:")) && said.contains(expected),
            "{wrong}: {said}"
        );
    }
}
