/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software Delegated Exception Interface (SDEI): which calls may be served
 * without leaving for the run loop (<hyp/sdei.h>), and when.
 */

#ifndef __ARM64_KVM_SDEI_FAST_H__
#define __ARM64_KVM_SDEI_FAST_H__

#include <linux/types.h>

#include <asm/kvm_sdei.h>

#include <uapi/linux/arm_sdei.h>

/* What <hyp/sdei.h> can serve */
#define KVM_SDEI_FAST_CALLS						\
	(SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_CONTEXT) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_COMPLETE) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_COMPLETE_AND_RESUME) |	\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_STATUS) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_PE_MASK) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_PE_UNMASK) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_SIGNAL))

/*
 * The number of tracepoints that are on and are to show every call: if it is
 * not 0, all are the run loop's. In .bss, which EL2 has mapped, but not in
 * protected mode: to be read only if the vCPU may have calls served. Not a
 * static key: in protected mode, the hypervisor's code can't be patched any more.
 */
extern int kvm_sdei_nr_tracepoints;

/* Could the call be served there, but is not yet among the @allowed ones? */
static __always_inline bool kvm_sdei_not_fast_yet(u32 allowed, u32 func_id)
{
	return (((u32)KVM_SDEI_FAST_CALLS & ~allowed) >> SDEI_NR(func_id)) & 1;
}

void kvm_sdei_allow_fast(struct kvm_vcpu *vcpu, u32 func_id);
int kvm_sdei_trace_on(void);
void kvm_sdei_trace_off(void);

#endif /* __ARM64_KVM_SDEI_FAST_H__ */
