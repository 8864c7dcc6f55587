/* A policy's life: memory, the file, and acting.  Fitting is policy_fit.c. */
#include "policy_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "hash.h"
#include "internal.h"
#include "json.h"
#include "safetensors.h"

enum { NUM_TENSORS = 16 };

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t decisions_in(size_t dim) {
    return 2 * dim;
}

size_t uw__policy_floats(size_t dim, size_t action_dim) {
    return 2 * dim + 2 * action_dim + uw__head_size(decisions_in(dim), 1) +
           uw__head_size(decisions_in(dim) + 1, uw__mixture_size(action_dim));
}

/* Set every pointer into memory. */
static void place(uw_policy *p) {
    const size_t d = p->dim, a = p->action_dim;
    float *at = p->memory;
    p->latent_mean = at;
    p->latent_std = at + d;
    p->action_mean = at + 2 * d;
    p->action_std = at + 2 * d + a;
    p->decisions = (uw_head){.in = decisions_in(d), .out = 1, .params = at + 2 * d + 2 * a};
    p->action = (uw_head){.in = decisions_in(d) + 1,
                          .out = uw__mixture_size(a),
                          .params = p->decisions.params + uw__head_size(decisions_in(d), 1)};
}

uw_status uw__policy_new(uw_context *ctx, const uw_model *model, int32_t horizon, uw_policy **out,
                         uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    const int64_t a = (int64_t)config->action_dim * config->frameskip;
    *out = NULL;
    if (a < 1)
        return uw_fail(err, UW_EINVAL, "model: takes no actions, wanted some to learn a policy of");
    if (config->latent_dim > UW_POLICY_MAX_LATENT || a > UW_POLICY_MAX_ACTION)
        return uw_fail(err, UW_ESHAPE,
                       "model: wanted at most %d latent and %d action numbers, got %d and %lld",
                       UW_POLICY_MAX_LATENT, UW_POLICY_MAX_ACTION, (int)config->latent_dim,
                       (long long)a);
    uw_policy *p = calloc(1, sizeof *p);
    if (p)
        p->memory = calloc(uw__policy_floats((size_t)config->latent_dim, (size_t)a), sizeof(float));
    if (!p || !p->memory) {
        uw_policy_unload(p);
        return uw_fail(err, UW_ENOMEM, "policy: no memory for its numbers");
    }
    p->kernels = ctx->kernels;
    p->dim = (size_t)config->latent_dim;
    p->action_dim = (size_t)a;
    p->horizon = horizon;
    uw_model_sha256(model, p->model);
    place(p);
    *out = p;
    return UW_OK;
}

void uw__policy_seal(uw_policy *p) {
    p->id = uw__xxh3(p->memory, uw__policy_floats(p->dim, p->action_dim) * sizeof *p->memory,
                     (uint64_t)p->horizon);
}

void uw_policy_unload(uw_policy *p) {
    if (!p) return;
    free(p->memory);
    free(p);
}

/* ---- acting ---------------------------------------------------------------------------------- */

/* x = [s, g - s] of the standardised latents. */
static void meet(const uw_policy *p, const float *z, const float *z_goal, float *x) {
    for (size_t i = 0; i < p->dim; i++) {
        x[i] = (z[i] - p->latent_mean[i]) / p->latent_std[i];
        x[p->dim + i] = (z_goal[i] - z[i]) / p->latent_std[i];
    }
}

static float log_decisions(const uw_policy *p, const float *x) {
    float y;
    uw__head_forward_one(p->kernels, &p->decisions, x, &y);
    return fminf(fmaxf(y, 0.0f), logf((float)p->horizon));
}

float uw_policy_decisions(const uw_policy *p, const float *z, const float *z_goal) {
    float x[2 * UW_POLICY_MAX_LATENT];
    meet(p, z, z_goal, x);
    return expf(log_decisions(p, x));
}

uw_status uw_policy_act(const uw_policy *p, const float *z, const float *z_goal, float u,
                        float *action) {
    float x[2 * UW_POLICY_MAX_LATENT + 1], y[UW_POLICY_WAYS * (UW_POLICY_MAX_ACTION + 2)];
    meet(p, z, z_goal, x);
    x[2 * p->dim] = log_decisions(p, x);
    uw__head_forward_one(p->kernels, &p->action, x, y);
    for (size_t i = 0; i < p->action.out; i++)
        if (!isfinite(y[i])) return UW_ENONFINITE;
    const float *way = y + (size_t)uw__mixture_pick(y, p->action_dim, u) * (p->action_dim + 2);
    for (size_t j = 0; j < p->action_dim; j++)
        action[j] = way[2 + j] * p->action_std[j] + p->action_mean[j];
    return UW_OK;
}

static uw_status act(const void *self, const float *z, const float *z_goal, float u,
                     float *action) {
    return uw_policy_act(self, z, z_goal, u, action);
}

