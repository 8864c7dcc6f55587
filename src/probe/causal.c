/* Does moving the latent along a number's direction do what moving the world does?
 *
 * What a number does to latents is taken from the regression of latents on ALL state numbers, its
 * pattern (Haufe et al. 2014): the probe's own weights would also cancel what other numbers do, and
 * leave the latents that there are.  Both worlds are set to their states anew, so that what a set
 * state loses is lost in both. */
#include "probe_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "rng.h"
#include "scorecard.h"

enum { EDITS = 64, STEPS = 4 };
#define SHIFT 0.5 /* of a number's deviation */
#define PI    3.14159265358979323846

enum { EDITED, REDRAWN, RANDOM, KINDS };
enum { TRUE_EFFECT = KINDS, SUMS };

typedef struct causal {
    uw_context *ctx;
    const uw_model *model;
    const uw_env_class *world;
    const uw_spans *s;
    const uw_decoder *decoder;
    const uw_targets *t;
    int32_t steps, numbers; /* decisions; numbers of the state */
    int32_t each;           /* env steps per dataset row */
    double values[UW_MAX_FACTOR_VALUES];
    double *state;      /* [count, frames, numbers] recorded */
    double *low, *high; /* [numbers] of what was recorded */
    uw_ridge pattern;   /* latents from standardised outputs of the state's targets */
    double mean[2 * UW_MAX_PROBES], inverse[2 * UW_MAX_PROBES];
    float *z0[1 + KINDS];       /* [count, history, D]: as it is, then per kind */
    float *imagined[1 + KINDS]; /* [count, frames - history, D] */
    double *effect;             /* [count, numbers] in the world; NaN: this span has no edit */
    double *moved;              /* [history, numbers] scratch */
} causal;

/* ---- what a number does to latents ---------------------------------------------------------- */

static uw_status fit_pattern(causal *c, const float *z, const double *values, int64_t n) {
    const int32_t k = c->t->output[c->t->first_count], d = c->s->dim;
    float *x = malloc((size_t)n * (size_t)k * sizeof *x);
    double *y = malloc((size_t)n * (size_t)d * sizeof *y), outputs[2 * UW_MAX_PROBES];
    uw_status s = x && y ? UW_OK : UW_ENOMEM;
    int64_t kept = 0;
    for (int64_t r = 0; r < n && !s; r++) {
        bool whole = true;
        for (int32_t j = 0; j < c->t->first_count; j++) {
            const double value = values[r * c->t->count + j];
            whole = whole && isfinite(value);
            uw__target_outputs(c->t, j, value, outputs + c->t->output[j]);
        }
        if (!whole) continue;
        for (int32_t i = 0; i < k; i++) x[kept * k + i] = (float)outputs[i];
        for (int32_t i = 0; i < d; i++) y[kept * d + i] = (double)z[r * d + i];
        kept++;
    }
    for (int32_t i = 0; i < k && !s; i++) {
        double sum = 0.0, square = 0.0;
        for (int64_t r = 0; r < kept; r++) sum += (double)x[r * k + i];
        c->mean[i] = sum / (double)kept;
        for (int64_t r = 0; r < kept; r++) {
            const double e = (double)x[r * k + i] - c->mean[i];
            square += e * e;
        }
        c->inverse[i] = square > 0.0 ? 1.0 / sqrt(square / (double)kept) : 0.0;
        for (int64_t r = 0; r < kept; r++)
            x[r * k + i] = (float)(((double)x[r * k + i] - c->mean[i]) * c->inverse[i]);
    }
    if (!s && kept < 2) s = UW_EINVAL;
    if (!s) s = uw__ridge_fit(c->ctx->pool, x, y, kept, k, d, &c->pattern);
    free(x);
    free(y);
    return s;
}

/* Add to z what the change of number j from `from` to `to` does to it. */
static void push_latent(const causal *c, int32_t j, double from, double to, float *z) {
    double before[2], after[2];
    const int32_t at = c->t->output[j], outputs = c->t->output[j + 1] - at;
    uw__target_outputs(c->t, j, from, before);
    uw__target_outputs(c->t, j, to, after);
    for (int32_t i = 0; i < c->s->dim; i++)
        for (int32_t o = 0; o < outputs; o++)
            z[i] += (float)((after[o] - before[o]) * c->inverse[at + o] *
                            c->pattern.weight[(int64_t)i * c->pattern.dim + at + o]);
}

