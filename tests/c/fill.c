/*
 * What a C or C++ program does with Mend, right and wrong. Valid C11 and C++17; run under
 * AddressSanitizer. Every picture ends where an unreadable page begins, or begins where one ends,
 * so that a byte too far is a crash here, whatever instruments the library.
 */
#define _DEFAULT_SOURCE
#include "mend.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(what)                                                                  \
    do {                                                                             \
        if (!(what)) {                                                               \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #what);     \
            exit(1);                                                                 \
        }                                                                            \
    } while (0)

/* Checks that a call failed with `status`, and that its message has `said` in it; frees it. */
#define CHECK_FAILS(call, status, said) check_fails((call), (status), &err, (said), __LINE__)

static void check_fails(mend_status got, mend_status want, mend_error **err, const char *said,
                        int line)
{
    if (got != want || !*err || mend_error_status(*err) != want ||
        !strstr(mend_error_message(*err), said)) {
        fprintf(stderr, "%s:%d: wanted status %d and '%s', got %d and '%s'\n", __FILE__, line,
                (int)want, said, (int)got, mend_error_message(*err));
        exit(1);
    }
    mend_error_free(*err);
    *err = NULL;
}

enum { WIDTH = 61, HEIGHT = 47, LEFT = 20, TOP = 15, RIGHT = 38, BOTTOM = 30 };

/* Memory with an unreadable page on either side; the image lies against the one or the other. */
typedef struct fenced {
    unsigned char *pages;
    size_t bytes;
    mend_image image;
} fenced;

