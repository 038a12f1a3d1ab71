/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for the tests of KVM's SDEI (Software Delegated Exception Interface,
 * Arm DEN0054) dispatcher.
 *
 * There are two ways to drive a guest:
 *
 *  - Guest code written in C. It makes its calls with sdei_call(); events that
 *    it registered with sdei_guest_entry as the entry point end in the function
 *    that sdei_guest_handler points to.
 *
 *  - A puppet: a vCPU whose registers the host sets, and whose code is a few
 *    instructions that stop in a BRK. It shows every register at the first
 *    instruction of a handler and at the first one after its completion.
 */
#ifndef SELFTEST_KVM_SDEI_H
#define SELFTEST_KVM_SDEI_H

#include <pthread.h>
#include <sched.h>

#include <linux/arm_sdei.h>

#include "kvm_util.h"
#include "processor.h"

/* Function numbers, to be added to SDEI_1_0_FN_BASE */
enum sdei_fn {
	SDEI_VERSION,
	SDEI_EVENT_REGISTER,
	SDEI_EVENT_ENABLE,
	SDEI_EVENT_DISABLE,
	SDEI_EVENT_CONTEXT,
	SDEI_EVENT_COMPLETE,
	SDEI_EVENT_COMPLETE_AND_RESUME,
	SDEI_EVENT_UNREGISTER,
	SDEI_EVENT_STATUS,
	SDEI_EVENT_GET_INFO,
	SDEI_EVENT_ROUTING_SET,
	SDEI_PE_MASK,
	SDEI_PE_UNMASK,
	SDEI_INTERRUPT_BIND,
	SDEI_INTERRUPT_RELEASE,
	SDEI_EVENT_SIGNAL,
	SDEI_FEATURES,
	SDEI_PRIVATE_RESET,
	SDEI_SHARED_RESET,
	SDEI_NR_FNS,
};

/* EVENT_STATUS results */
#define SDEI_REGISTERED			BIT(SDEI_EVENT_STATUS_REGISTERED)
#define SDEI_ENABLED			BIT(SDEI_EVENT_STATUS_ENABLED)
#define SDEI_RUNNING			BIT(SDEI_EVENT_STATUS_RUNNING)

/* The events of the test VMs: exposed by the VMM, but for event 0 */
#define EV_SOFT				0
#define EV_CRITICAL			0x40000003
#define EV_NORMAL			0x40000042
#define EV_CRITICAL_2			0x40fffffe
#define EV_NORMAL_2			0x40ffffff

/* Reserved for KVM: in the vendor range, but never for the VMM to expose */
#define EV_ASYNC_PF			0x40400001

/* The pseudo-registers. Slots are in the order of event numbers. */
enum sdei_slot {
	SLOT_SOFT,
	SLOT_CRITICAL,
	SLOT_NORMAL,
	SLOT_CRITICAL_2,
	SLOT_NORMAL_2,
	NR_SLOTS,
};

/* Short names for what <asm/kvm.h> has */
#define SDEI_REG_PE			KVM_REG_ARM_SDEI_PE
#define SDEI_REG_EVENT			KVM_REG_ARM_SDEI_EVENT
#define SDEI_REG_CTX			KVM_REG_ARM_SDEI_CTXT

#define SDEI_F_INFO			KVM_REG_ARM_SDEI_EVENT_INFO
#define SDEI_F_STATE			KVM_REG_ARM_SDEI_EVENT_STATE
#define SDEI_F_ENTRY			KVM_REG_ARM_SDEI_EVENT_ENTRY
#define SDEI_F_ARG			KVM_REG_ARM_SDEI_EVENT_ARG

#define SDEI_CTX_PC			KVM_REG_ARM_SDEI_CTXT_PC
#define SDEI_CTX_PSTATE			KVM_REG_ARM_SDEI_CTXT_PSTATE
#define SDEI_CTX_RUNNING		KVM_REG_ARM_SDEI_CTXT_RUNNING
#define SDEI_NR_CTX_REGS		21

#define SDEI_PE_MASKED			KVM_REG_ARM_SDEI_PE_MASKED
#define SDEI_ST_REGISTERED		KVM_REG_ARM_SDEI_STATE_REGISTERED
#define SDEI_ST_ENABLED			KVM_REG_ARM_SDEI_STATE_ENABLED
#define SDEI_ST_PENDING			KVM_REG_ARM_SDEI_STATE_PENDING
#define SDEI_ST_RELATIVE		KVM_REG_ARM_SDEI_STATE_RELATIVE

