//! The text form: what a scenario looks like, that it survives, and that nothing else passes for one.

use proptest::prelude::*;

use super::*;
use crate::anchor::{Anchor, Turn};
use crate::choice::{DrawKey, Purpose, Ratio};
use crate::disk::DiskLatency;
use crate::fault::{CrashKind, CrashWhen, Cut, DiskFailure, Fault, PausedClock, Ruin, Target};
use crate::ids::{Link, ProcessId, ProcessSet};
use crate::parameters::Parameters;
use crate::time::Time;

fn decided(purpose: Purpose, a: u64, b: u64, field: &'static str, value: u64) -> Decision {
    Decision { key: DrawKey { purpose, a, b }, field: field.into(), value }
}

fn sample() -> Scenario {
    let mut parameters = Parameters::calm(3, 2);
    parameters.network.loss = Ratio::new(3, 100);
    parameters.disks[1].latency = DiskLatency::NONE;
    parameters.clocks[2].wall_offset_us = -2_500_000;
    let mut sections = vec![Section::new("cluster").with("voters", &3).with("mutation", &"none")];
    sections.extend(sections_of(&parameters));
    let (n0, n1, n2) = (ProcessId(0), ProcessId(1), ProcessId(2));
    let event = |id, at, fault| FaultEvent { id, after: None, at: Time(at), fault };
    let n2_leads =
        Anchor::Passed { milestone: "leads".into(), process: Some(n2), nth: 2, since: Some(Turn::Begins(1)) };
    let crash = Fault::Crash {
        process: Target::Process(n1),
        kind: CrashKind::PowerLoss,
        when: CrashWhen::AfterDiskOperations(2),
        outage_us: 300_000,
    };
    let leader_alone = Cut::Isolate(Target::MostProminent);
    Scenario {
        notes: vec!["The old leader is cut off and comes back after another was elected.".into()],
        sections,
        events: vec![
            event(1, 2_000_000, Fault::Partition { cut: leader_alone, duration_us: 300_000 }),
            FaultEvent { after: Some(n2_leads), ..event(4, 30_000, crash) },
            event(9, 2_100_001, Fault::Swizzle { clog: vec![n2, n0], free: vec![n0, n2], step_us: 20_000 }),
        ],
        decisions: vec![
            decided(Purpose::Network, Link { from: n0, to: n2 }.word(), 17, "delay", 1_203),
            decided(Purpose::Network, Link { from: n0, to: n2 }.word(), 17, "loss", 1),
            decided(Purpose::Client, 1, 3, "think", 77),
            decided(Purpose::Disk, 2, 55, "latency", 1_200),
            decided(Purpose::Crash, 1 << 32, 5 << 60 | 3 << 28 | 7, "fate", 2),
        ],
        steps: Vec::new(),
        expected: Some(Expected::Failed("ElectionSafety".into())),
        hash: Some(0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f0),
    }
}

#[test]
fn a_scenario_reads_like_a_story() {
    insta::assert_snapshot!(sample());
}

#[test]
fn a_scenario_survives_its_text() {
    assert_eq!(parse(&sample().to_string(), "sample.scn"), Ok(sample()));
}

