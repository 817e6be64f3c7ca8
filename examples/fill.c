/*
 * Fills a region of a picture.
 *
 *     cc fill.c -o fill $(pkg-config --cflags --libs mend)
 *     ./fill photo.ppm mask.pgm filled.ppm
 *
 * The picture is a binary PPM (P6), the mask a binary PGM (P5) of the same size: white is filled,
 * black is kept, gray is between. Any program that handles pictures writes both.
 */
#include <mend.h>

#include <stdio.h>
#include <stdlib.h>

/* Reads a binary PPM or PGM of 8 bits into memory of its own. Returns 0 if it cannot. */
static int read_picture(const char *path, char kind, mend_image *image)
{
    const uint32_t channels = kind == '6' ? 3 : 1;
    unsigned width, height, largest;
    FILE *file = fopen(path, "rb");
    int right = 0;
    if (!file) {
        perror(path);
        return 0;
    }
    if (fgetc(file) == 'P' && fgetc(file) == kind &&
        fscanf(file, " %u %u %u", &width, &height, &largest) == 3 && fgetc(file) != EOF &&
        width > 0 && height > 0 && width <= 65535 && height <= 65535 && largest == 255) {
        image->width = width;
        image->height = height;
        image->stride = (size_t)width * channels;
        image->length = image->stride * height;
        image->format = (kind == '6' ? MEND_LAYOUT_RGB : MEND_LAYOUT_GRAY) | MEND_DEPTH_U8;
        image->data = malloc(image->length);
        right = image->data && fread(image->data, 1, image->length, file) == image->length;
    }
    if (!right)
        fprintf(stderr, "%s: not a whole binary %s of 8 bits\n", path, kind == '6' ? "PPM" : "PGM");
    fclose(file);
    return right;
}

static int write_picture(const char *path, const mend_image *image)
{
    FILE *file = fopen(path, "wb");
    int right = file &&
                fprintf(file, "P6\n%u %u\n255\n", (unsigned)image->width, (unsigned)image->height) > 0 &&
                fwrite(image->data, 1, image->length, file) == image->length;
    if (file && fclose(file) != 0)
        right = 0;
    if (!right)
        perror(path);
    return right;
}

/* Called a few times a second; 1 means go on. */
static int32_t show(const mend_progress *progress, void *user)
{
    (void)user;
    fprintf(stderr, "\r%s %u %%  ", progress->stage, (unsigned)(progress->step * 100 / progress->steps));
    return 1;
}

int main(int argc, char **argv)
{
    mend_image picture = {0}, mask = {0};
    mend_inpainter *inpainter = NULL;
    mend_request *request = NULL;
    mend_error *err = NULL;
    char *report = NULL;
    int done = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: %s PICTURE.ppm MASK.pgm FILLED.ppm\n", argv[0]);
        return 2;
    }
    if (read_picture(argv[1], '6', &picture) && read_picture(argv[2], '5', &mask)) {
        /* The picture is also the destination: it is filled in place. */
        if (mend_inpainter_new(&inpainter, &err) == MEND_OK &&
            mend_request_new(&request, &err) == MEND_OK &&
            mend_request_set(request, "seed", "1", &err) == MEND_OK &&
            mend_inpaint(inpainter, request, &picture, &mask, &picture, show, NULL, NULL, &report,
                         &err) == MEND_OK) {
            fprintf(stderr, "\n");
            printf("%s\n", report);
            done = write_picture(argv[3], &picture);
        } else {
            fprintf(stderr, "%s: %s\n", argv[0], mend_error_message(err));
        }
    }
    mend_string_free(report);
    mend_error_free(err);
    mend_request_free(request);
    mend_inpainter_free(inpainter);
    free(picture.data);
    free(mask.data);
    return done ? 0 : 1;
}
