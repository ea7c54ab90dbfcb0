/* Cuts the power of the ext4 file system that the first argument lies on: from now on it takes nothing, and what it had
 * not yet written is gone, the end of its own journal too. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* For tests of power cuts, and not in the headers for programs: fs/ext4/ext4.h. */
#define IOC_SHUTDOWN 0x8004587dUL
#define GOING_FLAGS_NOLOGFLUSH 2

int main(int count, char **arguments)
{
    int directory = count == 2 ? open(arguments[1], O_RDONLY | O_DIRECTORY) : -1;
    uint32_t flags = GOING_FLAGS_NOLOGFLUSH;
    if (directory < 0 || ioctl(directory, IOC_SHUTDOWN, &flags) != 0) {
        perror(count == 2 ? arguments[1] : "usage: cut DIRECTORY");
        return 1;
    }
    return 0;
}
