//! Shards that do not move, and groups that are down.

use std::time::Duration;

use kv_clients::Client;
use labrt::channel::{self, Sender};
use labtrace::verdict;
use tester::{Run, Totals};

use super::check_logs;
use crate::cluster::{Cluster, Layout};
use crate::data::Data;
use crate::subject::Subject;

/// So long nobody may get anything until it is clear that nobody will.
const SILENCE: Duration = Duration::from_secs(2);

/// Of the shards, only those are served whose group lives.
pub(crate) fn static_shards(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, None);
    cluster.join(&[0]);
    cluster.join(&[1]);
    let mut data = Data::put(&cluster, 10, 20);
    data.verify();
    cluster.shut_down_group(1);
    check_logs(&cluster, None);
    let clients = (0..10).map(|_| cluster.client()).collect();
    let got = served(&cluster, clients, &data);
    let expected = if cluster.has_majority(1) { 10 } else { 5 };
    if got != expected {
        let words = format!(
            "{got} of 10 shards were served, and {expected} are those of the groups that run"
        );
        verdict("shards of who is down", words)
            .hint(
                "a group must answer for the shards that the configuration gives it, and no others",
            )
            .fail();
    }
    cluster.start_group(1);
    data.verify();
    drop(data);
    cluster.finish()
}

/// Clerks that were told by another controller come to a group that does not serve what they ask for.
pub(crate) fn rejection(subject: Subject, run: &Run) -> Totals {
    let layout = Layout { second_controller: true, ..Layout::of_course(false, None) };
    let cluster = Cluster::with(subject, run, layout);
    cluster.join(&[0]);
    cluster.join(&[1]);
    let mut data = Data::put(&cluster, 10, 20);
    data.verify();
    let second = cluster.second_controllers();
    second.clerk("tester").join(cluster.names(&[0]));
    let clients = (0..10).map(|_| cluster.client_of(second)).collect();
    let got = served(&cluster, clients, &data);
    if got != 5 {
        let words = format!(
            "{got} keys were served by a group that has 5 of the shards, and was asked for 10"
        );
        verdict("shards of others", words)
            .hint(
                "whether a group serves a shard is decided by its own configuration, where a request \
                 is executed; whatever the clerk believes",
            )
            .fail();
    }
    data.verify();
    drop(data);
    cluster.finish()
}

/// Has each of these clients get one key. Returns how many have got it before nobody did for two
/// seconds; the others are stopped.
fn served(cluster: &Cluster, clients: Vec<Client>, data: &Data) -> usize {
    let (done, gets) = channel::unbounded();
    let values: Vec<String> = data.keys().iter().map(|key| data.value(*key).to_string()).collect();
    let clients = cluster.start_clients(clients, move |number, client| {
        get(number, client, &values[number], &done);
    });
    let mut count = 0;
    while gets.recv_timeout(SILENCE).is_ok() {
        count += 1;
    }
    clients.stop();
    count
}

fn get(key: usize, client: &mut Client, value: &str, done: &Sender<()>) {
    client.check(&key.to_string(), value);
    // Nobody counts any more if it took too long.
    let _ = done.send(());
}
