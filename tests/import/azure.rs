use tower_subscription_key::catalog::{KeySlot, Scope, State};
use tower_subscription_key::import::{ImportError, azure};

use crate::support::{Files, Imported};

/// A template with flat, nested and deployed resources, as exports have them.
const TEMPLATE: &str = r#"{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "parameters": {
    "service": { "type": "string" },
    "version": { "type": "string", "defaultValue": "v1" },
    "key": { "type": "securestring" }
  },
  "variables": { "starter": "[concat(parameters('service'), '/starter')]" },
  "resources": [
    { "type": "Microsoft.ApiManagement/service/apis", "name": "[concat(parameters('service'), '/orders;rev=2')]",
      "properties": { "path": "orders", "displayName": "Orders", "apiVersion": "[parameters('version')]", "isCurrent": true,
        "subscriptionKeyParameterNames": { "header": "X-Orders-Key", "query": "orders_key" } },
      "resources": [
        { "type": "policies", "name": "policy", "properties": { "format": "rawxml", "value": "<policies/>" } },
        { "type": "operations", "name": "get", "properties": {} }
      ] },
    { "type": "Microsoft.ApiManagement/service/apis", "name": "[format('{0}/{1}', parameters('service'), 'orders')]",
      "properties": { "path": "old-orders", "displayName": "Orders" } },
    { "type": "Microsoft.ApiManagement/service/apis", "name": "svc/versioned",
      "properties": { "path": "/things/v2", "apiVersion": "v2", "subscriptionRequired": false } },
    { "type": "Microsoft.ApiManagement/service/products", "name": "[variables('starter')]",
      "properties": { "displayName": "Starter", "state": "published" },
      "resources": [ { "type": "apis", "name": "orders;rev=2" }, { "type": "apis", "name": "orders" }, { "type": "apis", "name": "gone" } ] },
    { "type": "Microsoft.ApiManagement/service/subscriptions", "name": "[concat(parameters('service'), '/contoso')]",
      "properties": { "scope": "[resourceId('Microsoft.ApiManagement/service/products', parameters('service'), 'starter')]",
        "displayName": "Contoso", "state": "Active", "ownerId": "/users/jane", "primaryKey": "key-of-contoso", "secondaryKey": "[parameters('key')]" } },
    { "type": "Microsoft.ApiManagement/service/subscriptions", "name": "[concat(parameters('service'), '/lost')]",
      "properties": { "scope": "/products/nowhere", "displayName": "Lost", "primaryKey": "key-of-lost" } },
    { "type": "Microsoft.ApiManagement/service/subscriptions", "name": "[concat(parameters('service'), '/bare')]",
      "properties": { "scope": "[concat(resourceId('Microsoft.ApiManagement/service', parameters('service')), '/apis')]", "displayName": "Bare" } },
    { "type": "Microsoft.Storage/storageAccounts", "name": "other", "properties": {} }
  ]
}"#;

fn template(generates: bool) -> Imported {
    let files = Files::new();
    let path = files.write("template.json", TEMPLATE);
    Imported::of(azure::read(&[path], None).unwrap(), generates)
}

#[test]
fn template_decides_as_the_service_would() {
    let imported = template(false);
    assert!(imported.lets_in("/orders/v1/7", Some("key-of-contoso")));
    assert!(!imported.lets_in("/orders/v1/7", None));
    assert!(!imported.lets_in("/orders/v1/7", Some("key-of-lost")));
    assert!(imported.lets_in("/things/v2", None));
    let orders = imported.catalog.api("orders").unwrap();
    assert_eq!(orders.path(), "/orders/v1");
    assert_eq!(orders.key_header().unwrap().spelling(), "X-Orders-Key");
    assert_eq!(
        imported.catalog.api("versioned").unwrap().path(),
        "/things/v2"
    );
    let contoso = imported.catalog.subscription("contoso").unwrap();
    assert_eq!(
        (contoso.owner(), contoso.state()),
        (Some("jane"), State::Active)
    );
    assert_eq!(
        imported.catalog.product("starter").unwrap().apis(),
        ["orders"]
    );
}

