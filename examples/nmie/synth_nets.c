/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The architectures: ResNet (He et al. 2015; 50 with the stride in the 3x3, known as v1.5), VGG-16
 * (Simonyan and Zisserman 2014, configuration D), MobileNet V1 (Howard et al. 2017) and V2 (Sandler
 * et al. 2018). The last convolution of a residual branch is damped so that sums do not grow.
 */
#include "examples/nmie/synth_build.h"

#include <string.h>

#define RESIDUAL_GAIN 0.25

const char *const synth_names[] = {"resnet18",     "resnet50",     "vgg16",
                                   "mobilenet_v1", "mobilenet_v2", NULL};

struct name {
    char text[64];
};

/* "layer2.0.conv1" and the like. */
static struct name name_of(const char *group, int i, int k, const char *part)
{
    struct name n;
    if (k < 0) {
        snprintf(n.text, sizeof n.text, "%s%d.%s", group, i, part);
    } else {
        snprintf(n.text, sizeof n.text, "%s%d.%d.%s", group, i, k, part);
    }
    return n;
}

static struct tap classify(struct synth *net, struct tap x)
{
    x = synth_flatten(net, synth_global_pool(net, x));
    return synth_fc(net, "fc", x, synth_wanted(net)->classes, true);
}

static struct tap basic_block(struct synth *net, struct tap x, int layer, int i, int32_t width)
{
    int32_t stride = layer > 1 && i == 0 ? 2 : 1;
    struct tap skip = x;
    if (stride != 1 || x.channels != width) {
        skip = synth_conv(net, name_of("layer", layer, i, "downsample").text, x,
                          (struct synth_conv){width, 1, stride, 1, ACT_NONE, 1.0, false});
    }
    x = synth_conv(net, name_of("layer", layer, i, "conv1").text, x,
                   (struct synth_conv){width, 3, stride, 1, ACT_RELU, 0.0, false});
    x = synth_conv(net, name_of("layer", layer, i, "conv2").text, x,
                   (struct synth_conv){width, 3, 1, 1, ACT_NONE, RESIDUAL_GAIN, false});
    return synth_add(net, name_of("layer", layer, i, "add").text, x, skip, true);
}

static struct tap bottleneck(struct synth *net, struct tap x, int layer, int i, int32_t width)
{
    int32_t stride = layer > 1 && i == 0 ? 2 : 1;
    struct tap skip = x;
    if (i == 0) {
        skip = synth_conv(net, name_of("layer", layer, i, "downsample").text, x,
                          (struct synth_conv){4 * width, 1, stride, 1, ACT_NONE, 1.0, false});
    }
    x = synth_conv(net, name_of("layer", layer, i, "conv1").text, x,
                   (struct synth_conv){width, 1, 1, 1, ACT_RELU, 0.0, false});
    x = synth_conv(net, name_of("layer", layer, i, "conv2").text, x,
                   (struct synth_conv){width, 3, stride, 1, ACT_RELU, 0.0, false});
    x = synth_conv(net, name_of("layer", layer, i, "conv3").text, x,
                   (struct synth_conv){4 * width, 1, 1, 1, ACT_NONE, RESIDUAL_GAIN, false});
    return synth_add(net, name_of("layer", layer, i, "add").text, x, skip, true);
}

typedef struct tap (*block_fn)(struct synth *net, struct tap x, int layer, int i, int32_t width);

static void resnet(struct synth *net, block_fn block, const int blocks[4])
{
    struct tap x = synth_conv(net, "conv1", synth_input(net),
                              (struct synth_conv){64, 7, 2, 1, ACT_RELU, 0.0, true});
    x = synth_max_pool(net, "maxpool", x, 3, 1);
    for (int layer = 1; layer <= 4; layer++) {
        for (int i = 0; i < blocks[layer - 1]; i++) {
            x = block(net, x, layer, i, 32 << layer);
        }
    }
    classify(net, x);
}

static void resnet18(struct synth *net)
{
    resnet(net, basic_block, (const int[4]){2, 2, 2, 2});
}

static void resnet50(struct synth *net)
{
    resnet(net, bottleneck, (const int[4]){3, 4, 6, 3});
}

