/*
 * Mend fills a selected region of a picture so that nobody sees it.
 *
 * In short:
 *
 *     mend_inpainter *inpainter = NULL;
 *     mend_request *request = NULL;
 *     mend_error *err = NULL;
 *     if (mend_inpainter_new(&inpainter, &err) == MEND_OK &&
 *         mend_request_new(&request, &err) == MEND_OK &&
 *         mend_inpaint(inpainter, request, &picture, &mask, &picture,
 *                      NULL, NULL, NULL, NULL, &err) == MEND_OK) {
 *         ... the pixels that the mask selects are filled, in place ...
 *     }
 *     if (err) fprintf(stderr, "%s\n", mend_error_message(err));
 *     mend_error_free(err);
 *     mend_request_free(request);
 *     mend_inpainter_free(inpainter);
 *
 * What holds for every function:
 *
 * - A function returns a mend_status: MEND_OK, which is 0, or what went wrong. A failure changes
 *   only *err, and sets what would be returned through a pointer to NULL.
 * - A NULL where none is allowed gives MEND_ERR_NULL. Every *_free accepts NULL and does nothing.
 * - Strings are UTF-8, end in a NUL byte, and are copied. Text in JSON is UTF-8 too.
 * - Any number of threads may use a const handle at once. A handle that is not const may be used by
 *   one thread while no other uses it.
 * - There is no global state: nothing to start, nothing to shut down. Nothing is printed, except a
 *   line on stderr if a defect is met, and no signal is handled.
 * - Threads do not survive fork(): an inpainter that was used for a fill before fork() gives
 *   MEND_ERR_UNSUPPORTED in the child, which must make one of its own.
 * - A defect inside the library comes back as MEND_ERR_INTERNAL; the program continues.
 */


#ifndef MEND_H
#define MEND_H

#include <stddef.h>
#include <stdint.h>

/**
 * The library's own version that this header came with; compare mend_version.
 */
#define MEND_VERSION "0.1.0"

/**
 * The version of this interface. It changes only when a program compiled against an older header
 * could misbehave with a newer library; the shared library's file name carries it
 * (`libmend.so.1`). New functions, status codes and parameters do not change it.
 */
#define MEND_ABI_VERSION 1

/**
 * Layout: one gray channel.
 */
#define MEND_LAYOUT_GRAY 1

/**
 * Layout: gray, alpha.
 */
#define MEND_LAYOUT_GRAYA 2

/**
 * Layout: red, green, blue.
 */
#define MEND_LAYOUT_RGB 3

/**
 * Layout: red, green, blue, alpha.
 */
#define MEND_LAYOUT_RGBA 4

/**
 * Layout: blue, green, red.
 */
#define MEND_LAYOUT_BGR 5

/**
 * Layout: blue, green, red, alpha.
 */
#define MEND_LAYOUT_BGRA 6

/**
 * Depth: 8-bit unsigned integers, 0 to 255.
 */
#define MEND_DEPTH_U8 16

/**
 * Depth: 16-bit unsigned integers in the machine's byte order, 0 to 65535.
 */
#define MEND_DEPTH_U16 32

/**
 * Depth: IEEE half floats in the machine's byte order, nominally 0 to 1. Not for masks.
 */
#define MEND_DEPTH_F16 48

/**
 * Depth: IEEE single floats in the machine's byte order, nominally 0 to 1.
 */
#define MEND_DEPTH_F32 64

/**
 * Flag: the colour channels are already multiplied by alpha.
 */
#define MEND_PREMULTIPLIED 256

/**
 * Flag: values are proportional to light (scene-linear). Without it they are display-encoded,
 * sRGB-like, which 8-bit pictures nearly always are.
 */
#define MEND_LINEAR 512

/**
 * A flag that any thread may raise to stop a running fill, or to have it end early with what it has come
 * to, such as the thread of a dialog's button.
 * It stays raised: make a new one for the next fill.
 */
typedef struct mend_cancel mend_cancel;

/**
 * Why a call failed: a status and a message for people. Where a function takes 'err', a failure
 * stores a new error in *err, which the caller frees with mend_error_free; what *err held before
 * is overwritten, not freed. On success *err is left alone. NULL for 'err' asks for no error.
 */
typedef struct mend_error mend_error;

/**
 * What fills: options, engines and threads. Making one costs nothing; threads start and models
 * load with the first fill that needs them and stay warm for the next. Make one and keep it.
 */
typedef struct mend_inpainter mend_inpainter;

/**
 * What a fill is asked to do: parameters by name, and images that go with them. What is not set
 * has its default. One request may serve any number of calls.
 */
typedef struct mend_request mend_request;

/**
 * A picture that a selector has looked at. It holds nothing of the picture's memory and nothing of the
 * selector, which may both be freed before it.
 */
typedef struct mend_seen mend_seen;

/**
 * Finds objects in pictures. Making one costs nothing; threads start and the network loads with the
 * first picture and stay for the next. Make one and keep it.
 */
typedef struct mend_selector mend_selector;

