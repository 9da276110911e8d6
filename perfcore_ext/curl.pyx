"""The door to libcurl: finds its C functions in the library that pycurl's extension module is linked to.

pycurl's wheels carry a current libcurl as a shared library. Looking the functions up at run time needs no libcurl
headers at build time and keeps Python out of the load loop. Nothing of pycurl's own object layout is used.
"""

import importlib
import importlib.util

import pycurl

from libc.stdlib cimport calloc, free

cdef extern from "<dlfcn.h>" nogil:
    void* dlopen(const char* path, int flags)
    void* dlsym(void* library, const char* symbol)
    const char* dlerror()
    int RTLD_NOW
    int RTLD_NOLOAD

ctypedef const char* (*version_function)() noexcept nogil

# First value of each of libcurl's option types; what is added to them numbers the option (curl/curl.h, CURLOPTTYPE_*).
cdef enum:
    TYPE_STRING = 10000
    TYPE_FUNCTION = 20000
    TYPE_OFF_T = 30000
    TYPE_BLOB = 40000

cdef CurlApi _api
cdef bint _loaded = False


class CurlError(RuntimeError):
    """libcurl could not be used; the message says why."""


cdef void* _symbol(void* library, bytes name, version) except NULL:
    cdef void* address = dlsym(library, name)
    if address == NULL:
        raise CurlError(
            f"{name.decode()} is missing from the libcurl that pycurl uses ({version}): perfcore needs "
            "libcurl 7.62 or newer through pycurl; reinstall pycurl from its wheel (pip install --force-reinstall pycurl)"
        )
    return address


cdef void* _library() except NULL:
    """The already loaded extension module of pycurl; symbols of the libcurl it depends on are found through it."""
    name = "pycurl._pycurl"
    module = importlib.import_module(name) if importlib.util.find_spec("pycurl").submodule_search_locations else pycurl
    path = module.__file__.encode()
    cdef void* library = dlopen(path, RTLD_NOW | RTLD_NOLOAD)
    if library == NULL:
        raise CurlError(f"cannot reach libcurl through {module.__file__}: {dlerror().decode()}")
    return library


cdef const CurlApi* curl_api() except NULL:
    """The function table, looked up on first use. Raises CurlError naming pycurl's and libcurl's versions."""
    global _loaded
    if _loaded:
        return &_api
    cdef void* library = _library()
    version = pycurl.version
    linked = (<version_function>_symbol(library, b"curl_version", version))().decode()
    if linked.split()[0] not in version:
        raise CurlError(f"pycurl says {version} but the library found through it is {linked}: reinstall pycurl")
    _api.easy_init = <void* (*)() noexcept nogil>_symbol(library, b"curl_easy_init", version)
    _api.easy_duphandle = <void* (*)(void*) noexcept nogil>_symbol(library, b"curl_easy_duphandle", version)
    _api.easy_cleanup = <void (*)(void*) noexcept nogil>_symbol(library, b"curl_easy_cleanup", version)
    _api.easy_setopt = <int (*)(void*, int, ...) noexcept nogil>_symbol(library, b"curl_easy_setopt", version)
    _api.easy_getinfo = <int (*)(void*, int, ...) noexcept nogil>_symbol(library, b"curl_easy_getinfo", version)
    _api.easy_strerror = <const char* (*)(int) noexcept nogil>_symbol(library, b"curl_easy_strerror", version)
    _api.share_init = <void* (*)() noexcept nogil>_symbol(library, b"curl_share_init", version)
    _api.share_setopt = <int (*)(void*, int, ...) noexcept nogil>_symbol(library, b"curl_share_setopt", version)
    _api.share_cleanup = <int (*)(void*) noexcept nogil>_symbol(library, b"curl_share_cleanup", version)
    _api.multi_init = <void* (*)() noexcept nogil>_symbol(library, b"curl_multi_init", version)
    _api.multi_cleanup = <int (*)(void*) noexcept nogil>_symbol(library, b"curl_multi_cleanup", version)
    _api.multi_setopt = <int (*)(void*, int, ...) noexcept nogil>_symbol(library, b"curl_multi_setopt", version)
    _api.multi_add_handle = <int (*)(void*, void*) noexcept nogil>_symbol(library, b"curl_multi_add_handle", version)
    _api.multi_remove_handle = <int (*)(void*, void*) noexcept nogil>_symbol(
        library, b"curl_multi_remove_handle", version)
    _api.multi_socket_action = <int (*)(void*, int, int, int*) noexcept nogil>_symbol(
        library, b"curl_multi_socket_action", version)
    _api.multi_info_read = <CurlMessage* (*)(void*, int*) noexcept nogil>_symbol(
        library, b"curl_multi_info_read", version)
    _loaded = True
    return &_api


cdef class StringList:
    """A linked list of `lines` (str or bytes); libcurl reads it where it lies."""

    def __cinit__(self, lines):
        self.lines = [line if isinstance(line, bytes) else line.encode() for line in lines]
        if not self.lines:
            return
        self.first = <HeaderList*>calloc(len(self.lines), sizeof(HeaderList))
        if self.first == NULL:
            raise MemoryError
        for at, line in enumerate(self.lines):
            self.first[at].data = <char*><const char*>line
            self.first[at].next = &self.first[at + 1] if at + 1 < len(self.lines) else NULL

    def __dealloc__(self):
        free(self.first)


cdef int set_option(const CurlApi* api, void* easy, int option, object value) except -1:
    """Set one option given as (pycurl constant, int | bytes | str | StringList). libcurl copies strings, not lists."""
    cdef int code
    cdef bytes text
    if isinstance(value, StringList):
        code = api.easy_setopt(easy, option, (<StringList>value).first)
    elif isinstance(value, (bytes, str)):
        if not TYPE_STRING <= option < TYPE_FUNCTION:
            raise CurlError(f"libcurl option {option} does not take a string")
        text = value if isinstance(value, bytes) else value.encode()
        code = api.easy_setopt(easy, option, <const char*>text)
    elif TYPE_OFF_T <= option < TYPE_BLOB:
        code = api.easy_setopt(easy, option, <int64_t>value)
    elif option < TYPE_STRING:
        code = api.easy_setopt(easy, option, <long>value)
    else:
        raise CurlError(f"libcurl option {option} does not take a number")
    if code != E_OK:
        raise CurlError(f"libcurl refuses option {option} = {value!r}: {api.easy_strerror(code).decode()}")
    return 0


cdef int set_multi_option(const CurlApi* api, void* multi, int option, long value) except -1:
    """Set one option of a multi handle, given as (pycurl constant M_..., int)."""
    if api.multi_setopt(multi, option, value) != 0:
        raise CurlError(f"libcurl refuses the multi option {option} = {value}")
    return 0


def version() -> str:
    """Versions of libcurl and its parts, as the library itself tells them; loads the function table."""
    curl_api()
    return pycurl.version
