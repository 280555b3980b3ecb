#!/usr/bin/env python3
"""Fails if the public API contains types or traits of crates that are not allowed.

A breaking release of such a crate breaks the users of this one. The only unstable part
is the format of rustdoc's JSON, which is read as loosely as possible.
"""

import json
import os
import subprocess
import sys
import tempfile

ALLOWED = {
    "std", "core", "alloc",
    # The layer: a tower layer over `http` types.
    "bytes", "http", "http_body", "tower_layer", "tower_service",
    # Metadata of APIs, products and subscriptions, and reports as JSON.
    "serde_core", "serde_json",
    # Levels of events; a store's status, to wait for a change.
    "tracing_core", "tokio",
    # The features `axum`, `rest` and `openapi` exist for these.
    "axum", "axum_core", "utoipa",
}


def rustdoc_json():
    """Documents the library and returns the JSON. Only rustdoc may be unstable: the
    same variable for rustc would build every dependency again."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as wrapper:
        wrapper.write('#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n')
        wrapper.flush()
        os.chmod(wrapper.name, 0o700)
        wrapper.file.close()
        subprocess.run(
            ["cargo", "rustdoc", "--quiet", "--all-features", "--lib", "--",
             "-Z", "unstable-options", "--output-format", "json"],
            env=os.environ | {"RUSTDOC": wrapper.name}, check=True)
    metadata = subprocess.check_output(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"])
    target = json.loads(metadata)["target_directory"]
    with open(f"{target}/doc/tower_subscription_key.json") as file:
        return json.load(file)


def mentioned(node):
    """The ids of all types and traits in a signature."""
    if isinstance(node, dict):
        if "id" in node and isinstance(node.get("path"), str):
            yield str(node["id"])
        node = node.values()
    elif not isinstance(node, list):
        return
    for child in node:
        yield from mentioned(child)


def external_types(docs):
    for item in docs["index"].values():
        kind, inner = next(iter(item["inner"].items()))
        if item["crate_id"] != 0 or kind in ("use", "module"):
            continue
        if kind == "impl" and (inner["is_synthetic"] or inner["blanket_impl"]):
            continue
        for id in mentioned(inner):
            path = docs["paths"].get(id)
            if path and path["crate_id"] != 0 and "__private" not in path["path"]:
                crate = docs["external_crates"][str(path["crate_id"])]["name"]
                span = item["span"] or {"filename": "src", "begin": [0]}
                place = f"{span['filename']}:{span['begin'][0]}"
                yield crate, "::".join(path["path"]), place


found = set(external_types(rustdoc_json()))
refused = sorted((place, name) for crate, name, place in found if crate not in ALLOWED)
for place, name in refused:
    print(f"{place}: {name} is part of the public API")
unused = sorted(ALLOWED - {"std", "core", "alloc"} - {crate for crate, _, _ in found})
if unused:
    print(f"allowed, but not part of the public API: {', '.join(unused)}")
sys.exit(bool(refused or unused))
