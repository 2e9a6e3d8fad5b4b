#!/usr/bin/env python3
"""Turns data/udp-payloads.txt, which explains its own language, into what others read:

    gen-payloads.py TXT OUT.c      the C table of src/probe/payload_table.h
    gen-payloads.py --doc TXT      the table of docs/payloads.md, on stdout

What is wrong in the file stops the build, not a scan."""
import re
import sys

PAYLOAD_MAX = 1452
PER_PORT_MAX = 15
KEYS = ("service", "ports", "source", "sent", "dissects", "answered", "flags")
NEEDED = ("service", "ports", "source", "sent", "dissects")
FLAGS = ("amplifier", "wanders")
ESCAPES = {"r": 13, "n": 10, "t": 9, "0": 0, "\\": 92, '"': 34}
TOKEN = re.compile(r"""
    (?P<space>\s+ | \#.*) |
    (?P<hex>(?:[0-9a-fA-F]{2})+) (?:\*(?P<times>\d+))? (?![\w+*(]) |
    "(?P<text>(?:[^"\\]|\\.)*)" |
    \{(?P<field>[\w-]+)\} |
    (?P<word>dns|pad)\((?P<argument>[\w.-]*)\) |
    (?P<open>len(?:8|16|32)(?:le)?(?:\+\d+)?|ber[0-9a-f]{2})\( |
    (?P<close>\))
""", re.VERBOSE)


class Wrong(Exception):
    """What is wrong with a payload, in words."""


