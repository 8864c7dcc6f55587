/* The reference's config.json: a tree of `_target_`s that its loader instantiates.  Here it is only
 * looked at: every key must be known, and every value that our network has no number for must be
 * the one that our network is built with. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "exchange.h"
#include "fileio.h"
#include "internal.h"
#include "json_text.h"

enum { MAX_BYTES = 1 << 20, MAX_VALUES = 512, MAX_DEPTH = 16, MAX_PATH = 160 };

#define FIX_CONFIG "give the config.json that the reference saved beside the weights"

/* ---- any JSON as a flat list ------------------------------------------------------------------
 */

typedef enum kind { NUMBER, TEXT, TRUTH, NOTHING, LIST } kind;

typedef struct value {
    char path[MAX_PATH]; /* "encoder.patch_size" */
    kind kind;
    double number;    /* NUMBER; TRUTH as 0 or 1 */
    const char *text; /* TEXT, in the file's bytes */
    bool taken;
} value;

typedef struct tree {
    uw_jreader r;
    value *values; /* owned [count] */
    int32_t count;
} tree;

static uw_status skip_list(tree *t) {
    int depth = 0;
    do {
        const char c = *t->r.at;
        if (c == '"') {
            const char *text;
            const uw_status s = uw__jread_string(&t->r, true, &text);
            if (s) return s;
            continue;
        }
        if (t->r.at == t->r.end) return uw__jread_bad(&t->r, "']'");
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        t->r.at++;
    } while (depth > 0);
    return UW_OK;
}

static uw_status read_word(tree *t, value *v) {
    static const struct {
        const char *word;
        kind kind;
        double number;
    } words[] = {{"true", TRUTH, 1}, {"false", TRUTH, 0}, {"null", NOTHING, 0}};
    for (size_t i = 0; i < 3; i++) {
        const size_t n = strlen(words[i].word);
        if (strncmp(t->r.at, words[i].word, n)) continue;
        t->r.at += n;
        v->kind = words[i].kind;
        v->number = words[i].number;
        return UW_OK;
    }
    return uw__jread_bad(&t->r, "a value");
}

static uw_status read_leaf(tree *t, value *v) {
    int64_t whole;
    bool integer;
    if (*t->r.at == '"') {
        v->kind = TEXT;
        return uw__jread_string(&t->r, true, &v->text);
    }
    if (*t->r.at == '[') {
        v->kind = LIST;
        return skip_list(t);
    }
    if (*t->r.at != '-' && (*t->r.at < '0' || *t->r.at > '9')) return read_word(t, v);
    v->kind = NUMBER;
    return uw__jread_number(&t->r, &v->number, &whole, &integer);
}

static uw_status add_leaf(tree *t, const char *path) {
    if (t->count == MAX_VALUES || strlen(path) >= MAX_PATH) {
        return uw__refuse(t->r.err, UW_EFORMAT, t->r.file, "too_large", FIX_CONFIG,
                          "wanted at most %d keys of a few words each", MAX_VALUES);
    }
    value *v = &t->values[t->count];
    *v = (value){.kind = NOTHING};
    strcpy(v->path, path);
    for (int32_t i = 0; i < t->count; i++) {
        if (strcmp(t->values[i].path, path)) continue;
        return uw__refuse(t->r.err, UW_EFORMAT, t->r.file, "duplicate_key", FIX_CONFIG,
                          "%.60s twice", path);
    }
    t->count++;
    return read_leaf(t, v);
}

/* Read an object whose '{' was taken; paths grow by its keys. */
static uw_status read_object(tree *t) {
    char path[MAX_PATH + 64] = "";
    size_t length[MAX_DEPTH]; /* of the path above each level */
    bool first[MAX_DEPTH] = {true}, end;
    int depth = 0;
    length[0] = 0;
    for (;;) {
        const char *key;
        uw_status s = uw__jread_key(&t->r, &first[depth], false, &key, &end);
        if (s) return s;
        if (end) {
            if (!depth--) return UW_OK;
            continue;
        }
        const int n = snprintf(path + length[depth], sizeof path - length[depth], "%s%s",
                               length[depth] ? "." : "", key);
        const size_t used = length[depth] + (size_t)n;
        uw__jread_space(&t->r);
        if (used < MAX_PATH && uw__jread_take(&t->r, '{')) {
            if (++depth == MAX_DEPTH) return uw__jread_bad(&t->r, "fewer nested objects");
            first[depth] = true;
            length[depth] = used;
            continue;
        }
        if ((s = add_leaf(t, path))) return s;
    }
}