static inline bool sdei_is_sdei_reg(uint64_t id)
{
	return (id & ~0xffffull) == KVM_REG_ARM_SDEI_REG(0);
}

/*
 * Guest side
 */

enum sdei_conduit {
	SDEI_HVC,
	SDEI_SMC,
};

/* The conduit of every call of the guest, completions included */
extern enum sdei_conduit sdei_conduit;

struct sdei_smccc_regs {
	uint64_t x[18];
};

/* Load x0..x17, call, store x0..x17. */
void sdei_smccc(struct sdei_smccc_regs *regs, uint64_t conduit);

int64_t __sdei_call(uint64_t x0, const uint64_t *args);

/*
 * Make the SDEI call @fn with up to five arguments, and check the registers
 * that no call may change.
 */
#define sdei_call(fn, ...)						\
	__sdei_call(SDEI_1_0_FN_BASE + (fn), (const uint64_t[5]) { __VA_ARGS__ })

/* What sdei_guest_entry saves; the layout is known to sdei_entry.S. */
struct sdei_frame {
	uint64_t x[31];
	uint64_t sp;
	uint64_t elr_el1;
	uint64_t spsr_el1;
	uint64_t esr_el1;
	uint64_t sp_el0;
	/* The call that ends the handler, by default EVENT_COMPLETE(0) */
	uint64_t fn;
	uint64_t arg;
	uint64_t conduit;
	uint64_t pad;
	__uint128_t v[32];
};

kvm_static_assert(sizeof(struct sdei_frame) == 832);
kvm_static_assert(offsetof(struct sdei_frame, fn) == 288);

/* An event handler in C, called with the interrupted registers */
typedef void (*sdei_handler_fn)(struct sdei_frame *frame);

extern sdei_handler_fn sdei_guest_handler;

/* The entry point to register: saves, calls sdei_guest_handler, completes */
void sdei_guest_entry(void);

/*
 * An address for EVENT_COMPLETE_AND_RESUME: calls sdei_guest_resumed with the
 * registers at its first instruction, then returns from the exception that
 * EVENT_COMPLETE_AND_RESUME made of the event.
 */
void sdei_guest_resume(void);

extern void (*sdei_guest_resumed)(struct ex_regs *regs);

static inline uint64_t sdei_guest_mpidr(void)
{
	return read_sysreg(mpidr_el1);
}

static inline int64_t sdei_register(uint64_t event, uint64_t arg)
{
	return sdei_call(SDEI_EVENT_REGISTER, event,
			 (uint64_t)sdei_guest_entry, arg, 0, 0);
}

static inline int64_t sdei_signal_self(void)
{
	return sdei_call(SDEI_EVENT_SIGNAL, EV_SOFT, sdei_guest_mpidr());
}

/*
 * Make each call once that KVM can serve without leaving for its run loop, which
 * it does from the second time on. The PE is in its reset state, and stays there.
 */
void sdei_guest_warm_up(void);

/* Register and enable @event; @handler serves every event of the guest. */
void sdei_guest_setup(uint64_t event, uint64_t arg, sdei_handler_fn handler);

/* Make the VMM inject @event into this vCPU: it is pending at the next entry. */
void sdei_guest_ask_inject(uint64_t event);

/* Trigger an event on this PE, by EVENT_SIGNAL if it is the one for that. */
void sdei_guest_trigger(uint64_t event);

#define GUEST_ASSERT_STATUS(event, want)				\
do {									\
	uint64_t __event = (event);					\
	int64_t __want = (want);					\
	int64_t __status = sdei_call(SDEI_EVENT_STATUS, __event);	\
									\
	__GUEST_ASSERT(__status == __want,				\
		       "EVENT_STATUS(0x%lx) is %ld, want %ld",		\
		       (long)__event, (long)__status, (long)__want);	\
} while (0)

