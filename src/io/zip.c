/* Reading zip files, as far as arrays need them: stored and deflated members, no encryption, and
 * zip64 only as PyTorch writes it, an end record more whose numbers the old one holds as well.
 *
 * The directory at the end is believed only where the file agrees: every member's local header must
 * be where the directory says and carry the same name, no two members may share bytes (the trick of
 * the smallest bombs), and what a member claims to become is bounded by what deflate can make of
 * its bytes. */
#include "zip.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "checked.h"
#include "fileio.h"
#include "utf8.h"

#define FIX_DAMAGED "the file is damaged: fetch or write it again"

enum {
    END_BYTES = 22,
    ENTRY_BYTES = 46,
    END64_BYTES = 76, /* zip64's end record and its locator */
    LOCAL_BYTES = 30,
    MAX_COMMENT = 65535,
    MAX_DIRECTORY = 16 << 20,
    MAX_NAME = 1024,
    BUFFER = 1 << 16,
    DEFLATE_RATIO = 1032 /* the most that a byte of deflate can become */
};

typedef struct zip {
    int fd;
    const char *path;
    const uw_zip_rules *rules;
    uint64_t size, directory; /* the file's bytes; where the directory begins */
    uw_zip_member *members;
    int32_t count;
    uw_err *err;
} zip;

