/* Forward, losses, backward of one micro-batch, in that order, shapes beside every line.
 *
 * Traps: the target z_t+1 receives the negative of the prediction's gradient; step 1 of the rollout
 * IS the first teacher-forced prediction, so its gradient joins that pass; with a causal
 * transformer a fed-back context grows from 1 to history_size and then slides. */
#include "losses.h"

#include <math.h>
#include <string.h>

#include "sigreg.h"
#include "vicreg.h"

/* One fed-back prediction: its context, its output (the last position counts) and their gradients.
 */
typedef struct rollout_step {
    size_t first, length;    /* context covers steps first .. first + length - 1 */
    uw_real *z, *c, *out;    /* [B, length, D], [B, length, cond], [B, length, D] */
    uw_real *dz, *dc, *dout; /* like z, c, out */
    uw_real *p, *dp;         /* [B, D] the prediction of step first + length */
    uw_predict_acts *acts;
} rollout_step;

struct uw_loss_state {
    size_t b, t, d, cond, action; /* B, T, D, cond_dim, A */
    size_t rows, action_in;       /* of the encoder: B T + extra; numbers per action row */
    size_t steps;              /* predictions of the rollout, the first included; 0 = no rollout */
    uw_real *z, *dz;           /* [rows, D]: first [B, T, D] */
    uw_real *c, *dc, *dc_pass; /* [B, T-1, cond]; dc_pass: of the teacher-forced pass alone */
    uw_real *zin, *dzin;       /* [B, T-1, D] all but the last latent of a window */
    uw_real *pred, *dpred;     /* [B, T-1, D] */
    rollout_step *rollout;     /* [steps]; entry 0 is the teacher-forced one: p, dp only */
    uw_real *next, *dnext;     /* [B, T-1, D] all but the first latent: inverse dynamics */
    uw_real *guess, *dguess;   /* [B, T-1, A] */
    uw_real *read, *dread;     /* [rows, readout_dim] */
    uw_real *apart, *dapart; /* [rows, D] z less its episode's mean; NULL with one window of each */
    const uint8_t *frames;   /* read instead of x; NULL: x is */
    uw_encode_acts *encode;  /* NULL: latents are given */
    uw_action_acts *action_acts;
    uw_predict_acts *predict;
    uw_inverse_acts *inverse;
    uw_readout_acts *readout;
    uw_sigreg *sigreg;
    uw_vicreg *vicreg;
};

static uw_real *take(uw_arena *arena, size_t count) {
    return uw_arena_alloc(arena, count, sizeof(uw_real));
}

static void rollout_layout(uw_arena *arena, const uw_net *net, uw_loss_state *s) {
    const size_t history = uw__net_history(net);
    s->rollout = uw_arena_alloc(arena, s->steps, sizeof *s->rollout);
    for (size_t j = 0; j < s->steps; j++) {
        rollout_step r = {.length = j + 1 < history ? j + 1 : history};
        r.first = j + 1 - r.length;
        r.p = take(arena, s->b * s->d);
        r.dp = take(arena, s->b * s->d);
        if (j > 0) {
            r.z = take(arena, s->b * r.length * s->d);
            r.dz = take(arena, s->b * r.length * s->d);
            r.c = take(arena, s->b * r.length * s->cond);
            r.dc = take(arena, s->b * r.length * s->cond);
            r.out = take(arena, s->b * r.length * s->d);
            r.dout = take(arena, s->b * r.length * s->d);
            r.acts = uw__predict_layout(arena, net, s->b, r.length, true);
        }
        if (s->rollout && !arena->failed) s->rollout[j] = r;
    }
}

size_t uw__loss_rows(const uw_train_config *config, size_t windows) {
    return windows * (size_t)config->window +
           (size_t)(config->extra_frames / (config->accumulate > 1 ? config->accumulate : 1));
}

size_t uw__loss_chunk(const uw_net *net, const uw_train_config *config, size_t windows) {
    const size_t rows = uw__loss_rows(config, windows), chunk = (size_t)config->encoder_chunk;
    if (chunk == 0) return uw__encode_chunk(net, rows);
    return chunk < rows ? chunk : rows;
}

