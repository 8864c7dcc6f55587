/* Worlds: reset, step, observe, draw, and their factors of variation.
 *
 *     uw_env *env = NULL;
 *     uw_env_new("two_room", &env, &err);
 *     uw_env_reset(env, seed, NULL, &err);
 *     uw_env_step(env, action, &step);
 *     uw_env_render(env, 64, rgb);
 *
 * A world is a plain struct of functions (uw_env_class), so a user's own C world fits the same slot. */
#ifndef UW_ENV_H
#define UW_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    UW_MAX_FACTOR_DIM = 4,
    UW_MAX_FACTOR_VALUES = 64, /* most factors, and most values of all factors together */
    UW_MAX_STATE_DIM = 32,
    UW_MAX_ACTION_DIM = 32,
    UW_MAX_READINGS = 16,
    UW_POLICY_DRAWS = 6,
    UW_POLICY_MEMORY = 8,
    UW_MAX_FRAME_SIZE = 1024 /* pixels: largest edge of a drawn frame */
};

typedef enum uw_factor_kind {
    UW_FACTOR_COLOR = 0, /* RGB, integers 0..255 */
    UW_FACTOR_REAL = 1,
    UW_FACTOR_INT = 2
} uw_factor_kind;

/* One factor of variation: a name, its place among the world's values, and its range. */
typedef struct uw_factor {
    const char *name; /* "agent.color" */
    uw_factor_kind kind;
    int32_t dim;      /* 1 .. UW_MAX_FACTOR_DIM */
    int32_t offset;   /* first of its dim places in a values array */
    double low[UW_MAX_FACTOR_DIM], high[UW_MAX_FACTOR_DIM], init[UW_MAX_FACTOR_DIM]; /* [dim] */
    bool affects_motion, affects_picture; /* beside what the state already says */
    bool placed; /* a start or a goal: reset draws it from the seed unless it is fixed */
    bool wide;   /* a real that is drawn and recorded in float64; else float32 */
    bool ours;   /* not one of stable-worldmodel's: its seeds say nothing about it */
    const char *unit; /* nullable: "px" */
    const char *rule; /* nullable: a constraint with other factors, in words */
    const char *const *words; /* nullable, [high - low + 1]: names of an integer's values */
} uw_factor;

/* A reading that is recorded beside the state: what an instrument would show. */
typedef struct uw_reading {
    const char *name; /* column name: "contacts" */
    int32_t dim;      /* 1 .. UW_MAX_STATE_DIM */
    const char *unit; /* nullable */
} uw_reading;

/* What one step gave. */
typedef struct uw_step {
    float reward;
    bool success;    /* the goal is reached, after this step */
    float distance;  /* to the goal, in the world's units */
    bool clipped;    /* an action number was outside [-1, 1]: clipped, or taken (takes_any_action) */
} uw_step;

/* Start and goal as a protocol draws them. */
typedef struct uw_task {
    double start[UW_MAX_STATE_DIM]; /* [state_dim] */
    double goal[UW_MAX_STATE_DIM];  /* [state_dim] */
    bool hard;                     /* two_room: different rooms; pusht: the block has to move */
    int32_t shortest;              /* env steps of a shortest path, or 0 when unknown */
} uw_task;

/* A world as a struct of functions.  self points to instance_bytes of memory, aligned to 64 bytes and zeroed
 * once, before init or the first reset.  values: [num_values], every factor's numbers at its offset, each
 * inside its range.  No function may print or exit; only init and reset may allocate.  Actions get here
 * finite and, unless takes_any_action, clipped to [-1, 1]; sizes between 1 and UW_MAX_FRAME_SIZE.  Functions
 * marked nullable may be NULL, no other. */
