#!/usr/bin/python3
"""Plots docs/rate-*.svg from the simulation's own output: scripts/plot-rate.py BUILD/tests/unit/scan/govern_trace"""
import csv
import math
import pathlib
import subprocess
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 260, 60, 30, 26
TITLES = {
    "policer": "Policer: 50,000 a second, burst 2,000; --max-rate 1M; RTT 20 ms; 10 % answer",
    "queue": "Bottleneck with a queue of 0.2 s: 50,000 a second; RTT 40 ms",
    "loss": "No limit; random loss 0, then 30 %, then 10 %; --max-rate 50,000; RTT 100 ms",
    "changes": "Policer: 50,000, then 15,000, then 80,000 a second; 30 % answer",
    "sparse": "Policer: 50,000 a second; 1 in 10,000 answers; five canaries",
    "table": "Connection-tracking table: 20,000 entries, ten seconds each",
}


def path(points, colour, width, extra=""):
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{width}" {extra}/>'


def plot(name, rows):
    end = rows[-1][0]
    low = 10 ** math.floor(math.log10(max(min(r[1] for r in rows), 10)))
    high = max(max(r[1] for r in rows), *(r[2] for r in rows if r[2] < 1e6)) * 1.3

    def place(second, rate):
        share = math.log(max(rate, low) / low) / math.log(high / low)
        return LEFT + second / end * (WIDTH - LEFT - 10), HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           f'font-size="11"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="15" font-size="12">{TITLES[name]}</text>']
    rate = low
    while rate < high:
        _, y = place(0, rate)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{rate:,}</text>')
        rate *= 10
    for second in range(0, int(end) + 1, 10):
        x, _ = place(second, low)
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{second} s</text>')
    out.append(path([place(r[0], r[2]) for r in rows if r[2] < 1e6], "#c33", 1.5, 'stroke-dasharray="5 3"'))
    out.append(path([place(r[0], r[3]) for r in rows], "#9bd", 1))
    out.append(path([place(r[0], r[1]) for r in rows], "#136", 1.5))
    out.append("</svg>\n")
    return "\n".join(out)


def main():
    trace = sys.argv[1]
    docs = pathlib.Path(__file__).resolve().parent.parent / "docs"
    names = subprocess.run([trace], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        text = subprocess.run([trace, name], capture_output=True, text=True, check=True).stdout
        rows = [tuple(map(float, row)) for row in csv.reader(text.splitlines())]
        (docs / f"rate-{name}.svg").write_text(plot(name, rows))


if __name__ == "__main__":
    main()
