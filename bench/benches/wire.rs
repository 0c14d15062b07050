//! Encoding and decoding, of the messages that a busy cluster sends.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use squall_raft::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Entries, Entry, LogIndex, LogPosition, Message,
    NodeId, Payload, Session, Term,
};

fn append(entries: u64, payload_bytes: usize) -> Message {
    let entry = |index| Entry {
        term: Term(7),
        index: LogIndex(1_000_000 + index),
        payload: Payload::Command(Bytes::from(vec![0x5a; payload_bytes])),
    };
    message(Body::AppendEntries(AppendEntries {
        session: Session(1),
        prev_log: LogPosition::new(7, 999_999),
        entries: Entries::from((0..entries).map(entry).collect::<Vec<_>>()),
        leader_commit: LogIndex(999_990),
    }))
}

fn message(body: Body) -> Message {
    Message { from: NodeId(1), to: NodeId(2), term: Term(7), body }
}

fn codec(criterion: &mut Criterion) {
    let result = AppendResult::Matched(LogIndex(1_000_000));
    let acknowledgement = AppendEntriesResponse { session: Session(1), result };
    let messages = [
        ("acknowledgement", message(Body::AppendEntriesResponse(acknowledgement))),
        ("1 entry of 256 bytes", append(1, 256)),
        ("64 entries of 256 bytes", append(64, 256)),
        ("64 entries of 4096 bytes", append(64, 4096)),
    ];
    for (name, message) in messages {
        let mut frame = Vec::new();
        squall_wire::encode(&message, &mut frame).expect("the message is small");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(frame.len() as u64));
        let mut out = Vec::with_capacity(frame.len());
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                out.clear();
                squall_wire::encode(black_box(&message), &mut out).is_ok()
            });
        });
        group.bench_function("decode, copying", |bencher| {
            bencher.iter(|| squall_wire::decode(black_box(&frame)).is_ok());
        });
        let shared = Bytes::from(frame);
        group.bench_function("decode, sharing", |bencher| {
            bencher.iter(|| squall_wire::decode_bytes(black_box(&shared)));
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