/**
 * Different fills of one hole, the best first, to choose from. They hold the pixels that they fill and
 * nothing of what they were made with, which may all be freed before them.
 */
typedef struct mend_variations mend_variations;

/**
 * The result of a call: MEND_OK or one of MEND_ERR_*. The values never change; later versions may
 * add some, so treat an unknown one as a failure.
 */
typedef int32_t mend_status;

/**
 * A picture or a mask in the caller's memory.
 *
 * The struct and its pixels belong to the caller, who keeps them until the call returns; the
 * library keeps no pointer to them. Its layout is frozen.
 */
typedef struct mend_image {
    /**
     * The first byte of the top row. It need not be aligned. The library never writes through it,
     * except for the 'dst' of mend_inpaint and mend_variations_take. Not NULL.
     */
    void *data;
    /**
     * How many bytes from 'data' on belong to the picture: at least stride * (height - 1) plus the
     * bytes of one row; at most PTRDIFF_MAX.
     */
    size_t length;
    /**
     * Bytes from the start of a row to the start of the next, at least those of one row. Bytes
     * between the rows are neither read nor written.
     */
    size_t stride;
    /**
     * Columns, 1 to 1048576.
     */
    uint32_t width;
    /**
     * Rows, 1 to 1048576.
     */
    uint32_t height;
    /**
     * One MEND_LAYOUT_*, one MEND_DEPTH_* and any flags, or-ed together, such as
     * MEND_LAYOUT_RGBA | MEND_DEPTH_U8.
     */
    uint32_t format;
} mend_image;

/**
 * The progress of a fill. The library makes the struct; it and what it points to live only during
 * the callback. Later versions may add members at its end.
 */
typedef struct mend_progress {
    /**
     * What is being done, in English, such as "fill". Never NULL.
     */
    const char *stage;
    /**
     * Steps done, 0 to 'steps'.
     */
    uint32_t step;
    /**
     * All steps, at least 1.
     */
    uint32_t steps;
    /**
     * Estimated seconds left; below 0 while there is no estimate.
     */
    double seconds_left;
    /**
     * A small, rough picture of the region that is being filled (MEND_LAYOUT_RGB | MEND_DEPTH_U8;
     * do not write to it). It is there in the first call after an engine has made a new one, and
     * NULL otherwise; engines without previews always give NULL. Copy it to keep it.
     */
    const struct mend_image *preview;
    /**
     * Where in 'dst' the region is, over which a preview is to be stretched: its left column.
     * This and the next three are 0 without a preview.
     */
    uint32_t preview_x;
    /**
     * Its top row.
     */
    uint32_t preview_y;
    /**
     * Its columns.
     */
    uint32_t preview_width;
    /**
     * Its rows.
     */
    uint32_t preview_height;
} mend_progress;

/**
 * Receives progress, at most some ten times a second, on the thread that called mend_inpaint or
 * mend_inpaint_variations.
 *
 * 'user' is what the call was given. Return exactly 1 to continue; anything else cancels the
 * fill. The callback must return: no longjmp, no C++ exception. A thread that is ended inside it, as
 * Python ends its daemon threads when it exits, sleeps there until the process ends.
 *
 * It may call the library: it may plan or fill, even with the same inpainter (the outer fill waits),
 * trim, or raise a cancel. It must not free or set what the running call uses, nor change the
 * pictures.
 */
typedef int32_t (*mend_progress_fn)(const struct mend_progress *progress, void *user);

/**
 * How far a fetch or an import is. The library makes the struct; it and what it points to live only
 * during the callback. Later versions may add members at its end.
 */
typedef struct mend_transfer {
    /**
     * The file of the model that is worked on, in UTF-8. Never NULL.
     */
    const char *file;
    /**
     * Bytes that are there, of all files.
     */
    uint64_t bytes;
    /**
     * All bytes; 0 while nobody knows.
     */
    uint64_t total;
    /**
     * The speed; 0 before anything came.
     */
    double bytes_per_second;
    /**
     * Estimated seconds left; below 0 while there is no estimate.
     */
    double seconds_left;
} mend_transfer;

/**
 * Receives the progress of mend_models_fetch or mend_models_import, some ten times a second, on the
 * thread that called it, also while nothing comes.
 *
 * 'user' is what the call was given. Return exactly 1 to continue; anything else cancels. What holds for
 * mend_progress_fn holds here too.
 */
typedef int32_t (*mend_transfer_fn)(const struct mend_transfer *transfer, void *user);

/**
 * A place that the user pointed at.
 *
 * Its layout is frozen.
 */
typedef struct mend_click {
    /**
     * Column of the picture: 0 is the middle of the leftmost pixel.
     */
    double x;
    /**
     * Row of the picture: 0 is the middle of the top pixel.
     */
    double y;
    /**
     * 1 if the object is there; 0 if what is there does not belong to it.
     */
    uint32_t wanted;
} mend_click;

/**
 * A box around an object: the pixels of two of its corners, which both lie inside.
 *
 * Its layout is frozen.
 */
