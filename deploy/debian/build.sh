#!/usr/bin/env bash
# build.sh GW VERSION OUT: packs a built gw into OUT/gw_VERSION_ARCH.deb. The same source
# and tools give the same bytes: times are those of the last commit, or SOURCE_DATE_EPOCH.
# Run in the project's folder.
set -euo pipefail
gw=$1 out=$3
command -v dpkg-deb >/dev/null || { echo "build.sh: dpkg-deb is missing (it is Debian's own)" >&2; exit 1; }
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
# What git describe says, in the words of deb-version(7). Without a tag the day goes first, so that a later one is an upgrade.
version=${2#v}
version=${version//-/+}
[[ $version == [0-9]*.* ]] || version=0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S)+$version

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
chmod 755 "$root"
deploy/install.sh "$gw" "$root" /usr
gzip -9n "$root"/usr/share/man/man8/*.8
gzip -9n >"$root/usr/share/doc/gw/changelog.gz" <<-END
	gw ($version) unstable; urgency=medium

	  * Built from $2; git log tells what has changed.

	 -- $(sed -n 's/^Maintainer: //p' deploy/debian/control)  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
chmod 644 "$root/usr/share/doc/gw/changelog.gz"
install -d "$root/DEBIAN"
install -m 755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$root/DEBIAN/"
arch=$(go env GOARCH)
size=$(du -sk --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" deploy/debian/control >"$root/DEBIAN/control"
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/gw_${version}_$arch.deb"
