//! What happens in the storm of a swarm test.

use std::collections::BTreeMap;

use labrt::simulate;
use labtrace::What;
use tester::swarm::{self, Faults, Storm};
use tester::{Group, Keep, Net, Run, Setting};

use crate::{Idle, start};

/// How long servers were paused in the storm of a seed, in us. Who crashes meanwhile is left out.
fn pauses(seed: u64) -> Vec<u64> {
    let run = Run::new(Keep::All, Setting::default());
    let inside = run.clone();
    let outcome = simulate(seed, move || {
        inside.enter();
        let net = Net::new(&inside);
        let group = Group::new(&net, "", 4);
        start(&group);
        let faults = net.draw(Faults::draw);
        let again = |server| group.start(server, |seat| move || Idle::make(seat));
        let storm = Storm::new(&group, &faults, |_| false, again);
        swarm::storm(&net, 100, || storm.happens());
        storm.heal(4);
        drop(storm);
        group.end();
        net.cleanup();
    });
    outcome.expect("nothing fails");
    let (mut since, mut pauses) = (BTreeMap::new(), Vec::new());
    for event in run.session().take().events {
        match event.what {
            What::Paused => _ = since.insert(event.lane, event.us),
            What::Resumed => pauses.push(event.us - since[&event.lane]),
            _ => {}
        }
    }
    pauses
}

#[test]
fn a_pause_takes_its_time() {
    let all: Vec<u64> = (0..10).flat_map(pauses).collect();
    assert!(all.len() > 100, "{} pauses", all.len());
    // A round takes 5 ms at least.
    assert!(all.iter().all(|us| *us >= 5_000), "{all:?}");
}
