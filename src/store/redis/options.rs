use std::fmt;
use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::{Client, IntoConnectionInfo, RedisResult, TlsCertificates};

use super::connect::Target;
use super::error::RedisConfigError;
use super::layout::Names;
use super::link::Times;
use super::nodes::Nodes;
use crate::store::backoff::LONGEST;

/// How to connect to Redis: for [`RedisStore`](super::RedisStore) and
/// [`RedisPublisher`](super::RedisPublisher). A URL is enough for one Redis.
///
/// ```
/// use std::time::Duration;
/// use tower_subscription_key::store::redis::RedisOptions;
///
/// let one = RedisOptions::new("redis://127.0.0.1:6379");
/// let another = RedisOptions::cluster(["rediss://a.example:6379", "rediss://b.example:6379"])
///     .with_prefix("staging")
///     .with_timeout(Duration::from_millis(500));
/// ```
#[derive(Clone)]
#[must_use]
pub struct RedisOptions {
    nodes: Vec<String>,
    cluster: bool,
    prefix: String,
    timeout: Duration,
    connect_timeout: Duration,
    roots: Option<Vec<u8>>,
}

/// Options that can work.
pub(super) struct Checked {
    pub(super) target: Target,
    pub(super) nodes: Nodes,
    pub(super) names: Names,
    /// Identifies the catalog, without secrets.
    pub(super) identity: String,
}

impl<T: Into<String>> From<T> for RedisOptions {
    fn from(url: T) -> Self {
        Self::new(url)
    }
}

impl RedisOptions {
    /// One Redis, by its URL: `redis://`, `rediss://` for TLS, or `unix://`.
    ///
    /// TLS uses the crypto provider that the process has installed, or `ring`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            nodes: vec![url.into()],
            cluster: false,
            prefix: "tsk".to_owned(),
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(10),
            roots: None,
        }
    }

    /// A cluster, by the URLs of some of its nodes; they name the others. All nodes have
    /// the same user and password, and all have TLS or none.
    pub fn cluster<I>(urls: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        Self {
            nodes: urls.into_iter().map(Into::into).collect(),
            cluster: true,
            ..Self::new("")
        }
    }

    /// Sets the prefix of all names in Redis, without braces and control characters.
    /// Default: `tsk`.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long one command may take, including the wait for a connection. Default:
    /// 1 second. Keep it below the timeout of a cache around the store.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long connecting may take: TCP, TLS, and finding the nodes of a cluster,
    /// each of which may take a third of it. Default: 10 seconds.
    ///
    /// A command that finds no connection gives up after its own timeout; the attempt
    /// goes on for later commands.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the certificates, in PEM, that sign those of `rediss://` servers. Default:
    /// what the system trusts.
    pub fn with_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    pub(super) fn times(&self) -> Times {
        Times {
            command: self.timeout.min(LONGEST),
            connecting: self.connect_timeout.min(LONGEST),
        }
    }

    pub(super) fn check(&self) -> Result<Checked, RedisConfigError> {
        let times = [
            ("timeout", self.timeout),
            ("connect_timeout", self.connect_timeout),
        ];
        if let Some((setting, _)) = times.iter().find(|(_, time)| time.is_zero()) {
            return Err(RedisConfigError::NoTime { setting });
        }
        let names = Names::new(&self.prefix).ok_or(RedisConfigError::Prefix)?;
        if self.nodes.is_empty() {
            return Err(RedisConfigError::NoNodes);
        }
        if self.nodes.iter().any(|url| is_tls(url)) {
            provide_tls();
        }
        let refused = |error: redis::RedisError| RedisConfigError::Client {
            source: error.into(),
        };
        let certificates = self.roots.clone().map(|roots| TlsCertificates {
            client_tls: None,
            root_cert: Some(roots),
        });
        let client = |url: &String| match &certificates {
            Some(certificates) if is_tls(url) => {
                Client::build_with_tls(url.as_str(), certificates.clone())
            }
            _ => Client::open(url.as_str()),
        };
        let clients: RedisResult<Vec<Client>> = self.nodes.iter().map(client).collect();
        let clients = clients.map_err(refused)?;
        let target = match &clients[..] {
            [only] if !self.cluster => Target::Single(Box::new(only.clone())),
            _ => {
                let client = self.cluster_client(certificates.clone());
                Target::Cluster(Box::new(client.map_err(refused)?))
            }
        };
        let identity = self.identity(&clients);
        let is_cluster = matches!(target, Target::Cluster(_));
        Ok(Checked {
            target,
            nodes: Nodes::new(clients, is_cluster, certificates),
            names,
            identity,
        })
    }

    /// Addresses, database and user, and the prefix.
    fn identity(&self, clients: &[Client]) -> String {
        let name = |client: &Client| {
            let info = client.get_connection_info();
            let settings = info.redis_settings();
            let user = settings.username().unwrap_or_default();
            format!("{user}@{}/{}", info.addr(), settings.db())
        };
        let mut nodes: Vec<String> = clients.iter().map(name).collect();
        nodes.sort();
        format!("Redis {} prefix {}", nodes.join(","), self.prefix)
    }

    fn cluster_client(&self, certificates: Option<TlsCertificates>) -> RedisResult<ClusterClient> {
        let nodes = self.nodes.iter();
        let nodes: RedisResult<Vec<_>> = nodes
            .map(|url| url.as_str().into_connection_info())
            .collect();
        // The client waits for all nodes, first the given ones and then those that they
        // name: one that hangs must leave time to connect to the others.
        let Times {
            command,
            connecting,
        } = self.times();
        let node = connecting / 3;
        let mut builder = ClusterClient::builder(nodes?)
            .connection_timeout(node)
            .response_timeout(node.max(command))
            .overall_response_timeout(Some(command))
            .retries(3)
            .max_retry_wait(100);
        if let Some(certificates) = certificates {
            builder = builder.certs(certificates);
        }
        builder.build()
    }
}

fn is_tls(url: &str) -> bool {
    ["rediss:", "valkeys:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

/// Installs a crypto provider, unless the process has one.
fn provide_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Without the URLs: they may contain a password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("nodes", &self.nodes.len())
            .field("cluster", &self.cluster)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_work_are_refused_before_connecting() {
        let url = "redis://:s3cret@localhost";
        for options in [
            RedisOptions::new("http://localhost"),
            RedisOptions::new(""),
            RedisOptions::cluster(Vec::<String>::new()),
            RedisOptions::new(url).with_prefix(""),
            RedisOptions::new(url).with_prefix("a{b}"),
            RedisOptions::new(url).with_timeout(Duration::ZERO),
            RedisOptions::new(url).with_connect_timeout(Duration::ZERO),
        ] {
            assert!(options.check().is_err(), "{options:?}");
        }
    }

    #[test]
    fn debug_and_identity_show_no_password() {
        let options = RedisOptions::new("redis://me:s3cret@localhost:1/2").with_prefix("staging");
        let identity = options.check().unwrap().identity;
        assert_eq!(identity, "Redis me@localhost:1/2 prefix staging");
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}
