/* A world of your own: a pendulum with a motor, drawn, registered, collected and stepped.
 *
 *     ./03_own_world pendulum.uw
 *
 * Introduces: uw_env_class, uw_env_register, uw_collect_run, uw_env_new, uw_env_step. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <umwelt/umwelt.h>

typedef struct pendulum {
    float angle, speed, goal, gravity; /* rad from hanging, rad/s, rad, m/s^2 */
} pendulum;

static const uw_factor factors[] = {
    {.name = "bob.color", .kind = UW_FACTOR_COLOR, .dim = 3, .offset = 0, .high = {255, 255, 255},
     .init = {200, 40, 40}, .affects_picture = true},
    {.name = "gravity", .kind = UW_FACTOR_REAL, .dim = 1, .offset = 3, .low = {0}, .high = {20},
     .init = {9.81}, .affects_motion = true, .unit = "m/s^2"},
};

static double uniform(uint64_t seed, uint64_t index) { /* splitmix64: a function of its arguments */
    uint64_t x = seed * 0x9e3779b97f4a7c15u + index;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

static uw_status check(const double *values, uw_err *err) { /* every value in its range is fine */
    (void)values, (void)err;
    return UW_OK;
}
static uw_status reset(void *self, uint64_t seed, const double *values, const bool *fixed,
                       uw_err *err) {
    (void)fixed, (void)err;
    *(pendulum *)self = (pendulum){.angle = (float)(uniform(seed, 1) - 0.5),
                                   .goal = (float)(6.0 * uniform(seed, 2) - 3.0),
                                   .gravity = (float)values[3]};
    return UW_OK;
}
static void step(void *self, const float *action, uw_step *out) {
    pendulum *p = self;
    p->speed += 0.05f * (30.0f * action[0] - p->gravity * sinf(p->angle) - 4.0f * p->speed);
    p->angle += 0.05f * p->speed;
    out->distance = fabsf(p->goal - p->angle);
    out->success = out->distance < 0.1f;
}
static void get_state(const void *self, double *state) {
    state[0] = (double)((const pendulum *)self)->angle;
    state[1] = (double)((const pendulum *)self)->speed;
}
static uw_status set_state(void *self, const double *state) {
    if (!isfinite(state[0]) || !isfinite(state[1])) return UW_ENONFINITE;
    ((pendulum *)self)->angle = (float)state[0];
    ((pendulum *)self)->speed = (float)state[1];
    return UW_OK;
}
static void get_goal(const void *self, double *goal) {
    goal[0] = (double)((const pendulum *)self)->goal;
    goal[1] = 0.0;
}
static uw_status set_goal(void *self, const double *goal) {
    if (!isfinite(goal[0])) return UW_ENONFINITE;
    ((pendulum *)self)->goal = (float)goal[0];
    return UW_OK;
}
static void draw(const double *values, const double *state, const double *goal, int64_t steps,
                 int32_t size, uint8_t *rgb) {
    (void)goal, (void)steps;
    const double x = 0.5 + 0.35 * sin(state[0]), y = 0.5 + 0.35 * cos(state[0]);
    for (int32_t i = 0; i < size * size; i++) {
        const double dx = (i % size + 0.5) / size - x, dy = (i / size + 0.5) / size - y;
        const double alpha = exp(-(dx * dx + dy * dy) / 0.01);
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = (uint8_t)(255.0 + alpha * (values[c] - 255.0));
    }
}
static void oracle(const void *self, float *action) { /* hold against gravity, push towards the goal */
    const pendulum *p = self;
    const float push = (p->gravity * sinf(p->angle) + 40.0f * (p->goal - p->angle)) / 30.0f;
    action[0] = fminf(fmaxf(push, -1.0f), 1.0f);
}
static void sample_task(uint64_t seed, uint64_t index, const double *values, bool hard, uw_task *out) {
    (void)values;
    const double angle = (hard ? 3.0 : 1.0) * (2.0 * uniform(seed, index) - 1.0);
    *out = (uw_task){.hard = hard, .goal = {angle}};
}

int main(int argc, char **argv) {
    static const char *const state_names[] = {"angle", "speed"};
    static const uw_env_class world = {
        .name = "pendulum", .action_dim = 1, .state_dim = 2, .instance_bytes = sizeof(pendulum),
        .num_factors = 2, .num_values = 4, .factors = factors, .state_names = state_names,
        .state_unit = "rad, rad/s", .check = check, .reset = reset, .step = step, .draw = draw,
        .get_state = get_state, .set_state = set_state, .get_goal = get_goal, .set_goal = set_goal,
        .oracle = oracle, .straight = oracle, .sample_task = sample_task};
    const uw_collect_options options = {.episodes = 20, .steps = 50, .policy = "random", .size = 32,
                                        .action_repeat = 2, .overwrite = true};
    uw_context *ctx = NULL;
    uw_env *env = NULL;
    uw_collect_result result = {0};
    uw_step now = {0};
    uw_err err = {.text = "usage: 03_own_world OUT.uw"};
    int steps = 0;
    uw_status s = argc == 2 ? uw_env_register(&world) : UW_EINVAL;
    if (!s) s = uw_context_new(NULL, &ctx, &err);
    if (!s) s = uw_collect_run(ctx, "pendulum", argv[1], &options, &result, &err);
    if (!s) s = uw_env_new("pendulum", &env, &err);
    for (; !s && !now.success && steps < 500; steps++) {
        float action;
        world.oracle(uw_env_self(env), &action);
        s = uw_env_step(env, &action, &now);
    }
    if (s) fprintf(stderr, "%s\n", err.text);
    else printf("%lld frames; the oracle is %.2f rad from its goal after %d steps\n",
                (long long)result.frames, (double)now.distance, steps);
    uw_env_free(env);
    uw_context_free(ctx);
    return s || !now.success;
}
