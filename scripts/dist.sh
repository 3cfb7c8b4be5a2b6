#!/bin/sh
# Builds wheel and sdist, installs each into an environment of its own away from the sources, and runs a command of every package there.
# usage: dist.sh PYTHON FOLDER; wheel and sdist stay in dist/
set -eu
python=$1 work=$2 here=$(cd "$(dirname "$0")/.." && pwd)
[ ! -e "$work" ] || { echo "dist: $work is there already; choose another folder" >&2; exit 1; }
mkdir -p "$work"
"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet --disable-pip-version-check build
rm -rf "$here/dist"
"$work/build/bin/python" -m build --outdir "$here/dist" "$here"
for file in "$here"/dist/*.whl "$here"/dist/*.tar.gz; do
    echo "dist: $file"
    rm -rf "$work/fresh"
    "$python" -m venv "$work/fresh"
    "$work/fresh/bin/pip" install --quiet --disable-pip-version-check "$file"
    cd "$work"
    cosim="$work/fresh/bin/cosim"
    [ "$("$cosim" --version)" = "$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/pyproject.toml")" ]
    "$cosim" doctor
    # Subcircuits, profiles, data sets, templates of projects, presets of studies: what a wheel must carry besides modules.
    "$cosim" netlist ramp --bits 3 --out deck.cir
    # Without any extra, and so in NumPy.
    "$cosim" train --task digits --hidden 4 --epochs 1 --quiet --out net.npz
    "$cosim" init project
    "$cosim" study demo --settings >settings
    "$cosim" tasks >tasks
    rm -rf project deck.cir net.npz settings tasks
done
echo "dist: wheel and sdist work"
