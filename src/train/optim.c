/* AdamW as PyTorch computes it: decay lr * wd on every parameter, biases and norms included, before
 * the update; bias corrections in double.  Work is cut into fixed blocks, sums are folded in block
 * order. */
#include "optim.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 16384 };

double uw__schedule_lr(const uw_train_config *config, int64_t step) {
    const double pi = 3.14159265358979323846;
    const double peak = (double)config->lr, low = (double)config->lr_final_fraction;
    const int64_t total = config->schedule_steps ? config->schedule_steps : config->steps;
    const int64_t warmup = config->warmup_steps;
    double rise = 1.0, at, length;

    if (config->warmup_from_zero) {
        if (step < warmup) return peak * (double)step / (double)warmup;
        at = (double)(step - warmup);
        length = (double)(total - warmup);
    } else {
        if (step + 1 < warmup) rise = (double)(step + 1) / (double)warmup;
        at = (double)step;
        length = (double)total;
    }
    if (at > length || !(length > 0.0)) at = length = 1.0; /* past the end of a shorter schedule */
    return peak * rise * ((1.0 - low) * 0.5 * (1.0 + cos(pi * at / length)) + low);
}

uw_optim uw__optim_layout(uw_arena *arena, size_t n) {
    uw_optim o = {.n = n};
    o.m = uw_arena_alloc(arena, n, sizeof *o.m);
    o.v = uw_arena_alloc(arena, n, sizeof *o.v);
    o.partial = uw_arena_alloc(arena, (n + BLOCK - 1) / BLOCK, sizeof *o.partial);
    return o;
}

typedef struct optim_args {
    const uw_exec *e;
    uw_optim *o;
    uw_real *params;
    const uw_real *g; /* of the norm */
    uw_real *spent;   /* of the update */
    uw_adamw_args adamw;
} optim_args;

static size_t block_size(const uw_optim *o, size_t block) {
    const size_t left = o->n - block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

static void norm_block(void *arg, size_t block, int32_t worker) {
    (void)worker;
    const optim_args *a = arg;
    a->o->partial[block] = a->e->k->sumsq(a->g + block * BLOCK, block_size(a->o, block));
}

double uw__optim_norm(const uw_exec *e, uw_optim *o, const uw_real *g) {
    const size_t blocks = (o->n + BLOCK - 1) / BLOCK;
    optim_args a = {.e = e, .o = o, .g = g};
    double sum = 0.0;
    uw__pool_run(e->pool, blocks, norm_block, &a);
    for (size_t i = 0; i < blocks; i++) sum += o->partial[i];
    return sqrt(sum);
}

static void adamw_block(void *arg, size_t block, int32_t worker) {
    (void)worker;
    const optim_args *a = arg;
    const size_t at = block * BLOCK, n = block_size(a->o, block);
    a->e->k->adamw(a->params + at, a->o->m + at, a->o->v + at, a->spent + at, n, &a->adamw);
    memset(a->spent + at, 0, n * sizeof *a->spent); /* while it is in the cache */
}

void uw__optim_step(const uw_exec *e, uw_optim *o, const uw_train_config *config, uw_real *params,
                    uw_real *g, double norm, double lr, int64_t step) {
    const double clip = (double)config->clip_norm;
    const double t = (double)(step + 1);
    /* PyTorch's clip: clip / (norm + 1e-6), never above 1. */
    const double scale = clip > 0.0 && clip < norm + 1e-6 ? clip / (norm + 1e-6) : 1.0;
    optim_args a = {
        .e = e,
        .o = o,
        .params = params,
        .spent = g,
        .adamw = {.lr = (uw_real)lr,
                  .beta1 = (uw_real)config->beta1,
                  .beta2 = (uw_real)config->beta2,
                  .eps = (uw_real)config->adam_eps,
                  .weight_decay = (uw_real)config->weight_decay,
                  .bias1 = (uw_real)(1.0 - pow((double)config->beta1, t)),
                  .bias2 = (uw_real)(1.0 - pow((double)config->beta2, t)),
                  .grad_scale = (uw_real)scale},
    };
    uw__pool_run(e->pool, (o->n + BLOCK - 1) / BLOCK, adamw_block, &a);
}
