#!/bin/sh
# packages.sh: OS packages from signed repositories, locked, built, taken out of the bundle and installed by the real apt and
# dnf without a network; and everything that a repository can do wrong.
# shellcheck disable=SC2317,SC2016,SC2086 # functions are called through ok; single quotes are meant; lists of words
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 dpkg-deb apt-get apt-ftparchive gpg gpgv xz unshare
bundler=$(realpath "$B/bin/bundler") deployer=$(realpath "$B/bin/deployer")

w=$T/www
mkdir -p "$w" "$T/home" "$T/state" "$T/lock"
export HOME="$T/home" XDG_CACHE_HOME="$T/cache" XDG_STATE_HOME="$T/state" SOURCE_DATE_EPOCH=1790000000
json() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$@"; }
notes() { json "$1" '" ".join(d["contents"]["sets"][0]["notes"])'; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
can_root=yes
[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || can_root=

# ---- two keys, of which one signs
export GNUPGHOME="$T/gnupg"
mkdir -m 700 "$GNUPGHOME"
for k in vendor other; do
	gpg --batch --quiet --passphrase '' --quick-generate-key "$k@example.invalid" ed25519 sign never 2>/dev/null
	gpg --batch --export "$k@example.invalid" >"$T/$k.gpg"
done
gpg --batch --armor --export vendor@example.invalid >"$T/vendor.asc"
sign() { gpg --batch --quiet --yes --local-user "${key:-vendor}@example.invalid" "$@"; }

# ---- a Debian repository: deb NAME VERSION [FIELD...]
deb() {
	mkdir -p "$T/deb/DEBIAN" "$T/deb/usr/share/$1" "$w/debian/pool"
	echo "$1 $2" >"$T/deb/usr/share/$1/what"
	{
		printf 'Package: %s\nVersion: %s\nMaintainer: nobody <nobody@example.invalid>\n' "$1" "$2"
		shift 2
		case "$*" in *Architecture:*) ;; *) echo 'Architecture: amd64' ;; esac
		for field; do printf '%s\n' "$field"; done
		printf 'Description: for a test\n of two lines\n'
	} >"$T/deb/DEBIAN/control"
	[ ! -f "$T/postinst" ] || install -m 755 "$T/postinst" "$T/deb/DEBIAN/postinst"
	dpkg-deb --root-owner-group -Zxz -z1 --build "$T/deb" "$w/debian/pool" >/dev/null
	rm -rf "$T/deb"
}
printf '#!/bin/sh\necho "configured $1" >/usr/share/app/state\n' >"$T/postinst"
deb app 1:2.0-1 'Depends: libx (>= 1.5), mta, data | other-data' 'Pre-Depends: early' 'Recommends: extra'
rm "$T/postinst"
deb libx 1.4-1
deb libx 1.6~rc1-1 'Depends: present-lib (>= 3)'
deb bigmail 1.0 'Provides: mta' 'Conflicts: mta'
deb other-data 1.0 'Provides: data'
deb data 1.0 'Architecture: all'
deb early 0.1
deb extra 1.0
deb present-lib 3.2 'Depends: never-carried'
deb never-carried 1.0
deb broken 1.0 'Depends: absent (>= 2)'
deb wants-broken 1.0 'Depends: broken'
deb fighter 1.0 'Conflicts: libx'
deb latin 1.0 "$(printf 'X-Name: \344')"
deb driver 5.1 'Depends: early, data'
deb linux-headers-5.15.0-100-generic 5.15.0-100.1 'Depends: linux-headers-5.15.0-100'
deb linux-headers-5.15.0-100 5.15.0-100.1 'Architecture: all'
deb linux-headers-5.15.0-101-generic 5.15.0-101.1