typedef struct mend_box {
    /**
     * Left column.
     */
    double x0;
    /**
     * Top row.
     */
    double y0;
    /**
     * Right column, at least x0.
     */
    double x1;
    /**
     * Bottom row, at least y0.
     */
    double y1;
} mend_box;

/**
 * The call did what it says.
 */
#define MEND_OK 0

/**
 * A pointer that must not be NULL was NULL; the message names the parameter.
 */
#define MEND_ERR_NULL 1

/**
 * An argument is malformed, such as a string that is not UTF-8.
 */
#define MEND_ERR_ARGUMENT 2

/**
 * An image cannot be used because of its size, stride, length, format or NaN pixels, or because a
 * destination does not match its source.
 */
#define MEND_ERR_IMAGE 3

/**
 * A mask cannot be used: its size is not that of the image, its format is not one for masks, or it
 * leaves nothing to fill from.
 */
#define MEND_ERR_MASK 4

/**
 * A parameter or option is unknown, or its value is not accepted.
 */
#define MEND_ERR_PARAMETER 5

/**
 * The engine is unknown or cannot run here.
 */
#define MEND_ERR_ENGINE 6

/**
 * A model file is missing, damaged or of another kind.
 */
#define MEND_ERR_MODEL 7

/**
 * The system did not provide the memory.
 */
#define MEND_ERR_MEMORY 8

/**
 * The option "max-memory" is too small for this request.
 */
#define MEND_ERR_BUDGET 9

/**
 * The caller cancelled, through the progress callback or a mend_cancel.
 */
#define MEND_ERR_CANCELLED 10

/**
 * A file could not be read or written.
 */
#define MEND_ERR_IO 11

/**
 * The request is valid, but this build cannot serve it.
 */
#define MEND_ERR_UNSUPPORTED 12

/**
 * A defect in Mend. The library remains usable; please report the message.
 */
#define MEND_ERR_INTERNAL 13

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The MEND_ABI_VERSION that the library was built with. A program that loads the library at run
 * time compares it with its header's before it calls anything else.
 *
 * Any thread.
 */
uint32_t mend_abi_version(void);

/**
 * The library's own version, such as "0.1.0", in UTF-8.
 *
 * The string belongs to the library and lives as long as it; it is never NULL. Any thread.
 */
const char *mend_version(void);

/**
 * The error's status: what the call that failed returned. MEND_ERR_NULL for NULL.
 *
 * Any thread.
 */
mend_status mend_error_status(const struct mend_error *error);

/**
 * The error's message for people: one or two sentences in UTF-8 that name the parameter or file,
 * what is wrong with it, and what to do.
 *
 * The string belongs to the error and lives as long as it. It is never NULL; for a NULL error it
 * is empty. Any thread.
 */
const char *mend_error_message(const struct mend_error *error);

/**
 * Frees an error and its message. NULL does nothing.
 */
void mend_error_free(struct mend_error *error);

/**
 * Frees a string that mend_describe, mend_plan, mend_inpaint, mend_inpaint_variations or a function of
 * the models gave. NULL does nothing.
 */
void mend_string_free(char *string);

/**
 * Makes an inpainter with every option at its default.
 *
 * *out receives it; free it with mend_inpainter_free. On failure *out is NULL. 'err' may be NULL.
 * Any thread.
 */
mend_status mend_inpainter_new(struct mend_inpainter **out, struct mend_error **err);

/**
 * Sets an option by name. The options, each with its default:
 *
 * - "threads", "0": how many threads a fill runs on, 0 to 1024; 0 uses as many as there are
 *   processors. The result is the same on any number.
 * - "max-memory", "0": the most memory that a fill may take: bytes, or a number with a unit such
 *   as "1500M" or "2G" (K, M, G, T and KiB to TiB are powers of 1024; KB to TB powers of 1000);
 *   0 sets no limit.
 * - "models", "": the folder with the model files; if empty, the user's own.
 * - "catalog", "": a file with a catalogue of models that can be fetched besides the known ones; if
 *   empty, the one that the environment variable MEND_CATALOG names, if any. Since version 1.4.
 *
 * mend_describe lists them too. Both strings are copied. No pointer but 'err' may be NULL. No
 * other thread may use the inpainter during the call.
 *
 * MEND_ERR_PARAMETER for an unknown name or a value that is not accepted; the message says what is
 * accepted. MEND_ERR_ARGUMENT for a string that is not UTF-8. The inpainter stays as it was.
 */
mend_status mend_inpainter_set(struct mend_inpainter *inpainter,
                               const char *name,
                               const char *value,
                               struct mend_error **err);

/**
 * Releases what the inpainter keeps loaded for the next fill, such as a model's weights. Use it
 * when your program has nothing to fill for a while.
 *
 * The next fill loads it again, with the same result. What a fill on another thread is using is
 * released when that fill ends. 'inpainter' may not be NULL. Any number of threads may use one
 * inpainter at once. Since version 1.1 of the C interface, the version that pkg-config reports.
 */
mend_status mend_inpainter_trim(const struct mend_inpainter *inpainter, struct mend_error **err);

