/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software Delegated Exception Interface (SDEI): the calls that are served
 * without leaving for the run loop.
 *
 * kvm_sdei_call() serves all calls. These here are those that guests make for
 * each event, in the cases that concern nothing but the vCPU's own state, which
 * is in <asm/kvm_sdei_state.h>. Whatever else there is to a call, it is left to
 * the run loop, before anything has changed.
 *
 * The one thing that other threads change meanwhile is what is pending. If
 * anything is, and enabled, the calls after which it could be deliverable are
 * left to the run loop. If something becomes so afterwards, its sender's kick
 * makes the vCPU leave the guest, and KVM_REQ_SDEI delivers it.
 */

#ifndef __ARM64_KVM_HYP_SDEI_H__
#define __ARM64_KVM_HYP_SDEI_H__

#include <hyp/adjust_pc.h>

#include <linux/kvm_host.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_hyp.h>
#include <asm/kvm_sdei.h>
#include <asm/kvm_sdei_state.h>

#include <kvm/arm_hypercalls.h>

/* The number of the vCPU's call, or -1 if it is none that may be served here */
static __always_inline int kvm_hyp_sdei_nr(struct kvm_vcpu *vcpu)
{
	u32 nr = vcpu_get_reg(vcpu, 0);

	/* The compiler is not to make one comparison of it: PSCI ends here. */
	if (likely(!(nr & SDEI_1_0_FN_BASE & GENMASK(15, 0))))
		return -1;

	/* Nor is it to go by the function id any more. */
	nr -= SDEI_1_0_FN_BASE;
	OPTIMIZER_HIDE_VAR(nr);

	if (nr >= BITS_PER_TYPE(vcpu->arch.sdei_fast) ||
	    !((READ_ONCE(vcpu->arch.sdei_fast) >> nr) & 1))
		return -1;

	return nr;
}

/*
 * Is there something to be delivered, now or after a call that changes nothing
 * about what is enabled?
 */
static __always_inline bool
kvm_hyp_sdei_has_pending(const struct kvm_sdei_vcpu *sdei)
{
	return atomic_long_read(&sdei->pending) & sdei->enabled;
}

/*
 * The exit handler for HVC. Whoever comes here does so with interrupts off, and
 * where RCU and tracepoints may not be used.
 *
 * Return: true if the call has been served; false if it is the run loop's, to
 * which nothing has changed.
 */
static inline bool kvm_hyp_handle_hvc64(struct kvm_vcpu *vcpu, u64 *exit_code)
{
	const struct kvm_sdei_vcpu_context *ctxt;
	int nr = kvm_hyp_sdei_nr(vcpu);
	struct kvm_sdei_vcpu *sdei;
	u64 pc, pstate, resume;
	bool and_resume;
	s64 ret;

	if (nr < 0)
		return false;

	sdei = vcpu->arch.sdei_hyp;

	/* By far the most frequent one: a Linux guest makes four for each event. */
	if (likely(nr == SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_CONTEXT))) {
		ret = kvm_sdei_event_context(sdei, vcpu_get_reg(vcpu, 1));
		goto done;
	}

	if (nr == SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_SIGNAL)) {
		/* The PE's own, for which it enters the handler at once? */
		if (unlikely((u32)vcpu_get_reg(vcpu, 1) != KVM_SDEI_EVENT_SW ||
			     ((vcpu_get_reg(vcpu, 2) ^ read_sysreg(vmpidr_el2)) &
			      MPIDR_HWID_BITMASK) ||
			     kvm_hyp_sdei_has_pending(sdei) ||
			     !(sdei->enabled & BIT(KVM_SDEI_SLOT_SW)) ||
			     !kvm_sdei_may_take(sdei, false)))
			return false;

		smccc_set_retval(vcpu, SDEI_SUCCESS, 0, 0, 0);
		pstate = vcpu_gp_regs(vcpu)->pstate;
		pc = kvm_sdei_enter_handler(vcpu, sdei, KVM_SDEI_SLOT_SW,
					    KVM_SDEI_EVENT_SW, false,
					    read_sysreg_el2(SYS_ELR), pstate);
		goto exception;
	}

	/* COMPLETE or COMPLETE_AND_RESUME: none below CONTEXT is served. */
	if (nr <= SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_COMPLETE_AND_RESUME)) {
		and_resume = nr != SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_COMPLETE);
		resume = vcpu_get_reg(vcpu, 1);

		if (unlikely(!sdei->running || kvm_hyp_sdei_has_pending(sdei) ||
			     (and_resume && !IS_ALIGNED(resume, 4))))
			return false;

		/*
		 * Its PSTATE is one of EL0 or EL1: what the VMM may have
		 * written there has passed kvm_pstate_mode_valid().
		 */
		ctxt = kvm_sdei_leave_handler(vcpu, sdei,
					      kvm_sdei_runs_critical(sdei));
		pc = ctxt->pc;
		pstate = ctxt->pstate;
		if (!and_resume)
			goto jump;

		kvm_sdei_set_return(vcpu, pc, pstate);
		pc = resume;
		goto exception;
	}

	switch (nr) {
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_STATUS):
		if ((u32)vcpu_get_reg(vcpu, 1) != KVM_SDEI_EVENT_SW)
			return false;
		ret = kvm_sdei_event_status(sdei, KVM_SDEI_SLOT_SW);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_PE_MASK):
		ret = kvm_sdei_pe_mask(sdei);
		break;
	default:
		if (kvm_hyp_sdei_has_pending(sdei))
			return false;
		ret = kvm_sdei_pe_unmask(sdei);
		break;
	}
done:
	smccc_set_retval(vcpu, ret, 0, 0, 0);
	goto out;

exception:
	pstate = kvm_sdei_entry_pstate(vcpu, pstate);
jump:
	write_sysreg_el2(pc, SYS_ELR);
	write_sysreg_el2(pstate, SYS_SPSR);
out:
	vcpu->stat.hvc_exit_stat++;

	return true;
}

/*
 * The exit handler for SMC, which is trapped: it is what the vCPU is to execute
 * next, where HVC has been executed. And it does not count as HVC.
 */
static inline bool kvm_hyp_handle_smc64(struct kvm_vcpu *vcpu, u64 *exit_code)
{
	u64 pc, pstate;

	if (kvm_hyp_sdei_nr(vcpu) < 0 || kvm_vcpu_hvc_get_imm(vcpu))
		return false;

	pc = read_sysreg_el2(SYS_ELR);
	pstate = *vcpu_cpsr(vcpu);
	__kvm_skip_instr(vcpu);

	if (kvm_hyp_handle_hvc64(vcpu, exit_code)) {
		vcpu->stat.hvc_exit_stat--;
		return true;
	}

	*vcpu_cpsr(vcpu) = pstate;
	write_sysreg_el2(pstate, SYS_SPSR);
	write_sysreg_el2(pc, SYS_ELR);

	return false;
}

#endif /* __ARM64_KVM_HYP_SDEI_H__ */
