// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_vmm_fuzz - A hostile VMM: several threads throw whatever there is at VMs
 *		   that run, while their guests make random SDEI calls.
 *
 * Usage: sdei_vmm_fuzz [-n OPERATIONS] [-s SEED]	or SEED in the environment
 *
 * There are a few VMs, each of which is replaced from time to time. Every ioctl
 * must succeed or fail with an error that is documented for it, and for what the
 * VMM is known to have done before. In most VMs, a lock in here keeps writers of
 * a vCPU's registers apart, so that each write can be checked by all registers
 * before and after it. In the others nothing does: what is written there is only
 * to do no harm. The seed determines what the threads do, not in which order.
 */

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/psci.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"
#include "../kselftest.h"

#define NR_VMS		2
#define NR_VCPUS	3
#define NR_FUZZERS	3

/* Guest physical memory: vectors and code at 0, all the rest exits. */
#define MEM_SIZE	0x10000
#define UNMAPPED	0x80000000ull

/* What is exposed; more than there is room for. Odd ones are critical. */
#define NR_EVENTS	20
#define EVENT(i)	(0x40000000u + (i) * 0x30001)
#define MAX_EXPOSED	15

static long nr_operations = 25000;
static uint64_t seed = 1;

static atomic_long nr_done, nr_refused;
static atomic_int nr_fuzzers_left = NR_FUZZERS;
static atomic_bool stop;
static bool host_has_aarch32;
static int kvm_fd, null_fd;
static void *page, *readonly_page;

static void __noreturn __printf(1, 2) fail(const char *fmt, ...)
{
	static atomic_flag once = ATOMIC_FLAG_INIT;
	char text[512];
	va_list ap;

	/* Others may fail because of the same thing. */
	while (atomic_flag_test_and_set(&once))
		pause();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ksft_print_msg("SEED=%lu, after about %ld operations: %s\n", seed,
		       atomic_load(&nr_done), text);
	ksft_test_result_fail("any operation at any time succeeds or fails as documented\n");
	fflush(stdout);
	_exit(KSFT_FAIL);
}

/*
 * Guest: calls with arguments from tables, WFI, and an exit now and then. Runs
 * with the MMU off and keeps all it needs in the PC and in x19. Every exception
 * ends up in the loop, and so does every handler.
 */

struct guest_tables {
	uint64_t fn[64];
	uint64_t x1[64];
	uint64_t x2[64];
};

asm("	.pushsection .rodata\n"
"	.balign	2048\n"
"fuzz_guest:\n"
"	.rept	16\n"
"	b	fuzz_guest_loop\n"
"	.balign	128\n"
"	.endr\n"
"fuzz_guest_loop:\n"
"	movz	x9, #0x7f2d\n"
"	movk	x9, #0x4c95, lsl #16\n"
"	movk	x9, #0xf42d, lsl #32\n"
"	movk	x9, #0x5851, lsl #48\n"
"	madd	x19, x19, x9, x9\n"
"	adr	x10, fuzz_guest_tables\n"
"	ubfx	x11, x19, #24, #6\n"
"	ldr	x0, [x10, x11, lsl #3]\n"
"	add	x10, x10, #512\n"
"	ubfx	x11, x19, #30, #6\n"
"	ldr	x1, [x10, x11, lsl #3]\n"
"	add	x10, x10, #512\n"
"	ubfx	x11, x19, #36, #6\n"
"	ldr	x2, [x10, x11, lsl #3]\n"
"	mov	x3, x19\n"
"	ubfx	x4, x19, #42, #2\n"
"	mov	x5, x19\n"
"	ubfx	x11, x19, #56, #5\n"
"	cbz	x11, 1f\n"
"	cmp	x11, #1\n"
"	b.eq	2f\n"
"	tbz	x11, #4, 3f\n"
"	hvc	#0\n"
"	b	fuzz_guest_loop\n"
"3:	smc	#0\n"
"	b	fuzz_guest_loop\n"
"2:	wfi\n"
"	b	fuzz_guest_loop\n"
"1:	movz	x12, #0x8000, lsl #16\n"
"	str	x19, [x12]\n"
"	b	fuzz_guest_loop\n"
"	.balign	8\n"
"fuzz_guest_tables:\n"
"	.popsection\n"
);

extern const char fuzz_guest[], fuzz_guest_tables[];

/*
 * Random numbers, one state for each thread
 */

static __thread uint64_t random_state;

static uint64_t rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dull;
}

static unsigned int below(unsigned int n)
{
	return (rnd() >> 32) % n;
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

static uint64_t edge_value(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 0x1f, 0x3c5, 0x3c4, 0x3c0, 0x10, 0x1d0,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000ull, BIT(63), BIT(63) | 1,
		-1ull, -2ull, -4ull, 0xffff800080000000ull, 0xffff000000000000ull,
		0xffffffc008000000ull, 0x5dede00000000000ull,
	};

	switch (below(6)) {
	case 0:
		return rnd();
	case 1:
		return rnd() >> below(64);
	case 2:
		return EVENT(below(NR_EVENTS)) | (one_in(2) ? BIT(63) : 0);
	case 3:
		return below(MEM_SIZE);
	default:
		return edges[below(ARRAY_SIZE(edges))];
	}
}

/*
 * The VMs
 */

struct fuzz_vcpu {
	/* -1: there is none yet. Never another file while others may use it. */
	atomic_int fd;
	struct kvm_run *run;
	pthread_t runner;
	/* Held to run it, and to change its registers; but not in wild VMs */
	pthread_mutex_t own;
	/* How many threads wait for it to come out of KVM_RUN */
	atomic_int wanted;
	atomic_bool closed;
	atomic_bool inited;
	/* Before any vCPU of the VM ran: KVM may not find it by MPIDR otherwise. */
	atomic_bool inited_in_time;
};

struct fuzz_vm {
	/* Threads that use it; none gets in while it is dying. */
	atomic_int users;
	atomic_bool dying;
	/* Written only by the thread that replaces it */
	int fd;
	bool wild;
	char *mem;
	/* Known about it: set before or after the fact, as the names tell */
	atomic_bool closing;
	atomic_bool sdei_done;
	atomic_bool sdei_begun;
	atomic_int create_begun;
	atomic_int create_done;
	atomic_bool run_begun;
	atomic_int expose_begun[NR_EVENTS];
	atomic_int expose_done[NR_EVENTS];
	struct fuzz_vcpu vcpu[NR_VCPUS];
};

static struct fuzz_vm vms[NR_VMS];

static bool vm_enter(struct fuzz_vm *vm)
{
	atomic_fetch_add(&vm->users, 1);
	if (!atomic_load(&vm->dying))
		return true;
	atomic_fetch_sub(&vm->users, 1);
	return false;
}

static void vm_leave(struct fuzz_vm *vm)
{
	atomic_fetch_sub(&vm->users, 1);
}

static void kick(struct fuzz_vcpu *v)
{
	if (atomic_load(&v->fd) >= 0)
		v->run->immediate_exit = 1;
	pthread_kill(v->runner, SIGUSR1);
}

