/* The reference's folder layout: NAME.npz for every column of numbers (one array, arr_0), NAME/
 * with ep_E_step_T.jpeg for every column of pictures, ep_len.npz and ep_offset.npz.
 *
 * Pictures are carried as they are stored, both ways: into a dataset with the JPEG codec and back,
 * every file has the same bytes.  Only pictures that were no JPEG before are encoded here. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "codec.h"
#include "convert.h"
#include "fileio.h"
#include "image.h"
#include "internal.h"
#include "layout.h"
#include "npz_column.h"
#include "store.h"

enum { PATH = 1024, PICTURE_BYTES = 64 << 20, PIECE_BYTES = 1 << 20 };

static const char len_name[] = "ep_len", offset_name[] = "ep_offset", array_name[] = "arr_0";

static uw_status too_long(const char *path, uw_err *err) {
    return uw__refuse(err, UW_EINVAL, path, "long_path", "use a shorter path",
                      "wanted at most %d bytes", PATH);
}

static bool join(char out[PATH], const char *folder, const char *name, const char *ending) {
    const int n = snprintf(out, PATH, "%s/%s%s", folder, name, ending);
    return n > 0 && n < PATH;
}

static bool is_folder(const char *path) {
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* ---- in ----------------------------------------------------------------------------------- */

typedef struct inlet {
    char *path;
    uw_npz *npz[UW_MAX_COLUMNS];
    uw__npz_column numbers[UW_MAX_COLUMNS];
    bool pictures[UW_MAX_COLUMNS];
    void *frame;            /* the last file read, owned */
    unsigned char *decoded; /* one picture of the largest column, owned */
    size_t decoded_bytes;
} inlet;

/* Read one picture's file, .jpeg or .jpg. */
static uw_status read_file(const inlet *in, const char *column, int64_t episode, int64_t row,
                           void **data, size_t *bytes, uw_err *err) {
    static const char *const endings[] = {"jpeg", "jpg"};
    char path[PATH];
    uw_status s = UW_ENOTFOUND;
    for (int i = 0; i < 2 && s == UW_ENOTFOUND; i++) {
        const int n = snprintf(path, sizeof path, "%s/%s/ep_%" PRId64 "_step_%" PRId64 ".%s",
                               in->path, column, episode, row, endings[i]);
        if (n < 0 || n >= PATH) return too_long(in->path, err);
        s = uw__file_read(path, PICTURE_BYTES, data, bytes, i ? NULL : err);
    }
    return s;
}

/* Hand out a stored picture; it is decoded once here, so that a dataset holds no damaged one. */
static uw_status folder_frame(uw__source *source, int32_t column, int64_t episode, int64_t row,
                              const void **data, size_t *bytes, uw_err *err) {
    inlet *in = source->self;
    const uw_column *c = &source->columns[column];
    uw_err inner = {0};
    free(in->frame);
    in->frame = NULL;
    uw_status s = read_file(in, c->name, episode, row, &in->frame, bytes, err);
    if (s) return s;
    s = uw__jpeg_decode(in->frame, *bytes, (int32_t)c->shape[1], (int32_t)c->shape[0], in->decoded,
                        &inner);
    if (s) {
        uw_fail(err, s, "%s: %s/ep_%" PRId64 "_step_%" PRId64 ".jpeg: %.120s", source->name,
                c->name, episode, row, inner.text);
        uw_err_fix(err, "%.150s", inner.fix);
        return s;
    }
    *data = in->frame;
    return UW_OK;
}

static uw_status folder_rows(uw__source *source, int32_t column, int64_t episode, int64_t first,
                             int64_t count, void *out, uw_err *err) {
    inlet *in = source->self;
    unsigned char *at = out;
    uw_status s = UW_OK;
    if (!in->pictures[column]) {
        return uw__npz_column_rows(&in->numbers[column], source->starts[episode] + first, count,
                                   out, err);
    }
    for (int64_t k = 0; !s && k < count; k++, at += source->row_bytes[column]) {
        const void *data;
        size_t bytes;
        s = folder_frame(source, column, episode, first + k, &data, &bytes, err);
        if (!s) memcpy(at, in->decoded, source->row_bytes[column]);
    }
    return s;
}

static void folder_close(uw__source *source) {
    inlet *in = source->self;
    for (int32_t i = 0; i < UW_MAX_COLUMNS; i++) {
        uw__npz_column_close(&in->numbers[i]);
        uw__npz_close(in->npz[i]);
    }
    free(in->frame);
    free(in->decoded);
    free(in->path);
    free(in);
}

