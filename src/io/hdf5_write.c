/* HDF5 out, through libhdf5: arrays that grow by rows, in the format that the reference's writer
 * asks for (libver latest).  The library prints its errors and loads filter plugins by default:
 * while a file of ours is open, neither happens. */
#include "h5.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "store.h"

#if defined(UW_HDF5)
#include <hdf5.h>

enum { MAX_ARRAYS = 96, MAX_RANK = 5 };

typedef struct array {
    hid_t data, type;
    int rank;
    hsize_t shape[MAX_RANK]; /* rows first */
} array;

struct uw_h5_writer {
    char *path;
    hid_t file, boolean;
    bool append;
    array arrays[MAX_ARRAYS];
    int32_t num_arrays;
    H5E_auto2_t print; /* what was set before */
    void *print_data;
    unsigned plugins;
};

/* A failed call of the library: most often a full disk, which errno still tells. */
static uw_status library_failed(const uw_h5_writer *w, const char *what, uw_err *err) {
    const int e = errno;
    if (e == ENOSPC || e == EDQUOT || e == EFBIG || e == EACCES || e == EROFS || e == ENOENT) {
        return uw__io_fail(err, w->path, what, e, true);
    }
    return uw__refuse(err, UW_EIO, w->path, "hdf5", "check the disk, or convert to another format",
                      "libhdf5 could not %s", what);
}

static hid_t type_of(const uw_h5_writer *w, uw_dtype dtype) {
    switch (dtype) {
    case UW_DTYPE_U8:
        return H5T_STD_U8LE;
    case UW_DTYPE_I32:
        return H5T_STD_I32LE;
    case UW_DTYPE_I64:
        return H5T_STD_I64LE;
    case UW_DTYPE_F32:
        return H5T_IEEE_F32LE;
    case UW_DTYPE_F64:
        return H5T_IEEE_F64LE;
    default:
        return w->boolean;
    }
}

