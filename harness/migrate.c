// SPDX-License-Identifier: GPL-2.0
/*
 * Inside the emulated host: migrate a guest in which a storm of SDEI events
 * rages (guest/sdei_storm.c), look at its registers, stop, continue and reset
 * it, and judge its books.
 *
 *	migrate MIGRATIONS FILES LOOKS RESETS DIRECTORY
 *
 * DIRECTORY has qemu-system-aarch64, Image and initramfs.cpio.  Prints one line
 * for each check, "pass ..." or "fail ...".
 *
 * The guest's kernel can signal event 0, which has normal priority.  There are
 * critical events only where the VMM has exposed one, and injects it, and QEMU
 * does neither.  So we do it in its place.  QEMU is traced until it has enabled
 * SDEI, and is made to issue one ioctl more, which exposes CRITICAL; from then
 * on it is left alone.  A thread of ours injects, into each vCPU, one event
 * after the other, by way of the module of the in-kernel tests, which takes any
 * file descriptor of a vCPU.  Guest memory is a file: we see on the guest's
 * board that a handler has run before we inject again, and so there have to be
 * exactly as many handlers as injections.  What is injected before the state of
 * the vCPUs is saved has to be handled behind the migration.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/elf.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <asm/ptrace.h>

#define NR_VCPUS	4
#define CRITICAL	0x40000010	/* the initramfs says the same */
#define CRITICAL_PRIORITY 1
#define RAM_BASE	0x40000000UL	/* -machine virt */
#define RAM_SIZE	(64UL << 20)
#define CONSOLES	"/tmp/consoles"
#ifndef PATIENCE
#define PATIENCE	600		/* seconds of an idle machine; only if it never comes */
#endif

/* guest/sdei_storm.c has the same. */
#define BOARD_MAGIC	0x44524f4249454453ULL
struct board {
	uint64_t magic;
	uint64_t failures;
	uint64_t unused[6];
	struct {
		uint64_t critical;
		uint64_t normal;
		uint64_t rounds;
		uint64_t state;		/* a bit for each of states[] */
		uint64_t unused[4];
	} cpu[NR_VCPUS];
};

static const char *const states[] = {
	"in a normal handler", "in a critical one", "with the PE masked",
	"with interrupts masked",
};

#define NR_STATES	4

struct vm {
	char name[16];
	pid_t pid;
	int qmp;
	FILE *answers;
	char *ram;
	int vcpu[NR_VCPUS];
	int keyboard;
	char console[32], said[32];	/* files: of the guest, of QEMU */
	size_t heard;			/* how much of the console */
};

static int failed, passed;

static void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%s ", ok ? "pass" : "fail");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	ok ? passed++ : failed++;
}