/* The archive NAME.npz and its one array. */
static uw_status open_archive(const inlet *in, const char *name, uw_npz **npz, int32_t *member,
                              uw_err *err) {
    char path[PATH];
    if (!join(path, in->path, name, ".npz")) return too_long(in->path, err);
    uw_status s = uw__npz_open(path, UW__NPZ_MOST, npz, err);
    if (s) return s;
    *member = uw__npz_find(*npz, array_name);
    if (*member >= 0) return UW_OK;
    uw_fail(err, UW_EFORMAT, "%s: no array arr_0", uw__path_tail(path));
    uw_err_fix(err, "write it with numpy.savez(path, array)");
    return UW_EFORMAT;
}

static uw_status read_episodes(uw__source *source, uw_err *err) {
    const inlet *in = source->self;
    uw_npz *len = NULL, *offset = NULL;
    int32_t len_at = -1, offset_at = -1;
    uw_status s = open_archive(in, len_name, &len, &len_at, err);
    if (!s) s = open_archive(in, offset_name, &offset, &offset_at, err);
    if (!s) s = uw__npz_episodes(source, len, len_at, offset, offset_at, err);
    uw__npz_close(len);
    uw__npz_close(offset);
    return s;
}

/* A folder of pictures: all have the size of the first. */
static uw_status add_pictures(uw__source *source, const char *name, uw_err *err) {
    inlet *in = source->self;
    void *data = NULL;
    size_t bytes = 0;
    int32_t width = 0, height = 0;
    int64_t first = 0;
    while (first < source->num_episodes && !source->episode_rows[first]) first++;
    if (first == source->num_episodes) return UW_OK; /* no row, no size */
    uw_status s = read_file(in, name, first, 0, &data, &bytes, err);
    if (!s) s = uw__jpeg_size(data, bytes, &width, &height, err);
    free(data);
    if (s == UW_ENOTFOUND) {
        uw_fail(err, s, "%s: folder '%s': no picture ep_%" PRId64 "_step_0.jpeg", source->name,
                name, first);
        uw_err_fix(err, "of videos: convert to HDF5 with stable-worldmodel first");
    }
    const int64_t shape[3] = {height, width, 3};
    if (!s) s = uw__source_column(source, name, UW_DTYPE_U8, 3, shape, err);
    if (s) return s;
    const int32_t i = source->num_columns - 1;
    source->columns[i].codec = UW_CODEC_JPEG;
    in->pictures[i] = true;
    if (source->row_bytes[i] <= in->decoded_bytes) return UW_OK;
    free(in->decoded);
    in->decoded_bytes = source->row_bytes[i];
    in->decoded = malloc(in->decoded_bytes);
    return in->decoded ? UW_OK : uw__no_memory(err, source->name, in->decoded_bytes);
}

static uw_status add_entry(uw__source *source, const char *entry, uw_err *err) {
    inlet *in = source->self;
    char path[PATH], name[PATH];
    if (!join(path, in->path, entry, "")) return too_long(in->path, err);
    if (is_folder(path)) return add_pictures(source, entry, err);
    const size_t n = strlen(entry);
    if (n < 5 || strcmp(entry + n - 4, ".npz")) return UW_OK; /* a note beside the data */
    snprintf(name, sizeof name, "%.*s", (int)(n - 4), entry);
    if (!strcmp(name, len_name) || !strcmp(name, offset_name)) return UW_OK;
    const int32_t k = source->num_columns;
    if (k == UW_MAX_COLUMNS) return uw__source_column(source, name, UW_DTYPE_U8, 0, NULL, err);
    int32_t member = -1;
    uw_status s = open_archive(in, name, &in->npz[k], &member, err);
    return s ? s : uw__npz_column_add(source, in->npz[k], member, name, &in->numbers[k], err);
}

uw_status uw__folder_source(uw_context *ctx, const char *path, uw__source *out, uw_err *err) {
    char **entries = NULL;
    int32_t count = 0;
    inlet *in = calloc(1, sizeof *in);
    (void)ctx;
    if (!in) return uw__no_memory(err, path, sizeof *in);
    out->self = in;
    out->close = folder_close;
    out->rows = folder_rows;
    out->frame = folder_frame;
    in->path = strdup(path);
    if (!in->path) return uw__no_memory(err, path, strlen(path));
    uw_status s = read_episodes(out, err);
    if (!s) s = uw__list_dir(path, &entries, &count, err);
    for (int32_t i = 0; !s && i < count; i++) s = add_entry(out, entries[i], err);
    uw__names_free(entries, count);
    return s;
}