/* numpy's bool as h5py writes it. */
static hid_t make_boolean(void) {
    const signed char no = 0, yes = 1;
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    if (type < 0) return type;
    if (H5Tenum_insert(type, "FALSE", &no) < 0 || H5Tenum_insert(type, "TRUE", &yes) < 0) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

uw_status uw__h5_writer_open(const char *path, bool append, uw_h5_writer **out, uw_err *err) {
    *out = NULL;
    uw_h5_writer *w = calloc(1, sizeof *w);
    char *copy = strdup(path);
    if (!w || !copy) {
        free(w);
        free(copy);
        return uw__no_memory(err, path, sizeof *w);
    }
    w->path = copy;
    w->append = append;
    w->file = w->boolean = H5I_INVALID_HID;
    errno = 0;
    if (H5open() < 0) {
        const uw_status s = library_failed(w, "start", err);
        free(w->path);
        free(w);
        return s;
    }
    H5Eget_auto2(H5E_DEFAULT, &w->print, &w->print_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLget_loading_state(&w->plugins);
    H5PLset_loading_state(0);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    w->file = append ? H5Fopen(path, H5F_ACC_RDWR, access)
                     : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    w->boolean = make_boolean();
    if (w->file < 0 || w->boolean < 0) {
        const uw_status s = library_failed(w, append ? "open the file" : "create the file", err);
        uw__h5_writer_close(w, NULL);
        return s;
    }
    *out = w;
    return UW_OK;
}

static hid_t create_array(const uw_h5_writer *w, const char *name, const array *a,
                          int64_t chunk_rows) {
    hsize_t most[MAX_RANK], chunk[MAX_RANK], now[MAX_RANK];
    for (int d = 0; d < a->rank; d++) {
        now[d] = d ? a->shape[d] : 0;
        most[d] = d ? a->shape[d] : H5S_UNLIMITED;
        chunk[d] = d ? a->shape[d] : (hsize_t)chunk_rows;
    }
    const hid_t space = H5Screate_simple(a->rank, now, most), plan = H5Pcreate(H5P_DATASET_CREATE);
    hid_t data = H5I_INVALID_HID;
    if (space >= 0 && plan >= 0 && H5Pset_chunk(plan, a->rank, chunk) >= 0) {
        data = H5Dcreate2(w->file, name, a->type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    }
    if (plan >= 0) H5Pclose(plan);
    if (space >= 0) H5Sclose(space);
    return data;
}

/* An array that is there from before: the same kind of rows, at least `keep` of them. */
static bool same_array(array *a, int64_t keep) {
    hsize_t now[MAX_RANK] = {0};
    const hid_t space = H5Dget_space(a->data), type = H5Dget_type(a->data);
    bool same = space >= 0 && type >= 0 && H5Sget_simple_extent_ndims(space) == a->rank &&
                H5Sget_simple_extent_dims(space, now, NULL) >= 0 && H5Tequal(type, a->type) > 0 &&
                now[0] >= (hsize_t)keep;
    for (int d = 1; d < a->rank && same; d++) same = now[d] == a->shape[d];
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (!same) return false;
    a->shape[0] = (hsize_t)keep;
    return H5Dset_extent(a->data, a->shape) >= 0;
}

uw_status uw__h5_writer_array(uw_h5_writer *w, const char *name, uw_dtype dtype, int32_t num_dims,
                              const int64_t *shape, int64_t chunk_rows, int64_t keep, uw_err *err) {
    if (w->num_arrays == MAX_ARRAYS || num_dims + 1 > MAX_RANK) {
        return uw__refuse(err, UW_EINVAL, w->path, "too_much", "leave columns out",
                          "wanted at most %d arrays of rank %d", MAX_ARRAYS, MAX_RANK);
    }
    array *a = &w->arrays[w->num_arrays];
    *a = (array){.type = type_of(w, dtype), .rank = num_dims + 1};
    for (int32_t d = 0; d < num_dims; d++) a->shape[d + 1] = (hsize_t)shape[d];
    errno = 0;
    a->data =
        w->append ? H5Dopen2(w->file, name, H5P_DEFAULT) : create_array(w, name, a, chunk_rows);
    if (a->data < 0) return library_failed(w, "create an array", err);
    w->num_arrays++;
    if (!w->append || same_array(a, keep)) return UW_OK;
    uw_fail(err, UW_ESHAPE, "%s: array '%.63s' is of another recording", uw__path_tail(w->path),
            name);
    uw_err_fix(err, "give the file that the conversion began with, or leave --resume out");
    return UW_ESHAPE;
}

uw_status uw__h5_writer_rows(uw_h5_writer *w, int32_t i, int64_t count, const void *data,
                             uw_err *err) {
    array *a = &w->arrays[i];
    hsize_t start[MAX_RANK] = {a->shape[0]}, piece[MAX_RANK];
    if (!count) return UW_OK;
    for (int d = 0; d < a->rank; d++) piece[d] = d ? a->shape[d] : (hsize_t)count;
    a->shape[0] += (hsize_t)count;
    errno = 0;
    bool ok = H5Dset_extent(a->data, a->shape) >= 0;
    const hid_t to = ok ? H5Dget_space(a->data) : H5I_INVALID_HID;
    const hid_t from = H5Screate_simple(a->rank, piece, NULL);
    ok = to >= 0 && from >= 0 &&
         H5Sselect_hyperslab(to, H5S_SELECT_SET, start, NULL, piece, NULL) >= 0 &&
         H5Dwrite(a->data, a->type, from, to, H5P_DEFAULT, data) >= 0;
    if (from >= 0) H5Sclose(from);
    if (to >= 0) H5Sclose(to);
    return ok ? UW_OK : library_failed(w, "write rows", err);
}

uw_status uw__h5_writer_text(uw_h5_writer *w, const char *name, const char *text, uw_err *err) {
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    hid_t at = H5I_INVALID_HID;
    bool ok = type >= 0 && space >= 0 && H5Tset_size(type, strlen(text) + 1) >= 0 &&
              H5Tset_cset(type, H5T_CSET_UTF8) >= 0;
    errno = 0;
    if (ok && H5Aexists(w->file, name) > 0) ok = H5Adelete(w->file, name) >= 0;
    if (ok) at = H5Acreate2(w->file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    ok = at >= 0 && H5Awrite(at, type, text) >= 0;
    if (at >= 0) H5Aclose(at);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return ok ? UW_OK : library_failed(w, "write an attribute", err);
}

uw_status uw__h5_writer_close(uw_h5_writer *w, uw_err *err) {
    uw_status s = UW_OK;
    uint64_t size;
    int fd = -1;
    if (!w) return UW_OK;
    errno = 0;
    bool ok = true;
    for (int32_t i = 0; i < w->num_arrays; i++) ok = H5Dclose(w->arrays[i].data) >= 0 && ok;
    if (w->boolean >= 0) H5Tclose(w->boolean);
    if (w->file >= 0) ok = H5Fclose(w->file) >= 0 && ok;
    if (!ok) s = library_failed(w, "finish the file", err);
    if (!s && w->file >= 0) s = uw__store_open_write(w->path, &fd, &size, err);
    if (!s && fd >= 0) s = uw__store_sync(fd, w->path, err);
    uw__store_close(fd);
    H5PLset_loading_state(w->plugins);
    H5Eset_auto2(H5E_DEFAULT, w->print, w->print_data);
    free(w->path);
    free(w);
    return s;
}

#else

static uw_status without(const char *path, uw_err *err) {
    return uw__refuse(err, UW_EUNSUPPORTED, path, "not built in",
                      "configure with -DUW_HDF5=ON, or convert to .npz",
                      "this build reads HDF5 but does not write it");
}

uw_status uw__h5_writer_open(const char *path, bool append, uw_h5_writer **out, uw_err *err) {
    (void)append;
    *out = NULL;
    return without(path, err);
}

uw_status uw__h5_writer_array(uw_h5_writer *w, const char *name, uw_dtype dtype, int32_t num_dims,
                              const int64_t *shape, int64_t chunk_rows, int64_t keep, uw_err *err) {
    (void)w, (void)dtype, (void)num_dims, (void)shape, (void)chunk_rows, (void)keep;
    return without(name, err);
}

uw_status uw__h5_writer_rows(uw_h5_writer *w, int32_t i, int64_t count, const void *data,
                             uw_err *err) {
    (void)w, (void)i, (void)count, (void)data;
    return without("hdf5", err);
}

uw_status uw__h5_writer_text(uw_h5_writer *w, const char *name, const char *text, uw_err *err) {
    (void)w, (void)text;
    return without(name, err);
}

uw_status uw__h5_writer_close(uw_h5_writer *w, uw_err *err) {
    (void)w, (void)err;
    return UW_OK;
}
#endif
