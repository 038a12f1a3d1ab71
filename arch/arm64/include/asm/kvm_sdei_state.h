/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software Delegated Exception Interface (SDEI): the states of a PE, and what
 * leads from one to the next.
 *
 * For those who serve the guest's calls: the run loop, and the exit handlers of
 * the hypervisor. All of this is for the vCPU's own thread, but for the question
 * of what could be taken. What is pending, which others write, is the caller's
 * business. "Section" refers to Arm DEN0054C.
 *
 * An event's state on a PE is one bit in each of four words of struct
 * kvm_sdei_vcpu. This is what the calls do to it (section 6.1), for an event
 * that is (r)egistered, (e)nabled, its handler r(u)nning:
 *
 *	reu	REGISTER	ENABLE	DISABLE	UNREGISTER	completion
 *	000	100		DENIED	DENIED	DENIED		-
 *	001	DENIED		DENIED	DENIED	PENDING		000
 *	100	DENIED		110	100	000		-
 *	101	DENIED		111	101	PENDING, 001	100
 *	110	DENIED		110	100	000		-
 *	111	DENIED		111	101	PENDING, 001	110
 *
 * The fourth word holds what is pending.
 */

#ifndef __ARM64_KVM_SDEI_STATE_H__
#define __ARM64_KVM_SDEI_STATE_H__

#include <linux/bitops.h>
#include <linux/kvm_host.h>
#include <linux/nospec.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_sdei.h>

#include <uapi/linux/arm_sdei.h>

/*
 * A system register of EL1 of a loaded vCPU without EL2. In the exit handlers,
 * it is in the CPU; elsewhere, these are what is left of vcpu_read_sys_reg() and
 * vcpu_write_sys_reg() for such registers, on a path where each instruction
 * counts.
 */
#if defined(__KVM_NVHE_HYPERVISOR__) || defined(__KVM_VHE_HYPERVISOR__)

#define kvm_sdei_read_el1(vcpu, r)		read_sysreg_el1(SYS_##r)
#define kvm_sdei_write_el1(vcpu, val, r)	write_sysreg_el1(val, SYS_##r)

#else

static __always_inline u64 __kvm_sdei_read_el1(struct kvm_vcpu *vcpu, int reg)
{
	u64 val;

	if (__vcpu_read_sys_reg_from_cpu(reg, &val))
		return val;

	return __vcpu_sys_reg(vcpu, reg);
}

#define kvm_sdei_read_el1(vcpu, r)		__kvm_sdei_read_el1(vcpu, r##_EL1)
#define kvm_sdei_write_el1(vcpu, val, r)	vcpu_write_sys_reg(vcpu, val, r##_EL1)

#endif

/*
 * May the PE take an event, of that priority, if it has one (section 4.3.2)? To
 * other threads than the vCPU's own, the answer is a hint.
 */
static __always_inline bool
kvm_sdei_may_take(const struct kvm_sdei_vcpu *sdei, bool critical)
{
	/* A race if another thread asks, to which the answer is a hint. */
	unsigned long running = data_race(sdei->running);

	/* Critical preempts normal, and nothing else does. */
	if (critical)
		running &= sdei->critical;

	/* Likewise */
	return !(running | data_race(sdei->masked));
}

/*
 * The slot of the event that the PE takes next if @pending is pending, or -1
 * if it takes none.
 */
static __always_inline int
kvm_sdei_next_event(const struct kvm_sdei_vcpu *sdei, unsigned long pending)
{
	unsigned long ready = pending & READ_ONCE(sdei->enabled);

	/* Critical comes first if both are pending. */
	if ((ready & sdei->critical) && kvm_sdei_may_take(sdei, true))
		return __ffs(ready & sdei->critical);

	if (ready && kvm_sdei_may_take(sdei, false))
		return __ffs(ready);

	return -1;
}

/* Is the innermost handler that of a critical event? */
static __always_inline bool
kvm_sdei_runs_critical(const struct kvm_sdei_vcpu *sdei)
{
	return sdei->running & sdei->critical;
}

/* What a handler of that priority has interrupted, or is to */
static __always_inline struct kvm_sdei_vcpu_context *
kvm_sdei_context(struct kvm_sdei_vcpu *sdei, bool critical)
{
	return critical ? &sdei->ctxt[SDEI_EVENT_PRIORITY_CRITICAL] :
			  &sdei->ctxt[SDEI_EVENT_PRIORITY_NORMAL];
}

/* x@first, which is even, to x17, in pairs, without a call */
static __always_inline void
kvm_sdei_copy_regs(u64 *to, const u64 *from, int first)
{
#pragma GCC unroll 9
	for (int i = first; i < KVM_SDEI_NR_REGS; i += 2) {
		u64 a = from[i], b = from[i + 1];

		to[i] = a;
		to[i + 1] = b;
	}
}

