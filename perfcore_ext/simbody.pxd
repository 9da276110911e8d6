"""Reads a request's JSON in one pass: what it asks for, and how long its prompt is.

A prompt's tokens are estimated, as no model is here to count them: one per four characters of all prompt texts
together, rounded up, or the number of token ids where the prompt is a list of them.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport strtod
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from perfcore_ext.simbuffer cimport Buffer, Text, reserve
from perfcore_ext.simtypes cimport BodyFacts

cdef enum:
    MAX_DEPTH = 512

cdef enum Place:
    AT_IGNORED
    AT_ROOT
    AT_MESSAGES
    AT_MESSAGE
    AT_ROLE
    AT_CONTENT
    AT_PART
    AT_PROMPT
    AT_STREAM
    AT_MAX_TOKENS
    AT_MAX_COMPLETION_TOKENS
    AT_MODEL
    AT_STREAM_OPTIONS
    AT_INCLUDE_USAGE

cdef inline bint is_word(const char* data, size_t length, const char* word) noexcept nogil:
    return length == strlen(word) and memcmp(data, word, length) == 0

cdef inline int place_of_key(int where, const char* key, size_t length) noexcept nogil:
    if where == AT_ROOT:
        if is_word(key, length, b"messages"): return AT_MESSAGES
        if is_word(key, length, b"prompt"): return AT_PROMPT
        if is_word(key, length, b"stream"): return AT_STREAM
        if is_word(key, length, b"model"): return AT_MODEL
        if is_word(key, length, b"max_tokens"): return AT_MAX_TOKENS
        if is_word(key, length, b"max_completion_tokens"): return AT_MAX_COMPLETION_TOKENS
        if is_word(key, length, b"stream_options"): return AT_STREAM_OPTIONS
    elif where == AT_STREAM_OPTIONS:
        if is_word(key, length, b"include_usage"): return AT_INCLUDE_USAGE
    elif where == AT_MESSAGE:
        if is_word(key, length, b"content"): return AT_CONTENT
        if is_word(key, length, b"role"): return AT_ROLE
    elif where == AT_PART:
        if is_word(key, length, b"text"): return AT_CONTENT
    return AT_IGNORED

cdef inline int place_of_element(int where) noexcept nogil:
    if where == AT_MESSAGES: return AT_MESSAGE
    if where == AT_CONTENT: return AT_PART
    if where == AT_PROMPT: return AT_PROMPT
    return AT_IGNORED

cdef inline int64_t count_chars(const char* data, size_t length) noexcept nogil:
    """Code points of a JSON string body; an escape counts as one, so a surrogate pair as two."""
    cdef int64_t count = 0
    cdef size_t i = 0
    if memchr(data, 92, length) == NULL:
        for i in range(length):
            count += (data[i] & 0xC0) != 0x80
        return count
    while i < length:
        if data[i] == 92:
            count += 1
            i += 6 if i + 1 < length and data[i + 1] == 117 else 2
        else:
            count += (data[i] & 0xC0) != 0x80
            i += 1
    return count

cdef inline const char* skip_space(const char* at, const char* end) noexcept nogil:
    while at < end and (at[0] == 32 or at[0] == 10 or at[0] == 13 or at[0] == 9):
        at += 1
    return at

cdef inline const char* end_of_string(const char* at, const char* end) noexcept nogil:
    """`at` is behind the opening quote; the closing quote, or NULL."""
    cdef const char* start = at
    cdef const char* quote
    cdef const char* back
    while True:
        quote = <const char*>memchr(at, 34, end - at)
        if quote == NULL:
            return NULL
        back = quote
        while back > start and (back - 1)[0] == 92:
            back -= 1
        if ((quote - back) & 1) == 0:
            return quote
        at = quote + 1

cdef inline void note_string(BodyFacts* facts, int where, const char* data, size_t length) noexcept nogil:
    cdef Text text
    text.data = data
    text.length = length
    if where == AT_CONTENT or where == AT_PART:
        facts.prompt_chars += count_chars(data, length)
        facts.message_text = text
    elif where == AT_PROMPT:
        facts.prompt_chars += count_chars(data, length)
        facts.text = text
    elif where == AT_ROLE:
        facts.message_role = text
    elif where == AT_MODEL:
        facts.model = text
    elif where == AT_MAX_TOKENS or where == AT_MAX_COMPLETION_TOKENS:
        facts.bad_limit = True

cdef inline void note_number(BodyFacts* facts, int where, double number) noexcept nogil:
    if where == AT_PROMPT:
        facts.prompt_ids += 1
    elif where == AT_MAX_TOKENS or where == AT_MAX_COMPLETION_TOKENS:
        if number < 1 or number > 1e9 or number != <double>(<int64_t>number):
            facts.bad_limit = True
        elif where == AT_MAX_TOKENS:
            facts.max_tokens = <int64_t>number
        else:
            facts.max_completion_tokens = <int64_t>number

cdef inline void end_message(BodyFacts* facts) noexcept nogil:
    """Keeps the text of the last user message; of the last message where none is a user's."""
    cdef Text role = facts.message_role
    if facts.message_text.data != NULL:
        if role.data == NULL or is_word(role.data, role.length, b"user"):
            facts.from_user = True
            facts.text = facts.message_text
        elif not facts.from_user:
            facts.text = facts.message_text
    memset(&facts.message_text, 0, sizeof(Text))
    memset(&facts.message_role, 0, sizeof(Text))

