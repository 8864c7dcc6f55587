/* umwelt eval: episodes under a protocol, next to the baselines, and next to another model or solver. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* Six of six is the least that excludes a coin: the interval of five of five begins at 47.8 %. */
enum { LEAST_EPISODES = 6 };

static const cli_option options[] = {
    {"env", "WORLD", "world to act in", "the model's"},
    {"protocol", "NAME", "random-goal | released | clear-moderate | clear-strict", "random-goal"},
    {"data", "D.uw", "dataset of starts and goals, of --solver landmark and inverse, of --video's frames", NULL},
    {"split", "NAME", "all | train | validation: episodes of --data, by the model's own holdout", "all"},
    {"episodes", "N", "episodes; of random-goal, half of them hard", "200"},
    {"budget", "STEPS", "env steps per episode; 0 = the protocol's", "0"},
    {"replan", "K", "decisions of a plan carried out before the next; 0 = the protocol's", "0"},
    {"distance", "NAME", "latent | readout: what the objective measures", "latent"},
    {"against", "B", "another model or solver, in the same episodes", NULL},
    {"variation", "F=V | F~sample", "fix or draw a factor of variation (repeatable)", NULL},
    {"video", "OUT.gif", "animation of the first three episodes (needs --data)", NULL},
    {"calibration", "FILE", "of umwelt surprise: tell the decisions that surprise the model", NULL},
    {"on-surprise", "WORD", "none | stop | hold | replan: what the controller does about them", "none"},
    {"teleport-at", "STEPS", "after so many env steps the world jumps to another start; 0 = never", "0"},
    CLI_GUIDE_OPTIONS,
    CLI_PLANNER_OPTIONS,
    {0},
};

/* Everything that one evaluation holds. */
typedef struct work {
    uw_model *model, *rival; /* rival NULL: the same model, with another solver or alone */
    uw_dataset *data;
    uw_surprise *surprise; /* of --calibration, or NULL */
    const uw_env_class *world;
    uw_eval_options o;
    uw_variation variation;
    uw_eval_result results[UW_NUM_DRIVERS], other;
    const char *against; /* --against, or NULL */
    uw_solver solver;    /* of the rival */
    const char *word, *rival_word; /* of the solvers, landmark and inverse among them; NULL: the default */
    cli_guide guide, rival_guide;
    uw_value readout; /* of --distance readout */
    char table[1024], other_table[1100], other_kept[1100];
} work;

static bool is_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return f != NULL;
}

/* The table's place: --out, else beside the model under the first free name. */
static void table_path(const cli *c, const char *protocol, char *path, size_t size) {
    if (c->out) {
        snprintf(path, size, "%s", c->out);
        return;
    }
    for (int k = 0; k < 10000; k++) {
        char suffix[16] = "";
        if (k) snprintf(suffix, sizeof suffix, "-%d", k);
        snprintf(path, size, "%s.%s-seed%llu%s.csv", c->args[0], protocol, (unsigned long long)c->seed,
                 suffix);
        if (!is_file(path)) return;
    }
}

/* What is asked for must hang together before anything is opened. */
static int check_asked(cli *c, const uw_eval_options *o) {
    const bool needs = uw_protocol_needs_data(o->protocol);
    if (needs && !cli_flag(c, "data"))
        return cli_usage(c, "--protocol", "add --data with a recording of the world",
                         "%s takes its starts and goals from a dataset, wanted --data", o->protocol);
    if (!needs && cli_flag(c, "split"))
        return cli_usage(c, "--split", "for example --protocol released",
                         "%s draws its own starts, wanted a protocol with a dataset", o->protocol);
    if (cli_flag(c, "video") && !cli_flag(c, "data"))
        return cli_usage(c, "--video", "add --data with the dataset it was trained on",
                         "wanted --data for the nearest remembered frames");
    if (o->episodes < LEAST_EPISODES) {
        uw_err err = {0};
        uw_fail(&err, UW_ESHAPE, "--episodes: %d give no interval that excludes chance, wanted at least %d",
                (int)o->episodes, LEAST_EPISODES);
        uw_err_fix(&err, "200 are usual: 98 %% then means [95.0, 99.5]");
        return cli_fail(c, UW_ESHAPE, &err);
    }
    return cli_guide_check(c, cli_str(c, "solver", NULL), cli_str(c, "against", NULL));
}

