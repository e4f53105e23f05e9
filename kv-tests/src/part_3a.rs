//! Part 3A: tests of their own; the others are [generic](crate::generic).

use std::convert::Infallible;
use std::time::Duration;

use kv_clients::appends::{self, element};
use labrt::channel::{self, Receiver, RecvTimeoutError, TryRecvError};
use labrt::thread;
use labrt::time::Instant;
use labtrace::{VerdictBuilder, verdict};
use tester::{Run, Totals};

use crate::cluster::Cluster;
use crate::requests::Requests;
use crate::subject::Subject;

/// How long an operation may take on a network without trouble: three in each heartbeat's time.
const OPERATION: Duration = Duration::from_micros(33_330);

/// How many requests of a clerk an operation may take there, on average. One is enough if the clerk remembers
/// who leads; one that begins anywhere needs two among three servers.
const REQUESTS: f64 = 1.5;

/// How long after the healing those may wait who waited in the minority: 1 s in which nobody looks, and 3 s.
const AFTER_HEALING: Duration = Duration::from_secs(1 + 3);

/// A thousand operations, one after the other, may not take long.
pub(crate) fn speed(subject: Subject, run: &Run, max_raft_state: Option<usize>) -> Totals {
    const OPERATIONS: u64 = 1000;
    let cluster = Cluster::new(subject, run, 3, false, max_raft_state);
    let mut client = cluster.client(&cluster.all());
    let requests = Requests::of(&cluster, client.ends());
    let clerk = client.clerk();
    clerk.get("x"); // until there is a leader
    let (began, before) = (Instant::now(), requests.count());
    for number in 0..OPERATIONS {
        clerk.append("x", &element(0, number));
    }
    let (took, asked) = (began.elapsed(), requests.count() - before);
    appends::check(0, &clerk.get("x"), OPERATIONS);
    let each = took / OPERATIONS as u32;
    if each > OPERATION {
        let words = format!(
            "operations completed too slowly: {:.2} ms each, {:.2} ms allowed",
            each.as_secs_f64() * 1e3,
            OPERATION.as_secs_f64() * 1e3
        );
        verdict("speed", words)
            .hint(
                "a leader that sends entries only with its next heartbeat, or a service that polls for \
                 what was executed",
            )
            .fail();
    }
    warn_of_many_requests(run, asked, OPERATIONS);
    drop(client);
    cluster.finish()
}

/// Says so if a clerk has asked more often than one has to that remembers who leads: that is slow, and no failure.
fn warn_of_many_requests(run: &Run, asked: u64, operations: u64) {
    let each = asked as f64 / operations as f64;
    if each > REQUESTS {
        run.warn(&format!(
            "the clerk sent {each:.1} requests for each operation on a network that loses nothing: it should \
             remember who leads, and ask that server first"
        ));
    }
}

/// Five clients append to one key.
pub(crate) fn unreliable_one_key(subject: Subject, run: &Run) -> Totals {
    const CLIENTS: usize = 5;
    const APPENDS: u64 = 10;
    let cluster = Cluster::new(subject, run, 3, true, None);
    let mut client = cluster.client(&cluster.all());
    client.put("k", "");
    cluster.clients(CLIENTS, |me, client| {
        (0..APPENDS).for_each(|number| client.append("k", &element(me, number)));
    });
    let value = client.get("k");
    (0..CLIENTS).for_each(|me| appends::check_with(me, &value, APPENDS, client.behind()));
    drop(client);
    cluster.finish()
}

/// What the steps of [`one_partition`] are called.
pub(crate) const ONE_PARTITION: [&str; 3] =
    ["progress in majority", "no progress in minority", "completion after heal"];

/// A majority makes progress, a minority does not, and after the healing what waited is done.
pub(crate) fn one_partition(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, 5, false, None);
    let mut client = cluster.client(&cluster.all());
    client.put("1", "13");
    let before = cluster.totals();

    let (majority, minority) = cluster.leader_in_minority();
    cluster.partition(&majority, &minority);
    let is_split = !cluster.reaches(majority[0], minority[0]);
    let mut above = cluster.client(&majority);
    let below = [cluster.client(&minority), cluster.client(&minority)];
    above.put("1", "14");
    above.check("1", "14");
    let progress = cluster.totals();
    run.ends_step(progress.since(&before));

    let waiting = below.each_ref().map(|client| client.ends().clone());
    let [mut writer, mut reader] = below;
    let put = in_a_thread("writer below", move || writer.put("1", "15"));
    let get = in_a_thread("reader below", move || reader.get("1"));
    thread::sleep(Duration::from_secs(1));
    if is_split {
        assert_waits("Put", &put);
        assert_waits("Get", &get);
        above.check("1", "14");
        above.put("1", "16");
        above.check("1", "16");
    }

    let stillness = cluster.totals();
    run.ends_step(stillness.since(&progress));

    let healed = Instant::now();
    cluster.connect_all();
    waiting.iter().for_each(|client| cluster.connect_client(client, &cluster.all()));
    thread::sleep(Duration::from_secs(1));
    assert_ends("Put", &put, healed, &cluster);
    assert_ends("Get", &get, healed, &cluster);
    if is_split {
        client.check("1", "15");
    }
    drop((client, above));
    cluster.finish().since(&stillness)
}

/// Does something in a thread of its own; the channel closes when it is done.
fn in_a_thread<T: 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Receiver<Infallible> {
    let (done, receiver) = channel::bounded(0);
    thread::Builder::new().name(name).spawn(move || {
        work();
        drop(done);
    });
    receiver
}

#[track_caller]
fn assert_waits(what: &str, thread: &Receiver<Infallible>) {
    if thread.try_recv() == Err(TryRecvError::Disconnected) {
        verdict("no progress in minority", format!("{what} in a minority completed"))
            .hint("a server that answers before the request is committed, or reads its own state")
            .fail();
    }
}

#[track_caller]
fn assert_ends(what: &str, thread: &Receiver<Infallible>, healed: Instant, cluster: &Cluster) {
    let left = AFTER_HEALING.saturating_sub(healed.elapsed());
    if thread.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
        let words = format!("{what} did not complete within {AFTER_HEALING:?} of the healing");
        let broken = verdict("completion after heal", words);
        let obstacles = cluster.watch().obstacles();
        obstacles
            .into_iter()
            .fold(broken, VerdictBuilder::with_fact)
            .hint(
                "a leader that was deposed does not let go of those who wait: another request was \
                 executed where theirs was to stand, or the term has moved on",
            )
            .fail();
    }
}
