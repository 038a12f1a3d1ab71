// SPDX-License-Identifier: GPL-2.0
/*
 * User space for events to interrupt, in a guest: with known values in its
 * registers, or one instruction at a time.
 *
 *	step spin [NUMBER]	a process on each CPU keeps values in all registers
 *	step trace [NUMBER]	a process on each CPU is single-stepped by another
 *
 * They go round until, on each CPU, NUMBER handlers of the storm have interrupted
 * user space since the program began (spin), or a process that was being
 * single-stepped (trace), as the storm's own accounts say. Without NUMBER, they go
 * round once, and need no storm.
 *
 * A stepped program must come to the same result, and by exactly the same steps each
 * time: each ends at the next instruction, and none is lost or ends elsewhere, such as
 * in a handler. How many steps that makes is printed, to be compared with a run
 * without a storm. One in eight instructions is WFI, so that
 * there is time to be interrupted in; the others take less than a handler.
 *
 * The last line is "sound: ..." or "FAILED: ...".
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORM		"/sys/kernel/debug/sdei_storm_now"
#define MAX_CPUS	32

/* What the processes of all CPUs have done */
static struct {
	uint64_t rounds;
	uint64_t steps;		/* of each round */
	int failed;
} *done;

static int cpu;

static void fail(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	printf("CPU %d: %s\n", cpu, line);
	__atomic_store_n(&done->failed, 1, __ATOMIC_SEQ_CST);
	exit(1);
}

/* How many handlers have interrupted user space here, single-stepped or not */
static uint64_t interrupted(int stepped)
{
	unsigned long long handlers, user, steps;
	uint64_t number = 0;
	char line[128];
	int which;
	FILE *f;

	f = fopen(STORM, "r");
	if (!f)
		fail("there is no %s", STORM);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CPU %d: handlers %llu, in user space %llu, single-stepped %llu",
			   &which, &handlers, &user, &steps) == 4 && which == cpu)
			number = stepped ? steps : user;
	fclose(f);

	return number;
}

/* --- known values in the registers */

/*
 * The loop is long enough for a round to be mostly in here. x30 is the one that
 * counts, SP has to be a stack.
 */
#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) \
	op(11) op(12) op(13) op(14) op(15) op(16) op(17) op(18) op(19) op(20) op(21) \
	op(22) op(23) op(24) op(25) op(26) op(27) op(28)
#define EACH_VECTOR(op) EACH(op) op(29) op(30) op(31)
#define FILL(n) "mov x" #n ", #(0x5d0 + " #n ")\n"
#define FILL_VECTOR(n) "movi v" #n ".16b, #(0x60 + " #n ")\n"
#define TEST(n) "sub x" #n ", x" #n ", #(0x5d0 + " #n ")\norr x30, x30, x" #n "\n"
#define TEST_VECTOR(n) "movi v0.16b, #(0x60 + " #n ")\n" \
	"eor v" #n ".16b, v" #n ".16b, v0.16b\norr v1.16b, v1.16b, v" #n ".16b\n"

uint64_t keep_registers(uint64_t turns);
asm(".pushsection .text\n"
    "keep_registers:\n"
    "stp x29, x30, [sp, #-176]!\n"
    "stp x19, x20, [sp, #16]\nstp x21, x22, [sp, #32]\nstp x23, x24, [sp, #48]\n"
    "stp x25, x26, [sp, #64]\nstp x27, x28, [sp, #80]\n"
    "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\n"
    "stp d14, d15, [sp, #144]\n"
    "mov x30, x0\n"
    "mrs x29, tpidr_el0\nstr x29, [sp, #160]\n"
    EACH(FILL) EACH_VECTOR(FILL_VECTOR)
    "mov x29, #0x50000000\n"		/* Z and V */
    "msr nzcv, x29\n"
    "1: sub x30, x30, #1\n"
    "cbnz x30, 1b\n"
    "mrs x30, nzcv\n"
    "eor x30, x30, x29\n"
    EACH(TEST)
    "mrs x0, tpidr_el0\nldr x1, [sp, #160]\neor x0, x0, x1\norr x30, x30, x0\n"
    /* v0 and v1 first, as the others' test needs them */
    "mov x2, v0.d[0]\nmov x3, v0.d[1]\neor x2, x2, x3\norr x30, x30, x2\n"
    "movi v0.16b, #0x61\neor v1.16b, v1.16b, v0.16b\n"
    TEST_VECTOR(2) TEST_VECTOR(3) TEST_VECTOR(4) TEST_VECTOR(5) TEST_VECTOR(6)
    TEST_VECTOR(7) TEST_VECTOR(8) TEST_VECTOR(9) TEST_VECTOR(10) TEST_VECTOR(11)
    TEST_VECTOR(12) TEST_VECTOR(13) TEST_VECTOR(14) TEST_VECTOR(15) TEST_VECTOR(16)
    TEST_VECTOR(17) TEST_VECTOR(18) TEST_VECTOR(19) TEST_VECTOR(20) TEST_VECTOR(21)
    TEST_VECTOR(22) TEST_VECTOR(23) TEST_VECTOR(24) TEST_VECTOR(25) TEST_VECTOR(26)
    TEST_VECTOR(27) TEST_VECTOR(28) TEST_VECTOR(29) TEST_VECTOR(30) TEST_VECTOR(31)
    "mov x2, v1.d[0]\nmov x3, v1.d[1]\norr x2, x2, x3\norr x30, x30, x2\n"
    "mov x0, x30\n"
    "ldp d14, d15, [sp, #144]\nldp d12, d13, [sp, #128]\nldp d10, d11, [sp, #112]\n"
    "ldp d8, d9, [sp, #96]\n"
    "ldp x27, x28, [sp, #80]\nldp x25, x26, [sp, #64]\nldp x23, x24, [sp, #48]\n"
    "ldp x21, x22, [sp, #32]\nldp x19, x20, [sp, #16]\n"
    "ldp x29, x30, [sp], #176\n"
    "ret\n"
    ".popsection\n");

