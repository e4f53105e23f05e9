//! Two groups whose servers do nothing but tell: `3 s01 k7` is "at configuration 3, serves 0 and 1, keeps 7".

use std::sync::Arc;

use labrpc::{Reply, Service};
use labrt::simulate;
use labtrace::Verdict;
use raft_watch::RaftType;
use service_watch::{Asked, Change, Operation};
use shard_api::{Config, Gid, Holding, SHARDS, Standing};
use shard_watch::Watch;
use tester::{Client, Group, Net, Run, Server};

#[labrpc::service]
trait Get {
    #[rpc(inline)]
    fn get(&self, args: (), reply: Reply<()>);
}

#[derive(Clone)]
pub(crate) struct Teller;

impl Get for Teller {
    fn get(&self, _args: (), reply: Reply<()>) {
        reply.send(());
    }
}

impl Server for Teller {
    fn services(&self) -> Vec<Service> {
        vec![GetService::of(Arc::new(self.clone()))]
    }

    fn kill(&self) {}
}

/// Two groups of three, 100 and 101.
pub(crate) struct World {
    net: Net,
    pub(crate) watch: Watch,
    service: service_watch::Watch,
    groups: [Group<Teller>; 2],
}

impl World {
    fn new(run: &Run) -> World {
        let net = Net::of_service(run);
        let groups = ["100", "101"].map(|name| Group::new(&net, name, 3));
        let service = service_watch::Watch::new();
        let watch = Watch::new(&service);
        for (gid, group) in (100..).zip(&groups) {
            watch.add(gid, group);
            let below = raft_watch::Watch::of(RaftType::of::<raft::Raft>(), group);
            let limits = service_watch::Limits::default();
            service.add(group, &below, limits);
            (0..3).for_each(|server| start(group, server));
        }
        World { net, watch, service, groups }
    }

    pub(crate) fn group(&self, gid: Gid) -> &Group<Teller> {
        &self.groups[usize::try_from(gid - 100).expect("it is small")]
    }

    /// A server tells something.
    pub(crate) fn says(&self, gid: Gid, server: usize, words: &str) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        let standing = standing(words);
        let instance = self.group(gid).instance(server).expect("it runs");
        instance.enter(|_| shard_api::tell(|| standing)).expect("it was not killed");
    }

    /// A configuration in which these groups have the first shards.
    pub(crate) fn configured(&self, number: u64, owners: &[Gid]) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        let mut config = Config { number, ..Config::default() };
        config.shards[..owners.len()].copy_from_slice(owners);
        self.watch.configured(&config);
    }

    /// A client reads the key "2", which is in shard 0, and a group answers.
    pub(crate) fn reads(&self, gid: Gid) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        self.asks("Get", Change::Nothing).answered_by(gid);
    }

    /// A client begins to write to the key "2", which is in shard 0.
    pub(crate) fn writes(&self) -> Asking<'_> {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        self.asks("Append", Change::Add("a long text".to_string()))
    }

    fn asks(&self, what: &str, change: Change) -> Asking<'_> {
        let client = Client::new(&self.net, "client");
        let (text, object) = (format!("{what} \"2\""), "2".to_string());
        let operation = self.service.asks(&client, Asked { text, object, change });
        Asking { world: self, client, operation }
    }
}

/// What a client waits for.
pub(crate) struct Asking<'a> {
    world: &'a World,
    client: Client,
    operation: Operation,
}

impl Asking<'_> {
    /// A group answers.
    pub(crate) fn answered_by(self, gid: Gid) {
        let Asking { world, client, operation } = self;
        let members = world.group(gid).members();
        client.connect(members, &[0]);
        GetClient::new(client.end_to(&members.name(0))).get(&()).expect("it answers");
        world.service.answered(operation, None);
    }
}

pub(crate) fn start(group: &Group<Teller>, server: usize) {
    group.start(server, |_| || Ok(Teller));
    group.connect(server);
}

pub(crate) fn standing(words: &str) -> Standing {
    let mut words = words.split(' ');
    let config = words.next().and_then(|n| n.parse().ok()).expect("a number");
    let mut shards = [Holding::Nothing; SHARDS];
    for word in words {
        let (kind, numbers) = word.split_at(1);
        let holding = if kind == "s" { Holding::Serves } else { Holding::Keeps };
        for shard in numbers.chars().filter_map(|c| c.to_digit(10)) {
            shards[usize::try_from(shard).expect("a digit")] = holding;
        }
    }
    Standing { config, shards }
}

/// A run of this, and the verdict on it.
pub(crate) fn played(play: impl FnOnce(&World) + Send + 'static) -> (Run, Option<Verdict>) {
    let run = Run::silent();
    let inside = run.clone();
    let outcome = simulate(1, move || {
        inside.enter();
        let world = World::new(&inside);
        play(&world);
        world.groups.iter().for_each(Group::end);
        world.net.cleanup();
    });
    let verdict = run.session().verdict();
    assert_eq!(outcome.err().map(|failure| failure.message), verdict.clone().map(|v| v.words));
    (run, verdict)
}