typedef struct uw_env_class {
    const char *name;
    int32_t action_dim, state_dim;
    bool takes_any_action; /* actions outside [-1, 1] mean something here: they are counted, not clipped */
    size_t instance_bytes;
    int32_t num_factors, num_values;
    const uw_factor *factors; /* [num_factors], in alphabetical order */
    const char *const *state_names; /* [state_dim], e.g. "agent.x" */
    const char *state_unit;
    bool wide_state; /* recorded in float64; else float32 holds every state */
    /* Where nobody says: env steps that an action is held for, rows of a recorded episode after its first, and
     * the policy; 0 and NULL mean 1, 50 and "random". */
    int32_t usual_hold, usual_steps;
    const char *usual_policy;
    double expert_noise; /* standard deviation of the noise on a collecting expert's actions; 0 means 2 */
    int32_t num_readings;       /* 0 .. UW_MAX_READINGS */
    const uw_reading *readings; /* [num_readings] */
    /* Take and give back what the instance owns beside its memory; nullable, both or none. */
    uw_status (*init)(void *self, uw_err *err);
    void (*fini)(void *self);
    /* Check values together; err names the factor and the rule.  NaN in a placed factor: not decided
     * yet, reset will place it.  Nullable: every value in its range is fine. */
    uw_status (*check)(const double *values, uw_err *err);
    /* Start an episode: place start and goal from the seed where `fixed` does not say, take values. */
    uw_status (*reset)(void *self, uint64_t seed, const double *values, const bool *fixed,
                       uw_err *err);
    /* Draw the sampled[num_factors] factors into values as stable-worldmodel's reset with this seed does;
     * nullable: such seeds mean nothing here.  Returns UW_EINVAL when a draw breaks a rule. */
    uw_status (*sample)(uint64_t seed, const bool *sampled, double *values, uw_err *err);
    void (*step)(void *self, const float *action, uw_step *out);
    void (*get_state)(const void *self, double *state);        /* [state_dim] */
    uw_status (*set_state)(void *self, const double *state);   /* refuses non-finite */
    uw_status (*set_goal)(void *self, const double *goal);     /* [state_dim] */
    void (*get_goal)(const void *self, double *goal);
    /* Save and restore everything that decides the future, bit for bit; nullable: the instance memory
     * itself is copied (a world without pointers).  snapshot_bytes: of one snapshot, when not null. */
    size_t snapshot_bytes;
    void (*save)(const void *self, void *snapshot);
    uw_status (*restore)(void *self, const void *snapshot);
    /* Write the readings, one after the other; nullable without readings. */
    void (*read)(const void *self, double *readings);
    /* Draw a state under values, `steps` env steps after a reset (distractors move by them): pure,
     * thread-safe.  rgb: [size, size, 3]. */
    void (*draw)(const double *values, const double *state, const double *goal, int64_t steps,
                 int32_t size, uint8_t *rgb);
    /* Draw the instance as it is now, with what the state does not say (contacts); nullable: draw. */
    void (*render)(const void *self, const double *values, int64_t steps, int32_t size,
                   uint8_t *rgb);
    /* Write the scripted action towards the goal (the oracle), and the straight one. */
    void (*oracle)(const void *self, float *action);
    void (*straight)(const void *self, float *action);
    /* Write the action of the expert that collects, before its noise; nullable: the oracle. */
    void (*expert)(const void *self, float *action);
    /* Write the action of the weak policy from independent uniform numbers [action_dim] in [-1, 1];
     * nullable: the numbers themselves. */
    void (*weak)(const void *self, const double *uniform, float *action);
    /* Write the action of the policy that pushes things about, from uniform numbers in [0, 1) and normal ones,
     * UW_POLICY_DRAWS each, and what it remembers: memory [UW_POLICY_MEMORY], zeros before an episode; nullable:
     * there is no such policy here. */
    void (*push)(const void *self, const double *uniform, const double *normal, double *memory,
                 float *action);
    /* Whether something has left what a picture shows, where an episode of `push` ends; nullable: never. */
    bool (*astray)(const void *self);
    /* Sample a start and goal under values, a function of seed and index: hard or easy. */
    void (*sample_task)(uint64_t seed, uint64_t index, const double *values, bool hard, uw_task *out);
    /* Length of a shortest path between two states around obstacles, in world units; INFINITY when
     * there is none.  Nullable: distance says nothing about this world's paths. */
    double (*path_length)(const double *values, const double *from, const double *to);
} uw_env_class;

typedef struct uw_env uw_env;

/* Register a user's world for this process, under cls->name; cls must stay alive.
 *
 * Threads  call before other threads use worlds
 * Returns  UW_OK; UW_EEXIST when the name is taken; UW_EINVAL when a function is missing, a size is out
 *          of range, or the factors are not in order; UW_ENOMEM after 32 worlds */
UW_API uw_status uw_env_register(const uw_env_class *cls);
/* Return a class by name, or NULL. */
UW_API const uw_env_class *uw_env_find(const char *name);
/* Return the names of all worlds, NULL-terminated. */
UW_API const char *const *uw_env_names(void);
/* Return a factor of a class by name, or NULL; *nearest (nullable) gets the closest name. */
UW_API const uw_factor *uw_env_factor(const uw_env_class *cls, const char *name,
                                      const char **nearest);

/* Return the name, factors and check of a process ("ou"), or NULL: a world of numbers that uw_collect_run
 * records, but that nobody steers towards a goal or looks at.  It is no class for uw_env_new: its other
 * functions are NULL. */
UW_API const uw_env_class *uw_process_find(const char *name);
/* Return the names of all processes, NULL-terminated. */
UW_API const char *const *uw_process_names(void);

/* Make an instance with default values. Returns UW_ENOTFOUND with a "did you mean". */
UW_API uw_status uw_env_new(const char *name, uw_env **out, uw_err *err);
UW_API void uw_env_free(uw_env *env);
UW_API const uw_env_class *uw_env_class_of(const uw_env *env);

/* ---- variations ------------------------------------------------------------------------------- */

typedef enum uw_variation_mode {
    UW_VARY_DEFAULT = 0, /* the world's rule: init, or drawn by reset (positions) */
    UW_VARY_FIXED = 1,   /* NAME=VALUE */
    UW_VARY_SAMPLE = 2   /* NAME~sample: drawn per episode */
} uw_variation_mode;

