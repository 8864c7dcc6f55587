/* Loading: random windows of 4 frames of 224 x 224, five rows apart, with all their other columns,
 * into a batch of 128 in memory.  Beside every figure stands a bare copy of the same frames out of
 * a map of a flat file: no index, no checksum, no decoding. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <umwelt/env.h>

#include "clock.h"
#include "dataset_internal.h"
#include "feed.h"
#include "fileio.h"
#include "internal.h"
#include "layout.h"
#include "sample.h"
#include "store.h"

enum { SIZE = 224, WINDOW = 4, FRAMESKIP = 5, BATCH = 128, EPISODES = 12, ROWS = 100, BATCHES = 4 };

typedef struct loader {
    uw_context *ctx;
    uw_dataset *data;
    uw_windows *windows;
    const char *path;
    int32_t pixels, action;
    size_t frame_bytes, other_bytes; /* of a frame; of a window's other columns */
    const uint8_t *flat;             /* every frame, mapped */
    size_t flat_bytes;
    int64_t *start;        /* [episodes] first frame */
    uint8_t *frames;       /* [BATCH, WINDOW, frame] */
    unsigned char *others; /* [BATCH, other_bytes] */
    int64_t picks[BATCH];
    int64_t drawn; /* batches so far: the next one has other windows */
    uw_status status[BATCH];
    uw_pool *pool; /* NULL: one thread */
    bool cold;
    double still_cached; /* share of the file, after the last drop */
} loader;

/* ---- one batch ----------------------------------------------------------------------------- */

static void draw_batch(loader *l) {
    const uint64_t count = (uint64_t)uw_windows_count(l->windows);
    for (size_t i = 0; i < BATCH; i++)
        l->picks[i] =
            (int64_t)uw__epoch_window(1, 0, count, ((uint64_t)l->drawn * BATCH + i) % count);
    l->drawn++;
}

/* What the reference's loader gives: pictures, whole blocks of actions, and every other column. */
static void load_window(void *arg, size_t i, int32_t worker) {
    loader *l = arg;
    (void)worker;
    unsigned char *at = l->others + i * l->other_bytes;
    uw_status s = UW_OK;
    for (int32_t c = 0; !s && c < uw_dataset_num_columns(l->data); c++) {
        if (c == l->pixels) {
            uint8_t *out = l->frames + i * WINDOW * l->frame_bytes;
            s = uw_windows_read(l->windows, l->picks[i], c, out, NULL);
        } else if (c == l->action) {
            s = uw_windows_read_actions(l->windows, l->picks[i], c, (float *)(void *)at, NULL);
        } else {
            s = uw_windows_read(l->windows, l->picks[i], c, at, NULL);
        }
        if (c != l->pixels)
            at += uw__dataset_header(l->data)->row_bytes[c] * WINDOW *
                  (c == l->action ? FRAMESKIP : 1);
    }
    l->status[i] = s;
}

static void copy_window(void *arg, size_t i, int32_t worker) {
    const loader *l = arg;
    int64_t episode, row;
    (void)worker;
    uw_windows_at(l->windows, l->picks[i], &episode, &row);
    for (size_t t = 0; t < WINDOW; t++, row += FRAMESKIP)
        memcpy(l->frames + (i * WINDOW + t) * l->frame_bytes,
               l->flat + (size_t)(l->start[episode] + row) * l->frame_bytes, l->frame_bytes);
}

/* Ask the kernel to forget the file, and see whether it did. */
static void drop_cache(loader *l) {
    const int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    const size_t bytes = (size_t)uw_dataset_bytes(l->data), page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = (bytes + page - 1) / page;
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    unsigned char *resident = malloc(pages);
    size_t cached = 0;
    if (map != MAP_FAILED && resident && !mincore(map, bytes, resident)) {
        for (size_t i = 0; i < pages; i++) cached += resident[i] & 1;
        l->still_cached = (double)cached / (double)pages;
    }
    free(resident);
    if (map != MAP_FAILED) munmap(map, bytes);
    close(fd);
}

static double windows_per_second(loader *l, uw_task_fn *task) {
    const int batches = l->cold ? 1 : BATCHES;
    double seconds = 0;
    for (int b = 0; b < batches; b++) {
        draw_batch(l);
        if (l->cold) drop_cache(l);
        const double start = uw__clock_s();
        uw__pool_run(l->pool, BATCH, task, l);
        seconds += uw__clock_s() - start;
    }
    return batches * BATCH / seconds;
}
static double load_speed(void *arg) {
    return windows_per_second(arg, load_window);
}
/* How many times as long as the bare copy it takes, both measured one after the other. */
static double against_copy(void *arg) {
    const double copy = windows_per_second(arg, copy_window);
    return copy / windows_per_second(arg, load_window);
}

