/* The model: numbers, normalisers and provenance behind one immutable object. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_struct.h"
#include "tensors.h"

static char *copy_string(const char *text) {
    return strdup(text ? text : "");
}

static bool copy_floats(float **out, const float *from, int32_t count) {
    if (count == 0 || !from) return true;
    *out = malloc((size_t)count * sizeof **out);
    if (*out) memcpy(*out, from, (size_t)count * sizeof **out);
    return *out != NULL;
}

static bool copy_normalisers(uw_normalisers *to, const uw_normalisers *from) {
    if (!from) return true;
    to->action_dim = from->action_mean ? from->action_dim : 0;
    to->observe_dim = from->observe_mean ? from->observe_dim : 0;
    return copy_floats(&to->action_mean, from->action_mean, to->action_dim) &&
           copy_floats(&to->action_std, from->action_std, to->action_dim) &&
           copy_floats(&to->observe_mean, from->observe_mean, to->observe_dim) &&
           copy_floats(&to->observe_std, from->observe_std, to->observe_dim);
}

static bool copy_provenance(uw_model *model, const uw_provenance *from) {
    static const uw_provenance nothing = {.action_repeat = 1};
    uw_provenance *p = &model->provenance;
    if (!from) from = &nothing;

    *p = *from;
    p->version = model->strings[0] = copy_string(from->version ? from->version : UW_VERSION);
    p->preset = model->strings[1] = copy_string(from->preset);
    p->env = model->strings[2] = copy_string(from->env);
    p->dataset_hash = model->strings[3] = copy_string(from->dataset_hash);
    p->config_json = model->strings[4] = copy_string(from->config_json);
    p->trained_factors = model->strings[5] = copy_string(from->trained_factors);
    p->observe = model->strings[6] = copy_string(from->observe);
    p->readout = model->strings[7] = copy_string(from->readout);
    for (size_t i = 0; i < sizeof model->strings / sizeof *model->strings; i++)
        if (!model->strings[i]) return false;
    return true;
}

static uw_status check_normaliser(const char *name, int32_t got, int32_t want, const float *mean,
                                  const float *std, uw_err *err) {
    if (got == 0) return UW_OK;
    if (got != want) {
        return uw_fail(err, UW_ESHAPE, "normalisers: %s, wanted %d numbers, got %d", name,
                       (int)want, (int)got);
    }
    for (int32_t i = 0; i < got; i++) {
        if (!isfinite(mean[i]) || !isfinite(std[i]) || std[i] <= 0.0f) {
            return uw_fail(err, UW_ENONFINITE,
                           "normalisers: %s[%d], wanted finite with a positive std, got %g and %g",
                           name, (int)i, (double)mean[i], (double)std[i]);
        }
    }
    return UW_OK;
}

/* Place every tensor's view; counters get their whole-number twins. */
static void index_tensors(uw_model *model) {
    for (int32_t i = 0; i < model->net.num_tensors; i++) {
        const uw_net_tensor *t = &model->net.tensors[i];
        if (t->counter) model->counters[i] = (int64_t)model->buffers[t->offset];
    }
    for (int32_t i = 0; i < model->net.num_tensors; i++)
        model->sorted[i] = uw_model_tensor(model, i);
    uw__tensors_sort(model->sorted, model->net.num_tensors);
}

