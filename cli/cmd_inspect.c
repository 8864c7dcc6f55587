/* umwelt inspect: any file we read, and the worlds. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_option options[] = {
    {"preview", "OUT.png", "a sheet of frames of a dataset", NULL},
    {"fitness", NULL, "what is wrong with a dataset, before anyone trains on it", NULL},
    {"action", "A,B", "with --fitness: the columns of actions", "action"},
    {"holdout", "F", "with --fitness: part of the episodes that training would hold out", "0.1"},
    {"pictures", "DIR", "a strip of pictures per factor of a world", NULL},
    {0},
};

static void shape_text(int32_t num_dims, const int64_t *shape, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int32_t i = 0; i < num_dims && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i ? ", " : "", shape[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

static json_t *shape_json(int32_t num_dims, const int64_t *shape) {
    json_t *out = json_array();
    for (int32_t i = 0; i < num_dims; i++) json_array_append_new(out, json_integer(shape[i]));
    return out;
}

/* ---- datasets ------------------------------------------------------------------------------------ */

static json_t *print_head(cli *c) {
    json_t *columns = json_array();
    json_object_set_new(c->result, "columns", columns);
    cli_say(c, "  %-24s %-5s %-14s %-6s %10s %10s %10s %10s %8s\n", "column", "type", "shape", "unit", "min",
            "max", "mean", "std", "NaN");
    return columns;
}

static void print_column(cli *c, const uw_column *col, const uw_column_stats *s, json_t *columns) {
    char shape[80];
    shape_text(col->num_dims, col->shape, shape, sizeof shape);
    cli_say(c, "  %-24s %-5s %-14s %-6s %10.4g %10.4g %10.4g %10.4g %8" PRId64 "\n", col->name,
            uw_dtype_str(col->dtype), shape, col->unit, s->min, s->max, s->mean, s->std, s->nan);
    json_array_append_new(columns,
                          json_pack("{s:s,s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:I}", "name", col->name, "dtype",
                                    uw_dtype_str(col->dtype), "shape", shape_json(col->num_dims, col->shape),
                                    "unit", col->unit, "min", cli_real(s->min), "max", cli_real(s->max), "mean",
                                    cli_real(s->mean), "std", cli_real(s->std), "nan", (json_int_t)s->nan));
}

static uw_status print_columns(cli *c, const uw_dataset *data, uw_err *err) {
    json_t *columns = print_head(c);
    for (int32_t i = 0; i < uw_dataset_num_columns(data); i++) {
        uw_column_stats s;
        const uw_status status = uw_dataset_stats(data, i, &s, err);
        if (status) return status;
        print_column(c, uw_dataset_column(data, i), &s, columns);
    }
    return UW_OK;
}

/* Frames of the first episodes as one picture, one row per episode. */
static uw_status write_preview(cli *c, const uw_dataset *data, const char *path, uw_err *err) {
    enum { ROWS = 4, COLUMNS = 8 };
    const int32_t pixels = uw_dataset_find(data, "pixels", NULL);
    const uw_column *col = pixels >= 0 ? uw_dataset_column(data, pixels) : NULL;
    if (!col || col->num_dims != 3)
        return uw_fail(err, UW_ENOTFOUND, "%s: no column of frames named pixels", c->args[0]);
    const int32_t y = (int32_t)col->shape[0], x = (int32_t)col->shape[1];
    const size_t frame = (size_t)y * (size_t)x * 3, stride = (size_t)x * 3 * COLUMNS;
    uint8_t *sheet = calloc(frame, ROWS * COLUMNS), *one = malloc(frame);
    uw_status s = sheet && one ? UW_OK : UW_ENOMEM;
    for (int64_t e = 0; !s && e < ROWS && e < uw_dataset_episodes(data); e++) {
        const int64_t rows = uw_dataset_episode_rows(data, e);
        for (int64_t k = 0; !s && k < COLUMNS && rows; k++) {
            s = uw_dataset_rows(data, pixels, e, k * (rows - 1) / (COLUMNS - 1), 1, 1, one, err);
            uint8_t *place = sheet + (size_t)e * stride * (size_t)y + (size_t)k * (size_t)x * 3;
            for (int32_t row = 0; row < y; row++)
                memcpy(place + (size_t)row * stride, one + (size_t)row * (size_t)x * 3, (size_t)x * 3);
        }
    }
    if (!s) s = uw_png_write(path, sheet, x * COLUMNS, y * ROWS, c->force, err);
    if (!s) cli_say(c, "  preview: %s\n", path);
    free(sheet);
    free(one);
    return s;
}

