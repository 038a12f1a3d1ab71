// SPDX-License-Identifier: GPL-2.0
/*
 * sdei_bench - what each SDEI call and a whole event cost
 *
 * Every figure is the median of many single measurements of the virtual
 * counter, less the cost of reading it twice. On real hardware that is time;
 * where the host is emulated with one instruction per counter tick it is the
 * exact number of instructions, guest and host together.
 *
 * Prints one line per operation, "bench NAME TICKS". Without KVM_CAP_ARM_SDEI
 * only the operations that have nothing to do with SDEI are measured, so that
 * two kernels can be compared.
 *
 * -n: number of measurements of each operation
 */
#include <getopt.h>
#include <stdlib.h>

#include <linux/arm-smccc.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "vgic.h"

#ifndef KVM_CAP_ARM_SDEI
#define KVM_CAP_ARM_SDEI	0x53444549
#endif

/* DEN0054C, section 5.1; the kernel's header has no numbers for all of them */
#define SDEI_FN(n)		(0xc4000020 + (n))
#define SDEI_VERSION		SDEI_FN(0x00)
#define SDEI_EVENT_REGISTER	SDEI_FN(0x01)
#define SDEI_EVENT_ENABLE	SDEI_FN(0x02)
#define SDEI_EVENT_DISABLE	SDEI_FN(0x03)
#define SDEI_EVENT_CONTEXT	SDEI_FN(0x04)
#define SDEI_EVENT_COMPLETE	SDEI_FN(0x05)
#define SDEI_EVENT_RESUME	SDEI_FN(0x06)
#define SDEI_EVENT_UNREGISTER	SDEI_FN(0x07)
#define SDEI_EVENT_STATUS	SDEI_FN(0x08)
#define SDEI_EVENT_GET_INFO	SDEI_FN(0x09)
#define SDEI_ROUTING_SET	SDEI_FN(0x0a)
#define SDEI_PE_MASK		SDEI_FN(0x0b)
#define SDEI_PE_UNMASK		SDEI_FN(0x0c)
#define SDEI_INTERRUPT_BIND	SDEI_FN(0x0d)
#define SDEI_INTERRUPT_RELEASE	SDEI_FN(0x0e)
#define SDEI_EVENT_SIGNAL	SDEI_FN(0x0f)
#define SDEI_FEATURES		SDEI_FN(0x10)
#define SDEI_PRIVATE_RESET	SDEI_FN(0x11)
#define SDEI_SHARED_RESET	SDEI_FN(0x12)

#define SDEI_DENIED		(-3)
#define SDEI_INVALID		(-2)
#define SDEI_OUT_OF_RESOURCE	(-10)

#define MAX_SAMPLES		2001
#define UNMAPPED_GPA		0xb0000000ul

/*
 * A first use of the FP registers costs an exit of its own, so the compiler
 * must not put them into anything that is measured.
 */
#define __guest			__attribute__((target("general-regs-only")))

static int nr_samples = 501;
static bool has_sdei;
static uint64_t samples[MAX_SAMPLES];
static uint64_t in_handler;

static __guest __always_inline uint64_t counter(void)
{
	uint64_t v;

	asm volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r" (v) :: "memory");
	return v;
}

static __guest __always_inline int64_t call3(uint64_t fn, uint64_t a1,
					     uint64_t a2, uint64_t a3)
{
	register uint64_t x0 asm("x0") = fn;
	register uint64_t x1 asm("x1") = a1;
	register uint64_t x2 asm("x2") = a2;
	register uint64_t x3 asm("x3") = a3;
	register uint64_t x4 asm("x4") = 0;
	register uint64_t x5 asm("x5") = 0;

	asm volatile("hvc #0"
		     : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3)
		     : "r" (x4), "r" (x5)
		     : "memory");
	return x0;
}

#define call0(fn)		call3(fn, 0, 0, 0)
#define call1(fn, a)		call3(fn, a, 0, 0)
#define call2(fn, a, b)		call3(fn, a, b, 0)

/*
 * Handlers: leaf functions of nothing but the instructions below, so that the
 * compiler adds none of its own. The first is the shortest there is.
 */
static __guest void bench_handler(void)
{
	asm volatile("movz	x0, #0x0025\n\t"
		     "movk	x0, #0xc400, lsl #16\n\t"
		     "mov	x1, xzr\n\t"
		     "hvc	#0");
	__builtin_unreachable();
}

/* The same, measuring EVENT_CONTEXT on its way; x1 is &in_handler */
static __guest void bench_context_handler(void)
{
	asm volatile("mov	x19, x1\n\t"
		     "movz	x0, #0x0024\n\t"
		     "movk	x0, #0xc400, lsl #16\n\t"
		     "mov	x1, xzr\n\t"
		     "isb\n\t"
		     "mrs	x20, cntvct_el0\n\t"
		     "isb\n\t"
		     "hvc	#0\n\t"
		     "isb\n\t"
		     "mrs	x21, cntvct_el0\n\t"
		     "isb\n\t"
		     "sub	x20, x21, x20\n\t"
		     "str	x20, [x19]\n\t"
		     "movz	x0, #0x0025\n\t"
		     "movk	x0, #0xc400, lsl #16\n\t"
		     "mov	x1, xzr\n\t"
		     "hvc	#0");
	__builtin_unreachable();
}

