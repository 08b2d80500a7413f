#!/usr/bin/env bash
# qemu.sh CACHE installs a QEMU that has the igb device (8.0 or newer) and xz, unless
# they are there: from the release, on Debian 12 from its backports.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
mkdir -p "$1"
exec 9>"$1/lock"
flock 9 # held until the end: labs may share the cache

has_igb() { command -v qemu-system-x86_64 >/dev/null && qemu-system-x86_64 -device help | grep -q '"igb"'; }

has_igb && command -v xz >/dev/null && exit
suites=("$(. /etc/os-release && echo "${VERSION_CODENAME:-}")")
from=()
if [ "${suites[0]}" = bookworm ]; then
	suites+=(bookworm-backports)
	from=(-t bookworm-backports)
fi
apt_setup "$1/qemu" "${suites[@]}"
DEBIAN_FRONTEND=noninteractive apt-get "${apt[@]}" install -qy --no-install-recommends "${from[@]}" qemu-system-x86 xz-utils >&2
has_igb || {
	echo "vmlab: this qemu-system-x86_64 has no igb device: it takes QEMU 8.0 or newer" >&2
	exit 1
}
