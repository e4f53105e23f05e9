//! What a trace shows of a Raft that says nothing itself.

use labrt::world::Builder;
use labtrace::Keep;
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType};
use run_record::setting::Setting;

use crate::puppet::{Puppet, puppet};

#[test]
fn roles_are_inferred_from_messages() {
    let run = Run::new(Keep::All, Setting::default());
    let inside = run.clone();
    let outcome = Builder::simulated(3).run(move || {
        inside.enter();
        let cluster = Cluster::in_run(RaftType::of::<Puppet>(), &inside, 3, false);
        puppet(1).answers(4, true);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, (0, 0), &[]);
        puppet(1).asks_for_vote(1, 0, 5);
        cluster.cleanup();
    });
    outcome.expect("no rule is broken");
    let events = run.session().take().events;
    let inferred = events.iter().filter_map(|event| match &event.what {
        labtrace::What::Inferred { role, term } => Some((event.lane?, *role, *term)),
        _ => None,
    });
    use labtrace::Role::{Candidate, Follower, Leader};
    let expected = [(0, Candidate, 4), (1, Follower, 4), (0, Leader, 4), (1, Candidate, 5)];
    assert_eq!(inferred.collect::<Vec<_>>(), expected);
}
