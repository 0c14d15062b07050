//! `squall branch`: runs that go many ways from where it is rare to be.

use squall_scenarios::marks;

use crate::{json, path, refused, succeed};

#[test]
fn a_branch_is_a_run_of_its_own_that_replays_from_its_scenario() {
    let report =
        json(&["branch", "--profile", "lite", "--seeds", "12", "--ways", "2", "--rare", "10", "--json"]);
    assert_eq!(report["failed"], serde_json::json!({}));
    let branches: u64 =
        report["rare"].as_array().expect("a list").iter().filter_map(|rare| rare["branches"].as_u64()).sum();
    assert!(branches > 0 && report["branches"].as_u64() == Some(branches), "{report}");
    let (one, other) = (path("branch-1.scn"), path("branch-2.scn"));
    let whole = json(&["run", "--profile", "lite", "--seed", "3", "--json"]);
    let reached = whole["marks"][0].as_str().expect("it reaches something");
    let mark = marks::all().position(|name| name == reached).expect("it is a mark");
    let branch = |way: u64, file: &str| {
        succeed(0, &["branch", "--profile", "lite", "--only", &format!("3/{mark}/{way}"), "--emit", file])
    };
    let (first, second) = (branch(1, &one), branch(2, &other));
    assert_ne!(first, second, "two ways are two runs");
    for (file, said) in [(&one, &first), (&other, &second)] {
        let replayed = succeed(0, &["replay", file]);
        let hash = said.lines().last().expect("the hash comes last").trim();
        assert!(replayed.contains(hash), "{hash}: {replayed}");
    }
}

/// A name can be told without a failure: the report has the number and the words of each situation, and its first branch.
#[test]
fn every_situation_of_a_report_names_a_branch_that_runs_alone() {
    let arguments = ["branch", "--profile", "lite", "--seeds", "12", "--ways", "2", "--rare", "10"];
    let report = json(&[&arguments[..], &["--json"]].concat());
    let told = succeed(0, &arguments);
    for rare in report["rare"].as_array().expect("a list") {
        let (number, words) = (&rare["number"], rare["situation"].as_str().expect("it has words"));
        let Some(first) = rare["first"].as_str() else {
            assert_eq!(rare["branches"], 0, "{rare}");
            continue;
        };
        let line = format!("{number}  {words}: {} branches, first {first}\n", rare["branches"]);
        assert!(told.contains(&line), "{line}{told}");
        let alone = succeed(0, &["branch", "--profile", "lite", "--only", first]);
        assert!(alone.contains(&format!("into situation {number}: {words}\n")), "{alone}");
    }
}

#[test]
fn a_branch_that_is_none_is_refused() {
    for (only, right) in
        [("1", "three numbers"), ("1/9999/1", "have numbers below"), ("1/2/3/4", "three numbers")]
    {
        let said = refused(&["branch", "--only", only]);
        assert!(said.contains(right), "{said}");
    }
}
