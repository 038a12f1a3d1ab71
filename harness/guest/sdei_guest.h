/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guests' modules need of the kernel's SDEI client, and of SDEI.
 */
#ifndef SDEI_GUEST_H
#define SDEI_GUEST_H

#include <linux/kprobes.h>

/* The uapi header of older kernels stops short of this one */
#define EVENT_SIGNAL	0xc400002f

#define SOFTWARE_EVENT	0	/* every SDEI has it: software signalled */

/*
 * The SDEI client of the kernel exports nothing to modules, and the kernel is
 * to be an unmodified one: ask kprobes where its functions are.
 */
static inline void *kernel_function(const char *name)
{
	struct kprobe kp = { .symbol_name = name };

	if (register_kprobe(&kp))
		return NULL;
	unregister_kprobe(&kp);

	return kp.addr;
}

#endif /* SDEI_GUEST_H */
