/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nm.h - libnm, sparse CNN inference on CPUs.
 *
 * A network comes in as ONNX, is (or is made) sparse, and runs on hand-written AVX2 and AVX-512
 * kernels. Three steps, each a call that returns a status and can explain itself:
 *
 *     nm_model   *model;    nm_model_load("net.onnx", NULL, &model, &err);
 *     nm_session *session;  nm_session_create(model, NULL, &session, &err);
 *     nm_run(session, &in, 1, &out, 1, &err);
 *
 * A model never changes and may be shared by any number of sessions and threads. A session belongs
 * to one thread at a time. The library never prints, exits, aborts, reads the environment or
 * touches global state. Every failure is a status, and one sentence in the caller's nm_error.
 */
#ifndef NM_NM_H
#define NM_NM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NM_API __attribute__((visibility("default")))
#else
#define NM_API
#endif

/* The version of this header: 10000 major + 100 minor + patch. */
#define NM_VERSION_NUMBER 10000
#define NM_VERSION_STRING "1.0.0"

/* ---- status and error ------------------------------------------------------------------------ */

/* What a call returns. The values are part of the ABI. */
typedef enum nm_status {
    NM_OK = 0,
    NM_EINVAL = 1,       /* an argument makes no sense (NULL, zero, out of range) */
    NM_ENOMEM = 2,       /* memory could not be had */
    NM_EIO = 3,          /* a file could not be read or written */
    NM_EFORMAT = 4,      /* not ONNX, or damaged */
    NM_EUNSUPPORTED = 5, /* an operator, type or attribute that libnm does not do */
    NM_ELIMIT = 6,       /* beyond one of nm_limits; the sentence names it */
    NM_ESHAPE = 7,       /* wrong rank or dimensions */
    NM_ETYPE = 8,        /* wrong element type */
    NM_EBUSY = 9,        /* the session is in use by another thread */
    NM_EINTERNAL = 10,   /* a fault of libnm or of a library below it */
    NM_ECANCELED = 11    /* a progress callback asked for it */
} nm_status;

/* One sentence: where, what is wrong, what was expected. Always terminated. Calls that succeed
 * leave it alone. Every function takes NULL for "no sentence wanted". */
typedef struct nm_error {
    nm_status status;
    char message[1020];
} nm_error;

/* The name of a status, such as "NM_ESHAPE"; "NM_?" for other numbers. Never NULL; static. */
NM_API const char *nm_status_name(nm_status status);

/* The version of the library that runs, e.g. "1.0.0"; static. */
NM_API const char *nm_library_version(void);

/* ---- types ----------------------------------------------------------------------------------- */

/* Element types, with ONNX's numbers (TensorProto.DataType). */
typedef enum nm_type {
    NM_TYPE_NONE = 0,
    NM_F32 = 1,
    NM_U8 = 2,
    NM_I8 = 3,
    NM_U16 = 4,
    NM_I16 = 5,
    NM_I32 = 6,
    NM_I64 = 7,
    NM_BOOL = 9, /* one byte, 0 or 1 */
    NM_F16 = 10,
    NM_F64 = 11,
    NM_U32 = 12,
    NM_U64 = 13,
    NM_BF16 = 16
} nm_type;

/* Bytes of one element; 0 for a type that libnm does not know. */
NM_API size_t nm_type_size(nm_type type);

/* The type's name: "float32", "int64", "bool"...; "?" for others. Static. */
NM_API const char *nm_type_name(nm_type type);

#define NM_MAX_DIMS 8

/*
 * Memory of the caller, seen as a dense row-major tensor (images: N, C, H, W).
 *   name      which input or output; NULL = the one at this position of the array
 *   type      inputs: must be the model's. Outputs: filled in
 *   rank,dims inputs: required. Outputs: filled in
 *   data      inputs: the elements. Outputs: where to write them, or NULL for memory of the
 *             session, which stays valid until the session's next call
 *   capacity  bytes at data: at least the tensor's size. Ignored when data is NULL
 */
typedef struct nm_tensor {
    const char *name;
    nm_type type;
    int32_t rank;
    int64_t dims[NM_MAX_DIMS];
    void *data;
    size_t capacity;
} nm_tensor;

/* An input or output of a model. A free dimension is -1; its name (or NULL) is in symbols. The
 * strings belong to the model. rank is -1 when the file does not say. */
typedef struct nm_value_info {
    const char *name;
    nm_type type;
    int32_t rank;
    int64_t dims[NM_MAX_DIMS];
    const char *symbols[NM_MAX_DIMS];
} nm_value_info;