/* ---- what the keys mean -----------------------------------------------------------------------
 */

/* What the reference's constructors take. */
typedef struct reference {
    int32_t patch, image, vit_dim, vit_layers, vit_heads, vit_mlp;
    int32_t frames, pred_in, pred_hidden, pred_out, depth, heads, dim_head, pred_mlp;
    int32_t block, smooth, emb, mlp_scale;
    int32_t proj_in, proj_hidden, proj_out, pp_in, pp_hidden, pp_out;
    float dropout;
} reference;

typedef enum rule {
    WHOLE,  /* a whole number into an int32_t */
    REAL,   /* a number into a float */
    SIZE,   /* one of the encoder's size words */
    CLASS,  /* a _target_ that ends in this name */
    WORD,   /* this text */
    EXACT,  /* this number, true or false */
    IGNORED /* says nothing about the network */
} rule;

typedef struct known {
    const char *path;
    rule rule;
    size_t offset; /* in reference */
    double number; /* EXACT; WHOLE and REAL: the default, NAN = none */
    const char *word;
} known;

#define AT(field) offsetof(reference, field)
#define MLP(name, in, hidden, out)                                                                 \
    {name "._target_", CLASS, 0, 0, ".MLP"}, {name ".input_dim", WHOLE, AT(in), NAN, NULL},        \
        {name ".hidden_dim", WHOLE, AT(hidden), NAN, NULL},                                        \
        {name ".output_dim", WHOLE, AT(out), 0, NULL},                                             \
        {name ".norm_fn._target_", CLASS, 0, 0, ".BatchNorm1d"},                                   \
        {name ".norm_fn._partial_", EXACT, 0, 1, NULL},                                            \
        {name ".act_fn._target_", CLASS, 0, 0, ".GELU"}, {                                         \
        name ".act_fn._partial_", EXACT, 0, 1, NULL                                                \
    }

/* Defaults are those of the constructors; the encoder's widths default to its size word's. */
static const known keys[] = {
    {"_target_", CLASS, 0, 0, ".LeWM"},
    {"encoder._target_", CLASS, 0, 0, ".vit_hf"},
    {"encoder.size", SIZE, 0, 0, NULL},
    {"encoder.patch_size", WHOLE, AT(patch), 16, NULL},
    {"encoder.image_size", WHOLE, AT(image), 224, NULL},
    {"encoder.hidden_size", WHOLE, AT(vit_dim), 0, NULL},
    {"encoder.num_hidden_layers", WHOLE, AT(vit_layers), 0, NULL},
    {"encoder.num_attention_heads", WHOLE, AT(vit_heads), 0, NULL},
    {"encoder.intermediate_size", WHOLE, AT(vit_mlp), 0, NULL},
    {"encoder.pretrained", IGNORED, 0, 0, NULL},
    {"encoder.initializer_range", IGNORED, 0, 0, NULL},
    {"encoder.use_mask_token", EXACT, 0, 0, NULL},
    {"encoder.num_channels", EXACT, 0, 3, NULL},
    {"encoder.qkv_bias", EXACT, 0, 1, NULL},
    {"encoder.layer_norm_eps", EXACT, 0, 1e-12, NULL},
    {"encoder.hidden_dropout_prob", EXACT, 0, 0, NULL},
    {"encoder.attention_probs_dropout_prob", EXACT, 0, 0, NULL},
    {"encoder.hidden_act", WORD, 0, 0, "gelu"},
    {"predictor._target_", CLASS, 0, 0, ".Predictor"},
    {"predictor.num_frames", WHOLE, AT(frames), NAN, NULL},
    {"predictor.input_dim", WHOLE, AT(pred_in), NAN, NULL},
    {"predictor.hidden_dim", WHOLE, AT(pred_hidden), NAN, NULL},
    {"predictor.output_dim", WHOLE, AT(pred_out), 0, NULL},
    {"predictor.depth", WHOLE, AT(depth), NAN, NULL},
    {"predictor.heads", WHOLE, AT(heads), NAN, NULL},
    {"predictor.dim_head", WHOLE, AT(dim_head), 64, NULL},
    {"predictor.mlp_dim", WHOLE, AT(pred_mlp), NAN, NULL},
    {"predictor.dropout", REAL, AT(dropout), 0, NULL},
    {"predictor.emb_dropout", EXACT, 0, 0, NULL},
    {"action_encoder._target_", CLASS, 0, 0, ".Embedder"},
    {"action_encoder.input_dim", WHOLE, AT(block), 10, NULL},
    {"action_encoder.smoothed_dim", WHOLE, AT(smooth), 10, NULL},
    {"action_encoder.emb_dim", WHOLE, AT(emb), 10, NULL},
    {"action_encoder.mlp_scale", WHOLE, AT(mlp_scale), 4, NULL},
    MLP("projector", proj_in, proj_hidden, proj_out),
    MLP("pred_proj", pp_in, pp_hidden, pp_out),
};
enum { NUM_KEYS = sizeof keys / sizeof *keys };

