/* What a stopped evaluation leaves: the episodes played so far, in one small file for this machine.
 *
 * The key is a hash of everything that results depend on, so a file of another run, model, dataset
 * or build is not taken for this one; it is then replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "eval_internal.h"
#include "fileio.h"
#include "hash.h"

typedef struct head {
    char magic[8];
    uint64_t key, sum; /* of the run, and of all after this head */
    int32_t episodes, max_decisions;
    uint32_t episode_bytes;
    uint32_t planned; /* latencies follow */
} head;
static const char magic[8] = "uw-eval";

/* Copy between the arrays of a run and the bytes after the head. */
static size_t transfer(const uw_progress *p, unsigned char *bytes, bool to_bytes) {
    const size_t n = (size_t)p->episodes;
    const struct {
        void *data;
        size_t size;
    } parts[] = {
        {p->done, n * sizeof *p->done},
        {p->episode, n * sizeof *p->episode},
        {p->decisions, n * sizeof *p->decisions},
        {p->latency, p->latency ? n * (size_t)p->max_decisions * sizeof *p->latency : 0},
    };
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (bytes && parts[i].size)
            memcpy(to_bytes ? bytes + used : parts[i].data, to_bytes ? parts[i].data : bytes + used,
                   parts[i].size);
        used += parts[i].size;
    }
    return used;
}

static head head_of(uint64_t key, const uw_progress *p, const unsigned char *bytes, size_t size) {
    head h = {.key = key,
              .sum = uw__xxh3(bytes, size, 0),
              .episodes = p->episodes,
              .max_decisions = p->max_decisions,
              .episode_bytes = sizeof(uw_episode),
              .planned = p->latency != NULL};
    memcpy(h.magic, magic, sizeof h.magic);
    return h;
}

bool uw__progress_load(const char *path, uint64_t key, uw_progress *p) {
    const size_t size = transfer(p, NULL, false);
    unsigned char *bytes = NULL;
    size_t got = 0;
    if (uw__file_read(path, sizeof(head) + size, (void **)&bytes, &got, NULL)) return false;
    bool fits = got == sizeof(head) + size;
    if (fits) {
        const head want = head_of(key, p, bytes + sizeof want, size);
        fits = memcmp(bytes, &want, sizeof want) == 0;
    }
    if (fits) transfer(p, bytes + sizeof(head), false);
    free(bytes);
    return fits;
}

uw_status uw__progress_save(const char *path, uint64_t key, const uw_progress *p, uw_err *err) {
    const size_t size = transfer(p, NULL, true);
    unsigned char *bytes = calloc(1, sizeof(head) + size);
    if (!bytes) return uw_fail(err, UW_ENOMEM, "%s: no memory for %zu bytes", path, size);
    transfer(p, bytes + sizeof(head), true);
    const head h = head_of(key, p, bytes + sizeof h, size);
    memcpy(bytes, &h, sizeof h);
    const uw_status status = uw__file_write_atomic(path, bytes, sizeof h + size, true, err);
    free(bytes);
    return status;
}

/* Field by field: what lies between the fields of a struct is nobody's. */
static uint64_t planner_key(const uw_planner_options *o, uint64_t key) {
    const int32_t whole[] = {(int32_t)o->solver, (int32_t)o->objective, o->horizon,
                             o->num_samples,     o->num_elites,         o->iters,
                             o->keep_elites,     o->warm_start,         o->return_best,
                             o->sample_std,      o->unbounded,          o->compat,
                             o->choice_dim,      (int32_t)o->descent,   o->num_constraints,
                             o->outer_iters,     o->forget_multipliers};
    const float real[] = {o->init_std,    o->min_std,      o->noise_ar,      o->noise_beta,
                          o->momentum,    o->action_low,   o->action_high,   o->action_cost,
                          o->temperature, o->smoothing,    o->learning_rate, o->weight_decay,
                          o->grad_clip,   o->action_noise, o->penalty,       o->penalty_growth,
                          o->penalty_max};
    key = uw__xxh3(whole, sizeof whole, key);
    key = uw__xxh3(real, sizeof real, key);
    key = uw__xxh3(&o->deadline_s, sizeof o->deadline_s, key);
    return uw__xxh3(&o->seed, sizeof o->seed, key);
}

uint64_t uw__progress_key(const uw_contest *c, const uw_protocol *protocol,
                          const uw_eval_options *o) {
    char text[1024], model[65] = "";
    if (c->model) uw_model_sha256(c->model, model);
    snprintf(text, sizeof text, "%s|%s|%s|%s|%d|%d|%d|%d|%d|%llu|%llu|%d|%a|%llu|%s|%s|%s",
             uw_version(), uw_context_isa(c->ctx), c->cls->name, protocol->name, (int)c->driver,
             (int)c->budget, (int)c->hold, (int)c->rows, (int)o->episodes,
             (unsigned long long)o->seed, (unsigned long long)o->reset_seed, (int)o->split,
             o->holdout, (unsigned long long)o->holdout_seed,
             protocol->offset ? uw_dataset_hash(o->data) : "", model,
             o->goal_variation ? "goal" : "");
    uint64_t key = uw__xxh3(text, strlen(text), 0);
    key = planner_key(&o->planner, key);
    if (o->variation) key = uw__xxh3(o->variation, sizeof *o->variation, key);
    if (o->value) key = uw__xxh3(&o->value->id, sizeof o->value->id, key);
    if (o->actor) key = uw__xxh3(&o->actor->id, sizeof o->actor->id, key + o->actor_first);
    if (o->teleport_at) key = uw__xxh3(&o->teleport_at, sizeof o->teleport_at, key);
    if (o->band) {
        const size_t d = (size_t)o->band->latent_dim;
        key = uw__xxh3(&o->band->threshold, sizeof o->band->threshold, key + o->on_surprise + 1);
        key = uw__xxh3(o->band->whiten, d * d * sizeof *o->band->whiten, key);
    }
    if (o->goal_variation) key = uw__xxh3(o->goal_variation, sizeof *o->goal_variation, key);
    return key;
}
