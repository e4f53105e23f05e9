use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use labgob::Gob;
use labrt::node::{self, Node};
use labrt::observe;
use labrt::thread::{self, Pool};

use crate::reply::{RawReply, Reply};
use crate::request::{GobType, MethodType};

/// A named set of methods, with the functions that handle them.
///
/// [`#[labrpc::service]`](crate::service) makes one from a trait; by hand:
///
/// ```
/// let echo = labrpc::Service::new("Echo").method("Shout", |text: String| text.to_uppercase());
/// # let _ = labrpc::Server::new().service(echo);
/// ```
///
/// Go: the type `Service`.
#[derive(Clone)]
pub struct Service {
    name: String,
    methods: BTreeMap<String, Handler>,
}

impl Service {
    /// A service without methods. `name` is the part of a call's name before the last dot.
    pub fn new(name: impl Into<String>) -> Service {
        Service { name: name.into(), methods: BTreeMap::new() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This service with one more method, whose handler returns the reply.
    ///
    /// Each call of it runs as a task of its own, which may block.
    ///
    /// # Panics
    /// If it has a method of this name, or the name has a dot.
    #[track_caller]
    pub fn method<A: Gob, R: Gob>(
        self,
        name: impl Into<String>,
        handler: impl Fn(A) -> R + Send + Sync + 'static,
    ) -> Service {
        let run = move |args: Vec<u8>| labgob::encode(&handler(decode(&args)));
        self.add::<A, R>(name.into(), How::Returns(Arc::new(run)))
    }

    /// This service with one more method, whose handler answers through a [`Reply`], perhaps later.
    ///
    /// Each call of it runs as a task of its own, which may block.
    ///
    /// # Panics
    /// If it has a method of this name, or the name has a dot.
    #[track_caller]
    pub fn method_later<A: Gob, R: Gob>(
        self,
        name: impl Into<String>,
        handler: impl Fn(A, Reply<R>) + Send + Sync + 'static,
    ) -> Service {
        let run = move |args: Vec<u8>, raw| handler(decode(&args), Reply::new(raw));
        self.add::<A, R>(name.into(), How::Later(Arc::new(run)))
    }

    /// As [`method_later`](Service::method_later), but the handler must not block: it runs on a task
    /// of the network or of the caller, which is faster by the start of a task. So two handlers of this kind that
    /// call each other (on a reliable network, where nothing is delayed) stand on one stack, again and again: such
    /// calls must come to an end, or belong to tasks of their own.
    ///
    /// # Panics
    /// If it has a method of this name, or the name has a dot.
    #[track_caller]
    pub fn method_inline<A: Gob, R: Gob>(
        self,
        name: impl Into<String>,
        handler: impl Fn(A, Reply<R>) + Send + Sync + 'static,
    ) -> Service {
        let run = move |args: Vec<u8>, raw| handler(decode(&args), Reply::new(raw));
        self.add::<A, R>(name.into(), How::Inline(Arc::new(run)))
    }

    #[track_caller]
    fn add<A: Gob, R: Gob>(mut self, name: String, how: How) -> Service {
        // A call's name ends with the method's, behind the last dot: nobody could call this one.
        assert!(!name.contains('.'), "the method `{name}` has a dot in its name");
        let handler = Handler { types: MethodType::of::<A, R>(), how };
        let former = self.methods.insert(name.clone(), handler);
        assert!(former.is_none(), "the service `{}` has a method `{name}` already", self.name);
        self
    }

    /// The handler of a method, if the call's types are its own; else what is wrong.
    pub(crate) fn find(&self, method: &str, types: &MethodType) -> Result<&Handler, String> {
        let Some(handler) = self.methods.get(method) else {
            return Err(format!(
                "there is no method `{method}` in the service `{}`; it has {}",
                self.name,
                list(self.methods.keys())
            ));
        };
        let of = format_args!("{}.{method}", self.name);
        let (want, got) = (&handler.types, types);
        if want.args.fingerprint != got.args.fingerprint {
            Err(wrong_type("takes", "the call gives", &of, want.args, got.args))
        } else if want.reply.fingerprint != got.reply.fingerprint {
            Err(wrong_type("replies with", "the caller expects", &of, want.reply, got.reply))
        } else {
            Ok(handler)
        }
    }
}

fn wrong_type(
    does: &str,
    instead: &str,
    method: &dyn fmt::Display,
    want: GobType,
    got: GobType,
) -> String {
    format!(
        "`{method}` {does} `{}`, but {instead} `{}`\n  handler: {}\n  call:    {}",
        want.name,
        got.name,
        (want.describe)(),
        (got.describe)()
    )
}

/// `a`, `b` and so on, in words.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

fn decode<A: Gob>(args: &[u8]) -> A {
    // The type has been compared before.
    labgob::decode(args).unwrap_or_else(|error| panic!("the arguments of a call: {error}"))
}

/// How a method is handled.
#[derive(Clone)]
pub(crate) struct Handler {
    types: MethodType,
    how: How,
}

#[derive(Clone)]
enum How {
    Returns(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
    Later(Arc<dyn Fn(Vec<u8>, RawReply) + Send + Sync>),
    Inline(Arc<dyn Fn(Vec<u8>, RawReply) + Send + Sync>),
}

/// Where a handler runs.
pub(crate) struct Host<'a> {
    pub(crate) pool: &'a Pool,
    /// The task's name while it runs.
    pub(crate) method: Arc<str>,
    pub(crate) node: Option<Node>,
}

impl Handler {
    /// Starts the handler in the server's node. If that is dead, or dies, or the handler panics, the
    /// call fails.
    pub(crate) fn start(&self, host: Host<'_>, args: Vec<u8>, reply: RawReply) {
        let Host { pool, method, node } = host;
        match &self.how {
            How::Returns(handler) => {
                let handler = handler.clone();
                let work = move || run_as(method, node, || handler(args));
                pool.run_with_end(work, move |result| {
                    if let Ok(bytes) = result {
                        reply.send(bytes);
                    }
                });
            }
            How::Later(handler) => {
                let handler = handler.clone();
                pool.run(move || {
                    let _ = run_as(method, node, || handler(args, reply));
                });
            }
            How::Inline(handler) => {
                if node.as_ref().is_some_and(Node::is_paused) {
                    // The calling task is somebody else's, who must not wait for the node to go on.
                    let handler = handler.clone();
                    return pool.run(move || {
                        let _ = run_as(method, node, || handler(args, reply));
                    });
                }
                let _ = node::unpaused(|| run_as(method, node, || handler(args, reply)));
            }
        }
    }
}

/// Runs a handler on the calling task as if it were one of its own, so that what goes wrong in it is
/// not blamed on a caller or on the network.
fn run_as<R>(
    method: Arc<str>,
    node: Option<Node>,
    handler: impl FnOnce() -> R,
) -> thread::Result<R> {
    let task = thread::Builder::new().name(method);
    match node {
        Some(node) => task.node(node),
        None => task.outside_nodes(),
    }
    .run_here(|| observe::as_handler(handler))
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.keys().collect::<Vec<_>>();
        f.debug_struct("Service").field("name", &self.name).field("methods", &methods).finish()
    }
}
