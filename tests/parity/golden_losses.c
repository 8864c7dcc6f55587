/* SIGReg and VICReg against the reference's values and gradients, recorded in fp64.
 * golden_losses sigreg | golden_losses vicreg */
#include "golden.h"

#include "arena_block.h"
#include "internal.h"
#include "sigreg.h"
#include "vicreg.h"

static uw_context *make_context(int32_t threads) {
    uw_context *ctx = NULL;
    uw_err err = {0};
    const uw_context_options options = {.num_threads = threads};
    CHECK_OK(uw_context_new(&options, &ctx, &err), &err);
    return ctx;
}

/* ---- SIGReg -------------------------------------------------------------------------------- */

/* The reference keeps time first, [T, B, D]; windows of ours keep the batch first, [B, T, D]. */
static void swap_axes(float *dst, const float *src, size_t first, size_t second, size_t d) {
    for (size_t i = 0; i < first; i++) {
        for (size_t j = 0; j < second; j++) {
            memcpy(dst + (j * first + i) * d, src + (i * second + j) * d, d * sizeof *dst);
        }
    }
}

static void sigreg_case(golden *g, size_t b, size_t d, size_t t, size_t p, int32_t threads) {
    const uw_sigreg_dims dims = {
        .sets = t, .n = b, .d = d, .directions = p, .knots = 17, .times_n = true};
    uw_context *ctx = make_context(threads);
    char name[64], key[80];
    snprintf(name, sizeof name, "b%zu_d%zu_t%zu_p%zu", b, d, t, p);

    uw_arena measure = UW_ARENA_MEASURE;
    uw__sigreg_layout(&measure, &dims);
    uw__exec_layout(&measure, ctx->kernels, ctx->pool, 0);
    uw_arena arena = arena_block(measure.used);
    uw_sigreg *s = uw__sigreg_layout(&arena, &dims);
    const uw_exec e = uw__exec_layout(&arena, ctx->kernels, ctx->pool, 0);

    snprintf(key, sizeof key, "%s.dirs", name);
    const uw_tensor dirs = golden_tensor(g, key); /* [D, P], unit columns */
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < d; j++) {
            uw__sigreg_directions_give(s)[i * d + j] =
                (float)((const double *)dirs.data)[j * p + i];
        }
    }
    float *z = calloc(b * t * d, sizeof *z), *dz = calloc(b * t * d, sizeof *dz);
    float *back = calloc(b * t * d, sizeof *back);
    snprintf(key, sizeof key, "%s.in0", name);
    swap_axes(z, golden_f32(g, key), t, b, d);
    const float value = (float)uw__sigreg_loss(&e, s, z, 1.0, dz);
    snprintf(key, sizeof key, "%s.value", name);
    golden_check(g, key, 0, &value, 1);
    swap_axes(back, dz, b, t, d);
    snprintf(key, sizeof key, "%s.value.grad0", name);
    golden_check(g, key, 0, back, b * t * d);

    free(z);
    free(dz);
    free(back);
    free(arena.base);
    uw_context_free(ctx);
}

/* Every bB_dD_tT_pP.in0 of the file. */
static void sigreg_cases(void **state) {
    (void)state;
    golden_need("losses/sigreg");
    golden g = golden_open("losses/sigreg");
    int cases = 0;
    for (int32_t i = 0; i < uw__safetensors_count(g.file); i++) {
        const char *name = uw__safetensors_tensor(g.file, i).name;
        size_t b, d, t, p;
        int end = 0;
        if (sscanf(name, "b%zu_d%zu_t%zu_p%zu.in0%n", &b, &d, &t, &p, &end) != 4 || !end) continue;
        if (name[end]) continue;
        sigreg_case(&g, b, d, t, p, 1);
        sigreg_case(&g, b, d, t, p, 3);
        cases++;
    }
    assert_true(cases > 0);
    golden_close(&g);
}