/**
 * Frees an inpainter and what it loaded, and waits for its threads to end: afterwards, the library
 * runs only code that the caller calls. NULL does nothing. No call may be using it.
 */
void mend_inpainter_free(struct mend_inpainter *inpainter);

/**
 * Describes what there is to choose, as a JSON object in UTF-8. Build dialogs from it, and a new
 * engine or parameter appears by itself.
 *
 * - "version": as mend_version.
 * - "options": what mend_inpainter_set takes. "params": what mend_request_set takes, whatever the
 *   engine. Both are arrays of objects with "name", "label" (short), "help" (a sentence or two),
 *   "default" (a string, as 'value' takes it) and "type":
 *   "integer" and "number" have "min" and "max"; "text" is any text;
 *   "choice" has "choices", an array of {"id", "label"}; "extent" is "auto", pixels such as "64"
 *   up to "max_pixels", or a share such as "50%" up to "max_percent"; "sides" are one to four of
 *   these, without "auto", see mend_expanded_size; "bytes" is as "max-memory".
 * - "engines": an array of {"id", "label", "summary", "params" (the engine's own), "available"}.
 * - "models": an array of the models in the models folder and of those that can be fetched, as in
 *   mend_models.
 *
 * Later versions may add members and types. *json receives the string; free it with
 * mend_string_free. On failure *json is NULL. No pointer but 'err' may be NULL. Any number of
 * threads may use one inpainter at once.
 */
mend_status mend_describe(const struct mend_inpainter *inpainter,
                          char **json,
                          struct mend_error **err);

/**
 * Makes a request with every parameter at its default.
 *
 * *out receives it; free it with mend_request_free. On failure *out is NULL. 'err' may be NULL.
 * Any thread.
 */
mend_status mend_request_new(struct mend_request **out, struct mend_error **err);

/**
 * Sets a parameter by name, such as "seed" to "7" or "context" to "50%". mend_describe lists the
 * names, the values that they accept, and their defaults. Numbers have a decimal point.
 *
 * Engines may accept different values for one name, and have different defaults. A value that no
 * engine accepts is refused here; so is one that the chosen engine does not accept, if "engine" was
 * set before. If the engine is set later, or is chosen automatically, mend_plan and mend_inpaint refuse
 * the value with MEND_ERR_PARAMETER. A parameter that the engine does not have is not used, and the
 * notes say so.
 *
 * Both strings are copied. No pointer but 'err' may be NULL. No other thread may use the request
 * during the call.
 *
 * MEND_ERR_PARAMETER for an unknown name (the message has the nearest right one) or a value that
 * is not accepted (the message says what is); MEND_ERR_ENGINE for an unknown engine;
 * MEND_ERR_ARGUMENT for a string that is not UTF-8. The request stays as it was.
 */
mend_status mend_request_set(struct mend_request *request,
                             const char *name,
                             const char *value,
                             struct mend_error **err);

/**
 * Sets an image that goes with the request. There are two:
 *
 * - "source", a mask that is not 0 where the fill may take its samples from. Without it, samples come
 *   from everywhere outside the hole.
 * - "guide", a mask that is not 0 on lines that are to go on through the hole, painted over the
 *   picture and the hole. An engine that continues no lines does not use it, and the notes say so.
 *   Since version 1.2 of the C interface.
 *
 * The mask has one gray channel (MEND_LAYOUT_GRAY) of u8, u16 or f32, and the size of the image
 * that is filled later. Pixels and struct are copied. No pointer but 'err' may be NULL. No other
 * thread may use the request during the call.
 *
 * MEND_ERR_PARAMETER for an unknown name, MEND_ERR_MASK for a mask that cannot be used,
 * MEND_ERR_MEMORY. The request stays as it was.
 */
mend_status mend_request_set_mask(struct mend_request *request,
                                  const char *name,
                                  const struct mend_image *mask,
                                  struct mend_error **err);

/**
 * Gives the size that the request's parameter "expand" makes of a picture of 'width' × 'height', and
 * where the picture lies in it: its left column and its top row. Without the parameter it is the picture's
 * own size, and 0, 0.
 *
 * "expand" says by how much each side grows: pixels ("64"), or a share of the picture's width (left and
 * right) or height (top and bottom) ("10%"); one for all sides, two for left and right and for top and
 * bottom ("10%,0"), four for left, top, right and bottom ("64,0,64,10%"), or some by name
 * ("left=64,bottom=10%").
 *
 * No pointer but 'err' may be NULL. Any number of threads may use one request at once. Since version 1.3
 * of the C interface.
 *
 * MEND_ERR_ARGUMENT: a size is 0 or over 1048576. MEND_ERR_PARAMETER: the new size is too large. The
 * numbers stay as they were then.
 */
mend_status mend_expanded_size(const struct mend_request *request,
                               uint32_t width,
                               uint32_t height,
                               uint32_t *new_width,
                               uint32_t *new_height,
                               uint32_t *x,
                               uint32_t *y,
                               struct mend_error **err);

