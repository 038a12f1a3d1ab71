// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_bench - what SDEI costs
 *
 * Every figure is the median of many single measurements with the virtual
 * counter, less what reading it twice costs. On real hardware that is time;
 * where the host is emulated with one instruction per counter tick it is the
 * exact number of instructions, guest and host together.
 *
 * Prints one line per figure, "bench KIND TICKS NAME". KIND says what may be
 * expected of it, for whoever judges:
 *
 *	same	has nothing to do with SDEI, and is the same without it
 *	vmm	nearly so: the VMM has a part in it
 *	other	a hypercall that is not SDEI's
 *	call	one call to SDEI
 *	fast	the same, one that KVM serves without leaving for its run loop
 *	trip	an event with nothing in its handler, which is two such calls
 *	event	anything else
 *
 * Without KVM_CAP_ARM_SDEI only those are measured that exist there, to compare
 * two kernels.
 *
 * Calls to another vCPU have two figures. The sender's is its call, from the
 * HVC to the next instruction. The one to the handler goes from the same HVC to
 * the first instruction of the handler on the other vCPU. Each vCPU has a host
 * CPU to itself, and the sender does nothing but YIELD after its call: it is a
 * latency. The emulator, though, executes one CPU at a time, and takes the next
 * when one yields or sleeps; there the figure is the sum of what both CPUs
 * execute on the way, the sender's call in full included. Hardware does a part
 * of that at the same time, and has the latency of the interrupt in addition,
 * which is no instruction.
 *
 * Guest code must not touch the FP registers: the first use costs an exit of
 * its own, and each exit costs more as long as the guest has live FP state.
 *
 * -n: number of measurements for each figure
 */
#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include <linux/arm-smccc.h>
#include <linux/sizes.h>

#include "kvm_util.h"
#include "processor.h"
#include "gic.h"
#include "gic_v3.h"
#include "sdei.h"
#include "test_util.h"
#include "vgic.h"

#define MAX_SAMPLES		2001
#define UNMAPPED_GPA		0xb0000000ul

#define __guest			__attribute__((target("general-regs-only")))

static int nr_samples = 501;
static uint64_t nothing;

/* What the guest measures, for the host to read */
static uint64_t samples[MAX_SAMPLES];
static uint64_t far_samples[MAX_SAMPLES];

/*
 * Guest side
 */

/* Appended to the names of what is measured from here on */
static const char *suffix = "";

#define STAMP(reg)	"isb\n\tmrs	" reg ", cntvct_el0\n\tisb\n\t"

/* The number of a call, into x0 */
#define FN(n)		"movz	x0, #0x20 + " #n "\n\t"		\
			"movk	x0, #0xc400, lsl #16\n\t"

/* HVC or SMC, which are neighbours: an operand says which */
#define CALL_IT		".inst	0xd4000002 + %c[conduit]\n\t"

#define CONTEXT(n)	FN(4) "mov	x1, #" #n "\n\t" CALL_IT

/*
 * Handlers, of nothing but these instructions: they never return, so that the
 * compiler has nothing to add and need not know what they change. They are
 * registered with the argument that their completion wants in x1.
 */

