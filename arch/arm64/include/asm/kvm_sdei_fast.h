/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software Delegated Exception Interface (SDEI): which calls may be served
 * without leaving for the run loop (<hyp/sdei.h>), and when.
 */

#ifndef __ARM64_KVM_SDEI_FAST_H__
#define __ARM64_KVM_SDEI_FAST_H__

#include <linux/jump_label.h>

struct kvm_vcpu;

/* On while every call has to take the run loop, whatever its vCPU's mask says */
DECLARE_STATIC_KEY_FALSE(kvm_sdei_no_fast_path);

void kvm_sdei_vcpu_update_fast_path(struct kvm_vcpu *vcpu);
int kvm_sdei_leave_fast_path(void);
void kvm_sdei_return_to_fast_path(void);

#endif /* __ARM64_KVM_SDEI_FAST_H__ */
