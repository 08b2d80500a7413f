#!/bin/sh
# Rebuilds the BPF programs into a temporary folder and compares them with the
# committed ones. Exit status: 0 the same, 1 different or not buildable.
# Needs clang, llvm-strip and the headers of libbpf.
set -eu
cd "$(dirname "$0")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
stale=
for dir in bpf bench; do
	mkdir "$out/$dir"
	BPF_OUT=$out/$dir go generate "./$dir"
	for f in "$dir"/*_bpfe[lb].o "$dir"/*_bpfe[lb].go "$out/$dir"/*; do
		f=${f##*/}
		cmp -s "$dir/$f" "$out/$dir/$f" || stale="$stale
  $dir/$f"
	done
done
if [ -n "$stale" ]; then
	echo "$stale" | sort -u >&2
	echo "these differ from what their source gives with $(${BPF2GO_CC:-clang} --version | head -n 1): run 'go generate ./bpf ./bench' and commit the result" >&2
	exit 1
fi
