//! Catalogs at scale: loading a file, memory, one change among many, and the
//! latency of requests while a file is loaded again.
//!
//! `cargo bench --bench catalog [-- SIZES…]`, sizes in subscriptions. Each size
//! runs in a separate process, so that its memory can be measured.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http::StatusCode;
use tower::Layer;
use tower_subscription_key::catalog::State;
use tower_subscription_key::{FileStore, MemoryStore, SubscriptionKeyLayer};

use support::{Carry, Inner, Random};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, size, file] = arguments.as_slice() {
        let (size, file) = (size.parse().unwrap(), Path::new(file));
        match flag.as_str() {
            "--load" => return load(size, file),
            "--refused" => return refused(size, file),
            "--refuse" => return refuse(size, file),
            "--change" => return change(size),
            "--reload" => return reload(size, file),
            _ => {}
        }
    }
    let sizes: Vec<usize> = arguments
        .iter()
        .filter_map(|size| size.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![1_000, 10_000, 100_000, 1_000_000]
    } else {
        sizes
    };
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = sizes
        .iter()
        .map(|size| write(folder.path(), *size))
        .collect();
    println!("| subscriptions | file | load | resident | peak / resident | bytes each |");
    println!("|---:|---:|---:|---:|---:|---:|");
    run("--load", &sizes, &files);
    println!("\n| subscriptions | refused for one mistake | peak |");
    println!("|---:|---:|---:|");
    run("--refused", &sizes, &files);
    println!("\n| subscriptions | one change, median | p99 |");
    println!("|---:|---:|---:|");
    run("--change", &sizes, &files);
    println!("\n| subscriptions | requests | p50 | p99 | p99.9 | slowest |");
    println!("|---:|---|---:|---:|---:|---:|");
    run("--reload", &sizes, &files);
}