static const struct {
    const char *word;
    int32_t dim, layers, heads, mlp;
} sizes[] = {
    {"tiny", 192, 12, 3, 768},     {"small", 384, 12, 6, 1536},  {"base", 768, 12, 12, 3072},
    {"large", 1024, 24, 16, 4096}, {"huge", 1280, 32, 16, 5120},
};
enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

static uw_status bad_value(const tree *t, const char *path, const char *wanted) {
    return uw__refuse(t->r.err, UW_EFORMAT, t->r.file, "bad_value", FIX_CONFIG,
                      "config: %.60s, wanted %s", path, wanted);
}

static uw_status unsupported(const tree *t, const char *path, const char *wanted,
                             const value *got) {
    char text[48];
    if (got->kind == TEXT)
        snprintf(text, sizeof text, "%.40s", got->text);
    else
        snprintf(text, sizeof text, "%g", got->number);
    return uw__refuse(t->r.err, UW_EUNSUPPORTED, t->r.file, "unsupported_value",
                      "this network is LeWM; another one cannot be imported",
                      "config: %.60s, wanted %s, got %s", path, wanted, text);
}

static uw_status take_whole(const tree *t, const known *key, const value *v, reference *out) {
    if (v->kind == NOTHING && !(key->number > 0 || isnan(key->number))) return UW_OK;
    if (v->kind != NUMBER || v->number < 1 || v->number > 65536 || v->number != floor(v->number)) {
        return bad_value(t, key->path, "a whole number 1 .. 65536");
    }
    *(int32_t *)(void *)((char *)out + key->offset) = (int32_t)v->number;
    return UW_OK;
}

static uw_status take_size(const tree *t, const value *v, reference *out) {
    const char *words[NUM_SIZES];
    for (int i = 0; i < NUM_SIZES; i++) {
        words[i] = sizes[i].word;
        if (v->kind != TEXT || strcmp(v->text, sizes[i].word)) continue;
        if (!out->vit_dim) out->vit_dim = sizes[i].dim;
        if (!out->vit_layers) out->vit_layers = sizes[i].layers;
        if (!out->vit_heads) out->vit_heads = sizes[i].heads;
        if (!out->vit_mlp) out->vit_mlp = sizes[i].mlp;
        return UW_OK;
    }
    const uw_status s = bad_value(t, v->path, "tiny, small, base, large or huge");
    const char *near = v->kind == TEXT ? uw__nearest(v->text, words, NUM_SIZES) : NULL;
    if (near) uw_err_fix(t->r.err, "did you mean %s?", near);
    return s;
}

static bool ends(const char *text, const char *with) {
    const size_t n = strlen(text), m = strlen(with);
    return n >= m && !strcmp(text + n - m, with);
}

