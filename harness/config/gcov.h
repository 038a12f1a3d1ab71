/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before sdei.c and sdei-uapi.c where their execution is counted
 * (gcov.config).  Each copy that the compiler makes of a function has branches
 * of its own, many of which it knows never to be taken: so there is to be one.
 * What the kernel's headers have stays as it is.
 */
#include <linux/bitops.h>
#include <linux/kvm_host.h>
#include <linux/lockdep.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_mmu.h>
#include <asm/kvm_sdei.h>

#include <kvm/arm_hypercalls.h>
#include <kvm/arm_vgic.h>

#include <linux/tracepoint.h>

#undef __always_inline
#define __always_inline inline
