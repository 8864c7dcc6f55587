/* Conversion: choose the way, keep the promise that nothing is left behind after an error.
 *
 * What can be read in order (a source) goes directly into a dataset, HDF5 or a folder.  NPZ and CSV
 * are written from a dataset, and CSV can only be read into one: those ways go through a temporary
 * one beside the target.  So there are two ways per format and not a way per pair. */
#include "convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "internal.h"
#include "json.h"
#include "layout.h"
#include "source.h"
#include "store.h"

/* ---- facts shared by the text formats ----------------------------------------------------- */

void uw__meta_put(uw_json *json, const uw_dataset_meta *meta) {
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, meta->seed);
    uw__json_set_str(json, "env", meta->env);
    uw__json_set_str(json, "policy", meta->policy);
    uw__json_set_str(json, "variation", meta->variation);
    uw__json_set_i64(json, "action_repeat", meta->action_repeat);
    uw__json_set_f64(json, "row_seconds", meta->row_seconds);
    uw__json_set_str(json, "seed", seed); /* text: 64 bits do not fit every JSON reader's numbers */
}

void uw__meta_get(const uw_json *json, uw_dataset_meta *meta) {
    int64_t repeat;
    double seconds;
    *meta = (uw_dataset_meta){.env = "", .policy = "", .variation = "", .action_repeat = 1};
    if (!json) return;
    const char *env = uw__json_get_str(json, "env"), *policy = uw__json_get_str(json, "policy");
    const char *variation = uw__json_get_str(json, "variation");
    const char *seed = uw__json_get_str(json, "seed");
    if (env) meta->env = env;
    if (policy) meta->policy = policy;
    if (variation) meta->variation = variation;
    if (seed) meta->seed = strtoull(seed, NULL, 10);
    if (uw__json_get_i64(json, "action_repeat", &repeat) && repeat >= 1 && repeat <= INT32_MAX) {
        meta->action_repeat = (int32_t)repeat;
    }
    if (uw__json_get_f64(json, "row_seconds", &seconds) && seconds >= 0.0) {
        meta->row_seconds = seconds;
    }
}

bool uw__dtype_parse(const char *word, uw_dtype *out) {
#define X(name, value, bytes, text)                                                                \
    if (word && !strcmp(word, text)) {                                                             \
        *out = UW_DTYPE_##name;                                                                    \
        return true;                                                                               \
    }
    UW_DTYPE_MAP(X)
#undef X
    return false;
}

uw_codec uw__default_codec(const uw_column *column) {
#if defined(UW_ZSTD)
    return uw__column_is_frames(column) ? UW_CODEC_ZSTD : UW_CODEC_RAW;
#else
    (void)column;
    return UW_CODEC_RAW;
#endif
}

uw_status uw__convert_progress(uw_context *ctx, const char *name, int64_t done, int64_t total,
                               uw_err *err) {
    if (!ctx || uw__progress(ctx, "convert", done, total)) return UW_OK;
    return uw__refuse(err, UW_EINTERRUPTED, name, "stopped", "convert again",
                      "convert: %" PRId64 " of %" PRId64 " done", done, total);
}

char *uw__partial_name(const char *to) {
    size_t n = strlen(to);
    while (n > 1 && to[n - 1] == '/') n--; /* a folder named with a slash at its end */
    char *name = malloc(n + sizeof ".partial");
    if (!name) return NULL;
    memcpy(name, to, n);
    memcpy(name + n, ".partial", sizeof ".partial");
    return name;
}

/* ---- the choice --------------------------------------------------------------------------- */

/* Formats that are datasets: read and written. */
static bool convertible(uw_format format) {
    return format == UW_FORMAT_DATASET || format == UW_FORMAT_NPZ || format == UW_FORMAT_CSV ||
           format == UW_FORMAT_HDF5 || format == UW_FORMAT_FOLDER;
}

static uw_status choose(const char *from, const char *to, uw_format *from_format,
                        uw_format *to_format, uw_err *err) {
    const uw_status s = uw_format_detect(from, from_format, err);
    if (s) return s;
    if (*to_format == UW_FORMAT_UNKNOWN) *to_format = uw__format_of_name(to);
    if (!convertible(*to_format)) {
        uw_fail(err, UW_EUNSUPPORTED,
                "%s: wanted a name that ends in .uw, .h5, .npz or .csv, got %s", uw__path_tail(to),
                uw_format_str(*to_format));
        uw_err_fix(err, "rename it, or say --to dataset, hdf5, folder, npz or csv");
        return UW_EUNSUPPORTED;
    }
    if (convertible(*from_format)) return UW_OK;
    if (*from_format == UW_FORMAT_UNKNOWN) {
        uw_fail(err, UW_EFORMAT,
                "%s: wanted a dataset, HDF5, folder, NPZ or CSV, got something else",
                uw__path_tail(from));
        uw_err_fix(err, "check that this is the file you meant");
        return UW_EFORMAT;
    }
    uw_fail(err, UW_EUNSUPPORTED, "%s: wanted a dataset, HDF5, folder, NPZ or CSV, got %s",
            uw__path_tail(from), uw_format_str(*from_format));
    switch (*from_format) {
    case UW_FORMAT_PT:
        uw_err_fix(err, "this holds a model, not data");
        break;
    case UW_FORMAT_NPY:
        uw_err_fix(err, "one array is no dataset: numpy.savez(out, NAME=array, ep_len=[...])");
        break;
    default:
        uw_err_fix(err, "see what it is with `umwelt inspect`");
        break;
    }
    return UW_EUNSUPPORTED;
}

