/* TensorBoard event files.  A record is u64 length, masked CRC-32C of the length, an Event in
 * protobuf's wire format, masked CRC-32C of the Event.  Written by hand: a scalar needs six fields.
 *
 *   Event    1: double wall_time  2: int64 step  3: string file_version  5: Summary summary
 *   Summary  1: Value value       Value  1: string tag  2: float simple_value */
#include "tfevents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fileio.h"
#include "hash.h"

enum { BUFFER = 1 << 16, MAX_TAG = 1000, FRAME = 16, MAX_EVENT = MAX_TAG + 64 };
#define MAX_FILE (UINT64_C(1) << 30)

struct uw_tfevents {
    char path[1024];
    int fd;
    unsigned char buffer[BUFFER];
    size_t held;
    off_t written; /* whole records in the file */
};

static void put32(unsigned char *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static void put64(unsigned char *p, uint64_t v) {
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t get64(const unsigned char *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static uint32_t get32(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* CRCs of data that holds CRCs are masked, as LevelDB does. */
static uint32_t masked_crc(const void *data, size_t size) {
    const uint32_t crc = uw__crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static size_t put_varint(unsigned char *p, uint64_t v) {
    size_t n = 0;
    for (; v >= 128; v >>= 7) p[n++] = (unsigned char)(v | 128);
    p[n++] = (unsigned char)v;
    return n;
}

/* A field of bytes: key, length, bytes. */
static size_t put_bytes(unsigned char *p, int field, const void *bytes, size_t size) {
    size_t n = 0;
    p[n++] = (unsigned char)(field << 3 | 2);
    n += put_varint(p + n, size);
    memcpy(p + n, bytes, size);
    return n + size;
}

static size_t put_time(unsigned char *p, double wall_time) {
    uint64_t bits;
    memcpy(&bits, &wall_time, sizeof bits);
    p[0] = 1 << 3 | 1;
    put64(p + 1, bits);
    return 9;
}

/* Frame an event of `size` bytes at buffer + 12 and keep it for writing. */
static uw_status add_record(uw_tfevents *t, const unsigned char *event, size_t size, uw_err *err) {
    unsigned char *p = t->buffer + t->held;
    if (t->held + FRAME + size > BUFFER) {
        const uw_status s = uw__tfevents_flush(t, err);
        if (s) return s;
        p = t->buffer;
    }
    put64(p, size);
    put32(p + 8, masked_crc(p, 8));
    memcpy(p + 12, event, size);
    put32(p + 12 + size, masked_crc(event, size));
    t->held += FRAME + size;
    return UW_OK;
}

static uw_status add_version(uw_tfevents *t, uw_err *err) {
    static const char version[] = "brain.Event:2";
    unsigned char event[64];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t n = put_time(event, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    n += put_bytes(event + n, 3, version, sizeof version - 1);
    return add_record(t, event, n, err);
}

static bool get_varint(const unsigned char **p, const unsigned char *end, uint64_t *v) {
    *v = 0;
    for (int shift = 0; shift < 64 && *p < end; shift += 7) {
        const unsigned char b = *(*p)++;
        *v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) return true;
    }
    return false;
}

/* The step of an event; 0 when it has none, false when it is no event. */
static bool event_step(const unsigned char *p, size_t size, int64_t *step) {
    const unsigned char *end = p + size;
    *step = 0;
    while (p < end) {
        uint64_t key, v;
        if (!get_varint(&p, end, &key)) return false;
        switch (key & 7) {
        case 0:
            if (!get_varint(&p, end, &v)) return false;
            if (key >> 3 == 2) *step = (int64_t)v;
            break;
        case 1:
        case 5:
            v = (key & 7) == 1 ? 8 : 4;
            if (v > (uint64_t)(end - p)) return false;
            p += v;
            break;
        case 2:
            if (!get_varint(&p, end, &v) || v > (uint64_t)(end - p)) return false;
            p += v;
            break;
        default:
            return false;
        }
    }
    return true;
}

/* Bytes of the whole, valid record at p; 0 when there is none. */
static size_t record_at(const unsigned char *p, size_t size, int64_t *step) {
    if (size < FRAME || get32(p + 8) != masked_crc(p, 8)) return 0;
    const uint64_t n = get64(p);
    if (n > size - FRAME || get32(p + 12 + n) != masked_crc(p + 12, (size_t)n)) return 0;
    return event_step(p + 12, (size_t)n, step) ? (size_t)n + FRAME : 0;
}

/* Keep the records up to a step and drop what a killed writer left half written.  The file is
 * replaced as a whole, so that it is never without its first records. */
static uw_status keep_until(const char *path, int64_t truncate_after, bool *empty, uw_err *err) {
    void *data = NULL;
    size_t size = 0, at = 0, kept = 0;
    uw_status s = uw__file_read(path, MAX_FILE, &data, &size, err);
    if (s) return s;
    unsigned char *bytes = data;
    for (;;) {
        int64_t step;
        const size_t n = record_at(bytes + at, size - at, &step);
        if (!n) break;
        if (truncate_after < 0 || step <= truncate_after) {
            memmove(bytes + kept, bytes + at, n);
            kept += n;
        }
        at += n;
    }
    if (size && !kept && at == 0) {
        s = uw__refuse(err, UW_EFORMAT, path, "bad_events", "move it away",
                       "wanted a TensorBoard event file to continue");
    } else if (kept != size) {
        s = uw__file_write_atomic(path, bytes, kept, true, err);
    }
    *empty = !kept;
    free(data);
    return s;
}

uw_status uw__tfevents_open(const char *dir, const char *name, int64_t truncate_after,
                            uw_tfevents **out, uw_err *err) {
    uw_status s = UW_OK;
    bool empty = true;
    *out = NULL;
    uw_tfevents *t = malloc(sizeof *t);
    if (!t) return uw__no_memory(err, dir, sizeof *t);
    t->fd = -1;
    t->held = 0;
    const int n = snprintf(t->path, sizeof t->path, "%s/events.out.tfevents.%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof t->path || !name[0] || strchr(name, '/')) {
        s = uw__refuse(err, UW_EINVAL, dir, "bad_name", "use a shorter path",
                       "wanted a name without slashes in a path below %zu bytes", sizeof t->path);
        goto done;
    }
    if (uw__file_exists(t->path)) s = keep_until(t->path, truncate_after, &empty, err);
    if (s) goto done;
    t->fd = open(t->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
    if (t->fd < 0) {
        s = uw__io_fail(err, t->path, "open", errno, true);
        goto done;
    }
    t->written = lseek(t->fd, 0, SEEK_END);
    if (empty && !(s = add_version(t, err))) s = uw__tfevents_flush(t, err);
done:
    if (s) {
        if (t->fd >= 0) close(t->fd);
        free(t);
    } else {
        *out = t;
    }
    return s;
}

uw_status uw__tfevents_scalar(uw_tfevents *t, const char *tag, int64_t step, double wall_time,
                              float value, uw_err *err) {
    unsigned char event[MAX_EVENT], inner[MAX_EVENT], summary[MAX_EVENT];
    uint32_t bits;
    const size_t tag_bytes = strlen(tag);
    if (!tag_bytes || tag_bytes > MAX_TAG) {
        return uw__refuse(err, UW_EINVAL, t->path, "bad_tag", "use a shorter tag",
                          "wanted a tag of 1 to %d bytes, got %zu", MAX_TAG, tag_bytes);
    }
    memcpy(&bits, &value, sizeof bits);
    size_t n = put_bytes(inner, 1, tag, tag_bytes);
    inner[n++] = 2 << 3 | 5;
    put32(inner + n, bits);
    const size_t m = put_bytes(summary, 1, inner, n + 4);
    n = put_time(event, wall_time);
    event[n++] = 2 << 3;
    n += put_varint(event + n, (uint64_t)step);
    n += put_bytes(event + n, 5, summary, m);
    return add_record(t, event, n, err);
}

uw_status uw__tfevents_flush(uw_tfevents *t, uw_err *err) {
    const size_t n = t->held;
    t->held = 0; /* what could not be written is lost once, not tried again and again */
    const uw_status s = uw__write_all(t->fd, t->buffer, n, t->path, err);
    if (!s) {
        t->written += (off_t)n;
        return UW_OK;
    }
    /* Half a record would hide all that follow: back to the last whole one, if that can be. */
    const int cut = ftruncate(t->fd, t->written);
    (void)cut;
    return s;
}

void uw__tfevents_close(uw_tfevents *t) {
    if (!t) return;
    uw__tfevents_flush(t, NULL);
    close(t->fd);
    free(t);
}
