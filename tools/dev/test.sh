# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Runs the tests and counts them honestly. Sourced by ../../dev.
# The last line is always "N passed, N failed, N skipped".

# The hostile-input tests run once more under ASan+UBSan unless this many seconds have already passed.
sanitizer_stage_until_s=1200

# run_ctest NAME PRESET [ctest options…]: remembers the results under NAME, never fails.
run_ctest() {
    local name=$1 preset=$2
    shift 2
    say "dev: tests of the preset $preset"
    local under=()
    # ThreadSanitizer of GCC 12 cannot start where the kernel randomises addresses by 32 bits.
    [[ $preset == tsan ]] && setarch "$(uname -m)" -R true 2>/dev/null && under=(setarch "$(uname -m)" -R)
    rm -f "$results/$name.xml"
    "${under[@]}" ctest --preset "$preset" --parallel "$DEV_JOBS" --output-junit "$results/$name.xml" \
        --test-output-size-passed 100000000 --test-output-size-failed 100000000 "$@" || true
    if [[ ! -s $results/$name.xml ]]; then
        say "dev: ctest of the preset $preset left no results"
        echo "stage $name (no results) failed" >>"$results/stages.txt"
    fi
}

# note_stage NAME passed|failed|skipped: something that is not a CTest run but counts as one test.
note_stage() { echo "stage $1 $2" >>"$results/stages.txt"; }

finish_tests() { python3 tools/dev/count_results.py "$results"; }

# A stage that cannot even be built is a failed test, not the end of the run. The subshell keeps `die` inside.
try_build() { (build_preset "$@"); }

short_tests() {
    build_preset dev
    run_ctest dev dev "$@"
    [[ $# -eq 0 ]] || return 0
    if ((SECONDS > sanitizer_stage_until_s)); then
        say 'dev: no time left for the ASan+UBSan stage; the long tests run it.'
        note_stage 'hostile input under ASan+UBSan' skipped
    elif try_build asan hostile_tests; then
        run_ctest asan asan --label-regex '^hostile$'
    else
        note_stage 'build of the preset asan' failed
    fi
}

long_tests() {
    export LOADER_TEST_LONG=1
    local preset
    for preset in dev asan tsan; do
        if try_build "$preset"; then
            run_ctest "$preset" "$preset" "$@"
        else
            note_stage "build of the preset $preset" failed
        fi
    done
    if (fuzz_all 600); then note_stage 'fuzzing, 10 minutes each target' passed; else note_stage 'fuzzing' failed; fi
    say 'dev: newer Mesa: nothing to run; this version has no Vulkan back end yet.'
}

dev_test() {
    local long=no options=()
    while [[ $# -gt 0 ]]; do
        case $1 in
            --long) long=yes; shift ;;
            --only)
                [[ $# -ge 2 ]] || die '--only needs a regular expression'
                options+=(--tests-regex "$2")
                shift 2
                ;;
            *) need_no_more_arguments "$@" ;;
        esac
    done
    results=$PWD/build/test-results
    need_packages build
    want_packages test
    [[ $long == yes ]] && need_packages fuzz
    rm -rf "$results"
    mkdir -p "$results"
    if [[ $long == yes ]]; then long_tests "${options[@]}"; else short_tests "${options[@]}"; fi
    finish_tests
}
