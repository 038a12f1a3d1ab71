// SPDX-License-Identifier: GPL-2.0
/*
 * /init of the emulated host (and of nothing else).
 *
 * Mounts what the tests need, makes sure from the kernel's own log that KVM
 * runs in the mode that was asked for, works through /job, and reports over
 * a virtio-serial port named "verdict", never over the console: what a
 * kernel or a test prints cannot be mistaken for a verdict, because every
 * line that a test prints is forwarded behind "| ".
 *
 * /job, one directive a line:
 *	mode vhe|nvhe|protected|any	the KVM mode that is expected
 *	keep vm|perf...			from here on, there is a VM, a perf event
 *					of a task (see keep_a_vm())
 *	test NAME SECONDS PROGRAM [ARGUMENT]...
 *	run NAME SECONDS COMMAND LINE	the same through the shell, shown on the
 *					console as well
 *	slow PERCENT PATIENCE		the seconds below are of an idle machine, times
 *					PATIENCE; this one takes PERCENT of its time now.
 *					Programs see that in SDEI_SLOW and SDEI_PATIENCE
 *	path off|flip			no SDEI call takes KVM's fast path from here
 *					on; now it does, now it does not
 *	shell				a prompt on the console
 *	collect PROGRAM			what it prints goes to the port "files"
 *
 * The verdict port gets
 *	mode WANTED ok | mode WANTED bad: WHY
 *	begin NAME
 *	| a line that the test printed
 *	took NAME SECONDS
 *	end NAME exit N | end NAME signal N | end NAME timeout IN WORDS
 *	slow PERCENT			how slow the machine is, for all that is known
 *	lost NAME SECONDS		which do not count: so much slower was it
 *	done
 *
 * "init slowness", run by a program, prints how slow the machine is at that moment,
 * in percent of what is usual.
 *
 * Where the kernel looks for leaks, the last program is "kmemleak", and its
 * output what has leaked.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MAX_ARGS	64
#define SYSLOG_READ_ALL	3
#define MAX_CPUS	8

static int verdict = -1;

static void put(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
}

static void report(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	put(verdict, line, n);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	put(fd, text, strlen(text));
	close(fd);
}

/* Into the kernel's log, so that a splat on the console has a name above it */
static void mark(const char *what, const char *name)
{
	char line[256];

	snprintf(line, sizeof(line), "<6>init: %s %s\n", what, name);
	write_file("/dev/kmsg", line);
}

static void power_off(void)
{
	sync();
	/* The port is drained by the kernel before the machine goes away. */
	if (verdict >= 0)
		close(verdict);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void give_up(const char *why)
{
	if (verdict >= 0)
		report("broken %s", why);
	fprintf(stderr, "init: %s: %s\n", why, strerror(errno));
	power_off();
}

static void mount_all(void)
{
	static const struct {
		const char *type, *where, *options;
	} fs[] = {
		{ "devtmpfs", "/dev", "" },
		{ "proc", "/proc", "" },
		{ "sysfs", "/sys", "" },
		{ "tmpfs", "/tmp", "" },
		{ "tmpfs", "/run", "" },
		{ "tmpfs", "/dev/shm", "" },
		{ "devpts", "/dev/pts", "" },
		{ "hugetlbfs", "/dev/hugepages", "" },
		{ "debugfs", "/sys/kernel/debug", "" },
		{ "tracefs", "/sys/kernel/tracing", "" },
		{ "cgroup2", "/sys/fs/cgroup", "" },
	};
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	for (size_t i = 0; i < sizeof(fs) / sizeof(fs[0]); i++) {
		mkdir(fs[i].where, 0755);
		/* Some are not configured; a test that needs one says so. */
		mount(fs[i].type, fs[i].where, fs[i].type, 0, fs[i].options);
	}
	symlink("/proc/self/fd", "/dev/fd");
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	write_file("/proc/sys/vm/nr_hugepages", "32");
	write_file("/proc/sys/vm/unprivileged_userfaultfd", "1");
	write_file("/proc/sys/kernel/printk", "7 4 1 7");
}

static int open_port(const char *wanted)
{
	struct dirent *d;
	DIR *dir = opendir("/sys/class/virtio-ports");
	int port = -1;

	while (dir && (d = readdir(dir))) {
		char path[512], name[64] = "";
		int fd, n;

		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
			 d->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		n = read(fd, name, sizeof(name) - 1);
		close(fd);
		name[strcspn(name, "\n")] = '\0';
		if (n <= 0 || strcmp(name, wanted))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", d->d_name);
		port = open(path, O_WRONLY | O_CLOEXEC);
		break;
	}
	if (dir)
		closedir(dir);
	return port;
}

/* What KVM says of itself in the kernel's log (arch/arm64/kvm/arm.c) */
static void check_mode(const char *want)
{
	static char log[1 << 18];
	const char *seen;
	int n = klogctl(SYSLOG_READ_ALL, log, sizeof(log) - 1);

	log[n > 0 ? n : 0] = '\0';
	if (strstr(log, "Protected nVHE mode initialized successfully") ||
	    strstr(log, "Protected hVHE mode initialized successfully"))
		seen = "protected";
	else if (strstr(log, "Hyp nVHE mode initialized successfully") ||
		 strstr(log, "Hyp mode initialized successfully"))
		seen = "nvhe";
	else if (strstr(log, "]: VHE mode initialized successfully"))
		seen = "vhe";
	else
		seen = "no KVM";

	if (!strcmp(want, "any") || !strcmp(want, seen)) {
		report("mode %s ok", want);
		return;
	}
	report("mode %s bad: the host's log says %s", want, seen);
	fprintf(stderr, "init: KVM mode %s wanted, %s seen\n", want, seen);
	power_off();
}

/* Cut the next word off *@rest. */
static char *word(char **rest)
{
	char *w;

	while (isspace((unsigned char)**rest))
		(*rest)++;
	w = *rest;
	while (**rest && !isspace((unsigned char)**rest))
		(*rest)++;
	if (**rest)
		*(*rest)++ = '\0';
	return w;
}

/* All CPUs but the first */
static void other_cpus(const char *online)
{
	for (int cpu = 1; cpu < MAX_CPUS; cpu++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online",
			 cpu);
		write_file(path, online);
	}
}

