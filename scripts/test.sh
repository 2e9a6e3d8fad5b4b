#!/bin/bash
# The whole test run. Builds with both compilers, warnings being errors, and under the sanitizers; runs the unit and
# fuzz tests and the lab with each; ends with one line "N passed, N failed". Needs no terminal, and root for the lab's
# network namespaces.
#
#   scripts/test.sh [all|quick|sanitize]
#
# shellcheck disable=SC2317 # functions that are called through trap and check
set -u
cd "$(dirname "$0")/.." || exit
exec </dev/null
export LC_ALL=C.UTF-8

mode=${1:-all}
jobs=$(nproc)
logs=$PWD/build-logs
passed=0
failed=0
skipped=0

rm -rf "$logs"
mkdir -p "$logs"

say() { printf '%s\n' "$*"; }

finish() {
    say
    say "$skipped skipped; ${SECONDS} s; logs are in $logs"
    say "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

interrupted() {
    say "interrupted"
    failed=$((failed + 1))
    finish
}
trap interrupted INT TERM

# check NAME COMMAND...: one case; its output is shown only when it fails.
check() {
    local name=$1 log=$logs/$1.log start=$SECONDS
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        say "$name: ok ($((SECONDS - start)) s)"
        return 0
    fi
    failed=$((failed + 1))
    say "--- FAILED: $name"
    tail -n 200 "$log"
    return 1
}

# add NAME KIND FILE SECONDS: counts the cases of a finished runner.
add() {
    local name=$1 kind=$2 file=$3 took=$4 report counts p f s
    report=$(/usr/bin/python3 scripts/tally.py "$kind" "$file" 2>&1)
    counts=${report##*$'\n'}
    read -r p f s <<<"$counts"
    if ! [[ "$counts" =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]] || [ $((p + f)) -eq 0 ]; then
        p=0 f=1 s=0
        say "$name: nothing ran"
    fi
    [ "$report" = "$counts" ] || say "${report%$'\n'*}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    say "$name: $p passed, $f failed, $s skipped ($took s)"
}

configure_and_build() {
    local dir=$1 compiler=$2
    shift 2
    if [ -e "$dir/build.ninja" ]; then
        meson configure "$dir" -Dtests=enabled "$@" || return
    else
        CC=$compiler meson setup "$dir" -Dtests=enabled "$@" || return
    fi
    ninja -C "$dir" -j "$jobs"
}

# unit DIR: the unit tests and the replay of the fuzz targets' corpora.
unit() {
    local dir=$1 start=$SECONDS
    rm -f "$dir/meson-logs/unit.json"
    "${prefix[@]}" meson test -C "$dir" --no-rebuild --num-processes "$jobs" --logbase unit >"$logs/unit-$dir.log" 2>&1
    add "unit tests, $dir" cmocka "$dir/meson-logs/unit.json" $((SECONDS - start))
}

# lab DIR [PYTEST OPTION...]: the scans of tests/lab with this build's noctule; its own programs stay plain.
lab() {
    local dir=$1 start=$SECONDS xml=$logs/lab-$1.xml
    shift
    NOCTULE=$PWD/$dir/noctule NOCTULE_BUILD=$PWD/build "${prefix[@]}" /usr/bin/python3 -m pytest tests/lab \
        -p no:cacheprovider --timeout=120 --junitxml="$xml" "$@" >"$logs/lab-$dir.log" 2>&1
    add "lab, $dir" junit "$xml" $((SECONDS - start))
}

# What the sanitizers found is kept in files, so that no test can overlook it.
sanitizer_reports() {
    local report
    for report in "$logs"/sanitizer.*; do
        [ -e "$report" ] || continue
        failed=$((failed + 1))
        say "--- FAILED: a sanitizer's report, $report"
        head -n 60 "$report"
    done
}

prefix=()

plain() {
    check style scripts/check-style.sh
    check build configure_and_build build gcc || finish
}

sanitized() {
    local options="log_path=$logs/sanitizer"
    export ASAN_OPTIONS="$options:detect_stack_use_after_return=1:strict_string_checks=1:exitcode=99"
    export UBSAN_OPTIONS="$options:print_stacktrace=1:halt_on_error=1:exitcode=99"
    export TSAN_OPTIONS="$options:second_deadlock_stack=1:exitcode=99"

    # Warnings are errors in the plain builds; instrumented code makes gcc warn of what is not there.
    local common=(-Db_lundef=false -Dwerror=false)

    if check build-asan configure_and_build build-asan gcc -Db_sanitize=address,undefined "${common[@]}"; then
        unit build-asan
        lab build-asan -m 'not plainonly'
    fi
    if check build-tsan configure_and_build build-tsan gcc -Db_sanitize=thread "${common[@]}"; then
        # gcc 12's thread sanitizer knows the address space of older kernels: with more random bits in mmap than it
        # expects it dies with "unexpected memory mapping". Without randomisation it runs everywhere.
        if setarch -R true 2>/dev/null; then
            prefix=(setarch -R)
        fi
        unit build-tsan
        lab build-tsan -m 'not plainonly'
        prefix=()
    fi
    sanitizer_reports
}

if [ "$(id -u)" -ne 0 ] && [ "$mode" != quick ]; then
    say "The lab makes network namespaces, and only root may: sudo make test"
    failed=1
    finish
fi

case $mode in
quick)
    plain
    unit build
    ;;
sanitize)
    check build configure_and_build build gcc || finish
    sanitized
    ;;
all)
    plain
    check build-clang configure_and_build build-clang clang
    unit build
    lab build
    sanitized
    ;;
*)
    say "test.sh: no such mode: '$mode' (all, quick, sanitize)"
    failed=1
    ;;
esac
finish
