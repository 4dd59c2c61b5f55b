/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets: each format gives its items, the selection is kept, bad data are named. */
#include "examples/nmie/data/calibration.h"
#include "examples/nmie/host_tensor.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct preprocess pre; /* bytes as they are */
static struct data_choice choice;
static struct dataset data;
static nm_error err;

static void start(void)
{
    const char *wrong;
    preprocess_init(&pre, "");
    ck_assert_int_eq(preprocess_option(&pre, OPT_SCALE, "1", &wrong), 1);
    choice = (struct data_choice)DATA_CHOICE_INIT;
}

static void opens(const char *path, const char *format)
{
    choice.path = path;
    choice.format = format;
    ck_assert_msg(dataset_open(&choice, &pre, &data, &err) == NM_OK, "%s", err.message);
}

static void expect_refused(const char *path, const char *format, nm_status status,
                           const char *words)
{
    choice.path = path;
    choice.format = format;
    ck_assert_int_eq(dataset_open(&choice, &pre, &data, &err), status);
    ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" lacks \"%s\"", err.message, words);
}

/* One element of one item. */
static float element(int64_t item, size_t at)
{
    float *values = malloc(data.elems * sizeof *values);
    ck_assert_msg(dataset_read(&data, item, 1, values, &err) == NM_OK, "%s", err.message);
    float value = values[at];
    free(values);
    return value;
}

static const char *save_npy(const char *name, nm_type type, int32_t rank, const int64_t *dims)
{
    struct host_tensor h = {.t = {.type = type, .rank = rank}};
    memcpy(h.t.dims, dims, (size_t)rank * sizeof *dims);
    ck_assert_int_eq(host_make(&h, NULL), NM_OK);
    for (size_t i = 0; i < h.t.capacity / nm_type_size(type); i++) {
        if (type == NM_F32) {
            ((float *)h.t.data)[i] = (float)i;
        } else if (type == NM_U8) {
            ((uint8_t *)h.t.data)[i] = (uint8_t)i;
        }
    }
    const char *path = scratch_path(name);
    ck_assert_int_eq(host_save(path, &h.t, NULL), NM_OK);
    host_free(&h);
    return path;
}

/* A picture of one colour, 2 wide and 1 high. */
static void save_ppm(const char *folder, const char *name, int red)
{
    char path[512], bytes[32] = "P6 2 1 255\n";
    size_t n = strlen(bytes);
    memset(bytes + n, red, 6);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(bytes, 1, n + 6, f) == n + 6 && fclose(f) == 0);
}

static const char *make_folder(const char *name)
{
    const char *path = scratch_path(name);
    ck_assert(mkdir(path, 0700) == 0 || access(path, F_OK) == 0);
    return path;
}

/* ---- formats --------------------------------------------------------------------------------- */

START_TEST(cifar_planes_become_pixels_with_their_classes)
{
    static uint8_t file[2 * 3073];
    file[3073] = 7;
    file[3073 + 1 + 33] = 10;        /* R of pixel 33 */
    file[3073 + 1 + 1024 + 33] = 20; /* G */
    file[3073 + 1 + 2048 + 33] = 30; /* B */
    const char *path = scratch_write("c.bin", file, sizeof file);
    opens(path, "cifar10");
    ck_assert(data.count == 2 && data.rank == 3 && data.elems == 3072 && data.dims[0] == 3);
    ck_assert(data.labels && data.labels[0] == 0 && data.labels[1] == 7);
    ck_assert(element(1, 33) == 10 && element(1, 1024 + 33) == 20 && element(1, 2048 + 33) == 30);
    dataset_close(&data);
    choice.labels = "none";
    opens(path, "cifar10");
    ck_assert_ptr_null(data.labels);
    dataset_close(&data);
    choice.labels = NULL;
    choice.class_offset = 1;
    opens(path, "cifar10");
    ck_assert_int_eq(data.labels[1], 8);
    dataset_close(&data);
    expect_refused(scratch_write("cut.bin", file, 6000), "cifar10", NM_EFORMAT, "cut.bin: 6000");
    expect_refused(scratch_write("none.bin", file, 0), "cifar10", NM_EFORMAT, "none.bin: 0 bytes");
}
END_TEST