static void die(const char *fmt, ...)
{
	va_list ap;

	printf("fail ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/*
 * Whoever waits has PATIENCE seconds. When they are over, each counts as much less as
 * this machine was slower than an idle one, which init tells (harness/init.c).
 */
struct wait {
	double start, counted;		/* up to here */
	double spent;			/* so many count */
	double slow;			/* in percent */
};

static double from_environment(const char *name, double otherwise)
{
	const char *value = getenv(name);

	return value ? atof(value) : otherwise;
}

static struct wait wait_from_now(void)
{
	return (struct wait){ .start = now(), .counted = now(),
			      .slow = from_environment("SDEI_SLOW", 100) };
}

static bool too_late(struct wait *w)
{
	double user = from_environment("SDEI_PATIENCE", 1), slow = 100;
	double passed = now() - w->counted;
	FILE *init;

	if (passed < PATIENCE * user - w->spent || passed < 5)
		return false;
	init = popen("/init slowness", "r");
	if (init) {
		if (fscanf(init, "%lf", &slow) != 1)
			slow = 100;
		pclose(init);
	}
	w->counted += passed;
	w->spent += passed * 200 / (w->slow + slow);
	w->slow = slow;
	if (w->spent < PATIENCE * user)
		return false;
	passed = w->counted - w->start;
	printf("late: not after %.0f s, which count as %.0f s on an idle machine: it never comes, or this one, %.1f times slower, is too slow; try again with less beside it, or with SDEI_PATIENCE=%.0f\n",
	       passed, w->spent, passed / w->spent, user * 3);
	fflush(stdout);
	return true;
}

static void nap(void)
{
	usleep(10000);
}

/*
 * The critical event
 */

/* Until a system call begins or ends */
static void resume(pid_t pid)
{
	int status, sig = 0;

	do {
		if (ptrace(PTRACE_SYSCALL, pid, 0, sig) ||
		    waitpid(pid, &status, __WALL) != pid)
			die("ptrace: %s", strerror(errno));
		if (!WIFSTOPPED(status))
			die("QEMU does not start");
		sig = WSTOPSIG(status);
	} while (sig != (SIGTRAP | 0x80));
}

static void registers(int request, pid_t pid, struct user_pt_regs *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	if (ptrace(request, pid, NT_PRSTATUS, &iov))
		die("ptrace: %s", strerror(errno));
}

/* At the end of KVM_ENABLE_CAP: have the VMM expose CRITICAL, too. */
static void expose(pid_t pid, int mem, const struct user_pt_regs *saved, int fd)
{
	struct args {
		struct kvm_device_attr attr;
		struct kvm_arm_sdei_event event;
	} args = {
		.attr = { .group = KVM_ARM_VM_SDEI_CTRL, .attr = KVM_ARM_VM_SDEI_EVENT },
		.event = { .event = CRITICAL, .priority = CRITICAL_PRIORITY },
	};
	unsigned long at = saved->sp - 1024;
	struct user_pt_regs regs = *saved;

	args.attr.addr = at + offsetof(struct args, event);
	if (pwrite(mem, &args, sizeof(args), at) != sizeof(args))
		die("QEMU's memory: %s", strerror(errno));

	regs.regs[0] = fd;
	regs.regs[1] = KVM_SET_DEVICE_ATTR;
	regs.regs[2] = at;
	regs.regs[8] = __NR_ioctl;
	regs.pc -= 4;
	registers(PTRACE_SETREGSET, pid, &regs);
	resume(pid);
	resume(pid);
	registers(PTRACE_GETREGSET, pid, &regs);
	if (regs.regs[0])
		die("QEMU's VM does not expose a critical event: error %ld", (long)regs.regs[0]);

	regs = *saved;
	registers(PTRACE_SETREGSET, pid, &regs);
}

static void trace_until_exposed(pid_t pid)
{
	struct __ptrace_syscall_info call;
	struct user_pt_regs regs;
	struct kvm_enable_cap cap = {};
	char path[32];
	int status, mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD))
		die("QEMU cannot be traced");
	mem = open(path, O_RDWR | O_CLOEXEC);
	if (mem < 0)
		die("%s: %s", path, strerror(errno));

	do {
		resume(pid);
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(call), &call) < 0)
			die("ptrace: %s", strerror(errno));
		if (call.op != PTRACE_SYSCALL_INFO_ENTRY || call.entry.nr != __NR_ioctl ||
		    call.entry.args[1] != KVM_ENABLE_CAP)
			continue;
		if (pread(mem, &cap, sizeof(cap), call.entry.args[2]) != sizeof(cap))
			die("QEMU's memory: %s", strerror(errno));
	} while (cap.cap != KVM_CAP_ARM_SDEI);

	resume(pid);
	registers(PTRACE_GETREGSET, pid, &regs);
	if (regs.regs[0])
		die("QEMU cannot enable SDEI: error %ld", (long)regs.regs[0]);
	expose(pid, mem, &regs, call.entry.args[0]);
	close(mem);
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

/*
 * QEMU, and what it is asked over QMP
 */

/* The answer to a command, or NULL if that is an error; valid until the next one */
static const char *qmp(struct vm *vm, const char *fmt, ...)
{
	static char *line;
	static size_t size;
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (write(vm->qmp, command, strlen(command)) < 0)
		return NULL;

	/* The others are the greeting, or events. */
	while (getline(&line, &size, vm->answers) > 0) {
		if (!strncmp(line, "{\"return\"", 9))
			return line;
		if (!strncmp(line, "{\"error\"", 8)) {
			fprintf(stderr, "%s: %s: %s", vm->name, command, line);
			return NULL;
		}
	}
	return NULL;
}

