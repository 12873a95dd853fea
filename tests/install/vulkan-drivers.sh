#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Runs the built Vulkan tests on other versions of Mesa's lavapipe than this machine's: in a chroot of Debian 12 with
# the driver of bookworm-backports, or in one of Debian sid, whose driver has cooperative matrices. The chroots are
# made once and kept. The programs are those of a build on Debian 12; docs/vulkan-drivers.md has what came out.
# Needs root and debootstrap. Packages come from wherever the host's apt gets them.
set -euo pipefail

usage() {
    cat <<'END_OF_USAGE'
usage: tests/install/vulkan-drivers.sh backports|sid [options] [TEST...]
       tests/install/vulkan-drivers.sh --compiler
  TEST             names of test programs, such as tst_vulkan_products (default: every one with a Vulkan device)
  --build FOLDER   the build whose tests run (default: build)
  --root FOLDER    where the chroot is or goes (default: vulkan-backports or vulkan-sid in the user's cache folder)
  --long           all shapes and tiers instead of a selection
  --rows TEXT      only rows whose name has this text
  --compiler       prints a command of sid's compiler of shaders, for backends/vulkan/shaders/compile --newer
END_OF_USAGE
}

repository=$(cd "$(dirname "$0")/../.." && pwd)
fail() { echo "vulkan-drivers: $*" >&2; exit 1; }
suite=''
root=''
build=build
only_compiler=no
long=no
only=''
tests=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --build) build=$2; shift 2 ;;
        --root) root=$2; shift 2 ;;
        --long) long=yes; shift ;;
        --rows) only=$2; shift 2 ;;
        --compiler) only_compiler=yes; suite=sid; shift ;;
        -h | --help) usage; exit 0 ;;
        backports | sid) suite=$1; shift ;;
        tst_*) tests+=("$1"); shift ;;
        *) usage >&2; exit 2 ;;
    esac
done
[[ -n $suite ]] || { usage >&2; exit 2; }
[[ $EUID -eq 0 ]] || fail 'this must run as root: chroot and mount need it.'
for program in debootstrap python3 chroot unshare; do
    command -v "$program" >/dev/null || fail "$program is missing on this machine."
done
root=${root:-${XDG_CACHE_HOME:-$HOME/.cache}/vulkan-$suite}
build=$(cd "$repository" && cd "$build" 2>/dev/null && pwd) || [[ $only_compiler == yes ]] || fail "there is no build in $build."

# A mount namespace of our own: whatever we mount is gone when we end, however we end.
if [[ ${VULKAN_DRIVERS_INSIDE:-} != yes ]]; then
    mkdir -p "$root"
    options=("$suite" --root "$(cd "$root" && pwd)" --build "${build:-.}")
    [[ $long == yes ]] && options+=(--long)
    [[ -n $only ]] && options+=(--rows "$only")
    [[ $only_compiler == yes ]] && options+=(--compiler)
    VULKAN_DRIVERS_INSIDE=yes exec unshare --mount --propagation private \
        "$repository/tests/install/vulkan-drivers.sh" "${options[@]}" "${tests[@]}"
fi

# Debian's mirror, as this machine's apt has it.
debian_mirror() {
    apt-get indextargets --format '$(SITE)' 'Codename: bookworm' | grep -v -e security -e '^$' | head -n 1
}

common=(mesa-vulkan-drivers libvulkan1 libseccomp2 libstdc++6 libgomp1)
case $suite in
    backports)
        base=bookworm
        packages=("${common[@]}" libqt6core6 libqt6test6 libutf8proc2)
        ;;
    sid)
        base=sid
        packages=("${common[@]}" libqt6core6t64 libqt6test6 glslang-tools spirv-tools)
        ;;
esac

# Only what a fresh login has, and the proxies, without which some networks have no packages.
environment=(HOME=/tmp PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -n ${!name:-} ]] && environment+=("$name=${!name}")
done
inside() {
    chroot "$root" env -i "${environment[@]}" "$@" </dev/null
}