/* What differs from the world's defaults; per factor, in the class's order. */
typedef struct uw_variation {
    uw_variation_mode mode[UW_MAX_FACTOR_VALUES];     /* [num_factors] */
    double value[UW_MAX_FACTOR_VALUES][UW_MAX_FACTOR_DIM]; /* [num_factors][dim] when fixed */
} uw_variation;

/* Parse "NAME=VALUE" (numbers separated by commas; a colour also as #rrggbb, a named value as its name) or
 * "NAME~sample" into v.  "agent~sample" samples every factor "agent....", "all~sample" every one but ours.
 * Returns UW_EINVAL with the range or a "did you mean". */
UW_API uw_status uw_variation_parse(const uw_env_class *cls, const char *text, uw_variation *v,
                                    uw_err *err);
/* Resolve: the values of episode `index` under v (a function of seed and index only), redrawing
 * samples that break a constraint, at most 1000 times.
 *
 * Shapes   values: [num_values]; fixed: [num_factors], true where v says a value or sample
 * Returns  UW_OK; UW_EINVAL when fixed values break a rule, or no draw in 1000 keeps it */
UW_API uw_status uw_variation_resolve(const uw_env_class *cls, const uw_variation *v, uint64_t seed,
                                      uint64_t index, double *values, bool *fixed, uw_err *err);
/* The same as stable-worldmodel's World does at reset(seed): the sampled factors (and the placed ones) come from
 * NumPy's generator seeded with `seed`, one stream per factor, then the fixed values are set, then the rules are
 * checked.  A world without such seeds falls back to uw_variation_resolve(seed, 0).
 *
 * Returns  UW_OK; UW_EINVAL when the draw breaks a rule, as the reference's reset then fails */
UW_API uw_status uw_variation_sample(const uw_env_class *cls, const uw_variation *v, uint64_t seed,
                                     double *values, bool *fixed, uw_err *err);
/* Write the defaults. */
UW_API void uw_env_default_values(const uw_env_class *cls, double *values);

/* ---- one instance ------------------------------------------------------------------------------ */

/* Start an episode from a seed with values (NULL = defaults) and the factors that are fixed (nullable). */
UW_API uw_status uw_env_reset(uw_env *env, uint64_t seed, const double *values, const bool *fixed,
                              uw_err *err);
/* Step once; numbers outside [-1, 1] are clipped (takes_any_action: taken), and out->clipped says so.
 *
 * Shapes   action: [action_dim]
 * Alloc    none
 * Returns  UW_OK; UW_ENONFINITE for a NaN or infinite action, the state and *out unchanged */
UW_API uw_status uw_env_step(uw_env *env, const float *action, uw_step *out);
/* Return the env steps since the reset. */
UW_API int64_t uw_env_steps(const uw_env *env);
/* Get and set the state [state_dim].  Setting it is what the reference's evaluator does, and may lose what the
 * state does not hold (pusht: the contact cache, one physics step); a snapshot loses nothing.
 * Returns UW_ENONFINITE, or UW_EINVAL for numbers beyond the world's reach (pusht: 1e9), the world unchanged. */
UW_API void uw_env_get_state(const uw_env *env, double *state);
UW_API uw_status uw_env_set_state(uw_env *env, const double *state);
UW_API void uw_env_get_goal(const uw_env *env, double *goal);
UW_API uw_status uw_env_set_goal(uw_env *env, const double *goal);
/* Save everything that decides the future of this episode, and continue from it to the same bits, in this or
 * in another instance of the same world and program.
 *
 * Shapes   snapshot: [uw_env_snapshot_bytes], the caller's, any alignment
 * Alloc    none, but what a world's own library does in restore
 * Returns  UW_OK; UW_ESHAPE for a snapshot of another world; UW_EFORMAT for bytes that are none */
UW_API size_t uw_env_snapshot_bytes(const uw_env *env);
UW_API void uw_env_save(const uw_env *env, void *snapshot);
UW_API uw_status uw_env_restore(uw_env *env, const void *snapshot, size_t bytes, uw_err *err);
/* Write the readings of the class one after the other, [sum of their dims]. */
UW_API void uw_env_read(const uw_env *env, double *readings);
/* Draw now / draw the goal picture (the agent at the goal) as [size, size, 3] u8; size 1 ..
 * UW_MAX_FRAME_SIZE, another size draws nothing.  At the reference's own size (224) the picture is the
 * reference's, at others it is drawn directly. Alloc: none. */
UW_API void uw_env_render(const uw_env *env, int32_t size, uint8_t *rgb);
UW_API void uw_env_render_goal(const uw_env *env, int32_t size, uint8_t *rgb);
/* Draw any state under this instance's values, or under others (NULL = this instance's). */
UW_API void uw_env_draw(const uw_env *env, const double *values, const double *state, int32_t size,
                        uint8_t *rgb);
UW_API const double *uw_env_values(const uw_env *env);
/* Return the instance memory of a user's class. */
UW_API void *uw_env_self(uw_env *env);

#ifdef __cplusplus
}
#endif
#endif