/**
 * Frees a request. NULL does nothing. No call may be using it.
 */
void mend_request_free(struct mend_request *request);

/**
 * Makes a flag that is not raised.
 *
 * *out receives it; free it with mend_cancel_free. On failure *out is NULL. 'err' may be NULL. Any
 * thread.
 */
mend_status mend_cancel_new(struct mend_cancel **out, struct mend_error **err);

/**
 * Raises the flag: running and later calls that were given it end with MEND_ERR_CANCELLED; running
 * ones end within about a tenth of a second. Raising it again does nothing.
 *
 * Any thread, at any time between mend_cancel_new and mend_cancel_free. MEND_ERR_NULL for NULL.
 */
mend_status mend_cancel_trigger(const struct mend_cancel *cancel);

/**
 * Asks running and later calls that were given the flag to end soon with what they have, as MEND_OK:
 * engines that work in steps give the picture of the latest one, and where no step was done yet an
 * engine that needs no model fills. The report's notes say so. Other engines take no notice.
 *
 * It cannot be taken back; mend_cancel_trigger still stops everything. Any thread, at any time between
 * mend_cancel_new and mend_cancel_free. MEND_ERR_NULL for NULL. Since version 1.4 of the C interface.
 */
mend_status mend_cancel_finish(const struct mend_cancel *cancel);

/**
 * Frees a flag. NULL does nothing. No call may be using it.
 */
void mend_cancel_free(struct mend_cancel *cancel);

/**
 * Says what mend_inpaint would do, without doing it, as a JSON object in UTF-8: "engine", "reason"
 * (why this engine), "canvas" ({"width", "height", "x", "y"} as from mend_expanded_size, on which the
 * regions lie, or null where the picture keeps its size), "variations" ({"made", "kept"}: how many fills
 * are made and kept), "regions" (an array, in the order they are filled, of {"rect", "hole": {"x", "y",
 * "width", "height"}, "hole_pixels", "scale"}), "stages" (an array of {"name", "bytes",
 * "way"}: what an engine with several parts holds, and how each is done to keep the memory budget),
 * "peak_bytes" (predicted memory), "seconds" (predicted time) and "notes" (an array of strings for the
 * user, such as which parameters the engine will not use). An empty mask has no regions.
 *
 * 'image' and 'mask' are as for mend_inpaint. 'image' may be NULL: the plan is then made from the
 * mask alone, which may not be NULL then. *json receives the string; free it with mend_string_free. On
 * failure *json is NULL. No other pointer but 'err' may be NULL. Any number of threads may use one inpainter and one
 * request at once.
 *
 * Errors as mend_inpaint.
 */
mend_status mend_plan(const struct mend_inpainter *inpainter,
                      const struct mend_request *request,
                      const struct mend_image *image,
                      const struct mend_image *mask,
                      char **json,
                      struct mend_error **err);

/**
 * Fills the pixels of 'src' that 'mask' selects, and writes the picture to 'dst'.
 *
 * 'src': the picture, in any format. Pixels where the mask is full may hold anything (values that
 * are not finite are replaced entirely there, whatever the parameter "feather"); elsewhere near the
 * hole they must be finite.
 *
 * 'mask': one gray channel (MEND_LAYOUT_GRAY) of u8, u16 or f32, with the size of 'src'. 0 keeps the
 * pixel, the largest value (255, 65535, 1.0) replaces it, and a value between replaces it in part.
 * It may be NULL if the parameter "expand" was set, and then selects nothing.
 *
 * If the parameter "expand" makes the picture larger, all that is new is filled together with what the
 * mask selects. 'dst' then has the size that mend_expanded_size gives, and the format of 'src', and is
 * memory that does not overlap 'src' and 'mask': it receives 'src' at its place, with the same bits, and
 * the fill around it. Since version 1.3 of the C interface. Otherwise:
 *
 * 'dst': the size and format of 'src', and either exactly the same memory (same 'data', same
 * 'stride') or memory that does not overlap 'src' and 'mask'. Separate memory receives a copy of
 * every pixel of 'src', and the fill. Every pixel whose mask is 0 (after the parameter "grow" has
 * widened it) has the same bits in 'dst' as in 'src'; bytes between the rows are not touched. If the
 * parameter "result" is "layer", 'dst' receives only the fill, as a layer to put over the picture:
 * its alpha is that of the fill times how much of the pixel is replaced, and every other pixel is
 * zero. On any failure, and when cancelled, 'dst' is not touched at all.
 *
 * An empty mask is not a failure: nothing is filled, and the report says so. The same request on
 * the same picture gives the same bits, on any number of threads. Where the parameters "variations" and
 * "best-of" ask for several fills, 'dst' receives the best of them; mend_inpaint_variations gives more.
 *
 * 'progress' is called with the progress of the fill and with 'user', which may be anything; see
 * mend_progress_fn. 'cancel' stops the fill when it is raised. *report receives a JSON object in
 * UTF-8: "engine" (which ran), "regions" and "pixels" (how many were filled), "seconds", "stages"
 * (an array of {"name", "seconds"}, in the order in which they began), "scores" (an array with the
 * scores of the fills that were made, the best first, if there were several; see
 * mend_variations_score) and "notes" (an array of strings for the user, such as that the mask was
 * empty). Free it with mend_string_free; on failure
 * it is NULL.
 *
 * The library keeps nothing that it was given after the call. 'progress', 'user', 'cancel', 'report'
 * and 'err' may be NULL. Any number of threads may use one inpainter, one request and one cancel at
 * once, each with a 'dst' of its own. Nobody may change 'src' or 'mask', or use 'dst', during the
 * call.
 *
 * MEND_ERR_IMAGE, MEND_ERR_MASK: one of the three cannot be used; the message says which and why.
 * MEND_ERR_MASK also if the hole is the whole image. MEND_ERR_BUDGET: "max-memory" is too small.
 * MEND_ERR_PARAMETER: the engine does not accept a value of the request. MEND_ERR_MEMORY,
 * MEND_ERR_MODEL, MEND_ERR_ENGINE, MEND_ERR_CANCELLED.
 */
