//! What can be done to a group of servers, whatever they are.

use std::sync::Arc;

use labrpc::{ClientEnd, Reply, Service};
use labrt::{Node, simulate};
use labtrace::What;
use persister::Persister;
use tester::{Group, Keep, MakeError, Net, Run, Seat, Server, Setting, Trouble};

mod crash;
mod faults;
mod numbers;
mod storm;
mod trimmed;

/// Says who it is.
#[labrpc::service]
trait Who {
    #[rpc(inline)]
    fn who(&self, args: (), reply: Reply<u64>);
}

struct Named(u64);

impl Who for Named {
    fn who(&self, _args: (), reply: Reply<u64>) {
        reply.send(self.0);
    }
}

#[derive(Clone)]
struct Idle {
    me: usize,
    ends: Arc<Vec<ClientEnd>>,
    persister: Arc<dyn Persister>,
}

impl Idle {
    fn make(seat: Seat) -> Result<Idle, MakeError> {
        let Seat { ends, me, persister, .. } = seat;
        Ok(Idle { me, ends: Arc::new(ends), persister })
    }

    /// Who answers at this end; none if nobody does.
    fn asks(&self, peer: usize) -> Option<u64> {
        WhoClient::new(self.ends[peer].clone()).who(&()).ok()
    }
}

impl Server for Idle {
    fn services(&self) -> Vec<Service> {
        vec![WhoService::of(Arc::new(Named(self.me as u64)))]
    }

    fn kill(&self) {}
}

fn start(group: &Group<Idle>) {
    for server in 0..group.servers() {
        group.start(server, |seat| move || Idle::make(seat));
        group.connect(server);
    }
}

/// By caller, who is reached by RPC; makes sure that the group says the same.
fn reached(group: &Group<Idle>) -> Vec<Vec<u64>> {
    let all = 0..group.servers();
    all.clone()
        .map(|from| {
            let server = group.instance(from).expect("it runs");
            let answers = all.clone().filter_map(|to| {
                let answer = server.enter(|server| server.asks(to)).expect("it lives");
                assert_eq!(answer.is_some(), group.reaches(from, to), "from {from} to {to}");
                answer
            });
            answers.collect()
        })
        .collect()
}

fn with_setting(text: &str, play: fn(&Group<Idle>)) {
    let run = Run::new(Keep::Nothing, text.parse::<Setting>().expect("a setting"));
    let outcome = simulate(3, move || {
        run.enter();
        let group = Group::new(&Net::new(&run), "", 4);
        start(&group);
        play(&group);
        group.end();
        group.net().cleanup();
    });
    outcome.expect("nothing fails");
}

#[test]
fn both_parts_of_a_split_group_live() {
    with_setting("", |group| {
        let all = vec![vec![0, 1, 2, 3]; 4];
        assert_eq!(reached(group), all);
        group.partition(&[&[0, 1], &[2, 3]]);
        assert_eq!(reached(group), [[0, 1], [0, 1], [2, 3], [2, 3]]);
        group.connect(3);
        assert_eq!(reached(group), [vec![0, 1, 3], vec![0, 1, 3], vec![2], vec![0, 1, 3]]);
        // Who is in no part is cut off, also from itself.
        group.partition(&[&[0, 2, 3]]);
        assert_eq!(reached(group), [vec![0, 2, 3], vec![], vec![0, 2, 3], vec![0, 2, 3]]);
        group.disconnect(0);
        group.connect(1);
        assert_eq!(reached(group), [vec![], vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3]]);
        group.partition(&[&[0, 1, 2, 3], &[]]);
        assert_eq!(reached(group), all);
    });
}

#[test]
fn a_cut_that_the_setting_denies_leaves_all_connected() {
    with_setting("cuts=1", |group| {
        let all = vec![vec![0, 1, 2, 3]; 4];
        group.partition(&[&[0, 1], &[2, 3]]);
        assert!(!group.reaches(1, 2));
        // The next one would cut 1 off from 0, so there is none.
        group.partition(&[&[0, 2], &[1, 3]]);
        assert_eq!(reached(group), all);
        group.disconnect(2);
        assert_eq!(reached(group), all);
        // To connect is no cut.
        group.partition(&[&[0, 1, 2, 3]]);
        assert_eq!(group.run().troubles().get(Trouble::Cuts), 1);
    });
}

/// What the traces of such a run say of splits.
fn splits(setting: &str, name: &str, play: fn(&Group<Idle>)) -> Vec<String> {
    let run = Run::new(Keep::All, setting.parse::<Setting>().expect("a setting"));
    let (inside, name) = (run.clone(), name.to_string());
    let outcome = simulate(3, move || {
        inside.enter();
        let group = Group::new(&Net::new(&inside), &name, 4);
        start(&group);
        play(&group);
        group.end();
        group.net().cleanup();
    });
    outcome.expect("nothing fails");
    let events = run.session().take().events.into_iter();
    let notes = events.filter_map(|event| match event.what {
        What::Note { topic, text } if topic == "partition" => Some(text),
        _ => None,
    });
    notes.collect()
}

