#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write an exact-architecture CNN as ONNX, with synthetic weights of a chosen sparsity.

    make_net.py resnet50 --sparsity 0.90 -o rn50-90.onnx

resnet50 is v1.5 (torchvision layout: the stride sits in the 3x3), vgg16 has no batch norm,
mobilenet_v2 is torchvision's. 3x224x224 input, 1000 classes, opset 13. Batch norm is already
folded, so every Conv carries a bias. Weights are He-initialised and magnitude-pruned to the same
sparsity in every layer but the dense ones: the first conv, depthwise convs and the last
(classifier) layer. Survivors are rescaled, and the last conv of a residual branch is damped, so
that activations neither explode nor vanish. Speed depends on shapes and zeros only, not on what
the net was trained for; the outputs mean nothing.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RESIDUAL_GAIN = 0.25  # of the last conv in a residual branch; He initialisation is gain sqrt(2)
SQRT2 = 2 ** 0.5


class Net:
    def __init__(self, sparsity, seed):
        self.sparsity = sparsity
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights = [], []
        self.zeros = self.prunable = 0

    def op(self, kind, inputs, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def const(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def tensor(self, shape, gain, prune):
        """Gaussian weights, pruned by magnitude, then scaled to rms gain/sqrt(fan_in)."""
        w = self.rng.standard_normal(shape, dtype=np.float32)
        if prune:
            cut = int(self.sparsity * w.size)
            smallest_survivor = np.partition(np.abs(w), cut, axis=None)[cut]
            w[np.abs(w) < smallest_survivor] = 0
            self.zeros += w.size - np.count_nonzero(w)
            self.prunable += w.size
        rms = np.sqrt(np.mean(np.square(w, dtype=np.float64)))
        return w * np.float32(gain / rms / np.sqrt(w[0].size))

    def bias(self, n):
        return self.const(self.rng.normal(0, 0.1, n))

    def conv(self, x, c_in, c_out, k, stride=1, groups=1, gain=SQRT2, prune=True, act="Relu"):
        w = self.tensor((c_out, c_in // groups, k, k), gain, prune)
        y = self.op("Conv", [x, self.const(w), self.bias(c_out)], kernel_shape=[k, k],
                    strides=[stride] * 2, pads=[k // 2] * 4, group=groups)
        if act == "Relu":
            y = self.op("Relu", [y])
        elif act == "Relu6":
            y = self.op("Clip", [y, self.const(np.array(0)), self.const(np.array(6))])
        return y

    def fc(self, x, n_in, n_out, prune=True, last=False):
        w = self.tensor((n_out, n_in), 1.0 if last else SQRT2, prune and not last)
        y = self.op("Gemm", [x, self.const(w), self.bias(n_out)], transB=1)
        return y if last else self.op("Relu", [y])

    def classifier(self, x, n_in):
        x = self.op("Flatten", [self.op("GlobalAveragePool", [x])])
        return self.fc(x, n_in, 1000, last=True)


def resnet50(net, x):
    x = net.conv(x, 3, 64, 7, stride=2, prune=False)
    x = net.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    c_in = 64
    for width, blocks, first_stride in (64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2):
        for i in range(blocks):
            stride, c_out = (first_stride if i == 0 else 1), 4 * width
            skip = x if i else net.conv(x, c_in, c_out, 1, stride, gain=1.0, act=None)
            y = net.conv(x, c_in, width, 1)
            y = net.conv(y, width, width, 3, stride)
            y = net.conv(y, width, c_out, 1, gain=RESIDUAL_GAIN, act=None)
            x = net.op("Relu", [net.op("Add", [y, skip])])
            c_in = c_out
    return net.classifier(x, c_in)


def vgg16(net, x):
    c_in = 3
    for width, convs in (64, 2), (128, 2), (256, 3), (512, 3), (512, 3):
        for _ in range(convs):
            x = net.conv(x, c_in, width, 3, prune=c_in != 3)
            c_in = width
        x = net.op("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Flatten", [x])
    x = net.fc(x, 512 * 7 * 7, 4096)
    x = net.fc(x, 4096, 4096)
    return net.fc(x, 4096, 1000, last=True)


def mobilenet_v2(net, x):
    x = net.conv(x, 3, 32, 3, stride=2, prune=False, act="Relu6")
    c_in = 32
    for expand, c_out, repeat, first_stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2),
            (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(repeat):
            stride, hidden = (first_stride if i == 0 else 1), c_in * expand
            y = net.conv(x, c_in, hidden, 1, act="Relu6") if expand > 1 else x
            y = net.conv(y, hidden, hidden, 3, stride, groups=hidden, prune=False, act="Relu6")
            residual = stride == 1 and c_in == c_out
            y = net.conv(y, hidden, c_out, 1, gain=RESIDUAL_GAIN if residual else 1.0, act=None)
            x = net.op("Add", [x, y]) if residual else y
            c_in = c_out
    x = net.conv(x, c_in, 1280, 1, act="Relu6")
    return net.classifier(x, 1280)


NETS = {"resnet50": resnet50, "vgg16": vgg16, "mobilenet_v2": mobilenet_v2}


def make(name, sparsity=0.0, seed=0, batch="N"):
    net = Net(sparsity, seed)
    y = NETS[name](net, "input")
    net.nodes[-1].output[0] = y = "logits"
    graph = helper.make_graph(
        net.nodes, name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, 224, 224])],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [batch, 1000])], net.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)],
                              producer_name="make_net", ir_version=7)
    onnx.checker.check_model(model)
    return model, net


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("net", choices=NETS)
    p.add_argument("-s", "--sparsity", type=float, default=0.0, help="0 <= S < 1 (default 0)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("-b", "--batch", type=int, help="fix the batch (default: free, named N)")
    p.add_argument("-o", "--output", required=True)
    args = p.parse_args()
    if not 0 <= args.sparsity < 1:
        p.error("sparsity must be in [0, 1)")
    model, net = make(args.net, args.sparsity, args.seed, args.batch or "N")
    onnx.save(model, args.output)
    total = sum(int(np.prod(w.dims)) for w in net.weights)
    print(f"{args.output}: {args.net}, {total / 1e6:.1f} M parameters, "
          f"{net.zeros / net.prunable:.4f} of {net.prunable / 1e6:.1f} M prunable weights are zero")


if __name__ == "__main__":
    main()
