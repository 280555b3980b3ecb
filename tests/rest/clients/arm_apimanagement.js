"use strict";
// The official JavaScript client, unmodified, against the example on loopback.

const assert = require("node:assert/strict");
const { ApiManagementClient } = require("@azure/arm-apimanagement");

const { TOKEN, MANAGEMENT, GATEWAY } = process.env;
const GROUP = "group";
const SERVICE = "service";

const credential = { getToken: async () => ({ token: TOKEN, expiresOnTimestamp: Date.now() + 3_600_000 }) };
const client = new ApiManagementClient(credential, "00000000-0000-0000-0000-000000000000", {
  endpoint: MANAGEMENT,
  allowInsecureConnection: true,
});
// The client's own bearer policy refuses plain http.
client.pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" });
client.pipeline.addPolicy({
  name: "bearerOverHttp",
  sendRequest(request, next) {
    request.headers.set("Authorization", `Bearer ${TOKEN}`);
    request.allowInsecureConnection = true;
    return next(request);
  },
});

async function call(key) {
  const response = await fetch(`${GATEWAY}/js-echo/x`, { headers: { "Ocp-Apim-Subscription-Key": key } });
  return response.status;
}

const refused = (status, code) => (error) => {
  assert.equal(error.statusCode, status, error.message);
  assert.equal(error.code, code);
  return true;
};

async function names(list) {
  const found = [];
  for await (const item of list) found.push(item.name);
  return found;
}

async function main() {
  const api = await client.api.beginCreateOrUpdateAndWait(GROUP, SERVICE, "js-echo", { path: "js-echo", displayName: "Echo", protocols: ["https"] });
  assert.equal(api.name, "js-echo");
  assert.equal(api.path, "js-echo");
  assert.deepEqual(await names(client.api.listByService(GROUP, SERVICE)), ["js-echo"]);

  const product = await client.product.createOrUpdate(GROUP, SERVICE, "js-starter", { displayName: "Starter", state: "published" });
  assert.equal(product.state, "published");
  assert.equal((await client.productApi.createOrUpdate(GROUP, SERVICE, "js-starter", "js-echo")).name, "js-echo");
  assert.deepEqual(await names(client.productApi.listByProduct(GROUP, SERVICE, "js-starter")), ["js-echo"]);

  const created = await client.subscription.createOrUpdate(GROUP, SERVICE, "js-one", {
    scope: "/products/js-starter", displayName: "One", state: "active", ownerId: "/users/jane",
  });
  assert.equal(created.state, "active");
  assert.ok(created.scope.endsWith("/products/js-starter"));
  assert.ok(created.createdDate instanceof Date);
  assert.equal(await call(created.primaryKey), 200);
  assert.equal(await call(created.secondaryKey), 200);
  const found = await client.subscription.get(GROUP, SERVICE, "js-one");
  assert.equal(found.displayName, "One");
  assert.equal(found.primaryKey, undefined);
  assert.ok(found.eTag);

  for (let number = 0; number < 7; number += 1) {
    await client.subscription.createOrUpdate(GROUP, SERVICE, `js-page-${number}`, { scope: "/apis", displayName: `Page ${number}` });
  }
  const pages = await names(client.subscription.list(GROUP, SERVICE, { filter: "startswith(name,'js-page-')", top: 3 }));
  assert.deepEqual(pages, [0, 1, 2, 3, 4, 5, 6].map((number) => `js-page-${number}`));
  assert.deepEqual(await names(client.userSubscription.list(GROUP, SERVICE, "jane")), ["js-one"]);
  assert.deepEqual(await names(client.productSubscriptions.list(GROUP, SERVICE, "js-starter")), ["js-one"]);

  const { eTag } = await client.subscription.getEntityTag(GROUP, SERVICE, "js-one");
  const renamed = await client.subscription.update(GROUP, SERVICE, "js-one", eTag, { displayName: "Uno" });
  assert.equal(renamed.displayName, "Uno");
  await assert.rejects(client.subscription.update(GROUP, SERVICE, "js-one", eTag, { displayName: "x" }), refused(412, "PreconditionFailed"));
  await assert.rejects(client.subscription.createOrUpdate(GROUP, SERVICE, "js-bad", { scope: "/products/none", displayName: "Bad" }), refused(400, "ValidationError"));
  await assert.rejects(client.subscription.get(GROUP, SERVICE, "js-none"), refused(404, "ResourceNotFound"));

  const secrets = await client.subscription.listSecrets(GROUP, SERVICE, "js-one");
  assert.equal(secrets.primaryKey, created.primaryKey);
  assert.equal(secrets.secondaryKey, created.secondaryKey);
  await client.subscription.regeneratePrimaryKey(GROUP, SERVICE, "js-one");
  assert.equal(await call(secrets.primaryKey), 401);
  assert.equal(await call(secrets.secondaryKey), 200);
  await client.subscription.regenerateSecondaryKey(GROUP, SERVICE, "js-one");
  const fresh = await client.subscription.listSecrets(GROUP, SERVICE, "js-one");
  assert.equal(await call(secrets.secondaryKey), 401);
  assert.equal(await call(fresh.primaryKey), 200);
  assert.equal(await call(fresh.secondaryKey), 200);

  await client.subscription.delete(GROUP, SERVICE, "js-one", "*");
  await client.subscription.delete(GROUP, SERVICE, "js-one", "*");
  assert.equal(await call(fresh.primaryKey), 401);
  for (const name of pages) await client.subscription.delete(GROUP, SERVICE, name, "*");
  await client.productApi.delete(GROUP, SERVICE, "js-starter", "js-echo");
  await client.product.delete(GROUP, SERVICE, "js-starter", "*", { deleteSubscriptions: true });
  await client.api.beginDeleteAndWait(GROUP, SERVICE, "js-echo", "*");
  assert.deepEqual(await names(client.api.listByService(GROUP, SERVICE)), []);
  console.log("@azure/arm-apimanagement: all as expected");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
