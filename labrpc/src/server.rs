use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use labrt::Node;
use labrt::thread::Pool;

use crate::reply::RawReply;
use crate::request::Request;
use crate::service::{Handler, Host, Service, list};

/// A set of services under one name on the network. Clones are the same server.
///
/// Go: the type `Server`.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

#[derive(Clone, Default)]
struct Parts {
    services: BTreeMap<String, Service>,
    node: Option<Node>,
}

struct Inner {
    parts: Parts,
    count: AtomicU64,
}

impl Server {
    /// A server without services.
    #[expect(clippy::new_without_default, reason = "a server without services is of no use")]
    pub fn new() -> Server {
        Server::of(Parts::default())
    }

    fn of(parts: Parts) -> Server {
        Server { inner: Arc::new(Inner { parts, count: AtomicU64::new(0) }) }
    }

    /// This server with one more service.
    ///
    /// # Panics
    /// If it has a service of this name.
    #[track_caller]
    pub fn service(self, service: Service) -> Server {
        let mut parts = self.inner.parts.clone();
        let name = service.name().to_string();
        let former = parts.services.insert(name, service);
        if let Some(former) = former {
            panic!("the server has a service named `{}` already", former.name());
        }
        Server::of(parts)
    }

    /// This server as a part of `node`: its handlers run in the node and die with it.
    pub fn node(self, node: Node) -> Server {
        let mut parts = self.inner.parts.clone();
        parts.node = Some(node);
        Server::of(parts)
    }

    /// How many requests it has been given; one that comes twice is two.
    pub fn count(&self) -> u64 {
        self.inner.count.load(Ordering::Relaxed)
    }

    pub(crate) fn same(&self, other: &Server) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Starts the handler of a request.
    pub(crate) fn dispatch(&self, pool: &Pool, request: Request, reply: RawReply) {
        self.inner.count.fetch_add(1, Ordering::Relaxed);
        match self.find(&request) {
            Ok(handler) => {
                let host =
                    Host { pool, method: request.method, node: self.inner.parts.node.clone() };
                handler.start(host, request.args, reply);
            }
            Err(words) => reply.misuse(words),
        }
    }

    /// The handler that a request names, or what is wrong with the request.
    fn find(&self, request: &Request) -> Result<&Handler, String> {
        let services = &self.inner.parts.services;
        // A service may have dots in its name, a method has none.
        let Some((service, method)) = request.method.rsplit_once('.') else {
            return Err(format!(
                "`{}` is not of the form `Service.Method`, as in `Raft.AppendEntries`",
                request.method
            ));
        };
        match services.get(service) {
            Some(service) => service.find(method, &request.types),
            None => Err(format!(
                "there is no service `{service}` for the call of `{}`; the server has {}",
                request.method,
                list(services.keys())
            )),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("services", &self.inner.parts.services.keys().collect::<Vec<_>>())
            .field("node", &self.inner.parts.node)
            .field("count", &self.count())
            .finish()
    }
}
