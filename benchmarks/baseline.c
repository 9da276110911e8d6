/* The floor: libcurl driven from C, with nothing around it but epoll, a count and a time stamp.

     cc -O2 -o baseline baseline.c -ldl && ./baseline LIBRARY URL STREAMS REQUESTS BODY [STAMPS]

   keeps STREAMS requests in flight until REQUESTS have ended and prints one line of JSON. LIBRARY is the libcurl that
   pycurl brought, so that this and perfcore run the very same code, under the same options. The numbers of the options are
   libcurl's stable ABI (curl/curl.h); no header of it is needed.

   STAMPS is a file that gets, for each event of the last request of each stream, three int64: the stream, the number of
   the event, the time of the wake-up that brought it. Streams then number their requests (X-Request-Id: bare-NUMBER). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

enum {
    OPT_TIMEOUT_MS = 155, OPT_POST = 47, OPT_POSTFIELDSIZE = 60, OPT_NOSIGNAL = 99, OPT_TCP_NODELAY = 121,
    OPT_HTTP_VERSION = 84, OPT_BUFFERSIZE = 98,
    OPT_WRITEDATA = 10001, OPT_URL = 10002, OPT_PROXY = 10004, OPT_POSTFIELDS = 10015, OPT_USERAGENT = 10018,
    OPT_HTTPHEADER = 10023, OPT_PRIVATE = 10103, OPT_WRITEFUNCTION = 20011,
    INFO_RESPONSE_CODE = 0x200002, INFO_PRIVATE = 0x100015,
    MOPT_MAXCONNECTS = 6, MOPT_SOCKETDATA = 10002, MOPT_TIMERDATA = 10005,
    MOPT_SOCKETFUNCTION = 20001, MOPT_TIMERFUNCTION = 20004,
    POLL_IN = 1, POLL_OUT = 2, POLL_REMOVE = 4, SELECT_ERR = 4, SOCKET_TIMEOUT = -1, MSG_DONE = 1,
    HTTP_1_1 = 2, READY = 4096, STAMPS = 4096, DESCRIPTORS = 65536
};

typedef struct { int msg; void *easy; union { void *whatever; int result; } data; } Message;
typedef struct { void *easy; int64_t bytes, lines, last_lines, reads[STAMPS], wakes[STAMPS]; } Stream;

static struct {
    void *(*easy_init)(void), *(*multi_init)(void);
    int (*easy_setopt)(void *, int, ...), (*easy_getinfo)(void *, int, ...), (*multi_setopt)(void *, int, ...);
    int (*multi_add)(void *, void *), (*multi_remove)(void *, void *), (*socket_action)(void *, int, int, int *);
    Message *(*info_read)(void *, int *);
    void *(*slist_append)(void *, const char *);
} curl;

static int epoll;
static int64_t timer_ns = INT64_MAX, wake_ns;
static uint8_t watched[DESCRIPTORS];

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static size_t on_body(const char *data, size_t size, size_t count, void *user) {
    Stream *stream = user;
    const char *end = data + size * count, *at = data, *line;
    int64_t now = now_ns();
    while ((line = memchr(at, '\n', end - at)) != NULL) {
        stream->reads[stream->lines % STAMPS] = now;
        stream->wakes[stream->lines++ % STAMPS] = wake_ns;
        at = line + 1;
    }
    stream->bytes += size * count;
    return size * count;
}

static int on_socket(void *easy, int fd, int what, void *user, void *socket_user) {
    struct epoll_event event = { .events = (what & POLL_IN ? EPOLLIN : 0) | (what & POLL_OUT ? EPOLLOUT : 0),
                                 .data.fd = fd };
    if (fd >= DESCRIPTORS)
        return -1;
    epoll_ctl(epoll, what == POLL_REMOVE ? EPOLL_CTL_DEL : watched[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    watched[fd] = what != POLL_REMOVE;
    (void)easy, (void)user, (void)socket_user;
    return 0;
}

static int on_timer(void *multi, long timeout_ms, void *user) {
    timer_ns = timeout_ms < 0 ? INT64_MAX : now_ns() + timeout_ms * 1000000;
    (void)multi, (void)user;
    return 0;
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "baseline: that library has no %s\n", name);
        exit(2);
    }
    return found;
}

static void load(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "baseline: %s\n", dlerror());
        exit(2);
    }
    *(void **)&curl.easy_init = symbol(library, "curl_easy_init");
    *(void **)&curl.easy_setopt = symbol(library, "curl_easy_setopt");
    *(void **)&curl.easy_getinfo = symbol(library, "curl_easy_getinfo");
    *(void **)&curl.slist_append = symbol(library, "curl_slist_append");
    *(void **)&curl.multi_init = symbol(library, "curl_multi_init");
    *(void **)&curl.multi_setopt = symbol(library, "curl_multi_setopt");
    *(void **)&curl.multi_add = symbol(library, "curl_multi_add_handle");
    *(void **)&curl.multi_remove = symbol(library, "curl_multi_remove_handle");
    *(void **)&curl.socket_action = symbol(library, "curl_multi_socket_action");
    *(void **)&curl.info_read = symbol(library, "curl_multi_info_read");
}

static void *make_multi(long streams) {
    void *multi = curl.multi_init();
    curl.multi_setopt(multi, MOPT_SOCKETFUNCTION, on_socket);
    curl.multi_setopt(multi, MOPT_SOCKETDATA, NULL);
    curl.multi_setopt(multi, MOPT_TIMERFUNCTION, on_timer);
    curl.multi_setopt(multi, MOPT_TIMERDATA, NULL);
    curl.multi_setopt(multi, MOPT_MAXCONNECTS, streams);
    return multi;
}

static Stream *make_stream(const char *url, const char *body, void *headers) {
    Stream *stream = calloc(1, sizeof(Stream));
    void *easy = stream->easy = curl.easy_init();
    curl.easy_setopt(easy, OPT_URL, url);
    curl.easy_setopt(easy, OPT_POST, 1L);
    curl.easy_setopt(easy, OPT_POSTFIELDS, body);
    curl.easy_setopt(easy, OPT_POSTFIELDSIZE, (long)strlen(body));
    curl.easy_setopt(easy, OPT_HTTPHEADER, headers);
    curl.easy_setopt(easy, OPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(easy, OPT_WRITEDATA, stream);
    curl.easy_setopt(easy, OPT_PRIVATE, stream);
    curl.easy_setopt(easy, OPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, OPT_TCP_NODELAY, 1L);
    curl.easy_setopt(easy, OPT_HTTP_VERSION, (long)HTTP_1_1);
    curl.easy_setopt(easy, OPT_BUFFERSIZE, 65536L);
    curl.easy_setopt(easy, OPT_PROXY, "");
    curl.easy_setopt(easy, OPT_USERAGENT, "baseline");
    curl.easy_setopt(easy, OPT_TIMEOUT_MS, 600000L);
    return stream;
}

static int wait_ready(struct epoll_event *ready) {
    int64_t left = timer_ns == INT64_MAX ? 1000000000 : timer_ns - now_ns();
    struct timespec timeout;
    int count;
    if (left < 0)
        left = 0;
    timeout.tv_sec = left / 1000000000;
    timeout.tv_nsec = left % 1000000000;
    count = syscall(SYS_epoll_pwait2, epoll, ready, READY, &timeout, NULL, 0);
    if (count < 0 && errno != EINTR) {
        perror("baseline: epoll_pwait2");
        exit(2);
    }
    return count;
}

/* Counters of what has ended. */
static struct { int64_t requests, failed, events, bytes; } ended;