/* ---- the world ------------------------------------------------------------------------------ */

/* Set the world to a state and live through the span's decisions; writes the state reached. */
static uw_status live(const causal *c, uw_env *env, int32_t w, const double *from, double *to) {
    uw_status s = uw_env_set_state(env, from);
    const int32_t dim = c->world->action_dim;
    for (int32_t k = 0; k < c->steps && !s; k++) {
        const float *action = uw__spans_action(c->s, w, k);
        for (int32_t row = 0; row < c->s->skip && !s; row++)
            for (int32_t i = 0; i < c->each && !s; i++) {
                uw_step step;
                s = uw_env_step(env, action + row * dim, &step);
            }
    }
    uw_env_get_state(env, to);
    return s;
}

/* Whether the moved state is one that the world can be in. */
static bool possible(const causal *c, const double *from, const double *to, int32_t number) {
    if (!(to[number] >= c->low[number] && to[number] <= c->high[number])) return false;
    return !c->world->path_length || isfinite(c->world->path_length(c->values, from, to));
}

/* Move number `number` of every frame of the history by the same amount; false when no direction is
 * possible. */
static bool move_history(causal *c, int32_t w, int32_t j, double *shift) {
    const int32_t number = c->t->number[j];
    for (int sign = 1; sign >= -1; sign -= 2) {
        bool fits = true;
        *shift = sign * SHIFT * c->t->deviation[j];
        if (c->t->radians[j] > 0.0) *shift = sign * SHIFT / c->t->radians[j];
        for (int32_t f = 0; f < c->s->history; f++) {
            const double *from = c->state + ((int64_t)w * c->s->frames + f) * c->numbers;
            double *to = c->moved + f * c->numbers;
            memcpy(to, from, (size_t)c->numbers * sizeof *to);
            to[number] += *shift;
            fits = fits && (c->t->radians[j] > 0.0 || possible(c, from, to, number));
        }
        if (fits) return true;
    }
    return false;
}

/* Effect of the move in the world after all decisions, angles the short way; NaN numbers are not
 * compared. */
static uw_status world_effect(causal *c, uw_env *env, int32_t w, double *effect) {
    const int32_t last = c->s->history - 1;
    double plain[UW_MAX_STATE_DIM], moved[UW_MAX_STATE_DIM];
    uw_status s =
        live(c, env, w, c->state + ((int64_t)w * c->s->frames + last) * c->numbers, plain);
    if (!s) s = live(c, env, w, c->moved + last * c->numbers, moved);
    for (int32_t m = 0; m < c->t->first_count && !s; m++) {
        const int32_t number = c->t->number[m];
        const double e = moved[number] - plain[number], radians = c->t->radians[m];
        effect[m] = radians > 0.0 ? uw__angle_between(radians * e, 0.0) / radians : e;
    }
    return s;
}

/* ---- edits ---------------------------------------------------------------------------------- */

/* Latents of the pictures of the moved and of the plain history, so that the difference is the
 * picture's alone. */
static uw_status redraw(causal *c, int32_t w, uint8_t *rgb, float *z, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(c->model);
    const size_t bytes = (size_t)config->image_size * (size_t)config->image_size * 3;
    const int32_t h = c->s->history, d = c->s->dim;
    for (int32_t f = 0; f < h; f++) {
        const double *plain = c->state + ((int64_t)w * c->s->frames + f) * c->numbers;
        const double *moved = c->moved + f * c->numbers;
        c->world->draw(c->values, plain, plain, 0, config->image_size, rgb + (size_t)f * bytes);
        c->world->draw(c->values, moved, moved, 0, config->image_size,
                       rgb + (size_t)(h + f) * bytes);
    }
    const uw_status s = uw_model_encode(c->ctx, c->model, rgb, NULL, 2 * h, z, err);
    for (int32_t i = 0; i < h * d && !s; i++) z[h * d + i] -= z[i];
    return s;
}