/* ---- out ---------------------------------------------------------------------------------- */

typedef struct outlet {
    uw_context *ctx;
    uw__source *source;
    const char *folder; /* TO.partial */
    void *piece;        /* rows of numbers, or one picture */
    size_t piece_bytes;
    bool continue_old;
} outlet;

/* Put a file into place whole: a killed process leaves it there or not. */
static uw_status put_file(const char *path, const void *data, size_t bytes, uw_err *err) {
    char temp[PATH + 8];
    int fd = -1;
    snprintf(temp, sizeof temp, "%s.new", path);
    uw_status s = uw__store_create(temp, &fd, err);
    if (!s) s = uw__store_write(fd, temp, 0, data, bytes, err);
    uw__store_close(fd);
    if (!s && rename(temp, path)) s = uw__io_fail(err, path, "rename into place", errno, true);
    if (s) uw__store_remove(temp);
    return s;
}

static uw_status put_picture(const outlet *o, int32_t column, int64_t episode, int64_t row,
                             uw_err *err) {
    uw__source *source = o->source;
    const uw_column *c = &source->columns[column];
    char path[PATH];
    const int n = snprintf(path, sizeof path, "%s/%s/ep_%" PRId64 "_step_%" PRId64 ".jpeg",
                           o->folder, c->name, episode, row);
    if (n < 0 || n >= PATH) return too_long(o->folder, err);
    if (o->continue_old && uw__file_exists(path)) return UW_OK;
    const void *data = NULL;
    void *made = NULL;
    size_t bytes = 0;
    uw_status s;
    if (source->frame && c->codec == UW_CODEC_JPEG) {
        s = source->frame(source, column, episode, row, &data, &bytes, err);
    } else {
        s = source->rows(source, column, episode, row, 1, o->piece, err);
        if (!s) {
            s = uw__jpeg_encode(o->piece, (int32_t)c->shape[1], (int32_t)c->shape[0],
                                UW__JPEG_QUALITY, &made, &bytes, err);
        }
        data = made;
    }
    if (!s) s = put_file(path, data, bytes, err);
    free(made);
    return s;
}

static uw_status put_pictures(const outlet *o, uw_err *err) {
    const uw__source *source = o->source;
    char path[PATH];
    uw_status s = UW_OK;
    for (int32_t i = 0; !s && i < source->num_columns; i++) {
        if (!uw__column_is_frames(&source->columns[i])) continue;
        s = join(path, o->folder, source->columns[i].name, "") ? uw__mkdirs(path, err)
                                                               : too_long(o->folder, err);
    }
    for (int64_t e = 0; !s && e < source->num_episodes; e++) {
        for (int32_t i = 0; !s && i < source->num_columns; i++) {
            if (!uw__column_is_frames(&source->columns[i])) continue;
            for (int64_t t = 0; !s && t < source->episode_rows[e]; t++)
                s = put_picture(o, i, e, t, err);
        }
        if (!s) s = uw__convert_progress(o->ctx, o->folder, e + 1, source->num_episodes, err);
    }
    return s;
}

static uw_status put_column(const outlet *o, int32_t i, uw_npz_writer *w, uw_err *err) {
    uw__source *source = o->source;
    const uw_column *c = &source->columns[i];
    const int64_t step = (int64_t)(o->piece_bytes / source->row_bytes[i]);
    int64_t shape[5] = {source->total_rows};
    for (int32_t d = 0; d < c->num_dims; d++) shape[d + 1] = c->shape[d];
    uw_status s = uw__npz_writer_begin(w, array_name, c->dtype, c->num_dims + 1, shape, err);
    for (int64_t e = 0; !s && e < source->num_episodes; e++) {
        const int64_t rows = source->episode_rows[e];
        for (int64_t t = 0; !s && t < rows; t += step) {
            const int64_t n = rows - t < step ? rows - t : step;
            s = source->rows(source, i, e, t, n, o->piece, err);
            if (!s) s = uw__npz_writer_data(w, o->piece, (size_t)n * source->row_bytes[i], err);
        }
    }
    return s;
}