# release FOLDER [OPTION...]: Packages as they are, then Release and its signatures
release() {
	folder=$1
	shift
	rm -f "$folder/Release" "$folder/InRelease" "$folder/Release.gpg"
	apt-ftparchive -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Codename=test "$@" release "$folder" \
		>"$T/Release"
	mv "$T/Release" "$folder/Release"
	sign --clearsign -o "$folder/InRelease" "$folder/Release"
	sign --detach-sign --armor -o "$folder/Release.gpg" "$folder/Release"
}
d=$w/debian/dists/stable
mkdir -p "$d/main/binary-amd64"
mv "$w/debian/pool/driver_5.1_amd64.deb" "$T"
(cd "$w/debian" && apt-ftparchive packages pool) >"$d/main/binary-amd64/Packages"
xz -k "$d/main/binary-amd64/Packages"
release "$d"
# copies, each with one thing wrong; the packages are the same files
for bad in unsigned altered tampered expired traversal detached zstd; do
	mkdir -p "$w/$bad"
	cp -r "$w/debian/dists" "$w/$bad/dists"
	ln -s ../debian/pool "$w/$bad/pool"
done
rm "$w/unsigned/dists/stable/InRelease" "$w/unsigned/dists/stable/Release.gpg"
sed -i 's/^Suite: stable/Suite: Stable/' "$w/altered/dists/stable/InRelease"
rm "$w/tampered/dists/stable/main/binary-amd64/Packages.xz"
sed 's/^Version: 1:2.0-1/Version: 1:2.0-2/' "$d/main/binary-amd64/Packages" | xz >"$w/tampered/dists/stable/main/binary-amd64/Packages.xz"
release "$w/expired/dists/stable" -o APT::FTPArchive::Release::ValidTime=1 >/dev/null
sed -i 's/^Valid-Until: .*/Valid-Until: Thu, 01 Jan 2026 00:00:00 UTC/' "$w/expired/dists/stable/Release"
sign --clearsign -o "$w/expired/dists/stable/InRelease" "$w/expired/dists/stable/Release"
t=$w/traversal/dists/stable
sed -i 's,^Filename: pool/early,Filename: ../../../pool/early,' "$t/main/binary-amd64/Packages"
rm "$t/main/binary-amd64/Packages.xz"
release "$t"
rm "$w/detached/dists/stable/InRelease"
z=$w/zstd/dists/stable
zstd -q --rm "$z/main/binary-amd64/Packages" && rm "$z/main/binary-amd64/Packages.xz"
release "$z"
# a flat one, with nothing but packages and an index
mkdir "$w/flat"
cp "$w/debian/pool/data_1.0_all.deb" "$w/flat"
(cd "$w/flat" && apt-ftparchive packages . | gzip -n >Packages.gz)

# a vendor's own, by another key, whose packages need what the distribution has
mkdir "$w/vendor"
mv "$T/driver_5.1_amd64.deb" "$w/vendor"
(cd "$w" && apt-ftparchive packages vendor) >"$T/Packages" && mv "$T/Packages" "$w/vendor/Packages"
key=other
release "$w/vendor"
key=vendor