#[test]
fn everything_that_is_left_out_is_reported_with_its_number() {
    let imported = template(false);
    assert_eq!(imported.left_out("apis"), [(Some("orders"), 1)]);
    assert_eq!(imported.left_out("apis/policies"), [(None, 1)]);
    assert_eq!(imported.left_out("apis/operations"), [(None, 1)]);
    assert_eq!(
        imported.left_out("Microsoft.Storage/storageAccounts"),
        [(None, 1)]
    );
    let members = imported.left_out("products/apis");
    assert_eq!(
        members,
        [(Some("starter/orders"), 1), (Some("starter/gone"), 1)]
    );
    assert!(imported.reason("lost").contains("/products/nowhere"));
    assert!(imported.reason("bare").contains("--generate-keys"));
    let keys = imported
        .left_out
        .iter()
        .find(|out| out.kind == "keys")
        .unwrap();
    assert!(
        keys.reason.contains("parameter `key` has no value"),
        "{keys:?}"
    );
    let bare = template(true);
    assert_eq!(
        bare.catalog.subscription("bare").unwrap().scopes(),
        [Scope::AllApis]
    );
}

#[test]
fn parameters_give_values_and_none_becomes_a_key_by_itself() {
    let files = Files::new();
    let template = files.write("template.json", TEMPLATE);
    let parameters = files.write(
        "values.json",
        r#"{ "parameters": { "service": { "value": "svc" }, "version": { "value": "v3" }, "key": { "value": "second-key" } } }"#,
    );
    let imported = Imported::of(azure::read(&[template], Some(&parameters)).unwrap(), false);
    assert!(imported.lets_in("/orders/v3", Some("second-key")));
    assert!(imported.has_key("contoso", KeySlot::Secondary, "second-key"));
    assert!(!imported.lets_in("/orders/v3", Some("[parameters('key')]")));
}

#[test]
fn symbolic_resources_and_nested_deployments_are_read() {
    let files = Files::new();
    let path = files.write(
        "main.json",
        r#"{ "languageVersion": "2.0", "resources": {
          "service": { "existing": true, "type": "Microsoft.ApiManagement/service", "name": "svc" },
          "echo": { "type": "Microsoft.ApiManagement/service/apis", "name": "[format('{0}/{1}', 'svc', 'echo')]", "properties": { "path": "echo" } },
          "off": { "condition": false, "type": "Microsoft.ApiManagement/service/apis", "name": "svc/off", "properties": { "path": "off" } },
          "many": { "copy": { "count": 3, "name": "x" }, "type": "Microsoft.ApiManagement/service/apis", "name": "svc/many", "properties": { "path": "many" } },
          "inner": { "type": "Microsoft.Resources/deployments", "name": "inner", "properties": {
            "parameters": { "id": { "value": "deep" } },
            "template": { "parameters": { "id": { "type": "string" } }, "resources": [
              { "type": "Microsoft.ApiManagement/service/apis", "name": "[concat('svc/', parameters('id'))]", "properties": { "path": "deep" } } ] } } }
        } }"#,
    );
    let imported = Imported::of(azure::read(&[path], None).unwrap(), false);
    let ids: Vec<&str> = imported.catalog.apis().map(|api| api.id()).collect();
    assert_eq!(ids, ["echo", "deep"]);
    assert!(imported.reason("svc/off").contains("condition"));
    assert!(imported.reason("svc/many").contains("loops"));
}

