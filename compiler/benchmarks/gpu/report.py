"""One table of what step_timing and peers.py measured.

  report.py RESULTS    reads RESULTS/timing.jsonl and RESULTS/peers.jsonl, prints Markdown

`of limit` is the median over that of the same GEMMs alone in the same process, whichever of the chunk sizes was faster:
1G for the reference forward, 2G and 3G for the policy, 1G more for the whole step, the copy for given logits.
"""

import json
import os
import sys

LIMITS = {
    "reference forward": (1,),
    "policy, frozen head": (2,),
    "policy, trained head": (3,),
    "step, frozen head": (1, 2),
    "step, trained head": (1, 3),
}
GIVEN, COPY = "logits given, forward and backward", "copy of the logits"
COLUMNS = ("mode", "provider", "median ms", "p10", "p90", "of limit", "host us", "extra MiB", "first call s", "loss",
           "logp max abs error", "hidden rel. error", "head rel. error", "same bits")


def read(path):
    if not os.path.exists(path):
        print(f"report.py: {path} is not there; its rows are missing", file=sys.stderr)
        return []
    with open(path, encoding="ascii") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def limit_of(mode, lines):
    """The limit of a mode among the lines of one shape and one process; None where it was not measured."""
    if mode == GIVEN:
        return next((line["median_ms"] for line in lines if line["mode"] == COPY), None)
    total = 0.0
    for count in LIMITS.get(mode, ()):
        times = [line["median_ms"] for line in lines if line["mode"].split(" ")[0] == f"{count}G"]
        if not times:
            return None
        total += min(times)
    return total or None


def cell(line, key, form):
    value = line.get(key)
    if value is None or (key == "extra_mib" and value < 0):
        return ""
    return ("yes" if value else "NO") if isinstance(value, bool) else format(value, form)


def rows(lines):
    order = list(LIMITS) + [GIVEN, COPY]
    for line in sorted(lines, key=lambda l: (order.index(l["mode"]) if l["mode"] in order else -1, l["median_ms"])):
        limit = limit_of(line["mode"], line["process"])
        yield [line["mode"], line["provider"], format(line["median_ms"], ".3f"), format(line["p10_ms"], ".3f"),
               format(line["p90_ms"], ".3f"), format(line["median_ms"] / limit, ".2f") if limit else "",
               cell(line, "host_us", ".0f"), cell(line, "extra_mib", ".0f"), cell(line, "first_call_s", ".1f"),
               cell(line, "loss", ".6f"), cell(line, "logp_error", ".1e"), cell(line, "hidden_error", ".1e"),
               cell(line, "head_error", ".1e"), cell(line, "repeats", "")]


def main():
    if len(sys.argv) != 2:
        print("usage: report.py RESULTS", file=sys.stderr)
        return 2
    shapes = {}
    for name in ("timing.jsonl", "peers.jsonl"):
        lines = read(os.path.join(sys.argv[1], name))
        for line in lines:
            line["process"] = [other for other in lines if other["shape"] == line["shape"]]
            shapes.setdefault(line["shape"], []).append(line)
    if not shapes:
        print("report.py: nothing was measured", file=sys.stderr)
        return 1
    print("Shapes are pairs x length x hidden x vocabulary, then the percentage of scored tokens if not all, then the data.")
    for shape, lines in shapes.items():
        print(f"\n## {shape}\n\n| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
        for row in rows(lines):
            print("| " + " | ".join(row) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
