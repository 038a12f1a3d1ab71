// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz KVM's SDEI dispatcher from the guest, and compare every register with
 * what a model of the specification says (sdei_model.h).
 *
 * The guest has neither a stack nor C code. It is a machine that takes an
 * operation from a list, loads every register with the values given there,
 * executes one instruction (HVC, SMC, a store that exits to the VMM, WFI, ERET
 * to EL0 ...), and stores every register at the next instruction that it
 * executes, wherever that is: behind the call, at a handler's entry, where
 * EVENT_COMPLETE_AND_RESUME resumes, at the interrupted code that a completion
 * goes back to, or at an exception vector. Then it takes the next operation.
 * So each operation, handlers or not, results in exactly one record, the list
 * goes on in handlers, and leaving one half way is nothing special. There are
 * many operations in a list; at its end the guest exits.
 *
 * See print_help() for the options. A run is determined by its seed.
 */
#include <asm/ptrace.h>
#include <linux/arm-smccc.h>
#include <linux/psci.h>
#include <linux/sizes.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "sdei_model.h"
#include "test_util.h"

/*
 * What guest and host share. The layouts are known to the assembly code.
 */

/* An operation: the registers to load, and the code that does it */
struct fuzz_op {
	uint64_t x[31];
	uint64_t sp_el0;
	uint64_t sp_el1;
	uint64_t loader;
	uint64_t pstate;
	uint64_t start;		/* Written by the guest: time */
};

/* A record: the registers afterwards. It begins like struct sdei_model_regs. */
struct fuzz_rec {
	uint64_t x[31];
	uint64_t sp_el0;
	uint64_t sp_el1;
	uint64_t pc;
	uint64_t pstate;
	uint64_t elr_el1;
	uint64_t spsr_el1;
	uint64_t esr_el1;
	uint64_t time;
	uint64_t pad;
};

/* The record of a handler that has interrupted the machine at its work */
struct fuzz_short_rec {
	uint64_t x[4];
	uint64_t pc;
	uint64_t time;
};

/* What TPIDR_EL1 points to */
struct fuzz_block {
	uint64_t op;
	uint64_t rec;
	uint64_t clock;
	uint64_t features;
	uint64_t short_rec[2];
	/* x27, x28, x29: of code that landed, and of each priority's handler */
	uint64_t saved[3][4];
};

#define REC_COMPARED	offsetof(struct fuzz_rec, time)

kvm_static_assert(sizeof(struct fuzz_op) == 288);
kvm_static_assert(offsetof(struct fuzz_op, sp_el0) == 248);
kvm_static_assert(offsetof(struct fuzz_op, loader) == 264);
kvm_static_assert(offsetof(struct fuzz_op, start) == 280);
kvm_static_assert(sizeof(struct fuzz_rec) == 320);
kvm_static_assert(offsetof(struct fuzz_rec, pc) == 264);
kvm_static_assert(offsetof(struct fuzz_rec, elr_el1) == 280);
kvm_static_assert(offsetof(struct fuzz_rec, time) == 304);
kvm_static_assert(offsetof(struct fuzz_rec, time) ==
		  offsetof(struct sdei_model_regs, sctlr_el1));
kvm_static_assert(sizeof(struct fuzz_short_rec) == 48);
kvm_static_assert(offsetof(struct fuzz_block, saved) == 48);

/* PSTATE fields that the vCPU has, struct fuzz_block.features */
#define HAS_PAN		BIT(0)
#define HAS_UAO		BIT(1)
#define HAS_DIT		BIT(2)
#define HAS_SSBS	BIT(3)
#define HAS_TCO		BIT(4)

/*
 * The machine.
 *
 * fuzz_points has everything that an event can find as interrupted code while
 * the machine has nothing in its hands: aligned to 32 bytes. A handler that
 * finds anything else interrupted leaves the machine alone and completes at
 * once ("short"). TPIDR_EL0, TPIDRRO_EL0 and FAR_EL1 are where code that has
 * landed and the handlers of the two priorities put x30 first.
 *
 * The banks are what VBAR_EL1 points to: vectors, and handlers at the same
 * distance from each of them, for relative mode.
 */
#define BANKS		4
#define BANK_SIZE	0x1000
#define BANK_ENTRIES	0x800
#define VECTOR_EL0_SYNC	0x400
#define STUB_SIZE	0x20
#define ENTRIES		16
#define RESUMES		8

extern char fuzz_points[], fuzz_banks[], fuzz_el0[], fuzz_el0_svc[];
extern char fuzz_hvc_land[], fuzz_smc_land[], fuzz_exit_land[], fuzz_wfi_land[];
extern char fuzz_set_land[], fuzz_start_land[], fuzz_on_land[], fuzz_resumes[];
extern char fuzz_load_hvc[], fuzz_load_smc[], fuzz_load_exit[], fuzz_load_wfi[];
extern char fuzz_load_el0[], fuzz_load_set[];
extern char fuzz_save_land[], fuzz_save_normal[], fuzz_store_normal[], fuzz_end[];
extern char fuzz_short_normal[], fuzz_short_normal_told[], fuzz_save_critical[];

asm(".altmacro\n"
"	.pushsection .text, \"ax\"\n"

/* What lands: x29 becomes its own address, x30 the block */
".macro stub scratch, saved, target\n"
"	.balign	32\n"
"	msr	\\scratch, x30\n"
"	mrs	x30, tpidr_el1\n"
"	str	x29, [x30, #(\\saved + 16)]\n"
"	adr	x29, . - 12\n"
"	b	\\target\n"
"	.balign	32\n"
".endm\n"

/* An instruction that ends right before where it lands */
".macro call name, insn:vararg\n"
"	.balign	32\n"
"	.skip	28\n"
"fuzz_\\name:\n"
"	\\insn\n"
"fuzz_\\name\\()_land:\n"
"	stub	tpidr_el0, 48, fuzz_save_land\n"
".endm\n"

"	.balign	4096\n"
"fuzz_points:\n"
"	.skip	28\n"
"fuzz_el0:\n"
"	str	x17, [x16]\n"
"fuzz_el0_svc:\n"
"	svc	#0\n"
"	b	.\n"

"	.balign	4096\n"
"	call	hvc, hvc #0\n"
"	call	smc, smc #0\n"
"	call	exit, str x17, [x16]\n"
"	call	wfi, wfi\n"
"fuzz_set_land:\n"
"	stub	tpidr_el0, 48, fuzz_save_land\n"
"fuzz_start_land:\n"
"	stub	tpidr_el0, 48, fuzz_save_land\n"
"fuzz_on_land:\n"
"	stub	tpidr_el0, 48, fuzz_save_land\n"
"fuzz_resumes:\n"
"	.rept	8\n"
"	stub	tpidr_el0, 48, fuzz_save_land\n"
"	.endr\n"

/* Banks are at 0x4000 of fuzz_points. */
"	.org	fuzz_points + 0x4000\n"
"fuzz_banks:\n"
"	.rept	4\n"
"	.balign	4096\n"
"	.rept	16\n"
"	.balign	128\n"
"	stub	tpidr_el0, 48, fuzz_save_land\n"
"	.endr\n"
"	.balign	2048\n"
"	.rept	16\n"
"	stub	tpidrro_el0, 80, fuzz_save_normal\n"
"	stub	far_el1, 112, fuzz_save_critical\n"
"	.endr\n"
"	.endr\n"
"	.balign	4096\n"

/* The time: one more than anybody ever saw */
".macro now x, w, at\n"
"	ldr	\\at, [\\at]\n"
"1:	ldaxr	\\x, [\\at]\n"
"	add	\\x, \\x, #1\n"
"	stlxr	\\w, \\x, [\\at]\n"
"	cbnz	\\w, 1b\n"
".endm\n"

"fuzz_next:\n"
"	mrs	x0, tpidr_el1\n"
"	ldr	x1, [x0]\n"
"	add	x2, x1, #288\n"
"	str	x2, [x0]\n"
"	add	x3, x0, #16\n"
"	now	x4, w5, x3\n"
"	str	x4, [x1, #280]\n"
"	ldr	x7, [x0, #24]\n"
"	ldp	x5, x6, [x1, #264]\n"
"	br	x5\n"

/* x1 is the operation, x6 its PSTATE, x7 the features */
".macro load_sps\n"
"	ldp	x2, x3, [x1, #248]\n"
"	msr	spsel, #0\n"
"	mov	sp, x2\n"
"	msr	spsel, #1\n"
"	mov	sp, x3\n"
".endm\n"

".macro load_pstate\n"
"	load_sps\n"
"	tbz	x7, #0, 1f\n"
"	msr	S3_0_C4_C2_3, x6\n"
"1:	tbz	x7, #1, 1f\n"
"	msr	S3_0_C4_C2_4, x6\n"
"1:	tbz	x7, #2, 1f\n"
"	msr	S3_3_C4_C2_5, x6\n"
"1:	tbz	x7, #3, 1f\n"
"	msr	S3_3_C4_C2_6, x6\n"
"1:	tbz	x7, #4, 1f\n"
"	msr	S3_3_C4_C2_7, x6\n"
"1:	msr	daif, x6\n"
"	msr	spsel, x6\n"
"	msr	nzcv, x6\n"
".endm\n"

".macro load_x\n"
"	ldp	x2, x3, [x1, #16]\n"
"	ldp	x4, x5, [x1, #32]\n"
"	ldp	x6, x7, [x1, #48]\n"
"	ldp	x8, x9, [x1, #64]\n"
"	ldp	x10, x11, [x1, #80]\n"
"	ldp	x12, x13, [x1, #96]\n"
"	ldp	x14, x15, [x1, #112]\n"
"	ldp	x16, x17, [x1, #128]\n"
"	ldp	x18, x19, [x1, #144]\n"
"	ldp	x20, x21, [x1, #160]\n"
"	ldp	x22, x23, [x1, #176]\n"
"	ldp	x24, x25, [x1, #192]\n"
"	ldp	x26, x27, [x1, #208]\n"
"	ldp	x28, x29, [x1, #224]\n"
"	ldr	x30, [x1, #240]\n"
"	ldp	x0, x1, [x1]\n"
".endm\n"

"fuzz_load_hvc:\n"
"	load_pstate\n"
"	load_x\n"
"	b	fuzz_hvc\n"
"fuzz_load_smc:\n"
"	load_pstate\n"
"	load_x\n"
"	b	fuzz_smc\n"
"fuzz_load_exit:\n"
"	load_pstate\n"
"	load_x\n"
"	b	fuzz_exit\n"
"fuzz_load_wfi:\n"
"	load_pstate\n"
"	load_x\n"
"	b	fuzz_wfi\n"
"fuzz_load_el0:\n"
"	load_sps\n"
"	adrp	x2, fuzz_el0\n"
"	add	x2, x2, #:lo12:fuzz_el0\n"
"	msr	elr_el1, x2\n"
"	msr	spsr_el1, x6\n"
"	load_x\n"
"	eret\n"
"fuzz_load_set:\n"
"	load_pstate\n"
"	load_x\n"
"	msr	elr_el1, x1\n"
"	msr	spsr_el1, x2\n"
"	msr	esr_el1, x3\n"
"	msr	sctlr_el1, x4\n"
"	msr	vbar_el1, x5\n"
"	isb\n"
"	b	fuzz_set_land\n"

/* x29 is the PC, x30 the block */
".macro store_rec name, scratch, saved\n"
"fuzz_store_\\name:\n"
"	ldr	x28, [x30, #8]\n"
"	stp	x0, x1, [x28]\n"
"	stp	x2, x3, [x28, #16]\n"
"	stp	x4, x5, [x28, #32]\n"
"	stp	x6, x7, [x28, #48]\n"
"	stp	x8, x9, [x28, #64]\n"
"	stp	x10, x11, [x28, #80]\n"
"	stp	x12, x13, [x28, #96]\n"
"	stp	x14, x15, [x28, #112]\n"
"	stp	x16, x17, [x28, #128]\n"
"	stp	x18, x19, [x28, #144]\n"
"	stp	x20, x21, [x28, #160]\n"
"	stp	x22, x23, [x28, #176]\n"
"	stp	x24, x25, [x28, #192]\n"
"	mrs	x0, nzcv\n"
"	mrs	x1, daif\n"
"	orr	x0, x0, x1\n"
"	mrs	x1, currentel\n"
"	orr	x0, x0, x1\n"
"	mrs	x1, spsel\n"
"	orr	x0, x0, x1\n"
"	ldr	x7, [x30, #24]\n"
"	tbz	x7, #0, 1f\n"
"	mrs	x1, S3_0_C4_C2_3\n"
"	orr	x0, x0, x1\n"
"1:	tbz	x7, #1, 1f\n"
"	mrs	x1, S3_0_C4_C2_4\n"
"	orr	x0, x0, x1\n"
"1:	tbz	x7, #2, 1f\n"
"	mrs	x1, S3_3_C4_C2_5\n"
"	orr	x0, x0, x1\n"
"1:	tbz	x7, #3, 1f\n"
"	mrs	x1, S3_3_C4_C2_6\n"
"	orr	x0, x0, x1\n"
"1:	tbz	x7, #4, 1f\n"
"	mrs	x1, S3_3_C4_C2_7\n"
"	orr	x0, x0, x1\n"
"1:	ldp	x2, x3, [x30, #\\saved]\n"
"	stp	x26, x2, [x28, #208]\n"
"	ldr	x4, [x30, #(\\saved + 16)]\n"
"	stp	x3, x4, [x28, #224]\n"
"	mrs	x5, \\scratch\n"
"	msr	spsel, #0\n"
"	mov	x1, sp\n"
"	msr	spsel, #1\n"
"	mov	x2, sp\n"
"	stp	x5, x1, [x28, #240]\n"
"	stp	x2, x29, [x28, #256]\n"
"	mrs	x1, elr_el1\n"
"	stp	x0, x1, [x28, #272]\n"
"	mrs	x1, spsr_el1\n"
"	mrs	x2, esr_el1\n"
"	stp	x1, x2, [x28, #288]\n"
"	add	x3, x30, #16\n"
"	now	x4, w5, x3\n"
"	str	x4, [x28, #304]\n"
"	add	x28, x28, #320\n"
"	str	x28, [x30, #8]\n"
"	b	fuzz_next\n"
".endm\n"

"fuzz_save_land:\n"
"	stp	x27, x28, [x30, #48]\n"
"	store_rec land, tpidr_el0, 48\n"

".macro save_handler name, scratch, saved, short_rec\n"
"fuzz_save_\\name:\n"
"	stp	x27, x28, [x30, #\\saved]\n"
/* Does x2, the interrupted PC, say that the machine's hands are free? */
"	adrp	x28, fuzz_points\n"
"	sub	x28, x2, x28\n"
"	lsr	x27, x28, #15\n"
"	cbnz	x27, 3f\n"
"	and	x27, x28, #31\n"
"	cbnz	x27, 3f\n"
"	tbz	x28, #14, 2f\n"
"	tbnz	x28, #11, 3f\n"
"2:	store_rec \\name, \\scratch, \\saved\n"
"fuzz_short_\\name:\n"
/* No. x18 to x30 are not restored by the completion. */
"3:	mov	x4, x30\n"
"	mov	x5, x29\n"
"	ldp	x27, x28, [x4, #\\saved]\n"
"	ldr	x29, [x4, #(\\saved + 16)]\n"
"	mrs	x30, \\scratch\n"
"	ldr	x6, [x4, #\\short_rec]\n"
"	stp	x0, x1, [x6]\n"
"	stp	x2, x3, [x6, #16]\n"
"	add	x9, x4, #16\n"
"	now	x7, w8, x9\n"
"fuzz_short_\\name\\()_told:\n"
"	stp	x5, x7, [x6, #32]\n"
"	add	x6, x6, #48\n"
"	str	x6, [x4, #\\short_rec]\n"
"	movz	x0, #0xc400, lsl #16\n"
"	movk	x0, #0x25\n"
"	mov	x1, #0\n"
"	tbnz	x7, #0, 4f\n"
"	hvc	#0\n"
"	brk	#1\n"
"4:	smc	#0\n"
"	brk	#1\n"
".endm\n"

"	save_handler normal, tpidrro_el0, 80, 32\n"
"	save_handler critical, far_el1, 112, 40\n"
"fuzz_end:\n"
"	.popsection\n"
".noaltmacro\n"
);

