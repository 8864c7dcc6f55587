/* HDF5: what is accepted reads the same twice, in order and against it.  Metadata carries
 * checksums, so that plain mutations seldom get past them: here every structure is also mutated
 * field by field and signed again, which is what an attacker would do. */
#include <string.h>

#include "h5.h"
#include "mutate.h"

#if defined(UW_HDF5)
#include <hdf5.h>
#endif

enum { MAX_ROWS = 1 << 12, MAX_ROW = 4 << 20, LARGEST = 4096 };

/* ---- judging ------------------------------------------------------------------------------ */

/* Through the table of chunks, from the end: the same rows, where there are any. */
static void read_any_order(uw_h5 *h5, int32_t i, const uw_h5_array *a, int64_t rows, bool readable,
                           uint8_t *x, uint8_t *y) {
    uw_h5_map *map = NULL;
    uw_h5_room *room = NULL;
    FUZZ_REQUIRE(!uw__h5_room_new(&room), "memory");
    if (!uw__h5_map_new(h5, i, &map, NULL)) {
        for (int64_t t = rows - 1; t >= 0; t--) {
            const uw_status s = uw__h5_map_rows(map, room, t, 1, 1, y, NULL);
            FUZZ_REQUIRE(!readable || !s, "a row is not read in another order");
            if (s || uw__h5_rows(h5, i, t, 1, x, NULL)) continue;
            FUZZ_REQUIRE(!memcmp(x, y, (size_t)a->row_bytes), "a row differs in another order");
        }
    }
    uw__h5_map_free(map);
    uw__h5_room_free(room);
}

static uw_status read_array(uw_h5 *h5, int32_t i, const uw_h5_array *a, uw_err *why) {
    if (!a->numbers || !a->num_dims || !a->shape[0] || a->row_bytes > MAX_ROW) return UW_OK;
    const size_t row = (size_t)a->row_bytes;
    unsigned char *x = malloc(row), *y = malloc(row);
    FUZZ_REQUIRE(x && y, "memory");
    const int64_t rows = a->shape[0] < MAX_ROWS ? a->shape[0] : MAX_ROWS;
    uw_status s = UW_OK;
    for (int64_t t = 0; !s && t < rows; t++) s = uw__h5_rows(h5, i, t, 1, x, why);
    if (!s) { /* the last row is in x; away from it and back */
        s = uw__h5_rows(h5, i, 0, 1, y, why);
        if (!s) s = uw__h5_rows(h5, i, rows - 1, 1, y, why);
        FUZZ_REQUIRE(!s && !memcmp(x, y, row), "a row differs when read again");
    }
    read_any_order(h5, i, a, rows, !s, x, y);
    free(x);
    free(y);
    return s;
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_h5 *h5 = NULL;
    uw_status s = uw__h5_open(fuzz_file(0, data, size), &h5, why);
    FUZZ_REQUIRE(!s == !!h5, "a file without success, or the reverse");
    for (int32_t i = 0; !s && i < uw__h5_count(h5); i++) {
        uw_h5_array a;
        FUZZ_REQUIRE(uw__h5_find(h5, uw__h5_name(h5, i)) == i, "a name is not found");
        s = uw__h5_array(h5, i, &a, why);
        if (!s) s = read_array(h5, i, &a, why);
    }
    const char *text;
    if (h5 && !uw__h5_text(h5, "umwelt_meta", &text, NULL) && text)
        FUZZ_REQUIRE(strlen(text) < size, "a text");
    uw__h5_close(h5);
    return !s;
}

/* ---- seeds -------------------------------------------------------------------------------- */

#if defined(UW_HDF5)
static void put_array(hid_t file, const char *name, hid_t type, hsize_t rows, hsize_t wide,
                      hsize_t chunk, bool grows, bool filtered) {
    static const unsigned char zero[1 << 16];
    const hsize_t now[2] = {rows, wide}, most[2] = {grows ? H5S_UNLIMITED : rows, wide};
    const hsize_t piece[2] = {chunk, wide};
    const hid_t space = H5Screate_simple(2, now, most), plan = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk) H5Pset_chunk(plan, 2, piece);
    if (filtered) H5Pset_shuffle(plan), H5Pset_deflate(plan, 6), H5Pset_fletcher32(plan);
    const hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    FUZZ_REQUIRE(rows * wide * H5Tget_size(type) <= sizeof zero, "a seed too large");
    FUZZ_REQUIRE(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zero) >= 0, "a seed");
    H5Dclose(data), H5Pclose(plan), H5Sclose(space);
}

/* A file of each chunk index, in the oldest or the newest format. */
static void write_seed(const char *path, bool latest) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, latest ? H5F_LIBVER_LATEST : H5F_LIBVER_EARLIEST,
                         H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    FUZZ_REQUIRE(file >= 0, "a seed's file");
    put_array(file, "flat", H5T_STD_I64LE, 20, 2, 0, false, false);
    put_array(file, "fixed", H5T_IEEE_F64LE, 20, 2, 3, false, false);
    put_array(file, "single", H5T_IEEE_F32LE, 20, 2, 20, false, true);
    put_array(file, "grows", H5T_STD_I32LE, 60, 2, 1, true, false);
    put_array(file, "packed", H5T_STD_U8LE, 200, 8, 7, true, true);
    put_array(file, "frames", H5T_STD_U8LE, 3, 4200, 1, true, true);
    H5Fclose(file), H5Pclose(access);
}
#endif