static void vcpu_want(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	atomic_fetch_add(&v->wanted, 1);
	kick(v);
	if (!vm->wild)
		pthread_mutex_lock(&v->own);
}

static void vcpu_done(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	if (!vm->wild)
		pthread_mutex_unlock(&v->own);
	atomic_fetch_sub(&v->wanted, 1);
}

static void fill_tables(struct guest_tables *t, bool wild)
{
	static const uint64_t psci[] = {
		PSCI_0_2_FN64_CPU_SUSPEND, PSCI_0_2_FN64_AFFINITY_INFO, PSCI_0_2_FN_CPU_OFF,
		PSCI_0_2_FN_SYSTEM_RESET, PSCI_0_2_FN64_CPU_ON,
	};
	/* What makes events arrive, more often than the rest */
	static const uint8_t useful[] = {
		SDEI_EVENT_REGISTER, SDEI_EVENT_ENABLE, SDEI_PE_UNMASK, SDEI_EVENT_REGISTER,
		SDEI_EVENT_ENABLE, SDEI_EVENT_COMPLETE, SDEI_EVENT_SIGNAL, SDEI_EVENT_REGISTER,
	};
	int i;

	for (i = 0; i < 64; i++) {
		t->fn[i] = SDEI_1_0_FN_BASE + (i < 20 ? i : i < 56 ?
			   useful[i % ARRAY_SIZE(useful)] : below(32));
		t->x1[i] = i < 44 ? EVENT(i % NR_EVENTS) : i < 56 ? 0 : edge_value();
		t->x2[i] = i < 30 ? below(512) * 4 : i < 45 ? below(NR_VCPUS + 1) : edge_value();
	}
	/*
	 * Not too often, as then all are off. And CPU_ON resets a vCPU when its
	 * registers are accessed next: nothing that can be checked.
	 */
	t->fn[20 + below(44)] = psci[0];
	t->fn[20 + below(44)] = psci[1];
	if (one_in(3))
		t->fn[20 + below(44)] = psci[2 + below(2)];
	if (wild)
		t->fn[20 + below(44)] = psci[4];
}

static void vm_open(struct fuzz_vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = MEM_SIZE,
	};
	/* What can't be emulated is an exit, too. */
	struct kvm_enable_cap nisv = { .cap = KVM_CAP_ARM_NISV_TO_USER };
	int i;

	vm->fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		fail("KVM_CREATE_VM: %s", strerror(errno));
	vm->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->mem == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	memcpy(vm->mem, fuzz_guest, fuzz_guest_tables - fuzz_guest);
	vm->wild = one_in(3);
	fill_tables((void *)(vm->mem + (fuzz_guest_tables - fuzz_guest)), vm->wild);
	region.userspace_addr = (uint64_t)vm->mem;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		fail("KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
	if (ioctl(vm->fd, KVM_ENABLE_CAP, &nisv))
		fail("KVM_ENABLE_CAP(KVM_CAP_ARM_NISV_TO_USER): %s", strerror(errno));

	atomic_store(&vm->closing, false);
	atomic_store(&vm->sdei_begun, false);
	atomic_store(&vm->sdei_done, false);
	atomic_store(&vm->create_begun, 0);
	atomic_store(&vm->create_done, 0);
	atomic_store(&vm->run_begun, false);
	for (i = 0; i < NR_EVENTS; i++) {
		atomic_store(&vm->expose_begun[i], 0);
		atomic_store(&vm->expose_done[i], 0);
	}
	for (i = 0; i < NR_VCPUS; i++) {
		atomic_store(&vm->vcpu[i].fd, -1);
		atomic_store(&vm->vcpu[i].closed, false);
		atomic_store(&vm->vcpu[i].inited, false);
		atomic_store(&vm->vcpu[i].inited_in_time, false);
	}
}

static void vm_close(struct fuzz_vm *vm)
{
	bool vm_first = one_in(2), mem_first = one_in(2);
	int i, fd;

	/* In either order, and the memory from under them sometimes */
	if (vm_first)
		close(vm->fd);
	if (mem_first)
		munmap(vm->mem, MEM_SIZE);
	for (i = 0; i < NR_VCPUS; i++) {
		fd = atomic_exchange(&vm->vcpu[i].fd, -1);
		if (fd < 0)
			continue;
		munmap(vm->vcpu[i].run, getpagesize());
		close(fd);
	}
	if (!mem_first)
		munmap(vm->mem, MEM_SIZE);
	if (!vm_first)
		close(vm->fd);
}

/* Wait until nobody uses it any more; nobody else gets in. */
static bool vm_stop(struct fuzz_vm *vm)
{
	bool no = false;
	int i;

	if (!atomic_compare_exchange_strong(&vm->dying, &no, true))
		return false;
	while (atomic_load(&vm->users)) {
		for (i = 0; i < NR_VCPUS; i++)
			kick(&vm->vcpu[i]);
		usleep(100);
	}
	return true;
}

/*
 * Operations. Each returns 0 or a negative error number, having checked what is
 * particular to it.
 */

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int vm_do(struct fuzz_vm *vm, unsigned long request, void *arg)
{
	return result(ioctl(vm->fd, request, arg));
}

static bool is_one_of(int ret, const int *errors)
{
	for (; *errors; errors++) {
		if (ret == -*errors)
			return true;
	}
	return false;
}

#define expect(what, ret, ...)						\
do {									\
	static const int __errors[] = { __VA_ARGS__, 0 };		\
	int __ret = (ret);						\
									\
	if (__ret < 0 && !is_one_of(__ret, __errors))			\
		fail("%s: %s", what, strerror(-__ret));			\
} while (0)

/* A structure's address in good or in bad condition */
static void *some_address(const void *data, size_t size, bool *good, bool *readable)
{
	static __thread char buffer[64];

	*good = false;
	*readable = false;
	switch (below(24)) {
	case 0:
		return NULL;
	case 1:
		return (void *)(rnd() << 12);
	case 2:
		return (void *)(0xffff800000000000ull | rnd());
	case 3:
		/* The second half is on a page that is not there. */
		return page + getpagesize() - size / 2;
	case 4:
		*readable = true;
		return readonly_page;
	default:
		*good = *readable = true;
		memcpy(buffer, data, size);
		return buffer;
	}
}

static int op_enable_cap(struct fuzz_vm *vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_SDEI };
	bool bad = one_in(3), created = atomic_load(&vm->create_done);
	int ret;

	if (bad) {
		if (one_in(2))
			cap.flags = BIT(below(32));
		else
			cap.args[below(4)] = rnd() | 1;
	} else {
		atomic_store(&vm->sdei_begun, true);
	}

	ret = vm_do(vm, KVM_ENABLE_CAP, &cap);
	expect("KVM_ENABLE_CAP", ret, EINVAL, EBUSY, ENOMEM, ENOTTY);

	if (!ret && (bad || created))
		fail("KVM_ENABLE_CAP succeeds, flags 0x%x, with vCPUs: %d", cap.flags, created);
	if (ret == -EINVAL && !bad)
		fail("KVM_ENABLE_CAP without flags and arguments is EINVAL");
	if (ret == -EBUSY && !atomic_load(&vm->create_begun))
		fail("KVM_ENABLE_CAP is EBUSY in a VM without vCPUs");
	if (!ret)
		atomic_store(&vm->sdei_done, true);
	return ret;
}

