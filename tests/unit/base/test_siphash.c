#include "../unit.h"

#include <string.h>

#include "base/random.h"
#include "base/siphash_ends.h"

/* vectors_sip64 of the authors' reference code: key 00 01 .. 0f, message i = the i bytes 00 01 .. */
static const uint64_t reference[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d, 0xcf2794e0277187b7,
    0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462, 0x9e0082df0ba9e4b0,
    0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7, 0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
    0xa129ca6149be45e5, 0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8, 0xb8ad50c6f649af94,
    0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad, 0xde4daaaca71dc9a5, 0xa6a2506687956571,
    0xad87a3535c49ef28, 0x32d892fad841c342, 0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238,
    0x15e034d40fa197ae, 0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95, 0xf935451de4f21df2,
    0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb, 0xe612a3cb9ecba951, 0xc766e62cfcadaf96,
    0xee64435a9752fe72, 0xa192d576b245165a, 0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea,
    0x245731c13ca42499, 0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void test_reference_vectors(void **state) {
    (void)state;
    uint8_t message[64];
    for (size_t i = 0; i < 64; i++) {
        message[i] = (uint8_t)i;
        assert_int_equal(siphash24(&key, message, i), reference[i]);
    }
}

static void test_two_words(void **state) {
    (void)state;
    assert_int_equal(siphash24_u64x2(&key, key.k0, key.k1), reference[16]); /* the key's words are also that message's */
    static const uint8_t message[16] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 7};
    assert_int_equal(siphash24_u64x2(&key, UINT64_C(0xfedcba9876543210), 7), siphash24(&key, message, sizeof message));
}

static uint64_t word_of(const uint8_t *p, size_t n) {
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

/* Messages of one length that agree in all but their ends, each number of them, hashed together and one by one. */
static void check_ends(enum vector_way way, unsigned len, uint64_t *random) {
    struct siphash_key any = {random_splitmix(random), random_splitmix(random)};
    struct siphash_state begun = siphash_start(&any);
    struct siphash_ends ends;
    uint8_t message[SIPHASH_LANES][64];
    unsigned same = (len / 8 + 1 - SIPHASH_END_WORDS) * 8;
    for (unsigned i = 0; i < SIPHASH_LANES; i++) {
        for (unsigned k = 0; k < len; k++)
            message[i][k] = k < same && i > 0 ? message[0][k] : (uint8_t)random_splitmix(random);
        for (unsigned j = 0; j < SIPHASH_END_WORDS - 1; j++)
            ends.word[j][i] = word_of(message[i] + same + 8 * j, 8);
        ends.word[SIPHASH_END_WORDS - 1][i] = siphash_last(word_of(message[i] + len / 8 * 8, len % 8), len);
    }
    for (unsigned k = 0; k < same; k += 8)
        siphash_word(&begun, word_of(message[0] + k, 8));
    for (unsigned n = 0; n <= SIPHASH_LANES; n++) {
        uint64_t hash[SIPHASH_LANES + 1];
        hash[SIPHASH_LANES] = 4711;
        siphash24_ends(way, &begun, &ends, n, hash);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(hash[i], siphash24(&any, message[i], len));
        assert_int_equal(hash[SIPHASH_LANES], 4711);
    }
}

/* 16 and 36 are the tuples of IPv4 and IPv6; the others show that these are no special case. */
static void test_ends_together(void **state) {
    (void)state;
    assert_true(vector_has(VECTOR_NONE));
    assert_true(vector_has(vector_best()));
    for (enum vector_way way = 0; way < VECTOR_WAYS; way++) {
        uint64_t random = 99 + way;
        if (!vector_has(way)) {
            print_message("this machine has no %s\n", vector_name(way));
            continue;
        }
        for (unsigned i = 0; i < 500; i++)
            for (unsigned len = 16; len < 64; len += len == 16 || len == 31 ? 5 : 1)
                check_ends(way, len, &random);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_vectors), cmocka_unit_test(test_two_words),
        cmocka_unit_test(test_ends_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