/* ---- options --------------------------------------------------------------------------------- */
/* Each struct starts with its own size, so that fields can be added. Start from the INIT macro:
 *     nm_session_options o = NM_SESSION_OPTIONS_INIT;  o.threads = 2;
 * Everywhere an options pointer may be NULL: all defaults. */

typedef enum nm_isa {
    NM_ISA_AUTO = 0,  /* the best that the CPU has */
    NM_ISA_REF = 1,   /* plain C only, no oneDNN: slow, the meaning of each operation */
    NM_ISA_AVX2 = 2,  /* caps libnm's own kernels at AVX2 + FMA */
    NM_ISA_AVX512 = 3 /* AVX-512 F, BW, DQ, VL */
} nm_isa;

/* The best instruction set that this CPU and operating system offer to libnm's kernels. */
NM_API nm_isa nm_isa_best(void);

/* "ref", "avx2", "avx512" or "auto". Static. */
NM_API const char *nm_isa_name(nm_isa isa);

/* Threads a session uses by default: the process's CPU affinity and cgroup quota, at least 1. */
NM_API int32_t nm_default_threads(void);

/* Receives one line without a newline. level 0: warning, 1: information, 2: detail. */
typedef void (*nm_log_fn)(void *user, int level, const char *line);

/* Bounds on what a file may cost, on by default; 0 in a field means the default in brackets. */
typedef struct nm_limits {
    size_t struct_size;
    uint64_t model_bytes;         /* size of the model file [2 GiB] */
    uint64_t external_bytes;      /* external data in all [16 GiB] */
    uint64_t decoded_bytes;       /* heap of the decoded messages [8 x file + 16 MiB] */
    uint64_t nodes;               /* [100000] */
    uint64_t tensors;             /* values and constants [400000] */
    uint64_t elements;            /* elements of one tensor [2^31 - 1] */
    uint64_t folded_bytes;        /* size of one constant made by folding [64 MiB] */
    uint64_t load_work;           /* element operations of all folding [10^10] */
    uint64_t session_bytes;       /* arena of one plan [80 % of the memory the process may use] */
    uint32_t message_depth;       /* nesting of messages in the file [32] */
    uint32_t plans;               /* plans kept per session [16] */
    uint64_t plan_bytes;          /* arenas of all plans kept per session, but for one [256 MiB] */
} nm_limits;
#define NM_LIMITS_INIT { sizeof(nm_limits), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef struct nm_load_options {
    size_t struct_size;
    const nm_limits *limits;   /* NULL: all defaults */
    const char *external_dir;  /* where external data lies; NULL: the model file's own folder, and
                                  none for nm_model_load_memory */
    nm_log_fn log;             /* may be NULL */
    void *log_user;
    int32_t no_optimize;       /* nonzero: keep the graph as it is in the file (for debugging) */
} nm_load_options;
#define NM_LOAD_OPTIONS_INIT { sizeof(nm_load_options), NULL, NULL, NULL, NULL, 0 }

typedef enum nm_precision {
    NM_PRECISION_F32 = 0, /* strict: float32 operands and sums */
    NM_PRECISION_HALF = 1 /* 16-bit operands are permitted where they are faster; elsewhere as F32.
                             bfloat16, float32 sums: CPUs with AVX512_BF16 or AMX_BF16. float16 in
                             sparse convolutions: CPUs with AVX512_FP16; sums of one block of
                             channels are float16, those of all float32, and what such a layer
                             makes beyond 65504 is infinite */
} nm_precision;

typedef struct nm_session_options {
    size_t struct_size;
    int32_t threads;        /* 0: nm_default_threads() */
    nm_isa isa;             /* cap; more than the CPU has is NM_EUNSUPPORTED */
    nm_precision precision;
    int32_t dense;          /* nonzero: use no sparse kernel */
    int32_t effort;         /* time for planning: -1 least (first guesses only), 0 default,
                               1 some six times as long, for a machine that is not quiet */
    int32_t fixed_plan;     /* nonzero: choose by rule, not by measuring: the same plan, and so the
                               same bits, in every run on one instruction set */
    const char *cache_file; /* measurements are kept here; NULL: not kept */
    const nm_limits *limits;
    nm_log_fn log;
    void *log_user;
} nm_session_options;
#define NM_SESSION_OPTIONS_INIT \
    { sizeof(nm_session_options), 0, NM_ISA_AUTO, NM_PRECISION_F32, 0, 0, 0, NULL, NULL, NULL, NULL }

