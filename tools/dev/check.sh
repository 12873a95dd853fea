# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# Formatting and lint. Sourced by ../../dev. Every check runs, then the command fails if one of them did.

# Our own C++ files; tables that were generated are formatted by their generators.
cpp_files() {
    git ls-files --cached --others --exclude-standard -- '*.cpp' '*.h' '*.inl' | while read -r file; do
        [[ -e $file ]] && echo "$file"
    done
}

dev_format() {
    need_packages check
    local options=(-i)
    if [[ ${1:-} == --check ]]; then
        options=(--dry-run --Werror)
        shift
    fi
    need_no_more_arguments "$@"
    cpp_files | xargs -P "$DEV_JOBS" -n 32 clang-format --style=file "${options[@]}"
}

lint_step() {
    local name=$1
    shift
    say "dev: lint: $name"
    if "$@"; then return 0; fi
    failed_checks+=("$name")
}

dev_lint() {
    local tidy=()
    if [[ ${1:-} == --changed ]]; then
        tidy=(--changed)
        shift
    fi
    need_no_more_arguments "$@"
    need_packages build check
    build_preset dev
    failed_checks=()
    lint_step 'formatting' dev_format --check
    lint_step 'licence heads and file budgets' python3 tests/unit/repo/tst_files.py
    lint_step 'layers' python3 tests/unit/repo/tst_layers.py
    lint_step 'error codes' python3 tests/unit/repo/tst_error_codes.py --strict
    lint_step 'headers compile alone' python3 tests/unit/repo/tst_headers_alone.py --build build
    lint_step 'clang-tidy' python3 tools/dev/tidy.py --build build --jobs "$DEV_JOBS" "${tidy[@]}"
    if [[ ${#failed_checks[@]} -gt 0 ]]; then
        say "dev: lint failed: $(printf '%s; ' "${failed_checks[@]}")"
        return 1
    fi
    say 'dev: lint is clean.'
}