#define HANDLER(name, text)						\
static __always_inline __guest void __##name(enum sdei_conduit conduit)	\
{									\
	asm volatile(text :: [conduit] "i" (conduit));			\
	__builtin_unreachable();					\
}									\
static __guest void name##_hvc(void)	{ __##name(SDEI_HVC); }		\
static __guest void name##_smc(void)	{ __##name(SDEI_SMC); }		\
static void (*const name[])(void) = { name##_hvc, name##_smc }

/* Nothing but the completion */
HANDLER(complete, FN(5) CALL_IT);
HANDLER(resume, FN(6) CALL_IT);

/* With the calls that Linux makes before it completes */
HANDLER(linux_complete,
	CONTEXT(0) CONTEXT(1) CONTEXT(2) CONTEXT(3)
	FN(5) "mov	x1, #0\n\t" CALL_IT);
HANDLER(linux_resume,
	"mov	x4, x1\n\t"
	CONTEXT(0) CONTEXT(1) CONTEXT(2) CONTEXT(3)
	FN(6) "mov	x1, x4\n\t" CALL_IT);

/*
 * With the time of the first instruction (x19), around EVENT_CONTEXT (x21, x22)
 * and before the completion (x20)
 */
HANDLER(stamped_complete,
	STAMP("x19")
	FN(4) STAMP("x21") CALL_IT STAMP("x22")
	FN(5) "mov	x1, #0\n\t" STAMP("x20") CALL_IT);
HANDLER(stamped_resume,
	STAMP("x19")
	FN(6) STAMP("x20") CALL_IT);

/* After EVENT_COMPLETE_AND_RESUME: x0 to x17 are those before the event. */
static __guest void resume_here(void)
{
	asm volatile(STAMP("x11") "eret");
	__builtin_unreachable();
}

/* On another vCPU than the one that signals; the argument is &arrived. */
static __guest void arrive(void)
{
	asm volatile("isb\n\t"
		     "mrs	x2, cntvct_el0\n\t"
		     "str	x2, [x1]\n\t"
		     FN(5)
		     "mov	x1, #0\n\t"
		     "hvc	#0");
	__builtin_unreachable();
}

/* What is measured: instructions by their code, for they are operands */
enum insn {
	EMPTY			= 0,
	HVC			= 0xd4000002,	/* HVC #0 */
	SMC			= 0xd4000003,	/* SMC #0 */
	READ_ID_REGISTER	= 0xd538070c,	/* MRS X12, ID_AA64MMFR0_EL1 */
	READ_MMIO		= 0xb940002c,	/* LDR W12, [X1] */
	SEND_SGI		= 0xd518cba1,	/* MSR ICC_SGI1R_EL1, X1 */
	YIELD			= 0xd503203f,
};

#define INSN(operand)							\
	".if	%c[" #operand "]\n\t"					\
	".inst	%c[" #operand "]\n\t"					\
	".endif\n\t"

/**
 * struct measurement - when one instruction reached which point
 * @ret:	x0 after it
 * @sent:	it is the next instruction
 * @returned:	it has been executed, and so has the handler of an event
 * @entered:	first instruction of the event's handler
 * @asking:	its EVENT_CONTEXT is the next instruction
 * @told:	... has been executed
 * @leaving:	its completion is the next instruction
 * @resumed:	first instruction after EVENT_COMPLETE_AND_RESUME
 */
struct measurement {
	int64_t ret;
	uint64_t sent, returned, entered, asking, told, leaving, resumed;
};

static __always_inline __guest struct measurement
measure(enum insn insn, enum insn then, uint64_t a0, uint64_t a1, uint64_t a2,
	uint64_t a3)
{
	register uint64_t x0 asm("x0") = a0;
	register uint64_t x1 asm("x1") = a1;
	register uint64_t x2 asm("x2") = a2;
	register uint64_t x3 asm("x3") = a3;
	register uint64_t x4 asm("x4") = 0;
	register uint64_t x5 asm("x5") = 0;
	register uint64_t x9 asm("x9");
	register uint64_t x10 asm("x10");
	register uint64_t x11 asm("x11") = 0;
	register uint64_t x19 asm("x19") = 0;
	register uint64_t x20 asm("x20") = 0;
	register uint64_t x21 asm("x21") = 0;
	register uint64_t x22 asm("x22") = 0;

	asm volatile(STAMP("x9") INSN(insn) STAMP("x10") INSN(then)
		     : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3),
		       "=&r" (x9), "=&r" (x10), "+r" (x11), "+r" (x19),
		       "+r" (x20), "+r" (x21), "+r" (x22)
		     : "r" (x4), "r" (x5), [insn] "i" (insn), [then] "i" (then)
		     : "memory", "x12");

	return (struct measurement) { x0, x9, x10, x19, x21, x22, x20, x11 };
}

/* An SDEI call as the argument of SAMPLE() */
#define __CALL(insn, then, fn, a1, a2, a3)				\
	measure(insn, then, SDEI_1_0_FN_BASE + (fn), a1, a2, a3)
#define CALL(fn)		__CALL(HVC, EMPTY, fn, 0, 0, 0)
#define CALL1(fn, a)		__CALL(HVC, EMPTY, fn, a, 0, 0)
#define CALL2(fn, a, b)		__CALL(HVC, EMPTY, fn, a, b, 0)
#define CALL3(fn, a, b, c)	__CALL(HVC, EMPTY, fn, a, b, c)

#define NOTHING		do { } while (0)

/* Hand an array of samples to the host. */
static __guest void report(const char *kind, const char *name,
			   const uint64_t *array, bool good, int64_t ret)
{
	ucall(UCALL_SYNC, 6, (uint64_t)name, (uint64_t)suffix, (uint64_t)kind,
	      (uint64_t)array, good, ret);
}

