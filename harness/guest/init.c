// SPDX-License-Identifier: GPL-2.0
/*
 * /init of the demonstration's guest: load the module, power off.
 * The module prints what there is to see, the kernel's log is the console.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		printf("init: cannot load %s: %s\n", path, strerror(errno));
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	load("/sdei_demo.ko");
	reboot(RB_POWER_OFF);
	pause();
	return 1;
}
