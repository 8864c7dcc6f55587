/* The inside of evaluation: protocols, drivers, and the run that the robustness card repeats. */
#ifndef UW_EVAL_INTERNAL_H
#define UW_EVAL_INTERNAL_H

#include <umwelt/eval.h>

/* ---- protocol.c: what an episode is ----------------------------------------------------------------- */

/* When an episode has reached its goal. */
typedef enum uw_rule {
    UW_RULE_WORLD = 0,    /* the world's own */
    UW_RULE_MODERATE = 1, /* CLEAR's */
    UW_RULE_STRICT = 2
} uw_rule;

typedef struct uw_protocol {
    const char *name;
    int32_t budget; /* env steps */
    int32_t offset; /* env steps from a recorded start to its goal; 0: the world draws both */
    int32_t solve;  /* env steps that one plan is carried out for; 0: one decision */
    uw_rule rule;
} uw_protocol;

/* One episode before it starts: a function of (class, options, index) only, and of the dataset. */
typedef struct uw_setup {
    uw_task task;
    uint64_t reset_seed;     /* of what the task does not say */
    int64_t episode, row;    /* of the dataset; -1: not from one */
    double values[UW_MAX_FACTOR_VALUES];      /* of the world */
    double goal_values[UW_MAX_FACTOR_VALUES]; /* of the goal picture */
    bool fixed[UW_MAX_FACTOR_VALUES];         /* [num_factors] */
} uw_setup;

/* Find a protocol; UW_ENOTFOUND with a "did you mean". */
uw_status uw__protocol_find(const char *name, const uw_protocol **out, uw_err *err);
/* Check that the variations leave to the protocol what it draws itself. */
uw_status uw__protocol_check(const uw_protocol *protocol, const uw_env_class *cls,
                             const uw_eval_options *options, uw_err *err);
uw_status uw__protocol_setup(const uw_env_class *cls, const uw_eval_options *options, int32_t index,
                             uw_setup *out, uw_err *err);
/* What the world looks like in an episode, and its goal picture: resolve the variations.  Between the two a
 * caller may put what was recorded in place of factors that options->variation leaves alone. */
uw_status uw__protocol_look(const uw_env_class *cls, const uw_eval_options *options, int32_t index,
                            uw_setup *setup, uw_err *err);
uw_status uw__protocol_goal_look(const uw_env_class *cls, const uw_eval_options *options,
                                 int32_t index, uw_setup *setup, uw_err *err);

/* True when the agent's colour can be told from the floor's, or the world does not have the two. */
bool uw__agent_shows(const uw_env_class *cls, const double *values);

/* ---- judge.c: when the goal is reached -------------------------------------------------------------- */

typedef struct uw_judge {
    uw_rule rule;
    int32_t agent[2], block[2], angle; /* places in the state; -1: this world has none */
    int32_t steps;                     /* consecutive ones that the rule has to hold for */
} uw_judge;

/* Prepare a rule for a world; UW_ESHAPE, naming both, when the rule says nothing about such a world. */
uw_status uw__judge_init(uw_judge *judge, const uw_protocol *protocol, const uw_env_class *cls,
                         uw_err *err);
/* True when a state meets the rule for one step; `step` is what the world said of it. */
bool uw__judge_meets(const uw_judge *judge, const double *state, const double *goal,
                     const uw_step *step);

/* ---- pairs.c: starts and goals from a dataset -------------------------------------------------------- */

typedef struct uw_pairs uw_pairs;

/* Sample options->episodes starts as the reference does.  Own: *out, uw__pairs_free.
 * Returns UW_ESHAPE when the dataset does not fit the world or is too short for the protocol. */
uw_status uw__pairs_new(const uw_protocol *protocol, const uw_env_class *cls,
                        const uw_eval_options *options, int32_t threads, uw_pairs **out, uw_err *err);
void uw__pairs_free(uw_pairs *pairs);
/* Episode `index`: state, goal and factors as recorded.  Alloc: none, as all of these. */
uw_status uw__pairs_setup(const uw_pairs *pairs, const uw_eval_options *options, int32_t index,
                          uw_setup *out, uw_err *err);