static int attr_op(struct fuzz_vm *vm, unsigned long request, uint64_t attr, void *addr,
		   uint32_t flags)
{
	struct kvm_device_attr a = {
		.group = KVM_ARM_VM_SDEI_CTRL,
		.attr = attr,
		.addr = (uint64_t)addr,
		.flags = flags,
	};

	return vm_do(vm, request, &a);
}

/* Common to all attributes; true if there is nothing more to be checked. */
static bool attr_refused(struct fuzz_vm *vm, const char *what, int ret, uint32_t flags,
			 bool had_sdei)
{
	if (ret == -ENOTTY)
		return true;
	if (flags) {
		if (ret != -EINVAL)
			fail("%s with flags: %s", what, strerror(-ret));
		return true;
	}
	if (ret == -ENXIO && had_sdei)
		fail("%s: ENXIO in a VM with SDEI", what);
	if (ret != -ENXIO && !atomic_load(&vm->sdei_begun))
		fail("%s: %s in a VM without SDEI", what, strerror(-ret));
	return ret == -ENXIO;
}

static uint32_t some_flags(void)
{
	return one_in(16) ? BIT(below(32)) : 0;
}

static int op_expose(struct fuzz_vm *vm)
{
	bool had_sdei = atomic_load(&vm->sdei_done), had_vcpus = atomic_load(&vm->create_done);
	bool good, readable, valid = !one_in(4);
	struct kvm_arm_sdei_event ev = {};
	uint32_t flags = some_flags();
	int i = below(NR_EVENTS), n, ret, was;
	void *addr;

	ev.event = EVENT(i);
	ev.priority = i & 1;
	if (!valid) {
		switch (below(4)) {
		case 0:
			ev.event = one_in(2) ? EV_ASYNC_PF : rnd() & ~0x40000000u;
			break;
		case 1:
			ev.type = rnd() | 1;
			break;
		case 2:
			ev.priority = rnd() | 2;
			break;
		default:
			ev.pad = rnd() | 1;
		}
	}
	addr = some_address(&ev, sizeof(ev), &good, &readable);
	was = atomic_load(&vm->expose_done[i]);
	if (valid && good && !flags)
		atomic_fetch_add(&vm->expose_begun[i], 1);

	ret = attr_op(vm, KVM_SET_DEVICE_ATTR, KVM_ARM_VM_SDEI_EVENT, addr, flags);
	expect("Exposing", ret, EFAULT, EINVAL, EBUSY, EEXIST, ENOSPC, ENXIO, ENOTTY);
	if (attr_refused(vm, "Exposing", ret, flags, had_sdei))
		return ret;

	/* The read-only page is all zeros, and thus no event to expose. */
	if (!good) {
		if (ret != (readable ? -EINVAL : -EFAULT))
			fail("Exposing at address %p: %s", addr, strerror(-ret));
		return ret;
	}
	if (!valid) {
		if (ret != -EINVAL)
			fail("Exposing event 0x%x, type %u, priority %u, pad %u: %s",
			     ev.event, ev.type, ev.priority, ev.pad, strerror(-ret));
		return ret;
	}

	switch (ret) {
	case 0:
		if (had_vcpus)
			fail("Exposing event 0x%x in a VM with vCPUs", ev.event);
		if (atomic_fetch_add(&vm->expose_done[i], 1))
			fail("Exposing event 0x%x twice", ev.event);
		for (i = n = 0; i < NR_EVENTS; i++)
			n += atomic_load(&vm->expose_done[i]);
		if (n > MAX_EXPOSED)
			fail("Exposing %d events", n);
		break;
	case -EBUSY:
		if (!atomic_load(&vm->create_begun))
			fail("Exposing is EBUSY in a VM without vCPUs");
		break;
	case -EEXIST:
		if (had_vcpus || atomic_load(&vm->expose_begun[i]) < 2)
			fail("Exposing event 0x%x is EEXIST, with vCPUs: %d", ev.event, had_vcpus);
		break;
	case -ENOSPC:
		for (i = n = 0; i < NR_EVENTS; i++)
			n += !!atomic_load(&vm->expose_begun[i]);
		if (n <= MAX_EXPOSED || was)
			fail("Exposing event 0x%x is ENOSPC with %d events", ev.event, n);
		break;
	default:
		fail("Exposing event 0x%x: %s", ev.event, strerror(-ret));
	}
	return ret;
}

static int op_get_event(struct fuzz_vm *vm)
{
	bool had_sdei = atomic_load(&vm->sdei_done), good, readable, exposed;
	struct kvm_arm_sdei_event ev = { .type = rnd(), .priority = rnd(), .pad = rnd() }, *got;
	uint32_t flags = some_flags(), num;
	int i = below(NR_EVENTS + 2), ret;

	num = i < NR_EVENTS ? EVENT(i) : i == NR_EVENTS ? 0 : rnd();
	exposed = i == NR_EVENTS || (i < NR_EVENTS && atomic_load(&vm->expose_done[i]));
	ev.event = num;
	got = some_address(&ev, sizeof(ev), &good, &readable);

	ret = attr_op(vm, KVM_GET_DEVICE_ATTR, KVM_ARM_VM_SDEI_EVENT, got, flags);
	expect("Reading an event back", ret, EFAULT, ENOENT, EINVAL, ENXIO, ENOTTY);
	if (attr_refused(vm, "Reading an event back", ret, flags, had_sdei))
		return ret;
	if (!good) {
		/* Of what straddles pages, the number can be read: event 0. */
		if (ret != -EFAULT)
			fail("Reading an event back to %p: %s", got, strerror(-ret));
		return ret;
	}

	if (ret == -EINVAL || ret == -EFAULT || (ret && exposed))
		fail("Reading event 0x%x back: %s", num, strerror(-ret));
	if (!ret) {
		if (i < NR_EVENTS && !atomic_load(&vm->expose_begun[i]))
			fail("Reading event 0x%x back, which is not exposed", num);
		if (got->event != num || got->type || got->pad ||
		    got->priority != (i < NR_EVENTS ? i & 1 : 0))
			fail("Event 0x%x is read back as 0x%x, type %u, priority %u, pad %u",
			     num, got->event, got->type, got->priority, got->pad);
	}
	return ret;
}

