/* Really killed: a child trains, SIGKILL comes at 25 random moments, another child resumes; in the
 * end the weights and the log are those of an uninterrupted run, and no kill left a checkpoint that
 * cannot be read. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "clock.h"
#include "rng.h"
#include "run_files.h"
#include "tempdir.h"
#include "tiny_run.h"

enum { STEPS = 40, KILLS = 25 };

static uw_train_config config(void) {
    uw_train_config c = tiny_config(STEPS);
    c.checkpoint_every = 2; /* so that many kills fall into the writing of one */
    return c;
}

static uw_status train(const char *dir, int32_t threads, bool resume, uw_train_result *out) {
    const uw_context_options options = {.num_threads = threads};
    const uw_train_config c = config();
    uw_context *ctx = NULL;
    uw_err err = {0};
    uw_status s = uw_context_new(&options, &ctx, &err);
    if (!s) s = uw_train_run(ctx, tempdir_file("data.uw"), dir, &c, resume, false, out, &err);
    if (s) fprintf(stderr, "train: %d: %s\n", s, err.text);
    uw_context_free(ctx);
    return s;
}

/* Train in a child and kill it after delay_s; true when the kill came before the end. */
static bool train_and_kill(const char *dir, int32_t threads, double delay_s) {
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        uw_train_result r;
        _exit(train(dir, threads, true, &r) ? 1 : 0);
    }
    assert_true(child > 0);
    const struct timespec delay = {(time_t)delay_s, (long)(fmod(delay_s, 1.0) * 1e9)};
    nanosleep(&delay, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGKILL;
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

/* Every generation that has a manifest must be whole. */
static int check_generations(const char *dir) {
    char path[600], inside[900];
    int whole = 0;
    snprintf(path, sizeof path, "%s/checkpoints", dir);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        uw_checkpoint_info info;
        uw_err err = {0};
        if (strncmp(e->d_name, "gen-", 4) != 0) continue;
        snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
        const uw_status s = uw_checkpoint_inspect(inside, &info, &err);
        if (s && s != UW_ENOTFOUND) fail_msg("%s: %d: %s", inside, s, err.text);
        whole += s == UW_OK;
    }
    if (d) closedir(d);
    return whole;
}

static void kills(void **state) {
    (void)state;
    const uint64_t seed = check_seed(77);
    uw_rng rng = uw__rng(seed, UW_STREAM_TEST, 0);
    uw_train_result whole, r;
    char dir[300], log[2][400], events[2][400];
    int killed = 0, with_checkpoint = 0, runs = 0;

    const double start = uw__clock_s();
    snprintf(dir, sizeof dir, "%s", tempdir_file("whole"));
    assert_int_equal(train(dir, 1, false, &whole), UW_OK);
    const double length = uw__clock_s() - start;
    snprintf(log[0], sizeof log[0], "%s/log.csv", dir);
    snprintf(events[0], sizeof events[0], "%s/events.out.tfevents.train", dir);

    print_message("replay UW_SEED=%llu (moments depend on the machine)\n",
                  (unsigned long long)seed);
    for (; killed < KILLS; runs++) {
        snprintf(dir, sizeof dir, "%s/run-%d", tempdir_path, runs);
        assert_true(runs < 40 * KILLS);
        for (int attempt = 0; killed < KILLS && attempt < 6; attempt++) {
            const double delay = length * 0.7 * uw__rng_uniform64(&rng);
            if (!train_and_kill(dir, 1 + (int32_t)uw__rng_below(&rng, 3), delay)) break;
            killed++;
            with_checkpoint += check_generations(dir) > 0;
        }
        assert_int_equal(train(dir, 2, true, &r), UW_OK);
        assert_string_equal(r.tensors_sha256, whole.tensors_sha256);
        snprintf(log[1], sizeof log[1], "%s/log.csv", dir);
        if (!same_file(log[0], log[1])) fail_msg("%s and %s differ", log[0], log[1]);
        snprintf(events[1], sizeof events[1], "%s/events.out.tfevents.train", dir);
        if (!same_events(events[0], events[1])) fail_msg("%s: other events", events[1]);
    }
    print_message("%d kills over %d runs, %d with a checkpoint to resume\n", killed, runs,
                  with_checkpoint);
    assert_true(with_checkpoint > 0);
}

static int setup(void **state) {
    if (tempdir_setup(state)) return -1;
    tiny_data(tempdir_file("data.uw"));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kills)};
    return cmocka_run_group_tests(tests, setup, tempdir_teardown);
}
