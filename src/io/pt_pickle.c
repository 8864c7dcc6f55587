/* Interpreting the pickles of PyTorch's weight files.
 *
 * Trusted with nothing: every opcode's operands are counted on the stack and in the bytes, memory
 * is bounded by fixed limits on nodes, and a tuple that is shared sixty times over is counted as
 * what it would unfold to, so that nobody who reads the result can be made to unfold it.  GLOBAL
 * and REDUCE are the two opcodes that make pickle a program; here GLOBAL picks from a table and
 * REDUCE fills in a struct. */
#include "pt_pickle.h"

#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"

#define FIX_SAVE "in Python: torch.save(model.state_dict(), \"weights.pt\")"

enum {
    MAX_NODES = 1 << 20,
    MAX_LEAVES = 1 << 24,
    MAX_DEPTH = 64,
    MAX_MARKS = 4096,
    MAX_WORD = 200 /* letters of a global's module and name */
};

/* What a permitted global stands for. */
typedef enum role { STORAGE_TYPE, ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER } role;

enum { NO_DTYPE = -1 };

static const struct {
    const char *module, *name;
    role role;
    int dtype; /* of a storage type */
} permitted[] = {
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0},
    {"collections", "OrderedDict", ORDERED_DICT, 0},
    {"torch", "FloatStorage", STORAGE_TYPE, UW_DTYPE_F32},
    {"torch", "DoubleStorage", STORAGE_TYPE, UW_DTYPE_F64},
    {"torch", "HalfStorage", STORAGE_TYPE, UW_DTYPE_F16},
    {"torch", "BFloat16Storage", STORAGE_TYPE, UW_DTYPE_BF16},
    {"torch", "LongStorage", STORAGE_TYPE, UW_DTYPE_I64},
    {"torch", "IntStorage", STORAGE_TYPE, UW_DTYPE_I32},
    {"torch", "ByteStorage", STORAGE_TYPE, UW_DTYPE_U8},
    {"torch", "BoolStorage", STORAGE_TYPE, UW_DTYPE_BOOL},
    {"torch", "ShortStorage", STORAGE_TYPE, NO_DTYPE},
    {"torch", "CharStorage", STORAGE_TYPE, NO_DTYPE},
    {"torch", "ComplexFloatStorage", STORAGE_TYPE, NO_DTYPE},
    {"torch", "ComplexDoubleStorage", STORAGE_TYPE, NO_DTYPE},
};
enum { NUM_PERMITTED = sizeof permitted / sizeof *permitted };

/* An array that grows up to MAX_NODES. */
typedef struct stack {
    uint32_t *at;
    uint32_t count, cap;
} stack;

typedef struct machine {
    const char *name;
    const unsigned char *data;
    size_t size, at;
    uw_pickle *p;
    stack values, marks, memo; /* marks: heights of values; memo: node + 1, 0 = nothing */
    uint32_t cap_nodes, cap_items, cap_entries, cap_storages, cap_tensors;
    uw_err *err;
} machine;

/* ---- refusals and room ----------------------------------------------------------------------- */

static uw_status bad(const machine *m, const char *what) {
    return uw__refuse(m->err, UW_EFORMAT, m->name, "bad_pickle", FIX_SAVE, "%s at byte %zu", what,
                      m->at);
}

static uw_status too_complex(const machine *m, const char *what) {
    return uw__refuse(m->err, UW_EFORMAT, m->name, "too_complex", FIX_SAVE,
                      "%s, more than any weights need, at byte %zu", what, m->at);
}

/* Make room for one more element. */
static uw_status room(const machine *m, void **array, uint32_t count, uint32_t *cap, size_t size) {
    if (count < *cap) return UW_OK;
    if (count >= MAX_NODES) return too_complex(m, "too many values");
    const uint32_t more = *cap ? 2 * *cap : 64;
    void *grown = realloc(*array, more * size);
    if (!grown) return uw__no_memory(m->err, m->name, more * size);
    *array = grown;
    *cap = more;
    return UW_OK;
}

