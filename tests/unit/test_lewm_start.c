/* The preset's table and how its numbers start, against the reference's rules by name: normal 0.02
 * in the ViT, PyTorch's uniform in every other linear layer, N(0, 1) predictor positions, zero
 * AdaLN. */
#include <math.h>

#include <umwelt/train.h>

#include "check.h"
#include "net.h"

typedef enum start { ZERO, ONE, NORMAL, SMALL, UNIFORM } start;

static bool has(const char *name, const char *part) {
    return strstr(name, part) != NULL;
}

static start start_of(const uw_net_tensor *t) {
    const bool vit = !strncmp(t->name, "encoder.", 8);
    const bool norm = has(t->name, "norm") || has(t->name, "mlp.net.0.") ||
                      has(t->name, "projector.net.1.") || has(t->name, "pred_proj.net.1.");
    if (has(t->name, "running_var")) return ONE;
    if (t->buffer || has(t->name, "adaLN")) return ZERO;
    if (has(t->name, "predictor.pos_embedding")) return NORMAL;
    if (norm) return has(t->name, ".weight") ? ONE : ZERO;
    if (vit) return t->num_dims > 1 ? SMALL : ZERO;
    return UNIFORM;
}

/* Mean 0 and deviation sd, as close as n draws of it come; bound 0: none. */
static void check_spread(const uw_net_tensor *t, const float *x, double sd, double bound) {
    double sum = 0.0, squares = 0.0, most = 0.0;
    for (size_t i = 0; i < t->count; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
        most = fmax(most, fabs((double)x[i]));
    }
    const double n = (double)t->count, mean = sum / n, got = sqrt(squares / n);
    if (!(fabs(mean) <= 5.0 * sd / sqrt(n))) fail_msg("%s: mean %g", t->name, mean);
    if (!(fabs(got / sd - 1.0) <= 5.0 / sqrt(n)))
        fail_msg("%s: deviation %g, wanted %g", t->name, got, sd);
    if (bound > 0.0 && !(most <= bound && most > 0.5 * bound))
        fail_msg("%s: largest %g, wanted at most %g", t->name, most, bound);
}

static void check_constant(const uw_net_tensor *t, const float *x, float value) {
    for (size_t i = 0; i < t->count; i++)
        if (x[i] != value)
            fail_msg("%s[%zu] = %g, wanted %g", t->name, i, (double)x[i], (double)value);
}

static void check_tensor(const uw_net_tensor *t, const float *x) {
    /* a bias follows its weight in the table and has its fan-in */
    const uw_net_tensor *w = has(t->name, ".bias") ? t - 1 : t;
    double bound = 0.0;
    switch (start_of(t)) {
    case ZERO:
    case ONE:
        check_constant(t, x, start_of(t) == ONE ? 1.0f : 0.0f);
        break;
    case NORMAL:
        check_spread(t, x, 1.0, 0.0);
        break;
    case SMALL:
        check_spread(t, x, 0.02, 0.0);
        break;
    case UNIFORM:
        bound = 1.0 / sqrt((double)w->count / (double)w->shape[0]);
        check_spread(t, x, bound / sqrt(3.0), bound);
        break;
    }
}

static void test_start(void **state) {
    uw_train_config c;
    uw_net net;
    uw_err err = {0};
    (void)state;
    CHECK_OK(uw_train_preset("lewm", &c, &err), &err);
    c.model.action_dim = 2;
    CHECK_OK(uw__net_init(&c.model, &net, &err), &err);
    assert_int_equal(net.num_tensors, 303);
    assert_int_equal(net.num_params, 18034478);
    float *params = calloc(net.num_params, sizeof *params);
    float *buffers = calloc(net.num_buffers, sizeof *buffers);
    assert_true(params && buffers);
    uw__net_randomise(&net, 3, params, buffers);
    for (int32_t i = 0; i < net.num_tensors; i++) {
        const uw_net_tensor *t = &net.tensors[i];
        check_tensor(t, (t->buffer ? buffers : params) + t->offset);
    }
    free(params);
    free(buffers);
    uw__net_fini(&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_start)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
