/* umwelt plan: one plan from one picture to another. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"obs", "A.png", "what is seen now", NULL},
    {"goal", "B.png", "what should be seen", NULL},
    {"data", "D.uw", "recording of --solver landmark's map, of --solver inverse's policy", NULL},
    CLI_GUIDE_OPTIONS,
    CLI_PLANNER_OPTIONS,
    {0},
};

/* What one plan needs. */
typedef struct plan_run {
    cli_pilot pilot;
    cli_guide guide;
    float *action, *imagined; /* [A], [H, D] */
} plan_run;

static void plan_run_free(plan_run *p) {
    cli_pilot_free(&p->pilot);
    cli_guide_free(&p->guide);
    free(p->action);
    free(p->imagined);
}

static uw_status prepare(cli *c, const uw_model *model, const uw_controller_options *o, plan_run *p) {
    const uw_status s = cli_pilot_init(c, model, o, &p->pilot);
    if (s) return s;
    const uw_dynamics_dims *dims = &p->pilot.dynamics.dims;
    p->action = calloc((size_t)dims->action_dim, sizeof(float));
    p->imagined = calloc((size_t)o->planner.horizon * (size_t)dims->latent_dim, sizeof(float));
    return p->action && p->imagined ? UW_OK : UW_ENOMEM;
}

/* A picture, fitted to the model's size. */
static uw_status read_picture(const char *path, int32_t size, uint8_t **rgb, uw_err *err) {
    uint8_t *picture = NULL;
    int32_t width, height;
    uw_status s = uw_png_read(path, &picture, &width, &height, err);
    *rgb = malloc((size_t)size * (size_t)size * 3);
    if (!s && !*rgb) s = uw_fail(err, UW_ENOMEM, "%s: picture", path);
    if (!s) s = uw_picture_fit(picture, height, width, size, *rgb, err);
    uw_free(picture);
    return s;
}

static void print_plan(cli *c, const plan_run *p, const uw_planner_options *o, const uw_act_info *info) {
    const int32_t a_dim = p->pilot.dynamics.dims.action_dim, d_dim = p->pilot.dynamics.dims.latent_dim;
    const float *plan = uw_controller_plan(p->pilot.controller);
    const float *goal = uw_controller_goal_latent(p->pilot.controller);
    json_t *actions = json_array(), *distances = json_array();
    cli_say(c, "decision  action%*sdistance to the goal afterwards\n", 8 * a_dim - 4, "");
    for (int32_t h = 0; h < o->horizon; h++) {
        json_t *row = json_array();
        double distance = 0;
        cli_say(c, "  %5d  ", h + 1);
        for (int32_t a = 0; a < a_dim; a++) {
            json_array_append_new(row, json_real((double)plan[h * a_dim + a]));
            cli_say(c, " %+.3f ", (double)plan[h * a_dim + a]);
        }
        for (int32_t d = 0; d < d_dim; d++) {
            const double e = (double)p->imagined[h * d_dim + d] - (double)goal[d];
            distance += e * e;
        }
        json_array_append_new(actions, row);
        json_array_append_new(distances, json_real(distance));
        cli_say(c, "  %.4g\n", distance);
    }
    cli_say(c, "planned in %.2f ms; distance now %.4g\n", info->seconds * 1e3, (double)info->goal_distance);
    json_object_set_new(c->result, "actions", actions);
    json_object_set_new(c->result, "distance", distances);
    json_object_set_new(c->result, "distance_now", json_real((double)info->goal_distance));
    json_object_set_new(c->result, "plan_ms", json_real(info->seconds * 1e3));
}

static int run(cli *c) {
    uw_err err = {0};
    uw_model *model = NULL;
    uint8_t *observation = NULL, *goal = NULL;
    plan_run p = {0};
    uw_controller_options o = {.planner = UW_PLANNER_OPTIONS_DEFAULT};
    const char *solver = cli_str(c, "solver", NULL);
    const char *obs_path = cli_str(c, "obs", NULL), *goal_path = cli_str(c, "goal", NULL);
    if (!obs_path || !goal_path)
        return cli_usage(c, obs_path ? "--goal" : "--obs", NULL, "wanted a PNG picture");
    int code = cli_planner(c, &o.planner);
    if (!code) code = cli_guide_check(c, solver, NULL);
    if (code) return code;

    uw_status s = uw_model_load(c->args[0], &model, &err);
    if (!s && uw_model_config_of(model)->image_size == 0)
        s = uw_fail(&err, UW_ESHAPE, "%s: input, wanted a model of pictures, got one of columns", c->args[0]);
    if (!s) s = read_picture(obs_path, uw_model_config_of(model)->image_size, &observation, &err);
    if (!s) s = read_picture(goal_path, uw_model_config_of(model)->image_size, &goal, &err);
    if (!s)
        s = cli_guide_make(c, solver, cli_policy_first(c), model, 0, 0, &p.guide, &err);
    if (!s) s = prepare(c, model, &o, &p);
    if (!s) cli_guide_planner(&p.guide, uw_controller_planner(p.pilot.controller));
    uw_controller *driver = p.pilot.controller;
    if (!s) s = uw_controller_set_goal(driver, goal);
    uw_act_info info;
    if (!s) s = uw_controller_act(driver, observation, p.action, &info);
    if (!s)
        s = uw_planner_imagine(uw_controller_planner(driver), uw_controller_latent(driver), 1, NULL,
                               uw_controller_plan(driver), p.imagined);
    if (s) {
        code = cli_fail(c, s, &err);
    } else {
        print_plan(c, &p, &o.planner, &info);
        code = cli_finish(c);
    }
    plan_run_free(&p);
    free(observation);
    free(goal);
    uw_model_unload(model);
    return code;
}

const cli_verb cli_plan = {
    .name = "plan",
    .summary = "one plan from one picture to another",
    .arguments = "MODEL",
    .about = "Plan once: the action sequence, and the predicted latent distance to the goal after each decision.",
    .examples = "  umwelt plan run/model.safetensors --obs now.png --goal there.png\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = run,
};
