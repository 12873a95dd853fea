# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Measurements and the comparison with llama.cpp; neither is part of `./dev test`. Sourced by ../../dev.

# run_scripts FOLDER [options…]: the folder's `run`, or without one each executable script in order; fails if one does.
run_scripts() {
    local folder=$1 script status=0
    shift
    local scripts=("$folder/run")
    [[ -x $folder/run ]] || scripts=("$folder"/*.py "$folder"/*.sh)
    local found=no
    for script in "${scripts[@]}"; do
        [[ -f $script && -x $script ]] || continue
        found=yes
        say "dev: $script"
        "$script" "$@" || status=1
    done
    [[ $found == yes ]] || die "there is nothing to run in $folder."
    return "$status"
}

dev_bench() {
    need_packages build
    build_preset dev
    run_scripts tests/bench "$@"
}

dev_peer() {
    local shared=${LOADER_SHARED_DIR:-../shared}
    if [[ ! -d $shared/peer ]]; then
        say "dev: the comparison needs llama.cpp's programs and models in $shared/peer, which is not there."
        say 'dev: set LOADER_SHARED_DIR to the folder that holds peer/. Nothing was compared.'
        return 1
    fi
    need_packages build
    build_preset dev
    run_scripts tests/peer "$@"
}
