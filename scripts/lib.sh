# Shared by the scripts beside it; sourced, never run.

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '  %s\n' "$@" >&2; fi
    exit 1
}

step() { printf '==> %s\n' "$*"; }

# Sets PYTHON and PYTHON_VERSION (3.11, say).
find_python() {
    PYTHON=${CIRRON_PYTHON:-python3}
    PYTHON_VERSION=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        fail "'$PYTHON' does not run" \
            "Install Python 3.11 or later, or set CIRRON_PYTHON to the interpreter to use."
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "'$PYTHON' is Python $PYTHON_VERSION, and 3.11 or later is needed" \
            "Set CIRRON_PYTHON to a newer interpreter, e.g. CIRRON_PYTHON=python3.12 $0"
}

# What pip cannot bring: a C++20 compiler and Python's own headers.
need_compiler() {
    local cxx=${CXX:-c++}
    command -v "${cxx%% *}" >/dev/null ||
        fail "no C++ compiler found ('$cxx')" \
            "Debian, Ubuntu: apt install g++    Fedora: dnf install gcc-c++    macOS: xcode-select --install" \
            "Or set CXX to the compiler to use."
    echo '#include <bit>' | $cxx -std=c++20 -x c++ -fsyntax-only - 2>/dev/null ||
        fail "the C++ compiler '$cxx' does not know C++20" "gcc 11 or clang 14, or later, will do; set CXX to it."
    "$PYTHON" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        fail "the headers of Python $PYTHON_VERSION (Python.h) are missing" \
            "Debian, Ubuntu: apt install python3-dev    Fedora: dnf install python3-devel"
}

# make_venv DIR: creates it unless it is there with the same Python, sets VENV.
make_venv() {
    VENV=$1
    if "$VENV/bin/python$PYTHON_VERSION" -m pip --version >/dev/null 2>&1; then return; fi
    step "making $VENV with Python $PYTHON_VERSION"
    local said
    said=$("$PYTHON" -m venv --clear "$VENV" 2>&1) ||
        fail "'$PYTHON -m venv' failed" "$said" "On Debian and Ubuntu: apt install python3-venv"
}

# A number that changes when a file under the given paths does.
checksum() {
    find "$@" -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 cksum | cksum
}

# quietly LOG COMMAND...: runs the command with its output in LOG, which is shown only when it fails.
quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        fail "failed: $*" "The whole output is in $log"
    }
}

# once STAMP KEY COMMAND...: runs the command unless STAMP says that it succeeded with the same KEY.
once() {
    local stamp=$1 key=$2
    shift 2
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then return; fi
    rm -f "$stamp"
    "$@"
    printf '%s\n' "$key" >"$stamp"
}

# Installs the formatters, the checkers and what builds the package into VENV.
install_tools() {
    once "$VENV/tools.stamp" "$(checksum pyproject.toml scripts/requirements.py)" install_extras dev test
}

# install_extras NAME...: what the extras and the package itself need, without the package.
install_extras() {
    step "installing tools ($*)"
    "$VENV/bin/python" scripts/requirements.py "$@" >"$VENV/requirements.txt"
    quietly "$VENV/tools.log" "$VENV/bin/python" -m pip install --quiet --requirement "$VENV/requirements.txt"
}
