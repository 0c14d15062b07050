//! Profiles: what they say, how they are refused, and that a draw stays within them.

use proptest::prelude::*;

use super::*;
use crate::choice::{Choice, Ratio};
use crate::plan::{self, PlanParameters};

const SHAPE: Shape = Shape { processes: 5, core_size: 3, timeout_us: 150_000 };

fn resolved(profile: &Profile, seed: u64) -> Resolved {
    profile.resolve(&mut Choice::from_seed(seed), SHAPE)
}

#[test]
fn an_empty_profile_is_the_storm() {
    assert_eq!(Profile::parse("", "empty.toml"), Ok(Profile::default()));
}

#[test]
fn a_profile_states_ranges_ratios_and_chances_exactly() {
    let text = r#"
        [swarm]
        loss = "1/3"
        crash = 1
        [network]
        delay_us_min = [10, 20]
        loss = ["0", "3/100"]
        duplication = { num = 1, den = 7 }
        capacity = 4
        partition = { every_us = 1_000_000, lasts = ["3/10", 5] }
        shapes = { ring = 0 }
    "#;
    let profile = Profile::parse(text, "exact.toml").expect("every line is right");
    let probability = |num, den| Probability::new(num, den);
    assert_eq!((profile.swarm.loss, profile.swarm.crash), (probability(1, 3), probability(1, 1)));
    let network = &profile.network;
    assert_eq!(network.delay_us_min, Between { low: 10, high: 20 });
    assert_eq!(network.loss, Between { low: probability(0, 1), high: probability(3, 100) });
    assert_eq!(network.duplication, Between::only(probability(1, 7)));
    assert_eq!(network.capacity, Between::only(4));
    let lasts = Between { low: Ratio::new(3, 10), high: Ratio::new(5, 1) };
    assert_eq!(network.partition, Recurring { every_us: Between::only(1_000_000), lasts });
    assert_eq!(network.shapes, Partitions { ring: 0, ..Partitions::default() });
}

#[test]
fn an_error_names_file_line_and_what_would_be_right() {
    let texts = [
        "[network]\nlos = 1",
        "[netwrk]\nloss = 1",
        "[network]\nloss = [\"3/10\", \"1/10\"]",
        "[network]\nloss = [\"0\", \"11/10\"]",
        "[network]\nloss = \"1/0\"",
        "[network]\nloss = { num = 1, den = 0 }",
        "[network]\nloss = 0.3",
        "[network]\nloss = \"a third\"",
        "[network]\ndelay_us_min = [20, 10]",
        "[network]\ndelay_us_min = [1, 2, 3]",
        "[network]\ndelay_us_min = -1",
        "[network]\ndelay_us_min = \"10\"",
        "[network]\npartition = { every_us = 1_000_000 }",
        "[network]\nloss = \"1/10\"\nduplication = 0\nloss = 0",
        "[network]\npartition = { every_us = 0, lasts = 1 }",
        "[clock]\njump_every_us = [1, 1_000_000]",
        "[swarm]\n# comment\nloss = [\"0\", \"1\"]",
        "[clock]\nwild = [\"0\", \"2\"]",
        "[disk]\nfile = [0, [0, 0], 0]",
        "[disk]\nfile = [0, 1]",
        "[disk]\nfile = [0, 1, 4_294_967_296]",
        "[network.shapes]\nisolate = 0\ninbound = 0\noutbound = 0\nsplit = 0\nbridge = 0\nring = 0\nlinks = 0",
        "[network]\nshapes = { isolate = 0, inbound = 0, outbound = 0, split = 0, bridge = 0, ring = 0, links = 0 }",
        "[network",
    ];
    let error_of = |text: &str| Profile::parse(text, "bad.toml").expect_err(text).to_string();
    insta::assert_snapshot!(texts.map(error_of).join("\n"));
}

#[test]
fn what_is_wrong_with_a_value_is_told_where_it_stands_or_would_stand() {
    let text = "seed = 1\n[network]\n\"löss\" = 1\npartition = { every_us = 5, lasts = \"1\" }\n";
    let place = |keys: &[&str]| {
        let error = ProfileError::of_value(text, "odd.toml", keys, "it is odd".into());
        (error.line, error.column, error.text)
    };
    let partition = "partition = { every_us = 5, lasts = \"1\" }".to_owned();
    assert_eq!(place(&["network", "partition", "lasts"]), (4, 37, partition.clone()));
    assert_eq!(place(&["network", "partition", "other"]), (4, 13, partition));
    assert_eq!(place(&["network", "löss"]), (3, 10, "\"löss\" = 1".to_owned()));
    assert_eq!(place(&["network", "loss"]), (2, 1, "[network]".to_owned()));
    assert_eq!(place(&["clock"]), (1, 1, "seed = 1".to_owned()));
}

#[test]
fn weights_that_all_come_out_as_zero_never_pick_what_cannot_weigh() {
    let rarely = Weights::new([Between::only(0), Between { low: 0, high: 1 }, Between { low: 0, high: 1 }]);
    for seed in 0..50 {
        let drawn = Resolver::new(&mut Choice::from_seed(seed), "disk").weights("file", rarely);
        assert!(drawn[0] == 0 && drawn != [0; 3], "{drawn:?}");
    }
}

