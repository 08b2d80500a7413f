#!/usr/bin/env bash
# install.sh GW ROOT PREFIX: puts a built gw below ROOT/PREFIX, with its manual pages,
# completions, systemd unit, documentation, and what Prometheus and Grafana need. Run in the project's folder.
set -euo pipefail
gw=$1 root=$2 prefix=$3
to=$root$prefix

install -D -m 755 "$gw" "$to/bin/gw"
install -d "$to/share/man/man8"
"$gw" man "$to/share/man/man8"
zsh=zsh/site-functions # where zsh looks below /usr/local
[ "$prefix" != /usr ] || zsh=zsh/vendor-completions
for shell in bash:bash-completion/completions/gw zsh:$zsh/_gw fish:fish/vendor_completions.d/gw.fish; do
	file=$to/share/${shell#*:}
	install -d "${file%/*}"
	"$gw" completion "${shell%%:*}" >"$file"
	chmod 644 "$file"
done
install -D -m 644 deploy/systemd/gw@.service "$to/lib/systemd/system/gw@.service"
sed -i "s|/usr/bin/gw|$prefix/bin/gw|" "$to/lib/systemd/system/gw@.service"
install -D -m 644 deploy/systemd/gw.sysusers "$to/lib/sysusers.d/gw.conf"
install -D -m 644 deploy/gw.yaml "$to/share/doc/gw/examples/gw.yaml"
install -d "$to/share/doc/gw/docs/pictures" "$to/share/doc/gw/docs/bench"
install -m 644 README.md "$to/share/doc/gw/"
install -m 644 docs/*.* "$to/share/doc/gw/docs/"
install -m 644 docs/pictures/* "$to/share/doc/gw/docs/pictures/"
install -m 644 docs/bench/* "$to/share/doc/gw/docs/bench/"
install -D -m 644 -t "$to/share/gw/prometheus" deploy/prometheus/*.yml
sed -i "s|/usr/share/gw|$prefix/share/gw|" "$to/share/gw/prometheus/prometheus.yml"
install -D -m 644 -t "$to/share/gw/grafana" deploy/grafana/gw.json
install -d "$root/etc/gw"
if [ -z "$root" ]; then # no package will do it
	echo "To run gw@.service, once: systemd-sysusers $to/lib/sysusers.d/gw.conf && systemctl daemon-reload"
fi
