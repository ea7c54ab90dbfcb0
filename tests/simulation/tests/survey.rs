use simulation::world::run;
#[test]
fn survey() {
    let range = std::env::var("RANGE").unwrap_or("1-600".into());
    let (a, b) = range.split_once('-').unwrap();
    let (a, b): (u64, u64) = (a.parse().unwrap(), b.parse().unwrap());
    let kinds = std::sync::Mutex::new(std::collections::BTreeMap::new());
    let next = std::sync::atomic::AtomicU64::new(a);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed > b {
                        break;
                    }
                    for f in run(seed, None).findings {
                        let k: String = f.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
                        let mut g = kinds.lock().unwrap();
                        let v = g.entry(k).or_insert_with(Vec::new);
                        if v.last() != Some(&seed) {
                            v.push(seed);
                        }
                    }
                }
            });
        }
    });
    for (k, v) in kinds.into_inner().unwrap() {
        println!("{} {k} {:?}", v.len(), &v[..v.len().min(12)]);
    }
}
#[test]
fn one() {
    let seed: u64 = std::env::var("SEED").unwrap().parse().unwrap();
    for f in run(seed, None).findings {
        println!("{f}");
    }
}