# ---- an RPM repository: spec NAME VERSION [TAG...]
spec() {
	mkdir -p "$T/rpm"
	name=$1
	{
		printf 'Name: %s\nVersion: %s\nRelease: 1\nSummary: for a test\nLicense: none\nBuildArch: noarch\n' "$1" "$2"
		shift 2
		for tag; do printf '%s\n' "$tag"; done
		printf '%%description\nA < B & C\n%%install\nmkdir -p %%{buildroot}/usr/share/%s\n' "$name"
		printf 'echo %s >%%{buildroot}/usr/share/%s/what\n%%files\n/usr/share/%s/what\n' "$name" "$name" "$name"
	} >"$T/rpm/$name.spec"
	rpmbuild --quiet -bb --define "_topdir $T/rpm" --define "_rpmdir $w/rpm" --define '_build_id_links none' "$T/rpm/$name.spec" \
		>"$T/rpm.log" 2>&1 || cat "$T/rpm.log"
}
rpm=
if command -v rpmbuild >/dev/null && command -v createrepo_c >/dev/null && command -v dnf >/dev/null; then
	rpm=yes
	spec web 3.0 'Epoch: 2' 'Requires: webcap >= 1.1, present-cap' 'Requires: (lang-a if web)' 'Recommends: nice' 'Conflicts: old'
	spec weblib 1.2 'Provides: webcap = 1.2'
	spec lang-a 1.0
	spec nice 1.0
	spec old 1.0
	spec top 1.0 'Requires: lang-a'
	spec kmod-5.14.0-70.el9 1.0
	mv "$w/rpm/noarch/top-1.0-1.noarch.rpm" "$T"
	createrepo_c --quiet "$w/rpm" >/dev/null
	sign --detach-sign --armor -o "$w/rpm/repodata/repomd.xml.asc" "$w/rpm/repodata/repomd.xml"
	mkdir "$w/rpm-more"
	mv "$T/top-1.0-1.noarch.rpm" "$w/rpm-more"
	createrepo_c --quiet "$w/rpm-more" >/dev/null
	sign --detach-sign --armor -o "$w/rpm-more/repodata/repomd.xml.asc" "$w/rpm-more/repodata/repomd.xml"
	for bad in rpm-unsigned rpm-altered rpm-tampered; do
		mkdir "$w/$bad"
		cp -r "$w/rpm/repodata" "$w/$bad/repodata"
	done
	rm "$w/rpm-unsigned/repodata/repomd.xml.asc"
	sed -i 's/<revision>/<revision>1/' "$w/rpm-altered/repodata/repomd.xml"
	for f in "$w"/rpm-tampered/repodata/*-primary.xml.*; do printf 'x' >>"$f"; done
fi

port=$(free_port)
mkdir -p "$T/stand/www"
start_server "$T/stand/www" www python3 -m http.server --bind 127.0.0.1 --directory "$w" "$port"
wait_server "$T/stand/www" www 10 curl -sf "http://127.0.0.1:$port/flat/" -o /dev/null
url=http://127.0.0.1:$port

# manifest NAME ENTRY...: a manifest with these entries of packages
manifest() {
	name=$1
	shift
	{
		printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: p, version: 1.0.0, stream: example/p}\n'
		printf 'kubernetes: {version: "1.32"}\nhosts: {"127.0.0.1:%s": {plainHTTP: true}}\npackages:\n' "$port"
		for entry; do echo "  - {$entry}"; done
	} >"$T/$name.yaml"
}
entry() { echo "name: set, type: deb, suite: stable, components: [main], architecture: amd64, url: \"$url/${1:-debian}\""; }
signed="keyring: \"file:vendor.gpg\""
lock() { "$bundler" lock "$T/$1.yaml" -o "$T/$1.lock"; }
# refused NAME STATUS REGEX ENTRY - lock ends with STATUS and says REGEX
refused() {
	manifest bad "$4"
	rm -rf "$T/cache" # what is in it was compared, and is not asked for again
	fails "$1: $2" "$2" lock bad
	like "… and says so" "$(cat "$T/said")" "$3"
}

# ---- deb: what is chosen
manifest app "$(entry), $signed, install: [app, \"libx=1.6~rc1-1\"], present: [present-lib]"
ok 'a closure is locked' lock app
is 'the highest version, the first alternative, what is provided, what must be there before' "$(notes "$T/app.lock")" \
	'app 1:2.0-1 bigmail 1.0 data 1.0 early 0.1 libx 1.6~rc1-1'
cp "$T/app.lock" "$T/first.lock"
ok 'locked again' lock app
ok '… it is the same' cmp "$T/first.lock" "$T/app.lock"
manifest more "$(entry), $signed, install: [app], recommends: true"
ok 'recommends are taken on request' lock more
is '… and what machines do not have' "$(notes "$T/more.lock")" \
	'app 1:2.0-1 bigmail 1.0 data 1.0 early 0.1 extra 1.0 libx 1.6~rc1-1 never-carried 1.0 present-lib 3.2'
manifest armoured "$(entry detached), keyring: vendor.asc, install: [\"libx=1.4-1\"]"
ok 'Release.gpg, an armoured keyring, an older version' lock armoured
is '… that one' "$(notes "$T/armoured.lock")" 'libx 1.4-1'
manifest zstd "$(entry zstd), $signed, install: [mta]"
ok 'a virtual package, out of an index packed with zstd' lock zstd
is '… who provides it' "$(notes "$T/zstd.lock")" 'bigmail 1.0'
manifest flat "name: flat, type: deb, suite: ./, architecture: amd64, url: \"$url/flat\", trusted: true, install: [data]"
ok 'a flat repository that nobody signed, where that was said' lock flat
like '… and is said again' "$(json "$T/flat.lock" 'd["warnings"]')" "packages 'flat': nothing vouches"

more="{url: \"$url/debian\", suite: stable, components: [main], keyring: vendor.asc}"
manifest driver "name: set, type: deb, suite: vendor/, architecture: amd64, url: \"$url\", keyring: other.gpg, install: [driver], more: [$more]"
ok 'a driver of a vendor, over what a distribution has' lock driver
is '… both' "$(notes "$T/driver.lock")" 'data 1.0 driver 5.1 early 0.1'
like '… from where each is' "$(json "$T/driver.lock" 'sorted(s["location"] for b in d["blobs"] for s in b["sources"] if s.get("location"))')" \
	"/debian/pool/data_1.0_all.deb', .*/debian/pool/early_0.1_amd64.deb', .*/vendor/driver_5.1_amd64.deb'"

