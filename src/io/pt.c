/* Reading PyTorch's weight files, both kinds.
 *
 *   zip      NAME/data.pkl        the pickle: a dict of tensors, which name their storages by key
 *            NAME/byteorder       "little" or "big"; absent = little
 *            NAME/data/KEY        one storage's bytes, stored
 *   legacy   four pickles: magic number, protocol 1001, facts on the writer, the dict;
 *            a fifth, the list of storage keys; then per key a count (i64) and the numbers,
 *            little-endian always
 *
 * The pickle says how large everything is, the file how large it can be: both must agree before
 * memory is taken, and what overlapping views unfold to is limited to a multiple of the file. */
#include "pt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checked.h"
#include "fileio.h"
#include "pt_pickle.h"
#include "utf8.h"
#include "zip.h"

#define FIX_FETCH         "the file is damaged or no state dict: fetch it again, or save model.state_dict()"
#define DEFAULT_MAX_BYTES (UINT64_C(16) << 30)

enum { PLACE = 64, MAX_NAME = 1024, UNFOLD = 4, READ = 64, SLACK = 1 << 20 };

static const unsigned char legacy_magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                             0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
static const uw_zip_rules rules = {
    .ending = "", .twice = "duplicate_entry", .fix = FIX_FETCH, .stored = true};

struct uw_pt {
    uw_tensor *tensors;  /* owned [count] */
    char *names;         /* owned */
    unsigned char *data; /* owned */
    int32_t count;
};

/* What is needed while reading. */
typedef struct reader {
    const char *path;
    int fd;
    uint64_t size;
    uw_pickle pickle;
    unsigned char *text;    /* owned: the pickle's bytes */
    uint64_t *places;       /* owned [num_storages]: where each begins in the file */
    uw_zip_member *members; /* owned, by name */
    int32_t num_members;
    bool swap; /* the numbers are big-endian */
    uw_err *err;
} reader;

static uw_status refuse(const reader *r, const char *reason, const char *what) {
    return uw__refuse(r->err, UW_EFORMAT, r->path, reason, FIX_FETCH, "%s", what);
}

/* The text of a node, at most MAX_NAME bytes, clean; false otherwise. */
static bool text_of(const uw_pickle *p, uint32_t node, char out[MAX_NAME + 1]) {
    const uw_pk_node *n = &p->nodes[node];
    if (n->kind != UW_PK_TEXT || !n->as.text.bytes || n->as.text.bytes > MAX_NAME) return false;
    memcpy(out, p->data + n->as.text.at, n->as.text.bytes);
    out[n->as.text.bytes] = '\0';
    return strlen(out) == n->as.text.bytes && uw__utf8_clean(out, false);
}

static uint64_t storage_bytes(const uw_pk_storage *s) {
    return (uint64_t)s->numel * uw_dtype_bytes(s->dtype);
}

static uw_status mismatch(const reader *r, const char *key, uint64_t want, uint64_t got) {
    return uw__refuse(r->err, UW_EFORMAT, r->path, "storage_size_mismatch", FIX_FETCH,
                      "storage %.40s: wanted %llu bytes, got %llu", key, (unsigned long long)want,
                      (unsigned long long)got);
}

static uw_status missing(const reader *r, const char *key) {
    return uw__refuse(r->err, UW_EFORMAT, r->path, "missing_storage", FIX_FETCH,
                      "storage %.40s: the file has none of that name", key);
}

static uw_status new_places(reader *r) {
    const size_t n = (size_t)r->pickle.num_storages + 1;
    r->places = calloc(n, sizeof *r->places);
    return r->places ? UW_OK : uw__no_memory(r->err, r->path, n * sizeof *r->places);
}

