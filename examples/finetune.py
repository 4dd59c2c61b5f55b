#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a pruned network further in PyTorch, under the same zeros, and writes it as ONNX again.

    nmie prune net.onnx -o net-90.onnx --sparsity 0.9 --calib data_batch_1.bin --format cifar10
    nmie masks net-90.onnx -o masks
    python3 examples/finetune.py net-90.onnx masks -o tuned.onnx --data data_batch_*.bin
    nmie eval tuned.onnx --data test_batch.bin --format cifar10

The data are CIFAR-10's binary files. The network is built from the ONNX file itself, so that any
plain convolutional network works: operators below. Needs PyTorch >= 1.13 and NumPy, no onnx package:
the new weights are written into a copy of the file, where the old ones stood; names, graph and
metadata stay. docs/finetune.md tells how to do the same with a model and a loop of one's own.
"""
import argparse
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

# ---- ONNX, as much of it as is needed: protobuf is a list of numbered fields ---------------------


def varint(buf, at):
    value = shift = 0
    while True:
        byte = buf[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(buf, start, end):
    """Number and value of each field; of bytes, messages and strings the place (from, to)."""
    at = start
    while at < end:
        tag, at = varint(buf, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(buf, at)
        elif kind == 2:
            size, at = varint(buf, at)
            value, at = (at, at + size), at + size
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = (at, at + size), at + size
        yield tag >> 3, value


def integers(buf, value):
    """A repeated integer field, packed or not."""
    out = []
    at, end = value if isinstance(value, tuple) else (None, None)
    if at is None:
        out.append(value)
    while at is not None and at < end:
        number, at = varint(buf, at)
        out.append(number)
    return [n - (1 << 64) if n >> 63 else n for n in out]


def text(buf, span):
    return bytes(buf[span[0]:span[1]]).decode('utf-8', 'replace')


def read_tensor(buf, span):
    """Name, array, and where its bytes stand in the file (None: in another form)."""
    dims, kind, name, place, numbers = [], 1, '', None, []
    for number, value in fields(buf, *span):
        if number == 1:
            dims += integers(buf, value)
        elif number == 2:
            kind = value
        elif number == 7:
            numbers += integers(buf, value)
        elif number == 8:
            name = text(buf, value)
        elif number in (4, 9):  # packed floats, or raw bytes: the same bytes
            place = value
        elif number == 14 and value == 1:
            sys.exit(f'{name}: external data; save the model in one file')
    dtype = {1: '<f4', 7: '<i8'}.get(kind)
    if dtype is None:
        sys.exit(f'tensor {name}: element type {kind}, expected float32 or int64')
    raw = bytes(buf[place[0]:place[1]]) if place else np.array(numbers, dtype).tobytes()
    return name, np.frombuffer(raw, dtype).reshape(dims), place


def read_attribute(buf, span):
    name, value = '', None
    ints = []
    for number, field in fields(buf, *span):
        if number == 1:
            name = text(buf, field)
        elif number == 2:
            value = float(np.frombuffer(bytes(buf[field[0]:field[1]]), '<f4')[0])
        elif number == 3:
            value = integers(buf, field)[0]
        elif number == 4:
            value = text(buf, field)
        elif number == 5:
            value = read_tensor(buf, field)[1]
        elif number == 8:
            ints += integers(buf, field)
    return name, ints or value


def read_node(buf, span):
    node = {'inputs': [], 'outputs': [], 'name': '', 'op': '', 'attrs': {}}
    for number, field in fields(buf, *span):
        if number in (1, 2):
            node['inputs' if number == 1 else 'outputs'].append(text(buf, field))
        elif number in (3, 4):
            node['name' if number == 3 else 'op'] = text(buf, field)
        elif number == 5:
            key, value = read_attribute(buf, field)
            node['attrs'][key] = value
    return node


def read_onnx(path):
    """The file's bytes, nodes, tensors by name, their places, and the names of input and output."""
    buf = bytearray(pathlib.Path(path).read_bytes())
    nodes, tensors, places, ends = [], {}, {}, {11: [], 12: []}
    graph = [value for number, value in fields(buf, 0, len(buf)) if number == 7][0]
    for number, value in fields(buf, *graph):
        if number == 1:
            nodes.append(read_node(buf, value))
        elif number == 5:
            name, tensor, place = read_tensor(buf, value)
            tensors[name], places[name] = tensor, place
        elif number in ends:
            ends[number] += [text(buf, v) for n, v in fields(buf, *value) if n == 1]
        elif number == 15:
            sys.exit(f'{path}: sparse initialisers; prune without --sparse-initializer')
    inputs = [name for name in ends[11] if name not in tensors]
    return buf, nodes, tensors, places, inputs[0], ends[12][0]


