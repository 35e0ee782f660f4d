/* What is done to each byte of a WebSocket message: masking (RFC 6455, section 5.3), and the check of text as it arrives
 * (section 8.1; RFC 3629).
 *
 * Memory is read and written a word at a time by memcpy, which needs no alignment; compilers make vector instructions of
 * these loops.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The key as a word of eight bytes, for data whose first byte is number ``offset`` of the payload. */
static inline uint64_t atlas_key_word(const unsigned char *key, uint64_t offset)
{
    unsigned char pattern[8];
    uint64_t word;
    for (unsigned int i = 0; i < 8; i++) {
        pattern[i] = key[(offset + i) & 3];
    }
    memcpy(&word, pattern, 8);
    return word;
}

/* Mask or unmask ``size`` bytes where they are. */
static inline void atlas_mask(unsigned char *data, size_t size, const unsigned char *key, uint64_t offset)
{
    const uint64_t pattern = atlas_key_word(key, offset);
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, data + at, 8);
        word ^= pattern;
        memcpy(data + at, &word, 8);
    }
    for (; at < size; at++) {
        data[at] ^= key[(offset + at) & 3];
    }
}

/* The same, while the bytes are copied to other memory. */
static inline void atlas_mask_copy(
    unsigned char *restrict to, const unsigned char *restrict from, size_t size, const unsigned char *key, uint64_t offset)
{
    const uint64_t pattern = atlas_key_word(key, offset);
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, from + at, 8);
        word ^= pattern;
        memcpy(to + at, &word, 8);
    }
    for (; at < size; at++) {
        to[at] = from[at] ^ key[(offset + at) & 3];
    }
}

/* A text up to some byte: how many bytes its last character lacks, and the range of the next one. */
typedef struct {
    unsigned char missing;
    unsigned char low;
    unsigned char high;
} AtlasText;

/* Can a text in UTF-8 go on with these bytes? */
static inline int atlas_text_continues(AtlasText *text, const unsigned char *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        unsigned char byte;
        if (text->missing == 0) {
            for (; at + 8 <= size; at += 8) {
                uint64_t word;
                memcpy(&word, data + at, 8);
                if (word & UINT64_C(0x8080808080808080)) {
                    break;
                }
            }
            if (at == size) {
                break;
            }
            byte = data[at++];
            if (byte < 0x80) {
                continue;
            }
            /* RFC 3629, section 4: neither an overlong form, nor a surrogate, nor what is above U+10FFFF. */
            text->low = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
            text->high = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
            if (byte < 0xC2 || byte > 0xF4) {
                return 0;
            }
            text->missing = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
        } else {
            byte = data[at++];
            if (byte < text->low || byte > text->high) {
                return 0;
            }
            text->low = 0x80;
            text->high = 0xBF;
            text->missing--;
        }
    }
    return 1;
}