mend_status mend_inpaint(const struct mend_inpainter *inpainter,
                         const struct mend_request *request,
                         const struct mend_image *src,
                         const struct mend_image *mask,
                         const struct mend_image *dst,
                         mend_progress_fn progress,
                         void *user,
                         const struct mend_cancel *cancel,
                         char **report,
                         struct mend_error **err);

/**
 * Fills the pixels of 'src' that 'mask' selects several times over, and holds the best fills.
 *
 * The parameter "variations" says how many are held, 1 to 8. If "best-of" is larger, so many are made,
 * and the best of these are held. They are ordered by their score, the best first, and numbered from 0.
 * The fill that is made first, whatever its number, is what mend_inpaint gives where both parameters
 * are 1; the others have other seeds. An engine that leaves nothing to chance makes the same fill
 * each time, which the report says.
 *
 * *out receives them; free it with mend_variations_free. *report receives a JSON object as from
 * mend_inpaint, whose "scores" has one for each fill that was made; free it with mend_string_free. On
 * failure both are NULL. An empty mask is not a failure: each variation is 'src' as it is.
 *
 * The images, 'progress', 'user' and 'cancel' are as for mend_inpaint; nothing is written to 'src'.
 * 'progress', 'user', 'cancel', 'report' and 'err' may be NULL. Any number of threads may use one
 * inpainter, one request and one cancel at once. Nobody may change 'src' or 'mask' during the call.
 * Since version 1.2 of the C interface.
 *
 * Errors as mend_inpaint.
 */
mend_status mend_inpaint_variations(const struct mend_inpainter *inpainter,
                                    const struct mend_request *request,
                                    const struct mend_image *src,
                                    const struct mend_image *mask,
                                    mend_progress_fn progress,
                                    void *user,
                                    const struct mend_cancel *cancel,
                                    struct mend_variations **out,
                                    char **report,
                                    struct mend_error **err);

/**
 * How many variations there are: what the parameter "variations" said. 0 for NULL.
 *
 * Any thread.
 */
size_t mend_variations_count(const struct mend_variations *variations);

/**
 * How well variation 'number' goes with what is around the hole, judged without knowing what was
 * there: from 0 on, and the lower the better. Only scores of one call can be compared. NaN for NULL and
 * for a number that is not below mend_variations_count.
 *
 * Any thread.
 */
double mend_variations_score(const struct mend_variations *variations,
                             size_t number);

/**
 * Writes variation 'number' to 'dst', as mend_inpaint does.
 *
 * 'src' is the picture that was filled. 'dst' has its format and its size, or the size that
 * mend_expanded_size gives if the parameter "expand" made it larger. It is memory that does not overlap
 * 'src' or, if it has the size of 'src', exactly the same memory (same 'data', same 'stride'). Separate
 * memory receives a copy of every pixel of 'src', and the fill; the same memory receives the fill, also where it holds
 * another variation by now. Every pixel whose mask was 0 has the same bits in 'dst' as in 'src'; with the
 * parameter "result" at "layer" it is zero instead. Bytes between the rows are not touched. On any
 * failure 'dst' is not touched at all. Any variation may be taken any number of times.
 *
 * No pointer but 'err' may be NULL. Any number of threads may take from the same variations at once, each
 * with a 'dst' of its own. Nobody may change 'src', or use 'dst', during the call. Since version 1.2 of
 * the C interface.
 *
 * MEND_ERR_ARGUMENT: 'number' is not below mend_variations_count. MEND_ERR_IMAGE: an image cannot be
 * used, or has not the size and format of the picture that was filled.
 */
mend_status mend_variations_take(const struct mend_variations *variations,
                                 size_t number,
                                 const struct mend_image *src,
                                 const struct mend_image *dst,
                                 struct mend_error **err);

/**
 * Frees variations. NULL does nothing. No call may be using them.
 */
void mend_variations_free(struct mend_variations *variations);