# ---- the network ---------------------------------------------------------------------------------


def padded(x, attrs, value=0.0):
    """Pads explicitly, for ONNX allows more on one side than on the other."""
    pads = attrs.get('pads', [0, 0, 0, 0])
    return F.pad(x, (pads[1], pads[3], pads[0], pads[2]), value=value) if any(pads) else x


def conv(a, x, w, b=None):
    return F.conv2d(padded(x, a), w, b, a.get('strides', 1), 0, a.get('dilations', 1),
                    a.get('group', 1))


def gemm(a, x, w, b=None):
    y = a.get('alpha', 1.0) * (x.t() if a.get('transA') else x) @ (w.t() if a.get('transB') else w)
    return y if b is None else y + a.get('beta', 1.0) * b


def max_pool(a, x):
    return F.max_pool2d(padded(x, a, -math.inf), a['kernel_shape'], a.get('strides', 1),
                        ceil_mode=bool(a.get('ceil_mode')))


def average_pool(a, x):
    pads = a.get('pads', [0, 0, 0, 0])
    return F.avg_pool2d(x, a['kernel_shape'], a.get('strides', 1), pads[:2],
                        count_include_pad=bool(a.get('count_include_pad')))


def clip(a, x, low=None, high=None):
    return torch.clamp(x, a.get('min') if low is None else float(low),
                       a.get('max') if high is None else float(high))


OPERATORS = {
    'Add': lambda a, x, y: x + y,
    'AveragePool': average_pool,
    # Statistics are fixed, as in the network that was pruned.
    'BatchNormalization': lambda a, x, s, b, m, v: F.batch_norm(x, m, v, s, b, False, 0.0,
                                                                a.get('epsilon', 1e-5)),
    'Clip': clip,
    'Concat': lambda a, *x: torch.cat(x, a['axis']),
    'Conv': conv,
    'Dropout': lambda a, x, *rest: x,
    'Flatten': lambda a, x: torch.flatten(x, a.get('axis', 1)),
    'Gemm': gemm,
    'GlobalAveragePool': lambda a, x: x.mean((2, 3), keepdim=True),
    'Identity': lambda a, x: x,
    'MaxPool': max_pool,
    'Relu': lambda a, x: F.relu(x),
    'Reshape': lambda a, x, shape: x.reshape([x.shape[0]] + shape.tolist()[1:]),
}
# Which inputs of an operator are trained.
TRAINED = {'Conv': (1, 2), 'Gemm': (1, 2), 'BatchNormalization': (1, 2)}


class Network(torch.nn.Module):
    def __init__(self, nodes, tensors, source, result):
        super().__init__()
        self.nodes, self.source, self.result = nodes, source, result
        unknown = sorted({n['op'] for n in nodes} - set(OPERATORS) - {'Constant'})
        if unknown:
            sys.exit(f'operators that this script does not know: {", ".join(unknown)}')
        self.constants = {k: torch.from_numpy(v.copy()) for k, v in tensors.items()}
        for node in nodes:
            if node['op'] == 'Constant':
                value = node['attrs']['value']
                self.constants[node['outputs'][0]] = torch.from_numpy(np.array(value))
        self.trained = {}
        for node in nodes:
            for i in TRAINED.get(node['op'], ()):
                name = node['inputs'][i] if i < len(node['inputs']) else ''
                if name in tensors and name not in self.trained:
                    self.trained[name] = torch.nn.Parameter(self.constants[name])
                    self.register_parameter(f'p{len(self.trained)}', self.trained[name])

    def forward(self, x):
        values = {**self.constants, **self.trained, self.source: x}
        for node in self.nodes:
            if node['op'] != 'Constant':
                inputs = [values[name] if name else None for name in node['inputs']]
                values[node['outputs'][0]] = OPERATORS[node['op']](node['attrs'], *inputs)
        return values[self.result].flatten(1)


