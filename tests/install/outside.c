/* A stranger's program: act in a world through the installed library. */
#include <stdio.h>

#include <umwelt/umwelt.h>

int main(void) {
    uw_err err = {0};
    uw_context *ctx = NULL;
    uw_env *world = NULL;
    uw_step step = {0};
    uw_status s = uw_context_new(NULL, &ctx, &err);
    if (!s) s = uw_env_new("two_room", &world, &err);
    if (!s) s = uw_env_reset(world, 1, NULL, NULL, &err);
    if (!s) s = uw_env_step(world, (const float[]){0.5f, -0.5f}, &step);
    if (s || !(step.distance > 0)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("umwelt %s, %s kernels: %.1f px to the goal\n", uw_version(), uw_context_isa(ctx), (double)step.distance);
    uw_env_free(world);
    uw_context_free(ctx);
    return 0;
}
