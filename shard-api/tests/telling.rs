//! What servers tell reaches who listens in their world, with their name, and changes no run.

use std::sync::Arc;

use labrt::sync::Leaf;
use labrt::{Node, simulate, thread};
use shard_api::{Holding, Listener, SHARDS, Standing, listen, tell};

#[derive(Default)]
struct Heard(Leaf<Vec<(String, Standing)>>);

impl Listener for Heard {
    fn told(&self, server: &Node, standing: Standing) {
        self.0.with(|heard| heard.push((server.name().to_string(), standing)));
    }
}

fn standing(config: u64) -> Standing {
    Standing { config, shards: [Holding::Serves; SHARDS] }
}

#[test]
fn it_says_which_server_tells_what_in_its_own_world() {
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    let world = simulate(0, move || {
        listen(listener);
        tell(|| unreachable!("whoever is on no node is no server"));
        let task = Node::new("server 1").spawn(|| tell(|| standing(3)));
        task.join().expect("it does not fail");
    });
    world.expect("it does not fail");
    assert_eq!(heard.0.with(std::mem::take), [("server 1".to_string(), standing(3))]);
    simulate(0, || Node::new("server 1").enter(|| tell(|| unreachable!("nobody listens"))))
        .expect("it does not fail")
        .value
        .expect("it was not killed");
    assert_eq!(heard.0.with(std::mem::take), []);
}

#[test]
fn to_tell_is_no_step() {
    let hash = |listens: bool| {
        let world = simulate(7, move || {
            if listens {
                listen(Arc::new(Heard::default()));
            }
            let tellers = (0..3_u64).map(|server| {
                Node::new(format!("server {server}")).spawn(move || {
                    for config in 0..20 {
                        tell(|| standing(config));
                        thread::yield_now();
                    }
                })
            });
            tellers.collect::<Vec<_>>().into_iter().for_each(|task| task.join().unwrap());
        });
        world.expect("it does not fail").trace
    };
    assert_eq!(hash(true), hash(false));
}
