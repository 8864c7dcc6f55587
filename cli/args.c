/* Parsing and help, from the verbs' tables. */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

const cli_option cli_common_options[] = {
    {"json", NULL, "print one JSON object on stdout and nothing else", NULL},
    {"seed", "N", "seed of everything random", "0"},
    {"threads", "N", "worker threads; 0 = all cores", "0"},
    {"max-isa", "ISA", "ref | avx2 | avx512 | avx512bf16 | amx | neon: use no kernels above this", "best"},
    {"precision", "P", "f32 | bf16: of the products in encoding and planning", "f32"},
    {"quiet", NULL, "no progress and no notes on stderr", NULL},
    {"help", NULL, "show this text", NULL},
    {0},
};
const cli_option cli_write_options[] = {
    {"out", "PATH", "where to write", NULL},
    {"force", NULL, "overwrite what is there", NULL},
    {0},
};

static const cli_option *find_in(const cli_option *options, const char *name) {
    for (; options && options->name; options++)
        if (!strcmp(options->name, name)) return options;
    return NULL;
}

static const cli_option *find_option(const cli_verb *verb, const char *name) {
    const cli_option *found = find_in(verb->options, name);
    if (!found && verb->writes) found = find_in(cli_write_options, name);
    return found ? found : find_in(cli_common_options, name);
}

static int unknown_option(cli *c, const char *name) {
    const char *names[96];
    int32_t count = 0;
    const cli_option *lists[] = {c->verb->options, c->verb->writes ? cli_write_options : NULL,
                                 cli_common_options};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const cli_option *o = lists[l]; o && o->name && count < 96; o++) names[count++] = o->name;
    const char *near = uw_nearest(name, names, count);
    char object[80], fix[120];
    snprintf(object, sizeof object, "--%s", name);
    if (near)
        snprintf(fix, sizeof fix, "did you mean --%s?", near);
    else
        snprintf(fix, sizeof fix, "see umwelt %s --help", c->verb->name);
    return cli_usage(c, object, fix, "no such option");
}

static void print_options(const cli_option *options) {
    for (; options && options->name; options++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        printf("  %-26s %s", left, options->help);
        if (options->fallback) printf("  [%s]", options->fallback);
        printf("\n");
    }
}

void cli_help(const cli_verb *verb) {
    printf("Examples:\n%s\n", verb->examples);
    printf("Usage: umwelt %s %s%s[OPTIONS]\n\n%s\n", verb->name, verb->arguments,
           *verb->arguments ? " " : "", verb->about);
    printf("\nOptions:\n");
    print_options(verb->options);
    if (verb->writes) print_options(cli_write_options);
    printf("\nOn every verb:\n");
    print_options(cli_common_options);
}

/* Take one --option; *i moves past its value. */
static int take_option(cli *c, int argc, char **argv, int *i) {
    char name[48];
    const char *text = argv[*i] + 2, *equals = strchr(text, '=');
    const size_t length = equals ? (size_t)(equals - text) : strlen(text);
    if (length >= sizeof name) return unknown_option(c, "...");
    memcpy(name, text, length);
    name[length] = 0;

    const cli_option *option = find_option(c->verb, name);
    if (!option) return unknown_option(c, name);
    const char *value = NULL;
    if (option->value) {
        value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value) return cli_usage(c, argv[*i], NULL, "wanted %s after it", option->value);
    } else if (equals) {
        return cli_usage(c, name, NULL, "takes no value");
    }
    if (c->num_given == CLI_MAX_GIVEN) return cli_usage(c, name, NULL, "too many options");
    c->given[c->num_given].name = option->name;
    c->given[c->num_given++].value = value ? value : "";
    return CLI_OK;
}