static int op_inject(struct fuzz_vm *vm)
{
	bool had_sdei = atomic_load(&vm->sdei_done), good, readable, exposed, had_vcpu = false;
	int i = below(NR_EVENTS + 2), id = below(NR_VCPUS + 1), ret;
	struct kvm_arm_sdei_inject inject = {};
	uint32_t flags = some_flags();
	void *addr;

	if (one_in(4))
		i = NR_EVENTS;
	inject.event = i < NR_EVENTS ? EVENT(i) : i == NR_EVENTS ? 0 : rnd() | BIT(31);
	exposed = i == NR_EVENTS || (i < NR_EVENTS && atomic_load(&vm->expose_done[i]));
	/* The bits outside of the affinity fields do not count. */
	inject.mpidr = id | (rnd() & 0xffffff00ff000000ull);
	if (id == NR_VCPUS)
		inject.mpidr = rnd() | 0x100;
	else
		had_vcpu = atomic_load(&vm->vcpu[id].inited_in_time);
	if (one_in(16))
		inject.pad = rnd() | 1;
	addr = some_address(&inject, sizeof(inject), &good, &readable);

	ret = attr_op(vm, KVM_SET_DEVICE_ATTR, KVM_ARM_VM_SDEI_INJECT, addr, flags);
	expect("Injecting", ret, EFAULT, EINVAL, ESRCH, ENOENT, ENOTCONN, ENXIO, ENOTTY);
	if (attr_refused(vm, "Injecting", ret, flags, had_sdei))
		return ret;
	if (!good) {
		if (!readable && ret != -EFAULT)
			fail("Injecting from address %p: %s", addr, strerror(-ret));
		return ret;
	}
	if (!!inject.pad != (ret == -EINVAL) || ret == -EFAULT)
		fail("Injecting with pad %u: %s", inject.pad, strerror(-ret));
	if (inject.pad)
		return ret;

	if ((ret == -ESRCH && had_vcpu) || (ret == -ENOENT && exposed) ||
	    (ret != -ESRCH && id == NR_VCPUS))
		fail("Injecting event 0x%x (exposed: %d) into PE 0x%llx (is there: %d): %s",
		     inject.event, exposed, inject.mpidr, had_vcpu, strerror(-ret));
	if ((!ret || ret == -ENOTCONN) &&
	    i != NR_EVENTS && (i > NR_EVENTS || !atomic_load(&vm->expose_begun[i])))
		fail("Injecting event 0x%x, which is not exposed: %s", inject.event,
		     strerror(-ret));
	return ret;
}

/* Attributes that do not exist, and what can't be read */
static int op_other_attr(struct fuzz_vm *vm)
{
	static const unsigned long requests[] = {
		KVM_HAS_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR,
	};
	bool had_sdei = atomic_load(&vm->sdei_done), good, readable, exists;
	unsigned long request = requests[below(3)];
	uint32_t flags = some_flags();
	uint64_t attr, data[8] = {};
	int ret;

	attr = one_in(2) ? below(4) : edge_value();
	exists = attr == KVM_ARM_VM_SDEI_EVENT || attr == KVM_ARM_VM_SDEI_INJECT;
	/* Those that exist have operations of their own above. */
	if (exists && !(attr == KVM_ARM_VM_SDEI_INJECT && request == KVM_GET_DEVICE_ATTR))
		request = KVM_HAS_DEVICE_ATTR;

	ret = attr_op(vm, request, attr, some_address(data, sizeof(data), &good, &readable), flags);
	expect("An attribute", ret, ENXIO, EINVAL, ENOTTY);
	if (attr_refused(vm, "An attribute", ret, flags, had_sdei && exists &&
			 request == KVM_HAS_DEVICE_ATTR))
		return ret;
	if (!exists || request != KVM_HAS_DEVICE_ATTR)
		fail("Attribute %lu: %s", attr, strerror(-ret));
	return ret;
}

static int op_create_vcpu(struct fuzz_vm *vm)
{
	unsigned long id = one_in(16) ? rnd() | 0x10000 : below(NR_VCPUS);
	struct fuzz_vcpu *v;
	int fd;

	/* Leave others some time without vCPUs. */
	if (!atomic_load(&vm->create_begun) && !one_in(4))
		return 0;

	atomic_fetch_add(&vm->create_begun, 1);
	fd = vm_do(vm, KVM_CREATE_VCPU, (void *)id);
	expect("KVM_CREATE_VCPU", fd, EINVAL, EEXIST, ENOMEM, ENOTTY);
	if (fd < 0)
		return fd;
	if (id >= NR_VCPUS)
		fail("KVM_CREATE_VCPU makes vCPU 0x%lx", id);

	v = &vm->vcpu[id];
	v->run = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (v->run == MAP_FAILED)
		fail("mmap of a vCPU: %s", strerror(errno));
	atomic_store(&v->fd, fd);
	atomic_fetch_add(&vm->create_done, 1);
	return 0;
}

/* From here on, for a vCPU that exists */

static int vcpu_do(struct fuzz_vcpu *v, unsigned long request, void *arg)
{
	return result(ioctl(atomic_load(&v->fd), request, arg));
}

static int get_reg(struct fuzz_vcpu *v, uint64_t id, uint64_t *val)
{
	struct kvm_one_reg reg = { id, (uint64_t)val };

	return vcpu_do(v, KVM_GET_ONE_REG, &reg);
}

static int set_reg(struct fuzz_vcpu *v, uint64_t id, uint64_t val)
{
	struct kvm_one_reg reg = { id, (uint64_t)&val };

	return vcpu_do(v, KVM_SET_ONE_REG, &reg);
}

/* All the pseudo-registers, as they are or as they are expected to be */
struct snapshot {
	int nr_events;
	uint64_t pe;
	uint64_t event[MAX_EXPOSED + 1][4];
	uint64_t ctx[2][SDEI_NR_CTX_REGS];
};

static int snapshot(struct fuzz_vcpu *v, struct snapshot *s)
{
	int ret, i, f;

	ret = get_reg(v, SDEI_REG_PE, &s->pe);
	for (i = 0; !ret && i <= MAX_EXPOSED; i++) {
		for (f = 0; !ret && f < 4; f++)
			ret = get_reg(v, SDEI_REG_EVENT(i, f), &s->event[i][f]);
		if (!ret)
			continue;
		/* Behind the last one */
		if (ret != -ENOENT || f != 1 || !i)
			return ret;
		ret = 0;
		break;
	}
	s->nr_events = i;
	for (i = 0; i < 2; i++) {
		for (f = 0; !ret && f < SDEI_NR_CTX_REGS; f++)
			ret = get_reg(v, SDEI_REG_CTX(i, f), &s->ctx[i][f]);
	}
	return ret;
}

static bool pstate_valid(uint64_t pstate)
{
	switch (pstate & 0x1f) {
	case PSR_MODE_EL0t:
	case PSR_MODE_EL1t:
	case PSR_MODE_EL1h:
		return true;
	case 0x10:
		return host_has_aarch32;
	default:
		return false;
	}
}

static bool running_valid(const struct snapshot *s, int priority, uint64_t val)
{
	int i;

	if (!val)
		return true;
	for (i = 0; i < s->nr_events; i++) {
		if (val == (BIT(63) | (uint32_t)s->event[i][SDEI_F_INFO]))
			return (s->event[i][SDEI_F_INFO] >> 32) == priority;
	}
	return false;
}