static bool seed(int i, uint8_t **data, size_t *size) {
    char path[600];
    if (i == 0) {
        snprintf(path, sizeof path, "%s/data/malformed/ok.h5", UW_VECTORS_DEFAULT);
        return fuzz_read(path, data, size);
    }
#if defined(UW_HDF5)
    if (i <= 2) {
        snprintf(path, sizeof path, "%s/seed.h5", fuzz_folder());
        write_seed(path, i == 2);
        const bool read = fuzz_read(path, data, size);
        remove(path);
        return read;
    }
#endif
    return false;
}

/* ---- signed mutations --------------------------------------------------------------------- */

static uint32_t rotate(uint32_t x, int k) {
    return x << k | x >> (32 - k);
}

/* lookup3 as Jenkins published it, word by word: a second implementation. */
static uint32_t checksum(const uint8_t *k, size_t n) {
    uint32_t a = 0xdeadbeefu + (uint32_t)n, b = a, c = a;
    for (;; k += 12, n -= 12) {
        uint8_t tail[12] = {0};
        uint32_t w[3] = {0};
        memcpy(tail, k, n < 12 ? n : 12);
        for (int i = 0; i < 12; i++) w[i / 4] |= (uint32_t)tail[i] << (8 * (i % 4));
        if (!n) return c;
        a += w[0], b += w[1], c += w[2];
        if (n <= 12) break;
        a -= c, a ^= rotate(c, 4), c += b, b -= a, b ^= rotate(a, 6), a += c;
        c -= b, c ^= rotate(b, 8), b += a, a -= c, a ^= rotate(c, 16), c += b;
        b -= a, b ^= rotate(a, 19), a += c, c -= b, c ^= rotate(b, 4), b += a;
    }
    c ^= b, c -= rotate(b, 14), a ^= c, a -= rotate(c, 11), b ^= a, b -= rotate(a, 25);
    c ^= b, c -= rotate(b, 16), a ^= c, a -= rotate(c, 4), b ^= a, b -= rotate(a, 14);
    return (c ^ b) - rotate(b, 24);
}

static uint32_t word_at(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

typedef struct signer {
    size_t at, bytes; /* of the structure with its checksum */
    const fuzz_sink *sink;
} signer;

static void sign(void *arg, const uint8_t *data, size_t size) {
    const signer *g = arg;
    static unsigned turn;
    if (turn++ % 15) return; /* a few of very many; hours belong to libFuzzer */
    uint8_t *copy = malloc(size);
    FUZZ_REQUIRE(copy && size >= g->at + g->bytes, "memory");
    memcpy(copy, data, size);
    const uint32_t sum = checksum(copy + g->at, g->bytes - 4);
    for (int i = 0; i < 4; i++) copy[g->at + g->bytes - 4 + (size_t)i] = (uint8_t)(sum >> (8 * i));
    g->sink->take(g->sink->arg, copy, size);
    free(copy);
}

/* A structure is what begins with a signature and ends with a checksum that holds. */
static size_t structure_bytes(const uint8_t *data, size_t size) {
    for (size_t n = 12; n <= size && n <= LARGEST; n++) {
        if (checksum(data, n - 4) == word_at(data + n - 4)) return n;
    }
    return 0;
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    static const char *const signatures[] = {"\x89HDF", "OHDR", "OCHK", "BTHD", "BTLF", "FRHP",
                                             "EAHD",    "EAIB", "EADB", "EASB", "FAHD", "FADB"};
    enum { SIGNATURES = sizeof signatures / sizeof signatures[0] };
    int seen[SIGNATURES] = {0};
    for (size_t at = 0; at + 12 <= size; at++) {
        for (int k = 0; k < SIGNATURES; k++) {
            if (memcmp(data + at, signatures[k], 4) || seen[k] == 1 + (k == 1)) continue;
            signer g = {at, structure_bytes(data + at, size - at), sink};
            if (!g.bytes) continue;
            seen[k]++;
            const fuzz_sink signing = {sign, &g};
            for (size_t i = 4; i + 4 < g.bytes; i += g.bytes > 100 ? 3 : 1) {
                fuzz_field(data, size, at + i, 1, &signing);
                if (i + 12 < g.bytes && i % 4 == 0) fuzz_field(data, size, at + i, 8, &signing);
            }
        }
    }
    /* The oldest format signs nothing: its first two kilobytes are structures. */
    for (size_t i = 8; data[8] == 0 && i + 8 < size && i < 1600; i += 24)
        fuzz_field(data, size, i, 8, sink);
}

const fuzz_format fuzz_format_under_test = {.name = "hdf5",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 500,
                                            .least_reasons = 12};
