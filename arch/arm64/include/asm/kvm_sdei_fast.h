/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software Delegated Exception Interface (SDEI): which calls may be served
 * without leaving for the run loop (<hyp/sdei.h>), and when.
 */

#ifndef __ARM64_KVM_SDEI_FAST_H__
#define __ARM64_KVM_SDEI_FAST_H__

struct kvm_vcpu;

void kvm_sdei_vcpu_update_fast_path(struct kvm_vcpu *vcpu);
int kvm_sdei_trace_on(void);
void kvm_sdei_trace_off(void);

#endif /* __ARM64_KVM_SDEI_FAST_H__ */