/*
 * PSTATE of code entered from @pstate as if by an exception to EL1: handlers,
 * and what EVENT_COMPLETE_AND_RESUME resumes. A vCPU that may access allocation
 * tags (HCR_EL2.ATA) is one of a VM with MTE.
 */
static __always_inline u64
kvm_sdei_entry_pstate(struct kvm_vcpu *vcpu, u64 pstate)
{
	return kvm_exception_pstate(pstate, PSR_MODE_EL1h,
				    kvm_sdei_read_el1(vcpu, SCTLR),
				    vcpu->arch.hcr_el2 & HCR_ATA);
}

/*
 * Have the event @num in @slot, which the PE takes, interrupt the vCPU at @pc
 * with @pstate (section 4.3). @ctxt, that of the event's priority, has x0 to x17
 * already. The registers become those of the handler; the return value is its
 * address, and its PSTATE is kvm_sdei_entry_pstate().
 */
static __always_inline u64
kvm_sdei_enter_handler(struct kvm_vcpu *vcpu, struct kvm_sdei_vcpu *sdei,
		       struct kvm_sdei_vcpu_context *ctxt, int slot, u32 num,
		       u64 pc, u64 pstate)
{
	u64 *regs = vcpu_gp_regs(vcpu)->regs;
	u64 arg = sdei->event[slot].arg;
	u64 entry;

	WRITE_ONCE(sdei->running, sdei->running | BIT(slot));

	ctxt->pc = pc;
	ctxt->pstate = pstate;

	regs[0] = num;
	regs[1] = arg;
	regs[2] = pc;
	regs[3] = pstate;

	entry = sdei->event[slot].entry;
	if (sdei->relative & BIT(slot))
		entry += kvm_sdei_read_el1(vcpu, VBAR);

	return entry;
}

/*
 * End the innermost handler, of an event that is @critical or not. The registers
 * become those that it has interrupted; so do PC and PSTATE, which are the
 * caller's to take from the context returned.
 */
static __always_inline struct kvm_sdei_vcpu_context *
kvm_sdei_leave_handler(struct kvm_vcpu *vcpu, struct kvm_sdei_vcpu *sdei,
		       bool critical)
{
	struct kvm_sdei_vcpu_context *ctxt;
	unsigned long running = 0;

	if (unlikely(critical))
		running = sdei->running & ~sdei->critical;
	WRITE_ONCE(sdei->running, running);

	ctxt = kvm_sdei_context(sdei, critical);
	kvm_sdei_copy_regs(vcpu_gp_regs(vcpu)->regs, ctxt->regs, 0);

	return ctxt;
}

/* For EVENT_COMPLETE_AND_RESUME, the interrupted code takes an exception. */
static __always_inline void
kvm_sdei_set_return(struct kvm_vcpu *vcpu, u64 pc, u64 pstate)
{
	kvm_sdei_write_el1(vcpu, pc, ELR);
	kvm_sdei_write_el1(vcpu, pstate, SPSR);
}

/* EVENT_CONTEXT: x@reg of what the innermost handler has interrupted */
static __always_inline s64
kvm_sdei_event_context(struct kvm_sdei_vcpu *sdei, u64 reg)
{
	const struct kvm_sdei_vcpu_context *ctxt;

	if (!sdei->running)
		return SDEI_DENIED;

	if (reg >= KVM_SDEI_NR_REGS)
		return SDEI_INVALID_PARAMETERS;

	ctxt = kvm_sdei_context(sdei, kvm_sdei_runs_critical(sdei));

	return ctxt->regs[array_index_nospec(reg, KVM_SDEI_NR_REGS)];
}

static __always_inline s64
kvm_sdei_event_status(const struct kvm_sdei_vcpu *sdei, int slot)
{
	return ((sdei->registered >> slot) & 1) << SDEI_EVENT_STATUS_REGISTERED |
	       ((sdei->enabled >> slot) & 1) << SDEI_EVENT_STATUS_ENABLED |
	       ((sdei->running >> slot) & 1) << SDEI_EVENT_STATUS_RUNNING;
}

/* PE_MASK, or PE_UNMASK: 1 if the PE is masked now and was not before */
static __always_inline s64
kvm_sdei_pe_mask(struct kvm_sdei_vcpu *sdei, bool mask)
{
	s64 changed = mask & ~sdei->masked;

	WRITE_ONCE(sdei->masked, mask);

	return changed;
}

#endif /* __ARM64_KVM_SDEI_STATE_H__ */
