/* PyTorch weight files (.pt): a state dict in, a state dict out; docs/formats/pt.md has the bytes. */
#ifndef UW_PT_H
#define UW_PT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>
#include <umwelt/tensor.h>

typedef struct uw_pt uw_pt; /* an open, checked file; views into its memory */

/* Reasons of a refusal, in its text: those of pt_pickle.h and of the zip reader (bad_zip, truncated,
 * compressed_entry, duplicate_entry, unsafe_name, overlap, bad_checksum), and not_pt,
 * missing_entry, bad_byte_order, missing_storage, storage_size_mismatch, duplicate_key, no_tensors,
 * too_large (all UW_EFORMAT). */

/* Say whether a file begins like one of ours to read: a zip archive or a pickle. */
uw_status uw__pt_recognise(const char *path, bool *is, uw_err *err);

/* Open a state dict, or the dict named state_dict in a checkpoint of Lightning's kind; what is
 * no tensor in it is passed over.  Every tensor is gathered from its storage, native and row-major,
 * on a 64-byte boundary.  Files above max_bytes are refused (0 = 16 GiB).  Nothing is executed.
 *
 * Own      *out: uw__pt_close
 * Cost     memory and reading of a few times the file, whatever it says */
uw_status uw__pt_open(const char *path, uint64_t max_bytes, uw_pt **out, uw_err *err);
void uw__pt_close(uw_pt *pt);
int32_t uw__pt_count(const uw_pt *pt);
/* Tensor i in the dict's order. */
uw_tensor uw__pt_tensor(const uw_pt *pt, int32_t i);

/* Write a state dict that torch.load(weights_only=True) reads: a zip archive, every tensor a storage
 * of its own on a 64-byte boundary; atomically.  The same tensors give the same bytes.
 * Returns UW_OK; UW_EEXIST unless overwrite; UW_EUNSUPPORTED from 4 GiB on; UW_ENOSPC; UW_EIO. */
uw_status uw__pt_write(const char *path, const uw_tensor *tensors, int32_t count, bool overwrite,
                       uw_err *err);

#endif
