#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What libnm is for, on this machine: ResNet-50 with all its weights, then with nine in ten of them zero,
# on sparse kernels and, to compare the results and the time, on dense ones. Then a picture.
B=${B:-build}
nmie=$B/nmie
set -e

# The value of a key in one line of JSON; of the last one when it comes again in "compare".
first() { echo "$1" | sed -n "s/.*\"$2\": \([-+.0-9eE]*\).*\"compare\".*/\1/p"; }
last() { echo "$1" | sed -n "s/.*\"$2\": \([-+.0-9eE]*\).*/\1/p"; }

$nmie version
echo
echo 'ResNet-50, 224 x 224, batch 1, one core, made-up weights (planning takes some seconds)'
dense=$($nmie bench builtin:resnet50 -t 1 --json --cache "$B/demo.plans")
printf '  %-46s %8.1f images/s\n' 'all weights' "$(last "$dense" items_per_second)"

# --compare fails when the two outputs differ by more than 1e-4 of the largest.
sparse=$($nmie bench builtin:resnet50 --sparsity 0.9 -t 1 --compare --json --cache "$B/demo.plans")
printf '  %-46s %8.1f images/s\n' '90 % zeros, dense kernels' "$(last "$sparse" items_per_second)"
printf '  %-46s %8.1f images/s\n' '90 % zeros, sparse kernels' "$(first "$sparse" items_per_second)"
printf '  speed-up %.2f, outputs agree to %.1e of the largest\n' "$(last "$sparse" speedup)" \
    "$(last "$sparse" max_rel)"

# examples/models: NAME.onnx, NAME.args (options of nmie classify), NAME-*.png or .jpg (pictures).
for model in examples/models/*.onnx; do
    [ -e "$model" ] || continue
    name=${model%.onnx}
    args=
    [ ! -e "$name.args" ] || args=$(cat "$name.args")
    for picture in "$name"-*.png "$name"-*.jpg; do
        [ -e "$picture" ] || continue
        echo
        echo "$nmie classify $model $picture $args"
        # shellcheck disable=SC2086
        $nmie classify "$model" "$picture" $args --cache "$B/demo.plans"
    done
done