/**
 * Lists the models that are in the models folder and those that can be fetched, as a JSON object in
 * UTF-8. Nothing is asked of the network.
 *
 * - "folder": the models folder (the option "models"). "fetch": whether this library can fetch.
 * - "models": an array of objects with "id", "title" (what people call it), "state" ("installed", "known":
 *   can be fetched, "partial": half fetched, "broken": see "error"), "kind", "base", "engine" (which uses
 *   it), "purpose" (what it is for, in a few words for people), "about" (a line for people), "bytes" (all
 *   its files), "here" (how many of them lie in the models folder: what a fetch need not bring, and what
 *   a removal frees), "licence" (null, or "name", "url", "terms": "free", "use-restricted",
 *   "non-commercial" or "unknown", and "accept": whether the user should read and accept it first),
 *   "source" and "files"; installed ones also have "path", others "get" (the command that gets it). Of
 *   broken and half fetched models that are in no catalogue most of these are missing.
 *
 * Later versions may add members. *json receives the string; free it with mend_string_free. On failure
 * *json is NULL. No pointer but 'err' may be NULL. Any number of threads may use one inpainter at once.
 * Since version 1.4 of the C interface.
 *
 * MEND_ERR_IO: the folder cannot be read, or there is no place for one. MEND_ERR_MODEL: the user's own
 * catalogue (the option "catalog") is none.
 */
mend_status mend_models(const struct mend_inpainter *inpainter,
                        char **json,
                        struct mend_error **err);

/**
 * Fetches the model 'id' of mend_models into the models folder, or what is missing or damaged of it: the
 * only function that uses the network. What an earlier call left is gone on from.
 *
 * 'mirror' is an address that replaces the scheme and the host of the model's own; NULL takes the one in
 * the environment variable MEND_MODELS_URL, or else where the model is published. Proxies come from
 * HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. Each file is compared with its published size and
 * SHA-256; where none is known, the first fetch is believed and recorded. Show the model's licence before
 * you call this.
 *
 * 'progress' is called with 'user'; see mend_transfer_fn. 'cancel' stops it when it is raised. Both stop
 * it within half a second, and what came stays. After that, a thread that uses nothing of the caller's may
 * wait for the network for a minute: do not unload the library sooner. *json receives the model's object as
 * in mend_models; free it with mend_string_free. On failure *json is NULL. Fills with the same inpainter
 * see the model from then on.
 *
 * 'mirror', 'progress', 'user', 'cancel', 'json' and 'err' may be NULL. Any number of threads may use one
 * inpainter at once; only one fetches one model. Since version 1.4 of the C interface.
 *
 * MEND_ERR_ARGUMENT: no such model, or an address that is none. MEND_ERR_IO: the network, the server or
 * the disk fails, or another program is at work on this model. MEND_ERR_MODEL: a file is not what was
 * published, or something is in its way. MEND_ERR_CANCELLED. MEND_ERR_UNSUPPORTED: the library was built
 * without the feature "fetch".
 */
mend_status mend_models_fetch(const struct mend_inpainter *inpainter,
                              const char *id,
                              const char *mirror,
                              mend_transfer_fn progress,
                              void *user,
                              const struct mend_cancel *cancel,
                              char **json,
                              struct mend_error **err);

/**
 * Imports a model that is on this machine: a diffusers folder, or a file (.safetensors, PyTorch's archive,
 * .onnx). What it is is told from its tensors, and its files are copied into the models folder.
 *
 * 'path' names it, in UTF-8. 'id' is the name that it gets (1 to 64 lower-case letters, digits, '-', '_'
 * and '.'); NULL makes one from the file's name that no model has yet. 'progress', 'user' and 'cancel' are
 * as for mend_models_fetch. *json receives the model's object as in mend_models; free it with
 * mend_string_free. On failure *json is NULL and nothing is left behind.
 *
 * 'id', 'progress', 'user', 'cancel', 'json' and 'err' may be NULL. Any number of threads may use one
 * inpainter at once. Since version 1.4 of the C interface.
 *
 * MEND_ERR_MODEL: it is no model that Mend can use, or the id is taken. MEND_ERR_ARGUMENT: 'id' is none.
 * MEND_ERR_IO: it cannot be read, or the disk has no room. MEND_ERR_CANCELLED.
 */
mend_status mend_models_import(const struct mend_inpainter *inpainter,
                               const char *path,
                               const char *id,
                               mend_transfer_fn progress,
                               void *user,
                               const struct mend_cancel *cancel,
                               char **json,
                               struct mend_error **err);

/**
 * Removes the model 'id' from the models folder, or what a broken off fetch left of one. Only files that
 * Mend put there are deleted; of a model that was imported in place, none.
 *
 * *json receives a JSON object: "files" and "bytes" that were deleted, and "left", an array of names that
 * are still in its folder. Free it with mend_string_free; on failure it is NULL. A fill that is using the
 * model may fail; call mend_inpainter_trim to let go of what is loaded.
 *
 * 'json' and 'err' may be NULL. Any number of threads may use one inpainter at once. Since version 1.4 of
 * the C interface.
 *
 * MEND_ERR_ARGUMENT: 'id' is none. MEND_ERR_MODEL: it is not installed, or damaged so that nobody knows
 * what belongs to it. MEND_ERR_IO: a file cannot be deleted, or another program is at work on this model.
 */
