/* Two passes over every row of every column of numbers: sums first, then what needs them.
 *
 * Rows are read in pieces of bounded size, all columns of a piece together, so that a row can be
 * hashed as a whole. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "fitness_internal.h"
#include "hash.h"
#include "internal.h"
#include "statistics.h"

enum { PIECE_BYTES = 1 << 20, MAX_PIECE = 1024 };

/* A number this many times the 10 .. 90 % range away from its median is an outlier: 20 standard
 * deviations of a Gaussian; no uniform number gets there. */
static const double OUTLIER_SPREADS = 8.0;
/* A run of equal rows is called stuck from so many rows on, and from this share of its episode. */
enum { STUCK_ROWS = 8 };
static const double STUCK_SHARE = 0.2;
static const double CLOCK_GAP = 1.5; /* of the median step */

/* One piece of rows, all columns. */
typedef struct piece {
    int64_t episode, first, count, length; /* length: rows of the episode */
    int64_t before;                        /* rows of the file before this piece */
    unsigned char *cells[UW_MAX_COLUMNS];  /* NULL: not read */
} piece;

typedef struct scan {
    uw_fitness *f;
    size_t row_bytes[UW_MAX_COLUMNS];
    bool read[UW_MAX_COLUMNS];
    int64_t rows; /* per piece */
    unsigned char *memory;
    unsigned char *last[UW_MAX_COLUMNS]; /* the row before the piece, of the same episode */
    double *previous;                    /* [numbers] the finite value before, NaN = none */
    int64_t run[UW_MAX_COLUMNS];         /* equal rows up to here, the first included */
    unsigned char *row;                  /* all cells of one row, for its hash */
    double clock_last;
    double *clock_steps; /* sampled */
    int64_t num_clock_steps, clock_stride;
} scan;

static double cell_at(const scan *s, const piece *p, const uw_number *n, int64_t t) {
    const uw_dtype dtype = uw_dataset_column(s->f->data, n->column)->dtype;
    return uw__cell_number(dtype, p->cells[n->column] + (size_t)t * s->row_bytes[n->column] +
                                      (size_t)n->place * uw_dtype_bytes(dtype));
}

/* ---- first pass ------------------------------------------------------------------------------ */

static void add_value(uw_number *n, double x, double *previous) {
    if (!n->count || x < n->low) n->low = x;
    if (!n->count || x > n->high) n->high = x;
    if (!n->count) n->origin = x;
    n->count++;
    const double delta = x - n->mean;
    n->mean += delta / (double)n->count;
    n->m2 += delta * (x - n->mean);
    if (isfinite(*previous)) {
        const double a = *previous - n->origin, b = x - n->origin;
        n->pairs++;
        n->changes += x != *previous;
        n->cross += a * b;
        n->sum_pairs += a;
        n->square_pairs += a * a;
    }
    *previous = x;
}

static void sum_piece(scan *s, const piece *p) {
    uw_fitness *f = s->f;
    const int64_t total = uw_dataset_total_rows(f->data);
    const int64_t stride = (total + UW_FITNESS_SAMPLE - 1) / UW_FITNESS_SAMPLE;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        uw_number *n = &f->numbers[i];
        for (int64_t t = 0; t < p->count; t++) {
            const double x = cell_at(s, p, n, t);
            const bool last = p->first + t == p->length - 1;
            if (!isfinite(x)) {
                n->missing += n->kind != UW_NUMBER_ACTION || !last;
                s->previous[i] = NAN;
                continue;
            }
            if (i == f->clock_number && isfinite(s->previous[i]) &&
                n->pairs % s->clock_stride == 0 && s->num_clock_steps < UW_FITNESS_SAMPLE)
                s->clock_steps[s->num_clock_steps++] = x - s->previous[i];
            add_value(n, x, &s->previous[i]);
            if ((p->before + t) % stride == 0 && n->num_sample < UW_FITNESS_SAMPLE)
                n->sample[n->num_sample++] = x;
        }
    }
}

/* Keep the smallest distinct hashes in order. */
static void sketch_add(uint64_t *sketch, uint64_t hash) {
    int32_t at = UW_FITNESS_SKETCH;
    while (at > 0 && hash < sketch[at - 1]) at--;
    if (at == UW_FITNESS_SKETCH || (at > 0 && sketch[at - 1] == hash)) return;
    memmove(sketch + at + 1, sketch + at, (size_t)(UW_FITNESS_SKETCH - 1 - at) * sizeof *sketch);
    sketch[at] = hash;
}