/* Returns nonzero to stop: the call then fails with NM_ECANCELED and leaves nothing behind. done is
 * in 0..1 and never falls; what names the work. Called from the caller's thread. */
typedef int (*nm_progress_fn)(void *user, double done, const char *what);

/*
 * Inputs for calibration or judging, by number: of a model with one float32 input whose first
 * dimension counts items. They are read again and again, so that they need not all be in memory.
 */
typedef struct nm_data {
    size_t struct_size;
    int64_t items;
    int32_t rank;               /* of one item */
    int64_t dims[NM_MAX_DIMS];  /* of one item: 3, 32, 32 */
    /* Writes items [first, first + count), row-major. Any status but NM_OK ends the call with that
     * status; error is never NULL. The same items must come out each time; NaN is refused. */
    nm_status (*read)(void *user, int64_t first, int64_t count, float *into, nm_error *error);
    void *user;
    const int64_t *labels;      /* the right class of each item; NULL: not known */
} nm_data;
#define NM_DATA_INIT { sizeof(nm_data), 0, 0, { 0 }, NULL, NULL, NULL }

typedef enum nm_prune_method {
    NM_PRUNE_MAGNITUDE_UNIFORM = 0, /* in each layer the smallest |w| go (Han et al. 2015) */
    NM_PRUNE_MAGNITUDE_GLOBAL = 1,  /* one threshold over all layers */
    NM_PRUNE_RECONSTRUCT = 2        /* layer by layer: the mask by ADMM (Boza 2024), the weights left by
                                       least squares against the dense network's outputs on data */
} nm_prune_method;

/*
 * Layers are named by their weight or node; in lists they are given as shell patterns ('*', '?').
 * The first convolution, the classifier (the last weighted layer) and depthwise convolutions stay
 * dense, as in Neural Magic's recipes, unless layers are given.
 *
 * A recipe says the same layer by layer (docs/recipes.md); with one, layers and exclude must be
 * empty and sparsity is what it says or 0.
 *
 * speedup and max_drop ask for a profile of sparsities that is found by measuring (SPDY, Frantar and
 * Alistarh 2022): errors and this library's times by layer, dynamic programming, each candidate
 * judged by running it. They need NM_PRUNE_RECONSTRUCT.
 */
typedef struct nm_prune_options {
    size_t struct_size;
    double sparsity;            /* share of zeros in each pruned layer (global: in all), 0..1 */
    nm_prune_method method;
    const char *const *layers;  /* patterns of the layers to prune; overrides the default choice */
    size_t n_layers;            /* 0: all convolutions and fully connected layers but those above */
    const char *const *exclude; /* patterns of layers to leave dense */
    size_t n_exclude;
    const char *pattern;        /* of zeros: "any" (NULL), "4x1", "2x1" (rows x columns of a block:
                                   output channels x input channels), "1x4", "2:4" (2 of 4 input
                                   channels stay), "filter" (whole output channels) */
    const char *recipe;         /* text, not a path; NULL: none */
    const nm_data *data;        /* to calibrate with; NM_PRUNE_RECONSTRUCT needs it */
    const nm_data *judge;       /* to judge candidates with; NULL: every third item of data, which is
                                   then not calibrated with */
    double speedup;             /* of the whole network over its dense run, such as 3; 0: not asked */
    double max_drop;            /* the fastest network whose share of right answers on judge falls by
                                   at most this (0.01: one point); without labels: whose answers
                                   differ from the dense network's in at most this share; 0: not asked */
    int32_t effort;             /* -1: no rounds after the first solution, a third of the time;
                                   0: 4 rounds of ReLU-aware targets */
    int32_t threads;            /* 0: nm_default_threads(); the result does not depend on it */
    uint64_t seed;              /* which positions of feature maps are sampled */
    uint64_t memory_bytes;      /* for activations that are kept [4 GiB]; less costs time, and may change
                                   the result in its last bits */
    const char *cache_file;     /* of measured times, as in nm_session_options */
    nm_progress_fn progress;    /* may be NULL */
    void *progress_user;
    nm_log_fn log;              /* may be NULL: what became of each candidate that was tried */
    void *log_user;
} nm_prune_options;
#define NM_PRUNE_OPTIONS_INIT                                                                     \
    { sizeof(nm_prune_options), 0.0, NM_PRUNE_MAGNITUDE_UNIFORM, NULL, 0, NULL, 0, NULL, NULL,    \
      NULL, NULL, 0.0, 0.0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL }

