/* CEM and iCEM against the reference's recorded searches: with its draws, every candidate, cost,
 * elite, mean, deviation and plan agrees within the tolerance of fp32.
 *
 *     golden_solver cem|icem
 *
 * The world of the recordings: a point mass, v = 0.9 v + 0.25 a, p = p + 0.25 v, two actions per
 * block, cost = |p_end - g|^2 + sum over positions of a walled bump + 0.01 sum a^2 Here a latent is
 * (p, 0, 0, sqrt(rest of the cost)), so that its squared distance to (g, 0, 0, 0) is it. */
#include "solver_recording.h"

#include "point_world.h"

enum { A = 4, D = 5 };

static uw_status mass_encode(void *self, const void *observation, float *z) {
    (void)self;
    memcpy(z, observation, D * sizeof(float));
    return UW_OK;
}

static uw_status mass_rollout(void *self, const float *z0, int32_t history, const float *past,
                              const float *actions, int32_t n, int32_t h, float *z) {
    (void)self, (void)history, (void)past;
    for (int32_t i = 0; i < n; i++) {
        double p[2] = {(double)z0[0], (double)z0[1]}, v[2] = {(double)z0[2], (double)z0[3]};
        double rest = 0.0;
        const float *a = actions + (size_t)i * (size_t)h * A;
        for (int32_t t = 0; t < h; t++) {
            for (int half = 0; half < 2; half++, a += 2) {
                for (int k = 0; k < 2; k++) {
                    v[k] = 0.9 * v[k] + 0.25 * (double)a[k];
                    p[k] += 0.25 * v[k];
                    rest += 0.01 * (double)a[k] * (double)a[k];
                }
                rest += exp(-pow((p[0] - 0.6) / 0.15, 2)) * (1 - exp(-pow((p[1] - 0.4) / 0.25, 2)));
            }
            float *to = z + ((size_t)i * (size_t)h + (size_t)t) * D;
            to[0] = (float)p[0];
            to[1] = (float)p[1];
            to[2] = to[3] = 0.0f;
            to[4] = (float)sqrt(rest);
        }
    }
    return UW_OK;
}

static void run_case(golden *g, const char *name, bool icem) {
    const char *json = uw__safetensors_meta(g->file, name);
    if (!json) fail_msg("no settings of case %s", name);
    recording r = recording_open(g, name, icem);
    const uw_planner_options o = recording_options(json, icem, (int32_t)r.h);
    assert_true((size_t)o.num_samples == r.n && (size_t)o.iters == r.iters && r.a == A);
    assert_true((size_t)o.horizon == r.h && (size_t)o.num_elites == r.k);
    const uw_dynamics dynamics = {.dims = {.latent_dim = D,
                                           .action_dim = A,
                                           .history_size = 1,
                                           .num_samples = o.num_samples,
                                           .horizon = o.horizon},
                                  .encode = mass_encode,
                                  .rollout = mass_rollout};
    const size_t bytes = uw_planner_memsize(&dynamics.dims, &o);
    void *mem = point_memory(bytes);
    assert_non_null(mem);
    for (size_t env = 0; env < r.envs; env++) {
        r.env = env;
        r.iters_seen = 0;
        const float *state = golden_f32(g, "state") + env * 4,
                    *at = golden_f32(g, "goal") + env * 2;
        const float z0[D] = {state[0], state[1], state[2], state[3], 0}, goal[D] = {at[0], at[1]};
        uw_planner *p = NULL;
        assert_int_equal(uw_planner_init(&dynamics, &o, mem, bytes, &p), UW_OK);
        if (strcmp(name, "warm") == 0) {
            const size_t blocks = golden_axis(g, "warm.init_action", 1);
            uw__planner_warm(p, golden_f32(g, "warm.init_action") + env * blocks * A,
                             (int32_t)blocks);
        }
        recording_run(&r, p, &o, z0, goal);
    }
    free(mem);
}

static void test_cem(void **state) {
    (void)state;
    static const char *const CASES[] = {"default", "options", "warm"};
    golden_need("solvers/cem");
    golden g = golden_open("solvers/cem");
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) run_case(&g, CASES[c], false);
    golden_close(&g);
}

static void test_icem(void **state) {
    (void)state;
    static const char *const CASES[] = {"default", "warm", "odd", "options"};
    golden_need("solvers/icem");
    golden g = golden_open("solvers/icem");
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) run_case(&g, CASES[c], true);
    golden_close(&g);
}

int main(int argc, char **argv) {
    const struct CMUnitTest cem[] = {cmocka_unit_test(test_cem)};
    const struct CMUnitTest icem[] = {cmocka_unit_test(test_icem)};
    if (argc == 2 && strcmp(argv[1], "cem") == 0)
        return golden_exit(cmocka_run_group_tests(cem, NULL, NULL));
    if (argc == 2 && strcmp(argv[1], "icem") == 0)
        return golden_exit(cmocka_run_group_tests(icem, NULL, NULL));
    fprintf(stderr, "usage: golden_solver cem|icem\n");
    return 2;
}
