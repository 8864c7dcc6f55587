/* Act with a trained model: goal picture and observation in, action out.  Nothing is allocated in the loop.
 *
 *     ./01_controller umwelt-demo/run/model.safetensors
 *
 * Introduces: uw_model_load, uw_model_dynamics_init, uw_controller_init, _set_goal, _act. */
#include <stdio.h>
#include <stdlib.h>

#include <umwelt/umwelt.h>

static void *block(size_t bytes) {
    return aligned_alloc(UW_ALIGN, (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN);
}

int main(int argc, char **argv) {
    uw_err err = {0};
    uw_context *ctx = NULL;
    uw_model *model = NULL;
    uw_env *world = NULL; /* in your program: the camera and the motors */
    uw_status s = argc == 2 ? UW_OK : uw_fail(&err, UW_EINVAL, "usage: %s MODEL", argv[0]);
    if (!s) s = uw_context_new(NULL, &ctx, &err);
    if (!s) s = uw_model_load(argv[1], &model, &err);
    if (!s) s = uw_env_new("two_room", &world, &err);
    if (!s) s = uw_env_reset(world, 7, NULL, NULL, &err);
    if (s) goto done;

    /* Everything is placed before the loop: the model as dynamics, the controller on top. */
    const uw_controller_options options = {.planner = UW_PLANNER_OPTIONS_DEFAULT};
    const uw_dynamics_limits limits = {.num_samples = options.planner.num_samples, .horizon = options.planner.horizon};
    uw_dynamics dynamics;
    const size_t bytes = uw_model_dynamics_memsize(model, &limits);
    s = uw_model_dynamics_init(ctx, model, &limits, false, block(bytes), bytes, &dynamics);
    if (s) goto done;
    uw_controller *controller;
    const size_t more = uw_controller_memsize(&dynamics.dims, &options);
    s = uw_controller_init(&dynamics, &options, block(more), more, &controller);
    if (s) goto done;

    const int32_t size = uw_model_config_of(model)->image_size;
    uint8_t *frame = malloc((size_t)size * (size_t)size * 3);
    uw_env_render_goal(world, size, frame);
    s = uw_controller_set_goal(controller, frame);
    uw_step step = {0};
    for (int decision = 0; !s && !step.success && decision < 40; decision++) {
        float action[2];
        uw_act_info info;
        uw_env_render(world, size, frame);
        s = uw_controller_act(controller, frame, action, &info);
        for (int k = 0; !s && !step.success && k < uw_model_provenance(model)->action_repeat; k++)
            s = uw_env_step(world, action, &step);
        printf("decision %2d: action %+.2f %+.2f in %.2f ms, %.0f px to go\n", decision, (double)action[0],
               (double)action[1], info.seconds * 1e3, (double)step.distance);
    }
    printf(step.success ? "reached\n" : "not reached\n");
done:
    if (s) fprintf(stderr, "%s\n", err.text[0] ? err.text : uw_status_str(s));
    uw_env_free(world);
    uw_model_unload(model);
    uw_context_free(ctx);
    return s != UW_OK;
}
