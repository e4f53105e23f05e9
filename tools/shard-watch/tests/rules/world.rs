//! Servers that do nothing but tell: `3 s01 k7` is "at configuration 3, serves 0 and 1, keeps 7".

use std::sync::Arc;

use labrpc::{Reply, Service};
use labrt::simulate;
use labtrace::Verdict;
use persister::Persister as _;
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

/// Groups of three: 100, 101 and perhaps 102.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) watch: Watch,
    pub(crate) service: service_watch::Watch,
    pub(crate) groups: Vec<Group<Teller>>,
}

impl World {
    fn new(run: &Run, groups: usize) -> World {
        let net = Net::of_service(run);
        let names = ["100", "101", "102"].into_iter().take(groups);
        let groups: Vec<_> = names.map(|name| Group::new(&net, name, 3)).collect();
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

    /// A server has saved a snapshot.
    pub(crate) fn has_snapshot(&self, gid: Gid, server: usize) {
        let saved = self.group(gid).persister(server).save_state_and_snapshot(b"state", b"shards");
        saved.expect("it is in memory");
    }

    /// All servers of a group start again, from snapshots.
    pub(crate) fn restarts_from_snapshots(&self, gid: Gid) {
        for server in 0..3 {
            self.has_snapshot(gid, server);
            start(self.group(gid), server);
        }
    }

    /// A configuration in which these groups have the first shards.
    pub(crate) fn configured(&self, number: u64, owners: &[Gid]) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        self.configured_at_once(number, owners);
    }

    /// It is there at this moment.
    pub(crate) fn configured_at_once(&self, number: u64, owners: &[Gid]) {
        let mut config = Config { number, ..Config::default() };
        config.shards[..owners.len()].copy_from_slice(owners);
        self.watch.configured(&config);
    }

    /// A client reads the key "2", which is in shard 0, and a group answers.
    pub(crate) fn reads(&self, gid: Gid) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        self.reads_at_once(gid);
    }

    /// It begins at this moment.
    pub(crate) fn reads_at_once(&self, gid: Gid) {
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

/// What a run of so many groups comes to.
pub(crate) fn judge(
    run: &Run,
    groups: usize,
    play: impl FnOnce(&World) + Send + 'static,
) -> Option<Verdict> {
    let inside = run.clone();
    let outcome = simulate(1, move || {
        inside.enter();
        let world = World::new(&inside, groups);
        play(&world);
        world.groups.iter().for_each(Group::end);
        world.net.cleanup();
    });
    let verdict = run.session().verdict();
    assert_eq!(outcome.err().map(|failure| failure.message), verdict.clone().map(|v| v.words));
    verdict
}

/// What is said of a run of so many groups that was not judged by all rules.
pub(crate) fn not_judged(groups: usize, play: impl FnOnce(&World) + Send + 'static) -> Vec<String> {
    let run = Run::silent();
    assert_eq!(judge(&run, groups, play), None);
    run.not_judged()
        .into_iter()
        .filter(|words| words.contains("one group serves a shard"))
        .collect()
}

pub(crate) fn right(play: impl FnOnce(&World) + Send + 'static) {
    let verdict = judge(&Run::silent(), 2, play);
    assert_eq!(verdict.map(|verdict| verdict.words), None);
}

/// It breaks this rule, in these words.
pub(crate) fn wrong(
    rule: &str,
    words: &str,
    play: impl FnOnce(&World) + Send + 'static,
) -> Verdict {
    let verdict = judge(&Run::silent(), 2, play).expect("a rule is broken");
    assert_eq!((verdict.check.as_str(), verdict.words.as_str()), (rule, words));
    assert!(verdict.hint.is_some() && verdict.facts.len() >= 2, "{verdict:?}");
    verdict
}

/// The facts of a verdict, a line each.
pub(crate) fn facts(verdict: &Verdict) -> Vec<&str> {
    verdict.facts.iter().map(|fact| fact.text.as_str()).collect()
}