/*
 * SAMPLE - sample one figure, and hand it to the host
 *
 * @kind, @name: of the figure
 * @before:	statement that prepares a measurement
 * @call:	what to measure, a struct measurement
 * @from, @to:	from which point to which
 * @want:	what @call must return
 * @after:	statement that tidies up
 */
#define SAMPLE(kind, name, before, call, from, to, want, after)		\
do {									\
	int64_t __ret = 0, __want = (want);				\
									\
	for (int __i = 0; __i < nr_samples; __i++) {			\
		struct measurement __m;					\
									\
		before;							\
		__m = (call);						\
		__ret = __m.ret;					\
		if (__ret != __want)					\
			break;						\
		samples[__i] = __m.to;					\
		samples[__i] -= __m.from;				\
		after;							\
	}								\
	report(kind, name, samples, __ret == __want, __ret);		\
} while (0)

#define SAMPLE_CALL(name, before, call, want, after)			\
	SAMPLE("call", name, before, call, sent, returned, want, after)
#define SAMPLE_FAST(name, before, call, want, after)			\
	SAMPLE("fast", name, before, call, sent, returned, want, after)

static __guest uint64_t guest_mpidr(void)
{
	return read_sysreg(mpidr_el1);
}

/* Have event 0 end in @handler, with @arg in x1, from now on. */
static __guest void guest_use_handler(void (*handler)(void), uint64_t arg)
{
	CALL1(SDEI_EVENT_UNREGISTER, EV_SOFT);
	CALL3(SDEI_EVENT_REGISTER, EV_SOFT, (uint64_t)handler, arg);
	CALL1(SDEI_EVENT_ENABLE, EV_SOFT);
}

/* Each call once, as cheap a refusal as there is where success is impossible */
static __guest void guest_sample_calls(void)
{
	uint64_t mpidr = guest_mpidr();
	uint64_t entry = (uint64_t)complete[SDEI_HVC];

	SAMPLE_CALL("VERSION", NOTHING, CALL(SDEI_VERSION),
		    0x1000100000000, NOTHING);
	SAMPLE_CALL("EVENT_REGISTER", NOTHING,
		    CALL3(SDEI_EVENT_REGISTER, EV_SOFT, entry, 0), 0,
		    CALL1(SDEI_EVENT_UNREGISTER, EV_SOFT));
	SAMPLE_CALL("EVENT_UNREGISTER",
		    CALL3(SDEI_EVENT_REGISTER, EV_SOFT, entry, 0),
		    CALL1(SDEI_EVENT_UNREGISTER, EV_SOFT), 0, NOTHING);
	SAMPLE_CALL("EVENT_CONTEXT, refused", NOTHING,
		    CALL1(SDEI_EVENT_CONTEXT, 0), SDEI_DENIED, NOTHING);
	SAMPLE_CALL("EVENT_COMPLETE, refused", NOTHING,
		    CALL1(SDEI_EVENT_COMPLETE, 0), SDEI_DENIED, NOTHING);
	SAMPLE_CALL("EVENT_COMPLETE_AND_RESUME, refused", NOTHING,
		    CALL1(SDEI_EVENT_COMPLETE_AND_RESUME, entry), SDEI_DENIED,
		    NOTHING);
	SAMPLE_CALL("EVENT_GET_INFO", NOTHING,
		    CALL2(SDEI_EVENT_GET_INFO, EV_SOFT,
			  SDEI_EVENT_INFO_EV_PRIORITY), 0, NOTHING);
	SAMPLE_CALL("EVENT_ROUTING_SET, refused", NOTHING,
		    CALL3(SDEI_EVENT_ROUTING_SET, EV_SOFT, 0, 0),
		    SDEI_INVALID_PARAMETERS, NOTHING);
	SAMPLE_FAST("PE_MASK", CALL(SDEI_PE_UNMASK), CALL(SDEI_PE_MASK), 1,
		    NOTHING);
	SAMPLE_FAST("PE_UNMASK", CALL(SDEI_PE_MASK), CALL(SDEI_PE_UNMASK), 0,
		    NOTHING);
	SAMPLE_CALL("INTERRUPT_BIND, refused", NOTHING,
		    CALL1(SDEI_INTERRUPT_BIND, 0), SDEI_INVALID_PARAMETERS,
		    NOTHING);
	SAMPLE_CALL("INTERRUPT_RELEASE, refused", NOTHING,
		    CALL1(SDEI_INTERRUPT_RELEASE, EV_SOFT),
		    SDEI_INVALID_PARAMETERS, NOTHING);
	SAMPLE_CALL("FEATURES", NOTHING,
		    CALL1(SDEI_FEATURES, SDEI_FEATURE_RELATIVE_MODE), 1,
		    NOTHING);
	SAMPLE_CALL("PRIVATE_RESET", NOTHING, CALL(SDEI_PRIVATE_RESET),
		    0, NOTHING);
	SAMPLE_CALL("SHARED_RESET", NOTHING, CALL(SDEI_SHARED_RESET),
		    0, NOTHING);

	CALL3(SDEI_EVENT_REGISTER, EV_SOFT, entry, 0);
	SAMPLE_FAST("EVENT_STATUS", NOTHING,
		    CALL1(SDEI_EVENT_STATUS, EV_SOFT), SDEI_REGISTERED,
		    NOTHING);
	SAMPLE_CALL("EVENT_ENABLE", NOTHING,
		    CALL1(SDEI_EVENT_ENABLE, EV_SOFT), 0,
		    CALL1(SDEI_EVENT_DISABLE, EV_SOFT));
	SAMPLE_CALL("EVENT_DISABLE", CALL1(SDEI_EVENT_ENABLE, EV_SOFT),
		    CALL1(SDEI_EVENT_DISABLE, EV_SOFT), 0, NOTHING);
	SAMPLE_CALL("EVENT_SIGNAL to self, kept pending",
		    (CALL1(SDEI_EVENT_UNREGISTER, EV_SOFT),
		     CALL3(SDEI_EVENT_REGISTER, EV_SOFT, entry, 0)),
		    CALL2(SDEI_EVENT_SIGNAL, EV_SOFT, mpidr), 0,
		    NOTHING);
	CALL1(SDEI_EVENT_UNREGISTER, EV_SOFT);
}