/* Write the recorded action that leads away from env step `step` of the episode; zeros after the last. */
uw_status uw__pairs_action(const uw_pairs *pairs, const uw_setup *setup, int32_t step, float *action,
                           uw_err *err);
/* True when the recording has pictures of this size, and nothing is asked to look otherwise. */
bool uw__pairs_pictured(const uw_pairs *pairs, int32_t size);
/* Read the picture of the start or of the goal. */
uw_status uw__pairs_picture(const uw_pairs *pairs, const uw_setup *setup, bool goal, uint8_t *rgb,
                            uw_err *err);
/* Say what was sampled from what. */
void uw__pairs_describe(const uw_pairs *pairs, uw_eval_result *result);
/* Sample `count` of `n` numbers as np.sort(default_rng(seed).choice(n, count, replace=False)) does.
 * Returns UW_EINVAL unless 0 <= count <= n < 2^32; UW_ENOMEM */
uw_status uw__numpy_choice(uint64_t seed, int64_t n, int64_t count, int64_t *out);

/* ---- drivers.c: who acts ------------------------------------------------------------------------------ */

/* What a run evaluates, checked once. */
typedef struct uw_contest {
    uw_context *ctx;
    const uw_model *model; /* nullable unless it drives */
    const uw_env_class *cls;
    uw_driver driver;
    const uw_planner_options *planner;
    const uw_value *value; /* nullable: of the model's planner */
    const uw_actor *actor; /* nullable: likewise */
    bool actor_first;
    const uw_band *band;   /* nullable: of the model's controller, with on_surprise */
    uw_on_surprise on_surprise;
    const uw_pairs *pairs; /* nullable: where starts, goals and their pictures were recorded */
    const float *script;   /* nullable: what the replay plays instead of the recording, [episodes, budget, A] */
    uint64_t seed;
    int32_t budget;      /* env steps */
    int32_t plan_rows;   /* actions per decision of the planner */
    int32_t execute;     /* decisions of a plan carried out before the next */
    int32_t rows;        /* actions per decision of the driver: both together */
    int32_t hold;        /* env steps per action */
    int32_t image_size;  /* 0: the model sees the state */
    int32_t latent_dim;  /* 0 unless the model drives */
} uw_contest;

/* Fill rows, hold and sizes; UW_ESHAPE naming both sides when model and world do not fit. */
uw_status uw__contest_init(uw_contest *contest, int32_t action_repeat, uw_err *err);
/* Carry each plan out for `decisions` before the next; 0 = as many as fill `solve` env steps. */
void uw__contest_execute(uw_contest *contest, int32_t decisions, int32_t solve);

/* A world and whoever acts in it: one per worker, all memory planned before the first episode. */
typedef struct uw_player uw_player;

uw_status uw__player_new(const uw_contest *contest, uw_player **out, uw_err *err);
void uw__player_free(uw_player *player);
uw_env *uw__player_env(uw_player *player);
/* Start episode `index`: the world at the start, the goal shown; *start says how far it is and whether
 * it counts as reached already.  Returns UW_ENONFINITE when the goal's latent is not finite.
 * Alloc: none. */
uw_status uw__player_begin(uw_player *player, const uw_setup *setup, int32_t index, uw_step *start,
                           uw_err *err);
/* Choose the actions [rows, action_dim] of decision number `decision`.  A plan that fails gives the safe
 * action and is no error.  Alloc: none. */
uw_status uw__player_decide(uw_player *player, int32_t decision, float *actions, uw_act_info *info,
                            uw_err *err);
/* Write the latents [H, D] that the last decision's plan leads to; zeros when there was none. */
void uw__player_imagine(uw_player *player, float *z);
/* True when this kind of driver plans, so that its latency says something. */
bool uw__driver_plans(uw_driver driver);

/* ---- eval.c: the run -------------------------------------------------------------------------------- */

