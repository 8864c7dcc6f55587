/* The keys of a training configuration: one table from which setting, reading, --help keys and the
 * configuration stored in models and checkpoints all come. */
#include "settings.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "fileio.h"
#include "internal.h"
#include "json.h"
#include "yaml.h"

typedef enum key_kind {
    KEY_INT,   /* int32_t */
    KEY_SEED,  /* uint64_t */
    KEY_FLOAT, /* float */
    KEY_REAL,  /* double */
    KEY_FLAG,  /* bool */
    KEY_WORD,  /* an enum: the words of its range, in order of value */
    KEY_TEXT,  /* char [] */
    KEY_LIST   /* int32_t [UW_MAX_CONV_LAYERS], one per convolution */
} key_kind;

/* Numbers: type, key, member, lowest, highest, unit, help.  The other lists leave out what they
 * have no use for; words stand in the order of their enum's values. */
#define NUMBER_KEYS(X)                                                                             \
    X(INT, window, window, 2, 1024, "frames", "frames per training window (T)")                    \
    X(INT, batch, batch, 1, 65536, "windows", "windows per step (B)")                              \
    X(INT, episode_windows, episode_windows, 1, 65536, "windows",                                  \
      "windows of a step from one episode; above 1, SIGReg sees what differs within it")           \
    X(INT, accumulate, accumulate, 1, 65536, "",                                                   \
      "micro-batches that a step is cut into; BatchNorm, SIGReg and VICReg see one at a time")     \
    X(INT, encoder_chunk, encoder_chunk, 0, 1000000000, "frames",                                  \
      "encoder activations kept at once, the others computed again; 0 = automatic")                \
    X(INT, steps, steps, 1, 1000000000, "", "optimiser steps; setting it clears stop_epoch")       \
    X(INT, schedule_steps, schedule_steps, 0, 1000000000, "",                                      \
      "length of the cosine; 0 = steps; setting it clears schedule_epochs")                        \
    X(INT, predictor_steps, predictor_steps, 0, 1000000000, "",                                    \
      "steps behind those on the predictor alone, the encoder standing still; 0 = none")           \
    X(INT, predictor_batch, predictor_batch, 1, 65536, "windows", "windows per such step")         \
    X(INT, stop_epoch, stop_epoch, 0, 1000000, "epochs",                                           \
      "stop after: steps = epochs x (windows / batch); 0 = by steps")                              \
    X(INT, schedule_epochs, schedule_epochs, 0, 1000000, "epochs",                                 \
      "length of the cosine, 1% of it warm-up; 0 = by schedule_steps, warmup_steps")               \
    X(REAL, minutes, minutes, 0, 1000000, "min", "stop after; 0 = no limit")                       \
    X(FLOAT, lr, lr, 0, 1e30, "", "peak learning rate")                                            \
    X(FLOAT, lr_final_fraction, lr_final_fraction, 0, 1, "", "where the cosine ends, of the peak") \
    X(INT, warmup_steps, warmup_steps, 0, 1000000000, "", "steps of linear warm-up")               \
    X(FLOAT, beta1, beta1, 0, 0.999999, "", "AdamW: decay of the first moment")                    \
    X(FLOAT, beta2, beta2, 0, 0.999999, "", "AdamW: decay of the second moment")                   \
    X(FLOAT, adam_eps, adam_eps, 1e-30, 1, "", "AdamW: added to the root")                         \
    X(FLOAT, weight_decay, weight_decay, 0, 1000, "", "decoupled decay, on every parameter")       \
    X(FLOAT, clip_norm, clip_norm, 0, 1e30, "", "largest gradient norm; 0 = no clipping")          \
    X(FLOAT, prediction_weight, prediction_weight, 0, 1e6, "",                                     \
      "weight of the teacher-forced loss")                                                         \
    X(FLOAT, rollout_weight, rollout_weight, 0, 1e6, "", "weight of the open-loop loss")           \
    X(INT, rollout_steps, rollout_steps, 2, 1023, "", "predictions fed back, at most window - 1")  \
    X(FLOAT, sigreg_weight, sigreg_weight, 0, 1e6, "", "weight of SIGReg")                         \
    X(INT, sigreg_directions, sigreg_directions, 1, 65536, "", "random directions per step")       \
    X(INT, sigreg_knots, sigreg_knots, 2, 33, "", "knots of the quadrature on [0, 3]")             \
    X(FLOAT, inverse_weight, inverse_weight, 0, 1e6, "", "weight of the inverse-dynamics loss")    \
    X(FLOAT, vicreg_weight, vicreg_weight, 0, 1e6, "", "weight of VICReg's two terms")             \
    X(FLOAT, prediction_ramp, prediction_ramp, 0, 1, "",                                           \
      "fraction of training over which prediction and rollout weights grow from 0")                \
    X(INT, extra_frames, extra_frames, 0, 65536, "frames",                                         \
      "single frames per step beside the windows, for SIGReg and the readout")                     \
    X(FLOAT, readout_weight, readout_weight, 0, 1e6, "", "weight of the readout's loss")           \
    X(FLOAT, augment_nominal_all, augment_nominal_all, 0, 1, "",                                   \
      "probability of the nominal look")                                                           \
    X(FLOAT, augment_nominal_each, augment_nominal_each, 0, 1, "",                                 \
      "redraw: probability that one factor stays nominal")                                         \
    X(FLOAT, augment_min_contrast, augment_min_contrast, 0, 1, "RGB",                              \
      "least distance of the agent's colour from the floor's")                                     \
    X(FLOAT, augment_ramp_start, augment_ramp_start, 0, 1, "",                                     \
      "fraction of training: first looks")                                                         \
    X(FLOAT, augment_ramp_end, augment_ramp_end, 0, 1, "", "fraction of training: full strength")  \
    X(FLOAT, augment_per_window, augment_per_window, 0, 1, "",                                     \
      "fraction of windows with one look over all frames")                                         \
    X(REAL, holdout, holdout, 0, 0.9, "", "fraction of episodes kept for validation")              \
    X(INT, checkpoint_every, checkpoint_every, 0, 1000000000, "steps", "0 = automatic")            \
    X(INT, gauge_every, gauge_every, 1, 1000000000, "steps", "between rows of the log")            \
    X(INT, milestone_every, milestone_every, 0, 1000000000, "steps", "kept models; 0 = none")      \
    X(INT, image_size, image_size, 0, 1024, "px",                                                  \
      "the middle square of frames is resized to this; 0 = as recorded")                           \
    X(INT, observe_dim, model.observe_dim, 0, 65536, "", "sensor numbers; taken from the data")    \
    X(INT, action_dim, model.action_dim, 0, 65536, "", "action numbers; taken from the data")      \
    X(INT, frameskip, model.frameskip, 1, 1024, "rows", "dataset rows per model step")             \
    X(INT, history_size, model.history_size, 1, 16, "frames", "frames that the predictor sees")    \
    X(INT, action_history, model.action_history, 0, 256, "rows",                                   \
      "last actions of the decision before, which the predictor sees too")                         \
    X(INT, conv_layers, model.conv_layers, 0, 8, "", "convolutions")                               \
    X(INT, vit_patch, model.vit_patch, 0, 4096, "px", "ViT: side of a patch")                      \
    X(INT, vit_dim, model.vit_dim, 0, 65536, "", "ViT: width")                                     \
    X(INT, vit_layers, model.vit_layers, 0, 256, "", "ViT: blocks")                                \
    X(INT, vit_heads, model.vit_heads, 0, 256, "", "ViT: heads")                                   \
    X(INT, vit_mlp_dim, model.vit_mlp_dim, 0, 65536, "", "ViT: hidden width")                      \
    X(INT, mlp_layers, model.mlp_layers, 0, 64, "",                                                \
      "MLP encoder: hidden layers; couplings of encoder=coupling")                                 \
    X(INT, mlp_dim, model.mlp_dim, 0, 65536, "", "MLP encoder: hidden width")                      \
    X(INT, projector_dim, model.projector_dim, 0, 65536, "", "hidden width; 0 = one linear layer") \
    X(INT, latent_dim, model.latent_dim, 1, 65536, "", "numbers of a latent (D)")                  \
    X(INT, action_smooth_dim, model.action_smooth_dim, 0, 65536, "",                               \
      "action encoder: first width; 0 = the actions themselves")                                   \
    X(INT, action_hidden_dim, model.action_hidden_dim, 0, 65536, "", "action encoder: hidden")     \
    X(INT, predictor_layers, model.predictor_layers, 0, 256, "", "AdaLN: blocks")                  \
    X(INT, predictor_heads, model.predictor_heads, 0, 256, "", "AdaLN: heads")                     \
    X(INT, predictor_head_dim, model.predictor_head_dim, 0, 4096, "", "AdaLN: width of a head")    \
    X(INT, predictor_mlp_dim, model.predictor_mlp_dim, 1, 65536, "", "predictor: hidden width")    \
    X(FLOAT, dropout, model.dropout, 0, 0.99, "", "in the AdaLN predictor, training only")         \
    X(INT, pred_proj_dim, model.pred_proj_dim, 0, 65536, "", "prediction projector; 0 = none")     \
    X(INT, inverse_dim, model.inverse_dim, 0, 65536, "", "inverse-dynamics head; 0 = none")        \
    X(INT, readout_dim, model.readout_dim, 0, 65536, "",                                           \
      "numbers of the readout; taken from the data")