static int choose_distance(cli *c, work *w) {
    static const char *const words[] = {"latent", "readout", NULL};
    const char *word = cli_str(c, "distance", "latent");
    const int code = cli_name(c, "distance", word, words);
    if (code || strcmp(word, "latent") == 0) return code;
    if (cli_is_landmark(cli_str(c, "solver", NULL)) || cli_is_landmark(cli_str(c, "against", NULL)))
        return cli_usage(c, "--distance", NULL, "landmark counts decisions, wanted another solver");
    if (uw_model_readout_value(w->model, &w->readout))
        return cli_usage(c, "--distance", "train with readout=... and readout_weight",
                         "%s has no readout, wanted --distance latent", c->args[0]);
    w->o.value = &w->readout;
    return CLI_OK;
}

static int configure(cli *c, work *w) {
    bool varied;
    int code;
    uw_eval_options *o = &w->o;
    const char *made_for = uw_model_provenance(w->model)->env;
    const char *env = cli_str(c, "env", *made_for ? made_for : "two_room");
    *o = UW_EVAL_OPTIONS_DEFAULT;
    o->protocol = cli_str(c, "protocol", o->protocol);
    if ((code = cli_world(c, env, &w->world)) ||
        (code = cli_name(c, "protocol", o->protocol, uw_protocol_names())) ||
        (code = cli_int(c, "episodes", o->episodes, 1, 1000000, &o->episodes)) ||
        (code = cli_int(c, "budget", 0, 0, 1000000, &o->budget)) ||
        (code = cli_int(c, "replan", 0, 0, 4096, &o->replan)) ||
        (code = cli_planner(c, &o->planner)) ||
        (code = cli_variation(c, w->world, &w->variation, &varied)) || (code = check_asked(c, o)))
        return code;
    o->seed = o->reset_seed = c->seed;
    if (varied) o->variation = &w->variation;
    if (cli_flag(c, "video")) o->keep_traces = 3;
    return choose_distance(c, w);
}

/* Load the calibration, and what to do about surprises. */
static int open_surprise(cli *c, work *w) {
    static const char *const words[] = {"none", "stop", "hold", "replan", NULL};
    uw_err err = {0};
    const char *file = cli_str(c, "calibration", NULL), *word = cli_str(c, "on-surprise", "none");
    int code = cli_int(c, "teleport-at", 0, 0, 1000000, &w->o.teleport_at);
    if (!code) code = cli_name(c, "answer", word, words);
    if (code) return code;
    while (strcmp(words[w->o.on_surprise], word) != 0) w->o.on_surprise++;
    if (!file && w->o.on_surprise != UW_ON_SURPRISE_NONE)
        return cli_usage(c, "--on-surprise", "make one: umwelt surprise MODEL --calibrate DATA --out FILE",
                         "wanted --calibration");
    if (!file) return CLI_OK;
    const uw_status status = uw_surprise_load(file, w->model, 0.0, &w->surprise, &err);
    if (status) return cli_fail(c, status, &err);
    w->o.band = uw_surprise_band(w->surprise);
    if (w->o.band) return CLI_OK;
    return cli_usage(c, "--calibration", "calibrate with --steps 1", "%s: a controller looks one decision ahead", file);
}