static uw_status measure(loader *l, const char *name, bool quick, uw_bench_sink *sink, void *cookie,
                         uw_err *err) {
    const int32_t threads = l->pool ? uw__pool_threads(l->pool) : 1, samples = quick ? 5 : 15;
    char settings[160];
    uw_bench_result ratio = {0}, r = {.name = name, .unit = "windows/s", .settings = settings};
    memset(l->status, 0, sizeof l->status);
    if (!l->cold) uw__bench_sample(&ratio, samples, against_copy, l);
    uw__bench_sample(&r, l->cold ? 3 : samples, load_speed, l);
    for (size_t i = 0; i < BATCH; i++)
        if (l->status[i])
            return uw_windows_read(l->windows, l->picks[i], l->pixels, l->frames, err);
    const int n = snprintf(settings, sizeof settings, "%d thread%s, %.1f MB", threads,
                           threads > 1 ? "s" : "", (double)uw_dataset_bytes(l->data) * 1e-6);
    if (!l->cold)
        snprintf(settings + n, sizeof settings - (size_t)n, ", %.2f times as long as a bare copy",
                 ratio.value);
    else if (l->still_cached > 0.1)
        snprintf(settings + n, sizeof settings - (size_t)n,
                 ", cold failed: the kernel kept %.0f %% of the file", 100 * l->still_cached);
    else
        snprintf(settings + n, sizeof settings - (size_t)n, ", cache dropped before every batch");
    sink(cookie, &r);
    return UW_OK;
}

/* ---- one recording ------------------------------------------------------------------------- */

