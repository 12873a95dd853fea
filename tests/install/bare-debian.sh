#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Shows that a fresh clone works on a bare Debian 12: makes a chroot with debootstrap, clones this repository
# into it, runs `./dev run` and `./dev test` there on two cores and prints how long each took.
# Needs root, debootstrap, git and python3 on the host. Packages come from wherever the host's apt gets them.
set -euo pipefail

usage() {
    cat <<'END'
usage: tests/install/bare-debian.sh [options]
  --root FOLDER    where the chroot goes (default: a new folder under $TMPDIR or /var/tmp)
  --keep           keep the chroot afterwards; a kept one is used again with --root
  --packages-only  stop after `./dev packages`: checks the package list only
  --run-only       run `./dev run` but not `./dev test`
  --cores N        processors that the commands may use (default 2)
END
}

suite=bookworm
root=''
keep=no
until_step="test"
cores=2
while [[ $# -gt 0 ]]; do
    case $1 in
        --root) root=$2; shift 2 ;;
        --keep) keep=yes; shift ;;
        --packages-only) until_step=packages; shift ;;
        --run-only) until_step=run; shift ;;
        --cores) cores=$2; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

repository=$(cd "$(dirname "$0")/../.." && pwd)
fail() { echo "bare-debian: $*" >&2; exit 1; }
[[ $EUID -eq 0 ]] || fail 'this must run as root: chroot and mount need it.'
for program in debootstrap git python3 chroot unshare taskset; do
    command -v "$program" >/dev/null || fail "$program is missing on this machine."
done

# A mount namespace of our own: whatever we mount is gone when we end, however we end.
if [[ ${BARE_DEBIAN_INSIDE:-} != yes ]]; then
    if [[ -z $root ]]; then
        root=$(mktemp -d "${TMPDIR:-/var/tmp}/bare-debian.XXXXXX")
    fi
    mkdir -p "$root"
    root=$(cd "$root" && pwd)
    status=0
    options=(--root "$root" --cores "$cores")
    [[ $until_step == packages ]] && options+=(--packages-only)
    [[ $until_step == run ]] && options+=(--run-only)
    BARE_DEBIAN_INSIDE=yes unshare --mount --propagation private "$repository/tests/install/bare-debian.sh" "${options[@]}" || status=$?
    if [[ $keep == yes ]]; then
        echo "bare-debian: the chroot is kept in $root" >&2
    else
        rm -rf --one-file-system "$root"
    fi
    exit "$status"
fi

# The host's apt sources, reduced to the entries of this suite: foreign archives need keys that a bare system lacks.
# Prints the mirror's address on the first line, then the entries in one-line style.
debian_sources() {
    python3 - "$suite" <<'END'
import glob, re, sys
suite = sys.argv[1]
wanted = {suite, suite + "-updates", suite + "-security"}
entries = []
for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*")):
    try:
        text = open(path, encoding="utf-8").read()
    except OSError:
        continue
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if path.endswith(".sources"):
        for stanza in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M))
            if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes") == "no":
                continue
            for uri in fields.get("URIs", "").split():
                for name in fields.get("Suites", "").split():
                    entries.append((uri, name, fields.get("Components", "main")))
    else:
        for uri, name, components in re.findall(r"^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)$", text, re.M):
            entries.append((uri, name, components))
entries = [entry for entry in entries if entry[1] in wanted]
mirrors = [uri for uri, name, _ in entries if name == suite]
if not mirrors:
    sys.exit("bare-debian: this machine's apt has no source of the suite " + suite)
print(mirrors[0])
for uri, name, components in entries:
    print("deb", uri, name, components)
END
}

sources=$(debian_sources)
mirror=$(head -n 1 <<<"$sources")
if [[ ! -e $root/etc/debian_version ]]; then
    echo "bare-debian: bootstrapping $suite into $root" >&2
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >&2
fi
tail -n +2 <<<"$sources" >"$root/etc/apt/sources.list"
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/hosts "$root/etc/hosts"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"

clone=/root/gguf-loader
rm -rf "${root:?}$clone"
git clone --quiet --no-hardlinks "$repository" "$root$clone"

# Only what a fresh login has, and the proxies, without which some networks have no packages.
environment=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM="${TERM:-dumb}")
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -n ${!name:-} ]] && environment+=("$name=${!name}")
done
inside() {
    chroot "$root" env -i "${environment[@]}" taskset -c "0-$((cores - 1))" sh -c "cd $clone && $1"
}

measure() {
    local name=$1 command=$2 started=$SECONDS status=0
    inside "$command" </dev/null || status=$?
    timings+=("$(printf '%-24s %4d s   exit %d' "$name" $((SECONDS - started)) "$status")")
    return "$status"
}

timings=()
status=0
case $until_step in
    packages) measure './dev packages' './dev packages' || status=$? ;;
    run) measure './dev run' './dev run' || status=$? ;;
    test)
        measure './dev run' './dev run' || status=$?
        measure './dev test' './dev test' || status=$?
        ;;
esac
echo
echo "On a bare $suite with $cores processors:"
printf '  %s\n' "${timings[@]}"
exit "$status"
