//! What an operator does, on each kind of catalog: `stories!` makes the tests of a
//! place.

pub(crate) mod changes;
pub(crate) mod explaining;
pub(crate) mod moving;

/// A catalog with a subscription for each way in which a key is refused.
pub(crate) const CATALOG: &str = r#"
[[apis]]
id = "echo"
path = "/echo"
key_names = { header = "X-Api-Key", query = "api_key" }

[[apis]]
id = "orders"
path = "/orders"

[[products]]
id = "starter"
apis = ["echo"]

[[subscriptions]]
id = "good"
scope = "/products/starter"
owner = "jane"
primary_key = "good-key"

[[subscriptions]]
id = "off"
scope = "/products/starter"
state = "suspended"
primary_key = "off-key"

[[subscriptions]]
id = "asked"
scope = "/products/starter"
state = "submitted"
primary_key = "asked-key"

[[subscriptions]]
id = "turned-down"
scope = "/products/starter"
state = "rejected"
primary_key = "turned-down-key"

[[subscriptions]]
id = "given-up"
scope = "/products/starter"
state = "cancelled"
primary_key = "given-up-key"

[[subscriptions]]
id = "early"
scope = "/products/starter"
not_before = "2090-01-01T00:00:00Z"
primary_key = "early-key"

[[subscriptions]]
id = "over"
scope = "/products/starter"
expires_at = "2020-01-01T00:00:00Z"
primary_key = "over-key"

[[subscriptions]]
id = "gone"
scope = "/products/starter"
state = "expired"
expires_at = "2020-01-01T00:00:00Z"
primary_key = "gone-key"

[[subscriptions]]
id = "stale"
scope = "/products/starter"
primary_key = { value = "stale-key", expires_at = "2020-01-01T00:00:00Z" }

# Its replaced key has ended, so that a database does not keep it.
[[subscriptions]]
id = "rotated"
scope = "/products/starter"
primary_key = "rotated-key"
retired_keys = [{ slot = "primary", value = "retired-key", expires_at = "2020-01-01T00:00:00Z" }]

[[subscriptions]]
id = "wide"
scope = "/apis"
primary_key = "wide-key"
"#;

macro_rules! stories {
    ($new:expr) => {
        stories!(@each $new;
            explaining::key_gets_in_after_the_command_that_the_explanation_offers,
            explaining::each_reason_is_named_with_cause_and_cure,
            changes::each_change_is_undone_by_the_command_that_it_prints,
            changes::change_that_no_command_undoes_says_so,
            changes::key_lives_and_ends_as_the_commands_say,
            moving::lists_are_filtered_and_in_the_order_of_the_catalog,
            moving::refusal_has_a_sentence_a_code_and_no_output,
            changes::existing_keys_are_taken_and_no_key_twice,
            moving::exported_catalog_decides_alike_when_it_is_imported,
            moving::dry_run_or_conflict_imports_nothing,
            changes::concurrent_commands_lose_nothing,
            explaining::command_repeats_the_flag_and_works_as_it_stands,
        );

        #[test]
        fn every_command_of_a_cure_lets_the_caller_in() {
            super::stories::explaining::every_command_of_a_cure_lets_the_caller_in(&|| $new);
        }
    };
    (@each $new:expr; $($part:ident::$story:ident,)*) => {
        $(
            #[test]
            fn $story() {
                super::stories::$part::$story(&$new);
            }
        )*
    };
}
pub(crate) use stories;
