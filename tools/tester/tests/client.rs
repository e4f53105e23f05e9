//! Clients: whom they reach, what they leave behind, and what observers see of them.

use std::sync::Arc;

use labrpc::{CallStep, Reply, Service};
use labrt::simulate;
use labrt::sync::Leaf;
use labtrace::What;
use tester::{Call, Client, ClientCall, Group, Keep, Net, Run, Server, Setting, Watcher};

/// Says who it is.
#[labrpc::service]
trait Who {
    #[rpc(inline)]
    fn who(&self, args: (), reply: Reply<String>);
}

#[derive(Clone)]
struct Named(Arc<str>);

impl Who for Named {
    fn who(&self, _args: (), reply: Reply<String>) {
        reply.send(self.0.to_string());
    }
}

impl Server for Named {
    fn services(&self) -> Vec<Service> {
        vec![WhoService::of(Arc::new(self.clone()))]
    }

    fn kill(&self) {}
}

/// Whom a client's ends to a group reach, in order of their names.
fn reached(client: &Client, group: &Group<Named>) -> Vec<String> {
    let ends = client.ends_to(group.members()).into_iter();
    let mut names: Vec<String> = ends.filter_map(|end| WhoClient::new(end).who(&()).ok()).collect();
    names.sort();
    names
}

fn start(group: &Group<Named>) {
    for server in 0..group.servers() {
        let name = group.members().name(server).to_string();
        group.start(server, |_seat| move || Ok(Named(name.into())));
        group.connect(server);
    }
}

/// Runs this on a network with two groups.
fn with_two_groups(
    keep: Keep,
    play: impl FnOnce(&Net, &[Group<Named>; 2]) + Send + 'static,
) -> Run {
    let run = Run::new(keep, Setting::default());
    let inside = run.clone();
    let outcome = simulate(7, move || {
        inside.enter();
        let net = Net::new(&inside);
        let groups = [Group::new(&net, "1", 3), Group::new(&net, "2", 3)];
        groups.iter().for_each(start);
        play(&net, &groups);
        groups.iter().for_each(Group::end);
        net.cleanup();
    });
    outcome.expect("nothing fails");
    run
}

#[test]
fn a_client_reaches_whom_it_is_connected_to_in_any_group() {
    with_two_groups(Keep::Nothing, |net, [one, two]| {
        let client = Client::new(net, "client 0");
        assert_eq!(reached(&client, one), [""; 0], "at first it reaches nobody");
        client.connect(one.members(), &[0, 2]);
        // Whom it has no end to yet, it will reach when it has one.
        client.connect(two.members(), &[1]);
        assert_eq!(reached(&client, one), ["1-0", "1-2"]);
        assert_eq!(reached(&client, two), ["2-1"]);
        client.disconnect(one.members(), &[0]);
        assert_eq!(reached(&client, one), ["1-2"]);
        // Another one is not concerned, nor are clients by what happens to servers.
        let other = Client::new(net, "client 1");
        other.connect(one.members(), &[0, 1, 2]);
        one.partition(&[&[0], &[1, 2]]);
        assert_eq!(reached(&other, one), ["1-0", "1-1", "1-2"]);
        one.crash(1);
        assert_eq!(reached(&other, one), ["1-0", "1-2"]);
    });
}

#[test]
fn the_ends_of_a_client_go_with_its_last_clone() {
    with_two_groups(Keep::Nothing, |net, [one, _]| {
        let client = Client::new(net, "client 0");
        client.connect(one.members(), &[0]);
        let end = WhoClient::new(client.end_to(&one.members().name(0)));
        let clone = client.clone();
        drop(client);
        assert!(end.who(&()).is_ok());
        drop(clone);
        assert!(end.who(&()).is_err());
        // A later one of the same name is another client.
        let client = Client::new(net, "client 0");
        client.connect(one.members(), &[0]);
        assert_eq!(reached(&client, one), ["1-0"]);
    });
}

#[test]
fn operations_are_counted_and_stand_in_the_trace_with_their_messages() {
    let run = with_two_groups(Keep::All, |net, [one, _]| {
        for number in [4, 5, 4] {
            let client = Client::new(net, &format!("client {number}"));
            client.connect(one.members(), &[1]);
            let end = WhoClient::new(client.end_to(&one.members().name(1)));
            let asked = || "Who".to_string();
            let name = client.operate(asked, || end.who(&()), |got| format!("{got:?}"), |_| {});
            assert_eq!(name, Ok("1-1".to_string()));
        }
        assert_eq!(net.operations(), 3);
    });
    let lanes = run.session().lanes();
    assert_eq!(lanes[6..], ["client 4", "client 5"], "those of one name share a lane");
    let events = run.session().take().events;
    let of_clients = events.iter().filter(|event| event.lane.is_some_and(|lane| lane >= 6));
    let steps: Vec<_> = of_clients.map(|event| (event.lane, &event.what)).collect();
    assert_eq!(steps.len(), 3 * 4, "called, sent, returned, answered");
    let text = |text: &str| text.to_string();
    assert_eq!(steps[4], (Some(7), &What::Called { op: 2, text: text("Who") }));
    assert!(matches!(steps[5], (Some(7), What::Sent { to: 1, .. })));
    assert_eq!(steps[7], (Some(7), &What::Answered { op: 2, text: text("Ok(\"1-1\")") }));
    let called = events.iter().find(|event| matches!(event.what, What::Called { .. }));
    let sent = events.iter().find(|event| matches!(event.what, What::Sent { .. }));
    assert_eq!(sent.expect("it asks").cause, Some(called.expect("it begins").n));
}

/// Counts the calls that it sees.
#[derive(Default)]
struct Seen(Leaf<Vec<(u64, usize)>>);

impl Watcher for Seen {
    fn call(&self, _: &Call<'_>) {
        panic!("no server calls another one");
    }

    fn client_call(&self, call: &ClientCall<'_>) {
        if let CallStep::Returned = call.event.step {
            self.0.with(|seen| seen.push((call.client, call.to)));
        }
    }
}

#[test]
fn all_who_watch_a_group_see_what_clients_ask_its_servers() {
    with_two_groups(Keep::Nothing, |net, [one, two]| {
        let watchers: [Arc<Seen>; 3] = Default::default();
        one.watch(watchers[0].clone());
        one.watch(watchers[1].clone());
        two.watch(watchers[2].clone());
        let client = Client::new(net, "client 0");
        let number = client.number();
        client.connect(one.members(), &[2]);
        client.connect(two.members(), &[0]);
        reached(&client, one);
        reached(&client, two);
        let seen = watchers.map(|watcher| watcher.0.with(|seen| seen.clone()));
        assert_eq!(seen, [vec![(number, 2)], vec![(number, 2)], vec![(number, 0)]]);
    });
}