/* For an operation that needs no preparation, or no tidying up */
#define NOTHING		do { } while (0)

/*
 * MEASURE - take nr_samples samples of one operation and hand them to the host
 *
 * @name:	of the operation
 * @before:	statement that prepares it, not measured
 * @op:		expression to measure
 * @want:	value that @op must have
 * @after:	statement that tidies up, not measured
 */
#define MEASURE(name, before, op, want, after)				\
do {									\
	int64_t __ret = 0, __want = (want);				\
									\
	for (int __i = 0; __i < nr_samples; __i++) {			\
		uint64_t __t0, __t1;					\
									\
		before;							\
		__t0 = counter();					\
		__ret = (op);						\
		__t1 = counter();					\
		if (__ret != __want)					\
			break;						\
		after;							\
		samples[__i] = __t1 - __t0;				\
	}								\
	ucall(UCALL_SYNC, 3, (uint64_t)(name), __ret == __want, __ret);	\
} while (0)

static __guest int64_t id_register(void)
{
	uint64_t v;

	/* Trapped and emulated by every KVM there is */
	asm volatile("mrs %0, id_aa64mmfr0_el1" : "=r" (v));
	return 0;
}

static __guest int64_t mmio_read(void)
{
	READ_ONCE(*(uint32_t *)UNMAPPED_GPA);
	return 0;
}

/* EVENT_SIGNAL to a handler that spoils what COMPLETE does not restore */
static __guest void signal_context(uint64_t mpidr)
{
	register uint64_t x0 asm("x0") = SDEI_EVENT_SIGNAL;
	register uint64_t x1 asm("x1") = 0;
	register uint64_t x2 asm("x2") = mpidr;

	asm volatile("hvc #0" : "+r" (x0), "+r" (x1), "+r" (x2) ::
		     "x3", "x19", "x20", "x21", "memory");
}

static __guest void bench_sdei(void)
{
	uint64_t mpidr = read_sysreg(mpidr_el1) & 0xff00fffffful;
	uint64_t entry = (uint64_t)bench_handler;
	int64_t registered = 1, enabled = 3;

	MEASURE("VERSION", NOTHING, call0(SDEI_VERSION) >> 32, 0x10001, NOTHING);
	MEASURE("FEATURES", NOTHING, call1(SDEI_FEATURES, 1), 1, NOTHING);
	MEASURE("EVENT_GET_INFO", NOTHING, call2(SDEI_EVENT_GET_INFO, 0, 2), 0,
		NOTHING);
	MEASURE("EVENT_REGISTER", NOTHING, call3(SDEI_EVENT_REGISTER, 0, entry, 0), 0,
		call1(SDEI_EVENT_UNREGISTER, 0));
	MEASURE("EVENT_UNREGISTER",
		call3(SDEI_EVENT_REGISTER, 0, entry, 0),
		call1(SDEI_EVENT_UNREGISTER, 0), 0, NOTHING);
	MEASURE("INTERRUPT_BIND", NOTHING, call1(SDEI_INTERRUPT_BIND, 32),
		SDEI_OUT_OF_RESOURCE, NOTHING);
	MEASURE("INTERRUPT_RELEASE", NOTHING, call1(SDEI_INTERRUPT_RELEASE, 0),
		SDEI_INVALID, NOTHING);
	MEASURE("EVENT_ROUTING_SET", NOTHING, call3(SDEI_ROUTING_SET, 0, 0, 0),
		SDEI_INVALID, NOTHING);
	MEASURE("EVENT_COMPLETE (denied)", NOTHING, call1(SDEI_EVENT_COMPLETE, 0),
		SDEI_DENIED, NOTHING);
	MEASURE("EVENT_COMPLETE_AND_RESUME (denied)", NOTHING,
		call1(SDEI_EVENT_RESUME, entry), SDEI_DENIED, NOTHING);
	MEASURE("PRIVATE_RESET", NOTHING, call0(SDEI_PRIVATE_RESET), 0, NOTHING);
	MEASURE("SHARED_RESET", NOTHING, call0(SDEI_SHARED_RESET), 0, NOTHING);
	MEASURE("PE_UNMASK", call0(SDEI_PE_MASK), call0(SDEI_PE_UNMASK), 0, NOTHING);
	MEASURE("PE_MASK", call0(SDEI_PE_UNMASK), call0(SDEI_PE_MASK), 1, NOTHING);

	call3(SDEI_EVENT_REGISTER, 0, entry, 0);
	MEASURE("EVENT_STATUS", NOTHING, call1(SDEI_EVENT_STATUS, 0),
		registered, NOTHING);
	MEASURE("EVENT_ENABLE", NOTHING, call1(SDEI_EVENT_ENABLE, 0), 0,
		call1(SDEI_EVENT_DISABLE, 0));
	MEASURE("EVENT_DISABLE", call1(SDEI_EVENT_ENABLE, 0),
		call1(SDEI_EVENT_DISABLE, 0), 0, NOTHING);
	MEASURE("EVENT_SIGNAL (kept pending)", NOTHING,
		call2(SDEI_EVENT_SIGNAL, 0, mpidr), 0,
		(call1(SDEI_EVENT_UNREGISTER, 0),
		 call3(SDEI_EVENT_REGISTER, 0, entry, 0)));

	call1(SDEI_EVENT_ENABLE, 0);
	call0(SDEI_PE_UNMASK);
	MEASURE("EVENT_STATUS (enabled)", NOTHING, call1(SDEI_EVENT_STATUS, 0),
		enabled, NOTHING);
	MEASURE("round trip", NOTHING, call2(SDEI_EVENT_SIGNAL, 0, mpidr), 0, NOTHING);
	call1(SDEI_EVENT_UNREGISTER, 0);

	call3(SDEI_EVENT_REGISTER, 0, (uint64_t)bench_context_handler,
	      (uint64_t)&in_handler);
	call1(SDEI_EVENT_ENABLE, 0);
	for (int i = 0; i < nr_samples; i++) {
		in_handler = 0;
		signal_context(mpidr);
		barrier();
		samples[i] = in_handler;
	}
	ucall(UCALL_SYNC, 3, (uint64_t)"EVENT_CONTEXT", in_handler != 0, 0);
	call1(SDEI_EVENT_UNREGISTER, 0);
}