static uw_loss_state *layout(uw_arena *arena, const uw_net *net, const uw_train_config *config,
                             size_t windows, bool encoder) {
    uw_loss_state tmp = {.b = windows,
                         .t = (size_t)config->window,
                         .d = (size_t)net->config.latent_dim,
                         .cond = (size_t)net->cond_dim,
                         .action = (size_t)net->action_block,
                         .action_in = (size_t)net->action_in,
                         .rows = uw__loss_rows(config, windows)};
    uw_loss_state *s = uw_arena_alloc(arena, 1, sizeof *s);
    const size_t rows = tmp.rows, moves = tmp.b * (tmp.t - 1);

    tmp.steps = config->rollout_weight > 0.0f ? (size_t)config->rollout_steps : 0;
    tmp.z = take(arena, rows * tmp.d);
    tmp.dz = take(arena, rows * tmp.d);
    tmp.c = take(arena, moves * tmp.cond);
    tmp.dc = take(arena, moves * tmp.cond);
    tmp.dc_pass = take(arena, moves * tmp.cond);
    tmp.zin = take(arena, moves * tmp.d);
    tmp.dzin = take(arena, moves * tmp.d);
    tmp.pred = take(arena, moves * tmp.d);
    tmp.dpred = take(arena, moves * tmp.d);
    if (encoder) {
        tmp.encode =
            uw__encode_layout_chunked(arena, net, rows, uw__loss_chunk(net, config, windows));
    }
    if (tmp.action) tmp.action_acts = uw__action_layout(arena, net, moves, true);
    tmp.predict = uw__predict_layout(arena, net, tmp.b, tmp.t - 1, true);
    rollout_layout(arena, net, &tmp);
    if (config->inverse_weight > 0.0f) {
        tmp.next = take(arena, moves * tmp.d);
        tmp.dnext = take(arena, moves * tmp.d);
        tmp.guess = take(arena, moves * tmp.action);
        tmp.dguess = take(arena, moves * tmp.action);
        tmp.inverse = uw__inverse_layout(arena, net, moves);
    }
    if (config->readout_weight > 0.0f) {
        const size_t numbers = (size_t)net->config.readout_dim;
        tmp.read = take(arena, rows * numbers);
        tmp.dread = take(arena, rows * numbers);
        tmp.readout = uw__readout_layout(arena, net, rows);
    }
    if (config->sigreg_weight > 0.0f && config->episode_windows > 1) {
        tmp.apart = take(arena, rows * tmp.d);
        tmp.dapart = take(arena, rows * tmp.d);
    }
    if (config->sigreg_weight > 0.0f) {
        const size_t sets = config->sigreg_per_step ? tmp.t : 1;
        const uw_sigreg_dims dims = {.sets = sets,
                                     .n = rows / sets,
                                     .d = tmp.d,
                                     .directions = (size_t)config->sigreg_directions,
                                     .knots = (size_t)config->sigreg_knots,
                                     .times_n = config->sigreg_times_n};
        tmp.sigreg = uw__sigreg_layout(arena, &dims);
    }
    if (config->vicreg_weight > 0.0f) tmp.vicreg = uw__vicreg_layout(arena, tmp.b, tmp.t, tmp.d);
    if (s && !arena->failed) *s = tmp;
    return s;
}

uw_loss_state *uw__loss_layout(uw_arena *arena, const uw_net *net, const uw_train_config *config,
                               size_t windows) {
    return layout(arena, net, config, windows, true);
}

uw_loss_state *uw__loss_layout_predictor(uw_arena *arena, const uw_net *net,
                                         const uw_train_config *config, size_t windows) {
    uw_train_config c = *config;
    c.extra_frames = 0;
    c.sigreg_weight = c.vicreg_weight = c.inverse_weight = c.readout_weight = 0.0f;
    return layout(arena, net, &c, windows, false);
}

void uw__loss_frames(uw_loss_state *s, const uint8_t *frames) {
    s->frames = frames;
}

static void encode(const uw_exec *e, const uw_net *net, const uw_real *params, uw_real *buffers,
                   uw_loss_state *s, const uw_real *x, size_t rows, bool train, uw_real *z) {
    if (s->frames)
        uw__encode_forward_frames(e, net, params, buffers, s->encode, s->frames, rows, train, z);
    else
        uw__encode_forward(e, net, params, buffers, s->encode, x, rows, train, z);
}

void uw__loss_encode(const uw_exec *e, const uw_net *net, const uw_real *params, uw_real *buffers,
                     uw_loss_state *s, const uw_real *x, size_t rows, uw_real *z) {
    encode(e, net, params, buffers, s, x, rows, false, z);
}

/* Sum over rows of the distances between a and b. */
static double distances(const uw_real *a, const uw_real *b, size_t rows, size_t d) {
    double sum = 0.0;
    for (size_t r = 0; r < rows; r++) {
        double square = 0.0;
        for (size_t i = 0; i < d; i++) {
            const double e = (double)a[r * d + i] - (double)b[r * d + i];
            square += e * e;
        }
        sum += sqrt(square);
    }
    return sum;
}

