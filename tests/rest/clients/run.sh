#!/usr/bin/env bash
# Runs the official clients of API Management, as their registries publish them,
# against the example on loopback. Build it before:
#   cargo build --example control_plane
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
example=${1:-$here/../../../target/debug/examples/control_plane}
for program in python3 node npm; do
    command -v "$program" >/dev/null || { echo "install $program to run the clients" >&2; exit 1; }
done
folder=$(mktemp -d)
process=
stop() {
    [ -z "$process" ] || { kill -TERM "$process" 2>/dev/null; wait "$process" || true; }
    process=
}
trap 'stop; rm -rf "$folder"' EXIT

export TOKEN=the-token-of-the-clients
# Runs a command against the example on a new database.
against_example() {
    rm -rf "$folder/plane"
    mkdir "$folder/plane"
    "$example" --database "$folder/plane/keys.db" --listen 127.0.0.1:0 --gateway 127.0.0.1:0 \
        --recoverable-keys "$folder/plane/key" --token "$TOKEN" >"$folder/plane/stdout" &
    process=$!
    for _ in $(seq 300); do
        grep -q '^gateway on ' "$folder/plane/stdout" && break
        kill -0 "$process"
        sleep 0.1
    done
    MANAGEMENT=$(sed -n 's/^control plane on //p' "$folder/plane/stdout")
    GATEWAY=$(sed -n 's/^gateway on //p' "$folder/plane/stdout")
    export MANAGEMENT GATEWAY
    "$@"
    stop
}

for version in 5.0.0 6.0.0b1; do
    python3 -m venv "$folder/python-$version"
    "$folder/python-$version/bin/pip" install -q --disable-pip-version-check "azure-mgmt-apimanagement==$version"
    against_example "$folder/python-$version/bin/python" "$here/azure_mgmt.py"
done
npm install --prefix "$folder/npm" --no-audit --no-fund --silent @azure/arm-apimanagement@10.0.0
export NODE_PATH="$folder/npm/node_modules"
against_example node "$here/arm_apimanagement.js"