fn run(what: &str, sizes: &[usize], files: &[PathBuf]) {
    for (size, file) in sizes.iter().zip(files) {
        let this = std::env::current_exe().unwrap();
        let status = Command::new(this)
            .args([what, &size.to_string()])
            .arg(file)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

/// A catalog file as a fleet's administration writes one: digests, no keys.
fn write(folder: &Path, size: usize) -> PathBuf {
    let path = folder.join(format!("catalog-{size}.json"));
    let mut file = BufWriter::new(File::create(&path).unwrap());
    writeln!(
        file,
        r#"{{"apis":[{{"id":"echo","path":"/echo"}},{{"id":"orders","path":"/orders"}}],"#
    )
    .unwrap();
    writeln!(
        file,
        r#""products":[{{"id":"starter","apis":["echo"]}}],"subscriptions":["#
    )
    .unwrap();
    for number in 0..size as u64 {
        let digest = |key| tower_subscription_key::KeyDigest::of(support::key(key)).to_hex();
        let end = if number + 1 == size as u64 { "]}" } else { "," };
        writeln!(
            file,
            r#"{{"id":"sub-{number:07}","scope":"/products/starter","primary_key":{{"sha256":"{}"}},"secondary_key":{{"sha256":"{}"}}}}{end}"#,
            digest(2 * number),
            digest(2 * number + 1),
        )
        .unwrap();
    }
    file.flush().unwrap();
    path
}

/// A line of `/proc/self/status`, in bytes.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    let kib: f64 = value
        .trim_matches([':', '\t', ' ', 'k', 'B'])
        .trim()
        .parse()
        .unwrap();
    kib * 1024.0
}

fn load(size: usize, path: &Path) {
    let before = memory("VmRSS");
    let start = Instant::now();
    let store = FileStore::builder(path).open_blocking().unwrap();
    let elapsed = start.elapsed();
    let (peak, resident) = (memory("VmHWM") - before, memory("VmRSS") - before);
    assert_eq!(store.catalog().subscription_count(), size);
    let length = path.metadata().unwrap().len();
    println!(
        "| {size} | {:.1} MB | {:.3} s | {:.1} MB | {:.2} | {:.0} |",
        length as f64 / 1e6,
        elapsed.as_secs_f64(),
        resident / 1e6,
        peak / resident,
        resident / size as f64,
    );
}

/// The same file with a misspelt field in the entry in the middle.
fn refused(size: usize, path: &Path) {
    let mut text = std::fs::read_to_string(path).unwrap();
    let field = text[text.len() / 2..].find("scope").unwrap() + text.len() / 2;
    text.replace_range(field..field + 5, "scpoe");
    let path = path.with_file_name("refused.json");
    std::fs::write(&path, text).unwrap();
    let this = std::env::current_exe().unwrap();
    let status = Command::new(this)
        .args(["--refuse", &size.to_string()])
        .arg(&path)
        .status();
    assert!(status.unwrap().success());
}

fn refuse(size: usize, path: &Path) {
    let before = memory("VmRSS");
    let start = Instant::now();
    let error = FileStore::builder(path).open_blocking().unwrap_err();
    let elapsed = start.elapsed();
    let peak = memory("VmHWM") - before;
    assert_eq!(error.document().unwrap().issues().len(), 2, "{error}");
    println!(
        "| {size} | {:.3} s | {:.1} MB |",
        elapsed.as_secs_f64(),
        peak / 1e6
    );
}

fn change(size: usize) {
    let store = MemoryStore::new(support::catalog(size));
    let mut random = Random::new(11);
    let mut samples: Vec<f64> = (0..2_000)
        .map(|_| {
            let changed = support::subscription(random.below(size)).with_state(State::Suspended);
            let start = Instant::now();
            store.put_subscription(changed).unwrap();
            start.elapsed().as_nanos() as f64 / 1e3
        })
        .collect();
    let median = support::quantile(&mut samples, 0.5);
    let slow = support::quantile(&mut samples, 0.99);
    println!("| {size} | {median:.1} µs | {slow:.1} µs |");
}

/// Requests one after the other on one thread, while another loads the file
/// again and again, and while none does.
fn reload(size: usize, path: &Path) {
    let store = FileStore::builder(path).open_blocking().unwrap();
    let mut service = SubscriptionKeyLayer::new(store.clone()).layer(Inner);
    let mut serve = |until: &dyn Fn() -> bool| {
        let mut random = Random::new(13);
        let mut samples = Vec::new();
        while !until() {
            let key = support::key(random.below(2 * size) as u64);
            let request = support::request(&key, Carry::Header, "/echo");
            let start = Instant::now();
            let status = support::drive(&mut service, request);
            samples.push(start.elapsed().as_nanos() as f64 / 1e3);
            assert_eq!(status, StatusCode::OK);
        }
        samples
    };
    let start = Instant::now();
    let mut quiet = serve(&|| start.elapsed().as_secs() >= 3);
    let done = Arc::new(AtomicBool::new(false));
    let loader = std::thread::spawn({
        let done = Arc::clone(&done);
        let path = path.to_owned();
        move || {
            let start = Instant::now();
            let mut times = 0;
            while start.elapsed().as_secs() < 3 {
                // Another text each time: the same one would not be loaded.
                let mut file = File::options().append(true).open(&path).unwrap();
                writeln!(file).unwrap();
                drop(file);
                store.reload_blocking().unwrap();
                times += 1;
            }
            done.store(true, Ordering::Release);
            times
        }
    });
    let mut busy = serve(&|| done.load(Ordering::Acquire));
    let times = loader.join().unwrap();
    let row = |name: &str, samples: &mut Vec<f64>| {
        let [p50, p99, p999, most] = [0.5, 0.99, 0.999, 1.0].map(|q| support::quantile(samples, q));
        println!("| {size} | {name} | {p50:.2} µs | {p99:.2} µs | {p999:.2} µs | {most:.0} µs |");
    };
    row("without a reload", &mut quiet);
    row(&format!("during {times} reloads"), &mut busy);
}