double uw__loss_action_sensitivity(const uw_exec *e, const uw_net *net, const uw_real *params,
                                   uw_real *buffers, uw_loss_state *s) {
    const size_t row = (s->t - 1) * s->cond, moves = s->b * (s->t - 1), half = s->b / 2;
    const uw_dropout off = {.on = false};
    if (!s->cond || !half) return NAN;
    /* every window with the actions of the one half-way round */
    memcpy(s->dc, s->c + half * row, (s->b - half) * row * sizeof *s->dc);
    memcpy(s->dc + (s->b - half) * row, s->c, half * row * sizeof *s->dc);
    uw__predict_forward(e, net, params, buffers, s->predict, s->zin, s->c, s->b, s->t - 1, false,
                        &off, s->pred);
    uw__predict_forward(e, net, params, buffers, s->predict, s->zin, s->dc, s->b, s->t - 1, false,
                        &off, s->dpred);
    const double moved = distances(s->pred, s->zin, moves, s->d);
    return moved > 0.0 ? distances(s->pred, s->dpred, moves, s->d) / moved : NAN;
}

uw_real *uw__loss_latents(const uw_loss_state *s) {
    return s->z;
}

struct uw_sigreg *uw__loss_sigreg(uw_loss_state *s) {
    return s->sigreg;
}

/* Copy or add blocks of `count` reals between strided places. */
static void copy_rows(uw_real *dst, size_t ld_dst, const uw_real *src, size_t ld_src, size_t rows,
                      size_t count) {
    for (size_t r = 0; r < rows && count; r++) {
        memcpy(dst + r * ld_dst, src + r * ld_src, count * sizeof *dst);
    }
}

static void add_rows(uw_real *dst, size_t ld_dst, const uw_real *src, size_t ld_src, size_t rows,
                     size_t count) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < count; i++) dst[r * ld_dst + i] += src[r * ld_src + i];
    }
}

/* Mean squared difference of rows of `count`; g times its gradient is written to dgot and taken
 * from dwant (nullable). */
static double squared_error(const uw_real *got, size_t ld_got, const uw_real *want, size_t ld_want,
                            size_t rows, size_t count, double g, uw_real *dgot, size_t ld_dgot,
                            uw_real *dwant, size_t ld_dwant) {
    const double inv = 1.0 / ((double)rows * (double)count);
    double sum = 0.0;
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < count; i++) {
            const double e = (double)got[r * ld_got + i] - (double)want[r * ld_want + i];
            const uw_real step = (uw_real)(2.0 * g * inv * e);
            sum += e * e;
            if (dgot) dgot[r * ld_dgot + i] = step;
            if (dwant) dwant[r * ld_dwant + i] -= step;
        }
    }
    return sum * inv;
}

/* ---- forward ------------------------------------------------------------------------------- */

/* z, c and the teacher-forced predictions. */
static void forward(const uw_exec *e, const uw_net *net, const uw_real *params, uw_real *buffers,
                    uw_loss_state *s, const uw_real *x, size_t rows, const uw_real *a, bool train,
                    const uw_dropout *dropout) {
    const size_t moves = (s->t - 1) * s->d;
    if (s->encode) encode(e, net, params, buffers, s, x, rows, train, s->z);
    if (s->action) {
        uw__action_forward(e, net, params, s->action_acts, a, s->b * (s->t - 1), s->c);
    }
    copy_rows(s->zin, moves, s->z, s->t * s->d, s->b, moves);
    uw__predict_forward(e, net, params, buffers, s->predict, s->zin, s->c, s->b, s->t - 1, train,
                        dropout, s->pred);
}

/* Feed predictions back: entry j predicts step j + 1. */
static void rollout_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                            uw_real *buffers, uw_loss_state *s, uw_dropout dropout) {
    copy_rows(s->rollout[0].p, s->d, s->pred, (s->t - 1) * s->d, s->b, s->d);
    for (size_t j = 1; j < s->steps; j++) {
        rollout_step *r = &s->rollout[j];
        const size_t ld = r->length * s->d;
        for (size_t i = 0; i < r->length; i++) {
            const size_t step = r->first + i;
            if (step == 0)
                copy_rows(r->z, ld, s->z, s->t * s->d, s->b, s->d);
            else
                copy_rows(r->z + i * s->d, ld, s->rollout[step - 1].p, s->d, s->b, s->d);
        }
        copy_rows(r->c, r->length * s->cond, s->c + r->first * s->cond, (s->t - 1) * s->cond, s->b,
                  r->length * s->cond);
        dropout.call = (uint32_t)j;
        uw__predict_forward(e, net, params, buffers, r->acts, r->z, r->c, s->b, r->length, true,
                            &dropout, r->out);
        copy_rows(r->p, s->d, r->out + (r->length - 1) * s->d, ld, s->b, s->d);
    }
}

