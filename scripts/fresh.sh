#!/bin/sh
# Both of README's commands where nothing is: fresh.sh trixie|bookworm FOLDER, as root. What pip needs to find packages (its configuration, a
# certificate) is taken from this machine.
set -eu
suite=$1 root=$2 here=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "fresh: must be root, for debootstrap and chroot" >&2; exit 1; }
[ ! -e "$root" ] || { echo "fresh: $root is there already; choose another folder" >&2; exit 1; }
debootstrap --variant=minbase "$suite" "$root"
trap 'umount "$root/proc"' EXIT
mount -t proc proc "$root/proc"
chroot "$root" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy git make python3 python3-venv'
for file in /etc/pip.conf /root/.config/pip/pip.conf /etc/xdg/pip "${PIP_CERT:-}"; do
    [ -e "$file" ] || continue
    mkdir -p "$root$(dirname "$file")"
    cp -rL "$file" "$root$(dirname "$file")/"
done
git clone -q "$here" "$root/nladc-cosim"
for target in demo test; do
    start=$(date +%s)
    chroot "$root" env PIP_CERT="${PIP_CERT:-}" HOME=/root make -C /nladc-cosim $target
    echo "fresh: make $target on $suite took $(($(date +%s) - start)) s"
done
chroot "$root" /nladc-cosim/.venv/bin/cosim doctor
