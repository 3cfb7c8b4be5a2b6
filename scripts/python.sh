#!/bin/sh
# Create the virtual environment and install the package into it.
# usage: python.sh PYTHON VENV
set -eu
python=$1
venv=$2

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || {
    echo "setup: $python was not found; install Python 3.11 to 3.14 (Debian, Ubuntu: apt-get install python3 python3-venv)" >&2
    exit 1
}
case $version in
3.11 | 3.12 | 3.13 | 3.14) ;;
*)
    echo "setup: $python is Python $version; this project runs on 3.11 to 3.14: make setup PYTHON=python3.12" >&2
    exit 1
    ;;
esac

if [ ! -x "$venv/bin/pip" ]; then
    echo "setup: creating $venv with Python $version"
    made=yes
    [ ! -e "$venv" ] || made=
    "$python" -m venv "$venv" || {
        # What is left of a folder made here; one that was there before stays, whatever it holds.
        [ -z "$made" ] || rm -rf "$venv"
        echo "setup: the venv module is missing; install it (Debian, Ubuntu: apt-get install python3-venv; Fedora and macOS: it comes with Python)" >&2
        exit 1
    }
fi
echo "setup: installing the package and what it needs into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