START_TEST(raw_bytes_by_rows)
{
    static uint8_t file[12] = {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16};
    const char *path = scratch_write("c.u8", file, sizeof file);
    opens(path, "u8-hwc:1x2x3");
    ck_assert(data.count == 2 && data.dims[1] == 1 && data.dims[2] == 2);
    ck_assert_ptr_null(data.labels);
    ck_assert(element(0, 1) == 4 && element(1, 4) == 13); /* planes R, G, B of two pixels */
    dataset_close(&data);
    expect_refused(path, "u8-hwc:5x5x3", NM_EFORMAT, "c.u8: 12 bytes");
    expect_refused(path, "u8-hwc:5x5x1", NM_EINVAL, "u8-hwc:HxWx3");
    expect_refused(path, "u8-chw:3x5x5", NM_EINVAL, "is none of");
    expect_refused(path, NULL, NM_EINVAL, "of which format?");
    expect_refused(scratch_path("nowhere"), "cifar10", NM_EIO, "nowhere");
    expect_refused("/dev/null", "cifar10", NM_EIO, "/dev/null");
    expect_refused(make_folder("a-folder"), "cifar10", NM_EIO, "a-folder");
}
END_TEST

START_TEST(arrays_of_floats_are_taken_as_they_are)
{
    opens(save_npy("f.npy", NM_F32, 3, (int64_t[]){4, 2, 3}), NULL);
    ck_assert(data.count == 4 && data.rank == 2 && data.dims[0] == 2 && data.dims[1] == 3);
    ck_assert(element(3, 5) == 23);
    dataset_close(&data);
    opens(save_npy("u.npy", NM_U8, 4, (int64_t[]){2, 1, 2, 3}), NULL);
    ck_assert(data.count == 2 && data.rank == 3 && data.dims[0] == 3 && data.dims[2] == 2);
    ck_assert(element(1, 1) == 9);
    dataset_close(&data);
    expect_refused(save_npy("d.npy", NM_F64, 2, (int64_t[]){4, 2}), NULL, NM_EINVAL,
                   "d.npy: is float64 [4,2], expected float32");
    expect_refused(save_npy("one.npy", NM_F32, 1, (int64_t[]){4}), NULL, NM_EINVAL, "one.npy");
    expect_refused(save_npy("n.npy", NM_U8, 4, (int64_t[]){4, 3, 2, 2}), NULL, NM_EINVAL, "n.npy");
    expect_refused(save_npy("e.npy", NM_F32, 2, (int64_t[]){0, 2}), NULL, NM_EINVAL, "is empty");
    const char *path = save_npy("t.npy", NM_F32, 3, (int64_t[]){4, 2, 3});
    ck_assert_int_eq(truncate(path, 128 + 50), 0);
    expect_refused(path, NULL, NM_EFORMAT, "t.npy: has 50 bytes");
    ck_assert_int_eq(truncate(path, 20), 0);
    expect_refused(path, NULL, NM_EFORMAT, "t.npy: is not a whole .npy file");
    ck_assert_int_eq(truncate(path, 0), 0);
    expect_refused(path, NULL, NM_EFORMAT, "t.npy");
}
END_TEST

START_TEST(a_number_that_is_none_is_refused_with_its_place)
{
    static const float odd[] = {NAN, INFINITY};
    for (int i = 0; i < 2; i++) {
        const char *path = save_npy("nan.npy", NM_F32, 2, (int64_t[]){3, 4});
        FILE *f = fopen(path, "r+b");
        ck_assert(f && fseek(f, 128 + 4 * 9, SEEK_SET) == 0);
        ck_assert(fwrite(&odd[i], 4, 1, f) == 1 && fclose(f) == 0);
        float item[4];
        opens(path, NULL);
        ck_assert_int_eq(dataset_read(&data, 1, 1, item, &err), NM_OK);
        ck_assert_int_eq(dataset_read(&data, 2, 1, item, &err), NM_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.message, "nan.npy: item 2 has a"));
        ck_assert_ptr_nonnull(strstr(err.message, "at element 1"));
        char sum[SHA256_TEXT];
        ck_assert_int_eq(calibration_hash(&data, sum, &err), NM_EINVAL);
        dataset_close(&data);
    }
}
END_TEST