static void must(struct vm *vm, const char *command)
{
	if (!qmp(vm, "{\"execute\": \"%s\"}\n", command))
		die("QEMU does not %s", command);
}

static void open_vcpus(struct vm *vm)
{
	int pidfd = syscall(SYS_pidfd_open, vm->pid, 0), found = 0;
	char path[64], link[64];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", vm->pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);
		int vcpu;

		if (n < 0)
			continue;
		link[n] = '\0';
		if (sscanf(link, "anon_inode:kvm-vcpu:%d", &vcpu) != 1 || vcpu >= NR_VCPUS)
			continue;
		vm->vcpu[vcpu] = syscall(SYS_pidfd_getfd, pidfd, atoi(d->d_name), 0);
		if (vm->vcpu[vcpu] < 0)
			die("pidfd_getfd: %s", strerror(errno));
		found++;
	}
	if (dir)
		closedir(dir);
	close(pidfd);
	if (found != NR_VCPUS)
		die("QEMU has %d vCPUs, not %d", found, NR_VCPUS);
}

/*
 * Whatever else has to run does so at once: what copies memory, and the QEMU
 * that starts, have the CPUs to share with vCPUs that never rest.
 */
static void vcpus_last(struct vm *vm)
{
	const char *answer = qmp(vm, "{\"execute\": \"query-cpus-fast\"}\n");
	static const char key[] = "\"thread-id\": ";

	while (answer && (answer = strstr(answer, key))) {
		answer += strlen(key);
		setpriority(PRIO_PROCESS, atoi(answer), 19);
	}
}

/*
 * One of two: they alternate.  Without @sdei, as a destination that has to refuse.
 */
static void start_vm(struct vm *vm, const char *name, const char *incoming, bool sdei)
{
	char machine[128], ram[128], console[128], fifo[32], file[32];
	int sockets[2], fd;

	memset(vm, 0, sizeof(*vm));
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	snprintf(vm->console, sizeof(vm->console), "/tmp/%s.console", name);
	snprintf(vm->said, sizeof(vm->said), "/tmp/%s.stderr", name);
	snprintf(fifo, sizeof(fifo), "/tmp/%s.keyboard", name);
	snprintf(file, sizeof(file), "/dev/hugepages/%s.ram", name);
	snprintf(machine, sizeof(machine),
		 "virt,accel=kvm,gic-version=3,sdei=%s,memory-backend=ram",
		 sdei ? "on" : "off");
	snprintf(ram, sizeof(ram), "memory-backend-file,id=ram,share=on,size=%luM,mem-path=%s",
		 RAM_SIZE >> 20, file);
	snprintf(console, sizeof(console), "file,id=console,path=%s,input-path=%s",
		 vm->console, fifo);

	unlink(file);
	unlink(vm->console);
	unlink(fifo);
	mkfifo(fifo, 0600);
	vm->keyboard = open(fifo, O_RDWR | O_CLOEXEC);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		die("socketpair: %s", strerror(errno));

	vm->pid = fork();
	if (!vm->pid) {
		dup2(sockets[1], 0);
		dup2(sockets[1], 1);
		fd = open(vm->said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 2);
		if (sdei)
			ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl("./qemu-system-aarch64", "qemu-system-aarch64", "-machine", machine,
		      "-object", ram, "-cpu", "host", "-smp", "4", "-m", "64M",
		      "-nodefaults", "-no-user-config", "-display", "none",
		      "-monitor", "none", "-serial", "none",
		      "-global", "virtio-mmio.ioeventfd=off",
		      "-device", "virtio-serial-device,max_ports=1",
		      "-chardev", console, "-device", "virtconsole,chardev=console",
		      "-chardev", "stdio,id=qmp,signal=off", "-mon", "chardev=qmp,mode=control",
		      "-kernel", "Image", "-initrd", "initramfs.cpio",
		      "-append", "console=hvc0 panic=-1 rcupdate.rcu_cpu_stall_suppress=1",
		      incoming ? "-incoming" : NULL, incoming, NULL);
		_exit(127);
	}
	close(sockets[1]);
	vm->qmp = sockets[0];
	vm->answers = fdopen(vm->qmp, "r");
	if (sdei)
		trace_until_exposed(vm->pid);
	if (!qmp(vm, "{\"execute\": \"qmp_capabilities\"}\n"))
		die("QEMU %s does not answer", name);
	open_vcpus(vm);
	vcpus_last(vm);

	fd = open(file, O_RDWR | O_CLOEXEC);
	vm->ram = mmap(NULL, RAM_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || vm->ram == MAP_FAILED)
		die("%s: %s", file, strerror(errno));
	close(fd);
}

