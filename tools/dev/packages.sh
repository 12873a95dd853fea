# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Installs the Debian packages of cmake/debian-packages.txt that are missing. Sourced by ../../dev.

package_list=cmake/debian-packages.txt

# Packages of the named groups, one a line.
packages_of() {
    awk -v groups=" $* " '!/^#/ && NF && index(groups, " " $1 " ") { print $2 }' "$package_list" | sort -u
}

missing_packages() {
    local package
    for package in $(packages_of "$@"); do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

# Elsewhere than on Debian nothing is installed: we only check that the tools are there.
need_tools_elsewhere() {
    local tool missing=()
    for tool in cmake ninja c++ python3 pkg-config; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    say "dev: missing: ${missing[*]}"
    say 'dev: this system has no apt-get. Please install what these Debian packages hold, then try again:'
    grep -v '^#' "$package_list" >&2
    exit 1
}

# need_packages GROUP…
need_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        need_tools_elsewhere
        return
    fi
    local group
    for group in "$@"; do
        [[ -n $(packages_of "$group") ]] || die "no package group named $group in $package_list"
    done
    local missing
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [[ -n $missing ]] || return 0
    local as_root=()
    if [[ $EUID -ne 0 ]]; then
        command -v sudo >/dev/null || die "please install, as root: apt-get install --no-install-recommends $missing"
        as_root=(sudo)
    fi
    [[ ${DEV_NO_INSTALL:-0} == 0 ]] || die "missing packages: $missing"
    say "dev: installing $missing"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
    "${as_root[@]}" "${apt[@]}" update >&2 || say 'dev: apt-get update failed; trying with the lists at hand.'
    # shellcheck disable=SC2086  # a list of words
    "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends $missing >&2 ||
        die "apt-get could not install: $missing"
}

# want_packages GROUP…: does without them where they cannot be installed. The subshell keeps `die` inside.
want_packages() {
    (need_packages "$@") || say 'dev: going on without; the tests that need these packages are skipped.'
}
