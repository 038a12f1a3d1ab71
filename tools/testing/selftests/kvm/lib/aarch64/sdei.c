// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers for the tests of KVM's SDEI dispatcher
 */

#include <linux/psci.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"

#define INSN_HVC	0xd4000002
#define INSN_SMC	0xd4000003
#define INSN_BRK	0xd4200000
#define INSN_NOP	0xd503201f
#define INSN_LDR_X5_X4	0xf9400085
#define INSN_B_SELF	0x14000000
#define INSN_A32_BKPT	0xe1200070
#define INSN_T32_BKPT	0xbe00

/* AP[2:1] = 0b11: read-only, which leaves code executable at EL0 and EL1 */
#define PTE_EL0_RO	(3ull << 6)

/*
 * Guest side
 */

enum sdei_conduit sdei_conduit;
sdei_handler_fn sdei_guest_handler;
void (*sdei_guest_resumed)(struct ex_regs *regs);

int64_t __sdei_call(uint64_t x0, const uint64_t *args)
{
	struct sdei_smccc_regs in, out;
	int i;

	in.x[0] = x0;
	for (i = 1; i < 18; i++)
		in.x[i] = i < 6 ? args[i - 1] : 0x5a5a000000000000ull + i * 0x101;

	out = in;
	sdei_smccc(&out, sdei_conduit);

	/* Results may use x1..x3; no call of SDEI returns anything in them. */
	for (i = 1; i < 4; i++)
		__GUEST_ASSERT(!out.x[i] || out.x[i] == in.x[i],
			       "call 0x%lx leaves 0x%lx in x%d",
			       x0, out.x[i], i);

	for (i = 4; i < 18; i++)
		__GUEST_ASSERT(out.x[i] == in.x[i],
			       "call 0x%lx changes x%d from 0x%lx to 0x%lx",
			       x0, i, in.x[i], out.x[i]);

	return out.x[0];
}

/* Called by sdei_guest_entry */
void sdei_guest_dispatch(struct sdei_frame *frame)
{
	frame->fn = SDEI_1_0_FN_BASE + SDEI_EVENT_COMPLETE;
	frame->arg = SDEI_EV_HANDLED;
	frame->conduit = sdei_conduit;

	GUEST_ASSERT(sdei_guest_handler);
	sdei_guest_handler(frame);
}

/* Where sdei_guest_entry ends if the completion returns */
void sdei_guest_not_completed(int64_t ret)
{
	GUEST_FAIL("The completion returned %ld", (long)ret);
}

/* Called by sdei_guest_resume */
void sdei_guest_resume_dispatch(struct ex_regs *regs)
{
	GUEST_ASSERT(sdei_guest_resumed);
	sdei_guest_resumed(regs);
}

void sdei_guest_warm_up(void)
{
	sdei_call(SDEI_EVENT_CONTEXT, 0);
	sdei_call(SDEI_EVENT_COMPLETE, 0);
	sdei_call(SDEI_EVENT_COMPLETE_AND_RESUME, 0);
	sdei_call(SDEI_EVENT_STATUS, EV_SOFT);
	sdei_call(SDEI_PE_UNMASK);
	sdei_call(SDEI_PE_MASK);
	sdei_signal_self();
}

void sdei_guest_setup(uint64_t event, uint64_t arg, sdei_handler_fn handler)
{
	sdei_guest_handler = handler;
	GUEST_ASSERT_EQ(sdei_register(event, arg), SDEI_SUCCESS);
	GUEST_ASSERT_CALL(SDEI_SUCCESS, SDEI_EVENT_ENABLE, event);
}

void sdei_guest_ask_inject(uint64_t event)
{
	GUEST_SYNC_ARGS(SDEI_ASK_INJECT, event, 0, 0, 0);
}

void sdei_guest_trigger(uint64_t event)
{
	if (event == EV_SOFT)
		GUEST_ASSERT_EQ(sdei_signal_self(), SDEI_SUCCESS);
	else
		sdei_guest_ask_inject(event);
}

/*
 * Host side
 */

struct kvm_vcpu_init sdei_vcpu_init(struct kvm_vm *vm)
{
	struct kvm_vcpu_init init;

	vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init);
	init.features[0] |= BIT(KVM_ARM_VCPU_PSCI_0_2);
	return init;
}

int __sdei_expose(struct kvm_vm *vm, uint32_t event, uint32_t priority)
{
	struct kvm_arm_sdei_event ev = {
		.event		= event,
		.type		= SDEI_EVENT_TYPE_PRIVATE,
		.priority	= priority,
	};

	if (__kvm_device_attr_set(vm->fd, KVM_ARM_VM_SDEI_CTRL,
				  KVM_ARM_VM_SDEI_EVENT, &ev))
		return -errno;
	return 0;
}