/* What the guest's kernel said is judged at the end (harness/migrate-run). */
static void keep_console(struct vm *vm)
{
	static char buf[1 << 16];
	int from = open(vm->console, O_RDONLY | O_CLOEXEC);
	int to = open(CONSOLES, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ssize_t n;

	while (from >= 0 && (n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, n) != n)
			die("%s: %s", CONSOLES, strerror(errno));
	close(from);
	close(to);
}

static void end_vm(struct vm *vm)
{
	int status;

	qmp(vm, "{\"execute\": \"quit\"}\n");
	fclose(vm->answers);
	waitpid(vm->pid, &status, __WALL);
	keep_console(vm);
	for (int i = 0; i < NR_VCPUS; i++)
		close(vm->vcpu[i]);
	close(vm->keyboard);
	munmap(vm->ram, RAM_SIZE);
}

/* Is there a line with @text, or with @or, in what the guest has said since? */
static bool heard(struct vm *vm, const char *text, const char *or, char *line, size_t size)
{
	static char buf[1 << 16];
	char *at, *end, *start;
	int fd = open(vm->console, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, buf, sizeof(buf) - 1, vm->heard);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	at = strstr(buf, text);
	if (!at && or)
		at = strstr(buf, or);
	end = at ? strchr(at, '\n') : NULL;
	if (!end)
		return false;
	for (start = at; start > buf && start[-1] != '\n'; start--)
		;
	vm->heard += end + 1 - buf;
	*strpbrk(at, "\r\n") = '\0';
	snprintf(line, size, "%.200s", start);
	return true;
}

static bool wait_to_hear(struct vm *vm, const char *text, const char *or, char *line,
			 size_t size)
{
	struct wait wait = wait_from_now();

	while (!too_late(&wait)) {
		if (heard(vm, text, or, line, size))
			return true;
		nap();
	}
	return false;
}

/*
 * The injector: one critical event at a time for each vCPU
 */

static struct {
	pthread_mutex_t lock;
	struct vm *vm;			/* NULL: pause */
	const volatile struct board *board;
	unsigned long at;		/* its address */
	uint64_t injected[NR_VCPUS];	/* in this life of the guest */
	uint64_t total;
	struct wait wait[NR_VCPUS];
	char wrong[128];
} injector = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void wrong(const char *what, int cpu, uint64_t handled)
{
	if (!*injector.wrong)
		snprintf(injector.wrong, sizeof(injector.wrong),
			 "vCPU %d: %s: injected %lu, handled %lu", cpu, what,
			 injector.injected[cpu], handled);
}

static void inject_into(int dev, int cpu)
{
	uint64_t handled = injector.board->cpu[cpu].critical;
	char op[64];

	if (handled > injector.injected[cpu]) {
		wrong("more handlers than injections", cpu, handled);
	} else if (handled < injector.injected[cpu]) {
		if (too_late(&injector.wait[cpu]))
			wrong("not handled", cpu, handled);
		return;
	}
	/* The count goes first: the handler is faster than this thread. */
	injector.injected[cpu]++;
	injector.total++;
	injector.wait[cpu] = wait_from_now();
	snprintf(op, sizeof(op), "inject %d %i", injector.vm->vcpu[cpu], CRITICAL);
	if (write(dev, op, strlen(op)) < 0)
		wrong(strerror(errno), cpu, handled);
}

static void *inject(void *arg)
{
	int dev = open("/dev/kvm_sdei_test", O_WRONLY | O_CLOEXEC);
	unsigned int seed = 1;

	if (dev < 0)
		die("/dev/kvm_sdei_test: %s", strerror(errno));
	for (;; usleep(rand_r(&seed) % 2000)) {
		pthread_mutex_lock(&injector.lock);
		if (injector.vm)
			inject_into(dev, rand_r(&seed) % NR_VCPUS);
		pthread_mutex_unlock(&injector.lock);
	}
	return arg;
}

static void pause_injector(void)
{
	pthread_mutex_lock(&injector.lock);
	injector.vm = NULL;
	pthread_mutex_unlock(&injector.lock);
}

static void inject_in(struct vm *vm)
{
	pthread_mutex_lock(&injector.lock);
	injector.vm = vm;
	injector.board = (void *)(vm->ram + injector.at - RAM_BASE);
	for (int i = 0; i < NR_VCPUS; i++)
		injector.wait[i] = wait_from_now();
	if (injector.board->magic != BOARD_MAGIC)
		die("there is no board at %#lx", injector.at);
	pthread_mutex_unlock(&injector.lock);
}

/* The guest boots, and its storm begins: with new books. */
static void new_life(struct vm *vm)
{
	char line[256], *at;

	if (!wait_to_hear(vm, "the board is at ", NULL, line, sizeof(line)))
		die("no storm begins in the guest");
	at = strstr(line, "the board is at ");
	if (!strstr(line, "and handle a critical one"))
		die("the guest has no critical event: %s", line);
	injector.at = strtoul(at + strlen("the board is at "), NULL, 0);
	memset(injector.injected, 0, sizeof(injector.injected));
	inject_in(vm);
}

/*
 * Judgements
 */

/* Has each vCPU checked its books again, and has an injected event been handled? */
static bool gets_on(void)
{
	uint64_t rounds[NR_VCPUS], injected[NR_VCPUS];
	struct wait wait = wait_from_now();

	for (int i = 0; i < NR_VCPUS; i++) {
		rounds[i] = injector.board->cpu[i].rounds;
		injected[i] = injector.injected[i];
	}
	for (int i = 0; i < NR_VCPUS; nap()) {
		if (injector.board->cpu[i].rounds > rounds[i] + 1 &&
		    injector.board->cpu[i].critical > injected[i])
			i++;
		else if (too_late(&wait))
			return false;
	}
	return true;
}

static bool books_so_far(void)
{
	bool ok = true;

	pthread_mutex_lock(&injector.lock);
	if (*injector.wrong || injector.board->failures)
		ok = false;
	pthread_mutex_unlock(&injector.lock);
	return ok;
}

static void say_why(struct vm *vm)
{
	char line[256];

	if (*injector.wrong)
		printf("%s\n", injector.wrong);
	if (heard(vm, "failure on CPU", NULL, line, sizeof(line)))
		printf("%s\n", line);
}

/* The storm is over, for now: what has the guest to say? */
static void judge(struct vm *vm, const char *after)
{
	struct wait wait = wait_from_now();
	uint64_t injected = 0, handled = 0;
	char line[256] = "no answer";

	pause_injector();
	for (int i = 0; i < NR_VCPUS; nap()) {
		if (injector.board->cpu[i].critical >= injector.injected[i])
			i++;
		else if (too_late(&wait))
			break;
	}

	dprintf(vm->keyboard, "books\n");
	for (int i = 0; i < NR_VCPUS; i++) {
		if (!wait_to_hear(vm, ": sent ", NULL, line, sizeof(line)))
			break;
		printf("%s\n", line);
	}
	wait_to_hear(vm, "sound: ", "FAILED: ", line, sizeof(line));
	check(!strncmp(line, "sound: ", 7), "the guest's books after %s: %s", after, line);

	for (int i = 0; i < NR_VCPUS; i++) {
		injected += injector.injected[i];
		handled += injector.board->cpu[i].critical;
		if (injector.board->cpu[i].critical != injector.injected[i])
			wrong("not as many handlers as injections", i,
			      injector.board->cpu[i].critical);
	}
	check(!*injector.wrong && injected == handled,
	      "critical events after %s: injected %lu, handled %lu%s%s", after, injected,
	      handled, *injector.wrong ? "; " : "", injector.wrong);

	dprintf(vm->keyboard, "again\n");
	if (!wait_to_hear(vm, "going on", NULL, line, sizeof(line)))
		die("the guest does not begin again");
	inject_in(vm);
}

/*
 * Migration
 */

static bool wait_for_migration(struct vm *vm, const char *status)
{
	struct wait wait = wait_from_now();
	char want[64];

	snprintf(want, sizeof(want), "\"status\": \"%s\"", status);
	while (!too_late(&wait)) {
		const char *answer = qmp(vm, "{\"execute\": \"query-migrate\"}\n");

		if (answer && strstr(answer, want))
			return true;
		if (!answer || strstr(answer, "\"status\": \"failed\"") ||
		    strstr(answer, "\"status\": \"completed\""))
			return false;
		usleep(50000);
	}
	return false;
}

/*
 * The storm goes on, and we inject, while memory is copied, and still while the
 * vCPUs stand but have not been saved.  Whoever injected later would inject into
 * a copy that never runs again.
 */
static bool send_away(struct vm *vm, const char *uri, const char *outcome)
{
	if (!qmp(vm, "{\"execute\": \"migrate-set-capabilities\", \"arguments\": {\"capabilities\": ["
		 "{\"capability\": \"pause-before-switchover\", \"state\": true},"
		 "{\"capability\": \"return-path\", \"state\": %s}]}}\n",
		 strncmp(uri, "unix:", 5) ? "false" : "true") ||
	    !qmp(vm, "{\"execute\": \"migrate-set-parameters\", \"arguments\": "
		 "{\"max-bandwidth\": 0, \"downtime-limit\": 5000}}\n") ||
	    !qmp(vm, "{\"execute\": \"migrate\", \"arguments\": {\"uri\": \"%s\"}}\n", uri))
		return false;
	if (!wait_for_migration(vm, "pre-switchover"))
		return false;
	/* Long enough for some to be pending */
	usleep(20000);
	pause_injector();
	if (!qmp(vm, "{\"execute\": \"migrate-continue\", \"arguments\": {\"state\": \"pre-switchover\"}}\n"))
		return false;
	return wait_for_migration(vm, outcome);
}

static bool wait_until_running(struct vm *vm)
{
	struct wait wait = wait_from_now();

	while (!too_late(&wait)) {
		const char *answer = qmp(vm, "{\"execute\": \"query-status\"}\n");

		if (answer && strstr(answer, "\"running\": true"))
			return true;
		nap();
	}
	return false;
}

/* What the vCPUs were in the middle of when they were saved, and how many */
static struct {
	int pending, in[NR_STATES];
} met;

static void look_at_stopped_guest(void)
{
	for (int i = 0; i < NR_VCPUS; i++) {
		met.pending += injector.board->cpu[i].critical < injector.injected[i];
		for (int state = 0; state < NR_STATES; state++)
			met.in[state] += injector.board->cpu[i].state >> state & 1;
	}
}

static void print_met(const char *when)
{
	printf("vCPUs %s: %d with an injected event pending", when, met.pending);
	for (int state = 0; state < NR_STATES; state++)
		printf(", %d %s", met.in[state], states[state]);
	printf("\n");
	memset(&met, 0, sizeof(met));
}

/* @vm is the guest before and after that. */
static bool migrate(struct vm *vm, bool file)
{
	static const char snapshot[] = "file:/tmp/snapshot";
	const char *name = strcmp(vm->name, "one") ? "one" : "two";
	struct vm other;
	char uri[64];

	snprintf(uri, sizeof(uri), "unix:/tmp/%s.migration", name);
	if (!file)
		start_vm(&other, name, uri, true);
	if (!send_away(vm, file ? snapshot : uri, "completed"))
		return false;
	look_at_stopped_guest();
	end_vm(vm);
	if (file)
		start_vm(&other, name, snapshot, true);
	if (!wait_until_running(&other))
		return false;
	*vm = other;
	inject_in(vm);
	unlink(snapshot + strlen("file:"));
	return gets_on() && books_so_far();
}

static void migrate_often(struct vm *vm, int times, bool file)
{
	int done = 0;
	double start = now();
	char after[64];

	if (!times)
		return;
	while (done < times && migrate(vm, file)) {
		if (++done % 10 == 0)
			fprintf(stderr, "%d of %d %s\n", done, times,
				file ? "snapshots" : "migrations");
	}
	snprintf(after, sizeof(after), file ? "%d snapshots" : "%d migrations", done);
	fprintf(stderr, "%s: %.0f s\n", after, now() - start);
	print_met(file ? "in the snapshots" : "migrated");
	check(done == times, "%d of %d %s: every vCPU gets on after each", done, times,
	      file ? "times through a file" : "migrations");
	if (done < times) {
		say_why(vm);
		die("the rest is not tried");
	}
	judge(vm, after);
}

static void be_refused(struct vm *vm)
{
	const char *name = strcmp(vm->name, "one") ? "one" : "two";
	char uri[64], why[512] = "";
	struct vm other;
	bool gone;
	int fd;

	snprintf(uri, sizeof(uri), "unix:/tmp/%s.migration", name);
	start_vm(&other, name, uri, false);
	gone = send_away(vm, uri, "failed");
	end_vm(&other);
	fd = open(other.said, O_RDONLY | O_CLOEXEC);
	if (read(fd, why, sizeof(why) - 1) < 0)
		*why = '\0';
	close(fd);
	why[strcspn(why, "\n")] = '\0';
	check(gone && strstr(why, "sdei=on"), "a destination with sdei=off refuses, and says: %s",
	      why);

	check(wait_until_running(vm), "the source of a refused migration goes on running");
	inject_in(vm);
	check(gets_on() && books_so_far(), "the storm goes on after a refused migration");
}

/*
 * What else a VMM does to a guest
 */

static void look(struct vm *vm, int looks)
{
	int n;

	if (!looks)
		return;
	for (n = 0; n < looks && books_so_far(); n++) {
		const char *answer = qmp(vm, "{\"execute\": \"human-monitor-command\", \"arguments\": "
					 "{\"command-line\": \"info registers -a\"}}\n");

		if (!answer || !strstr(answer, "CPU#3"))
			die("no registers");
		if (n % 8 == 7) {
			must(vm, "stop");
			look_at_stopped_guest();
			must(vm, "cont");
		}
	}
	print_met("stopped");
	check(n == looks && gets_on(),
	      "%d times info registers -a, %d times stop and cont: every vCPU gets on",
	      n, n / 8);
	judge(vm, "info registers, stop and cont");
}

/* A life ends without a last word: what the board says has to do. */
static void reset(struct vm *vm, int resets)
{
	uint64_t handled = 0;
	int n;

	if (!resets)
		return;
	for (n = 0; n < resets; n++) {
		if (!gets_on())
			break;
		must(vm, "stop");
		pause_injector();
		for (int i = 0; i < NR_VCPUS; i++) {
			uint64_t critical = injector.board->cpu[i].critical;

			handled += injector.board->cpu[i].normal;
			if (critical > injector.injected[i] || critical + 1 < injector.injected[i])
				wrong("when it was reset", i, critical);
		}
		if (!books_so_far())
			break;
		must(vm, "system_reset");
		must(vm, "cont");
		new_life(vm);
	}
	check(n == resets,
	      "%d of %d resets amid the storm: the books of each life were right, with %lu handlers in all",
	      n, resets, handled);
	if (n < resets)
		say_why(vm);
	look(vm, 40);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	struct vm vm;

	if (argc != 6 || chdir(argv[5]))
		die("usage: migrate MIGRATIONS FILES LOOKS RESETS DIRECTORY");
	signal(SIGPIPE, SIG_IGN);
	pthread_create(&thread, NULL, inject, NULL);

	start_vm(&vm, "one", NULL, true);
	new_life(&vm);
	migrate_often(&vm, atoi(argv[1]), false);
	migrate_often(&vm, atoi(argv[2]), true);
	be_refused(&vm);
	look(&vm, atoi(argv[3]));
	reset(&vm, atoi(argv[4]));

	pause_injector();
	end_vm(&vm);
	printf("%d passed, %d failed; %lu critical events injected\n", passed, failed,
	       injector.total);
	return failed != 0;
}