#[test]
fn every_fault_has_a_line_that_is_its_own() {
    let file = "
        e1 @1us partition isolate=n1 for=1us
        e2 @1us partition inbound=most-prominent for=1ms
        e3 @1us partition outbound=n0 for=1s
        e4 @1us flapping split=n0,n2 down=1ms up=2ms for=1s
        e5 @1us clog bridge=n1 side=n0 for=1s
        e6 @1us partition ring for=1s
        e7 @1us partition links=n0>n1,n1>n2 for=1s
        e8 @1us swizzle clog=n0,n1 free=n1,n0 step=1ms
        e9 @1us crash n0 kind=process outage=1s
        e10 @1us crash most-prominent kind=power outage=1s after-disk-operations=3
        e11 @1us crash-all kind=power outage=1s
        e12 @1us crash-loop n63 kind=process times=3 up=1ms outage=1ms
        e13 @1us pause n1 for=1s clock=running
        e14 @1us pause n1 for=1s clock=frozen
        e15 @1us disk-stall n1 for=3s
        e16 @1us administer most-prominent command=7
        e17 @1us clock-rate n2 rate=3/2
        e18 @1us clock-jump n2 wall=-60s
        e19 @1us clock-freeze n2 for=0us
        e20 @1us partition split=nobody for=1s
        e21 @1us rot n1
        e22 @1us disk-error n1 of=sync after=2 times=1 for=3s outage=1s
        e23 @1us lose-disk n1 outage=1s
        e24 @1us ruin n1 how=lost-write
        e25 @1us old-image most-prominent for=5s outage=1s
        e26 @n1:leads rot n1
        e27 @any:takes-snapshot#3+30ms rot n1
        e28 @e27:begins rot n1
        e29 @e1:ends+1us rot n1
        e30 @n1:leads#2 since=e28:begins rot n1
        e31 @any:leads+1s since=e1:ends partition ring for=1s"
        .replace("        ", "");
    let text = format!("squall-scenario 1{file}\n");
    let scenario = parse(&text, "faults.scn").expect("every line is right");
    assert_eq!(scenario.to_string(), text);
    let kinds: BTreeSet<u8> = scenario.events.iter().map(|event| event.fault.kind()).collect();
    assert_eq!(kinds.len(), Fault::NAMES.len());
}

#[test]
fn keys_come_in_any_order_and_comments_and_empty_lines_anywhere() {
    let text = "squall-scenario 1\n# a note\n#\n\n\te1 @1500us crash-all  outage=3000ms kind=power \n  # not a note\nexpect passed";
    let scenario = parse(text, "by-hand.scn").expect("it is right");
    let expected =
        "squall-scenario 1\n# a note\n#\ne1 @1500us crash-all kind=power outage=3s\nexpect passed\n";
    assert_eq!(scenario.to_string(), expected);
}

#[test]
fn notes_may_stand_before_the_version() {
    let text = "# a note\n\n  # another\nsquall-scenario 1\n# a third\nprocesses count=65\n";
    let scenario = parse(text, "notes.scn").expect("it is right");
    assert_eq!(scenario.notes, ["a note", "another", "a third"]);
    let misfit = scenario.parameters().expect_err("there are not so many").at(text, "notes.scn");
    assert_eq!((misfit.line, misfit.column), (6, 11));
}

#[test]
fn a_line_that_has_no_effect_in_any_run_is_pointed_at() {
    let effects = |lines: &str| {
        let text = format!("squall-scenario 1\nlimits safety=3s\n{lines}");
        let said = parse(&text, "x.scn").expect("well-formed").check_effects();
        said.map_err(|misfit| misfit.at(&text, "x.scn").to_string())
    };
    let errors = [
        "e7 @3000ms rot n0",
        "e1 @1s rot n0\ne7 @1s clog links=n0>n1,n1>n11,n1>n1 for=1s",
        "net n0>n1#1 loss=1\nnet n1>n1#1 loss=1",
        "wire n2>n2#1 damage=1",
    ]
    .map(|lines| format!("{lines}\n  {}", effects(lines).expect_err(lines)));
    insta::assert_snapshot!(errors.join("\n"));
    assert_eq!(
        effects("e7 @2999999us rot n0\ne8 @e7:begins+3s rot n0\nnet n1>n2#1 loss=1\ndisk n1#1 latency=3"),
        Ok(())
    );
    let unstated = parse("squall-scenario 1\ne7 @900s rot n0\n", "x.scn").expect("well-formed");
    assert_eq!(unstated.check_effects(), Ok(()), "how long the storm is, the file does not say");
}