/* ---- the zip kind -----------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b) {
    return strcmp(((const uw_zip_member *)a)->name, ((const uw_zip_member *)b)->name);
}

static const uw_zip_member *find_member(const reader *r, char *name) {
    const uw_zip_member key = {.name = name};
    if (!r->num_members) return NULL;
    return bsearch(&key, r->members, (size_t)r->num_members, sizeof key, by_name);
}

/* Read a member's bytes, or only check them against its checksum when out is NULL. */
static uw_status read_member(const reader *r, const uw_zip_member *m, unsigned char *out) {
    unsigned char piece[1 << 12];
    uw_zip_stream *stream = NULL;
    uw_status s = uw__zip_open(r->fd, r->path, m, &stream, r->err);
    if (!s && out) s = uw__zip_get(stream, out, m->unpacked, r->err);
    for (uint64_t left = out ? 0 : m->unpacked; !s && left;) {
        const uint64_t n = left < sizeof piece ? left : sizeof piece;
        s = uw__zip_get(stream, piece, n, r->err);
        left -= n;
    }
    if (!s) s = uw__zip_end(stream, false, r->err);
    uw__zip_close(stream);
    return s;
}

/* The folder of the one NAME/data.pkl, with its slash. */
static uw_status find_pickle(const reader *r, const uw_zip_member **pickle,
                             char folder[MAX_NAME + 1]) {
    *pickle = NULL;
    for (int32_t i = 0; i < r->num_members; i++) {
        const char *name = r->members[i].name, *slash = strchr(name, '/');
        if (!slash || strcmp(slash, "/data.pkl")) continue;
        if (*pickle) return refuse(r, "duplicate_entry", "wanted one data.pkl, got several");
        *pickle = &r->members[i];
        snprintf(folder, MAX_NAME + 1, "%.*s", (int)(slash + 1 - name), name);
    }
    return *pickle ? UW_OK : refuse(r, "missing_entry", "wanted NAME/data.pkl, got none");
}

static uw_status read_byteorder(reader *r, const char *folder) {
    char name[MAX_NAME + 16];
    unsigned char word[8] = {0};
    snprintf(name, sizeof name, "%sbyteorder", folder);
    const uw_zip_member *m = find_member(r, name);
    if (!m) return UW_OK;
    if (m->unpacked < sizeof word) {
        const uw_status s = read_member(r, m, word);
        if (s) return s;
    }
    r->swap = !strcmp((const char *)word, "big");
    if (r->swap || !strcmp((const char *)word, "little")) return UW_OK;
    return refuse(r, "bad_byte_order", "byteorder, wanted little or big, got another word");
}

/* Give every storage the place of the member that its key names. */
static uw_status place_members(reader *r, const char *folder) {
    uw_status s = new_places(r);
    for (uint32_t i = 0; !s && i < r->pickle.num_storages; i++) {
        const uw_pk_storage *storage = &r->pickle.storages[i];
        char key[MAX_NAME + 1], name[2 * MAX_NAME + 16];
        if (!text_of(&r->pickle, storage->key, key)) {
            return refuse(r, "unsafe_name", "wanted storage keys in plain letters");
        }
        snprintf(name, sizeof name, "%sdata/%s", folder, key);
        const uw_zip_member *m = find_member(r, name);
        if (!m) return missing(r, key);
        if (m->unpacked != storage_bytes(storage)) {
            return mismatch(r, key, storage_bytes(storage), m->unpacked);
        }
        r->places[i] = m->data;
    }
    return s;
}

static uw_status read_zip(reader *r) {
    const uw_zip_member *pickle;
    char folder[MAX_NAME + 1];
    uw_status s = uw__zip_read(r->fd, r->path, r->size, r->size, &rules, &r->members,
                               &r->num_members, r->err);
    if (s) return s;
    if (r->num_members) qsort(r->members, (size_t)r->num_members, sizeof *r->members, by_name);
    if ((s = find_pickle(r, &pickle, folder)) || (s = read_byteorder(r, folder))) return s;
    if (pickle->unpacked > UW_PK_MAX_BYTES) {
        return refuse(r, "too_large", "data.pkl: wanted at most 16 MiB");
    }
    r->text = malloc((size_t)pickle->unpacked + 1);
    if (!r->text) return uw__no_memory(r->err, r->path, pickle->unpacked);
    s = read_member(r, pickle, r->text);
    if (!s) s = uw__pickle_read(r->path, r->text, (size_t)pickle->unpacked, &r->pickle, r->err);
    return s ? s : place_members(r, folder);
}

