/* umwelt doctor: what this machine offers, and advice. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static void cpu_model(char *text, size_t size) {
    snprintf(text, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        snprintf(text, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (f) fclose(f);
}

/* UW_LIBRARIES is "zstd=1 png=0 ...", as this build was configured. */
static json_t *library_list(void) {
    json_t *libraries = json_object();
    char name[16];
    int here, used;
    for (const char *at = UW_LIBRARIES; sscanf(at, " %15[a-z0-9]=%d%n", name, &here, &used) == 2; at += used)
        json_object_set_new(libraries, name, json_boolean(here));
    return libraries;
}

/* Smallest step of the monotonic clock that can be seen, in nanoseconds. */
static long clock_step_ns(void) {
    struct timespec a, b;
    long best = 1000000000;
    for (int i = 0; i < 1000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &a);
        do clock_gettime(CLOCK_MONOTONIC, &b);
        while (a.tv_nsec == b.tv_nsec && a.tv_sec == b.tv_sec);
        const long step = (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec;
        if (step < best) best = step;
    }
    return best;
}

static json_t *advise(cli *c, double memory_gb, double disk_gb) {
    json_t *advice = json_array();
    const char *isa = uw_context_isa(c->ctx);
    if (!strcmp(isa, "ref"))
        json_array_append_new(advice, json_string("no vector kernels in use: training and planning will be slow; "
                                                  "build with UW_X86=ON and unset UW_MAX_ISA"));
    if (!strcmp(isa, "avx2"))
        json_array_append_new(advice, json_string("AVX2 kernels: fine for the demo's model in real time"));
    if (uw_context_threads(c->ctx) == 1)
        json_array_append_new(advice, json_string("one thread: training takes about twice as long as on two"));
    if (memory_gb < 2) json_array_append_new(advice, json_string("less than 2 GB of memory: use small batches"));
    if (disk_gb < 1) json_array_append_new(advice, json_string("less than 1 GB of disk free here"));
    if (!json_array_size(advice)) json_array_append_new(advice, json_string("nothing to mend"));
    return advice;
}

static int run(cli *c) {
    char model[160];
    cpu_model(model, sizeof model);
    struct statvfs disk = {0};
    statvfs(".", &disk);
    const double disk_gb = (double)disk.f_bavail * (double)disk.f_frsize * 1e-9;
    const double memory_gb = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) * 1e-9;
    const long clock_ns = clock_step_ns();

    int32_t count;
    const uw_kernel_choice *kernels = uw_context_kernels(c->ctx, &count);
    json_t *chosen = json_object();
    for (int32_t i = 0; i < count; i++)
        json_object_set_new(chosen, kernels[i].op, json_string(kernels[i].isa));
    json_t *advice = advise(c, memory_gb, disk_gb);

    cli_say(c, "cpu        %s\n           %d threads, %s kernels\n", model, uw_context_threads(c->ctx),
            uw_context_isa(c->ctx));
    cli_say(c, "memory     %.1f GB\ndisk       %.1f GB free here\nclock      %ld ns per step\n", memory_gb,
            disk_gb, clock_ns);
    cli_say(c, "kernels   ");
    for (int32_t i = 0; i < count; i++) cli_say(c, " %s:%s", kernels[i].op, kernels[i].isa);
    cli_say(c, "\n");
    json_t *libraries = library_list();
    const char *name;
    json_t *value;
    cli_say(c, "libraries ");
    json_object_foreach(libraries, name, value)
        cli_say(c, " %s:%s", name, json_is_true(value) ? "yes" : "no");
    cli_say(c, "\n");
    size_t i;
    json_array_foreach(advice, i, value) cli_say(c, "advice     %s\n", json_string_value(value));

    json_object_set_new(c->result, "cpu",
                        json_pack("{s:s,s:i,s:s}", "model", model, "threads", uw_context_threads(c->ctx),
                                  "isa", uw_context_isa(c->ctx)));
    json_object_set_new(c->result, "kernels", chosen);
    json_object_set_new(c->result, "libraries", libraries);
    json_object_set_new(c->result, "memory_gb", json_real(memory_gb));
    json_object_set_new(c->result, "disk_free_gb", json_real(disk_gb));
    json_object_set_new(c->result, "clock_ns", json_integer(clock_ns));
    json_object_set_new(c->result, "advice", advice);
    return cli_finish(c);
}

static const cli_option options[] = {{0}};

const cli_verb cli_doctor = {
    .name = "doctor",
    .summary = "CPU features, kernels chosen, memory, disk, advice",
    .arguments = "",
    .about = "Say what this machine offers and which kernel runs for each operation.",
    .examples = "  umwelt doctor\n  umwelt doctor --json\n",
    .options = options,
    .run = run,
};
