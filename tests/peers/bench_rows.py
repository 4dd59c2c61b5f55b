#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rows of docs/performance.md: networks, batches and threads, libnm beside other engines.

    bench_rows.py --nmie build/nmie --folder build/peers --rows 'rn50-*-b1,avx2-*'
    bench_rows.py --folder build/peers --table docs/performance.md

Makes the networks that are missing, plans for each row (so that no plan is searched while others
wait), times the row with bench_peers.bench, and keeps each row's result as FOLDER/ROW.json.
--table puts tables of all results there are between the markers of a Markdown file, and measures
nothing. Needs what bench_peers.py needs; engines that are not installed are left out.
"""
import argparse
import fnmatch
import json
import os
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True  # nothing is left beside the scripts
import bench_peers  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
NETS = {"rn50": "resnet50", "vgg": "vgg16", "mbv2": "mobilenet_v2"}
TITLES = {"rn50": "ResNet-50", "vgg": "VGG-16", "mbv2": "MobileNetV2"}
ENGINES = "onnxruntime,openvino-f32,deepsparse"
MARKERS = "<!-- peers -->", "<!-- /peers -->"


def row(name, net, zeros, batch, ours=None, cores=1):
    """ours: libnm against itself, {name: options of nmie bench}, the first is the baseline."""
    return {"name": name, "net": net, "zeros": zeros, "batch": batch, "ours": ours, "cores": cores}


def all_rows():
    rows = [row(f"{net}-{zeros:02}-b{batch}", net, zeros, batch)
            for net in ("rn50", "vgg") for batch in (1, 64) for zeros in (0, 80, 90, 95)]
    rows += [row(f"rn50-90-b{batch}", "rn50", 90, batch) for batch in (4, 16)]
    rows += [row("mbv2-90-b1", "mbv2", 90, 1)]
    rows += [row(f"avx2-b{batch}", "rn50", 90, batch,
                 {"dense_avx2": "--dense --isa avx2 -t 1", "sparse_avx2": "--isa avx2 -t 1"})
             for batch in (1, 64)]
    rows += [row(f"threads-b{batch}", "rn50", 90, batch,
                 {"one_thread": "-t 1", "two_threads": "-t 2"}, 2) for batch in (1, 64)]
    return rows


def path_of(args, r):
    return os.path.join(args.folder, f"{r['net']}-{r['zeros']:02}.onnx")


def make_net(args, r):
    path = path_of(args, r)
    if not os.path.exists(path):
        subprocess.run([sys.executable, os.path.join(HERE, "make_net.py"), NETS[r["net"]],
                        "--sparsity", str(r["zeros"] / 100), "-o", path + ".new"], check=True)
        os.rename(path + ".new", path)
    return path


def nmie(args, command, options):
    cache = shlex.quote(os.path.join(args.folder, "plans"))
    return f"{shlex.quote(args.nmie)} {command} {{model}} --cache {cache} {options}"


def commands(args, r):
    """Templates of bench_peers: what to time, and how its output is checked."""
    bench = "-b {batch} --seconds {seconds} --json"
    if r["ours"]:
        return [f"{name}=" + nmie(args, "bench", f"{bench} {options}")
                for name, options in r["ours"].items()], None
    check = nmie(args, "run", "-t 1 --input input={x} --output logits={y}")
    return ["libnm=" + nmie(args, "bench", f"{bench} -t 1")], check


def plan(args, r, cores):
    for options in (r["ours"] or {"libnm": "-t 1"}).values():
        command = nmie(args, "inspect", f"--stage memory -b {r['batch']} {options}")
        subprocess.run(shlex.split(command.format(model=path_of(args, r))), check=True,
                       stdout=subprocess.DEVNULL,
                       preexec_fn=lambda: os.sched_setaffinity(0, cores))


def cores_of(args, r):
    others = sorted(os.sched_getaffinity(0) - {args.core})
    if len(others) + 1 < r["cores"]:
        raise RuntimeError(f"{r['cores']} cores are needed")
    return [args.core] + others[:r["cores"] - 1]


def measure(args, r):
    model, cores = make_net(args, r), cores_of(args, r)
    plan(args, r, cores)
    cmd, check = commands(args, r)
    baseline = next(iter(r["ours"])) if r["ours"] else bench_peers.BASELINE
    wanted = argparse.Namespace(cores=cores, cmd=cmd, check=check, baseline=baseline,
                                rounds=args.rounds, round_seconds=args.round_seconds,
                                min_iterations=1, shape="3x224x224")
    engines = {} if r["ours"] else bench_peers.find_pythons(args.engines, [sys.executable])
    case = bench_peers.bench(os.path.abspath(model), r["batch"], engines, wanted)
    bench_peers.table(case)
    with open(os.path.join(args.folder, r["name"] + ".json"), "w") as f:
        json.dump({"machine": bench_peers.machine(), "rounds": args.rounds, **case}, f, indent=1)


# ---- tables --------------------------------------------------------------------------------------

LABELS = {"onnxruntime": "ONNX Runtime", "openvino-f32": "OpenVINO f32", "deepsparse": "DeepSparse",
          "libnm": "libnm"}


def ratio(engine):
    if engine is None or "ratio" not in engine:
        return "-"
    low, high = engine["ratio_range"]
    return f"{engine['ratio']:.2f}" if low == high else f"{engine['ratio']:.2f} ({low:.2f}-{high:.2f})"


def head(columns):
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def line(r, cells):
    zeros = f"{r['zeros']} %" if r["zeros"] else "none"
    return "| " + " | ".join([TITLES[r["net"]], zeros, str(r["batch"]), *cells]) + " |"


def against_others(results):
    """Two tables: speed relative to ONNX Runtime, and memory."""
    names = [n for n in LABELS if any(n in e for _, e in results)]
    first = ["network", "zeros", "batch"] + [LABELS[n] for n in names]
    speed = head(first + ["libnm, items/s", "error"])
    memory = head(first)
    for r, engines in results:
        ours = engines.get("libnm", {})
        rate = f"{ours['items_per_second']:.1f}" if ours else "-"
        error = f"{ours['error']:.0e}" if "error" in ours else "-"
        speed.append(line(r, [ratio(engines.get(n)) for n in names] + [rate, error]))
        memory.append(line(r, [f"{engines[n]['peak_mib']:.0f}" if n in engines else "-"
                               for n in names]))
    return speed + ["", "Peak resident memory of each process, MiB:", ""] + memory


def against_itself(results):
    out = head(["network", "zeros", "batch", "libnm", "compared with", "ratio", "items/s"])
    for r, engines in results:
        first, *others = r["ours"]
        for name in others:
            if name in engines:
                rate = f"{engines[name]['items_per_second']:.1f}"
                out.append(line(r, [name.replace("_", " "), first.replace("_", " "),
                                    ratio(engines[name]), rate]))
    return out


def table(args):
    results = []
    for r in all_rows():
        path = os.path.join(args.folder, r["name"] + ".json")
        if os.path.exists(path):
            with open(path) as f:
                results.append((r, {e["engine"]: e for e in json.load(f)["engines"]}))
    others = [(r, e) for r, e in results if not r["ours"]]
    itself = [(r, e) for r, e in results if r["ours"]]
    lines = against_others(others) if others else []
    if itself:
        lines += ([""] if lines else []) + against_itself(itself)
    return "\n".join(lines) + "\n"


def put_table(path, text):
    with open(path) as f:
        page = f.read()
    begin, end = MARKERS
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        sys.exit(f"{path}: no {begin} ... {end}")
    with open(path, "w") as f:
        f.write(f"{before}{begin}\n{text}{end}{after}")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--nmie", default="build/nmie")
    p.add_argument("--folder", default="build/peers", help="networks, plans and results")
    p.add_argument("--rows", default="*", help="patterns of rows, with commas; --list shows them")
    p.add_argument("--engines", type=lambda s: s.split(","), default=ENGINES.split(","),
                   help=f"beside libnm (default {ENGINES})")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--round-seconds", type=float, default=1.0)
    p.add_argument("--core", type=int, default=1, help="to pin to; rows of two threads take another too")
    p.add_argument("--list", action="store_true", help="the rows that --rows chooses")
    p.add_argument("--table", metavar="PAGE.md", help="put the tables there, measure nothing")
    args = p.parse_args()
    if args.table:
        return put_table(args.table, table(args))
    rows = [r for r in all_rows()
            if any(fnmatch.fnmatch(r["name"], pattern) for pattern in args.rows.split(","))]
    if args.list:
        print("\n".join(r["name"] for r in rows))
        return 0
    if not rows:
        sys.exit(f"--rows {args.rows}: there is no such row; --list shows all")
    os.makedirs(args.folder, exist_ok=True)
    failed = 0
    for r in rows:
        try:
            measure(args, r)
        except bench_peers.FAILURES as error:
            print(f"{r['name']}: not measured: {error}", file=sys.stderr)
            failed = 1
    text = table(args)
    with open(os.path.join(args.folder, "table.md"), "w") as f:
        f.write(text)
    print("\n" + text)
    return failed


if __name__ == "__main__":
    sys.exit(main())
