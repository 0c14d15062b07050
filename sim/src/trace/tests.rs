//! What a trace promises: every difference shows in the hash, is found, and survives a file.

use proptest::prelude::*;

use super::*;

const BASE: Record = Record {
    step: 7,
    time_us: 1_500,
    process: 2,
    kind: RecordKind::Delivered,
    cause: 3,
    a: 1,
    b: 4,
    digest: 0xfeed,
};

fn header() -> Header {
    Header { program: "0.1.0".into(), profile: "storm \"x\"\n".into(), seed: 9 }
}

fn recorded(keep: Keep, records: &[Record]) -> Trace {
    let mut recorder = Recorder::new(keep);
    records.iter().for_each(|record| recorder.record(*record));
    recorder.into_trace(header())
}

/// A run of `count` steps in which step `odd` is unlike in any other run.
fn run(count: u64, odd: Option<u64>) -> Vec<Record> {
    let record = |step| Record { step, cause: step / 2, b: u64::from(odd == Some(step)), ..BASE };
    (1..=count).map(record).collect()
}

#[test]
fn every_field_of_a_record_counts_in_the_hash() {
    let variants = [
        BASE,
        Record { step: 8, ..BASE },
        Record { time_us: 1_501, ..BASE },
        Record { process: 3, ..BASE },
        Record { kind: RecordKind::Cut, ..BASE },
        Record { cause: 4, ..BASE },
        Record { a: 2, ..BASE },
        Record { b: 5, ..BASE },
        Record { digest: 0, ..BASE },
    ];
    let hashes: std::collections::BTreeSet<u128> =
        variants.iter().map(|record| recorded(Keep::Hash, &[*record]).hash).collect();
    assert_eq!(hashes.len(), variants.len());
}

#[test]
fn the_order_of_records_counts_and_keeping_them_does_not() {
    let (first, second) = (BASE, Record { step: 8, ..BASE });
    let forward = recorded(Keep::Hash, &[first, second]);
    assert_ne!(forward.hash, recorded(Keep::Hash, &[second, first]).hash);
    assert_eq!(forward.hash, recorded(Keep::Records, &[first, second]).hash);
}

#[test]
fn the_hash_of_a_known_run_never_changes() {
    assert_eq!(format!("{:032x}", recorded(Keep::Hash, &run(3_000, None)).hash), KNOWN_HASH);
}

/// A change here makes every hash ever written down worthless; it needs a new scenario version.
const KNOWN_HASH: &str = "b0d31de2971bd0e7c554346abeac50df";

#[test]
fn kinds_are_numbered_in_order_and_have_names_of_their_own() {
    let names: std::collections::BTreeSet<&str> = RecordKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), RecordKind::ALL.len());
    assert!(RecordKind::ALL.iter().enumerate().all(|(number, kind)| *kind as usize == number));
}

#[test]
fn a_disk_operation_without_a_file_is_told_without_one() {
    let record = |b| Record { kind: RecordKind::DiskCompleted, b, ..BASE };
    assert!(record(0).to_string().contains("operation=1 file=0"));
    for without in [record(NO_FILE).to_string(), json_of(record(NO_FILE))] {
        assert!(without.contains("operation") && !without.contains("file"), "{without}");
    }
}

fn json_of(record: Record) -> String {
    let mut lines = String::new();
    write_json_lines(&recorded(Keep::Records, &[record]), &mut lines).expect("a string takes all");
    lines.lines().last().expect("the record has a line").to_owned()
}

#[test]
fn equal_runs_have_no_first_difference() {
    assert_eq!(
        diff(&recorded(Keep::Records, &run(5_000, None)), &recorded(Keep::Hash, &run(5_000, None))),
        None
    );
}

#[test]
fn the_first_difference_is_shown_from_both_sides_with_its_cause() {
    let left = recorded(Keep::Records, &run(5_000, None));
    let right = recorded(Keep::Records, &run(5_000, Some(3_001)));
    let divergence = diff(&left, &right).expect("record 3,000 differs");
    insta::assert_snapshot!(divergence);
}

#[test]
fn a_run_that_ended_early_differs_where_it_ended() {
    let (short, long) =
        (recorded(Keep::Records, &run(2_048, None)), recorded(Keep::Records, &run(2_049, None)));
    let Some(Divergence::At { place: 2_048, left: None, right: Some(side) }) = diff(&short, &long) else {
        panic!("the shorter run has ended: {:?}", diff(&short, &long));
    };
    assert_eq!(side.record.step, 2_049);
}