static uw_status push(machine *m, stack *s, uint32_t value) {
    void *array = s->at;
    const uw_status status = room(m, &array, s->count, &s->cap, sizeof *s->at);
    s->at = array;
    if (!status) s->at[s->count++] = value;
    return status;
}

/* Add a node and push it. */
static uw_status push_node(machine *m, uw_pk_node node) {
    void *array = m->p->nodes;
    const uw_status s = room(m, &array, m->p->num_nodes, &m->cap_nodes, sizeof node);
    m->p->nodes = array;
    if (s) return s;
    if (!node.leaves) node.leaves = 1;
    m->p->nodes[m->p->num_nodes] = node;
    return push(m, &m->values, m->p->num_nodes++);
}

/* Height that the values may not fall below: what is under a mark is out of reach. */
static uint32_t ground(const machine *m) {
    return m->marks.count ? m->marks.at[m->marks.count - 1] : 0;
}

static uw_status pop(machine *m, uint32_t *value) {
    if (m->values.count <= ground(m)) return bad(m, "wanted a value on the stack, got none");
    *value = m->values.at[--m->values.count];
    return UW_OK;
}

/* Count what hangs below a node, whether or not it is already there through another way. */
static uw_status attach(machine *m, uw_pk_node *parent, uint32_t child) {
    const uw_pk_node *c = &m->p->nodes[child];
    if (c->depth + 1 > MAX_DEPTH) {
        return uw__refuse(m->err, UW_EFORMAT, m->name, "too_deep", FIX_SAVE,
                          "wanted at most %d nested values, got more at byte %zu", MAX_DEPTH,
                          m->at);
    }
    if (parent->depth <= c->depth) parent->depth = (uint8_t)(c->depth + 1);
    parent->leaves += c->leaves; /* both at most MAX_LEAVES */
    return parent->leaves > MAX_LEAVES ? too_complex(m, "values shared over and over") : UW_OK;
}

/* ---- operands ---------------------------------------------------------------------------------
 */

static uw_status take(machine *m, size_t n, const unsigned char **bytes) {
    if (n > m->size - m->at) {
        return uw__refuse(m->err, UW_EFORMAT, m->name, "truncated", FIX_SAVE,
                          "the pickle ends early, at byte %zu", m->size);
    }
    *bytes = m->data + m->at;
    m->at += n;
    return UW_OK;
}

static uw_status take_uint(machine *m, size_t n, uint64_t *value) {
    const unsigned char *raw = NULL;
    const uw_status s = take(m, n, &raw);
    if (s) return s;
    *value = 0;
    for (size_t i = 0; i < n; i++) *value |= (uint64_t)raw[i] << (8 * i);
    return UW_OK;
}

static uw_status op_int(machine *m, size_t n, bool has_sign) {
    uint64_t v = 0;
    const uw_status s = take_uint(m, n, &v);
    if (s) return s;
    if (has_sign && n && n < 8 && v >> (8 * n - 1)) v |= ~((UINT64_C(1) << (8 * n)) - 1);
    return push_node(m, (uw_pk_node){.kind = UW_PK_INT, .as.integer = (int64_t)v});
}

static uw_status op_long(machine *m) {
    uint64_t n;
    const uw_status s = take_uint(m, 1, &n);
    if (s) return s;
    return n > 8 ? bad(m, "wanted whole numbers of at most 64 bits") : op_int(m, (size_t)n, true);
}

static uw_status op_text(machine *m, size_t length_bytes) {
    uint64_t n;
    const unsigned char *raw = NULL;
    uw_status s = take_uint(m, length_bytes, &n);
    if (!s) s = take(m, (size_t)n, &raw);
    if (s) return s;
    return push_node(
        m, (uw_pk_node){.kind = UW_PK_TEXT, .as.text = {(uint32_t)(raw - m->data), (uint32_t)n}});
}

