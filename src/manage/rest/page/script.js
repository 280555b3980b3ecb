"use strict";

// The token lives in this variable only: never in storage, a URL or the document.
let token = null;
let me = null;
let shown = 0; // Counts views, so that a late answer does not draw over a newer view.

const PAGE_SIZE = 100;
const BASE = "subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/page/providers/Microsoft.ApiManagement/service/page";
const API_VERSION = "2024-05-01";

const byId = (id) => document.getElementById(id);
const main = byId("main");

// ---- Elements

/** Makes an element. Text is always set as text, so nothing from a server becomes markup. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "checked") element.checked = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

let ids = 0;
const newId = () => `e${++ids}`;

/** Announces a message to screen readers and shows it for some seconds. */
function say(text) {
  const status = byId("status");
  status.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { status.textContent = ""; }, 8000);
}

// ---- Requests

/** What the server answered instead of a success. */
class Refusal extends Error {
  constructor(status, error) {
    super(error?.message ?? `The server answered with status ${status}.`);
    this.status = status;
    this.details = error?.details ?? [];
  }
}

async function send(method, path, { query = {}, body, headers = {} } = {}) {
  const url = new URL(`${BASE}${path}`, document.baseURI);
  url.hash = "";
  url.search = new URLSearchParams({ "api-version": API_VERSION, ...query });
  const init = { method, headers: { Authorization: `Bearer ${token}`, ...headers }, cache: "no-store", credentials: "omit" };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, init);
  } catch {
    throw new Refusal(0, { message: "The server cannot be reached. Try again." });
  }
  const text = await response.text();
  let content = null;
  try { content = text ? JSON.parse(text) : null; } catch { /* Not JSON: only the status counts. */ }
  if (!response.ok) throw new Refusal(response.status, content?.error);
  return content;
}

const part = (id) => encodeURIComponent(id);
const subscriptionPath = (item, more = "") => `/subscriptions/${part(item.name)}${more}`;
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** All items of a list, page by page. For drop-downs. */
async function all(path) {
  const items = [];
  for (;;) {
    const page = await send("GET", path, { query: { $top: 1000, $skip: items.length } });
    items.push(...page.value);
    if (!page.nextLink || page.value.length === 0) return items;
  }
}

// ---- Texts