#[test]
fn without_records_the_difference_is_narrowed_to_one_stretch() {
    let left = recorded(Keep::Hash, &run(5_000, None));
    let right = recorded(Keep::Hash, &run(5_000, Some(3_001)));
    assert_eq!(diff(&left, &right), Some(Divergence::Between { first: 2_048, last: 3_071 }));
}

#[test]
fn json_lines_name_what_the_kind_means() {
    let records =
        [BASE, Record { process: NO_PROCESS, kind: RecordKind::PhaseBegan, cause: 0, digest: 0, ..BASE }];
    let mut text = String::new();
    write_json_lines(&recorded(Keep::Records, &records), &mut text).expect("memory takes everything");
    insta::assert_snapshot!(text);
}

#[test]
fn a_file_that_is_no_trace_is_refused_with_the_place_and_what_is_right() {
    let good = write(&recorded(Keep::Records, &run(3, None)));
    let mut other_version = good.clone();
    other_version[8] = 9;
    let mut damaged = good.clone();
    *damaged.last_mut().expect("not empty") ^= 1;
    let cases: [&[u8]; 6] =
        [b"", b"hello, this is some text", &other_version, &good[..good.len() - 1], &damaged, &good[..20]];
    let errors: Vec<String> =
        cases.iter().map(|bytes| read(bytes).expect_err("garbage").to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_count_beyond_the_file_is_refused_before_memory_is_asked_for() {
    let good = write(&recorded(Keep::Hash, &[]));
    let (body, end) = (28, good.len());
    let mut huge = good[..end - 1].to_vec(); // without the count of records, which was 0
    huge.push(253); // bincode: a u64 follows
    huge.extend_from_slice(&u64::MAX.to_le_bytes());
    let (length, checksum) = ((huge.len() - body) as u64, xxhash_rust::xxh3::xxh3_64(&huge[body..]));
    huge[12..20].copy_from_slice(&length.to_le_bytes());
    huge[20..28].copy_from_slice(&checksum.to_le_bytes());
    let error = read(&huge).expect_err("no file holds so many").to_string();
    assert!(error.contains("18446744073709551615 records"), "{error}");
}

fn any_record() -> impl Strategy<Value = Record> {
    let kind = prop::sample::select(RecordKind::ALL);
    (any::<[u64; 5]>(), any::<u32>(), kind, any::<u64>()).prop_map(
        |([step, time_us, cause, a, b], process, kind, digest)| Record {
            step,
            time_us,
            process,
            kind,
            cause,
            a,
            b,
            digest,
        },
    )
}

proptest! {
    #[test]
    fn a_trace_survives_its_file(records in prop::collection::vec(any_record(), 0..2_100), kept: bool) {
        let trace = recorded(if kept { Keep::Records } else { Keep::Hash }, &records);
        prop_assert_eq!(read(&write(&trace)), Ok(trace));
    }

    #[test]
    fn one_damaged_byte_never_passes(
        records in prop::collection::vec(any_record(), 0..20), place: prop::sample::Index, flip in 1_u8..,
    ) {
        let mut file = write(&recorded(Keep::Records, &records));
        let place = place.index(file.len());
        file[place] ^= flip;
        prop_assert!(read(&file).is_err());
    }

    #[test]
    fn any_bytes_behind_a_right_envelope_are_refused_or_read_but_never_panic(body: Vec<u8>) {
        let mut file = b"squalltr\x01\0\0\0".to_vec();
        file.extend_from_slice(&(body.len() as u64).to_le_bytes());
        file.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&body).to_le_bytes());
        file.extend_from_slice(&body);
        if let Ok(trace) = read(&file) {
            prop_assert_eq!(read(&write(&trace)), Ok(trace));
        }
    }

    #[test]
    fn the_first_difference_is_found_wherever_it_is(count in 1_u64..4_000, odd: prop::sample::Index) {
        let odd = odd.index(usize::try_from(count).expect("small")) as u64;
        let left = recorded(Keep::Records, &run(count, None));
        let right = recorded(Keep::Records, &run(count, Some(odd + 1)));
        let Some(Divergence::At { place, .. }) = diff(&left, &right) else {
            return Err(TestCaseError::fail("no difference found"));
        };
        prop_assert_eq!(place, odd);
    }
}