cdef inline const char* read_scalar(BodyFacts* facts, int where, const char* at, const char* end) noexcept nogil:
    cdef char digits[64]
    cdef char* stop
    cdef size_t length = 0
    if end - at >= 4 and memcmp(at, b"true", 4) == 0:
        if where == AT_STREAM: facts.stream = True
        if where == AT_INCLUDE_USAGE: facts.include_usage = True
        return at + 4
    if end - at >= 5 and memcmp(at, b"false", 5) == 0:
        return at + 5
    if end - at >= 4 and memcmp(at, b"null", 4) == 0:
        return at + 4
    while at + length < end and length < 63 and memchr(b"+-.0123456789Ee", at[length], 15) != NULL:
        digits[length] = at[length]
        length += 1
    digits[length] = 0
    if length == 0 or digits[0] == 43 or digits[0] == 46:
        return NULL
    note_number(facts, where, strtod(digits, &stop))
    return at + length if stop == digits + length else NULL

cdef inline const char* read_object(
    BodyFacts* facts, int where, const char* at, const char* end, int depth
) noexcept nogil:
    """`at` is behind the opening brace; behind the closing one, or NULL."""
    cdef const char* key
    cdef size_t length
    at = skip_space(at, end)
    if at < end and at[0] == 125:
        return at + 1
    while True:
        at = skip_space(at, end)
        if at >= end or at[0] != 34:
            return NULL
        key = at + 1
        at = end_of_string(key, end)
        if at == NULL:
            return NULL
        length = at - key
        at = skip_space(at + 1, end)
        if at >= end or at[0] != 58:
            return NULL
        at = read_value(facts, place_of_key(where, key, length), at + 1, end, depth + 1)
        if at == NULL or at >= end:
            return NULL
        if at[0] == 125:
            if where == AT_MESSAGE:
                end_message(facts)
            return at + 1
        if at[0] != 44:
            return NULL
        at += 1

cdef inline const char* read_array(
    BodyFacts* facts, int where, const char* at, const char* end, int depth
) noexcept nogil:
    """`at` is behind the opening bracket; behind the closing one, or NULL."""
    at = skip_space(at, end)
    if at < end and at[0] == 93:
        return at + 1
    while True:
        at = read_value(facts, place_of_element(where), at, end, depth + 1)
        if at == NULL or at >= end:
            return NULL
        if at[0] == 93:
            return at + 1
        if at[0] != 44:
            return NULL
        at += 1

