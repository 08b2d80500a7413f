#!/usr/bin/env bash
# busybox.sh CACHE downloads Debian's busybox-static, unpacks it without installing it,
# and prints the path of the program. What is there already is taken.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
mkdir -p "$1"
exec 9>"$1/lock"
flock 9 # held until the end: labs may share the cache

dir=$1/busybox
if [ ! -x "$dir/busybox" ]; then
	busybox() {
		apt_setup "$dir" "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" &&
			(cd "$dir/unpack" && apt-get "${apt[@]}" download -qq busybox-static >&2)
	}
	apt_download "$dir" busybox
	dpkg -x "$dir"/unpack/*.deb "$dir/unpack"
	found=$(find "$dir/unpack" -type f -path '*/bin/busybox' | head -1)
	if [ -z "$found" ]; then
		echo "vmlab: no busybox in Debian's busybox-static" >&2
		exit 1
	fi
	mv "$found" "$dir/busybox"
	rm -rf "$dir/unpack"
fi
echo "$dir/busybox"