static uw_status tell_fitness(cli *c, const char *path, uw_err *err) {
    uw_fitness_options o = {.action = cli_str(c, "action", NULL), .split_seed = c->seed, .seed = c->seed};
    uw_fitness_report *r = malloc(sizeof *r);
    if (!r) return uw_fail(err, UW_ENOMEM, "%s: out of memory", path);
    cli_number(c, "holdout", 0.1, 1e-6, 0.999999, &o.holdout); /* run has checked it */
    const uw_status s = uw_fitness_run(c->ctx, path, &o, r, err);
    if (!s) {
        json_object_set_new(c->result, "fitness", cli_fitness_json(r));
        cli_print_fitness(c, r);
    }
    free(r);
    return s;
}

static uw_status inspect_dataset(cli *c, const char *path, uw_err *err) {
    uw_dataset *data = NULL;
    uw_status s = uw_dataset_open(path, &data, err);
    if (s) return s;
    const uw_dataset_meta *meta = uw_dataset_meta_of(data);
    cli_say(c, "  %" PRId64 " episodes, %" PRId64 " rows, %.1f MB, hash %s\n", uw_dataset_episodes(data),
            uw_dataset_total_rows(data), (double)uw_dataset_bytes(data) * 1e-6, uw_dataset_hash(data));
    if (*meta->env)
        cli_say(c, "  world %s, policy %s, each action held for %d env steps, seed %" PRIu64 "\n", meta->env,
                meta->policy, meta->action_repeat, meta->seed);
    if (uw_dataset_torn_bytes(data))
        cli_say(c, "  %" PRId64 " bytes of an unfinished episode at the end are left out\n",
                uw_dataset_torn_bytes(data));
    json_object_set_new(c->result, "episodes", json_integer(uw_dataset_episodes(data)));
    json_object_set_new(c->result, "frames", json_integer(uw_dataset_total_rows(data)));
    json_object_set_new(c->result, "hash", json_string(uw_dataset_hash(data)));
    json_object_set_new(c->result, "torn_bytes", json_integer(uw_dataset_torn_bytes(data)));
    s = print_columns(c, data, err);
    const char *preview = cli_str(c, "preview", NULL);
    if (!s && preview) s = write_preview(c, data, preview, err);
    if (!s && cli_flag(c, "fitness")) s = tell_fitness(c, path, err);
    uw_dataset_close(data);
    return s;
}

/* HDF5 and folders may be larger than the disk: they are only read. */
static uw_status inspect_in_place(cli *c, const char *path, uw_err *err) {
    uw_file_summary *f = malloc(sizeof *f);
    if (!f) return uw_fail(err, UW_ENOMEM, "%s: out of memory", path);
    const uw_status s = uw_dataset_file_summary(c->ctx, path, f, err);
    if (!s) {
        cli_say(c, "  %" PRId64 " episodes, %" PRId64 " rows\n", f->episodes, f->rows);
        json_object_set_new(c->result, "episodes", json_integer(f->episodes));
        json_object_set_new(c->result, "frames", json_integer(f->rows));
        json_t *columns = print_head(c);
        for (int32_t i = 0; i < f->num_columns; i++) print_column(c, &f->columns[i], &f->stats[i], columns);
    }
    free(f);
    return s;
}