#define FLAG_KEYS(X)                                                                               \
    X(warmup_from_zero, warmup_from_zero, "the first step has learning rate 0")                    \
    X(shuffle_epochs, shuffle_epochs,                                                              \
      "every window once per epoch; false: every batch draws anew")                                \
    X(sigreg_per_step, sigreg_per_step, "each time step is its own sample")                        \
    X(sigreg_times_n, sigreg_times_n, "multiply the statistic by its sample size")                 \
    X(normalise_actions, normalise_actions, "z-score the actions")
#define SEED_KEYS(X) X(seed, seed, "0 .. 2^64 - 1", "of weights, batches, looks and directions")
#define WORD_KEYS(X)                                                                               \
    X(augment, augment, "none|colour|redraw", "looks of training frames")                          \
    X(precision, precision, "f32|bf16",                                                            \
      "of the operands of products, convolutions apart; sums, weights, gradients, norms and "      \
      "losses are f32")                                                                            \
    X(input, model.input, "scaled|imagenet|floor_relative|columns|centred",                        \
      "what the encoder is fed")                                                                   \
    X(conv_norm, model.conv_norm, "none|batch", "BatchNorm after every convolution")               \
    X(encoder, model.encoder, "conv|vit|mlp|coupling", "kind of encoder")                          \
    X(predictor, model.predictor, "mlp|adaln|none",                                                \
      "kind of predictor; none = the next latent is wanted to be the same")
