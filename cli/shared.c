/* What several verbs share: JSON of results, tables, worlds, variations and planner options. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *cli_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *cli_rate_json(const uw_rate *rate) {
    return json_pack("{s:i,s:i,s:o,s:[o,o]}", "episodes", rate->episodes, "successes", rate->successes,
                     "rate", cli_real(rate->rate), "ci95", cli_real(rate->low), cli_real(rate->high));
}

json_t *cli_collect_json(const uw_collect_result *r) {
    const double rate = r->seconds > 0 ? (double)r->new_frames / r->seconds : 0;
    return json_pack("{s:I,s:I,s:I,s:o,s:I}", "episodes", (json_int_t)r->episodes, "frames",
                     (json_int_t)r->frames, "bytes", (json_int_t)r->bytes, "frames_per_s", cli_real(rate),
                     "actions_outside", (json_int_t)r->clipped);
}

json_t *cli_train_json(const uw_train_result *r) {
    return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:s,s:b}", "steps", (json_int_t)r->steps,
                     "loss", cli_real(r->loss), "prediction_loss", cli_real(r->prediction_loss),
                     "rollout_loss", cli_real(r->rollout_loss), "sigreg", cli_real(r->sigreg),
                     "validation_loss", cli_real(r->validation_loss), "effective_rank",
                     cli_real(r->effective_rank), "frames_per_s", cli_real(r->frames_per_s), "flops",
                     cli_real(r->flops), "tensors_sha256", r->tensors_sha256, "model", r->model_path,
                     "resumed", r->resumed);
}

json_t *cli_card_json(const uw_card *card) {
    json_t *factors = json_object();
    for (int32_t i = 0; i < card->num_cells; i++) {
        const uw_card_cell *cell = &card->cells[i];
        json_t *factor = json_object_get(factors, cell->factor);
        if (!factor) {
            factor = json_object();
            json_object_set_new(factors, cell->factor, factor);
        }
        json_t *rate = cli_rate_json(&cell->rate);
        json_object_set_new(rate, "of_nominal", cli_real(cell->of_nominal));
        json_object_set_new(rate, "in_training", json_boolean(cell->in_training));
        json_object_set_new(rate, "ours", json_boolean(cell->ours));
        if (*cell->at) json_object_set_new(rate, "at", json_string(cell->at));
        json_object_set_new(rate, "no_way", json_integer(cell->no_way));
        json_object_set_new(factor, cell->value, rate);
    }
    const char *worst = card->num_cells ? card->cells[card->worst].factor : "";
    return json_pack("{s:o,s:o,s:s}", "nominal", cli_rate_json(&card->nominal), "factors", factors,
                     "worst", worst);
}

json_t *cli_eval_json(const uw_eval_result *model, const uw_eval_result *baselines) {
    json_t *rates = json_object();
    for (int d = UW_DRIVER_MODEL + 1; d < UW_NUM_DRIVERS; d++) {
        if (!baselines || !baselines[d].num_episodes) continue;
        json_object_set_new(rates, uw_driver_str((uw_driver)d), cli_rate_json(&baselines[d].success));
    }
    json_t *json = json_pack(
        "{s:s,s:i,s:o,s:o,s:o,s:i,s:o,s:o,s:{s:o,s:o,s:o}}", "protocol", model->protocol,
                     "budget", model->budget, "success", cli_rate_json(&model->success), "hard",
                     cli_rate_json(&model->hard), "easy", cli_rate_json(&model->easy),
                     "solved_at_start", model->solved_at_start, "mean_steps", cli_real(model->mean_steps),
                     "baselines", rates, "plan_ms", "p50", cli_real(model->plan_ms_p50), "p99",
                     cli_real(model->plan_ms_p99), "max", cli_real(model->plan_ms_max));
    if (*model->data_hash)
        json_object_set_new(json, "data",
                            json_pack("{s:s,s:s,s:I,s:I}", "hash", model->data_hash, "split",
                                      uw_split_str(model->split), "starts", (json_int_t)model->starts,
                                      "episodes_too_short", (json_int_t)model->short_episodes));
    return json;
}

const char *cli_rate_text(const uw_rate *rate, char text[64]) {
    snprintf(text, 64, "%5.1f %% [%.1f, %.1f]  (%d of %d)", rate->rate * 100, rate->low * 100,
             rate->high * 100, rate->successes, rate->episodes);
    return text;
}

void cli_print_eval(cli *c, const char *title, const uw_eval_result *model,
                    const uw_eval_result *baselines) {
    char text[64];
    cli_say(c, "\n%s: success within %d env steps, exact 95 %% interval\n", title, model->budget);
    cli_say(c, "  %-15s %s\n", "this model", cli_rate_text(&model->success, text));
    if (!*model->data_hash) { /* a dataset's pairs are neither hard nor easy by construction */
        const bool rooms = !strcmp(model->env, "two_room");
        cli_say(c, "  %-15s %s\n", rooms ? "  across rooms" : "  hard", cli_rate_text(&model->hard, text));
        cli_say(c, "  %-15s %s\n", rooms ? "  same room" : "  easy", cli_rate_text(&model->easy, text));
    }
    for (int d = UW_DRIVER_MODEL + 1; baselines && d < UW_NUM_DRIVERS; d++)
        if (baselines[d].num_episodes)
            cli_say(c, "  %-15s %s\n", uw_driver_str((uw_driver)d),
                    cli_rate_text(&baselines[d].success, text));
    cli_say(c, "  planning: p50 %.2f ms, p99 %.2f ms, max %.2f ms per plan, one every %d env steps; "
               "%d of %d starts already solved\n",
            model->plan_ms_p50, model->plan_ms_p99, model->plan_ms_max, model->plan_steps,
            model->solved_at_start, model->success.episodes);
    if (*model->data_hash)
        cli_say(c, "  starts: %d of %lld rows of dataset %s (%s episodes); %lld episodes are too short for one\n",
                model->num_episodes, (long long)model->starts, model->data_hash,
                uw_split_str(model->split), (long long)model->short_episodes);
}

