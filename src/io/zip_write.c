/* Writing zip archives of stored members in one pass: each member's size is told beforehand, its
 * checksum is put into the local header when its last byte has passed. */
#include "zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "fileio.h"
#include "utf8.h"

enum { MAX_NAME = 1004, MAX_MEMBERS = 65534, BUFFER = 1 << 16, ALIGN_MAX = 4096 };

typedef struct entry {
    char *name; /* owned */
    uint32_t begin, bytes, crc;
} entry;

struct uw_zip_writer {
    uw_atomic file;
    entry *entries; /* owned [count] */
    int32_t count, cap;
    uint64_t at;   /* bytes handed to the file so far */
    uint64_t left; /* bytes that the open member still wants */
    unsigned char buffer[BUFFER];
    size_t held;
};

static void put16(unsigned char *p, uint32_t v) {
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, uint32_t v) {
    put16(p, v & 0xffff);
    put16(p + 2, v >> 16);
}

uw_status uw__zip_writer_open(const char *path, bool overwrite, uw_zip_writer **out, uw_err *err) {
    *out = NULL;
    uw_zip_writer *w = calloc(1, sizeof *w);
    if (!w) return uw__no_memory(err, path, sizeof *w);
    const uw_status s = uw__atomic_open(&w->file, path, overwrite, err);
    if (s)
        free(w);
    else
        *out = w;
    return s;
}

static uw_status flush(uw_zip_writer *w, uw_err *err) {
    const uw_status s = uw__atomic_write(&w->file, w->buffer, w->held, err);
    w->held = 0;
    return s;
}

static uw_status put(uw_zip_writer *w, const void *data, size_t n, uw_err *err) {
    uw_status s = UW_OK;
    if (n > BUFFER - w->held) s = flush(w, err);
    w->at += n;
    if (s || n > BUFFER) return s ? s : uw__atomic_write(&w->file, data, n, err);
    if (n) memcpy(w->buffer + w->held, data, n);
    w->held += n;
    return UW_OK;
}

static uw_status misuse(const uw_zip_writer *w, uw_err *err, const char *what) {
    return uw__refuse(err, UW_EINVAL, w->file.path, "incomplete_member",
                      "hand over exactly the bytes that were told", "%s", what);
}

/* The fields that local header and directory share, from the version on. */
static void put_common(unsigned char *p, const entry *e) {
    put16(p, 20);         /* what it takes to read it: zip 2.0 */
    put16(p + 2, 0x0800); /* names are UTF-8 */
    put16(p + 4, 0);      /* stored */
    put16(p + 6, 0);
    put16(p + 8, 0x21); /* 1980-01-01: the same calls, the same bytes */
    put32(p + 10, e->crc);
    put32(p + 14, e->bytes);
    put32(p + 18, e->bytes);
    put16(p + 22, (uint32_t)strlen(e->name));
    put16(p + 24, 0); /* padding is the local header's own */
}

/* Put the member's checksum where its local header left room. */
static uw_status end_member(uw_zip_writer *w, uw_err *err) {
    unsigned char crc[4];
    if (!w->count) return UW_OK;
    const entry *e = &w->entries[w->count - 1];
    if (w->left) return misuse(w, err, "the member is not complete");
    const uw_status s = flush(w, err);
    if (s) return s;
    put32(crc, e->crc);
    if (pwrite(w->file.fd, crc, sizeof crc, (off_t)e->begin + 14) != (ssize_t)sizeof crc) {
        w->file.failed = true;
        return uw__io_fail(err, w->file.path, "write", errno, true);
    }
    return UW_OK;
}

static uw_status check_name(const uw_zip_writer *w, const char *name, uw_err *err) {
    const size_t n = strlen(name);
    bool ok = n && n <= MAX_NAME && uw__utf8_clean(name, false);
    for (int32_t i = 0; ok && i < w->count; i++) {
        ok = strcmp(w->entries[i].name, name);
    }
    if (ok) return UW_OK;
    return uw__refuse(err, UW_EINVAL, w->file.path, "unsafe_name", "use another name",
                      "member %d: wanted a new name in UTF-8 of 1 to %d bytes", w->count, MAX_NAME);
}

static entry *new_entry(uw_zip_writer *w, const char *name) {
    if (w->count == w->cap) {
        const int32_t cap = w->cap ? 2 * w->cap : 16;
        entry *grown = realloc(w->entries, (size_t)cap * sizeof *grown);
        if (!grown) return NULL;
        w->entries = grown;
        w->cap = cap;
    }
    char *copy = strdup(name);
    if (!copy) return NULL;
    entry *e = &w->entries[w->count];
    *e = (entry){.name = copy};
    return e;
}

