/* Tables from elsewhere: a CSV file that imports goes out and comes back as the same recording. */
#include <string.h>
#include <unistd.h>

#include <umwelt/dataset.h>

#include "mutate.h"

static char there[300], back[300], table[300];

static uw_status convert(const char *from, const char *to, uw_err *why) {
    return uw_convert(NULL, from, to, UW_FORMAT_UNKNOWN, true, NULL, why);
}

/* The hash of a recording's content. */
static void hash_of(const char *path, char hash[17], int64_t *rows) {
    uw_dataset *data = NULL;
    uw_err err = {0};
    FUZZ_REQUIRE(!uw_dataset_open(path, &data, &err), err.text);
    FUZZ_REQUIRE(!uw_dataset_verify(data, NULL, &err), err.text);
    memcpy(hash, uw_dataset_hash(data), 17);
    *rows = uw_dataset_total_rows(data);
    uw_dataset_close(data);
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    char first[17], second[17];
    int64_t rows, again;
    uw_err err = {0};
    snprintf(there, sizeof there, "%s/there.uw", fuzz_folder());
    snprintf(back, sizeof back, "%s/back.uw", fuzz_folder());
    snprintf(table, sizeof table, "%s/table.csv", fuzz_folder());
    unlink(there);
    const uw_status s = convert(fuzz_file(0, data, size), there, why);
    FUZZ_REQUIRE(!s == !access(there, F_OK), "a file without success, or the reverse");
    if (s) return false;
    hash_of(there, first, &rows);
    const uw_status out = convert(there, table, &err);
    if (out == UW_EUNSUPPORTED) return true; /* a name with brackets: said so, and kept as it was */
    FUZZ_REQUIRE(!out, err.text);
    FUZZ_REQUIRE(!convert(table, back, &err), err.text);
    hash_of(back, second, &again);
    FUZZ_REQUIRE(rows == again && !strcmp(first, second), "the recording changed on its way");
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const char *const texts[] = {
        "time,x[0],x[1],on,n\n0,1.5,-0,true,1\n0.1,,nan,false,9007199254740993\n",
        "ep_idx,action_0,action_1,reward\n0,1,2,\n0,3,4,1\n1,5,6.5,-inf\n7,1,1,-nan\n",
        "# umwelt dataset "
        "{\"version\":1,\"env\":\"e\",\"seed\":\"18446744073709551615\",\"episodes\":4}\n"
        "# umwelt column {\"name\":\"a\",\"dtype\":\"F32\",\"shape\":[2,1],\"unit\":\"m\"}\n"
        "# umwelt column {\"name\":\"b\",\"dtype\":\"U8\",\"shape\":[],\"unit\":\"\"}\n"
        "episode,a[0][0],a[1][0],b\n1,0.1,,255\n1,1e30,-1e-45,0\n3,1,2,3\n",
    };
    return i < 3 && fuzz_copy(texts[i], strlen(texts[i]), data, size);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    fuzz_text((const char *)data, size, sink);
}

const fuzz_format fuzz_format_under_test = {.name = "table",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 300,
                                            .least_reasons = 10};