static uint32_t get16(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p) {
    return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p) {
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static uw_status bad_zip(const zip *z, const char *what) {
    return uw__refuse(z->err, UW_EFORMAT, z->path, "bad_zip", z->rules->fix, "%s", what);
}

static uw_status zip64(const zip *z) {
    return uw__refuse(z->err, UW_EUNSUPPORTED, z->path, "zip64", "save it as several files",
                      "wanted an archive below 4 GiB and 65535 members, got zip64");
}

/* An archive that begins like one and has no end was cut. */
static uw_status no_end(const zip *z) {
    unsigned char magic[4];
    const uw_status s = uw__read_at(z->fd, magic, sizeof magic, 0, z->path, z->err);
    if (s) return s;
    return uw__refuse(z->err, UW_EFORMAT, z->path,
                      memcmp(magic, "PK\3\4", 4) ? "bad_zip" : "truncated", z->rules->fix,
                      "wanted a zip directory at the end, got none");
}

/* Find the end record: the last one whose comment reaches exactly to the end of the file. */
static uw_status find_end(const zip *z, unsigned char end[END_BYTES], uint64_t *at) {
    const uint64_t most = END_BYTES + MAX_COMMENT;
    const size_t n = (size_t)(z->size < most ? z->size : most);
    unsigned char *tail = malloc(n);
    if (!tail) return uw__no_memory(z->err, z->path, n);
    uw_status s = uw__read_at(z->fd, tail, n, z->size - n, z->path, z->err);
    bool found = false;
    for (size_t left = n - END_BYTES + 1; left > 0 && !s && !found; left--) {
        const size_t i = left - 1;
        if (memcmp(tail + i, "PK\5\6", 4) || get16(tail + i + 20) != n - i - END_BYTES) continue;
        memcpy(end, tail + i, END_BYTES);
        *at = z->size - n + i;
        found = true;
    }
    free(tail);
    if (!s && !found) s = no_end(z);
    return s;
}

/* Step back over zip64's end record where there is one; it must say what the old one says. */
static uw_status skip_end64(const zip *z, const unsigned char end[END_BYTES], uint64_t *at) {
    unsigned char raw[END64_BYTES];
    if (*at < END64_BYTES) return UW_OK;
    const uint64_t begin = *at - END64_BYTES;
    const uw_status s = uw__read_at(z->fd, raw, sizeof raw, begin, z->path, z->err);
    if (s || memcmp(raw + 56, "PK\6\7", 4)) return s;
    if (memcmp(raw, "PK\6\6", 4) || get64(raw + 4) != 44 || get64(raw + 64) != begin ||
        get64(raw + 32) != get16(end + 10) || get64(raw + 40) != get32(end + 12) ||
        get64(raw + 48) != get32(end + 16)) {
        return zip64(z);
    }
    *at = begin;
    return UW_OK;
}

/* The local header must repeat the name; its sizes are not needed (streaming writers leave them 0).
 */
static uw_status check_local(const zip *z, uw_zip_member *m, const char *name, size_t name_bytes) {
    unsigned char local[LOCAL_BYTES];
    char again[MAX_NAME];
    uw_status s;
    if (!uw__range_ok(m->begin, LOCAL_BYTES + name_bytes, z->directory)) {
        return bad_zip(z, "a member begins behind the directory");
    }
    if ((s = uw__read_at(z->fd, local, sizeof local, m->begin, z->path, z->err))) return s;
    s = uw__read_at(z->fd, again, name_bytes, m->begin + LOCAL_BYTES, z->path, z->err);
    if (s) return s;
    if (memcmp(local, "PK\3\4", 4) || get16(local + 26) != name_bytes ||
        memcmp(again, name, name_bytes)) {
        return bad_zip(z, "a member's local header does not match the directory");
    }
    m->data = m->begin + LOCAL_BYTES + name_bytes + get16(local + 28);
    if (!uw__range_ok(m->data, m->packed, z->directory)) {
        return bad_zip(z, "a member's bytes reach into the directory");
    }
    return UW_OK;
}

/* A name that would climb out of a folder: nothing is unpacked here, but no honest file has one. */
static bool climbs(const char *name) {
    if (*name == '/' || strchr(name, '\\')) return true;
    for (const char *p = name; p; p = strchr(p, '/')) {
        if (*p == '/') p++;
        if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/')) return true;
    }
    return false;
}

static uw_status check_entry(const zip *z, const unsigned char *e, const char *name, size_t n) {
    const char *ending = z->rules->ending;
    const size_t tail = strlen(ending);
    if (get32(e + 20) == UINT32_MAX || get32(e + 24) == UINT32_MAX || get32(e + 42) == UINT32_MAX) {
        return zip64(z);
    }
    if (get16(e + 8) & 1) {
        return uw__refuse(z->err, UW_EUNSUPPORTED, z->path, "encrypted",
                          "save it without a password", "wanted plain members");
    }
    if (z->rules->stored && get16(e + 10)) {
        return uw__refuse(z->err, UW_EFORMAT, z->path, "compressed_entry", z->rules->fix,
                          "wanted stored members, got method %u", get16(e + 10));
    }
    if (get16(e + 10) != 0 && get16(e + 10) != 8) {
        return uw__refuse(z->err, UW_EUNSUPPORTED, z->path, "unsupported_compression",
                          "save it with numpy.savez or numpy.savez_compressed",
                          "wanted stored or deflated members, got method %u", get16(e + 10));
    }
    if (n <= tail || n > MAX_NAME || memcmp(name + n - tail, ending, tail) ||
        memchr(name, '\0', n)) {
        return uw__refuse(z->err, UW_EFORMAT, z->path, "bad_zip", z->rules->fix,
                          "wanted members named <name>%s", ending);
    }
    return UW_OK;
}

static uw_status read_entry(zip *z, const unsigned char *e, const char *name, size_t n) {
    uw_status s = check_entry(z, e, name, n);
    if (s) return s;
    uw_zip_member *m = &z->members[z->count];
    *m = (uw_zip_member){.begin = get32(e + 42),
                         .packed = get32(e + 20),
                         .unpacked = get32(e + 24),
                         .crc = get32(e + 16),
                         .deflated = get16(e + 10) == 8};
    const size_t kept = n - strlen(z->rules->ending);
    m->name = malloc(kept + 1);
    if (!m->name) return uw__no_memory(z->err, z->path, kept + 1);
    z->count++;
    memcpy(m->name, name, kept);
    m->name[kept] = '\0';
    if (!uw__utf8_clean(m->name, false) || climbs(m->name)) {
        return uw__refuse(z->err, UW_EFORMAT, z->path, "unsafe_name", z->rules->fix,
                          "member %d: wanted a plain name in UTF-8", (int)z->count);
    }
    if (m->deflated ? m->unpacked > m->packed * DEFLATE_RATIO : m->unpacked != m->packed) {
        return uw__refuse(z->err, UW_EFORMAT, z->path, "size_mismatch", z->rules->fix,
                          "member %.60s: %llu bytes cannot become %llu", m->name,
                          (unsigned long long)m->packed, (unsigned long long)m->unpacked);
    }
    return check_local(z, m, name, n);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const uw_zip_member *const *)a)->name,
                  (*(const uw_zip_member *const *)b)->name);
}

