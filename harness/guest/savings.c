// SPDX-License-Identifier: GPL-2.0
/*
 * /init of the guest of 'make savings': what an NMI costs a kernel that never
 * needs one, and what it costs when it does.
 *
 * The counter counts instructions (harness/boot --icount). For each workload,
 * the median of many single times, so that no tick of a clock has a part in it;
 * all of it on vCPU 0, the others are idle. Then sysrq-l, with the others
 * idle, and with "savings.wedged" on the command line once more with all others
 * in LKDTM's HARDLOCKUP: a loop with interrupts masked. The kernel's clock is the same
 * counter, so its own log says what was when, to 1000 instructions. That there
 * is no console while that is measured is up to the command line.
 *
 * Prints "figure INSTRUCTIONS NAME" for each workload, then "log " and a line
 * for each of the kernel's log, then "end". It never ends by itself: a kernel
 * that waits for wedged CPUs to stop takes its time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMES			1001
#define BACKTRACES		5
#define PAGE			4096
#define VCPUS			8
#define SYSLOG_READ_ALL		3
#define SYSRQ			"/proc/sysrq-trigger"
#define LKDTM			"/sys/kernel/debug/provoke-crash/DIRECT"

static FILE *out;

static void die(const char *what)
{
	fprintf(out, "cannot: %s: %s\nend\n", what, strerror(errno));
	fflush(out);
	for (;;)
		pause();
}

static inline unsigned long now(void)
{
	unsigned long t;

	asm volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r" (t) :: "memory");
	return t;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/*
 * The workloads
 */

static void nothing(void)
{
}

static void null_call(void)
{
	register long nr asm("x8") = SYS_getppid;
	register long ret asm("x0");

	asm volatile("svc #0" : "=r" (ret) : "r" (nr) : "memory");
}

static void handler(int sig)
{
	(void)sig;
}

static pid_t self;

static void send_signal(void)
{
	kill(self, SIGUSR1);
}

static volatile char *page;

static void touch_page(void)
{
	*page = 1;
	page += PAGE;
}

static int there[2], back[2];

static void round_trip(void)
{
	char c = 0;

	if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
		die("pipe");
}

static void echo(void)
{
	char c;

	while (read(there[0], &c, 1) == 1)
		if (write(back[1], &c, 1) != 1)
			break;
	_exit(0);
}

static int by_size(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

static unsigned long median(void (*work)(void))
{
	static unsigned long ticks[TIMES];

	for (int i = 0; i < TIMES; i++) {
		unsigned long start = now();

		work();
		ticks[i] = now() - start;
	}
	qsort(ticks, TIMES, sizeof(ticks[0]), by_size);
	return ticks[TIMES / 2];
}

static void measure(const char *name, void (*work)(void))
{
	fprintf(out, "figure %lu %s\n", median(work) - median(nothing), name);
}

static void measure_all(void)
{
	pid_t pid;

	measure("getppid()", null_call);

	self = getpid();
	signal(SIGUSR1, handler);
	measure("a signal to itself, handled", send_signal);

	page = mmap(NULL, TIMES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		die("mmap");
	measure("a page fault, for a page of zeroes", touch_page);
	munmap((char *)page - TIMES * PAGE, TIMES * PAGE);

	if (pipe(there) || pipe(back))
		die("pipe");
	pid = fork();
	if (!pid)
		echo();
	measure("a byte by pipe to another process, and back", round_trip);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/*
 * The backtraces
 */

static void settle(void)
{
	struct timespec t = { .tv_nsec = 2000000 };

	nanosleep(&t, NULL);
}

static void backtraces(const char *how)
{
	char mark[64];

	snprintf(mark, sizeof(mark), "savings: %s\n", how);
	for (int i = 0; i < BACKTRACES; i++) {
		settle();
		write_file("/dev/kmsg", mark);
		write_file(SYSRQ, "l");
		write_file("/dev/kmsg", "savings: done\n");
	}
}

static char *kernel_log(void)
{
	static char log[1 << 22];
	int len = klogctl(SYSLOG_READ_ALL, log, sizeof(log) - 1);

	log[len > 0 ? len : 0] = '\0';
	return log;
}

/* That they are stuck is seen in the backtraces. */
static void wedge(void)
{
	char *log = kernel_log();

	errno = ENODEV;
	if (!strstr(log, "Pseudo-NMIs enabled") && !strstr(log, "SDEI cross-CPU NMI"))
		die("NMI");
	for (int cpu = 1; cpu < VCPUS; cpu++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			pin(cpu);
			write_file(LKDTM, "HARDLOCKUP");
			_exit(1);
		}
		settle();
	}
}

static int is_asked_for(const char *word)
{
	char line[1024] = "";
	FILE *f = fopen("/proc/cmdline", "r");

	if (!f || !fgets(line, sizeof(line), f))
		die("/proc/cmdline");
	fclose(f);
	return !!strstr(line, word);
}

static void show_kernel_log(void)
{
	for (char *line = strtok(kernel_log(), "\n"); line; line = strtok(NULL, "\n"))
		fprintf(out, "log %s\n", line);
}

int main(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	out = fopen("/dev/hvc0", "w");
	if (!out)
		return 1;

	pin(0);
	measure_all();
	fflush(out);
	backtraces("idle");
	if (is_asked_for(" savings.wedged")) {
		wedge();
		backtraces("wedged");
	}
	show_kernel_log();
	fprintf(out, "end\n");
	fflush(out);
	for (;;)
		pause();
}