int __sdei_inject(struct kvm_vm *vm, uint64_t mpidr, uint32_t event)
{
	struct kvm_arm_sdei_inject inject = {
		.mpidr	= mpidr,
		.event	= event,
	};

	if (__kvm_device_attr_set(vm->fd, KVM_ARM_VM_SDEI_CTRL,
				  KVM_ARM_VM_SDEI_INJECT, &inject))
		return -errno;
	return 0;
}

void sdei_inject(struct sdei_vm *svm, unsigned int vcpu, uint32_t event)
{
	int ret = __sdei_inject(svm->vm, svm->mpidr[vcpu], event);

	TEST_ASSERT(!ret, "Injecting event 0x%x into vCPU %u: %s",
		    event, vcpu, strerror(-ret));
}

void sdei_vm_setup(struct kvm_vm *vm)
{
	static const struct {
		uint32_t event;
		uint32_t priority;
	} events[] = {
		/* Not in the order of their numbers, on purpose */
		{ EV_NORMAL_2,	 SDEI_EVENT_PRIORITY_NORMAL },
		{ EV_CRITICAL,	 SDEI_EVENT_PRIORITY_CRITICAL },
		{ EV_CRITICAL_2, SDEI_EVENT_PRIORITY_CRITICAL },
		{ EV_NORMAL,	 SDEI_EVENT_PRIORITY_NORMAL },
	};
	int i, ret;

	vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		ret = __sdei_expose(vm, events[i].event, events[i].priority);
		TEST_ASSERT(!ret, "Exposing event 0x%x: %s", events[i].event,
			    strerror(-ret));
	}
}

void sdei_vcpu_add(struct sdei_vm *svm, unsigned int id, void *guest_code)
{
	struct kvm_vcpu_init init = sdei_vcpu_init(svm->vm);

	svm->vcpu[id] = aarch64_vcpu_add(svm->vm, id, &init, guest_code);
	vcpu_init_descriptor_tables(svm->vcpu[id]);
	svm->mpidr[id] = sdei_get_reg(svm->vcpu[id], KVM_ARM64_SYS_REG(SYS_MPIDR_EL1));
	/* Later, KVM_GET_STATS_FD would wait for the vCPU to stop running. */
	svm->stats_fd[id] = vcpu_get_stats_fd(svm->vcpu[id]);
	svm->nr_vcpus++;
}

void sdei_vm_create(struct sdei_vm *svm, unsigned int nr_vcpus,
		    enum sdei_conduit conduit, void *guest_code)
{
	unsigned int i;

	memset(svm, 0, sizeof(*svm));
	svm->vm = sdei_new_vm(nr_vcpus);
	vm_init_descriptor_tables(svm->vm);
	sdei_vm_setup(svm->vm);

	for (i = 0; i < nr_vcpus; i++)
		sdei_vcpu_add(svm, i, guest_code);

	write_guest_global(svm->vm, sdei_conduit, conduit);
}

void sdei_vm_free(struct sdei_vm *svm)
{
	unsigned int i;

	for (i = 0; i < svm->nr_vcpus; i++)
		close(svm->stats_fd[i]);
	kvm_vm_free(svm->vm);
}

uint64_t sdei_run(struct sdei_vm *svm, unsigned int vcpu)
{
	struct ucall uc;

	for (;;) {
		vcpu_run(svm->vcpu[vcpu]);

		switch (get_ucall(svm->vcpu[vcpu], &uc)) {
		case UCALL_SYNC:
			if (uc.args[1] != SDEI_ASK_INJECT)
				return uc.args[1];
			sdei_inject(svm, vcpu, uc.args[2]);
			break;
		case UCALL_PRINTF:
			REPORT_GUEST_PRINTF(uc);
			break;
		case UCALL_DONE:
			return SDEI_STAGE_DONE;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
			break;
		default:
			assert_on_unhandled_exception(svm->vcpu[vcpu]);
			TEST_FAIL("Unexpected exit %u (%s)",
				  svm->vcpu[vcpu]->run->exit_reason,
				  exit_reason_str(svm->vcpu[vcpu]->run->exit_reason));
		}
	}
}

static void guest_run_function(void (*fn)(void))
{
	sdei_guest_warm_up();
	fn();
	GUEST_DONE();
}

