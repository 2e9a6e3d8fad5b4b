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
    # shellcheck disable=SC2046 # one word a process
    kill $(jobs -p) 2>/dev/null
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

# add NAME KIND FILE...: counts the cases of a finished runner.
add() {
    local name=$1 file=$3 report counts p f s
    report=$(/usr/bin/python3 scripts/tally.py "${@:2}" 2>&1)
    counts=${report##*$'\n'}
    read -r p f s <<<"$counts"
    if ! [[ "$counts" =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]] || [ $((p + f)) -eq 0 ]; then
        p=0 f=1 s=0
        say "$name: nothing ran"
    fi
    [ "$report" = "$counts" ] || say "${report%$'\n'*}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    say "$name: $p passed, $f failed, $s skipped ($(cat "$file.seconds" 2>/dev/null || echo ?) s)"
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

# Sanitizers keep what they find in files, so that no test can overlook it.
found=$logs/sanitizer
export ASAN_OPTIONS=log_path=$found:exitcode=99
export UBSAN_OPTIONS=log_path=$found:print_stacktrace=1:halt_on_error=1:exitcode=99
export TSAN_OPTIONS=log_path=$found:second_deadlock_stack=1:exitcode=99

# gcc 12's thread sanitizer knows the address space of older kernels: with more random bits in mmap than it expects it
# dies with "unexpected memory mapping". Without randomisation it runs everywhere.
unrandomised() {
    if setarch -R true 2>/dev/null; then
        setarch -R "$@"
    else
        "$@"
    fi
}

run_unit() {
    local dir=$1 start=$SECONDS
    rm -f "$dir/meson-logs/unit.json"
    # Sanitizers and busy machines are slow: a timeout is only there to end what hangs.
    unrandomised meson test -C "$dir" --no-rebuild --num-processes "$jobs" --timeout-multiplier 5 --logbase unit \
        >"$logs/unit-$dir.log" 2>&1
    echo $((SECONDS - start)) >"$dir/meson-logs/unit.json.seconds"
}

# units DIR...: the unit tests of these builds and the replay of the fuzz targets' corpora, side by side.
units() {
    local dir
    for dir in "$@"; do run_unit "$dir" & done
    wait
    for dir in "$@"; do add "unit tests, $dir" cmocka "$dir/meson-logs/unit.json"; done
}

# run_lab DIR NAME ARGUMENT...: the lab's scans with this build's noctule; the lab's own programs stay plain.
run_lab() {
    local dir=$1 name=$2 start=$SECONDS
    NOCTULE=$PWD/$dir/noctule NOCTULE_BUILD=$PWD/build unrandomised /usr/bin/python3 -m pytest -p no:cacheprovider \
        --timeout=120 --junitxml="$logs/$name.xml" "${@:3}" >"$logs/$name.log" 2>&1
    echo $((SECONDS - start)) >"$logs/$name.xml.seconds"
}

# Several builds share the machine in labs(), and many cases are about time. One that fails in that crowd is judged by
# a run with nothing beside it, and named; many of them are no accident.
ALONE_MAX=12
run_alone() {
    local dir=$1 name=$2 cases
    mapfile -t cases < <(/usr/bin/python3 scripts/tally.py failed "$logs/$name.xml" 2>/dev/null)
    [ ${#cases[@]} -gt 0 ] && [ ${#cases[@]} -le $ALONE_MAX ] || return
    run_lab "$dir" "$name-alone" "${cases[@]}"
}

# labs MARKER DIR...: these tests of the lab with these builds, side by side. Tests marked plainonly assert times and
# rates: sanitized builds could not keep them, and neighbours would disturb them.
labs() {
    local marker=$1 dir name files
    shift
    for dir in "$@"; do run_lab "$dir" "lab-$dir-${marker// /-}" tests/lab -m "$marker" & done
    wait
    for dir in "$@"; do
        name=lab-$dir-${marker// /-}
        files=("$logs/$name.xml")
        run_alone "$dir" "$name"
        [ -e "$logs/$name-alone.xml" ] && files+=("$logs/$name-alone.xml")
        add "lab ($marker), $dir" junit "${files[@]}"
    done
}

sanitizer_reports() {
    local report
    for report in "$found".*; do
        [ -e "$report" ] || continue
        failed=$((failed + 1))
        say "--- FAILED: a sanitizer's report, $report"
        head -n 60 "$report"
    done
}

build_plain() {
    check style scripts/check-style.sh
    check build configure_and_build build gcc || finish
}

# Warnings are errors in the plain builds; instrumented code makes gcc warn of what is not there.
build_sanitized() {
    local common=(-Db_lundef=false -Dwerror=false)
    sanitized=()
    check build-asan configure_and_build build-asan gcc -Db_sanitize=address,undefined "${common[@]}" &&
        sanitized+=(build-asan)
    check build-tsan configure_and_build build-tsan gcc -Db_sanitize=thread "${common[@]}" &&
        sanitized+=(build-tsan)
}

if [ "$(id -u)" -ne 0 ] && [ "$mode" != quick ]; then
    say "The lab makes network namespaces, and only root may: sudo make test"
    failed=1
    finish
fi

case $mode in
quick)
    build_plain
    units build
    ;;
sanitize)
    build_plain
    build_sanitized
    units "${sanitized[@]}"
    labs 'not plainonly' "${sanitized[@]}"
    sanitizer_reports
    ;;
all)
    build_plain
    check build-clang configure_and_build build-clang clang
    build_sanitized
    units build "${sanitized[@]}"
    labs plainonly build
    labs 'not plainonly' build "${sanitized[@]}"
    sanitizer_reports
    ;;
*)
    say "test.sh: no such mode: '$mode' (all, quick, sanitize)"
    failed=1
    ;;
esac
finish