static __guest void guest_code(void)
{
	MEASURE("nothing", NOTHING, 0, 0, NOTHING);
	MEASURE("SMCCC_VERSION", NOTHING,
		call0(ARM_SMCCC_VERSION_FUNC_ID) >= 0x10001, 1, NOTHING);
	MEASURE("ID register", NOTHING, id_register(), 0, NOTHING);
	MEASURE("MMIO to the VMM", NOTHING, mmio_read(), 0, NOTHING);
	if (has_sdei)
		bench_sdei();
	GUEST_DONE();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(struct kvm_vm *vm)
{
	sync_global_from_guest(vm, samples);
	qsort(samples, nr_samples, sizeof(samples[0]), compare);
	return samples[nr_samples / 2];
}

int main(int argc, char *argv[])
{
	uint64_t nothing = 0;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	bool done = false;
	int opt, gic_fd;
	struct ucall uc;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		TEST_ASSERT(opt == 'n', "Usage: %s [-n samples]", argv[0]);
		nr_samples = atoi_positive("Number of samples", optarg);
		TEST_ASSERT(nr_samples <= MAX_SAMPLES, "At most %d samples",
			    MAX_SAMPLES);
	}

	vm = vm_create(1);
	has_sdei = kvm_check_cap(KVM_CAP_ARM_SDEI) > 0;
	if (has_sdei)
		vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
	vcpu = vm_vcpu_add(vm, 0, guest_code);
	/*
	 * With a GIC in the kernel, as real VMs have it: a vCPU without one makes
	 * KVM look after its timer for the VMM on each and every exit.
	 */
	gic_fd = vgic_v3_setup(vm, 1, 64);
	__TEST_REQUIRE(gic_fd >= 0, "Failed to create a GICv3");
	virt_map(vm, UNMAPPED_GPA, UNMAPPED_GPA, 1);

	sync_global_to_guest(vm, nr_samples);
	sync_global_to_guest(vm, has_sdei);

	while (!done) {
		uint64_t m;
		char *name;

		vcpu_run(vcpu);
		if (vcpu->run->exit_reason == KVM_EXIT_MMIO &&
		    vcpu->run->mmio.phys_addr == UNMAPPED_GPA) {
			memset(vcpu->run->mmio.data, 0,
			       sizeof(vcpu->run->mmio.data));
			continue;
		}
		switch (get_ucall(vcpu, &uc)) {
		case UCALL_SYNC:
			name = addr_gva2hva(vm, uc.args[0]);
			TEST_ASSERT(uc.args[1], "%s answered %ld", name,
				    (long)uc.args[2]);
			m = median(vm);
			if (!strcmp(name, "nothing"))
				nothing = m;
			else
				printf("bench %s: %lu\n", name,
				       (unsigned long)(m - nothing));
			break;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
			break;
		case UCALL_DONE:
			done = true;
			break;
		default:
			TEST_FAIL("Unexpected exit %s",
				  exit_reason_str(vcpu->run->exit_reason));
		}
	}

	close(gic_fd);
	kvm_vm_free(vm);
	return 0;
}