/* What all values have to obey whatever happened */
static void assert_invariants(struct fuzz_vm *vm, const struct snapshot *s)
{
	int i, n;

	if (s->pe & ~SDEI_PE_MASKED)
		fail("PE is 0x%lx", s->pe);
	if (s->event[0][SDEI_F_INFO])
		fail("The first event is not 0, but 0x%lx", s->event[0][SDEI_F_INFO]);
	for (i = n = 0; i < NR_EVENTS; i++)
		n += atomic_load(&vm->expose_done[i]);
	if (s->nr_events != n + 1)
		fail("%d events, want %d", s->nr_events, n + 1);
	for (i = 0; i < s->nr_events; i++) {
		uint64_t info = s->event[i][SDEI_F_INFO], state = s->event[i][SDEI_F_STATE];

		if (i && (uint32_t)info <= (uint32_t)s->event[i - 1][SDEI_F_INFO])
			fail("Event 0x%lx in slot %d is out of order", info, i);
		if (i && info >> 32 != (((uint32_t)info - 0x40000000) / 0x30001 & 1))
			fail("INFO of event 0x%lx has another priority or type", info);
		if ((state && !(state & SDEI_ST_REGISTERED)) || state > 15)
			fail("STATE of event 0x%lx is 0x%lx", info, state);
		if (s->event[i][SDEI_F_ENTRY] & 3)
			fail("ENTRY of event 0x%lx is 0x%lx", info, s->event[i][SDEI_F_ENTRY]);
	}
	for (i = 0; i < 2; i++) {
		if (!pstate_valid(s->ctx[i][SDEI_CTX_PSTATE]))
			fail("Saved PSTATE %d is 0x%lx", i, s->ctx[i][SDEI_CTX_PSTATE]);
		if (!running_valid(s, i, s->ctx[i][SDEI_CTX_RUNNING]))
			fail("RUNNING %d is 0x%lx", i, s->ctx[i][SDEI_CTX_RUNNING]);
	}
}

/* Others may have signalled meanwhile, and made registered events pending. */
static void assert_same(const struct snapshot *want, struct snapshot *now, uint64_t id,
			uint64_t val, int ret)
{
	uint64_t state;
	int i, f;

	for (i = 0; i < want->nr_events; i++) {
		state = want->event[i][SDEI_F_STATE];
		if (state & SDEI_ST_REGISTERED && !(state & SDEI_ST_PENDING))
			now->event[i][SDEI_F_STATE] &= ~SDEI_ST_PENDING;
		for (f = 0; f < 4; f++) {
			if (want->event[i][f] == now->event[i][f])
				continue;
			fail("Writing 0x%lx to register 0x%lx (%s): slot %d.%d: 0x%lx, not 0x%lx",
			     val, id, strerror(-ret), i, f, now->event[i][f], want->event[i][f]);
		}
	}
	if (want->pe != now->pe || want->nr_events != now->nr_events)
		fail("Writing 0x%lx to register 0x%lx (%s): PE is 0x%lx, want 0x%lx",
		     val, id, strerror(-ret), now->pe, want->pe);
	for (i = 0; i < 2; i++) {
		for (f = 0; f < SDEI_NR_CTX_REGS; f++) {
			if (want->ctx[i][f] == now->ctx[i][f])
				continue;
			fail("Writing 0x%lx to register 0x%lx (%s): context %d.%d 0x%lx, not 0x%lx",
			     val, id, strerror(-ret), i, f, now->ctx[i][f], want->ctx[i][f]);
		}
	}
}

/* What a write is to return, and what it is to make of the registers */
static int apply(struct snapshot *s, uint64_t id, uint64_t val)
{
	uint64_t *event, *ctx;
	int i, f;

	if (id == SDEI_REG_PE) {
		if (val & ~SDEI_PE_MASKED)
			return -EINVAL;
		s->pe = val;
		return 0;
	}

	for (i = 0; i < s->nr_events; i++) {
		event = s->event[i];
		if (id == SDEI_REG_EVENT(i, SDEI_F_INFO))
			return val == event[SDEI_F_INFO] ? 0 : -EINVAL;
		if (id == SDEI_REG_EVENT(i, SDEI_F_STATE)) {
			if (val > 15 || (val && !(val & SDEI_ST_REGISTERED)))
				return -EINVAL;
			if (val)
				val |= event[SDEI_F_STATE] & SDEI_ST_PENDING;
			event[SDEI_F_STATE] = val;
			return 0;
		}
		if (id == SDEI_REG_EVENT(i, SDEI_F_ENTRY)) {
			if (val & 3)
				return -EINVAL;
			event[SDEI_F_ENTRY] = val;
			return 0;
		}
		if (id == SDEI_REG_EVENT(i, SDEI_F_ARG)) {
			event[SDEI_F_ARG] = val;
			return 0;
		}
	}

	for (i = 0; i < 2; i++) {
		ctx = s->ctx[i];
		for (f = 0; f < SDEI_NR_CTX_REGS; f++) {
			if (id != SDEI_REG_CTX(i, f))
				continue;
			if ((f == SDEI_CTX_PSTATE && !pstate_valid(val)) ||
			    (f == SDEI_CTX_RUNNING && !running_valid(s, i, val)))
				return -EINVAL;
			ctx[f] = val;
			return 0;
		}
	}
	return -ENOENT;
}

/* Most often one that exists, or its neighbour */
static uint64_t some_reg(void)
{
	uint64_t id;

	switch (below(8)) {
	case 0:
		id = SDEI_REG_PE;
		break;
	case 1:
		id = SDEI_REG_CTX(below(2), SDEI_CTX_RUNNING);
		break;
	case 2:
	case 3:
		id = SDEI_REG_CTX(below(2), below(SDEI_NR_CTX_REGS));
		break;
	case 4:
		return KVM_REG_ARM_SDEI_REG(rnd() & 0xffff);
	default:
		id = SDEI_REG_EVENT(below(MAX_EXPOSED + 1), below(4));
	}
	return one_in(16) ? id + (one_in(2) ? 1 : -1) : id;
}

/* The same number as a register of another size, or of another group */
static uint64_t some_bad_reg(void)
{
	uint64_t id = some_reg();

	switch (below(3)) {
	case 0:
		return (id & ~KVM_REG_SIZE_MASK) | ((uint64_t)below(3) << KVM_REG_SIZE_SHIFT);
	case 1:
		return (id & ~KVM_REG_SIZE_MASK) | ((4ull + below(12)) << KVM_REG_SIZE_SHIFT);
	default:
		return id ^ (uint64_t)(one_in(2) ? 3 : 7) << KVM_REG_ARM_COPROC_SHIFT;
	}
}

static bool closed(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	return atomic_load(&v->closed);
}

