/* The collapse gauges of a run: measured on the latents of the last update, told when they alarm.
 * A gauge reads; it changes nothing that a later update depends on. */
#include <math.h>
#include <stdio.h>

#include "cloud_gauges.h"
#include "sigreg.h"
#include "trainer.h"

enum { SETTLING_STEPS = 150 }; /* after warm-up: at first every encoder looks collapsed */

void uw__trainer_null(const uw_train_config *c, double *mean, double *q99) {
    double t[UW_SIGREG_MAX_KNOTS], phi[UW_SIGREG_MAX_KNOTS], weight[UW_SIGREG_MAX_KNOTS];
    *mean = *q99 = NAN;
    if (!(c->sigreg_weight > 0.0f)) return;
    uw__sigreg_constants((size_t)c->sigreg_knots, t, phi, weight);
    uw__sigreg_null(c->model.latent_dim, c->sigreg_directions, c->sigreg_knots, t, phi, weight,
                    mean, q99);
}

void uw__trainer_gauge(uw_trainer *t, int64_t step, const uw_losses *losses, uw_gauges *out) {
    const uw_train_config *c = &t->config;
    const int32_t d = t->net.config.latent_dim;
    const bool alone = step >= c->steps; /* the predictor */
    const int64_t windows = alone ? c->predictor_batch : c->batch / c->accumulate;
    uw_loss_state *loss = alone ? t->latent_loss : t->loss;
    const uw_real *z = uw__loss_latents(loss);
    uw_gauges g = uw__gauges_none();

    uw__gauges_cloud(z, windows * c->window, d, t->work, NULL, &g);
    uw__gauges_time(z, windows, c->window, d, t->work, &g);
    g.action_sensitivity =
        uw__loss_action_sensitivity(&t->exec, &t->net, t->params, t->buffers, loss);
    if (c->sigreg_weight > 0.0f && !alone) {
        const double sample = (double)windows * (c->sigreg_per_step ? 1.0 : (double)c->window);
        g.sigreg = losses->sigreg / (c->sigreg_times_n ? sample : 1.0);
        g.sigreg_null = t->sigreg_null / sample;
        g.sigreg_q99 = t->sigreg_q99 / sample;
    }
    if (step + 1 >= c->warmup_steps + SETTLING_STEPS) {
        const uw_gauge_judge judge = {.dim = d,
                                      .carries = t->net.config.observe_dim,
                                      .unit_target =
                                          c->sigreg_weight > 0.0f || c->vicreg_weight > 0.0f,
                                      .sigreg_used = c->sigreg_weight > 0.0f};
        g.alarms = uw__gauges_judge(&g, &judge);
    }
    *out = g;
}

/* ---- telling ------------------------------------------------------------------------------- */

#define SPREAD "raise sigreg_weight or vicreg_weight, or check that the observations change"

/* What was measured, and what to do. */
static void describe(uint32_t alarm, const uw_gauges *g, int32_t d, char *text, size_t size) {
    switch (alarm) {
    case UW_ALARM_CONSTANT:
        snprintf(text, size, "variance %.1e beside a mean square of %.1e; " SPREAD,
                 g->mean_variance, g->mean_norm);
        break;
    case UW_ALARM_SHRUNK:
        snprintf(text, size, "mean variance %.3f, wanted 0.05 or more; " SPREAD, g->mean_variance);
        break;
    case UW_ALARM_RANK:
        snprintf(text, size, "effective rank %.2f of %d, %d directions without spread; " SPREAD,
                 g->effective_rank, d, g->null_directions);
        break;
    case UW_ALARM_DEAD:
        snprintf(text, size,
                 "%d of %d, least variance %.1e; raise sigreg_weight, or lower latent_dim", g->dead,
                 d, g->min_variance);
        break;
    case UW_ALARM_CLUSTERS:
        snprintf(text, size, "they explain %.0f %% of the variance; " SPREAD,
                 100.0 * g->cluster_share);
        break;
    case UW_ALARM_SIGREG:
        snprintf(text, size,
                 "sigreg is %.3f, wanted below 0.15 by now; try another seed, raise sigreg_weight, "
                 "or start "
                 "augment_ramp_start later",
                 g->sigreg);
        break;
    case UW_ALARM_STEP:
        snprintf(text, size,
                 "variances along a window differ more than tenfold; set sigreg_per_step=true");
        break;
    case UW_ALARM_STILL:
        snprintf(text, size,
                 "a step is %.1e of the spread; raise frameskip, or check that frames of an "
                 "episode differ",
                 g->temporal_share);
        break;
    case UW_ALARM_DEAF:
        snprintf(
            text, size,
            "another action moves predictions by %.3f of a step; check the action column, or raise "
            "inverse_weight",
            g->action_sensitivity);
        break;
    default:
        text[0] = '\0';
    }
}

void uw__gauges_advise(uw_context *ctx, const uw_train_config *config, int64_t step,
                       const uw_gauges *g, uint32_t *warned) {
    for (uint32_t bit = 1; bit & UW_ALARMS; bit <<= 1) {
        char text[200];
        if (!(g->alarms & bit) || (*warned & bit)) continue;
        *warned |= bit;
        describe(bit, g, config->model.latent_dim, text, sizeof text);
        uw__log(ctx, UW_LOG_WARN, "step %lld: %s: %s", (long long)step, uw_alarm_str(bit), text);
    }
}