uw_actor uw_policy_actor(const uw_policy *p) {
    return (uw_actor){.self = p, .id = p->id, .act = act};
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The tensors of a policy in file order; names: [NUM_TENSORS][32].  Data points into memory. */
static void list_tensors(const uw_policy *p, char names[NUM_TENSORS][32],
                         uw_tensor tensors[NUM_TENSORS]) {
    static const char *const norms[] = {"latent_mean", "latent_std", "action_mean", "action_std"};
    const float *data[] = {p->latent_mean, p->latent_std, p->action_mean, p->action_std};
    int32_t n = 0;
    for (int i = 0; i < 4; i++, n++) {
        snprintf(names[n], 32, "%s", norms[i]);
        tensors[n] = (uw_tensor){
            .num_dims = 1, .shape = {(int64_t)(i < 2 ? p->dim : p->action_dim)}, .data = data[i]};
    }
    for (int h = 0; h < 2; h++)
        for (int32_t i = 0; i < 3; i++) {
            const uw_linear l = uw__head_layer(h ? &p->action : &p->decisions, i, NULL);
            const char *head = h ? "action" : "decisions";
            snprintf(names[n], 32, "%s.%d.weight", head, (int)i);
            tensors[n++] =
                (uw_tensor){.num_dims = 2, .shape = {(int64_t)l.out, (int64_t)l.in}, .data = l.w};
            snprintf(names[n], 32, "%s.%d.bias", head, (int)i);
            tensors[n++] = (uw_tensor){.num_dims = 1, .shape = {(int64_t)l.out}, .data = l.b};
        }
    for (int32_t i = 0; i < NUM_TENSORS; i++) {
        tensors[i].name = names[i];
        tensors[i].dtype = UW_DTYPE_F32;
    }
}

uw_status uw_policy_save(const uw_policy *p, const char *path, bool overwrite, uw_err *err) {
    char names[NUM_TENSORS][32], horizon[16];
    uw_tensor tensors[NUM_TENSORS];
    list_tensors(p, names, tensors);
    snprintf(horizon, sizeof horizon, "%d", (int)p->horizon);
    const uw_meta_pair meta[] = {{"umwelt.version", uw_version()},
                                 {"umwelt.policy", horizon},
                                 {"umwelt.model", p->model},
                                 {"umwelt.dataset", p->dataset}};
    return uw__safetensors_write(path, tensors, NUM_TENSORS, meta, sizeof meta / sizeof *meta,
                                 overwrite, err);
}

/* What the file says of itself, before its numbers are looked at. */
static uw_status check_meta(const char *path, const uw_safetensors *file, const uw_model *model,
                            int32_t *horizon, uw_err *err) {
    const char *decisions = uw__safetensors_meta(file, "umwelt.policy");
    const char *made_for = uw__safetensors_meta(file, "umwelt.model");
    char sha[65];
    const long k = decisions ? strtol(decisions, NULL, 10) : 0;
    if (!made_for || k < 1 || k > UW_MAX_POLICY_HORIZON) {
        uw_fail(err, UW_EFORMAT, "%s: no policy, wanted a file that uw_policy_save wrote", path);
        uw_err_fix(err, "umwelt eval MODEL --solver inverse --data D.uw --policy NEW makes one");
        return UW_EFORMAT;
    }
    *horizon = (int32_t)k;
    uw_model_sha256(model, sha);
    if (strcmp(sha, made_for) == 0) return UW_OK;
    uw_fail(err, UW_ESHAPE, "%s: policy, wanted one of model %.16s, got one of model %.16s", path,
            sha, made_for);
    uw_err_fix(err, "a policy reads one model's latents: fit another to --data under another name");
    return UW_ESHAPE;
}

static uw_status take_tensor(const char *path, const uw_safetensors *file, const uw_tensor *want,
                             uw_err *err) {
    const int32_t i = uw__safetensors_find(file, want->name);
    const uw_tensor got = i < 0 ? (uw_tensor){0} : uw__safetensors_tensor(file, i);
    bool fits = i >= 0 && got.dtype == UW_DTYPE_F32 && got.num_dims == want->num_dims;
    for (int32_t k = 0; fits && k < want->num_dims; k++) fits = got.shape[k] == want->shape[k];
    if (!fits) {
        uw_fail(err, UW_ESHAPE, "%s: %s: wanted %lld F32 numbers, got %s", path, want->name,
                (long long)uw_tensor_count(want), i < 0 ? "none" : "another shape or type");
        uw_err_fix(err, "take the file from where it was written once more");
        return UW_ESHAPE;
    }
    const float *from = got.data;
    float *to = (float *)want->data; /* the policy's own memory */
    for (int64_t k = 0; k < uw_tensor_count(want); k++) {
        if (!isfinite(from[k]))
            return uw_fail(err, UW_ENONFINITE, "%s: %s: number %lld is not finite", path,
                           want->name, (long long)k);
        to[k] = from[k];
    }
    return UW_OK;
}

uw_status uw_policy_load(uw_context *ctx, const uw_model *model, const char *path, uw_policy **out,
                         uw_err *err) {
    char names[NUM_TENSORS][32];
    uw_tensor tensors[NUM_TENSORS];
    uw_safetensors *file = NULL;
    uw_policy *p = NULL;
    int32_t horizon = 0;
    *out = NULL;
    uw_status s = uw__safetensors_open(path, 0, &file, err);
    if (!s) s = check_meta(path, file, model, &horizon, err);
    if (!s) s = uw__policy_new(ctx, model, horizon, &p, err);
    if (s) goto done;
    list_tensors(p, names, tensors);
    for (int32_t i = 0; i < NUM_TENSORS && !s; i++) s = take_tensor(path, file, &tensors[i], err);
    for (size_t i = 0; i < p->dim && !s; i++)
        if (!(p->latent_std[i] > 0.0f))
            s = uw_fail(err, UW_EFORMAT, "%s: latent_std: wanted numbers above 0", path);
    if (s) goto done;
    const char *data = uw__safetensors_meta(file, "umwelt.dataset");
    snprintf(p->dataset, sizeof p->dataset, "%s", data ? data : "");
    uw__policy_seal(p);
    *out = p;
    p = NULL;
done:
    uw_policy_unload(p);
    uw__safetensors_close(file);
    return s;
}
