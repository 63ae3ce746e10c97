/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For guests: a read or write whose memory never comes: the page fault sleeps
 * until the process is killed.
 *
 *     stall FILE read|write
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE 65536

static void *memory_that_never_comes(void)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    range.range.start = (unsigned long)memory;
    range.range.len = SIZE;
    if (fd < 0 || memory == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) ||
        ioctl(fd, UFFDIO_REGISTER, &range)) {
        return NULL;
    }
    return memory;
}

int main(int argc, char **argv)
{
    void *memory = memory_that_never_comes();
    int fd = argc == 3 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;
    ssize_t done;

    if (!memory || fd < 0) {
        perror("stall");
        return 2;
    }
    done = strcmp(argv[2], "read") ? pwrite(fd, memory, SIZE, 0) :
           pread(fd, memory, SIZE, 0);
    /* Nobody has come here yet. */
    printf("%zd\n", done);
    return 1;
}
