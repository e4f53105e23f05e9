//! A crash is one moment, also on the real clock, where a server's tasks go on while it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use labrpc::{CallStep, ClientEnd, Reply, Service};
use labrt::thread;
use labrt::time::Instant;
use persister::Persister;
use tester::{Call, Group, Keep, MakeError, Net, Run, Seat, Server, Setting, Watcher};

/// Saves what it is sent.
#[labrpc::service]
trait Keeper {
    fn keep(&self, text: String, reply: Reply<()>);
}

#[derive(Clone)]
struct Saver {
    ends: Arc<Vec<ClientEnd>>,
    persister: Arc<dyn Persister>,
    events: Arc<Events>,
}

impl Keeper for Saver {
    fn keep(&self, text: String, reply: Reply<()>) {
        self.persister.save_raft_state(text.as_bytes()).expect("memory");
        self.events.saved.store(true, Ordering::SeqCst);
        reply.send(());
    }
}

impl Server for Saver {
    fn services(&self) -> Vec<Service> {
        vec![KeeperService::of(Arc::new(self.clone()))]
    }

    fn kill(&self) {}
}

/// What has happened.
#[derive(Default)]
struct Events {
    arrives: AtomicBool,
    crashed: AtomicBool,
    saved: AtomicBool,
}

/// Waits until this has happened, or for so long.
fn wait_for(event: &AtomicBool, most: Duration) {
    let until = Instant::now() + most;
    while !event.load(Ordering::SeqCst) && Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Has a request arrive in the middle of a crash: its server is told to be dead, and is still there.
struct Meddler(Arc<Events>);

impl Watcher for Meddler {
    fn crashed(&self, _: usize) {
        self.0.crashed.store(true, Ordering::SeqCst);
        // Time for the handler to save.
        wait_for(&self.0.saved, Duration::from_millis(300));
    }

    fn call(&self, call: &Call<'_>) {
        if matches!(call.event.step, CallStep::Delivered) {
            self.0.arrives.store(true, Ordering::SeqCst);
            wait_for(&self.0.crashed, Duration::from_secs(60));
        }
    }
}

/// Else a watcher would say that a server has what was never sent to it.
#[test]
fn what_arrives_after_a_crash_is_not_saved() {
    let run = Run::new(Keep::Nothing, Setting::default());
    let group = Group::new(&Net::new(&run), "", 2);
    let events = Arc::new(Events::default());
    group.watch(Arc::new(Meddler(events.clone())));
    for server in 0..2 {
        let events = events.clone();
        let make = |seat: Seat| {
            let Seat { ends, persister, .. } = seat;
            move || Ok::<_, MakeError>(Saver { ends: Arc::new(ends), persister, events })
        };
        group.start(server, make);
        group.connect(server);
    }
    let caller = group.instance(0).expect("it runs");
    let calls = thread::spawn(move || {
        let call = |saver: &Saver| KeeperClient::new(saver.ends[1].clone()).keep(&"late".into());
        caller.enter(call).expect("it lives").is_ok()
    });
    wait_for(&events.arrives, Duration::from_secs(60));
    group.crash(1);
    assert_eq!(group.state_size(1), 0, "it was saved after the crash");
    assert!(!calls.join().expect("it ends"), "nobody answers");
    group.end();
    group.net().cleanup();
}
