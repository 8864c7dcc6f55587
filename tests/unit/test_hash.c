/* Hashes against published and independently computed values, whole and in pieces. */
#include "check.h"
#include "hash.h"

static void check_sha(const void *data, size_t size, const char *want) {
    char hex[65];
    for (size_t piece = 1; piece <= 130; piece += piece < 70 ? 1 : 30) {
        uw_sha256 s;
        uw__sha256_init(&s);
        for (size_t at = 0; at < size; at += piece) {
            uw__sha256_add(&s, (const char *)data + at, size - at < piece ? size - at : piece);
        }
        uw__sha256_hex(&s, hex);
        assert_string_equal(hex, want);
    }
}

static void test_sha256(void **state) {
    (void)state;
    unsigned char ramp[1024];
    char as[120];
    memset(as, 'a', sizeof as);
    for (size_t i = 0; i < sizeof ramp; i++) ramp[i] = (unsigned char)i;
    /* FIPS 180-4 examples, then every way of padding, by Python's hashlib */
    check_sha("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_sha(as, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    check_sha(as, 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
    check_sha(as, 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
    check_sha(as, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    check_sha(as, 65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0");
    check_sha(as, 119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
    check_sha(as, 120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c");
    check_sha(ramp, 1024, "785b0751fc2c53dc14a4ce3d800e69ef9ce1009eb327ccf458afe09c242c26c9");
}

static void test_crc32c(void **state) {
    (void)state;
    unsigned char bytes[32];
    assert_int_equal(uw__crc32c("", 0), 0);
    assert_int_equal(uw__crc32c("123456789", 9), 0xe3069283); /* the catalogue's check value */
    memset(bytes, 0, sizeof bytes);                           /* RFC 3720, B.4 */
    assert_int_equal(uw__crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(uw__crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    assert_int_equal(uw__crc32c(bytes, 32), 0x46dd794e);
}

static void test_xxh3(void **state) {
    (void)state;
    /* XXH3's own published value for the empty input, which pins variant and seed */
    assert_true(uw__xxh3("", 0, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(uw__xxh3("abc", 3, 0) != uw__xxh3("abc", 3, 1));
    assert_true(uw__xxh3("abc", 3, 0) != uw__xxh3("abd", 3, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_xxh3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