/* Open the dataset and find its split. */
static int open_data(cli *c, work *w) {
    static const char *const splits[] = {"all", "train", "validation", NULL};
    uw_err err = {0};
    if (!uw_protocol_needs_data(w->o.protocol)) return CLI_OK;
    const char *split = cli_str(c, "split", "all");
    const int code = cli_name(c, "split", split, splits);
    if (code) return code;
    uw_status status = uw_dataset_open(cli_str(c, "data", ""), &w->data, &err);
    while (strcmp(splits[w->o.split], split) != 0) w->o.split++;
    if (!status && w->o.split != UW_SPLIT_ALL) status = uw_eval_holdout(w->model, &w->o, &err);
    if (status) return cli_fail(c, status, &err);
    w->o.data = w->data;
    const char *trained = uw_model_provenance(w->model)->dataset_hash;
    if (w->o.split != UW_SPLIT_ALL && strcmp(trained, uw_dataset_hash(w->data)) != 0)
        cli_note(c, "note: the model was trained on another dataset: no episode of this one is its own\n");
    return CLI_OK;
}

/* Neither file nor solver: the nearest of these, or all. */
static void advise_rival(const char *given, uw_err *err) {
    const char *const *words = cli_solver_words();
    int32_t count = 0;
    while (words[count]) count++;
    const char *near = uw_nearest(given, words, count);
    char list[160] = "";
    for (int32_t i = 0; i < count; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), " %s", words[i]);
    if (near)
        uw_err_fix(err, "did you mean %s?", near);
    else
        uw_err_fix(err, "--against takes a model's file or a solver's name:%s", list);
}

/* A solver's word, or a model's file. */
static int open_rival(cli *c, work *w) {
    uw_err err = {0};
    w->against = cli_str(c, "against", NULL);
    w->solver = w->o.planner.solver;
    w->word = w->rival_word = cli_str(c, "solver", NULL);
    if (!w->against) return CLI_OK;
    if (!is_file(w->against)) {
        const bool guided = cli_is_landmark(w->against) || cli_is_inverse(w->against);
        w->rival_word = w->against;
        if (guided) w->solver = UW_SOLVER_CEM;
        if (guided || uw_solver_parse(w->against, &w->solver)) return CLI_OK;
    }
    const uw_status status = uw_model_load(w->against, &w->rival, &err);
    if (status == UW_ENOTFOUND) advise_rival(w->against, &err);
    if (status) return cli_fail(c, status, &err);
    if (cli_is_inverse(w->rival_word) && cli_flag(c, "policy"))
        return cli_usage(c, "--policy", "leave it out: --data fits one to each model",
                         "a policy is one model's, and --against names another");
    return CLI_OK;
}

/* Another solver's own defaults, with the objective, horizon and limits of the first; a map's horizon is its
 * own. */
static uw_planner_options rival_planner(const work *w) {
    const uw_planner_options *first = &w->o.planner;
    const bool map = cli_is_landmark(w->rival_word), same = map == cli_is_landmark(w->word);
    if (w->solver == first->solver && same) return *first;
    uw_planner_options o = map              ? uw_landmarks_planner()
                           : first->compat   ? uw_planner_options_reference(w->solver)
                                             : uw_planner_options_for(w->solver);
    o.objective = first->objective;
    if (same) o.horizon = first->horizon;
    o.action_cost = first->action_cost;
    o.deadline_s = first->deadline_s;
    o.seed = first->seed;
    return o;
}

/* Make the maps and policies that are asked for; episodes held out for --split validation stay out of them. */
static uw_status make_guides(cli *c, work *w, uw_err *err) {
    const bool held = w->o.split == UW_SPLIT_VALIDATION;
    const double holdout = held ? w->o.holdout : 0.0;
    uw_status status = cli_guide_make(c, w->word, cli_policy_first(c), w->model, holdout, w->o.holdout_seed,
                                      &w->guide, err);
    cli_guide_eval(&w->guide, &w->o);
    if (status || !w->against) return status;
    return cli_guide_make(c, w->rival_word, false, w->rival ? w->rival : w->model, holdout, w->o.holdout_seed,
                          &w->rival_guide, err);
}

