#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Side-by-side speed of CNN inference engines on a few pinned cores of one machine.

    bench_peers.py rn50-90.onnx --batch 1 --cores 1
    bench_peers.py rn50-90.onnx \\
        --cmd 'nmie bench {model} -b {batch} -t {threads} --seconds {seconds} --json'

Every engine lives in its own process, pinned to --cores, with one thread per core. The rounds are
interleaved (A B C A B C ...), so that a drift of the machine hits all alike, and a process is
stopped (SIGSTOP) while it is not its turn. See README.md for how to read the result.
"""
import argparse
import ctypes
import importlib
import json
import os
import platform
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

BASELINE = "onnxruntime"
LONG = 0.3  # seconds of one iteration from which cold caches no longer matter
PR_SET_PDEATHSIG = 1
TOLERANCE = 1e-3  # of max|y|, against the baseline's output; reduced precision is only reported
OV_F32 = {"INFERENCE_PRECISION_HINT": "f32"}
OV_SPARSE = {**OV_F32, "CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": 0.5}
# name: (python module, settings of the child, environment of the child, promises f32)
ENGINES = {
    "onnxruntime": ("onnxruntime", {}, {}, True),
    "deepsparse": ("deepsparse", {}, {}, True),
    "deepsparse-avx2": ("deepsparse", {}, {"NM_ARCH": "avx2"}, True),
    "openvino-f32": ("openvino", OV_F32, {}, True),
    "openvino-default": ("openvino", {}, {}, False),
    "openvino-sparse": ("openvino", OV_SPARSE, {}, True),
}
DEFAULT_ENGINES = "onnxruntime,deepsparse,openvino-f32,openvino-default"


# ---- child: one engine, told over its standard input what to do ----------------------------------

def load_onnxruntime(model, batch, threads, settings):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0], {"version": ort.__version__}


def load_deepsparse(model, batch, threads, settings):
    import deepsparse
    engine = deepsparse.Engine(model, batch_size=batch, num_cores=threads)
    return lambda x: engine.run([x], val_inp=False)[0], {
        "version": deepsparse.__version__, "isa": engine.cpu_avx_type,
        "fraction_of_supported_ops": engine.fraction_of_supported_ops}


def load_openvino(model, batch, threads, settings):
    import openvino as ov
    core = ov.Core()
    net = core.read_model(model)
    net.reshape([batch, *[d.get_length() for d in list(net.input().partial_shape)[1:]]])
    compiled = core.compile_model(net, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads,
        **settings})
    request = compiled.create_infer_request()

    def run(x):
        return request.infer({0: x}, share_inputs=True, share_outputs=True)[0]
    return run, {"version": ov.__version__,
                 "precision": compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()}


def peak_mib():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def worker(engine, model, batch, cores, folder):
    """Answer each line of stdin with one line of JSON on the original stdout."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlive the parent, stopped
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever an engine prints must not mix with the replies
    os.sched_setaffinity(0, cores)
    module, settings, _, _ = ENGINES[engine]
    load = globals()["load_" + module]
    importlib.import_module(module)
    x = np.load(os.path.join(folder, "x.npy"))
    before, start = peak_mib(), time.perf_counter()
    run, info = load(model, batch, len(cores), settings)
    info.update(load_s=time.perf_counter() - start, import_mib=before, load_peak_mib=peak_mib())

    start = time.perf_counter()
    y = run(x)
    seconds = info["first_run_s"] = time.perf_counter() - start
    np.save(os.path.join(folder, engine + ".npy"), y)
    print(json.dumps(info), file=replies)
    for line in sys.stdin:
        times = []
        if seconds < LONG:  # refill the caches after the other engines' turn
            run(x)
        for _ in range(int(line)):
            start = time.perf_counter()
            run(x)
            seconds = time.perf_counter() - start
            times.append(seconds)
        print(json.dumps({"times": times, "peak_mib": peak_mib()}), file=replies)


# ---- parent --------------------------------------------------------------------------------------

FAILURES = (RuntimeError, OSError, KeyError, ValueError, subprocess.CalledProcessError)


def last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1]