/* ---- backward ------------------------------------------------------------------------------ */

/* Errors at steps 2 .. steps, each a mean, averaged; their gradients into dp and the targets. */
static double rollout_loss(uw_loss_state *s, double weight) {
    const double share = 1.0 / (double)(s->steps - 1);
    double loss = 0.0;
    memset(s->rollout[0].dp, 0, s->b * s->d * sizeof(uw_real));
    for (size_t j = 1; j < s->steps; j++) {
        rollout_step *r = &s->rollout[j];
        const size_t at = (j + 1) * s->d, ld = s->t * s->d;
        loss += share * squared_error(r->p, s->d, s->z + at, ld, s->b, s->d, weight * share, r->dp,
                                      s->d, s->dz + at, ld);
    }
    return loss;
}

/* Back through the fed-back predictions, last first; dp of entry 0 joins the teacher-forced pass.
 */
static void rollout_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             uw_loss_state *s, uw_real *grads) {
    for (size_t j = s->steps; j-- > 1;) {
        rollout_step *r = &s->rollout[j];
        const size_t ld = r->length * s->d;
        memset(r->dout, 0, s->b * ld * sizeof(uw_real));
        copy_rows(r->dout + (r->length - 1) * s->d, ld, r->dp, s->d, s->b, s->d);
        uw__predict_backward(e, net, params, r->acts, r->dout, r->dz, s->cond ? r->dc : NULL,
                             grads);
        for (size_t i = 0; i < r->length; i++) {
            const size_t step = r->first + i;
            if (step == 0)
                add_rows(s->dz, s->t * s->d, r->dz, ld, s->b, s->d);
            else
                add_rows(s->rollout[step - 1].dp, s->d, r->dz + i * s->d, ld, s->b, s->d);
        }
        add_rows(s->dc + r->first * s->cond, (s->t - 1) * s->cond, r->dc, r->length * s->cond, s->b,
                 r->length * s->cond);
    }
    add_rows(s->dpred, (s->t - 1) * s->d, s->rollout[0].dp, s->d, s->b, s->d);
}

static double inverse_loss(const uw_exec *e, const uw_net *net, const uw_real *params,
                           uw_loss_state *s, const uw_real *a, double weight, uw_real *grads) {
    const size_t moves = s->b * (s->t - 1), row = (s->t - 1) * s->d, ld = s->t * s->d;
    copy_rows(s->next, row, s->z + s->d, ld, s->b, row);
    uw__inverse_forward(e, net, params, s->inverse, s->zin, s->next, moves, s->guess);
    const double loss = squared_error(s->guess, s->action, a, s->action_in, moves, s->action,
                                      weight, s->dguess, s->action, NULL, 0);
    uw__inverse_backward(e, net, params, s->inverse, s->dguess, s->dzin, s->dnext, grads);
    add_rows(s->dz, ld, s->dzin, row, s->b, row);
    add_rows(s->dz + s->d, ld, s->dnext, row, s->b, row);
    return loss;
}

static double readout_loss(const uw_exec *e, const uw_net *net, const uw_real *params,
                           uw_loss_state *s, const uw_real *y, double weight, uw_real *grads) {
    const size_t numbers = (size_t)net->config.readout_dim;
    uw__readout_forward(e, net, params, s->readout, s->z, s->rows, s->read);
    const double loss = squared_error(s->read, numbers, y, numbers, s->rows, numbers, weight,
                                      s->dread, numbers, NULL, 0);
    uw__readout_backward(e, net, params, s->readout, s->dread, s->dz, grads);
    return loss;
}

/* Take from every row the mean over its group of rows, which is its own transpose: the gradient
 * goes back by the same function.  add: onto what out holds. */
static void centre(const uw_real *x, size_t groups, size_t rows, size_t d, bool add, uw_real *out) {
    for (size_t g = 0; g < groups; g++, x += rows * d, out += rows * d) {
        for (size_t i = 0; i < d; i++) {
            double mean = 0.0;
            for (size_t r = 0; r < rows; r++) mean += (double)x[r * d + i];
            mean /= (double)rows;
            for (size_t r = 0; r < rows; r++) {
                const uw_real apart = (uw_real)((double)x[r * d + i] - mean);
                out[r * d + i] = add ? out[r * d + i] + apart : apart;
            }
        }
    }
}