mend_status mend_models_remove(const struct mend_inpainter *inpainter,
                               const char *id,
                               char **json,
                               struct mend_error **err);

/**
 * Makes a selector with every option at its default.
 *
 * *out receives it; free it with mend_selector_free. On failure *out is NULL. 'err' may be NULL. Any
 * thread. Since version 1.4 of the C interface.
 */
mend_status mend_selector_new(struct mend_selector **out,
                              struct mend_error **err);

/**
 * Sets an option by name, those of mend_inpainter_set: "threads", "max-memory" and "models". If
 * "max-memory" is less than the network needs, the plain selection serves.
 *
 * Both strings are copied. No pointer but 'err' may be NULL. No other thread may use the selector
 * during the call. Since version 1.4 of the C interface.
 *
 * Errors as mend_inpainter_set. The selector stays as it was.
 */
mend_status mend_selector_set(struct mend_selector *selector,
                              const char *name,
                              const char *value,
                              struct mend_error **err);

/**
 * Looks at a picture, so that clicks on it cost some hundredths of a second each.
 *
 * If MobileSAM is in the models folder ('mend models fetch mobile-sam'), its network looks, for about a
 * second; otherwise the selection is a plain one by colour and edges, which finds a distinct object on
 * plain ground. 'image' is a picture in any format; transparent pixels count as black. *out receives what
 * was seen; free it with mend_seen_free. On failure *out is NULL.
 *
 * 'progress', 'user' and 'cancel' are as for mend_inpaint. 'progress', 'user', 'cancel' and 'err' may be
 * NULL. Any number of threads may use one selector at once. Nobody may change 'image' during the call.
 * Since version 1.4 of the C interface.
 *
 * MEND_ERR_IMAGE: the picture cannot be used, or has a pixel that is no number. MEND_ERR_MODEL,
 * MEND_ERR_IO: the model cannot be used. MEND_ERR_MEMORY, MEND_ERR_CANCELLED.
 */
mend_status mend_selector_picture(const struct mend_selector *selector,
                                  const struct mend_image *image,
                                  mend_progress_fn progress,
                                  void *user,
                                  const struct mend_cancel *cancel,
                                  struct mend_seen **out,
                                  struct mend_error **err);

/**
 * Selects the object that clicks and a box mean, and writes its mask to 'dst'.
 *
 * 'clicks' are 'count' places, 0 to 1024; 'area' is a box, or NULL for none. At least one click that is
 * wanted or a box is needed. A single click may mean a thing or a part of it; the network's best guess is
 * taken. 'grow' widens the mask by so many pixels, 0 to 4096; below 0, by 0.4 % of the object's longer
 * side, and 2 pixels at the least.
 *
 * 'dst' is one gray channel of u8 (MEND_LAYOUT_GRAY | MEND_DEPTH_U8) with the size of the picture: it
 * receives 255 where the object is and 0 elsewhere, as mend_inpaint takes it. Bytes between the rows are not
 * touched. On any failure 'dst' is not touched at all. The same clicks give the same mask, on any number
 * of threads.
 *
 * *report receives a JSON object in UTF-8: "way" ("mobile-sam", or "plain" for the selection by colour
 * and edges), "quality" (how well the network takes its mask and the object to agree, about 0 to 1, or
 * null), "pixels" (how many are selected), "rect" ({"x", "y", "width", "height"}, around them), "grow"
 * (pixels by which the mask was grown), "looking" and "seconds" (what mend_selector_picture and this
 * call took) and "notes" (an array of strings for the user, such as that nothing was found, which is
 * no failure). Free it with mend_string_free; on failure it is NULL.
 *
 * 'clicks' may be NULL if 'count' is 0. 'area', 'report' and 'err' may be NULL. Any number of threads may use
 * what was seen at once, each with a 'dst' of its own. Since version 1.4 of the C interface.
 *
 * MEND_ERR_ARGUMENT: nothing says where the object is, a place is not in the picture, the box is turned
 * about, or 'grow' or 'count' is too large. MEND_ERR_MASK: 'dst' cannot be used. MEND_ERR_MODEL,
 * MEND_ERR_MEMORY.
 */
mend_status mend_select(const struct mend_seen *seen,
                        const struct mend_click *clicks,
                        size_t count,
                        const struct mend_box *area,
                        int32_t grow,
                        const struct mend_image *dst,
                        char **report,
                        struct mend_error **err);

/**
 * Frees what was seen of a picture. NULL does nothing. No call may be using it.
 */
void mend_seen_free(struct mend_seen *seen);

/**
 * Frees a selector. NULL does nothing. No call may be using it. Its threads and its network end with
 * the last of what it has seen.
 */
void mend_selector_free(struct mend_selector *selector);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MEND_H */