make_chroot() {
    local mirror
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || fail "this machine's apt has no source of Debian 12."
    if [[ ! -x $root/usr/bin/apt-get ]]; then
        echo "vulkan-drivers: bootstrapping $base into $root" >&2
        debootstrap --variant=minbase "$base" "$root" "$mirror" >&2
    fi
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cp -L /etc/hosts "$root/etc/hosts"
    local install=(apt-get install -y -qq --no-install-recommends)
    if [[ $suite == backports ]]; then
        echo "deb $mirror bookworm-backports main" >"$root/etc/apt/sources.list.d/backports.list"
        install+=(-t bookworm-backports)
    fi
    # Qt and all else stay those of Debian 12: only the driver is the newer one.
    inside apt-get -o Acquire::Check-Valid-Until=false update -qq >&2
    inside env DEBIAN_FRONTEND=noninteractive "${install[@]}" "${packages[0]}" >&2
    inside env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
    echo "${packages[*]}" >"$root/.ready"
}

mount -t proc proc "$root/proc" 2>/dev/null || { mkdir -p "$root/proc"; mount -t proc proc "$root/proc"; }
[[ $(cat "$root/.ready" 2>/dev/null) == "${packages[*]}" ]] || make_chroot

if [[ $only_compiler == yes ]]; then
    libraries=$root/usr/lib/$(uname -m)-linux-gnu
    echo "$(echo "$root"/lib64/ld-linux-*.so.*) --library-path $libraries $root/usr/bin/glslangValidator"
    exit 0
fi

mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$repository" "$root$build"
mount --rbind "$repository" "$root$repository"
[[ $build == "$repository"/* ]] || mount --rbind "$build" "$root$build"

if [[ ${#tests[@]} -eq 0 ]]; then
    for path in "$build"/tests/tst_vulkan_* "$build"/tests/tst_backend_*; do
        [[ -f $path && -x $path ]] && tests+=("$(basename "$path")")
    done
fi
[[ ${#tests[@]} -gt 0 ]] || fail "no test of Vulkan is built in $build."

driver=$(inside sh -c 'ls /usr/share/vulkan/icd.d/lvp_icd*.json | head -n 1')
environment+=("VK_DRIVER_FILES=$driver" "VK_ICD_FILENAMES=$driver" LD_LIBRARY_PATH=/tmp/libraries)
[[ $long == yes ]] && environment+=(LOADER_TEST_LONG=1)

# Libraries whose number has changed since are taken from this machine: never the driver's, Qt's or C's.
mkdir -p "$root/tmp/libraries"
for name in "${tests[@]}"; do
    while read -r library; do
        case $library in libQt6* | libvulkan* | libc.* | libstdc++*) fail "$library is missing in $root." ;; esac
        path=$(ldd "$build/tests/$name" | awk -v name="$library" '$1 == name { print $3 }')
        cp -L "$path" "$root/tmp/libraries/"
    done < <(inside ldd "$build/tests/$name" | awk '/not found/ { print $1 }' | sort -u)
done

# The rows of one test program that compute on Vulkan: all of tst_vulkan_* (nothing), of others those whose subject is one.
rows_of() {
    local wanted=$only
    [[ $1 == tst_vulkan_* && -z $only ]] && return 0
    [[ $1 == tst_vulkan_* ]] || wanted=vulkan.*$only
    inside "$build/tests/$1" -datatags 2>/dev/null | sed -n "s/^[^ ]* \\([^ ]*\\) \\(.*$wanted.*\\)\$/\\1:\\2/p"
}

version=$(inside dpkg-query -W -f '${Version}' mesa-vulkan-drivers)
status=0
printf '| lavapipe %s | passed | failed | skipped | seconds |\n|---|---|---|---|---|\n' "$version"
for name in "${tests[@]}"; do
    mapfile -t rows < <(rows_of "$name")
    if [[ ($name != tst_vulkan_* || -n $only) && ${#rows[@]} -eq 0 ]]; then
        printf '| %s | no such row | | | |\n' "$name"
        status=1
        continue
    fi
    started=$SECONDS
    code=0
    output=$(cd "$build" && inside "$build/tests/$name" "${rows[@]}" 2>&1) || code=$?
    totals=$(sed -n 's/^Totals: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped.*/\1 | \2 | \3/p' <<<"$output" | tail -n 1)
    if [[ $code -ne 0 ]]; then
        status=1
        grep -A 3 -E '^(FAIL|QFATAL)' <<<"$output" | head -n 40 >&2 || true
    fi
    grep -E '^SKIP' <<<"$output" >&2 || true
    printf '| %s | %s | %s |\n' "$name" "${totals:-ended with $code | | }" $((SECONDS - started))
done
exit "$status"
