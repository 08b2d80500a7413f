#!/usr/bin/env bash
# trial.sh PACKAGE PEER: installs a package, runs what it installed as its unit does, and
# removes it, on a machine that nobody sees: in a mount namespace of its own (unshare -m),
# with a root of which only a copy is written to. Called in a network namespace with an
# underlay ens18 and a VTEP on the other end of it, whose overlay address is PEER. It prints
# "ok" at the end.
set -euo pipefail
package=$1 peer=$2
top=$(mktemp -d)
trap 'umount -R -l "$top"; rmdir "$top"' EXIT
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
root=$top/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cp "$package" "$root/tmp/gw.deb"
rm -rf "$root/etc/gw"
inside() { chroot "$root" "$@"; }
files() { inside find /etc /usr /lib /opt /run /var -xdev \( -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \) -prune -o -name '*gw*' -print | sort; }

before=$(files)
inside dpkg --install /tmp/gw.deb >&2
inside systemd-analyze verify gw@ens18.service >&2
[ -e "$root/usr/share/man/man8/gw-vni-add.8.gz" ] || { echo "no manual page" >&2; exit 1; }
for file in prometheus/gw.rules.yml prometheus/gw.alerts.yml prometheus/prometheus.yml grafana/gw.json; do
	[ -e "$root/usr/share/gw/$file" ] || { echo "no $file" >&2; exit 1; }
done
inside bash -c '. /usr/share/bash-completion/completions/gw && complete -p gw' >&2

# What the unit says, done by hand: the user, his capabilities, the folder, the file.
unit=$root/usr/lib/systemd/system/gw@.service
caps=$(sed -n 's/^AmbientCapabilities=//p' "$unit" | tr ' ' '\n' | sed 's/^CAP_/+/' | tr 'A-Z\n' 'a-z,')
sed 's/172.17.1.2/172.17.1.2/; $a metrics: {listen: ""}' "$root/usr/share/doc/gw/examples/gw.yaml" >"$root/etc/gw/ens18.yaml"
inside install -d -o gw -g gw /run/gw
chroot "$root" setpriv --reuid gw --regid gw --clear-groups --no-new-privs --inh-caps "-all,${caps%,}" --ambient-caps "-all,${caps%,}" --bounding-set "-all,${caps%,}" \
	/usr/bin/gw --config /etc/gw/ens18.yaml 2>"$top/log" &
gw=$!
inside gw status --wait 30s >&2 || { cat "$top/log" >&2; exit 1; }
inside sh -c 'stat -c %U:%G:%a /run/gw/*.sock' | grep -qx gw:gw:660 || { inside ls -l /run/gw >&2; exit 1; }
inside ping -c 3 -i 0.2 -W 5 "$peer" >&2 || { cat "$top/log" >&2; inside gw status >&2; exit 1; }
# Each thread has what it needs while gw runs, and no program that it executes gets more.
keep=000000c000007000 # CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_PERFMON, CAP_BPF
for thread in /proc/"$gw"/task/*/status; do
	for line in Uid:$(inside id -u gw) CapPrm:$keep CapEff:$keep CapInh:0000000000000000 CapAmb:0000000000000000 NoNewPrivs:1; do
		[ "$(awk -v key="${line%:*}:" '$1 == key { print $2 }' "$thread")" = "${line#*:}" ] || ! [ -e "$thread" ] || { echo "$thread: not $line" >&2; cat "$thread" >&2; exit 1; }
	done
done
kill "$gw"
wait "$gw" || { cat "$top/log" >&2; exit 1; }

inside dpkg --purge gw >&2
rm -rf "$root/etc/gw"
after=$(files)
[ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after") >&2; exit 1; }
echo ok