/* Hash whole rows; clocks stay out, since a copied episode may tell another time. */
static void print_piece(scan *s, const piece *p) {
    uw_fitness *f = s->f;
    uw_print *print = &f->prints[p->episode];
    if (p->first == 0) {
        *print = (uw_print){.rows = p->length};
        memset(print->sketch, 0xff, sizeof print->sketch);
    }
    const int32_t clock = f->clock_number < 0 ? -1 : f->numbers[f->clock_number].column;
    for (int64_t t = 0; t < p->count; t++) {
        size_t used = 0;
        for (int32_t c = 0; c < uw_dataset_num_columns(f->data); c++) {
            if (!s->read[c] || c == clock) continue;
            memcpy(s->row + used, p->cells[c] + (size_t)t * s->row_bytes[c], s->row_bytes[c]);
            used += s->row_bytes[c];
        }
        const uint64_t hash = uw__xxh3(s->row, used, 0);
        print->hash = uw__xxh3(&hash, sizeof hash, print->hash);
        sketch_add(print->sketch, hash);
    }
}

/* ---- second pass ----------------------------------------------------------------------------- */

static void find_outliers(scan *s, const piece *p) {
    uw_fitness *f = s->f;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        uw_number *n = &f->numbers[i];
        if (!(n->spread > 0.0) || n->rests || n->kind == UW_NUMBER_CLOCK ||
            n->kind == UW_NUMBER_OTHER)
            continue;
        for (int64_t t = 0; t < p->count; t++) {
            const double x = cell_at(s, p, n, t);
            if (!isfinite(x) || fabs(x - n->median) <= OUTLIER_SPREADS * n->spread) continue;
            if (!n->outliers) {
                n->first_episode = p->episode;
                n->first_row = p->first + t;
                n->last_outlier_episode = -1;
            }
            n->outliers++;
            n->outlier_size += fabs(x);
            n->outlier_episodes += n->last_outlier_episode != p->episode;
            n->last_outlier_episode = p->episode;
        }
    }
}

/* A run that ended: rows equal in all numbers, not standing at the ends of their ranges. */
static void end_run(uw_stillness *still, int64_t run, int64_t length, int64_t episode,
                    int64_t last_row, bool at_ends) {
    if (run < STUCK_ROWS || (double)run < STUCK_SHARE * (double)length || at_ends) return;
    if (!still->stuck_runs) {
        still->first_episode = episode;
        still->first_row = last_row - run + 1;
    }
    still->stuck_runs++;
    still->stuck_rows += run;
    if (run > still->longest) still->longest = run;
}

/* True when every number of a column is at the least or largest value it ever has: an end stop. */
static bool at_ends(const scan *s, int32_t column, const unsigned char *cells) {
    const uw_fitness *f = s->f;
    const uw_dtype dtype = uw_dataset_column(f->data, column)->dtype;
    bool known = false; /* pictures have no ends */
    for (int32_t i = 0; i < f->num_numbers; i++) {
        const uw_number *n = &f->numbers[i];
        if (n->column != column) continue;
        const double x = uw__cell_number(dtype, cells + (size_t)n->place * uw_dtype_bytes(dtype));
        if (isfinite(x) && x != n->low && x != n->high) return false;
        known = true;
    }
    return known;
}

static void find_stillness(scan *s, const piece *p) {
    uw_fitness *f = s->f;
    for (int32_t c = 0; c < uw_dataset_num_columns(f->data); c++) {
        if (!s->read[c]) continue;
        const size_t bytes = s->row_bytes[c];
        uw_stillness *still = &f->still[c];
        for (int64_t t = 0; t < p->count; t++) {
            const int64_t row = p->first + t;
            const unsigned char *now = p->cells[c] + (size_t)t * bytes;
            const unsigned char *before = t ? now - bytes : s->last[c];
            const bool same = row > 0 && !memcmp(now, before, bytes);
            still->pairs += row > 0;
            still->repeats += same;
            if (!same && row > 0)
                end_run(still, s->run[c], p->length, p->episode, row - 1, at_ends(s, c, before));
            s->run[c] = same ? s->run[c] + 1 : 1;
            if (row == p->length - 1)
                end_run(still, s->run[c], p->length, p->episode, row, at_ends(s, c, now));
        }
        memcpy(s->last[c], p->cells[c] + (size_t)(p->count - 1) * bytes, bytes);
    }
}