static int64_t collect(void *multi, int64_t left) {
    Message *message;
    Stream *stream;
    long status = 0;
    int queued;
    while ((message = curl.info_read(multi, &queued)) != NULL) {
        if (message->msg != MSG_DONE)
            continue;
        void *easy = message->easy;
        int result = message->data.result;
        curl.easy_getinfo(easy, INFO_PRIVATE, &stream);
        curl.easy_getinfo(easy, INFO_RESPONSE_CODE, &status);
        curl.multi_remove(multi, easy);
        ended.requests++;
        ended.failed += result != 0 || status != 200;
        ended.events += stream->lines / 2;
        ended.bytes += stream->bytes;
        stream->last_lines = stream->lines;
        stream->lines = stream->bytes = 0;
        if (left > 0) {
            left--;
            curl.multi_add(multi, easy);
        }
    }
    return left;
}

static void run(void *multi, Stream **streams, int64_t count, int64_t requests) {
    static struct epoll_event ready[READY];
    int64_t left = requests - count;
    int running;
    for (int64_t i = 0; i < count; i++)
        curl.multi_add(multi, streams[i]->easy);
    while (ended.requests < requests) {
        int found = wait_ready(ready);
        wake_ns = now_ns();
        for (int i = 0; i < found; i++) {
            int mask = (ready[i].events & EPOLLIN ? POLL_IN : 0) | (ready[i].events & EPOLLOUT ? POLL_OUT : 0)
                       | (ready[i].events & (EPOLLERR | EPOLLHUP) ? SELECT_ERR : 0);
            curl.socket_action(multi, ready[i].data.fd, mask, &running);
        }
        if (timer_ns <= now_ns()) {
            timer_ns = INT64_MAX;
            curl.socket_action(multi, SOCKET_TIMEOUT, 0, &running);
        }
        left = collect(multi, left);
    }
}

