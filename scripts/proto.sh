#!/bin/sh
# Checks the protocol: lint, compatibility with what peers speak already, drift of the generated code.
#
#   scripts/proto.sh             checks
#   scripts/proto.sh generate    writes the code of proto/gen
#   scripts/proto.sh publish     with a release: from now on peers speak this (proto/published.binpb)

set -eu
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin

case "${1:-check}" in
generate)
    exec "$bin/python" scripts/generate_protos.py
    ;;
publish)
    cd proto && exec "$bin/buf" build --exclude-source-info -o published.binpb
    ;;
check)
    (cd proto && "$bin/buf" lint && "$bin/buf" breaking --against published.binpb)
    exec "$bin/python" scripts/generate_protos.py --check
    ;;
*)
    echo "usage: scripts/proto.sh [generate|publish]" >&2
    exit 2
    ;;
esac