/* Make every span's edit of number j: latents moved three ways, and the effect in the world. */
static uw_status edit_all(causal *c, uw_env *env, int32_t j, uint8_t *rgb, float *z, uint64_t seed,
                          uw_err *err) {
    const int32_t h = c->s->history, d = c->s->dim;
    uw_status s = UW_OK;
    for (int32_t w = 0; w < c->s->count && !s; w++) {
        const int64_t at = (int64_t)w * h * d;
        double shift, *effect = c->effect + (int64_t)w * UW_MAX_STATE_DIM;
        effect[0] = NAN;
        for (int kind = 0; kind <= KINDS; kind++)
            memcpy(c->z0[kind] + at, uw__spans_at(c->s, w, 0), (size_t)(h * d) * sizeof(float));
        if (!move_history(c, w, j, &shift) || world_effect(c, env, w, effect)) {
            effect[0] = NAN;
            continue;
        }
        uw_rng r = uw__rng(seed, UW_STREAM_PROTOCOL, (uint64_t)w * UW_MAX_PROBES + (uint64_t)j);
        for (int32_t f = 0; f < h; f++) {
            const double from =
                c->state[((int64_t)w * c->s->frames + f) * c->numbers + c->t->number[j]];
            float *edited = c->z0[1 + EDITED] + at + f * d,
                  *random = c->z0[1 + RANDOM] + at + f * d;
            double length = 0.0, norm = 0.0;
            push_latent(c, j, from, from + shift, edited);
            for (int32_t i = 0; i < d; i++) {
                const double e = (double)edited[i] - (double)random[i];
                length += e * e;
                z[i] = uw__rng_normal(&r);
                norm += (double)z[i] * (double)z[i];
            }
            for (int32_t i = 0; i < d; i++)
                random[i] += (float)(sqrt(length / norm) * (double)z[i]);
        }
        if (rgb) s = redraw(c, w, rgb, z, err);
        for (int32_t i = 0; i < h * d && rgb && !s; i++) c->z0[1 + REDRAWN][at + i] += z[h * d + i];
    }
    for (int kind = 0; kind <= KINDS && !s; kind++)
        if (kind != 1 + REDRAWN || rgb)
            s = uw__spans_imagine(c->ctx, c->model, c->s, c->z0[kind], c->imagined[kind], err);
    return s;
}

/* Add one span's squared effects and misses, in deviations, to sums [SUMS]; false when it has no
 * edit. */
static bool add_edit(const causal *c, int32_t w, double *sums) {
    const double *effect = c->effect + (int64_t)w * UW_MAX_STATE_DIM;
    const int64_t last = ((int64_t)w * c->s->steps + c->steps - 1) * c->s->dim;
    double read[1 + KINDS][UW_MAX_PROBES];
    if (isnan(effect[0])) return false;
    for (int kind = 0; kind <= KINDS; kind++)
        uw__decode(c->decoder, c->imagined[kind] + last, read[kind]);
    for (int32_t m = 0; m < c->t->first_count; m++) {
        const double radians = c->t->radians[m];
        const double unit = radians > 0.0 ? 1.0 / radians : c->t->deviation[m];
        sums[TRUE_EFFECT] += (effect[m] / unit) * (effect[m] / unit);
        for (int kind = 0; kind < KINDS; kind++) {
            double e = read[1 + kind][m] - read[0][m] - effect[m];
            if (radians > 0.0) e = uw__angle_between(radians * e, 0.0) / radians;
            sums[kind] += (e / unit) * (e / unit);
        }
    }
    return true;
}

static void evaluate(const void *arg, const double *total, double *scratch, double *values) {
    (void)arg;
    (void)scratch;
    for (int kind = 0; kind < KINDS; kind++)
        values[kind] = total[TRUE_EFFECT] > 0.0 ? 1.0 - total[kind] / total[TRUE_EFFECT] : NAN;
}

static uw_status agree(const causal *c, const double *sums, const uw_probe_options *o,
                       uw_estimate estimate[KINDS]) {
    int32_t groups = 0;
    for (int32_t w = 0; w < c->s->count; w++) groups += sums[(int64_t)w * SUMS + TRUE_EFFECT] > 0.0;
    /* a span stands for its episode: they are few and far apart */
    const uw_bootstrap b = {
        .sums = sums, .groups = c->s->count, .size = SUMS, .count = KINDS, .eval = evaluate};
    return uw__bootstrap(c->ctx->pool, &b, groups < UW_PROBE_MIN_EPISODES ? 0 : o->resamples,
                         o->seed, estimate);
}

/* ---- the check ------------------------------------------------------------------------------ */