/* Write every frame one after the other and map them. */
static uw_status make_flat(loader *l, const char *dir, uw_err *err) {
    char path[160];
    int fd = -1;
    uint64_t at = 0;
    const int64_t episodes = uw_dataset_episodes(l->data);
    snprintf(path, sizeof path, "%s/flat", dir);
    l->start = calloc((size_t)episodes + 1, sizeof *l->start);
    if (!l->start) return uw__no_memory(err, path, (uint64_t)episodes * sizeof *l->start);
    uw_status s = uw__store_create(path, &fd, err);
    for (int64_t e = 0, frame = 0; !s && e < episodes; e++) {
        l->start[e] = frame;
        for (int64_t t = 0; !s && t < uw_dataset_episode_rows(l->data, e);
             t++, frame++, at += l->frame_bytes) {
            s = uw_dataset_rows(l->data, l->pixels, e, t, 1, 1, l->frames, err);
            if (!s) s = uw__store_write(fd, path, at, l->frames, l->frame_bytes, err);
        }
    }
    void *map =
        s ? MAP_FAILED : mmap(NULL, (size_t)at, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (!s && map == MAP_FAILED) s = uw__no_memory(err, path, at);
    if (map != MAP_FAILED) {
        l->flat = map;
        l->flat_bytes = (size_t)at;
    }
    uw__store_close(fd);
    return s;
}

static uw_status make_room(loader *l, uw_err *err) {
    const uw__header *h = uw__dataset_header(l->data);
    const char *name = uw__dataset_name(l->data);
    l->pixels = uw_dataset_find(l->data, "pixels", NULL);
    l->action = uw_dataset_find(l->data, "action", NULL);
    if (l->pixels < 0 || !uw__column_is_frames(&h->columns[l->pixels]) ||
        !uw_windows_count(l->windows))
        return uw_fail(err, UW_ESHAPE,
                       "%s: wanted pictures in a column 'pixels', in episodes of at least %d rows",
                       name, WINDOW * FRAMESKIP);
    l->frame_bytes = h->row_bytes[l->pixels];
    l->other_bytes = 0;
    for (int32_t c = 0; c < h->num_columns; c++)
        if (c != l->pixels)
            l->other_bytes += h->row_bytes[c] * WINDOW * (c == l->action ? FRAMESKIP : 1);
    l->other_bytes = (l->other_bytes + 63) / 64 * 64;
    l->frames = malloc(BATCH * WINDOW * l->frame_bytes);
    l->others = calloc(BATCH, l->other_bytes + 1);
    return l->frames && l->others ? UW_OK
                                  : uw__no_memory(err, name, BATCH * WINDOW * l->frame_bytes);
}

static uw_status bench_file(uw_context *ctx, const char *dir, const char *path, const char *name,
                            bool quick, uw_bench_sink *sink, void *cookie, uw_err *err) {
    char text[80];
    loader l = {.ctx = ctx, .path = path};
    uw_status s = uw_dataset_open(path, &l.data, err);
    if (!s) s = uw_windows_new(l.data, WINDOW, FRAMESKIP, 0.0, false, 0, &l.windows, err);
    if (!s) s = make_room(&l, err);
    if (!s) s = uw__dataset_reserve(l.data, uw_context_threads(ctx), err);
    if (!s) s = make_flat(&l, dir, err);
    snprintf(text, sizeof text, "%.40s, one thread", name);
    if (!s) s = measure(&l, text, quick, sink, cookie, err);
    l.pool = ctx->pool;
    snprintf(text, sizeof text, "%.40s, all threads", name);
    if (!s && uw_context_threads(ctx) > 1) s = measure(&l, text, quick, sink, cookie, err);
    l.cold = true;
    snprintf(text, sizeof text, "%.40s, all threads, cold", name);
    if (!s) s = measure(&l, text, quick, sink, cookie, err);
    if (l.flat) munmap((void *)(uintptr_t)l.flat, l.flat_bytes);
    uw_windows_free(l.windows);
    uw_dataset_close(l.data);
    free(l.start);
    free(l.frames);
    free(l.others);
    return s;
}

/* ---- what is measured ---------------------------------------------------------------------- */

/* Record a world that moves about, as data are collected. */
static uw_status record(uw_env *env, const char *path, uw_codec codec, uint8_t *frame,
                        uw_err *err) {
    const uw_env_class *cls = uw_env_class_of(env);
    const uw_column columns[] = {
        {.name = "pixels",
         .dtype = UW_DTYPE_U8,
         .num_dims = 3,
         .shape = {SIZE, SIZE, 3},
         .codec = codec},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
        {.name = "state", .dtype = UW_DTYPE_F64, .num_dims = 1, .shape = {cls->state_dim}}};
    const uw_dataset_meta meta = {
        .env = cls->name, .policy = "", .variation = "", .action_repeat = 1};
    double state[UW_MAX_STATE_DIM];
    uw_recorder *rec = NULL;
    uw_status s = uw_recorder_open(path, columns, 3, &meta, UW_OPEN_NEW, &rec, err);
    for (int e = 0; !s && e < EPISODES; e++) {
        uw_env_reset(env, (uint64_t)e, NULL, NULL, NULL);
        for (int t = 0; !s && t < ROWS; t++) {
            const int k = e * ROWS + t;
            const float action[2] = {(float)(k * 37 % 200) * 0.01f - 1.0f,
                                     (float)(k * 91 % 200) * 0.01f - 1.0f};
            uw_step step;
            uw_env_get_state(env, state);
            uw_env_render(env, SIZE, frame);
            s = uw_recorder_row(rec, (const void *const[]){frame, action, state}, err);
            uw_env_step(env, action, &step);
        }
        if (!s) s = uw_recorder_end_episode(rec, err);
    }
    const uw_status closed = rec ? uw_recorder_close(rec, s ? NULL : err) : UW_OK;
    return s ? s : closed;
}

/* Our container, raw and compressed, and the reference's layout as we write it. */
static uw_status bench_recordings(uw_context *ctx, const char *dir, uw_env *env, uint8_t *frame,
                                  bool quick, uw_bench_sink *sink, void *cookie, uw_err *err) {
    char path[64], hdf5[64];
    uw_convert_result converted;
    snprintf(path, sizeof path, "%s/raw.uw", dir);
    snprintf(hdf5, sizeof hdf5, "%s/raw.h5", dir);
    uw_status s = record(env, path, UW_CODEC_RAW, frame, err);
    if (!s) s = bench_file(ctx, dir, path, "raw frames", quick, sink, cookie, err);
#if defined(UW_HDF5)
    if (!s) s = uw_convert(NULL, path, hdf5, UW_FORMAT_HDF5, true, &converted, err);
    if (!s) s = bench_file(ctx, dir, hdf5, "HDF5, raw frames", quick, sink, cookie, err);
#else
    (void)converted;
#endif
#if defined(UW_ZSTD)
    snprintf(path, sizeof path, "%s/zstd.uw", dir);
    if (!s) s = record(env, path, UW_CODEC_ZSTD, frame, err);
    if (!s) s = bench_file(ctx, dir, path, "zstd frames", quick, sink, cookie, err);
#endif
    return s;
}

uw_status uw_bench_loader(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                          uw_err *err) {
    char dir[] = "/tmp/umwelt-bench-XXXXXX";
    uint8_t *frame = malloc((size_t)SIZE * SIZE * 3);
    uw_env *env = NULL;
    if (!frame) return uw__no_memory(err, "bench loader", (uint64_t)SIZE * SIZE * 3);
    if (!mkdtemp(dir)) {
        free(frame);
        return uw_fail(err, UW_ENOSPC, "%s: cannot make a temporary folder", dir);
    }
    uw_status s = uw_env_new(uw_env_find("pusht") ? "pusht" : "two_room", &env, err);
    if (!s) s = bench_recordings(ctx, dir, env, frame, quick, sink, cookie, err);
    uw_env_free(env);
    free(frame);
    uw__remove_tree(dir, NULL);
    return s;
}

uw_status uw_bench_loader_of(uw_context *ctx, const char *data, bool quick, uw_bench_sink *sink,
                             void *cookie, uw_err *err) {
    char dir[] = "/tmp/umwelt-bench-XXXXXX";
    const char *slash = strrchr(data, '/');
    if (!mkdtemp(dir)) return uw_fail(err, UW_ENOSPC, "%s: cannot make a temporary folder", dir);
    const uw_status s =
        bench_file(ctx, dir, data, slash ? slash + 1 : data, quick, sink, cookie, err);
    uw__remove_tree(dir, NULL);
    return s;
}
