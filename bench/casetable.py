"""The figures of a case as a table: text, or Markdown."""
import itertools
import statistics

COLUMNS = ("scanner", "endpoints", "recall", "worst", "false", "twice", "packets", "/ due", "zmap, same", "seconds",
           "missed, said", "bar", "notes")
WIDTHS = (-28, 10, 8, 8, 6, 6, 10, 6, 10, 8, 14, 7, -1)  # below 0: from the left


def median(runs, name):
    values = [run[name] for run in runs if run.get(name) is not None]
    return statistics.median(values) if values else None


def number(value, form=",.0f"):
    return "" if value is None else format(value, form)


def notes(runs, ideal):
    """What else there is to say of a row. ideal: the seconds of the case's first row."""
    said = []
    if not all(run["ended"] for run in runs):
        said.append(f"stopped after {max(run['seconds'] for run in runs):.0f} s: "
                    f"{sum(not run['ended'] for run in runs)} of {len(runs)}")
    if runs[0].get("path_pps"):
        if median(runs, "steady_pps"):
            said.append(f"after 3 s {100 * median(runs, 'steady_pps') / runs[0]['path_pps']:.1f} % of what the path "
                        "carries")
        said.append(f"{100 * statistics.median(run['policed'] / run['packets'] for run in runs):.1f} % policed")
        if "said" in runs[0]:
            said.append(f"{median(runs, 'seconds') / ideal:.2f} x the ideal rate's time")
    if runs[0].get("refused") is not None:
        said.append(f"{100 * statistics.median(run['refused'] / run['packets'] for run in runs):.1f} % refused")
    if runs[0].get("answers_limited") is not None:
        said.append(f"answers not given {median(runs, 'answers_limited'):,.0f}")
    if runs[0].get("last_others") is not None:
        said.append(f"last finding of the first host at {number(median(runs, 'last_first'), '.1f')} s, "
                    f"of the others at {median(runs, 'last_others'):.1f} s")
    if any(run.get("undecided") for run in runs):
        said.append(f"said to be undecided: {median(runs, 'undecided'):,.0f}")
    if runs[0].get("rate"):
        said.append(f"rate at the end {median([run['rate'] for run in runs], 'end'):,.0f} ({runs[-1]['rate']['cause']})")
    lost = sum(run.get("drops", 0) + run.get("dropped", 0) for run in runs)
    if lost:
        said.append(f"lost on this machine {lost:,}")
    return "; ".join(said)


def cells(label, runs, ideal):
    worst = min(runs, key=lambda run: run["recall"])
    due, same = median(runs, "due"), median(runs, "zmap_same")
    missed = verdict = ""
    if "ok" in worst:
        interval = "{}..{}".format(*worst["said"]) if worst.get("said") else "?"
        missed, verdict = f"{worst['missed']}, {interval}", "ok" if all(run["ok"] for run in runs) else "MISSED"
    return (label, number(runs[0]["endpoints"]), f"{median(runs, 'recall'):.5f}", f"{worst['recall']:.5f}",
            number(sum(run["false"] for run in runs)), number(sum(run["duplicate"] for run in runs)),
            number(median(runs, "packets")), number(due and median(runs, "packets") / due, ".3f"), number(same),
            number(median(runs, "seconds"), ".1f"), missed, verdict, notes(runs, ideal))


def show(name, case, runs, markdown):
    """Prints the table of a case: a line for each of its rows that has runs, and no column that is empty in all."""
    rows = [row.label for row in case.rows if runs.get(row.label)]
    ideal = median(runs[rows[0]], "seconds")
    lines = [cells(label, runs[label], ideal) for label in rows]
    filled = [any(line[i] for line in lines) for i in range(len(COLUMNS))]
    lines = [list(itertools.compress(line, filled)) for line in (COLUMNS, *lines)]
    if markdown:
        print(f"\n**{name}**: {case.about}.\n")
        for line in (lines[0], ["---"] * len(lines[0]), *lines[1:]):
            print("|", " | ".join(line), "|")
        return
    print(f"\n{name}: {case.about}; runs: {', '.join(sorted({str(len(runs[label])) for label in rows}))}")
    widths = list(itertools.compress(WIDTHS, filled))
    for line in lines:
        print("  ".join(cell.rjust(width) if width > 0 else cell.ljust(-width) for cell, width in zip(line, widths))
              .rstrip(), flush=True)