typedef struct nm_save_options {
    size_t struct_size;
    int32_t sparse; /* nonzero: pruned weights as sparse_initializer (COO) instead of dense zeros */
    const char *const *meta; /* metadata_props to write: key, value, key, value...; a key that the
                                file has is replaced */
    size_t n_meta;           /* pairs in meta */
} nm_save_options;
#define NM_SAVE_OPTIONS_INIT { sizeof(nm_save_options), 0, NULL, 0 }

/* ---- models ---------------------------------------------------------------------------------- */

typedef struct nm_model nm_model;
typedef struct nm_session nm_session;

/*
 * Reads an ONNX model (opset 7 to 21), checks and optimises it. A model with operators that libnm
 * does not know is refused here, with the list of them, never later. *model is set on success only
 * and is freed with nm_model_free.
 * Errors: NM_EIO, NM_EFORMAT, NM_EUNSUPPORTED, NM_ELIMIT, NM_ESHAPE, NM_ETYPE, NM_ENOMEM, NM_EINVAL.
 */
NM_API nm_status nm_model_load(const char *path, const nm_load_options *options, nm_model **model,
                               nm_error *error);

/* The same from memory, which is copied: the caller may free it afterwards. */
NM_API nm_status nm_model_load_memory(const void *bytes, size_t size,
                                      const nm_load_options *options, nm_model **model,
                                      nm_error *error);

/*
 * A new model with zeros among its weights; NM_PRUNE_RECONSTRUCT also changes the weights that stay
 * and the biases. The old one stays as it is. What was done stands in the new model's metadata
 * (nm.recipe, nm.method, nm.data ...), see NM_DESCRIBE_PRUNE.
 * Errors: NM_EINVAL (options, a recipe's line, NaN in weights or data), NM_EUNSUPPORTED (weights that
 * the graph computes; data for a model of several inputs), NM_ESHAPE, NM_ENOMEM, NM_ECANCELED.
 */
NM_API nm_status nm_model_prune(const nm_model *model, const nm_prune_options *options,
                                nm_model **pruned, nm_error *error);

/*
 * What pruning would cost, layer by layer: for a grid of sparsities the relative error of the layer's
 * output (as NM_PRUNE_RECONSTRUCT would leave it, inputs from the dense network) and the time that
 * this library needs for it here, as JSON (docs/cli.md, nmie analyze); free it with nm_string_free.
 * Of options: layers, exclude, pattern, recipe, data, threads, seed, memory_bytes, cache_file,
 * progress, log. Without data there are times only.
 */
NM_API nm_status nm_model_analyze(const nm_model *model, const nm_prune_options *options,
                                  char **json, nm_error *error);

/* The float32 weights of convolutions and fully connected layers, in the file's order and layout;
 * NULL when index is out of range. The result belongs to the model. */
typedef struct nm_weight {
    const char *name; /* of the initialiser */
    const char *node; /* that uses it */
    int32_t rank;
    int64_t dims[NM_MAX_DIMS];
    const float *data;
} nm_weight;
NM_API size_t nm_model_weights(const nm_model *model);
NM_API const nm_weight *nm_model_weight(const nm_model *model, size_t index);

/* Writes the model as ONNX: the graph as it was in the file, with today's weights. The file appears
 * whole or not at all (a temporary file beside it is renamed). */
NM_API nm_status nm_model_save(const nm_model *model, const char *path,
                               const nm_save_options *options, nm_error *error);

/* Inputs and outputs, in the file's order; initialisers that are also listed as inputs are not
 * counted. NULL when index is out of range. The result belongs to the model. */
NM_API size_t nm_model_inputs(const nm_model *model);
NM_API size_t nm_model_outputs(const nm_model *model);
NM_API const nm_value_info *nm_model_input(const nm_model *model, size_t index);
NM_API const nm_value_info *nm_model_output(const nm_model *model, size_t index);

typedef enum nm_describe {
    NM_DESCRIBE_GRAPH = 0,  /* model: the graph of the file */
    NM_DESCRIBE_OPT = 1,    /* model: the optimised graph */
    NM_DESCRIBE_SPARSE = 2, /* model: zeros per layer */
    NM_DESCRIBE_PLAN = 3,   /* session: steps, kernels, candidates, reasons of the last plan */
    NM_DESCRIBE_MEMORY = 4, /* session: bytes of arena, packed weights, plans */
    NM_DESCRIBE_PROFILE = 5, /* session: time per step over the last run (see docs/cli.md) */
    NM_DESCRIBE_PRUNE = 6    /* model: what nm_model_prune did: layers, sparsity, errors, recipe */
} nm_describe;