#[test]
fn lists_of_the_rest_interface_are_read_from_a_folder() {
    let files = Files::new();
    let service =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/svc";
    let list =
        |items: &str| format!("{{ \"value\": [{items}], \"count\": 1, \"nextLink\": \"\" }}");
    files.write("apis.json", &list(&format!(r#"{{ "id": "{service}/apis/echo", "type": "x", "name": "echo", "properties": {{ "path": "echo", "subscriptionRequired": true }} }}"#)));
    files.write("products.json", &list(&format!(r#"{{ "id": "{service}/products/free", "name": "free", "properties": {{ "displayName": "Free", "subscriptionRequired": false, "state": "notPublished" }} }}"#)));
    files.write("members.json", &list(&format!(r#"{{ "id": "{service}/products/free/apis/echo", "name": "echo", "properties": {{ "path": "echo" }} }}"#)));
    files.write("subscriptions.json", &list(&format!(
        r#"{{ "id": "{service}/subscriptions/master", "name": "master", "properties": {{ "scope": "{service}/", "state": "active" }} }},
           {{ "id": "{service}/subscriptions/s1", "name": "s1", "properties": {{ "scope": "{service}/apis/echo;rev=3", "state": "suspended" }} }}"#
    )));
    let found = azure::read(&[files.path().to_owned()], None).unwrap();
    let imported = Imported::of(found, true);
    assert!(imported.lets_in("/echo", None));
    assert!(!imported.catalog.product("free").unwrap().is_published());
    let subscription = imported.catalog.subscription("s1").unwrap();
    assert_eq!(
        (subscription.scopes(), subscription.state()),
        (&[Scope::Api("echo".into())][..], State::Suspended)
    );
    assert!(imported.catalog.subscription("master").is_none());
}

#[test]
fn folders_of_apiops_are_read() {
    let files = Files::new();
    files.write("apis/echo/apiInformation.json", r#"{ "properties": { "path": "echo", "apiVersion": "v1", "apiVersionSetId": "/apiVersionSets/set" } }"#);
    files.write("apis/echo/policy.xml", "<policies/>");
    files.write(
        "apis/echo;rev=2/apiInformation.json",
        r#"{ "properties": { "path": "echo" } }"#,
    );
    files.write(
        "version sets/set/versionSetInformation.json",
        r#"{ "properties": { "versioningScheme": "Header" } }"#,
    );
    files.write(
        "products/starter/productInformation.json",
        r#"{ "properties": { "displayName": "Starter", "state": "published" } }"#,
    );
    files.write(
        "products/starter/apis/echo/productApiInformation.json",
        "{}",
    );
    files.write(
        "subscriptions/s/subscriptionInformation.json",
        r#"{ "properties": { "scope": "/products/starter", "state": "active" } }"#,
    );
    let imported = Imported::of(azure::read(&[files.path().to_owned()], None).unwrap(), true);
    assert_eq!(imported.catalog.api("echo").unwrap().path(), "/echo");
    assert!(imported.lets_in("/echo", Some("generated for s")));
    assert_eq!(imported.left_out("apis"), [(Some("echo;rev=2"), 1)]);
    assert_eq!(imported.left_out("apis/policies"), [(None, 1)]);
}

#[test]
fn bicep_and_other_files_are_refused_with_a_cure() {
    let files = Files::new();
    let bicep = azure::read(&[files.write("main.bicep", "param x string")], None);
    assert!(bicep.unwrap_err().to_string().contains("bicep build"));
    let other = azure::read(&[files.write("other.json", "{}")], None);
    assert!(matches!(other, Err(ImportError::Unknown { .. })));
    let broken = azure::read(
        &[files.write("broken.json", "{\"key\": \"264a4141\"")],
        None,
    );
    assert!(!broken.unwrap_err().to_string().contains("264a"));
    assert!(matches!(
        azure::read(&["/no/such.json".into()], None),
        Err(ImportError::Read { .. })
    ));
}

#[test]
fn versions_on_one_path_are_one_api_if_they_let_in_the_same_callers() {
    let import = |second_required: bool, second_is_member: bool| {
        let member = if second_is_member {
            r#", { "type": "apis", "name": "v2" }"#
        } else {
            ""
        };
        let template = format!(
            r#"{{ "resources": [
              {{ "type": "Microsoft.ApiManagement/service/apiVersionSets", "name": "svc/set", "properties": {{ "versioningScheme": "Header" }} }},
              {{ "type": "Microsoft.ApiManagement/service/apis", "name": "svc/v1", "properties": {{ "path": "orders", "apiVersion": "v1", "apiVersionSetId": "/apiVersionSets/set", "subscriptionRequired": false }} }},
              {{ "type": "Microsoft.ApiManagement/service/apis", "name": "svc/v2", "properties": {{ "path": "orders", "apiVersion": "v2", "apiVersionSetId": "/apiVersionSets/set", "subscriptionRequired": {second_required} }} }},
              {{ "type": "Microsoft.ApiManagement/service/products", "name": "svc/starter", "properties": {{ "displayName": "Starter" }},
                "resources": [ {{ "type": "apis", "name": "v1" }}{member} ] }}
            ] }}"#
        );
        let files = Files::new();
        let path = files.write("template.json", &template);
        Imported::of(azure::read(&[path], None).unwrap(), false)
    };
    let same = import(false, true);
    assert!(same.lets_in("/orders", None));
    assert_eq!(same.left_out("apis"), [(Some("v2"), 1)]);
    for (required, member) in [(true, true), (false, false)] {
        let other = import(required, member);
        assert!(!other.lets_in("/orders", None), "{required} {member}");
        let left_out = other.left_out("apis");
        assert_eq!(left_out, [(Some("v1"), 1), (Some("v2"), 1)]);
    }
}
