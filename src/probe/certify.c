/* One certificate: the sample, its checks, its bound, its labels, its verdict. */
#include <umwelt/certify.h>

#include <math.h>
#include <stdlib.h>

#include "certify_internal.h"
#include "internal.h"

static uw_status check_options(const uw_certify_options *o, uw_err *err) {
    if (!(o->rho >= 0.0 && o->rho < 1.0))
        return uw_fail(err, UW_EINVAL, "rho: step correlation, wanted above 0 and below 1, got %g",
                       o->rho);
    if (!(o->target > 0.0 && o->target < 1.0))
        return uw_fail(err, UW_EINVAL, "target: R2, wanted above 0 and below 1, got %g", o->target);
    if (o->resamples < 20 || o->resamples > 100000)
        return uw_fail(err, UW_EINVAL, "resamples: wanted 20 .. 100000, got %d", o->resamples);
    if (o->true_dim < 0 || o->true_dim > UW_MAX_CERTIFIED_DIM)
        return uw_fail(err, UW_EINVAL, "true dimension: wanted 0 .. %d, got %d",
                       UW_MAX_CERTIFIED_DIM, o->true_dim);
    return UW_OK;
}

static uw_status check_series(const uw_series *s, uw_err *err) {
    if (s->dim < 1 || s->dim > UW_MAX_CERTIFIED_DIM)
        return uw_fail(err, UW_EUNSUPPORTED, "certify: latent dimension, wanted 1 .. %d, got %d",
                       UW_MAX_CERTIFIED_DIM, s->dim);
    if (s->episodes < 1 || s->rows < 1)
        return uw_fail(err, UW_EINVAL, "certify: wanted at least one row");
    if (s->z && (s->num_states < 1 || s->num_states > UW_MAX_CERTIFIED_DIM))
        return uw_fail(err, UW_EINVAL, "certify: true latents, wanted 1 .. %d numbers, got %d",
                       UW_MAX_CERTIFIED_DIM, s->num_states);
    bool ordered = s->start[0] == 0 && s->start[s->episodes] == s->rows;
    for (int64_t e = 0; e < s->episodes; e++) ordered = ordered && s->start[e] <= s->start[e + 1];
    return ordered ? UW_OK
                   : uw_fail(err, UW_EINVAL,
                             "certify: starts of episodes, wanted ascending from 0 to rows");
}

/* Facts of the sample, before anything is judged. */
static void describe(uw_certifier *run) {
    const uw_sample *o = run->sample;
    uw_certificate *c = run->out;
    const double square = o->rho_mean * o->rho_mean;
    c->rows = o->rows;
    c->pairs = o->pairs;
    c->dropped_rows = o->dropped;
    c->episodes = o->num_episodes;
    c->effective_rows = (double)o->rows * (1.0 - square) / (1.0 + square);
    c->latent_dim = o->dim;
    c->true_dim = run->options->true_dim ? run->options->true_dim : o->num_states;
    c->target = run->options->target;
    c->eps_floor = sqrt((double)o->dim * (o->dim + 1) / c->effective_rows);
    c->bound = c->bound_high = c->r2_floor = c->nonlinear = c->delta = c->eps = NAN;
    c->rho_true = c->rho_gap = NAN;
}

static uw_status fill(uw_certifier *run) {
    uw__certify_words(run->out);
    describe(run);
    uw_status s = uw__certify_labels(run);
    if (s || !run->sample->rank || !run->sample->pairs)
        return s; /* constant, or no two rows in a row */
    s = uw__certify_moments(run);
    if (!s) s = uw__certify_shape(run);
    if (!s) s = uw__certify_steps(run);
    return s ? s : uw__certify_classics(run);
}

uw_status uw_certify_series(uw_context *ctx, const uw_series *series,
                            const uw_certify_options *options, uw_certificate *out, uw_err *err) {
    uw_certify_options o = options ? *options : (uw_certify_options){0};
    if (o.target == 0.0) o.target = 0.9;
    if (!o.resamples) o.resamples = 200;
    uw_sample sample = {0};
    uw_certificate *c = calloc(1, sizeof *c);
    uw_status s = c ? check_options(&o, err) : uw_fail(err, UW_ENOMEM, "certify");
    if (!s) s = check_series(series, err);
    if (!s) s = uw__sample_init(ctx, series, &sample, err);
    if (s) goto done;
    uw_certifier run = {ctx, &o, &sample, c,
                        sample.num_episodes < UW_MIN_EPISODES ? 0 : o.resamples};
    s = fill(&run);
    if (s) {
        uw_fail(err, s, "certify: %lld rows: %s", (long long)series->rows, uw_status_str(s));
        goto done;
    }
    uw__certify_settle(&run);
    uw__certify_verdict(&run);
    *out = *c;
done:
    uw__sample_fini(&sample);
    free(c);
    return s;
}
