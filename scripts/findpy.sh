#!/bin/sh
# Prints the path of a Python that can run Amtsbrücke: 3.12 or newer, with ssl, venv and ctypes.
#
# Tries $AMTSBRUECKE_PYTHON, then python3.13, 3.14, 3.12 and python3 on PATH, then what pyenv has
# installed but not switched on. The first that really runs wins: a pyenv shim of a version that is
# not switched on exists and fails. On failure it says what was found and what to install.

candidates() {
    [ -n "${AMTSBRUECKE_PYTHON:-}" ] && printf '%s\n' "$AMTSBRUECKE_PYTHON"
    for name in python3.13 python3.14 python3.12 python3 python; do
        command -v "$name" 2>/dev/null
    done
    for root in "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}" /opt/pyenv /usr/local/pyenv; do
        for python in "$root"/versions/3.1[3-9]*/bin/python3 "$root"/versions/3.12*/bin/python3; do
            [ -x "$python" ] && printf '%s\n' "$python"
        done
    done
    for python in /usr/local/bin/python3.1[2-9] /opt/homebrew/bin/python3.1[2-9]; do
        [ -x "$python" ] && printf '%s\n' "$python"
    done
}

check='
import sys
if sys.version_info < (3, 12):
    sys.exit("is %d.%d, older than 3.12" % sys.version_info[:2])
try:
    import ctypes, ensurepip, ssl, venv
except ImportError as missing:
    sys.exit("lacks the module %s" % missing.name)
print(sys.executable)
'

seen=''
IFS='
'
for python in $(candidates); do
    case "$seen" in *"|$python|"*) continue ;; esac
    seen="$seen|$python|"
    if answer=$("$python" -I -c "$check" 2>&1); then
        printf '%s\n' "$answer"
        exit 0
    fi
    tried="${tried:-}    $python $(printf '%s' "$answer" | tail -n 1)
"
done

cat >&2 <<MESSAGE
Amtsbrücke needs Python 3.12 or newer with ssl, venv and ctypes, and found none:
${tried:-    no Python at all
}What to do: install one (Debian, Ubuntu: apt install python3.13-venv; macOS: brew install python@3.13;
anywhere: pyenv install 3.13), or name one: AMTSBRUECKE_PYTHON=/path/to/python3 make setup
MESSAGE
exit 1