uw_status uw__model_take(const uw_model_config *config, float **params, float **buffers,
                         const uw_normalisers *normalisers, const uw_provenance *provenance,
                         uw_model **out, uw_err *err) {
    uw_model *m = calloc(1, sizeof *m);
    uw_status s = UW_OK;

    *out = NULL;
    if (!m) return uw_fail(err, UW_ENOMEM, "model: %zu bytes", sizeof *m);
    s = uw__net_init(config, &m->net, err);
    if (s) goto done;
    const size_t tensors = (size_t)m->net.num_tensors;
    m->counters = calloc(tensors, sizeof *m->counters);
    m->sorted = calloc(tensors, sizeof *m->sorted);
    if (!m->counters || !m->sorted || !copy_normalisers(&m->normalisers, normalisers) ||
        !copy_provenance(m, provenance)) {
        s = uw_fail(err, UW_ENOMEM, "model: %zu numbers", m->net.num_params);
        goto done;
    }
    const uw_normalisers *n = &m->normalisers;
    s = check_normaliser("action", n->action_dim, config->action_dim, n->action_mean, n->action_std,
                         err);
    if (!s) {
        s = check_normaliser("observe", n->observe_dim, config->observe_dim, n->observe_mean,
                             n->observe_std, err);
    }
    if (s) goto done;
    m->params = *params, m->buffers = *buffers;
    *params = *buffers = NULL;
    index_tensors(m);
done:
    if (s)
        uw_model_unload(m);
    else
        *out = m;
    return s;
}

uw_status uw__model_new(const uw_model_config *config, const float *params, const float *buffers,
                        const uw_normalisers *normalisers, const uw_provenance *provenance,
                        uw_model **out, uw_err *err) {
    uw_net net = {0};
    float *own_params = NULL, *own_buffers = NULL;
    *out = NULL;
    uw_status s = uw__net_init(config, &net, err);
    if (s) return s;
    own_params = malloc((net.num_params + 1) * sizeof *params);
    own_buffers = malloc((net.num_buffers + 1) * sizeof *buffers);
    if (!own_params || !own_buffers) {
        s = uw_fail(err, UW_ENOMEM, "model: %zu numbers", net.num_params);
    } else {
        memcpy(own_params, params, net.num_params * sizeof *params);
        memcpy(own_buffers, buffers, net.num_buffers * sizeof *buffers);
        s = uw__model_take(config, &own_params, &own_buffers, normalisers, provenance, out, err);
    }
    free(own_params);
    free(own_buffers);
    uw__net_fini(&net);
    return s;
}

void uw_model_unload(uw_model *model) {
    if (!model) return;
    uw__net_fini(&model->net);
    free(model->params);
    free(model->buffers);
    free(model->counters);
    free(model->sorted);
    free(model->normalisers.action_mean);
    free(model->normalisers.action_std);
    free(model->normalisers.observe_mean);
    free(model->normalisers.observe_std);
    for (size_t i = 0; i < sizeof model->strings / sizeof *model->strings; i++)
        free(model->strings[i]);
    free(model);
}

const uw_net *uw__model_net(const uw_model *model) {
    return &model->net;
}
const float *uw__model_params(const uw_model *model) {
    return model->params;
}
const float *uw__model_buffers(const uw_model *model) {
    return model->buffers;
}
void uw_model_action_normaliser(const uw_model *model, const float **mean, const float **std) {
    *mean = model->normalisers.action_mean;
    *std = model->normalisers.action_std;
}

const uw_normalisers *uw__model_normalisers(const uw_model *model) {
    return &model->normalisers;
}
const uw_model_config *uw_model_config_of(const uw_model *model) {
    return &model->net.config;
}
const uw_provenance *uw_model_provenance(const uw_model *model) {
    return &model->provenance;
}
int64_t uw_model_num_parameters(const uw_model *model) {
    return (int64_t)model->net.num_params;
}
int32_t uw_model_num_tensors(const uw_model *model) {
    return model->net.num_tensors;
}

uw_tensor uw_model_tensor(const uw_model *model, int32_t i) {
    const uw_net_tensor *t = &model->net.tensors[i];
    uw_tensor view = {.name = t->name,
                      .dtype = t->counter ? UW_DTYPE_I64 : UW_DTYPE_F32,
                      .num_dims = t->num_dims};
    memcpy(view.shape, t->shape, (size_t)t->num_dims * sizeof *t->shape);
    if (t->counter)
        view.data = &model->counters[i];
    else
        view.data = (t->buffer ? model->buffers : model->params) + t->offset;
    return view;
}

void uw_model_sha256(const uw_model *model, char hex[65]) {
    uw__tensors_sha256(model->sorted, model->net.num_tensors, hex);
}