/*
 * Host side
 */

#define MAX_CPUS	8
/* Operations of a list */
#define BATCH		2048
/* Handlers that interrupt the machine at its work, in a list's time */
#define MAX_SHORTS	(BATCH * 4)
#define HISTORY		20

/* Where everything is but the program */
#define SHARED_SLOT	1
#define SHARED_GPA	SZ_1G

/* What the VMM does at an exit */
enum vmm_action {
	VMM_NOTHING,
	VMM_END,
	VMM_CHECK,
	VMM_INJECT,
	VMM_PEND,
	VMM_SET_MASK,
	VMM_MIGRATE,
	VMM_RESET,
	/* Be ready for the next operation, which blocks, ... */
	VMM_ARM,
	/* ... and inject these events, or kick the vCPU if none ends it. */
	VMM_WAKE,
};

enum op_kind {
	OP_HVC,
	OP_SMC,
	OP_EXIT,
	OP_EL0,
	OP_SET,
	OP_WFI,
};

/* An operation as the host sees it */
struct plan {
	enum op_kind kind;
	enum vmm_action action;
	uint64_t mpidr;
	uint32_t event;
	uint32_t wake[3];
	int nr_wake;
	bool kick;
	int want;		/* the result of the VMM's action */
	int got;
	/* The model when the VMM has acted, to compare pseudo-registers with */
	struct sdei_model_pe *snapshot;
};

/* A vCPU with its machine; pointers are to shared memory */
struct fuzz_cpu {
	struct fuzz_block *block;
	uint64_t block_gva;
	struct fuzz_op *ops;
	uint64_t ops_gva;
	struct fuzz_rec *recs;
	uint64_t recs_gva;
	struct fuzz_short_rec *shorts[2];
	uint64_t shorts_gva[2];
	struct plan plan[BATCH];
	int nr_ops;
	/* Records that have been compared while the list was running */
	int nr_seen;
};

struct fuzz {
	uint64_t random;
	unsigned int nr_cpus;
	bool mte;
	bool concurrent;
	uint64_t features;
	uint64_t sctlr;
	uint64_t exit_gva;
	uint64_t exit_el0_gva;
	uint64_t psci_version;
	struct kvm_vm *origin;	/* owns the memory */
	struct sdei_vm svm;	/* the VM that runs: origin, or its successor */
	struct fuzz_cpu *cpu[MAX_CPUS];
	uint64_t *clock;
	struct sdei_model model;
	uint64_t migrations;
	uint64_t resets;
	uint64_t wakes;
	uint64_t handlers;
};

static uint64_t nr_checked;
/* The one whose clock the watchdog looks at */
static struct fuzz *watched;

static const struct {
	uint32_t number;
	enum sdei_model_priority priority;
} fuzz_events[] = {
	{ EV_CRITICAL,	 SDEI_MODEL_CRITICAL },
	{ EV_NORMAL,	 SDEI_MODEL_NORMAL },
	{ EV_CRITICAL_2, SDEI_MODEL_CRITICAL },
	{ EV_NORMAL_2,	 SDEI_MODEL_NORMAL },
};

/*
 * Random numbers: xorshift64*
 */

static uint64_t rnd(struct fuzz *f)
{
	f->random ^= f->random >> 12;
	f->random ^= f->random << 25;
	f->random ^= f->random >> 27;
	return f->random * 0x2545f4914f6cdd1dull;
}

static unsigned int below(struct fuzz *f, unsigned int n)
{
	return (rnd(f) >> 32) % n;
}

static bool chance(struct fuzz *f, unsigned int percent)
{
	return below(f, 100) < percent;
}

static uint32_t pick_one(struct fuzz *f, const uint32_t *from, unsigned int nr)
{
	return from[below(f, nr)];
}

static void seed_random(struct fuzz *f, uint64_t seed)
{
	int i;

	f->random = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	if (!f->random)
		f->random = 1;
	for (i = 0; i < 4; i++)
		rnd(f);
}

/*
 * VMs
 */

static void fuzz_enable_mte(struct kvm_vm *vm)
{
	vm_enable_cap(vm, KVM_CAP_ARM_MTE, 0);
}

static uint64_t id_field(struct kvm_vcpu *vcpu, uint64_t reg, int shift)
{
	return (sdei_get_reg(vcpu, reg) >> shift) & 0xf;
}

static uint64_t pstate_features(struct kvm_vcpu *vcpu)
{
	uint64_t features = 0;

	if (id_field(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64MMFR1_EL1), 20))
		features |= HAS_PAN;
	if (id_field(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64MMFR2_EL1), 4))
		features |= HAS_UAO;
	if (id_field(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64PFR0_EL1), 48))
		features |= HAS_DIT;
	if (id_field(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64PFR1_EL1), 4) >= 2)
		features |= HAS_SSBS;
	/* The CPU's, whether KVM has MTE or not: exceptions set it anyway. */
	if (getauxval(AT_HWCAP2) & HWCAP2_MTE)
		features |= HAS_TCO;
	return features;
}

static void set_user_access(struct kvm_vm *vm, uint64_t gva, uint64_t ap)
{
	*virt_get_pte_hva(vm, gva) |= ap << 6;
}

static uint64_t alloc_shared(struct kvm_vm *vm, size_t size, void *hva)
{
	uint64_t gva = sdei_alloc_gva(vm, size);

	*(void **)hva = addr_gva2hva(vm, gva);
	return gva;
}

static void fuzz_add_cpu(struct fuzz *f, unsigned int i)
{
	struct kvm_vm *vm = f->origin;
	struct fuzz_cpu *c = calloc(1, sizeof(*c));
	struct kvm_vcpu *vcpu;
	int prio;

	TEST_ASSERT(c, "calloc() failed");
	f->cpu[i] = c;
	sdei_vcpu_add(&f->svm, i, fuzz_start_land);
	vcpu = f->svm.vcpu[i];

	c->block_gva = alloc_shared(vm, sizeof(*c->block), &c->block);
	c->ops_gva = alloc_shared(vm, BATCH * sizeof(*c->ops), &c->ops);
	c->recs_gva = alloc_shared(vm, (BATCH + 1) * sizeof(*c->recs), &c->recs);
	for (prio = 0; prio < 2; prio++)
		c->shorts_gva[prio] = alloc_shared(vm, MAX_SHORTS * sizeof(*c->shorts[prio]),
						   &c->shorts[prio]);

	vcpu_set_reg(vcpu, KVM_ARM64_SYS_REG(SYS_TPIDR_EL1), c->block_gva);
	vcpu_set_reg(vcpu, KVM_ARM64_SYS_REG(SYS_VBAR_EL1), (uint64_t)fuzz_banks);
}

/*
 * KVM_CREATE_VM fails when a signal comes (mm_take_all_locks() does): the
 * watchdog's has to wait meanwhile.
 */
static void hold_watchdog(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void fuzz_create(struct fuzz *f, unsigned int nr_cpus, bool mte)
{
	struct kvm_vm *vm;
	uint64_t clock_gva;
	uint64_t size;
	unsigned int i;

	f->nr_cpus = nr_cpus;
	f->mte = mte;
	memset(&f->svm, 0, sizeof(f->svm));

	hold_watchdog(true);
	vm = sdei_new_vm(nr_cpus);
	hold_watchdog(false);
	TEST_ASSERT(vm->page_size == SZ_4K, "The machine is made for pages of 4 KiB");
	f->svm.vm = vm;
	f->origin = vm;
	size = nr_cpus * (BATCH * (sizeof(struct fuzz_op) + sizeof(struct fuzz_rec)) +
			  2 * MAX_SHORTS * sizeof(struct fuzz_short_rec) + SZ_128K);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, SHARED_GPA, SHARED_SLOT,
				    (size + SZ_1M) / SZ_4K, 0);
	for (i = 0; i < NR_MEM_REGIONS; i++)
		vm->memslots[i] = SHARED_SLOT;
	vm_init_descriptor_tables(vm);
	if (mte)
		fuzz_enable_mte(vm);
	sdei_vm_setup(vm);

	for (i = 0; i < nr_cpus; i++)
		fuzz_add_cpu(f, i);

	/* What is there to be executed and to be written to at EL0 */
	set_user_access(vm, (uint64_t)fuzz_el0 & ~(SZ_4K - 1ull), 3);
	f->exit_gva = sdei_unused_gva(vm, SZ_4K);
	virt_map(vm, f->exit_gva, vm->ucall_mmio_addr, 1);
	f->exit_el0_gva = sdei_unused_gva(vm, SZ_4K);
	virt_map(vm, f->exit_el0_gva, vm->ucall_mmio_addr, 1);
	set_user_access(vm, f->exit_el0_gva, 1);

	clock_gva = alloc_shared(vm, sizeof(*f->clock), &f->clock);
	f->features = pstate_features(f->svm.vcpu[0]);
	f->sctlr = sdei_get_reg(f->svm.vcpu[0], KVM_ARM64_SYS_REG(SYS_SCTLR_EL1));
	f->psci_version = sdei_get_reg(f->svm.vcpu[0], KVM_REG_ARM_PSCI_VERSION);

	for (i = 0; i < nr_cpus; i++) {
		f->cpu[i]->block->clock = clock_gva;
		f->cpu[i]->block->features = f->features;
	}

	sdei_model_init(&f->model, nr_cpus, f->svm.mpidr);
	for (i = 0; i < ARRAY_SIZE(fuzz_events); i++)
		sdei_model_expose(&f->model, fuzz_events[i].number,
				  fuzz_events[i].priority);
	f->model.mte = mte;
	watched = f;
}

static void fuzz_destroy(struct fuzz *f)
{
	unsigned int i;

	watched = NULL;
	for (i = 0; i < f->nr_cpus; i++) {
		close(f->svm.stats_fd[i]);
		free(f->cpu[i]);
	}
	if (f->svm.vm != f->origin)
		kvm_vm_free(f->svm.vm);
	kvm_vm_free(f->origin);
}

#define MAX_REG_SIZE	256

static void copy_regs(struct fuzz *f, struct kvm_vcpu *from, struct kvm_vcpu *to,
		      bool reset)
{
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_init init;
	struct kvm_reg_list *list;
	struct kvm_one_reg reg;
	uint64_t id;
	void *vals;
	int i, j;

	list = vcpu_get_reg_list(from);
	vals = calloc(list->n, MAX_REG_SIZE);
	TEST_ASSERT(vals, "calloc() failed");

	/* In random order */
	for (i = list->n - 1; i > 0; i--) {
		j = below(f, i + 1);
		id = list->reg[i];
		list->reg[i] = list->reg[j];
		list->reg[j] = id;
	}
	for (i = 0; i < list->n; i++) {
		reg.id = list->reg[i];
		reg.addr = (uint64_t)vals + i * MAX_REG_SIZE;
		vcpu_ioctl(from, KVM_GET_ONE_REG, &reg);
	}
	vcpu_events_get(from, &events);
	vcpu_mp_state_get(from, &mp_state);

	if (reset) {
		init = sdei_vcpu_init(from->vm);
		vcpu_ioctl(to, KVM_ARM_VCPU_INIT, &init);
	}

	for (i = 0; i < list->n; i++) {
		if (reset && sdei_is_sdei_reg(list->reg[i]))
			continue;
		reg.id = list->reg[i];
		reg.addr = (uint64_t)vals + i * MAX_REG_SIZE;
		vcpu_ioctl(to, KVM_SET_ONE_REG, &reg);
	}
	vcpu_events_set(to, &events);
	vcpu_mp_state_set(to, &mp_state);

	free(vals);
	free(list);
}