#define GUEST_ASSERT_CALL(want, fn, ...)				\
do {									\
	int64_t __want = (want);					\
	int64_t __ret = sdei_call(fn, ##__VA_ARGS__);			\
									\
	__GUEST_ASSERT(__ret == __want, "%s(%s) is %ld, want %ld",	\
		       #fn, #__VA_ARGS__, (long)__ret, (long)__want);	\
} while (0)

/*
 * Host side
 */

#define SDEI_MAX_VCPUS			8

/* A stage that guest code reports with GUEST_SYNC() must be below these. */
#define SDEI_ASK_INJECT			0x53440001
#define SDEI_STAGE_DONE			UINT64_MAX

struct sdei_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu[SDEI_MAX_VCPUS];
	uint64_t mpidr[SDEI_MAX_VCPUS];
	int stats_fd[SDEI_MAX_VCPUS];
	unsigned int nr_vcpus;
};

/* What later kernels' libraries have by other names */
static inline uint64_t sdei_alloc_gva(struct kvm_vm *vm, size_t size)
{
	return vm_vaddr_alloc(vm, size, KVM_UTIL_MIN_VADDR);
}

static inline uint64_t sdei_unused_gva(struct kvm_vm *vm, size_t size)
{
	return vm_vaddr_unused_gap(vm, size, KVM_UTIL_MIN_VADDR);
}

/* A VM without vCPUs and, unless the test makes one, without a GIC */
static inline struct kvm_vm *sdei_new_vm(unsigned int nr_vcpus)
{
	return vm_create(nr_vcpus);
}

struct kvm_vcpu_init sdei_vcpu_init(struct kvm_vm *vm);
int __sdei_expose(struct kvm_vm *vm, uint32_t event, uint32_t priority);
int __sdei_inject(struct kvm_vm *vm, uint64_t mpidr, uint32_t event);
void sdei_inject(struct sdei_vm *svm, unsigned int vcpu, uint32_t event);

/* Enable SDEI on @vm and expose the events of the test VMs. */
void sdei_vm_setup(struct kvm_vm *vm);
/* Add vCPU @id, which starts in @guest_code. */
void sdei_vcpu_add(struct sdei_vm *svm, unsigned int id, void *guest_code);
/* All of it, with @nr_vcpus vCPUs. */
void sdei_vm_create(struct sdei_vm *svm, unsigned int nr_vcpus,
		    enum sdei_conduit conduit, void *guest_code);
void sdei_vm_free(struct sdei_vm *svm);

/*
 * Run the vCPU until its next GUEST_SYNC(), whose stage is returned, or
 * GUEST_DONE(), and serve what guest code asks the VMM for. A failed guest
 * assertion ends the test.
 */
uint64_t sdei_run(struct sdei_vm *svm, unsigned int vcpu);

/* Run guest function @fn on vCPU 0 of a fresh VM, to its end. */
void sdei_run_guest(enum sdei_conduit conduit, void (*fn)(void));

/*
 * Prepare PSCI CPU_ON of @vcpu, to start in @guest_code with the MMU on and the
 * stack it has. The entry point and context are for guest code to use.
 */
void sdei_prepare_cpu_on(struct sdei_vm *svm, unsigned int vcpu, void *guest_code);

extern char sdei_cpu_on_entry[], sdei_cpu_on_entry_end[];
extern uint64_t sdei_cpu_on_pa[SDEI_MAX_VCPUS];
extern uint64_t sdei_cpu_on_context_pa[SDEI_MAX_VCPUS];

/* Run a vCPU in a thread of its own, to its GUEST_DONE(). */
void sdei_run_thread(struct sdei_vm *svm, unsigned int vcpu, pthread_t *thread);

/* A global of the guest, as the host sees it */
#define guest_ptr(svm, var)						\
	((typeof(var) *)addr_gva2hva((svm)->vm, (uint64_t)&(var)))

/* Wait for a state of the guest or of KVM; the harness has the time-out. */
#define host_wait_for(cond)						\
do {									\
	while (!(cond))							\
		sched_yield();						\
} while (0)

/* One of a vCPU's binary statistics, e.g. "blocking", at any time */
uint64_t sdei_vcpu_stat(struct sdei_vm *svm, unsigned int vcpu, const char *name);

uint64_t sdei_get_reg(struct kvm_vcpu *vcpu, uint64_t id);
/* Returns 0 or a negative error number. */
int sdei_set_reg(struct kvm_vcpu *vcpu, uint64_t id, uint64_t val);

/*
 * Puppets
 */

/* Offsets of the instructions of a puppet, in a page that EL0 can execute too */
enum puppet_text {
	PUPPET_HVC	= 0x000,	/* HVC; BRK */
	PUPPET_SMC	= 0x010,	/* SMC; BRK */
	PUPPET_STOP	= 0x020,	/* BRK */
	PUPPET_NOPS	= 0x030,	/* NOP; NOP; NOP; BRK */
	PUPPET_LDR	= 0x040,	/* LDR x5, [x4]; BRK */
	PUPPET_ENTRY	= 0x050,	/* BRK: where handlers begin */
	PUPPET_ENTRY_2	= 0x060,	/* BRK */
	PUPPET_RESUME	= 0x070,	/* BRK: where to resume */
	PUPPET_A32	= 0x080,	/* A32 BKPT */
	PUPPET_T32	= 0x092,	/* T32 BKPT, not 4-byte aligned */
	PUPPET_SPIN	= 0x0a0,	/* B . */
	/* The rest of the page is BRKs. */
};

struct puppet {
	struct sdei_vm svm;
	struct kvm_vcpu *vcpu;
	enum sdei_conduit conduit;
	uint64_t text;
	/* VBAR_EL1: a page full of BRKs */
	uint64_t vectors;
};

/* Everything that a handler may see or change of the interrupted context */
struct puppet_regs {
	uint64_t x[31];
	uint64_t sp_el0;
	uint64_t sp_el1;
	uint64_t pc;
	uint64_t pstate;
	uint64_t elr_el1;
	uint64_t spsr_el1;
	uint64_t esr_el1;
	uint64_t far_el1;
	uint64_t tpidr_el1;
	uint64_t fpsr;
	__uint128_t v[32];
};

#define PUPPET_EL1H	(PSR_MODE_EL1h | PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT)

/* Make a puppet of a new VM. */
void puppet_create(struct puppet *p, enum sdei_conduit conduit);
/* The same for a VM that the caller made, with its vCPU 0. */
void puppet_attach(struct puppet *p, enum sdei_conduit conduit);
void puppet_free(struct puppet *p);

void puppet_get(struct puppet *p, struct puppet_regs *regs);
void puppet_set(struct puppet *p, const struct puppet_regs *regs);
/* A distinct value in every register, for a context at @text in @pstate. */
void puppet_pattern(struct puppet *p, struct puppet_regs *regs,
		    enum puppet_text text, uint64_t pstate);

/* Run to the next BRK; returns the PC. */
uint64_t puppet_run(struct puppet *p);

/* Be about to make a call at EL1h. */
void puppet_set_call(struct puppet *p, uint64_t fn, const uint64_t *args);

/*
 * Make a call at EL1h. All other registers of the puppet keep their values. In
 * case the call does not come back to its BRK, puppet_call() fails the test;
 * __puppet_call() returns the PC of the BRK that was reached instead.
 */
int64_t __puppet_call_args(struct puppet *p, uint64_t fn, const uint64_t *args);
uint64_t __puppet_call_start(struct puppet *p, uint64_t fn, const uint64_t *args);

#define puppet_call(p, fn, ...)						\
	__puppet_call_args(p, SDEI_1_0_FN_BASE + (fn),			\
			   (const uint64_t[5]) { __VA_ARGS__ })
#define __puppet_call(p, fn, ...)					\
	__puppet_call_start(p, SDEI_1_0_FN_BASE + (fn),			\
			    (const uint64_t[5]) { __VA_ARGS__ })

static inline uint64_t puppet_text(struct puppet *p, enum puppet_text text)
{
	return p->text + text;
}

/* Where calls are made; they return to the instruction behind it. */
static inline uint64_t puppet_conduit(struct puppet *p)
{
	return puppet_text(p, p->conduit == SDEI_HVC ? PUPPET_HVC : PUPPET_SMC);
}

/* A suite in kselftest_harness.h's frame: each of its tests by HVC and by SMC */
#define SDEI_CONDUIT_FIXTURE(suite)					\
	FIXTURE(suite) { };						\
	FIXTURE_VARIANT(suite) {					\
		enum sdei_conduit conduit;				\
	};								\
	FIXTURE_VARIANT_ADD(suite, hvc) {				\
		.conduit = SDEI_HVC,					\
	};								\
	FIXTURE_VARIANT_ADD(suite, smc) {				\
		.conduit = SDEI_SMC,					\
	};								\
	FIXTURE_SETUP(suite) { }					\
	FIXTURE_TEARDOWN(suite) { }

/*
 * A test of a suite in kselftest_harness.h's frame, whose variants have a
 * conduit, that consists of guest code for one vCPU.
 */
#define SDEI_GUEST_TEST(suite, test)					\
	static void guest_##test(void);					\
	TEST_F(suite, test)						\
	{								\
		sdei_run_guest(variant->conduit, guest_##test);		\
	}								\
	static void guest_##test(void)

#endif /* SELFTEST_KVM_SDEI_H */
