/* Evaluation: episodes under a protocol, exact intervals, baselines, latency; the robustness card; and
 * collecting, which is the same loop with a recorder at its end.
 *
 *     uw_eval_options options = UW_EVAL_OPTIONS_DEFAULT;
 *     uw_eval_run(ctx, model, "two_room", &options, &result, &err);
 *     printf("%d of %d\n", result.success.successes, result.success.episodes);
 */
#ifndef UW_EVAL_H
#define UW_EVAL_H

#include <umwelt/context.h>
#include <umwelt/controller.h>
#include <umwelt/dataset.h>
#include <umwelt/env.h>
#include <umwelt/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A rate with its exact (Clopper-Pearson) 95 % interval. */
typedef struct uw_rate {
    int32_t episodes, successes;
    double rate, low, high;
} uw_rate;
UW_API uw_rate uw_rate_of(int32_t successes, int32_t episodes);

/* Who drives. */
typedef enum uw_driver {
    UW_DRIVER_MODEL = 0,
    UW_DRIVER_RANDOM = 1,
    UW_DRIVER_STRAIGHT = 2,      /* towards the true goal */
    UW_DRIVER_TRUE_DYNAMICS = 3, /* the same planner on the simulator, squared Euclidean cost */
    UW_DRIVER_ORACLE = 4,        /* the world's scripted controller */
    UW_DRIVER_ZERO = 5,          /* does nothing */
    UW_DRIVER_REPLAY = 6         /* the dataset's own actions, then nothing */
} uw_driver;
enum { UW_NUM_DRIVERS = 7 };
UW_API const char *uw_driver_str(uw_driver driver);

/* Return the names of all protocols, NULL-terminated:
 *
 * random-goal     the world draws start and goal; its own rule; 100 env steps
 * released        start sampled from a dataset, goal 25 env steps later in the same episode; the world's own rule;
 *                 50 env steps; a plan is carried out for 25 of them (two solves)
 * clear-moderate  the same pairs, CLEAR-LeWM's rule: agent and block together < 20 px off and the block < 20 degrees
 * clear-strict    the same: the block < 10 px and < 10 degrees off for three consecutive steps
 *
 * In a world without a block, CLEAR's rules are the agent < 16 px and < 8 px off.
 * See docs/guide/evaluation.md */
UW_API const char *const *uw_protocol_names(void);
/* True when a protocol takes its starts and goals from a dataset. */
UW_API bool uw_protocol_needs_data(const char *protocol);

/* Which of a dataset's episodes starts are sampled from. */
typedef enum uw_split { UW_SPLIT_ALL = 0, UW_SPLIT_TRAIN = 1, UW_SPLIT_VALIDATION = 2 } uw_split;
UW_API const char *uw_split_str(uw_split split);

typedef struct uw_eval_options {
    const char *protocol;        /* one of uw_protocol_names */
    int32_t episodes;            /* random-goal: even numbers are hard (different rooms), odd ones easy */
    int32_t budget;              /* env steps per episode; 0 = the protocol's */
    uint64_t seed;               /* of pairs and of test variations */
    uw_planner_options planner;
    const uw_variation *variation;      /* nullable: what the world looks like */
    const uw_variation *goal_variation; /* nullable: the factors that the goal picture has otherwise */
    int32_t keep_traces;         /* keep full traces of the first n episodes (for pictures) */
    int32_t replan;              /* decisions of a plan that are carried out before the next; 0 = the protocol's */
    const uw_dataset *data;      /* of the protocols that need one; nullable otherwise */
    uw_split split;              /* of data, by episode: holdout and holdout_seed say how */
    double holdout;
    uint64_t holdout_seed;
    uint64_t reset_seed;         /* with data: episode i's world is reset with reset_seed + i and then set to the
                                  * recorded state, which may not say everything (pusht: contacts) */
    const char *resume;          /* nullable: a file for finished episodes, written when the run ends or is stopped
                                  * and read by the same run again; the caller removes it */
    const uw_value *value;       /* nullable: what the model's planner goes by in place of latent distance */
    const uw_actor *actor;       /* nullable: acts for the model in place of a search, or before one */
    bool actor_first;            /* the search goes on from the actor's plan */
    const uw_band *band;         /* nullable: the model's controller is surprised above it; needs replan 1 */
    uw_on_surprise on_surprise;
    int32_t teleport_at;         /* after so many env steps, before the next decision, the world jumps to another
                                  * start; 0 = never */
} uw_eval_options;
#define UW_EVAL_OPTIONS_DEFAULT                                                                  \
    ((uw_eval_options){.protocol = "random-goal", .episodes = 200,                               \
                       .planner = {.solver = UW_SOLVER_CEM, .objective = UW_OBJECTIVE_SUM,         \
                                   .horizon = 16, .num_samples = 128, .num_elites = 16, .iters = 4, \
                                   .keep_elites = 4, .init_std = 1.0f, .min_std = 0.05f,            \
                                   .noise_ar = 0.8f, .action_low = -1.0f, .action_high = 1.0f,      \
                                   .warm_start = true}})