/* Go on in a fresh VM, which has nothing of the old one but its memory. */
static void fuzz_migrate(struct fuzz *f)
{
	struct userspace_mem_region *region;
	struct sdei_vm next = {};
	struct kvm_vcpu_init init;
	unsigned int i;

	hold_watchdog(true);
	next.vm = vm_create_barebones();
	hold_watchdog(false);
	next.vm->ucall_mmio_addr = f->origin->ucall_mmio_addr;
	if (f->mte)
		fuzz_enable_mte(next.vm);
	for (i = 0; i <= SHARED_SLOT; i++) {
		region = memslot2region(f->origin, i);
		vm_set_user_memory_region(next.vm, i, 0, region->region.guest_phys_addr,
					  region->region.memory_size, region->host_mem);
	}
	sdei_vm_setup(next.vm);
	init = sdei_vcpu_init(next.vm);
	for (i = 0; i < f->nr_cpus; i++) {
		next.vcpu[i] = __vm_vcpu_add(next.vm, i);
		vcpu_ioctl(next.vcpu[i], KVM_ARM_VCPU_INIT, &init);
		next.mpidr[i] = f->svm.mpidr[i];
		next.stats_fd[i] = vcpu_get_stats_fd(next.vcpu[i]);
		next.nr_vcpus++;
	}

	for (i = 0; i < f->nr_cpus; i++) {
		/* An exit for MMIO is finished by the next entry. */
		if (f->svm.vcpu[i]->run->exit_reason == KVM_EXIT_MMIO)
			vcpu_run_complete_io(f->svm.vcpu[i]);
		copy_regs(f, f->svm.vcpu[i], next.vcpu[i], false);
	}

	for (i = 0; i < f->nr_cpus; i++)
		close(f->svm.stats_fd[i]);
	if (f->svm.vm != f->origin)
		kvm_vm_free(f->svm.vm);
	f->svm = next;
	f->migrations++;
}

/*
 * What to do next
 */

#define FN(fn)		(SDEI_1_0_FN_BASE + (fn))

static uint64_t random_high(struct fuzz *f, uint32_t low)
{
	/* Only the low 32 bits count. */
	return chance(f, 25) ? (rnd(f) << 32) | low : low;
}

static uint32_t random_exposed(struct fuzz *f)
{
	return f->model.pe[0].event[below(f, f->model.nr_events)].number;
}

static uint64_t random_event(struct fuzz *f)
{
	static const uint32_t odd[] = {
		1, 2, 31, 0x3fffffff, 0x40000000, 0x40000001, EV_ASYNC_PF,
		0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x41000000,
		0x80000000 | EV_NORMAL, EV_CRITICAL + 1, EV_NORMAL_2 + 1, 0x20000000,
	};

	if (chance(f, 85))
		return random_high(f, random_exposed(f));
	return random_high(f, chance(f, 80) ? pick_one(f, odd, ARRAY_SIZE(odd)) : rnd(f));
}

static uint64_t random_mpidr(struct fuzz *f)
{
	uint64_t mpidr = f->model.pe[below(f, f->nr_cpus)].mpidr;

	switch (below(f, 8)) {
	case 0:		/* Nobody */
		return mpidr ^ BIT(below(f, 2) ? 4 + below(f, 20) : 32 + below(f, 8));
	case 1:
		return rnd(f);
	case 2:		/* As in MPIDR_EL1 */
		return mpidr | BIT(31);
	case 3:		/* No affinity fields */
		return mpidr | (rnd(f) & ~0xff00ffffffull);
	default:
		return mpidr;
	}
}

static uint64_t own_mpidr(struct fuzz *f, int p)
{
	return f->model.pe[p].mpidr | (chance(f, 50) ? BIT(31) : 0);
}

static uint64_t random_pstate(struct fuzz *f)
{
	uint64_t mask = 0xf0000000 | PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT;

	if (f->features & HAS_PAN)
		mask |= PSR_PAN_BIT;
	if (f->features & HAS_UAO)
		mask |= PSR_UAO_BIT;
	if (f->features & HAS_DIT)
		mask |= PSR_DIT_BIT;
	if (f->features & HAS_SSBS)
		mask |= PSR_SSBS_BIT;
	if (f->features & HAS_TCO)
		mask |= PSR_TCO_BIT;

	return (rnd(f) & mask) | (chance(f, 25) ? PSR_MODE_EL1t : PSR_MODE_EL1h);
}

/* A handler, which leaves the machine in a state fit for the event's priority */
static void random_entry(struct fuzz *f, struct fuzz_op *op)
{
	static const uint64_t bad_flags[] = { 4, 8, 0x80, BIT(31), BIT(32), BIT(63), -1ull };
	int e = sdei_model_find_event(&f->model, op->x[1]);
	uint64_t offset = BANK_ENTRIES + below(f, ENTRIES) * 2 * STUB_SIZE;

	if (e >= 0 && f->model.pe[0].event[e].priority == SDEI_MODEL_CRITICAL)
		offset += STUB_SIZE;

	op->x[4] = chance(f, 10) ? SDEI_EVENT_REGISTER_RM_PE : 0;
	if (chance(f, 30)) {
		op->x[4] |= SDEI_EVENT_REGISTER_RELATIVE;
		op->x[2] = offset;
	} else {
		op->x[2] = (uint64_t)fuzz_banks + below(f, BANKS) * BANK_SIZE + offset;
	}
	if (chance(f, 8))
		op->x[2] |= 1 + below(f, 3);
	if (chance(f, 8))
		op->x[4] |= bad_flags[below(f, ARRAY_SIZE(bad_flags))];
}

static void random_call(struct fuzz *f, int p, struct fuzz_op *op)
{
	static const uint32_t ids[] = {
		0, 15, 16, 27, 31, 32, 33, 1019, 1020, 1023, 4096, 5119, 8192,
		0x7fffffff, 0x80000000, 0xffffffff,
	};
	static const uint32_t indices[] = { 18, 19, 20, 31, 32, 64, 0x7fffffff, 0x80000000, -1 };
	static const uint32_t infos[] = { 5, 6, 31, 32, 0x80000000, -1 };
	static const uint32_t others[] = {
		FN(0) - 1, FN(SDEI_NR_FNS), FN(SDEI_NR_FNS + 1), FN(0x1f), FN(0x20),
		FN(0) & ~BIT(30), FN(SDEI_PE_UNMASK) & ~BIT(30),
		FN(SDEI_EVENT_COMPLETE) & ~BIT(31), FN(SDEI_EVENT_SIGNAL) | BIT(16),
		FN(SDEI_EVENT_COMPLETE) ^ BIT(24),
	};
	struct sdei_model_pe *pe = &f->model.pe[p];
	unsigned int n = below(f, 1000);

	/* Handlers are to end some time. */
	if (pe->depth && n < 250)
		n = 500 + n % 40;

#define UP_TO(limit)	(n < (limit))
	if (UP_TO(110)) {
		op->x[0] = FN(SDEI_EVENT_REGISTER);
		op->x[1] = random_event(f);
		random_entry(f, op);
	} else if (UP_TO(230)) {
		op->x[0] = FN(SDEI_EVENT_ENABLE);
		op->x[1] = random_event(f);
	} else if (UP_TO(255)) {
		op->x[0] = FN(SDEI_EVENT_DISABLE);
		op->x[1] = random_event(f);
	} else if (UP_TO(275)) {
		op->x[0] = FN(SDEI_EVENT_UNREGISTER);
		op->x[1] = random_event(f);
	} else if (UP_TO(480)) {
		op->x[0] = FN(SDEI_EVENT_SIGNAL);
		op->x[1] = chance(f, 85) ? random_high(f, EV_SOFT) : random_event(f);
		op->x[2] = f->nr_cpus == 1 || chance(f, 50) ? own_mpidr(f, p) :
							      random_mpidr(f);
	} else if (UP_TO(530)) {
		op->x[0] = FN(SDEI_EVENT_COMPLETE);
		op->x[1] = chance(f, 90) ? below(f, 2) : rnd(f);
	} else if (UP_TO(560)) {
		op->x[0] = FN(SDEI_EVENT_COMPLETE_AND_RESUME);
		op->x[1] = (uint64_t)fuzz_resumes + below(f, RESUMES) * STUB_SIZE;
		if (chance(f, 15))
			op->x[1] |= 1 + below(f, 3);
	} else if (UP_TO(640)) {
		op->x[0] = FN(SDEI_EVENT_CONTEXT);
		op->x[1] = random_high(f, below(f, 18));
		if (chance(f, 15))
			op->x[1] = random_high(f, pick_one(f, indices, ARRAY_SIZE(indices)));
	} else if (UP_TO(720)) {
		op->x[0] = FN(SDEI_EVENT_STATUS);
		op->x[1] = random_event(f);
	} else if (UP_TO(750)) {
		op->x[0] = FN(SDEI_EVENT_GET_INFO);
		op->x[1] = random_event(f);
		op->x[2] = random_high(f, below(f, 5));
		if (chance(f, 15))
			op->x[2] = random_high(f, pick_one(f, infos, ARRAY_SIZE(infos)));
	} else if (UP_TO(835)) {
		op->x[0] = FN(SDEI_PE_UNMASK);
	} else if (UP_TO(850)) {
		op->x[0] = FN(SDEI_PE_MASK);
	} else if (UP_TO(865)) {
		op->x[0] = FN(SDEI_EVENT_ROUTING_SET);
		op->x[1] = random_event(f);
		op->x[2] = below(f, 3);
	} else if (UP_TO(885)) {
		op->x[0] = FN(SDEI_INTERRUPT_BIND);
		op->x[1] = random_high(f, pick_one(f, ids, ARRAY_SIZE(ids)));
		if (chance(f, 20))
			op->x[1] = rnd(f);
	} else if (UP_TO(900)) {
		op->x[0] = FN(SDEI_INTERRUPT_RELEASE);
		op->x[1] = random_event(f);
	} else if (UP_TO(915)) {
		op->x[0] = FN(SDEI_FEATURES);
		op->x[1] = random_high(f, chance(f, 80) ? below(f, 3) : rnd(f));
	} else if (UP_TO(918)) {
		op->x[0] = FN(SDEI_PRIVATE_RESET);
	} else if (UP_TO(930)) {
		op->x[0] = FN(SDEI_SHARED_RESET);
	} else if (UP_TO(940)) {
		op->x[0] = FN(SDEI_VERSION);
	} else if (UP_TO(970)) {
		op->x[0] = pick_one(f, others, ARRAY_SIZE(others));
	} else if (UP_TO(985)) {
		op->x[0] = PSCI_0_2_FN_PSCI_VERSION;
	} else {
		op->x[0] = ARM_SMCCC_VERSION_FUNC_ID;
	}
	/* Of the function id, too */
	if (chance(f, 10))
		op->x[0] |= rnd(f) << 32;
}

/* An operation with random registers, of which @kind leaves most to chance */
static void random_op(struct fuzz *f, int p, struct fuzz_op *op, enum op_kind kind)
{
	int i;

	for (i = 0; i < 31; i++)
		op->x[i] = rnd(f);
	op->sp_el0 = rnd(f);
	op->sp_el1 = rnd(f);
	op->pstate = random_pstate(f);

	switch (kind) {
	case OP_HVC:
	case OP_SMC:
		op->loader = (uint64_t)(kind == OP_HVC ? fuzz_load_hvc : fuzz_load_smc);
		random_call(f, p, op);
		break;
	case OP_EXIT:
		op->loader = (uint64_t)fuzz_load_exit;
		op->x[16] = f->exit_gva;
		break;
	case OP_EL0:
		op->loader = (uint64_t)fuzz_load_el0;
		op->x[16] = f->exit_el0_gva;
		op->pstate = (op->pstate & ~(uint64_t)PSR_MODE_MASK) | PSR_MODE_EL0t;
		break;
	case OP_WFI:
		op->loader = (uint64_t)fuzz_load_wfi;
		break;
	default:
		op->loader = (uint64_t)fuzz_load_set;
		op->x[2] = (uint32_t)op->x[2];
		op->x[3] = (uint32_t)op->x[3];
		op->x[4] = f->sctlr & ~SCTLR_EL1_SPAN;
		if (chance(f, 50) || !(f->features & HAS_PAN))
			op->x[4] |= SCTLR_EL1_SPAN;
		if (chance(f, 50) && (f->features & HAS_SSBS))
			op->x[4] |= SCTLR_ELx_DSSBS;
		op->x[5] = (uint64_t)fuzz_banks + below(f, BANKS) * BANK_SIZE;
		break;
	}
}

static void random_action(struct fuzz *f, int p, struct plan *plan)
{
	unsigned int n = below(f, 1000);

	plan->event = random_exposed(f);
	plan->mpidr = own_mpidr(f, p);

	if (n < 30) {
		plan->action = VMM_CHECK;
	} else if (n < 850) {
		plan->action = VMM_INJECT;
		/* One thing that does not exist at a time */
		if (chance(f, 5))
			plan->event = random_event(f);
		else if (chance(f, 10))
			plan->mpidr = random_mpidr(f);
	} else if (n < 910) {
		plan->action = VMM_PEND;
	} else if (n < 980) {
		plan->action = VMM_SET_MASK;
		plan->event = chance(f, 25);
	} else if (n < 994) {
		plan->action = VMM_MIGRATE;
	} else {
		plan->action = VMM_RESET;
	}
}

/*
 * What the model says
 */

/* Stands for one that is not known yet */
#define CPU_ON_RESULT	0x5ca1ab1e5ca1ab1eull

#define EC_SVC64	0x15

