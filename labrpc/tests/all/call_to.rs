//! Calls whose results go to a channel.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Setup, millis, on_both, on_simulated};
use labgob::{Deserialize, Gob, Serialize};
use labrpc::{Network, NoReply, Returned, Server, Service};
use labrt::sync::Mutex;
use labrt::world::Builder;
use labrt::{channel, simulate, thread};

/// All that comes to an event loop.
#[derive(Debug, PartialEq)]
enum Input {
    Tick,
    Doubled { which: u64, result: Result<u64, NoReply> },
    Text(Result<String, NoReply>),
}

impl From<Returned<u64, u64>> for Input {
    fn from(returned: Returned<u64, u64>) -> Input {
        Input::Doubled { which: returned.tag, result: returned.result }
    }
}

impl From<Returned<(), String>> for Input {
    fn from(returned: Returned<(), String>) -> Input {
        Input::Text(returned.result)
    }
}

#[test]
fn results_of_all_calls_come_into_one_queue() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (inputs, queue) = channel::unbounded();
        inputs.send(Input::Tick).unwrap();
        for which in 0..20 {
            client.later_to(&(which * 10), which, &inputs);
        }
        client.handler2_to(&7, (), &inputs);
        let mut seen = [false; 20];
        let mut others = Vec::new();
        for _ in 0..22 {
            match queue.recv().unwrap() {
                Input::Doubled { which, result } => {
                    assert_eq!(result, Ok(which * 20));
                    seen[which as usize] = true;
                }
                other => others.push(other),
            }
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_eq!(others, [Input::Tick, Input::Text(Ok("handler2-7".into()))]);
    });
}

#[test]
fn a_failed_call_says_so_under_its_tag() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (inputs, queue) = channel::unbounded::<Input>();
        setup.network.enable(1, false);
        client.later_to(&1, 5u64, &inputs);
        let expected = Input::Doubled { which: 5, result: Err(NoReply) };
        assert_eq!(queue.recv().unwrap(), expected);
        setup.network.cleanup();
        client.later_to(&1, 5u64, &inputs);
        assert_eq!(queue.recv().unwrap(), expected);
    });
}

#[test]
fn nobody_needs_to_listen_and_what_is_unheard_is_dropped_elsewhere() {
    /// Its destructor takes a lock.
    struct Unheard(Arc<Mutex<u32>>);
    impl From<Returned<Arc<Mutex<u32>>, u64>> for Unheard {
        fn from(returned: Returned<Arc<Mutex<u32>>, u64>) -> Unheard {
            Unheard(returned.tag)
        }
    }
    impl Drop for Unheard {
        fn drop(&mut self) {
            *self.0.lock() += 1;
        }
    }
    on_simulated(50, || {
        let setup = Setup::new();
        let client = setup.client(1);
        let dropped = Arc::new(Mutex::new(0));
        {
            let (inputs, queue) = channel::unbounded::<Unheard>();
            drop(queue);
            let _held = dropped.lock();
            client.inline_to(&1, dropped.clone(), &inputs);
            setup.network.cleanup();
            client.inline_to(&1, dropped.clone(), &inputs);
        }
        thread::sleep(millis(1));
        assert_eq!(*dropped.lock(), 2);
    });
}

#[test]
fn a_channel_with_a_limit_is_refused() {
    for builder in [Builder::simulated(1), Builder::real()] {
        let failure = builder
            .run(|| {
                let setup = Setup::new();
                let (inputs, _queue) = channel::bounded::<Input>(1000);
                setup.client(1).later_to(&1, 5, &inputs);
            })
            .unwrap_err();
        assert!(failure.message.contains("the channel for the result of Junk.Later is bounded"));
        assert!(failure.location.unwrap().contains("call_to.rs"), "it names the caller's line");
    }
}

#[test]
fn a_message_is_made_without_calls_into_labrt() {
    struct Locks;
    impl From<Returned<Arc<Mutex<u32>>, u64>> for Locks {
        fn from(returned: Returned<Arc<Mutex<u32>>, u64>) -> Locks {
            *returned.tag.lock() += 1;
            Locks
        }
    }
    let failure = simulate(1, || {
        let setup = Setup::new();
        let (inputs, _queue) = channel::unbounded::<Locks>();
        setup.client(1).inline_to(&1, Arc::default(), &inputs);
        thread::sleep(Duration::from_secs(1));
    })
    .unwrap_err();
    assert!(failure.message.contains("in code that must not be interrupted"), "{failure}");
    assert!(failure.message.contains("call_to.rs:"), "{failure}");
}

