//! What is said of a read that a server has answered which had begun with a snapshot.

use service_watch::Operation;

use crate::world::{World, append, get, pause, put, right, right_of_two, texts};

/// Writes in an order; each has an entry of its own, from index 1 on, and is acknowledged.
struct Past(Vec<service_watch::Asked>);

impl Past {
    fn of(writes: &[service_watch::Asked]) -> Past {
        Past(writes.to_vec())
    }

    /// All of it is committed, and server 1 is told so.
    fn happens(&self, world: &World) {
        let writer = world.client("writer");
        for (asked, index) in self.0.iter().zip(1..) {
            let command = asked.text.clone();
            let operation = world.watch.asks(&writer, asked.clone());
            world.commits(index, &command);
            world.gets_reply(&writer, (0, 0));
            world.watch.answered(operation, None);
            pause();
        }
        let last = self.0.len() as u64;
        world.sends((0, 0), 1, 1, (last, 1), &[], last);
    }
}

/// Server 1 saves a snapshot of all up to an index, and its log behind it, and starts again.
fn restarts(world: &World, upto: u64, last: u64) {
    world.saves((0, 1), (upto, last), 100, Some(50));
    pause();
    world.starts((0, 1));
    pause();
}

/// It hears what is committed, and answers a read.
fn reads(world: &World, last: u64, value: &str) -> Operation {
    world.sends((0, 0), 1, 1, (last, 1), &[], last);
    world.reads(&world.client("client"), "k", value, 1)
}