/* What an event to itself costs a vCPU */
static __always_inline __guest void guest_sample_events(enum sdei_conduit conduit)
{
	uint64_t mpidr = guest_mpidr(), here = (uint64_t)resume_here;

#define SAMPLE_EVENT(kind, name, from, to)				\
	SAMPLE(kind, name, NOTHING,					\
	       __CALL(conduit == SDEI_SMC ? SMC : HVC, EMPTY,		\
		      SDEI_EVENT_SIGNAL, EV_SOFT, mpidr, 0),		\
	       from, to, 0, NOTHING)

	guest_use_handler(stamped_complete[conduit], 0);
	SAMPLE_EVENT("fast", "EVENT_CONTEXT", asking, told);
	SAMPLE_EVENT("event", "entry, EVENT_SIGNAL to the handler", sent,
		     entered);
	SAMPLE_EVENT("event", "exit, EVENT_COMPLETE", leaving, returned);
	guest_use_handler(stamped_resume[conduit], here);
	SAMPLE_EVENT("event", "exit, EVENT_COMPLETE_AND_RESUME", leaving,
		     resumed);

	guest_use_handler(complete[conduit], 0);
	SAMPLE_EVENT("trip", "round trip, EVENT_COMPLETE", sent, returned);
	guest_use_handler(resume[conduit], here);
	SAMPLE_EVENT("trip", "round trip, EVENT_COMPLETE_AND_RESUME", sent,
		     resumed);

	guest_use_handler(linux_complete[conduit], 0);
	SAMPLE_EVENT("linux", "SIGNAL, 4 CONTEXT, COMPLETE", sent, returned);
	guest_use_handler(linux_resume[conduit], here);
	SAMPLE_EVENT("linux", "SIGNAL, 4 CONTEXT, COMPLETE_AND_RESUME", sent,
		     resumed);
	CALL1(SDEI_EVENT_UNREGISTER, EV_SOFT);
}