/* What a row of the card changes: "wall.thickness max 41", with + where it is ours. */
static const char *cell_title(const uw_card_cell *cell, char *text, size_t size) {
    snprintf(text, size, "%s %s%s%s%s", cell->factor, cell->value, *cell->at ? " " : "", cell->at,
             cell->ours ? " +" : "");
    return text;
}

void cli_print_cards(cli *c, const uw_card *const *cards, const char *const *titles, int count) {
    char text[64], name[160];
    bool ours = false;
    int width = 24;
    for (int32_t i = 0; i < cards[0]->num_cells; i++) {
        const int length = (int)strlen(cell_title(&cards[0]->cells[i], name, sizeof name));
        width = length > width ? length : width;
        ours = ours || cards[0]->cells[i].ours;
    }
    cli_say(c, "\nRobustness card: success with its exact 95 %% interval\n  %-*s", width, "what changes");
    for (int k = 0; k < count; k++) cli_say(c, " %-36s", titles[k]);
    cli_say(c, "\n  %-*s", width, "nothing (nominal)");
    for (int k = 0; k < count; k++) cli_say(c, " %-36s", cli_rate_text(&cards[k]->nominal, text));
    cli_say(c, "\n");
    for (int32_t i = 0; i < cards[0]->num_cells; i++) {
        cli_say(c, "  %-*s", width, cell_title(&cards[0]->cells[i], name, sizeof name));
        for (int k = 0; k < count; k++) {
            const uw_card_cell *cell = &cards[k]->cells[i];
            cli_say(c, " %s%-*s", cli_rate_text(&cell->rate, text),
                    (int)(36 - strlen(cli_rate_text(&cell->rate, text))),
                    cell->in_training ? "" : " *");
        }
        if (cards[0]->cells[i].no_way)
            cli_say(c, " %d of %d have no way to the goal", cards[0]->cells[i].no_way,
                    cards[0]->cells[i].rate.episodes);
        cli_say(c, "\n");
    }
    cli_say(c, "  * = this factor was not varied in training\n");
    if (ours) cli_say(c, "  + = a factor of ours, which stable-worldmodel does not have\n");
}

/* Baselines that mean something: a replay needs a recording; true dynamics a state that says everything, and a
 * solver that does without their gradient. */
static bool worthwhile(uw_driver driver, const uw_eval_options *options, const uw_env_class *world) {
    if (driver == UW_DRIVER_REPLAY) return options->data != NULL;
    return driver != UW_DRIVER_TRUE_DYNAMICS ||
           (!world->save && !uw_solver_needs_gradient(options->planner.solver));
}

uw_status cli_eval_all(cli *c, const uw_model *model, const char *env, const uw_eval_options *options,
                       uw_eval_result *results, uw_err *err) {
    const int32_t repeat = model ? uw_model_provenance(model)->action_repeat : 0;
    uw_status status = UW_OK;
    for (int d = 0; d < UW_NUM_DRIVERS && !status; d++) {
        uw_eval_options own = *options;
        char kept[1200];
        if (!worthwhile((uw_driver)d, options, uw_env_find(env))) continue;
        if (d != UW_DRIVER_MODEL) own.keep_traces = 0;
        if (options->resume)
            own.resume = cli_eval_kept(options->resume, (uw_driver)d, kept, sizeof kept);
        status = uw_eval_run(c->ctx, model, env, (uw_driver)d, repeat, &own, &results[d], err);
    }
    return status;
}

const char *cli_eval_kept(const char *table, uw_driver driver, char *path, size_t size) {
    snprintf(path, size, "%s.%s.part", table, uw_driver_str(driver));
    return path;
}

void cli_eval_free(uw_eval_result *results) {
    for (int d = 0; d < UW_NUM_DRIVERS; d++) uw_eval_result_fini(&results[d]);
}

static int real(cli *c, const char *name, double high, float *out) {
    double value;
    const int code = cli_number(c, name, (double)*out, 0, high, &value);
    if (!code) *out = (float)value;
    return code;
}