/*
 * Keep a VM, which does nothing, and a perf event of a task, which counts nothing.
 * The kernel patches its own scheduler whenever there is a first one or none any
 * more (preempt_notifier_key, perf_sched_events). QEMU before 8.1 has a race there:
 * a CPU that translates the patched code at that moment may keep the old one. Then
 * it runs a vCPU that is not loaded, which ends in an endless loop at EL2, or in a
 * warning; or, as it seems, the perf events of a task stay on the CPU that it has left,
 * of which ctx_sched_in() or what that calls warns. A vCPU whose guest has a PMU is such
 * a task. So there always is one of each, and while they are created, there is no other
 * CPU: harness/boot has the first one start alone. (On a machine that is very slow, the
 * kernel complains of CPUs that go.) In protected mode, CPUs that have not started then
 * never do, and are taken away here.
 */
static void keep_a_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	/* Tests say so themselves where there is no KVM. */
	if (kvm >= 0 && ioctl(kvm, KVM_CREATE_VM, 0) < 0)
		give_up("KVM_CREATE_VM");
}

static void keep_a_perf_event(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
	};

	/* ENOSYS: a kernel without perf events */
	if (syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		    PERF_FLAG_FD_CLOEXEC) < 0 && errno != ENOSYS)
		give_up("perf_event_open");
}

static void keep(char *what)
{
	other_cpus("0");
	for (char *w; *(w = word(&what)); ) {
		if (!strcmp(w, "vm")) {
			keep_a_vm();
		} else if (!strcmp(w, "perf")) {
			keep_a_perf_event();
		} else {
			errno = EINVAL;
			give_up(w);
		}
	}
	other_cpus("1");
}

#define HVC_EVENT	"/sys/kernel/tracing/events/kvm/kvm_hvc_arm64/"
/* Long enough for kernels on which turning it on or off takes 0.1 s */
#define FLIP_USEC	500000

/*
 * While a tracepoint is on that is to show every hypercall, KVM has every
 * hypercall take the run loop. The filter leaves nothing to be recorded.
 */