/* What a file would be as a dataset, through a temporary one: NPZ, CSV, and previews of the others. */
static uw_status inspect_foreign(cli *c, const char *path, uw_err *err) {
    const char *base = getenv("TMPDIR");
    char dir[600], file[640];
    snprintf(dir, sizeof dir, "%s/umwelt-inspect-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(dir)) return uw_fail(err, UW_ENOSPC, "%s: cannot make a temporary folder", dir);
    snprintf(file, sizeof file, "%s/data.uw", dir);
    uw_convert_result r;
    uw_status s = uw_convert(c->ctx, path, file, UW_FORMAT_DATASET, false, &r, err);
    if (!s) s = inspect_dataset(c, file, err);
    unlink(file);
    rmdir(dir);
    return s;
}

/* ---- models -------------------------------------------------------------------------------------- */

static void architecture_text(const uw_model_config *m, char *text, size_t size) {
    static const char *const encoders[] = {"conv", "vit", "mlp", "coupling"};
    static const char *const predictors[] = {"mlp", "adaln", "no"};
    snprintf(text, size, "%s encoder, latent %d, %s predictor, action block %d", encoders[m->encoder],
             m->latent_dim, predictors[m->predictor], m->action_dim * m->frameskip);
}

static uw_status inspect_model(cli *c, const char *path, uw_err *err) {
    uw_model *model = NULL;
    const uw_status s = uw_model_load(path, &model, err);
    if (s) return s;
    char text[160], hex[65];
    const uw_provenance *p = uw_model_provenance(model);
    architecture_text(uw_model_config_of(model), text, sizeof text);
    uw_model_sha256(model, hex);
    cli_say(c, "  %s\n  %" PRId64 " parameters in %d tensors, sha256 %s\n", text,
            uw_model_num_parameters(model), uw_model_num_tensors(model), hex);
    cli_say(c, "  preset %s, seed %" PRIu64 ", world %s, dataset %s, action held for %d env steps\n", p->preset,
            p->seed, *p->env ? p->env : "-", *p->dataset_hash ? p->dataset_hash : "-", p->action_repeat);
    cli_say(c, "  varied in training: %s\n", *p->trained_factors ? p->trained_factors : "nothing");
    if (*p->readout) cli_say(c, "  labels in training: %s\n", p->readout);
    json_object_set_new(c->result, "architecture", json_string(text));
    json_object_set_new(c->result, "parameters", json_integer(uw_model_num_parameters(model)));
    json_object_set_new(c->result, "tensors", json_integer(uw_model_num_tensors(model)));
    json_object_set_new(c->result, "tensors_sha256", json_string(hex));
    json_object_set_new(c->result, "provenance",
                        json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:i,s:s,s:s,s:s}", "version", p->version, "preset",
                                  p->preset, "env", p->env, "dataset_hash", p->dataset_hash, "config",
                                  p->config_json, "seed", (json_int_t)p->seed, "action_repeat",
                                  p->action_repeat, "trained_factors", p->trained_factors, "readout",
                                  p->readout, "observe", p->observe));
    uw_model_unload(model);
    return UW_OK;
}

static uw_status inspect_weights(cli *c, const char *path, uw_err *err) {
    uw_weights *weights = NULL;
    const uw_status s = uw_weights_open(path, &weights, err);
    if (s) return s;
    if (uw_weights_meta(weights, "umwelt.config")) {
        uw_weights_close(weights);
        return inspect_model(c, path, err);
    }
    char hex[65], shape[80];
    int64_t parameters = 0;
    uw_weights_sha256(weights, hex);
    const int32_t count = uw_weights_num_tensors(weights);
    for (int32_t i = 0; i < count; i++) {
        const uw_tensor t = uw_weights_tensor(weights, i);
        shape_text(t.num_dims, t.shape, shape, sizeof shape);
        parameters += uw_tensor_count(&t);
        cli_say(c, "  %-60s %-5s %s\n", t.name, uw_dtype_str(t.dtype), shape);
    }
    cli_say(c, "  %" PRId64 " numbers in %d tensors, sha256 %s; no umwelt configuration: not a model of ours\n"
               "  a LeWM checkpoint becomes one with umwelt convert %s model.safetensors --config config.json\n",
            parameters, count, hex, path);
    json_object_set_new(c->result, "architecture", json_string("unknown"));
    json_object_set_new(c->result, "parameters", json_integer(parameters));
    json_object_set_new(c->result, "tensors", json_integer(count));
    json_object_set_new(c->result, "tensors_sha256", json_string(hex));
    json_object_set_new(c->result, "provenance", json_object());
    uw_weights_close(weights);
    return UW_OK;
}

static uw_status inspect_checkpoint(cli *c, const char *path, uw_err *err) {
    uw_checkpoint_info info;
    const uw_status s = uw_checkpoint_inspect(path, &info, err);
    if (s) return s;
    cli_say(c, "  step %" PRId64 " of %" PRId64 ", preset %s, seed %" PRIu64 "\n  %s\n", info.step,
            info.steps_total, info.preset, info.seed, info.generation);
    json_object_update_new(c->result, json_pack("{s:I,s:I,s:s,s:s,s:I}", "step", (json_int_t)info.step,
                                                "steps_total", (json_int_t)info.steps_total, "generation",
                                                info.generation, "preset", info.preset, "checkpoint_seed",
                                                (json_int_t)info.seed));
    return UW_OK;
}

/* ---- worlds -------------------------------------------------------------------------------------- */

static const char *const factor_kinds[] = {"color", "real", "int"};