/* One episode's outcome. */
typedef struct uw_episode {
    int32_t index;
    uw_task task;
    bool success, solved_at_start;
    int32_t steps;          /* env steps until success, or all of them */
    float final_distance;   /* to the goal, world units */
    double plan_ms_mean;
    int64_t data_episode, data_row; /* of the start in the dataset; -1: not from one */
    int32_t surprised, stopped, held, replanned; /* decisions; 0 without a band */
    bool jumped, noticed;   /* the world jumped; the observation after that surprised */
} uw_episode;

/* What happened in a kept episode. Owned by the result. */
typedef struct uw_trace {
    int32_t num_states;      /* env steps + 1 */
    double *states;          /* [num_states, state_dim] */
    int32_t num_decisions, horizon, latent_dim;
    float *imagined;         /* [num_decisions, horizon, D]; NULL unless a model drove; zeros where a
                              * decision had no plan */
    double values[UW_MAX_FACTOR_VALUES];      /* what the world looked like */
    double goal_values[UW_MAX_FACTOR_VALUES];
} uw_trace;

typedef struct uw_eval_result {
    char protocol[32], env[48];
    uw_driver driver;
    int32_t budget, action_repeat;
    int32_t plan_steps;                        /* env steps from one decision of the driver to its next */
    uw_rate success, hard, easy;
    int32_t solved_at_start;
    double mean_steps;                         /* over successes */
    double plan_ms_p50, plan_ms_p99, plan_ms_max; /* per decision: encode + plan; 0 without a plan */
    int64_t decisions;
    double seconds;
    int32_t num_episodes;
    uw_episode *episodes;     /* [num_episodes] */
    int32_t num_traces;
    uw_trace *traces;         /* [num_traces] */
    uw_split split;           /* of the dataset */
    char data_hash[17];       /* of it; "" without one */
    int64_t starts;           /* rows that a start could be sampled from */
    int64_t short_episodes;   /* episodes of the split too short for a start and its goal */
    int64_t surprised, stopped, held, replanned; /* decisions; with a band */
    uw_rate noticed;          /* with a band and teleport_at: episodes surprised by the jump, of those that saw it */
} uw_eval_result;

/* Run episodes under a protocol.
 *
 * An action is held for action_repeat env steps; 0 = the model's, or the world's usual ones without a model,
 * which may be NULL unless it drives.  The straight and the scripted driver choose anew at every env step.  Where
 * agent.color or background.color is drawn, they are at least 100 of 255 apart.
 *
 *
 * Protocols with a dataset: row t may start an episode when the goal, offset env steps later, is in the same
 * recorded episode; np.sort(np.random.default_rng(seed).choice(starts, episodes, replace=False)) are taken.  A
 * column with the name of a factor says what the world looked like.  Pictures of the start and the goal are the
 * recorded ones when their size is the model's and no variation asks for others.  The goal may be reached from
 * the first step on; a start that meets the rule already is played all the same, and counted.
 *
 * Own      *out, freed by uw_eval_result_fini
 * Threads  episodes run side by side; results do not depend on how many threads do (latencies do)
 * Returns  UW_OK; UW_EINVAL for options out of range or a dataset that is missing; UW_ENOTFOUND for an unknown
 *          world or protocol, with a "did you mean"; UW_ESHAPE when model and world do not fit, or a dataset
 *          does not fit the world, or has too few starts; UW_ENONFINITE when the model cannot see a goal;
 *          UW_EINTERRUPTED; UW_ENOMEM */
UW_API uw_status uw_eval_run(uw_context *ctx, const uw_model *model, const char *env,
                             uw_driver driver, int32_t action_repeat, const uw_eval_options *options,
                             uw_eval_result *out, uw_err *err);
UW_API void uw_eval_result_fini(uw_eval_result *result);
/* Write the per-episode table as CSV, atomically. */
UW_API uw_status uw_eval_write_csv(const uw_eval_result *result, const char *path, bool overwrite,
                                   uw_err *err);

/* Read from a model which episodes it held out in training: options->holdout and holdout_seed.
 * Returns UW_OK; UW_EINVAL when the model does not say, or held nothing out */
UW_API uw_status uw_eval_holdout(const uw_model *model, uw_eval_options *options, uw_err *err);

/* Two runs of the same episodes, beside each other. */
typedef struct uw_paired {
    int32_t both, only_first, only_second, neither;
    double p_value; /* exact McNemar: of a split of the episodes that differ at least this uneven, were either
                     * side as likely to be ahead */
} uw_paired;
/* Compare two results episode by episode.
 * Returns UW_OK; UW_ESHAPE when they are not of the same episodes under the same protocol */
UW_API uw_status uw_eval_compare(const uw_eval_result *first, const uw_eval_result *second,
                                 uw_paired *out, uw_err *err);
UW_API double uw_mcnemar(int32_t only_first, int32_t only_second);

/* ---- robustness card ----------------------------------------------------------------------------- */