static uw_status run_rival(cli *c, work *w, uw_err *err) {
    const uw_model *model = w->rival ? w->rival : w->model;
    uw_eval_options o = w->o;
    o.planner = rival_planner(w);
    o.value = NULL;
    cli_guide_eval(&w->rival_guide, &o);
    o.keep_traces = 0;
    if (w->rival) { /* another model's errors are not in this band */
        o.band = NULL;
        o.on_surprise = UW_ON_SURPRISE_NONE;
    }
    snprintf(w->other_table, sizeof w->other_table, "%s.against.csv", w->table);
    o.resume = cli_eval_kept(w->other_table, UW_DRIVER_MODEL, w->other_kept, sizeof w->other_kept);
    return uw_eval_run(c->ctx, model, w->world->name, UW_DRIVER_MODEL,
                       uw_model_provenance(model)->action_repeat, &o, &w->other, err);
}

static uw_status evaluate(cli *c, work *w, uw_err *err) {
    const char *video = cli_str(c, "video", NULL);
    w->o.resume = w->table;
    uw_status status = cli_eval_all(c, w->model, w->world->name, &w->o, w->results, err);
    if (!status && w->against) status = run_rival(c, w, err);
    if (!status) status = uw_eval_write_csv(&w->results[0], w->table, c->force, err);
    if (!status && w->against)
        status = uw_eval_write_csv(&w->other, w->other_table, c->force, err);
    if (!status && video)
        status = uw_report_animation(c->ctx, w->model, w->world->name, cli_str(c, "data", NULL),
                                     &w->results[0], 3, video, c->force, err);
    if (status) return status;
    for (int d = 0; d < UW_NUM_DRIVERS; d++) {
        char kept[1200];
        remove(cli_eval_kept(w->table, (uw_driver)d, kept, sizeof kept));
    }
    if (w->against) remove(w->other_kept);
    return UW_OK;
}

static int tell_rival(cli *c, work *w) {
    uw_paired p;
    uw_err err = {0};
    char text[64];
    const uw_status status = uw_eval_compare(&w->results[0], &w->other, &p, &err);
    if (status) return cli_fail(c, status, &err);
    cli_say(c, "against %s:\n  %-15s %s\n", w->against, "the other", cli_rate_text(&w->other.success, text));
    cli_say(c, "  both %d, only this model %d, only the other %d, neither %d; exact McNemar p = %.3g\n", p.both,
            p.only_first, p.only_second, p.neither, p.p_value);
    json_object_set_new(
        c->result, "against",
        json_pack("{s:s,s:o,s:s,s:i,s:i,s:i,s:i,s:f}", "name", w->against, "success",
                  cli_rate_json(&w->other.success), "episode_table", w->other_table, "both", p.both,
                  "only_first", p.only_first, "only_second", p.only_second, "neither", p.neither,
                  "p_value", p.p_value));
    return CLI_OK;
}

/* Where episodes round obstacles fail, ask whether latent distance leads there at all.  Only then: it takes
 * thousands of pictures. */
static int advise(cli *c, const work *w) {
    const uw_rate *hard = &w->results[0].hard, *easy = &w->results[0].easy;
    uw_geometry g;
    uw_err err = {0};
    if (w->guide.map || !hard->episodes || !easy->episodes || hard->high >= easy->low) return CLI_OK;
    const uw_status status = uw_geometry_run(c->ctx, w->model, c->seed, &g, &err);
    if (status) return cli_fail(c, status, &err);
    if (!uw_geometry_misleads(&g)) return CLI_OK;
    char text[256];
    snprintf(text, sizeof text,
             "across obstacles latent distance follows the way (rank correlation %.2f) no better than the straight "
             "line (%.2f): try --solver landmark --data D.uw",
             g.hard_rho_path, g.hard_rho_euclid);
    cli_say(c, "  %s\n", text);
    json_object_set_new(c->result, "advice", json_string(text));
    return CLI_OK;
}

