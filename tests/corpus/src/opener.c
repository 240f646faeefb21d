/* opener FILE [LIBRARY...]: loads the libraries, then the file with RTLD_NOW, and runs its self
   test if it has one. Exits with 2 if the loader refuses, with 3 if the self test fails. */
#define _GNU_SOURCE
#include "objects.h"
#include <dlfcn.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    for (int place = 2; place < count; place++)
        dlopen(arguments[place], RTLD_LAZY | RTLD_GLOBAL);
    void *file = dlopen(arguments[1], RTLD_NOW);
    if (file == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(2);
    }
    int (*selftest)(void) = (int (*)(void))dlsym(file, "corpus_selftest");
    int wrong = selftest == NULL ? 0 : selftest();
    tell_objects();
    _exit(wrong ? 3 : 0); /* without the destructors of libraries that expect more than this */
}