static int by_place(const void *a, const void *b) {
    const uw_zip_member *x = *(const uw_zip_member *const *)a,
                        *y = *(const uw_zip_member *const *)b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* No name twice, no byte in two members, and all of it within the cap. */
static uw_status check_members(const zip *z, uint64_t max_bytes) {
    uw_status s = UW_OK;
    uint64_t total = 0;
    const size_t n = (size_t)z->count;
    const uw_zip_member **m = malloc((n + 1) * sizeof *m);
    if (!m) return uw__no_memory(z->err, z->path, n * sizeof *m);
    for (size_t i = 0; i < n; i++) {
        m[i] = &z->members[i];
        total += m[i]->unpacked; /* at most 65535 times 2^32 */
    }
    if (total > max_bytes) {
        s = uw__refuse(z->err, UW_EFORMAT, z->path, "too_large",
                       "check that this is the file you meant",
                       "wanted at most %llu bytes when unpacked, got %llu",
                       (unsigned long long)max_bytes, (unsigned long long)total);
    }
    if (n) qsort(m, n, sizeof *m, by_name);
    for (size_t i = 1; i < n && !s; i++) {
        if (strcmp(m[i - 1]->name, m[i]->name)) continue;
        s = uw__refuse(z->err, UW_EFORMAT, z->path, z->rules->twice, z->rules->fix,
                       "member %.60s twice", m[i]->name);
    }
    if (n) qsort(m, n, sizeof *m, by_place);
    for (size_t i = 1; i < n && !s; i++) {
        if (m[i - 1]->data + m[i - 1]->packed <= m[i]->begin) continue;
        s = uw__refuse(z->err, UW_EFORMAT, z->path, "overlap", z->rules->fix,
                       "members %.40s and %.40s share bytes", m[i - 1]->name, m[i]->name);
    }
    free(m);
    return s;
}

static uw_status read_directory(zip *z, uint32_t entries, size_t bytes) {
    uw_status s;
    unsigned char *dir = malloc(bytes + 1);
    z->members = calloc((size_t)entries + 1, sizeof *z->members);
    if (!dir || !z->members) {
        s = uw__no_memory(z->err, z->path, bytes + (uint64_t)entries * sizeof *z->members);
        goto done;
    }
    if ((s = uw__read_at(z->fd, dir, bytes, z->directory, z->path, z->err))) goto done;
    size_t at = 0;
    for (uint32_t i = 0; i < entries && !s; i++) {
        const unsigned char *e = dir + at;
        if (bytes - at < ENTRY_BYTES || memcmp(e, "PK\1\2", 4)) {
            s = bad_zip(z, "the directory is cut short");
            break;
        }
        const size_t name = get16(e + 28), rest = get16(e + 30) + (size_t)get16(e + 32);
        if (bytes - at - ENTRY_BYTES < name + rest) {
            s = bad_zip(z, "the directory is cut short");
            break;
        }
        s = read_entry(z, e, (const char *)e + ENTRY_BYTES, name);
        at += ENTRY_BYTES + name + rest;
    }
    if (!s && at != bytes) s = bad_zip(z, "the directory is longer than its entries");
done:
    free(dir);
    return s;
}

uw_status uw__zip_read(int fd, const char *path, uint64_t size, uint64_t max_bytes,
                       const uw_zip_rules *rules, uw_zip_member **members, int32_t *count,
                       uw_err *err) {
    zip z = {.fd = fd, .path = path, .rules = rules, .size = size, .err = err};
    unsigned char end[END_BYTES] = {0};
    uint64_t at = 0;
    uw_status s;
    if (size < END_BYTES) return bad_zip(&z, "shorter than an empty archive");
    if ((s = find_end(&z, end, &at))) return s;
    const uint32_t entries = get16(end + 10), bytes = get32(end + 12), offset = get32(end + 16);
    if (entries == 0xffff || bytes == UINT32_MAX || offset == UINT32_MAX) return zip64(&z);
    if (get16(end + 4) || get16(end + 6) || get16(end + 8) != entries) {
        return bad_zip(&z, "wanted an archive in one piece");
    }
    if ((s = skip_end64(&z, end, &at))) return s;
    if (bytes > MAX_DIRECTORY || (uint64_t)offset + bytes != at ||
        (uint64_t)entries * ENTRY_BYTES > bytes) {
        return bad_zip(&z, "the directory does not end where the end record begins");
    }
    z.directory = offset;
    s = read_directory(&z, entries, bytes);
    if (!s) s = check_members(&z, max_bytes);
    *members = z.members;
    *count = z.count;
    return s;
}

void uw__zip_free(uw_zip_member *members, int32_t count) {
    for (int32_t i = 0; i < count; i++) free(members[i].name);
    free(members);
}

struct uw_zip_stream {
    int fd;
    const char *path;
    const uw_zip_member *member;
    uint64_t taken, given; /* packed bytes read, unpacked bytes handed out */
    uint32_t crc;
    bool inflating, ended;
    z_stream z;
    unsigned char buffer[BUFFER];
};

/* zlib's memory from our own calls, so that running out of it is tested like everything else. */
static void *z_alloc(void *arg, unsigned n, unsigned size) {
    (void)arg;
    return calloc(n, size);
}

static void z_free(void *arg, void *p) {
    (void)arg;
    free(p);
}

uw_status uw__zip_open(int fd, const char *path, const uw_zip_member *member, uw_zip_stream **out,
                       uw_err *err) {
    *out = NULL;
    uw_zip_stream *z = calloc(1, sizeof *z);
    if (!z) return uw__no_memory(err, path, sizeof *z);
    z->fd = fd;
    z->path = path;
    z->member = member;
    z->z.zalloc = z_alloc;
    z->z.zfree = z_free;
    if (member->deflated) {
        if (inflateInit2(&z->z, -MAX_WBITS) != Z_OK) {
            free(z);
            return uw__no_memory(err, path, 1 << 15);
        }
        z->inflating = true;
    }
    *out = z;
    return UW_OK;
}

static uw_status short_member(const uw_zip_stream *z, uw_err *err) {
    return uw__refuse(err, UW_EFORMAT, z->path, "size_mismatch", FIX_DAMAGED,
                      "member %.60s: wanted %llu bytes when unpacked, got another number",
                      z->member->name, (unsigned long long)z->member->unpacked);
}

static uw_status get_stored(uw_zip_stream *z, unsigned char *out, size_t n, uw_err *err) {
    const uw_status s = uw__read_at(z->fd, out, n, z->member->data + z->taken, z->path, err);
    z->taken += n;
    return s;
}

static uw_status get_deflated(uw_zip_stream *z, unsigned char *out, size_t n, uw_err *err) {
    z->z.next_out = out;
    z->z.avail_out = (uInt)n;
    while (z->z.avail_out && !z->ended) {
        const uint64_t left = z->member->packed - z->taken;
        if (!z->z.avail_in && left) {
            const size_t more = left < BUFFER ? (size_t)left : BUFFER;
            const uw_status s =
                uw__read_at(z->fd, z->buffer, more, z->member->data + z->taken, z->path, err);
            if (s) return s;
            z->taken += more;
            z->z.next_in = z->buffer;
            z->z.avail_in = (uInt)more;
        }
        const int r = inflate(&z->z, Z_NO_FLUSH);
        if (r == Z_MEM_ERROR) return uw__no_memory(err, z->path, 1 << 15);
        if (r != Z_OK && r != Z_STREAM_END) {
            return uw__refuse(err, UW_EFORMAT, z->path, "bad_deflate", FIX_DAMAGED,
                              "member %.60s cannot be unpacked", z->member->name);
        }
        z->ended = r == Z_STREAM_END;
    }
    return z->z.avail_out ? short_member(z, err) : UW_OK;
}

uw_status uw__zip_get(uw_zip_stream *z, void *out, uint64_t n, uw_err *err) {
    unsigned char *at = out;
    if (n > z->member->unpacked - z->given) return short_member(z, err);
    while (n) {
        const size_t piece = n < 1u << 30 ? (size_t)n : 1u << 30;
        const uw_status s =
            z->member->deflated ? get_deflated(z, at, piece, err) : get_stored(z, at, piece, err);
        if (s) return s;
        z->crc = (uint32_t)crc32(z->crc, at, (uInt)piece);
        z->given += piece;
        at += piece;
        n -= piece;
    }
    return UW_OK;
}

uw_status uw__zip_end(uw_zip_stream *z, bool alone, uw_err *err) {
    unsigned char extra;
    if (z->given != z->member->unpacked) return short_member(z, err);
    if (z->member->deflated && !z->ended) {
        /* The stream's end mark may still stand in the input; one more byte may not. */
        const uw_status s = get_deflated(z, &extra, 1, NULL);
        if (s == UW_ENOMEM) return uw__no_memory(err, z->path, 1 << 15);
        if (!s || !z->ended) return short_member(z, err);
    }
    if (z->member->deflated && (z->z.avail_in || z->taken != z->member->packed)) {
        return short_member(z, err);
    }
    if (!alone && z->crc != z->member->crc) {
        return uw__refuse(err, UW_EFORMAT, z->path, "bad_checksum", FIX_DAMAGED,
                          "member %.60s: wanted CRC %08x, got %08x", z->member->name,
                          z->member->crc, z->crc);
    }
    return UW_OK;
}

void uw__zip_close(uw_zip_stream *z) {
    if (!z) return;
    if (z->inflating) inflateEnd(&z->z);
    free(z);
}