/* What has nothing to do with SDEI */
static __guest void guest_sample_others(void)
{
	SAMPLE("other", "SMCCC_VERSION", NOTHING,
	       measure(HVC, EMPTY, ARM_SMCCC_VERSION_FUNC_ID, 0, 0, 0),
	       sent, returned, ARM_SMCCC_VERSION_1_1, NOTHING);
	SAMPLE("other", "SMCCC_VERSION (SMC)", NOTHING,
	       measure(SMC, EMPTY, ARM_SMCCC_VERSION_FUNC_ID, 0, 0, 0),
	       sent, returned, ARM_SMCCC_VERSION_1_1, NOTHING);
	SAMPLE("same", "trapped ID register", NOTHING,
	       measure(READ_ID_REGISTER, EMPTY, 0, 0, 0, 0),
	       sent, returned, 0, NOTHING);
	SAMPLE("same", "MMIO to the GIC in KVM", NOTHING,
	       measure(READ_MMIO, EMPTY, 0, GICD_BASE_GPA + GICD_TYPER, 0, 0),
	       sent, returned, 0, NOTHING);
	SAMPLE("vmm", "MMIO to the VMM", NOTHING,
	       measure(READ_MMIO, EMPTY, 0, UNMAPPED_GPA, 0, 0),
	       sent, returned, 0, NOTHING);
}

static __guest void guest_calibrate(void)
{
	SAMPLE("nothing", "nothing", NOTHING,
	       measure(EMPTY, EMPTY, 0, 0, 0, 0), sent, returned, 0, NOTHING);
	GUEST_DONE();
}

static __guest void guest_without_sdei(void)
{
	suffix = ", VM without SDEI";
	guest_sample_others();
	SAMPLE("call", "SDEI_VERSION", NOTHING, CALL(SDEI_VERSION), sent,
	       returned, SDEI_NOT_SUPPORTED, NOTHING);
	GUEST_DONE();
}

static __guest void guest_one_vcpu(uint64_t has_sdei)
{
	guest_sample_others();
	if (has_sdei) {
		guest_sample_calls();
		CALL(SDEI_PE_UNMASK);
		guest_sample_events(SDEI_HVC);
		suffix = " (SMC)";
		guest_sample_events(SDEI_SMC);
	}
	GUEST_DONE();
}

/*
 * Another vCPU that registers and does not run while it is signalled: what is
 * left is to find it, and to have the event pending there. It does not enable
 * the event, so that nothing changes from one signal to the next.
 */
static __guest void guest_register_only(void)
{
	CALL3(SDEI_EVENT_REGISTER, EV_SOFT, (uint64_t)complete[SDEI_HVC], 0);
	GUEST_DONE();
}

static __guest void guest_signal_last(uint64_t mpidr, const char *name)
{
	SAMPLE("event", name, NOTHING,
	       CALL2(SDEI_EVENT_SIGNAL, EV_SOFT, mpidr), sent, returned, 0,
	       NOTHING);
	GUEST_DONE();
}

/*
 * Another vCPU that takes the event at once, as it spins or sleeps in WFI. For
 * comparison, the same with an interrupt. It stays masked, and is taken by
 * reading its number, as the first thing that the handler of one does.
 */
#define SGI		1

static uint64_t arrived, spins, stop;

static __guest void guest_wait(bool sleeps)
{
	WRITE_ONCE(spins, spins + 1);
	if (sleeps)
		asm volatile("wfi" ::: "memory");
	else
		asm volatile("yield" ::: "memory");
}

static __guest void guest_take_events(uint64_t sleeps)
{
	guest_use_handler(arrive, (uint64_t)&arrived);
	CALL(SDEI_PE_UNMASK);

	while (!READ_ONCE(stop))
		guest_wait(sleeps);
	GUEST_DONE();
}

static __guest void guest_take_sgis(uint64_t sleeps)
{
	uint64_t intid, now;

	gic_init(GIC_V3, 2);
	gic_irq_enable(SGI);

	while (!READ_ONCE(stop)) {
		guest_wait(sleeps);
		intid = read_sysreg_s(SYS_ICC_IAR1_EL1);
		asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (now) :: "memory");
		if (intid == SGI) {
			write_sysreg_s(SGI, SYS_ICC_EOIR1_EL1);
			WRITE_ONCE(arrived, now);
		}
	}
	GUEST_DONE();
}

/* The other vCPU is number 1. */
static __guest void guest_send(uint64_t sgi, uint64_t mpidr, const char *name,
			       const char *name_until)
{
	uint64_t sgi1r = SGI << ICC_SGI1R_SGI_ID_SHIFT | BIT(1);
	struct measurement m = {};

	for (int i = 0; i < nr_samples; i++) {
		/* The host waits until the other vCPU spins, or sleeps. */
		ucall(UCALL_SYNC, 1, 0);
		WRITE_ONCE(arrived, 0);

		if (sgi)
			m = measure(SEND_SGI, YIELD, 0, sgi1r, 0, 0);
		else
			m = __CALL(HVC, YIELD, SDEI_EVENT_SIGNAL, EV_SOFT,
				   mpidr, 0);

		while (!READ_ONCE(arrived))
			asm volatile("yield" ::: "memory");

		samples[i] = m.returned - m.sent;
		far_samples[i] = arrived - m.sent;
	}
	report("event", name, samples, !m.ret, m.ret);
	report("event", name_until, far_samples, !m.ret, m.ret);

	/* The host goes on with a target that takes events. */
	if (sgi) {
		ucall(UCALL_SYNC, 1, 0);
		WRITE_ONCE(stop, 1);
		measure(SEND_SGI, EMPTY, 0, sgi1r, 0, 0);
	}
	GUEST_DONE();
}

