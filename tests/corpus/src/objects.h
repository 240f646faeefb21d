/* Says which objects are in the process: a line each, the name that the loader has for it. */
#include <link.h>
#include <stdio.h>

static int tell_object(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size, (void)data;
    printf("object %s\n", info->dlpi_name);
    return info->dlpi_phdr == NULL;
}

static void tell_objects(void)
{
    dl_iterate_phdr(tell_object, NULL);
    fflush(stdout);
}