const nameOf = (item) => item.properties.displayName ?? item.name;
const shortId = (id) => id.replace(/^.*\/service\/[^/]+(?=\/)/i, "");
const ownerOf = (item) => item.properties.ownerId ? shortId(item.properties.ownerId).replace(/^\/users\//, "") : null;

function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function timeText(value) {
  if (!value) return null;
  return new Date(value).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

function time(value) {
  return value ? h("time", { datetime: value, class: "time" }, timeText(value)) : h("span", { class: "none" }, "Never");
}

const none = () => h("span", { class: "none" }, "None");
const badge = (word, text = word[0].toUpperCase() + word.slice(1)) => h("span", { class: `badge ${word}` }, text);

/** Names of products and APIs by scope, so that a table shows names instead of paths. */
async function scopeNames() {
  const names = new Map([["/", ["All access", ""]], ["/apis", ["All APIs", ""]]]);
  if (me.role === "owner") {
    for (const product of await all("/products")) names.set(`/products/${product.name}`, [nameOf(product), "product"]);
    return names;
  }
  const [products, apis] = await Promise.all([all("/products"), all("/apis")]);
  for (const product of products) names.set(`/products/${product.name}`, [nameOf(product), "product"]);
  for (const api of apis) names.set(`/apis/${api.name}`, [nameOf(api), "API"]);
  return names;
}

const scopesOf = (item) => (item.properties.scopes ?? [item.properties.scope]).map(shortScope);

function shortScope(scope) {
  const short = shortId(scope);
  return short.startsWith("/products/") || short === "/apis" || short.startsWith("/apis/") ? short : "/";
}

function scopeCell(item, names) {
  const scopes = scopesOf(item).map((scope) => {
    const [name, kind] = names.get(scope) ?? [scope, ""];
    return h("li", {}, name, kind ? h("span", { class: "kind" }, ` ${kind}`) : null);
  });
  return h("ul", { class: "plain" }, scopes);
}

function lastUsedCell(item) {
  const { primaryKeyLastUsed: primary, secondaryKeyLastUsed: secondary } = item.properties;
  const slots = [["Primary", primary], ["Secondary", secondary]].filter(([, at]) => at);
  if (slots.length === 0) return time(null);
  return h("ul", { class: "plain" }, slots.map(([slot, at]) => h("li", {}, h("span", { class: "kind" }, `${slot} `), time(at))));
}

function scopeOptions(names) {
  const group = (label, kind) => {
    const options = [...names].filter(([, [, of]]) => of === kind).map(([scope, [name]]) => h("option", { value: scope }, name));
    return options.length > 0 ? h("optgroup", { label }, options) : null;
  };
  return [group("Products", "product"), group("APIs", "API"), h("option", { value: "/apis" }, "All APIs")];
}

// ---- Forms

function field(label, control, hint) {
  control.id = newId();
  const error = h("span", { class: "error", id: newId() });
  const hintId = hint ? newId() : null;
  control.setAttribute("aria-describedby", [hintId, error.id].filter(Boolean).join(" "));
  control.showError = (text) => {
    error.textContent = text;
    if (text) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control,
    hint ? h("span", { class: "hint", id: hintId }, hint) : null, error);
}

function check(label, control) {
  control.id = newId();
  control.type = "checkbox";
  return h("div", { class: "check" }, control, h("label", { for: control.id }, label));
}

const text = (attributes = {}) => h("input", { type: "text", autocomplete: "off", ...attributes });
// Not a password field: a browser would offer to store what is typed there.
const secret = () => text({ class: "secret", spellcheck: "false", autocapitalize: "none" });
const button = (label, onclick, attributes = {}) => h("button", { type: "button", onclick, ...attributes }, label);

/** Shows each detail at the field it concerns, and the rest above the buttons. */
function showRefusal(refusal, controls, notice) {
  const rest = [];
  let first = null;
  for (const detail of refusal.details ?? []) {
    const control = controls[detail.target];
    if (control?.showError) {
      control.showError(detail.message);
      first ??= control;
    } else rest.push(detail.target ? `${detail.target}: ${detail.message}` : detail.message);
  }
  if (first && rest.length === 0) notice.textContent = "";
  else notice.replaceChildren(refusal.message, rest.length > 0 ? h("ul", {}, rest.map((line) => h("li", {}, line))) : "");
  first?.focus();
}

/**
 * Opens a dialog with a form. `submit` is called with the form valid; when it
 * returns, the dialog closes. `controls` maps the names of the server's fields
 * to the controls that show what is wrong with them.
 */
function ask({ title, content, controls = {}, action, danger, submit }) {
  const opener = document.activeElement;
  const heading = h("h2", { id: newId() }, title);
  const notice = h("p", { class: "notice", role: "alert" });
  const act = h("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
  const form = h("form", { novalidate: true }, content, notice, h("div", { class: "buttons" }, button("Close", () => dialog.close()), act));
  const dialog = h("dialog", { "aria-labelledby": heading.id }, heading, form);
  return new Promise((resolve) => {
    let result = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (act.disabled) return;
      for (const control of Object.values(controls)) control.showError?.("");
      notice.textContent = "";
      act.disabled = true;
      try {
        result = { value: await submit() };
        dialog.close();
      } catch (error) {
        if (error.status === 401) { dialog.close(); ended(); return; }
        if (!(error instanceof Refusal)) throw error;
        showRefusal(error, controls, notice);
      } finally {
        act.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener?.isConnected) opener.focus();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Shows keys once. They leave the document when the dialog closes. */
function showKeys(title, keys, note) {
  const opener = document.activeElement;
  const heading = h("h2", { id: newId() }, title);
  const result = h("p", { role: "status", class: "hint" });
  const rows = keys.map(([label, key]) => {
    const code = h("code", { id: newId(), tabindex: "0", "aria-label": label }, key);
    const name = h("span", { class: "name", id: newId() }, label);
    const copy = button("Copy", async () => {
      result.textContent = await copied(key, code) ? `${label} copied.` : "Copying failed. Select the key and copy it by hand.";
    }, { "aria-describedby": name.id });
    return h("div", { class: "key" }, name, code, copy);
  });
  const close = button("Close", () => dialog.close(), { class: "primary" });
  const dialog = h("dialog", { "aria-labelledby": heading.id }, heading,
    h("form", { onsubmit: (event) => event.preventDefault() },
      note ? h("p", {}, note) : null,
      h("p", {}, "Copy what you need now: keys are shown once."),
      rows, result, h("div", { class: "buttons" }, close)));
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener?.isConnected) opener.focus();
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Copies text, by the clipboard or by the selection; says whether it worked. */
async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    try { return document.execCommand("copy"); } catch { return false; }
  }
}

// ---- Menus

/** A menu button with the WAI-ARIA keys: arrows, Home, End, Escape. */
function menu(label, entries) {
  const items = entries.map(([name, run, { danger, disabled } = {}]) => h("button", {
    type: "button", role: "menuitem", tabindex: "-1", class: danger ? "danger" : null, "aria-disabled": disabled ? "true" : null,
    onclick: () => {
      if (disabled) return;
      close(true);
      attempt(run);
    },
  }, name));
  const list = h("div", { role: "menu", "aria-label": label, hidden: true }, items);
  const opener = h("button", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": label, title: label }, "⋮");
  const root = h("div", { class: "menu" }, opener, list);

  const focus = (index) => items[(index + items.length) % items.length].focus();
  const open = (index) => {
    list.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    root.classList.remove("up");
    const below = list.getBoundingClientRect();
    root.classList.toggle("up", below.bottom > innerHeight && opener.getBoundingClientRect().top > below.height);
    focus(index);
  };
  const close = (back) => {
    list.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    if (back) opener.focus();
  };
  opener.addEventListener("click", () => (list.hidden ? open(0) : close(true)));
  root.addEventListener("keydown", (event) => {
    const at = items.indexOf(document.activeElement);
    const closed = list.hidden;
    const keys = {
      ArrowDown: () => (closed ? open(0) : focus(at + 1)),
      ArrowUp: () => (closed ? open(-1) : focus(at - 1)),
      Home: () => !closed && focus(0),
      End: () => !closed && focus(-1),
      Escape: () => !closed && close(true),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  root.addEventListener("focusout", (event) => {
    if (!list.hidden && !root.contains(event.relatedTarget)) close(false);
  });
  return root;
}

/** Runs an action of a view and says what went wrong, if something did. */
async function attempt(run) {
  try {
    await run();
  } catch (error) {
    if (error.status === 401) ended();
    else if (error instanceof Refusal) say([error.message, ...error.details.map((detail) => detail.message)].join(" "));
    else throw error;
  }
}

// ---- Tables

/** A table with the given columns: `[label, cell(item)]`; the first one names the row. */
function table(caption, columns, items, actions) {
  const head = columns.map(([label]) => h("th", { scope: "col", role: "columnheader" }, label));
  if (actions) head.push(h("th", { scope: "col", role: "columnheader", class: "actions" }, "Actions"));
  const rows = items.map((item) => {
    const cells = columns.map(([label, cell], index) => index === 0
      ? h("th", { scope: "row", role: "rowheader" }, cell(item))
      : h("td", { role: "cell", "data-label": label }, cell(item)));
    const control = actions?.(item);
    if (control) cells.push(h("td", { role: "cell", class: `actions${control.classList.contains("menu") ? " menu-cell" : ""}` }, control));
    return h("tr", { role: "row" }, cells);
  });
  return h("table", { role: "table", "aria-label": caption },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h("tbody", { role: "rowgroup" }, rows));
}

const named = (item) => [nameOf(item), h("span", { class: "id" }, item.name)];

/** A list of the server, a page of 100 rows at a time. Returns what reloads it. */
function list({ place, caption, path, filter = () => null, columns, actions, empty, after }) {
  let skip = 0;
  let asked = 0;
  const load = async (from = skip) => {
    const number = ++asked;
    const query = { $top: PAGE_SIZE, $skip: from };
    const terms = filter();
    if (terms) query.$filter = terms;
    const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent : null;
    const page = await send("GET", path, { query });
    if (number !== asked || !place.isConnected) return;
    if (page.value.length === 0 && from > 0) return load(Math.max(0, from - PAGE_SIZE));
    skip = from;
    const total = page.count ?? page.value.length;
    const until = from + page.value.length;
    const pager = h("div", { class: "pager" }, h("span", {}, total === 0 ? "" : `${from + 1}–${until} of ${total}`),
      total > PAGE_SIZE ? h("div", { class: "buttons" },
        button("Previous", () => attempt(() => load(Math.max(0, from - PAGE_SIZE))), { disabled: from === 0 }),
        button("Next", () => attempt(() => load(until)), { disabled: !page.nextLink })) : null);
    place.replaceChildren(h("div", { class: "panel" }, page.value.length > 0 ? table(caption, columns, page.value, actions)
      : h("p", { class: "empty" }, terms ? "Nothing matches these filters." : empty)), pager);
    if (focused) [...place.querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === focused && !one.disabled)?.focus();
    after?.(page);
  };
  return load;
}

// ---- Views

function view(title, ...head) {
  shown += 1;
  document.title = `${title} – Subscription keys`;
  const heading = h("h1", { tabindex: "-1" }, title);
  main.replaceChildren(h("div", { class: "head" }, heading, ...head));
  heading.focus();
  return shown;
}

const add = (label, run) => button(label, () => attempt(run), { class: "primary" });

/** Ids are made from names; a taken one gets a random end. */
async function create(kind, name, id, properties) {
  const slug = id || name.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "subscription";
  const random = () => [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const put = (one) => send("PUT", `/${kind}/${part(one)}`, { body: { properties }, headers: { "If-None-Match": "*" } });
  if (me.role === "owner") return put(`${slug}-${random()}`);
  const { count } = await send("GET", `/${kind}`, { query: { $top: 1, $filter: `name eq ${quoted(slug)}` } });
  if (count === 0) return put(slug);
  if (id) throw new Refusal(412, { message: "The id is taken.", details: [{ target: "id", message: "This id is taken: choose another." }] });
  return put(`${slug}-${random()}`);
}

const keysOf = ({ properties }) => [["Primary key", properties.primaryKey], ["Secondary key", properties.secondaryKey]].filter(([, key]) => key);

async function regenerate(item, slot, reload) {
  const grace = h("select", {}, [["0", "Not at all"], ["3600", "1 hour"], ["86400", "24 hours"], ["604800", "7 days"]]
    .map(([value, label]) => h("option", { value }, label)));
  const done = await ask({
    title: `Regenerate the ${slot} key of ${nameOf(item)}?`,
    content: [h("p", {}, `A new ${slot} key replaces the present one. The other key is not touched.`),
      field("The replaced key keeps working", grace)],
    controls: { graceSeconds: grace },
    action: "Regenerate", danger: true,
    submit: () => send("POST", subscriptionPath(item, "/rotate"), { body: { slot, graceSeconds: Number(grace.value) } }),
  });
  if (!done) return;
  const until = done.value.replacedKeyExpiresAt;
  // The keys are shown also if the list cannot be read again.
  await attempt(reload);
  await showKeys(`New ${slot} key of ${nameOf(item)}`, [[slot === "primary" ? "Primary key" : "Secondary key", done.value.key]],
    until ? `The replaced key works until ${timeText(until)}.` : null);
}

async function setState(item, state, sentence, reload) {
  await send("PATCH", subscriptionPath(item), { body: { properties: { state } } });
  await reload();
  say(sentence);
}

async function cancel(item, reload) {
  const done = await ask({
    title: `Cancel ${nameOf(item)}?`,
    content: h("p", {}, me.role === "owner"
      ? "Its keys stop working at once. You cannot undo this."
      : "Its keys stop working at once, until somebody activates it again."),
    action: "Cancel subscription", danger: true,
    submit: () => send("PATCH", subscriptionPath(item), { body: { properties: { state: "cancelled" } } }),
  });
  if (!done) return;
  await reload();
  say(`${nameOf(item)} is cancelled.`);
}

async function remove(kind, item, consequence, reload) {
  const along = kind === "subscriptions" ? null : h("input");
  const done = await ask({
    title: `Delete ${nameOf(item)}?`,
    content: [h("p", {}, `${consequence} This cannot be undone.`), along ? check("Delete its subscriptions too", along) : null],
    action: "Delete", danger: true,
    submit: () => send("DELETE", `/${kind}/${part(item.name)}`, { query: along?.checked ? { deleteSubscriptions: "true" } : {} }),
  });
  if (!done) return;
  await reload();
  say(`${nameOf(item)} is deleted.`);
}

// ---- Subscriptions

async function subscriptions() {
  const place = h("div");
  const number = view("Subscriptions");
  const names = await scopeNames();
  if (number !== shown) return;
  const search = h("input", { type: "search", autocomplete: "off" });
  const state = h("select", {}, h("option", { value: "" }, "All states"),
    ["active", "suspended", "submitted", "rejected", "cancelled", "expired"].map((word) => h("option", { value: word }, word[0].toUpperCase() + word.slice(1))));
  const scope = h("select", {}, h("option", { value: "" }, "All scopes"), scopeOptions(names));
  const filter = () => {
    const found = quoted(search.value.trim());
    return [
      search.value.trim() && `(contains(displayName,${found}) or contains(name,${found}) or contains(ownerId,${found}))`,
      state.value && `state eq '${state.value}'`,
      scope.value && `scope eq ${quoted(scope.value)}`,
    ].filter(Boolean).join(" and ") || null;
  };
  const load = list({
    place, caption: "Subscriptions", path: "/subscriptions", filter,
    empty: "There are no subscriptions yet.",
    columns: [
      ["Display name", named],
      ["Scope", (item) => scopeCell(item, names)],
      ["State", (item) => badge(item.properties.state)],
      ["Owner", (item) => ownerOf(item) ?? none()],
      ["Last used", lastUsedCell],
    ],
    actions: (item) => menu(`Actions for ${nameOf(item)}`, [
      ["Regenerate primary key", () => regenerate(item, "primary", load)],
      ["Regenerate secondary key", () => regenerate(item, "secondary", load)],
      ["Edit", () => editSubscription(item, load)],
      ["Suspend", () => setState(item, "suspended", `${nameOf(item)} is suspended.`, load), { disabled: item.properties.state !== "active" }],
      ["Activate", () => setState(item, "active", `${nameOf(item)} is active.`, load), { disabled: item.properties.state === "active" }],
      ["Cancel", () => cancel(item, load), { danger: true, disabled: !["active", "suspended", "submitted"].includes(item.properties.state) }],
      ["Delete", () => remove("subscriptions", item, "Its keys stop working at once.", load), { danger: true }],
    ]),
    after: (page) => { if (filter()) say(`${page.count} found.`); },
  });
  let typed;
  search.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => attempt(() => load(0)), 250);
  });
  for (const control of [state, scope]) control.addEventListener("change", () => attempt(() => load(0)));
  // Only now: the dialog needs the names.
  main.firstElementChild.append(add("Add subscription", () => addSubscription(names, load)));
  main.append(h("div", { class: "filters", role: "search" }, field("Search", search), field("State", state), field("Scope", scope)), place);
  await load(0);
}

async function addSubscription(names, reload) {
  const name = text({ maxlength: 100 });
  const scope = h("select", {}, scopeOptions(names));
  const owner = text();
  const done = await ask({
    title: "Add subscription",
    content: [field("Name", name), field("Scope", scope), field("User (optional)", owner)],
    controls: { displayName: name, scope, ownerId: owner },
    action: "Save",
    submit: () => create("subscriptions", name.value.trim(), null, {
      displayName: name.value.trim(), scope: scope.value, state: "active", ...(owner.value.trim() ? { ownerId: owner.value.trim() } : {}),
    }),
  });
  if (!done) return;
  await attempt(() => reload(0));
  say(`${nameOf(done.value)} is added.`);
  await showKeys(`Keys of ${nameOf(done.value)}`, keysOf(done.value));
}

async function editSubscription(item, reload) {
  const { expirationDate } = item.properties;
  const local = expirationDate ? new Date(new Date(expirationDate) - new Date(expirationDate).getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "";
  const name = text({ value: nameOf(item), maxlength: 100 });
  const owner = text({ value: ownerOf(item) ?? "" });
  const expires = h("input", { type: "datetime-local", value: local });
  const done = await ask({
    title: `Edit ${nameOf(item)}`,
    content: [field("Name", name), field("User (optional)", owner), field("Expires (optional)", expires)],
    controls: { displayName: name, ownerId: owner, expirationDate: expires },
    action: "Save",
    submit: () => send("PATCH", subscriptionPath(item), { body: { properties: {
      displayName: name.value.trim(), ownerId: owner.value.trim() || null,
      ...(expires.value === local ? {} : { expirationDate: expires.value ? new Date(expires.value).toISOString() : null }),
    } } }),
  });
  if (!done) return;
  await reload();
  say(`${nameOf(done.value)} is saved.`);
}

// ---- Products and APIs

async function products() {
  const place = h("div");
  view("Products", add("Add product", () => editProduct(null, load)));
  const load = list({
    place, caption: "Products", path: "/products", empty: "There are no products yet.",
    columns: [
      ["Display name", named],
      ["State", ({ properties }) => badge(properties.state, properties.state === "published" ? "Published" : "Not published")],
      ["Requires subscription", ({ properties }) => properties.subscriptionRequired ? "Yes" : "No"],
      ["Requires approval", ({ properties }) => properties.approvalRequired ? "Yes" : "No"],
      ["Limit per user", ({ properties }) => properties.subscriptionsLimit === null || properties.subscriptionsLimit === undefined ? none() : String(properties.subscriptionsLimit)],
    ],
    actions: (item) => menu(`Actions for ${nameOf(item)}`, [
      ["Edit", () => editProduct(item, load)],
      ["Members", () => members(item)],
      ["Delete", () => remove("products", item, "Its APIs stay.", load), { danger: true }],
    ]),
  });
  main.append(place);
  await load(0);
}

async function editProduct(item, reload) {
  const was = item?.properties ?? { subscriptionRequired: true, state: "published" };
  const name = text({ value: item ? nameOf(item) : "" });
  const id = text();
  const description = h("textarea", { value: was.description ?? "" });
  const terms = h("textarea", { value: was.terms ?? "" });
  const limit = h("input", { type: "number", min: "1", step: "1", value: was.subscriptionsLimit ?? "" });
  const required = h("input", { checked: was.subscriptionRequired });
  const approval = h("input", { checked: was.approvalRequired });
  const published = h("input", { checked: was.state === "published" });
  const done = await ask({
    title: item ? `Edit ${nameOf(item)}` : "Add product",
    content: [
      field("Name", name),
      item ? null : field("Id (optional)", id, "Made from the name if empty."),
      field("Description (optional)", description),
      field("Terms of use (optional)", terms),
      check("Requires subscription", required),
      check("Requires approval", approval),
      field("Subscriptions per user (optional)", limit),
      check("Published", published),
    ],
    controls: { displayName: name, name: id, id, description, terms, subscriptionsLimit: limit },
    action: "Save",
    submit: () => {
      const properties = {
        displayName: name.value.trim(),
        description: description.value.trim() || null,
        terms: terms.value.trim() || null,
        subscriptionRequired: required.checked,
        approvalRequired: approval.checked,
        subscriptionsLimit: limit.value === "" ? null : Number(limit.value),
        state: published.checked ? "published" : "notPublished",
      };
      return item ? send("PATCH", `/products/${part(item.name)}`, { body: { properties } })
        : create("products", properties.displayName, id.value.trim(), properties);
    },
  });
  if (!done) return;
  await reload();
  say(`${name.value.trim()} is saved.`);
}

async function members(product) {
  const path = `/products/${part(product.name)}/apis`;
  const [apis, present] = await Promise.all([all("/apis"), all(path)]);
  const before = new Set(present.map((api) => api.name));
  const boxes = apis.map((api) => [api, h("input", { checked: before.has(api.name) })]);
  const done = await ask({
    title: `Members of ${nameOf(product)}`,
    content: boxes.length > 0 ? h("fieldset", { class: "scroll" }, h("legend", {}, "APIs of this product"), boxes.map(([api, box]) => check(nameOf(api), box)))
      : h("p", {}, "There are no APIs yet."),
    action: "Save",
    submit: async () => {
      for (const [api, box] of boxes) {
        if (box.checked === before.has(api.name)) continue;
        await send(box.checked ? "PUT" : "DELETE", `${path}/${part(api.name)}`);
        if (box.checked) before.add(api.name);
        else before.delete(api.name);
      }
    },
  });
  if (done) say(`The members of ${nameOf(product)} are saved.`);
}

async function apis() {
  const place = h("div");
  view("APIs", add("Add API", () => editApi(null, load)));
  const load = list({
    place, caption: "APIs", path: "/apis", empty: "There are no APIs yet.",
    columns: [
      ["Display name", named],
      ["Path", ({ properties }) => h("code", {}, `/${properties.path}`)],
      ["Requires subscription", ({ properties }) => properties.subscriptionRequired ? "Yes" : "No"],
      ["Key header", ({ properties }) => properties.subscriptionKeyParameterNames?.header ?? none()],
    ],
    actions: (item) => menu(`Actions for ${nameOf(item)}`, [
      ["Edit", () => editApi(item, load)],
      ["Delete", () => remove("apis", item, "It leaves every product.", load), { danger: true }],
    ]),
  });
  main.append(place);
  await load(0);
}

async function editApi(item, reload) {
  const was = item?.properties ?? { subscriptionRequired: true };
  const name = text({ value: item ? nameOf(item) : "" });
  const id = text();
  const path = text({ value: item ? `/${was.path}` : "" });
  const header = text({ value: was.subscriptionKeyParameterNames?.header ?? "" });
  const query = text({ value: was.subscriptionKeyParameterNames?.query ?? "" });
  const description = h("textarea", { value: was.description ?? "" });
  const required = h("input", { checked: was.subscriptionRequired });
  const done = await ask({
    title: item ? `Edit ${nameOf(item)}` : "Add API",
    content: [
      field("Name", name),
      item ? null : field("Id (optional)", id, "Made from the name if empty."),
      field("Path", path, "The beginning of the path of its requests, such as /orders."),
      field("Description (optional)", description),
      check("Requires subscription", required),
      field("Key header (optional)", header, "Ocp-Apim-Subscription-Key if empty."),
      field("Key query parameter (optional)", query, "subscription-key if empty."),
    ],
    controls: { displayName: name, name: id, id, path, description, "subscriptionKeyParameterNames.header": header, "subscriptionKeyParameterNames.query": query },
    action: "Save",
    submit: () => {
      const names = { ...(header.value.trim() ? { header: header.value.trim() } : {}), ...(query.value.trim() ? { query: query.value.trim() } : {}) };
      const properties = {
        displayName: name.value.trim(),
        path: path.value.trim(),
        description: description.value.trim() || null,
        subscriptionRequired: required.checked,
        subscriptionKeyParameterNames: Object.keys(names).length > 0 ? names : null,
      };
      return item ? send("PATCH", `/apis/${part(item.name)}`, { body: { properties } })
        : create("apis", properties.displayName, id.value.trim(), properties);
    },
  });
  if (!done) return;
  await reload();
  say(`${name.value.trim()} is saved.`);
}

// ---- Approvals, audit, explanation

async function approvals() {
  const place = h("div");
  const number = view("Approvals");
  const names = await scopeNames();
  if (number !== shown) return;
  const load = list({
    place, caption: "Approvals", path: "/subscriptions", filter: () => "state eq 'submitted'",
    columns: [
      ["Display name", named],
      ["Scope", (item) => scopeCell(item, names)],
      ["Owner", (item) => ownerOf(item) ?? none()],
      ["Submitted", (item) => time(item.properties.createdDate)],
    ],
    actions: (item) => {
      const about = { "aria-description": nameOf(item) };
      return h("div", { class: "buttons" },
        button("Approve", () => attempt(() => setState(item, "active", `${nameOf(item)} is approved.`, load)), { ...about, class: "primary" }),
        button("Reject", () => attempt(() => reject(item, load)), about));
    },
    after: ({ count }) => { if (count === 0) place.querySelector(".empty").textContent = "Nothing waits for approval."; },
  });
  main.append(place);
  await load(0);
}

async function reject(item, reload) {
  const comment = h("textarea");
  const done = await ask({
    title: `Reject ${nameOf(item)}?`,
    content: field("Comment", comment, "The owner can read it."),
    controls: { stateComment: comment },
    action: "Reject", danger: true,
    submit: () => send("PATCH", subscriptionPath(item), { body: { properties: { state: "rejected", stateComment: comment.value.trim() || null } } }),
  });
  if (!done) return;
  await reload();
  say(`${nameOf(item)} is rejected.`);
}

async function audit() {
  const place = h("div");
  view("Audit");
  const valueText = (value) => {
    if (value === null || value === undefined) return "none";
    if (value.created_at) return `key of ${timeText(value.created_at)}`;
    return typeof value === "string" ? value : JSON.stringify(value);
  };
  // A new record without metadata is not worth a line.
  const says = ({ before, after }) => before !== null || JSON.stringify(after) !== "{}";
  const load = list({
    place, caption: "Audit", path: "/auditEvents", empty: "Nothing has changed yet.",
    columns: [
      ["Time", ({ properties }) => time(properties.time)],
      ["Caller", ({ properties }) => [properties.caller.id, h("span", { class: "id" }, properties.caller.role)]],
      ["Operation", ({ properties }) => properties.operation],
      ["Record", ({ properties }) => shortId(properties.record)],
      ["Outcome", ({ properties }) => [badge(properties.outcome), properties.code ? h("span", { class: "id" }, properties.code) : ""]],
      ["Changes", ({ properties }) => properties.changes.some(says)
        ? h("ul", { class: "plain" }, properties.changes.filter(says).map(({ field, before, after }) => h("li", {}, h("span", { class: "kind" }, `${field}: `), `${valueText(before)} → ${valueText(after)}`)))
        : none()],
    ],
  });
  main.append(place);
  await load(0);
}

async function explain() {
  const number = view("Why is this key refused?");
  const list = await all("/apis");
  if (number !== shown) return;
  const key = secret();
  const subscription = text({ spellcheck: "false" });
  const api = h("select", {}, list.map((one) => h("option", { value: one.name }, nameOf(one))));
  const notice = h("p", { class: "notice", role: "alert" });
  const result = h("section", { class: "result", "aria-live": "polite" });
  const controls = { key, subscription, api };
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    for (const control of Object.values(controls)) control.showError("");
    notice.textContent = "";
    result.replaceChildren();
    const body = { api: api.value };
    if (key.value) body.key = key.value;
    if (subscription.value.trim()) body.subscription = subscription.value.trim();
    try {
      const answer = await send("POST", "/explain", { body });
      key.value = "";
      result.replaceChildren(...explanation(answer));
    } catch (error) {
      if (error.status === 401) return ended();
      if (!(error instanceof Refusal)) throw error;
      showRefusal(error, controls, notice);
    }
  } },
  field("Key", key, "Used for this question only. It is not kept."),
  field("Subscription", subscription, "Its id, instead of a key."),
  field("API", api),
  notice,
  h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Explain")));
  main.append(h("p", { class: "lead" }, "Asks the same function that decides about requests, and says which rule decides and what would help."),
    h("div", { class: "panel medium" }, form, result));
}

function explanation(answer) {
  const outcome = { access: "Access is granted", denied: "Access is denied", unmatched: "No API has this path" }[answer.outcome] ?? answer.outcome;
  const about = [answer.reason && `Reason: ${answer.reason}`, answer.subscription && `subscription ${answer.subscription}`, answer.slot && `${answer.slot} key`, answer.product && `product ${answer.product}`]
    .filter(Boolean).join(", ");
  return [
    h("h2", {}, outcome),
    about ? h("p", {}, about) : "",
    h("ol", { class: "steps", "aria-label": "Rules" }, answer.steps.map((step) => h("li", {},
      h("span", { class: `badge ${step.holds ? "yes" : "no"}` }, step.holds ? "Yes" : "No"),
      h("span", {}, step.text)))),
    ...(answer.cures.length > 0 ? [
      h("h2", {}, "What helps"),
      h("ul", { class: "cures" }, answer.cures.map((cure) => h("li", {}, cure.text, cure.command ? h("code", {}, cure.command) : null))),
    ] : []),
  ];
}

// ---- What an owner sees

async function offers() {
  const number = view("Products");
  const found = await all("/products");
  if (number !== shown) return;
  main.append(found.length === 0 ? h("p", { class: "panel empty" }, "No product is offered.")
    : h("ul", { class: "cards" }, found.map((product) => {
      const heading = h("h2", { id: newId() }, nameOf(product));
      return h("li", { class: "panel" }, heading,
        product.properties.description ? h("p", {}, product.properties.description) : null,
        product.properties.approvalRequired ? h("p", { class: "hint" }, "A subscription needs approval.") : null,
        h("div", { class: "buttons" }, button("Subscribe", () => attempt(() => subscribe(product)), { class: "primary", "aria-describedby": heading.id })));
    })));
}

async function subscribe(product) {
  const { terms } = product.properties;
  const name = text({ value: nameOf(product).slice(0, 100), maxlength: 100 });
  const accept = h("input");
  const done = await ask({
    title: `Subscribe to ${nameOf(product)}`,
    content: [
      field("Name", name),
      terms ? h("div", { class: "field" }, h("span", { class: "name" }, "Terms of use"), h("div", { class: "terms", tabindex: "0", role: "group", "aria-label": "Terms of use" }, terms)) : null,
      terms ? check("I accept the terms", accept) : null,
    ],
    controls: { displayName: name },
    action: "Subscribe",
    submit: () => create("subscriptions", name.value.trim(), null, {
      displayName: name.value.trim(), scope: `/products/${product.name}`, ...(terms ? { termsAccepted: accept.checked } : {}),
    }),
  });
  if (!done) return;
  const waits = done.value.properties.state === "submitted";
  say(waits ? `${nameOf(done.value)} waits for approval.` : `${nameOf(done.value)} is active.`);
  await showKeys(`Keys of ${nameOf(done.value)}`, keysOf(done.value), waits ? "They work when the subscription is approved." : null);
}

async function mine() {
  const place = h("div");
  const number = view("My subscriptions");
  const names = await scopeNames();
  if (number !== shown) return;
  const load = list({
    place, caption: "My subscriptions", path: "/subscriptions", empty: "You have no subscriptions yet. Choose a product to subscribe to.",
    columns: [
      ["Display name", named],
      ["Product", (item) => scopeCell(item, names)],
      ["State", (item) => [badge(item.properties.state), item.properties.stateComment ? h("span", { class: "id" }, item.properties.stateComment) : ""]],
      ["Last used", lastUsedCell],
    ],
    actions: (item) => menu(`Actions for ${nameOf(item)}`, [
      ["Rename", () => rename(item, load)],
      ["Regenerate primary key", () => regenerate(item, "primary", load)],
      ["Regenerate secondary key", () => regenerate(item, "secondary", load)],
      ["Cancel", () => cancel(item, load), { danger: true, disabled: !["active", "suspended", "submitted"].includes(item.properties.state) }],
    ]),
  });
  main.append(place);
  await load(0);
}

async function rename(item, reload) {
  const name = text({ value: nameOf(item), maxlength: 100 });
  const done = await ask({
    title: `Rename ${nameOf(item)}`,
    content: field("Name", name),
    controls: { displayName: name },
    action: "Rename",
    submit: () => send("PATCH", subscriptionPath(item), { body: { properties: { displayName: name.value.trim() } } }),
  });
  if (!done) return;
  await reload();
  say(`Renamed to ${nameOf(done.value)}.`);
}

// ---- Session and navigation

const VIEWS = {
  publisher: [["Subscriptions", subscriptions], ["Products", products], ["APIs", apis], ["Approvals", approvals], ["Audit", audit], ["Why is this key refused?", explain]],
  owner: [["Products", offers], ["My subscriptions", mine]],
};
const slugOf = (title) => title.toLowerCase().replace(/[^a-z]+/g, "-").replace(/-$/, "");

function navigate() {
  if (!me) return;
  const views = VIEWS[me.role];
  const [title, show] = views.find(([name]) => `#${slugOf(name)}` === location.hash) ?? views[0];
  byId("navigation").replaceChildren(h("ul", {}, views.map(([name]) => h("li", {},
    h("a", { href: `#${slugOf(name)}`, "aria-current": name === title ? "page" : null }, name)))));
  attempt(show);
}

function signIn(message = "") {
  token = null;
  me = null;
  shown += 1;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  for (const id of ["navigation", "session"]) byId(id).hidden = true;
  byId("navigation").replaceChildren();
  document.title = "Sign in – Subscription keys";
  const input = secret();
  const notice = h("p", { class: "notice", role: "alert" }, message);
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const given = input.value.trim();
    input.value = "";
    notice.textContent = "";
    await begin(given, (text) => { notice.textContent = text; input.focus(); });
  } }, field("Token", input), notice, h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Sign in")));
  main.replaceChildren(h("div", { class: "panel narrow" }, h("h1", {}, "Sign in"),
    h("p", { class: "lead" }, "With the token that the control plane was started with."), form));
  input.focus();
}

const ended = () => signIn("The token is no longer accepted. Sign in again.");

async function begin(given, refuse) {
  if (!/^[\x21-\x7e]+$/.test(given)) return refuse("Enter a token.");
  token = given;
  try {
    me = await send("GET", "/whoami");
  } catch (error) {
    token = null;
    if (!(error instanceof Refusal)) throw error;
    return refuse(error.status === 401 ? "This token is not accepted." : error.message);
  }
  byId("who").textContent = me.role === "owner" ? me.id : "Publisher";
  for (const id of ["navigation", "session"]) byId(id).hidden = false;
  say("You are signed in.");
  navigate();
}

function start() {
  // A token in the fragment is taken out of the address before anything else happens.
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) history.replaceState(null, "", location.pathname + location.search);
  signIn();
  if (given) begin(decode(given[1]), signIn);
}

byId("sign-out").addEventListener("click", () => signIn());
byId("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", () => {
  // A link with a token that is opened in this very tab signs in with it.
  if (location.hash.startsWith("#token=")) start();
  else navigate();
});
start();