static int op_set_reg(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	uint64_t id = some_reg(), val = edge_value();
	struct snapshot before, after, want;
	int ret, predicted;

	/* Values that are right are few among the random ones. */
	if (one_in(2))
		val = one_in(2) ? below(16) : val & ~3ull;

	ret = snapshot(v, &before);
	if (ret || vm->wild) {
		if (!vm->wild && ret == -ENOENT && atomic_load(&vm->sdei_done) &&
		    atomic_load(&v->inited))
			fail("A vCPU of a VM with SDEI has no pseudo-registers");
		expect("KVM_GET_ONE_REG", ret, ENOENT, ENOEXEC, ENOTTY, EPERM);
		ret = set_reg(v, id, val);
		expect("KVM_SET_ONE_REG", ret, EINVAL, ENOENT, ENOEXEC, ENOTTY, EPERM);
		return ret;
	}
	assert_invariants(vm, &before);

	if (id == SDEI_REG_EVENT(0, 0) || one_in(16)) {
		/* The right value for INFO, too */
		id = SDEI_REG_EVENT(below(before.nr_events), SDEI_F_INFO);
		val = before.event[below(before.nr_events)][SDEI_F_INFO];
	}

	want = before;
	predicted = apply(&want, id, val);
	if (predicted)
		want = before;
	ret = set_reg(v, id, val);
	if (snapshot(v, &after) || ret == -ENOTTY) {
		if (!closed(vm, v))
			fail("The pseudo-registers are gone");
		return -ENOTTY;
	}
	if (ret != predicted)
		fail("Writing 0x%lx to register 0x%lx: %s, want %s", val, id,
		     strerror(-ret), strerror(-predicted));
	assert_invariants(vm, &after);
	assert_same(&want, &after, id, val, ret);
	return ret;
}

static int op_bad_reg(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	uint64_t data[256] = { rnd() };
	struct kvm_one_reg reg = { .addr = (uint64_t)data };
	bool good = true, readable = true, set = one_in(2);
	int ret;

	if (one_in(2)) {
		reg.id = some_bad_reg();
	} else {
		reg.id = some_reg();
		reg.addr = (uint64_t)some_address(data, 8, &good, &readable);
	}
	ret = vcpu_do(v, set ? KVM_SET_ONE_REG : KVM_GET_ONE_REG, &reg);
	expect("KVM_{GET,SET}_ONE_REG", ret, EINVAL, ENOENT, EFAULT, ENOEXEC, ENOTTY, EPERM);
	if (!ret && !(set ? readable : good))
		fail("Register 0x%llx %s 0x%llx succeeds", reg.id, set ? "from" : "to", reg.addr);
	if (!ret && (reg.id & KVM_REG_SIZE_MASK) != KVM_REG_SIZE_U64)
		fail("There is a register 0x%llx", reg.id);
	return ret;
}

static int op_reg_list(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	static __thread struct {
		struct kvm_reg_list list;
		uint64_t ids[2000];
	} buf;
	int ret, i, n = 0, want;
	uint64_t asked;

	asked = one_in(3) ? below(2000) : one_in(2) ? edge_value() : 2000;
	/* What is claimed to be there is written to. */
	if (asked > 2000)
		asked = below(3);
	buf.list.n = asked;
	memset(buf.ids, 0, sizeof(buf.ids));
	ret = vcpu_do(v, KVM_GET_REG_LIST, one_in(16) ? NULL : &buf);
	expect("KVM_GET_REG_LIST", ret, E2BIG, EFAULT, ENOEXEC, EPERM, ENOTTY);
	if (ret == -E2BIG && buf.list.n <= asked)
		fail("KVM_GET_REG_LIST: %llu registers are too many for %lu", buf.list.n, asked);
	if (ret)
		return ret;

	for (i = 0; i < buf.list.n; i++)
		n += sdei_is_sdei_reg(buf.ids[i]);
	for (i = want = 0; i < NR_EVENTS; i++)
		want += atomic_load(&vm->expose_done[i]);
	want = 1 + 4 * (want + 1) + 2 * SDEI_NR_CTX_REGS;
	if (n != (atomic_load(&vm->sdei_done) ? want : 0))
		fail("KVM_GET_REG_LIST lists %d pseudo-registers", n);
	return ret;
}

static int op_init(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	struct kvm_vcpu_init init;
	struct snapshot s = {}, zero = {};
	bool refused = false, had_sdei = atomic_load(&vm->sdei_done);
	int ret;

	if (vm_do(vm, KVM_ARM_PREFERRED_TARGET, &init)) {
		if (!atomic_load(&vm->closing))
			fail("KVM_ARM_PREFERRED_TARGET: %s", strerror(errno));
		return -ENOTTY;
	}
	init.features[0] |= BIT(KVM_ARM_VCPU_PSCI_0_2);
	if (one_in(16))
		init.features[0] |= BIT(KVM_ARM_VCPU_POWER_OFF);
	if (one_in(4)) {
		init.features[0] |= BIT(one_in(2) ? KVM_ARM_VCPU_EL1_32BIT : KVM_ARM_VCPU_HAS_EL2);
		refused = true;
	} else if (one_in(8)) {
		init.features[below(ARRAY_SIZE(init.features))] |= BIT(below(32));
	}
	/* SVE would have to be finalised: not what this is about. */
	init.features[0] &= ~BIT(KVM_ARM_VCPU_SVE);

	ret = vcpu_do(v, KVM_ARM_VCPU_INIT, &init);
	expect("KVM_ARM_VCPU_INIT", ret, EINVAL, ENOENT, ENODEV, ENOMEM, ENOTTY);
	if (ret)
		return ret;
	if (refused && had_sdei)
		fail("A VM with SDEI gets a vCPU with features 0x%x", init.features[0]);

	if (!vm->wild && had_sdei) {
		ret = snapshot(v, &s);
		if (ret == -ENOTTY && closed(vm, v))
			return 0;
		if (ret)
			fail("Pseudo-registers after KVM_ARM_VCPU_INIT: %s", strerror(-ret));
		assert_invariants(vm, &s);
		for (int i = 0; i < s.nr_events; i++)
			s.event[i][SDEI_F_INFO] = 0;
		zero.nr_events = s.nr_events;
		zero.pe = SDEI_PE_MASKED;
		if (memcmp(&s, &zero, sizeof(s)))
			fail("KVM_ARM_VCPU_INIT leaves SDEI state behind");
	}
	if (!atomic_exchange(&v->inited, true) && !atomic_load(&vm->run_begun))
		atomic_store(&v->inited_in_time, true);
	ret = set_reg(v, ARM64_CORE_REG(regs.regs[19]), rnd());
	expect("KVM_SET_ONE_REG", ret, EINVAL, ENOTTY);
	return 0;
}

static int op_get_reg(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	uint64_t val;
	int ret = get_reg(v, some_reg(), &val);

	expect("KVM_GET_ONE_REG", ret, ENOENT, ENOEXEC, ENOTTY, EPERM, EINVAL);
	return ret;
}