static void choose_path(const char *path)
{
	if (access(HVC_EVENT "enable", W_OK))
		give_up(HVC_EVENT);
	write_file(HVC_EVENT "filter", "imm > 0xffff");
	write_file(HVC_EVENT "enable", "1");
	if (strcmp(path, "flip") || fork())
		return;

	for (;;) {
		usleep(FLIP_USEC);
		write_file(HVC_EVENT "enable", "0");
		usleep(FLIP_USEC);
		write_file(HVC_EVENT "enable", "1");
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/*
 * How slow is this machine? A piece of work tells, which takes WORK_SECONDS on an idle
 * one.
 */
#define WORK_SECONDS	0.4
#define WORK_TURNS	200000000

static double slowness = 1;	/* when the job began */
static double patience = 1;	/* what the user adds, as a factor */
static double work_seconds;	/* 0: nobody has asked */

static double work(void)
{
	double start = now();

	for (unsigned int i = 0; i < WORK_TURNS; i++)
		asm volatile("");
	return now() - start;
}

static double slowness_now(void)
{
	double times = work_seconds ? work() / work_seconds : 1;

	return times < 1 ? 1 : times;
}

/*
 * When a program's seconds are over, they are looked at again: each counts as much
 * less as the machine was slower. Then it has the rest of them, and so on.
 */
#define SECONDS_BETWEEN_LOOKS	5

struct patience {
	double start, counted;		/* up to here */
	double spent;			/* so much of what there is */
	double slowness;		/* at that moment */
};

static int is_over(struct patience *p, const char *name, double seconds)
{
	double passed = now() - p->counted, slow_now, spent;

	seconds *= patience;
	if (passed < seconds - p->spent || passed < SECONDS_BETWEEN_LOOKS)
		return 0;
	slow_now = slowness_now();
	spent = passed / ((p->slowness + slow_now) / 2);
	report("lost %s %.0f", name, passed - spent);
	p->counted += passed;
	p->spent += spent;
	p->slowness = slow_now;
	return p->spent >= seconds;
}

static void set_slowness(double outside, double user)
{
	double seconds = work();
	char value[32];

	slowness = seconds / WORK_SECONDS;
	if (slowness < outside)
		slowness = outside;
	if (slowness < 1)
		slowness = 1;
	if (user > 1)
		patience = user;
	/* What others did meanwhile they may not do later. */
	work_seconds = seconds / slowness;

	report("slow %.0f", slowness * 100);
	snprintf(value, sizeof(value), "%.0f", slowness * 100);
	setenv("SDEI_SLOW", value, 1);
	snprintf(value, sizeof(value), "%.0f", patience);
	setenv("SDEI_PATIENCE", value, 1);
	snprintf(value, sizeof(value), "%f", work_seconds);
	setenv("SDEI_WORK_SECONDS", value, 1);
}

static int print_slowness(void)
{
	const char *seconds = getenv("SDEI_WORK_SECONDS");

	work_seconds = seconds ? atof(seconds) : 0;
	printf("%.0f\n", slowness_now() * 100);
	return 0;
}

/* Forward complete lines, and a last incomplete one when @end. */
static size_t forward(char *buf, size_t len, int end, int echo)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		if (buf[i] != '\n')
			continue;
		put(verdict, "| ", 2);
		put(verdict, buf + from, i + 1 - from);
		if (echo)
			put(1, buf + from, i + 1 - from);
		from = i + 1;
	}
	if (end && from < len) {
		put(verdict, "| ", 2);
		put(verdict, buf + from, len - from);
		put(verdict, "\n", 1);
		if (echo)
			put(1, buf + from, len - from);
		from = len;
	}
	memmove(buf, buf + from, len - from);
	return len - from;
}

