/* Episodes that repeat each other: alike to the bit, or sharing rows (windows of one run that were
 * saved as episodes, runs cut and saved twice).
 *
 * Each episode keeps the smallest of its row hashes; two episodes share about as large a part of
 * these as of their rows (Broder 1997, bottom-k sketches). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "fitness_internal.h"

enum {
    SHARED = UW_FITNESS_SKETCH / 2, /* sketch hashes in common that make an overlap */
    FEW_ROWS = 4,                   /* distinct rows: less says nothing about likeness */
};

typedef struct entry {
    uint64_t hash;
    int64_t episode;
} entry;

typedef struct pair {
    int64_t a, b; /* a < b */
} pair;

static int by_hash(const void *p, const void *q) {
    const entry *a = p, *b = q;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return (a->episode > b->episode) - (a->episode < b->episode);
}

static int by_pair(const void *p, const void *q) {
    const pair *a = p, *b = q;
    if (a->a != b->a) return a->a < b->a ? -1 : 1;
    return (a->b > b->b) - (a->b < b->b);
}

static bool held(const uw_fitness *f, int64_t episode) {
    return uw__episode_held_out(f->options->split_seed, episode, f->options->holdout);
}

/* What was found of one kind of likeness. */
typedef struct found {
    int64_t count, across; /* pairs; of these, with one side held out */
    pair first, first_across;
} found;

static void found_add(found *out, const uw_fitness *f, int64_t a, int64_t b) {
    if (!out->count++) out->first = (pair){a, b};
    if (held(f, a) == held(f, b)) return;
    if (!out->across++) out->first_across = (pair){a, b};
}

/* Episodes with the same rows: each is paired with the one before it in its group. */
static void find_copies(const uw_fitness *f, entry *entries, int64_t episodes, found *out) {
    for (int64_t e = 0; e < episodes; e++) entries[e] = (entry){f->prints[e].hash, e};
    qsort(entries, (size_t)episodes, sizeof *entries, by_hash);
    for (int64_t i = 1; i < episodes; i++)
        if (entries[i].hash == entries[i - 1].hash &&
            f->prints[entries[i].episode].rows == f->prints[entries[i - 1].episode].rows)
            found_add(out, f, entries[i - 1].episode, entries[i].episode);
}

/* Episodes that share rows without being copies. */
static void find_overlaps(const uw_fitness *f, entry *entries, pair *pairs, found *out) {
    int64_t n = 0, num_pairs = 0;
    for (int64_t e = 0; e < uw_dataset_episodes(f->data); e++) {
        const uint64_t *sketch = f->prints[e].sketch;
        if (sketch[FEW_ROWS - 1] == UINT64_MAX) continue;
        for (int32_t k = 0; k < UW_FITNESS_SKETCH && sketch[k] != UINT64_MAX; k++)
            entries[n++] = (entry){sketch[k], e};
    }
    qsort(entries, (size_t)n, sizeof *entries, by_hash);
    for (int64_t i = 1; i < n; i++)
        if (entries[i].hash == entries[i - 1].hash)
            pairs[num_pairs++] = (pair){entries[i - 1].episode, entries[i].episode};
    qsort(pairs, (size_t)num_pairs, sizeof *pairs, by_pair);
    for (int64_t i = 0, run = 0; i < num_pairs; i++) {
        run = i && !by_pair(&pairs[i], &pairs[i - 1]) ? run + 1 : 1;
        const bool ends = i == num_pairs - 1 || by_pair(&pairs[i], &pairs[i + 1]);
        const bool copies = f->prints[pairs[i].a].hash == f->prints[pairs[i].b].hash;
        if (ends && run >= SHARED && !copies) found_add(out, f, pairs[i].a, pairs[i].b);
    }
}

static void tell(uw_fitness *f, const found *copies, const found *overlaps) {
    const int64_t episodes = uw_dataset_episodes(f->data);
    const int64_t both = copies->count + overlaps->count;
    const double share = (double)both / (double)episodes;
    if (copies->count)
        uw__fitness_add(
            f, "duplicates", "copies", share > 0.01 ? UW_FITNESS_BAD : UW_FITNESS_NOTE,
            (double)copies->count, 0.0,
            "keep one of each: copies weigh twice in training and make intervals too narrow",
            "%" PRId64 " episodes are copies of others, first %" PRId64 " = %" PRId64,
            copies->count, copies->first.a, copies->first.b);
    if (overlaps->count)
        uw__fitness_add(f, "duplicates", "overlaps",
                        share > 0.01 ? UW_FITNESS_BAD : UW_FITNESS_NOTE, (double)overlaps->count,
                        0.0,
                        "record whole runs as episodes: windows of one run are not independent",
                        "%" PRId64 " pairs of episodes share half of their rows, first %" PRId64
                        " and %" PRId64,
                        overlaps->count, overlaps->first.a, overlaps->first.b);
    if (!both)
        uw__fitness_add(f, "duplicates", "", UW_FITNESS_GOOD, 0.0, 0.0, "",
                        "no two episodes share half of their rows");
    const found *first = copies->across ? copies : overlaps;
    const int64_t across = copies->across + overlaps->across;
    if (across)
        uw__fitness_add(
            f, "split overlap", "", UW_FITNESS_BAD, (double)across, 0.0,
            "remove the copies first: what is validated on has been trained on",
            "%" PRId64 " such pairs lie on both sides of the %.0f %% holdout, first %" PRId64
            " and %" PRId64,
            across, 100.0 * f->options->holdout, first->first_across.a, first->first_across.b);
    else
        uw__fitness_add(f, "split overlap", "", UW_FITNESS_GOOD, 0.0, 0.0, "",
                        "training and the %.0f %% held out share no episode",
                        100.0 * f->options->holdout);
}

uw_status uw__fitness_episodes(uw_fitness *f, uw_err *err) {
    const int64_t episodes = uw_dataset_episodes(f->data);
    const size_t most = (size_t)episodes * UW_FITNESS_SKETCH;
    entry *entries = malloc(most * sizeof *entries);
    pair *pairs = malloc(most * sizeof *pairs);
    found copies = {0}, overlaps = {0};
    uw_status s = UW_OK;
    if (entries && pairs) {
        find_copies(f, entries, episodes, &copies);
        find_overlaps(f, entries, pairs, &overlaps);
        tell(f, &copies, &overlaps);
    } else {
        s = uw_fail(err, UW_ENOMEM, "fitness: %" PRId64 " episodes", episodes);
    }
    free(entries);
    free(pairs);
    return s;
}