/// What is said of the snapshot, without times.
fn said(world: &World, operation: Operation) -> String {
    let facts = world.watch.behind(operation);
    let of_snapshot = |text: &str| text.contains("snapshot");
    let lines = facts.iter().filter(|fact| of_snapshot(&fact.text));
    let without_times = |text: &str| {
        let words = text.split(' ').map(|word| match word.parse::<f64>() {
            Ok(_) if word.contains('.') => "T",
            _ => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    lines.map(|fact| without_times(&fact.text) + "\n").collect()
}

const BEGAN: &str = "server 1 restarted at T s with a snapshot of 50 bytes, up to index ";

fn lacks(text: &str, index: u64) -> String {
    format!(
        "writer: Append k {text}, acknowledged at T s, stands at index {index}: in that snapshot, and not in what \
         was read\n"
    )
}

#[test]
fn a_server_that_does_not_read_its_snapshot_lacks_what_stands_in_it() {
    right(|world| {
        Past::of(&[append("k", "x 0 0 y"), append("k", "x 0 1 y")]).happens(world);
        restarts(world, 1, 2);
        let operation = reads(world, 2, "x 0 1 y");
        let expected =
            format!("{BEGAN}1, and answers without what stands in it\n{}", lacks("x 0 0 y", 1));
        assert_eq!(said(world, operation), expected);
        let fact = &world.watch.behind(operation)[1];
        assert!(fact.text.starts_with("server 1 restarted"), "{fact:?}");
        assert_eq!(fact.server, Some(world.groups[0].members().lane(1)));
    });
}

#[test]
fn a_server_that_has_read_its_snapshot_lacks_nothing_of_it() {
    right(|world| {
        Past::of(&[append("k", "x 0 0 y"), append("k", "x 0 1 y")]).happens(world);
        restarts(world, 1, 2);
        // What stands behind the snapshot is another matter.
        let operation = reads(world, 2, "x 0 0 y");
        assert_eq!(said(world, operation), format!("{BEGAN}1\n"));
    });
}

#[test]
fn of_many_the_latest_two_are_shown() {
    right(|world| {
        let texts = ["x 0 0 y", "x 0 1 y", "x 0 2 y", "x 0 3 y"];
        Past::of(&texts.map(|text| append("k", text))).happens(world);
        restarts(world, 3, 4);
        let operation = reads(world, 4, "");
        let expected = format!(
            "{BEGAN}3, and answers without what stands in it\n{}{}",
            lacks("x 0 2 y", 3),
            lacks("x 0 1 y", 2)
        );
        assert_eq!(said(world, operation), expected);
    });
}

#[test]
fn what_a_put_has_replaced_is_not_missing() {
    right(|world| {
        let past = [append("k", "x 0 0 y"), put("k", "x 0 1 y"), append("k", "x 0 2 y")];
        Past::of(&past).happens(world);
        restarts(world, 3, 3);
        let operation = reads(world, 3, "x 0 1 yx 0 2 y");
        assert_eq!(said(world, operation), format!("{BEGAN}3\n"));
        // The Put itself, and what came behind it, may be.
        let operation = reads(world, 3, "");
        let put = lacks("x 0 1 y", 2).replace("Append", "Put");
        let expected = format!(
            "{BEGAN}3, and answers without what stands in it\n{}{put}",
            lacks("x 0 2 y", 3)
        );
        assert_eq!(said(world, operation), expected);
    });
}

#[test]
fn a_put_that_may_stand_anywhere_may_have_replaced_all() {
    right(|world| {
        Past::of(&[append("k", "x 0 0 y")]).happens(world);
        world.watch.asks(&world.client("other"), put("k", "x 1 0 y"));
        restarts(world, 1, 1);
        let operation = reads(world, 1, "");
        assert_eq!(said(world, operation), format!("{BEGAN}1\n"));
    });
}

#[test]
fn what_was_not_acknowledged_before_the_read_may_be_missing() {
    right(|world| {
        let (writer, client) = (world.client("writer"), world.client("client"));
        let write = world.watch.asks(&writer, append("k", "x 0 0 y"));
        world.commits(1, "x 0 0 y");
        world.gets_reply(&writer, (0, 0));
        world.sends((0, 0), 1, 1, (1, 1), &[], 1);
        restarts(world, 1, 1);
        world.watch.answered(write, None);
        let read = world.watch.asks(&client, get("k")); // at the same moment
        world.sends((0, 0), 1, 1, (1, 1), &[], 1);
        world.gets_reply(&client, (0, 1));
        world.watch.answered(read, Some(""));
        assert_eq!(said(world, read), format!("{BEGAN}1\n"));
    });
}

#[test]
fn what_stands_in_the_log_of_another_group_is_not_in_the_snapshot() {
    right_of_two(|world| {
        let writer = world.client("writer");
        let write = world.watch.asks(&writer, append("k", "x 0 0 y"));
        world.sends((1, 0), 1, 1, (0, 0), &["x 0 0 y"], 0);
        world.gets_reply(&writer, (1, 0));
        world.watch.answered(write, None);
        world.commits(1, "something else");
        world.sends((0, 0), 1, 1, (1, 1), &[], 1);
        restarts(world, 1, 1);
        let operation = reads(world, 1, "");
        assert_eq!(said(world, operation).matches("stands at index").count(), 0);
        assert!(said(world, operation).contains("restarted at T s with a snapshot"));
    });
}

#[test]
fn what_somebody_has_read_since_is_compared_no_more() {
    right(|world| {
        Past::of(&[append("k", "x 0 0 y")]).happens(world);
        restarts(world, 1, 1);
        let operation = reads(world, 1, "");
        reads(world, 1, "x 0 0 y");
        assert_eq!(said(world, operation), format!("{BEGAN}1\n"));
    });
}

#[test]
fn a_write_tells_nothing_of_a_snapshot() {
    right(|world| {
        Past::of(&[append("k", "x 0 0 y")]).happens(world);
        restarts(world, 1, 2);
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 1 y"));
        world.commits(2, "x 0 1 y");
        world.sends((0, 0), 1, 1, (2, 1), &[], 2);
        world.gets_reply(&client, (0, 1));
        world.watch.answered(operation, None);
        assert_eq!(said(world, operation), "");
        assert!(texts(&world.watch.behind(operation)).contains("server 1 answered client"));
    });
}

#[test]
fn who_answered_before_it_began_with_the_snapshot_did_not_have_it() {
    right(|world| {
        Past::of(&[append("k", "x 0 0 y")]).happens(world);
        let operation = reads(world, 1, "x 0 0 y");
        restarts(world, 1, 1);
        assert_eq!(said(world, operation), "");
    });
}

#[test]
fn of_a_server_that_began_with_nothing_nothing_is_said() {
    right(|world| {
        Past::of(&[append("k", "x 0 0 y")]).happens(world);
        world.saves((0, 1), (0, 1), 100, Some(50)); // nobody knows what it is of
        world.starts((0, 1));
        pause();
        let operation = reads(world, 1, "");
        assert_eq!(said(world, operation), "");
        let operation = world.reads(&world.client("client"), "k", "x 0 0 y", 0);
        assert_eq!(said(world, operation), "");
    });
}

#[test]
fn a_server_that_ignores_a_snapshot_of_its_leader_lacks_what_stands_in_it() {
    let past = || Past::of(&[append("k", "x 0 0 y"), append("k", "x 0 1 y")]);
    let sent =
        "server 1 was sent a snapshot of 1 to 1 at T s, and answers without what stands in it\n";
    right(move |world| {
        past().happens(world);
        world.sends_snapshot(1, 1);
        pause();
        let operation = reads(world, 2, "x 0 1 y");
        assert_eq!(said(world, operation), format!("{sent}{}", lacks("x 0 0 y", 1)));
        // Nothing is said of who has taken it, or of what stands behind it.
        let operation = reads(world, 2, "x 0 0 y");
        assert_eq!(said(world, operation), "");
        // Nor of another server, or after a restart.
        let operation = world.reads(&world.client("client"), "k", "x 0 1 y", 0);
        assert_eq!(said(world, operation), "");
        restarts(world, 0, 2);
        let operation = reads(world, 2, "x 0 1 y");
        assert_eq!(said(world, operation), "");
    });
}