static uw_status put_lengths(const outlet *o, bool offsets, uw_npz_writer *w, uw_err *err) {
    const uw__source *source = o->source;
    int64_t offset = 0;
    uw_status s = uw__npz_writer_begin(w, array_name, offsets ? UW_DTYPE_I64 : UW_DTYPE_I32, 1,
                                       &source->num_episodes, err);
    for (int64_t e = 0; !s && e < source->num_episodes; e++) {
        const int64_t rows = source->episode_rows[e];
        const int32_t len = (int32_t)rows;
        if (rows > INT32_MAX) {
            return uw__refuse(err, UW_EUNSUPPORTED, source->name, "too_long",
                              "record shorter episodes",
                              "episode %" PRId64 ": %" PRId64 " rows do not fit ep_len", e, rows);
        }
        s = offsets ? uw__npz_writer_data(w, &offset, sizeof offset, err)
                    : uw__npz_writer_data(w, &len, sizeof len, err);
        offset += rows;
    }
    return s;
}

/* Write NAME.npz: column i, or the episodes' lengths (-1) or offsets (-2). */
static uw_status put_archive(const outlet *o, const char *name, int32_t i, uw_err *err) {
    char path[PATH];
    uw_npz_writer *w = NULL;
    if (!join(path, o->folder, name, ".npz")) return too_long(o->folder, err);
    uw_status s = uw__npz_writer_open(path, true, &w, err);
    if (s) return s;
    s = i >= 0 ? put_column(o, i, w, err) : put_lengths(o, i == -2, w, err);
    if (!s) return uw__npz_writer_close(w, err);
    uw__npz_writer_abort(w);
    return s;
}

static uw_status check_columns(const uw__source *source, uw_err *err) {
    for (int32_t i = 0; i < source->num_columns; i++) {
        const uw_column *c = &source->columns[i];
        const bool frames = uw__column_is_frames(c);
        if (frames && c->shape[2] != 3) {
            uw_fail(err, UW_EUNSUPPORTED,
                    "%s: column '%s': a folder holds colour pictures only, got %" PRId64
                    " channels",
                    source->name, c->name, c->shape[2]);
            uw_err_fix(err, "convert to HDF5 instead");
            return UW_EUNSUPPORTED;
        }
        if (!strchr(c->name, '/') && c->name[0] != '.' && strcmp(c->name, len_name) &&
            strcmp(c->name, offset_name)) {
            continue;
        }
        uw_fail(err, UW_EINVAL, "%s: column '%s' cannot be the name of a file", source->name,
                c->name);
        uw_err_fix(err, "rename the column");
        return UW_EINVAL;
    }
    return UW_OK;
}

static uw_status put_all(outlet *o, uw_err *err) {
    const uw__source *source = o->source;
    o->piece_bytes = PIECE_BYTES;
    for (int32_t i = 0; i < source->num_columns; i++) {
        if (source->row_bytes[i] > o->piece_bytes) o->piece_bytes = source->row_bytes[i];
    }
    o->piece = malloc(o->piece_bytes);
    if (!o->piece) return uw__no_memory(err, source->name, o->piece_bytes);
    uw_status s = uw__mkdirs(o->folder, err);
    if (!s) s = put_pictures(o, err);
    for (int32_t i = 0; !s && i < source->num_columns; i++) {
        const uw_column *c = &source->columns[i];
        if (!uw__column_is_frames(c)) s = put_archive(o, c->name, i, err);
    }
    if (!s) s = put_archive(o, offset_name, -2, err);
    if (!s) s = put_archive(o, len_name, -1, err); /* makes the folder a dataset: last */
    free(o->piece);
    return s;
}

uw_status uw__folder_export(uw_context *ctx, uw__source *source, const char *to, bool overwrite,
                            uw__resume resume, uw_err *err) {
    char *partial = uw__partial_name(to), *place = partial ? strdup(partial) : NULL;
    if (!place) {
        free(partial);
        return uw__no_memory(err, to, strlen(to));
    }
    place[strlen(place) - strlen(".partial")] = '\0'; /* without slashes at its end */
    outlet o = {
        .ctx = ctx, .source = source, .folder = partial, .continue_old = resume.continue_old};
    uw_status s = check_columns(source, err);
    if (!s) {
        if (!resume.continue_old) s = uw__remove_tree(partial, err);
        if (!s) s = put_all(&o, err);
        if (!s && overwrite && is_folder(place)) s = uw__remove_tree(place, err);
        if (!s) s = uw__store_publish(partial, place, overwrite, err);
        if (s && !(s == UW_EINTERRUPTED && resume.keep)) uw__remove_tree(partial, NULL);
    }
    free(place);
    free(partial);
    return s;
}