#define TEXT_KEYS(X)                                                                               \
    X(observe, observe,                                                                            \
      "columns that the model sees, comma-separated; empty = pixels, or sensors")                  \
    X(action, action, "column of actions; empty = action, none = there are none")                  \
    X(augment_factors, augment_factors, "redraw: factors drawn at random, comma-separated")        \
    X(readout, readout,                                                                            \
      "labels for a linear head: NAME, NAME[i], NAME[i-j], :rad behind angles; empty = none")
#define LIST_KEYS(X)                                                                               \
    X(conv_channels, model.conv_channels, "channels of every convolution, comma-separated")        \
    X(conv_kernel, model.conv_kernel, "kernel sizes")                                              \
    X(conv_stride, model.conv_stride, "strides")                                                   \
    X(conv_pad, model.conv_pad, "paddings")

/* clang-format off */
/* The public half of a key, and the private half beside it, in the same order. */
static const uw_train_key public_keys[] = {
#define X(name, member, help) {#name, "text", "", "", help},
    TEXT_KEYS(X)
#undef X
#define X(name, member, words, help) {#name, "word", "", words, help},
    WORD_KEYS(X)
#undef X
#define TYPE_INT   "integer"
#define TYPE_FLOAT "number"
#define TYPE_REAL  "number"
#define X(kind, name, member, low, high, unit, help)                                               \
    {#name, TYPE_##kind, unit, #low " .. " #high, help},
    NUMBER_KEYS(X)
#undef X
#define X(name, member, help) {#name, "flag", "", "true|false", help},
    FLAG_KEYS(X)
#undef X
#define X(name, member, range, help) {#name, "integer", "", range, help},
    SEED_KEYS(X)
#undef X
#define X(name, member, help) {#name, "integers", "", "at most 8, 0 .. 65536", help},
    LIST_KEYS(X)
#undef X
};

typedef struct key_place {
    key_kind kind;
    size_t offset, size;
    double low, high;
} key_place;

static const key_place places[] = {
#define PLACE(kind, member, low, high)                                                             \
    {KEY_##kind, offsetof(uw_train_config, member), sizeof(((uw_train_config *)0)->member), low,   \
     high},
#define X(name, member, help) PLACE(TEXT, member, 0, 0)
    TEXT_KEYS(X)
#undef X
#define X(name, member, words, help) PLACE(WORD, member, 0, 0)
    WORD_KEYS(X)
#undef X
#define X(kind, name, member, low, high, unit, help) PLACE(kind, member, low, (double)(high))
    NUMBER_KEYS(X)
#undef X
#define X(name, member, help) PLACE(FLAG, member, 0, 0)
    FLAG_KEYS(X)
#undef X
#define X(name, member, range, help) PLACE(SEED, member, 0, 0)
    SEED_KEYS(X)
#undef X
#define X(name, member, help) PLACE(LIST, member, 0, 65536)
    LIST_KEYS(X)
#undef X
};
/* clang-format on */
enum { NUM_KEYS = sizeof public_keys / sizeof public_keys[0] };
_Static_assert(sizeof places / sizeof places[0] == NUM_KEYS, "one place per key");

const uw_train_key *uw_train_keys(int32_t *count) {
    *count = NUM_KEYS;
    return public_keys;
}

static int find_key(const char *name) {
    for (int i = 0; i < NUM_KEYS; i++) {
        if (strcmp(public_keys[i].name, name) == 0) return i;
    }
    return -1;
}

/* Return the index of `word` among the words of "a|b|c", or -1. */
static int word_index(const char *words, const char *word) {
    const size_t length = strlen(word);
    int index = 0;
    for (const char *at = words;; index++) {
        const char *end = strchr(at, '|');
        const size_t n = end ? (size_t)(end - at) : strlen(at);
        if (n == length && memcmp(at, word, n) == 0) return index;
        if (!end) return -1;
        at = end + 1;
    }
}

static uw_status out_of_range(int key, const char *value, uw_err *err) {
    const uw_train_key *k = &public_keys[key];
    uw_fail(err, UW_EINVAL, "%s: wanted %s%s%s, got %.60s", k->name, *k->range ? k->range : k->type,
            *k->unit ? " " : "", k->unit, *value ? value : "nothing");
    uw_err_fix(err, "umwelt train --help keys lists every key with its range");
    return UW_EINVAL;
}

static bool parse_flag(const char *text, bool *out) {
    const bool yes = !strcmp(text, "true") || !strcmp(text, "1") || !strcmp(text, "yes");
    const bool no = !strcmp(text, "false") || !strcmp(text, "0") || !strcmp(text, "no");
    *out = yes;
    return yes || no;
}

static bool parse_seed(const char *text, uint64_t *out) {
    uint64_t value = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        if (__builtin_mul_overflow(value, 10u, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) return false;
    }
    *out = value;
    return true;
}

static bool parse_list(const char *text, int32_t list[UW_MAX_CONV_LAYERS]) {
    memset(list, 0, UW_MAX_CONV_LAYERS * sizeof *list);
    for (int n = 0; *text; n++) {
        char *end = NULL;
        const long value = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
        if (n == UW_MAX_CONV_LAYERS || value < 0 || value > 65536) return false;
        if (*end && (*end != ',' || !end[1])) return false;
        list[n] = (int32_t)value;
        text = *end ? end + 1 : end;
    }
    return true;
}

/* A number inside the key's range; integers must be whole. */
static bool parse_number(const key_place *place, const char *text, double *out) {
    if (!uw__parse_f64(text, out) || !isfinite(*out)) return false;
    if (place->kind == KEY_INT && *out != floor(*out)) return false;
    return *out >= place->low && *out <= place->high;
}

uw_status uw_train_set(uw_train_config *config, const char *key, const char *value, uw_err *err) {
    const int i = find_key(key);
    if (i < 0) {
        const char *names[NUM_KEYS];
        for (int j = 0; j < NUM_KEYS; j++) names[j] = public_keys[j].name;
        const char *nearest = uw__nearest(key, names, NUM_KEYS);
        uw_fail(err, UW_EINVAL, "%.60s: there is no such key", key);
        if (nearest)
            uw_err_fix(err, "did you mean %s?", nearest);
        else
            uw_err_fix(err, "umwelt train --help keys lists them all");
        return UW_EINVAL;
    }
    const key_place *place = &places[i];
    void *at = (char *)config + place->offset;
    double number = 0.0;
    int32_t list[UW_MAX_CONV_LAYERS];
    int word;

    switch (place->kind) {
    case KEY_TEXT:
        if (strlen(value) >= place->size) return out_of_range(i, value, err);
        memset(at, 0, place->size);
        memcpy(at, value, strlen(value));
        return UW_OK;
    case KEY_WORD:
        word = word_index(public_keys[i].range, value);
        if (word < 0) return out_of_range(i, value, err);
        memcpy(at, &word, sizeof word);
        return UW_OK;
    case KEY_FLAG:
        return parse_flag(value, at) ? UW_OK : out_of_range(i, value, err);
    case KEY_SEED:
        return parse_seed(value, at) ? UW_OK : out_of_range(i, value, err);
    case KEY_LIST:
        if (!parse_list(value, list)) return out_of_range(i, value, err);
        memcpy(at, list, sizeof list);
        return UW_OK;
    default:
        break;
    }
    if (!parse_number(place, value, &number)) return out_of_range(i, value, err);
    /* Whoever counts in steps no longer counts in epochs. */
    if (!strcmp(key, "steps")) config->stop_epoch = 0;
    if (!strcmp(key, "schedule_steps")) config->schedule_epochs = 0;
    if (place->kind == KEY_INT)
        *(int32_t *)at = (int32_t)number;
    else if (place->kind == KEY_FLOAT)
        *(float *)at = (float)number;
    else
        *(double *)at = number;
    return UW_OK;
}

static int print_list(const int32_t *list, char *text, size_t size) {
    int used = 0, n = UW_MAX_CONV_LAYERS;
    while (n > 0 && list[n - 1] == 0) n--; /* what is not listed is 0 */
    text[0] = '\0';
    for (int i = 0; i < n && used >= 0 && (size_t)used < size; i++) {
        used += snprintf(text + used, size - (size_t)used, "%s%" PRId32, i ? "," : "", list[i]);
    }
    return used;
}

static int print_word(const char *words, int index, char *text, size_t size) {
    while (index-- > 0 && strchr(words, '|')) words = strchr(words, '|') + 1;
    return snprintf(text, size, "%.*s", (int)strcspn(words, "|"), words);
}

static int print_key(const uw_train_config *config, int i, char *text, size_t size) {
    const void *at = (const char *)config + places[i].offset;
    switch (places[i].kind) {
    case KEY_INT:
        return snprintf(text, size, "%" PRId32, *(const int32_t *)at);
    case KEY_SEED:
        return snprintf(text, size, "%" PRIu64, *(const uint64_t *)at);
    case KEY_FLOAT:
        return uw__format_f32(text, size, *(const float *)at);
    case KEY_REAL:
        return uw__format_f64(text, size, *(const double *)at);
    case KEY_FLAG:
        return snprintf(text, size, "%s", *(const bool *)at ? "true" : "false");
    case KEY_WORD:
        return print_word(public_keys[i].range, *(const int *)at, text, size);
    case KEY_LIST:
        return print_list(at, text, size);
    default:
        return snprintf(text, size, "%s", (const char *)at);
    }
}

uw_status uw_train_get(const uw_train_config *config, const char *key, char *text, size_t size) {
    const int i = find_key(key);
    if (i < 0) return UW_ENOTFOUND;
    const int length = print_key(config, i, text, size);
    return length >= 0 && (size_t)length < size ? UW_OK : UW_ENOMEM;
}

static uw_status set_pair(void *arg, const char *key, const char *value, int32_t line,
                          uw_err *err) {
    uw_err inner = {0};
    const uw_status s = uw_train_set(arg, key, value, &inner);
    if (s) {
        uw_fail(err, s, "line %" PRId32 ": %s", line, inner.text);
        uw_err_fix(err, "%s", inner.fix);
    }
    return s;
}

uw_status uw_train_config_load(const char *path, uw_train_config *config, uw_err *err) {
    uw_train_config copy = *config; /* all or nothing */
    const uw_status s = uw__yaml_flat(path, set_pair, &copy, err);
    if (!s) *config = copy;
    return s;
}

char *uw__settings_json(const uw_train_config *config) {
    uw_json *json = uw__json_new();
    char text[512], *dump = NULL;
    if (!json) return NULL;
    uw__json_set_str(json, "preset", config->preset);
    for (int i = 0; i < NUM_KEYS; i++) {
        const void *at = (const char *)config + places[i].offset;
        print_key(config, i, text, sizeof text);
        /* Numbers as numbers; a float as the double its shortest exact text means, so that it reads
         * back; a seed as text, for JSON has no 64-bit integers everywhere. */
        double number = 0.0;
        if (places[i].kind == KEY_FLAG)
            uw__json_set_bool(json, public_keys[i].name, *(const bool *)at);
        else if (places[i].kind == KEY_INT)
            uw__json_set_i64(json, public_keys[i].name, *(const int32_t *)at);
        else if ((places[i].kind == KEY_FLOAT || places[i].kind == KEY_REAL) &&
                 uw__parse_f64(text, &number))
            uw__json_set_f64(json, public_keys[i].name, number);
        else
            uw__json_set_str(json, public_keys[i].name, text);
    }
    dump = uw__json_dump(json);
    uw__json_free(json);
    return dump;
}

/* The value of a key in a stored configuration as the text that uw_train_get would print. */
static bool stored_text(const uw_json *json, int i, char *text, size_t size) {
    const char *name = public_keys[i].name, *string;
    int64_t integer;
    double number;
    bool flag;
    switch (places[i].kind) {
    case KEY_FLAG:
        if (!uw__json_get_bool(json, name, &flag)) return false;
        snprintf(text, size, "%s", flag ? "true" : "false");
        return true;
    case KEY_INT:
        if (!uw__json_get_i64(json, name, &integer)) return false;
        snprintf(text, size, "%" PRId64, integer);
        return true;
    case KEY_FLOAT:
        if (!uw__json_get_f64(json, name, &number)) return false;
        uw__format_f32(text, size, (float)number);
        return true;
    case KEY_REAL:
        if (!uw__json_get_f64(json, name, &number)) return false;
        uw__format_f64(text, size, number);
        return true;
    default:
        string = uw__json_get_str(json, name);
        if (!string) return false;
        snprintf(text, size, "%s", string);
        return true;
    }
}

uw_status uw__settings_same(const uw_train_config *config, const char *json, const char *where,
                            uw_err *err) {
    uw_json *stored = NULL;
    uw_status s = uw__json_parse(where, json, &stored, err);
    for (int i = 0; !s && i < NUM_KEYS; i++) {
        char now[512], then[512];
        const char *name = public_keys[i].name;
        if (!strcmp(name, "checkpoint_every") || !strcmp(name, "milestone_every") ||
            !strcmp(name, "minutes"))
            continue;
        print_key(config, i, now, sizeof now);
        if (!stored_text(stored, i, then, sizeof then)) {
            s = uw__refuse(err, UW_EFORMAT, where, "missing_key",
                           "remove this generation: the one before it is used", "wanted %s", name);
        } else if (strcmp(now, then) != 0) {
            s = uw_fail(err, UW_ESHAPE, "%s: %s differs from the run, wanted %.50s, got %.50s",
                        uw__path_tail(where), name, then, now);
            uw_err_fix(err, "resume with the configuration of the run, or train into a new folder");
        }
    }
    uw__json_free(stored);
    return s;
}

int64_t uw__settings_steps(const uw_train_config *config) {
    return (int64_t)config->steps + config->predictor_steps;
}

uw_status uw__settings_epochs(uw_train_config *c, int64_t windows, uw_err *err) {
    const int64_t per_epoch = windows / c->batch; /* the last, partial batch is dropped */
    const int64_t most = c->stop_epoch > c->schedule_epochs ? c->stop_epoch : c->schedule_epochs;
    if (!c->stop_epoch && !c->schedule_epochs && !c->shuffle_epochs) return UW_OK;
    if (per_epoch == 0) {
        uw_fail(err, UW_EINVAL,
                "batch: wanted at most the %" PRId64 " windows of an epoch, got %" PRId32, windows,
                c->batch);
        uw_err_fix(err, "lower batch, or set stop_epoch=0 schedule_epochs=0 shuffle_epochs=false");
        return UW_EINVAL;
    }
    if (most * per_epoch > 1000000000) {
        uw_fail(err, UW_EINVAL, "epochs: wanted at most 1000000000 steps, got %" PRId64,
                most * per_epoch);
        uw_err_fix(err, "lower stop_epoch and schedule_epochs, or raise batch");
        return UW_EINVAL;
    }
    if (c->stop_epoch) c->steps = (int32_t)(c->stop_epoch * per_epoch);
    if (c->schedule_epochs) {
        c->schedule_steps = (int32_t)(c->schedule_epochs * per_epoch);
        const int32_t warmup = (int32_t)(0.01 * (double)c->schedule_steps);
        c->warmup_steps = warmup > 1 ? warmup : 1;
    }
    return UW_OK;
}

static uw_status bad(uw_err *err, const char *key, const char *why, const char *fix) {
    uw_fail(err, UW_EINVAL, "%s: %s", key, why);
    uw_err_fix(err, "%s", fix);
    return UW_EINVAL;
}

uw_status uw__settings_check(const uw_train_config *c, uw_err *err) {
    const uw_model_config *m = &c->model;
    char text[512];
    /* A config filled by hand, not by uw_train_set, passes through the same ranges. */
    for (int i = 0; i < NUM_KEYS; i++) {
        uw_train_config copy = *c;
        print_key(c, i, text, sizeof text);
        const uw_status s = uw_train_set(&copy, public_keys[i].name, text, err);
        if (s) return s;
    }
    if (c->batch % c->accumulate)
        return bad(err, "accumulate", "wanted a divisor of batch", "set batch to a multiple of it");
    if (c->batch / c->accumulate % c->episode_windows)
        return bad(err, "episode_windows", "wanted a divisor of batch / accumulate",
                   "set batch to a multiple of it");
    if (c->episode_windows > 1 && (c->extra_frames || c->shuffle_epochs))
        return bad(err, "episode_windows", "wanted 1 with extra_frames or shuffle_epochs",
                   "set extra_frames=0 shuffle_epochs=false");
    if (c->extra_frames % c->accumulate)
        return bad(err, "extra_frames", "wanted a multiple of accumulate", "raise or lower it");
    if (c->extra_frames && c->sigreg_per_step)
        return bad(err, "extra_frames", "belong to no time step, got sigreg_per_step",
                   "set sigreg_per_step=false or extra_frames=0");
    if ((c->readout_weight > 0.0f) != (c->readout[0] != 0))
        return bad(err, "readout_weight", "wanted above 0 with a readout, and 0 without",
                   "set both: readout names the recorded numbers");
    if (c->encoder_chunk && m->conv_norm == UW_CONV_NORM_BATCH)
        return bad(err, "encoder_chunk", "BatchNorm sees all frames of a step, wanted 0",
                   "set encoder_chunk=0, or accumulate for less memory");
    if (c->predictor_steps && m->pred_proj_dim)
        return bad(err, "predictor_steps", "wanted 0 with a prediction projector",
                   "set pred_proj_dim=0 or predictor_steps=0");
    if (c->steps > INT32_MAX - c->predictor_steps)
        return bad(err, "predictor_steps", "wanted fewer steps in all", "lower it");
    if (c->batch / c->accumulate * c->window < 2)
        return bad(err, "batch", "wanted at least 2 frames per micro-batch", "raise batch");
    if (c->rollout_weight > 0.0f && c->rollout_steps > c->window - 1)
        return bad(err, "rollout_steps", "wanted at most window - 1",
                   "raise window, lower rollout_steps, or set rollout_weight=0");
    if (m->predictor == UW_PREDICTOR_ADALN && c->window - 1 > m->history_size)
        return bad(err, "window", "wanted at most history_size + 1 with the adaln predictor",
                   "set window to history_size + 1");
    if (c->augment_ramp_start > c->augment_ramp_end)
        return bad(err, "augment_ramp_start", "wanted at most augment_ramp_end", "lower it");
    if (c->augment != UW_AUGMENT_NONE && m->input == UW_INPUT_COLUMNS)
        return bad(err, "augment", "looks need pictures, got sensor columns", "set augment=none");
    if (c->augment == UW_AUGMENT_REDRAW && !c->augment_factors[0])
        return bad(err, "augment_factors", "redraw without factors would draw the nominal look",
                   "name factors, e.g. augment_factors=agent.color, or set augment=none");
    if ((m->encoder == UW_ENCODER_MLP || m->encoder == UW_ENCODER_COUPLING) !=
        (m->input == UW_INPUT_COLUMNS))
        return bad(err, "encoder",
                   "mlp and coupling go with input=columns, conv and vit with pictures",
                   "choose a preset: sensors for columns, two_room for pictures");
    return UW_OK;
}
