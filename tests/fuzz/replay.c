/* Replay under CTest: seeds must be accepted, then the kept corpus, every structured mutation and
 * random ones are judged, each within bounded time and memory; a summary of the reasons ends the
 * run.
 *
 *     fuzz_json_replay                      everything; exit 1 on a broken promise
 *     fuzz_json_replay FILE...              these inputs only
 *     fuzz_json_replay --write-seeds DIR    a start for libFuzzer
 *
 * UW_SEED seeds the random cases, UW_FUZZ_CASES says how many per seed.  An input that breaks a
 * promise is saved as broken-<format> in the working folder. */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"

enum { MAX_REASONS = 64, MAX_SEEDS = 64 };
#define MAX_MEMORY  (UINT64_C(64) << 20) /* beside eight times the input */
#define MAX_SECONDS 2.0                  /* of CPU: a loaded machine is no hang */

static const uint8_t *case_data; /* what is being judged, for the crash handler */
static size_t case_size;

typedef struct tally {
    long cases, accepted;
    int reasons;
    char reason[MAX_REASONS][32];
    long times[MAX_REASONS];
    double slowest;
    uint64_t largest;
} tally;

/* Memory of our own code, counted through the linker's --wrap. */
static uint64_t live, peak;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *p);

static void *counted(void *p) {
    live += malloc_usable_size(p);
    if (live > peak) peak = live;
    return p;
}

static void uncount(void *p) {
    const uint64_t n = malloc_usable_size(p);
    live = live > n ? live - n : 0; /* libc hands out some that it took itself */
}

void *__wrap_malloc(size_t size) {
    return counted(__real_malloc(size));
}
void *__wrap_calloc(size_t n, size_t size) {
    return counted(__real_calloc(n, size));
}
void *__wrap_realloc(void *p, size_t size) {
    uncount(p);
    return counted(__real_realloc(p, size));
}
void *__wrap_aligned_alloc(size_t align, size_t size) {
    return counted(__real_aligned_alloc(align, size));
}
void __wrap_free(void *p) {
    uncount(p);
    __real_free(p);
}

static void on_crash(int signal_number) {
    char path[128];
    snprintf(path, sizeof path, "broken-%s", fuzz_format_under_test.name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0 && write(fd, case_data, case_size) == (ssize_t)case_size) {
        fprintf(stderr, "the input is in %s; replay: %s_replay %s\n", path,
                fuzz_format_under_test.name, path);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* The word after the name: "case: bad_json: ..." -> bad_json. */
static void count_reason(tally *t, const char *text) {
    char word[32] = "?";
    const char *colon = strstr(text, ": ");
    if (colon) sscanf(colon + 2, "%31[^:]", word);
    for (int i = 0; i < t->reasons; i++) {
        if (!strcmp(t->reason[i], word)) {
            t->times[i]++;
            return;
        }
    }
    if (t->reasons == MAX_REASONS) return;
    strcpy(t->reason[t->reasons], word);
    t->times[t->reasons++] = 1;
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool judge(tally *t, const uint8_t *data, size_t size) {
    uw_err why = {0};
    uint8_t *copy = malloc(size ? size : 1); /* exact size: ASan sees what is read beyond */
    FUZZ_REQUIRE(copy, "memory for a case");
    if (size) memcpy(copy, data, size);
    case_data = copy;
    case_size = size;
    const uint64_t before = peak = live;
    const double start = cpu_seconds();
    const bool accepted = fuzz_format_under_test.judge(copy, size, &why);
    const double took = cpu_seconds() - start;
    const uint64_t used = peak - before;
    if (took > t->slowest) t->slowest = took;
    if (used > t->largest) t->largest = used;
    FUZZ_REQUIRE(took < MAX_SECONDS, "a case took too long");
    FUZZ_REQUIRE(used < MAX_MEMORY + 8 * (uint64_t)size, "a case took too much memory");
    if (!accepted) {
        FUZZ_REQUIRE(why.text[0], "a refusal without a reason");
        FUZZ_REQUIRE(why.fix[0], "a refusal without advice");
        count_reason(t, why.text);
    }
    t->cases++;
    t->accepted += accepted;
    free(copy);
    return accepted;
}

static void judge_variant(void *arg, const uint8_t *data, size_t size) {
    judge(arg, data, size);
}

static void judge_file(tally *t, const char *path) {
    uint8_t *data;
    size_t size;
    fuzz_read(path, &data, &size);
    judge(t, data, size);
    free(data);
}

/* Inputs that once broke a promise, or that libFuzzer found to reach far. */
static void judge_corpus(tally *t) {
    char folder[600], path[900];
    snprintf(folder, sizeof folder, "%s/%s", UW_FUZZ_CORPUS, fuzz_format_under_test.name);
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        judge_file(t, path);
    }
    closedir(dir);
}

static void judge_all(tally *t, uint64_t seed, int random_cases) {
    const fuzz_format *f = &fuzz_format_under_test;
    const fuzz_sink sink = {judge_variant, t};
    uint8_t *data[MAX_SEEDS];
    size_t size[MAX_SEEDS];
    int n = 0;
    while (n < MAX_SEEDS && f->seed(n, &data[n], &size[n])) {
        FUZZ_REQUIRE(judge(t, data[n], size[n]), "a seed was refused");
        n++;
    }
    FUZZ_REQUIRE(n > 0, "no seeds");
    judge_corpus(t);
    for (int i = 0; i < n; i++) {
        fuzz_truncations(data[i], size[i], &sink);
        fuzz_bit_flips(data[i], size[i], &sink);
        if (f->variants) f->variants(data[i], size[i], &sink);
        const int other = (i + 1) % n;
        fuzz_random(data[i], size[i], data[other], size[other], seed + (uint64_t)i, random_cases,
                    &sink);
    }
    while (n > 0) free(data[--n]);
}

static int write_seeds(const char *folder) {
    uint8_t *data;
    size_t size;
    char path[600];
    for (int i = 0; fuzz_format_under_test.seed(i, &data, &size); i++) {
        snprintf(path, sizeof path, "%s/seed-%02d", folder, i);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
            perror(path);
            return 1;
        }
        free(data);
    }
    return 0;
}

int main(int argc, char **argv) {
    static tally t;
    const fuzz_format *f = &fuzz_format_under_test;
    const char *seed_text = getenv("UW_SEED"), *cases_text = getenv("UW_FUZZ_CASES");
    const uint64_t seed = seed_text && *seed_text ? strtoull(seed_text, NULL, 0) : 20260101;
    const int cases = cases_text && *cases_text ? atoi(cases_text) : f->random_cases;
    signal(SIGABRT, on_crash);
    if (argc == 3 && !strcmp(argv[1], "--write-seeds")) return write_seeds(argv[2]);
    for (int i = 1; i < argc; i++) judge_file(&t, argv[i]);
    if (argc < 2) judge_all(&t, seed, cases);

    printf(
        "%s: %ld cases, %ld accepted, %d reasons, slowest %.1f ms, largest %.2f MiB, seed %llu\n",
        f->name, t.cases, t.accepted, t.reasons, 1e3 * t.slowest, (double)t.largest / (1 << 20),
        (unsigned long long)seed);
    for (int i = 0; i < t.reasons; i++) printf("  %-24s %ld\n", t.reason[i], t.times[i]);
    if (argc < 2 && t.reasons < f->least_reasons) {
        printf("FAIL: wanted at least %d reasons\n", f->least_reasons);
        return 1;
    }
    return 0;
}
