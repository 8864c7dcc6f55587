/* Hashes: SHA-256 for identity, XXH3 for checksums, CRC-32C for TensorBoard. */
#ifndef UW_HASH_H
#define UW_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct uw_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    unsigned char block[64];
} uw_sha256;
void uw__sha256_init(uw_sha256 *s);
void uw__sha256_add(uw_sha256 *s, const void *data, size_t size);
void uw__sha256_hex(uw_sha256 *s, char hex[65]);
uint64_t uw__xxh3(const void *data, size_t size, uint64_t seed);
uint32_t uw__crc32c(const void *data, size_t size);

#endif