/* A line up to its newline, which is left out. */
static uw_status take_line(machine *m, const unsigned char **line, size_t *n) {
    const unsigned char *raw = NULL;
    for (*n = 0; m->at + *n < m->size && m->data[m->at + *n] != '\n'; ++*n) {
        if (*n >= MAX_WORD) return bad(m, "wanted a short name");
    }
    const uw_status s = take(m, *n + 1, &raw);
    *line = raw;
    return s;
}

/* Letters that a message may show. */
static void show(char *out, size_t size, const unsigned char *raw, size_t n) {
    size_t i = 0;
    for (; i < n && i + 1 < size; i++) out[i] = raw[i] > 32 && raw[i] < 127 ? (char)raw[i] : '?';
    out[i] = '\0';
}

static bool same(const unsigned char *raw, size_t n, const char *text) {
    return strlen(text) == n && !memcmp(raw, text, n);
}

static uw_status op_global(machine *m) {
    const unsigned char *module, *name;
    size_t module_bytes, name_bytes;
    uw_status s = take_line(m, &module, &module_bytes);
    if (!s) s = take_line(m, &name, &name_bytes);
    if (s) return s;
    for (uint32_t i = 0; i < NUM_PERMITTED; i++) {
        if (!same(module, module_bytes, permitted[i].module)) continue;
        if (!same(name, name_bytes, permitted[i].name)) continue;
        if (permitted[i].role == STORAGE_TYPE && permitted[i].dtype == NO_DTYPE) {
            return uw__refuse(m->err, UW_EUNSUPPORTED, m->name, "unsupported_dtype",
                              "save the weights as float32",
                              "wanted F32, BF16, F16, F64, I64, I32, U8 or BOOL, got %s",
                              permitted[i].name);
        }
        return push_node(m, (uw_pk_node){.kind = UW_PK_GLOBAL, .as.index = i});
    }
    char shown[2][48];
    show(shown[0], sizeof shown[0], module, module_bytes);
    show(shown[1], sizeof shown[1], name, name_bytes);
    return uw__refuse(m->err, UW_EFORMAT, m->name, "forbidden_global", FIX_SAVE,
                      "wanted tensors only, got a call of %s.%s (nothing was run)", shown[0],
                      shown[1]);
}

/* ---- containers -------------------------------------------------------------------------------
 */

/* A tuple of the n uppermost values. */
static uw_status make_tuple(machine *m, uint32_t n) {
    uw_pk_node t = {.kind = UW_PK_TUPLE, .leaves = 1, .as.index = m->p->num_items};
    if (m->values.count - ground(m) < n) return bad(m, "wanted more values on the stack");
    if (n > UINT16_MAX) return too_complex(m, "a very long tuple");
    t.count = (uint16_t)n;
    const uint32_t base = m->values.count - n;
    for (uint32_t i = 0; i < n; i++) {
        void *array = m->p->items;
        uw_status s = room(m, &array, m->p->num_items, &m->cap_items, sizeof *m->p->items);
        m->p->items = array;
        if (!s) s = attach(m, &t, m->values.at[base + i]);
        if (s) return s;
        m->p->items[m->p->num_items++] = m->values.at[base + i];
    }
    m->values.count = base;
    return push_node(m, t);
}

/* Take the uppermost mark off; *n values lie above it. */
static uw_status unmark(machine *m, uint32_t *n) {
    if (!m->marks.count) return bad(m, "wanted a mark on the stack, got none");
    *n = m->values.count - m->marks.at[--m->marks.count];
    return UW_OK;
}

/* Move the n uppermost values into the container below them: pairs of key and value, or single
 * ones. */
static uw_status fill(machine *m, uw_pk_kind kind, uint32_t n) {
    const uint32_t step = kind == UW_PK_DICT ? 2 : 1, below = ground(m);
    if (m->values.count - below <= n || n % step) return bad(m, "wanted a container to fill");
    const uint32_t base = m->values.count - n, owner = m->values.at[base - 1];
    if (m->p->nodes[owner].kind != kind) return bad(m, "wanted a list or a dict to fill");
    for (uint32_t i = base; i < m->values.count; i += step) {
        const uw_pk_entry e = {owner, m->values.at[i], m->values.at[i + step - 1]};
        void *array = m->p->entries;
        uw_status s = room(m, &array, m->p->num_entries, &m->cap_entries, sizeof e);
        m->p->entries = array;
        if (!s) s = attach(m, &m->p->nodes[owner], e.value);
        if (s) return s;
        m->p->entries[m->p->num_entries++] = e;
    }
    m->values.count = base;
    return UW_OK;
}