/*
 * Host side
 */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void host_report(const char *kind, const char *name,
			const char *suffix, uint64_t *array)
{
	uint64_t median;

	qsort(array, nr_samples, sizeof(array[0]), compare);
	median = array[nr_samples / 2];

	if (!strcmp(kind, "nothing"))
		nothing = median;
	else
		printf("bench %s %ld %s%s\n", kind, (long)(median - nothing),
		       name, suffix);
}

/* Two vCPUs, the second of which waits for events in a thread of its own */
struct pair {
	struct sdei_vm svm;
	bool sleeps;
	int gic_fd;
};

static void host_yield(void)
{
	/* Not sched_yield(): the other CPU of the emulator is to go on. */
	asm volatile("yield" ::: "memory");
}

static void host_wait_target(struct pair *pair)
{
	uint64_t was = READ_ONCE(*guest_ptr(&pair->svm, spins));

	if (pair->sleeps) {
		while (!sdei_vcpu_stat(&pair->svm, 1, "blocking"))
			host_yield();
	} else {
		while (READ_ONCE(*guest_ptr(&pair->svm, spins)) < was + 2)
			host_yield();
	}
}

/* Run a vCPU to its GUEST_DONE(). */
static void host_run(struct kvm_vcpu *vcpu, struct pair *pair)
{
	struct ucall uc;

	for (;;) {
		vcpu_run(vcpu);
		if (vcpu->run->exit_reason == KVM_EXIT_MMIO &&
		    vcpu->run->mmio.phys_addr == UNMAPPED_GPA) {
			memset(vcpu->run->mmio.data, 0,
			       sizeof(vcpu->run->mmio.data));
			continue;
		}
		switch (get_ucall(vcpu, &uc)) {
		case UCALL_SYNC:
			if (!uc.args[0]) {
				host_wait_target(pair);
				break;
			}
			/* The guest has the strings where the host has them. */
			TEST_ASSERT(uc.args[4], "%s answered %ld",
				    (char *)uc.args[0], (long)uc.args[5]);
			host_report((char *)uc.args[2], (char *)uc.args[0],
				    (char *)uc.args[1],
				    addr_gva2hva(vcpu->vm, uc.args[3]));
			break;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
			break;
		case UCALL_DONE:
			return;
		default:
			TEST_FAIL("Unexpected exit %s",
				  exit_reason_str(vcpu->run->exit_reason));
		}
	}
}

/*
 * With a GIC in the kernel, as real VMs have it: a vCPU without one makes KVM
 * look after its timer for the VMM on each and every exit.
 */
static int host_finish_vm(struct kvm_vm *vm, unsigned int nr_vcpus)
{
	int gic_fd = vgic_v3_setup(vm, nr_vcpus, 64);

	TEST_ASSERT(gic_fd >= 0, "There is no GICv3 for the guest");
	virt_map(vm, UNMAPPED_GPA, UNMAPPED_GPA, 1);
	sync_global_to_guest(vm, nr_samples);

	return gic_fd;
}

/* Run guest code for one vCPU in a VM of its own. */
static void host_run_guest(bool sdei, void *guest_code)
{
	struct kvm_vm *vm = sdei_new_vm(1);
	struct kvm_vcpu *vcpu;
	int gic_fd;

	if (sdei)
		vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
	vcpu = vm_vcpu_add(vm, 0, guest_code);
	vcpu_args_set(vcpu, 1, (uint64_t)sdei);
	gic_fd = host_finish_vm(vm, 1);
	host_run(vcpu, NULL);
	close(gic_fd);
	kvm_vm_free(vm);
}

