/* The command's own small framework: verbs as tables, parsing, errors, JSON, progress.
 *
 * A verb is one file cli/cmd_<verb>.c that only parses, calls the library and prints.  Its table drives
 * --help, the man page and shell completion, so they cannot drift from what is parsed. */
#ifndef UW_CLI_H
#define UW_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <umwelt/umwelt.h>

/* Exit codes, as the contract fixes them. */
enum {
    CLI_OK = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_MALFORMED = 4,
    CLI_MISMATCH = 5,
    CLI_RESOURCE = 6,
    CLI_NUMERICAL = 7,
    CLI_SIGINT = 130,
    CLI_SIGTERM = 143
};

typedef struct cli cli;

/* One option of a verb.  value NULL: a flag. */
typedef struct cli_option {
    const char *name;  /* without the dashes */
    const char *value; /* what stands after it, e.g. "N" */
    const char *help;
    const char *fallback; /* default as text, shown by --help; NULL = none */
} cli_option;

typedef struct cli_verb {
    const char *name, *summary, *arguments; /* "DATA", "IN OUT" */
    const char *about;                      /* a paragraph of --help */
    const char *examples;                   /* lines, shown first */
    int min_args, max_args;
    const cli_option *options; /* ended by a NULL name */
    bool writes;               /* has --out and --force */
    int (*run)(cli *c);
} cli_verb;

enum { CLI_MAX_ARGS = 8, CLI_MAX_GIVEN = 64 };

struct cli {
    const cli_verb *verb;
    const char *args[CLI_MAX_ARGS];
    int num_args;
    struct {
        const char *name, *value;
    } given[CLI_MAX_GIVEN];
    int num_given;
    bool json, quiet, force;
    const char *out;
    uint64_t seed;
    int32_t threads;
    const char *max_isa;
    bool bf16; /* --precision */
    uw_context *ctx; /* made by cli_begin */
    json_t *result;  /* what --json prints */
    double started;
    /* progress line */
    double progress_started, progress_shown;
    const char *progress_what;
    int64_t progress_first;
    bool progress_open; /* a line without its newline is on the terminal */
};

extern const cli_verb *const cli_verbs[]; /* NULL-terminated */
extern const cli_option cli_common_options[], cli_write_options[];

/* ---- parsing ------------------------------------------------------------------------------------ */

/* Parse argv into c; returns CLI_OK, or an exit code after printing, with *done set. */
int cli_parse(cli *c, int argc, char **argv, bool *done);
/* Value of an option, or fallback. */
const char *cli_str(const cli *c, const char *name, const char *fallback);
bool cli_flag(const cli *c, const char *name);
/* Call visit for every value of a repeatable option, in order, until one is not CLI_OK. */
int cli_each(cli *c, const char *name, int (*visit)(cli *c, void *arg, const char *value), void *arg);
/* Parse an integer or a number within [low, high]; a usage error names the option and the range. */
int cli_int(cli *c, const char *name, int64_t fallback, int64_t low, int64_t high, int32_t *out);
int cli_number(cli *c, const char *name, double fallback, double low, double high, double *out);
void cli_help(const cli_verb *verb);

/* ---- running ------------------------------------------------------------------------------------- */

/* Make the context (kernels, pool, log, progress, signals). */
int cli_begin(cli *c);
/* Report a library error: one line and its fix on stderr, the JSON error on stdout; returns the exit code. */
int cli_fail(cli *c, uw_status status, const uw_err *err);
/* Report a usage error of our own, with advice (nullable). */
int cli_usage(cli *c, const char *object, const char *fix, const char *format, ...) UW_PRINTF(4, 5);
/* Check a name against a list; a usage error offers the nearest. */
int cli_name(cli *c, const char *kind, const char *given, const char *const *names);
/* True once Ctrl-C or a termination was asked for; a library call that watches progress ends by itself. */
bool cli_stopped(void);
/* After an interruption: the state resumes with this command. */
int cli_interrupted(cli *c, const char *format, ...) UW_PRINTF(2, 3);
/* Print a result line on stdout unless --json; a note on stderr unless --quiet. */
void cli_say(cli *c, const char *format, ...) UW_PRINTF(2, 3);
void cli_note(cli *c, const char *format, ...) UW_PRINTF(2, 3);
/* Print the JSON result when asked for, and return CLI_OK. */
int cli_finish(cli *c);
void cli_end(cli *c);

/* umwelt convert for IN of a model's format. */
int cli_convert_model(cli *c, uw_format from);

/* ---- shared pieces of verbs ---------------------------------------------------------------------- */

/* A number; null for NaN and infinity, which JSON does not have. */
json_t *cli_real(double value);
json_t *cli_rate_json(const uw_rate *rate);
json_t *cli_collect_json(const uw_collect_result *r);
json_t *cli_train_json(const uw_train_result *r);
json_t *cli_card_json(const uw_card *card);
json_t *cli_probe_json(const uw_probe_report *r);
json_t *cli_gauges_json(const uw_gauges *g);
json_t *cli_run_curve_json(const uw_run_curve *curve);
json_t *cli_certificate_json(const uw_certificate *c);
json_t *cli_surprise_json(const uw_surprise_report *r);
json_t *cli_injection_json(const uw_injection_report *r);
json_t *cli_fitness_json(const uw_fitness_report *r);
/* success, baselines (drivers 1 ..), plan_ms; episode_table is added by the caller. */
json_t *cli_eval_json(const uw_eval_result *model, const uw_eval_result *baselines);
/* "98.5 % [95.7, 99.7] (197 of 200)" */
const char *cli_rate_text(const uw_rate *rate, char text[64]);
void cli_print_eval(cli *c, const char *title, const uw_eval_result *model,
                    const uw_eval_result *baselines);