static uw_status take_value(const tree *t, const known *key, const value *v, reference *out) {
    char wanted[40];
    switch (key->rule) {
    case WHOLE:
        return take_whole(t, key, v, out);
    case REAL:
        if (v->kind != NUMBER || !(v->number >= 0) || v->number >= 1) {
            return bad_value(t, key->path, "a number 0 .. below 1");
        }
        *(float *)(void *)((char *)out + key->offset) = (float)v->number;
        return UW_OK;
    case CLASS:
    case WORD:
        if (v->kind != TEXT) return bad_value(t, key->path, "a text");
        if (key->rule == CLASS ? ends(v->text, key->word) : !strcmp(v->text, key->word))
            return UW_OK;
        return unsupported(t, key->path, key->word + (*key->word == '.'), v);
    case EXACT:
        if (v->kind != NUMBER && v->kind != TRUTH) return bad_value(t, key->path, "a number");
        if (v->number == key->number) return UW_OK;
        snprintf(wanted, sizeof wanted, "%g", key->number);
        return unsupported(t, key->path, wanted, v);
    case SIZE: /* after the numbers that it stands in for */
    case IGNORED:
        break;
    }
    return UW_OK;
}

static uw_status unknown_key(const tree *t, const char *path) {
    const char *names[NUM_KEYS];
    for (int i = 0; i < NUM_KEYS; i++) names[i] = keys[i].path;
    const char *near = uw__nearest(path, names, NUM_KEYS);
    const uw_status s = uw__refuse(t->r.err, UW_EFORMAT, t->r.file, "unknown_key", FIX_CONFIG,
                                   "config: key, wanted one of LeWM's, got %.80s", path);
    if (near) uw_err_fix(t->r.err, "did you mean %s?", near);
    return s;
}

/* Values below `root` ("" or "model.") into *out. */
static uw_status take_values(tree *t, const char *root, reference *out) {
    const size_t n = strlen(root);
    const value *size = NULL;
    for (int k = 0; k < NUM_KEYS; k++) {
        const known *key = &keys[k];
        const value *v = NULL;
        for (int32_t i = 0; i < t->count; i++) {
            if (strncmp(t->values[i].path, root, n) || strcmp(t->values[i].path + n, key->path))
                continue;
            t->values[i].taken = true;
            v = &t->values[i];
        }
        if (v && key->rule == SIZE) size = v;
        if (!v && key->rule == WHOLE && isnan(key->number)) {
            return uw__refuse(t->r.err, UW_EFORMAT, t->r.file, "missing_key", FIX_CONFIG,
                              "config: %s, wanted a whole number, got none", key->path);
        }
        if (!v && key->rule == CLASS && !ends(key->path, "act_fn._target_")) {
            return uw__refuse(t->r.err, UW_EFORMAT, t->r.file, "missing_key", FIX_CONFIG,
                              "config: %s, wanted %s, got none", key->path, key->word + 1);
        }
        if (!v && key->rule == WHOLE) {
            *(int32_t *)(void *)((char *)out + key->offset) = (int32_t)key->number;
        }
        const uw_status s = v ? take_value(t, key, v, out) : UW_OK;
        if (s) return s;
    }
    for (int32_t i = 0; i < t->count; i++) {
        if (strncmp(t->values[i].path, root, n) || t->values[i].taken) continue;
        return unknown_key(t, t->values[i].path + n);
    }
    static const value tiny = {.path = "encoder.size", .kind = TEXT, .text = "tiny"};
    return take_size(t, size ? size : &tiny, out);
}

/* ---- to a configuration of ours ---------------------------------------------------------------
 */

static uw_status same_width(const tree *t, const char *a, int32_t x, const char *b, int32_t y) {
    if (x == y) return UW_OK;
    return uw__refuse(t->r.err, UW_ESHAPE, t->r.file, "wrong_widths", FIX_CONFIG,
                      "config: %s, wanted %s = %d, got %d", a, b, (int)y, (int)x);
}

