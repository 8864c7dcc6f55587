/* Writing PyTorch weight files: the pickle first, then every tensor as a stored member.
 *
 * What torch.save leaves out of its own pickles is left out here too: no memo, because nothing is
 * mentioned twice but short words. */
#include "pt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "json_text.h"
#include "utf8.h"
#include "zip.h"

enum { ALIGN = 64, MAX_NAME = 1024 };

static const char *storage_type(uw_dtype dtype) {
    switch (dtype) {
    case UW_DTYPE_U8:
        return "ByteStorage";
    case UW_DTYPE_I32:
        return "IntStorage";
    case UW_DTYPE_I64:
        return "LongStorage";
    case UW_DTYPE_F16:
        return "HalfStorage";
    case UW_DTYPE_BF16:
        return "BFloat16Storage";
    case UW_DTYPE_F32:
        return "FloatStorage";
    case UW_DTYPE_F64:
        return "DoubleStorage";
    case UW_DTYPE_BOOL:
        return "BoolStorage";
    }
    return NULL;
}

static void put_word(uw_text *t, const char *word) {
    const size_t n = strlen(word);
    const unsigned char length[4] = {(unsigned char)n, (unsigned char)(n >> 8),
                                     (unsigned char)(n >> 16), (unsigned char)(n >> 24)};
    uw__text_put(t, "X", 1);
    uw__text_put(t, (const char *)length, sizeof length);
    uw__text_put(t, word, n);
}

/* A whole number of zero or more: in four bytes where they do, else in eight. */
static void put_whole(uw_text *t, int64_t value) {
    const bool wide = value > INT32_MAX;
    unsigned char raw[8];
    for (int i = 0; i < 8; i++) raw[i] = (unsigned char)((uint64_t)value >> (8 * i));
    uw__text_put(t, wide ? "\x8a\x08" : "J", wide ? 2 : 1);
    uw__text_put(t, (const char *)raw, wide ? 8 : 4);
}

static void put_wholes(uw_text *t, const int64_t *values, int32_t n) {
    uw__text_str(t, "(");
    for (int32_t i = 0; i < n; i++) put_whole(t, values[i]);
    uw__text_str(t, "t");
}

/* _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
static void put_tensor(uw_text *t, const uw_tensor *x, int32_t key) {
    int64_t stride[UW_MAX_DIMS], count = 1;
    char number[16];
    for (int32_t i = x->num_dims; i-- > 0;) {
        stride[i] = count;
        count *= x->shape[i] ? x->shape[i] : 1;
    }
    snprintf(number, sizeof number, "%d", (int)key);
    uw__text_str(t, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_word(t, "storage");
    uw__text_str(t, "ctorch\n");
    uw__text_str(t, storage_type(x->dtype));
    uw__text_str(t, "\n");
    put_word(t, number);
    put_word(t, "cpu");
    put_whole(t, uw_tensor_count(x));
    uw__text_str(t, "tQ");
    put_whole(t, 0);
    put_wholes(t, x->shape, x->num_dims);
    put_wholes(t, stride, x->num_dims);
    uw__text_str(t, "\x89"
                    "ccollections\nOrderedDict\n)RtR");
}

static uw_status check_tensors(const char *path, const uw_tensor *tensors, int32_t count,
                               uw_err *err) {
    for (int32_t i = 0; i < count; i++) {
        const uw_tensor *t = &tensors[i];
        if (!*t->name || strlen(t->name) > MAX_NAME || !uw__utf8_clean(t->name, false)) {
            return uw__refuse(err, UW_EINVAL, path, "unsafe_name", "use another name",
                              "tensor %d: wanted 1 to %d plain letters", (int)i, MAX_NAME);
        }
        if (!storage_type(t->dtype) || uw_tensor_count(t) < 0) {
            return uw__refuse(err, UW_EINVAL, path, "bad_shape", "check type and sizes",
                              "tensor %.60s: wanted a type of ours and sizes that fit", t->name);
        }
    }
    return UW_OK;
}

static uw_status put_member(uw_zip_writer *w, const char *name, const void *data, size_t n,
                            uw_err *err) {
    const uw_status s = uw__zip_writer_begin(w, name, n, ALIGN, err);
    return s ? s : uw__zip_writer_data(w, data, n, err);
}

static uw_status put_members(uw_zip_writer *w, const uw_text *pickle, const uw_tensor *tensors,
                             int32_t count, uw_err *err) {
    uw_status s = put_member(w, "weights/data.pkl", pickle->at, pickle->size, err);
    if (!s) s = put_member(w, "weights/byteorder", "little", 6, err);
    for (int32_t i = 0; i < count && !s; i++) {
        char name[40];
        snprintf(name, sizeof name, "weights/data/%d", (int)i);
        const size_t bytes =
            (size_t)uw_tensor_count(&tensors[i]) * uw_dtype_bytes(tensors[i].dtype);
        s = put_member(w, name, tensors[i].data, bytes, err);
    }
    return s ? s : put_member(w, "weights/version", "3\n", 2, err);
}

uw_status uw__pt_write(const char *path, const uw_tensor *tensors, int32_t count, bool overwrite,
                       uw_err *err) {
    uw_text pickle = {0};
    uw_zip_writer *w = NULL;
    uw_status s = check_tensors(path, tensors, count, err);
    if (s) return s;
    uw__text_put(&pickle, "\x80\x02}", 3);
    for (int32_t i = 0; i < count; i++) {
        put_word(&pickle, tensors[i].name);
        put_tensor(&pickle, &tensors[i], i);
        uw__text_str(&pickle, "s");
    }
    uw__text_str(&pickle, ".");
    if (pickle.failed) s = uw__no_memory(err, path, pickle.cap);
    if (!s) s = uw__zip_writer_open(path, overwrite, &w, err);
    if (!s) s = put_members(w, &pickle, tensors, count, err);
    if (s)
        uw__zip_writer_abort(w);
    else
        s = uw__zip_writer_close(w, err);
    free(pickle.at);
    return s;
}