# ---- kernels
kernels() { printf 'apiVersion: airgap/v1\nkind: Facts\nnodes:\n' && printf '  - {kernel: %s, architecture: %s, os: %s, osVersion: "%s"}\n' "$@"; }
manifest kernel "$(entry), $signed, os: ubuntu 22.04, install: [\"linux-headers-{kernel}\"]"
kernels 5.15.0-100-generic amd64 ubuntu 22.04 5.15.0-101-generic amd64 ubuntu 24.04 5.15.0-1-other arm64 ubuntu 22.04 >"$T/facts"
ok 'headers for the kernels of a site' "$bundler" lock "$T/kernel.yaml" --facts "$T/facts" -o "$T/kernel.lock"
is '… of its architecture and distribution' "$(notes "$T/kernel.lock")" \
	'linux-headers-5.15.0-100 5.15.0-100.1 linux-headers-5.15.0-100-generic 5.15.0-100.1'
fails 'without facts no kernel is known: 2' 2 lock kernel
kernels 5.15.0-99-generic amd64 ubuntu 22.04 >"$T/facts"
fails 'a kernel that the repository does not have: 2' 2 "$bundler" lock "$T/kernel.yaml" --facts "$T/facts" -o "$T/kernel.lock"
like '… and which ones it has' "$(cat "$T/said")" \
	'linux-headers-5.15.0-99-generic: not in the repository; there are: .*linux-headers-5.15.0-101-generic'

# ---- what cannot be
refused 'a dependency that nobody has' 2 'nothing provides absent.*needed by broken-1.0' "$(entry), $signed, install: [wants-broken]"
like '… with who wanted it' "$(cat "$T/said")" 'wants-broken-1.0.* requires broken'
refused 'a conflict' 2 'fighter-1.0.* conflicts with libx' "$(entry), $signed, install: [app, fighter]"
refused 'a name that is not there' 2 'libz: not in the repository; there is: libx' "$(entry), $signed, install: [libz]"
refused 'a version that is not there' 2 'libx=9: not in the repository; there are: libx=1.6~rc1-1, libx=1.4-1' \
	"$(entry), $signed, install: [libx=9]"
refused 'another key' 12 'signed by key [0-9A-F]+, which is not in' "$(entry), keyring: \"file:other.gpg\", install: [app]"
refused 'no signature' 10 'not signed' "$(entry unsigned), $signed, install: [app]"
refused 'an altered Release' 11 'does not fit' "$(entry altered), $signed, install: [app]"
refused 'an altered Packages' 14 'the signed text says' "$(entry tampered), $signed, install: [app]"
refused 'a Release of last year' 13 'was valid until 2026-01-01' "$(entry expired), $signed, install: [app]"
refused 'a package outside the repository' 17 'no path below the repository' "$(entry traversal), $signed, install: [app]"
refused 'an entry that is not UTF-8' 18 "'latin': its entry in Packages is not UTF-8" "$(entry), $signed, install: [latin]"
refused 'a component that is not there' 2 'has no contrib/binary-amd64/Packages' \
	"name: set, type: deb, suite: stable, components: [contrib], architecture: amd64, url: \"$url/debian\", $signed, install: [app]"
