#!/bin/sh
# pktgen.sh -i DEV [-i DEV ...] -m MAC -d ADDRESS [OPTION ...]
# Has the kernel's packet generator (modprobe pktgen) send UDP frames from random addresses.
#
#   -i DEV      out of this interface; several share the threads. A kernel vxlan device sends them encapsulated
#   -m MAC      destination, or the first of them            -M N  random ones out of N (default 1)
#   -s MAC      source, or the first of them (default: DEV's) -S N  random ones out of N (default 1)
#   -d ADDRESS  IPv4 destination
#   -a A[-B]    IPv4 sources, random (default 172.17.2.1-172.17.2.254)
#   -f N        flows: random UDP source ports out of N (default 4096)
#   -l BYTES    of a frame without its checksum (default 60)
#   -r RATE     frames a second, of all threads together (default 0: as fast as can be)
#   -n COUNT    frames, of all threads together (default 0: until it is interrupted)
#   -t N        threads of each interface, each on a CPU and a transmit queue of its own (default 1)
#   -c CPU      the first of these CPUs (default 0)
#   -b N        frames for the driver at once (default 1; not for vxlan devices)
#   -p          print what would be written and where, and do nothing
#
# At the end, or when it is interrupted, it prints what each thread has sent, and the sum. Nothing but a POSIX shell is needed.
set -eu

die() {
	echo "pktgen.sh: $*" >&2
	exit 2
}

number() { # NAME VALUE LEAST
	case $2 in
	'' | *[!0-9]* | ?????????????*) die "-$1 $2: give a number" ;;
	esac
	[ "$2" -ge "$3" ] || die "-$1 $2: at least $3"
}

dir=${PKTGEN_DIR:-/proc/net/pktgen}
devices='' mac='' macs=1 from='' froms=1 to='' sources=172.17.2.1-172.17.2.254
flows=4096 size=60 rate=0 count=0 threads=1 cpu=0 burst=1 print=''
while getopts i:m:M:s:S:d:a:f:l:r:n:t:c:b:p o; do
	case $o in
	i) devices="$devices $OPTARG" ;;
	m) mac=$OPTARG ;;
	M) macs=$OPTARG ;;
	s) from=$OPTARG ;;
	S) froms=$OPTARG ;;
	d) to=$OPTARG ;;
	a) sources=$OPTARG ;;
	f) flows=$OPTARG ;;
	l) size=$OPTARG ;;
	r) rate=$OPTARG ;;
	n) count=$OPTARG ;;
	t) threads=$OPTARG ;;
	c) cpu=$OPTARG ;;
	b) burst=$OPTARG ;;
	p) print=yes ;;
	*) die "see the head of this file" ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || die "$1: no such option"
[ -n "$devices" ] || die "-i DEV is missing: an interface to send out of"
[ -n "$mac" ] || die "-m MAC is missing: a destination behind gw"
[ -n "$to" ] || die "-d ADDRESS is missing: the IPv4 destination"
number M "$macs" 1 && number S "$froms" 1 && number f "$flows" 1 && number l "$size" 42 && number r "$rate" 0
number n "$count" 0 && number t "$threads" 1 && number c "$cpu" 0 && number b "$burst" 1
[ "$flows" -le 64512 ] || die "-f $flows: at most 64512 ports are there (1024-65535)"

all=0
for d in $devices; do all=$((all + threads)); done
[ "$count" -eq 0 ] || [ "$count" -ge $all ] || die "-n $count: fewer than the $all threads"
[ "$rate" -eq 0 ] || [ "$rate" -ge $all ] || die "-r $rate: fewer than the $all threads"

# tell FILE LINE writes a line to one of pktgen's files (Documentation/networking/pktgen.rst).
tell() {
	if [ -n "$print" ]; then
		echo "$1 $2"
	elif ! echo "$2" 2>/dev/null >"$dir/$1"; then
		echo "pktgen.sh: $dir/$1 refused: $2" >&2
		exit 1
	fi
}

# share WHOLE I is thread I's part of it.
share() { echo $((($1 + all - 1 - $2) / all)); }

# stream DEV@THREAD I says what thread I sends.
stream() {
	tell "$1" "count $(share "$count" "$2")"
	tell "$1" "pkt_size $size"
	tell "$1" "clone_skb 0"
	[ "$burst" -eq 1 ] || tell "$1" "burst $burst"
	if [ "$rate" -eq 0 ]; then
		tell "$1" "delay 0"
	else
		tell "$1" "ratep $(share "$rate" "$2")"
	fi
	tell "$1" "dst_mac $mac"
	tell "$1" "dst_mac_count $macs"
	[ -z "$from" ] || tell "$1" "src_mac $from"
	tell "$1" "src_mac_count $froms"
	tell "$1" "dst $to"
	tell "$1" "src_min ${sources%-*}"
	tell "$1" "src_max ${sources#*-}"
	tell "$1" "udp_src_min 1024"
	tell "$1" "udp_src_max $((1024 + flows))" # which is not among them
	tell "$1" "udp_dst_min 9"
	tell "$1" "udp_dst_max 9"
	tell "$1" "flag IPSRC_RND"
	tell "$1" "flag UDPSRC_RND"
	[ "$macs" -eq 1 ] || tell "$1" "flag MACDST_RND"
	[ "$froms" -eq 1 ] || tell "$1" "flag MACSRC_RND"
	[ "$threads" -eq 1 ] || tell "$1" "flag QUEUE_MAP_CPU"
}

# report prints how it ended, and takes the interfaces away from the threads.
report() {
	trap - INT TERM
	sum=0 bad=0
	for s in $streams; do
		result='' rates=''
		for try in 1 2 3; do # the kernel may still be writing its result
			while read -r line; do
				case $line in
				Result:*) result=$line ;;
				*pps*) rates=$line ;;
				esac
			done <"$dir/$s"
			case $result/$rates in
			"Result: OK"*/) [ "$try" = 3 ] || sleep 1 ;;
			*) break ;;
			esac
		done
		echo "$s: ${result#Result: } $rates"
		case $result in
		"Result: OK"*) ;;
		*) bad=1 ;;
		esac
		pps=${rates%%pps*}
		case $pps in
		'' | *[!0-9]*) ;;
		*) sum=$((sum + pps)) ;;
		esac
	done
	echo "all: ${sum}pps"
	for t in $bound; do tell "kpktgend_$t" "rem_device_all"; done
	exit $bad
}

[ -n "$print" ] || [ -w "$dir/pgctrl" ] || die "no $dir: modprobe pktgen, as root"
streams='' bound='' i=0
for d in $devices; do
	t=0
	while [ $t -lt "$threads" ]; do
		n=$((cpu + i))
		[ -n "$print" ] || [ -e "$dir/kpktgend_$n" ] || die "no CPU $n for the thread $t of $d (-t, -c)"
		tell "kpktgend_$n" "rem_device_all"
		tell "kpktgend_$n" "add_device $d@$n"
		stream "$d@$n" $i
		streams="$streams $d@$n" bound="$bound $n" i=$((i + 1)) t=$((t + 1))
	done
done
[ -n "$print" ] || trap report INT TERM
tell pgctrl start
[ -n "$print" ] || report
