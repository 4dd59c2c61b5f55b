#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time of a network against its share of zeros, as an SVG.

    plot_sparsity.py --nmie build/nmie --core 1 --out docs/sparsity.svg

Each point is `nmie bench --sparsity S` in a process of its own, on one core. A first pass plans;
then rounds go over all points in turn, so that a drift of the machine hits all alike, and ratios to
the dense network are formed round by round. More zeros must never be slower: a point that is more
than --tolerance slower than one with fewer zeros is reported, and the exit status is 1.
Standard library only.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

POINTS = "0,10,20,30,40,50,60,70,80,90,95,97,99"
WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 56, 56  # margins of the axes
STYLE = """
  text { font: 13px sans-serif; fill: #222 } .title { font-size: 15px; font-weight: bold }
  .small { font-size: 11px; fill: #555 } .grid { stroke: #ddd } .axis { stroke: #444 }
  .line { fill: none; stroke: #0b63b0; stroke-width: 2 } .dot { fill: #0b63b0 }
  .ideal { fill: none; stroke: #888; stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .small { fill: #aaa } .grid { stroke: #3a3a3a } .axis { stroke: #bbb }
    .line { stroke: #58a6ff } .dot { fill: #58a6ff } .ideal { stroke: #999 }
  }"""


def run(args, sparsity, seconds):
    command = [args.nmie, "bench", args.model, "--sparsity", str(sparsity / 100), "-t", "1",
               "-b", str(args.batch), "--seconds", str(seconds), "--cache", args.cache, "--json"]
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)["ms"]["median"] / args.batch


def measure(args):
    os.sched_setaffinity(0, [args.core])
    points = [float(p) for p in args.points.split(",")]
    if points[0] != 0:
        sys.exit("the first point must be 0: the dense network")
    for p in points:
        run(args, p, 0.01)  # plans
    rounds = [[run(args, p, args.seconds) for p in points] for _ in range(args.rounds)]
    ms = [statistics.median(r[i] for r in rounds) for i in range(len(points))]
    ratio = [statistics.median(r[0] / r[i] for r in rounds) for i in range(len(points))]
    return {"model": args.model, "batch": args.batch, "points": points, "rounds": rounds,
            "ms": ms, "ratio": ratio}


def slower(result, tolerance):
    """Pairs (fewer zeros, more zeros) of which the second is slower; neighbours and dense."""
    points, ratio = result["points"], result["ratio"]
    pairs = [(i - 1, i) for i in range(1, len(points))] + [(0, i) for i in range(2, len(points))]
    return [(points[a], points[b]) for a, b in pairs if ratio[b] < ratio[a] / (1 + tolerance)]


def nice_step(top):
    return next(s for s in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if top / s <= 8)


def draw(result):
    points, ms, ratio = result["points"], result["ms"], result["ratio"]
    step = nice_step(max(ms))
    top = step * (int(max(ms) / step) + 1)

    def x(sparsity):
        return LEFT + sparsity / 100 * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    def path(values):
        return " ".join(f"{x(p):.1f},{y(v):.1f}" for p, v in values)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
           f"<style>{STYLE}</style>",
           f'<text class="title" x="{LEFT}" y="22">{result["model"].replace("builtin:", "")}, '
           f'batch {result["batch"]}, one core: time against zeros</text>',
           f'<text class="small" x="{LEFT}" y="40">numbers: times as fast as dense; dashed: '
           "the dense time x the share of nonzeros</text>"]
    for i in range(round(top / step) + 1):
        at = y(i * step)
        out += [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>',
                f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{i * step:g}</text>']
    for p in range(0, 101, 10):
        out.append(f'<text x="{x(p):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{p}</text>')
    out += [f'<path class="axis" fill="none" d="M{LEFT},{TOP} V{HEIGHT - BOTTOM} H{WIDTH - RIGHT}"/>',
            f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">'
            "zeros in the pruned layers, %</text>",
            f'<text transform="translate(18,{(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
            'text-anchor="middle">ms per image</text>',
            f'<polyline class="ideal" points="{path((p, ms[0] * (1 - p / 100)) for p in points)}"/>',
            f'<polyline class="line" points="{path(zip(points, ms))}"/>']
    for p, v, r in zip(points, ms, ratio):  # to the right: the line falls
        out += [f'<circle class="dot" cx="{x(p):.1f}" cy="{y(v):.1f}" r="3.5"/>',
                f'<text class="small" x="{x(p) + 5:.1f}" y="{y(v) - 6:.1f}">'
                f'{r:.{1 if r < 9.95 else 0}f}</text>']
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--nmie", default="build/nmie")
    p.add_argument("--model", default="builtin:resnet50", help="a dense network; nmie prunes it")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--points", default=POINTS, help=f"percent of zeros, 0 first ({POINTS})")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1.0, help="of each point in each round")
    p.add_argument("--core", type=int, default=1)
    p.add_argument("--cache", default="none", help="nmie's plan cache; 'none' plans each time anew")
    p.add_argument("--tolerance", type=float, default=0.03)
    p.add_argument("--json", help="keep the measurements here")
    p.add_argument("--again", help="draw the measurements of this --json file, measure nothing")
    p.add_argument("--out", help="the SVG")
    args = p.parse_args()
    if args.again:
        with open(args.again) as f:
            result = json.load(f)
    else:
        result = measure(args)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(result, f, indent=1)
    for sparsity, ms, ratio in zip(result["points"], result["ms"], result["ratio"]):
        print(f"{sparsity:5.0f} %  {ms:8.2f} ms  {ratio:6.2f} x dense")
    if args.out:
        with open(args.out, "w") as f:
            f.write(draw(result))
    wrong = slower(result, args.tolerance)
    for fewer, more in wrong:
        print(f"{more:g} % zeros are slower than {fewer:g} %", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