static fenced fenced_new(uint32_t width, uint32_t height, uint32_t format, size_t pixel,
                         size_t padding, int at_end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t stride = width * pixel + padding;
    const size_t length = stride * (height - 1) + width * pixel;
    const size_t body = (length + page - 1) / page * page;
    fenced f;
    void *pages;
    f.bytes = body + 2 * page;
    pages = mmap(NULL, f.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    f.pages = (unsigned char *)pages;
    CHECK(mprotect(f.pages + page, body, PROT_READ | PROT_WRITE) == 0);
    f.image.data = f.pages + page + (at_end ? body - length : 0);
    f.image.length = length;
    f.image.stride = stride;
    f.image.width = width;
    f.image.height = height;
    f.image.format = format;
    memset(f.image.data, 0xa5, length);
    return f;
}

static void fenced_free(fenced *f)
{
    CHECK(munmap(f->pages, f->bytes) == 0);
}

static unsigned char *row_of(const mend_image *image, uint32_t y)
{
    return (unsigned char *)image->data + y * image->stride;
}

static int in_hole(uint32_t x, uint32_t y)
{
    return x >= LEFT && x < RIGHT && y >= TOP && y < BOTTOM;
}

/* RGBA, 8 bits: stripes and a gradient, and in the hole what is to go. */
static fenced picture(size_t padding, int at_end)
{
    fenced f = fenced_new(WIDTH, HEIGHT, MEND_LAYOUT_RGBA | MEND_DEPTH_U8, 4, padding, at_end);
    uint32_t x, y;
    for (y = 0; y < HEIGHT; y++) {
        for (x = 0; x < WIDTH; x++) {
            unsigned char *p = row_of(&f.image, y) + x * 4;
            p[0] = (unsigned char)((x * 7 + y * 3) % 200);
            p[1] = (unsigned char)(40 + x);
            p[2] = (unsigned char)(200 - y);
            if (in_hole(x, y))
                p[0] = p[2] = 255;
            p[3] = 255;
        }
    }
    return f;
}

static fenced hole(int at_end)
{
    fenced f = fenced_new(WIDTH, HEIGHT, MEND_LAYOUT_GRAY | MEND_DEPTH_U8, 1, 0, at_end);
    uint32_t x, y;
    for (y = 0; y < HEIGHT; y++)
        for (x = 0; x < WIDTH; x++)
            row_of(&f.image, y)[x] = in_hole(x, y) ? 255 : 0;
    return f;
}

/* Outside the hole the same pixels, inside something else, between the rows untouched. */
static void check_fill(const mend_image *before, const mend_image *after)
{
    uint32_t x, y;
    size_t changed = 0, i;
    for (y = 0; y < HEIGHT; y++) {
        for (x = 0; x < WIDTH; x++) {
            const int same =
                memcmp(row_of(before, y) + x * 4, row_of(after, y) + x * 4, 4) == 0;
            CHECK(same || in_hole(x, y));
            changed += !same;
        }
        if (y + 1 < HEIGHT)
            for (i = WIDTH * 4; i < after->stride; i++)
                CHECK(row_of(after, y)[i] == 0xa5);
    }
    CHECK(changed > (RIGHT - LEFT) * (BOTTOM - TOP) / 2);
}

static void check_same(const mend_image *a, const mend_image *b)
{
    uint32_t y;
    for (y = 0; y < HEIGHT; y++)
        CHECK(memcmp(row_of(a, y), row_of(b, y), WIDTH * 4) == 0);
}

typedef struct watcher {
    int32_t says;
    uint32_t calls;
    pthread_t thread;
} watcher;

static int32_t watch(const mend_progress *progress, void *user)
{
    watcher *w = (watcher *)user;
    CHECK(progress->stage && *progress->stage);
    CHECK(progress->steps >= 1 && progress->step <= progress->steps);
    CHECK(pthread_equal(pthread_self(), w->thread));
    w->calls++;
    return w->says;
}

typedef struct worker {
    const mend_inpainter *inpainter;
    const mend_request *request;
    fenced pixels, mask;
} worker;

static void *work(void *user)
{
    worker *w = (worker *)user;
    CHECK(mend_inpaint(w->inpainter, w->request, &w->pixels.image, &w->mask.image,
                       &w->pixels.image, NULL, NULL, NULL, NULL, NULL) == MEND_OK);
    return NULL;
}

int main(void)
{
    mend_inpainter *inpainter = NULL;
    mend_request *request = NULL;
    mend_cancel *cancel = NULL;
    mend_error *err = NULL;
    char *text = NULL;
    int at_end, i;
    fenced original = picture(0, 1), mask = hole(1);

    CHECK(mend_abi_version() == MEND_ABI_VERSION);
    CHECK(strcmp(mend_version(), MEND_VERSION) == 0);
    CHECK(mend_inpainter_new(&inpainter, &err) == MEND_OK && inpainter && !err);
    CHECK(mend_request_new(&request, &err) == MEND_OK && request && !err);
    CHECK(mend_cancel_new(&cancel, &err) == MEND_OK && cancel && !err);
    CHECK(mend_inpainter_set(inpainter, "threads", "2", &err) == MEND_OK);
    CHECK(mend_inpainter_set(inpainter, "max-memory", "1G", &err) == MEND_OK);
    CHECK(mend_request_set(request, "seed", "7", &err) == MEND_OK);

    /* What there is, and what will be done. */
    CHECK(mend_describe(inpainter, &text, &err) == MEND_OK && strstr(text, "\"engines\""));
    mend_string_free(text);
    CHECK(mend_plan(inpainter, request, NULL, &mask.image, &text, &err) == MEND_OK);
    CHECK(strstr(text, "\"peak_bytes\""));
    mend_string_free(text);

    /* In place and apart, with and without padding, against either fence: all the same. */
    for (at_end = 0; at_end < 2; at_end++) {
        fenced in_place = picture(9, at_end);
        fenced apart =
            fenced_new(WIDTH, HEIGHT, MEND_LAYOUT_RGBA | MEND_DEPTH_U8, 4, 5, at_end);
        fenced selected = hole(at_end);
        watcher w = {1, 0, pthread_self()};
        CHECK(mend_inpaint(inpainter, request, &in_place.image, &selected.image,
                           &in_place.image, watch, &w, cancel, &text, &err) == MEND_OK);
        CHECK(w.calls > 0 && text && strstr(text, "\"regions\":1"));
        mend_string_free(text);
        check_fill(&original.image, &in_place.image);
        CHECK(mend_inpaint(inpainter, request, &original.image, &selected.image, &apart.image,
                           NULL, NULL, NULL, NULL, &err) == MEND_OK);
        check_fill(&original.image, &apart.image);
        check_same(&in_place.image, &apart.image);
        fenced_free(&in_place);
        fenced_free(&apart);
        fenced_free(&selected);
    }

    /* An empty mask changes nothing and is no failure. */
    {
        fenced empty = fenced_new(WIDTH, HEIGHT, MEND_LAYOUT_GRAY | MEND_DEPTH_U8, 1, 0, 1);
        fenced copy = picture(0, 1);
        memset(empty.image.data, 0, empty.image.length);
        CHECK(mend_inpaint(inpainter, request, &copy.image, &empty.image, &copy.image, NULL,
                           NULL, NULL, &text, &err) == MEND_OK);
        CHECK(strstr(text, "\"regions\":0") && strstr(text, "empty"));
        mend_string_free(text);
        check_same(&original.image, &copy.image);
        fenced_free(&empty);
        fenced_free(&copy);
    }

    /* Everything that must be refused, and changes nothing. */
    {
        fenced pixels = picture(3, 1);
        const mend_image good = pixels.image;
        mend_image bad;
        const struct {
            const char *name;
            mend_status status;
        } roles[3] = {{"'src'", MEND_ERR_IMAGE}, {"'mask'", MEND_ERR_MASK}, {"'dst'", MEND_ERR_IMAGE}};
        const mend_image goods[3] = {good, mask.image, good};
        for (i = 0; i < 3; i++) {
            int fault;
            for (fault = 0; fault < 8; fault++) {
                const mend_image *given[3] = {&goods[0], &goods[1], &goods[2]};
                bad = goods[i];
                switch (fault) {
                case 0: bad.stride -= 4; break;
                case 1: bad.stride = SIZE_MAX; break;
                case 2: bad.length -= 1; break;
                case 3: bad.length = SIZE_MAX; break;
                case 4: bad.width = 0; break;
                case 5: bad.height = UINT32_MAX; break;
                case 6: bad.format = 0xffffffffu; break;
                default: bad.format = 0; break;
                }
                given[i] = &bad;
                CHECK_FAILS(mend_inpaint(inpainter, request, given[0], given[1], given[2], NULL,
                                         NULL, NULL, NULL, &err),
                            roles[i].status, roles[i].name);
            }
        }
        bad = good;
        bad.data = (unsigned char *)bad.data + 4;
        bad.width -= 1;
        bad.length -= 4;
        CHECK_FAILS(mend_inpaint(inpainter, request, &good, &mask.image, &bad, NULL, NULL, NULL,
                                 NULL, &err),
                    MEND_ERR_IMAGE, "'dst'");
        bad = mask.image;
        bad.width -= 1;
        CHECK_FAILS(mend_inpaint(inpainter, request, &good, &bad, &good, NULL, NULL, NULL, &text,
                                 &err),
                    MEND_ERR_MASK, "mask");
        CHECK(!text);
        CHECK_FAILS(mend_inpaint(inpainter, request, &good, &good, &good, NULL, NULL, NULL,
                                 NULL, &err),
                    MEND_ERR_MASK, "mask");
        CHECK_FAILS(mend_inpaint(NULL, request, &good, &mask.image, &good, NULL, NULL, NULL,
                                 NULL, &err),
                    MEND_ERR_NULL, "'inpainter'");
        CHECK_FAILS(mend_inpaint(inpainter, NULL, &good, &mask.image, &good, NULL, NULL, NULL,
                                 NULL, &err),
                    MEND_ERR_NULL, "'request'");
        CHECK_FAILS(mend_inpaint(inpainter, request, &good, &mask.image, NULL, NULL, NULL, NULL,
                                 NULL, &err),
                    MEND_ERR_NULL, "'dst'");
        CHECK_FAILS(mend_request_set(request, "sede", "1", &err), MEND_ERR_PARAMETER, "'seed'");
        CHECK_FAILS(mend_request_set(request, "seed", "-1", &err), MEND_ERR_PARAMETER, "'seed'");
        CHECK_FAILS(mend_request_set(request, "seed", NULL, &err), MEND_ERR_NULL, "'value'");
        CHECK_FAILS(mend_request_set(request, "\xff", "1", &err), MEND_ERR_ARGUMENT, "UTF-8");
        CHECK_FAILS(mend_inpainter_set(inpainter, "max_memory", "1G", &err), MEND_ERR_PARAMETER,
                    "'max-memory'");
        CHECK_FAILS(mend_request_set_mask(request, "sauce", &mask.image, &err),
                    MEND_ERR_PARAMETER, "source");
        CHECK_FAILS(mend_request_new(NULL, &err), MEND_ERR_NULL, "'out'");
        CHECK(mend_request_new(NULL, NULL) == MEND_ERR_NULL);
        check_same(&original.image, &good);
        fenced_free(&pixels);
    }

    /* Only 1 goes on; anything else, garbage too, stops and changes nothing. */
    {
        const int32_t answers[] = {0, 2, -1, INT32_MIN, 0x5a5a5a5a};
        fenced pixels = picture(0, 1);
        for (i = 0; i < 5; i++) {
            watcher w = {answers[i], 0, pthread_self()};
            CHECK_FAILS(mend_inpaint(inpainter, request, &pixels.image, &mask.image,
                                     &pixels.image, watch, &w, NULL, NULL, &err),
                        MEND_ERR_CANCELLED, "");
            CHECK(w.calls == 1);
        }
        CHECK(mend_cancel_finish(NULL) == MEND_ERR_NULL);
        CHECK(mend_cancel_finish(cancel) == MEND_OK);
        CHECK(mend_cancel_trigger(cancel) == MEND_OK);
        CHECK(mend_cancel_trigger(NULL) == MEND_ERR_NULL);
        CHECK_FAILS(mend_inpaint(inpainter, request, &pixels.image, &mask.image, &pixels.image,
                                 NULL, NULL, cancel, NULL, &err),
                    MEND_ERR_CANCELLED, "");
        check_same(&original.image, &pixels.image);
        fenced_free(&pixels);
    }

    /* Two threads with little stack, as hosts have them; one inpainter, one request. */
    {
        pthread_attr_t small;
        pthread_t threads[2];
        worker workers[2];
        CHECK(pthread_attr_init(&small) == 0);
        CHECK(pthread_attr_setstacksize(&small, 256 * 1024) == 0);
        for (i = 0; i < 2; i++) {
            workers[i].inpainter = inpainter;
            workers[i].request = request;
            workers[i].pixels = picture(0, i);
            workers[i].mask = hole(i);
            CHECK(pthread_create(&threads[i], &small, work, &workers[i]) == 0);
        }
        for (i = 0; i < 2; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(pthread_attr_destroy(&small) == 0);
        check_fill(&original.image, &workers[0].pixels.image);
        check_same(&workers[0].pixels.image, &workers[1].pixels.image);
        for (i = 0; i < 2; i++) {
            fenced_free(&workers[i].pixels);
            fenced_free(&workers[i].mask);
        }
    }

    /* A child process is told to make an inpainter of its own, and does not hang. */
    {
        int status = 0;
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            fenced pixels = picture(0, 1);
            CHECK_FAILS(mend_inpaint(inpainter, request, &pixels.image, &mask.image,
                                     &pixels.image, NULL, NULL, NULL, NULL, &err),
                        MEND_ERR_UNSUPPORTED, "fork");
            check_same(&original.image, &pixels.image);
            mend_inpainter_free(inpainter);
            CHECK(mend_inpainter_new(&inpainter, &err) == MEND_OK);
            CHECK(mend_inpaint(inpainter, request, &pixels.image, &mask.image, &pixels.image,
                               NULL, NULL, NULL, NULL, &err) == MEND_OK);
            check_fill(&original.image, &pixels.image);
            mend_inpainter_free(inpainter);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    /* A source mask is copied: its memory may go. */
    {
        fenced pixels = picture(0, 1), source = hole(1);
        memset(source.image.data, 255, source.image.length);
        CHECK(mend_request_set_mask(request, "source", &source.image, &err) == MEND_OK);
        fenced_free(&source);
        CHECK(mend_inpaint(inpainter, request, &pixels.image, &mask.image, &pixels.image, NULL,
                           NULL, NULL, NULL, &err) == MEND_OK);
        check_fill(&original.image, &pixels.image);
        fenced_free(&pixels);
    }

    /* Several fills, taken by number, each apart and one over the other in place. */
    {
        mend_variations *made = NULL;
        fenced in_place = picture(0, 1), apart = picture(3, 0);
        watcher w = {1, 0, pthread_self()};
        size_t n;
        CHECK(mend_request_set(request, "variations", "3", &err) == MEND_OK);
        CHECK(mend_inpaint_variations(inpainter, request, &original.image, &mask.image, watch, &w,
                                      NULL, &made, &text, &err) == MEND_OK);
        CHECK(w.calls > 0 && made && strstr(text, "\"scores\":["));
        mend_string_free(text);
        CHECK(mend_variations_count(made) == 3);
        for (n = 0; n < 3; n++) {
            CHECK(mend_variations_score(made, n) >= mend_variations_score(made, n ? n - 1 : 0));
            CHECK(mend_variations_take(made, n, &original.image, &apart.image, &err) == MEND_OK);
            CHECK(mend_variations_take(made, n, &in_place.image, &in_place.image, &err) == MEND_OK);
            check_fill(&original.image, &apart.image);
            check_same(&in_place.image, &apart.image);
        }
        CHECK(!(mend_variations_score(made, 3) >= 0));
        CHECK_FAILS(mend_variations_take(made, 3, &original.image, &apart.image, &err),
                    MEND_ERR_ARGUMENT, "from 0 to 2");
        CHECK_FAILS(mend_variations_take(made, 0, &original.image, &mask.image, &err),
                    MEND_ERR_IMAGE, "'dst'");
        check_same(&in_place.image, &apart.image);
        mend_variations_free(made);
        mend_variations_free(NULL);
        fenced_free(&in_place);
        fenced_free(&apart);
    }

    CHECK(mend_inpainter_trim(inpainter, &err) == MEND_OK);
    CHECK_FAILS(mend_inpainter_trim(NULL, &err), MEND_ERR_NULL, "inpainter");

    CHECK(!err);
    mend_inpainter_free(inpainter);
    mend_request_free(request);
    mend_cancel_free(cancel);
    mend_inpainter_free(NULL);
    mend_request_free(NULL);
    mend_cancel_free(NULL);
    mend_error_free(NULL);
    mend_string_free(NULL);
    fenced_free(&original);
    fenced_free(&mask);
    puts("all is well");
    return 0;
}