/* SIGReg of what tells the states of one episode apart.  Pooled over episodes that differ in what
 * never changes within them, it is content with that alone, and the state is never learned. */
static double sigreg_within(const uw_exec *e, const uw_train_config *config, uw_loss_state *s,
                            double weight) {
    const size_t rows = (size_t)config->episode_windows * s->t, groups = s->rows / rows;
    centre(s->z, groups, rows, s->d, false, s->apart);
    memset(s->dapart, 0, s->rows * s->d * sizeof *s->dapart);
    const double loss = uw__sigreg_loss(e, s->sigreg, s->apart, weight, s->dapart);
    centre(s->dapart, groups, rows, s->d, true, s->dz);
    return loss;
}

/* The terms that see latents only. */
static void regularise(const uw_exec *e, const uw_train_config *config, uw_loss_state *s,
                       uint64_t draw, double scale, uw_losses *out) {
    if (s->sigreg) {
        uw__sigreg_directions(e, s->sigreg, config->seed, draw);
        const double weight = scale * (double)config->sigreg_weight;
        out->sigreg = s->apart ? sigreg_within(e, config, s, weight)
                               : uw__sigreg_loss(e, s->sigreg, s->z, weight, s->dz);
    }
    if (s->vicreg) {
        const double weight = scale * (double)config->vicreg_weight;
        double sd, cov;
        uw__vicreg_loss(e, s->vicreg, s->z, weight, weight, s->dz, &sd, &cov);
        out->vicreg = sd + cov;
    }
}

void uw__loss_gradient(const uw_exec *e, const uw_net *net, const uw_train_config *config,
                       const uw_real *params, uw_real *buffers, uw_loss_state *s, const uw_real *x,
                       const uw_real *a, const uw_real *y, uint64_t draw, double scale,
                       uw_real *grads, uw_losses *out) {
    const uw_dropout dropout = {
        .on = net->config.dropout > 0.0f, .seed = config->seed, .step = draw};
    const size_t moves = (s->t - 1) * s->d, ld = s->t * s->d;
    uw_losses l = {0};

    forward(e, net, params, buffers, s, x, s->rows, a, true, &dropout);
    if (s->steps) rollout_forward(e, net, params, buffers, s, dropout);

    memset(s->dz, 0, s->rows * s->d * sizeof *s->dz);
    if (s->cond) memset(s->dc, 0, s->b * (s->t - 1) * s->cond * sizeof *s->dc);
    regularise(e, config, s, draw, scale, &l);
    l.prediction =
        squared_error(s->pred, moves, s->z + s->d, ld, s->b, moves,
                      scale * (double)config->prediction_weight, s->dpred, moves, s->dz + s->d, ld);
    if (s->steps) {
        l.rollout = rollout_loss(s, scale * (double)config->rollout_weight);
        rollout_backward(e, net, params, s, grads);
    }
    if (s->inverse) {
        l.inverse =
            inverse_loss(e, net, params, s, a, scale * (double)config->inverse_weight, grads);
    }
    if (s->readout) {
        l.readout =
            readout_loss(e, net, params, s, y, scale * (double)config->readout_weight, grads);
    }
    uw__predict_backward(e, net, params, s->predict, s->dpred, s->dzin, s->cond ? s->dc_pass : NULL,
                         grads);
    add_rows(s->dc, s->cond, s->dc_pass, s->cond, s->b * (s->t - 1), s->cond);
    add_rows(s->dz, ld, s->dzin, moves, s->b, moves);
    if (s->cond) uw__action_backward(e, net, params, s->action_acts, s->dc, NULL, grads);
    if (s->encode) uw__encode_backward(e, net, params, s->encode, s->dz, grads);

    l.total = (double)config->prediction_weight * l.prediction +
              (double)config->rollout_weight * l.rollout +
              (double)config->sigreg_weight * l.sigreg +
              (double)config->inverse_weight * l.inverse +
              (double)config->vicreg_weight * l.vicreg + (double)config->readout_weight * l.readout;
    *out = l;
}

double uw__loss_validate(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_real *buffers, uw_loss_state *s, const uw_real *x, const uw_real *a) {
    const size_t moves = (s->t - 1) * s->d, ld = s->t * s->d;
    const uw_dropout off = {.on = false};
    forward(e, net, params, buffers, s, x, s->b * s->t, a, false, &off);
    return squared_error(s->pred, moves, s->z + s->d, ld, s->b, moves, 0.0, NULL, 0, NULL, 0);
}
