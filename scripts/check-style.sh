#!/bin/bash
# The rules of CONTRIBUTING.md that a machine can check. Prints every breach as file:line: why, and fails if there is
# one.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

max_lines=700
breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT

# breach WHY PATTERN FILE...: every line of the files that matches the pattern (perl's syntax) is a breach.
breach() {
    local why=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    { grep -nHP -e "$pattern" -- "$@" || true; } | sed -E "s|^([^:]+:[0-9]+):|\1: $why: |" >>"$breaches"
}

mapfile -t c_files < <(find src tests bench -name '*.[ch]' 2>/dev/null | sort)
mapfile -t all_files < <(find src tests bench scripts .ci \
    \( -name '*.[ch]' -o -name '*.py' -o -name '*.sh' -o -name run -o -name meson.build \) -type f 2>/dev/null | sort)

breach 'banned call, see CONTRIBUTING.md' \
    '(?<![\w.>"])(atoi|atol|atoll|atof|sprintf|vsprintf|strcpy|strcat|gets|alloca|strtok)\s*\(' "${c_files[@]}"
# Assembled from two halves, so that this file does not find itself.
breach 'unfinished work belongs in an issue, not in the tree' '\b(TO''DO|FIX''ME|XX''X)\b' "${all_files[@]}"
breach 'no packed structs: load and store fields through base/bytes.h' \
    '__attribute__\s*\(\(\s*packed|#\s*pragma\s+pack' "${c_files[@]}"
breach 'tab, four spaces are wanted' '\t' "${c_files[@]}"
breach 'trailing blank' '[ \t]+$' "${all_files[@]}"

for file in "${all_files[@]}"; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$max_lines" ]; then
        echo "$file: $lines lines, at most $max_lines are wanted: split it" >>"$breaches"
    fi
done

if [ -s "$breaches" ]; then
    cat "$breaches"
    exit 1
fi
echo "${#all_files[@]} files, no breach of style"
