//! Servers that call other groups: whom they reach, and what a crash leaves of that.

use std::sync::Arc;

use labrpc::{Name, Reply, Service};
use labrt::simulate;
use labtrace::What;
use tester::{Group, Keep, Net, Others, Run, Server, Setting};

/// Says who it is.
#[labrpc::service]
trait Who {
    #[rpc(inline)]
    fn who(&self, args: (), reply: Reply<String>);
}

#[derive(Clone)]
struct Named {
    name: Arc<str>,
    others: Others,
}

impl Who for Named {
    fn who(&self, _args: (), reply: Reply<String>) {
        reply.send(self.name.to_string());
    }
}

impl Server for Named {
    fn services(&self) -> Vec<Service> {
        vec![WhoService::of(Arc::new(self.clone()))]
    }

    fn kill(&self) {}
}

impl Named {
    /// Who answers at an end to the server of this name; empty if nobody does.
    fn asks(&self, name: &str) -> String {
        WhoClient::new(self.others.end_to(&Name::from(name))).who(&()).unwrap_or_default()
    }
}

fn start(group: &Group<Named>, server: usize) {
    let name: Arc<str> = group.members().name(server).to_string().into();
    group.start(server, |seat| move || Ok(Named { name, others: seat.others }));
    group.connect(server);
}

/// Who answers a server at an end to the server of this name.
fn asks(group: &Group<Named>, server: usize, name: &str) -> String {
    let instance = group.instance(server).expect("it runs");
    instance.enter(|named| named.asks(name)).expect("it lives")
}

/// Runs this on a network with two groups, with this setting.
fn with_two_groups(
    setting: &str,
    play: impl FnOnce(&Net, &[Group<Named>; 2]) + Send + 'static,
) -> Run {
    let run = Run::new(Keep::All, setting.parse::<Setting>().expect("a setting"));
    let inside = run.clone();
    let outcome = simulate(7, move || {
        inside.enter();
        let net = Net::new(&inside);
        let groups = [Group::new(&net, "1", 2), Group::new(&net, "2", 2)];
        groups.iter().for_each(|group| (0..2).for_each(|server| start(group, server)));
        play(&net, &groups);
        groups.iter().for_each(Group::end);
        net.cleanup();
    });
    outcome.expect("nothing fails");
    run
}

#[test]
fn a_name_leads_to_the_server_wherever_it_is() {
    with_two_groups("", |_, [one, two]| {
        for name in ["1-0", "1-1", "2-0", "2-1"] {
            assert_eq!(asks(one, 0, name), name);
        }
        assert_eq!(asks(one, 0, "3-0"), "", "there is no such server");
        two.crash(1);
        assert_eq!(asks(one, 0, "2-1"), "");
        start(two, 1);
        assert_eq!(asks(one, 0, "2-1"), "2-1");
    });
}

#[test]
fn an_end_is_made_once_and_within_the_group_it_is_the_group_s_own() {
    with_two_groups("", |_, [one, _]| {
        assert_eq!([asks(one, 0, "2-1"), asks(one, 0, "2-1")], ["2-1", "2-1"]);
        one.disconnect(0);
        assert_eq!(asks(one, 0, "1-1"), "", "the group has cut it off");
        assert_eq!(asks(one, 0, "2-1"), "2-1", "that is of no concern to others");
    });
}

#[test]
fn what_has_crashed_reaches_nobody_any_more() {
    with_two_groups("", |_, [one, _]| {
        let dead = one.instance(0).expect("it runs").enter(Named::clone).expect("it lives");
        assert_eq!(dead.asks("2-0"), "2-0");
        one.stop(0); // its tasks go on
        assert_eq!([dead.asks("2-0"), dead.asks("2-1")], ["", ""]);
        start(one, 0);
        assert_eq!([dead.asks("2-0"), dead.asks("2-1")], ["", ""]);
        assert_eq!(asks(one, 0, "2-0"), "2-0", "the new instance has ends of its own");
    });
}

#[test]
fn a_server_is_cut_off_from_a_group_both_ways_and_not_from_others() {
    with_two_groups("", |_, [one, two]| {
        assert_eq!(asks(one, 0, "2-0"), "2-0");
        one.cut_from(0, two.members());
        assert_eq!([asks(one, 0, "2-0"), asks(one, 0, "2-1")], ["", ""]);
        assert_eq!([asks(two, 0, "1-0"), asks(two, 0, "1-1")], ["", "1-1"]);
        assert_eq!(asks(one, 0, "1-1"), "1-1");
        start(one, 0);
        assert_eq!(asks(one, 0, "2-0"), "", "a new instance is where the old one was");
        one.rejoin(0, two.members());
        assert_eq!([asks(one, 0, "2-0"), asks(two, 0, "1-0")], ["2-0", "1-0"]);
    });
}

#[test]
fn what_is_cut_on_both_sides_is_whole_when_both_are() {
    with_two_groups("", |_, [one, two]| {
        one.cut_from(0, two.members());
        two.cut_from(1, one.members());
        one.rejoin(0, two.members());
        assert_eq!([asks(one, 0, "2-0"), asks(one, 0, "2-1")], ["2-0", ""]);
        two.rejoin(1, one.members());
        assert_eq!(asks(one, 0, "2-1"), "2-1");
    });
}

#[test]
fn the_setting_limits_the_cuts() {
    with_two_groups("cuts=1", |_, [one, two]| {
        one.cut_from(0, two.members());
        one.cut_from(0, two.members()); // it is already
        one.cut_from(1, two.members()); // one too many
        assert_eq!([asks(one, 0, "2-0"), asks(one, 1, "2-0")], ["", "2-0"]);
    });
}

#[test]
fn the_trace_shows_the_server_as_the_caller() {
    let run = with_two_groups("", |_, [one, _]| {
        asks(one, 1, "2-0");
    });
    let events = run.session().take().events;
    let sent = events.iter().find_map(|event| match event.what {
        What::Sent { to, .. } => Some((event.lane, to)),
        _ => None,
    });
    assert_eq!(sent, Some((Some(1), 2)));
}

#[test]
fn what_groups_cannot_reach_is_told_from_how_one_is_split() {
    let run = with_two_groups("", |_, [one, two]| {
        one.cut_from(0, two.members());
        two.partition(&[&[0], &[1]]);
        one.rejoin(0, two.members());
    });
    let events = run.session().take().events.into_iter();
    let notes = events.filter_map(|event| match event.what {
        What::Note { topic, text } => Some(format!("{topic}: {text}")),
        _ => None,
    });
    let said = [
        "crossing: server 1-0 is cut off from group 2",
        "partition: group 2: 0 | 1",
        "crossing: server 1-0 reaches group 2",
    ];
    assert_eq!(notes.collect::<Vec<_>>(), said);
}
