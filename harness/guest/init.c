// SPDX-License-Identifier: GPL-2.0
/*
 * /init of the demonstration's guest: show the kernel's log, which began
 * before there was a console, load the module, power off.  What there is to
 * see is what the kernel, with the module, writes on its console.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYSLOG_ACTION_READ_ALL	3

static void show_kernel_log(void)
{
	static char log[1 << 18];
	int len = klogctl(SYSLOG_ACTION_READ_ALL, log, sizeof(log) - 1);
	char *line;

	for (line = len > 0 ? strtok(log, "\n") : NULL; line; line = strtok(NULL, "\n")) {
		char *text = strchr(line, '>');		/* behind the level */

		printf("%s\n", text ? text + 1 : line);
	}
	fflush(stdout);
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		printf("init: cannot load %s: %s\n", path, strerror(errno));
	fflush(stdout);
}

int main(void)
{
	/* No initial console: nobody but root could put its node into the archive */
	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	freopen("/dev/console", "w", stdout);

	show_kernel_log();
	load_module("/sdei_demo.ko");
	reboot(RB_POWER_OFF);
	pause();
	return 1;
}
