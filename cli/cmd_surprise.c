/* umwelt surprise: is what happens what the model expects? */
#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"alpha", "A", "probability of any false alarm in an episode", "0.05"},
    {"steps", "K", "decisions predicted ahead", "1"},
    {"calibrate", "DATA2", "calibrate on this recording", "every other episode of DATA"},
    {"calibration", "FILE", "take a calibration that --out has saved", NULL},
    {"events", "N", "events printed at most (JSON has all)", "20"},
    {"inject", "KINDS", "make things happen in a world: all, or some of teleport,frozen,color,reversed,removed",
     NULL},
    {"env", "WORLD", "world to inject into", "the model's"},
    {"episodes", "N", "with --inject: episodes per event, and as many to calibrate", "100"},
    {0},
};

/* ---- what is printed ----------------------------------------------------------------------------- */

static json_t *facts_json(const uw_surprise_facts *f) {
    return json_pack("{s:I,s:I,s:I,s:[o,o],s:s,s:s,s:i}", "episodes", (json_int_t)f->episodes,
                     "covariance_episodes", (json_int_t)f->covariance_episodes, "longest", (json_int_t)f->longest,
                     "false_alarm_rate95", cli_real(f->rate_low), cli_real(f->rate_high), "data", f->data_name,
                     "data_hash", f->data_hash, "steps", f->steps);
}

static void print_facts(cli *c, const uw_surprise_facts *f) {
    cli_say(c, "  threshold %.4g: the largest score of %" PRId64 " calibration episodes%s%s, alpha %g, %" PRId64
               " more scale the score\n"
               "  an undisturbed episode raises any alarm with probability at most %g; for this calibration it lies "
               "in [%.3f, %.3f] (95 %%)\n",
            f->threshold, f->episodes, *f->data_name ? " of " : "", f->data_name, f->alpha,
            f->covariance_episodes, f->alpha, f->rate_low, f->rate_high);
}

json_t *cli_surprise_json(const uw_surprise_report *r) {
    json_t *events = json_array();
    for (int64_t i = 0; i < r->num_events; i++) {
        const uw_surprise_event *e = &r->events[i];
        json_array_append_new(events, json_pack("{s:I,s:i,s:I,s:o}", "episode", (json_int_t)e->episode, "step",
                                                e->step, "row", (json_int_t)e->row, "score", cli_real(e->score)));
    }
    return json_pack("{s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:o,s:o}", "events", events, "threshold",
                     cli_real(r->facts.threshold), "alpha", cli_real(r->facts.alpha), "alarmed",
                     cli_rate_json(&r->alarmed), "steps", (json_int_t)r->steps, "alarms", (json_int_t)r->alarms,
                     "missing", (json_int_t)r->missing, "longer", (json_int_t)r->longer, "scores",
                     json_pack("{s:o,s:o,s:o}", "median", cli_real(r->median), "high", cli_real(r->high), "most",
                               cli_real(r->most)),
                     "calibration", facts_json(&r->facts));
}

void cli_print_surprise(cli *c, const uw_surprise_report *r, int32_t most) {
    char text[64];
    cli_say(c, "\nSurprise: prediction errors %d decision%s ahead, in units of the calibrated covariance\n",
            r->facts.steps, r->facts.steps > 1 ? "s" : "");
    print_facts(c, &r->facts);
    cli_say(c, "  episodes with an alarm: %s\n", cli_rate_text(&r->alarmed, text));
    cli_say(c, "  scores: median %.3g, 99 %% below %.3g, largest %.3g; %" PRId64 " of %" PRId64
               " steps above the threshold\n",
            r->median, r->high, r->most, r->alarms, r->steps);
    if (r->missing) cli_say(c, "  %" PRId64 " steps without a score: NaN in the columns\n", r->missing);
    if (r->longer)
        cli_say(c, "  %" PRId64 " episodes are longer than any that calibrated: the guarantee is not for them\n",
                r->longer);
    for (int64_t i = 0; i < r->num_events && i < most; i++)
        cli_say(c, "  episode %" PRId64 ", step %d (row %" PRId64 "): score %.4g\n", r->events[i].episode,
                r->events[i].step, r->events[i].row, r->events[i].score);
    if (r->num_events > most) cli_say(c, "  ... and %" PRId64 " more (--events, --json)\n", r->num_events - most);
}

