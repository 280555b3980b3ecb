"""The official Python client, unmodified, against the example on loopback.

Version 5 takes an entity tag by position, version 6 by keyword."""

import os
import urllib.error
import urllib.request
from importlib.metadata import version

from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.apimanagement import ApiManagementClient, models

GROUP, SERVICE = "group", "service"
TAGS_BY_KEYWORD = not version("azure-mgmt-apimanagement").startswith("5.")


class Bearer(SansIOHTTPPolicy):
    """The default policy refuses plain http; this one sends the token of the example."""

    def on_request(self, request):
        request.http_request.headers["Authorization"] = f"Bearer {os.environ['TOKEN']}"


class Credential:
    def get_token(self, *_scopes, **_options):
        return AccessToken(os.environ["TOKEN"], 2**31)


client = ApiManagementClient(
    Credential(),
    "00000000-0000-0000-0000-000000000000",
    base_url=os.environ["MANAGEMENT"],
    authentication_policy=Bearer(),
)


def call(key):
    """The status of the echo service for a key."""
    request = urllib.request.Request(f"{os.environ['GATEWAY']}/py-echo/x")
    request.add_header("Ocp-Apim-Subscription-Key", key)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def refused(status, operation, *arguments, **options):
    try:
        operation(*arguments, **options)
    except HttpResponseError as error:
        assert error.status_code == status, error
        return error
    raise AssertionError(f"not refused: {operation}")


def tagged(operation, name, tag, *body, **options):
    """Calls an operation that needs the entity tag of the record."""
    if not TAGS_BY_KEYWORD:
        return operation(GROUP, SERVICE, name, tag, *body, **options)
    condition = MatchConditions.IfPresent if tag == "*" else MatchConditions.IfNotModified
    return operation(GROUP, SERVICE, name, *body, etag=tag, match_condition=condition, **options)


# APIs, products and their members.
api = client.api.begin_create_or_update(
    GROUP, SERVICE, "py-echo",
    models.ApiCreateOrUpdateParameter(path="py-echo", display_name="Echo", protocols=["https"]),
).result()
assert (api.name, api.path, api.api_revision, api.is_current) == ("py-echo", "py-echo", "1", True)
assert client.api.get_entity_tag(GROUP, SERVICE, "py-echo")
changed = tagged(client.api.update, "py-echo", "*", models.ApiUpdateContract(description="An echo"))
assert changed.description == "An echo" and changed.path == "py-echo"
assert [one.name for one in client.api.list_by_service(GROUP, SERVICE)] == ["py-echo"]

product = client.product.create_or_update(
    GROUP, SERVICE, "py-starter", models.ProductContract(display_name="Starter", state="published", subscriptions_limit=20)
)
assert (product.state, product.subscription_required, product.subscriptions_limit) == ("published", True, 20)
refused(404, client.product_api.check_entity_exists, GROUP, SERVICE, "py-starter", "py-echo")
member = client.product_api.create_or_update(GROUP, SERVICE, "py-starter", "py-echo")
assert member.name == "py-echo"
assert client.product_api.check_entity_exists(GROUP, SERVICE, "py-starter", "py-echo")
assert [one.name for one in client.product_api.list_by_product(GROUP, SERVICE, "py-starter")] == ["py-echo"]
product = tagged(client.product.update, "py-starter", "*", models.ProductUpdateParameters(terms="Be kind"))
assert product.terms == "Be kind" and product.subscriptions_limit == 20

# Create and get.
created = client.subscription.create_or_update(
    GROUP, SERVICE, "py-one",
    models.SubscriptionCreateParameters(
        scope="/products/py-starter", display_name="One", owner_id="/users/jane", state="active", allow_tracing=True
    ),
)
assert (created.display_name, created.state, created.allow_tracing) == ("One", "active", True)
assert created.scope.endswith("/service/service/products/py-starter"), created.scope
assert created.owner_id.endswith("/users/jane") and created.created_date is not None
assert created.primary_key and call(created.primary_key) == 200 and call(created.secondary_key) == 200
found = client.subscription.get(GROUP, SERVICE, "py-one")
assert found.primary_key is None and found.display_name == "One"
submitted = client.subscription.create_or_update(
    GROUP, SERVICE, "py-two", models.SubscriptionCreateParameters(scope="/apis", display_name="Two")
)
assert submitted.state == "submitted" and call(submitted.primary_key) == 401