/* Go on where the model's PC is, to where the machine makes its record. */
static void model_go_on(struct fuzz *f, int p)
{
	struct sdei_model_regs *regs = &f->model.pe[p].regs;

	if (regs->pc != (uint64_t)fuzz_el0_svc)
		return;

	/* SVC, from EL0 */
	regs->elr_el1 = regs->pc + 4;
	regs->spsr_el1 = regs->pstate;
	regs->esr_el1 = (uint64_t)EC_SVC64 << 26 | BIT(25);
	regs->pstate = sdei_model_take_exception(&f->model, regs, regs->pstate);
	regs->pc = regs->vbar_el1 + VECTOR_EL0_SYNC;
}

/* The call that the machine makes: the PE to which it sends event 0, or -1. */
static int model_call(struct fuzz *f, int p)
{
	struct sdei_model_regs *regs = &f->model.pe[p].regs;
	uint64_t ret;

	switch ((uint32_t)regs->x[0]) {
	case PSCI_0_2_FN_PSCI_VERSION:
		ret = f->psci_version;
		break;
	case ARM_SMCCC_VERSION_FUNC_ID:
		ret = ARM_SMCCC_VERSION_1_1;
		break;
	case PSCI_0_2_FN64_CPU_SUSPEND:
	case PSCI_0_2_FN_CPU_OFF:
		ret = PSCI_RET_SUCCESS;
		break;
	case PSCI_0_2_FN64_CPU_ON:
		ret = CPU_ON_RESULT;
		break;
	default:
		return sdei_model_call(&f->model, p);
	}

	regs->x[0] = ret;
	regs->x[1] = 0;
	regs->x[2] = 0;
	regs->x[3] = 0;
	return -1;
}

/* Inject events until one wakes the PE up. */
static void model_wake(struct fuzz *f, int p, struct plan *plan)
{
	int i;

	plan->kick = true;
	for (i = 0; i < plan->nr_wake && plan->kick; i++) {
		sdei_model_inject(&f->model, f->model.pe[p].mpidr, plan->wake[i]);
		plan->kick = sdei_model_next(&f->model, p) < 0;
	}
	plan->nr_wake = i;
}

static void model_action(struct fuzz *f, int p, struct plan *plan)
{
	struct sdei_model_pe *pe = &f->model.pe[p];
	int e = sdei_model_find_event(&f->model, plan->event);

	switch (plan->action) {
	case VMM_INJECT:
		plan->want = sdei_model_inject(&f->model, plan->mpidr, plan->event);
		break;
	case VMM_PEND:
		/* Not registered: there is nothing to write. */
		sdei_model_send(&f->model, p, e);
		break;
	case VMM_SET_MASK:
		pe->masked = plan->event;
		break;
	case VMM_RESET:
		sdei_model_reset(&f->model, p);
		break;
	case VMM_WAKE:
		model_wake(f, p, plan);
		break;
	default:
		break;
	}
}

/* The registers that the machine has loaded, and what @kind does to them */
static void model_load(struct fuzz *f, int p, const struct fuzz_op *op,
		       enum op_kind kind)
{
	struct sdei_model_regs *regs = &f->model.pe[p].regs;

	memcpy(regs->x, op->x, sizeof(regs->x));
	regs->sp_el0 = op->sp_el0;
	regs->sp_el1 = op->sp_el1;
	regs->pstate = op->pstate;

	switch (kind) {
	case OP_HVC:
		regs->pc = (uint64_t)fuzz_hvc_land;
		break;
	case OP_SMC:
		regs->pc = (uint64_t)fuzz_smc_land;
		break;
	case OP_EXIT:
		regs->pc = (uint64_t)fuzz_exit_land;
		break;
	case OP_WFI:
		regs->pc = (uint64_t)fuzz_wfi_land;
		break;
	case OP_EL0:
		regs->elr_el1 = (uint64_t)fuzz_el0;
		regs->spsr_el1 = op->pstate;
		regs->pc = (uint64_t)fuzz_el0_svc;
		break;
	default:
		regs->elr_el1 = op->x[1];
		regs->spsr_el1 = op->x[2];
		regs->esr_el1 = op->x[3];
		regs->sctlr_el1 = op->x[4];
		regs->vbar_el1 = op->x[5];
		regs->pc = (uint64_t)fuzz_set_land;
		break;
	}
}

static void model_op(struct fuzz *f, int p, const struct fuzz_op *op,
		     struct plan *plan)
{
	int target = -1;

	model_load(f, p, op, plan->kind);
	if (plan->kind == OP_HVC || plan->kind == OP_SMC)
		target = model_call(f, p);
	if (target >= 0)
		sdei_model_send(&f->model, target, 0);
	model_action(f, p, plan);
	if (plan->action == VMM_MIGRATE || plan->action == VMM_CHECK) {
		plan->snapshot = malloc(sizeof(*plan->snapshot));
		TEST_ASSERT(plan->snapshot, "malloc() failed");
		*plan->snapshot = f->model.pe[p];
	}
	if (sdei_model_deliver(&f->model, p) >= 0)
		f->handlers++;
	model_go_on(f, p);
}

/*
 * What the VMM does
 */

static uint64_t model_state_bits(const struct sdei_model_event *ev)
{
	uint64_t bits = 0;

	if (!sdei_model_is_registered(ev->state))
		return 0;

	bits = SDEI_ST_REGISTERED;
	if (sdei_model_is_enabled(ev->state))
		bits |= SDEI_ST_ENABLED;
	if (ev->pending)
		bits |= SDEI_ST_PENDING;
	if (ev->relative)
		bits |= SDEI_ST_RELATIVE;
	return bits;
}

static bool check_reg(struct kvm_vcpu *vcpu, uint64_t id, uint64_t want,
		      const char *what, int index)
{
	uint64_t got = sdei_get_reg(vcpu, id);

	if (got == want)
		return true;
	ksft_print_msg("pseudo-register %s %d: model 0x%lx, KVM 0x%lx\n",
		       what, index, want, got);
	return false;
}

/* The operation that the machine has begun last */
static int current_op(struct fuzz_cpu *c)
{
	return (int)((READ_ONCE(c->block->op) - c->ops_gva) / sizeof(*c->ops)) - 1;
}

static int nr_recs(struct fuzz_cpu *c)
{
	return (READ_ONCE(c->block->rec) - c->recs_gva) / sizeof(*c->recs);
}

/* The pseudo-registers of a stopped vCPU against the model's state */
static bool check_regs(struct fuzz *f, int p, const struct sdei_model_pe *pe)
{
	struct kvm_vcpu *vcpu = f->svm.vcpu[p];
	uint64_t running[2] = {};
	const struct sdei_model_context *ctxt;
	const struct sdei_model_event *ev;
	bool same;
	int e, i, prio;

	same = check_reg(vcpu, SDEI_REG_PE, pe->masked, "PE", 0);

	for (e = 0; e < f->model.nr_events; e++) {
		ev = &pe->event[e];
		same &= check_reg(vcpu, SDEI_REG_EVENT(e, SDEI_F_STATE),
				  model_state_bits(ev), "STATE", e);
		if (!sdei_model_is_registered(ev->state))
			continue;
		same &= check_reg(vcpu, SDEI_REG_EVENT(e, SDEI_F_ENTRY), ev->entry, "ENTRY", e);
		same &= check_reg(vcpu, SDEI_REG_EVENT(e, SDEI_F_ARG), ev->arg, "ARG", e);
	}

	for (i = 0; i < pe->depth; i++) {
		ctxt = &pe->stack[i];
		ev = &pe->event[ctxt->event];
		prio = ev->priority;
		running[prio] = BIT(63) | ev->number;
		for (e = 0; e < 18; e++)
			same &= check_reg(vcpu, SDEI_REG_CTX(prio, e), ctxt->x[e], "context X", e);
		same &= check_reg(vcpu, SDEI_REG_CTX(prio, SDEI_CTX_PC), ctxt->pc,
				  "context PC", prio);
		same &= check_reg(vcpu, SDEI_REG_CTX(prio, SDEI_CTX_PSTATE), ctxt->pstate,
				  "context PSTATE", prio);
	}
	for (prio = 0; prio < 2; prio++)
		same &= check_reg(vcpu, SDEI_REG_CTX(prio, SDEI_CTX_RUNNING), running[prio],
				  "RUNNING", prio);
	return same;
}

/* Is the vCPU blocked? As sdei_vcpu_stat(), but asked very often */
static bool is_blocking(struct sdei_vm *svm, int p)
{
	static off_t offset;
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs, *desc;
	uint64_t blocking;
	int i;

	if (!offset) {
		read_stats_header(svm->stats_fd[p], &header);
		descs = read_stats_descriptors(svm->stats_fd[p], &header);
		for (i = 0; i < header.num_desc; i++) {
			desc = get_stats_descriptor(descs, i, &header);
			if (!strcmp(desc->name, "blocking"))
				offset = header.data_offset + desc->offset;
		}
		free(descs);
		TEST_ASSERT(offset, "There is no statistic named blocking");
	}

	TEST_ASSERT(pread(svm->stats_fd[p], &blocking, sizeof(blocking), offset) ==
		    sizeof(blocking), "pread() failed");
	return blocking;
}

/* A thread that wakes vCPU 0 up, or kicks it out of KVM_RUN */
static struct waker {
	struct fuzz *f;
	pthread_t main;
	struct plan *plan;
	pthread_mutex_t lock;
	pthread_cond_t armed;
	bool stop;
} waker = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.armed = PTHREAD_COND_INITIALIZER,
};

/* Wait for the vCPU to block in its operation @op: false if it is beyond that. */
static bool wait_until_blocked(struct fuzz *f, int op)
{
	host_wait_for(is_blocking(&f->svm, 0) || current_op(f->cpu[0]) > op);
	return current_op(f->cpu[0]) == op;
}

static void wake(struct fuzz *f, struct plan *plan)
{
	int i, ret, op = plan - f->cpu[0]->plan;

	for (i = 0; i < plan->nr_wake; i++) {
		if (!wait_until_blocked(f, op))
			return;
		ret = __sdei_inject(f->svm.vm, f->svm.mpidr[0], plan->wake[i]);
		/* It is one of the exposed events, registered or not. */
		if (ret && ret != -ENOTCONN)
			plan->got = ret;
	}
	if (plan->kick && wait_until_blocked(f, op))
		pthread_kill(waker.main, SIGUSR1);
}

static void *waker_thread(void *arg)
{
	struct plan *plan;

	pthread_mutex_lock(&waker.lock);
	while (!waker.stop) {
		plan = waker.plan;
		if (plan) {
			pthread_mutex_unlock(&waker.lock);
			wake(waker.f, plan);
			pthread_mutex_lock(&waker.lock);
			waker.plan = NULL;
			pthread_cond_broadcast(&waker.armed);
		} else {
			pthread_cond_wait(&waker.armed, &waker.lock);
		}
	}
	pthread_mutex_unlock(&waker.lock);
	return NULL;
}

/* Before the VM, or the list of plans, changes under the waker's feet */
static void waker_finish(void)
{
	pthread_mutex_lock(&waker.lock);
	while (waker.plan)
		pthread_cond_wait(&waker.armed, &waker.lock);
	pthread_mutex_unlock(&waker.lock);
}

static void waker_arm(struct fuzz *f, struct plan *plan)
{
	waker_finish();
	pthread_mutex_lock(&waker.lock);
	waker.f = f;
	waker.main = pthread_self();
	waker.plan = plan;
	pthread_cond_broadcast(&waker.armed);
	pthread_mutex_unlock(&waker.lock);
	f->wakes++;
}

static int inject_at(struct fuzz *f, uint64_t mpidr, uint32_t number);

static void vmm_act(struct fuzz *f, int p, struct plan *plan)
{
	struct kvm_vcpu *vcpu = f->svm.vcpu[p];
	uint64_t reg, state;

	switch (plan->action) {
	case VMM_INJECT:
		if (f->concurrent)
			plan->got = inject_at(f, plan->mpidr, plan->event);
		else
			plan->got = __sdei_inject(f->svm.vm, plan->mpidr, plan->event);
		break;
	case VMM_PEND:
		reg = SDEI_REG_EVENT(sdei_model_find_event(&f->model, plan->event),
				     SDEI_F_STATE);
		state = sdei_get_reg(vcpu, reg);
		if (state & SDEI_ST_REGISTERED)
			plan->got = sdei_set_reg(vcpu, reg, state | SDEI_ST_PENDING);
		break;
	case VMM_SET_MASK:
		plan->got = sdei_set_reg(vcpu, SDEI_REG_PE, plan->event);
		break;
	case VMM_CHECK:
		plan->got = check_regs(f, p, plan->snapshot) ? 0 : -EBADMSG;
		break;
	case VMM_MIGRATE:
		waker_finish();
		fuzz_migrate(f);
		plan->got = check_regs(f, p, plan->snapshot) ? 0 : -EBADMSG;
		break;
	case VMM_RESET:
		vcpu_run_complete_io(vcpu);
		copy_regs(f, vcpu, vcpu, true);
		f->resets++;
		break;
	case VMM_ARM:
		waker_arm(f, plan + 1);
		break;
	default:
		break;
	}
}

/*
 * Running a list
 */

static void rewind_machine(struct fuzz_cpu *c)
{
	int prio;

	c->block->op = c->ops_gva;
	c->block->rec = c->recs_gva;
	c->nr_seen = 0;
	for (prio = 0; prio < 2; prio++)
		c->block->short_rec[prio] = c->shorts_gva[prio];
}

/*
 * All vCPUs can be asked to pause: between two runs, they park. A signal makes
 * them leave KVM_RUN, or not enter it.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool pause;
	bool parked[MAX_CPUS];
} parking = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static __thread struct kvm_run *this_run;

static void kick_handler(int sig)
{
	if (this_run)
		this_run->immediate_exit = 1;
}

static void park_if_asked(int p)
{
	if (!READ_ONCE(parking.pause))
		return;

	this_run = NULL;
	pthread_mutex_lock(&parking.lock);
	parking.parked[p] = true;
	pthread_cond_broadcast(&parking.changed);
	while (parking.pause)
		pthread_cond_wait(&parking.changed, &parking.lock);
	parking.parked[p] = false;
	pthread_mutex_unlock(&parking.lock);
}

/* What the model wants of record i; record 0 is that of the end before. */
static struct sdei_model_regs wanted[BATCH + 1];

