//! Control planes to test, each with a separate database.
#![allow(
    dead_code,
    unreachable_pub,
    unused_macros,
    clippy::unwrap_used,
    clippy::panic
)]

use std::sync::LazyLock;

use tower_subscription_key::catalog::Scope;
use tower_subscription_key::manage::{
    ApiFields, Caller, Expected, Manage, ManageBuilder, ManageError, ProductFields,
    PutSubscription, SubscriptionFields,
};

/// A separate database for each test, removed after it.
pub trait Repository {
    async fn start() -> Self;
    /// The path or URL, if there is a database outside this process.
    fn target(&self) -> Option<String>;
    async fn open(&self, builder: ManageBuilder) -> Result<Manage, ManageError>;
    /// Runs a statement on the database.
    async fn execute(&self, sql: &str);
}

pub struct Memory;

impl Repository for Memory {
    async fn start() -> Self {
        Self
    }

    fn target(&self) -> Option<String> {
        None
    }

    async fn open(&self, builder: ManageBuilder) -> Result<Manage, ManageError> {
        builder.in_memory()
    }

    async fn execute(&self, _: &str) {}
}

pub struct Sqlite(tempfile::TempDir);

impl Repository for Sqlite {
    async fn start() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn target(&self) -> Option<String> {
        let path = self.0.path().join("control-plane.db");
        Some(path.to_str().unwrap().to_owned())
    }

    async fn open(&self, builder: ManageBuilder) -> Result<Manage, ManageError> {
        builder.open(&self.target().unwrap()).await
    }

    async fn execute(&self, sql: &str) {
        let pool = sqlx::SqlitePool::connect(&self.target().unwrap())
            .await
            .unwrap();
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
        query.execute(&pool).await.unwrap();
    }
}

/// Defines `tests!`, which makes a test of each function for each repository.
macro_rules! each_repository {
    ($($repository:ident),*) => {
        each_repository!(@define ($) $($repository),*);
    };
    (@define ($dollar:tt) $($repository:ident),*) => {
        macro_rules! tests {
            ($dollar($dollar test:ident),* $dollar(,)?) => {
                $(
                    #[allow(non_snake_case)]
                    mod $repository {
                        use crate::support::Repository;
                        use crate::repositories::$repository;

                        $dollar(
                            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                            async fn $dollar test() {
                                super::$dollar test($repository::start().await).await;
                            }
                        )*
                    }
                )*
            };
        }
    };
}

pub fn admin() -> &'static Caller {
    static ADMIN: LazyLock<Caller> = LazyLock::new(|| Caller::publisher("admin"));
    &ADMIN
}

pub fn jane() -> &'static Caller {
    static JANE: LazyLock<Caller> = LazyLock::new(|| Caller::owner("jane@contoso.example"));
    &JANE
}

pub fn product(id: &str) -> Scope {
    Scope::Product(id.to_owned())
}

pub fn api(id: &str) -> Scope {
    Scope::Api(id.to_owned())
}

/// A control plane with the API `echo` and the product `starter` that holds it.
pub async fn with_starter(repository: &impl Repository) -> Manage {
    let manage = repository.open(Manage::builder()).await.unwrap();
    add_starter(&manage).await;
    manage
}

pub async fn add_starter(manage: &Manage) {
    put_api(manage, "echo", "/echo").await;
    put_product(manage, "starter", &["echo"]).await;
}

pub async fn put_api(manage: &Manage, id: &str, path: &str) {
    let fields = ApiFields {
        path: Some(path.to_owned()),
        ..ApiFields::default()
    };
    let put = manage.put_api(admin(), id, fields, Expected::Anything);
    put.await.unwrap();
}

pub async fn put_product(manage: &Manage, id: &str, apis: &[&str]) {
    let fields = ProductFields {
        apis: Some(apis.iter().map(ToString::to_string).collect()),
        ..ProductFields::default()
    };
    let put = manage.put_product(admin(), id, fields, Expected::Anything);
    put.await.unwrap();
}

pub fn scoped(scope: Scope) -> SubscriptionFields {
    SubscriptionFields {
        scope: Some(scope),
        ..SubscriptionFields::default()
    }
}

/// Creates a subscription to the product `starter`.
pub async fn subscribe(manage: &Manage, id: &str) -> PutSubscription {
    put(manage, id, scoped(product("starter"))).await.unwrap()
}

pub async fn put(
    manage: &Manage,
    id: &str,
    fields: SubscriptionFields,
) -> Result<PutSubscription, ManageError> {
    let put = manage.put_subscription(admin(), id, fields, Expected::Anything);
    put.await.map(|changed| changed.value)
}

/// The fields of a refusal.
pub fn fields(error: &ManageError) -> Vec<String> {
    error
        .issues()
        .into_iter()
        .map(|issue| issue.field)
        .collect()
}