void sdei_run_guest(enum sdei_conduit conduit, void (*fn)(void))
{
	struct sdei_vm svm;

	sdei_vm_create(&svm, 1, conduit, guest_run_function);
	vcpu_args_set(svm.vcpu[0], 1, (uint64_t)fn);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

/* Known to sdei_entry.S */
struct sdei_cpu_on_context {
	uint64_t ttbr0_el1;
	uint64_t tcr_el1;
	uint64_t mair_el1;
	uint64_t cpacr_el1;
	uint64_t vbar_el1;
	uint64_t tpidr_el1;
	uint64_t sctlr_el1;
	uint64_t sp;
	uint64_t pc;
};

uint64_t sdei_cpu_on_pa[SDEI_MAX_VCPUS];
uint64_t sdei_cpu_on_context_pa[SDEI_MAX_VCPUS];

void sdei_prepare_cpu_on(struct sdei_vm *svm, unsigned int vcpu, void *guest_code)
{
	struct kvm_vcpu *v = svm->vcpu[vcpu];
	struct kvm_vm *vm = svm->vm;
	struct sdei_cpu_on_context *ctx;
	uint64_t pa;

	/* Identity-mapped, to be able to turn the MMU on */
	do {
		pa = vm_phy_page_alloc(vm, KVM_GUEST_PAGE_TABLE_MIN_PADDR,
				       vm->memslots[MEM_REGION_DATA]);
	} while (sparsebit_is_set(vm->vpages_mapped, pa >> vm->page_shift));
	virt_map(vm, pa, pa, 1);

	ctx = addr_gpa2hva(vm, pa);
	*ctx = (struct sdei_cpu_on_context) {
		.ttbr0_el1 = sdei_get_reg(v, KVM_ARM64_SYS_REG(SYS_TTBR0_EL1)),
		.tcr_el1 = sdei_get_reg(v, KVM_ARM64_SYS_REG(SYS_TCR_EL1)),
		.mair_el1 = sdei_get_reg(v, KVM_ARM64_SYS_REG(SYS_MAIR_EL1)),
		.cpacr_el1 = sdei_get_reg(v, KVM_ARM64_SYS_REG(SYS_CPACR_EL1)),
		.vbar_el1 = sdei_get_reg(v, KVM_ARM64_SYS_REG(SYS_VBAR_EL1)),
		.tpidr_el1 = sdei_get_reg(v, KVM_ARM64_SYS_REG(SYS_TPIDR_EL1)),
		.sctlr_el1 = sdei_get_reg(v, KVM_ARM64_SYS_REG(SYS_SCTLR_EL1)),
		.sp = sdei_get_reg(v, ARM64_CORE_REG(sp_el1)),
		.pc = (uint64_t)guest_code,
	};
	memcpy(ctx + 1, sdei_cpu_on_entry, sdei_cpu_on_entry_end - sdei_cpu_on_entry);

	sdei_cpu_on_context_pa[vcpu] = pa;
	sdei_cpu_on_pa[vcpu] = pa + sizeof(*ctx);
	sync_global_to_guest(vm, sdei_cpu_on_context_pa);
	sync_global_to_guest(vm, sdei_cpu_on_pa);
}

struct sdei_thread_args {
	struct sdei_vm *svm;
	unsigned int vcpu;
};

static void *sdei_vcpu_thread(void *data)
{
	struct sdei_thread_args *args = data;

	TEST_ASSERT_EQ(sdei_run(args->svm, args->vcpu), SDEI_STAGE_DONE);
	free(args);
	return NULL;
}

void sdei_run_thread(struct sdei_vm *svm, unsigned int vcpu, pthread_t *thread)
{
	struct sdei_thread_args *args = malloc(sizeof(*args));

	TEST_ASSERT(args, "malloc() failed");
	args->svm = svm;
	args->vcpu = vcpu;
	TEST_ASSERT(!pthread_create(thread, NULL, sdei_vcpu_thread, args),
		    "pthread_create() failed");
}

uint64_t sdei_vcpu_stat(struct sdei_vm *svm, unsigned int vcpu, const char *name)
{
	int fd = svm->stats_fd[vcpu], i;
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs, *desc;
	uint64_t data = 0;
	bool found = false;

	read_stats_header(fd, &header);
	descs = read_stats_descriptors(fd, &header);

	for (i = 0; i < header.num_desc && !found; i++) {
		desc = get_stats_descriptor(descs, i, &header);
		if (strcmp(desc->name, name))
			continue;
		read_stat_data(fd, &header, desc, &data, 1);
		found = true;
	}

	free(descs);
	TEST_ASSERT(found, "No vCPU statistics named '%s'", name);
	return data;
}

static void get_reg(struct kvm_vcpu *vcpu, uint64_t id, void *val)
{
	int ret = __vcpu_get_reg(vcpu, id, val);

	TEST_ASSERT(!ret, KVM_IOCTL_ERROR(KVM_GET_ONE_REG, ret));
}

uint64_t sdei_get_reg(struct kvm_vcpu *vcpu, uint64_t id)
{
	uint64_t val;

	get_reg(vcpu, id, &val);
	return val;
}

int sdei_set_reg(struct kvm_vcpu *vcpu, uint64_t id, uint64_t val)
{
	return __vcpu_set_reg(vcpu, id, val) ? -errno : 0;
}

/*
 * Puppets
 */

static void puppet_put_insn(struct puppet *p, unsigned int offset, uint32_t insn)
{
	memcpy(addr_gva2hva(p->svm.vm, p->text) + offset, &insn, sizeof(insn));
}

void puppet_attach(struct puppet *p, enum sdei_conduit conduit)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP,
	};
	struct kvm_vm *vm = p->svm.vm;
	unsigned int i;
	uint32_t *vec;

	p->vcpu = p->svm.vcpu[0];
	p->conduit = conduit;

	p->text = sdei_alloc_gva(vm, vm->page_size);
	for (i = 0; i < vm->page_size; i += 4)
		puppet_put_insn(p, i, INSN_BRK);
	puppet_put_insn(p, PUPPET_HVC, INSN_HVC);
	puppet_put_insn(p, PUPPET_SMC, INSN_SMC);
	for (i = 0; i < 3; i++)
		puppet_put_insn(p, PUPPET_NOPS + 4 * i, INSN_NOP);
	puppet_put_insn(p, PUPPET_LDR, INSN_LDR_X5_X4);
	puppet_put_insn(p, PUPPET_SPIN, INSN_B_SELF);
	puppet_put_insn(p, PUPPET_A32, INSN_A32_BKPT);
	puppet_put_insn(p, PUPPET_T32, INSN_T32_BKPT | INSN_T32_BKPT << 16);
	*virt_get_pte_hva(vm, p->text) |= PTE_EL0_RO;

	p->vectors = sdei_alloc_gva(vm, vm->page_size);
	vec = addr_gva2hva(vm, p->vectors);
	for (i = 0; i < vm->page_size / sizeof(*vec); i++)
		vec[i] = INSN_BRK;
	vcpu_set_reg(p->vcpu, KVM_ARM64_SYS_REG(SYS_VBAR_EL1), p->vectors);

	vcpu_guest_debug_set(p->vcpu, &debug);
}