refused 'one of several repositories by another key' 12 "'$url/debian': InRelease: signed by key" \
	"name: set, type: deb, suite: vendor/, architecture: amd64, url: \"$url\", keyring: other.gpg, install: [driver], more: [{url: \"$url/debian\", suite: stable, components: [main]}]"
refused 'neither keyring nor trusted' 18 'keyring is missing' "$(entry), install: [app]"
refused 'a suite that leaves its folder' 18 'suite: write its name' \
	"name: set, type: deb, suite: ../x, components: [main], architecture: amd64, url: \"$url\", $signed, install: [app]"

# ---- deb: into a bundle, out of it, and onto a machine
"$bundler" keygen "$T/key" >/dev/null 2>&1
mkdir "$T/trust" && cp "$T/key.pub" "$T/trust"
echo "#!/bin/sh" >"$T/hello.sh"
manifest all "$(entry), $signed, install: [app], present: [present-lib]"
printf 'files: [{name: hello, path: hello.sh, mode: "755"}, {name: set, path: hello.sh}]\n' >>"$T/all.yaml"
[ -z "$rpm" ] || printf '%s\n' "  - {name: rpms, type: rpm, architecture: x86_64, url: \"$url/rpm\", $signed, install: [web], present: [present-cap]}" |
	sed -i '/^  - {name: set/r /dev/stdin' "$T/all.yaml"
ok 'a build with packages' "$bundler" build "$T/all.yaml" --key "$T/key.key" -o "$T/b.zst"
ok 'it verifies' "$deployer" verify "$T/b.zst" --trust "$T/trust"
like 'inspect shows the set' "$("$deployer" inspect "$T/b.zst" --trust "$T/trust")" 'packages/set deb'
like '… on both sides' "$("$bundler" inspect "$T/b.zst" --trust "$T/trust")" 'packages/set deb'
like '--list' "$("$deployer" extract "$T/b.zst" --trust "$T/trust" --list | tr '\n' ' ')" '^files/hello files/set packages/'
fails 'extract: a name with two meanings: 2' 2 "$deployer" extract "$T/b.zst" --trust "$T/trust" -o "$T/out" set
fails 'extract: no such thing: 2' 2 "$deployer" extract "$T/b.zst" --trust "$T/trust" -o "$T/out" packages/sat
like '… with the nearest' "$(cat "$T/said")" "did you mean 'packages/set'"
fails 'extract: not trusted: 12' 12 "$deployer" extract "$T/b.zst" --trust "$PWD/tests/data/vectors" -o "$T/out" packages/set
ok 'extract' "$deployer" extract "$T/b.zst" --trust "$T/trust" -o "$T/out" packages/set files/hello
is 'the file has its mode' "$(stat -c %a "$T/out/hello.sh")" 755
is 'the folder is a flat repository' "$(cd "$T/out/set" && printf '%s ' *)" \
	'Packages Release app_2.0-1_amd64.deb bigmail_1.0_amd64.deb data_1.0_all.deb early_0.1_amd64.deb libx_1.6~rc1-1_amd64.deb '
ok '… of the packages as they were' cmp "$T/out/set/app_2.0-1_amd64.deb" "$w/debian/pool/app_2.0-1_amd64.deb"
is 'nothing else is left' "$(ls -A "$T/out")" "$(printf 'hello.sh\nset')"
echo mine >"$T/out/set/mine"
fails 'extract touches nothing that is there: 2' 2 "$deployer" extract "$T/b.zst" --trust "$T/trust" -o "$T/out" packages/set
is '… as it was' "$(cat "$T/out/set/mine")" mine
rm "$T/out/set/mine"