/* An ioctl with the counter read right before and right after it */
static struct measurement host_ioctl(int fd, uint64_t request, const void *arg)
{
	register uint64_t x0 asm("x0") = fd;
	register uint64_t x1 asm("x1") = request;
	register uint64_t x2 asm("x2") = (uint64_t)arg;
	register uint64_t x8 asm("x8") = __NR_ioctl;
	register uint64_t x9 asm("x9");
	register uint64_t x10 asm("x10");
	struct measurement m;

	asm volatile(STAMP("x9") "svc #0\n\t" STAMP("x10") "yield"
		     : "+r" (x0), "=&r" (x9), "=&r" (x10)
		     : "r" (x1), "r" (x2), "r" (x8)
		     : "memory");
	/* Before a function call that may use these registers */
	m = (struct measurement) { .ret = x0, .sent = x9, .returned = x10 };
	TEST_ASSERT(m.ret >= 0, "ioctl: %s", strerror(-m.ret));

	return m;
}

static struct measurement host_inject(struct kvm_vm *vm, uint64_t mpidr)
{
	struct kvm_arm_sdei_inject inject = {
		.mpidr	= mpidr,
		.event	= EV_SOFT,
	};
	struct kvm_device_attr attr = {
		.group	= KVM_ARM_VM_SDEI_CTRL,
		.attr	= KVM_ARM_VM_SDEI_INJECT,
		.addr	= (uint64_t)&inject,
	};

	return host_ioctl(vm->fd, KVM_SET_DEVICE_ATTR, &attr);
}

/* The floor of what the VMM asks for: next to nothing happens in KVM. */
static void host_measure_ioctl(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct measurement m;

	for (int i = 0; i < nr_samples; i++) {
		m = host_ioctl(vm->fd, KVM_CHECK_EXTENSION,
			       (void *)KVM_CAP_USER_MEMORY);
		samples[i] = m.returned - m.sent;
	}
	host_report("vmm", "KVM_CHECK_EXTENSION by the VMM", "", samples);
	kvm_vm_free(vm);
}

/* What finds the last of many vCPUs by its MPIDR */
static void host_measure_many(unsigned int nr_vcpus)
{
	struct kvm_vcpu **vcpus = calloc(nr_vcpus, sizeof(*vcpus)), *last;
	struct kvm_vm *vm = sdei_new_vm(nr_vcpus);
	struct measurement m;
	uint64_t mpidr;
	char name[64];
	int gic_fd;

	TEST_ASSERT(vcpus, "calloc() failed");
	vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
	for (unsigned int i = 0; i < nr_vcpus; i++)
		vcpus[i] = vm_vcpu_add(vm, i, guest_register_only);
	last = vcpus[nr_vcpus - 1];
	mpidr = sdei_get_reg(last, KVM_ARM64_SYS_REG(SYS_MPIDR_EL1));
	gic_fd = host_finish_vm(vm, nr_vcpus);
	host_run(last, NULL);

	snprintf(name, sizeof(name), "EVENT_SIGNAL to the last of %u vCPUs",
		 nr_vcpus);
	vcpu_arch_set_entry_point(vcpus[0], guest_signal_last);
	vcpu_args_set(vcpus[0], 2, mpidr, name);
	host_run(vcpus[0], NULL);

	for (int i = 0; i < nr_samples; i++) {
		m = host_inject(vm, mpidr);
		samples[i] = m.returned - m.sent;
	}
	snprintf(name, sizeof(name), "injection into the last of %u vCPUs",
		 nr_vcpus);
	host_report("event", name, "", samples);

	close(gic_fd);
	kvm_vm_free(vm);
	free(vcpus);
}

static void pin_to_cpu(int cpu)
{
	cpu_set_t mask;

	CPU_ZERO(&mask);
	CPU_SET(cpu, &mask);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(mask), &mask),
		    "Pinning to CPU %d: %s", cpu, strerror(errno));
}

static void *host_target_thread(void *data)
{
	struct pair *pair = data;

	pin_to_cpu(1);
	host_run(pair->svm.vcpu[1], NULL);
	return NULL;
}