/*
 * Is @got the state that the model wants? At a vector, PSTATE is the business
 * of the CPU, of which some are emulators that lose flags.
 */
static bool same_state(const struct sdei_model_regs *want, const struct fuzz_rec *got)
{
	if (want->pc == want->vbar_el1 + VECTOR_EL0_SYNC)
		return !memcmp(want, got, offsetof(struct fuzz_rec, pstate)) &&
		       !memcmp(&want->elr_el1, &got->elr_el1,
			       REC_COMPARED - offsetof(struct fuzz_rec, elr_el1));

	return !memcmp(want, got, REC_COMPARED);
}

/*
 * Has what is on record so far diverged from the model? Then the VMM had better
 * not do what makes sense for the model's state.
 */
static bool has_diverged(struct fuzz *f)
{
	struct fuzz_cpu *c = f->cpu[0];
	int n = min(nr_recs(c), c->nr_ops);

	for (; c->nr_seen < n; c->nr_seen++) {
		if (!same_state(&wanted[c->nr_seen], &c->recs[c->nr_seen]) && c->nr_seen)
			return true;
	}
	return false;
}

/* Until the end of the list; a message if that is not reached. */
static const char *run_list(struct fuzz *f, int p)
{
	struct fuzz_cpu *c = f->cpu[p];
	struct kvm_run *run;
	static __thread char why[128];
	int op;

	for (;;) {
		park_if_asked(p);
		run = f->svm.vcpu[p]->run;
		this_run = run;
		if (__vcpu_run(f->svm.vcpu[p])) {
			run->immediate_exit = 0;
			if (errno == EINTR)
				continue;
			snprintf(why, sizeof(why), "KVM_RUN fails: %s", strerror(errno));
			return why;
		}

		op = current_op(c);
		if (run->exit_reason != KVM_EXIT_MMIO ||
		    run->mmio.phys_addr != f->origin->ucall_mmio_addr) {
			snprintf(why, sizeof(why), "KVM_RUN ends with %s",
				 exit_reason_str(run->exit_reason));
			return why;
		}
		if (op < 0 || op >= c->nr_ops) {
			snprintf(why, sizeof(why), "The machine is at operation %d of %d",
				 op, c->nr_ops);
			return why;
		}
		if (c->plan[op].action == VMM_END || (!f->concurrent && has_diverged(f)))
			return NULL;
		vmm_act(f, p, &c->plan[op]);
	}
}

/*
 * Telling what happened
 */

static const char *point_name(uint64_t pc)
{
	static char name[4][64];
	static int n;
	uint64_t offset;
	char *s = name[n++ % 4];
	static const struct {
		const char *point, *name;
	} points[] = {
		{ fuzz_hvc_land, "behind HVC" },
		{ fuzz_smc_land, "behind SMC" },
		{ fuzz_exit_land, "behind the exit" },
		{ fuzz_wfi_land, "behind WFI" },
		{ fuzz_set_land, "behind the system registers" },
		{ fuzz_start_land, "at the start" },
		{ fuzz_on_land, "where CPU_ON leads to" },
		{ fuzz_el0_svc, "at EL0, behind the exit" },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		if (pc == (uint64_t)points[i].point)
			return points[i].name;
	}

	offset = pc - (uint64_t)fuzz_resumes;
	if (offset < RESUMES * STUB_SIZE) {
		snprintf(s, 64, "resume point %lu", offset / STUB_SIZE);
		return s;
	}

	offset = pc - (uint64_t)fuzz_banks;
	if (offset < BANKS * BANK_SIZE) {
		if (offset & BANK_ENTRIES)
			snprintf(s, 64, "handler %lu of bank %lu",
				 (offset & (BANK_ENTRIES - 1)) / STUB_SIZE, offset / BANK_SIZE);
		else
			snprintf(s, 64, "vector 0x%lx of bank %lu",
				 offset & (BANK_ENTRIES - 1), offset / BANK_SIZE);
		return s;
	}

	snprintf(s, 64, "0x%lx", pc);
	return s;
}

static void print_op(const struct fuzz_op *op, const struct plan *plan)
{
	static const char * const kinds[] = {
		[OP_HVC] = "HVC", [OP_SMC] = "SMC", [OP_EXIT] = "exit",
		[OP_EL0] = "exit from EL0", [OP_SET] = "system registers",
		[OP_WFI] = "WFI",
	};
	static const char * const actions[] = {
		[VMM_END] = "end of the list", [VMM_CHECK] = "compare pseudo-registers",
		[VMM_INJECT] = "inject",
		[VMM_PEND] = "make pending by register",
		[VMM_SET_MASK] = "set mask by register", [VMM_MIGRATE] = "new VM",
		[VMM_RESET] = "reset", [VMM_ARM] = "will wake up",
		[VMM_WAKE] = "wakes up",
	};
	const char *call;
	int i;

	printf("%s", kinds[plan->kind]);
	if (plan->kind == OP_HVC || plan->kind == OP_SMC) {
		call = sdei_model_call_name(op->x[0]);
		if (call)
			printf(" %s", call);
		else
			printf(" fn 0x%x", (uint32_t)op->x[0]);
		printf("(0x%lx, 0x%lx, 0x%lx, 0x%lx)", op->x[1], op->x[2],
		       op->x[3], op->x[4]);
	}
	if (plan->action)
		printf(" VMM: %s", actions[plan->action]);
	if (plan->action == VMM_INJECT || plan->action == VMM_PEND)
		printf(" 0x%x to 0x%lx", plan->event, plan->mpidr);
	if (plan->action == VMM_SET_MASK)
		printf(" %u", plan->event);
	for (i = 0; i < plan->nr_wake; i++)
		printf(" 0x%x", plan->wake[i]);
	if (plan->kick)
		printf(" and kick");
	printf(" in PSTATE 0x%lx", op->pstate);
}

static const char *reg_name(int i)
{
	static const char * const names[] = {
		"SP_EL0", "SP_EL1", "PC", "PSTATE", "ELR_EL1", "SPSR_EL1", "ESR_EL1",
	};
	static char name[8];

	if (i >= 31)
		return names[i - 31];
	snprintf(name, sizeof(name), "x%d", i);
	return name;
}

static void print_diff(const void *want, const void *got)
{
	const uint64_t *w = want, *g = got;
	int i;

	for (i = 0; i < REC_COMPARED / 8; i++) {
		if (w[i] == g[i])
			continue;
		printf("#     %s: model 0x%lx", reg_name(i), w[i]);
		if (i == 33)
			printf(" (%s)", point_name(w[i]));
		printf(", guest 0x%lx", g[i]);
		if (i == 33)
			printf(" (%s)", point_name(g[i]));
		printf("\n");
	}
}

/*
 * One vCPU, checked exactly
 */

/* The last operations of the list before */
static struct {
	struct fuzz_op op;
	struct plan plan;
	struct sdei_model_regs want;
} history[HISTORY];
static int nr_history;

static void keep_history(struct fuzz_cpu *c)
{
	int i;

	nr_history = 0;
	for (i = max(0, c->nr_ops - HISTORY); i < c->nr_ops; i++) {
		history[nr_history].op = c->ops[i];
		history[nr_history].plan = c->plan[i];
		history[nr_history++].want = wanted[i + 1];
	}
}

static void add_op(struct fuzz *f, int p, enum op_kind kind, enum vmm_action action)
{
	struct fuzz_cpu *c = f->cpu[p];
	int i = c->nr_ops++;

	memset(&c->plan[i], 0, sizeof(c->plan[i]));
	c->plan[i].kind = kind;
	c->plan[i].action = action;
	random_op(f, p, &c->ops[i], kind);
}

static void add_blocking_op(struct fuzz *f, int p)
{
	struct fuzz_cpu *c = f->cpu[p];
	struct plan *plan;
	int i;

	add_op(f, p, OP_EXIT, VMM_ARM);
	model_op(f, p, &c->ops[c->nr_ops - 1], &c->plan[c->nr_ops - 1]);
	wanted[c->nr_ops] = f->model.pe[p].regs;

	add_op(f, p, chance(f, 50) ? OP_WFI : OP_HVC, VMM_WAKE);
	plan = &c->plan[c->nr_ops - 1];
	if (plan->kind == OP_HVC)
		c->ops[c->nr_ops - 1].x[0] = PSCI_0_2_FN64_CPU_SUSPEND;
	plan->nr_wake = below(f, ARRAY_SIZE(plan->wake) + 1);
	for (i = 0; i < plan->nr_wake; i++)
		plan->wake[i] = random_exposed(f);
}

static void single_list(struct fuzz *f, int nr, bool first)
{
	struct fuzz_cpu *c = f->cpu[0];
	unsigned int n;
	int i;

	for (i = 0; i < c->nr_ops; i++)
		free(c->plan[i].snapshot);

	wanted[0] = f->model.pe[0].regs;
	c->nr_ops = 0;
	while (c->nr_ops < nr - 1) {
		n = below(f, 1000);
		if (first && !c->nr_ops) {
			add_op(f, 0, OP_SET, VMM_NOTHING);
		} else if (n < 10) {
			add_op(f, 0, OP_SET, VMM_NOTHING);
		} else if (n < 50) {
			add_op(f, 0, chance(f, 70) ? OP_EXIT : OP_EL0, VMM_NOTHING);
			random_action(f, 0, &c->plan[c->nr_ops - 1]);
		} else if (n < 51 && c->nr_ops < nr - 2) {
			add_blocking_op(f, 0);
		} else {
			add_op(f, 0, chance(f, 50) ? OP_HVC : OP_SMC, VMM_NOTHING);
		}
		i = c->nr_ops - 1;
		model_op(f, 0, &c->ops[i], &c->plan[i]);
		wanted[i + 1] = f->model.pe[0].regs;
	}
	add_op(f, 0, OP_EXIT, VMM_END);
	i = c->nr_ops - 1;
	model_op(f, 0, &c->ops[i], &c->plan[i]);
	wanted[i + 1] = f->model.pe[0].regs;
}

/* End the list after @nr operations. */
static void single_cut(struct fuzz *f, int nr)
{
	struct fuzz_cpu *c = f->cpu[0];

	c->nr_ops = nr;
	/* Don't wait for what does not come. */
	if (nr && c->plan[nr - 1].action == VMM_ARM)
		c->plan[nr - 1].action = VMM_NOTHING;
	free(c->plan[nr].snapshot);
	add_op(f, 0, OP_EXIT, VMM_END);
}

static void print_step(uint64_t nr, const struct fuzz_op *op, const struct plan *plan,
		       const struct sdei_model_regs *want)
{
	printf("#   %lu: ", nr);
	print_op(op, plan);
	printf(" -> %s, x0 0x%lx\n", point_name(want->pc), want->x[0]);
}

/* Operations of the lists before this one */
static uint64_t single_done;

/* Where the first record is that differs, or -1 */
static int single_check(struct fuzz *f, uint64_t before, bool first, bool tell)
{
	struct fuzz_cpu *c = f->cpu[0];
	int n = min(nr_recs(c), c->nr_ops), i, j;
	struct plan *plan;

	for (i = first ? 1 : 0; i < n; i++) {
		plan = i ? &c->plan[i - 1] : NULL;
		if (!same_state(&wanted[i], &c->recs[i]))
			break;
		if (plan && plan->got != plan->want)
			break;
	}
	if (i == c->nr_ops)
		return -1;
	if (!tell)
		return i;

	ksft_print_msg("The operations before operation %ld, and where they lead to:\n",
		       before + i - 1);
	for (j = max(0, nr_history - HISTORY + i); j < nr_history; j++)
		print_step(before - nr_history + j, &history[j].op, &history[j].plan,
			   &history[j].want);
	for (j = max(0, i - HISTORY); j < i; j++)
		print_step(before + j, &c->ops[j], &c->plan[j], &wanted[j + 1]);
	if (i >= n) {
		ksft_print_msg("The guest does not get beyond that.\n");
		return i;
	}
	ksft_print_msg("Divergence after the last one:\n");
	print_diff(&wanted[i], &c->recs[i]);
	if (i && c->plan[i - 1].got != c->plan[i - 1].want)
		ksft_print_msg("  the VMM: model %d, KVM %d\n", c->plan[i - 1].want,
			       c->plan[i - 1].got);
	return i;
}

/*
 * Returns the number of operations of the shortest prefix that diverges, or 0
 * if @nr operations don't.
 */
static uint64_t single_run(uint64_t seed, uint64_t nr, bool mte, bool tell)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	uint64_t done = 0, diverged = 0;
	const char *why;
	bool first = true;
	int i;

	TEST_ASSERT(f, "calloc() failed");
	seed_random(f, 16 * seed + mte);
	/* The second one is off: a target for signals and injections */
	fuzz_create(f, 2, mte);
	f->model.pe[0].on = true;
	f->model.pe[0].regs.sctlr_el1 = f->sctlr;
	f->model.pe[0].regs.vbar_el1 = (uint64_t)fuzz_banks;
	nr_history = 0;
	single_done = 0;

	while (!diverged && done < nr) {
		/* All of a run's lists but the last are alike, however long it is. */
		single_list(f, BATCH, first);
		if (nr - done < BATCH - 1)
			single_cut(f, nr - done);
		rewind_machine(f->cpu[0]);
		single_done = done;
		why = run_list(f, 0);
		waker_finish();
		i = single_check(f, done, first, tell);
		if (i >= 0)
			diverged = done + max(i, 1);
		else
			done = min(nr, done + f->cpu[0]->nr_ops);
		if (why && tell)
			ksft_print_msg("%s\n", why);
		keep_history(f->cpu[0]);
		first = false;
	}

	if (tell) {
		nr_checked += done;
		ksft_print_msg("%lu handlers, %lu new VMs, %lu resets, %lu times blocked\n",
			       f->handlers, f->migrations, f->resets, f->wakes);
	}
	fuzz_destroy(f);
	free(f);
	return diverged;
}