# killed at any moment: all of it is there, or nothing, and the next run finds no trace
head -c 50000000 /dev/urandom >"$T/big"
manifest big "$(entry), $signed, install: [early]"
printf 'files: [{name: big, path: big}]\n' >>"$T/big.yaml"
"$bundler" build "$T/big.yaml" --key "$T/key.key" -o "$T/big.zst" >/dev/null 2>&1
halves=0 killed=0
for i in 1 2 3 4 5 6; do
	"$deployer" extract "$T/big.zst" --trust "$T/trust" -o "$T/kill" big >/dev/null 2>&1 &
	sleep "0.0$((i * 2))"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null || killed=$((killed + 1))
	[ ! -e "$T/kill/big" ] || cmp -s "$T/big" "$T/kill/big" || halves=$((halves + 1))
	rm -f "$T/kill/big"
done
note "$killed of 6 were killed on the way"
is 'nothing is ever there by half' "$halves" 0
ok 'the next run writes it' "$deployer" extract "$T/big.zst" --trust "$T/trust" -o "$T/kill" big
is '… and takes away what was left' "$(ls -A "$T/kill")" big
rm -rf "$T/kill" "$T/big" "$T/big.zst"

if [ -n "$can_root" ]; then
	# a root with nothing in it but this machine's apt, dpkg and what they call
	r=$T/root
	mkdir -p "$r/var/lib/dpkg/info" "$r/var/lib/dpkg/updates" "$r/var/lib/apt/lists/partial" "$r/var/cache/apt/archives/partial" \
		"$r/etc/apt/apt.conf.d" "$r/etc/apt/preferences.d" "$r/var/log/apt" "$r/usr/bin" "$r/usr/sbin" "$r/usr/lib" "$r/usr/lib64" \
		"$r/usr/lib/apt/methods" "$r/tmp" "$r/dev"
	for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$r/$dir"; done
	for program in apt-get dpkg dpkg-deb dpkg-split dpkg-query tar rm diff ldconfig start-stop-daemon sh /usr/lib/apt/methods/file \
		/usr/lib/apt/methods/copy /usr/lib/apt/methods/store; do
		at=$(readlink -f "$(command -v "$program")")
		cp -L "$at" "$r$(case $program in /*) echo "$program" ;; *) echo "/usr/bin/$program" ;; esac)"
		ldd "$at" 2>/dev/null | sed -n 's,.* \(/[^ ]*\) (0x.*,\1,p; s,^[[:space:]]*\(/[^ ]*\) (0x.*,\1,p' | while read -r library; do
			mkdir -p "$r$(dirname "$library")"
			cp -L "$library" "$r$library"
		done
	done
	mkdir -p "$r/usr/share" && cp -r /usr/share/dpkg "$r/usr/share/"
	as_root mknod -m 666 "$r/dev/null" c 1 3
	cp -r "$T/out/set" "$r/repository"
	printf 'Package: present-lib\nStatus: install ok installed\nVersion: 3.2\nArchitecture: amd64\nMaintainer: n\nDescription: d\n' \
		>"$r/var/lib/dpkg/status"
	echo 'deb [trusted=yes] file:/repository ./' >"$r/etc/apt/sources.list"
	apt() { as_root unshare -n chroot "$r" apt-get -q -o APT::Sandbox::User=root "$@"; }
	ok 'apt reads it without a network' apt update
	ok 'apt installs from it' apt -y install app
	is 'everything is there' "$(dpkg-query --admindir="$r/var/lib/dpkg" -W -f '${Package} ${Status},' | sed 's/ install ok installed//g')" \
		'app,bigmail,data,early,libx,present-lib,'
	is '… on disk' "$(cat "$r/usr/share/app/what")" 'app 1:2.0-1'
	is '… and its own script was run there' "$(cat "$r/usr/share/app/state")" 'configured configure'
	as_root rm -rf "$r"
else
	skip 'apt installs without a network' 'needs root'
fi