class Template:
    """Bytes, and where in them the keyed fields (offset, length, kind) and the fields for the whole length are."""

    def __init__(self):
        self.bytes = bytearray()
        self.fields = []
        self.totals = []  # (offset, bytes, byte order, what is added)

    def append(self, other):
        at = len(self.bytes)
        self.bytes += other.bytes
        self.fields += [(at + offset, length, kind) for offset, length, kind in other.fields]
        self.totals += [(at + offset, *rest) for offset, *rest in other.totals]

    def field(self, name):
        if match := re.fullmatch(r"key(\d+)", name):
            bits = int(match[1])
            if bits % 8 or not 8 <= bits <= 1024:
                raise Wrong(f"{{{name}}}: whole bytes, at most 128")
            self.fields.append((len(self.bytes), bits // 8, "BYTES"))
        elif match := re.fullmatch(r"hex(\d+)", name):
            self.fields.append((len(self.bytes), int(match[1]), "HEX"))
        elif name == "int31":
            self.fields.append((len(self.bytes), 4, "INT31"))
        elif match := re.fullmatch(r"dec(\d+)", name):
            self.fields.append((len(self.bytes), int(match[1]), "DEC"))
        elif match := re.fullmatch(r"total(8|16|24|32)(le)?(-\d+)?", name):
            length = int(match[1]) // 8
            self.totals.append((len(self.bytes), length, "little" if match[2] else "big", int(match[3] or 0)))
            self.bytes += bytes(length)
            return
        else:
            raise Wrong(f"no such field: {{{name}}}")
        if not 1 <= self.fields[-1][1] <= 255:
            raise Wrong(f"{{{name}}}: of such a length")
        self.bytes += bytes(self.fields[-1][1])

    def finish(self):
        if len(self.bytes) > PAYLOAD_MAX:
            raise Wrong(f"{len(self.bytes)} bytes, at most {PAYLOAD_MAX}")
        for offset, length, order, more in self.totals:
            self.bytes[offset:offset + length] = (len(self.bytes) + more).to_bytes(length, order)


def unescape(text):
    out = bytearray()
    for part in re.findall(r"\\x[0-9a-fA-F]{2}|\\.|[^\\]", text):
        if part.startswith("\\x"):
            out.append(int(part[2:], 16))
        elif part.startswith("\\"):
            if part[1] not in ESCAPES:
                raise Wrong(f"no such escape: {part}")
            out.append(ESCAPES[part[1]])
        else:
            out += part.encode("ascii")
    return out


def dns_name(name):
    """A domain name as RFC 1035 3.1 writes it."""
    out = bytearray()
    for label in name.split(".") if name else []:
        if not 1 <= len(label) <= 63:
            raise Wrong(f"a label of {name} is empty or too long")
        out.append(len(label))
        out += label.encode("ascii")
    return out + b"\0"


def with_length(kind, inside):
    """What stands in parentheses, behind its length."""
    out = Template()
    n = len(inside.bytes)
    if kind.startswith("ber"):  # X.690 8.1.3
        size = (n.bit_length() + 7) // 8
        head = bytes([int(kind[3:], 16)]) + (bytes([n]) if n < 128 else bytes([0x80 | size]) + n.to_bytes(size, "big"))
    else:
        match = re.fullmatch(r"len(\d+)(le)?(?:\+(\d+))?", kind)
        head = (n + int(match[3] or 0)).to_bytes(int(match[1]) // 8, "little" if match[2] else "big")
    out.bytes += head
    out.append(inside)
    return out


def compile_template(text):
    """A payload's lines as a Template."""
    stack = [("", Template())]
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Wrong(f"cannot read {text[at:at + 20]!r}")
        at = match.end()
        here = stack[-1][1]
        if match["hex"]:
            here.bytes += bytes.fromhex(match["hex"]) * int(match["times"] or 1)
        elif match["text"] is not None:
            here.bytes += unescape(match["text"])
        elif match["field"]:
            here.field(match["field"])
        elif match["word"] == "dns":
            here.bytes += dns_name(match["argument"])
        elif match["word"] == "pad":
            if len(stack) > 1 or int(match["argument"]) < len(here.bytes):
                raise Wrong("pad() stands within parentheses, or fills nothing")
            here.bytes += bytes(int(match["argument"]) - len(here.bytes))
        elif match["open"]:
            stack.append((match["open"], Template()))
        elif match["close"]:
            if len(stack) == 1:
                raise Wrong("a ) too many")
            kind, inside = stack.pop()
            stack[-1][1].append(with_length(kind, inside))
    if len(stack) > 1:
        raise Wrong("a ) is missing")
    stack[0][1].finish()
    return stack[0][1]


def finish_block(block):
    """Checks a payload's lines and adds what follows from them."""
    for key in NEEDED:
        if not block.get(key):
            raise Wrong(f"no line '{key}'")
    block["ports"] = [int(port) for port in block["ports"].split()]
    block["flags"] = block.get("flags", "").split()
    if not all(1 <= port <= 65535 for port in block["ports"]) or len(set(block["ports"])) != len(block["ports"]):
        raise Wrong("a port twice, or not 1 to 65535")
    if not set(block["flags"]) <= set(FLAGS):
        raise Wrong(f"the flags are {' and '.join(FLAGS)}")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", block["service"]):
        raise Wrong("a service's name has small letters, digits and hyphens")
    block["template"] = compile_template(block["payload"])


def read(path):
    """The payloads of the file in its order, each a dict of its lines; 'template' is the compiled one."""
    blocks = []
    with open(path, encoding="ascii") as f:
        lines = f.read().splitlines()
    block = None
    for number, line in enumerate(lines + [""], 1):
        try:
            if line.startswith("#"):
                continue
            if not line.strip():
                if block:
                    finish_block(block)
                    blocks.append(block)
                block = None
            elif line[0] == " ":
                if not block:
                    raise Wrong("a payload without a service")
                block["payload"] += line + "\n"
            else:
                key, _, value = line.partition(" ")
                block = block or {"payload": "", "line": number}
                if key not in KEYS or key in block:
                    raise Wrong(f"'{key}' is unknown or stands twice")
                block[key] = value.strip()
        except (Wrong, ValueError, OverflowError) as wrong:
            sys.exit(f"{path}:{number}: {wrong}")
    check_ports(path, blocks)
    return blocks


def by_port(blocks):
    """{port: its payloads, those that are no amplifiers first}."""
    ports = {}
    for block in sorted(blocks, key=lambda block: "amplifier" in block["flags"]):
        for port in block["ports"]:
            ports.setdefault(port, []).append(block)
    return dict(sorted(ports.items()))


def check_ports(path, blocks):
    for port, there in by_port(blocks).items():
        if len(there) > PER_PORT_MAX:
            sys.exit(f"{path}: {len(there)} payloads for port {port}, at most {PER_PORT_MAX}")
    wanderers = {port for block in blocks if "wanders" in block["flags"] for port in block["ports"]}
    if len(wanderers) != 1:
        sys.exit(f"{path}: exactly one port wanders, not {sorted(wanderers)}")


def write_c(blocks, out):
    out.write('#include "probe/payload_table.h"\n')
    for number, block in enumerate(blocks):
        block["number"] = number
        template = block["template"]
        if template.bytes:
            out.write(f"\nstatic const uint8_t bytes_{number}[] = {{ /* {block['service']} */")
            for at, byte in enumerate(template.bytes):
                out.write(("\n    " if at % 16 == 0 else " ") + f"0x{byte:02x},")
            out.write("\n};\n")
        if template.fields:
            rows = "".join(f"    {{{at}, {length}, PAYLOAD_{kind}}},\n" for at, length, kind in template.fields)
            out.write(f"static const struct payload_field fields_{number}[] = {{\n{rows}}};\n")
    rows, ports, first = "", "", 0
    for port, there in by_port(blocks).items():
        plain = sum("amplifier" not in block["flags"] for block in there)
        ports += f"    {{{port}, {first}, {plain}, {len(there)}}},\n"
        first += len(there)
        for block in there:
            template, number = block["template"], block["number"]
            rows += "    {{{}, {}, {}, {}}}, /* {} {} */\n".format(
                f"bytes_{number}" if template.bytes else "(const uint8_t *)\"\"",
                f"fields_{number}" if template.fields else "NULL",
                len(template.bytes), len(template.fields), port, block["service"])
    wanderer = next(block["ports"][0] for block in blocks if "wanders" in block["flags"])
    out.write(f"\nconst struct payload payload_table[] = {{\n{rows}}};\n"
              f"\nconst struct payload_port payload_ports[] = {{\n{ports}}};\n"
              "const size_t payload_ports_n = sizeof payload_ports / sizeof *payload_ports;\n"
              f"const uint16_t payload_wanderer = {wanderer};\n")


def doc(blocks):
    """The table of docs/payloads.md, as lines."""
    rows = ["| service | ports | bytes | what is sent | source | answered in our tests by | amplifier |",
            "| --- | --- | --- | --- | --- | --- | --- |"]
    for block in sorted(blocks, key=lambda block: block["ports"][0]):
        cells = [block["service"], ", ".join(map(str, block["ports"])), str(len(block["template"].bytes)),
                 block["sent"], block["source"], block.get("answered", ""),
                 "yes" if "amplifier" in block["flags"] else ""]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def main():
    if sys.argv[1] == "--doc":
        print("\n".join(doc(read(sys.argv[2]))))
        return
    blocks = read(sys.argv[1])
    with open(sys.argv[2], "w", encoding="ascii") as out:
        write_c(blocks, out)


if __name__ == "__main__":
    main()