/* The extra field that moves a member's first byte to a multiple of `align`, as PyTorch pads. */
static size_t padding(const uw_zip_writer *w, size_t name_bytes, size_t align,
                      unsigned char extra[ALIGN_MAX + 4]) {
    if (align <= 1) return 0;
    const uint64_t begin = w->at + 30 + name_bytes + 4;
    const size_t pad = (size_t)((align - begin % align) % align);
    memcpy(extra, "FB", 2);
    put16(extra + 2, (uint32_t)pad);
    memset(extra + 4, 'Z', pad);
    return 4 + pad;
}

uw_status uw__zip_writer_begin(uw_zip_writer *w, const char *name, uint64_t bytes, size_t align,
                               uw_err *err) {
    unsigned char local[30], extra[ALIGN_MAX + 4];
    uw_status s = end_member(w, err);
    if (!s) s = check_name(w, name, err);
    if (s) return s;
    /* room is kept for the directory, so that nothing fails at the very end */
    const uint64_t overhead = (uint64_t)(w->count + 1) * (MAX_NAME + 200) + (1 << 20);
    if (w->count == MAX_MEMBERS || bytes > UINT32_MAX || w->at + bytes + overhead > UINT32_MAX) {
        return uw__refuse(err, UW_EUNSUPPORTED, w->file.path, "zip64",
                          "write fewer episodes, or another format",
                          "member %.60s: wanted an archive below 4 GiB and 65535 members", name);
    }
    entry *e = new_entry(w, name);
    if (!e) return uw__no_memory(err, w->file.path, (uint64_t)w->cap * sizeof *e);
    w->count++;
    e->begin = (uint32_t)w->at;
    e->bytes = (uint32_t)bytes;
    w->left = bytes;
    const size_t pad = padding(w, strlen(name), align, extra);
    memcpy(local, "PK\3\4", 4);
    put_common(local + 4, e);
    put16(local + 28, (uint32_t)pad);
    if ((s = put(w, local, sizeof local, err))) return s;
    if ((s = put(w, e->name, strlen(e->name), err))) return s;
    return put(w, extra, pad, err);
}

uw_status uw__zip_writer_data(uw_zip_writer *w, const void *data, size_t bytes, uw_err *err) {
    if (bytes > w->left) return misuse(w, err, "more bytes than were told");
    if (!bytes) return UW_OK;
    entry *e = &w->entries[w->count - 1];
    e->crc = (uint32_t)crc32(e->crc, data, (uInt)bytes); /* a member is below 4 GiB */
    w->left -= bytes;
    return put(w, data, bytes, err);
}

static uw_status put_directory(uw_zip_writer *w, uw_err *err) {
    unsigned char raw[46];
    const uint64_t begin = w->at;
    uw_status s = UW_OK;
    for (int32_t i = 0; i < w->count && !s; i++) {
        const entry *e = &w->entries[i];
        memset(raw, 0, sizeof raw);
        memcpy(raw, "PK\1\2", 4);
        put16(raw + 4, 20);
        put_common(raw + 6, e);
        put32(raw + 42, e->begin);
        s = put(w, raw, sizeof raw, err);
        if (!s) s = put(w, e->name, strlen(e->name), err);
    }
    if (s) return s;
    memset(raw, 0, 22);
    memcpy(raw, "PK\5\6", 4);
    put16(raw + 8, (uint32_t)w->count);
    put16(raw + 10, (uint32_t)w->count);
    put32(raw + 12, (uint32_t)(w->at - begin));
    put32(raw + 16, (uint32_t)begin);
    return put(w, raw, 22, err);
}

uw_status uw__zip_writer_close(uw_zip_writer *w, uw_err *err) {
    uw_status s = end_member(w, err);
    if (!s) s = put_directory(w, err);
    if (!s) s = flush(w, err);
    if (!s) s = uw__atomic_commit(&w->file, err);
    uw__zip_writer_abort(w);
    return s;
}

void uw__zip_writer_abort(uw_zip_writer *w) {
    if (!w) return;
    uw__atomic_abort(&w->file);
    for (int32_t i = 0; i < w->count; i++) free(w->entries[i].name);
    free(w->entries);
    free(w);
}