static void spin(void)
{
	uint64_t wrong = keep_registers(1000000);

	if (wrong)
		fail("other values in the registers of user space: %#llx",
		     (unsigned long long)wrong);
}

/* --- one instruction at a time */

#define TURNS		8

/*
 * The program: INSTRUCTIONS in a loop, then the one at stepped_end. It computes
 * with x1 to x5 and counts in x0.
 */
void stepped(void);
extern const uint32_t stepped_loop[], stepped_end[];
asm(".pushsection .text\n"
    "stepped:\n"
    "brk #0\n"			/* the tracer begins here, with registers of its choice */
    ".global stepped_loop\n"
    "stepped_loop:\n"
    "add x1, x1, #1\n"
    "eor x2, x2, x1\n"
    "wfi\n"
    "adds x3, x3, x2\n"
    "adc x4, x4, x3\n"
    "ror x5, x5, #7\n"
    "add x5, x5, x4\n"
    "svc #0\n"			/* getppid() */
    "mov x0, x9\n"		/* which returns in x0 */
    "eor x5, x5, x1\n"
    "wfi\n"
    "bl 1f\n"
    "1: yield\n"
    "add x9, x9, #1\n"
    "cmp x9, x10\n"
    "b.ne stepped_loop\n"
    ".global stepped_end\n"
    "stepped_end:\n"
    "brk #1\n"
    ".popsection\n");

#define NR_GETPPID	173
#define SVC		0xd4000001	/* svc #0 */
#define SS		(1ULL << 21)	/* of PSTATE: the next instruction is to be stepped */

static void get_registers(pid_t child, struct user_regs_struct *regs)
{
	struct iovec iov = { .iov_base = regs, .iov_len = sizeof(*regs) };

	if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &iov))
		fail("its registers cannot be read: %s", strerror(errno));
}

static void set_registers(pid_t child, struct user_regs_struct *regs)
{
	struct iovec iov = { .iov_base = regs, .iov_len = sizeof(*regs) };

	if (ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &iov))
		fail("its registers cannot be set: %s", strerror(errno));
}

/* resume(REQUEST) and wait for the trap that ends it, of that kind and nothing else */
static void resume(pid_t child, int request, int code)
{
	siginfo_t info;
	int status;

	if (ptrace(request, child, 0, 0))
		fail("it cannot be resumed: %s", strerror(errno));
	if (waitpid(child, &status, 0) != child)
		fail("it cannot be waited for: %s", strerror(errno));
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		fail("it stopped with status %#x instead of a trap", status);
	if (ptrace(PTRACE_GETSIGINFO, child, 0, &info))
		fail("it has no signal: %s", strerror(errno));
	if (info.si_code != code)
		fail("a trap of kind %d instead of %d, at %p", info.si_code, code, info.si_addr);
}

/* A round takes as many steps as every other, on all CPUs. */
static void same_as_ever(uint64_t steps)
{
	uint64_t first = 0;

	if (!__atomic_compare_exchange_n(&done->steps, &first, steps, 0, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST) && first != steps)
		fail("%llu steps instead of %llu", (unsigned long long)steps,
		     (unsigned long long)first);
}

