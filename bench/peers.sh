#!/usr/bin/env bash
# peers.sh fetches the programs that gw bench compares gw with and that it cannot build
# itself: Open vSwitch, as Debian has it for this release. Nothing is installed, started
# or changed outside the cache: packages are unpacked there, where gw bench finds them.
# An ovs-vswitchd of the machine's own is taken instead. Exit status 0: it is there.
#
# Usage: bench/peers.sh [FOLDER]; by default ~/.cache/vxgw/peers, or as XDG_CACHE_HOME says.
set -euo pipefail
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/vxgw/peers}

command -v ovs-vswitchd >/dev/null && exit
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
[ -e "$dir/root/done" ] && exit

if ! command -v apt-get >/dev/null; then
	echo "peers.sh: no apt-get here: install Open vSwitch by other means, with ovs-vswitchd in PATH" >&2
	exit 1
fi
rm -rf "$dir/root"
mkdir -p "$dir/root"
# What installing it would add to this machine. No recommended packages: those are kernel modules and init scripts' helpers.
apt=(apt-get -o Acquire::Retries=3 -o APT::Sandbox::User=root)
lacking() {
	"${apt[@]}" install -qq -s --no-install-recommends openvswitch-switch | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}
download() {
	local packages
	rm -rf "$dir/debs"
	mkdir -p "$dir/debs"
	packages=$(lacking) && (cd "$dir/debs" && "${apt[@]}" download -qq $packages)
}
download || { # the lists may be missing, or older than the mirror
	"${apt[@]}" update -q >&2
	download
}
for deb in "$dir"/debs/*.deb; do
	dpkg-deb -x "$deb" "$dir/root"
done
rm -rf "$dir/debs"
touch "$dir/root/done"
