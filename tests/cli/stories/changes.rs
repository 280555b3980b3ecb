use serde_json::Value;

use super::super::support::Place;

/// The words of a change, and the kind and id of the record that it changes.
const CHANGES: [(&str, &str, &str); 16] = [
    ("apis add new --path /new --header X-New", "apis", "new"),
    (
        "apis set echo --path /e --name E --unset query",
        "apis",
        "echo",
    ),
    (
        "apis set orders --subscription-required=false",
        "apis",
        "orders",
    ),
    ("apis remove echo --yes", "apis", "echo"),
    ("products add gold --api orders", "products", "gold"),
    (
        "products set starter --api=orders --published=false",
        "products",
        "starter",
    ),
    (
        "products set starter --unset apis --metadata n=5",
        "products",
        "starter",
    ),
    ("create --scope /apis --id new", "subscriptions", "new"),
    (
        "subscriptions set good --unset owner --expires 90d --name=-x",
        "subscriptions",
        "good",
    ),
    (
        "subscriptions set good --scope=/apis --scope=/apis/echo",
        "subscriptions",
        "good",
    ),
    ("grant good /apis/orders", "subscriptions", "good"),
    ("suspend good", "subscriptions", "good"),
    ("cancel good", "subscriptions", "good"),
    ("activate off", "subscriptions", "off"),
    ("activate given-up", "subscriptions", "given-up"),
    ("activate over --expires none", "subscriptions", "over"),
];

fn code(place: &Place, key: &str) -> i32 {
    let words = ["explain", "--path", "/echo", "--key-stdin"];
    place.run_with(&words, key).code
}

pub(crate) fn record(place: &Place, kind: &str, id: &str) -> Value {
    let shown = place.run(&[kind, "show", id, "--json"]);
    if shown.code != 0 {
        return Value::Null;
    }
    let mut record = shown.json();
    for field in [
        "created_at",
        "updated_at",
        "started_at",
        "ended_at",
        "version",
    ] {
        record.as_object_mut().unwrap().remove(field);
    }
    record
}

pub(crate) fn each_change_is_undone_by_the_command_that_it_prints(place: &Place) {
    for (words, kind, id) in CHANGES {
        let members = record(place, "products", "starter");
        let before = record(place, kind, id);
        let words: Vec<&str> = words.split(' ').collect();
        let changed = place.run(&words).expect(0);
        assert_ne!(record(place, kind, id), before, "{words:?}");
        place.shell(changed.undo()).expect(0);
        assert_eq!(
            record(place, kind, id),
            before,
            "{words:?}: {}",
            changed.undo()
        );
        assert_eq!(record(place, "products", "starter"), members, "{words:?}");
    }
}

pub(crate) fn change_that_no_command_undoes_says_so(place: &Place) {
    for words in [
        &["regenerate", "good", "primary"][..],
        &["approve", "asked"],
        &["subscriptions", "remove", "off", "--yes"],
        &["products", "remove", "starter", "--with-subscriptions"],
        &["import", "catalog", "start.toml", "--replace"],
    ] {
        let ran = place.run(words).expect(0);
        let said = |start: &str| ran.err.lines().any(|line| line.starts_with(start));
        assert!(
            said("this cannot be undone: ") && !said("undo: "),
            "{words:?}: {ran:?}"
        );
    }
}

pub(crate) fn key_lives_and_ends_as_the_commands_say(place: &Place) {
    let words = [
        "create",
        "--scope",
        "/products/starter",
        "--id",
        "new",
        "--json",
    ];
    let created = place.run(&words).expect(0).json();
    let [primary, secondary] = ["primary_key", "secondary_key"].map(|name| created[name].as_str());
    let (primary, secondary) = (primary.unwrap(), secondary.unwrap());
    assert_eq!((code(place, primary), code(place, secondary)), (0, 0));
    let words = ["regenerate", "new", "primary", "--grace", "1h", "--json"];
    let rotated = place.run(&words).expect(0).json();
    assert!(rotated["replaced_key_expires_at"].is_string());
    let new = rotated["key"].as_str().unwrap();
    assert_eq!((code(place, primary), code(place, new)), (0, 0));
    // Regenerating again ends the older one at once.
    let again = place
        .run(&["regenerate", "new", "primary", "--json"])
        .expect(0)
        .json();
    assert!(again["replaced_key_expires_at"].is_null());
    let last = again["key"].as_str().unwrap();
    assert_eq!(
        [primary, new, last, secondary].map(|key| code(place, key)),
        [1, 1, 0, 0]
    );
    place.run(&["suspend", "new"]).expect(0);
    assert_eq!((code(place, last), code(place, secondary)), (1, 1));
    place.run(&["suspend", "new"]).expect(1);
    place.run(&["activate", "new"]).expect(0);
    assert_eq!(code(place, last), 0);
    place.run(&["reject", "asked", "--comment", "no"]).expect(0);
    assert_eq!(code(place, "asked-key"), 1);
    for words in [
        &["subscriptions", "list", "--json"][..],
        &["subscriptions", "show", "new"],
    ] {
        let ran = place.run(words).expect(0);
        assert!(
            !ran.out.contains("sha256") && !ran.out.contains(last),
            "{ran:?}"
        );
    }
}

pub(crate) fn existing_keys_are_taken_and_no_key_twice(place: &Place) {
    let add = |id: &'static str| ["subscriptions", "add", id, "--scope", "/apis/echo"];
    place
        .run_with(&add("moved"), "one-two-three\nfour-five-six\n")
        .expect(0);
    assert_eq!(
        [code(place, "one-two-three"), code(place, "four-five-six")],
        [0, 0]
    );
    let twice = place.run_with(&add("other"), "four-five-six\n").expect(1);
    assert!(!twice.err.contains("four-five"), "{twice:?}");
}

pub(crate) fn concurrent_commands_lose_nothing(place: &Place) {
    std::thread::scope(|scope| {
        for n in 0..6 {
            scope.spawn(move || {
                let id = format!("s{n}");
                place
                    .run(&["create", "--scope", "/apis", "--id", &id])
                    .expect(0);
            });
        }
    });
    let listed = place
        .run(&["subscriptions", "list", "--json"])
        .expect(0)
        .json();
    let made = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["scope"] == "/apis");
    assert_eq!(made.count(), 7);
}