START_TEST(a_file_that_shrinks_is_named)
{
    float item[6];
    const char *path = save_npy("s.npy", NM_F32, 3, (int64_t[]){4, 2, 3});
    opens(path, NULL);
    ck_assert_int_eq(truncate(path, 128 + 30), 0);
    ck_assert_int_eq(dataset_read(&data, 1, 1, item, &err), NM_EIO);
    ck_assert_ptr_nonnull(strstr(err.message, "s.npy: has become shorter"));
    dataset_close(&data);
}
END_TEST

/* ---- folders --------------------------------------------------------------------------------- */

START_TEST(pictures_of_a_folder_come_in_the_order_of_names)
{
    const char *folder = make_folder("pictures");
    save_ppm(folder, "b.ppm", 2);
    save_ppm(folder, "a.PPM", 1);
    save_ppm(folder, "c.ppm", 3);
    save_ppm(folder, ".hidden.ppm", 9);
    save_ppm(folder, "notes.txt", 9);
    opens(folder, NULL);
    ck_assert(data.count == 3 && data.dims[0] == 3 && data.dims[1] == 1 && data.dims[2] == 2);
    ck_assert_ptr_null(data.labels);
    ck_assert(element(0, 0) == 1 && element(1, 0) == 2 && element(2, 5) == 3);
    dataset_close(&data);
    choice.labels = scratch_write("classes", "5\n6\n7\n", 6);
    choice.skip = 1;
    opens(folder, "images");
    ck_assert(data.count == 2 && data.labels[0] == 6 && data.labels[1] == 7);
    dataset_close(&data);
    choice.labels = scratch_write("few", "5\n6\n", 4);
    expect_refused(folder, NULL, NM_EINVAL, "few: 2 classes for item 2");
    expect_refused(make_folder("nothing"), NULL, NM_EINVAL, "nothing: holds no .png");
    expect_refused(scratch_path("no-folder"), "images", NM_EIO, "no-folder");
}
END_TEST

START_TEST(folders_of_a_folder_are_classes)
{
    char inner[512];
    const char *folder = make_folder("by-class");
    static const char *const names[] = {"zebra", "ant", "cat"};
    save_ppm(folder, "README.md", 0);
    for (int i = 0; i < 3; i++) {
        snprintf(inner, sizeof inner, "by-class/%s", names[i]);
        save_ppm(make_folder(inner), "1.ppm", 10 * i);
        save_ppm(scratch_path(inner), "2.ppm", 10 * i + 1);
    }
    opens(folder, NULL);
    ck_assert_int_eq(data.count, 6);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(data.labels[i], i / 2);
    }
    ck_assert(element(0, 0) == 10 && element(5, 0) == 1);
    dataset_close(&data);
}
END_TEST

START_TEST(a_picture_that_is_none_or_of_another_size_is_named)
{
    float item[6];
    const char *folder = make_folder("mixed");
    save_ppm(folder, "a.ppm", 1);
    scratch_write("mixed/b.jpg", "not a picture", 13);
    scratch_write("mixed/c.ppm", "P6 1 1 255\nabc", 14);
    opens(folder, NULL);
    ck_assert_int_eq(dataset_read(&data, 1, 1, item, &err), NM_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "mixed/b.jpg: "));
    ck_assert_int_eq(dataset_read(&data, 2, 1, item, &err), NM_ESHAPE);
    ck_assert_ptr_nonnull(strstr(err.message, "mixed/c.ppm: is 1 x 1 after preprocessing, the "
                                              "first picture is 2 x 1"));
    dataset_close(&data);
    choice.skip = 1;
    expect_refused(folder, NULL, NM_EFORMAT, "mixed/b.jpg: ");
    const char *wrong;
    choice.skip = 0;
    preprocess_option(&pre, OPT_PRE, "crop:4", &wrong);
    expect_refused(folder, NULL, NM_EINVAL, "mixed/a.ppm: crop:4");
}
END_TEST

/* ---- selection, the library's view, the hash ------------------------------------------------- */

