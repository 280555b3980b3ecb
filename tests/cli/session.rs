//! The session of the README.

use crate::support::Home;

#[test]
fn session_of_the_readme_runs_as_it_is_written() {
    let home = Home::empty("keys.toml");
    let session = "\
subscription-key apis add orders --path /orders
subscription-key products add starter
subscription-key create --scope /products/starter --id contoso --json
subscription-key explain --path /orders/7 --subscription contoso";
    let lines: Vec<&str> = session.lines().collect();
    home.shell(lines[0]).expect(0);
    home.shell(lines[1]).expect(0);
    let created = home.shell(lines[2]).expect(0).json();
    let key = created["primary_key"].as_str().unwrap();
    let denied = home.shell(lines[3]).expect(1);
    assert!(
        denied.out.contains("API \"orders\" is in no product"),
        "{denied:?}"
    );
    let command = "subscription-key products set starter --api orders";
    assert!(denied.out.contains(command), "{denied:?}");
    home.shell(command).expect(0);
    let allowed = home.shell(lines[3]).expect(0);
    assert!(
        allowed.out.starts_with(
            "let in: API \"orders\", product \"starter\", primary key of subscription \"contoso\""
        ),
        "{allowed:?}"
    );
    home.run_with(&["explain", "--path", "/orders/7", "--key-stdin"], key)
        .expect(0);
    home.shell("subscription-key check --deny-warnings")
        .expect(0);
}
