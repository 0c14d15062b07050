//! What a core costs while nothing happens.

use criterion::{Criterion, criterion_group, criterion_main};
use squall_bench::cluster;

fn idle_tick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick of a follower at rest");
    for mut cluster in cluster::all(16) {
        if cluster.tick_idle_follower(1) {
            group.bench_function(cluster.name(), |bencher| bencher.iter(|| cluster.tick_idle_follower(1)));
        }
    }
    group.finish();
}

criterion_group!(benches, idle_tick);
criterion_main!(benches);
