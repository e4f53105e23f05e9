//! Clients under the tester's eyes, and what they saw.

use std::sync::Arc;

use labrt::sync::Leaf;
use labtrace::verdict;
use linearizability::models::{Queue, QueueInput, QueueOutput};
use linearizability::view::Picture;
use linearizability::{Answer, Limits, Model, Recorder, check};
use queue_example::{Clerk, Outcome, Request};
use tester::Run;

use super::cluster::{Cluster, SERVERS};
use super::edn;

/// How many requests a verdict shows.
const SHOWN: usize = 8;

type Input = QueueInput<String>;
type Output = QueueOutput<String>;

/// A clerk whose requests are counted, stand in the run's trace, and are part of a history.
pub(crate) struct Client {
    clerk: Clerk,
    /// Its ends to the servers.
    ends: tester::Client,
    number: u64,
    history: History,
    /// How many elements it has made.
    elements: u64,
}

impl Client {
    /// A client of this number that reaches all servers.
    pub(crate) fn new(cluster: &Cluster, number: u64, history: &History) -> Client {
        let (net, members) = (cluster.group().net(), cluster.group().members());
        let ends = tester::Client::new(net, &format!("client {number}"));
        let all: Vec<usize> = (0..SERVERS).collect();
        ends.connect(members, &all);
        let clerk = Clerk::new(ends.ends_to(members));
        Client { clerk, ends, number, history: history.clone(), elements: 0 }
    }

    /// Puts an element in that no other one is like. So a history is decided without a search.
    pub(crate) fn enqueue(&mut self) {
        self.elements += 1;
        let element = format!("{}-{}", self.number, self.elements);
        self.execute(Request::Enqueue(element));
    }

    /// Takes the first element out.
    pub(crate) fn dequeue(&mut self) -> Option<String> {
        match self.execute(Request::Dequeue) {
            QueueOutput::Dequeued(first) => first,
            QueueOutput::Enqueued => panic!("a dequeue was answered as an enqueue"),
        }
    }

    fn execute(&mut self, request: Request) -> Output {
        let Client { clerk, ends, number, history, .. } = self;
        let input = match &request {
            Request::Enqueue(element) => QueueInput::Enqueue(element.clone()),
            Request::Dequeue => QueueInput::Dequeue,
        };
        let asked = Queue::new().describe(&input, None);
        let work = || {
            let ticket = history.0.with(|recorder| recorder.call(*number, input));
            let output = match clerk.execute(request) {
                Outcome::Enqueued => QueueOutput::Enqueued,
                Outcome::Dequeued(first) => QueueOutput::Dequeued(first),
            };
            history.0.with(|recorder| recorder.returned(ticket, output.clone()));
            output
        };
        let got = |output: &Output| match output {
            QueueOutput::Enqueued => String::new(),
            QueueOutput::Dequeued(first) => first.clone().unwrap_or("empty".into()),
        };
        ends.operate(|| asked, work, got, |_| ())
    }
}

/// What the clients of a run asked and got, in the order in which it happened. Clones are the same
/// history.
#[derive(Clone, Default)]
pub(crate) struct History(Arc<Leaf<Recorder<Input, Output>>>);

impl History {
    /// Checks that all requests together are linearizable. If they are not, a picture of them lies beside
    /// the run's trace.
    pub(crate) fn check(&self, run: &Run) {
        let recorder = self.0.with(std::mem::take);
        let history = recorder.finish().expect("each client makes one request at a time");
        run.leave("operations", "edn", edn::of(&history));
        let report = check(&Queue::new(), &history, &Limits::default());
        match &report.answer {
            Answer::Linearizable(_) => {}
            Answer::Undecided(_) => {
                run.warn("it was not decided whether the history is linearizable")
            }
            Answer::NotLinearizable(violation) => {
                let picture = Picture::new("queue", &Queue::new(), &history, &report.answer);
                run.leave("history", "html", picture.page());
                let words = "history is not linearizable: no order of the requests fits";
                let mut broken = verdict("linearizability", words);
                // The page shows all of them.
                for &place in violation.operations.iter().rev().take(SHOWN).rev() {
                    let operation = &history.operations()[place];
                    let text = Queue::new().describe(&operation.input, operation.output());
                    let mark = match place == violation.culprit {
                        true => "; here it became certain",
                        false => "",
                    };
                    broken =
                        broken.fact(None, format!("client {}: {text}{mark}", operation.client));
                }
                let left_out = violation.operations.len().saturating_sub(SHOWN);
                if left_out > 0 {
                    broken = broken.detail(format!("before these come {left_out} more"));
                }
                broken.hint("a dequeue that did not go through the log").fail()
            }
        }
    }
}