static void vgg16(struct synth *net)
{
    static const int convs[5] = {2, 2, 3, 3, 3};
    static const int32_t widths[5] = {64, 128, 256, 512, 512};
    struct tap x = synth_input(net);
    for (int group = 1; group <= 5; group++) {
        for (int i = 1; i <= convs[group - 1]; i++) {
            bool first = group == 1 && i == 1;
            x = synth_conv(net, name_of("group", group, i, "conv").text, x,
                           (struct synth_conv){widths[group - 1], 3, 1, 1, ACT_RELU, 0.0, first});
        }
        x = synth_max_pool(net, name_of("group", group, -1, "pool").text, x, 2, 0);
    }
    x = synth_flatten(net, x);
    x = synth_fc(net, "fc6", x, 4096, false);
    x = synth_fc(net, "fc7", x, 4096, false);
    synth_fc(net, "fc8", x, synth_wanted(net)->classes, true);
}

static void mobilenet_v1(struct synth *net)
{
    static const int32_t width[13] = {64,  128, 128, 256, 256,  512, 512,
                                      512, 512, 512, 512, 1024, 1024};
    static const int32_t stride[13] = {1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1};
    struct tap x = synth_conv(net, "conv0", synth_input(net),
                              (struct synth_conv){32, 3, 2, 1, ACT_RELU6, 0.0, true});
    for (int i = 0; i < 13; i++) {
        x = synth_conv(
            net, name_of("block", i + 1, -1, "depthwise").text, x,
            (struct synth_conv){x.channels, 3, stride[i], x.channels, ACT_RELU6, 0.0, true});
        x = synth_conv(net, name_of("block", i + 1, -1, "pointwise").text, x,
                       (struct synth_conv){width[i], 1, 1, 1, ACT_RELU6, 0.0, false});
    }
    classify(net, x);
}

static struct tap inverted_residual(struct synth *net, struct tap x, int number, int32_t out,
                                    int32_t stride, int32_t expand)
{
    struct tap y = x;
    int32_t hidden = x.channels * expand;
    bool residual = stride == 1 && x.channels == out;
    if (expand > 1) {
        y = synth_conv(net, name_of("block", number, -1, "expand").text, y,
                       (struct synth_conv){hidden, 1, 1, 1, ACT_RELU6, 0.0, false});
    }
    y = synth_conv(net, name_of("block", number, -1, "depthwise").text, y,
                   (struct synth_conv){hidden, 3, stride, hidden, ACT_RELU6, 0.0, true});
    y = synth_conv(
        net, name_of("block", number, -1, "project").text, y,
        (struct synth_conv){out, 1, 1, 1, ACT_NONE, residual ? RESIDUAL_GAIN : 1.0, false});
    return residual ? synth_add(net, name_of("block", number, -1, "add").text, x, y, false) : y;
}

static void mobilenet_v2(struct synth *net)
{
    static const int32_t expand[7] = {1, 6, 6, 6, 6, 6, 6}, repeat[7] = {1, 2, 3, 4, 3, 3, 1},
                         width[7] = {16, 24, 32, 64, 96, 160, 320},
                         first[7] = {1, 2, 2, 2, 1, 2, 1};
    struct tap x = synth_conv(net, "conv0", synth_input(net),
                              (struct synth_conv){32, 3, 2, 1, ACT_RELU6, 0.0, true});
    int number = 1;
    for (int group = 0; group < 7; group++) {
        for (int i = 0; i < repeat[group]; i++) {
            x = inverted_residual(net, x, number++, width[group], i ? 1 : first[group],
                                  expand[group]);
        }
    }
    x = synth_conv(net, "conv_last", x, (struct synth_conv){1280, 1, 1, 1, ACT_RELU6, 0.0, false});
    classify(net, x);
}

synth_net_fn synth_net(const char *name)
{
    static const synth_net_fn fns[] = {resnet18, resnet50, vgg16, mobilenet_v1, mobilenet_v2};
    for (size_t i = 0; synth_names[i]; i++) {
        if (strcmp(name, synth_names[i]) == 0) {
            return fns[i];
        }
    }
    return NULL;
}
