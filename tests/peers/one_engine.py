#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One engine of bench_peers.py as a command for nmie bench --cmd.

    nmie bench net.onnx --cmd 'deepsparse=python3 one_engine.py deepsparse {model} {batch} {threads} {seconds} {x} {y}'

Runs the model on the input X.npy for so many seconds, writes the first output to Y.npy, and prints
one JSON object: items_per_second, load_seconds, peak_rss_mib, version. An engine with `threads`
threads runs on the CPUs that it is started on.
"""
import json
import os
import statistics
import sys
import time

sys.dont_write_bytecode = True
import numpy as np  # noqa: E402

import bench_peers  # noqa: E402


def main():
    engine, model, batch, threads, seconds, x_path, y_path = sys.argv[1:]
    module, settings, environment, _ = bench_peers.ENGINES[engine]
    os.environ.update({"NM_DISABLE_ANALYTICS": "1", "ORT_DISABLE_TELEMETRY": "1", **environment})
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an engine prints is not the answer
    x = np.load(x_path)
    start = time.perf_counter()
    run, info = getattr(bench_peers, "load_" + module)(os.path.abspath(model), int(batch),
                                                       int(threads), settings)
    load = time.perf_counter() - start
    np.save(y_path, run(x))
    run(x)
    times, end = [], time.perf_counter() + float(seconds)
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - start)
    json.dump({"items_per_second": int(batch) / statistics.median(times), "load_seconds": load,
               "peak_rss_mib": bench_peers.peak_mib(), "version": info["version"]}, replies)


if __name__ == "__main__":
    main()