/*
 * Many vCPUs, checked against what the model allows
 *
 * What a vCPU does to itself is exact. What others send it is not: a sender
 * takes the time before and after, and the event becomes pending in between. So
 * an event may be pending, if someone may have sent it since it was last
 * delivered; and it must be, if someone has certainly done so. There is one
 * clock for all, which counts the times that were taken.
 */

/* Someone sent an event, at some time from @start to @end. */
struct sent {
	uint64_t start;
	uint64_t end;
	int ret;		/* of an injection */
	bool injected;
};

/*
 * What was sent; and what of it took effect, in the order of each time, with the
 * maximum of the other so far
 */
struct sent_list {
	struct sent *sent;
	int nr, max;
	struct sent *by_start;
	struct sent *by_end;
	int nr_sorted;
};

/* An event was registered or unregistered, at some time from @start to @end. */
struct change {
	uint64_t start;
	uint64_t end;
	bool registered;
};

struct target {
	/* When the pending bit was last cleared */
	uint64_t clear_start;
	uint64_t clear_end;
	struct sent_list sent;
	struct change *change;
	int nr_changes, max_changes;
};

struct short_event {
	struct fuzz_short_rec *rec;
	bool critical;
	bool after;		/* the operation's call, not before */
	uint64_t since;		/* the earliest time that it can have happened */
};

static struct multi {
	struct fuzz *f;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int batch;		/* which one is to be run */
	int nr_done;		/* vCPUs that are done with it */
	bool done[MAX_CPUS];
	bool stop;
	const char *why[MAX_CPUS];
	pthread_t thread[MAX_CPUS];
	pid_t tid[MAX_CPUS];
	struct target target[MAX_CPUS][SDEI_MODEL_MAX_EVENTS];
	/* The end of the list before, whose outcome is record 0 */
	struct fuzz_op last_op[MAX_CPUS];
	struct plan last_plan[MAX_CPUS];
	uint64_t shorts;
	uint64_t from_others;
	uint64_t quiet;
	uint64_t power_cycles;
} multi = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static uint64_t host_now(struct fuzz *f)
{
	return __atomic_add_fetch(f->clock, 1, __ATOMIC_SEQ_CST);
}

static void *grow(void *array, int nr, int *max, size_t size)
{
	if (nr < *max)
		return array;
	*max = *max ? *max * 2 : 256;
	array = realloc(array, *max * size);
	TEST_ASSERT(array, "realloc() failed");
	return array;
}

static void add_sent(int p, int e, struct sent sent)
{
	struct sent_list *l = &multi.target[p][e].sent;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	l->sent = grow(l->sent, l->nr, &l->max, sizeof(*l->sent));
	l->sent[l->nr++] = sent;
	pthread_mutex_unlock(&lock);
}

static int by_start(const void *a, const void *b)
{
	const struct sent *l = a, *r = b;

	return l->start < r->start ? -1 : l->start > r->start;
}

static int by_end(const void *a, const void *b)
{
	const struct sent *l = a, *r = b;

	return l->end < r->end ? -1 : l->end > r->end;
}

static void sort_sent(struct sent_list *l)
{
	int i, n = 0;

	free(l->by_start);
	free(l->by_end);
	l->by_start = calloc(l->nr + 1, sizeof(*l->by_start));
	l->by_end = calloc(l->nr + 1, sizeof(*l->by_end));
	TEST_ASSERT(l->by_start && l->by_end, "calloc() failed");

	/* Injections that failed have sent nothing. */
	for (i = 0; i < l->nr; i++) {
		if (!l->sent[i].ret) {
			l->by_start[n] = l->sent[i];
			l->by_end[n++] = l->sent[i];
		}
	}
	qsort(l->by_start, n, sizeof(*l->by_start), by_start);
	qsort(l->by_end, n, sizeof(*l->by_end), by_end);
	for (i = 1; i < n; i++) {
		l->by_start[i].end = max(l->by_start[i].end, l->by_start[i - 1].end);
		l->by_end[i].start = max(l->by_end[i].start, l->by_end[i - 1].start);
	}
	l->nr_sorted = n;
}

/* Has it been sent for certain, after it was last cleared and before @time? */
static bool must_be_pending(struct fuzz *f, int p, int e, uint64_t time)
{
	struct target *t = &multi.target[p][e];
	int low = 0, high = t->sent.nr_sorted, mid;

	if (!sdei_model_is_registered(f->model.pe[p].event[e].state))
		return false;
	if (f->model.pe[p].event[e].pending)
		return true;

	while (low < high) {
		mid = (low + high) / 2;
		if (t->sent.by_end[mid].end < time)
			low = mid + 1;
		else
			high = mid;
	}
	return low && t->sent.by_end[low - 1].start > t->clear_end;
}

/* Can it have been sent, after it was last cleared and before @time? */
static bool may_be_pending(struct fuzz *f, int p, int e, uint64_t time)
{
	struct target *t = &multi.target[p][e];
	int low = 0, high = t->sent.nr_sorted, mid;

	if (!sdei_model_is_registered(f->model.pe[p].event[e].state))
		return false;
	if (f->model.pe[p].event[e].pending)
		return true;

	while (low < high) {
		mid = (low + high) / 2;
		if (t->sent.by_start[mid].start < time)
			low = mid + 1;
		else
			high = mid;
	}
	return low && t->sent.by_start[low - 1].end > t->clear_start;
}

static void cleared(int p, int e, uint64_t start, uint64_t end)
{
	multi.target[p][e].clear_start = start;
	multi.target[p][e].clear_end = end;
}

/* Take note of what an operation did to registrations. */
static void note_changes(struct fuzz *f, int p, const bool *before,
			 uint64_t start, uint64_t end)
{
	struct target *t;
	bool now;
	int e;

	for (e = 0; e < f->model.nr_events; e++) {
		now = sdei_model_is_registered(f->model.pe[p].event[e].state);
		if (now == before[e])
			continue;
		t = &multi.target[p][e];
		t->change = grow(t->change, t->nr_changes, &t->max_changes,
				 sizeof(*t->change));
		t->change[t->nr_changes++] = (struct change) { start, end, now };
		cleared(p, e, start, end);
	}
}

static void get_registered(struct fuzz *f, int p, bool *registered)
{
	int e;

	for (e = 0; e < f->model.nr_events; e++)
		registered[e] = sdei_model_is_registered(f->model.pe[p].event[e].state);
}

/* An event that comes before @event, and that must be pending, or -1 */
static int overtaken(struct fuzz *f, int p, int event, uint64_t time)
{
	struct sdei_model_event *ev = f->model.pe[p].event;
	int e;

	for (e = 0; e < f->model.nr_events; e++) {
		if (e == event || !sdei_model_can_take(&f->model, p, e) ||
		    !must_be_pending(f, p, e, time))
			continue;
		if (event < 0 || ev[e].priority > ev[event].priority ||
		    (ev[e].priority == ev[event].priority && e < event))
			return e;
	}
	return -1;
}

static bool wrong(int p, const char *fmt, ...)
{
	va_list ap;

	printf("# vCPU %d: ", p);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	return false;
}

/*
 * Can the vCPU have entered the handler of @event at some time from @since to
 * @until? An event is certain to have been seen if it was sent before @since.
 */
static bool check_entry(struct fuzz *f, int p, int event, uint64_t since, uint64_t until)
{
	struct sdei_model_event *ev = f->model.pe[p].event;
	int e;

	if (event < 0)
		return wrong(p, "the handler of an event that does not exist");
	if (!sdei_model_can_take(&f->model, p, event))
		return wrong(p, "event 0x%x can't be taken and is: %s, %s, %d handlers",
			     ev[event].number, sdei_model_state_name(ev[event].state),
			     f->model.pe[p].masked ? "masked" : "not masked",
			     f->model.pe[p].depth);
	if (!may_be_pending(f, p, event, until))
		return wrong(p, "event 0x%x is delivered, and nobody has sent it",
			     ev[event].number);
	e = overtaken(f, p, event, since);
	if (e >= 0)
		return wrong(p, "event 0x%x is delivered before event 0x%x", ev[event].number,
			     ev[e].number);
	return true;
}

/* A handler that interrupted the machine at its work, and has completed */
static bool check_short(struct fuzz *f, int p, struct short_event *s)
{
	struct sdei_model_pe *pe = &f->model.pe[p];
	int event = sdei_model_find_event(&f->model, s->rec->x[0]);
	struct sdei_model_event *ev = &pe->event[event];
	uint64_t entry = s->rec->pc, want;

	multi.shorts++;
	if (!check_entry(f, p, event, s->since, s->rec->time))
		return false;

	/* VBAR_EL1 may have been about to change from one bank to another. */
	want = ev->entry + (ev->relative ? pe->regs.vbar_el1 : 0);
	if (ev->relative) {
		want %= BANK_SIZE;
		entry %= BANK_SIZE;
	}
	if (s->rec->x[0] != ev->number || s->rec->x[1] != ev->arg || entry != want)
		return wrong(p, "handler at 0x%lx, x0 0x%lx, x1 0x%lx: want 0x%lx, 0x%x, 0x%lx",
			     entry, s->rec->x[0], s->rec->x[1], want, ev->number, ev->arg);

	ev->pending = false;
	cleared(p, event, s->since, s->rec->time);
	nr_checked++;
	return true;
}

/* CPU_OFF, and then CPU_ON by another vCPU, or a VMM that makes it runnable */
static bool check_power_cycle(struct fuzz *f, int p, const struct fuzz_rec *rec)
{
	struct sdei_model_regs *regs = &f->model.pe[p].regs;

	multi.power_cycles++;
	if (rec->pc != (uint64_t)fuzz_on_land)
		return same_state(regs, rec) ||
		       wrong(p, "CPU_OFF, and the VMM makes the vCPU runnable again");

	regs->elr_el1 = rec->elr_el1;
	regs->spsr_el1 = rec->spsr_el1;
	regs->esr_el1 = rec->esr_el1;
	regs->sctlr_el1 = f->sctlr;
	regs->vbar_el1 = (uint64_t)fuzz_banks;
	return rec->pstate == (PSR_MODE_EL1h | PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT) ||
	       wrong(p, "PSTATE is 0x%lx after CPU_ON", rec->pstate);
}

/* What CPU_ON returned is its target's business: take it as it is. */
static void adopt_power_call(struct sdei_model_regs *regs, const struct fuzz_rec *rec)
{
	int64_t ret = rec->x[0];

	if (regs->x[0] == CPU_ON_RESULT &&
	    (ret == PSCI_RET_SUCCESS || ret == PSCI_RET_ALREADY_ON))
		regs->x[0] = ret;
}

/* An operation of vCPU @p, and the record that it has led to */
static bool check_op(struct fuzz *f, int p, const struct fuzz_op *op,
		     const struct plan *plan, const struct fuzz_rec *rec)
{
	struct sdei_model_pe *pe = &f->model.pe[p];
	struct sdei_model_regs *regs = &pe->regs;
	bool registered[SDEI_MODEL_MAX_EVENTS];
	bool calls = plan->kind == OP_HVC || plan->kind == OP_SMC;
	int target = -1, event = -1, e;
	bool off;

	get_registered(f, p, registered);
	model_load(f, p, op, plan->kind);
	off = calls && (uint32_t)op->x[0] == PSCI_0_2_FN_CPU_OFF;
	if (off)
		sdei_model_reset(&f->model, p);
	if (calls)
		target = model_call(f, p);
	if (target == p)
		sdei_model_send(&f->model, p, 0);
	if (plan->action == VMM_SET_MASK)
		pe->masked = plan->event;
	note_changes(f, p, registered, op->start, rec->time);

	nr_checked++;
	if (off)
		return check_power_cycle(f, p, rec);

	/* Interrupted at the vector, to which SVC had come already? */
	if (regs->pc == (uint64_t)fuzz_el0_svc && rec->x[2] == regs->vbar_el1 + VECTOR_EL0_SYNC) {
		model_go_on(f, p);
		regs->pstate = rec->x[3];
	}

	if (rec->pc - (uint64_t)fuzz_banks < BANKS * BANK_SIZE && (rec->pc & BANK_ENTRIES)) {
		event = sdei_model_find_event(&f->model, rec->x[0]);
		if (!check_entry(f, p, event, op->start, rec->time))
			return false;
		sdei_model_enter(&f->model, p, event);
		cleared(p, event, op->start, rec->time);
		f->handlers++;
	} else if (plan->kind != OP_SET) {
		/* It has been in KVM since then. */
		e = overtaken(f, p, -1, op->start);
		if (e >= 0)
			return wrong(p, "event 0x%x is pending, can be taken, and is not delivered",
				     pe->event[e].number);
	}

	model_go_on(f, p);
	adopt_power_call(regs, rec);
	if (same_state(regs, rec) && plan->got == plan->want)
		return true;
	if (plan->got != plan->want)
		wrong(p, "the VMM gets %d", plan->got);
	wrong(p, "divergence:");
	print_diff(regs, rec);
	return false;
}

/*
 * When did the short handlers run, with respect to the operation in whose time
 * their records fall? The interrupted PC tells, or that of the normal handler
 * that the critical one has interrupted.
 */
static bool within(uint64_t pc, const char *start, const char *end)
{
	return pc - (uint64_t)start < (uint64_t)end - (uint64_t)start;
}

static bool in_stub(uint64_t pc, bool entry)
{
	uint64_t offset = pc - (uint64_t)fuzz_points;

	if (offset >= 0x8000)
		return false;
	if (offset >= 0x4000)
		return entry == !!(offset & BANK_ENTRIES);
	/* The instructions for which the list is there end where landing begins. */
	return !entry && offset >= 0x1000 && offset % STUB_SIZE != STUB_SIZE - 4;
}

