/* A world of your own, a pendulum with a motor: recorded, learned, evaluated and stressed like a built-in one.
 *
 *     ./03_own_world pendulum.uw run
 *
 * Introduces: uw_env_class, uw_env_register, uw_collect_run, uw_eval_run, uw_stress_run. */
#include <math.h>
#include <stdio.h>
#include <umwelt/umwelt.h>

typedef struct pendulum { double state[2], goal[2], gravity; } pendulum; /* rad from hanging, rad/s; m/s^2 */
static const uw_factor gravity = {.name = "gravity", .kind = UW_FACTOR_REAL, .dim = 1, .low = {2}, .high = {12},
                                  .init = {9.81}, .affects_motion = true, .unit = "m/s^2"};

static uw_status reset(void *self, uint64_t seed, const double *values, const bool *fixed, uw_err *err) {
    (void)fixed, (void)err;
    *(pendulum *)self = (pendulum){{sin((double)seed)}, {cos((double)seed)}, values[0]};
    return UW_OK;
}
static void step(void *self, const float *action, uw_step *out) {
    pendulum *p = self;
    p->state[1] += 0.05 * (30.0 * (double)action[0] - p->gravity * sin(p->state[0]) - 4.0 * p->state[1]);
    p->state[0] += 0.05 * p->state[1];
    out->distance = (float)fabs(p->goal[0] - p->state[0]);
    out->success = out->distance < 0.1f;
}
static uw_status copy(double *to, const double *from) {
    if (!isfinite(from[0]) || !isfinite(from[1])) return UW_ENONFINITE;
    to[0] = from[0], to[1] = from[1];
    return UW_OK;
}
static uw_status set_state(void *self, const double *state) { return copy(((pendulum *)self)->state, state); }
static uw_status set_goal(void *self, const double *goal) { return copy(((pendulum *)self)->goal, goal); }
static void get_state(const void *self, double *state) { copy(state, ((const pendulum *)self)->state); }
static void get_goal(const void *self, double *goal) { copy(goal, ((const pendulum *)self)->goal); }
static void draw(const double *values, const double *state, const double *goal, int64_t steps, int32_t size,
                 uint8_t *rgb) {
    (void)values, (void)goal, (void)steps;
    for (int32_t i = 0; i < 3 * size * size; i++) {
        const double x = (i / 3 % size + 0.5) / size - 0.5, y = (i / 3 / size + 0.5) / size - 0.5;
        rgb[i] = hypot(x - 0.35 * sin(state[0]), y - 0.35 * cos(state[0])) < 0.1 ? 0 : 255;
    }
}
static void oracle(const void *self, float *action) { /* hold against gravity, push towards the goal */
    const pendulum *p = self;
    action[0] = (float)(p->gravity * sin(p->state[0]) / 30.0 + 1.3 * (p->goal[0] - p->state[0]));
}
static void sample_task(uint64_t seed, uint64_t index, const double *values, bool hard, uw_task *out) {
    (void)values; /* a function of seed and index, and different for each */
    *out = (uw_task){.start = {sin((double)(seed + index))}, .goal = {hard + cos(2.1 * (double)(seed + index))}};
}
static const uw_env_class world = {
    .name = "pendulum", .action_dim = 1, .state_dim = 2, .instance_bytes = sizeof(pendulum), .num_factors = 1,
    .num_values = 1, .factors = &gravity, .state_unit = "rad, rad/s", .reset = reset, .step = step, .draw = draw,
    .get_state = get_state, .set_state = set_state, .get_goal = get_goal, .set_goal = set_goal,
    .oracle = oracle, .straight = oracle, .sample_task = sample_task};

int main(int argc, char **argv) {
    const uw_collect_options record = {.episodes = 100, .steps = 40, .action_repeat = 2, .overwrite = true};
    uw_eval_options options = UW_EVAL_OPTIONS_DEFAULT;
    uw_context *ctx = NULL;
    uw_model *model = NULL;
    uw_train_config config;
    uw_train_result trained;
    uw_card card;
    uw_err err = {.text = "usage: 03_own_world DATA RUN"};
    options.episodes = 20;
    uw_status s = argc == 3 ? uw_env_register(&world) : UW_EINVAL;
    if (!s) s = uw_context_new(NULL, &ctx, &err);
    if (!s) s = uw_collect_run(ctx, world.name, argv[1], &record, &(uw_collect_result){0}, &err);
    if (!s) s = uw_train_preset("sensors", &config, &err);
    if (!s) s = uw_train_set(&config, "steps", "200", &err);
    if (!s) s = uw_train_run(ctx, argv[1], argv[2], &config, false, true, &trained, &err);
    if (!s) s = uw_model_load(trained.model_path, &model, &err);
    if (!s) s = uw_stress_run(ctx, model, world.name, "gravity", &options, &card, &err);
    if (s) fprintf(stderr, "%s\n", err.text);
    else printf("%d of 20 goals, %d in other gravity\n", card.nominal.successes, card.cells[0].rate.successes);
    uw_model_unload(model);
    uw_context_free(ctx);
    return s != UW_OK;
}
