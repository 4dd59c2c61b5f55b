#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The run behind docs/performance.md and the README's table: networks with made-up weights, libnm beside
# ONNX Runtime, OpenVINO and DeepSparse where they are installed; each network's result in
# $OUT/NAME.json, all of them in $OUT/report.*. Variables, with defaults: NMIE, OUT,
#   NETS           name:zeros,zeros[:batches] ...
#   BATCHES, THREADS, ENGINES, ROUNDS
#   SECONDS_EACH   of each engine in each case
#   PREDICT        cores
#   PEERS_PYTHON   whose wheels are looked into
#   FILL_PAGES     Markdown files to fill; none: no page is touched
#   CHART          an SVG to write
set -u
NMIE=${NMIE:-build/nmie}
OUT=${OUT:-build/report}
NETS=${NETS:-resnet50:0,0.8,0.9,0.95 vgg16:0,0.9:1,16 mobilenet_v2:0.9}
mkdir -p "$OUT"

# The two libraries inside the wheels of a Python; nothing where they are not.
PEERS_PYTHON=${PEERS_PYTHON:-python3}
wheels=$("$PEERS_PYTHON" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
ort=$(find "$wheels/onnxruntime" -name 'libonnxruntime.so*' 2>/dev/null | head -1)
ov=$(find "$wheels/openvino" -name 'libopenvino_c.so*' 2>/dev/null | head -1)
engines=${ENGINES:-libnm,onnxruntime${ort:+=$ort},openvino${ov:+=$ov}}
cmd=
if [ -d "$wheels/deepsparse" ]; then
    cmd="deepsparse=$PEERS_PYTHON $(dirname "$0")/one_engine.py deepsparse {model} {batch} {threads} \
{seconds} {x} {y}"
fi

failed=0
results=
started=$(date +%s)
for net in $NETS; do
    name=${net%%:*}
    rest=${net#*:}
    zeros=${rest%%:*}
    batches=${BATCHES:-1,64}
    [ "$rest" = "$zeros" ] || batches=${rest#*:}
    "$NMIE" bench "builtin:$name" --sparsity "$zeros" -b "$batches" -t "${THREADS:-1,2}" \
        --engine "$engines" --baseline onnxruntime --rounds "${ROUNDS:-3}" \
        --seconds "${SECONDS_EACH:-2}" ${cmd:+--cmd "$cmd"} --cache "$OUT/plans" --json \
        >"$OUT/$name.json" || failed=1
    results="$results --from $OUT/$name.json"
    echo "report: $name after $(($(date +%s) - started)) s" >&2
done
pages=
for page in ${FILL_PAGES:-}; do
    pages="$pages --page $page"
done
# shellcheck disable=SC2086
"$NMIE" bench $results --predict-cores "${PREDICT:-4,10,20}" --json --html "$OUT/report.html" \
    --svg "${CHART:-$OUT/report.svg}" --csv "$OUT/report.csv" $pages >"$OUT/report.json" || failed=1
exit $failed