# Lists, with filter and paging.
for number in range(12):
    client.subscription.create_or_update(
        GROUP, SERVICE, f"py-page-{number:02}", models.SubscriptionCreateParameters(scope="/apis/py-echo", display_name=f"Page {number}")
    )
names = [one.name for one in client.subscription.list(GROUP, SERVICE, filter="startswith(name,'py-page-')", top=5)]
assert names == [f"py-page-{number:02}" for number in range(12)], names
names = [one.name for one in client.subscription.list(GROUP, SERVICE, filter="ownerId eq '/users/jane' and state eq 'active'")]
assert names == ["py-one"], names
assert [one.name for one in client.product_subscriptions.list(GROUP, SERVICE, "py-starter")] == ["py-one"]
assert [one.name for one in client.user_subscription.list(GROUP, SERVICE, "jane")] == ["py-one"]
assert client.user_subscription.get(GROUP, SERVICE, "jane", "py-one").name == "py-one"
refused(400, list, client.subscription.list(GROUP, SERVICE, filter="colour eq 'red'"))

# Updates with a fresh and a stale tag.
assert client.subscription.get_entity_tag(GROUP, SERVICE, "py-one")
tag = client.subscription.get(GROUP, SERVICE, "py-one", cls=lambda response, _body, _headers: response.http_response.headers["ETag"])
renamed = tagged(client.subscription.update, "py-one", tag, models.SubscriptionUpdateParameters(display_name="Uno"))
assert renamed.display_name == "Uno" and renamed.state == "active"
stale = refused(412, tagged, client.subscription.update, "py-one", tag, models.SubscriptionUpdateParameters(display_name="x"))
assert stale.error.code == "PreconditionFailed", stale
wrong = refused(
    400, client.subscription.create_or_update, GROUP, SERVICE, "py-bad",
    models.SubscriptionCreateParameters(scope="/products/none", display_name="Bad"),
)
assert wrong.error.code == "ValidationError" and wrong.error.details[0].target == "scope", wrong

# Keys: read back, regenerated, and both at work.
secrets = client.subscription.list_secrets(GROUP, SERVICE, "py-one")
assert (secrets.primary_key, secrets.secondary_key) == (created.primary_key, created.secondary_key)
assert client.subscription.regenerate_primary_key(GROUP, SERVICE, "py-one") is None
assert call(secrets.primary_key) == 401 and call(secrets.secondary_key) == 200
assert client.subscription.regenerate_secondary_key(GROUP, SERVICE, "py-one") is None
fresh = client.subscription.list_secrets(GROUP, SERVICE, "py-one")
assert call(secrets.secondary_key) == 401 and call(fresh.primary_key) == call(fresh.secondary_key) == 200

# Suspended and active again.
tagged(client.subscription.update, "py-one", "*", models.SubscriptionUpdateParameters(state="suspended"))
assert call(fresh.primary_key) == 401
tagged(client.subscription.update, "py-one", "*", models.SubscriptionUpdateParameters(state="active"))
assert call(fresh.primary_key) == 200

# Deletions.
tagged(client.subscription.delete, "py-one", "*")
tagged(client.subscription.delete, "py-one", "*")
assert call(fresh.primary_key) == 401
try:
    client.subscription.get(GROUP, SERVICE, "py-one")
    raise AssertionError("still there")
except ResourceNotFoundError as error:
    assert error.error.code == "ResourceNotFound", error
client.product_api.delete(GROUP, SERVICE, "py-starter", "py-echo")
tagged(client.product.delete, "py-starter", "*", delete_subscriptions=True)
refused(400, lambda: tagged(client.api.begin_delete, "py-echo", "*").result())
for number in range(12):
    tagged(client.subscription.delete, f"py-page-{number:02}", "*")
tagged(client.api.begin_delete, "py-echo", "*").result()
assert list(client.api.list_by_service(GROUP, SERVICE)) == []
print("azure-mgmt-apimanagement: all as expected")
