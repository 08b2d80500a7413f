#!/usr/bin/env bash
# kernel.sh CACHE SUITE downloads the kernel that linux-image-amd64 of a Debian suite
# stands for, unpacks it without installing it, and prints the folder: vmlinuz and
# modules in it are links. What is there already is taken.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
mkdir -p "$1"
exec 9>"$1/lock"
flock 9 # held until the end: labs may share the cache

dir=$1/$2
suite=$2
# find_release says in release which kernel the suite has.
find_release() {
	apt_setup "$dir" "$suite" || return
	release=$(apt-cache "${apt[@]}" depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-\([0-9].*-amd64\)$/\1/p' | head -1) || true
	if [ -z "$release" ]; then
		echo "vmlab: no linux-image-amd64 in suite $suite of the mirror" >&2
		return 1
	fi
}
# download gets its packages: the image of newer kernels is in two.
download() {
	find_release || return
	local p
	packages=()
	for p in "linux-binary-$release" "linux-modules-$release"; do
		apt-cache "${apt[@]}" show "$p" >/dev/null 2>&1 && packages+=("$p")
	done
	[ ${#packages[@]} -gt 0 ] || packages=("linux-image-$release")
	(cd "$dir/unpack" && apt-get "${apt[@]}" download -qq "${packages[@]}" >&2)
}

find_release
if [ ! -e "$dir/$release/vmlinuz" ]; then
	apt_download "$dir" download
	for deb in "$dir"/unpack/*.deb; do
		dpkg -x "$deb" "$dir/unpack"
		rm "$deb"
	done
	modules=$(cd "$dir/unpack" && find . -type d -path "*/modules/$release" | head -1)
	image=$(cd "$dir/unpack" && find . -path "*/modules/$release/vmlinuz" -o -name "vmlinuz-$release" | head -1)
	if [ -z "$modules" ] || [ -z "$image" ]; then
		echo "vmlab: no vmlinuz or no modules in ${packages[*]}" >&2
		exit 1
	fi
	ln -s "$modules" "$dir/unpack/modules"
	ln -s "$image" "$dir/unpack/vmlinuz"
	mv "$dir/unpack" "$dir/$release"
fi
echo "$dir/$release"
