//! Time per commit of each library, for each size of command and number of commands outstanding.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use squall_bench::{Load, cluster};

fn commits(criterion: &mut Criterion) {
    for payload_bytes in [16, 256, 4096] {
        for outstanding in [1, 64, 256] {
            let mut group =
                criterion.benchmark_group(format!("{payload_bytes} bytes, {outstanding} outstanding"));
            group.throughput(Throughput::Elements(outstanding));
            for mut cluster in cluster::all(payload_bytes) {
                group.bench_function(cluster.name(), |bencher| {
                    let load = Load { payload_bytes, outstanding, commits: outstanding };
                    bencher.iter(|| cluster.run(load));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, commits);
criterion_main!(benches);
