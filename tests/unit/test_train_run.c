/* What a run leaves, and every way to refuse one: folders in use, other settings, wrong columns,
 * numbers that are not finite, a full disk. */
#include <errno.h>

#include "store.h"
#include "train_here.h"

enum { STEPS = 6 };

static void expect(uw_status got, uw_status want, const char *in_text, const char *in_fix) {
    if (got != want) fail_msg("status %d, wanted %d: %s", got, want, train_err.text);
    if (!strstr(train_err.text, in_text)) fail_msg("no \"%s\" in: %s", in_text, train_err.text);
    if (!strstr(train_err.fix, in_fix)) fail_msg("no \"%s\" in: %s", in_fix, train_err.fix);
}

static bool exists(const char *name) {
    return !access(tempdir_file(name), F_OK);
}

/* ---- what it leaves ------------------------------------------------------------------------ */

static void leaves_a_run(void **state) {
    (void)state;
    const uw_train_config c = tiny_config(STEPS);
    uw_train_result r;
    uw_checkpoint_info info;
    uw_err err = {0};
    CHECK_OK(train_here("data.uw", "run", &c, TRAIN_NEW, &r), &train_err);
    assert_int_equal(r.steps, STEPS);
    assert_true(isfinite(r.loss) && isfinite(r.validation_loss) && r.effective_rank >= 1.0);
    assert_true(r.frames_per_s > 0.0 && r.flops > 0.0 && r.min_variance > 0.0);
    assert_int_equal(strlen(r.tensors_sha256), 64);
    assert_string_equal(r.model_path, tempdir_file("run/model.safetensors"));

    CHECK_OK(uw_checkpoint_inspect(tempdir_file("run"), &info, &err), &err);
    assert_int_equal(info.step, STEPS);
    assert_int_equal(info.steps_total, STEPS);
    assert_int_equal(info.seed, c.seed);
    assert_string_equal(info.preset, "two_room_robust");
    CHECK_OK(uw_checkpoint_inspect(info.generation, &info, &err), &err);
    assert_int_equal(uw_checkpoint_inspect(tempdir_path, &info, &err), UW_ENOTFOUND);

    uw_model *model = NULL;
    CHECK_OK(uw_model_load(r.model_path, &model, &err), &err);
    const uw_provenance *p = uw_model_provenance(model);
    assert_string_equal(p->env, "two_room");
    assert_string_equal(p->observe, "pixels");
    assert_string_equal(p->trained_factors, c.augment_factors);
    assert_int_equal(p->action_repeat, 5);
    assert_int_equal(p->seed, c.seed);
    assert_non_null(strstr(p->config_json, "\"sigreg_weight\""));
    char sha[65];
    uw_model_sha256(model, sha);
    assert_string_equal(sha, r.tensors_sha256);
    uw_model_unload(model);
}

/* Rows at step 1, every third, and the last; no clock in them. */
static void log_rows(void **state) {
    (void)state;
    char *log = file_bytes(tempdir_file("run/log.csv"), NULL);
    assert_non_null(log);
    assert_int_equal(strncmp(log, "step,lr,loss,prediction_loss,rollout_loss,sigreg,", 49), 0);
    const int want[] = {1, 3, 6};
    const char *line = strchr(log, '\n') + 1;
    for (int i = 0; i < 3; i++, line = strchr(line, '\n') + 1)
        assert_int_equal(atoi(line), want[i]);
    assert_true(*line == '\0');
    free(log);
}

static void never_overwrites(void **state) {
    (void)state;
    const uw_train_config c = tiny_config(STEPS);
    uw_train_result r;
    char before[65];
    uw_err err = {0};
    uw_checkpoint_info info;
    expect(train_here("data.uw", "run", &c, TRAIN_NEW, &r), UW_EEXIST, "holds a run", "--resume");
    CHECK_OK(uw_checkpoint_inspect(tempdir_file("run"), &info, &err), &err);
    file_write(tempdir_file("run/notes.txt"), "mine", 4);
    CHECK_OK(train_here("data.uw", "run", &c, TRAIN_RESUME, &r), &train_err);
    assert_true(r.resumed);
    memcpy(before, r.tensors_sha256, sizeof before);
    CHECK_OK(train_here("data.uw", "run", &c, TRAIN_OVERWRITE, &r), &train_err);
    assert_false(r.resumed);
    assert_string_equal(r.tensors_sha256, before);
    assert_true(exists("run/notes.txt"));
    CHECK_OK(train_here("data.uw", "nothing-yet", &c, TRAIN_RESUME, &r), &train_err);
    assert_non_null(strstr(train_said, "starting over"));
}