#[test]
fn a_user_may_put_sections_of_their_own_beside_the_simulators() {
    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Own {
        #[serde(default)]
        network: Network,
        cluster: Cluster,
    }
    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Cluster {
        voters: Numbers,
    }
    let own: Own = parse("[cluster]\nvoters = [3, 5]", "own.toml").expect("it is right");
    assert_eq!((own.cluster.voters, own.network), (Between { low: 3, high: 5 }, Network::default()));
    let error = parse::<Own>("[cluster]\nvoter = 3", "own.toml").expect_err("no such field").to_string();
    assert!(error.starts_with("own.toml:2:1: unknown field `voter`"), "{error}");
}

#[test]
fn with_every_class_off_the_run_is_calm() {
    let profile = Profile { swarm: Swarm::all(Probability::new(0, 1)), ..Profile::default() };
    for seed in 0..20 {
        let Resolved { parameters, plan } = resolved(&profile, seed);
        let network = &parameters.network;
        for rare in [network.tail, network.loss, network.duplication, network.ghosts, network.corruption] {
            assert_eq!(rare, Ratio::ZERO);
        }
        assert!(!network.fifo && !network.codec && network.capacity == 0);
        assert!(parameters.clocks.iter().all(|clock| clock.rate == Ratio::ONE && clock.wall_offset_us == 0));
        assert_eq!(plan::draw(&plan, &mut Choice::from_seed(seed)), []);
    }
}

#[test]
fn some_seeds_have_a_class_and_others_do_not() {
    let runs: Vec<Resolved> = (0..200).map(|seed| resolved(&Profile::default(), seed)).collect();
    let counts = |is_on: fn(&Resolved) -> bool| runs.iter().filter(|run| is_on(run)).count();
    let all: [fn(&Resolved) -> bool; 6] = [
        |run| run.parameters.network.loss.num > 0,
        |run| run.parameters.network.fifo,
        |run| run.parameters.clocks[0].rate != Ratio::ONE,
        |run| run.parameters.disks.windows(2).any(|pair| pair[0] != pair[1]),
        |run| run.plan.partition.every_us_mean > 0,
        |run| run.plan.crash_loop.every_us_mean > 0,
    ];
    for count in all.map(counts) {
        assert!((20..180).contains(&count), "{count} of 200");
    }
}

#[test]
fn one_parameter_more_or_less_leaves_the_others_as_they_were() {
    let narrow = Profile {
        network: Network { loss: Between::only(Probability::new(1, 2)), ..Network::default() },
        swarm: Swarm { partition: Probability::new(0, 1), ..Swarm::default() },
        ..Profile::default()
    };
    for seed in 0..20 {
        let (before, mut after) = (resolved(&Profile::default(), seed), resolved(&narrow, seed));
        after.parameters.network.loss = before.parameters.network.loss;
        after.plan.partition = before.plan.partition;
        assert_eq!(before, after);
    }
}

#[test]
fn a_source_that_decides_nothing_gives_a_calm_run() {
    let silent = &mut Choice::from_bytes(&[]);
    let Resolved { parameters, plan } = Profile::default().resolve(silent, SHAPE);
    assert_eq!(parameters.check(), Ok(()));
    assert_eq!(plan::draw(&plan, silent), []);
}

proptest! {
    #[test]
    fn what_is_drawn_lies_within_the_profile_and_can_be_simulated(seed: u64, processes in 1_u32..8) {
        let profile = Profile::default();
        let shape = Shape { processes, core_size: processes / 2 + 1, ..SHAPE };
        let Resolved { parameters, plan } = profile.resolve(&mut Choice::from_seed(seed), shape);
        prop_assert_eq!(parameters.check(), Ok(()));
        let within = |range: Numbers, value| (range.low..=range.high).contains(&value);
        prop_assert!(within(profile.network.delay_us_mean, parameters.network.delay_us_mean));
        prop_assert!(within(profile.limits.safety_us, plan.length_us));
        let PlanParameters { partition, .. } = plan;
        let dwell = Between { low: 45_000, high: 750_000 };
        prop_assert!(partition.every_us_mean == 0 || partition.lasts_us == dwell);
    }

    #[test]
    fn a_ratio_is_drawn_from_its_range_ends_included(
        (low_num, high_num) in (any::<u32>(), any::<u32>()), (low_den, high_den) in (1_u32.., 1_u32..), step in 0..=1_000_u64,
    ) {
        let (one, other) = (Ratio::new(low_num, low_den), Ratio::new(high_num, high_den));
        let at_most = |left: Ratio, right: Ratio| {
            u64::from(left.num) * u64::from(right.den) <= u64::from(right.num) * u64::from(left.den)
        };
        let (low, high) = if at_most(one, other) { (one, other) } else { (other, one) };
        let drawn = Between { low, high }.at(step);
        let value = |ratio: Ratio| f64::from(ratio.num) / f64::from(ratio.den);
        let slack = 1e-6 * value(high);
        prop_assert!(value(low) - slack <= value(drawn) && value(drawn) <= value(high) + slack, "{low} {drawn} {high}");
        if low_den < 1_000 && high_den < 1_000 {
            prop_assert!(at_most(drawn, high));
            let (first, last) = (Between { low, high }.at(0), Between { low, high }.at(1_000));
            prop_assert!(at_most(first, low) && at_most(low, first) && at_most(last, high) && at_most(high, last));
        }
    }

    #[test]
    fn any_text_is_answered(text in "(\\[network\\]\n)?([a-z_]{1,12} = )?(\\PC|\n){0,60}") {
        let _ = Profile::parse(&text, "any.toml");
    }
}