static uw_status check_widths(const tree *t, reference *r) {
    const int32_t d = r->pred_in;
    if (!r->pred_out) r->pred_out = r->pred_in;
    if (!r->proj_out) r->proj_out = r->proj_in;
    if (!r->pp_out) r->pp_out = r->pp_in;
    const struct {
        const char *name;
        int32_t got;
    } latent[] = {{"predictor.hidden_dim", r->pred_hidden}, {"predictor.output_dim", r->pred_out},
                  {"action_encoder.emb_dim", r->emb},       {"projector.output_dim", r->proj_out},
                  {"pred_proj.input_dim", r->pp_in},        {"pred_proj.output_dim", r->pp_out}};
    uw_status s =
        same_width(t, "projector.input_dim", r->proj_in, "encoder.hidden_size", r->vit_dim);
    for (size_t i = 0; i < sizeof latent / sizeof *latent && !s; i++) {
        s = same_width(t, latent[i].name, latent[i].got, "predictor.input_dim", d);
    }
    if (!s && (int64_t)r->emb * r->mlp_scale > UINT16_MAX) {
        s = bad_value(t, "action_encoder.mlp_scale", "a hidden width below 65536");
    }
    if (!s && r->heads == 1 && r->dim_head == d) {
        const value one = {.kind = NUMBER, .number = 1};
        s = unsupported(t, "predictor.heads", "an output projection (not one head as wide as all)",
                        &one);
    }
    return s;
}

static uw_model_config to_ours(const reference *r) {
    return (uw_model_config){.input = UW_INPUT_IMAGENET,
                             .image_size = r->image,
                             .history_size = r->frames,
                             .encoder = UW_ENCODER_VIT,
                             .vit_patch = r->patch,
                             .vit_dim = r->vit_dim,
                             .vit_layers = r->vit_layers,
                             .vit_heads = r->vit_heads,
                             .vit_mlp_dim = r->vit_mlp,
                             .projector_dim = r->proj_hidden,
                             .latent_dim = r->pred_in,
                             .action_smooth_dim = r->smooth,
                             .action_hidden_dim = r->emb * r->mlp_scale,
                             .predictor = UW_PREDICTOR_ADALN,
                             .predictor_layers = r->depth,
                             .predictor_heads = r->heads,
                             .predictor_head_dim = r->dim_head,
                             .predictor_mlp_dim = r->pred_mlp,
                             .dropout = r->dropout,
                             .pred_proj_dim = r->pp_hidden};
}

uw_status uw__reference_config_read(const char *path, uw_model_config *config,
                                    int32_t *action_block, uw_err *err) {
    void *text = NULL;
    size_t size;
    reference r = {0};
    tree t = {0};
    uw_status s = uw__file_read(path, MAX_BYTES, &text, &size, err);
    if (s) return s;
    t.r = (uw_jreader){
        .file = path, .start = text, .at = text, .end = (char *)text + size, .err = err};
    t.values = calloc(MAX_VALUES, sizeof *t.values);
    if (!t.values) s = uw__no_memory(err, path, MAX_VALUES * sizeof *t.values);
    if (!s && !uw__jread_take(&t.r, '{')) s = uw__jread_bad(&t.r, "'{'");
    if (!s) s = read_object(&t);
    uw__jread_space(&t.r);
    if (!s && t.r.at != t.r.end) s = uw__jread_bad(&t.r, "the end");
    bool nested = false;
    for (int32_t i = 0; i < t.count && !s; i++) {
        nested = nested || !strcmp(t.values[i].path, "model._target_");
    }
    if (!s) s = take_values(&t, nested ? "model." : "", &r);
    if (!s) s = check_widths(&t, &r);
    if (!s) {
        *config = to_ours(&r);
        *action_block = r.block;
    }
    free(t.values);
    free(text);
    return s;
}

/* ---- from a configuration of ours -------------------------------------------------------------
 */

static uw_status not_lewm(uw_err *err, const char *what) {
    uw_fail(err, UW_EUNSUPPORTED, "model: %s", what);
    uw_err_fix(err, "only models of LeWM's kind have a class in the reference; every reader of "
                    "safetensors takes the file as it is");
    return UW_EUNSUPPORTED;
}

static uw_status check_lewm(const uw_model_config *c, uw_err *err) {
    if (c->encoder != UW_ENCODER_VIT) return not_lewm(err, "encoder, wanted vit");
    if (c->input != UW_INPUT_IMAGENET) return not_lewm(err, "input, wanted imagenet");
    if (c->predictor != UW_PREDICTOR_ADALN) return not_lewm(err, "predictor, wanted adaln");
    if (!c->projector_dim || !c->pred_proj_dim)
        return not_lewm(err, "projector_dim and pred_proj_dim, wanted more than 0");
    if (!c->action_smooth_dim || c->action_hidden_dim % c->latent_dim)
        return not_lewm(err, "action_hidden_dim, wanted a multiple of latent_dim");
    if (c->inverse_dim) return not_lewm(err, "inverse_dim, wanted 0");
    return UW_OK;
}

