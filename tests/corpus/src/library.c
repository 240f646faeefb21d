/* A library with something of everything that an editor of its tables could break. It is built in
   many ways; corpus_selftest() says whether all of it still works in the process it is loaded to. */
#define _GNU_SOURCE
#ifdef BARE
int corpus_selftest(void) { return 0; }
#else
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef ALIGNED
#define ALIGNED 16
#endif

int corpus_data = 7;
int corpus_bss[1024];
const char corpus_constant[] = "a constant that must stay where the code looks for it";
static const char *const relocated[] = {"one", "two", "three", corpus_constant};
static int *const addresses[] = {&corpus_data, &corpus_bss[1], &corpus_bss[1023]};
static int constructed;
static char aligned_data[64] __attribute__((aligned(ALIGNED))) = "aligned";

#ifdef WITH_TLS
__thread int corpus_tls = 41;
static __thread char tls_block[96] __attribute__((aligned(64))) = "thread";
static __thread int tls_zero[32];
#endif

__attribute__((constructor)) static void construct(void) { constructed = 1; }

__attribute__((noinline)) int corpus_called(int value) { return value * 3 + corpus_data; }
static int (*const callbacks[])(int) = {corpus_called, abs};

#ifdef WITH_IFUNC
static int chosen(int value) { return value + 100; }
static int (*choose(void))(int) { return chosen; }
int corpus_ifunc(int value) __attribute__((ifunc("choose")));
#endif

#ifdef WITH_VERSIONS
int corpus_first_version(int value) { return value + 1; }
int corpus_second_version(int value) { return value + 2; }
__asm__(".symver corpus_first_version,corpus_versioned@CORPUS_1");
__asm__(".symver corpus_second_version,corpus_versioned@@CORPUS_2");
#endif

static int wrong_data(void)
{
    char *heap = malloc(32);
    int wrong = heap == NULL || strcmp(strcpy(heap, relocated[1]), "two") != 0;
    free(heap);
    wrong |= strlen(corpus_constant) != 53 || strcmp(relocated[3], corpus_constant) != 0;
    wrong |= *addresses[0] != 7 || addresses[2] - addresses[1] != 1022;
    for (size_t place = 0; place < 1024; place++)
        wrong |= corpus_bss[place] != 0;
    return wrong | (strcmp(aligned_data, "aligned") != 0);
}

int corpus_selftest(void)
{
    int wrong = !constructed;
    wrong |= wrong_data() << 1;
    wrong |= ((uintptr_t)aligned_data % ALIGNED != 0) << 2;
    wrong |= (callbacks[0](2) != 13 || callbacks[1](-4) != 4) << 3;
#ifdef WITH_TLS
    wrong |= (corpus_tls != 41 || strcmp(tls_block, "thread") != 0 || tls_zero[31] != 0) << 4;
    wrong |= ((uintptr_t)tls_block % 64 != 0) << 5;
#endif
#ifdef WITH_IFUNC
    wrong |= (corpus_ifunc(1) != 101) << 6;
#endif
    return wrong;
}

#ifdef PROGRAM
#include "objects.h"

int main(void)
{
    int wrong = corpus_selftest();
    tell_objects();
    return wrong ? 3 : 0;
}
#endif
#endif
