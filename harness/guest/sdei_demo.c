// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's part of the demonstration: an SDEI event reaches a CPU that has
 * interrupts masked, where an IPI does not.
 *
 * A thread on CPU 1 masks every interrupt and spins.  CPU 0 sends it an IPI,
 * then signals SDEI event 0, whose handler shows where CPU 1 was; then CPU 0
 * lets the thread go on.  Without SDEI the same happens, less the handler.
 *
 * Everything that is claimed is read back (PSTATE, counters), and each step
 * prints one line that starts with "sdei_demo:", which harness/demo looks for.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/arm-smccc.h>
#include <linux/arm_sdei.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/debug.h>
#include <linux/smp.h>

#include <asm/cputype.h>
#include <asm/daifflags.h>
#include <asm/ptrace.h>

/* The uapi header of older kernels stops short of these two */
#define EVENT_STATUS	0xc4000028
#define EVENT_SIGNAL	0xc400002f

#define SOFTWARE_EVENT	0	/* every SDEI has it: software signalled */

#define TARGET		1	/* the CPU that spins */
#define IPI_PATIENCE	500	/* ms: an IPI that is going to work needs less than one */
#define EVENT_PATIENCE	10000	/* ms: only if the event never comes */
#define TURNS_AFTER_EVENT 1000	/* enough to see that it spins again */

/*
 * The SDEI client of the kernel exports nothing to modules, and the kernel is
 * to be an unmodified one: ask kprobes where its functions are.
 */
static struct {
	int (*event_register)(u32 event, sdei_event_callback *cb, void *arg);
	int (*event_enable)(u32 event);
	int (*event_disable)(u32 event);
	int (*event_unregister)(u32 event);
	void (*show_regs)(struct pt_regs *regs);
} kernel;

static void *kernel_function(const char *name)
{
	struct kprobe kp = { .symbol_name = name };

	if (register_kprobe(&kp))
		return NULL;
	unregister_kprobe(&kp);

	return kp.addr;
}

static bool find_kernel_functions(void)
{
	kernel.event_register = kernel_function("sdei_event_register");
	kernel.event_enable = kernel_function("sdei_event_enable");
	kernel.event_disable = kernel_function("sdei_event_disable");
	kernel.event_unregister = kernel_function("sdei_event_unregister");
	kernel.show_regs = kernel_function("show_regs");

	return kernel.event_register && kernel.event_enable &&
	       kernel.event_disable && kernel.event_unregister &&
	       kernel.show_regs;
}

/* What the two CPUs tell each other */
static bool spinning;
static bool let_go;
static unsigned int ipis;
static unsigned int events;
static u64 target_mpidr;
static u64 daif_before, daif_after;
static u64 turns, turns_at_event;
static unsigned int ipis_when_let_go;
static DECLARE_COMPLETION(went_on);

/* The event's handler: on CPU 1, on top of whatever runs there */
static int event_handler(u32 event, struct pt_regs *regs, void *arg)
{
	turns_at_event = turns;
	pr_info("the handler of event %u runs on CPU %d, which was here:\n",
		event, smp_processor_id());
	kernel.show_regs(regs);
	smp_store_release(&events, events + 1);

	return 0;
}

static void ipi_handler(void *unused)
{
	smp_store_release(&ipis, ipis + 1);
}

static call_single_data_t ipi = CSD_INIT(ipi_handler, NULL);

/* Two functions, so that there is a backtrace to be recognised */
static noinline void spin_with_interrupts_masked(void)
{
	do {
		WRITE_ONCE(turns, turns + 1);
		/* Not a leaf function: those have no frame to be unwound */
		asm volatile("yield" : : : "x30", "memory");
	} while (!smp_load_acquire(&let_go));
}

static noinline void wedge_this_cpu(void)
{
	local_daif_mask();
	daif_before = read_sysreg(daif);
	smp_store_release(&spinning, true);

	spin_with_interrupts_masked();

	daif_after = read_sysreg(daif);
	ipis_when_let_go = smp_load_acquire(&ipis);
	local_daif_restore(DAIF_PROCCTX);
}

static int wedged_thread(void *unused)
{
	target_mpidr = read_cpuid_mpidr() & MPIDR_HWID_BITMASK;
	wedge_this_cpu();
	complete(&went_on);

	return 0;
}

/* By the clock, not in jiffies: the CPU that counts them may be the wedged one */
static bool wait_for(const unsigned int *counter, unsigned int ms)
{
	ktime_t end = ktime_add_ms(ktime_get(), ms);

	while (!smp_load_acquire(counter) && ktime_before(ktime_get(), end))
		cpu_relax();

	return smp_load_acquire(counter);
}