#[test]
fn a_trace_says_who_is_in_which_part() {
    let play: fn(&Group<Idle>) = |group| {
        group.partition(&[&[0, 1], &[2, 3]]);
        group.connect(1);
        group.connect(3);
        group.disconnect(0);
        group.partition(&[&[], &[2], &[0, 1]]);
        group.connect(2);
        group.partition(&[&[0, 1, 2, 3]]);
    };
    let said = ["0, 1 | 2, 3", "0, 1, 3 | 2", " | 2 | 0, 1", "2 |  | 0, 1", "0, 1, 2, 3"];
    assert_eq!(splits("", "", play), said);
    assert_eq!(splits("", "100", play), said.map(|text| format!("group 100: {text}")));
}

#[test]
fn a_trace_says_that_a_split_is_healed_where_the_setting_denies_the_next_one() {
    let said = splits("cuts=1", "", |group| {
        group.partition(&[&[0, 1], &[2, 3]]);
        group.partition(&[&[0, 2], &[1, 3]]);
        group.partition(&[&[0], &[1, 2, 3]]);
    });
    assert_eq!(said, ["0, 1 | 2, 3", "0, 1, 2, 3"]);
}

#[test]
fn a_crash_keeps_state_and_snapshot_and_nothing_of_what_comes_later() {
    with_setting("", |group| {
        let running = || group.instance(2).expect("it runs").enter(Idle::clone).expect("it lives");
        let dead = running();
        dead.persister.save_state_and_snapshot(b"state", b"snapshot").expect("memory");
        group.crash(2);
        dead.persister.save_state_and_snapshot(b"later", b"too late").expect("memory");
        assert!(!group.is_running(2) && !group.is_connected(2));
        assert_eq!((group.state_size(2), group.snapshot_size(2)), (5, 8));
        group.start(2, |seat| move || Idle::make(seat));
        assert!(!group.is_connected(2), "a server that starts is not connected yet");
        let new = running();
        assert_eq!(new.persister.read_raft_state().expect("memory"), b"state");
        assert_eq!(new.persister.read_snapshot().expect("memory"), b"snapshot");
        group.connect(2);
        assert_eq!(reached(group), vec![vec![0, 1, 2, 3]; 4]);
    });
}

#[test]
fn a_stopped_server_is_off_the_network_and_goes_on_until_the_next_start() {
    with_setting("crashes=1", |group| {
        let stopped = group.instance(2).expect("it runs");
        group.stop(2);
        assert!(!group.is_running(2) && !group.is_connected(2));
        let late = |server: &Idle| {
            server.persister.save_raft_state(b"too late").expect("memory");
            server.asks(0)
        };
        assert_eq!(stopped.enter(late), Some(None), "it lives, and reaches nobody");
        assert_eq!(group.state_size(2), 0);
        group.start(2, |seat| move || Idle::make(seat));
        assert_eq!(stopped.enter(late), None);
        group.connect(2);
        assert_eq!(reached(group), vec![vec![0, 1, 2, 3]; 4]);
        // The setting has no crash left, and a stop is one.
        group.stop(1);
        assert_eq!(reached(group), vec![vec![0, 1, 2, 3]; 4]);
    });
}

#[test]
fn the_minority_with_a_server_has_it_at_its_end() {
    with_setting("", |group| {
        assert_eq!(group.minority_with(1), (vec![0, 2, 3], vec![1]));
        assert_eq!(group.minority_with(3), (vec![0, 1, 2], vec![3]));
    });
}

#[test]
fn of_one_server_or_two_the_others_are_no_majority_and_all_of_them_are_on_one_side() {
    let run = Run::silent();
    let inside = run.clone();
    let outcome = simulate(3, move || {
        inside.enter();
        let net = Net::new(&inside);
        let parts = |servers: usize, with: usize| {
            Group::<Idle>::new(&net, &servers.to_string(), servers).minority_with(with)
        };
        assert_eq!(parts(1, 0), (vec![], vec![0]));
        assert_eq!(parts(2, 1), (vec![0], vec![1]));
        assert_eq!(parts(3, 0), (vec![1, 2], vec![0]));
        net.cleanup();
    });
    assert_eq!(outcome.err().map(|failure| failure.message), None);
}

#[test]
fn groups_of_one_network_have_names_nodes_and_lanes_of_their_own() {
    let run = Run::new(Keep::All, Setting::default());
    let inside = run.clone();
    let outcome = simulate(3, move || {
        inside.enter();
        let net = Net::new(&inside);
        let groups = ["100", "101"].map(|name| Group::<Idle>::new(&net, name, 2));
        groups.iter().for_each(start);
        let [one, other] = &groups;
        // Cuts and crashes of the one are not the other's.
        one.partition(&[&[0]]);
        other.crash(0);
        assert!(other.is_connected(1) && one.is_running(0));
        let answer = one.instance(0).expect("it runs").enter(|server| {
            assert_eq!(Node::current().expect("in a node").name(), "server 100-0");
            server.asks(0)
        });
        assert_eq!(answer, Some(Some(0)));
        groups.iter().for_each(Group::end);
        net.cleanup();
    });
    outcome.expect("nothing fails");
    let lanes = ["server 100-0", "server 100-1", "server 101-0", "server 101-1"];
    assert_eq!(run.session().lanes(), lanes);
    let events = run.session().take().events;
    let crashed = events.iter().find(|event| matches!(event.what, What::Crashed));
    assert_eq!(crashed.expect("one has crashed").lane, Some(2));
}
