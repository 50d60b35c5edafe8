#!/bin/sh
# Renews requirements/*.lock from pyproject.toml: exact versions with hashes, for every Python from 3.12 on.

set -eu
cd "$(dirname "$0")/.."

if ! uv --version >/dev/null 2>&1; then
    echo "uv is needed to renew the locks: .venv/bin/python -m pip install uv, then PATH=.venv/bin:\$PATH make lock" >&2
    exit 1
fi
compile() {
    uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate "$@"
}
compile pyproject.toml -o requirements/runtime.lock
compile pyproject.toml --group dev -c requirements/runtime.lock -o requirements/dev.lock