void puppet_create(struct puppet *p, enum sdei_conduit conduit)
{
	sdei_vm_create(&p->svm, 1, conduit, NULL);
	puppet_attach(p, conduit);
}

void puppet_free(struct puppet *p)
{
	sdei_vm_free(&p->svm);
}

struct puppet_reg {
	uint64_t id;
	size_t offset;
};

#define CORE(_reg, _field)	{ ARM64_CORE_REG(_reg), offsetof(struct puppet_regs, _field) }
#define SYSREG(_reg, _field)	{ KVM_ARM64_SYS_REG(_reg), offsetof(struct puppet_regs, _field) }

/* Behind x0..x30; PSTATE last: writing an AArch32 mode truncates the others. */
static const struct puppet_reg puppet_reg_ids[] = {
	CORE(regs.sp, sp_el0),
	CORE(regs.pc, pc),
	CORE(sp_el1, sp_el1),
	CORE(elr_el1, elr_el1),
	CORE(spsr[0], spsr_el1),
	SYSREG(SYS_ESR_EL1, esr_el1),
	SYSREG(SYS_FAR_EL1, far_el1),
	SYSREG(SYS_TPIDR_EL1, tpidr_el1),
	CORE(regs.pstate, pstate),
};

static uint64_t vreg_id(int i)
{
	return KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE |
	       (KVM_REG_ARM_CORE_REG(fp_regs.vregs[0]) + i * 4);
}

void puppet_get(struct puppet *p, struct puppet_regs *regs)
{
	int i;

	memset(regs, 0, sizeof(*regs));
	for (i = 0; i < 31; i++)
		get_reg(p->vcpu, ARM64_CORE_REG(regs.regs[i]), &regs->x[i]);
	for (i = 0; i < ARRAY_SIZE(puppet_reg_ids); i++)
		get_reg(p->vcpu, puppet_reg_ids[i].id,
			(void *)regs + puppet_reg_ids[i].offset);
	for (i = 0; i < 32; i++)
		get_reg(p->vcpu, vreg_id(i), &regs->v[i]);
}