static void sigreg_constants(void **state) {
    (void)state;
    golden_need("losses/sigreg");
    double t[17], phi[17], weight[17], null = 0.0, point = 0.0;
    golden g = golden_open("losses/sigreg");
    uw__sigreg_constants(17, t, phi, weight);
    const double *want_t = golden_tensor(&g, "t").data, *want_phi = golden_tensor(&g, "phi").data;
    const double *want_weight = golden_tensor(&g, "weights").data;
    for (int k = 0; k < 17; k++) {
        /* the reference builds its constants in fp32 */
        CHECK_NEAR(t[k], want_t[k], 1e-6);
        CHECK_NEAR(phi[k], want_phi[k], 1e-7);
        CHECK_NEAR(weight[k], want_weight[k], 1e-7);
        null += weight[k] * (1.0 - phi[k] * phi[k]);
        point += weight[k] * (1.0 - phi[k]) * (1.0 - phi[k]);
    }
    const double want_null = *(const double *)golden_tensor(&g, "null.expected").data;
    const double want_point = *(const double *)golden_tensor(&g, "zero.value_over_b").data;
    CHECK_NEAR(null, want_null, 1e-6);
    CHECK_NEAR(point, want_point, 1e-6);
    CHECK_NEAR(UW_SIGREG_NULL, want_null, 1e-6);
    CHECK_NEAR(UW_SIGREG_POINT, want_point, 1e-6);
    golden_close(&g);
}

/* ---- VICReg -------------------------------------------------------------------------------- */

static void vicreg_case(golden *g, const char *name) {
    char key[128];
    snprintf(key, sizeof key, "%s.in0", name);
    const size_t b = golden_axis(g, key, 0), t = golden_axis(g, key, 1), d = golden_axis(g, key, 2);
    uw_context *ctx = make_context(1);
    uw_arena measure = UW_ARENA_MEASURE;
    uw__vicreg_layout(&measure, b, t, d);
    uw__exec_layout(&measure, ctx->kernels, NULL, 0);
    uw_arena arena = arena_block(measure.used);
    uw_vicreg *v = uw__vicreg_layout(&arena, b, t, d);
    const uw_exec e = uw__exec_layout(&arena, ctx->kernels, NULL, 0);
    float *dz = calloc(b * t * d, sizeof *dz);
    const float *z = golden_f32(g, key);
    for (int term = 0; term < 2; term++) {
        const char *loss = term ? "cov_loss" : "std_loss";
        double terms[2];
        memset(dz, 0, b * t * d * sizeof *dz);
        uw__vicreg_loss(&e, v, z, term ? 0.0 : 1.0, term ? 1.0 : 0.0, dz, &terms[0], &terms[1]);
        const float value = (float)terms[term];
        snprintf(key, sizeof key, "%s.%s", name, loss);
        golden_check(g, key, 0, &value, 1);
        snprintf(key, sizeof key, "%s.%s.grad0", name, loss);
        golden_check(g, key, 0, dz, b * t * d);
    }
    free(dz);
    free(arena.base);
    uw_context_free(ctx);
}

/* Every vcreg.X.in0 of the file. */
static void vicreg_cases(void **state) {
    (void)state;
    golden_need("losses/sequence");
    golden g = golden_open("losses/sequence");
    int cases = 0;
    for (int32_t i = 0; i < uw__safetensors_count(g.file); i++) {
        char name[96];
        snprintf(name, sizeof name, "%s", uw__safetensors_tensor(g.file, i).name);
        char *tail = strstr(name, ".in0");
        if (strncmp(name, "vcreg.", 6) != 0 || !tail || tail[4]) continue;
        *tail = '\0';
        vicreg_case(&g, name);
        cases++;
    }
    assert_true(cases > 0);
    golden_close(&g);
}

int main(int argc, char **argv) {
    const struct CMUnitTest sigreg[] = {cmocka_unit_test(sigreg_cases),
                                        cmocka_unit_test(sigreg_constants)};
    const struct CMUnitTest vicreg[] = {cmocka_unit_test(vicreg_cases)};
    if (argc > 1 && !strcmp(argv[1], "vicreg")) {
        return golden_exit(cmocka_run_group_tests_name("vicreg", vicreg, NULL, NULL));
    }
    return golden_exit(cmocka_run_group_tests_name("sigreg", sigreg, NULL, NULL));
}