static bool runs_after(struct fuzz_cpu *c, struct short_event *s, struct short_event *normals,
		       int nr_normals)
{
	uint64_t pc = s->rec->x[2], time = s->rec->time, next_rec = UINT64_MAX;
	int i, next;

	if (in_stub(pc, false) || within(pc, fuzz_save_land, fuzz_save_normal) ||
	    within(pc, fuzz_store_normal, fuzz_short_normal))
		return true;
	if (!s->critical)
		return false;
	if (!in_stub(pc, true) && !within(pc, fuzz_save_normal, fuzz_save_critical))
		return false;

	/* In a normal handler: a short one, or one that is going to be recorded */
	for (next = 0; next < nr_normals && normals[next].rec->time < time; next++)
		;
	if (within(pc, fuzz_short_normal_told, fuzz_save_critical))
		return next ? normals[next - 1].after : true;
	for (i = nr_recs(c) - 1; i >= 0 && c->recs[i].time > time; i--)
		next_rec = c->recs[i].time;
	if (next < nr_normals && normals[next].rec->time < next_rec)
		return normals[next].after;
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct short_event *l = a, *r = b;

	return l->rec->time < r->rec->time ? -1 : l->rec->time > r->rec->time;
}

static int nr_shorts(struct fuzz_cpu *c, int prio)
{
	return (c->block->short_rec[prio] - c->shorts_gva[prio]) / sizeof(*c->shorts[prio]);
}

/* The short handlers of a list, in the order of time */
static struct short_event *sort_shorts(struct fuzz_cpu *c, uint64_t start, int *nr)
{
	struct short_event *s, *normals, *s2;
	uint64_t since_any, since_normal;
	int n = 0, prio, i, r, nr_normals = nr_shorts(c, 0);

	*nr = nr_normals + nr_shorts(c, 1);
	TEST_ASSERT(nr_normals <= MAX_SHORTS && *nr - nr_normals <= MAX_SHORTS,
		    "Too many short handlers");
	s = calloc(*nr + 1, sizeof(*s));
	TEST_ASSERT(s, "calloc() failed");
	for (prio = 0; prio < 2; prio++) {
		for (i = 0; i < nr_shorts(c, prio); i++) {
			s[n].critical = prio;
			s[n++].rec = &c->shorts[prio][i];
		}
	}
	normals = s;
	for (i = 0; i < n; i++)
		s[i].after = runs_after(c, &s[i], normals, nr_normals);
	qsort(s, n, sizeof(*s), by_time);

	/*
	 * They began after this vCPU's time was last taken; only that it may
	 * have been taken by a critical handler that interrupted a normal one.
	 */
	since_any = start;
	since_normal = start;
	for (i = 0, r = 0; i < n; i++) {
		s2 = &s[i];
		for (; r < nr_recs(c) && c->recs[r].time < s2->rec->time; r++) {
			since_any = max(since_any, c->recs[r].time);
			since_normal = max(since_normal, c->recs[r].time);
		}
		if (r && r - 1 < c->nr_ops && c->ops[r - 1].start < s2->rec->time) {
			since_any = max(since_any, c->ops[r - 1].start);
			since_normal = max(since_normal, c->ops[r - 1].start);
		}
		s2->since = s2->critical ? since_any : since_normal;
		since_any = s2->rec->time;
		if (!s2->critical)
			since_normal = s2->rec->time;
	}
	return s;
}

static void print_around(struct fuzz *f, int p, int rec)
{
	struct fuzz_cpu *c = f->cpu[p];
	int i;

	ksft_print_msg("vCPU %d up to operation %d of this list, and its records:\n", p, rec - 1);
	for (i = max(1, rec - HISTORY); i <= rec && i < nr_recs(c); i++) {
		printf("#   [%lu, %lu] ", c->ops[i - 1].start, c->recs[i].time);
		print_op(&c->ops[i - 1], &c->plan[i - 1]);
		printf(" -> %s, x0 0x%lx, x2 0x%lx\n", point_name(c->recs[i].pc), c->recs[i].x[0],
		       c->recs[i].x[2]);
	}
}

static bool check_list(struct fuzz *f, int p, bool first)
{
	struct fuzz_cpu *c = f->cpu[p];
	struct short_event *s;
	int nr, k = 0, i, j, end;
	const struct fuzz_op *op;
	const struct plan *plan;
	bool good = true;

	s = sort_shorts(c, multi.last_op[p].start, &nr);

	for (i = 0; i < nr_recs(c) && good; i++) {
		op = i ? &c->ops[i - 1] : &multi.last_op[p];
		plan = i ? &c->plan[i - 1] : &multi.last_plan[p];

		for (; k < nr && s[k].rec->time < op->start && good; k++)
			good = check_short(f, p, &s[k]);
		for (end = k; end < nr && s[end].rec->time < c->recs[i].time; end++)
			;
		for (j = k; j < end && good; j++) {
			if (!s[j].after)
				good = check_short(f, p, &s[j]);
		}
		if (good && !(first && !i))
			good = check_op(f, p, op, plan, &c->recs[i]);
		for (j = k; j < end && good; j++) {
			if (s[j].after)
				good = check_short(f, p, &s[j]);
		}
		k = end;
		if (!good)
			print_around(f, p, i);
	}
	for (; k < nr && good; k++) {
		good = check_short(f, p, &s[k]);
		if (!good)
			print_around(f, p, i);
	}
	free(s);

	if (good && i != c->nr_ops) {
		good = wrong(p, "the machine has stopped after %d of %d operations", i, c->nr_ops);
		print_around(f, p, i);
	}
	return good;
}

/* Did injections return what the state of the target's registration allows? */
static bool check_injections(struct fuzz *f, int p, int e)
{
	struct target *t = &multi.target[p][e];
	struct sent *sent;
	bool registered, overlaps;
	int i, j;

	for (i = 0; i < t->sent.nr; i++) {
		sent = &t->sent.sent[i];
		if (!sent->injected)
			continue;
		registered = false;
		overlaps = false;
		for (j = 0; j < t->nr_changes; j++) {
			if (t->change[j].end < sent->start)
				registered = t->change[j].registered;
			else if (t->change[j].start < sent->end)
				overlaps = true;
		}
		if (overlaps || sent->ret == (registered ? 0 : -ENOTCONN))
			continue;
		return wrong(p, "injecting event 0x%x while it is %sregistered returns %d",
			     f->model.pe[p].event[e].number, registered ? "" : "not ", sent->ret);
	}
	return true;
}

/* What is still pending, or may be, is so for the next list. */
static void carry_over(struct fuzz *f, int p, int e)
{
	struct target *t = &multi.target[p][e];
	struct sent last = {};

	if (must_be_pending(f, p, e, UINT64_MAX)) {
		f->model.pe[p].event[e].pending = true;
	} else if (may_be_pending(f, p, e, UINT64_MAX)) {
		last.start = 1;
		last.end = t->sent.by_start[t->sent.nr_sorted - 1].end;
	}
	t->sent.nr = 0;
	if (last.start)
		add_sent(p, e, last);

	/* Only the last change matters from here on. */
	if (t->nr_changes > 1) {
		t->change[0] = t->change[t->nr_changes - 1];
		t->nr_changes = 1;
	}
}

static bool check_batch(struct fuzz *f, bool first)
{
	struct fuzz_cpu *c;
	const struct fuzz_op *op;
	unsigned int p, q, e;
	bool good = true;
	int i;

	for (p = 0; p < f->nr_cpus; p++) {
		if (multi.why[p])
			good = wrong(p, "%s", multi.why[p]);
	}

	for (p = 0; p < f->nr_cpus; p++) {
		c = f->cpu[p];
		for (i = 1; i < nr_recs(c); i++) {
			op = &c->ops[i - 1];
			if ((c->plan[i - 1].kind != OP_HVC && c->plan[i - 1].kind != OP_SMC) ||
			    (uint32_t)op->x[0] != FN(SDEI_EVENT_SIGNAL) || (uint32_t)op->x[1])
				continue;
			q = sdei_model_find_pe(&f->model, op->x[2]);
			if (q < f->nr_cpus && q != p) {
				add_sent(q, 0, (struct sent) { op->start, c->recs[i].time });
				multi.from_others++;
			}
		}
	}

	for (p = 0; p < f->nr_cpus; p++) {
		for (e = 0; e < f->model.nr_events; e++)
			sort_sent(&multi.target[p][e].sent);
		good = check_list(f, p, first) && good;
		for (e = 0; e < f->model.nr_events && good; e++)
			good = check_injections(f, p, e);
		for (e = 0; e < f->model.nr_events; e++)
			carry_over(f, p, e);
		c = f->cpu[p];
		multi.last_op[p] = c->ops[c->nr_ops - 1];
		multi.last_plan[p] = c->plan[c->nr_ops - 1];
	}
	return good;
}

static void add_call(struct fuzz *f, int p, uint64_t fn, uint64_t arg)
{
	struct fuzz_cpu *c = f->cpu[p];

	add_op(f, p, chance(f, 50) ? OP_HVC : OP_SMC, VMM_NOTHING);
	c->ops[c->nr_ops - 1].x[0] = fn;
	c->ops[c->nr_ops - 1].x[1] = arg;
}

static void add_power_call(struct fuzz *f, int p)
{
	unsigned int q = below(f, f->nr_cpus);
	struct fuzz_op *op;

	if (chance(f, 10)) {
		add_call(f, p, PSCI_0_2_FN_CPU_OFF, 0);
		return;
	}
	add_call(f, p, PSCI_0_2_FN64_CPU_ON, f->model.pe[q].mpidr);
	op = &f->cpu[p]->ops[f->cpu[p]->nr_ops - 1];
	op->x[2] = sdei_cpu_on_pa[q];
	op->x[3] = sdei_cpu_on_context_pa[q];
}

/* Register and enable what is not, and unmask: a vCPU that takes events */
static void add_setup(struct fuzz *f, int p)
{
	struct fuzz_cpu *c = f->cpu[p];
	uint32_t number;
	int e;

	for (e = 0; e < f->model.nr_events; e++) {
		number = f->model.pe[p].event[e].number;
		add_call(f, p, FN(SDEI_EVENT_REGISTER), number);
		random_entry(f, &c->ops[c->nr_ops - 1]);
		add_call(f, p, FN(SDEI_EVENT_ENABLE), number);
	}
	add_call(f, p, FN(SDEI_PE_UNMASK), 0);
}

/* Everything that is pending is to be delivered, every handler to complete. */
static void add_drain(struct fuzz *f, int p)
{
	int i;

	for (i = 0; i < 3; i++)
		add_call(f, p, FN(SDEI_EVENT_COMPLETE), 0);
	add_call(f, p, FN(SDEI_PE_UNMASK), 0);
	for (i = 0; i < f->model.nr_events; i++)
		add_call(f, p, FN(SDEI_EVENT_ENABLE), f->model.pe[p].event[i].number);
	for (i = 0; i < 3 * f->model.nr_events; i++)
		add_call(f, p, FN(SDEI_EVENT_COMPLETE), 0);
}

static void multi_list(struct fuzz *f, int p, int nr, bool first)
{
	struct fuzz_cpu *c = f->cpu[p];
	unsigned int n;

	c->nr_ops = 0;
	if (first)
		add_op(f, p, OP_SET, VMM_NOTHING);
	while (c->nr_ops < nr) {
		n = below(f, 1000);
		if (n < 10) {
			add_op(f, p, OP_SET, VMM_NOTHING);
		} else if (n < 25) {
			add_op(f, p, chance(f, 70) ? OP_EXIT : OP_EL0, VMM_INJECT);
			c->plan[c->nr_ops - 1].event = random_event(f);
			c->plan[c->nr_ops - 1].mpidr = random_mpidr(f);
		} else if (n < 28) {
			add_op(f, p, OP_EXIT, VMM_SET_MASK);
			c->plan[c->nr_ops - 1].event = chance(f, 25);
		} else if (n < 40) {
			add_op(f, p, OP_WFI, VMM_NOTHING);
		} else if (n < 60) {
			add_power_call(f, p);
		} else if (n < 130) {
			add_call(f, p, FN(SDEI_EVENT_COMPLETE), 0);
		} else if (n < 135) {
			add_setup(f, p);
		} else {
			add_op(f, p, chance(f, 50) ? OP_HVC : OP_SMC, VMM_NOTHING);
		}
	}
	add_drain(f, p);
	add_op(f, p, OP_EXIT, VMM_END);
}

/* Inject, and remember when. */
static int inject_at(struct fuzz *f, uint64_t mpidr, uint32_t number)
{
	int p = sdei_model_find_pe(&f->model, mpidr);
	int e = sdei_model_find_event(&f->model, number);
	struct sent sent = { .injected = true };

	sent.start = host_now(f);
	sent.ret = __sdei_inject(f->svm.vm, mpidr, number);
	sent.end = host_now(f);

	if (p >= 0 && e >= 0)
		add_sent(p, e, sent);
	else if (sent.ret != (p < 0 ? -ESRCH : -ENOENT))
		return sent.ret;
	return 0;
}

static void *multi_thread(void *arg)
{
	int p = (long)arg, batch = 0;
	const char *why;

	WRITE_ONCE(multi.tid[p], syscall(SYS_gettid));
	pthread_mutex_lock(&multi.lock);
	for (;;) {
		while (multi.batch == batch && !multi.stop)
			pthread_cond_wait(&multi.changed, &multi.lock);
		if (multi.stop)
			break;
		batch = multi.batch;
		pthread_mutex_unlock(&multi.lock);
		why = run_list(multi.f, p);
		this_run = NULL;
		pthread_mutex_lock(&multi.lock);
		multi.why[p] = why;
		multi.done[p] = true;
		multi.nr_done++;
	}
	pthread_mutex_unlock(&multi.lock);
	return NULL;
}

