//! The page on scenario files, `docs/scenarios.md`, held against the code that reads them.

use squall_scenarios::run::{self, RunOptions};
use squall_scenarios::script;
use squall_scenarios::server::DEEDS;
use squall_sim::scenario::{self, Scenario, Section};
use squall_sim::{Fault, Purpose};

const PAGE: &str = include_str!("../../docs/scenarios.md");

/// What a person is told who replays these lines; nothing, where they are right.
fn said_of(lines: &str) -> Result<(), String> {
    let text = format!("squall-scenario 1\n{lines}\n");
    let scenario = scenario::parse(&text, "page.scn").map_err(|error| error.to_string())?;
    let said = if run::is_of_steps(&scenario) {
        run::replay(&scenario, &RunOptions::default()).map(|_| ())
    } else {
        script::check_effects(&scenario).and_then(|()| script::plan_of(&scenario).map(|_| ()))
    };
    said.map_err(|misfit| misfit.at(&text, "page.scn").to_string())
}

fn in_backticks(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What is expected where lines are wrong, as far as it is words that could stand there.
fn wanted_words(lines: &str) -> Vec<String> {
    let said = said_of(lines).expect_err(lines);
    let (_, expected) = said.split_once("; expected ").unwrap_or_else(|| panic!("{lines}: {said}"));
    in_backticks(expected).into_iter().map(str::to_owned).collect()
}

/// The rows of the page's tables whose first cell is this.
fn row(first: &str) -> Option<&'static str> {
    PAGE.lines().find(|line| line.starts_with(&format!("| {first} |")))
}

/// The keys and defaults that the page states for a section.
fn stated(section: &str) -> Vec<(&'static str, &'static str)> {
    let header = format!("\n### `{section}`\n");
    let (_, rest) = PAGE.split_once(&header).unwrap_or_else(|| panic!("the page has no {header}"));
    let body = rest.split("\n#").next().expect("there is a first part");
    let rows = body.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| in_backticks(row)).map(|words| (words[0], words[1])).collect()
}

#[test]
fn every_section_stands_there_with_its_keys_and_defaults() {
    let silent =
        Scenario { sections: vec![Section::new("processes").with("count", &3)], ..Scenario::default() };
    let sections = script::sections_of(&script::plan_of(&silent).expect("nothing is stated"));
    for Section { name, values } in &sections {
        let known: Vec<(&str, &str)> = values.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(stated(name), known, "section {name}");
    }
    let named = wanted_words("nonsense key=1");
    for name in named.iter().filter(|name| *name != "n0") {
        assert!(sections.iter().any(|section| section.name == *name), "{name} is read, and not written");
    }
}

#[test]
fn the_section_of_steps_stands_there_with_its_keys_and_defaults() {
    let keys: Vec<&str> = stated("explore").into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, wanted_words("explore nonsense=1"));
    let all: Vec<String> = stated("explore").iter().map(|(key, value)| format!("{key}={value}")).collect();
    let hash = |line: &str| {
        let text = format!("squall-scenario 1\n{line}\ns1 campaign n0\ns2 persisted n0\n");
        let scenario = scenario::parse(&text, "page.scn").expect("well-formed");
        run::replay(&scenario, &RunOptions::default()).expect("it can be run").hash
    };
    assert_eq!(hash(&format!("explore {}", all.join(" "))), hash("explore nodes=3"));
}

#[test]
fn every_fault_stands_there_with_its_words_and_their_values() {
    for kind in Fault::NAMES {
        let row = row(&format!("`{kind}`")).unwrap_or_else(|| panic!("the page says nothing of {kind}"));
        let example = in_backticks(row)[1];
        assert_eq!(example.split(' ').nth(2), Some(kind));
        assert_eq!(said_of(example), Ok(()));
        let said = said_of(&format!("e1 @2s {kind}")).err().unwrap_or_default();
        let (missing, _) = said.split_once("; expected").unwrap_or_default();
        for key in in_backticks(missing) {
            assert!(example.contains(&format!(" {key}=")), "{example} lacks {key}=");
        }
        for word in example.split(' ').filter(|word| word.contains('=')) {
            let (key, value) = word.split_once('=').expect("it was found by that");
            let is_word = |word: &String| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            let garbled = example.replace(word, &format!("{key}=%%"));
            let values = wanted_words(&garbled);
            for value in values.iter().filter(|value| is_word(value)) {
                assert!(
                    row.contains(&format!("`{value}`"))
                        || row.contains(&format!("{key}={value}"))
                        || value == "most-prominent",
                    "{kind}: {key}= may be {value}"
                );
            }
            assert!(!value.is_empty(), "{example}");
        }
    }
    for cut in wanted_words("e1 @2s partition for=1s") {
        assert!(PAGE.lines().any(|line| line.starts_with(&format!("| `{cut}"))), "the page lacks {cut}");
    }
}

#[test]
fn every_decision_of_a_run_stands_there_with_its_fields() {
    for purpose in Purpose::ALL {
        // These are drawn before a run begins, or by the user's own code.
        if matches!(purpose, Purpose::Plan | Purpose::Parameter | Purpose::User) {
            continue;
        }
        let name = purpose.name();
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{name} ")));
        let row = row.unwrap_or_else(|| panic!("the page says nothing of {name}"));
        let example = in_backticks(row)[0];
        assert_eq!(said_of(example), Ok(()));
        let identity = example.rsplit_once(' ').expect("it decides something").0;
        let fields = wanted_words(&format!("{identity} nonsense=1"));
        assert_eq!(in_backticks(row)[1..], fields, "{name}");
    }
}

#[test]
fn every_deed_of_an_operator_stands_there_with_its_number() {
    for deed in 0..DEEDS {
        assert!(PAGE.contains(&format!("\n| {deed} | {} | ", deed << 8)), "the page lacks deed {deed}");
    }
    assert!(row(&DEEDS.to_string()).is_none(), "there is no deed {DEEDS}");
}

#[test]
fn every_example_can_be_replayed() {
    let blocks: Vec<&str> =
        PAGE.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2, "{blocks:?}");
    for block in blocks {
        let lines = block.strip_prefix("squall-scenario 1\n").expect("a whole file");
        assert_eq!(said_of(lines), Ok(()), "{block}");
        let scenario = scenario::parse(block, "page.scn").expect("it was just read");
        let outcome = run::replay(&scenario, &RunOptions::default()).expect("it can be run");
        assert_eq!((run::compare(&scenario, &outcome), &outcome.missed[..]), (Ok(()), &[][..]), "{block}");
    }
}
