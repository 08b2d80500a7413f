#!/usr/bin/env bash
# instructions.sh measure           print what a packet costs the worker: instructions, and allocations in a round
# instructions.sh compare NEW OLD   compare two such lists; 1 if something got dearer
# instructions.sh write             measure into bench/baseline.txt
# instructions.sh check             measure and compare with it
#
# Instructions are the same on a busy machine and on a quiet one, times are not. valgrind counts those in Worker.Round, in two runs
# of different length; the difference is without start and warm-up. They depend on the compiler and on what the CPU can do, so with
# another Go or another CPU there is nothing to compare, which is said and is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
baseline=bench/baseline.txt
tolerance=${TOLERANCE:-2} # per cent; two counts of the same program differ by less than a hundredth
paths=(
	encap=Worker/encap/macs=1000
	decap=Worker/decap/macs=1000
	flood=Mix/flood/encap
	flood-ports=Mix/flood/decap
	learn=Mix/learn/encap
	learn-refresh=Mix/refresh/encap
	move=Mix/move/decap
	drop=Mix/drop/decap
)

# cpu is what the FDB's look-ups and the runtime choose their code by.
cpu() {
	local have=() f
	for f in avx2 bmi2; do
		grep -qw "$f" /proc/cpuinfo && have+=("$f")
	done
	echo "$($GO env GOARCH) ${have[*]}"
}

# run BENCHMARK STEPS prints instructions, packets and allocations per round.
run() {
	local out=$work/out
	if ! GOMAXPROCS=1 GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off GOGC=off valgrind --tool=callgrind --main-stacksize=8388608 \
		--callgrind-out-file="$work/callgrind" --toggle-collect='vxgw/dataplane.(*Worker).Round' \
		"$work/bench.test" -test.run '^$' -test.bench "^Benchmark${1//\//\$/^}\$" -test.benchtime "${2}x" >"$out" 2>&1; then
		cat "$out" >&2
		echo "instructions.sh: $1 failed under valgrind" >&2
		return 1
	fi
	awk '/^(summary|totals):/ { ir = $2; exit } END { printf "%d ", ir }' "$work/callgrind"
	awk -v name="$1" '/^Benchmark/ { for (i = 2; i < NF; i++) { if ($(i+1) == "packets") p = $i; if ($(i+1) == "allocs/op") a = $i } }
		END { if (p == "" || a == "") { print "instructions.sh: no result of " name > "/dev/stderr"; exit 1 } printf "%d %d\n", p, a }' "$out"
}

measure() {
	if ! command -v valgrind >/dev/null; then
		echo "instructions.sh: no valgrind (apt-get install valgrind)" >&2
		return 1
	fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	$GO test -c -o "$work/bench.test" ./bench
	echo "# Instructions per packet in Worker.Round and allocations per round, by bench/instructions.sh. make bench-baseline writes this file."
	echo "go $($GO env GOVERSION)"
	echo "cpu $(cpu)"
	local pair short long
	for pair in "${paths[@]}"; do
		[ -z "${ONLY:-}" ] || [ "$ONLY" = "${pair%%=*}" ] || continue
		short=$(run "${pair#*=}" 50)
		long=$(run "${pair#*=}" 300)
		echo "${pair%%=*} $short $long" | awk '{ printf "%s %.1f %d\n", $1, ($5 - $2) / ($6 - $3), $7 }'
	done
}

# compare says what differs between two lists, the newer one first.
compare() {
	awk -v tolerance="$tolerance" -v new="$1" -v old="$2" '
		/^#/ || NF == 0 { next }
		FILENAME == ARGV[1] { if ($1 == "go" || $1 == "cpu") { k = $1; $1 = ""; had[k] = $0 } else { ir[$1] = $2; allocs[$1] = $3; count++ } next }
		$1 == "go" || $1 == "cpu" { k = $1; $1 = ""; if (had[k] != $0) { other = other sprintf("%s:%s instead of%s; ", k, $0, had[k]) } next }
		{ line[++n] = $0 }
		END {
			if (count == 0) { printf "bench-check: nothing in %s (write it by make bench-baseline)\n", old; exit 1 }
			if (n == 0) { printf "bench-check: nothing in %s\n", new; exit 1 }
			if (other != "") { printf "bench-check: nothing to compare with: measured with another %s(make bench-baseline here)\n", other; exit 0 }
			for (i = 1; i <= n; i++) {
				split(line[i], f, " ")
				if (!(f[1] in ir)) { printf "%-14s %8.1f instructions: not in the baseline (make bench-baseline)\n", f[1], f[2]; bad = 1; continue }
				seen[f[1]] = 1
				change = ir[f[1]] > 0 ? 100 * (f[2] - ir[f[1]]) / ir[f[1]] : 100
				note = ""
				if (change > tolerance) { note = " DEARER: why? if it has to be, make bench-baseline"; bad = 1 }
				else if (change < -tolerance) note = " cheaper: make bench-baseline, so that it stays so"
				if (f[3] + 0 > allocs[f[1]] + 0) { note = note sprintf(" ALLOCATES: %d in a round instead of %d", f[3], allocs[f[1]]); bad = 1 }
				printf "%-14s %8.1f instructions, %+5.1f %%%s\n", f[1], f[2], change, note
			}
			for (p in ir) if (!(p in seen)) { printf "%-14s is in the baseline and was not measured\n", p; bad = 1 }
			exit bad
		}' "$2" "$1"
}

case ${1:-} in
measure) measure ;;
compare) compare "$2" "$3" ;;
write)
	list=$(measure)
	echo "$list" >$baseline
	cat $baseline
	;;
check)
	list=$(mktemp)
	(measure) >"$list" || { rm -f "$list"; exit 1; }
	status=0
	compare "$list" $baseline || status=$?
	rm -f "$list"
	exit $status
	;;
*)
	sed -n '2,5s/^# //p' "$0" >&2
	exit 2
	;;
esac