/* From the first instruction of the loop, with these registers, to the end */
static void run(pid_t child, struct user_regs_struct *regs, int by_step)
{
	uint64_t loop = (uintptr_t)stepped_loop, end = (uintptr_t)stepped_end;
	uint64_t nr = stepped_end - stepped_loop, steps = 0;
	struct user_regs_struct now;

	set_registers(child, regs);
	if (!by_step) {
		resume(child, PTRACE_CONT, TRAP_BRKPT);
		get_registers(child, regs);
		if (regs->pc != end)
			fail("it ended at %#llx", (unsigned long long)regs->pc);
		return;
	}
	for (uint64_t i = 1; i <= TURNS * nr; i++) {
		uint64_t pc = i == TURNS * nr ? end : loop + i % nr * 4;
		/*
		 * On the way back from a call, Linux reports the step in its own name,
		 * and the PE, maybe, once more that the instruction is done.
		 */
		int called = stepped_loop[(i - 1) % nr] == SVC;
		int after_call = stepped_loop[(i + nr - 2) % nr] == SVC;

		do {
			resume(child, PTRACE_SINGLESTEP, called ? SI_USER : TRAP_TRACE);
			get_registers(child, &now);
			steps++;
		} while (after_call-- > 0 && now.pc == pc - 4);
		if (now.pc != pc)
			fail("step %llu ended at %#llx instead of %#llx",
			     (unsigned long long)steps, (unsigned long long)now.pc,
			     (unsigned long long)pc);
	}
	same_as_ever(steps);
	*regs = now;
	regs->pstate &= ~SS;
}

static pid_t child;

static void start_child(void)
{
	int status;

	child = fork();
	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		stepped();
		_exit(1);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTRAP)
		fail("the process to be stepped does not start: %#x", status);
}

static void trace(void)
{
	struct user_regs_struct regs, whole;

	if (!child)
		start_child();
	get_registers(child, &regs);
	regs.pc = (uintptr_t)stepped_loop;
	for (int i = 0; i < 31; i++)
		regs.regs[i] = 0x9e3779b97f4a7c15ULL * (i + 1);
	regs.regs[8] = NR_GETPPID;
	regs.regs[9] = 0;
	regs.regs[10] = TURNS;
	whole = regs;

	run(child, &whole, 0);
	run(child, &regs, 1);
	if (memcmp(&regs, &whole, sizeof(regs))) {
		for (int i = 0; i < 31; i++)
			if (regs.regs[i] != whole.regs[i])
				fail("x%d is %#llx by steps, and %#llx without", i,
				     (unsigned long long)regs.regs[i],
				     (unsigned long long)whole.regs[i]);
		fail("PSTATE is %#llx by steps, and %#llx without, SP %#llx and %#llx",
		     (unsigned long long)regs.pstate, (unsigned long long)whole.pstate,
		     (unsigned long long)regs.sp, (unsigned long long)whole.sp);
	}
}

int main(int argc, char **argv)
{
	int stepping, cpus = 0, status, failed = 0;
	uint64_t number = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
	cpu_set_t online, one;

	if (argc < 2 || (strcmp(argv[1], "spin") && strcmp(argv[1], "trace"))) {
		fprintf(stderr, "usage: step spin|trace [NUMBER]\n");
		return 2;
	}
	stepping = !strcmp(argv[1], "trace");

	/* Whoever started this may keep to one CPU: ask for all */
	CPU_ZERO(&online);
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!sched_setaffinity(0, sizeof(one), &one))
			CPU_SET(cpu, &online);
	}
	done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);

	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		uint64_t begin;

		if (!CPU_ISSET(cpu, &online))
			continue;
		cpus++;
		if (fork())
			continue;

		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			fail("sched_setaffinity: %s", strerror(errno));
		begin = number ? interrupted(stepping) : 0;
		do {
			if (stepping)
				trace();
			else
				spin();
			__atomic_add_fetch(&done->rounds, 1, __ATOMIC_RELAXED);
		} while (number && interrupted(stepping) < begin + number &&
			 !__atomic_load_n(&done->failed, __ATOMIC_SEQ_CST));
		if (child)
			kill(child, SIGKILL);
		exit(0);
	}
	while (wait(&status) > 0)
		failed |= status;

	printf("%s: %d CPUs, %llu rounds", failed ? "FAILED" : "sound", cpus,
	       (unsigned long long)done->rounds);
	if (stepping)
		printf(", each of %llu steps", (unsigned long long)done->steps);
	printf("\n");

	return failed != 0;
}