void puppet_set(struct puppet *p, const struct puppet_regs *regs)
{
	struct kvm_one_reg reg;
	int i;

	/* Leave AArch32 first: it would truncate what is written. */
	vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.pstate), PUPPET_EL1H);
	for (i = 0; i < 31; i++)
		vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.regs[i]), regs->x[i]);
	for (i = 0; i < 32; i++) {
		reg.id = vreg_id(i);
		reg.addr = (uint64_t)&regs->v[i];
		vcpu_ioctl(p->vcpu, KVM_SET_ONE_REG, &reg);
	}
	for (i = 0; i < ARRAY_SIZE(puppet_reg_ids); i++)
		vcpu_set_reg(p->vcpu, puppet_reg_ids[i].id,
			     *(uint64_t *)((void *)regs + puppet_reg_ids[i].offset));
}

void puppet_pattern(struct puppet *p, struct puppet_regs *regs,
		    enum puppet_text text, uint64_t pstate)
{
	bool aarch32 = pstate & PSR_MODE32_BIT;
	int i;

	memset(regs, 0, sizeof(*regs));
	/* AArch32 EL0 has r0..r14, of 32 bits, and the rest is out of its sight. */
	for (i = 0; i < 31; i++) {
		regs->x[i] = 0xa5a50000c3c30000ull + i * 0x0101010101ull;
		if (aarch32)
			regs->x[i] = (uint32_t)regs->x[i];
	}
	for (i = 0; i < 32; i++)
		regs->v[i] = (__uint128_t)(0xf00dull + i) << 64 | (0xbeefull << 32) | i;
	regs->sp_el0 = 0x0000dead00001230ull;
	regs->sp_el1 = 0x0000beef00004560ull;
	regs->pc = puppet_text(p, text);
	regs->pstate = pstate;
	regs->elr_el1 = 0xffff123456789ab0ull;
	regs->spsr_el1 = PSR_MODE_EL0t | PSR_C_BIT;
	regs->esr_el1 = 0x5600abcd;
	regs->far_el1 = 0xffff000012345678ull;
	regs->tpidr_el1 = 0x1122334455667788ull;
}

uint64_t puppet_run(struct puppet *p)
{
	uint64_t pc;

	vcpu_run(p->vcpu);
	pc = sdei_get_reg(p->vcpu, ARM64_CORE_REG(regs.pc));
	TEST_ASSERT(p->vcpu->run->exit_reason == KVM_EXIT_DEBUG,
		    "The puppet exits with %u (%s) at 0x%lx instead of stopping",
		    p->vcpu->run->exit_reason,
		    exit_reason_str(p->vcpu->run->exit_reason), pc);
	return pc;
}

void puppet_set_call(struct puppet *p, uint64_t fn, const uint64_t *args)
{
	int i;

	vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.pstate), PUPPET_EL1H);
	vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.regs[0]), fn);
	for (i = 0; i < 5; i++)
		vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.regs[i + 1]), args[i]);
	vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.pc), puppet_conduit(p));
}

uint64_t __puppet_call_start(struct puppet *p, uint64_t fn, const uint64_t *args)
{
	puppet_set_call(p, fn, args);
	return puppet_run(p);
}

int64_t __puppet_call_args(struct puppet *p, uint64_t fn, const uint64_t *args)
{
	static const uint64_t ids[] = {
		ARM64_CORE_REG(regs.regs[0]),
		ARM64_CORE_REG(regs.regs[1]),
		ARM64_CORE_REG(regs.regs[2]),
		ARM64_CORE_REG(regs.regs[3]),
		ARM64_CORE_REG(regs.regs[4]),
		ARM64_CORE_REG(regs.regs[5]),
		ARM64_CORE_REG(regs.pc),
		ARM64_CORE_REG(regs.pstate),
	};
	uint64_t saved[ARRAY_SIZE(ids)], pc;
	int64_t ret;
	int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		saved[i] = sdei_get_reg(p->vcpu, ids[i]);

	pc = __puppet_call_start(p, fn, args);
	TEST_ASSERT(pc == puppet_conduit(p) + 4,
		    "Call 0x%lx does not return, but ends at 0x%lx", fn, pc);
	ret = sdei_get_reg(p->vcpu, ids[0]);

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		vcpu_set_reg(p->vcpu, ids[i], saved[i]);

	return ret;
}