class Child:
    """An engine in a process of its own; it is stopped whenever it has nothing to do."""

    def __init__(self, name, python, model, args, batch, folder):
        self.name, self.rounds = name, []
        env = {**os.environ, "NM_DISABLE_ANALYTICS": "1",
               "ORT_DISABLE_TELEMETRY": "1", **ENGINES[name][2]}
        self.log = open(os.path.join(folder, name + ".log"), "w+")
        self.process = subprocess.Popen(
            [python, os.path.abspath(__file__), "--worker", name, model, str(batch),
             ",".join(map(str, args.cores)), folder],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.info = self.reply()
        self.count = 1
        probe = self.info["first_run_s"]
        if probe < LONG:
            probe = self.round()  # more warm-up
        self.count = max(args.min_iterations, round(args.round_seconds / probe))
        self.rounds.clear()

    def reply(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"exit status {self.process.wait()}: {last_line(self.log.read())}")
        os.kill(self.process.pid, signal.SIGSTOP)
        return json.loads(line)

    def round(self):
        os.kill(self.process.pid, signal.SIGCONT)
        print(self.count, file=self.process.stdin, flush=True)
        answer = self.reply()
        self.info["peak_mib"] = answer["peak_mib"]
        self.rounds.append([1e3 * t for t in answer["times"]])
        return statistics.median(answer["times"])

    def close(self):
        self.process.kill()
        self.process.wait()


class Command:
    """Any program that prints JSON with items_per_second; one start per round.

    The template may begin with NAME=; without it the program's file name is the name. A
    peak_rss_mib, load_seconds and plan_seconds in its answer go into the table too.
    """

    def __init__(self, template, model, args, batch, folder):
        self.batch, self.rounds, self.info = batch, [], {}
        head, equals, rest = template.partition("=")
        name, template = (head, rest) if equals and head.isidentifier() else (None, template)
        text = template.format(model=model, batch=batch, threads=len(args.cores),
                               seconds=max(args.round_seconds, 0.1))
        self.argv = shlex.split(text)
        self.name = name or os.path.basename(self.argv[0])
        self.cores = set(args.cores)
        self.info["command"] = text
        if args.check:  # one run on the engines' own input, its output compared like theirs
            self.start(shlex.split(args.check.format(
                model=model, x=os.path.join(folder, "x.npy"),
                y=os.path.join(folder, self.name + ".npy"))))
        else:
            self.round()  # warm-up
            self.rounds.clear()

    def start(self, argv):
        done = subprocess.run(argv, text=True, capture_output=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, self.cores))
        if done.returncode:
            raise RuntimeError(f"exit status {done.returncode}: {last_line(done.stderr)}")
        return done.stdout

    def round(self):
        text = self.start(self.argv)
        answer, _ = json.JSONDecoder().raw_decode(text[text.index("{"):])
        self.rounds.append([1e3 * self.batch / answer["items_per_second"]])
        self.info["load_s"] = answer.get("load_seconds", 0) + answer.get("plan_seconds", 0)
        self.info["peak_mib"] = max(self.info.get("peak_mib", 0), answer.get("peak_rss_mib", 0))

    def close(self):
        pass


def find_pythons(names, pythons):
    """The first interpreter that can import the engine, for each engine."""
    found = {}
    for name in names:
        module = ENGINES[name][0]
        test = f"import importlib.util as u, sys; sys.exit(not u.find_spec('{module}'))"
        found[name] = next((p for p in pythons
                            if subprocess.run([p, "-c", test]).returncode == 0), None)
    return found


def summary(engine, batch):
    every = [t for r in engine.rounds for t in r]
    medians = [statistics.median(r) for r in engine.rounds]
    ms = statistics.median(every)
    return {"engine": engine.name, "ms": ms, "best_ms": min(medians),
            "p90_ms": float(np.percentile(every, 90)), "items_per_second": 1e3 * batch / ms,
            "spread": (max(medians) - min(medians)) / ms,
            "iterations": len(every), "round_medians_ms": medians, **engine.info}


def check(rows, folder, baseline):
    """Largest difference from the baseline's output, relative to max|y|."""
    def output(name):
        path = os.path.join(folder, name + ".npy")
        return np.load(path) if os.path.exists(path) else None
    base = output(baseline)
    for row in rows:
        y = output(row["engine"])
        if y is None or base is None:
            continue
        row["error"] = float(np.abs(y - base).max() / np.abs(base).max())
        strict = ENGINES[row["engine"]][3] if row["engine"] in ENGINES else True
        row["agrees"] = bool(row["error"] <= TOLERANCE) if strict else None


def bench(model, batch, pythons, args):
    shape = [batch] + [int(d) for d in args.shape.split("x")]
    engines, clock = [], cpu_ticks(args.cores)
    with tempfile.TemporaryDirectory() as folder:
        np.save(os.path.join(folder, "x.npy"),
                np.random.default_rng(1).standard_normal(shape, dtype=np.float32))
        try:
            makers = [(n, lambda n=n: Child(n, pythons[n], model, args, batch, folder))
                      for n in pythons if pythons[n]]
            makers += [(c, lambda c=c: Command(c, model, args, batch, folder)) for c in args.cmd]
            for name, make in makers:
                try:
                    engines.append(make())
                except FAILURES as error:
                    print(f"{name}: skipped: {error}", file=sys.stderr)
            for _ in range(args.rounds):
                for engine in list(engines):
                    try:
                        engine.round()
                    except FAILURES as error:
                        print(f"{engine.name}: dropped: {error}", file=sys.stderr)
                        engines.remove(engine)
                        engine.close()
        finally:
            for engine in engines:
                engine.close()
        rows = [summary(e, batch) for e in engines]
        check(rows, folder, args.baseline)
    base = next((r["round_medians_ms"] for r in rows if r["engine"] == args.baseline), [])
    for row in rows:  # round by round, so that drift cancels
        ratios = [b / ms for b, ms in zip(base, row["round_medians_ms"])]
        if ratios:
            row["ratio"] = statistics.median(ratios)
            row["ratio_range"] = [min(ratios), max(ratios)]
    return {"model": os.path.basename(model), "batch": batch, "threads": len(args.cores),
            "stolen": stolen(args.cores, clock), "engines": rows}