/* Find a world by name; UW_ENOTFOUND with a "did you mean". */
uw_status uw__world_find(const char *name, const uw_env_class **out, uw_err *err);

/* ---- collect.c: what collecting a process shares ---------------------------------------------------- */

struct uw_process;
/* Record episodes of a process; as uw_collect_run. */
uw_status uw__collect_process(uw_context *ctx, const struct uw_process *process, const char *path,
                              const uw_collect_options *options, uw_collect_result *out,
                              uw_err *err);
/* Refuse to continue a file that was collected otherwise. */
uw_status uw__collect_resume_check(const uw_collect_options *options, const char *path,
                                   const uw_dataset_meta *meta, uw_err *err);
/* Say UW_EINTERRUPTED, and how to go on. */
uw_status uw__collect_stopped(const char *path, int64_t done, int64_t total, uw_err *err);
/* Tell what the file holds now. */
uw_status uw__collect_measure(const char *path, int64_t found, int64_t episodes,
                              double seconds, uw_collect_result *out, uw_err *err);

/* A piece of longer work: where its progress begins and of how much. */
typedef struct uw_part {
    const char *what;
    int64_t done, total; /* episodes */
    const float *script; /* of uw_contest; nullable */
} uw_part;

uw_status uw__eval_part(uw_context *ctx, const uw_model *model, const char *env, uw_driver driver,
                        int32_t action_repeat, const uw_eval_options *options, const uw_part *part,
                        uw_eval_result *out, uw_err *err);

/* ---- card_cells.c: what a robustness card has cells for ---------------------------------------------- */

typedef enum uw_cell_value { UW_CELL_MIN = 0, UW_CELL_MAX = 1, UW_CELL_RANDOM = 2 } uw_cell_value;
enum { UW_NUM_CELL_VALUES = 3 };

typedef struct uw_card_plan {
    const uw_env_class *cls;
    int32_t num_cells;
    char cell[UW_MAX_CARD_CELLS][48]; /* names of factors and combined cells */
    uw_cell_value value[UW_MAX_CARD_CELLS];
    bool varied[UW_MAX_FACTOR_VALUES]; /* [num_factors] by "all" */
    bool colors[UW_MAX_FACTOR_VALUES]; /* by "goal.colors" */
    bool looks[UW_MAX_FACTOR_VALUES];  /* by "goal.looks" */
} uw_card_plan;

/* Read the options of uw_card_run.  Returns UW_ENOTFOUND with a "did you mean"; UW_EINVAL for too many. */
uw_status uw__card_plan(const uw_env_class *cls, const uw_card_options *options, uw_card_plan *plan,
                        uw_err *err);
/* Write what cell i changes into variations that hold the caller's own, and its name, value and flags into
 * *cell (in_training: by the names in `trained`).  Returns false when the cell changes nothing. */
bool uw__card_cell(const uw_card_plan *plan, int32_t i, const char *trained, uw_variation *variation,
                   uw_variation *goal, bool *other_goal, uw_card_cell *cell);

/* ---- resume.c: what a stopped run leaves ------------------------------------------------------------- */

/* What is kept of a run: one place per episode. */
typedef struct uw_progress {
    int32_t episodes, max_decisions;
    bool *done;          /* [episodes] */
    uw_episode *episode; /* [episodes] */
    int32_t *decisions;  /* [episodes] */
    float *latency;      /* [episodes, max_decisions]; nullable */
} uw_progress;

/* Read what a run with the same key left at path; false when there is nothing that fits. */
bool uw__progress_load(const char *path, uint64_t key, uw_progress *progress);
uw_status uw__progress_save(const char *path, uint64_t key, const uw_progress *progress, uw_err *err);
/* A number that differs when anything does that results depend on. */
uint64_t uw__progress_key(const uw_contest *contest, const uw_protocol *protocol,
                          const uw_eval_options *options);

/* Return the env steps that an action is held for in a world where nobody says. */
static inline int32_t uw__usual_hold(const uw_env_class *cls) {
    return cls->usual_hold ? cls->usual_hold : 1;
}

#endif
