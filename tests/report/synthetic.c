#include "synthetic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_internal.h"

uw_status synthetic_model(uw_model **out, uw_err *err) {
    const uw_model_config config = {.input = UW_INPUT_SCALED,
                                    .image_size = 64,
                                    .action_dim = 2,
                                    .frameskip = 1,
                                    .history_size = 1,
                                    .encoder = UW_ENCODER_CONV,
                                    .conv_layers = 2,
                                    .conv_channels = {8, 8},
                                    .conv_kernel = {4, 3},
                                    .conv_stride = {4, 2},
                                    .conv_pad = {0, 1},
                                    .projector_dim = 32,
                                    .latent_dim = 16,
                                    .predictor = UW_PREDICTOR_MLP,
                                    .predictor_mlp_dim = 32};
    uw_net net;
    uw_status s = uw__net_init(&config, &net, err);
    if (s) return s;
    float *params = calloc(net.num_params + net.num_buffers, sizeof *params);
    if (!params) abort();
    uw__net_randomise(&net, 1, params, params + net.num_params);
    const uw_provenance from = {
        .preset = "two_room_robust",
        .env = "two_room",
        .dataset_hash = "0123456789abcdef",
        .seed = 7,
        .action_repeat = 5,
        .config_json = "{\"action\":\"action\",\"batch\":64,\"lr\":0.002,\"steps\":1000}",
        .trained_factors = "agent.color,background.color",
        .observe = "pixels"};
    s = uw__model_new(&config, params, params + net.num_params, NULL, &from, out, err);
    free(params);
    uw__net_fini(&net);
    return s;
}

int synthetic_log(const char *run_dir) {
    char path[1024];
    snprintf(path, sizeof path, "%s/log.csv", run_dir);
    FILE *f = fopen(path, "w");
    if (!f) return -1;
    fputs("step,lr,loss,prediction_loss,rollout_loss,sigreg,inverse_loss,vicreg,grad_norm,sigreg_"
          "null,"
          "effective_rank,participation,min_variance\n",
          f);
    for (int step = 10; step <= 1000; step += 10) {
        const double t = step / 1000.0, wobble = 0.04 * sin(37.0 * t) + 0.03 * sin(91.0 * t);
        const double prediction =
            0.007 + 0.02 * exp(-6.0 * (t - 0.1) * (t - 0.1) * 20.0) + 0.002 * wobble;
        const double sigreg = 0.055 + 0.33 * exp(-9.0 * t) * (1.0 + wobble);
        fprintf(f, "%d,0.001,%.6g,%.6g,%.6g,%.6g,,,1.0,0.0041,", step,
                prediction * 2.6 + 3.0 * sigreg, prediction, prediction * 1.6, sigreg);
        if (step % 50 == 0)
            fprintf(f, "%.6g,5,0.3\n", 1.0 + 6.6 * (1.0 - exp(-5.0 * t)) + wobble);
        else
            fputs(",,\n", f);
    }
    return fclose(f);
}

static uw_rate rate(int successes, int episodes) {
    /* Wilson's interval is near enough for a picture */
    const double n = episodes, p = successes / n, z = 1.96,
                 mid = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (uw_rate){episodes, successes, p, fmax(0, mid - half), fmin(1, mid + half)};
}

static void make_eval(uw_eval_result *e, int hard, int easy) {
    *e = (uw_eval_result){.protocol = "random-goal",
                          .budget = 100,
                          .action_repeat = 5,
                          .success = rate(hard + easy, 200),
                          .hard = rate(hard, 100),
                          .easy = rate(easy, 100),
                          .mean_steps = 28.4,
                          .plan_ms_p50 = 11.63,
                          .plan_ms_p99 = 17.9,
                          .plan_ms_max = 31.204,
                          .decisions = 1214,
                          .num_episodes = 200,
                          .seconds = 14.0};
}

