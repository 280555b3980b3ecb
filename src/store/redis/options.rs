use std::fmt;
use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::{Client, IntoConnectionInfo, RedisResult, TlsCertificates};

use super::connect::Target;
use super::error::RedisConfigError;
use super::layout::Names;
use super::link::Times;

/// Where Redis is, and how to talk to it: for [`RedisStore`](super::RedisStore)
/// and [`RedisPublisher`](super::RedisPublisher) alike.
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
    pub(super) heartbeat: Duration,
    pub(super) deaf_for: Option<Duration>,
    roots: Option<Vec<u8>>,
}

/// Options that can work.
pub(super) struct Checked {
    pub(super) target: Target,
    /// Where to listen: the first of them that can be reached.
    pub(super) ears: Vec<Client>,
    pub(super) names: Names,
}

impl RedisOptions {
    /// One Redis, by its URL: `redis://`, `rediss://` for TLS, or `unix://`.
    ///
    /// For TLS the process's provider of cryptography is used. Where none was
    /// installed by then, `ring` is.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            nodes: vec![url.into()],
            cluster: false,
            prefix: "tsk".to_owned(),
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(2),
            deaf_for: None,
            roots: None,
        }
    }

    /// A cluster, by the URLs of some of its nodes; the others are found through
    /// them. All have the same user and password, and TLS or not.
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

    /// What all names in Redis begin with, in braces. Default: `tsk`.
    ///
    /// Not empty, without braces and control characters.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long one lookup may take, the wait for a connection included. Default:
    /// 1 second.
    ///
    /// In a `CachedStore`, keep it below that one's own time-out.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting may take: TCP, TLS, and finding the nodes of a cluster,
    /// each of which may take a third of it. Default: 10 seconds.
    ///
    /// A lookup that finds no connection gives up after its own time-out, as ever,
    /// but the attempt goes on for those that come later: there is one at a time.
    /// A remote server that takes the connection and then says nothing is tried anew
    /// after this.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the listening connection may be silent before it is tried with a
    /// `PING`. Default: 2 seconds.
    ///
    /// A remote server that hangs, or a network that swallows everything, is noticed
    /// after this and a time-out.
    pub fn with_heartbeat(mut self, silence: Duration) -> Self {
        self.heartbeat = silence;
        self
    }

    /// While pushes cannot be heard, invalidates everything each time so long has
    /// passed, counted from when the loss was noticed, to within the time that
    /// connecting may take and a pause of 2 seconds. Default: never.
    ///
    /// Without it a change that is missed is felt when the cached entry's
    /// lifetime is over (`found_for`), or, if lookups fail as well, its stale time.
    /// With it, an outage of Redis longer than this is an outage for cached keys:
    /// nothing stale is left to serve.
    pub fn with_invalidation_while_deaf(mut self, every: Duration) -> Self {
        self.deaf_for = Some(every);
        self
    }

    /// The certificates, in PEM, that sign those of `rediss://` remote servers. Default:
    /// what the system trusts.
    pub fn with_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    pub(super) fn times(&self) -> Times {
        Times {
            command: self.timeout,
            connecting: self.connect_timeout,
        }
    }

    pub(super) fn check(&self) -> Result<Checked, RedisConfigError> {
        let times = [
            ("timeout", Some(self.timeout)),
            ("connect_timeout", Some(self.connect_timeout)),
            ("heartbeat", Some(self.heartbeat)),
            ("invalidation_while_deaf", self.deaf_for),
        ];
        if let Some((setting, _)) = times.iter().find(|(_, time)| *time == Some(Duration::ZERO)) {
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
        let ears = self.clients().map_err(refused)?;
        let target = self.target(&ears).map_err(refused)?;
        Ok(Checked {
            target,
            ears,
            names,
        })
    }

    fn clients(&self) -> RedisResult<Vec<Client>> {
        let client = |url: &String| match self.certificates() {
            Some(certificates) if is_tls(url) => Client::build_with_tls(url.as_str(), certificates),
            _ => Client::open(url.as_str()),
        };
        self.nodes.iter().map(client).collect()
    }

    fn target(&self, clients: &[Client]) -> RedisResult<Target> {
        match clients {
            [only] if !self.cluster => Ok(Target::Single(Box::new(only.clone()))),
            _ => Ok(Target::Cluster(Box::new(self.cluster_client()?))),
        }
    }

    fn cluster_client(&self) -> RedisResult<ClusterClient> {
        let nodes: RedisResult<Vec<_>> = self
            .nodes
            .iter()
            .map(|url| url.as_str().into_connection_info())
            .collect();
        // All nodes are waited for, the given ones and then those that they name:
        // one that hangs must leave time to connect to the others.
        let node = self.connect_timeout / 3;
        let mut builder = ClusterClient::builder(nodes?)
            .connection_timeout(node)
            .response_timeout(node.max(self.timeout))
            .overall_response_timeout(Some(self.timeout))
            .retries(3)
            .max_retry_wait(100);
        if let Some(certificates) = self.certificates() {
            builder = builder.certs(certificates);
        }
        builder.build()
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = Some(self.roots.clone()?);
        Some(TlsCertificates {
            client_tls: None,
            root_cert,
        })
    }
}

fn is_tls(url: &str) -> bool {
    ["rediss:", "valkeys:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

/// The client takes the provider of cryptography that the process has; a program
/// that installed none gets this crate's.
fn provide_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Without the URLs: they may hold a password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("nodes", &self.nodes.len())
            .field("cluster", &self.cluster)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("heartbeat", &self.heartbeat)
            .field("deaf_for", &self.deaf_for)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_told_before_anything_is_connected() {
        let url = "redis://:s3cret@localhost";
        for options in [
            RedisOptions::new("http://localhost"),
            RedisOptions::new(""),
            RedisOptions::cluster(Vec::<String>::new()),
            RedisOptions::new(url).with_prefix(""),
            RedisOptions::new(url).with_prefix("a{b}"),
            RedisOptions::new(url).with_timeout(Duration::ZERO),
            RedisOptions::new(url).with_connect_timeout(Duration::ZERO),
            RedisOptions::new(url).with_heartbeat(Duration::ZERO),
            RedisOptions::new(url).with_invalidation_while_deaf(Duration::ZERO),
        ] {
            assert!(options.check().is_err(), "{options:?}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let options = RedisOptions::new("redis://:s3cret@localhost");
        assert!(options.check().is_ok());
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}
