/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software Delegated Exception Interface (SDEI): which calls may be served
 * without leaving for the run loop (<hyp/sdei.h>), and when.
 */

#ifndef __ARM64_KVM_SDEI_FAST_H__
#define __ARM64_KVM_SDEI_FAST_H__

#include <linux/types.h>

struct kvm_vcpu;

/*
 * The number of tracepoints that are on and are to show every call: if it is
 * not 0, all are the run loop's. In .bss, which EL2 may read. Not a static key:
 * in protected mode, the hypervisor's code can't be patched any more.
 */
extern int kvm_sdei_nr_tracepoints;

void kvm_sdei_allow_fast(struct kvm_vcpu *vcpu, u32 func_id);
int kvm_sdei_trace_on(void);
void kvm_sdei_trace_off(void);

#endif /* __ARM64_KVM_SDEI_FAST_H__ */