static bool is_done(int p)
{
	bool done;

	pthread_mutex_lock(&multi.lock);
	done = multi.done[p];
	pthread_mutex_unlock(&multi.lock);
	return done;
}

static bool all_done(struct fuzz *f)
{
	bool done;

	pthread_mutex_lock(&multi.lock);
	done = multi.nr_done == f->nr_cpus;
	pthread_mutex_unlock(&multi.lock);
	return done;
}

/* Stop every vCPU that is not done. */
static void pause_all(struct fuzz *f)
{
	unsigned int p;
	bool parked;

	WRITE_ONCE(parking.pause, true);
	for (p = 0; p < f->nr_cpus; p++) {
		for (;;) {
			pthread_mutex_lock(&parking.lock);
			parked = parking.parked[p];
			pthread_mutex_unlock(&parking.lock);
			if (parked || is_done(p))
				break;
			pthread_kill(multi.thread[p], SIGUSR1);
			usleep(100);
		}
	}
}

static void resume_all(void)
{
	pthread_mutex_lock(&parking.lock);
	WRITE_ONCE(parking.pause, false);
	pthread_cond_broadcast(&parking.changed);
	pthread_mutex_unlock(&parking.lock);
}

/* The first line of a file about the vCPU's thread */
static void read_thread_file(int p, const char *name, char *buf, int size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", multi.tid[p], name);
	file = fopen(path, "r");
	TEST_ASSERT(file, "%s can't be opened", path);
	if (!fgets(buf, size, file))
		buf[0] = 0;
	fclose(file);
}

/*
 * Is the vCPU's thread asleep? Not only by its state, which is that of a sleeper
 * while it has a last look at what could keep it awake: "syscall" waits until
 * the thread has left its CPU for good, or says that it runs.
 */
static bool is_asleep(int p)
{
	char buf[256], *state;

	if (!READ_ONCE(multi.tid[p]))
		return false;

	read_thread_file(p, "stat", buf, sizeof(buf));
	state = strrchr(buf, ')');
	if (!state || state[2] != 'S')
		return false;

	read_thread_file(p, "syscall", buf, sizeof(buf));
	return strncmp(buf, "running", 7);
}

/* Nothing moves any more: all that are not done are asleep, in KVM. */
static bool is_quiet(struct fuzz *f)
{
	uint64_t time = __atomic_load_n(f->clock, __ATOMIC_SEQ_CST);
	bool quiet = false;
	unsigned int p;

	for (p = 0; p < f->nr_cpus; p++) {
		if (is_done(p))
			continue;
		if (!is_asleep(p))
			return false;
		quiet = true;
	}
	return quiet && time == __atomic_load_n(f->clock, __ATOMIC_SEQ_CST);
}

/* Would this vCPU, which is asleep, take an event? By what KVM itself says */
static bool is_owed_event(struct fuzz *f, int p, int e)
{
	struct kvm_vcpu *vcpu = f->svm.vcpu[p];
	uint64_t want = SDEI_ST_REGISTERED | SDEI_ST_ENABLED | SDEI_ST_PENDING;
	bool critical = f->model.pe[p].event[e].priority == SDEI_MODEL_CRITICAL;

	if (sdei_get_reg(vcpu, SDEI_REG_PE) & SDEI_PE_MASKED)
		return false;
	if ((sdei_get_reg(vcpu, SDEI_REG_EVENT(e, SDEI_F_STATE)) & want) != want)
		return false;
	if (sdei_get_reg(vcpu, SDEI_REG_CTX(1, SDEI_CTX_RUNNING)))
		return false;
	return critical || !sdei_get_reg(vcpu, SDEI_REG_CTX(0, SDEI_CTX_RUNNING));
}

/*
 * All sleep: none of them must have a reason to be awake. Then go on: the signal
 * ends WFI, and a vCPU that is off is made runnable.
 */
static bool check_quiet(struct fuzz *f)
{
	struct kvm_mp_state mp_state;
	unsigned int p;
	bool good = true;
	int e;

	multi.quiet++;
	for (p = 0; p < f->nr_cpus; p++) {
		if (is_done(p))
			continue;
		for (e = 0; e < f->model.nr_events; e++) {
			if (is_owed_event(f, p, e))
				good = wrong(p, "event 0x%x, pending, does not wake it up",
					     f->model.pe[p].event[e].number);
		}
		vcpu_mp_state_get(f->svm.vcpu[p], &mp_state);
		if (mp_state.mp_state == KVM_MP_STATE_STOPPED) {
			mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
			vcpu_mp_state_set(f->svm.vcpu[p], &mp_state);
		}
	}
	return good;
}

static void print_progress(struct fuzz *f)
{
	unsigned int p;

	for (p = 0; p < f->nr_cpus; p++)
		ksft_print_msg("vCPU %u: operation %d of %d, %s%s%s\n", p, current_op(f->cpu[p]),
			       f->cpu[p]->nr_ops, is_done(p) ? "done" : "not done",
			       is_blocking(&f->svm, p) ? ", blocked" : "",
			       is_asleep(p) ? ", asleep" : "");
}

/* Run all lists, and meanwhile be the VMM. */
static bool multi_batch(struct fuzz *f, bool vmm)
{
	unsigned int p, injected = 0;
	bool good = true, quiet;

	pthread_mutex_lock(&multi.lock);
	multi.nr_done = 0;
	memset(multi.done, 0, sizeof(multi.done));
	multi.batch++;
	pthread_cond_broadcast(&multi.changed);
	pthread_mutex_unlock(&multi.lock);

	while (!all_done(f)) {
		if (vmm && injected++ < BATCH)
			inject_at(f, f->model.pe[below(f, f->nr_cpus)].mpidr, random_exposed(f));

		quiet = is_quiet(f);
		if (quiet || chance(f, 1)) {
			pause_all(f);
			if (quiet)
				good = check_quiet(f) && good;
			if (chance(f, 10))
				fuzz_migrate(f);
			resume_all();
		}
		usleep(below(f, 1000));
	}

	for (p = 0; p < f->nr_cpus; p++) {
		if (multi.why[p])
			good = false;
	}
	return good;
}

static bool multi_run(uint64_t seed, uint64_t nr, unsigned int nr_cpus)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	uint64_t checked = nr_checked;
	bool good = true, first = true;
	unsigned int p, e;
	struct target *t;
	int len;

	TEST_ASSERT(f, "calloc() failed");
	seed_random(f, 16 * seed + nr_cpus);
	fuzz_create(f, nr_cpus, false);
	f->concurrent = true;
	memset(multi.target, 0, sizeof(multi.target));
	memset(multi.why, 0, sizeof(multi.why));
	memset(multi.last_op, 0, sizeof(multi.last_op));
	memset(multi.tid, 0, sizeof(multi.tid));
	multi.f = f;
	multi.batch = 0;
	multi.stop = false;
	multi.shorts = 0;
	multi.from_others = 0;
	multi.quiet = 0;
	multi.power_cycles = 0;
	for (p = 0; p < nr_cpus; p++) {
		f->model.pe[p].on = true;
		f->model.pe[p].regs.sctlr_el1 = f->sctlr;
		f->model.pe[p].regs.vbar_el1 = (uint64_t)fuzz_banks;
		sdei_prepare_cpu_on(&f->svm, p, fuzz_on_land);
		pthread_create(&multi.thread[p], NULL, multi_thread, (void *)(long)p);
	}

	while (good && nr_checked - checked < nr) {
		len = min((uint64_t)BATCH - 128, (nr - (nr_checked - checked)) / nr_cpus + 1);
		for (p = 0; p < nr_cpus; p++) {
			multi_list(f, p, len, first);
			rewind_machine(f->cpu[p]);
		}
		good = multi_batch(f, true);
		good = check_batch(f, first) && good;
		first = false;
	}

	/* Nobody sends any more: what must be pending is delivered now. */
	for (p = 0; good && p < nr_cpus; p++) {
		f->cpu[p]->nr_ops = 0;
		add_drain(f, p);
		add_op(f, p, OP_EXIT, VMM_END);
		rewind_machine(f->cpu[p]);
	}
	if (good)
		good = multi_batch(f, false) && check_batch(f, false);

	pthread_mutex_lock(&multi.lock);
	multi.stop = true;
	pthread_cond_broadcast(&multi.changed);
	pthread_mutex_unlock(&multi.lock);
	for (p = 0; p < nr_cpus; p++) {
		pthread_join(multi.thread[p], NULL);
		for (e = 0; e < SDEI_MODEL_MAX_EVENTS; e++) {
			t = &multi.target[p][e];
			free(t->sent.sent);
			free(t->sent.by_start);
			free(t->sent.by_end);
			free(t->change);
		}
	}
	ksft_print_msg("%lu handlers, %lu short ones, %lu signals from other vCPUs\n",
		       f->handlers, multi.shorts, multi.from_others);
	ksft_print_msg("%lu new VMs, %lu times off and on, %lu times all asleep\n",
		       f->migrations, multi.power_cycles, multi.quiet);
	fuzz_destroy(f);
	free(f);
	return good;
}

/*
 * The tests
 */

static uint64_t option_seed = 1;

/* What gets stuck is a failure, too: nobody's clock has moved for five minutes. */
static void watchdog(int sig)
{
	static uint64_t last;
	static int strikes;
	uint64_t now = watched ? __atomic_load_n(watched->clock, __ATOMIC_SEQ_CST) : 0;

	strikes = watched && now == last ? strikes + 1 : 0;
	last = now;
	if (strikes == 30) {
		if (watched->concurrent)
			print_progress(watched);
		else
			single_check(watched, single_done, !single_done, true);
		ksft_print_msg("SEED=%lu: nothing moves any more\n", option_seed);
		ksft_exit_fail();
	}
	alarm(10);
}

static void test_single(bool mte, uint64_t nr)
{
	const char *vm = mte ? " with MTE" : "";
	uint64_t prefix;

	if (mte && !kvm_has_cap(KVM_CAP_ARM_MTE)) {
		ksft_test_result_skip("one vCPU%s: KVM has no MTE\n", vm);
		return;
	}

	prefix = single_run(option_seed, nr, mte, true);
	if (prefix) {
		ksft_print_msg("SEED=%lu: %lu operations show it, on one vCPU%s\n",
			       option_seed, prefix, vm);
		if (single_run(option_seed, prefix, mte, false) == prefix &&
		    !single_run(option_seed, prefix - 1, mte, false))
			ksft_print_msg("%lu do so again, and %lu do not: -m %s -s %lu -n %lu\n",
				       prefix, prefix - 1, mte ? "mte" : "single", option_seed,
				       prefix);
		else
			ksft_print_msg("They do not show it again: it depends on time\n");
	}
	ksft_test_result(!prefix, "one vCPU%s does exactly what the model does\n", vm);
}

static void test_multi(unsigned int nr_cpus, uint64_t nr)
{
	bool good = multi_run(option_seed, nr, nr_cpus);

	if (!good)
		ksft_print_msg("SEED=%lu; the same lists: -m multi -c %u -s %lu -n %lu\n",
			       option_seed, nr_cpus, option_seed, nr);
	ksft_test_result(good, "%u vCPUs do what the model allows, and lose no event\n", nr_cpus);
}

static void print_help(const char *name)
{
	printf("usage: %s [-s SEED] [-n OPERATIONS] [-m all|single|mte|multi] [-c VCPUS]\n"
	       "  -s  what the run is made from; default: $SEED, or 1\n"
	       "  -n  operations of each test\n"
	       "  -m  which tests: one vCPU, one with MTE, many\n"
	       "  -c  how many vCPUs are many, 2 to %d; default: 2, 4 and 8\n",
	       name, MAX_CPUS);
	exit(KSFT_FAIL);
}

int main(int argc, char **argv)
{
	struct sigaction kick = { .sa_handler = kick_handler };
	struct sigaction dog = { .sa_handler = watchdog, .sa_flags = SA_RESTART };
	const char *mode = "all";
	unsigned int nr_cpus = 0;
	uint64_t nr = 0;
	pthread_t thread;
	bool all;
	int opt;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));

	if (getenv("SEED"))
		option_seed = strtoull(getenv("SEED"), NULL, 0);
	while ((opt = getopt(argc, argv, "s:n:m:c:")) != -1) {
		switch (opt) {
		case 's':
			option_seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			nr = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			mode = optarg;
			break;
		case 'c':
			nr_cpus = strtoul(optarg, NULL, 0);
			if (nr_cpus < 2 || nr_cpus > MAX_CPUS)
				print_help(argv[0]);
			break;
		default:
			print_help(argv[0]);
		}
	}
	all = !strcmp(mode, "all");
	if (!all && strcmp(mode, "single") && strcmp(mode, "mte") && strcmp(mode, "multi"))
		print_help(argv[0]);

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_print_msg("SEED=%lu\n", option_seed);
	sigaction(SIGUSR1, &kick, NULL);
	sigaction(SIGALRM, &dog, NULL);
	alarm(10);
	TEST_ASSERT(!pthread_create(&thread, NULL, waker_thread, NULL),
		    "pthread_create() failed");

	if (all)
		ksft_set_plan(nr_cpus ? 3 : 5);
	else
		ksft_set_plan(!strcmp(mode, "multi") && !nr_cpus ? 3 : 1);

	if (all || !strcmp(mode, "single"))
		test_single(false, nr ?: 26000);
	if (all || !strcmp(mode, "mte"))
		test_single(true, nr ?: 8000);
	if (all || !strcmp(mode, "multi")) {
		if (nr_cpus) {
			test_multi(nr_cpus, nr ?: 8000);
		} else {
			test_multi(2, nr ?: 6000);
			test_multi(4, nr ?: 6000);
			test_multi(8, nr ?: 6000);
		}
	}

	ksft_print_msg("%lu operations checked\n", nr_checked);
	ksft_finished();
}