json_t *cli_injection_json(const uw_injection_report *r) {
    json_t *rows = json_object();
    for (int32_t i = 0; i < r->num_rows; i++) {
        const uw_injection_row *row = &r->rows[i];
        if (!row->applies) {
            json_object_set_new(rows, uw_injection_str(row->injection), json_null());
            continue;
        }
        json_object_set_new(
            rows, uw_injection_str(row->injection),
            json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "detected", cli_rate_json(&row->detected), "delay_median",
                      cli_real(row->delay_median), "delay_high", cli_real(row->delay_high), "paired",
                      cli_rate_json(&row->paired), "auroc", cli_real(row->auroc), "persistence",
                      cli_rate_json(&row->persistence), "untrained", cli_rate_json(&row->untrained)));
    }
    return json_pack("{s:s,s:i,s:i,s:o,s:o,s:o,s:o}", "env", r->env, "steps", r->steps, "event_at", r->event_at,
                     "threshold", cli_real(r->facts.threshold), "alpha", cli_real(r->facts.alpha), "calibration",
                     facts_json(&r->facts), "injections", rows);
}

void cli_print_injection(cli *c, const uw_injection_report *r) {
    cli_say(c, "\nInjected events in %s: before observation %d of %d, alarms from there on\n", r->env, r->event_at,
            r->steps);
    print_facts(c, &r->facts);
    cli_say(c, "  %-9s %-36s %7s %7s %-22s %6s %12s %10s\n", "event", "noticed, exact 95 % interval", "delay",
            "90 %", "above its control", "AUROC", "no change *", "random *");
    for (int32_t i = 0; i < r->num_rows; i++) {
        const uw_injection_row *row = &r->rows[i];
        char rate[64], paired[64], delay[16] = "-", high[16] = "-";
        if (!row->applies) {
            cli_say(c, "  %-9s nothing to see: the model reads the state\n", uw_injection_str(row->injection));
            continue;
        }
        if (isfinite(row->delay_median)) {
            snprintf(delay, sizeof delay, "%.0f", row->delay_median);
            snprintf(high, sizeof high, "%.0f", row->delay_high);
        }
        snprintf(paired, sizeof paired, "%.2f [%.2f, %.2f]", row->paired.rate, row->paired.low, row->paired.high);
        cli_say(c, "  %-9s %-36s %7s %7s %-22s %6.3f %10.0f %% %8.0f %%\n", uw_injection_str(row->injection),
                cli_rate_text(&row->detected, rate), delay, high,
                row->injection == UW_INJECT_NOTHING ? "-" : paired, row->auroc, 100.0 * row->persistence.rate,
                100.0 * row->untrained.rate);
    }
    cli_say(c, "  none: the control, drawn anew like the others; what it notices is false.  Delays in decisions.\n"
               "  * the same test by a band around \"nothing changes\", and by the network with random weights\n");
}

/* ---- the verb -------------------------------------------------------------------------------------- */