/* ---- the ways ----------------------------------------------------------------------------- */

/* One conversion. */
typedef struct job {
    uw_context *ctx;
    const char *from, *to;
    uw_format from_format, to_format;
    bool overwrite;
    uw__resume resume;
    uw_convert_result result;
} job;

/* From anything that is read in order into anything that is written so. */
static uw_status direct(job *j, uw_err *err) {
    uw__source *source = NULL;
    uw_status s = uw__source_open(j->ctx, j->from, j->from_format, &source, err);
    if (s) return s;
    j->result.episodes = source->num_episodes;
    j->result.rows = source->total_rows;
    if (j->to_format == UW_FORMAT_DATASET)
        s = uw__source_record(j->ctx, source, j->to, j->overwrite, j->resume, err);
    else if (j->to_format == UW_FORMAT_HDF5)
        s = uw__hdf5_export(j->ctx, source, j->to, j->overwrite, j->resume, err);
    else
        s = uw__folder_export(j->ctx, source, j->to, j->overwrite, j->resume, err);
    uw__source_close(source);
    return s;
}

/* From a dataset into an archive or a table. */
static uw_status write_out(job *j, const char *dataset, uw_err *err) {
    uw_dataset *data = NULL;
    uw_status s = uw_dataset_open(dataset, &data, err);
    if (s) return s;
    j->result.episodes = uw_dataset_episodes(data);
    j->result.rows = uw_dataset_total_rows(data);
    if (j->to_format == UW_FORMAT_NPZ) s = uw__npz_export(j->ctx, data, j->to, j->overwrite, err);
    if (j->to_format == UW_FORMAT_CSV) s = uw__csv_export(j->ctx, data, j->to, j->overwrite, err);
    uw_dataset_close(data);
    return s;
}

/* Read `from` into a dataset at `to`. */
static uw_status read_in(job *j, const char *to, bool overwrite, uw_err *err) {
    if (j->from_format == UW_FORMAT_CSV) return uw__csv_import(j->ctx, j->from, to, overwrite, err);
    job in = *j;
    in.to = to;
    in.to_format = UW_FORMAT_DATASET;
    in.overwrite = overwrite;
    return direct(&in, err);
}

/* Through a dataset beside the target that does not stay. */
static uw_status through(job *j, uw_err *err) {
    const size_t n = strlen(j->to) + sizeof ".part.uw";
    char *temp = malloc(n);
    if (!temp) return uw__no_memory(err, j->to, n);
    snprintf(temp, n, "%s.part.uw", j->to);
    j->resume = (uw__resume){0};
    uw_status s = read_in(j, temp, true, err);
    if (!s && (j->to_format == UW_FORMAT_NPZ || j->to_format == UW_FORMAT_CSV)) {
        s = write_out(j, temp, err);
    } else if (!s) {
        job out = *j;
        out.from = temp;
        out.from_format = UW_FORMAT_DATASET;
        s = direct(&out, err);
        j->result = out.result;
    }
    uw__store_remove(temp);
    free(temp);
    return s;
}

static uw_status convert(job *j, uw_err *err) {
    const bool table_in = j->from_format == UW_FORMAT_CSV;
    const bool table_out = j->to_format == UW_FORMAT_CSV || j->to_format == UW_FORMAT_NPZ;
    if (!table_in && !table_out) return direct(j, err);
    if (table_in && j->to_format == UW_FORMAT_DATASET) {
        const uw_status s = read_in(j, j->to, j->overwrite, err);
        return s ? s : write_out(j, j->to, err); /* counts */
    }
    return j->from_format == UW_FORMAT_DATASET ? write_out(j, j->from, err) : through(j, err);
}

static uw_status run(uw_context *ctx, const char *from, const char *to, uw_format to_format,
                     bool overwrite, uw__resume resume, uw_convert_result *out, uw_err *err) {
    job j = {.ctx = ctx, .from = from, .to = to, .to_format = to_format, .overwrite = overwrite};
    j.resume = resume;
    uw_status s = choose(from, to, &j.from_format, &j.to_format, err);
    if (s) return s;
    if (!overwrite && uw__file_exists(to)) {
        uw_fail(err, UW_EEXIST, "%s: exists already", uw__path_tail(to));
        uw_err_fix(err, "choose another name, or allow overwriting (--force)");
        return UW_EEXIST;
    }
    s = convert(&j, err);
    if (s || !out) return s;
    *out = j.result;
    out->from = j.from_format;
    out->to = j.to_format;
    return UW_OK;
}

uw_status uw_convert(uw_context *ctx, const char *from, const char *to, uw_format to_format,
                     bool overwrite, uw_convert_result *out, uw_err *err) {
    return run(ctx, from, to, to_format, overwrite, (uw__resume){0}, out, err);
}

uw_status uw_convert_resumable(uw_context *ctx, const char *from, const char *to,
                               uw_format to_format, bool overwrite, bool resume,
                               uw_convert_result *out, uw_err *err) {
    const uw__resume how = {.continue_old = resume, .keep = true};
    return run(ctx, from, to, to_format, overwrite, how, out, err);
}