static uw_status op_marked(machine *m, uint8_t op) {
    uint32_t n = 0;
    const uw_status s = unmark(m, &n);
    if (s) return s;
    if (op == 't') return make_tuple(m, n);
    return fill(m, op == 'u' ? UW_PK_DICT : UW_PK_LIST, n);
}

static uw_status op_put(machine *m, size_t n) {
    uint64_t slot;
    uw_status s = take_uint(m, n, &slot);
    if (s) return s;
    if (m->values.count <= ground(m)) return bad(m, "wanted a value to keep");
    if (slot >= MAX_NODES) return too_complex(m, "a memo of many values");
    while (!s && m->memo.count <= slot) s = push(m, &m->memo, 0);
    if (!s) m->memo.at[slot] = m->values.at[m->values.count - 1] + 1;
    return s;
}

static uw_status op_get(machine *m, size_t n) {
    uint64_t slot;
    const uw_status s = take_uint(m, n, &slot);
    if (s) return s;
    if (slot >= m->memo.count || !m->memo.at[slot]) return bad(m, "wanted a kept value");
    return push(m, &m->values, m->memo.at[slot] - 1);
}

/* ---- tensors ----------------------------------------------------------------------------------
 */

/* Member i of a tuple when it is of this kind, NULL otherwise. */
static const uw_pk_node *member(const machine *m, const uw_pk_node *tuple, uint32_t i,
                                uw_pk_kind kind) {
    if (tuple->kind != UW_PK_TUPLE || i >= tuple->count) return NULL;
    const uw_pk_node *n = &m->p->nodes[m->p->items[tuple->as.index + i]];
    return n->kind == kind ? n : NULL;
}

/* ("storage", type, key, place, numel[, None]) */
static uw_status op_storage(machine *m) {
    uint32_t id;
    uint64_t bytes;
    uw_status s = pop(m, &id);
    if (s) return s;
    const uw_pk_node *t = &m->p->nodes[id];
    const uw_pk_node *type = member(m, t, 1, UW_PK_GLOBAL), *key = member(m, t, 2, UW_PK_TEXT);
    const uw_pk_node *numel = member(m, t, 4, UW_PK_INT);
    const bool view = t->count == 6 && !member(m, t, 5, UW_PK_OTHER);
    if (!member(m, t, 0, UW_PK_TEXT) || !type || permitted[type->as.index].role != STORAGE_TYPE ||
        !key || !numel || numel->as.integer < 0 || t->count > 6 || view) {
        return bad(m, "wanted a storage: its type, key, place and size");
    }
    const uw_pk_storage storage = {.key = (uint32_t)(key - m->p->nodes),
                                   .dtype = (uw_dtype)permitted[type->as.index].dtype,
                                   .numel = numel->as.integer};
    if (!uw__mul_u64((uint64_t)storage.numel, uw_dtype_bytes(storage.dtype), &bytes) ||
        bytes > INT64_MAX) {
        return bad(m, "wanted a storage of less than 2^63 bytes");
    }
    void *array = m->p->storages;
    s = room(m, &array, m->p->num_storages, &m->cap_storages, sizeof storage);
    m->p->storages = array;
    if (s) return s;
    m->p->storages[m->p->num_storages] = storage;
    return push_node(m, (uw_pk_node){.kind = UW_PK_STORAGE, .as.index = m->p->num_storages++});
}