typedef struct pair {
    const char *key;
    int64_t value;
} pair;

/* An object's "_target_" and numbers; the caller closes it. */
static void put_object(uw_text *t, const char *name, const char *target, const pair *pairs,
                       size_t n) {
    uw__text_str(t, ",\n  ");
    uw__text_quoted(t, name);
    uw__text_str(t, ": {\n    \"_target_\": ");
    uw__text_quoted(t, target);
    for (size_t i = 0; i < n; i++) {
        uw__text_str(t, ",\n    ");
        uw__text_quoted(t, pairs[i].key);
        uw__text_str(t, ": ");
        uw__text_i64(t, pairs[i].value);
    }
}

static void put_projector(uw_text *t, const char *name, int64_t in, int64_t hidden, int64_t out) {
    const pair pairs[] = {{"input_dim", in}, {"output_dim", out}, {"hidden_dim", hidden}};
    put_object(t, name, "stable_worldmodel.wm.lewm.module.MLP", pairs, 3);
    uw__text_str(t, ",\n    \"norm_fn\": {\n      \"_target_\": \"torch.nn.BatchNorm1d\",\n"
                    "      \"_partial_\": true\n    }\n  }");
}

uw_status uw__reference_config_text(const uw_model_config *c, char **text, uw_err *err) {
    uw_text t = {0};
    char number[32];
    *text = NULL;
    const uw_status s = check_lewm(c, err);
    if (s) return s;
    const pair encoder[] = {
        {"patch_size", c->vit_patch},          {"image_size", c->image_size},
        {"hidden_size", c->vit_dim},           {"num_hidden_layers", c->vit_layers},
        {"num_attention_heads", c->vit_heads}, {"intermediate_size", c->vit_mlp_dim}};
    const pair predictor[] = {
        {"num_frames", c->history_size},   {"input_dim", c->latent_dim},
        {"hidden_dim", c->latent_dim},     {"output_dim", c->latent_dim},
        {"depth", c->predictor_layers},    {"heads", c->predictor_heads},
        {"mlp_dim", c->predictor_mlp_dim}, {"dim_head", c->predictor_head_dim}};
    const pair embedder[] = {{"input_dim", (int64_t)c->action_dim * c->frameskip},
                             {"smoothed_dim", c->action_smooth_dim},
                             {"emb_dim", c->latent_dim},
                             {"mlp_scale", c->action_hidden_dim / c->latent_dim}};
    uw__text_str(&t, "{\n  \"_target_\": \"stable_worldmodel.wm.lewm.LeWM\"");
    put_object(&t, "encoder", "stable_pretraining.backbone.utils.vit_hf", encoder, 6);
    uw__text_str(&t, ",\n    \"size\": \"tiny\",\n    \"pretrained\": false,\n"
                     "    \"use_mask_token\": false\n  }");
    put_object(&t, "predictor", "stable_worldmodel.wm.lewm.module.Predictor", predictor, 8);
    uw__format_f32(number, sizeof number, c->dropout);
    uw__text_str(&t, ",\n    \"dropout\": ");
    uw__text_str(&t, number);
    uw__text_str(&t, ",\n    \"emb_dropout\": 0.0\n  }");
    put_object(&t, "action_encoder", "stable_worldmodel.wm.lewm.module.Embedder", embedder, 4);
    uw__text_str(&t, "\n  }");
    put_projector(&t, "projector", c->vit_dim, c->projector_dim, c->latent_dim);
    put_projector(&t, "pred_proj", c->latent_dim, c->pred_proj_dim, c->latent_dim);
    uw__text_str(&t, "\n}\n");
    if (t.failed) {
        free(t.at);
        return uw__no_memory(err, "config.json", t.cap);
    }
    *text = t.at;
    return UW_OK;
}