static void refuses_another_run(void **state) {
    (void)state;
    uw_train_config c = tiny_config(STEPS);
    uw_train_result r;
    c.lr = 3e-3f;
    expect(train_here("data.uw", "run", &c, TRAIN_RESUME, &r), UW_ESHAPE, "lr differs",
           "new folder");
    c = tiny_config(STEPS);
    c.model.latent_dim = 9;
    expect(train_here("data.uw", "run", &c, TRAIN_RESUME, &r), UW_ESHAPE, "latent_dim differs", "");
    c = tiny_config(STEPS);
    tiny_record(tempdir_file("other.uw"), TINY_EPISODES, TINY_ROWS, TINY_SIZE, 4, -1, false);
    expect(train_here("other.uw", "run", &c, TRAIN_RESUME, &r), UW_ESHAPE, "dataset differs", "");
    CHECK_OK(train_here("data.uw", "run", &c, TRAIN_RESUME, &r), &train_err); /* still there */
}

/* ---- data that does not fit ---------------------------------------------------------------- */

static void wrong_columns(void **state) {
    (void)state;
    uw_train_result r;
    uw_train_config c = tiny_config(STEPS);
    snprintf(c.observe, sizeof c.observe, "pixel");
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ENOTFOUND, "no column pixel",
           "did you mean pixels?");
    c = tiny_config(STEPS);
    snprintf(c.observe, sizeof c.observe, "state");
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE, "wanted pictures",
           "sensors");
    c = tiny_config(STEPS);
    snprintf(c.observe, sizeof c.observe, "pixels,state");
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE, "cannot be mixed", "");
    c = tiny_config(STEPS);
    snprintf(c.action, sizeof c.action, "acton");
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ENOTFOUND, "no column acton",
           "action?");
    c = tiny_config(STEPS);
    snprintf(c.action, sizeof c.action, "pixels");
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE, "wanted actions", "");
    CHECK_OK(uw_train_preset("sensors", &c, &train_err), &train_err);
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE, "pixels: are pictures", "");
    c = tiny_config(STEPS);
    c.window = 40;
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE, "no episode is long enough",
           "");
    c = tiny_config(STEPS);
    snprintf(c.augment_factors, sizeof c.augment_factors, "agent.colour");
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_ENOTFOUND, "no factor agent.colour",
           "did you mean agent.color?");
    c = tiny_config(STEPS);
    snprintf(c.action, sizeof c.action, "none");
    c.inverse_weight = 1.0f;
    expect(train_here("data.uw", "bad", &c, TRAIN_NEW, &r), UW_EINVAL, "inverse_weight", "");
    c = tiny_config(STEPS);
    expect(train_here("missing.uw", "bad", &c, TRAIN_NEW, &r), UW_ENOTFOUND, "missing.uw", "");
    file_write(tempdir_file("text.uw"), "not a data set at all", 21);
    expect(train_here("text.uw", "bad", &c, TRAIN_NEW, &r), UW_EFORMAT, "text.uw", "");
    assert_false(exists("bad")); /* nothing was written for any of them */
    char deep[700];
    memset(deep, 'd', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    expect(train_here("data.uw", deep, &c, TRAIN_NEW, &r), UW_EINVAL, "too long", "shorter");
}

static void said(const char *text) {
    if (!strstr(train_said, text)) fail_msg("no \"%s\" in: %s", text, train_said);
}

/* A missing number is named, and costs the windows that would read it, no more: 4 episodes of 12
 * rows have 36 windows of 4 (none held out).  An action is read by the 3 windows that it leads on
 * in, a state that frames are drawn from by all 4 that see it; the last row of an episode needs no
 * action. */