START_TEST(skip_every_and_count_choose_items)
{
    const char *path = save_npy("ten.npy", NM_F32, 2, (int64_t[]){10, 1});
    static const struct {
        int64_t skip, every, count, n;
        float first, last;
    } cases[] = {{0, 1, INT64_MAX, 10, 0, 9}, {0, 2, INT64_MAX, 5, 0, 8}, {1, 2, INT64_MAX, 5, 1, 9},
                 {4, 5, INT64_MAX, 2, 4, 9},  {0, 3, 2, 2, 0, 3},         {9, 7, 7, 1, 9, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        choice.skip = cases[i].skip;
        choice.every = cases[i].every;
        choice.count = cases[i].count;
        opens(path, NULL);
        ck_assert_int_eq(data.count, cases[i].n);
        ck_assert(element(0, 0) == cases[i].first && element(data.count - 1, 0) == cases[i].last);
        ck_assert(dataset_place(&data, data.count - 1) == (int64_t)cases[i].last);
        dataset_close(&data);
    }
    choice.skip = 10;
    expect_refused(path, NULL, NM_EINVAL, "ten.npy: holds 10 items, none is left");
}
END_TEST

START_TEST(the_library_reads_what_was_chosen)
{
    float items[4];
    choice.every = 2;
    choice.labels = scratch_write("four", "0\n1\n2\n3\n", 8);
    opens(save_npy("four.npy", NM_F32, 2, (int64_t[]){4, 2}), NULL);
    const nm_data d = calibration_data(&data);
    ck_assert(d.struct_size == sizeof d && d.items == 2 && d.rank == 1 && d.dims[0] == 2);
    ck_assert_int_eq(d.labels[1], 2);
    ck_assert_int_eq(d.read(d.user, 0, 2, items, &err), NM_OK);
    ck_assert(items[0] == 0 && items[1] == 1 && items[2] == 4 && items[3] == 5);
    dataset_close(&data);
}
END_TEST

START_TEST(sha256_of_known_texts)
{
    static const struct {
        const char *text;
        int times;
        const char *sum;
    } cases[] = {
        {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sha256 s;
        char sum[SHA256_TEXT];
        sha256_start(&s);
        for (int k = 0; k < cases[i].times; k++) {
            sha256_add(&s, cases[i].text, strlen(cases[i].text));
        }
        sha256_end(&s, sum);
        ck_assert_str_eq(sum, cases[i].sum);
    }
}
END_TEST

START_TEST(the_hash_is_of_the_items_chosen)
{
    char sum[SHA256_TEXT], all[SHA256_TEXT];
    static const float chosen[] = {1, 3}; /* as hashlib.sha256 gives it for these 8 bytes */
    struct sha256 s;
    opens(save_npy("h.npy", NM_F32, 2, (int64_t[]){4, 1}), NULL);
    ck_assert_int_eq(calibration_hash(&data, all, &err), NM_OK);
    dataset_close(&data);
    choice.skip = 1;
    choice.every = 2;
    opens(scratch_path("h.npy"), NULL);
    ck_assert_int_eq(calibration_hash(&data, sum, &err), NM_OK);
    dataset_close(&data);
    ck_assert_str_ne(sum, all);
    sha256_start(&s);
    sha256_add(&s, chosen, sizeof chosen);
    sha256_end(&s, all);
    ck_assert_str_eq(sum, all);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dataset");
    TCase *t = tcase_create("dataset");
    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_test(t, cifar_planes_become_pixels_with_their_classes);
    tcase_add_test(t, raw_bytes_by_rows);
    tcase_add_test(t, arrays_of_floats_are_taken_as_they_are);
    tcase_add_test(t, a_number_that_is_none_is_refused_with_its_place);
    tcase_add_test(t, a_file_that_shrinks_is_named);
    tcase_add_test(t, pictures_of_a_folder_come_in_the_order_of_names);
    tcase_add_test(t, folders_of_a_folder_are_classes);
    tcase_add_test(t, a_picture_that_is_none_or_of_another_size_is_named);
    tcase_add_test(t, skip_every_and_count_choose_items);
    tcase_add_test(t, the_library_reads_what_was_chosen);
    tcase_add_test(t, sha256_of_known_texts);
    tcase_add_test(t, the_hash_is_of_the_items_chosen);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