/* Two vCPUs, @target being the code of the second one */
static void host_start_pair(struct pair *pair, bool sdei, bool sleeps,
			    void *target, pthread_t *thread)
{
	struct kvm_arm_counter_offset offset = {};
	struct sdei_vm *svm = &pair->svm;

	*pair = (struct pair) { .sleeps = sleeps };
	svm->vm = sdei_new_vm(2);
	vm_init_descriptor_tables(svm->vm);
	if (sdei)
		vm_enable_cap(svm->vm, KVM_CAP_ARM_SDEI, 0);
	sdei_vcpu_add(svm, 0, guest_send);
	sdei_vcpu_add(svm, 1, target);
	pair->gic_fd = host_finish_vm(svm->vm, 2);
	/* KVM is not to wait in a loop before a vCPU sleeps. */
	vm_enable_cap(svm->vm, KVM_CAP_HALT_POLL, 0);
	/* The guest's counter is the host's. */
	vm_ioctl(svm->vm, KVM_ARM_SET_COUNTER_OFFSET, &offset);

	vcpu_args_set(svm->vcpu[1], 1, (uint64_t)sleeps);
	TEST_ASSERT(!pthread_create(thread, NULL, host_target_thread, pair),
		    "pthread_create() failed");
}

/* The target has been told to stop. */
static void host_end_pair(struct pair *pair, pthread_t thread)
{
	TEST_ASSERT(!pthread_join(thread, NULL), "pthread_join() failed");
	close(pair->gic_fd);
	sdei_vm_free(&pair->svm);
}

static void host_measure_sgi(bool sdei, bool sleeps, const char *name,
			     const char *name_until)
{
	struct pair pair;
	pthread_t thread;

	host_start_pair(&pair, sdei, sleeps, guest_take_sgis, &thread);
	vcpu_args_set(pair.svm.vcpu[0], 4, 1ul, 0ul, name, name_until);
	host_run(pair.svm.vcpu[0], &pair);

	host_end_pair(&pair, thread);
}

static void host_measure_event(bool sleeps, const char *name,
			       const char *name_until, const char *inject,
			       const char *inject_until)
{
	struct measurement m;
	struct pair pair;
	pthread_t thread;
	uint64_t *at;

	host_start_pair(&pair, true, sleeps, guest_take_events, &thread);
	vcpu_args_set(pair.svm.vcpu[0], 4, 0ul, pair.svm.mpidr[1], name,
		      name_until);
	host_run(pair.svm.vcpu[0], &pair);

	at = guest_ptr(&pair.svm, arrived);
	for (int i = 0; i < nr_samples; i++) {
		host_wait_target(&pair);
		WRITE_ONCE(*at, 0);
		m = host_inject(pair.svm.vm, pair.svm.mpidr[1]);
		while (!READ_ONCE(*at))
			host_yield();
		samples[i] = m.returned - m.sent;
		far_samples[i] = *at - m.sent;
	}
	host_report("event", inject, "", samples);
	host_report("event", inject_until, "", far_samples);

	host_wait_target(&pair);
	WRITE_ONCE(*guest_ptr(&pair.svm, stop), 1);
	sdei_inject(&pair.svm, 1, EV_SOFT);
	host_end_pair(&pair, thread);
}

int main(int argc, char *argv[])
{
	bool has_sdei;
	int opt;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		TEST_ASSERT(opt == 'n', "Usage: %s [-n samples]", argv[0]);
		nr_samples = atoi_positive("Number of samples", optarg);
		TEST_ASSERT(nr_samples <= MAX_SAMPLES, "At most %d samples",
			    MAX_SAMPLES);
	}
	TEST_ASSERT(get_nprocs() >= 2, "Two CPUs are needed, there is %d",
		    get_nprocs());
	pin_to_cpu(0);

	has_sdei = kvm_check_cap(KVM_CAP_ARM_SDEI) > 0;
	host_run_guest(false, guest_calibrate);
	host_run_guest(false, guest_without_sdei);
	host_measure_ioctl();
	host_run_guest(has_sdei, guest_one_vcpu);
	host_measure_sgi(has_sdei, false, "SGI to a vCPU that spins",
			 "SGI to a vCPU that spins, until it is taken");
	host_measure_sgi(has_sdei, true, "SGI to a vCPU in WFI",
			 "SGI to a vCPU in WFI, until it is taken");
	if (!has_sdei)
		return 0;

	host_measure_event(false, "EVENT_SIGNAL to a vCPU that spins",
			   "EVENT_SIGNAL to a vCPU that spins, until its handler",
			   "injection into a vCPU that spins",
			   "injection into a vCPU that spins, until its handler");
	host_measure_event(true, "EVENT_SIGNAL to a vCPU in WFI",
			   "EVENT_SIGNAL to a vCPU in WFI, until its handler",
			   "injection into a vCPU in WFI",
			   "injection into a vCPU in WFI, until its handler");
	host_measure_many(2);
	host_measure_many(8);
	host_measure_many(64);
	host_measure_many(256);

	return 0;
}