/// Reads anything but 13.
#[derive(Debug, PartialEq, Serialize, Gob)]
struct Superstitious(u64);

impl<'de> Deserialize<'de> for Superstitious {
    fn deserialize<D: labgob::serde::Deserializer<'de>>(d: D) -> Result<Superstitious, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Superstitious")]
        struct Plain(u64);
        let Plain(number) = Plain::deserialize(d)?;
        assert_ne!(number, 13, "bad luck");
        Ok(Superstitious(number))
    }
}

#[test]
fn a_panic_while_a_message_is_made_holds_up_no_other_call() {
    // Not in a world: nothing ends the network's tasks.
    let network = Network::new();
    let service = Service::new("S").method("M", |number: u64| {
        if number == 13 { Vec::new() } else { vec![Superstitious(number)] }
    });
    network.add_server(0, Server::new().service(service));
    let end = network.make_end(1);
    network.connect(1, 0);
    network.enable(1, true);
    struct Message(Result<Vec<Superstitious>, NoReply>);
    impl From<Returned<bool, Vec<Superstitious>>> for Message {
        fn from(returned: Returned<bool, Vec<Superstitious>>) -> Message {
            assert!(!returned.tag, "on purpose");
            Message(returned.result)
        }
    }
    let (inputs, queue) = channel::unbounded::<Message>();
    // The second kind of call fails late, on the network's own task.
    for reachable in [true, false] {
        network.enable(1, reachable);
        end.call_to::<u64, Vec<Superstitious>, _, _>("S.M", &1, true, &inputs);
        thread::sleep(millis(120));
        end.call_to::<u64, Vec<Superstitious>, _, _>("S.M", &2, false, &inputs);
        let Message(result) = queue.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(result, reachable.then(|| vec![Superstitious(2)]).ok_or(NoReply));
    }
    network.cleanup();
}

#[test]
fn misuse_fails_the_run() {
    let failure = simulate(1, || {
        let setup = Setup::new();
        let (inputs, _queue) = channel::unbounded::<Returned<(), u8>>();
        setup.end(1).call_to::<i32, u8, _, _>("Junk.Handler2", &1, (), &inputs);
        thread::sleep(Duration::from_secs(60));
    })
    .unwrap_err();
    assert!(failure.message.contains("but the caller expects `u8`"), "{failure}");
}

#[labrpc::service]
trait Größe {
    fn über_länge(&self, args: u8) -> u8;
    fn r#type(&self, args: u8) -> u8;
}

#[test]
fn names_may_have_any_letters() {
    struct Any;
    impl Größe for Any {
        fn über_länge(&self, args: u8) -> u8 {
            args + 1
        }
        fn r#type(&self, args: u8) -> u8 {
            args + 2
        }
    }
    simulate(1, || {
        let network = Network::new();
        network.add_server(0, Server::new().service(GrößeService::of(Arc::new(Any))));
        let end = network.make_end(1);
        network.connect(1, 0);
        network.enable(1, true);
        assert_eq!(end.call::<u8, u8>("Größe.ÜberLänge", &1), Ok(2));
        assert_eq!(end.call::<u8, u8>("Größe.Type", &1), Ok(3));
        assert_eq!(GrößeClient::new(end).über_länge(&1), Ok(2));
    })
    .unwrap();
}

#[labrpc::service]
trait Partial {
    fn always(&self, args: u8) -> u8;
    #[cfg(any())]
    fn never(&self, args: Missing) -> Missing;
}

#[test]
fn a_method_that_is_not_compiled_is_no_part_of_its_service() {
    struct Always;
    impl Partial for Always {
        fn always(&self, args: u8) -> u8 {
            args
        }
    }
    let service = format!("{:?}", PartialService::of(Arc::new(Always)));
    assert!(service.contains("Always") && !service.contains("Never"), "{service}");
}