static int op_mp_state(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	struct kvm_mp_state state = { one_in(8) ? rnd() : KVM_MP_STATE_RUNNABLE };
	int ret;

	if (one_in(4))
		state.mp_state = one_in(2) ? KVM_MP_STATE_STOPPED : KVM_MP_STATE_SUSPENDED;
	ret = vcpu_do(v, KVM_SET_MP_STATE, &state);
	expect("KVM_SET_MP_STATE", ret, EINVAL, ENOTTY);
	return ret;
}

static int op_debug(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	struct kvm_guest_debug debug = {};
	int ret;

	if (one_in(3))
		debug.control = KVM_GUESTDBG_ENABLE | (rnd() & 0x30003);
	else if (one_in(8))
		debug.control = rnd();
	ret = vcpu_do(v, KVM_SET_GUEST_DEBUG, &debug);
	expect("KVM_SET_GUEST_DEBUG", ret, EINVAL, ENOTTY);
	return ret;
}

static int op_events(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	struct kvm_vcpu_events events = {};
	int ret;

	if (one_in(2))
		events.exception.ext_dabt_pending = 1;
	if (one_in(2))
		events.exception.serror_pending = 1;
	if (one_in(4)) {
		events.exception.serror_has_esr = 1;
		events.exception.serror_esr = one_in(2) ? rnd() & 0xffffff : rnd();
	}
	if (one_in(16))
		memset(&events, rnd(), sizeof(events));
	ret = vcpu_do(v, KVM_SET_VCPU_EVENTS, &events);
	expect("KVM_SET_VCPU_EVENTS", ret, EINVAL, ENOEXEC, ENOTTY);
	return ret;
}

/* Where the guest goes on, mostly in its loop */
static int op_core(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	uint64_t pc = one_in(4) ? edge_value() : 0;
	int ret;

	ret = set_reg(v, ARM64_CORE_REG(regs.pstate), one_in(4) ? edge_value() : 0x3c5);
	expect("KVM_SET_ONE_REG", ret, EINVAL, ENOEXEC, ENOTTY, EPERM, ENOENT);
	ret = set_reg(v, ARM64_CORE_REG(regs.pc), pc);
	expect("KVM_SET_ONE_REG", ret, EINVAL, ENOEXEC, ENOTTY, EPERM, ENOENT);
	return ret;
}

static int op_mmap(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	size_t size = getpagesize() * (1 + below(3));
	void *p;

	p = mmap(NULL, size, PROT_READ | (one_in(2) ? PROT_WRITE : 0),
		 one_in(2) ? MAP_SHARED : MAP_PRIVATE, atomic_load(&v->fd),
		 one_in(2) ? 0 : getpagesize() * below(4));
	if (p == MAP_FAILED) {
		int ret = -errno;

		expect("mmap", ret, EINVAL, ENODEV, EACCES, ENOMEM);
		return ret;
	}
	munmap(p, size);
	return 0;
}

static int op_run_page(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	uint8_t *p = (void *)v->run;

	if (vm->wild && one_in(2))
		p[below(getpagesize())] = rnd();
	else
		kick(v);
	return 0;
}

/*
 * Close the file, but not for those who are using its descriptor: that one keeps
 * its number, and is no file of KVM's any more.
 */
static int op_close(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	if (!one_in(32))
		return 0;
	if (one_in(4)) {
		atomic_store(&vm->closing, true);
		dup2(null_fd, vm->fd);
	} else {
		atomic_store(&v->closed, true);
		dup2(null_fd, atomic_load(&v->fd));
	}
	return 0;
}

/*
 * The rest is up to the threads, but SDEI and some events would rarely be there
 * in time, before the first vCPU.
 */
static void vm_prepare(struct fuzz_vm *vm)
{
	int i;

	if (one_in(8))
		return;
	while (op_enable_cap(vm))
		;
	for (i = below(40); i > 0; i--)
		op_expose(vm);
}

static void vm_replace(struct fuzz_vm *vm)
{
	if (!vm_stop(vm))
		return;
	vm_close(vm);
	vm_open(vm);
	vm_prepare(vm);
	atomic_store(&vm->dying, false);
}

static struct operation {
	const char *name;
	unsigned int weight;
	int (*vm_op)(struct fuzz_vm *vm);
	int (*vcpu_op)(struct fuzz_vm *vm, struct fuzz_vcpu *v);
	/* Needs the vCPU out of KVM_RUN, and nobody else at its registers */
	bool own;
	atomic_long ok, refused;
} operations[] = {
	{ "enable_cap", 3, op_enable_cap },
	{ "expose", 8, op_expose },
	{ "get_event", 3, op_get_event },
	{ "inject", 20, op_inject },
	{ "attribute", 3, op_other_attr },
	{ "create_vcpu", 4, op_create_vcpu },
	{ "set_reg", 16, NULL, op_set_reg, true },
	{ "bad_reg", 8, NULL, op_bad_reg, true },
	{ "get_reg", 4, NULL, op_get_reg },
	{ "reg_list", 3, NULL, op_reg_list },
	{ "init", 3, NULL, op_init, true },
	{ "mp_state", 4, NULL, op_mp_state, true },
	{ "guest_debug", 2, NULL, op_debug, true },
	{ "vcpu_events", 2, NULL, op_events, true },
	{ "core_reg", 6, NULL, op_core, true },
	{ "mmap", 1, NULL, op_mmap },
	{ "run_page", 8, NULL, op_run_page },
	{ "close", 2, NULL, op_close },
};

static struct operation *some_operation(void)
{
	unsigned int i, sum = 0, n;

	for (i = 0; i < ARRAY_SIZE(operations); i++)
		sum += operations[i].weight;
	n = below(sum);
	for (i = 0; n >= operations[i].weight; i++)
		n -= operations[i].weight;
	return &operations[i];
}

static void fuzz_once(struct fuzz_vm *vm)
{
	struct fuzz_vcpu *v = &vm->vcpu[below(NR_VCPUS)];
	struct operation *op = some_operation();
	int ret;

	if (op->vm_op) {
		ret = op->vm_op(vm);
		if (ret == -ENOTTY && !atomic_load(&vm->closing))
			fail("%s: ENOTTY of a VM", op->name);
	} else {
		if (atomic_load(&v->fd) < 0)
			return;
		if (op->own)
			vcpu_want(vm, v);
		else if (one_in(2))
			kick(v);
		ret = op->vcpu_op(vm, v);
		if (op->own)
			vcpu_done(vm, v);
		if (ret == -ENOTTY && !atomic_load(&v->closed) && !atomic_load(&vm->closing))
			fail("%s: ENOTTY of a vCPU", op->name);
	}
	atomic_fetch_add(ret ? &op->refused : &op->ok, 1);
	if (ret)
		atomic_fetch_add(&nr_refused, 1);
	if (atomic_fetch_add(&nr_done, 1) + 1 >= nr_operations)
		atomic_store(&stop, true);
}