/* Read what every verb has. --json comes first, so that even a usage error answers in JSON. */
static int take_common(cli *c) {
    c->quiet = cli_flag(c, "quiet");
    c->force = cli_flag(c, "force");
    c->out = cli_str(c, "out", NULL);
    c->max_isa = cli_str(c, "max-isa", NULL);
    if (c->max_isa && !strcmp(c->max_isa, "best")) c->max_isa = NULL;
    const char *precision = cli_str(c, "precision", "f32");
    c->bf16 = !strcmp(precision, "bf16");
    if (!c->bf16 && strcmp(precision, "f32"))
        return cli_usage(c, "--precision", NULL, "wanted f32 or bf16, got %s", precision);
    const char *seed = cli_str(c, "seed", "0");
    char *end;
    errno = 0;
    c->seed = strtoull(seed, &end, 0);
    if (errno || *end || !*seed || *seed == '-')
        return cli_usage(c, "--seed", NULL, "wanted a whole number from 0, got %s", seed);
    return cli_int(c, "threads", 0, 0, 256, &c->threads);
}

int cli_parse(cli *c, int argc, char **argv, bool *done) {
    *done = false;
    bool only_arguments = false, help = false;
    const char *topic = NULL;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--")) break;
        if (!strcmp(argv[i], "--json")) c->json = true;
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            help = true;
            topic = i + 1 < argc && !strcmp(argv[i + 1], "keys") ? "keys" : NULL;
        }
    }
    if (help) {
        *done = true;
        if (topic && !strcmp(c->verb->name, "train"))
            cli_print_keys();
        else
            cli_help(c->verb);
        return CLI_OK;
    }
    for (int i = 0; i < argc; i++) {
        int code = CLI_OK;
        if (!only_arguments && !strcmp(argv[i], "--"))
            only_arguments = true;
        else if (!only_arguments && !strncmp(argv[i], "--", 2))
            code = take_option(c, argc, argv, &i);
        else if (c->num_args == c->verb->max_args || c->num_args == CLI_MAX_ARGS)
            code = cli_usage(c, argv[i], NULL, "one argument too many, wanted: umwelt %s %s",
                             c->verb->name, c->verb->arguments);
        else
            c->args[c->num_args++] = argv[i];
        if (code) return code;
    }
    if (c->num_args < c->verb->min_args)
        return cli_usage(c, c->verb->name, "see --help for examples", "wanted %s, got %d argument%s",
                         c->verb->arguments, c->num_args, c->num_args == 1 ? "" : "s");
    return take_common(c);
}

const char *cli_str(const cli *c, const char *name, const char *fallback) {
    for (int i = c->num_given - 1; i >= 0; i--)
        if (!strcmp(c->given[i].name, name)) return c->given[i].value;
    return fallback;
}

bool cli_flag(const cli *c, const char *name) {
    return cli_str(c, name, NULL) != NULL;
}

int cli_each(cli *c, const char *name, int (*visit)(cli *c, void *arg, const char *value), void *arg) {
    for (int i = 0; i < c->num_given; i++) {
        if (strcmp(c->given[i].name, name)) continue;
        const int code = visit(c, arg, c->given[i].value);
        if (code) return code;
    }
    return CLI_OK;
}

int cli_int(cli *c, const char *name, int64_t fallback, int64_t low, int64_t high, int32_t *out) {
    const char *text = cli_str(c, name, NULL);
    int64_t value = fallback;
    if (text) {
        char *end, object[64];
        errno = 0;
        value = strtoll(text, &end, 10);
        snprintf(object, sizeof object, "--%s", name);
        if (errno || *end || !*text || value < low || value > high)
            return cli_usage(c, object, NULL,
                             "wanted a whole number from %" PRId64 " to %" PRId64 ", got %s", low,
                             high, text);
    }
    *out = (int32_t)value;
    return CLI_OK;
}

int cli_number(cli *c, const char *name, double fallback, double low, double high, double *out) {
    const char *text = cli_str(c, name, NULL);
    *out = fallback;
    if (!text) return CLI_OK;
    char *end, object[64];
    const double value = strtod(text, &end);
    snprintf(object, sizeof object, "--%s", name);
    if (*end || !*text || !(value >= low && value <= high))
        return cli_usage(c, object, NULL, "wanted a number from %g to %g, got %s", low, high, text);
    *out = value;
    return CLI_OK;
}
