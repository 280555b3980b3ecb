#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::sync::mpsc::channel;
use std::thread;

use super::*;
use crate::catalog::Api;

fn catalog(id: &str) -> Catalog {
    Catalog::builder().api(Api::new(id, "")).build().unwrap()
}

fn publish(published: &Live, id: &str) -> u64 {
    let next: Result<u64, Infallible> = published.update(|_| Ok(catalog(id)));
    next.unwrap()
}

fn id_of(catalog: &Catalog) -> String {
    catalog.apis().next().unwrap().id().to_owned()
}

#[test]
fn a_thread_gets_its_own_handle_again_and_no_other_threads() {
    let published = Live::new(catalog("a"));
    let mine = published.load();
    assert!(Arc::ptr_eq(&mine, &published.load()));
    let theirs = thread::scope(|scope| scope.spawn(|| published.load()).join().unwrap());
    assert!(!Arc::ptr_eq(&mine, &theirs));
    assert!(std::ptr::eq(mine.definitions(), theirs.definitions()));
}

#[test]
fn a_handle_stays_what_it_was_and_the_next_one_is_new() {
    let published = Live::new(catalog("a"));
    let before = published.load();
    assert_eq!(publish(&published, "b"), 2);
    assert_eq!(publish(&published, "c"), 3);
    assert_eq!(id_of(&before), "a");
    assert_eq!(id_of(&published.load()), "c");
    assert_eq!(id_of(&published.snapshot()), "c");
}

#[test]
fn a_refused_change_changes_nothing() {
    let published = Live::new(catalog("a"));
    let before = published.load();
    assert_eq!(published.update(|_| Err("no")), Err("no"));
    assert!(Arc::ptr_eq(&before, &published.load()));
    assert_eq!(publish(&published, "b"), 2);
}

#[test]
fn an_old_version_is_freed_with_its_last_request_even_if_idle_threads_read_it() {
    let published = Live::new(catalog("a"));
    let version = Arc::downgrade(&published.current.load_full());
    let request = published.load();
    let (read, has_read) = channel();
    let (wake, asleep) = channel::<()>();
    thread::scope(|scope| {
        let published = &published;
        scope.spawn(move || {
            let handle = Arc::downgrade(&published.load());
            read.send(handle).unwrap();
            // Idle: what it remembers of the version stays in the thread.
            let _ = asleep.recv();
            assert_eq!(id_of(&published.load()), "b");
        });
        let idle = has_read.recv().unwrap();
        assert!(idle.upgrade().is_some(), "it is the current one");
        publish(published, "b");
        assert!(version.upgrade().is_none());
        assert!(idle.upgrade().is_none());
        let under_way = Arc::downgrade(&request);
        assert_eq!(id_of(&request), "a");
        drop(request);
        assert!(under_way.upgrade().is_none());
        drop(wake);
    });
}

#[test]
fn all_is_freed_with_the_cell() {
    let published = Live::new(catalog("a"));
    let handle = Arc::downgrade(&published.load());
    drop(published);
    assert!(handle.upgrade().is_none());
}

#[test]
fn threads_that_ended_leave_no_more_than_a_few_handles() {
    let published = Live::new(catalog("a"));
    let mine = published.load();
    for _ in 0..3 * HANDLES {
        thread::scope(|scope| {
            scope.spawn(|| drop(published.load())).join().unwrap();
        });
    }
    let version = published.current.load_full();
    assert!(lock(&version.handles).len() <= HANDLES);
    assert!(
        Arc::ptr_eq(&mine, &published.load()),
        "a living thread's stays"
    );
}

#[test]
fn more_cells_than_a_thread_remembers_do_not_mix() {
    let cells: Vec<Live> = (0..2 * REMEMBERED)
        .map(|n| Live::new(catalog(&n.to_string())))
        .collect();
    for round in 0..3 {
        for (n, cell) in cells.iter().enumerate() {
            assert_eq!(id_of(&cell.load()), format!("{}", n + round * 100));
            publish(cell, &format!("{}", n + (round + 1) * 100));
        }
    }
    REMEMBER.with_borrow(|remembered| assert_eq!(remembered.len(), REMEMBERED));
}

#[test]
fn a_change_that_panics_leaves_the_version_and_the_next_change_alone() {
    let published = Live::new(catalog("a"));
    let panicking = thread::scope(|scope| {
        let change =
            || published.update(|_| -> Result<Catalog, Infallible> { panic!("on purpose") });
        scope.spawn(change).join()
    });
    assert!(panicking.is_err());
    assert_eq!(id_of(&published.load()), "a");
    assert_eq!(publish(&published, "b"), 2);
    assert_eq!(id_of(&published.load()), "b");
}
