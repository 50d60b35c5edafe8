#!/bin/sh
# Checks the protocol: lint, compatibility with the last release (or the last commit), drift of the generated code.

set -eu
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin

if [ "${1:-}" = generate ]; then
    exec "$bin/python" scripts/generate_protos.py
fi

(cd proto && "$bin/buf" lint)
if git rev-parse --verify --quiet HEAD:proto/buf.yaml >/dev/null 2>&1; then
    against=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || echo HEAD)
    old=$(mktemp -d)
    trap 'rm -rf "$old"' EXIT
    git archive "$against" proto | tar -x -C "$old"
    (cd proto && "$bin/buf" breaking --against "$old/proto")
fi
"$bin/python" scripts/generate_protos.py --check
