/* Keys, man page and completion scripts, printed from the tables that parse. */
#include "names.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

void cli_print_keys(void) {
    int32_t count;
    const uw_train_key *keys = uw_train_keys(&count);
    uw_train_config config;
    uw_err err;
    const uw_status status = uw_train_preset("two_room_robust", &config, &err);
    printf("%-24s %-8s %-10s %-22s %-18s %s\n", "key", "type", "unit", "default (robust)", "range", "");
    for (int32_t i = 0; i < count; i++) {
        char value[300] = "";
        if (!status) uw_train_get(&config, keys[i].name, value, sizeof value);
        printf("%-24s %-8s %-10s %-22s %-18s %s\n", keys[i].name, keys[i].type, keys[i].unit, value,
               keys[i].range, keys[i].help);
    }
    printf("\npresets:");
    for (const char *const *p = uw_train_presets(); *p; p++) printf(" %s", *p);
    printf("\n");
}

/* roff takes a hyphen for a dash and a leading dot for a request. */
static void put_roff(const char *text) {
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
        start = *text == '\n';
    }
}

static void man_options(const cli_option *options) {
    for (; options && options->name; options++) {
        printf(".TP\n\\fB\\-\\-");
        put_roff(options->name);
        printf("\\fR");
        if (options->value) printf(" \\fI%s\\fR", options->value);
        printf("\n");
        put_roff(options->help);
        if (options->fallback) {
            printf(" [");
            put_roff(options->fallback);
            printf("]");
        }
        printf("\n");
    }
}

void cli_print_man(void) {
    printf(".TH UMWELT 1 \"\" \"umwelt %s\" \"User Commands\"\n", uw_version());
    printf(".SH NAME\numwelt \\- from experience to a controller you can trust\n");
    printf(".SH SYNOPSIS\n.B umwelt\n.I VERB\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n");
    printf(".SH DESCRIPTION\nRecorded experience goes in (frames or sensor columns, and the actions taken); "
           "a controller that reaches goals comes out, with an honest statement of how often, how fast, and "
           "when not to trust it.\nResults are printed on stdout, everything else on stderr.\n");
    for (int i = 0; cli_verbs[i]; i++) {
        const cli_verb *v = cli_verbs[i];
        printf(".SH umwelt %s\n%s\n.PP\n\\fBumwelt %s\\fR \\fI%s\\fR [\\fIOPTIONS\\fR]\n.PP\n", v->name,
               v->summary, v->name, v->arguments);
        put_roff(v->about);
        printf("\n.PP\n.nf\n");
        put_roff(v->examples);
        printf("\n.fi\n");
        man_options(v->options);
        if (v->writes) man_options(cli_write_options);
    }
    printf(".SH OPTIONS ON EVERY VERB\n");
    man_options(cli_common_options);
    printf(".SH EXIT STATUS\n0 ok, 1 failure, 2 usage, 3 not found, 4 corrupt or malformed input, 5 shape or "
           "validation mismatch, 6 out of a resource, 7 numerical failure, 130 or 143 after a signal, with a "
           "resumable state on disk.\n.SH ENVIRONMENT\n.TP\n.B UW_MAX_ISA\nref, avx2, avx512, avx512bf16, amx or "
           "neon: use no kernels above this.\n");
}

static void completion_words(const cli_option *options) {
    for (; options && options->name; options++) printf(" --%s", options->name);
}

static void print_bash(void) {
    printf("# bash completion for umwelt\n_umwelt() {\n"
           "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
           "  if [ \"$COMP_CWORD\" -eq 1 ]; then words=\"");
    for (int i = 0; cli_verbs[i]; i++) printf("%s ", cli_verbs[i]->name);
    printf("help version\"\n  else case \"${COMP_WORDS[1]}\" in\n");
    for (int i = 0; cli_verbs[i]; i++) {
        printf("    %s) words=\"", cli_verbs[i]->name);
        completion_words(cli_verbs[i]->options);
        if (cli_verbs[i]->writes) completion_words(cli_write_options);
        completion_words(cli_common_options);
        printf("\" ;;\n");
    }
    printf("  esac; fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\") $(compgen -f -- \"$cur\"))\n}\n"
           "complete -o filenames -F _umwelt umwelt\n");
}

static void print_zsh(void) {
    printf("#compdef umwelt\nautoload -U +X bashcompinit && bashcompinit\n");
    print_bash();
}

static void fish_options(const char *verb, const cli_option *options) {
    for (; options && options->name; options++)
        printf("complete -c umwelt -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'\n", verb,
               options->name, options->value ? " -r" : "", options->help);
}

static void print_fish(void) {
    printf("# fish completion for umwelt\n");
    for (int i = 0; cli_verbs[i]; i++) {
        printf("complete -c umwelt -n __fish_use_subcommand -a %s -d '%s'\n", cli_verbs[i]->name,
               cli_verbs[i]->summary);
        fish_options(cli_verbs[i]->name, cli_verbs[i]->options);
        if (cli_verbs[i]->writes) fish_options(cli_verbs[i]->name, cli_write_options);
        fish_options(cli_verbs[i]->name, cli_common_options);
    }
}

int cli_print_completion(const char *shell) {
    if (!strcmp(shell, "bash"))
        print_bash();
    else if (!strcmp(shell, "zsh"))
        print_zsh();
    else if (!strcmp(shell, "fish"))
        print_fish();
    else {
        fprintf(stderr, "umwelt completion: %s: no such shell, wanted bash, zsh or fish\n",
                *shell ? shell : "(nothing)");
        return CLI_USAGE;
    }
    return CLI_OK;
}
