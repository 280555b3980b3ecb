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
finish() {
    [ -z "$process" ] || { kill -TERM "$process" 2>/dev/null; wait "$process" || true; }
    rm -rf "$folder"
}
trap finish EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check azure-mgmt-apimanagement==5.0.0
npm install --prefix "$folder/npm" --no-audit --no-fund --silent @azure/arm-apimanagement@10.0.0

export TOKEN=the-token-of-the-clients
"$example" --database "$folder/keys.db" --listen 127.0.0.1:0 --gateway 127.0.0.1:0 \
    --recoverable-keys "$folder/key" --token "$TOKEN" >"$folder/stdout" &
process=$!
for _ in $(seq 300); do
    grep -q '^gateway on ' "$folder/stdout" && break
    kill -0 "$process"
    sleep 0.1
done
MANAGEMENT=$(sed -n 's/^control plane on //p' "$folder/stdout")
GATEWAY=$(sed -n 's/^gateway on //p' "$folder/stdout")
export MANAGEMENT GATEWAY

"$folder/venv/bin/python" "$here/azure_mgmt.py"
NODE_PATH="$folder/npm/node_modules" node "$here/arm_apimanagement.js"