static void *fuzzer_thread(void *data)
{
	struct fuzz_vm *vm;

	random_state = seed * 1000003 + (long)data + 1;
	while (!atomic_load(&stop)) {
		vm = &vms[below(NR_VMS)];
		if (vm_enter(vm)) {
			fuzz_once(vm);
			vm_leave(vm);
			/* The guests are to come to something. */
			if (one_in(16))
				usleep(1000);
		} else {
			sched_yield();
		}
		/* What is closed is of little use any more. */
		if (one_in(atomic_load(&vm->closing) ? 16 : 600))
			vm_replace(vm);
	}
	atomic_fetch_sub(&nr_fuzzers_left, 1);
	return NULL;
}

struct runner {
	struct fuzz_vm *vm;
	struct fuzz_vcpu *v;
};

static atomic_long nr_runs;

static void run_once(struct fuzz_vm *vm, struct fuzz_vcpu *v)
{
	int ret;

	atomic_store(&vm->run_begun, true);
	ret = vcpu_do(v, KVM_RUN, NULL);
	if (ret == -EINTR)
		v->run->immediate_exit = 0;
	expect("KVM_RUN", ret, EINTR, ENOEXEC, ENOTTY, EFAULT, EPERM, EINVAL);
	if (ret == -ENOTTY && !atomic_load(&v->closed))
		fail("KVM_RUN is ENOTTY");
	if (ret == -ENOEXEC && !vm->wild && atomic_load(&v->inited))
		fail("KVM_RUN is ENOEXEC");
	if (!ret)
		atomic_fetch_add(&nr_runs, 1);
	if (ret || vm->wild)
		return;
	switch (v->run->exit_reason) {
	case KVM_EXIT_MMIO:
	case KVM_EXIT_DEBUG:
	case KVM_EXIT_SYSTEM_EVENT:
	case KVM_EXIT_ARM_NISV:
		break;
	default:
		fail("KVM_RUN exits with %u (%s)", v->run->exit_reason,
		     exit_reason_str(v->run->exit_reason));
	}
}

static void *runner_thread(void *data)
{
	struct fuzz_vm *vm = ((struct runner *)data)->vm;
	struct fuzz_vcpu *v = ((struct runner *)data)->v;

	while (!atomic_load(&stop)) {
		if (!vm_enter(vm)) {
			usleep(1000);
			continue;
		}
		if (atomic_load(&v->fd) < 0 || atomic_load(&v->closed) ||
		    !atomic_load(&v->inited)) {
			vm_leave(vm);
			usleep(5000);
			continue;
		}
		if (atomic_load(&v->wanted)) {
			sched_yield();
		} else if (vm->wild) {
			run_once(vm, v);
		} else {
			pthread_mutex_lock(&v->own);
			if (!atomic_load(&v->wanted))
				run_once(vm, v);
			pthread_mutex_unlock(&v->own);
		}
		vm_leave(vm);
	}
	return NULL;
}

/* VMs of this process that are still there, or -1 if nothing tells */
static int nr_vms_left(void)
{
	char prefix[32];
	struct dirent *d;
	int n = 0;
	DIR *dir;

	dir = opendir("/sys/kernel/debug/kvm");
	if (!dir)
		return -1;
	snprintf(prefix, sizeof(prefix), "%d-", getpid());
	while ((d = readdir(dir)))
		n += !strncmp(d->d_name, prefix, strlen(prefix));
	closedir(dir);
	return n;
}

static void interrupt_nothing(int sig)
{
}

/* What the host can do, from a vCPU that nobody fuzzes */
static void look_at_host(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, 0);
	struct kvm_vcpu_init init = sdei_vcpu_init(vm);

	vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init);
	host_has_aarch32 =
		(sdei_get_reg(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64PFR0_EL1)) & 0xf) == 2;
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	pthread_t fuzzers[NR_FUZZERS];
	struct runner runners[NR_VMS][NR_VCPUS];
	int opt, i, j, left;

	if (getenv("SEED"))
		seed = strtoull(getenv("SEED"), NULL, 0);
	while ((opt = getopt(argc, argv, "hn:s:")) != -1) {
		switch (opt) {
		case 'n':
			nr_operations = atoi_positive("OPERATIONS", optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		default:
			printf("usage: %s [-n OPERATIONS] [-s SEED]\n", argv[0]);
			return opt == 'h' ? 0 : KSFT_FAIL;
		}
	}

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));
	setbuf(stdout, NULL);
	ksft_print_header();
	ksft_set_plan(2);
	ksft_print_msg("SEED=%lu\n", seed);

	signal(SIGUSR1, interrupt_nothing);
	look_at_host();
	random_state = seed * 1000003;
	kvm_fd = open_kvm_dev_path_or_exit();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* A page, and nothing behind it */
	page = mmap(NULL, 2 * getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page + getpagesize(), getpagesize(), PROT_NONE);
	readonly_page = mmap(NULL, getpagesize(), PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (i = 0; i < NR_VMS; i++) {
		for (j = 0; j < NR_VCPUS; j++)
			pthread_mutex_init(&vms[i].vcpu[j].own, NULL);
		vm_open(&vms[i]);
		vm_prepare(&vms[i]);
	}
	for (i = 0; i < NR_VMS; i++) {
		for (j = 0; j < NR_VCPUS; j++) {
			runners[i][j] = (struct runner) { &vms[i], &vms[i].vcpu[j] };
			pthread_create(&vms[i].vcpu[j].runner, NULL, runner_thread,
				       &runners[i][j]);
		}
	}
	for (i = 0; i < NR_FUZZERS; i++)
		pthread_create(&fuzzers[i], NULL, fuzzer_thread, (void *)(long)i);

	/* Nobody else may be there to end the sleep of a vCPU that they wait for. */
	while (atomic_load(&nr_fuzzers_left)) {
		for (i = 0; i < NR_VMS; i++) {
			for (j = 0; j < NR_VCPUS; j++)
				pthread_kill(vms[i].vcpu[j].runner, SIGUSR1);
		}
		usleep(10000);
	}
	for (i = 0; i < NR_FUZZERS; i++)
		pthread_join(fuzzers[i], NULL);
	for (i = 0; i < NR_VMS; i++) {
		vm_stop(&vms[i]);
		for (j = 0; j < NR_VCPUS; j++)
			pthread_join(vms[i].vcpu[j].runner, NULL);
		vm_close(&vms[i]);
	}

	for (i = 0; i < ARRAY_SIZE(operations); i++)
		ksft_print_msg("%-12s %7ld accepted %7ld refused\n", operations[i].name,
			       atomic_load(&operations[i].ok),
			       atomic_load(&operations[i].refused));
	ksft_print_msg("%ld exits of vCPUs\n", atomic_load(&nr_runs));
	ksft_print_msg("%ld operations checked, %ld of them refused\n",
		       atomic_load(&nr_done), atomic_load(&nr_refused));
	ksft_test_result_pass("any operation at any time succeeds or fails as documented\n");

	left = nr_vms_left();
	if (left < 0)
		ksft_test_result_skip("every VM is gone with its last file (no debugfs)\n");
	else
		ksft_test_result(!left, "every VM is gone with its last file\n");
	ksft_finished();
}