#[test]
fn what_strikes_when_the_storm_is_over_goes_with_what_waits_for_it() {
    let lines =
        "limits safety=3s\ne1 @1s rot n0\ne2 @3s rot n0\ne3 @e2:begins rot n0\ne4 @n1:leads+9s rot n0\n";
    let mut scenario = parse(&format!("squall-scenario 1\n{lines}"), "x.scn").expect("well-formed");
    scenario.drop_late();
    assert_eq!(scenario.events.iter().map(|event| event.id).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(scenario.check_effects(), Ok(()));
}

#[test]
fn a_section_may_be_called_like_a_purpose() {
    let text = "squall-scenario 1\ndisk latency=3us\ndisk n2#5 latency=3\n";
    let scenario = parse(text, "disk.scn").expect("a section and a decision");
    assert_eq!((scenario.sections.len(), scenario.decisions.len()), (1, 1));
    assert_eq!(scenario.to_string(), text);
}

#[test]
fn an_error_says_where_it_is_and_what_would_be_right() {
    let lines = [
        "e1 @2s crsh n1",
        "e1 2s crash n1",
        "e1 @99999999999999s crash-all kind=power outage=1s",
        "e99999999999 @1s crash-all kind=power outage=1s",
        "e1 @n1 crash-all kind=power outage=1s",
        "e1 @n64:leads crash-all kind=power outage=1s",
        "e1 @nobody:leads crash-all kind=power outage=1s",
        "e1 @n1:le/ads crash-all kind=power outage=1s",
        "e1 @n1:leads#0 crash-all kind=power outage=1s",
        "e1 @n1:leads#two crash-all kind=power outage=1s",
        "e1 @n1:leads+30 crash-all kind=power outage=1s",
        "e1 @n1:leads#2+ crash-all kind=power outage=1s",
        "e1 n1:leads crash-all kind=power outage=1s",
        "e1 @e2:stops crash-all kind=power outage=1s",
        "e1 @e99999999999:begins crash-all kind=power outage=1s",
        "e1 @2s since=e2:begins crash-all kind=power outage=1s",
        "e1 @e2:begins since=e3:begins crash-all kind=power outage=1s",
        "e1 @n1:leads since=e2 crash-all kind=power outage=1s",
        "e1 @n1:leads since=e2:begins since=e3:ends crash-all kind=power outage=1s",
        "e1 @2s crash kind=power outage=1s",
        "e1 @2s crash n64 kind=power outage=1s",
        "e1 @2s crash n1 kind=electric outage=1s",
        "e1 @2s crash n1 kind=power outage=1",
        "e1 @2s crash n1 kind=power",
        "e1 @2s crash",
        "e1 @2s partition",
        "e1 @2s pause n1",
        "e1 @2s disk-error n1 after=1 for=1s",
        "e1 @2s crash n1 kind=power outage=1s outtage=2s",
        "e1 @2s crash n1 kind=power outage=1s outage=2s",
        "e1 @2s crash n1 kind=power outage=1s after-disk-operations=0",
        "e1 @2s partition for=1s",
        "e1 @2s partition isolate=n1 inbound=n1 for=1s",
        "e1 @2s flapping ring down=0us up=1ms for=1s",
        "e1 @2s swizzle clog=n0,n1 free=n0,n2 step=1ms",
        "e1 @2s clock-rate n1 rate=0/1",
        "e1 @2s clock-rate n1 rate=1/0",
        "e1 @2s clock-jump n1 wall=--1s",
        "net n0-n1#4 delay=3",
        "net n0>n1#4",
        "net n0>n1#4 delay=-3",
        "net n0>n1#4 delay=3 delay=4",
        "cluster voters=3 voters=5",
        "cluster voters",
        "clüster voters=3",
        "expect trouble",
        "expect failed",
        "hash 12",
        "e7 @1s crash-all kind=power outage=1s\ne7 @1s crash-all kind=power outage=1s",
        "net 3#4 x=1\nnet n0>n3#4 y=1",
        "expect passed\nexpect passed",
        "cluster a=1\n\ncluster b=1",
        "hash 0f1e2d3c4b5a69788796a5b4c3d2e1f0\n# twice\nhash 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "f1 @1s rot n1",
        "E1 @n1:leads rot n1",
        "nett n0>n1#4 delay=3",
    ];
    let error_of = |text: &str| parse(text, "bad.scn").expect_err(text).to_string();
    let mut errors: Vec<String> = [
        "",
        "hello",
        "squall-scenario 2",
        "squall-scenario 1 x",
        "# a note\n",
        "# a note\n\nprocesses count=3",
    ]
    .map(error_of)
    .to_vec();
    errors.extend(
        lines.iter().map(|line| format!("{line}\n  {}", error_of(&format!("squall-scenario 1\n{line}")))),
    );
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn parameters_survive_their_sections() {
    let mut parameters = Parameters::calm(5, 2);
    parameters.network.fifo = true;
    parameters.disks[3].latency.sync_us_mean = 20_000;
    parameters.clocks[4].rate = Ratio::new(3, 2);
    assert_eq!(parameters_from(&sections_of(&parameters)), Ok(parameters));
}

#[test]
fn what_a_section_does_not_state_is_calm_and_what_nobody_asked_for_is_an_error() {
    assert_eq!(parameters_of("processes count=5\nlimits safety=60s"), Ok(Parameters::calm(5, 1)));
    let errors = [
        "network los=1/2",
        "network loss=half",
        "network loss=3/2",
        "network fifo=1",
        "disk file=0:0:0",
        "disk file=1:2",
        "processes count=65",
        "n1 rate=1/5000",
        "n3 rate=1/1",
        "n01 rate=1/1",
        "clients count=10001",
        "limits liveness=1s core_size=4",
        "limits liveness=1s",
    ]
    .map(|line| format!("{line}\n  {}", parameters_of(line).expect_err(line)));
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn what_concerns_somebody_whom_there_is_not_is_an_error_on_its_own_line() {
    let (three, nobody) = ("processes count=3\n", "clients count=0\n");
    for (line, error) in [
        ("e3 @1s clog split=n0,n3 for=1s", "x.scn:4:22: event e3: there is no n3; expected `n0` to `n2`"),
        ("e30 @1s swizzle clog=n1,n30,n3 free=n3,n1,n30 step=1s", "x.scn:4:25: event e30: there is no n30;"),
        ("e3 @1s rot n9", "x.scn:4:12: event e3: there is no n9;"),
        ("net n0>n2#1 delay=1\nnet n0>n3#1 delay=1", "x.scn:5:5: decision `net n0>n3#1`: there is no n3;"),
        ("wire n7>n1#1 x=1", "x.scn:4:6: decision `wire n7>n1#1`: there is no n7;"),
        ("disk n3#1 x=1", "x.scn:4:6: decision `disk n3#1`: there is no n3;"),
        ("crash n3.0#1.2.3 x=1", "x.scn:4:7: decision `crash n3.0#1.2.3`: there is no n3;"),
        ("disk n3#1 x=1\ndisk file=1:1:1", "x.scn:4:6: decision `disk n3#1`: there is no n3;"),
        (
            "disk n2#1 latencyy=1",
            "x.scn:4:6: decision `disk n2#1`: `latencyy` is not known; expected one of `latency`",
        ),
        (
            "core 0#0 membr=1",
            "x.scn:4:6: decision `core 0#0`: `membr` is not known; expected one of `member`",
        ),
        ("client c0#1 x=1", "x.scn:4:8: decision `client c0#1`: there is no c0; expected nobody"),
        ("client-link c1#1 x=1", "x.scn:4:13: decision `client-link c1#1`: there is no c1;"),
    ] {
        let said = parameters_of(&format!("{three}{nobody}{line}")).expect_err(line);
        assert!(said.starts_with(error), "{said}");
    }
    let text = "processes count=4\nclients count=2\ne3 @1s clog split=n0,n3 for=1s\nnet n0>n3#1 loss=1\nclient c1#1 x=1";
    assert_eq!(parameters_of(text), Ok(Parameters::calm(4, 2)));
}

#[test]
fn an_anchor_that_no_run_can_reach_is_an_error_where_it_stands() {
    let known = ["leads", "follows"];
    let error_of = |lines: &str| {
        let text = format!("squall-scenario 1\nprocesses count=3\n{lines}");
        let scenario = parse(&text, "x.scn").expect("well-formed");
        let said = scenario.parameters().and_then(|_| scenario.check_milestones(&known));
        said.map_err(|misfit| misfit.at(&text, "x.scn").to_string())
    };
    let errors = [
        "e1 @n3:leads rot n0",
        "e1 @n1:leeds rot n0",
        "e1 @e2:begins rot n0",
        "e1 @n1:leads   since=e2:ends rot n0",
        "e1 @1s rot n0\ne2 @e1:ends rot n0",
        "e1 @1s rot n0\ne2 @n1:leads since=e1:ends rot n0",
        "e1 @e1:begins rot n0",
        "e1 @1s rot n1\ne2 @e3:begins rot n0\ne3 @n0:leads since=e4:begins rot n0\ne4 @e3:begins rot n0",
    ]
    .map(|lines| format!("{lines}\n  {}", error_of(lines).expect_err(lines)));
    insta::assert_snapshot!(errors.join("\n"));
    let chain = "e9 @1s clog ring for=1s\ne2 @e9:ends rot n0\ne5 @n2:follows since=e2:begins rot n0\ne7 @e2:begins rot n1";
    assert_eq!(error_of(chain), Ok(()));
}

/// A name that is missing in the table would make a recorded run one that cannot be read.
#[test]
fn every_decision_that_the_simulator_draws_has_a_name_that_a_scenario_may_use() {
    let sources = [
        include_str!("../disk/crash.rs"),
        include_str!("../disk/issue.rs"),
        include_str!("../disk/tear.rs"),
        include_str!("../network.rs"),
        include_str!("../world/act.rs"),
        include_str!("../world/calls.rs"),
        include_str!("../world/phases.rs"),
    ];
    let known: Vec<&str> =
        Purpose::ALL.into_iter().flat_map(|purpose| decision::fields(purpose).iter().copied()).collect();
    let calls = [".range(\"", ".chance(\"", ".pick(\"", ".bits(\"", "draw, \""];
    let drawn = |source: &'static str| {
        calls
            .into_iter()
            .flat_map(move |call| source.split(call).skip(1))
            .filter_map(|rest| rest.split('"').next())
    };
    let drawn: Vec<&str> = sources.into_iter().flat_map(drawn).collect();
    assert!(drawn.len() >= 25, "only {} were found", drawn.len());
    for field in drawn {
        assert!(known.contains(&field), "`{field}` is drawn, and a scenario may not state it");
    }
}

/// Reads the parameters of a scenario of these lines, which is well-formed.
fn parameters_of(lines: &str) -> Result<Parameters, String> {
    let text = format!("squall-scenario 1\n{lines}");
    let scenario = parse(&text, "x.scn").expect("well-formed");
    scenario.parameters().map_err(|misfit| misfit.at(&text, "x.scn").to_string())
}

fn any_process() -> impl Strategy<Value = ProcessId> {
    (0..64_u32).prop_map(ProcessId)
}

fn any_target() -> impl Strategy<Value = Target> {
    prop_oneof![Just(Target::MostProminent), any_process().prop_map(Target::Process)]
}

fn any_set() -> impl Strategy<Value = ProcessSet> {
    any::<u64>().prop_map(ProcessSet)
}

fn any_kind() -> impl Strategy<Value = CrashKind> {
    prop::sample::select(vec![CrashKind::Process, CrashKind::PowerLoss])
}

fn any_cut() -> impl Strategy<Value = Cut> {
    let link = (any_process(), any_process()).prop_map(|(from, to)| Link { from, to });
    prop_oneof![
        any_target().prop_map(Cut::Isolate),
        any_target().prop_map(Cut::Inbound),
        any_target().prop_map(Cut::Outbound),
        any_set().prop_map(Cut::Split),
        (any_process(), any_set()).prop_map(|(bridge, side)| Cut::Bridge { bridge, side }),
        Just(Cut::Ring),
        prop::collection::vec(link, 0..5).prop_map(Cut::Links),
    ]
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let us = any::<u64>;
    let swizzle = (any::<u64>(), us()).prop_flat_map(|(set, step_us)| {
        let clog: Vec<ProcessId> = ProcessSet(set).iter().collect();
        Just(clog.clone()).prop_shuffle().prop_map(move |free| Fault::Swizzle {
            clog: clog.clone(),
            free,
            step_us,
        })
    });
    let when = prop_oneof![Just(CrashWhen::Now), (1_u64..).prop_map(CrashWhen::AfterDiskOperations)];
    let crash = (any_target(), any_kind(), when, us())
        .prop_map(|(process, kind, when, outage_us)| Fault::Crash { process, kind, when, outage_us });
    let crash_loop = (any_target(), any_kind(), any::<u32>(), us(), us()).prop_map(
        |(process, kind, times, up_us, outage_us)| Fault::CrashLoop {
            process,
            kind,
            times,
            up_us,
            outage_us,
        },
    );
    let clock = prop::sample::select(vec![PausedClock::Running, PausedClock::Frozen]);
    let failures = vec![DiskFailure::Read, DiskFailure::Write, DiskFailure::Sync, DiskFailure::Space];
    let failure = prop::sample::select(failures);
    let disk_error = (any_target(), failure, us(), us(), us(), 1_u64..).prop_map(
        |(process, failure, after, times, duration_us, outage_us)| Fault::DiskError {
            process,
            failure,
            after,
            times,
            duration_us,
            outage_us,
        },
    );
    prop_oneof![
        (any_cut(), us()).prop_map(|(cut, duration_us)| Fault::Partition { cut, duration_us }),
        (any_cut(), us()).prop_map(|(cut, duration_us)| Fault::Clog { cut, duration_us }),
        (any_cut(), 1_u64.., 1_u64.., us()).prop_map(|(cut, down_us, up_us, duration_us)| {
            Fault::Flapping { cut, down_us, up_us, duration_us }
        }),
        swizzle,
        crash,
        (any_kind(), us()).prop_map(|(kind, outage_us)| Fault::CrashAll { kind, outage_us }),
        crash_loop,
        (any_target(), us(), clock).prop_map(|(process, duration_us, clock)| Fault::Pause {
            process,
            duration_us,
            clock
        }),
        (any_target(), us()).prop_map(|(process, duration_us)| Fault::DiskStall { process, duration_us }),
        any_target().prop_map(|process| Fault::Rot { process }),
        (any_target(), us()).prop_map(|(process, outage_us)| Fault::LoseDisk { process, outage_us }),
        disk_error,
        (any_target(), prop::sample::select(vec![Ruin::Rot, Ruin::MisdirectedWrite, Ruin::LostPair]))
            .prop_map(|(process, how)| Fault::Ruin { process, how }),
        (any_target(), us(), us()).prop_map(|(process, duration_us, outage_us)| Fault::OldImage {
            process,
            duration_us,
            outage_us
        }),
        (any_target(), us()).prop_map(|(process, command)| Fault::Administer { process, command }),
        (any_process(), 1..1_000_u32, 1..1_000_u32)
            .prop_map(|(process, num, den)| { Fault::ClockRate { process, rate: Ratio { num, den } } }),
        (any_process(), any::<i64>())
            .prop_map(|(process, wall_delta_us)| Fault::ClockJump { process, wall_delta_us }),
        (any_process(), us()).prop_map(|(process, duration_us)| Fault::ClockFreeze { process, duration_us }),
    ]
}

fn any_anchor() -> impl Strategy<Value = Anchor> {
    let turn = || prop_oneof![any::<u32>().prop_map(Turn::Begins), any::<u32>().prop_map(Turn::Ends)];
    let who = prop::option::of(any_process());
    let passed = ("[A-Za-z0-9_-]{1,12}", who, 1_u32.., prop::option::of(turn()));
    let passed =
        passed.prop_map(|(milestone, process, nth, since)| Anchor::Passed { milestone, process, nth, since });
    prop_oneof![passed, turn().prop_map(Anchor::Turned)]
}

fn any_decisions() -> impl Strategy<Value = Vec<Decision>> {
    let key = (prop::sample::select(Purpose::ALL.to_vec()), any::<u64>(), any::<u64>(), any::<bool>());
    let key =
        key.prop_map(|(purpose, a, b, small)| DrawKey { purpose, a: if small { a % 64 } else { a }, b });
    let fields = prop::collection::btree_map("[a-z_]{1,12}", any::<u64>(), 1..4);
    prop::collection::btree_map(key, fields, 0..20).prop_map(|decided| {
        let of_one = |(key, fields): (DrawKey, std::collections::BTreeMap<String, u64>)| {
            fields.into_iter().map(move |(field, value)| Decision { key, field: field.into(), value })
        };
        decided.into_iter().flat_map(of_one).collect()
    })
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    let note = "[^\\s]([ -~]{0,30}[^\\s])?|";
    let values = prop::collection::btree_map("[A-Za-z0-9_-]{1,8}", "[^\\s\\p{Cc}]{0,10}", 0..4);
    let sections =
        prop::collection::btree_map("[a-df-rt-z][a-z0-9_]{0,8}", values, 0..4).prop_map(|sections| {
            let section = |(name, values): (String, _)| Section { name, values: Vec::from_iter(values) };
            let reserved = |section: &Section| section.name != "hash" && section.name != "expect";
            sections.into_iter().map(section).filter(reserved).collect()
        });
    let event = (prop::option::of(any_anchor()), 0..=Time::END.0, any_fault());
    let events = prop::collection::btree_map(any::<u32>(), event, 0..8).prop_map(|events| {
        let event = |(id, (after, at, fault))| FaultEvent { id, after, at: Time(at), fault };
        events.into_iter().map(event).collect()
    });
    let expected = prop_oneof![
        Just(None),
        Just(Some(Expected::Passed)),
        "[A-Za-z]{1,20}".prop_map(|class| Some(Expected::Failed(class))),
    ];
    let words = prop::collection::vec("[!-~]{1,9}", 1..4);
    let steps = prop::collection::btree_map(any::<u32>(), words, 0..4)
        .prop_map(|steps| steps.into_iter().map(|(id, words)| Step { id, words }).collect());
    let notes = prop::collection::vec(note, 0..3);
    (notes, sections, events, any_decisions(), steps, expected, any::<Option<u128>>()).prop_map(
        |(notes, sections, events, decisions, steps, expected, hash)| Scenario {
            notes,
            sections,
            events,
            decisions,
            steps,
            expected,
            hash,
        },
    )
}

proptest! {
    #[test]
    fn any_scenario_survives_its_text(scenario in any_scenario()) {
        prop_assert_eq!(parse(&scenario.to_string(), "any.scn"), Ok(scenario));
    }

    #[test]
    fn any_text_is_answered(text in "(squall-scenario 1\n)?(\\PC|\n){0,200}") {
        let _ = parse(&text, "any.scn");
    }

    #[test]
    fn a_mutated_scenario_is_refused_or_is_another_that_survives(
        place: prop::sample::Index, cut in 0_usize..6, insert in "[a-z0-9=#@> \n,:/-]{0,6}",
    ) {
        let text = sample().to_string();
        let place = place.index(text.len());
        let end = (place + cut).min(text.len());
        let mutated = format!("{}{insert}{}", &text[..place], &text[end..]);
        match parse(&mutated, "mutated.scn") {
            Ok(scenario) => {
                prop_assert_eq!(parse(&scenario.to_string(), "again.scn"), Ok(scenario.clone()));
                let _ = parameters_from(&scenario.sections);
            }
            Err(error) => {
                let lines = mutated.lines().count().max(1);
                prop_assert!((1..=lines).contains(&error.line) && error.column >= 1, "{}", error);
            }
        }
    }
}