/* Say why the check cannot be made here, or NULL. */
static const char *obstacle(const uw_dataset *data, const uw_spans *s, const uw_decoder *decoder) {
    const uw_dataset_meta *meta = uw_dataset_meta_of(data);
    const uw_env_class *world = meta->env && *meta->env ? uw_env_find(meta->env) : NULL;
    const uw_targets *t = decoder->targets;
    if (!world) return "the recording is of no world that is known here";
    if (!t->first_count || strcmp(uw_dataset_column(data, t->column[0])->name, "state"))
        return "the recording has no state to move";
    if (uw__column_numbers(uw_dataset_column(data, t->column[0])) != world->state_dim)
        return "the recorded state is not the world's";
    if (meta->variation && *meta->variation) return "the world was varied while recording";
    if (!decoder->ridge.memory || !s->count) return "too few episodes";
    if (s->action_dim != world->action_dim * s->skip)
        return "the model does not take the world's actions";
    return NULL;
}

static uw_status prepare(causal *c, const uw_dataset *data, uw_err *err) {
    const size_t count = (size_t)c->s->count, h = (size_t)c->s->history, d = (size_t)c->s->dim;
    const size_t frames = count * (size_t)c->s->frames, numbers = (size_t)c->numbers;
    c->state = malloc((frames + 2 + h) * numbers * sizeof *c->state);
    c->effect = malloc(count * UW_MAX_STATE_DIM * sizeof *c->effect);
    bool whole = c->state && c->effect;
    for (int kind = 0; kind <= KINDS; kind++) {
        c->z0[kind] = malloc(count * h * d * sizeof(float));
        c->imagined[kind] = calloc(count * (size_t)c->s->steps * d, sizeof(float));
        whole = whole && c->z0[kind] && c->imagined[kind];
    }
    if (!whole) return uw_fail(err, UW_ENOMEM, "causal check: %zu spans", count);
    c->low = c->state + frames * numbers;
    c->high = c->low + numbers;
    c->moved = c->high + numbers;
    const uw_status s =
        uw__rows_read(c->ctx, data, c->t->column[0], c->s->rows, (int64_t)frames, c->state, err);
    for (size_t i = 0; i < numbers && !s; i++) {
        c->low[i] = INFINITY;
        c->high[i] = -INFINITY;
        for (size_t f = 0; f < frames; f++) {
            c->low[i] = fmin(c->low[i], c->state[f * numbers + i]);
            c->high[i] = fmax(c->high[i], c->state[f * numbers + i]);
        }
    }
    return s;
}

static uw_status check_number(causal *c, uw_env *env, int32_t j, uint8_t *rgb, float *z,
                              const uw_probe_options *o, double *mine, double *all,
                              uw_probe_report *out, uw_err *err) {
    uw_estimate estimate[KINDS];
    uw_status s = edit_all(c, env, j, rgb, z, o->seed, err);
    memset(mine, 0, (size_t)c->s->count * SUMS * sizeof *mine);
    for (int32_t w = 0; w < c->s->count && !s; w++) {
        out->causal.edits += add_edit(c, w, mine + (int64_t)w * SUMS);
        for (int i = 0; i < SUMS; i++) all[(int64_t)w * SUMS + i] += mine[(int64_t)w * SUMS + i];
    }
    if (!s) s = agree(c, mine, o, estimate);
    if (s) return s;
    out->probes[j].causal = estimate[EDITED].point;
    uw__percentiles(&estimate[EDITED], out->probes[j].causal_ci);
    return UW_OK;
}

/* One span per episode as far as they go, so that spans are independent of each other. */
static uw_status thin(const uw_spans *s, uw_spans *out) {
    uw_spans t = *s;
    const size_t frames = (size_t)s->frames, d = (size_t)s->dim;
    const size_t moves = (size_t)(s->lead + s->frames - 1) * (size_t)s->action_dim;
    t.rows = malloc(EDITS * frames * sizeof *t.rows);
    t.z = malloc(EDITS * frames * d * sizeof *t.z);
    t.actions = malloc(EDITS * moves * sizeof *t.actions + 1);
    t.count = 0;
    int64_t episodes = 0, seen = 0;
    for (int32_t w = 0; w < s->count; w++)
        episodes +=
            w == 0 || s->rows[w * s->frames].episode != s->rows[(w - 1) * s->frames].episode;
    const int64_t want = episodes < EDITS ? episodes : EDITS;
    for (int32_t w = 0; w < s->count && t.rows && t.z && t.actions; w++) {
        if (w && s->rows[w * s->frames].episode == s->rows[(w - 1) * s->frames].episode) continue;
        if (t.count == want || seen++ * want / episodes < t.count) continue;
        memcpy(t.rows + (size_t)t.count * frames, s->rows + (size_t)w * frames,
               frames * sizeof *t.rows);
        memcpy(t.z + (size_t)t.count * frames * d, s->z + (size_t)w * frames * d,
               frames * d * sizeof *t.z);
        memcpy(t.actions + (size_t)t.count * moves, s->actions + (size_t)w * moves,
               moves * sizeof *t.actions);
        t.count++;
    }
    *out = t;
    return t.rows && t.z && t.actions ? UW_OK : UW_ENOMEM;
}

