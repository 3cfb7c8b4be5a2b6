#!/bin/sh
# Make sure that ngspice is here, the program and the shared library; install it where that can be done without asking.
set -eu

# Both: the program's package carries spinit and the XSPICE code models that the library loads.
library() {
    for file in /usr/lib/*/libngspice.so.0 /usr/lib64/libngspice.so.0 /usr/lib/libngspice.so.0 /usr/local/lib/libngspice.so* \
        /opt/homebrew/lib/libngspice*.dylib /usr/local/lib/libngspice*.dylib "${NGSPICE_LIBRARY_PATH:-}"; do
        [ -n "$file" ] && [ -e "$file" ] && return 0
    done
    return 1
}

complete() { command -v ngspice >/dev/null 2>&1 && library; }

complete && exit 0

if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        as_root=no
    fi
    if [ "$as_root" != no ]; then
        echo "setup: installing ngspice and libngspice0"
        export DEBIAN_FRONTEND=noninteractive
        $as_root apt-get install -y -qq --no-install-recommends ngspice libngspice0 >/dev/null 2>&1 || {
            $as_root apt-get update -qq
            $as_root apt-get install -y -qq --no-install-recommends ngspice libngspice0 >/dev/null
        }
        complete && exit 0
    fi
fi
echo "setup: ngspice 39 or newer is missing; install it with 'sudo apt-get install ngspice libngspice0' (Debian, Ubuntu), 'sudo dnf install ngspice libngspice' (Fedora) or 'brew install ngspice libngspice' (macOS), then run the same command again" >&2
exit 1