/* ---- the legacy kind --------------------------------------------------------------------------
 */

/* Read a pickle at *at of the head, whose result only has to be one. */
static uw_status skip_pickle(const reader *r, size_t head, size_t *at) {
    uw_pickle p;
    const uw_status s = uw__pickle_read(r->path, r->text + *at, head - *at, &p, r->err);
    *at += p.used;
    uw__pickle_free(&p);
    return s;
}

/* Mentions of storages, ordered by key. */
typedef struct mention {
    const unsigned char *key;
    uint32_t bytes, storage;
} mention;

static int by_key(const void *a, const void *b) {
    const mention *x = a, *y = b;
    const uint32_t n = x->bytes < y->bytes ? x->bytes : y->bytes;
    const int order = memcmp(x->key, y->key, n);
    return order ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The numbers of one key: place all its mentions at *at and step over them. */
static uw_status place_key(reader *r, const mention *all, const mention *like, uint64_t *at) {
    const mention *end = all + r->pickle.num_storages;
    const mention *m = bsearch(like, all, r->pickle.num_storages, sizeof *all, by_key);
    unsigned char raw[8];
    uint64_t count = 0, bytes;
    char key[48];
    snprintf(key, sizeof key, "%.*s", (int)(like->bytes < 40 ? like->bytes : 40),
             (const char *)like->key);
    if (!m) return missing(r, key);
    while (m > all && !by_key(m - 1, like)) m--;
    if (r->places[m->storage]) return refuse(r, "duplicate_key", "a storage's key twice");
    const uw_status s = uw__read_at(r->fd, raw, sizeof raw, *at, r->path, r->err);
    if (s) return s;
    for (int i = 7; i >= 0; i--) count = count << 8 | raw[i];
    *at += sizeof raw;
    if (!uw__mul_u64(count, uw_dtype_bytes(r->pickle.storages[m->storage].dtype), &bytes)) {
        bytes = UINT64_MAX;
    }
    for (; m < end && !by_key(m, like); m++) {
        const uint64_t want = storage_bytes(&r->pickle.storages[m->storage]);
        if (want != bytes) return mismatch(r, key, want, bytes);
        r->places[m->storage] = *at;
    }
    if (!uw__range_ok(*at, bytes, r->size)) {
        return refuse(r, "truncated", "the numbers of a storage reach beyond the end");
    }
    *at += bytes;
    return UW_OK;
}

/* Walk through the keys' list and the numbers behind it. */
static uw_status place_keys(reader *r, const uw_pickle *keys, uint64_t at) {
    uw_status s = new_places(r);
    const uint32_t n = r->pickle.num_storages;
    mention *all = malloc(((size_t)n + 1) * sizeof *all);
    if (!s && !all) s = uw__no_memory(r->err, r->path, n * sizeof *all);
    for (uint32_t i = 0; !s && i < n; i++) {
        const uw_pk_node *key = &r->pickle.nodes[r->pickle.storages[i].key];
        all[i] = (mention){r->pickle.data + key->as.text.at, key->as.text.bytes, i};
    }
    if (!s && n) qsort(all, n, sizeof *all, by_key);
    for (uint32_t i = 0; !s && i < keys->num_entries; i++) {
        const uw_pk_node *key = &keys->nodes[keys->entries[i].value];
        const mention like = {keys->data + key->as.text.at, key->as.text.bytes, 0};
        if (keys->entries[i].owner != keys->root || key->kind != UW_PK_TEXT || !n) {
            s = refuse(r, "bad_pickle", "wanted a list of storage keys");
        } else {
            s = place_key(r, all, &like, &at);
        }
    }
    for (uint32_t i = 0; !s && i < n; i++) {
        if (!r->places[i]) s = refuse(r, "missing_storage", "a storage's key is not in the list");
    }
    free(all);
    return s;
}

static uw_status read_legacy(reader *r) {
    const size_t head = r->size < UW_PK_MAX_BYTES ? (size_t)r->size : UW_PK_MAX_BYTES;
    size_t at = sizeof legacy_magic;
    uw_pickle keys = {0};
    r->text = malloc(head);
    if (!r->text) return uw__no_memory(r->err, r->path, head);
    uw_status s = uw__read_at(r->fd, r->text, head, 0, r->path, r->err);
    if (!s) s = skip_pickle(r, head, &at); /* protocol */
    if (!s) s = skip_pickle(r, head, &at); /* the writer's integers */
    if (!s) s = uw__pickle_read(r->path, r->text + at, head - at, &r->pickle, r->err);
    if (s) return s;
    at += r->pickle.used;
    s = uw__pickle_read(r->path, r->text + at, head - at, &keys, r->err);
    if (!s && keys.nodes[keys.root].kind != UW_PK_LIST) {
        s = refuse(r, "bad_pickle", "wanted a list of storage keys");
    }
    if (!s) s = place_keys(r, &keys, at + keys.used);
    uw__pickle_free(&keys);
    return s;
}

/* ---- from the pickle to tensors ---------------------------------------------------------------
 */

/* The dict with the tensors: the root, or what it has under state_dict. */
static uw_status find_state(const reader *r, uint32_t *state) {
    const uw_pickle *p = &r->pickle;
    bool found = false;
    *state = p->root;
    for (uint32_t i = 0; i < p->num_entries; i++) {
        const uw_pk_entry *e = &p->entries[i];
        if (e->owner != p->root || p->nodes[e->value].kind != UW_PK_DICT ||
            p->nodes[p->root].kind != UW_PK_DICT || !uw__pickle_is(p, e->key, "state_dict")) {
            continue;
        }
        if (found) return refuse(r, "duplicate_key", "state_dict twice");
        found = true;
        *state = e->value;
    }
    if (p->nodes[*state].kind == UW_PK_DICT) return UW_OK;
    return refuse(r, "no_tensors", "wanted a dict of tensors, got another object");
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static uw_status check_twice(const reader *r, const uw_pt *pt) {
    const size_t n = (size_t)pt->count;
    const char **names = malloc(n * sizeof *names);
    if (!names) return uw__no_memory(r->err, r->path, n * sizeof *names);
    uw_status s = UW_OK;
    for (size_t i = 0; i < n; i++) names[i] = pt->tensors[i].name;
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 1; i < n && !s; i++) {
        if (strcmp(names[i - 1], names[i])) continue;
        s = uw__refuse(r->err, UW_EFORMAT, r->path, "duplicate_key", FIX_FETCH,
                       "tensor %.60s twice", names[i]);
    }
    free(names);
    return s;
}

/* Fill in names, types and shapes of the tensors in the dict; which[i] is tensor i in the pickle.
 */
static uw_status list_tensors(const reader *r, uint32_t state, uw_pt *pt, uint32_t *which) {
    const uw_pickle *p = &r->pickle;
    char *at = pt->names;
    for (uint32_t i = 0; i < p->num_entries; i++) {
        const uw_pk_entry *e = &p->entries[i];
        char name[MAX_NAME + 1];
        if (e->owner != state || p->nodes[e->value].kind != UW_PK_TENSOR) continue;
        if (!text_of(p, e->key, name)) {
            return refuse(r, "unsafe_name", "wanted tensor names of 1 to 1024 plain letters");
        }
        const uw_pk_tensor *t = &p->tensors[p->nodes[e->value].as.index];
        uw_tensor *view = &pt->tensors[pt->count];
        *view = (uw_tensor){.name = strcpy(at, name),
                            .dtype = p->storages[t->storage].dtype,
                            .num_dims = t->num_dims};
        memcpy(view->shape, t->shape, sizeof t->shape);
        which[pt->count++] = p->nodes[e->value].as.index;
        at += strlen(name) + 1;
    }
    return pt->count ? check_twice(r, pt) : refuse(r, "no_tensors", "the dict holds no tensor");
}

/* Numbers from a tensor's first to its last in the storage, strides included. */
static uint64_t span_of(const uw_pk_tensor *t) {
    uint64_t n = 1;
    for (int32_t i = 0; i < t->num_dims; i++) {
        if (!t->shape[i]) return 0;
        n += (uint64_t)(t->shape[i] - 1) * (uint64_t)t->stride[i];
    }
    return n;
}

static uint64_t placed(uint64_t bytes) {
    return (bytes + PLACE - 1) / PLACE * PLACE;
}

/* Place all tensors in one block, having seen that they are worth their file. */
static uw_status place_tensors(const reader *r, uw_pt *pt, const uint32_t *which) {
    const uint64_t most = UNFOLD * r->size + SLACK;
    uint64_t total = 0, spans = 0;
    for (int32_t i = 0; i < pt->count; i++) {
        const uw_tensor *t = &pt->tensors[i];
        const int64_t n = uw_tensor_count(t);
        const uint64_t width = uw_dtype_bytes(t->dtype),
                       span = span_of(&r->pickle.tensors[which[i]]);
        if (n < 0 || (uint64_t)n > most || span > READ * r->size + SLACK) total = most + 1;
        if (total <= most) total += placed((uint64_t)n * width), spans += span * width;
        if (total > most || spans > READ * r->size + SLACK) {
            return refuse(r, "too_large", "tensors overlap until they are many times the file");
        }
    }
    pt->data = aligned_alloc(PLACE, (size_t)total + PLACE);
    if (!pt->data) return uw__no_memory(r->err, r->path, total);
    uint64_t at = 0;
    for (int32_t i = 0; i < pt->count; i++) {
        uw_tensor *t = &pt->tensors[i];
        t->data = pt->data + at;
        at += placed((uint64_t)uw_tensor_count(t) * uw_dtype_bytes(t->dtype));
    }
    return UW_OK;
}

static bool row_major(const uw_pk_tensor *t) {
    int64_t want = 1;
    for (int32_t i = t->num_dims; i-- > 0;) {
        if (t->shape[i] != 1 && t->stride[i] != want) return false;
        want *= t->shape[i];
    }
    return true;
}

/* Copy the view out of its span of the storage, last axis fastest. */
static void gather(const uw_pk_tensor *t, size_t width, const unsigned char *span,
                   unsigned char *out) {
    int64_t index[UW_MAX_DIMS] = {0};
    size_t from = 0;
    for (;;) {
        memcpy(out, span + from * width, width);
        out += width;
        int32_t d = t->num_dims - 1;
        for (; d >= 0; d--) {
            from += (size_t)t->stride[d];
            if (++index[d] < t->shape[d]) break;
            from -= (size_t)(t->shape[d] * t->stride[d]);
            index[d] = 0;
        }
        if (d < 0) return;
    }
}

static void swap_bytes(unsigned char *data, size_t bytes, size_t width) {
    for (size_t at = 0; at < bytes; at += width) {
        for (size_t i = 0; i < width / 2; i++) {
            const unsigned char x = data[at + i];
            data[at + i] = data[at + width - 1 - i];
            data[at + width - 1 - i] = x;
        }
    }
}

static uw_status read_tensor(const reader *r, const uw_pk_tensor *t, const uw_tensor *view) {
    const size_t width = uw_dtype_bytes(view->dtype), span = (size_t)span_of(t) * width;
    unsigned char *to = (unsigned char *)(uintptr_t)view->data, *work = NULL;
    const uint64_t at = r->places[t->storage] + (uint64_t)t->offset * width;
    uw_status s;
    if (!span) return UW_OK;
    if (row_major(t)) {
        s = uw__read_at(r->fd, to, span, at, r->path, r->err);
    } else {
        work = malloc(span);
        if (!work) return uw__no_memory(r->err, r->path, span);
        s = uw__read_at(r->fd, work, span, at, r->path, r->err);
        if (!s) gather(t, width, work, to);
        free(work);
    }
    if (!s && r->swap) swap_bytes(to, (size_t)uw_tensor_count(view) * width, width);
    return s;
}

static uw_status read_state(const reader *r, uw_pt *pt) {
    const uw_pickle *p = &r->pickle;
    uint32_t state, *which = NULL, tensors = 0;
    size_t letters = 0;
    uw_status s = find_state(r, &state);
    if (s) return s;
    for (uint32_t i = 0; i < p->num_entries; i++) {
        const uw_pk_entry *e = &p->entries[i];
        if (e->owner != state || p->nodes[e->value].kind != UW_PK_TENSOR) continue;
        tensors++;
        if (p->nodes[e->key].kind == UW_PK_TEXT) letters += p->nodes[e->key].as.text.bytes + 1u;
    }
    pt->tensors = calloc((size_t)tensors + 1, sizeof *pt->tensors);
    pt->names = malloc(letters + 1);
    which = malloc(((size_t)tensors + 1) * sizeof *which);
    if (!pt->tensors || !pt->names || !which)
        s = uw__no_memory(r->err, r->path, tensors * sizeof *pt->tensors + letters);
    else
        s = list_tensors(r, state, pt, which);
    if (!s) s = place_tensors(r, pt, which);
    for (int32_t i = 0; !s && i < pt->count; i++) {
        s = read_tensor(r, &p->tensors[which[i]], &pt->tensors[i]);
    }
    free(which);
    return s;
}

/* Every byte of an archive carries a checksum; views read parts only, so storages are checked as
 * wholes. */
static uw_status check_members(const reader *r) {
    uw_status s = UW_OK;
    for (int32_t i = 0; i < r->num_members && !s; i++) s = read_member(r, &r->members[i], NULL);
    return s;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static uw_status read_file(reader *r, uw_pt *pt) {
    unsigned char magic[sizeof legacy_magic] = {0};
    const size_t n = r->size < sizeof magic ? (size_t)r->size : sizeof magic;
    uw_status s = uw__read_at(r->fd, magic, n, 0, r->path, r->err);
    if (s) return s;
    if (!memcmp(magic, "PK\3\4", 4)) {
        s = read_zip(r);
    } else if (!memcmp(magic, legacy_magic, sizeof magic)) {
        s = read_legacy(r);
    } else if (n < sizeof magic) {
        return refuse(r, "truncated", "shorter than any weights");
    } else {
        return refuse(r, "not_pt", "wanted a file of torch.save, got something else");
    }
    if (!s) s = read_state(r, pt);
    return s ? s : check_members(r);
}

uw_status uw__pt_open(const char *path, uint64_t max_bytes, uw_pt **out, uw_err *err) {
    reader r = {.path = path, .fd = -1, .err = err};
    *out = NULL;
    if (!max_bytes) max_bytes = DEFAULT_MAX_BYTES;
    uw_status s = uw__file_open(path, &r.fd, &r.size, err);
    if (s) return s;
    uw_pt *pt = calloc(1, sizeof *pt);
    if (!pt)
        s = uw__no_memory(err, path, sizeof *pt);
    else if (r.size > max_bytes)
        s = refuse(&r, "too_large", "more bytes than any weights of ours");
    else
        s = read_file(&r, pt);
    uw__pickle_free(&r.pickle);
    uw__zip_free(r.members, r.num_members);
    free(r.places);
    free(r.text);
    close(r.fd);
    if (s)
        uw__pt_close(pt);
    else
        *out = pt;
    return s;
}

uw_status uw__pt_recognise(const char *path, bool *is, uw_err *err) {
    unsigned char magic[4] = {0};
    uint64_t size;
    int fd;
    uw_status s = uw__file_open(path, &fd, &size, err);
    if (s) return s;
    if (size >= sizeof magic) s = uw__read_at(fd, magic, sizeof magic, 0, path, err);
    close(fd);
    *is = !memcmp(magic, "PK\3\4", 4) || (magic[0] == 0x80 && magic[1] >= 2 && magic[1] <= 5);
    return s;
}

void uw__pt_close(uw_pt *pt) {
    if (!pt) return;
    free(pt->tensors);
    free(pt->names);
    free(pt->data);
    free(pt);
}

int32_t uw__pt_count(const uw_pt *pt) {
    return pt->count;
}

uw_tensor uw__pt_tensor(const uw_pt *pt, int32_t i) {
    return pt->tensors[i];
}