cdef inline const char* read_value(
    BodyFacts* facts, int where, const char* at, const char* end, int depth
) noexcept nogil:
    """Behind the value and the white space after it, or NULL where it is not JSON."""
    cdef const char* start
    cdef const char* prompt = NULL
    at = skip_space(at, end)
    if at >= end or depth > MAX_DEPTH:
        return NULL
    if (where == AT_PROMPT or where == AT_MESSAGES) and facts.prompt.data == NULL:
        facts.prompt.data = prompt = at
    if where == AT_PROMPT:
        facts.has_prompt = True
    elif where == AT_MESSAGES:
        facts.has_messages = True
    if at[0] == 123:
        at = read_object(facts, where, at + 1, end, depth)
    elif at[0] == 91:
        at = read_array(facts, where, at + 1, end, depth)
    elif at[0] == 34:
        start = at + 1
        at = end_of_string(start, end)
        if at != NULL:
            note_string(facts, where, start, at - start)
            at += 1
    else:
        at = read_scalar(facts, where, at, end)
    if at == NULL:
        return NULL
    if prompt != NULL:
        facts.prompt.length = at - prompt
    return skip_space(at, end)

cdef inline bint read_body(BodyFacts* facts, const char* data, size_t length) noexcept nogil:
    """Whether the body is a JSON object; if so, its facts."""
    cdef const char* at = skip_space(data, data + length)
    memset(facts, 0, sizeof(BodyFacts))
    facts.max_tokens = -1
    facts.max_completion_tokens = -1
    if at >= data + length or at[0] != 123:
        return False
    return read_value(facts, AT_ROOT, at, data + length, 0) == data + length

cdef inline int64_t tokens_of_prompt(const BodyFacts* facts) noexcept nogil:
    return facts.prompt_ids + (facts.prompt_chars + 3) // 4

cdef inline int hex_value(char digit) noexcept nogil:
    if 48 <= digit <= 57: return digit - 48
    if 65 <= digit <= 70: return digit - 55
    if 97 <= digit <= 102: return digit - 87
    return 0

cdef inline int hex_unit(const char* digits) noexcept nogil:
    cdef int high = (hex_value(digits[0]) << 4) | hex_value(digits[1])
    return (high << 8) | (hex_value(digits[2]) << 4) | hex_value(digits[3])

cdef inline void put_code_point(Buffer* out, int point) noexcept nogil:
    cdef char* to = out.data + out.used
    if point < 0x80:
        to[0] = <char>point
        out.used += 1
    elif point < 0x800:
        to[0] = <char>(0xC0 | (point >> 6))
        to[1] = <char>(0x80 | (point & 63))
        out.used += 2
    elif point < 0x10000:
        to[0] = <char>(0xE0 | (point >> 12))
        to[1] = <char>(0x80 | ((point >> 6) & 63))
        to[2] = <char>(0x80 | (point & 63))
        out.used += 3
    else:
        to[0] = <char>(0xF0 | (point >> 18))
        to[1] = <char>(0x80 | ((point >> 12) & 63))
        to[2] = <char>(0x80 | ((point >> 6) & 63))
        to[3] = <char>(0x80 | (point & 63))
        out.used += 4

cdef inline char plain_escape(char letter) noexcept nogil:
    if letter == 110: return 10       # n
    if letter == 116: return 9        # t
    if letter == 114: return 13       # r
    if letter == 98: return 8         # b
    if letter == 102: return 12       # f
    return letter

cdef inline void unescape(Buffer* out, Text text) noexcept nogil:
    """Sets `out` to the UTF-8 of a JSON string body."""
    cdef size_t i = 0
    cdef int point, low
    out.used = 0
    reserve(out, text.length + 4)
    while i < text.length:
        if text.data[i] != 92 or i + 1 >= text.length:
            out.data[out.used] = text.data[i]
            out.used += 1
            i += 1
        elif text.data[i + 1] != 117 or i + 6 > text.length:
            out.data[out.used] = plain_escape(text.data[i + 1])
            out.used += 1
            i += 2
        else:
            point = hex_unit(text.data + i + 2)
            i += 6
            if 0xD800 <= point < 0xDC00 and i + 6 <= text.length and text.data[i] == 92 and text.data[i + 1] == 117:
                low = hex_unit(text.data + i + 2)
                if 0xDC00 <= low < 0xE000:
                    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
                    i += 6
            put_code_point(out, point)

cdef inline uint64_t hash_bytes(const char* data, size_t length) noexcept nogil:
    """FNV-1a."""
    cdef uint64_t value = 0xCBF29CE484222325ULL
    cdef size_t i
    for i in range(length):
        value = (value ^ <unsigned char>data[i]) * 0x100000001B3ULL
    return value