# ---- masks ---------------------------------------------------------------------------------------


def read_masks(folder, network):
    """Pairs of a trained weight and its mask."""
    folder = pathlib.Path(folder)
    pairs = []
    for entry in json.loads((folder / 'index.json').read_text())['weights']:
        weight = network.trained.get(entry['name'])
        if weight is None or list(weight.shape) != entry['shape']:
            sys.exit(f'{folder}: weight {entry["name"]} {entry["shape"]} is not in the network')
        pairs.append((weight, torch.from_numpy(np.load(folder / entry['mask'])).float()))
    return pairs


def apply_masks(pairs):
    with torch.no_grad():
        for weight, mask in pairs:
            weight.mul_(mask)


# ---- data and training ---------------------------------------------------------------------------


def read_cifar10(paths, mean, std):
    raw = np.concatenate([np.fromfile(p, np.uint8) for p in paths]).reshape(-1, 3073)
    x = torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32)).float() / 255.0
    shape = (1, 3, 1, 1)
    x = (x - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    return x, torch.from_numpy(raw[:, 0].astype(np.int64))


def augmented(x):
    """Flips, and a shift by up to 4 pixels, one for all pictures of the batch."""
    if torch.rand(()) < 0.5:
        x = x.flip(3)
    dy, dx = torch.randint(0, 9, (2,)).tolist()
    return F.pad(x, (4, 4, 4, 4), mode='reflect')[:, :, dy:dy + 32, dx:dx + 32]


def accuracy(network, x, y):
    with torch.no_grad():
        right = sum((network(x[i:i + 500]).argmax(1) == y[i:i + 500]).sum().item()
                    for i in range(0, len(x), 500))
    return 100.0 * right / len(x)


def train(network, pairs, x, y, args):
    steps = args.epochs * math.ceil(len(x) / args.batch)
    optimizer = torch.optim.Adam(network.parameters(), args.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(args.epochs):
        total = 0.0
        order = torch.randperm(len(x))
        for at in range(0, len(x), args.batch):
            part = order[at:at + args.batch]
            loss = F.cross_entropy(network(augmented(x[part])), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            apply_masks(pairs)  # each step would fill the zeros again
            total += loss.item() * len(part)
        print(f'epoch {epoch + 1}: loss {total / len(x):.4f}', flush=True)


def write_back(path, buf, network, places):
    for name, parameter in network.trained.items():
        raw = parameter.detach().numpy().astype('<f4').tobytes()
        start, end = places[name]
        assert end - start == len(raw)
        buf[start:end] = raw
    pathlib.Path(path).write_bytes(buf)


def numbers(word):
    return [float(n) for n in word.split(',')]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('network', help='what nmie prune wrote')
    p.add_argument('masks', help='the folder that nmie masks wrote')
    p.add_argument('-o', '--output', required=True)
    p.add_argument('--data', nargs='+', required=True, help='CIFAR-10 binary files to train on')
    p.add_argument('--test', nargs='+', help='files to tell the accuracy on, before and after')
    p.add_argument('--epochs', type=int, default=5)
    p.add_argument('--lr', type=float, default=5e-4, help='of Adam; falls to 0 by a cosine')
    p.add_argument('--batch', type=int, default=128)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--threads', type=int)
    p.add_argument('--mean', type=numbers, default=[0.485, 0.456, 0.406])
    p.add_argument('--std', type=numbers, default=[0.229, 0.224, 0.225])
    args = p.parse_args()
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    buf, nodes, tensors, places, source, result = read_onnx(args.network)
    network = Network(nodes, tensors, source, result)
    pairs = read_masks(args.masks, network)
    x, y = read_cifar10(args.data, args.mean, args.std)
    test = read_cifar10(args.test, args.mean, args.std) if args.test else None
    if test:
        print(f'before: top-1 {accuracy(network, *test):.2f} %')
    train(network, pairs, x, y, args)
    if test:
        print(f'after: top-1 {accuracy(network, *test):.2f} %')
    write_back(args.output, buf, network, places)


if __name__ == '__main__':
    main()
