#!/usr/bin/env bash
# trial.sh PACKAGE PEER: installs a package on a machine that nobody sees, with a systemd of its own, and has that start,
# restart, kill and stop gw@ens18.service. It is called as debian/trial.sh is, and prints how long nothing came back from PEER
# at the restart, and "ok" at the end.
set -euo pipefail
package=$1 peer=$2
top=$(mktemp -d)
cgroup=gwtrial-$$
finish() {
	[ -z "${init:-}" ] || kill -KILL "$init" || true
	wait 2>/dev/null || true
	echo $$ >"$top/cgroup/cgroup.procs" || true
	for _ in $(seq 100); do # its processes have ended, and are counted for a moment more
		find "$top/cgroup/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
		sleep 0.1
	done
	umount -R -l "$top"
	rmdir "$top"
}
trap finish EXIT
fail() {
	echo "$*" >&2
	cat "$root/run/gw.log" >&2 || true
	inside systemctl status gw@ens18 >&2 || true
	exit 1
}
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root" "$top/cgroup"
root=$top/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$root"
mount --rbind /dev "$root/dev"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cp "$package" "$root/tmp/gw.deb"
rm -rf "$root/etc/gw"
mount -t proc proc "$root/proc"
chroot "$root" dpkg --install /tmp/gw.deb >&2
umount "$root/proc"
sed '$a metrics: {listen: ""}' "$root/usr/share/doc/gw/examples/gw.yaml" >"$root/etc/gw/ens18.yaml"
mkdir -p "$root/run/systemd/system/gw@.service.d"
printf '[Unit]\nDefaultDependencies=no\n' >"$root/run/systemd/system/trial.target"
# There is no journal here.
printf '[Service]\nStandardError=append:/run/gw.log\n' >"$root/run/systemd/system/gw@.service.d/log.conf"

# systemd has processes, mounts and a part of the cgroups for itself.
mount -t cgroup2 cgroup2 "$top/cgroup"
mkdir "$top/cgroup/$cgroup"
(
	echo "$BASHPID" >"$top/cgroup/$cgroup/cgroup.procs"
	exec unshare --mount --pid --fork --cgroup --ipc --uts bash -c '
		cd "$0" && mkdir -p sys/fs/cgroup && mount -t proc proc proc && mount -t cgroup2 cgroup2 sys/fs/cgroup
		pivot_root . tmp && umount -l /tmp && cd /
		export container=gwtrial
		exec /lib/systemd/systemd --system --unit=trial.target --log-target=null' "$root"
) </dev/null >&2 &
for _ in $(seq 300); do
	init=$(pgrep -P $! || true)
	[ -n "$init" ] && nsenter -t "$init" -a -- systemctl is-active --quiet trial.target 2>/dev/null && break
	sleep 0.1
done
inside() { nsenter -t "$init" -a -- "$@"; }
inside systemctl is-active --quiet trial.target || fail "systemd does not start"
of() { inside systemctl show --property="$1" --value gw@ens18; }
index() { cat "/proc/$init/root/sys/class/net/gw42/ifindex" 2>/dev/null || true; }
programs() { inside ip -o link 2>/dev/null | grep -c xdp || true; }
# A job that fails is over before its service has cleaned up, and systemd hears of descriptors when it comes to that.
soon() {
	for _ in $(seq 100); do
		"$@" && return
		sleep 0.1
	done
	return 1
}
noDevice() { [ -z "$(index)" ]; }
noProgram() { [ "$(programs)" = 0 ]; }
noFile() { [ -z "$(ls "$root/run/gw")" ]; }
keepsNone() { [ "$(of NFileDescriptorStore)" = 0 ]; }
gone() {
	soon noDevice || fail "$1: gw42 is left"
	soon noProgram || fail "$1: XDP programs are left"
	soon noFile || fail "$1: left in /run/gw: $(ls "$root/run/gw")"
	soon keepsNone || fail "$1: systemd keeps descriptors"
}

inside systemctl start gw@ens18 || fail "it does not start"
ping -c 3 -i 0.2 -W 5 "$peer" >&2 || fail "no answer"
inside gw fdb add 02:57:a7:1c:00:01 dev gw42 dst 10.65.132.188
before=$(index) pid=$(of MainPID)
[ -n "$before" ] && [ "$(programs)" = 2 ] || fail "gw42 has index $before, and there are $(programs) programs"

ping -D -i 0.01 -w 60 "$peer" >"$top/pings" &
pinging=$!
sleep 0.5
inside systemctl restart gw@ens18 || fail "it does not restart"
sleep 0.5
kill -INT $pinging
wait $pinging || true
[ "$(of MainPID)" != "$pid" ] || fail "it is the same process"
[ "$(index)" = "$before" ] || fail "gw42 had index $before, and has $(index)"
grep -q "took over" "$root/run/gw.log" || fail "it did not take over"
inside gw fdb show | grep -q "^02:57:a7:1c:00:01 dev gw42 dst 10.65.132.188 self permanent" || fail "the static entry is gone"
soon keepsNone || fail "systemd goes on keeping descriptors"
awk -F '[][]' '/bytes from/ { if (last && $2 - last > gap) gap = $2 - last; last = $2 } END { printf "gap %d ms\n", gap * 1000 }' "$top/pings"

# Asked by hand, it hands over to the one that systemd starts then.
comes() { # waits for another process than $1
	for _ in $(seq 300); do
		now=$(of MainPID)
		[ "$now" != 0 ] && [ "$now" != "$1" ] && [ "$(of ActiveState)" = active ] && return
		sleep 0.1
	done
	fail "nothing comes after process $1"
}
pid=$(of MainPID)
inside gw handover --iface ens18
comes "$pid"
[ "$(index)" = "$before" ] && [ "$(grep -c "took over" "$root/run/gw.log")" = 2 ] || fail "it did not take over from one that was asked"

# Killed, it is cleaned up after and started anew.
pid=$(of MainPID)
inside systemctl kill --signal=KILL gw@ens18
comes "$pid"
ping -c 3 -i 0.2 -W 5 "$peer" >&2 || fail "no answer after it was killed"
grep -q "putting back" "$root/run/gw.log" && fail "the unit did not clean up"

# A restart with a file for which there is no port: what was handed over goes.
cp "$root/etc/gw/ens18.yaml" "$top/good.yaml"
printf '  - {vni: 77, ports: [none0]}\n' | sed -i '/^vnis:/r /dev/stdin' "$root/etc/gw/ens18.yaml"
inside systemctl restart gw@ens18 2>/dev/null && fail "it restarts with a port that is not there"
grep -q none0 "$root/run/gw.log" || fail "it does not say why it does not start"
gone "a restart that failed"
cp "$top/good.yaml" "$root/etc/gw/ens18.yaml"

inside systemctl reset-failed gw@ens18
inside systemctl start gw@ens18 || fail "it does not start again"
inside systemctl stop gw@ens18
gone "a stop"
echo ok