/* Read sizes and strides; the last element must lie inside the storage. */
static uw_status read_view(const machine *m, const uw_pk_node *size, const uw_pk_node *stride,
                           uw_pk_tensor *t) {
    const int64_t numel = m->p->storages[t->storage].numel;
    int64_t last = t->offset;
    bool empty = false, inside = t->offset >= 0 && t->offset <= numel;
    if (size->count > UW_MAX_DIMS) {
        return uw__refuse(m->err, UW_EUNSUPPORTED, m->name, "too_many_dims", FIX_SAVE,
                          "wanted at most %d axes, got %d", UW_MAX_DIMS, size->count);
    }
    if (stride->count != size->count) return bad(m, "wanted a stride for every size");
    t->num_dims = size->count;
    for (int32_t i = 0; i < t->num_dims; i++) {
        const uw_pk_node *n = member(m, size, (uint32_t)i, UW_PK_INT);
        const uw_pk_node *step = member(m, stride, (uint32_t)i, UW_PK_INT);
        if (!n || !step || n->as.integer < 0 || step->as.integer < 0) {
            return uw__refuse(m->err, UW_EFORMAT, m->name, "bad_shape", FIX_SAVE,
                              "wanted sizes and strides of zero or more, at byte %zu", m->at);
        }
        int64_t reach;
        t->shape[i] = n->as.integer;
        t->stride[i] = step->as.integer;
        empty = empty || !t->shape[i];
        inside =
            inside && (empty || (!__builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &reach) &&
                                 !__builtin_add_overflow(last, reach, &last)));
    }
    if (inside && (empty || last < numel)) return UW_OK;
    return uw__refuse(m->err, UW_EFORMAT, m->name, "tensor_outside_storage", FIX_SAVE,
                      "wanted a tensor inside its storage of %lld numbers, at byte %zu",
                      (long long)numel, m->at);
}

/* (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static uw_status rebuild_tensor(machine *m, const uw_pk_node *args) {
    const uw_pk_node *storage = member(m, args, 0, UW_PK_STORAGE);
    const uw_pk_node *offset = member(m, args, 1, UW_PK_INT);
    const uw_pk_node *size = member(m, args, 2, UW_PK_TUPLE);
    const uw_pk_node *stride = member(m, args, 3, UW_PK_TUPLE);
    if (!storage || !offset || !size || !stride) {
        return bad(m, "wanted a tensor's storage, offset, sizes and strides");
    }
    uw_pk_tensor t = {.storage = storage->as.index, .offset = offset->as.integer};
    uw_status s = read_view(m, size, stride, &t);
    if (s) return s;
    void *array = m->p->tensors;
    s = room(m, &array, m->p->num_tensors, &m->cap_tensors, sizeof t);
    m->p->tensors = array;
    if (s) return s;
    m->p->tensors[m->p->num_tensors] = t;
    return push_node(m, (uw_pk_node){.kind = UW_PK_TENSOR, .as.index = m->p->num_tensors++});
}

/* The three things that may be asked for by name. */
static uw_status op_reduce(machine *m) {
    uint32_t args = 0, callable = 0;
    uw_status s = pop(m, &args);
    if (!s) s = pop(m, &callable);
    if (s) return s;
    const uw_pk_node *a = &m->p->nodes[args], *c = &m->p->nodes[callable];
    if (c->kind != UW_PK_GLOBAL || a->kind != UW_PK_TUPLE) return bad(m, "wanted a tensor");
    switch (permitted[c->as.index].role) {
    case REBUILD_TENSOR:
        return rebuild_tensor(m, a);
    case REBUILD_PARAMETER: /* a parameter is its tensor */
        if (!member(m, a, 0, UW_PK_TENSOR)) break;
        return push(m, &m->values, m->p->items[a->as.index]);
    case ORDERED_DICT:
        if (a->count) break;
        return push_node(m, (uw_pk_node){.kind = UW_PK_DICT});
    case STORAGE_TYPE:
        break;
    }
    return bad(m, "wanted a tensor or an empty dict");
}

