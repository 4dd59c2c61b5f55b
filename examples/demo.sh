#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What libnm is for, on this machine: ResNet-50 with all its weights, then with nine in ten of them zero,
# on sparse kernels and, to compare the results and the time, on dense ones. Then a small trained
# network, as it was trained and as `nmie prune` made it sparse, with a picture.
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

net=examples/models/resnet20_cifar10
cat=$net-cat.png
args=$(cat $net.args) # of nmie classify
echo
echo 'ResNet-20 for CIFAR-10, trained, and made sparse on a CPU without training (examples/models/README.md)'
for form in '' -recal -recal-perf; do
    speed=$($nmie bench $net$form.onnx -t 1 --seconds 1 --json --cache "$B/demo.plans")
    printf '  %-46s %8.0f images/s\n' "$(basename $net$form)" "$(last "$speed" items_per_second)"
done
for form in '' -recal-perf; do
    echo
    echo "$nmie classify $net$form.onnx $cat $args"
    # shellcheck disable=SC2086
    $nmie classify $net$form.onnx $cat $args --cache "$B/demo.plans"
done
