/* State files of play: a snapshot of the world, to go on from the same bits another day. */
#include "play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uw_status play_load_state(play *p, const char *path) {
    const size_t most = uw_env_snapshot_bytes(p->env) + 65536; /* of any world's */
    unsigned char *bytes = malloc(most);
    if (!bytes) return UW_ENOMEM;
    uw_status s = UW_OK;
    FILE *file = fopen(path, "rb");
    if (!file) {
        s = uw_fail(&p->err, errno == ENOENT ? UW_ENOTFOUND : UW_EIO, "%s: %s", path, strerror(errno));
        goto done;
    }
    const size_t size = fread(bytes, 1, most, file);
    if (ferror(file)) s = uw_fail(&p->err, UW_EIO, "%s: cannot be read", path);
    if (!s) s = uw_env_restore(p->env, bytes, size, &p->err);
    if (!s) s = play_wake(p);
    if (s == UW_ESHAPE) uw_err_fix(&p->err, "play the world that left it, or start without --from");
done:
    if (file) fclose(file);
    free(bytes);
    return s;
}

uw_status play_check_free(play *p, const char *path, bool overwrite) {
    if (overwrite || access(path, F_OK)) return UW_OK;
    uw_fail(&p->err, UW_EEXIST, "%s: exists already", path);
    uw_err_fix(&p->err, "choose another name, or add --force");
    return UW_EEXIST;
}

uw_status play_save_state(play *p, const char *path, bool overwrite) {
    const size_t size = uw_env_snapshot_bytes(p->env);
    unsigned char *bytes = malloc(size);
    if (!bytes) return UW_ENOMEM;
    uw_env_save(p->env, bytes);
    FILE *file = fopen(path, overwrite ? "wb" : "wbx");
    bool ok = file && fwrite(bytes, 1, size, file) == size;
    if (file) ok = !fclose(file) && ok;
    free(bytes);
    return ok ? UW_OK : uw_fail(&p->err, UW_EIO, "%s: cannot be written: %s", path, strerror(errno));
}