/* "all", or names separated by commas, as bits. */
static int parse_kinds(cli *c, const char *text, uint32_t *out) {
    const char *names[UW_NUM_INJECTIONS + 2];
    int32_t count = 0;
    for (int32_t k = 0; k < UW_NUM_INJECTIONS; k++) names[count++] = uw_injection_str((uw_injection)k);
    names[count++] = "all";
    names[count] = NULL;
    *out = 1u << UW_INJECT_NOTHING;
    while (*text) {
        char word[32];
        const size_t length = strcspn(text, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        const int code = cli_name(c, "event", word, names);
        if (code) return code;
        for (int32_t k = 0; k < UW_NUM_INJECTIONS; k++)
            if (!strcmp(word, "all") || !strcmp(word, names[k])) *out |= 1u << k;
        text += length + (text[length] == ',');
    }
    return CLI_OK;
}

static int inject(cli *c, const uw_model *model, const uw_surprise *surprise, double alpha, const char *kinds) {
    uw_err err = {0};
    const char *env = uw_model_provenance(model)->env;
    const uw_env_class *world;
    uw_injection_options o = {.alpha = alpha, .seed = c->seed};
    uw_injection_report report;
    int code;
    if ((code = parse_kinds(c, kinds, &o.kinds)) ||
        (code = cli_world(c, cli_str(c, "env", *env ? env : "two_room"), &world)) ||
        (code = cli_int(c, "episodes", 100, 1, 100000, &o.episodes)))
        return code;
    o.calibration = o.episodes < uw_surprise_episodes_needed(alpha) ? (int32_t)uw_surprise_episodes_needed(alpha)
                                                                    : o.episodes;
    const uw_status status = uw_surprise_inject(c->ctx, model, surprise, world->name, &o, &report, &err);
    if (status == UW_EINTERRUPTED) return cli_interrupted(c, "the same command (episodes are drawn from the seed alone)");
    if (status) return cli_fail(c, status, &err);
    json_object_update_new(c->result, cli_injection_json(&report));
    cli_print_injection(c, &report);
    return cli_finish(c);
}

static int judge(cli *c, const uw_model *model, const uw_surprise *surprise, const uw_surprise_options *o) {
    uw_err err = {0};
    uw_surprise_report report;
    int32_t events;
    int code = cli_int(c, "events", 20, 0, 1000000000, &events);
    if (code) return code;
    const uw_status status = uw_surprise_run(c->ctx, model, surprise, c->args[1], o, &report, &err);
    if (status == UW_EINTERRUPTED) return cli_interrupted(c, "the same command");
    if (status) return cli_fail(c, status, &err);
    json_object_update_new(c->result, cli_surprise_json(&report));
    cli_print_surprise(c, &report, events);
    uw_surprise_report_fini(&report);
    return cli_finish(c);
}

/* The calibration that was asked for: from a file, another recording, or part of the one to be judged; *out stays
 * NULL when an injection is to make its own. */
static uw_status calibration(cli *c, const uw_model *model, uw_surprise_options *o, uw_surprise **out, uw_err *err) {
    const char *file = cli_str(c, "calibration", NULL), *other = cli_str(c, "calibrate", NULL);
    if (file) return uw_surprise_load(file, model, cli_str(c, "alpha", NULL) ? o->alpha : 0.0, out, err);
    if (!other && c->num_args < 2) return UW_OK;
    o->share = other ? 1.0 : 0.5;
    return uw_surprise_calibrate(c->ctx, model, other ? other : c->args[1], o, out, err);
}

static int check_words(cli *c, bool injects) {
    if (cli_str(c, "calibrate", NULL) && cli_str(c, "calibration", NULL))
        return cli_usage(c, "--calibration", "give one of them", "a calibration and a recording to calibrate on");
    if (c->num_args < 2 && !injects && !cli_str(c, "calibrate", NULL))
        return cli_usage(c, "DATA", "or --inject all, or --calibrate DATA2 --out FILE", "no recording to judge");
    if (c->num_args > 1 && injects && (cli_str(c, "calibrate", NULL) || cli_str(c, "calibration", NULL)))
        return cli_usage(c, c->args[1], "an injection makes its own episodes", "a recording to judge and --inject");
    return CLI_OK;
}

static int run(cli *c) {
    uw_err err = {0};
    uw_model *model = NULL;
    uw_surprise *surprise = NULL;
    uw_surprise_options o = {0};
    const char *kinds = cli_str(c, "inject", NULL);
    int code;
    if ((code = check_words(c, kinds != NULL)) || (code = cli_number(c, "alpha", 0.05, 1e-6, 0.999999, &o.alpha)) ||
        (code = cli_int(c, "steps", 1, 1, UW_MAX_SURPRISE_STEPS, &o.steps)))
        return code;
    uw_status status = uw_model_load(c->args[0], &model, &err);
    if (!status) status = calibration(c, model, &o, &surprise, &err);
    if (!status && c->out && surprise) status = uw_surprise_save(surprise, c->out, c->force, &err);
    if (status == UW_EEXIST) uw_err_fix(&err, "give another path, or --force");
    if (status == UW_EINTERRUPTED) {
        code = cli_interrupted(c, "the same command");
    } else if (status) {
        code = cli_fail(c, status, &err);
    } else if (kinds) {
        code = inject(c, model, surprise, o.alpha, kinds);
    } else if (c->num_args > 1) {
        code = judge(c, model, surprise, &o);
    } else {
        const uw_surprise_facts *f = uw_surprise_facts_of(surprise);
        json_object_update_new(c->result, json_pack("{s:[],s:o,s:o,s:o}", "events", "threshold",
                                                    cli_real(f->threshold), "alpha", cli_real(f->alpha),
                                                    "calibration", facts_json(f)));
        print_facts(c, f);
        code = cli_finish(c);
    }
    uw_surprise_unload(surprise);
    uw_model_unload(model);
    return code;
}

const cli_verb cli_surprise = {
    .name = "surprise",
    .summary = "notice what the model did not expect",
    .arguments = "MODEL [DATA]",
    .about = "Scores every step of a recording by the model's prediction error, in units of its calibrated covariance, "
             "and tells the steps above a threshold that an undisturbed episode exceeds with probability at most "
             "alpha. Calibrated on episodes that the model has not seen; --out saves the calibration for eval and for "
             "a controller. --inject makes things happen in a world and tells which of them are noticed, and when.",
    .examples = "  umwelt surprise run/model.safetensors fresh.uw\n"
                "  umwelt surprise run/model.safetensors fresh.uw --calibrate heldout.uw --alpha 0.02\n"
                "  umwelt surprise run/model.safetensors --calibrate heldout.uw --out band.safetensors\n"
                "  umwelt surprise run/model.safetensors --inject all --env two_room\n",
    .min_args = 1,
    .max_args = 2,
    .options = options,
    .writes = true,
    .run = run,
};
