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
 * anything is, and enabled, all calls but EVENT_CONTEXT are left to the run
 * loop, as it could be deliverable after them. If something becomes so
 * afterwards, its sender's kick makes the vCPU leave the guest, and KVM_REQ_SDEI
 * delivers it.
 */

#ifndef __ARM64_KVM_HYP_SDEI_H__
#define __ARM64_KVM_HYP_SDEI_H__

#include <linux/kvm_host.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_hyp.h>
#include <asm/kvm_sdei.h>
#include <asm/kvm_sdei_fast.h>
#include <asm/kvm_sdei_state.h>

#include <kvm/arm_hypercalls.h>

/* What tells the syndrome of SMC from that of HVC: one bit */
#define KVM_SDEI_ESR_SMC						\
	((ESR_ELx_EC_SMC64 ^ ESR_ELx_EC_HVC64) << ESR_ELx_EC_SHIFT)

/*
 * The exit handler for HVC and SMC. Whoever comes here does so with interrupts
 * off, and where RCU and tracepoints may not be used. Here, each instruction
 * counts, those of text as well as those that are executed.
 *
 * Return: true if the call has been served; false if it is the run loop's, to
 * which nothing has changed.
 */
static inline bool kvm_hyp_handle_call(struct kvm_vcpu *vcpu, u64 *exit_code)
{
	struct kvm_sdei_vcpu_context *ctxt;
	u32 nr = vcpu_get_reg(vcpu, 0);
	u64 pc, pstate, arg, esr;
	struct kvm_sdei_vcpu *sdei;
	bool and_resume;
	s64 ret;

	/* The compiler is not to make one comparison of it: PSCI ends here. */
	if (likely(!(nr & SDEI_1_0_FN_BASE & GENMASK(15, 0))))
		goto decline;

	/* Nor is it to go by the function id any more. */
	nr -= SDEI_1_0_FN_BASE;
	OPTIMIZER_HIDE_VAR(nr);

	/* In protected mode none is allowed, and the tracepoints' is out of reach. */
	if (nr >= BITS_PER_TYPE(vcpu->arch.sdei_fast) ||
	    !((vcpu->arch.sdei_fast >> nr) & 1) ||
	    unlikely(READ_ONCE(kvm_sdei_nr_tracepoints)))
		goto decline;

	/* SMC is trapped: it is what the vCPU is to execute next. */
	pc = read_sysreg_el2(SYS_ELR);
	pstate = vcpu_gp_regs(vcpu)->pstate;
	esr = kvm_vcpu_get_esr(vcpu);
	if (unlikely(esr & KVM_SDEI_ESR_SMC)) {
		if (esr & ESR_ELx_xVC_IMM_MASK)
			goto decline;

		pc += 4;
		pstate &= ~(PSR_BTYPE_MASK | DBG_SPSR_SS);
	}

	sdei = vcpu->arch.sdei_hyp;
	arg = vcpu_get_reg(vcpu, 1);

	/* By far the most frequent one: Linux makes four for each event, or five. */
	if (likely(nr == SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_CONTEXT))) {
		/* Errors are the run loop's, and so is what only looks like one. */
		if (unlikely(!sdei->running || arg >= KVM_SDEI_NR_REGS))
			goto decline;

		ret = kvm_sdei_event_context(sdei, arg);
		goto done;
	}

	/* Might something that is pending be deliverable after the call? */
	if (unlikely(atomic_long_read(&sdei->pending) & sdei->enabled))
		goto decline;

	if (nr == SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_SIGNAL)) {
		/* The PE's own, for which it enters the handler at once? */
		if (unlikely(!(sdei->enabled & BIT(KVM_SDEI_SLOT_SW)) ||
			     ((vcpu_get_reg(vcpu, 2) ^ read_sysreg(vmpidr_el2)) &
			      MPIDR_HWID_BITMASK) ||
			     !kvm_sdei_may_take(sdei, false) ||
			     arg != KVM_SDEI_EVENT_SW))
			goto decline;

		/* The handler interrupts what comes after the call. */
		ctxt = kvm_sdei_context(sdei, false);
		ctxt->regs[0] = SDEI_SUCCESS;
		ctxt->regs[1] = 0;
		ctxt->regs[2] = 0;
		ctxt->regs[3] = 0;
		kvm_sdei_copy_regs(ctxt->regs, vcpu_gp_regs(vcpu)->regs, 4);
		pc = kvm_sdei_enter_handler(vcpu, sdei, ctxt, KVM_SDEI_SLOT_SW,
					    KVM_SDEI_EVENT_SW, pc, pstate);
		goto exception;
	}

	/* COMPLETE or COMPLETE_AND_RESUME: none below CONTEXT is served. */
	if (nr <= SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_COMPLETE_AND_RESUME)) {
		and_resume = nr != SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_COMPLETE);

		if (unlikely(!sdei->running))
			goto decline;
		if (and_resume && unlikely(!IS_ALIGNED(arg, 4)))
			goto decline;

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
		pc = arg;
		goto exception;
	}

	if (nr == SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_STATUS)) {
		if (arg != KVM_SDEI_EVENT_SW)
			goto decline;
		ret = kvm_sdei_event_status(sdei, KVM_SDEI_SLOT_SW);
	} else {
		ret = kvm_sdei_pe_mask(sdei,
				       nr == SDEI_NR(SDEI_1_0_FN_SDEI_PE_MASK));
	}
done:
	smccc_set_retval(vcpu, ret, 0, 0, 0);
	goto jump;

exception:
	pstate = kvm_sdei_entry_pstate(vcpu, pstate);
jump:
	write_sysreg_el2(pc, SYS_ELR);
	write_sysreg_el2(pstate, SYS_SPSR);

	/* In the run loop, too, only HVC counts. */
	if (likely(!(esr & KVM_SDEI_ESR_SMC)))
		vcpu->stat.hvc_exit_stat++;

	return true;

decline:
	/* Keep the compiler from setting x0, where @vcpu is, ahead of each branch. */
	barrier();
	return false;
}

#endif /* __ARM64_KVM_HYP_SDEI_H__ */
