/* Conversion: choose the way, keep the promise that nothing is left behind after an error.
 *
 * Every import ends in a dataset of ours; what is wanted as another format goes through a temporary
 * one beside the target, so there are two ways per format and not a way per pair. */
#include "convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "fileio.h"
#include "internal.h"
#include "json.h"
#include "recorder.h"
#include "store.h"

enum { COPY_BYTES = 8 << 20 };

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
    return uw__refuse(err, UW_EINTERRUPTED, name, "stopped", "convert again from the beginning",
                      "convert: nothing was written");
}

/* ---- ours to ours ------------------------------------------------------------------------- */

/* Rows that are copied at once: about COPY_BYTES of them. */
static int64_t piece_rows(const uw__header *header) {
    size_t bytes = 0;
    for (int32_t i = 0; i < header->num_columns; i++) bytes += header->row_bytes[i];
    const int64_t rows = (int64_t)(COPY_BYTES / bytes);
    return rows < 1 ? 1 : rows > UW__CHUNK_ROWS_MAX ? UW__CHUNK_ROWS_MAX : rows;
}

/* Room for `rows` rows of every column. */
static uw_status cells_new(const uw__header *header, int64_t rows, void **cells, uw_err *err) {
    for (int32_t i = 0; i < header->num_columns; i++) {
        cells[i] = malloc((size_t)rows * header->row_bytes[i]);
        if (!cells[i]) return uw__no_memory(err, "convert", (uint64_t)rows * header->row_bytes[i]);
    }
    return UW_OK;
}

/* Copy what reads: a torn tail stays behind, a damaged chunk is an error. */
static uw_status copy(uw_context *ctx, const uw_dataset *data, const char *to, bool overwrite,
                      uw_err *err) {
    const uw__header *h = uw__dataset_header(data);
    const int64_t piece = piece_rows(h), episodes = uw_dataset_episodes(data);
    void *cells[UW_MAX_COLUMNS] = {0};
    uw_recorder *rec = NULL;
    uw_status s =
        uw__recorder_stage(to, h->columns, h->num_columns, &h->meta, overwrite, &rec, err);
    if (!s) s = cells_new(h, piece, cells, err);
    for (int64_t e = 0; !s && e < episodes; e++) {
        const int64_t rows = uw_dataset_episode_rows(data, e);
        for (int64_t t = 0; !s && t < rows; t += piece) {
            const int64_t n = rows - t < piece ? rows - t : piece;
            for (int32_t i = 0; !s && i < h->num_columns; i++) {
                s = uw_dataset_rows(data, i, e, t, n, 1, cells[i], err);
            }
            if (!s) s = uw__recorder_rows(rec, ctx, (const void *const *)cells, n, err);
        }
        if (!s) s = uw_recorder_end_episode(rec, err);
        if (!s) s = uw__convert_progress(ctx, to, e + 1, episodes, err);
    }
    if (!s) {
        s = uw_recorder_close(rec, err);
        rec = NULL;
    }
    uw__recorder_discard(rec);
    for (int32_t i = 0; i < h->num_columns; i++) free(cells[i]);
    return s;
}

/* ---- the choice --------------------------------------------------------------------------- */

static bool writable(uw_format format) {
    return format == UW_FORMAT_DATASET || format == UW_FORMAT_NPZ || format == UW_FORMAT_CSV;
}

static uw_status choose(const char *from, const char *to, uw_format *from_format,
                        uw_format *to_format, uw_err *err) {
    const uw_status s = uw_format_detect(from, from_format, err);
    if (s) return s;
    if (*to_format == UW_FORMAT_UNKNOWN) *to_format = uw__format_of_name(to);
    if (!writable(*to_format)) {
        uw_fail(err, UW_EUNSUPPORTED, "%s: wanted a name that ends in .uw, .npz or .csv, got %s",
                uw__path_tail(to), uw_format_str(*to_format));
        uw_err_fix(err, "rename it, or say --to dataset, npz or csv");
        return UW_EUNSUPPORTED;
    }
    if (writable(*from_format)) return UW_OK;
    if (*from_format == UW_FORMAT_UNKNOWN) {
        uw_fail(err, UW_EFORMAT, "%s: wanted a dataset, NPZ or CSV, got something else",
                uw__path_tail(from));
        uw_err_fix(err, "check that this is the file you meant");
        return UW_EFORMAT;
    }
    uw_fail(err, UW_EUNSUPPORTED, "%s: wanted a dataset, NPZ or CSV, got %s", uw__path_tail(from),
            uw_format_str(*from_format));
    switch (*from_format) {
    case UW_FORMAT_HDF5:
        uw_err_fix(
            err, "this build reads no HDF5; in Python: np.savez_compressed(out, **{k: f[k][:] for "
                 "k in f}), then convert the .npz");
        break;
    case UW_FORMAT_PT:
        uw_err_fix(err, "this build reads no .pt; save the arrays with numpy.savez instead");
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

static uw_status import(uw_context *ctx, uw_format format, const char *from, const char *to,
                        bool overwrite, uw_err *err) {
    return format == UW_FORMAT_NPZ ? uw__npz_import(ctx, from, to, overwrite, err)
                                   : uw__csv_import(ctx, from, to, overwrite, err);
}

static uw_status export(uw_context *ctx, uw_format format, const uw_dataset *data, const char *to,
                        bool overwrite, uw_err *err) {
    if (format == UW_FORMAT_DATASET) return copy(ctx, data, to, overwrite, err);
    return format == UW_FORMAT_NPZ ? uw__npz_export(ctx, data, to, overwrite, err)
                                   : uw__csv_export(ctx, data, to, overwrite, err);
}

uw_status uw_convert(uw_context *ctx, const char *from, const char *to, uw_format to_format,
                     bool overwrite, uw_convert_result *out, uw_err *err) {
    uw_format from_format;
    uw_dataset *data = NULL;
    char *temp = NULL;
    uw_status s = choose(from, to, &from_format, &to_format, err);
    if (s) return s;
    if (!overwrite && uw__file_exists(to)) {
        uw_fail(err, UW_EEXIST, "%s: exists already", uw__path_tail(to));
        uw_err_fix(err, "choose another name, or allow overwriting (--force)");
        return UW_EEXIST;
    }
    const bool ours = from_format == UW_FORMAT_DATASET, direct = to_format == UW_FORMAT_DATASET;
    const char *source = ours ? from : to; /* the dataset that the counts are taken from */
    if (!ours && !direct) {
        const size_t n = strlen(to) + sizeof ".part.uw";
        temp = malloc(n);
        if (!temp) return uw__no_memory(err, to, n);
        snprintf(temp, n, "%s.part.uw", to);
        source = temp;
    }
    if (!ours) s = import(ctx, from_format, from, source, overwrite || temp, err);
    if (!s) s = uw_dataset_open(source, &data, err);
    if (!s && (ours || !direct)) s = export(ctx, to_format, data, to, overwrite, err);
    if (!s && out) {
        *out = (uw_convert_result){uw_dataset_episodes(data), uw_dataset_total_rows(data),
                                   from_format, to_format};
    }
    uw_dataset_close(data);
    if (temp) uw__store_remove(temp);
    free(temp);
    return s;
}
