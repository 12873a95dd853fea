# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Fuzzing with libFuzzer under ASan+UBSan. Sourced by ../../dev.
# Seeds are in tests/fuzz/corpus/TARGET; what a run discovers goes to build-fuzz/corpus/TARGET, findings to
# build-fuzz/findings/TARGET. Add a finding's input to the seeds when you fix it: the tests replay them.

fuzz_targets() {
    local source
    for source in tests/fuzz/fuzz_*.cpp; do
        [[ -e $source ]] && basename "$source" .cpp
    done
    return 0
}

# fuzz_one TARGET SECONDS: one line of results on stdout; fails on a finding.
fuzz_one() {
    local target=$1 seconds=$2 status=0
    local seeds=tests/fuzz/corpus/$target found=build-fuzz/findings/$target log=build-fuzz/$target.log
    mkdir -p "build-fuzz/corpus/$target" "$found"
    local arguments=("build-fuzz/corpus/$target")
    [[ -d $seeds ]] && arguments+=("$seeds")
    [[ -e tests/fuzz/$target.dict ]] && arguments+=("-dict=tests/fuzz/$target.dict")
    # -timeout: one input that takes this long is a finding of its own.
    ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        "build-fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" "${arguments[@]}" >"$log" 2>&1 || status=$?
    local executions
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [[ $status -eq 0 ]]; then
        echo "$target: ${executions:-no} executions in $seconds s, no finding"
    else
        echo "$target: FINDING (exit $status) after ${executions:-an unknown number of} executions; input in $found, log in $log"
        grep -m 1 -E 'ERROR: |runtime error: |SUMMARY: ' "$log" || tail -n 5 "$log"
    fi
    [[ $status -eq 0 && -n $executions ]]
}

# fuzz_list SECONDS TARGET…: builds and runs, as many at a time as there are processors.
fuzz_list() {
    local seconds=$1 target status=0 pid
    shift
    build_preset fuzz "$@"
    local running=()
    for target in "$@"; do
        if ((${#running[@]} >= DEV_JOBS)); then
            wait "${running[0]}" || status=1
            running=("${running[@]:1}")
        fi
        fuzz_one "$target" "$seconds" &
        running+=($!)
    done
    for pid in "${running[@]}"; do wait "$pid" || status=1; done
    return "$status"
}

# fuzz_all SECONDS
fuzz_all() {
    local targets
    mapfile -t targets < <(fuzz_targets)
    [[ ${#targets[@]} -gt 0 ]] || die 'there is no fuzz target in tests/fuzz.'
    fuzz_list "$1" "${targets[@]}"
}

dev_fuzz() {
    local target='' seconds=60
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        seconds=$1
        shift
    elif [[ $# -gt 0 ]]; then
        target=$1
        shift
        [[ ${1:-} =~ ^[0-9]+$ ]] && { seconds=$1; shift; }
    fi
    need_no_more_arguments "$@"
    need_packages build fuzz
    if [[ -n $target ]]; then
        [[ -e tests/fuzz/$target.cpp ]] || die "no fuzz target named $target; there are: $(fuzz_targets | tr '\n' ' ')"
        fuzz_list "$seconds" "$target"
    else
        fuzz_all "$seconds"
    fi
}