static void make_card(uw_card *card, bool robust) {
    static const struct {
        const char *factor, *value;
        int robust, plain;
        bool trained;
    } cell[] = {
        {"agent.color", "random", 193, 131, true},  {"background.color", "random", 196, 14, true},
        {"wall.color", "random", 194, 27, true},    {"door.color", "random", 195, 176, true},
        {"agent.radius", "random", 198, 184, true}, {"all", "random", 197, 11, true},
        {"goal.colors", "random", 194, 9, false}};
    *card =
        (uw_card){.nominal = robust ? rate(197, 200) : rate(199, 200), .num_cells = 7, .worst = 0};
    for (int i = 0; i < 7; i++) {
        uw_card_cell *c = &card->cells[i];
        snprintf(c->factor, sizeof c->factor, "%s", cell[i].factor);
        snprintf(c->value, sizeof c->value, "%s", cell[i].value);
        c->rate = rate(robust ? cell[i].robust : cell[i].plain, 200);
        c->of_nominal = c->rate.rate / card->nominal.rate;
        c->in_training = robust && cell[i].trained;
    }
}

static void make_probe(uw_probe_report *p, bool robust) {
    *p = (uw_probe_report){.num_probes = 2,
                           .num_drift = 12,
                           .effective_rank = robust ? 7.42 : 6.5,
                           .participation = 5.1,
                           .num_eigenvalues = 32,
                           .rows = 8192,
                           .episodes = 600};
    for (int i = 0; i < 2; i++)
        p->probes[i] = (uw_probe_row){.column = "agent.x",
                                      .unit = "px",
                                      .r2 = 0.99912 - 0.0004 * i,
                                      .r = 0.99957,
                                      .rmse = 1.87 + 0.2 * i,
                                      .mlp_r2 = 0.99971,
                                      .mlp_r = 0.9998,
                                      .shuffled_r2 = -0.013};
    p->probes[1].column[6] = 'y';
    static const double ratio[12] = {0.068, 0.044, 0.038, 0.034, 0.037, 0.044,
                                     0.052, 0.059, 0.061, 0.063, 0.064, 0.065};
    for (int i = 0; i < 12; i++)
        p->drift[i] = (uw_drift_row){.step = i + 1,
                                     .error = 0.01 * (i + 1),
                                     .persistence = 0.1 * (i + 1),
                                     .ratio = ratio[i] * (robust ? 1.0 : 0.8),
                                     .rmse = (3.1 + 1.15 * i) * (robust ? 1.0 : 0.85)};
    for (int i = 0; i < 32; i++)
        p->eigenvalues[i] = exp(-0.32 * i - (i > 11 ? 0.25 * (i - 11) : 0.0));
    p->geometry = (uw_geometry){.known = true,
                                .rho_path = 0.71,
                                .rho_euclid = 0.64,
                                .hard_rho_path = 0.40,
                                .hard_rho_euclid = 0.07,
                                .stretch = 3.7};
}

uw_status synthetic_make(synthetic *s, int num_sides, const char *title, const char *run_dir,
                         const char *gif, uw_err *err) {
    memset(s, 0, sizeof *s);
    const uw_status status = synthetic_model(&s->model, err);
    if (status) return status;
    make_eval(&s->eval[0], 97, 100);
    make_eval(&s->eval[1], 99, 100);
    make_eval(&s->baselines[UW_DRIVER_RANDOM], 0, 21);
    make_eval(&s->baselines[UW_DRIVER_STRAIGHT], 16, 100);
    make_eval(&s->baselines[UW_DRIVER_TRUE_DYNAMICS], 66, 100);
    make_eval(&s->baselines[UW_DRIVER_ORACLE], 100, 100);
    s->inputs = (uw_report_inputs){.title = title,
                                   .env = "two_room",
                                   .command = "umwelt demo --compare",
                                   .num_sides = num_sides,
                                   .animation = gif,
                                   .seed = 7};
    for (int i = 0; i < num_sides; i++) {
        make_card(&s->card[i], i == 0);
        make_probe(&s->probe[i], i == 0);
        s->train[i] = (uw_train_result){.steps = 1000,
                                        .seconds = 20.4,
                                        .flops = 1.12e12,
                                        .validation_loss = 0.00713,
                                        .effective_rank = 7.4};
        s->inputs.sides[i] = (uw_report_side){.title = i               ? "plain"
                                                       : num_sides > 1 ? "colour-robust"
                                                                       : NULL,
                                              .model = s->model,
                                              .run_dir = run_dir,
                                              .train = &s->train[i],
                                              .eval = &s->eval[i],
                                              .baselines = i ? NULL : s->baselines,
                                              .probe = &s->probe[i],
                                              .card = &s->card[i]};
    }
    return UW_OK;
}

void synthetic_free(synthetic *s) {
    uw_model_unload(s->model);
}