def table(case):
    print(f"\n{case['model']}  batch {case['batch']}  threads {case['threads']}  "
          f"stolen {case['stolen']:.1%}")
    print(f"{'engine':<17}{'ms':>9}{'best':>9}{'p90':>9}{'items/s':>9}{'spread':>8}{'ratio':>7}"
          f"{'range':>12}{'load s':>8}{'MiB':>6}{'error':>9}")
    for r in case["engines"]:
        ratio, lo_hi, error = "-", "-", "-"
        if "ratio" in r:
            ratio, lo_hi = f"{r['ratio']:.2f}", "{:.2f}-{:.2f}".format(*r["ratio_range"])
        if "error" in r:
            error = f"{r['error']:.1e}" + ("  WRONG OUTPUT" if r["agrees"] is False else "")
        print(f"{r['engine']:<17}{r['ms']:>9.2f}{r['best_ms']:>9.2f}{r['p90_ms']:>9.2f}"
              f"{r['items_per_second']:>9.2f}{r['spread']:>8.1%}{ratio:>7}{lo_hi:>12}"
              f"{r.get('load_s', 0):>8.2f}{r.get('peak_mib', 0):>6.0f}{error:>9}", flush=True)


def cpu_ticks(cores):
    """/proc/stat, a row per core: user, nice, system, idle, iowait, irq, softirq, steal."""
    with open("/proc/stat") as f:
        rows = {line.split()[0]: line.split()[1:9] for line in f if line.startswith("cpu")}
    return np.array([[int(v) for v in rows[f"cpu{c}"]] for c in cores])


def stolen(cores, before):
    """Share of the cores' time that the hypervisor or niced background work took."""
    ticks = (cpu_ticks(cores) - before).sum(axis=0)
    return float((ticks[1] + ticks[7]) / max(1, ticks.sum()))


def machine():
    info = {}
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            info.setdefault(key.strip(), value.strip())
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "hypervisor")
    return {"cpu": info.get("model name"), "cores": os.cpu_count(), "kernel": platform.release(),
            "flags": [f for f in wanted if f in info.get("flags", "").split()],
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def main():
    if sys.argv[1:2] == ["--worker"]:
        engine, model, batch, cores, folder = sys.argv[2:]
        return worker(engine, model, int(batch), [int(c) for c in cores.split(",")], folder)

    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+", help="ONNX files with one float input and one output")
    p.add_argument("--batch", type=int, nargs="+", default=[1])
    p.add_argument("--cores", type=lambda s: [int(c) for c in s.split(",")], default=[1],
                   help="cores to pin to, one thread each: 1 or 0,1 (default 1)")
    p.add_argument("--engines", type=lambda s: s.split(","), default=DEFAULT_ENGINES.split(","),
                   help=f"of {', '.join(ENGINES)} (default {DEFAULT_ENGINES})")
    p.add_argument("--cmd", action="append", default=[],
                   help="[NAME=]command as one more engine ({model} {batch} {threads} {seconds})")
    p.add_argument("--baseline", default=BASELINE,
                   help=f"the engine that the others are compared with (default {BASELINE})")
    p.add_argument("--check", help="how a --cmd engine writes its output for the common input "
                                   "({model}, {x} and {y}: .npy files); compared like the rest")
    p.add_argument("--python", action="append", default=[],
                   help="more interpreters to look for the engines in (virtual environments)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--round-seconds", type=float, default=1.0, help="of each engine in each round")
    p.add_argument("--min-iterations", type=int, default=1, help="of each engine in each round")
    p.add_argument("--shape", default="3x224x224", help="input shape without the batch")
    p.add_argument("--json", help="write the result here")
    args = p.parse_args()

    pythons = find_pythons(args.engines, [sys.executable] + args.python)
    for name, python in pythons.items():
        if not python:
            print(f"{name}: not installed, skipped", file=sys.stderr)
    result = {"machine": machine(), "cores": args.cores, "rounds": args.rounds,
              "round_seconds": args.round_seconds, "cases": []}
    for model in args.models:
        for batch in args.batch:
            case = bench(os.path.abspath(model), batch, pythons, args)
            table(case)
            result["cases"].append(case)
            if args.json:
                with open(args.json, "w") as f:
                    json.dump(result, f, indent=1)
    wrong = any(r.get("agrees") is False for c in result["cases"] for r in c["engines"])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