/* The attributes of an OrderedDict (_metadata: versions of modules): looked at by nobody. */
static uw_status op_build(machine *m) {
    uint32_t state;
    const uw_status s = pop(m, &state);
    if (s) return s;
    if (m->values.count <= ground(m) ||
        m->p->nodes[m->values.at[m->values.count - 1]].kind != UW_PK_DICT) {
        return bad(m, "wanted a dict to set attributes of");
    }
    return UW_OK;
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static uw_status op_protocol(machine *m) {
    uint64_t version;
    const uw_status s = take_uint(m, 1, &version);
    if (s) return s;
    return version >= 2 && version <= 5 ? UW_OK : bad(m, "wanted pickle protocol 2 to 5");
}

static uw_status op_real(machine *m) {
    const unsigned char *raw = NULL;
    const uw_status s = take(m, 8, &raw);
    return s ? s : push_node(m, (uw_pk_node){.kind = UW_PK_OTHER});
}

static uw_status step(machine *m, uint8_t op) {
    switch (op) {
    case 0x80:
        return op_protocol(m);
    case '(':
        if (m->marks.count >= MAX_MARKS) return too_complex(m, "marks in marks");
        return push(m, &m->marks, m->values.count);
    case 'N':
        return push_node(m, (uw_pk_node){.kind = UW_PK_OTHER});
    case 0x88:
    case 0x89:
        return push_node(m, (uw_pk_node){.kind = UW_PK_BOOL, .as.integer = op == 0x88});
    case 'J':
        return op_int(m, 4, true);
    case 'K':
        return op_int(m, 1, false);
    case 'M':
        return op_int(m, 2, false);
    case 0x8a:
        return op_long(m);
    case 'G':
        return op_real(m);
    case 'X':
        return op_text(m, 4);
    case 'U':
        return op_text(m, 1);
    case ')':
        return make_tuple(m, 0);
    case 0x85:
    case 0x86:
    case 0x87:
        return make_tuple(m, op - 0x84u);
    case ']':
        return push_node(m, (uw_pk_node){.kind = UW_PK_LIST});
    case '}':
        return push_node(m, (uw_pk_node){.kind = UW_PK_DICT});
    case 't':
    case 'e':
    case 'u':
        return op_marked(m, op);
    case 'a':
        return fill(m, UW_PK_LIST, 1);
    case 's':
        return fill(m, UW_PK_DICT, 2);
    case 'q':
        return op_put(m, 1);
    case 'r':
        return op_put(m, 4);
    case 'h':
        return op_get(m, 1);
    case 'j':
        return op_get(m, 4);
    case 'c':
        return op_global(m);
    case 'R':
        return op_reduce(m);
    case 'b':
        return op_build(m);
    case 'Q':
        return op_storage(m);
    default:
        return bad(m, "wanted an opcode that weights are written with");
    }
}

uw_status uw__pickle_read(const char *name, const unsigned char *data, size_t size, uw_pickle *out,
                          uw_err *err) {
    *out = (uw_pickle){.data = data};
    machine m = {.name = name, .data = data, .size = size, .p = out, .err = err};
    const unsigned char *op = NULL;
    uw_status s = UW_OK;
    if (size > UINT32_MAX) return too_complex(&m, "a pickle of gigabytes");
    while (!(s = take(&m, 1, &op)) && *op != '.') {
        if ((s = step(&m, *op))) break;
    }
    if (!s && (m.values.count != 1 || m.marks.count)) s = bad(&m, "wanted one value at the end");
    if (!s) {
        out->root = m.values.at[0];
        out->used = m.at;
    }
    free(m.values.at);
    free(m.marks.at);
    free(m.memo.at);
    return s;
}

void uw__pickle_free(uw_pickle *p) {
    free(p->nodes);
    free(p->items);
    free(p->entries);
    free(p->storages);
    free(p->tensors);
    *p = (uw_pickle){0};
}

bool uw__pickle_is(const uw_pickle *p, uint32_t node, const char *text) {
    const uw_pk_node *n = &p->nodes[node];
    return n->kind == UW_PK_TEXT && same(p->data + n->as.text.at, n->as.text.bytes, text);
}