/* Numbers separated by commas, or the name of the one number. */
static void value_text(const uw_factor *f, const double *value, char *text, size_t size) {
    if (f->words) {
        snprintf(text, size, "%s", f->words[(int32_t)(value[0] - f->low[0])]);
        return;
    }
    size_t used = 0;
    for (int32_t i = 0; i < f->dim && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%g", i ? "," : "", value[i]);
}

/* What a factor changes, in words. */
static const char *effect_text(const uw_factor *f) {
    if (f->placed) return "start or goal";
    if (f->affects_motion) return f->affects_picture ? "motion, picture" : "motion";
    return f->affects_picture ? "picture" : "nothing";
}

static void print_factor(cli *c, const uw_factor *f) {
    char kind[32], range[64], init[96], note[160] = "";
    snprintf(kind, sizeof kind, f->dim > 1 && f->kind != UW_FACTOR_COLOR ? "%s x%d" : "%s",
             factor_kinds[f->kind], f->dim);
    snprintf(range, sizeof range, "%g .. %g", f->low[0], f->high[0]);
    value_text(f, f->init, init, sizeof init);
    if (f->placed) snprintf(note, sizeof note, ", drawn by every reset");
    if (f->ours) snprintf(note, sizeof note, " (ours)");
    for (int32_t i = 0; f->words && i <= (int32_t)(f->high[0] - f->low[0]); i++)
        snprintf(note + strlen(note), sizeof note - strlen(note), "%s%s", i ? ", " : ": ", f->words[i]);
    cli_say(c, "  %-24s %-8s %-20s %-13s %-9s %s%s\n", f->name, kind, range, init, f->unit ? f->unit : "-",
            effect_text(f), note);
    if (f->rule) cli_say(c, "  %-24s   rule: %s\n", "", f->rule);
}

static json_t *numbers_json(const double *value, int32_t dim) {
    json_t *out = json_array();
    for (int32_t i = 0; i < dim; i++) json_array_append_new(out, json_real(value[i]));
    return out;
}

static json_t *factor_json(const uw_factor *f) {
    json_t *words = f->words ? json_array() : json_null();
    for (int32_t i = 0; f->words && i <= (int32_t)(f->high[0] - f->low[0]); i++)
        json_array_append_new(words, json_string(f->words[i]));
    return json_pack("{s:s,s:s,s:b,s:i,s:f,s:f,s:o,s:s?,s:b,s:b,s:b,s:b,s:s?,s:o}", "name", f->name, "kind",
                     factor_kinds[f->kind], "wide", f->wide, "dim", f->dim, "low",
                     f->low[0], "high", f->high[0], "default", numbers_json(f->init, f->dim), "unit", f->unit,
                     "motion", f->affects_motion, "picture", f->affects_picture, "placed", f->placed, "ours", f->ours,
                     "rule", f->rule, "words", words);
}

/* What of a world is recorded beside its pictures. */
static void print_numbers(cli *c, const uw_env_class *world) {
    json_t *states = json_array(), *readings = json_array();
    cli_say(c, "  %d actions in [-1, 1]%s\n  state (%s, float%s):", world->action_dim,
            world->takes_any_action ? ", others are taken as they are" : ", others are clipped", world->state_unit,
            world->wide_state ? "64" : "32");
    for (int32_t i = 0; i < world->state_dim; i++) {
        cli_say(c, "%s %s", i ? "," : "", world->state_names[i]);
        json_array_append_new(states, json_string(world->state_names[i]));
    }
    cli_say(c, "\n");
    for (int32_t i = 0; i < world->num_readings; i++) {
        const uw_reading *r = &world->readings[i];
        cli_say(c, "  reading: %s, %d number%s (%s)\n", r->name, r->dim, r->dim > 1 ? "s" : "",
                r->unit ? r->unit : "-");
        json_array_append_new(readings,
                              json_pack("{s:s,s:i,s:s?}", "name", r->name, "dim", r->dim, "unit", r->unit));
    }
    json_object_update_new(c->result, json_pack("{s:i,s:b,s:o,s:s,s:o}", "action_dim", world->action_dim,
                                                "takes_any_action", world->takes_any_action, "state", states,
                                                "state_unit", world->state_unit, "readings", readings));
}

/* A world, or a process, which has no state to set and nothing to draw. */
static int inspect_world(cli *c, const uw_env_class *world) {
    const bool process = uw_process_find(world->name);
    json_t *factors = json_array();
    json_object_set_new(c->result, "format", json_string(process ? "process" : "world"));
    json_object_set_new(c->result, "factors", factors);
    cli_say(c, "%s: %s\n", world->name, process ? "process, to collect and to train on" : "world");
    if (!process) print_numbers(c, world);
    cli_say(c, "  %-24s %-8s %-20s %-13s %-9s %s\n", "factor of variation", "kind", "range", "default", "unit",
            "changes");
    for (int32_t i = 0; i < world->num_factors; i++) {
        print_factor(c, &world->factors[i]);
        json_array_append_new(factors, factor_json(&world->factors[i]));
    }
    cli_say(c, "  --variation NAME=VALUE fixes a factor, NAME~sample draws it in every episode%s\n",
            world->sample ? ", as stable-worldmodel does with the same seed (not what is ours)" : "");
    const char *pictures = cli_str(c, "pictures", NULL);
    uw_err err = {0};
    if (pictures && process)
        return cli_usage(c, world->name, "a world has some: umwelt inspect two_room --pictures DIR",
                         "a process has no pictures");
    const uw_status status = pictures ? cli_world_pictures(c, world, pictures, &err) : UW_OK;
    if (status) return cli_fail(c, status, &err);
    return cli_finish(c);
}

static int run(cli *c) {
    const char *path = c->args[0];
    const uw_env_class *process = uw_process_find(path), *world = process ? process : uw_env_find(path);
    const bool is_world = world && access(path, F_OK);
    const char *misplaced = is_world ? "preview" : "pictures";
    if (cli_flag(c, misplaced))
        return cli_usage(c, path, is_world ? "a world has --pictures DIR" : "a dataset has --preview OUT.png",
                         "no --%s here", misplaced);
    if (is_world && cli_flag(c, "fitness"))
        return cli_usage(c, path, "collect from it first", "--fitness looks at a dataset, wanted one");
    if (is_world) return inspect_world(c, world);
    double holdout;
    const int code = cli_number(c, "holdout", 0.1, 1e-6, 0.999999, &holdout);
    if (code) return code;

    uw_err err = {0};
    uw_format format;
    uw_status s = uw_format_detect(path, &format, &err);
    if (s) return cli_fail(c, s, &err);
    json_object_set_new(c->result, "format", json_string(uw_format_str(format)));
    cli_say(c, "%s: %s\n", path, uw_format_str(format));
    switch (format) {
    case UW_FORMAT_DATASET: s = inspect_dataset(c, path, &err); break;
    case UW_FORMAT_NPZ:
    case UW_FORMAT_NPY:
    case UW_FORMAT_CSV: s = inspect_foreign(c, path, &err); break;
    case UW_FORMAT_HDF5:
    case UW_FORMAT_FOLDER:
        s = cli_str(c, "preview", NULL) || cli_flag(c, "fitness") ? inspect_foreign(c, path, &err)
                                                                  : inspect_in_place(c, path, &err);
        break;
    case UW_FORMAT_SAFETENSORS:
    case UW_FORMAT_PT:
    case UW_FORMAT_CHECKPOINT:
        if (cli_flag(c, "fitness"))
            return cli_usage(c, path, "a model has umwelt probe and umwelt certify",
                             "--fitness looks at a dataset, wanted one");
        s = format == UW_FORMAT_CHECKPOINT ? inspect_checkpoint(c, path, &err) : inspect_weights(c, path, &err);
        break;
    case UW_FORMAT_PNG:
    case UW_FORMAT_UNKNOWN:
        s = uw_fail(&err, UW_EUNSUPPORTED, "%s: %s, wanted a dataset, model, checkpoint, npz or csv", path,
                    uw_format_str(format));
        uw_err_fix(&err, "umwelt inspect reads what umwelt collect, train and convert write");
        break;
    }
    return s ? cli_fail(c, s, &err) : cli_finish(c);
}

const cli_verb cli_inspect = {
    .name = "inspect",
    .summary = "what is in a file, or a world",
    .arguments = "FILE|WORLD",
    .about = "Say what a dataset, model, checkpoint, .safetensors, .pt, .npz or .csv holds: columns with units and ranges, "
             "tensors, provenance.  With --fitness: what is wrong with a dataset, and what to do about it.  With a world's "
             "name: its factors of variation.",
    .examples = "  umwelt inspect experience.uw --preview frames.png\n"
                "  umwelt inspect plant.csv --fitness --action valve,pump\n"
                "  umwelt inspect run/model.safetensors --json\n"
                "  umwelt inspect two_room --pictures two_room\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .writes = true,
    .run = run,
};