void cli_print_cards(cli *c, const uw_card *const *cards, const char *const *titles, int count);
void cli_print_probe(cli *c, const uw_probe_report *r);
void cli_print_run_curve(cli *c, const uw_run_curve *curve);
/* Events: `most` of them. */
void cli_print_surprise(cli *c, const uw_surprise_report *r, int32_t most);
void cli_print_injection(cli *c, const uw_injection_report *r);
void cli_print_fitness(cli *c, const uw_fitness_report *r);
/* Run the model's episodes and every baseline's. results: [UW_NUM_DRIVERS], freed by the caller.  With
 * options->resume, the table's path, finished episodes of each driver are kept at cli_eval_kept. */
uw_status cli_eval_all(cli *c, const uw_model *model, const char *env, const uw_eval_options *options,
                       uw_eval_result *results, uw_err *err);
const char *cli_eval_kept(const char *table, uw_driver driver, char *path, size_t size);
void cli_eval_free(uw_eval_result *results);

/* Planner options of CLI_PLANNER_OPTIONS; the defaults are those of the solver, with --compat the reference's. */
#define CLI_PLANNER_OPTIONS                                                                        \
    {"solver", "NAME", "cem | icem | mppi | predictive | gradient | pgd | "                        \
                       "categorical | lagrangian; landmark | inverse: from --data", "cem"},                                         \
    {"objective", "NAME", "sum | last | min over the horizon", "sum"},                              \
    {"horizon", "H", "decisions per plan", "16"},                                                   \
    {"num-samples", "N", "candidates per iteration", "128"},                                        \
    {"num-elites", "K", "candidates kept for the refit", "16"},                                     \
    {"iters", "I", "refits or gradient steps per plan", "4"},                                       \
    {"action-cost", "W", "weight of the mean squared action", "0"},                                 \
    {"init-std", "S", "spread of the first candidates, of [-1, 1]", "1"},                          \
    {"min-std", "S", "least spread that a refit leaves", "0.05"},                                   \
    {"noise-ar", "R", "correlation of the noise along the horizon; 0 = white", "0.8"},              \
    {"noise-beta", "B", "colour of the noise instead: power f^-B", "0"},                            \
    {"temperature", "T", "of mppi's weights", "0.5"},                                               \
    {"learning-rate", "LR", "of the gradient solvers", "0.1"},                                      \
    {"compat", NULL, "the reference's defaults and mistakes", NULL},                                \
    {"deadline-ms", "MS", "stop refining after MS; 0 = no limit", "0"}
int cli_planner(cli *c, uw_planner_options *options);
/* Return the words of --solver, behind the last a NULL: the library's solvers, landmark and inverse. */
const char *const *cli_solver_words(void);
/* What a recording puts in place of latent distance (solver landmark) or of the search (solver inverse). */
typedef struct cli_guide {
    uw_landmarks *map;
    uw_policy *policy;
    uw_value value;   /* of the map */
    uw_actor actor;   /* of the policy */
    bool actor_first; /* a search follows */
} cli_guide;
#define CLI_GUIDE_OPTIONS                                                                          \
    {"landmarks", "L", "places on the map of --solver landmark (CEM by decisions to the goal)", "512"}, \
    {"policy", "FILE", "policy of --solver inverse: read, or fitted to --data and kept there; with a " \
                       "solver that searches: its first candidate", NULL},                         \
    {"policy-steps", "N", "updates of a policy that is fitted", "20000"}
/* True for the solver that is CEM with the costs of uw_landmarks, and for the one that is uw_policy; word may be
 * NULL. */
bool cli_is_landmark(const char *solver);
bool cli_is_inverse(const char *solver);
/* Check that --data and the options above fit the solvers asked for (against nullable), before anything is opened. */
int cli_guide_check(cli *c, const char *solver, const char *against);
/* True when --policy goes before a search: no solver that is asked for is inverse itself. */
bool cli_policy_first(const cli *c);
/* Make what a solver asks for from --data; `first`: --policy goes before a search.  Episodes held out stay out.
 * After an error, too, *out is cli_guide_free's. */
uw_status cli_guide_make(cli *c, const char *solver, bool first, const uw_model *model, double holdout,
                         uint64_t holdout_seed, cli_guide *out, uw_err *err);
void cli_guide_free(cli_guide *guide);
/* Let an evaluation, or a planner, go by it where there is one. */
void cli_guide_eval(const cli_guide *guide, uw_eval_options *options);
void cli_guide_planner(const cli_guide *guide, uw_planner *planner);
/* A model's dynamics and a controller over them, each in a block of its own. */
typedef struct cli_pilot {
    uw_dynamics dynamics;
    uw_controller *controller;
    void *dynamics_memory, *controller_memory;
} cli_pilot;
/* Make one; after an error, too, *out is cli_pilot_free's. */
uw_status cli_pilot_init(cli *c, const uw_model *model, const uw_controller_options *options, cli_pilot *out);
void cli_pilot_free(cli_pilot *pilot);
/* All --variation options into v. */
int cli_variation(cli *c, const uw_env_class *world, uw_variation *v, bool *any);
/* Write a strip of pictures per factor into a folder: FACTOR.png. */
uw_status cli_world_pictures(cli *c, const uw_env_class *world, const char *folder, uw_err *err);
/* The world named by NAME, checked with "did you mean". */
int cli_world(cli *c, const char *name, const uw_env_class **world);

#endif
