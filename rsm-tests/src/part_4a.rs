//! Part 4A: without snapshots.

use std::convert::Infallible;
use std::time::Duration;

use labrt::channel::{self, Receiver, RecvTimeoutError};
use labrt::thread;
use labtrace::verdict;
use tester::{Run, Totals};

use crate::cluster::{Cluster, ONE, SERVERS};
use crate::counter::Request;
use crate::subject::Subject;

const ALL: [usize; SERVERS] = [0, 1, 2];

/// Requests are executed, on all servers.
pub(crate) fn basic(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, None);
    for number in 1..=10 {
        cluster.check_inc(number);
        cluster.check_counter(number, SERVERS);
    }
    cluster.finish()
}

/// Requests that are submitted at once are executed once each.
pub(crate) fn concurrent(subject: Subject, run: &Run) -> Totals {
    const INCS: u64 = 50;
    let cluster = Cluster::new(subject, run, None);
    let threads: Vec<_> = (0..INCS)
        .map(|number| {
            let cluster = cluster.clone();
            let name = format!("submitter {number}");
            thread::Builder::new().name(name).spawn(move || cluster.inc())
        })
        .collect();
    let mut replies: Vec<u64> =
        threads.into_iter().map(|thread| thread.join().expect("it fails the run")).collect();
    replies.sort_unstable();
    if !replies.iter().copied().eq(1..=INCS) {
        let words = format!("{INCS} Incs were answered {replies:?}, and not 1 to {INCS}");
        let hint = match replies.is_sorted_by(|one, next| one < next) {
            true => {
                "a request was executed twice, or submit gave an error for one that was executed, which was then \
                 submitted again"
            }
            false => "two submitters got the reply of one request",
        };
        verdict("replies", words).hint(hint).fail();
    }
    cluster.check_counter(INCS, SERVERS);
    cluster.finish()
}

/// A leader that was away executes what it has missed.
pub(crate) fn leader_failure(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, None);
    let value = cluster.inc();
    cluster.check_counter(value, SERVERS);

    let leader = cluster.leader();
    cluster.group().disconnect(leader);
    let value = cluster.inc();
    cluster.check_counter(value, SERVERS - 1);

    cluster.group().connect(leader);
    cluster.check_counter(value, SERVERS);
    cluster.finish()
}

/// What a leader without a majority was given is not executed, and who waits for it is let go.
pub(crate) fn leader_partition(subject: Subject, run: &Run) -> Totals {
    const DECS: usize = 100;
    let cluster = Cluster::new(subject, run, None);
    let value = cluster.inc();
    cluster.check_counter(value, SERVERS);

    let leader = cluster.leader();
    let (majority, minority) = cluster.group().minority_with(leader);
    cluster.group().partition(&[&majority, &minority]);
    // The run's setting may have no cut left.
    let is_split = !cluster.group().reaches(majority[0], leader);
    let below = cluster.clone();
    let decs = at_once(if is_split { DECS } else { 0 }, move || {
        let _ = below.submit(leader, Request::Dec); // a reply fails the run
    });
    thread::sleep(Duration::from_millis(10));
    let value = cluster.inc_at(&majority);
    thread::sleep(Duration::from_secs(1));

    cluster.connect_all();
    check_ends(&decs, Duration::from_secs(1), "the parts were joined");
    cluster.check_counter(value, SERVERS);
    cluster.finish()
}

/// All servers stop and start, and execute their logs again.
pub(crate) fn restart_replay(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, None);
    let value = restart(run, &cluster);
    cluster.check_counter(value, SERVERS);
    cluster.finish()
}

/// A hundred Incs, a restart of all servers, and one more. Returns the value that the counter has then.
fn restart(run: &Run, cluster: &Cluster) -> u64 {
    let mut value = 0;
    for _ in run.rounds(100) {
        value += 1;
        cluster.check_inc(value);
        cluster.check_counter(value, SERVERS);
    }
    cluster.stop_all();
    thread::sleep(Duration::from_secs(1));
    cluster.start_all();
    cluster.check_inc(value + 1);
    thread::sleep(Duration::from_secs(1));
    value + 1
}

/// Who waits is let go when all servers end.
pub(crate) fn shutdown(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, None);
    cluster.check_inc(1); // there is a leader
    stop_submitters(&cluster);
    cluster.finish()
}

/// Submits a hundred Nulls at once, and soon stops all servers. Returns when nobody waits any more.
///
/// The servers are cut off from each other before, so that the Nulls are under way when they stop.
fn stop_submitters(cluster: &Cluster) {
    const NULLS: usize = 100;
    cluster.group().partition(&[&[0], &[1], &[2]]);
    let at = cluster.clone();
    let nulls = at_once(NULLS, move || at.ask_all(&ALL, Request::Null));
    thread::sleep(Duration::from_millis(20));
    cluster.stop_all();
    check_ends(&nulls, ONE + Duration::from_secs(1), "all servers were stopped");
}

/// Replies of before a restart and after it are not mixed up.
pub(crate) fn restart_submit(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, None);
    let value = restart(run, &cluster);
    stop_submitters(&cluster);
    cluster.start_all();
    cluster.check_inc(value + 1);
    cluster.check_counter(value + 1, SERVERS);
    cluster.finish()
}

/// Does the same in so many threads. The channel closes when all have done it.
fn at_once<T: 'static>(
    count: usize,
    work: impl Fn() -> T + Clone + Send + 'static,
) -> Receiver<Infallible> {
    let (done, receiver) = channel::bounded(0);
    for number in 0..count {
        let (work, done) = (work.clone(), done.clone());
        thread::Builder::new().name(format!("submitter {number}")).spawn(move || {
            work();
            drop(done);
        });
    }
    receiver
}

#[track_caller]
fn check_ends(submitters: &Receiver<Infallible>, limit: Duration, since: &str) {
    if submitters.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        let words = format!("somebody still waits in submit {} s after {since}", limit.as_secs());
        verdict("submitters are let go", words)
            .hint(
                "nobody tells them: that another request was executed where theirs was to stand, that \
                 the term has moved on, or that the server is over (the apply channel is closed)",
            )
            .fail();
    }
}