# a package that is not what the index says: found when it is fetched
cp "$w/debian/pool/early_0.1_amd64.deb" "$T/early"
printf 'X' | dd of="$w/debian/pool/early_0.1_amd64.deb" bs=1 seek=100 conv=notrunc 2>/dev/null
fails 'a package that was altered: 14, at build' 14 "$bundler" build "$T/app.lock" --key "$T/key.key" -o "$T/bad.zst"
like '… by name' "$(tr '\n' ' ' <"$T/said")" "packages 'set'.*early_0.1_amd64.deb"
cp "$T/early" "$w/debian/pool/early_0.1_amd64.deb"

# ---- rpm
if [ -z "$rpm" ]; then
	skip 'RPM repositories' 'rpm, createrepo-c or dnf is not installed: run scripts/deps'
	exit 0
fi
rentry() { echo "name: set, type: rpm, architecture: x86_64, url: \"$url/${1:-rpm}\""; }
manifest rpm "$(rentry), $signed, install: [web], present: [present-cap]"
ok 'rpm: a closure is locked' lock rpm
is '… with capabilities and rich dependencies' "$(notes "$T/rpm.lock")" 'lang-a 1.0-1 web 2:3.0-1 weblib 1.2-1'
manifest kmod "$(rentry), $signed, os: rhel 9, install: [\"kmod-{kernel}\"]"
kernels 5.14.0-70.el9 amd64 rhel 9.4 >"$T/facts"
ok 'rpm: a driver for the kernels of a site' "$bundler" lock "$T/kmod.yaml" --facts "$T/facts" -o "$T/kmod.lock"
manifest top "$(rentry rpm-more), $signed, install: [top], more: [{url: \"$url/rpm\"}]"
ok 'rpm: from two repositories' lock top
is '… both' "$(notes "$T/top.lock")" 'lang-a 1.0-1 top 1.0-1'
refused 'rpm: what nobody provides' 2 'nothing provides present-cap needed by web-2:3.0-1' "$(rentry), $signed, install: [web]"
refused 'rpm: a conflict' 2 'web-2:3.0-1.noarch conflicts with old' "$(rentry), $signed, install: [web, old], present: [present-cap]"
refused 'rpm: a name that is not there' 2 'web-extra: not in the repository' "$(rentry), $signed, install: [web-extra]"
refused 'rpm: another key' 12 'which is not in' "$(rentry), keyring: \"file:other.gpg\", install: [nice]"
refused 'rpm: no signature' 10 'is not signed' "$(rentry rpm-unsigned), $signed, install: [nice]"
refused 'rpm: an altered repomd.xml' 11 'does not fit' "$(rentry rpm-altered), $signed, install: [nice]"
refused 'rpm: an altered index' 14 'the signed text says' "$(rentry rpm-tampered), $signed, install: [nice]"
ok 'rpm: extract' "$deployer" extract "$T/b.zst" --trust "$T/trust" -o "$T/out" rpms
is 'the folder is a repository' "$(cd "$T/out/rpms" && find . -type f | sort | tr '\n' ' ')" \
	'./lang-a-1.0-1.noarch.rpm ./repodata/primary.xml ./repodata/repomd.xml ./web-3.0-1.noarch.rpm ./weblib-1.2-1.noarch.rpm '
if [ -n "$can_root" ]; then
	r=$T/rpmroot
	mkdir "$r"
	# what a machine has: a package of its own
	spec present 1.0 'Provides: present-cap'
	as_root rpm --root "$r" --nosignature -i "$w/rpm/noarch/present-1.0-1.noarch.rpm" 2>"$T/rpm.log" || cat "$T/rpm.log"
	dnf() {
		as_root unshare -n dnf -q --installroot="$r" --releasever=1 --setopt=reposdir=/nowhere --setopt=cachedir="$r/cache" \
			--setopt=install_weak_deps=0 --setopt=tsflags=nodocs --nogpgcheck --repofrompath="airgap,file://$T/out/rpms" \
			--repo=airgap "$@"
	}
	ok 'dnf installs from it without a network' dnf -y install web
	is 'everything is there' "$(as_root rpm --root "$r" -qa --qf '%{name}\n' 2>/dev/null | sort | tr '\n' ' ')" \
		'lang-a present web weblib '
	as_root rm -rf "$r"
else
	skip 'dnf installs without a network' 'needs root'
fi