static void find_gaps(scan *s, const piece *p) {
    uw_fitness *f = s->f;
    if (f->clock_number < 0) return;
    uw_clock *clock = &f->clock;
    const uw_number *n = &f->numbers[f->clock_number];
    for (int64_t t = 0; t < p->count; t++) {
        const double x = cell_at(s, p, n, t);
        const double step = x - s->clock_last;
        const bool known = p->first + t > 0 && isfinite(step);
        if (isfinite(x) || p->first + t == 0) s->clock_last = x;
        if (!known) continue;
        clock->steps++;
        const bool backward = step <= 0.0, gap = step > CLOCK_GAP * clock->median;
        if ((backward || gap) && !clock->gaps && !clock->backward) {
            clock->first_episode = p->episode;
            clock->first_row = p->first + t;
        }
        clock->backward += backward;
        clock->gaps += gap;
        if (step > clock->largest) clock->largest = step;
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef void piece_fn(scan *s, const piece *p);

/* Hand every piece of the recording to the functions, in order. */
static uw_status each_piece(scan *s, piece_fn *const *fns, const char *what, uw_err *err) {
    uw_fitness *f = s->f;
    const int64_t episodes = uw_dataset_episodes(f->data), total = uw_dataset_total_rows(f->data);
    piece p = {0};
    size_t used = 0;
    for (int32_t c = 0; c < uw_dataset_num_columns(f->data); c++) {
        if (!s->read[c]) continue;
        p.cells[c] = s->memory + used;
        used += (size_t)s->rows * s->row_bytes[c];
    }
    for (p.episode = 0; p.episode < episodes; p.episode++) {
        p.length = uw_dataset_episode_rows(f->data, p.episode);
        for (int32_t i = 0; i < f->num_numbers; i++) s->previous[i] = NAN;
        for (p.first = 0; p.first < p.length; p.first += p.count) {
            p.count = p.length - p.first < s->rows ? p.length - p.first : s->rows;
            for (int32_t c = 0; c < uw_dataset_num_columns(f->data); c++) {
                if (!s->read[c]) continue;
                const uw_status status =
                    uw_dataset_rows(f->data, c, p.episode, p.first, p.count, 1, p.cells[c], err);
                if (status) return status;
            }
            for (int32_t i = 0; fns[i]; i++) fns[i](s, &p);
            p.before += p.count;
        }
        if (!uw__progress(f->ctx, what, p.before, total))
            return uw_fail(err, UW_EINTERRUPTED, "fitness: stopped on request");
    }
    return UW_OK;
}

/* Medians and ranges from the samples. */
static void finish_sums(scan *s) {
    uw_fitness *f = s->f;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        uw_number *n = &f->numbers[i];
        n->median = n->spread = NAN;
        if (!n->num_sample) continue;
        uw__sort(n->sample, n->num_sample);
        n->median = uw__quantile(n->sample, n->num_sample, 0.5);
        n->spread = uw__quantile(n->sample, n->num_sample, 0.9) -
                    uw__quantile(n->sample, n->num_sample, 0.1);
        int64_t same = 0;
        for (int64_t k = 0; k < n->num_sample; k++) same += n->sample[k] == n->median;
        n->rests = 3 * same >= n->num_sample;
    }
    f->clock.median = NAN;
    if (!s->num_clock_steps) return;
    uw__sort(s->clock_steps, s->num_clock_steps);
    f->clock.median = uw__quantile(s->clock_steps, s->num_clock_steps, 0.5);
}

/* Choose the columns that are read: all of numbers; pictures when there is nothing else. */
static uw_status scan_init(scan *s, uw_err *err) {
    const uw_fitness *f = s->f;
    size_t all = 0, frames = 0;
    const int32_t columns = uw_dataset_num_columns(f->data);
    for (int32_t c = 0; c < columns; c++) {
        s->row_bytes[c] = uw__dataset_header(f->data)->row_bytes[c];
        s->read[c] = uw_dataset_column(f->data, c)->num_dims < 3;
        if (s->read[c])
            all += s->row_bytes[c];
        else
            frames += s->row_bytes[c];
    }
    bool sensors = false;
    for (int32_t i = 0; i < f->num_numbers; i++)
        sensors = sensors || f->numbers[i].kind == UW_NUMBER_SENSOR;
    if (!sensors) {
        for (int32_t c = 0; c < columns; c++) s->read[c] = true;
        all += frames;
    }
    if (!all) return uw_fail(err, UW_EINVAL, "fitness: no columns of numbers or pictures");
    s->rows = (int64_t)(PIECE_BYTES / all) + 1;
    if (s->rows > MAX_PIECE) s->rows = MAX_PIECE;
    const int64_t total = uw_dataset_total_rows(f->data);
    s->clock_stride = (total + UW_FITNESS_SAMPLE - 1) / UW_FITNESS_SAMPLE;
    s->memory = malloc((size_t)s->rows * all);
    s->row = malloc(2 * all);
    s->previous = malloc(((size_t)f->num_numbers + 1) * sizeof *s->previous);
    s->clock_steps = malloc(UW_FITNESS_SAMPLE * sizeof *s->clock_steps);
    if (!s->memory || !s->row || !s->previous || !s->clock_steps)
        return uw_fail(err, UW_ENOMEM, "fitness: pieces of %zu bytes", (size_t)s->rows * all);
    size_t used = all;
    for (int32_t c = 0; c < columns; c++) {
        s->last[c] = s->row + used;
        if (s->read[c]) used += s->row_bytes[c];
    }
    return UW_OK;
}

uw_status uw__fitness_scan(uw_fitness *f, uw_err *err) {
    static piece_fn *const first[] = {sum_piece, print_piece, NULL};
    static piece_fn *const second[] = {find_outliers, find_stillness, find_gaps, NULL};
    scan s = {.f = f};
    uw_status status = scan_init(&s, err);
    if (!status) status = each_piece(&s, first, "read", err);
    if (!status) finish_sums(&s);
    if (!status) status = each_piece(&s, second, "compare", err);
    free(s.memory);
    free(s.row);
    free(s.previous);
    free(s.clock_steps);
    return status;
}
