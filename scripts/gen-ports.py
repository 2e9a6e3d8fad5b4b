#!/usr/bin/env python3
"""Turns data/tcp-ports.tsv into the C table of src/plan/port_table.h: gen-ports.py TSV OUT."""
import re
import sys


def read(path):
    """The rows as (port, rank, name), checked: what is wrong here must stop the build, not a scan."""
    rows = []
    with open(path, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 5:
                sys.exit(f"{path}:{number}: expected rank, port, name, class and basis")
            rank, port, name = int(fields[0]), int(fields[1]), fields[2]
            if rank != len(rows) + 1:
                sys.exit(f"{path}:{number}: rank {rank} where {len(rows) + 1} is due")
            if not 1 <= port <= 65535:
                sys.exit(f"{path}:{number}: port {port}")
            if not re.fullmatch(r"[a-z][a-z0-9+_.-]{0,30}", name):
                sys.exit(f"{path}:{number}: service name {name!r}")
            if fields[3] not in "12345" or not fields[4].strip():
                sys.exit(f"{path}:{number}: no class or basis")
            rows.append((port, rank, name))
    twice = len(rows) - len({row[0] for row in rows})
    if twice:
        seen = set()
        for port, rank, _ in rows:
            if port in seen:
                sys.exit(f"{path}: port {port} again at rank {rank}")
            seen.add(port)
    return sorted(rows)


def main():
    rows = read(sys.argv[1])
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write('#include "plan/port_table.h"\n\nconst struct port_entry port_table[] = {\n')
        for port, rank, name in rows:
            out.write(f'    {{{port}, {rank}, "{name}"}},\n')
        out.write("};\nconst size_t port_table_n = sizeof port_table / sizeof *port_table;\n")


if __name__ == "__main__":
    main()