enum { UW_MAX_CARD_CELLS = 96 };
typedef struct uw_card_cell {
    char factor[48];   /* "agent.color", "all", "goal.colors" */
    char value[24];    /* "random", "min", "max" */
    char at[48];       /* the value of min and max as text: "12.7", "197,197,197", "horizontal"; else "" */
    uw_rate rate;
    double of_nominal; /* rate / nominal rate */
    bool in_training;  /* the model's provenance names every factor that the cell changes */
    bool ours;         /* of a factor that stable-worldmodel does not have */
    int32_t no_way;    /* episodes whose goal no path leads to (a door behind a wall): nobody reaches those */
} uw_card_cell;
typedef struct uw_card {
    uw_rate nominal;
    int32_t num_cells;
    uw_card_cell cells[UW_MAX_CARD_CELLS];
    int32_t worst; /* index of the worst cell */
    double seconds;
} uw_card;

/* What a card has cells for. */
typedef struct uw_card_options {
    const char *factors; /* nullable: the usual card; else a comma-separated list, see uw_card_run */
    const char *values;  /* comma-separated, of "min", "max", "random"; NULL = "random" */
} uw_card_options;

/* Success under each factor, at each value, in the same episodes for each cell.
 *
 * factors lists factors of the world, and the combined cells
 *   all          those of the list at once, drawn anew in every episode
 *   goal.colors  the list's colours, and the goal picture in others
 *   goal.looks   everything of the list that shows and moves nothing, and the goal picture otherwise
 *   distractors  six discs, drifting otherwise in every episode
 *   texture      a floor of two colours, in another pattern in every episode
 *   every        stands for every factor of stable-worldmodel's that has an effect, and all of the above
 * NULL = the usual card: two_room's agent, floor, wall and door colour and agent radius, pusht's agent, floor,
 * block and goal colour and both scales, then all, goal.colors, distractors.
 *
 * min and max are a factor's ends: the first and the last word, black and white, both ends of a range, in all of
 * its numbers; where a rule of the world forbids an end, or the agent could not be told from the floor there,
 * the last value on the way to it from the default that is allowed.  random is drawn anew in every episode.
 * Combined cells are random only.  A cell that changes nothing is the nominal one and is not run again.
 *
 * What options->variation says holds in every cell.  Returns as uw_eval_run; UW_ENOTFOUND for an unknown factor
 * or value, with a "did you mean". */
UW_API uw_status uw_card_run(uw_context *ctx, const uw_model *model, const char *env,
                             const uw_card_options *card, const uw_eval_options *options,
                             uw_card *out, uw_err *err);
/* The same with values random alone. */
UW_API uw_status uw_stress_run(uw_context *ctx, const uw_model *model, const char *env,
                               const char *factors, const uw_eval_options *options, uw_card *out,
                               uw_err *err);

/* ---- collecting ------------------------------------------------------------------------------------ */

typedef struct uw_collect_options {
    int32_t episodes;
    int32_t steps;           /* rows per episode = steps + 1; 0 = the world's usual ones */
    const char *policy;      /* "random" (persistent heading), "expert", "weak", "none", "push" (in pusht, whose
                              * episodes end where something leaves the picture); NULL = the usual one */
    int32_t size;            /* frame edge in pixels; 0 = no pictures */
    int32_t action_repeat;   /* env steps per row, the action held; 0 = the world's usual ones */
    const uw_variation *variation; /* nullable */
    uint64_t seed;
    bool resume, overwrite;
} uw_collect_options;
#define UW_COLLECT_OPTIONS_DEFAULT ((uw_collect_options){.episodes = 600, .size = 64})
typedef struct uw_collect_result {
    int64_t episodes, frames, bytes; /* in the file, after this run */
    double seconds;                  /* of this run */
    int64_t new_frames;              /* recorded by this run: all but what a resume found */
    int64_t clipped;                 /* of those: rows whose action was outside [-1, 1] */
} uw_collect_result;
/* Record episodes of a world: columns pixels (unless size is 0), action, state, goal_state, the world's
 * readings, reward (summed over the row's env steps, unless a reading of that name says it) and terminated
 * (the goal was met) of the way to the row,
 * and every factor that the variation names, under its name, constant within an episode (a start or goal is
 * in the state already).  Row t holds what was seen and the action taken from there; the last row's action
 * and the first row's reward are NaN.
 *
 * Episode e begins as stable-worldmodel's world does after reset(seed + e); where that breaks a rule, with
 * seed + e + k * 2^32 for the first k below 1000 that keeps it.  In worlds without such seeds it begins as
 * (seed, e) say.
 *
 * Own      path is created; UW_EEXIST unless overwrite, or resume of a file with the same settings
 * Threads  episodes run on ctx's pool; episode i depends on seed and i only, and the bytes written
 *          depend neither on the number of threads nor on where a run was stopped and resumed
 * Returns  UW_OK; UW_EINVAL for options out of range or a resume with other settings; UW_ENOTFOUND for
 *          an unknown world; UW_EINTERRUPTED when progress asked for a stop: the file is complete as
 *          far as it goes and resumes; *out then says how far */
UW_API uw_status uw_collect_run(uw_context *ctx, const char *env, const char *path,
                                const uw_collect_options *options, uw_collect_result *out, uw_err *err);

#ifdef __cplusplus
}
#endif
#endif