static void missing_numbers(void **state) {
    (void)state;
    static const struct {
        int32_t row;
        bool in_state;
        const char *missing, *left_out;
    } cases[] = {
        {5, false, "WARN train: action: 1 numbers are missing", "WARN train: 3 of 36 windows"},
        {5, true, "WARN train: state: 1 numbers are missing", "WARN train: 4 of 36 windows"},
        {0, true, "WARN train: state: 1 numbers are missing", "WARN train: 1 of 36 windows"},
        {TINY_ROWS - 1, true, "WARN train: state: 1 numbers are missing", "WARN train: 1 of 36"},
        {TINY_ROWS - 1, false, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[32], run_name[32];
        uw_train_result r;
        uw_train_config c = tiny_config(STEPS);
        c.window = 4;
        c.holdout = 0.0;
        snprintf(name, sizeof name, "hole%zu.uw", i);
        snprintf(run_name, sizeof run_name, "hole%zu", i);
        tiny_record(tempdir_file(name), 4, TINY_ROWS, TINY_SIZE, 3, cases[i].row,
                    cases[i].in_state);
        CHECK_OK(train_here(name, run_name, &c, TRAIN_NEW, &r), &train_err);
        assert_true(isfinite(r.loss));
        said(cases[i].missing);
        said(cases[i].left_out);
        if (!cases[i].missing[0]) assert_null(strstr(train_said, "missing"));
    }
}

/* Where no window is whole, nothing is trained. */
static void nothing_but_holes(void **state) {
    (void)state;
    uw_train_result r;
    uw_train_config c = tiny_config(STEPS);
    c.holdout = 0.0;
    c.window = TINY_ROWS;
    tiny_record(tempdir_file("holes.uw"), 2, TINY_ROWS, TINY_SIZE, 3, 5, true);
    CHECK_OK(train_here("holes.uw", "half", &c, TRAIN_NEW, &r),
             &train_err); /* episode 0 is whole */
    const uw_column columns[] = {{.name = "a", .dtype = UW_DTYPE_F64, .num_dims = 0}};
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(tempdir_file("sparse.uw"), columns, 1, NULL, UW_OPEN_NEW, &rec, &err),
             &err);
    for (int t = 0; t < 40; t++) {
        const double a = t % 2 ? sin(t) : (double)NAN;
        CHECK_OK(uw_recorder_row(rec, (const void *const[]){&a}, &err), &err);
    }
    CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    CHECK_OK(uw_train_preset("identifiability", &c, &train_err), &train_err);
    c.holdout = 0.0;
    expect(train_here("sparse.uw", "bad", &c, TRAIN_NEW, &r), UW_ENONFINITE,
           "a: episode 0 row 0: wanted a window of 2 frames without missing numbers", "observe=");
    assert_false(exists("bad"));
}

static void sensor_columns(void **state) {
    (void)state;
    static const char *const actions[] = {"", "none"};
    for (int i = 0; i < 2; i++) {
        uw_train_config c;
        uw_train_result r;
        CHECK_OK(uw_train_preset(i ? "identifiability" : "sensors", &c, &train_err), &train_err);
        snprintf(c.observe, sizeof c.observe, "state");
        snprintf(c.action, sizeof c.action, "%s", actions[i]);
        c.steps = STEPS;
        c.batch = 16;
        c.model.mlp_dim = 16;
        CHECK_OK(train_here("data.uw", i ? "ident" : "sensors", &c, TRAIN_NEW, &r), &train_err);
        uw_model *model = NULL;
        CHECK_OK(uw_model_load(r.model_path, &model, &train_err), &train_err);
        assert_int_equal(uw_model_config_of(model)->observe_dim, 2);
        assert_int_equal(uw_model_config_of(model)->action_dim, i ? 0 : 2);
        assert_string_equal(uw_model_provenance(model)->observe, "state");
        uw_model_unload(model);
    }
}

/* A recording as it comes from a machine: no pictures, numbers of both widths, flags, another name
 * for the actions. */
