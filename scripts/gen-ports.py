#!/usr/bin/env python3
"""Turns the lists of data/ into the C tables of src/plan/port_table.h: gen-ports.py OUT TCP UDP SCTP PROTOCOLS."""
import re
import sys

NAME = r"[a-z][a-z0-9+_.-]{0,30}"


def lines(path):
    """The lines that hold something, as their number and fields."""
    with open(path, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            if not line.startswith("#") and line.strip():
                yield number, line.rstrip("\n").split("\t")


def check_unique(path, rows):
    seen = set()
    for port, rank, _ in rows:
        if port in seen:
            sys.exit(f"{path}: {port} again at rank {rank}")
        seen.add(port)


def read_ports(path):
    """The rows as (port, rank, name), checked: what is wrong here must stop the build, not a scan."""
    rows = []
    for number, fields in lines(path):
        if len(fields) != 5:
            sys.exit(f"{path}:{number}: expected rank, port, name, class and basis")
        rank, port, name = int(fields[0]), int(fields[1]), fields[2]
        if rank != len(rows) + 1:
            sys.exit(f"{path}:{number}: rank {rank} where {len(rows) + 1} is due")
        if not 1 <= port <= 65535:
            sys.exit(f"{path}:{number}: port {port}")
        if not re.fullmatch(NAME, name):
            sys.exit(f"{path}:{number}: service name {name!r}")
        if fields[3] not in "12345" or not fields[4].strip():
            sys.exit(f"{path}:{number}: no class or basis")
        rows.append((port, rank, name))
    check_unique(path, rows)
    return sorted(rows)


def read_protocols(path):
    """The rows as (number, rank, name); their rank is their place."""
    rows = []
    for number, fields in lines(path):
        if len(fields) != 2 or not 0 <= int(fields[0]) <= 255 or not re.fullmatch(NAME, fields[1]):
            sys.exit(f"{path}:{number}: expected a protocol number and a name")
        rows.append((int(fields[0]), len(rows) + 1, fields[1]))
    check_unique(path, rows)
    return sorted(rows)


def main():
    out, tcp, udp, sctp, protocols = sys.argv[1:]
    lists = {"TCP": read_ports(tcp), "UDP": read_ports(udp), "SCTP": read_ports(sctp), "IP": read_protocols(protocols)}
    with open(out, "w", encoding="ascii") as f:
        f.write('#include "plan/port_table.h"\n')
        for name, rows in lists.items():
            f.write(f"\nstatic const struct port_entry {name.lower()}[] = {{\n")
            for port, rank, service in rows:
                f.write(f'    {{{port}, {rank}, "{service}"}},\n')
            f.write("};\n")
        f.write("\nconst struct port_list port_lists[PORT_LISTS] = {\n")
        for name in lists:
            f.write(f"    [PORT_LIST_{name}] = {{{name.lower()}, sizeof {name.lower()} / sizeof *{name.lower()}}},\n")
        f.write("};\n")


if __name__ == "__main__":
    main()