static void *headers_of(int64_t number, int numbered) {
    char line[64];
    void *headers = curl.slist_append(curl.slist_append(NULL, "Content-Type: application/json"), "Expect:");
    snprintf(line, sizeof line, "X-Request-Id: bare-%lld", (long long)number);
    return numbered ? curl.slist_append(headers, line) : headers;
}

static int write_stamps(const char *path, Stream **streams, int64_t count) {
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t event = 0; event < streams[i]->last_lines / 2; event++) {
            int64_t record[3] = { i, event, streams[i]->wakes[(2 * event + 1) % STAMPS] };
            fwrite(record, sizeof record, 1, file);
        }
    }
    return fclose(file);
}

static double seconds(struct timeval before, struct timeval after) {
    return (after.tv_sec - before.tv_sec) + (after.tv_usec - before.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    struct rusage before, after;
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: %s LIBRARY URL STREAMS REQUESTS BODY [STAMPS]\n", argv[0]);
        return 2;
    }
    int64_t requests = atoll(argv[4]), count = atoll(argv[3]) < requests ? atoll(argv[3]) : requests;
    load(argv[1]);
    prctl(PR_SET_TIMERSLACK, 1);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    void *multi = make_multi(count);
    Stream **streams = calloc(count, sizeof(Stream *));
    for (int64_t i = 0; i < count; i++)
        streams[i] = make_stream(argv[2], argv[5], headers_of(i, argc == 7));
    getrusage(RUSAGE_SELF, &before);
    int64_t began_ns = now_ns();
    run(multi, streams, count, requests);
    double wall_s = (now_ns() - began_ns) / 1e9;
    getrusage(RUSAGE_SELF, &after);
    if (argc == 7 && write_stamps(argv[6], streams, count) != 0) {
        perror("baseline: cannot write the stamps");
        return 2;
    }
    printf("{\"requests\": %lld, \"failed\": %lld, \"events\": %lld, \"bytes\": %lld, \"user_s\": %.6f, \"system_s\": %.6f, "
           "\"wall_s\": %.6f}\n", (long long)ended.requests, (long long)ended.failed, (long long)ended.events,
           (long long)ended.bytes, seconds(before.ru_utime, after.ru_utime), seconds(before.ru_stime, after.ru_stime),
           wall_s);
    return 0;
}