static void record_machine(const char *path, bool varied) {
    uw_column columns[] = {
        {.name = "level", .dtype = UW_DTYPE_F64, .num_dims = 0},
        {.name = "valve", .dtype = UW_DTYPE_F64, .num_dims = 1, .shape = {1}},
        {.name = "running", .dtype = UW_DTYPE_BOOL, .num_dims = 0},
        {.name = "temperature", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
        {.name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {16, varied ? 16 : 12, 3}},
        {.name = "state", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
    };
    const uw_dataset_meta meta = {.env = varied ? "two_room" : "", .action_repeat = 1};
    const int32_t count = varied ? 6 : 5;
    uint8_t frame[16 * 16 * 3] = {0};
    if (varied) strcpy(columns[3].name, "wall.thickness");
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, count, &meta, UW_OPEN_NEW, &rec, &err), &err);
    for (int e = 0; e < 6; e++) {
        for (int t = 0; t < TINY_ROWS; t++) {
            const double level = sin(0.3 * t + e),
                         valve = t == TINY_ROWS - 1 ? NAN : cos(0.3 * t + e);
            const float temperature[2] = {(float)(20 + t), (float)(e * t)}, state[2] = {50, 60};
            const bool running = t % 2;
            const void *cells[] = {&level, &valve, &running, temperature, frame, state};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

static void machine_columns(void **state) {
    (void)state;
    uw_train_config c;
    uw_train_result r;
    uw_model *model = NULL;
    record_machine(tempdir_file("machine.uw"), false);
    CHECK_OK(uw_train_preset("sensors", &c, &train_err), &train_err);
    c.steps = STEPS;
    c.batch = 16;
    c.model.mlp_dim = 16;
    expect(train_here("machine.uw", "bad", &c, TRAIN_NEW, &r), UW_ENOTFOUND, "no column action",
           "action=none");
    snprintf(c.action, sizeof c.action, "valve");
    snprintf(c.observe, sizeof c.observe, "level,running");
    expect(train_here("machine.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE, "got BOOL", "inspect");
    snprintf(c.observe, sizeof c.observe, "temperature,level");
    CHECK_OK(train_here("machine.uw", "machine", &c, TRAIN_NEW, &r), &train_err);
    CHECK_OK(uw_model_load(r.model_path, &model, &train_err), &train_err);
    assert_int_equal(uw_model_config_of(model)->observe_dim, 3);
    assert_int_equal(uw_model_config_of(model)->action_dim, 1);
    assert_string_equal(uw_model_provenance(model)->observe, "temperature,level");
    uw_model_unload(model);

    c = tiny_config(STEPS);
    snprintf(c.action, sizeof c.action, "valve");
    expect(train_here("machine.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE, "square pictures",
           "square");
}

/* Without observe= every column of numbers that change is seen, but for actions and clocks. */
static void default_sensors(void **state) {
    (void)state;
    uw_train_config c;
    uw_train_result r;
    uw_model *model = NULL;
    const uw_column columns[] = {{.name = "a", .dtype = UW_DTYPE_F64, .num_dims = 0},
                                 {.name = "flag", .dtype = UW_DTYPE_BOOL, .num_dims = 0},
                                 {.name = "b", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
                                 {.name = "time", .dtype = UW_DTYPE_F64, .num_dims = 0},
                                 {.name = "pump", .dtype = UW_DTYPE_F64, .num_dims = 0},
                                 {.name = "lab", .dtype = UW_DTYPE_F64, .num_dims = 0}};
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(tempdir_file("plain.uw"), columns, 6, NULL, UW_OPEN_NEW, &rec, &err),
             &err);
    for (int t = 0; t < 40; t++) {
        const double a = sin(t);
        const bool flag = t % 3 == 0;
        const float b[2] = {(float)t, (float)cos(t)};
        const double time = 0.1 * t, pump = 21.3, lab = t % 20 ? (double)NAN : t;
        const void *cells[] = {&a, &flag, b, &time, &pump, &lab};
        CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
    }
    CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    CHECK_OK(uw_train_preset("identifiability", &c, &train_err), &train_err);
    c.steps = STEPS;
    c.batch = 8;
    c.holdout = 0.9; /* takes the only episode, and gives it back */
    CHECK_OK(train_here("plain.uw", "plain", &c, TRAIN_NEW, &r), &train_err);
    said("WARN train: too few episodes to hold one out");
    said("train: the model sees a,b\n");
    said("WARN train: time: a clock, not observed");
    said("WARN train: pump: constant, not observed");
    said("WARN train: lab: mostly missing, not observed");
    assert_true(isnan(r.validation_loss));
    CHECK_OK(uw_model_load(r.model_path, &model, &train_err), &train_err);
    assert_string_equal(uw_model_provenance(model)->observe, "a,b");
    assert_string_equal(uw_model_provenance(model)->env, "");
    uw_model_unload(model);
    snprintf(c.observe, sizeof c.observe, "a,pump");
    CHECK_OK(train_here("plain.uw", "plain2", &c, TRAIN_NEW, &r), &train_err);
    said("WARN train: pump: constant, observed all the same");
    assert_true(isfinite(r.loss));
}

/* A column with the name of a factor, but not with its numbers. */
static void varied_recording(void **state) {
    (void)state;
    uw_train_config c = tiny_config(STEPS);
    uw_train_result r;
    record_machine(tempdir_file("varied.uw"), true);
    snprintf(c.action, sizeof c.action, "valve");
    expect(train_here("varied.uw", "bad", &c, TRAIN_NEW, &r), UW_ESHAPE,
           "wall.thickness: wanted F32 or F64 x 1", "augment_factors");
}

/* A data set that is damaged where only reading finds it, and one whose recorder was killed. */
static void damaged_data(void **state) {
    (void)state;
    uw_train_config c = tiny_config(STEPS);
    uw_train_result r;
    size_t size;
    char *bytes = file_bytes(tempdir_file("data.uw"), &size);
    c.augment = UW_AUGMENT_NONE;
    file_write(tempdir_file("torn.uw"), bytes, size - size / 3);
    CHECK_OK(train_here("torn.uw", "torn", &c, TRAIN_NEW, &r), &train_err);
    assert_non_null(strstr(train_said, "WARN"));
    assert_non_null(strstr(train_said, "torn"));
    const size_t frame = TINY_SIZE * TINY_SIZE * 3; /* pictures make up nearly all of the file */
    for (size_t at = size / 3; at < size - size / 3; at += frame) bytes[at] = (char)(bytes[at] ^ 1);
    file_write(tempdir_file("flipped.uw"), bytes, size);
    free(bytes);
    expect(train_here("flipped.uw", "flipped", &c, TRAIN_NEW, &r), UW_EFORMAT, "flipped.uw", "");
    assert_false(exists("flipped/model.safetensors"));
}

/* ---- trouble on the way -------------------------------------------------------------------- */

static void not_finite_loss(void **state) {
    (void)state;
    uw_train_config c = tiny_config(40);
    uw_train_result r;
    uw_checkpoint_info info;
    uw_err err = {0};
    c.lr = 1e12f;
    c.clip_norm = 0.0f;
    c.warmup_steps = 30; /* grows until it bursts */
    c.checkpoint_every = 1;
    expect(train_here("data.uw", "burst", &c, TRAIN_NEW, &r), UW_ENONFINITE, "wanted", "lower lr");
    assert_false(exists("burst/model.safetensors"));
    /* The last good checkpoint stays and is whole. */
    CHECK_OK(uw_checkpoint_inspect(tempdir_file("burst"), &info, &err), &err);
    assert_true(info.step >= 1 && info.step < 40);
    /* The same again from there: the same end, and no checkpoint of it. */
    expect(train_here("data.uw", "burst", &c, TRAIN_RESUME, &r), UW_ENONFINITE, "wanted",
           "lower lr");
}

static void warns_of_collapse(void **state) {
    (void)state;
    uw_train_config c = tiny_config(160);
    uw_train_result r;
    c.lr = 0.0f;
    c.augment = UW_AUGMENT_NONE;
    c.sigreg_directions = 4;
    CHECK_OK(train_here("data.uw", "still", &c, TRAIN_NEW, &r), &train_err);
    assert_non_null(strstr(train_said, "WARN step 153: the latents do not spread: sigreg is 0."));
    assert_true(strstr(strstr(train_said, "sigreg is") + 1, "sigreg is") == NULL); /* once */
    assert_true(r.gauges.alarms & UW_ALARM_SIGREG);

    /* Nothing holds the latents apart and decay pulls all weights to zero: they collapse. */
    c = tiny_config(160);
    c.augment = UW_AUGMENT_NONE;
    c.sigreg_weight = 0.0f;
    c.weight_decay = 50.0f;
    CHECK_OK(train_here("data.uw", "collapsed", &c, TRAIN_NEW, &r), &train_err);
    assert_non_null(strstr(train_said, "the latents shrink towards a point"));
    assert_true(r.gauges.alarms & UW_ALARM_SHRUNK);
    assert_true(r.min_variance < 1e-6);
}

/* Kept models: the untrained one, every so many steps, the same bits as the run's own; gone with
 * the run. */
static void milestones(void **state) {
    (void)state;
    uw_train_config c = tiny_config(6);
    uw_train_result r;
    uw_model *kept = NULL;
    char sha[65];
    c.milestone_every = 3;
    CHECK_OK(train_here("data.uw", "kept", &c, TRAIN_NEW, &r), &train_err);
    for (int step = 0; step <= 6; step += 3) {
        char name[64];
        snprintf(name, sizeof name, "kept/milestones/step-%08d.safetensors", step);
        CHECK_OK(uw_model_load(tempdir_file(name), &kept, &train_err), &train_err);
        uw_model_sha256(kept, sha);
        assert_int_equal(strcmp(sha, r.tensors_sha256) == 0, step == 6);
        uw_model_unload(kept);
    }
    c.milestone_every = 0;
    CHECK_OK(train_here("data.uw", "kept", &c, TRAIN_OVERWRITE, &r), &train_err);
    assert_string_equal(sha, r.tensors_sha256); /* keeping models changes no number */
    assert_int_equal(
        uw_model_load(tempdir_file("kept/milestones/step-00000003.safetensors"), &kept, &train_err),
        UW_ENOTFOUND);
}

/* A time limit ends a run early but in order: its model is written, and a resume goes on to the
 * same end. */
static void time_limit(void **state) {
    (void)state;
    uw_train_config c = tiny_config(STEPS);
    uw_train_result r, whole;
    CHECK_OK(train_here("data.uw", "untimed", &c, TRAIN_NEW, &whole), &train_err);
    c.minutes = 1e-9;
    CHECK_OK(train_here("data.uw", "timed", &c, TRAIN_NEW, &r), &train_err);
    assert_int_equal(r.steps, 1);
    assert_true(exists("timed/model.safetensors"));
    c.minutes = 0.0;
    CHECK_OK(train_here("data.uw", "timed", &c, TRAIN_RESUME, &r), &train_err);
    assert_int_equal(r.steps, STEPS);
    assert_string_equal(r.tensors_sha256, whole.tensors_sha256);
}

static void full_disk(void **state) {
    (void)state;
    uw_train_config c = tiny_config(STEPS);
    uw_train_result r;
    c.checkpoint_every = 2;
    train_stopped("data.uw", "full", &c, 2);
    disk_fill(2000);
    const uw_status s = train_here("data.uw", "full", &c, TRAIN_RESUME, &r);
    disk_free();
    expect(s, UW_ENOSPC, "full", "");
    CHECK_OK(train_here("data.uw", "full", &c, TRAIN_RESUME, &r), &train_err);
    assert_true(r.resumed);
    file_write(tempdir_file("file"), "x", 1);
    expect(train_here("data.uw", "file/run", &c, TRAIN_NEW, &r), UW_ENOSPC, "file", "");
}

static void two_trainers(void **state) {
    (void)state;
    /* A run that is being written is locked: its log has one writer. */
    const uw_train_config c = tiny_config(STEPS);
    uw_train_result r;
    int fd = -1;
    uint64_t size = 0;
    CHECK_OK(uw__store_open_write(tempdir_file("run/log.csv"), &fd, &size, &train_err), &train_err);
    const uw_status s = train_here("data.uw", "run", &c, TRAIN_RESUME, &r);
    uw__store_close(fd);
    expect(s, UW_EEXIST, "log.csv", "");
}

static int setup(void **state) {
    if (tempdir_setup(state)) return -1;
    tiny_data(tempdir_file("data.uw"));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_a_run),      cmocka_unit_test(log_rows),
        cmocka_unit_test(never_overwrites),  cmocka_unit_test(refuses_another_run),
        cmocka_unit_test(wrong_columns),     cmocka_unit_test(missing_numbers),
        cmocka_unit_test(nothing_but_holes), cmocka_unit_test(sensor_columns),
        cmocka_unit_test(machine_columns),   cmocka_unit_test(default_sensors),
        cmocka_unit_test(varied_recording),  cmocka_unit_test(damaged_data),
        cmocka_unit_test(not_finite_loss),   cmocka_unit_test(warns_of_collapse),
        cmocka_unit_test(milestones),        cmocka_unit_test(time_limit),
        cmocka_unit_test(full_disk),         cmocka_unit_test(two_trainers)};
    return cmocka_run_group_tests(tests, setup, tempdir_teardown);
}