static void run(const char *name, int seconds, char **argv, int echo)
{
	static char buf[65536];
	struct patience p = { .start = now(), .counted = now(), .slowness = slowness };
	int pipefd[2], status = 0, timeout = 0, gone = 0;
	size_t len = 0;
	pid_t pid;

	mark("begin", name);
	report("begin %s", name);
	if (pipe2(pipefd, O_CLOEXEC))
		give_up("pipe");
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		setpgid(0, 0);
		dup2(null, 0);
		dup2(pipefd[1], 1);
		dup2(pipefd[1], 2);
		execvp(argv[0], argv);
		fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	setpgid(pid, pid);
	close(pipefd[1]);
	fcntl(pipefd[0], F_SETFL, O_NONBLOCK);

	for (;;) {
		struct pollfd in = { .fd = pipefd[0], .events = POLLIN };
		ssize_t n;

		if (!gone && waitpid(pid, &status, WNOHANG) == pid)
			gone = 1;
		poll(&in, 1, gone ? 0 : 50);
		n = read(pipefd[0], buf + len, sizeof(buf) - len);
		if (n > 0) {
			len = forward(buf, len + n, len + n == sizeof(buf), echo);
			continue;
		}
		/* Whoever inherited the pipe does not outlive the test. */
		if (gone)
			break;
		if (n == 0)
			usleep(1000);
		if (is_over(&p, name, seconds)) {
			timeout = 1;
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			gone = 1;
		}
	}
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	forward(buf, len, 1, echo);
	close(pipefd[0]);

	report("took %s %.1f", name, now() - p.start);
	if (timeout)
		report("end %s timeout not done after %.0f s, which count as %.0f s on an idle machine: it hangs, or this one, %.1f times slower, is too slow. Try again with less beside it, or with SDEI_PATIENCE=%.0f",
		       name, p.counted - p.start, p.spent, (p.counted - p.start) / p.spent,
		       patience * 3);
	else if (WIFSIGNALED(status))
		report("end %s signal %d", name, WTERMSIG(status));
	else
		report("end %s exit %d", name, WEXITSTATUS(status));
	mark("end", name);
}

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/*
 * What is reported is older than KMEMLEAK_MIN_AGE seconds, and has not changed
 * since the scan before.
 */
#define KMEMLEAK_MIN_AGE	5

static void look_for_leaks(void)
{
	char *argv[] = { "cat", KMEMLEAK, NULL };
	struct stat st;

	if (stat(KMEMLEAK, &st))
		return;

	sleep(KMEMLEAK_MIN_AGE + 1);
	for (int scans = 0; scans < 2; scans++)
		write_file(KMEMLEAK, "scan");
	run("kmemleak", 60, argv, 1);
}

static void collect(const char *program)
{
	int port = open_port("files"), status;
	pid_t pid;

	if (port < 0)
		give_up("port files");
	mark("collect", program);
	pid = fork();
	if (!pid) {
		dup2(port, 1);
		execlp(program, program, NULL);
		perror(program);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(port);
	if (status) {
		errno = EIO;
		give_up(program);
	}
}

static void shell(void)
{
	pid_t pid = fork();

	if (!pid) {
		setsid();
		ioctl(0, TIOCSCTTY, 1);
		execlp("sh", "sh", "-l", NULL);
		perror("sh");
		_exit(127);
	}
	while (waitpid(-1, NULL, 0) != pid)
		;
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *job;

	if (argc == 2 && !strcmp(argv[1], "slowness"))
		return print_slowness();

	mount_all();
	setenv("PATH", "/t:/bin:/sbin:/usr/bin:/usr/sbin", 1);
	setenv("HOME", "/", 1);
	setenv("TERM", "linux", 1);
	/* The KVM selftests open their own ELF file by the name they were run by. */
	if (chdir("/t"))
		give_up("/t");
	sethostname("host", 4);
	verdict = open_port("verdict");

	job = fopen("/job", "re");
	if (!job)
		give_up("/job");
	while ((n = getline(&line, &size, job)) > 0) {
		char *rest = line, *what, *args[MAX_ARGS + 1];
		int nr = 0;

		line[strcspn(line, "\n")] = '\0';
		what = word(&rest);
		if (!strcmp(what, "mode")) {
			check_mode(word(&rest));
		} else if (!strcmp(what, "keep")) {
			keep(rest);
		} else if (!strcmp(what, "slow")) {
			double percent = atof(word(&rest));

			set_slowness(percent / 100, atof(word(&rest)));
		} else if (!strcmp(what, "path")) {
			choose_path(word(&rest));
		} else if (!strcmp(what, "test")) {
			char *name = word(&rest);
			int seconds = atoi(word(&rest));

			while (nr < MAX_ARGS && *(args[nr] = word(&rest)))
				nr++;
			args[nr] = NULL;
			run(name, seconds, args, 0);
		} else if (!strcmp(what, "run")) {
			char *name = word(&rest);
			int seconds = atoi(word(&rest));
			char *sh[] = { "sh", "-c", rest, NULL };

			run(name, seconds, sh, 1);
		} else if (!strcmp(what, "shell")) {
			shell();
		} else if (!strcmp(what, "collect")) {
			collect(word(&rest));
		} else if (*what && *what != '#') {
			errno = EINVAL;
			give_up(what);
		}
	}
	look_for_leaks();
	report("done");
	power_off();
}