static void tell_surprise(cli *c, const work *w) {
    const uw_eval_result *r = &w->results[0];
    const char *word = uw_on_surprise_str(w->o.on_surprise);
    char text[64];
    cli_say(c, "  surprise: %lld of %lld decisions above %.4g; answer %s: stopped %lld, held %lld, replanned %lld\n",
            (long long)r->surprised, (long long)r->decisions, w->o.band->threshold, word, (long long)r->stopped,
            (long long)r->held, (long long)r->replanned);
    if (r->noticed.episodes)
        cli_say(c, "  the jump after %d env steps was noticed at once in %s\n", w->o.teleport_at,
                cli_rate_text(&r->noticed, text));
    json_object_set_new(c->result, "surprise",
                        json_pack("{s:s,s:f,s:I,s:I,s:I,s:I,s:o}", "answer", word, "threshold", w->o.band->threshold,
                                  "surprised", (json_int_t)r->surprised, "stopped", (json_int_t)r->stopped, "held",
                                  (json_int_t)r->held, "replanned", (json_int_t)r->replanned, "noticed",
                                  r->noticed.episodes ? cli_rate_json(&r->noticed) : json_null()));
}

static int tell(cli *c, work *w) {
    const char *video = cli_str(c, "video", NULL);
    json_object_update_new(c->result, cli_eval_json(&w->results[0], w->results));
    json_object_set_new(c->result, "episode_table", json_string(w->table));
    if (video) json_object_set_new(c->result, "video", json_string(video));
    cli_print_eval(c, w->o.protocol, &w->results[0], w->results);
    if (w->o.band) tell_surprise(c, w);
    int code = w->against ? tell_rival(c, w) : CLI_OK;
    if (!code) code = advise(c, w);
    if (code) return code;
    cli_say(c, "  episodes: %s\nnext: umwelt stress %s\n", w->table, c->args[0]);
    return cli_finish(c);
}

static int run(cli *c) {
    uw_err err = {0};
    work w = {0};
    uw_status status = uw_model_load(c->args[0], &w.model, &err);
    if (status) return cli_fail(c, status, &err);
    int code = configure(c, &w);
    if (!code) code = open_surprise(c, &w);
    if (!code) code = open_data(c, &w);
    if (!code) code = open_rival(c, &w);
    if (code) goto done;
    table_path(c, w.o.protocol, w.table, sizeof w.table);
    status = make_guides(c, &w, &err);
    if (!status) status = evaluate(c, &w, &err);
    code = status == UW_EINTERRUPTED ? cli_interrupted(c, "the same command: finished episodes are kept")
           : status                  ? cli_fail(c, status, &err)
                                     : tell(c, &w);
done:
    cli_eval_free(w.results);
    uw_eval_result_fini(&w.other);
    uw_surprise_unload(w.surprise);
    cli_guide_free(&w.rival_guide);
    cli_guide_free(&w.guide);
    uw_dataset_close(w.data);
    uw_model_unload(w.rival);
    uw_model_unload(w.model);
    return code;
}

const cli_verb cli_eval = {
    .name = "eval",
    .summary = "success under a protocol, beside the baselines",
    .arguments = "MODEL",
    .about = "Act in a world towards goal pictures under a protocol and report success with its exact interval, "
             "beside random, zero, straight, oracle, true-dynamics and, where starts are recorded, replay, in the "
             "same episodes. Stopped, it goes on where it was when the same command is given again.",
    .examples = "  umwelt eval run/model.safetensors\n"
                "  umwelt eval run/model.safetensors --episodes 600 --seed 7 --json\n"
                "  umwelt eval run/model.safetensors --protocol released --data experience.uw --split validation\n"
                "  umwelt eval run/model.safetensors --against icem\n"
                "  umwelt eval run/model.safetensors --against landmark --data experience.uw\n"
                "  umwelt eval run/model.safetensors --solver inverse --against cem --data experience.uw\n"
                "  umwelt eval run/model.safetensors --variation background.color=#cccccc\n"
                "  umwelt eval run/model.safetensors --calibration band.safetensors --on-surprise stop --teleport-at 20\n"
                "  umwelt eval run/model.safetensors --data experience.uw --video episodes.gif\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .writes = true,
    .run = run,
};
