"""libcurl's public C API, reached at run time through the libcurl that pycurl is linked to.

The numbers are those of curl/curl.h and curl/multi.h: libcurl never changes one that has been released.
"""

from libc.stdint cimport int64_t

ctypedef size_t (*DataCallback)(char* data, size_t size, size_t count, void* user) noexcept nogil
ctypedef int (*SocketCallback)(void* easy, int fd, int what, void* user, void* socket_user) noexcept nogil
ctypedef int (*TimerCallback)(void* multi, long timeout_ms, void* user) noexcept nogil

cdef struct CurlMessage:
    int msg
    void* easy
    int result                        # CURLcode, in a union of pointer size

cdef struct HeaderList:               # struct curl_slist
    char* data
    HeaderList* next

cdef enum:
    OPT_URL = 10002
    OPT_WRITEDATA = 10001
    OPT_WRITEFUNCTION = 20011
    OPT_POSTFIELDS = 10015
    OPT_POSTFIELDSIZE_LARGE = 30120
    OPT_HTTPHEADER = 10023
    OPT_HEADERDATA = 10029
    OPT_HEADERFUNCTION = 20079
    OPT_PRIVATE = 10103
    OPT_POST = 47
    OPT_NOSIGNAL = 99
    OPT_ERRORBUFFER = 10010
    OPT_SHARE = 10100

    SHARE_OPT_SHARE = 1
    SHARE_CONNECTIONS = 5

    MOPT_SOCKETFUNCTION = 20001
    MOPT_SOCKETDATA = 10002
    MOPT_TIMERFUNCTION = 20004
    MOPT_TIMERDATA = 10005
    MOPT_MAXCONNECTS = 6

    INFO_PRIVATE = 0x100015
    INFO_RESPONSE_CODE = 0x200002
    INFO_REQUEST_SIZE = 0x20000C
    INFO_OS_ERRNO = 0x200019
    INFO_NUM_CONNECTS = 0x20001A
    INFO_NAMELOOKUP_TIME_T = 0x600033
    INFO_CONNECT_TIME_T = 0x600034
    INFO_PRETRANSFER_TIME_T = 0x600035
    INFO_APPCONNECT_TIME_T = 0x600038
    INFO_POSTTRANSFER_TIME_T = 0x600043

    POLL_IN = 1
    POLL_OUT = 2
    POLL_REMOVE = 4
    SELECT_IN = 1
    SELECT_OUT = 2
    SELECT_ERR = 4
    SOCKET_TIMEOUT = -1
    MSG_DONE = 1

    E_OK = 0
    E_COULDNT_RESOLVE_PROXY = 5
    E_COULDNT_RESOLVE_HOST = 6
    E_COULDNT_CONNECT = 7
    E_HTTP2 = 16
    E_PARTIAL_FILE = 18
    E_WRITE_ERROR = 23
    E_OPERATION_TIMEDOUT = 28
    E_SSL_CONNECT_ERROR = 35
    E_GOT_NOTHING = 52
    E_SSL_ENGINE_NOTFOUND = 53
    E_SEND_ERROR = 55
    E_RECV_ERROR = 56
    E_SSL_CERTPROBLEM = 58
    E_SSL_CIPHER = 59
    E_PEER_FAILED_VERIFICATION = 60
    E_SSL_CACERT_BADFILE = 77
    E_SSL_ISSUER_ERROR = 83
    E_HTTP2_STREAM = 92
    E_HTTP3 = 95
    E_QUIC_CONNECT = 96
    E_PROXY = 97

cdef struct CurlApi:
    void* (*easy_init)() noexcept nogil
    void* (*easy_duphandle)(void* easy) noexcept nogil
    void (*easy_cleanup)(void* easy) noexcept nogil
    int (*easy_setopt)(void* easy, int option, ...) noexcept nogil
    int (*easy_getinfo)(void* easy, int info, ...) noexcept nogil
    const char* (*easy_strerror)(int code) noexcept nogil
    void* (*share_init)() noexcept nogil
    int (*share_setopt)(void* share, int option, ...) noexcept nogil
    int (*share_cleanup)(void* share) noexcept nogil
    void* (*multi_init)() noexcept nogil
    int (*multi_cleanup)(void* multi) noexcept nogil
    int (*multi_setopt)(void* multi, int option, ...) noexcept nogil
    int (*multi_add_handle)(void* multi, void* easy) noexcept nogil
    int (*multi_remove_handle)(void* multi, void* easy) noexcept nogil
    int (*multi_socket_action)(void* multi, int fd, int mask, int* running) noexcept nogil
    CurlMessage* (*multi_info_read)(void* multi, int* left) noexcept nogil

# A linked list of strings as libcurl takes it, for as long as this object lives.
cdef class StringList:
    cdef HeaderList* first            # NULL if the list is empty
    cdef list lines

cdef const CurlApi* curl_api() except NULL
cdef int set_option(const CurlApi* api, void* easy, int option, object value) except -1
cdef int set_multi_option(const CurlApi* api, void* multi, int option, long value) except -1
