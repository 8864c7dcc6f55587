/* umwelt VERB [ARGUMENTS] [--options]: find the verb, run it. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "names.h"

extern const cli_verb cli_demo, cli_collect, cli_inspect, cli_convert, cli_train, cli_eval, cli_stress,
    cli_plan, cli_play, cli_probe, cli_certify, cli_report, cli_surprise, cli_bench, cli_doctor;

const cli_verb *const cli_verbs[] = {
    &cli_demo, &cli_collect, &cli_inspect, &cli_convert, &cli_train,  &cli_eval,
    &cli_stress, &cli_plan,  &cli_play,    &cli_probe,   &cli_certify, &cli_report, &cli_surprise, &cli_bench,
    &cli_doctor, NULL,
};

static void print_usage(FILE *to) {
    fprintf(to, "umwelt %s: from experience to a controller you can trust\n\n"
                "  umwelt demo                 the whole loop in a minute: start here\n\n"
                "Usage: umwelt VERB [ARGUMENTS] [OPTIONS]\n\n",
            uw_version());
    for (int i = 0; cli_verbs[i]; i++)
        fprintf(to, "  %-9s %-16s %s\n", cli_verbs[i]->name, cli_verbs[i]->arguments,
                cli_verbs[i]->summary);
    fprintf(to, "\numwelt VERB --help shows examples and every option; man umwelt has them all.\n");
}

static int unknown_verb(cli *c, const char *word) {
    const char *names[32];
    int32_t count = 0;
    for (; cli_verbs[count]; count++) names[count] = cli_verbs[count]->name;
    names[count] = NULL;
    return cli_name(c, "verb", word, names);
}

/* Words that are not verbs: help, version, and what the installation generates. */
static bool handle_word(int argc, char **argv, int *code) {
    const char *word = argc > 1 ? argv[1] : "";
    *code = CLI_OK;
    if (argc < 2) {
        print_usage(stderr);
        *code = CLI_USAGE;
    } else if (!strcmp(word, "--help") || !strcmp(word, "-h") || (!strcmp(word, "help") && argc == 2)) {
        print_usage(stdout);
    } else if (!strcmp(word, "--version") || !strcmp(word, "version")) {
        if (argc > 2 && !strcmp(argv[2], "--json"))
            printf("{\"umwelt\":\"%s\"}\n", uw_version());
        else
            printf("umwelt %s\n", uw_version());
    } else if (!strcmp(word, "help") && !strcmp(argv[2], "--man")) {
        cli_print_man();
    } else if (!strcmp(word, "completion")) {
        *code = cli_print_completion(argc > 2 ? argv[2] : "");
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    int code;
    if (handle_word(argc, argv, &code)) return code;

    cli c = {0};
    const bool help = !strcmp(argv[1], "help"); /* umwelt help VERB = umwelt VERB --help */
    const char *word = argv[help ? 2 : 1];
    for (int i = 0; cli_verbs[i] && !c.verb; i++)
        if (!strcmp(cli_verbs[i]->name, word)) c.verb = cli_verbs[i];
    if (!c.verb) {
        for (int i = 2; i < argc; i++) c.json |= !strcmp(argv[i], "--json");
        return unknown_verb(&c, word);
    }
    if (help) {
        cli_help(c.verb);
        return CLI_OK;
    }
    bool done;
    code = cli_parse(&c, argc - 2, argv + 2, &done);
    if (code || done) return code;
    code = cli_begin(&c);
    if (!code) code = c.verb->run(&c);
    cli_end(&c);
    return code;
}
