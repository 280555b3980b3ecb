use std::sync::{Mutex, PoisonError};

use redis::{Client, ConnectionAddr, TlsCertificates, Value, cmd, from_redis_value};

use super::link::Link;

/// The nodes at which a store can listen.
pub(super) struct Nodes {
    /// Nodes with a configured URL.
    given: Vec<Client>,
    is_cluster: bool,
    certificates: Option<TlsCertificates>,
    /// The nodes that the cluster named last.
    discovered: Mutex<Vec<(String, u16)>>,
}

impl Nodes {
    pub(super) fn new(
        given: Vec<Client>,
        is_cluster: bool,
        certificates: Option<TlsCertificates>,
    ) -> Self {
        Self {
            given,
            is_cluster,
            certificates,
            discovered: Mutex::default(),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// All nodes in the order in which to try them: those that the cluster names now,
    /// in random order, then the given ones, which may have left it.
    pub(super) async fn to_listen_at(&self, link: &Link) -> Vec<Client> {
        if !self.is_cluster {
            return self.given.clone();
        }
        let mut slots = cmd("CLUSTER");
        slots.arg("SLOTS");
        if let Ok(value) = link.repeatable(&slots, None).await {
            let nodes = nodes_of(value);
            if !nodes.is_empty() {
                *self.discovered() = nodes;
            }
        }
        let mut nodes = self.discovered().clone();
        fastrand::shuffle(&mut nodes);
        let discovered = nodes.iter().filter_map(|node| self.client(node));
        discovered.chain(self.given.iter().cloned()).collect()
    }

    /// A client for another node, with the user, password and TLS of the given ones.
    fn client(&self, (host, port): &(String, u16)) -> Option<Client> {
        let model = self.given.first()?.get_connection_info();
        let address = match model.addr() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let is_tls = matches!(address, ConnectionAddr::TcpTls { .. });
        let info = model.clone().set_addr(address);
        match &self.certificates {
            Some(certificates) if is_tls => Client::build_with_tls(info, certificates.clone()).ok(),
            _ => Client::open(info).ok(),
        }
    }

    fn discovered(&self) -> std::sync::MutexGuard<'_, Vec<(String, u16)>> {
        self.discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The masters and replicas in an answer to `CLUSTER SLOTS`: a list of ranges, each
/// with its first slot, its last slot and its nodes.
fn nodes_of(slots: Value) -> Vec<(String, u16)> {
    let ranges: Vec<Vec<Value>> = from_redis_value(slots).unwrap_or_default();
    let nodes = ranges
        .into_iter()
        .flat_map(|range| range.into_iter().skip(2));
    let address = |node: Value| {
        let mut fields = from_redis_value::<Vec<Value>>(node).ok()?.into_iter();
        let host: String = from_redis_value(fields.next()?).ok()?;
        let port: u16 = from_redis_value(fields.next()?).ok()?;
        (!host.is_empty()).then_some((host, port))
    };
    let mut addresses: Vec<_> = nodes.filter_map(address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}