static long sdei_call(u32 function, u64 arg0, u64 arg1)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(function, arg0, arg1, &res);

	return res.a0;
}

static void event_status(void *result)
{
	*(long *)result = sdei_call(EVENT_STATUS, SOFTWARE_EVENT, 0);
}

static bool register_event(void)
{
	long status;
	int err;

	err = kernel.event_register(SOFTWARE_EVENT, event_handler, NULL);
	if (err) {
		pr_info("event %d cannot be registered: error %d\n",
			SOFTWARE_EVENT, err);
		return false;
	}

	err = kernel.event_enable(SOFTWARE_EVENT);
	if (err) {
		pr_info("event %d cannot be enabled: error %d\n",
			SOFTWARE_EVENT, err);
		kernel.event_unregister(SOFTWARE_EVENT);
		return false;
	}

	smp_call_function_single(TARGET, event_status, &status, true);
	pr_info("event %d is registered and enabled: its status on CPU %d is %#lx\n",
		SOFTWARE_EVENT, TARGET, status);

	return true;
}

static void signal_event(void)
{
	ktime_t end;
	long ret;

	pr_info("CPU %d signals event %d to CPU %d\n",
		smp_processor_id(), SOFTWARE_EVENT, TARGET);
	ret = sdei_call(EVENT_SIGNAL, SOFTWARE_EVENT, target_mpidr);
	if (ret) {
		pr_info("the signal is refused: EVENT_SIGNAL answers %ld\n", ret);
		return;
	}

	if (!wait_for(&events, EVENT_PATIENCE)) {
		pr_info("the handler did not run within %d ms\n", EVENT_PATIENCE);
		return;
	}
	pr_info("the handler ran: events handled %u, IPIs taken %u\n",
		events, smp_load_acquire(&ipis));

	/* It is not let go yet: is it back in its loop? */
	end = ktime_add_ms(ktime_get(), EVENT_PATIENCE);
	while (READ_ONCE(turns) < turns_at_event + TURNS_AFTER_EVENT &&
	       ktime_before(ktime_get(), end))
		cpu_relax();
	pr_info("CPU %d %s after the handler: %llu turns more\n", TARGET,
		READ_ONCE(turns) < turns_at_event + TURNS_AFTER_EVENT ?
		"is lost" : "spins on", READ_ONCE(turns) - turns_at_event);
}

static int __init sdei_demo_init(void)
{
	struct task_struct *thread;
	bool registered;

	if (num_online_cpus() < 2) {
		pr_err("two CPUs are needed\n");
		return -ENODEV;
	}
	if (!find_kernel_functions()) {
		pr_err("this kernel lacks the SDEI client (CONFIG_ARM_SDE_INTERFACE)\n");
		return -ENOENT;
	}

	set_cpus_allowed_ptr(current, cpumask_of(0));
	registered = register_event();

	thread = kthread_create_on_cpu(wedged_thread, NULL, TARGET, "wedged/%u");
	if (IS_ERR(thread)) {
		pr_err("no thread: error %ld\n", PTR_ERR(thread));
		return PTR_ERR(thread);
	}
	wake_up_process(thread);
	while (!smp_load_acquire(&spinning))
		cpu_relax();
	pr_info("CPU %d spins with interrupts masked: DAIF %#llx\n",
		TARGET, daif_before);

	smp_call_function_single_async(TARGET, &ipi);
	if (wait_for(&ipis, IPI_PATIENCE))
		pr_info("an IPI to CPU %d got through\n", TARGET);
	else
		pr_info("an IPI to CPU %d does not get through: not taken after %d ms\n",
			TARGET, IPI_PATIENCE);

	signal_event();

	smp_store_release(&let_go, true);
	wait_for_completion(&went_on);
	pr_info("CPU %d is let go: DAIF was %#llx to the end, IPIs taken %u\n",
		TARGET, daif_after, ipis_when_let_go);
	wait_for(&ipis, EVENT_PATIENCE);
	pr_info("CPU %d unmasks interrupts and goes on: IPIs taken %u\n",
		TARGET, ipis);

	if (registered) {
		kernel.event_disable(SOFTWARE_EVENT);
		kernel.event_unregister(SOFTWARE_EVENT);
	}
	pr_info("end\n");

	return 0;
}
module_init(sdei_demo_init);

MODULE_DESCRIPTION("SDEI demonstration: an event reaches a CPU that has interrupts masked");
MODULE_LICENSE("GPL");
