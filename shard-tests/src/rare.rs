//! A situation that other tests hardly ever come into, brought about on purpose.
//!
//! It belongs to no part of the lab, and earns no points. How late a message comes the second time is left to luck, so
//! the test tries again and again. Whether or not it comes about, a right service passes.

use std::time::Duration;

use labrt::thread;
use tester::{Run, Totals};

use crate::cluster::Cluster;
use crate::data::Data;
use crate::subject::Subject;

/// How often the test tries.
const ATTEMPTS: usize = 5;

/// How long groups have for what they tell each other once a shard has arrived.
const TOLD: Duration = Duration::from_millis(200);

/// By then each request that comes twice has come twice.
const LATEST: Duration = Duration::from_secs(2);

/// A shard goes to a group, comes back, and is to go there once more. While it is on its way the second time, the
/// messages of the first time come again: that it has arrived, and may be deleted where it was.
pub(crate) fn words_about_an_earlier_move(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, None);
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, 10, 5);
    for _ in run.rounds(ATTEMPTS) {
        cluster.net().set_duplication(1.0);
        cluster.join(&[1]);
        data.verify_and_append(5);
        thread::sleep(TOLD);
        cluster.net().set_duplication(0.0);
        cluster.leave(&[1]);
        data.verify();
        // The group that gets the shards hears of that late, so for some time they are on their way.
        (0..cluster.servers(1)).for_each(|server| cluster.cut_from_controller(1, server));
        cluster.join(&[1]);
        thread::sleep(LATEST);
        cluster.heal_between();
        data.verify_and_append(5);
        cluster.leave(&[1]);
        data.verify();
    }
    drop(data);
    cluster.finish()
}
