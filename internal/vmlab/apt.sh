# Sourced: apt with lists and sources of its own below a folder, so that nothing
# under /etc changes. The mirror and the keyring are the system's.

# apt_setup FOLDER SUITE... makes the options in the array apt, and fetches lists
# that are older than a day, or does with them where the mirror is out of reach.
apt_setup() {
	local dir=$1 mirror suite
	shift
	mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | # one of them is there
		sed -n 's/^URIs: *\([^ ]*debian\)\/* *$/\1/p; s/^deb \(\[[^]]*\] *\)\{0,1\}\(http[^ ]*debian\)\/* .*/\2/p' | head -1) || true
	if [ -z "$mirror" ]; then
		echo "vmlab: no Debian mirror in /etc/apt/sources.list or sources.list.d/debian.sources: the lab needs Debian's packages" >&2
		return 1
	fi
	apt=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$dir/sources" -o "Dir::State::lists=$dir/lists"
		-o APT::Sandbox::User=root -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
	if [ -z "$(find "$dir/fetched" -mtime -1 2>/dev/null)" ]; then
		mkdir -p "$dir/sources" "$dir/lists/partial"
		for suite in "$@"; do
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
		done >"$dir/sources/debian.list"
		if apt-get "${apt[@]}" -o APT::Update::Error-Mode=any update -qq; then
			touch "$dir/fetched"
		elif [ ! -e "$dir/fetched" ]; then
			echo "vmlab: apt-get update failed for $* (is the mirror of /etc/apt reachable?)" >&2
			return 1
		fi
	fi
}

# apt_download FOLDER COMMAND... runs what downloads into FOLDER/unpack. Where that fails, the lists may be older than the
# mirror: they are fetched anew, and it is run once more. COMMAND calls apt_setup first.
apt_download() {
	local dir=$1 try
	shift
	for try in first last; do
		rm -rf "$dir/unpack"
		mkdir -p "$dir/unpack"
		"$@" && return
		[ $try = last ] || rm -f "$dir/fetched"
	done
	return 1
}