/* A JSON text about the model (documented in docs/cli.md); free it with nm_string_free. */
NM_API nm_status nm_model_describe(const nm_model *model, nm_describe what, char **json,
                                   nm_error *error);
NM_API void nm_string_free(char *string);

/* Gives up the caller's reference; sessions keep the model alive. NULL is allowed. */
NM_API void nm_model_free(nm_model *model);

/* ---- sessions -------------------------------------------------------------------------------- */

/* A session runs one model. *session is set on success only. Errors: NM_EINVAL, NM_ENOMEM,
 * NM_EUNSUPPORTED (an instruction set or precision that this CPU lacks). */
NM_API nm_status nm_session_create(nm_model *model, const nm_session_options *options,
                                   nm_session **session, nm_error *error);

/*
 * Runs the model once: in[0..n_in) must hold each input exactly once; out[0..n_out) may ask for any
 * of the outputs. A shape that the session has not seen yet is planned first (which measures, and
 * takes a moment); a shape that it knows allocates nothing and takes no lock. Floating-point state
 * of the caller is left as it was; denormals count as zero inside.
 * Errors: NM_EINVAL, NM_ESHAPE, NM_ETYPE, NM_ELIMIT, NM_ENOMEM, NM_EBUSY, NM_EINTERNAL.
 */
NM_API nm_status nm_run(nm_session *session, const nm_tensor *in, size_t n_in, nm_tensor *out,
                        size_t n_out, nm_error *error);

/* Plans for these input shapes now, so that the first nm_run of them does not. The data of inputs
 * is read only where shapes depend on it (a Reshape's shape, a Slice's bounds); it may be NULL for
 * all other inputs. */
NM_API nm_status nm_session_prepare(nm_session *session, const nm_tensor *in, size_t n_in,
                                    nm_error *error);

/* A JSON text about the session's last plan; free it with nm_string_free. */
NM_API nm_status nm_session_describe(nm_session *session, nm_describe what, char **json,
                                     nm_error *error);

/* One layer of a run. Times are of one run, summed over the images that run one by one; where
 * threads take whole images, of those of the first thread. Numbers that are not known are 0. */
typedef struct nm_layer_profile {
    const char *node, *op;     /* of the optimised graph */
    const char *kernel;        /* ours: "..__avx512" and the like; oneDNN's name of its own;
                                  "evaluation": plain C; "none": nothing to compute */
    const char *reason;        /* why it was chosen */
    const char *candidates;    /* what was looked at: "name ms, name ms (chosen), ..." */
    int32_t rank, weight_rank; /* weight_rank: 0 without a constant weight */
    int64_t shape[NM_MAX_DIMS], weight[NM_MAX_DIMS]; /* of the result (of one image where images run
                                                        one by one), and of the weight */
    double sparsity;           /* share of zeros in the weight, 0..1; -1: no weight */
    double macs;               /* multiply-accumulates on nonzeros, of all that ms stands for */
    double ms, expected_ms;    /* what the layer computes; the same alone, when it was planned */
    double moving_ms;          /* conversions, frames and copies that it asked for */
    double gflops;             /* 2 macs / ms, all threads together */
    double bound_percent;      /* gflops as a share of bound_gflops x threads */
    double bytes;              /* operands, result and packed weights, each counted once */
    double weight_bytes;       /* packed weights alone */
} nm_layer_profile;

/* The last run of a session. Later versions may add fields at the ends of both structs. */
typedef struct nm_profile {
    double ms;                 /* all layers, moving included */
    double bound_gflops;       /* what one core reaches with FMA whose operand is in L1, measured */
    int32_t threads;
    size_t n_layers;
    const nm_layer_profile *const *layers; /* in the order in which they run */
} nm_profile;

/* Where the time of the session's last nm_run went; *profile is a copy that outlives the session and
 * is freed with nm_profile_free. The first call measures bound_gflops, for some 50 ms.
 * Errors: NM_EINVAL (also: nothing has run yet), NM_EBUSY, NM_ENOMEM. */
NM_API nm_status nm_session_profile(nm_session *session, nm_profile **profile, nm_error *error);
NM_API void nm_profile_free(nm_profile *profile);

NM_API void nm_session_free(nm_session *session);

#ifdef __cplusplus
}
#endif
#endif
