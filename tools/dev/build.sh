# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Building and running. Sourced by ../../dev. All messages go to stderr: stdout belongs to the program that is run.

# configure PRESET
configure() {
    cmake --preset "$1" >&2 || die "configuring the preset $1 failed"
}

# build_preset PRESET [TARGET…]
build_preset() {
    local preset=$1
    shift
    configure "$preset"
    local targets=()
    [[ $# -gt 0 ]] && targets=(--target "$@")
    cmake --build --preset "$preset" --parallel "$DEV_JOBS" "${targets[@]}" >&2 || die "building the preset $preset failed"
}

dev_build() {
    local preset=${1:-dev}
    [[ $# -gt 0 ]] && shift
    need_no_more_arguments "$@"
    need_packages build
    [[ $preset == fuzz || $preset == dev-clang ]] && need_packages fuzz
    build_preset "$preset"
    say "dev: done; the programs of the preset dev are in build/bin."
}

dev_run() {
    local question=${*:-What are GPU layers?}
    need_packages build
    build_preset dev programs
    [[ -x build/bin/gguf ]] || die 'the build made no build/bin/gguf.'
    build/bin/gguf run guide --chat -p "$question"
    # The answer ends where it ends; the prompt of the shell should not sit behind it.
    [[ -t 1 ]] && echo
    return 0
}