const char *const *cli_solver_words(void) {
    enum { MOST = 32 };
    static const char *words[MOST];
    const char *const *searching = uw_solver_words();
    size_t n = 0;
    while (searching[n] && n < MOST - 3) {
        words[n] = searching[n];
        n++;
    }
    words[n++] = "landmark";
    words[n] = "inverse";
    return words;
}

int cli_planner(cli *c, uw_planner_options *o) {
    const char *solver = cli_str(c, "solver", NULL), *objective = cli_str(c, "objective", NULL);
    static const char *const objectives[] = {"sum", "last", "min", NULL};
    const bool landmark = cli_is_landmark(solver), guided = landmark || cli_is_inverse(solver);
    int code = solver ? cli_name(c, "solver", solver, cli_solver_words()) : CLI_OK;
    if (!code && objective) code = cli_name(c, "objective", objective, objectives);
    if (!code && guided && cli_flag(c, "compat"))
        code = cli_usage(c, "--compat", NULL, "the reference has no solver %s", solver);
    if (code) return code;
    if (solver && !guided) uw_solver_parse(solver, &o->solver);
    if (landmark)
        *o = uw_landmarks_planner();
    else if (cli_flag(c, "compat"))
        *o = uw_planner_options_reference(o->solver);
    else if (solver)
        *o = uw_planner_options_for(o->solver);
    if (objective) uw_objective_parse(objective, &o->objective);
    double deadline_ms;
    const int least = uw_solver_needs_gradient(o->solver) ? 1 : 2;
    if ((code = cli_int(c, "horizon", o->horizon, 1, 4096, &o->horizon)) ||
        (code = cli_int(c, "num-samples", o->num_samples, least, 65536, &o->num_samples)) ||
        (code = cli_int(c, "num-elites", o->num_elites, 1, o->num_samples, &o->num_elites)) ||
        (code = cli_int(c, "iters", o->iters, 1, 1000, &o->iters)) ||
        (code = real(c, "action-cost", 1e6, &o->action_cost)) ||
        (code = real(c, "init-std", 1e6, &o->init_std)) ||
        (code = real(c, "min-std", 1e6, &o->min_std)) ||
        (code = real(c, "noise-ar", 1, &o->noise_ar)) ||
        (code = real(c, "noise-beta", 8, &o->noise_beta)) ||
        (code = real(c, "temperature", 1e6, &o->temperature)) ||
        (code = real(c, "learning-rate", 1e6, &o->learning_rate)) ||
        (code = cli_number(c, "deadline-ms", 0, 0, 1e7, &deadline_ms)))
        return code;
    if (o->num_elites >= o->num_samples && o->num_samples > 1)
        return cli_usage(c, "--num-samples", NULL, "wanted more than %d elites, got %d", o->num_elites,
                         o->num_samples);
    o->deadline_s = deadline_ms * 1e-3;
    o->seed = c->seed;
    return CLI_OK;
}

static void *block(size_t bytes) {
    return bytes ? aligned_alloc(UW_ALIGN, (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN) : NULL;
}

uw_status cli_pilot_init(cli *c, const uw_model *model, const uw_controller_options *options, cli_pilot *out) {
    *out = (cli_pilot){0};
    const uw_dynamics_limits limits = {.num_samples = options->planner.num_samples,
                                       .horizon = options->planner.horizon,
                                       .num_threads = uw_context_threads(c->ctx),
                                       .gradient = uw_solver_needs_gradient(options->planner.solver)};
    size_t bytes = uw_model_dynamics_memsize(model, &limits);
    out->dynamics_memory = block(bytes);
    if (!out->dynamics_memory) return UW_ENOMEM;
    const uw_status s =
        uw_model_dynamics_init(c->ctx, model, &limits, true, out->dynamics_memory, bytes, &out->dynamics);
    if (s) return s;
    bytes = uw_controller_memsize(&out->dynamics.dims, options);
    out->controller_memory = block(bytes);
    if (!out->controller_memory) return UW_ENOMEM;
    return uw_controller_init(&out->dynamics, options, out->controller_memory, bytes, &out->controller);
}

void cli_pilot_free(cli_pilot *pilot) {
    free(pilot->dynamics_memory);
    free(pilot->controller_memory);
}

typedef struct variation_args {
    const uw_env_class *world;
    uw_variation *v;
    bool *any;
} variation_args;

static int add_variation(cli *c, void *arg, const char *text) {
    const variation_args *a = arg;
    uw_err err = {0};
    const uw_status status = uw_variation_parse(a->world, text, a->v, &err);
    *a->any = true;
    return status ? cli_fail(c, UW_EINVAL, &err) : CLI_OK;
}

int cli_variation(cli *c, const uw_env_class *world, uw_variation *v, bool *any) {
    *v = (uw_variation){0};
    *any = false;
    variation_args args = {world, v, any};
    return cli_each(c, "variation", add_variation, &args);
}

int cli_world(cli *c, const char *name, const uw_env_class **world) {
    if (uw_process_find(name))
        return cli_usage(c, name, "it is recorded (umwelt collect) and trained on",
                         "wanted a world to act in, got a process");
    const int code = cli_name(c, "world", name, uw_env_names());
    *world = code ? NULL : uw_env_find(name);
    return code;
}
