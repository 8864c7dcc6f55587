/* An HDF5 recording read in place.  Everything that the file says is checked as for a conversion,
 * and where every chunk lies is looked up, when it is opened; after that nothing changes, so that
 * readers need no lock. */
#include "dataset_hdf5.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "hash.h"
#include "store.h"

enum { SAMPLE = 32 }; /* rows of each column that the hash looks at */

struct uw__hdf5_data {
    uw__source *source;
    uw_h5_map *maps[UW_MAX_COLUMNS];
};

bool uw__hdf5_signature(int fd, const char *path, uint64_t size) {
    unsigned char head[8];
    return size >= sizeof head && !uw__store_read(fd, path, 0, head, sizeof head, NULL) &&
           !memcmp(head, "\x89HDF\r\n\x1a\n", sizeof head);
}

uw_status uw__hdf5_data_open(const char *path, uw__hdf5_data **out, uw_err *err) {
    *out = NULL;
    uw__hdf5_data *data = calloc(1, sizeof *data);
    if (!data) return uw__no_memory(err, path, sizeof *data);
    uw_status s = uw__source_open(NULL, path, UW_FORMAT_HDF5, &data->source, err);
    for (int32_t i = 0; !s && i < data->source->num_columns; i++)
        s = uw__hdf5_source_map(data->source, i, &data->maps[i], err);
    if (s)
        uw__hdf5_data_close(data);
    else
        *out = data;
    return s;
}

void uw__hdf5_data_close(uw__hdf5_data *data) {
    if (!data) return;
    for (int32_t i = 0; i < UW_MAX_COLUMNS; i++) uw__h5_map_free(data->maps[i]);
    uw__source_close(data->source);
    free(data);
}

const uw__source *uw__hdf5_data_source(const uw__hdf5_data *data) {
    return data->source;
}

uw_status uw__hdf5_data_rows(const uw__hdf5_data *data, uw_h5_room *room, int32_t column,
                             int64_t episode, int64_t first, int64_t count, int64_t stride,
                             void *out, uw_err *err) {
    return uw__h5_map_rows(data->maps[column], room, data->source->starts[episode] + first, count,
                           stride, out, err);
}

uw_status uw__hdf5_data_verify(const uw__hdf5_data *data, uw_h5_room *room, int64_t episode,
                               uw_err *err) {
    const uw__source *source = data->source;
    uw_status s = UW_OK;
    for (int32_t i = 0; !s && i < source->num_columns; i++) {
        unsigned char *row = malloc(source->row_bytes[i] + 1);
        if (!row) return uw__no_memory(err, source->name, source->row_bytes[i]);
        for (int64_t t = 0; !s && t < source->episode_rows[episode]; t++)
            s = uw__hdf5_data_rows(data, room, i, episode, t, 1, 1, row, err);
        free(row);
    }
    return s;
}

/* ---- identity ----------------------------------------------------------------------------- */

static uw_status hash_column(const uw__hdf5_data *data, uw_h5_room *room, int32_t column,
                             uint64_t *sum, uw_err *err) {
    const uw__source *source = data->source;
    const size_t size = source->row_bytes[column];
    uw_status s = UW_OK;
    unsigned char *row = malloc(size + 1);
    if (!row) return uw__no_memory(err, source->name, size);
    const int64_t rows = source->total_rows, n = rows < SAMPLE ? rows : SAMPLE;
    for (int64_t i = 0; !s && i < n; i++) {
        const int64_t at = n > 1 ? (rows - 1) / (n - 1) * i : 0;
        s = uw__h5_map_rows(data->maps[column], room, at, 1, 1, row, err);
        if (!s) *sum = uw__xxh3(row, size, *sum);
    }
    free(row);
    return s;
}

uw_status uw__hdf5_data_hash(const uw__hdf5_data *data, uint64_t bytes, char hex[17], uw_err *err) {
    const uw__source *source = data->source;
    uint64_t sum = uw__xxh3(&bytes, sizeof bytes, (uint64_t)source->num_columns);
    uw_h5_room *room;
    if (uw__h5_room_new(&room)) return uw__no_memory(err, source->name, 256);
    sum = uw__xxh3(source->episode_rows, (size_t)source->num_episodes * sizeof(int64_t), sum);
    uw_status s = UW_OK;
    for (int32_t i = 0; !s && i < source->num_columns; i++) {
        const uw_column *c = &source->columns[i];
        const int64_t kind[6] = {(int64_t)c->dtype, c->num_dims, c->shape[0],
                                 c->shape[1],       c->shape[2], c->shape[3]};
        sum = uw__xxh3(c->name, strlen(c->name), sum);
        sum = uw__xxh3(kind, sizeof kind, sum);
        s = hash_column(data, room, i, &sum, err);
    }
    uw__h5_room_free(room);
    if (!s) snprintf(hex, 17, "%016" PRIx64, sum);
    return s;
}
