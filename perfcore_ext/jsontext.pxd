"""The tokens of a JSON text, validated by RFC 8259: each function takes where a token starts, and where the text ends.

Most return the end of the token, or NULL with `error_at` set. Nothing at or past `end` is read.
"""

from libc.string cimport memcmp

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    /* The first byte of [p, end) that does not simply stand for itself inside a JSON string: a quote, a backslash or a
       control character; end if there is none. */
    static inline const char *perfcore_plain_end(const char *p, const char *end) {
    #ifdef __SSE2__
        const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8(0x5c), control = _mm_set1_epi8(0x1f);
        while (end - p >= 16) {
            __m128i chunk = _mm_loadu_si128((const __m128i *)p);
            __m128i found = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(chunk, quote), _mm_cmpeq_epi8(chunk, backslash)),
                _mm_cmpeq_epi8(_mm_min_epu8(chunk, control), chunk));
            int bits = _mm_movemask_epi8(found);
            if (bits) return p + __builtin_ctz(bits);
            p += 16;
        }
    #endif
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        /* A subtraction sets the top bit of the bytes that are below 1 or 32, and of none before the first of these. */
        const uint64_t ones = 0x0101010101010101ULL;
        while (end - p >= 8) {
            uint64_t chunk, quote, backslash;
            memcpy(&chunk, p, 8);
            quote = chunk ^ (ones * '"');
            backslash = chunk ^ (ones * 0x5c);
            uint64_t found = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                              ((chunk - ones * 32) & ~chunk)) & (ones << 7);
            if (found) return p + (__builtin_ctzll(found) >> 3);
            p += 8;
        }
    #endif
        while (p < end && *p != '"' && *p != 0x5c && (unsigned char)*p > 0x1f) p++;
        return p;
    }
    """
    const char* plain_end "perfcore_plain_end"(const char* p, const char* end) noexcept


cdef inline const char* fail(const char** error_at, const char* at) noexcept nogil:
    error_at[0] = at
    return NULL


cdef inline bint is_space(char c) noexcept nogil:
    return <unsigned char>c <= 0x20 and (c == c" " or c == c"\n" or c == c"\r" or c == c"\t")


cdef inline const char* skip_space(const char* p, const char* end) noexcept nogil:
    while p < end and is_space(p[0]):
        p += 1
    return p


cdef inline bint is_digit(char c) noexcept nogil:
    return c"0" <= c <= c"9"


cdef inline int hex_value(char c) noexcept nogil:
    if c"0" <= c <= c"9":
        return c - c"0"
    c |= 0x20
    return c - c"a" + 10 if c"a" <= c <= c"f" else -1


cdef inline int unit_at(const char* p, const char* end) noexcept nogil:
    """The UTF-16 unit of the \\uXXXX escape at p, or -1."""
    cdef int unit = 0
    cdef int digit, i
    if end - p < 6 or p[0] != c"\\" or p[1] != c"u":
        return -1
    for i in range(2, 6):
        digit = hex_value(p[i])
        if digit < 0:
            return -1
        unit = unit << 4 | digit
    return unit


cdef inline const char* escape_end(const char** error_at, const char* p, const char* end) noexcept nogil:
    if end - p < 2:
        return fail(error_at, end)
    if p[1] == c"u":
        return p + 6 if unit_at(p, end) >= 0 else fail(error_at, p)
    if p[1] in (c'"', c"\\", c"/", c"b", c"f", c"n", c"r", c"t"):
        return p + 2
    return fail(error_at, p)


cdef inline const char* escaped_end(const char** error_at, const char* p, const char* end) noexcept nogil:
    """The closing quote of a string whose plain part ended at p, which is no quote."""
    while p < end and p[0] == c"\\":
        p = escape_end(error_at, p, end)
        if p == NULL:
            return NULL
        p = plain_end(p, end)
    return p if p < end and p[0] == c'"' else fail(error_at, p)


cdef inline const char* string_end(const char** error_at, const char* p, const char* end) noexcept nogil:
    p = plain_end(p, end)
    return p if p < end and p[0] == c'"' else escaped_end(error_at, p, end)


cdef inline const char* digits_end(const char** error_at, const char* p, const char* end) noexcept nogil:
    if p == end or not is_digit(p[0]):
        return fail(error_at, p)
    while p < end and is_digit(p[0]):
        p += 1
    return p


cdef inline const char* number_end(const char** error_at, const char* p, const char* end) noexcept nogil:
    if p[0] == c"-":
        p += 1
    if p < end and p[0] == c"0":
        p += 1
    else:
        p = digits_end(error_at, p, end)
    if p != NULL and p < end and p[0] == c".":
        p = digits_end(error_at, p + 1, end)
    if p != NULL and p < end and (p[0] == c"e" or p[0] == c"E"):
        p += 1
        if p < end and (p[0] == c"+" or p[0] == c"-"):
            p += 1
        p = digits_end(error_at, p, end)
    return p


cdef inline const char* word_end(
    const char** error_at, const char* p, const char* end, const char* word, size_t n
) noexcept nogil:
    return p + n if <size_t>(end - p) >= n and memcmp(p, word, n) == 0 else fail(error_at, p)


cdef inline const char* decode_escape(const char* p, const char* end, char* decoded, size_t* n) noexcept nogil:
    """Write the UTF-8 of the escape at p, whose end is returned; a surrogate without its other half gives n = 0."""
    cdef int unit = unit_at(p, end)
    cdef int low
    cdef const char* plain = b'"\\/\b\f\n\r\t'
    cdef const char* letters = b'"\\/bfnrt'
    cdef int i
    if unit < 0:
        for i in range(8):
            if p[1] == letters[i]:
                decoded[0] = plain[i]
        n[0] = 1
        return p + 2
    p += 6
    if 0xD800 <= unit < 0xDC00:
        low = unit_at(p, end)
        if 0xDC00 <= low < 0xE000:
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
            p += 6
    n[0] = encode_utf8(unit, decoded)
    return p


cdef inline size_t encode_utf8(int point, char* out) noexcept nogil:
    if point < 0x80:
        out[0] = point
        return 1
    if point < 0x800:
        out[0] = 0xC0 | point >> 6
        out[1] = 0x80 | point & 0x3F
        return 2
    if 0xD800 <= point < 0xE000:
        return 0
    if point < 0x10000:
        out[0] = 0xE0 | point >> 12
        out[1] = 0x80 | point >> 6 & 0x3F
        out[2] = 0x80 | point & 0x3F
        return 3
    out[0] = 0xF0 | point >> 18
    out[1] = 0x80 | point >> 12 & 0x3F
    out[2] = 0x80 | point >> 6 & 0x3F
    out[3] = 0x80 | point & 0x3F
    return 4
