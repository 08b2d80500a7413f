#!/bin/sh
# Rebuilds the XDP programs into a temporary folder and compares them with the
# committed ones. Exit status: 0 the same, 1 different or not buildable.
# Needs clang, llvm-strip and the headers of libbpf.
set -eu
cd "$(dirname "$0")"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
BPF_OUT=$out go generate .

stale=
for f in *_bpfe[lb].o *_bpfe[lb].go "$out"/*; do
	f=${f##*/}
	cmp -s "$f" "$out/$f" || stale="$stale
  bpf/$f"
done
if [ -n "$stale" ]; then
	echo "$stale" | sort -u >&2
	echo "these differ from what their source gives with $(${BPF2GO_CC:-clang} --version | head -n 1): run 'go generate ./bpf' and commit the result" >&2
	exit 1
fi
