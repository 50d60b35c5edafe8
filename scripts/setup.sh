#!/bin/sh
# Builds .venv from the locked dependencies: plain venv and pip; uv where the machine has it.
#
# Does nothing when the environment is newer than what it is made from, so `make` may always call it.
# AMTSBRUECKE_UV=0 leaves uv aside.

set -eu
cd "$(dirname "$0")/.."

stamp=.venv/.made-from
inputs=$(cat pyproject.toml requirements/dev.lock | cksum)
if [ -x .venv/bin/python ] && [ -x .venv/bin/amtsbruecke ] && [ "$(cat "$stamp" 2>/dev/null)" = "$inputs" ]; then
    exit 0
fi

python=$(sh scripts/findpy.sh)
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -I -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    echo "Making .venv with $python"
    rm -rf .venv
    "$python" -m venv .venv
fi

# A shim of pyenv may be called uv and not run.
if [ "${AMTSBRUECKE_UV:-1}" != 0 ] && uv --version >/dev/null 2>&1; then
    echo "Installing the locked dependencies with uv"
    uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/dev.lock
    uv pip install --quiet --python .venv/bin/python --no-deps --editable .
else
    echo "Installing the locked dependencies with pip"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
printf '%s\n' "$inputs" > "$stamp"