static void causal_fini(causal *c) {
    uw__ridge_fini(&c->pattern);
    for (int kind = 0; kind <= KINDS; kind++) {
        free(c->z0[kind]);
        free(c->imagined[kind]);
    }
    free(c->state);
    free(c->effect);
}

static uw_status check_all(causal *c, const uw_dataset *data, const uw_probe_options *o,
                           uw_probe_report *out, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(c->model);
    const size_t count = (size_t)c->s->count, h = (size_t)c->s->history;
    uw_env *env = NULL;
    uw_estimate estimate[KINDS];
    uint8_t *rgb = NULL;
    const bool pictures = config->input != UW_INPUT_COLUMNS;
    float *z = malloc((2 * h + 1) * (size_t)c->s->dim * sizeof *z);
    double *sums = calloc(2 * count * SUMS, sizeof *sums);
    if (pictures) rgb = malloc(2 * h * (size_t)config->image_size * (size_t)config->image_size * 3);
    uw_status s = z && sums && (rgb || !pictures)
                      ? uw_env_new(uw_dataset_meta_of(data)->env, &env, err)
                      : uw_fail(err, UW_ENOMEM, "causal check: %zu spans", count);
    for (int32_t j = 0; j < c->t->first_count && !s; j++)
        s = check_number(c, env, j, rgb, z, o, sums + count * SUMS, sums, out, err);
    if (!s) s = agree(c, sums, o, estimate);
    if (s) goto done;
    out->causal.known = out->causal.edits > 0;
    if (!out->causal.known)
        snprintf(out->causal.why, sizeof out->causal.why, "no state could be moved");
    out->causal.steps = c->steps;
    out->causal.agreement = estimate[EDITED].point;
    uw__percentiles(&estimate[EDITED], out->causal.agreement_ci);
    out->causal.random = estimate[RANDOM].point;
    if (pictures) out->causal.redrawn = estimate[REDRAWN].point;
done:
    uw_env_free(env);
    free(rgb);
    free(z);
    free(sums);
    return s;
}

uw_status uw__causal_run(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                         const uw_spans *spans, const uw_decoder *decoder, const float *z,
                         const double *values, int64_t n, const uw_probe_options *o,
                         uw_probe_report *out, uw_err *err) {
    out->causal =
        (uw_causal){.agreement = NAN, .agreement_ci = {NAN, NAN}, .redrawn = NAN, .random = NAN};
    const char *why = obstacle(data, spans, decoder);
    if (why) {
        snprintf(out->causal.why, sizeof out->causal.why, "%s", why);
        return UW_OK;
    }
    const uw_dataset_meta *meta = uw_dataset_meta_of(data);
    uw_spans thinned = {0};
    causal c = {.ctx = ctx,
                .model = model,
                .world = uw_env_find(meta->env),
                .s = &thinned,
                .decoder = decoder,
                .t = decoder->targets,
                .steps = spans->steps < STEPS ? spans->steps : STEPS,
                .each = meta->action_repeat > 0 ? meta->action_repeat : 1};
    c.numbers = c.world->state_dim;
    uw_env_default_values(c.world, c.values);
    uw_status s = thin(spans, &thinned);
    if (!s) s = fit_pattern(&c, z, values, n);
    if (s) uw_fail(err, s, "causal check: %s", uw_status_str(s));
    if (!s) s = prepare(&c, data, err);
    if (!s) s = check_all(&c, data, o, out, err);
    causal_fini(&c);
    uw__spans_fini(&thinned);
    return s;
}
