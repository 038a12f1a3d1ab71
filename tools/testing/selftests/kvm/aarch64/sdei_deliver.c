// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_deliver - What KVM's SDEI dispatcher makes of a vCPU when it delivers
 *		  an event and when the handler completes: registers, PSTATE
 *		  and PC; what is delivered when, and in which order.
 *
 * Sections are those of DEN0054C. Every test runs with HVC and with SMC as the
 * conduit. Earlier attempts at an SDEI dispatcher for KVM had
 * the defects that the following tests are for:
 *
 *  defect  1	REGISTER, SIGNAL while not enabled, PE_UNMASK: the host loops:
 *		unmask_with_a_disabled_event_pending_returns
 *  defect  4	a signal during the handler is lost:
 *		signal_in_the_handler_is_delivered_after_completion,
 *		priorities_nest_and_queue
 *  defect 15	handler PSTATE inherits what TakeException() resets:
 *		handler_pstate_*
 *  defect 17	x4..x17 at handler entry: handler_pstate_* (all registers)
 *  defect 20	completion by SMC resumes at the interrupted PC + 4:
 *		completion_resumes_at_the_exact_pc
 */

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"

#include "kvm_test_harness.h"

/* Slow machines are no failure: somebody else has the time-out. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

#define PSR_NZCV	(PSR_N_BIT | PSR_Z_BIT | PSR_C_BIT | PSR_V_BIT)
#define PSR_DAIF	(PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT)
#define PSR_SS		BIT(21)
#define PSR_IL		BIT(20)
#define PSR_BTYPE(n)	((n) << 10)

/* AArch32 only */
#define PSR_A32_USR	0x10
#define PSR_A32_T	BIT(5)
#define PSR_A32_Q	BIT(27)
#define PSR_A32_GE	(0xf << 16)
#define PSR_A32_E	BIT(9)
#define PSR_A32_SSBS	BIT(23)
#define PSR_A32_IT	(3ull << 25 | 0x3f << 10)

#define ARG		0x123456789abcdef0ull

SDEI_CONDUIT_FIXTURE(sdei_deliver)

/*
 * Registers, shown by a puppet
 */

#define ASSERT_CALL(p, want, fn, ...)					\
do {									\
	int64_t __ret = puppet_call(p, fn, ##__VA_ARGS__);		\
	int64_t __want = (want);					\
									\
	TEST_ASSERT(__ret == __want, "%s(%s) is %ld, want %ld", #fn,	\
		    #__VA_ARGS__, (long)__ret, (long)__want);		\
} while (0)

static void puppet_register(struct puppet *p, uint64_t event, uint64_t entry,
			    uint64_t flags)
{
	ASSERT_CALL(p, 0, SDEI_EVENT_REGISTER, event, entry, ARG, flags, 0);
	ASSERT_CALL(p, 0, SDEI_EVENT_ENABLE, event);
}

static void puppet_create_registered(struct puppet *p, enum sdei_conduit conduit)
{
	puppet_create(p, conduit);
	puppet_register(p, EV_NORMAL, puppet_text(p, PUPPET_ENTRY), 0);
	puppet_register(p, EV_CRITICAL, puppet_text(p, PUPPET_ENTRY_2), 0);
	puppet_register(p, EV_SOFT, puppet_text(p, PUPPET_ENTRY), 0);
	ASSERT_CALL(p, 0, SDEI_PE_UNMASK);
}

/* What AArch64.TakeException() to EL1 makes of PSTATE */
static uint64_t exception_pstate(uint64_t old, uint64_t sctlr, bool mte)
{
	uint64_t new = PSR_MODE_EL1h | PSR_DAIF;

	new |= old & (PSR_NZCV | PSR_DIT_BIT | PSR_PAN_BIT);
	if (!(sctlr & SCTLR_EL1_SPAN))
		new |= PSR_PAN_BIT;
	if (sctlr & SCTLR_ELx_DSSBS)
		new |= PSR_SSBS_BIT;
	if (mte)
		new |= PSR_TCO_BIT;

	return new;
}

static void assert_reg(const char *what, const char *name, uint64_t got, uint64_t want)
{
	TEST_ASSERT(got == want, "%s: %s is 0x%lx, want 0x%lx", what, name, got, want);
}

/* Compare all but PC and PSTATE, from x@first on. */
static void assert_regs(const char *what, const struct puppet_regs *got,
			const struct puppet_regs *want, int first)
{
	char name[8];
	int i;

	for (i = first; i < 31; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		assert_reg(what, name, got->x[i], want->x[i]);
	}
	for (i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		assert_reg(what, name, got->v[i] >> 64, want->v[i] >> 64);
		assert_reg(what, name, got->v[i], want->v[i]);
	}
	assert_reg(what, "SP_EL0", got->sp_el0, want->sp_el0);
	assert_reg(what, "SP_EL1", got->sp_el1, want->sp_el1);
	assert_reg(what, "ELR_EL1", got->elr_el1, want->elr_el1);
	assert_reg(what, "SPSR_EL1", got->spsr_el1, want->spsr_el1);
	assert_reg(what, "ESR_EL1", got->esr_el1, want->esr_el1);
	assert_reg(what, "FAR_EL1", got->far_el1, want->far_el1);
	assert_reg(what, "TPIDR_EL1", got->tpidr_el1, want->tpidr_el1);
}

static bool has_mte(struct puppet *p)
{
	return __vm_ioctl(p->svm.vm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_ARM_MTE) > 0 &&
	       (sdei_get_reg(p->vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64PFR1_EL1)) >> 8 & 0xf);
}

/* Interrupt @text in @pstate, look at the handler, and complete. */
static void check_interrupted(struct puppet *p, enum puppet_text text,
			      uint64_t pstate, bool resume, bool contexts)
{
	uint64_t event = EV_NORMAL, entry = puppet_text(p, PUPPET_ENTRY);
	uint64_t sctlr, ran_pstate, handler_pstate, pc;
	struct puppet_regs in, out;
	char what[64];
	int i;

	snprintf(what, sizeof(what), "PSTATE 0x%lx", (unsigned long)pstate);
	sctlr = sdei_get_reg(p->vcpu, KVM_ARM64_SYS_REG(SYS_SCTLR_EL1));
	handler_pstate = exception_pstate(pstate, sctlr, has_mte(p));
	puppet_pattern(p, &in, text, pstate);

	/* What is to be seen of this context when no event comes in between */
	puppet_set(p, &in);
	TEST_ASSERT_EQ(puppet_run(p), in.pc);
	ran_pstate = sdei_get_reg(p->vcpu, ARM64_CORE_REG(regs.pstate));
	assert_reg(what, "mode", ran_pstate & 0x1f, pstate & 0x1f);
	assert_reg(what, "NZCV", ran_pstate & PSR_NZCV, pstate & PSR_NZCV);

	puppet_set(p, &in);
	sdei_inject(&p->svm, 0, event);
	pc = puppet_run(p);
	puppet_get(p, &out);

	/* Section 4.3 */
	assert_reg(what, "handler's PC", pc, entry);
	assert_reg(what, "handler's PSTATE", out.pstate, handler_pstate);
	assert_reg(what, "handler's x0", out.x[0], event);
	assert_reg(what, "handler's x1", out.x[1], ARG);
	assert_reg(what, "handler's x2", out.x[2], in.pc);
	assert_reg(what, "handler's x3", out.x[3], in.pstate);
	assert_regs(what, &out, &in, 4);

	if (contexts) {
		for (i = 0; i < 18; i++)
			ASSERT_CALL(p, in.x[i], SDEI_EVENT_CONTEXT, i);
		ASSERT_CALL(p, SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING,
			    SDEI_EVENT_STATUS, event);
	}

	/* The completion is to restore these, */
	for (i = 0; i < 18; i++)
		vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.regs[i]), 0xbad0 + i);

	if (resume)
		pc = __puppet_call(p, SDEI_EVENT_COMPLETE_AND_RESUME,
				   puppet_text(p, PUPPET_RESUME));
	else
		pc = __puppet_call(p, SDEI_EVENT_COMPLETE, SDEI_EV_HANDLED);
	puppet_get(p, &out);

	if (resume) {
		assert_reg(what, "resumed PC", pc, puppet_text(p, PUPPET_RESUME));
		assert_reg(what, "resumed PSTATE", out.pstate, handler_pstate);
		/* An exception from the interrupted context, for the client */
		in.elr_el1 = in.pc;
		in.spsr_el1 = in.pstate;
	} else {
		assert_reg(what, "completed PC", pc, in.pc);
		assert_reg(what, "completed PSTATE", out.pstate, ran_pstate);
	}
	/* and these are as the handler left them. */
	assert_regs(what, &out, &in, 0);

	if (contexts)
		ASSERT_CALL(p, SDEI_REGISTERED | SDEI_ENABLED,
			    SDEI_EVENT_STATUS, event);
}

static const uint64_t a64_pstate[] = {
	PSR_DAIF, 0, PSR_D_BIT, PSR_A_BIT, PSR_I_BIT, PSR_F_BIT,
	PSR_DAIF | PSR_N_BIT, PSR_DAIF | PSR_Z_BIT, PSR_DAIF | PSR_C_BIT,
	PSR_V_BIT, PSR_PAN_BIT, PSR_UAO_BIT, PSR_DIT_BIT, PSR_SSBS_BIT,
	PSR_BTYPE(1), PSR_BTYPE(2), PSR_BTYPE(3), PSR_TCO_BIT, PSR_SS,
	PSR_DAIF | PSR_NZCV | PSR_PAN_BIT | PSR_UAO_BIT | PSR_DIT_BIT |
	PSR_SSBS_BIT | PSR_BTYPE(2) | PSR_TCO_BIT | PSR_SS,
};

static const uint64_t a32_pstate[] = {
	0, PSR_DAIF & ~PSR_D_BIT, PSR_NZCV, PSR_N_BIT | PSR_A32_Q,
	PSR_A32_E, PSR_A32_GE, PSR_A32_SSBS, PSR_PAN_BIT, PSR_DIT_BIT, PSR_SS,
	PSR_NZCV | PSR_A32_Q | PSR_A32_GE | PSR_A32_SSBS | PSR_PAN_BIT |
	PSR_DIT_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT | PSR_SS,
};

static void set_sctlr(struct puppet *p, bool span, bool dssbs)
{
	uint64_t id = KVM_ARM64_SYS_REG(SYS_SCTLR_EL1);
	uint64_t sctlr = sdei_get_reg(p->vcpu, id);

	sctlr &= ~(SCTLR_EL1_SPAN | SCTLR_ELx_DSSBS);
	if (span)
		sctlr |= SCTLR_EL1_SPAN;
	if (dssbs)
		sctlr |= SCTLR_ELx_DSSBS;
	vcpu_set_reg(p->vcpu, id, sctlr);
}

static void check_mode(struct puppet *p, enum puppet_text text, uint64_t mode,
		       const uint64_t *pstate, int nr, bool resume)
{
	int i;

	set_sctlr(p, true, false);
	for (i = 0; i < nr; i++)
		check_interrupted(p, text, pstate[i] | mode, resume, i == 0);

	/* The plainest and the fullest of them again */
	for (i = 1; i < 4; i++) {
		set_sctlr(p, !(i & 1), i & 2);
		check_interrupted(p, text, pstate[0] | mode, resume, false);
		check_interrupted(p, text, pstate[nr - 1] | mode, resume, false);
	}
}

static void host_check_a64(enum sdei_conduit conduit, uint64_t mode, bool resume)
{
	struct puppet p;

	puppet_create_registered(&p, conduit);
	check_mode(&p, PUPPET_STOP, mode, a64_pstate, ARRAY_SIZE(a64_pstate), resume);
	puppet_free(&p);
}

/* Defects 15 and 17 */
TEST_F(sdei_deliver, handler_pstate_and_complete_from_el1h)
{
	host_check_a64(variant->conduit, PSR_MODE_EL1h, false);
}

TEST_F(sdei_deliver, handler_pstate_and_complete_from_el1t)
{
	host_check_a64(variant->conduit, PSR_MODE_EL1t, false);
}

TEST_F(sdei_deliver, handler_pstate_and_complete_from_el0)
{
	host_check_a64(variant->conduit, PSR_MODE_EL0t, false);
}

TEST_F(sdei_deliver, handler_pstate_and_resume_from_el1h)
{
	host_check_a64(variant->conduit, PSR_MODE_EL1h, true);
}

TEST_F(sdei_deliver, handler_pstate_and_resume_from_el1t)
{
	host_check_a64(variant->conduit, PSR_MODE_EL1t, true);
}

TEST_F(sdei_deliver, handler_pstate_and_resume_from_el0)
{
	host_check_a64(variant->conduit, PSR_MODE_EL0t, true);
}

static bool host_check_a32(enum sdei_conduit conduit, bool resume)
{
	struct puppet p;
	uint64_t pfr0;

	puppet_create_registered(&p, conduit);
	pfr0 = sdei_get_reg(p.vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64PFR0_EL1));
	if ((pfr0 & 0xf) != 2)
		return false;

	check_mode(&p, PUPPET_A32, PSR_A32_USR, a32_pstate,
		   ARRAY_SIZE(a32_pstate), resume);
	check_interrupted(&p, PUPPET_T32, PSR_A32_USR | PSR_A32_T | PSR_NZCV,
			  resume, true);
	/* The IT state has bits where AArch64 has BTYPE, SSBS and TCO. */
	check_interrupted(&p, PUPPET_T32,
			  PSR_A32_USR | PSR_A32_T | PSR_A32_IT,
			  resume, false);
	puppet_free(&p);
	return true;
}

TEST_F(sdei_deliver, handler_pstate_and_complete_from_aarch32_el0)
{
	if (!host_check_a32(variant->conduit, false))
		SKIP(return, "no AArch32 at EL0");
}

TEST_F(sdei_deliver, handler_pstate_and_resume_from_aarch32_el0)
{
	if (!host_check_a32(variant->conduit, true))
		SKIP(return, "no AArch32 at EL0");
}

TEST_F(sdei_deliver, handler_pstate_has_tco_if_the_vm_has_mte)
{
	struct puppet p = {};

	if (!kvm_has_cap(KVM_CAP_ARM_MTE))
		SKIP(return, "no MTE");

	p.svm.vm = sdei_new_vm(1);
	vm_enable_cap(p.svm.vm, KVM_CAP_ARM_MTE, 0);
	sdei_vm_setup(p.svm.vm);
	sdei_vcpu_add(&p.svm, 0, NULL);
	puppet_attach(&p, variant->conduit);
	puppet_register(&p, EV_NORMAL, puppet_text(&p, PUPPET_ENTRY), 0);
	ASSERT_CALL(&p, 0, SDEI_PE_UNMASK);
	TEST_ASSERT(has_mte(&p), "The VM has no MTE");

	check_mode(&p, PUPPET_STOP, PSR_MODE_EL1h, a64_pstate,
		   ARRAY_SIZE(a64_pstate), false);
	check_mode(&p, PUPPET_STOP, PSR_MODE_EL0t, a64_pstate,
		   ARRAY_SIZE(a64_pstate), true);
	puppet_free(&p);
}

/*
 * PSTATE.IL: the handler runs all the same, and only then the interrupted code
 * takes its Illegal Execution State exception, which nothing else must.
 */
TEST_F(sdei_deliver, illegal_execution_state_waits_for_completion)
{
	uint64_t pstate = PSR_MODE_EL1h | PSR_DAIF | PSR_IL, pc;
	struct puppet_regs in, out;
	struct puppet p;

	puppet_create_registered(&p, variant->conduit);
	puppet_pattern(&p, &in, PUPPET_STOP, pstate);
	puppet_set(&p, &in);
	sdei_inject(&p.svm, 0, EV_NORMAL);
	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(out.x[3], pstate);
	TEST_ASSERT_EQ(out.pstate & PSR_IL, 0);

	pc = __puppet_call(&p, SDEI_EVENT_COMPLETE, 0);
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(pc, p.vectors + 0x200);
	TEST_ASSERT_EQ(out.elr_el1, in.pc);
	TEST_ASSERT_EQ(out.spsr_el1 & PSR_IL, PSR_IL);
	TEST_ASSERT_EQ(out.esr_el1 >> 26, 0xe);

	puppet_free(&p);
}

/*
 * Exact PCs
 */

/*
 * Deliver by a call of this vCPU itself, complete by either conduit: the
 * interrupted context is the one behind the call, which has succeeded.
 *
 * Defect 20: SMC is trapped before it is executed, HVC after.
 */
TEST_F(sdei_deliver, completion_resumes_at_the_exact_pc)
{
	static const struct {
		enum sdei_fn fn;
		uint64_t event;
	} calls[] = {
		{ SDEI_EVENT_SIGNAL, EV_SOFT },
		{ SDEI_EVENT_ENABLE, EV_SOFT },
		{ SDEI_PE_UNMASK },
	};
	enum sdei_conduit completion;
	struct puppet_regs in, out;
	uint64_t behind, pc, mpidr;
	struct puppet p;
	int i, j;

	puppet_create_registered(&p, variant->conduit);
	mpidr = p.svm.mpidr[0];
	behind = puppet_conduit(&p) + 4;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (completion = SDEI_HVC; completion <= SDEI_SMC; completion++) {
			p.conduit = variant->conduit;
			if (calls[i].fn == SDEI_EVENT_ENABLE)
				ASSERT_CALL(&p, 0, SDEI_EVENT_DISABLE, EV_SOFT);
			else if (calls[i].fn == SDEI_PE_UNMASK)
				ASSERT_CALL(&p, 1, SDEI_PE_MASK);
			if (calls[i].fn != SDEI_EVENT_SIGNAL)
				ASSERT_CALL(&p, 0, SDEI_EVENT_SIGNAL, EV_SOFT, mpidr);

			puppet_pattern(&p, &in, 0, 0);
			puppet_set(&p, &in);
			pc = __puppet_call(&p, calls[i].fn, calls[i].event, mpidr);
			TEST_ASSERT_EQ(pc, puppet_text(&p, PUPPET_ENTRY));
			puppet_get(&p, &out);
			TEST_ASSERT_EQ(out.x[2], behind);
			TEST_ASSERT_EQ(out.x[3], PUPPET_EL1H);
			for (j = 6; j < 31; j++)
				TEST_ASSERT_EQ(out.x[j], in.x[j]);
			ASSERT_CALL(&p, SDEI_SUCCESS, SDEI_EVENT_CONTEXT, 0);

			p.conduit = completion;
			pc = __puppet_call(&p, SDEI_EVENT_COMPLETE, 0);
			TEST_ASSERT_EQ(pc, behind);
			puppet_get(&p, &out);
			TEST_ASSERT_EQ(out.x[0], SDEI_SUCCESS);
			for (j = 6; j < 31; j++)
				TEST_ASSERT_EQ(out.x[j], in.x[j]);
			TEST_ASSERT_EQ(out.pstate, PUPPET_EL1H);
		}
	}

	puppet_free(&p);
}

TEST_F(sdei_deliver, resume_goes_to_the_exact_address)
{
	struct puppet_regs out;
	uint64_t pc, behind;
	struct puppet p;

	puppet_create_registered(&p, variant->conduit);
	behind = puppet_conduit(&p) + 4;
	pc = __puppet_call(&p, SDEI_EVENT_SIGNAL, EV_SOFT, p.svm.mpidr[0]);
	TEST_ASSERT_EQ(pc, puppet_text(&p, PUPPET_ENTRY));
	pc = __puppet_call(&p, SDEI_EVENT_COMPLETE_AND_RESUME,
			   puppet_text(&p, PUPPET_RESUME));
	TEST_ASSERT_EQ(pc, puppet_text(&p, PUPPET_RESUME));
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(out.elr_el1, behind);
	TEST_ASSERT_EQ(out.spsr_el1, PUPPET_EL1H);
	TEST_ASSERT_EQ(out.x[0], SDEI_SUCCESS);

	/* Refused ones go on behind the call. */
	pc = __puppet_call(&p, SDEI_EVENT_COMPLETE_AND_RESUME,
			   puppet_text(&p, PUPPET_RESUME));
	TEST_ASSERT_EQ(pc, behind);
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, ARM64_CORE_REG(regs.regs[0])), SDEI_DENIED);
	puppet_free(&p);
}

static void *puppet_run_thread(void *data)
{
	puppet_run(data);
	return NULL;
}

/* Let the puppet spin, inject when it does, and wait for it to stop. */
static void puppet_interrupt_spinning(struct puppet *p, uint32_t event)
{
	uint64_t exits = sdei_vcpu_stat(&p->svm, 0, "exits");
	pthread_t thread;

	TEST_ASSERT(!pthread_create(&thread, NULL, puppet_run_thread, p),
		    "pthread_create() failed");
	/* The host's timer makes it exit once in a while. */
	host_wait_for(sdei_vcpu_stat(&p->svm, 0, "exits") > exits + 1);
	sdei_inject(&p->svm, 0, event);
	TEST_ASSERT(!pthread_join(thread, NULL), "pthread_join() failed");
}

/* The interrupted code is in the middle of something, and notices nothing. */
TEST_F(sdei_deliver, spinning_code_is_interrupted_and_continued_exactly)
{
	static const uint64_t modes[] = { PSR_MODE_EL0t, PSR_MODE_EL1t, PSR_MODE_EL1h };
	static const uint64_t no_args[5];
	struct puppet_regs in, out;
	struct puppet p;
	int i, j, round;

	puppet_create_registered(&p, variant->conduit);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		puppet_pattern(&p, &in, PUPPET_SPIN, modes[i] | PSR_DAIF | PSR_C_BIT);
		puppet_set(&p, &in);

		/* Each round but the first one begins with a completion. */
		for (round = 0; round < 3; round++) {
			puppet_interrupt_spinning(&p, EV_NORMAL);
			puppet_get(&p, &out);
			TEST_ASSERT_EQ(out.pc, puppet_text(&p, PUPPET_ENTRY));
			TEST_ASSERT_EQ(out.x[0], EV_NORMAL);
			TEST_ASSERT_EQ(out.x[2], in.pc);
			TEST_ASSERT_EQ(out.x[3], in.pstate);
			assert_regs("spinning", &out, &in, 4);
			for (j = 0; j < 18; j++)
				ASSERT_CALL(&p, in.x[j], SDEI_EVENT_CONTEXT, j);
			puppet_set_call(&p, SDEI_1_0_FN_SDEI_EVENT_COMPLETE, no_args);
		}
		TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE_AND_RESUME,
					     puppet_text(&p, PUPPET_RESUME)),
			       puppet_text(&p, PUPPET_RESUME));
	}
	puppet_free(&p);
}

/* VBAR_EL1 counts when the event is delivered. */
TEST_F(sdei_deliver, relative_entry_is_from_vbar_at_dispatch)
{
	uint64_t vbar_id = KVM_ARM64_SYS_REG(SYS_VBAR_EL1);
	struct puppet p;
	uint64_t off;

	puppet_create(&p, variant->conduit);
	/* May well be "negative" */
	off = puppet_text(&p, PUPPET_ENTRY) - p.vectors;
	puppet_register(&p, EV_NORMAL, off, SDEI_EVENT_REGISTER_RELATIVE);
	puppet_register(&p, EV_CRITICAL, puppet_text(&p, PUPPET_ENTRY_2), 0);
	ASSERT_CALL(&p, 0, SDEI_PE_UNMASK);

	sdei_inject(&p.svm, 0, EV_NORMAL);
	vcpu_set_reg(p.vcpu, ARM64_CORE_REG(regs.pc), puppet_text(&p, PUPPET_STOP));
	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE), puppet_text(&p, PUPPET_STOP));

	vcpu_set_reg(p.vcpu, vbar_id, p.vectors + 0x800);
	sdei_inject(&p.svm, 0, EV_NORMAL);
	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY) + 0x800);

	/* The other event is not relative. */
	sdei_inject(&p.svm, 0, EV_CRITICAL);
	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY_2));
	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE),
		       puppet_text(&p, PUPPET_ENTRY) + 0x800);
	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE), puppet_text(&p, PUPPET_STOP));
	puppet_free(&p);
}

/*
 * What KVM had queued for the vCPU is folded in first.
 */

TEST_F(sdei_deliver, mmio_read_is_finished_before_delivery)
{
	uint64_t data = 0x0123456789abcdefull, gpa, gva;
	struct puppet_regs in, out;
	struct kvm_run *run;
	struct puppet p;

	puppet_create_registered(&p, variant->conduit);
	gpa = p.svm.vm->ucall_mmio_addr + p.svm.vm->page_size;
	gva = sdei_unused_gva(p.svm.vm, p.svm.vm->page_size);
	virt_map(p.svm.vm, gva, gpa, 1);

	puppet_pattern(&p, &in, PUPPET_LDR, PUPPET_EL1H);
	in.x[4] = gva;
	puppet_set(&p, &in);
	vcpu_run(p.vcpu);
	run = p.vcpu->run;
	TEST_ASSERT_KVM_EXIT_REASON(p.vcpu, KVM_EXIT_MMIO);
	TEST_ASSERT(!run->mmio.is_write && run->mmio.len == 8, "No MMIO read");
	memcpy(run->mmio.data, &data, sizeof(data));
	sdei_inject(&p.svm, 0, EV_NORMAL);

	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(out.x[2], in.pc + 4);
	TEST_ASSERT_EQ(out.x[5], data);
	ASSERT_CALL(&p, data, SDEI_EVENT_CONTEXT, 5);

	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE), in.pc + 4);
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(out.x[5], data);
	puppet_free(&p);
}

TEST_F(sdei_deliver, injected_abort_is_taken_before_delivery)
{
	struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };
	uint64_t pstates[] = { PSR_MODE_EL1h, PSR_MODE_EL0t };
	uint64_t offsets[] = { 0x200, 0x400 };
	struct puppet_regs in, out;
	struct puppet p;
	uint64_t sctlr;
	int i;

	puppet_create_registered(&p, variant->conduit);
	sctlr = sdei_get_reg(p.vcpu, KVM_ARM64_SYS_REG(SYS_SCTLR_EL1));

	for (i = 0; i < ARRAY_SIZE(pstates); i++) {
		puppet_pattern(&p, &in, PUPPET_STOP, pstates[i] | PSR_C_BIT);
		puppet_set(&p, &in);
		sdei_inject(&p.svm, 0, EV_NORMAL);
		vcpu_events_set(p.vcpu, &events);

		TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
		puppet_get(&p, &out);
		/* The handler interrupts the vector's first instruction, */
		TEST_ASSERT_EQ(out.x[2], p.vectors + offsets[i]);
		TEST_ASSERT_EQ(out.x[3], exception_pstate(in.pstate, sctlr, false));
		/* and the abort's syndrome is there. */
		TEST_ASSERT_EQ(out.elr_el1, in.pc);
		TEST_ASSERT_EQ(out.spsr_el1, in.pstate);
		TEST_ASSERT_EQ(out.esr_el1 >> 26, i ? 0x24 : 0x25);

		TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE),
			       p.vectors + offsets[i]);
		puppet_get(&p, &out);
		TEST_ASSERT_EQ(out.elr_el1, in.pc);
		TEST_ASSERT_EQ(out.spsr_el1, in.pstate);
		TEST_ASSERT_EQ(out.x[0], in.x[0]);
		TEST_ASSERT_EQ(out.x[17], in.x[17]);
	}
	puppet_free(&p);
}

static bool serror_is_pending(struct puppet *p)
{
	struct kvm_vcpu_events events;

	vcpu_events_get(p->vcpu, &events);
	return events.exception.serror_pending;
}

/* SError is maskable: it waits while the handler has PSTATE.A set. */
TEST_F(sdei_deliver, pending_serror_is_taken_after_the_handler)
{
	struct kvm_vcpu_events events = { .exception.serror_pending = 1 };
	struct puppet_regs in, out;
	struct puppet p;

	puppet_create_registered(&p, variant->conduit);
	puppet_pattern(&p, &in, PUPPET_STOP, PSR_MODE_EL1h | PSR_Z_BIT);
	puppet_set(&p, &in);
	sdei_inject(&p.svm, 0, EV_NORMAL);
	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
	vcpu_events_set(p.vcpu, &events);
	TEST_ASSERT(serror_is_pending(&p), "SError taken in spite of PSTATE.A");

	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE), p.vectors + 0x380);
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(out.elr_el1, in.pc);
	TEST_ASSERT_EQ(out.spsr_el1, in.pstate);
	TEST_ASSERT_EQ(out.esr_el1 >> 26, 0x2f);
	TEST_ASSERT_EQ(out.x[0], in.x[0]);
	puppet_free(&p);
}

/* One that was pending already is neither taken nor lost on the way. */
TEST_F(sdei_deliver, masked_serror_stays_pending)
{
	struct kvm_vcpu_events events = { .exception.serror_pending = 1 };
	struct puppet_regs in, out;
	struct puppet p;

	puppet_create_registered(&p, variant->conduit);
	puppet_pattern(&p, &in, PUPPET_STOP, PSR_MODE_EL1h | PSR_A_BIT | PSR_Z_BIT);
	puppet_set(&p, &in);
	vcpu_events_set(p.vcpu, &events);
	sdei_inject(&p.svm, 0, EV_NORMAL);

	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(out.x[2], in.pc);
	TEST_ASSERT_EQ(out.x[3], in.pstate);
	TEST_ASSERT_EQ(out.elr_el1, in.elr_el1);
	TEST_ASSERT(serror_is_pending(&p), "SError lost in the handler");

	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE), in.pc);
	TEST_ASSERT(serror_is_pending(&p), "SError lost with the completion");

	in.pstate &= ~PSR_A_BIT;
	puppet_set(&p, &in);
	TEST_ASSERT_EQ(puppet_run(&p), p.vectors + 0x380);
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(out.elr_el1, in.pc);
	puppet_free(&p);
}

static void set_single_step(struct puppet *p, bool on)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP |
			   (on ? KVM_GUESTDBG_SINGLESTEP : 0),
	};

	vcpu_guest_debug_set(p->vcpu, &debug);
}

/* A debugger that steps the vCPU steps into the handler, and out of it. */
TEST_F(sdei_deliver, single_step_goes_through_the_handler)
{
	uint64_t entry, pc;
	struct puppet_regs in, out;
	struct puppet p;

	puppet_create(&p, variant->conduit);
	entry = puppet_text(&p, PUPPET_NOPS);
	puppet_register(&p, EV_NORMAL, entry, 0);
	ASSERT_CALL(&p, 0, SDEI_PE_UNMASK);

	puppet_pattern(&p, &in, PUPPET_NOPS, PSR_MODE_EL1h | PSR_V_BIT);
	puppet_set(&p, &in);
	set_single_step(&p, true);
	TEST_ASSERT_EQ(puppet_run(&p), in.pc + 4);
	in.pc += 4;

	/* One instruction of the handler is executed, none of the other code. */
	sdei_inject(&p.svm, 0, EV_NORMAL);
	pc = puppet_run(&p);
	puppet_get(&p, &out);
	TEST_ASSERT_EQ(pc, entry + 4);
	TEST_ASSERT_EQ(out.x[0], EV_NORMAL);
	TEST_ASSERT_EQ(out.x[2], in.pc);
	/* The debugger's PSTATE.SS is not the guest's. */
	TEST_ASSERT_EQ(out.x[3], in.pstate);
	TEST_ASSERT_EQ(out.x[4], in.x[4]);
	TEST_ASSERT_EQ(puppet_run(&p), entry + 8);

	set_single_step(&p, false);
	ASSERT_CALL(&p, in.x[2], SDEI_EVENT_CONTEXT, 2);
	set_single_step(&p, true);

	/* The completion is a step of its own, by SMC as by HVC. */
	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE), in.pc);
	set_single_step(&p, false);
	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_NOPS) + 12);
	puppet_get(&p, &out);
	assert_regs("after the steps", &out, &in, 0);
	TEST_ASSERT_EQ(out.pstate, in.pstate);

	/* So is a call that makes an event deliverable. */
	ASSERT_CALL(&p, 1, SDEI_PE_MASK);
	sdei_inject(&p.svm, 0, EV_NORMAL);
	set_single_step(&p, true);
	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_PE_UNMASK), entry);
	puppet_free(&p);
}

/*
 * When and in which order, with guest code
 */

static const uint64_t all_events[] = {
	EV_SOFT, EV_NORMAL, EV_CRITICAL, EV_NORMAL_2, EV_CRITICAL_2,
};

static bool is_critical(uint64_t event)
{
	return event == EV_CRITICAL || event == EV_CRITICAL_2;
}

/* Handler entries, and with LEFT set their ends */
#define LEFT		BIT(63)
#define MARK		BIT(62)
#define RESUMED		BIT(61)
static uint64_t guest_log[64];
static int guest_nr_logged;

/* To be called by the handler */
static void (*guest_action)(struct sdei_frame *frame);

static void guest_log_add(uint64_t entry)
{
	GUEST_ASSERT(guest_nr_logged < ARRAY_SIZE(guest_log));
	guest_log[guest_nr_logged++] = entry;
}

static void guest_logging_handler(struct sdei_frame *frame)
{
	uint64_t event = frame->x[0];

	guest_log_add(event);
	if (guest_action)
		guest_action(frame);
	guest_log_add(event | LEFT);
}

static void __guest_assert_log(const uint64_t *want, int nr)
{
	int i;

	for (i = 0; i < nr && i < guest_nr_logged; i++)
		__GUEST_ASSERT(guest_log[i] == want[i], "Step %d is 0x%lx, want 0x%lx",
			       i, guest_log[i], want[i]);
	__GUEST_ASSERT(guest_nr_logged == nr, "%d steps, want %d", guest_nr_logged, nr);
	guest_nr_logged = 0;
}

#define guest_assert_log(...)						\
	__guest_assert_log((const uint64_t[]) { __VA_ARGS__ },		\
			   sizeof((const uint64_t[]) { __VA_ARGS__ }) / 8)

static void guest_setup_all(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		sdei_guest_setup(all_events[i], all_events[i] + ARG, guest_logging_handler);
}

/*
 * The return from each call below is the next instruction that may see the
 * effects: a handler has either run by then or not at all.
 */

/* Section 4.3.2.1: interrupts are masked all the time in these guests. */
SDEI_GUEST_TEST(sdei_deliver, enabled_and_unmasked_is_delivered_at_once)
{
	int i, round;

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_assert_log();

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(all_events); i++) {
			sdei_guest_trigger(all_events[i]);
			guest_assert_log(all_events[i], all_events[i] | LEFT);
		}
	}
}

SDEI_GUEST_TEST(sdei_deliver, masked_is_kept_until_unmask)
{
	int i;

	guest_setup_all();
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		sdei_guest_trigger(all_events[i]);
		guest_assert_log();
		/* Being masked twice is no different. */
		GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
		guest_assert_log();
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_assert_log(all_events[i], all_events[i] | LEFT);
		GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
		guest_assert_log();
	}
}

SDEI_GUEST_TEST(sdei_deliver, disabled_is_kept_until_enable)
{
	int i;

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, all_events[i]);
		sdei_guest_trigger(all_events[i]);
		guest_assert_log();
		GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, all_events[i]);
		guest_assert_log();
		GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, all_events[i]);
		guest_assert_log(all_events[i], all_events[i] | LEFT);
		GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, all_events[i]);
		guest_assert_log();
	}
}

/* Defect 1: must neither deliver nor hang. */
SDEI_GUEST_TEST(sdei_deliver, unmask_with_a_disabled_event_pending_returns)
{
	sdei_guest_handler = guest_logging_handler;
	GUEST_ASSERT_EQ(sdei_register(EV_SOFT, 0), 0);
	GUEST_ASSERT_EQ(sdei_signal_self(), 0);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_assert_log();
	/* Leave to the VMM and come back. */
	sdei_guest_setup(EV_NORMAL, 0, guest_logging_handler);
	sdei_guest_ask_inject(EV_NORMAL);
	guest_assert_log(EV_NORMAL, EV_NORMAL | LEFT);
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, EV_SOFT);
	guest_assert_log(EV_SOFT, EV_SOFT | LEFT);
}

SDEI_GUEST_TEST(sdei_deliver, signal_to_an_unregistered_event_is_forgotten)
{
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_EQ(sdei_signal_self(), 0);
	GUEST_ASSERT_EQ(sdei_signal_self(), 0);
	GUEST_ASSERT_STATUS(EV_SOFT, 0);
	sdei_guest_setup(EV_SOFT, 0, guest_logging_handler);
	guest_assert_log();
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_assert_log();
}

SDEI_GUEST_TEST(sdei_deliver, signals_coalesce)
{
	int i, j;

	guest_setup_all();
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		for (j = 0; j < 5; j++)
			sdei_guest_trigger(all_events[i]);
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_assert_log(all_events[i], all_events[i] | LEFT);
		GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	}
}

static uint64_t guest_trigger_event;
static int guest_nr_triggers;

static void guest_trigger_action(struct sdei_frame *frame)
{
	int nr = guest_nr_triggers;

	/* For the outermost handler only */
	guest_nr_triggers = 0;
	if (!nr)
		return;

	/* Each signal of a batch but the first one finds it pending. */
	for (; nr; nr--)
		sdei_guest_trigger(guest_trigger_event);
	guest_log_add(MARK);
}

/* Defect 4 */
SDEI_GUEST_TEST(sdei_deliver, signal_in_the_handler_is_delivered_after_completion)
{
	uint64_t ev;
	int i, nr;

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_action = guest_trigger_action;
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		ev = all_events[i];
		guest_trigger_event = ev;
		for (nr = 1; nr < 4; nr++) {
			guest_nr_triggers = nr;
			sdei_guest_trigger(ev);
			guest_assert_log(ev, MARK, ev | LEFT, ev, ev | LEFT);
		}
	}
}

static void guest_trigger_disable_action(struct sdei_frame *frame)
{
	guest_trigger_action(frame);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, frame->x[0]);
}

SDEI_GUEST_TEST(sdei_deliver, signal_in_the_handler_that_disables_is_kept)
{
	uint64_t ev;
	int i;

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_action = guest_trigger_disable_action;
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		ev = all_events[i];
		guest_trigger_event = ev;
		guest_nr_triggers = 1;
		sdei_guest_trigger(ev);
		guest_assert_log(ev, MARK, ev | LEFT);
		GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, ev);
		guest_assert_log(ev, ev | LEFT);
	}
}

static void guest_trigger_unregister_action(struct sdei_frame *frame)
{
	guest_trigger_action(frame);
	GUEST_ASSERT_CALL(SDEI_PENDING, SDEI_EVENT_UNREGISTER, frame->x[0]);
	/* Not registered: this one is forgotten, too. */
	if (frame->x[0] == EV_SOFT)
		GUEST_ASSERT_EQ(sdei_signal_self(), 0);
}

SDEI_GUEST_TEST(sdei_deliver, unregister_in_the_handler_forgets_the_signal)
{
	uint64_t ev;
	int i;

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_action = guest_trigger_unregister_action;
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		ev = all_events[i];
		guest_trigger_event = ev;
		guest_nr_triggers = 1;
		sdei_guest_trigger(ev);
		guest_assert_log(ev, MARK, ev | LEFT);
		sdei_guest_setup(ev, 0, guest_logging_handler);
		guest_assert_log();
	}
}

static void guest_mask_action(struct sdei_frame *frame)
{
	guest_trigger_action(frame);
	sdei_call(SDEI_PE_MASK);
}

SDEI_GUEST_TEST(sdei_deliver, mask_in_the_handler_outlasts_it)
{
	uint64_t ev;
	int i;

	guest_setup_all();
	guest_action = guest_mask_action;
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		ev = all_events[i];
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_trigger_event = ev;
		guest_nr_triggers = 1;
		sdei_guest_trigger(ev);
		guest_assert_log(ev, MARK, ev | LEFT);
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_assert_log(ev, ev | LEFT);
		GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	}
}

static void guest_critical_masked_action(struct sdei_frame *frame)
{
	if (frame->x[0] != EV_NORMAL)
		return;

	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	sdei_guest_trigger(EV_CRITICAL);
	guest_log_add(MARK);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_log_add(MARK);
}

SDEI_GUEST_TEST(sdei_deliver, mask_in_the_handler_holds_critical_events_back)
{
	guest_setup_all();
	guest_action = guest_critical_masked_action;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	sdei_guest_trigger(EV_NORMAL);
	guest_assert_log(EV_NORMAL, MARK, EV_CRITICAL, EV_CRITICAL | LEFT, MARK,
			 EV_NORMAL | LEFT);
}

static void guest_check_nested(uint64_t outer, uint64_t inner)
{
	guest_trigger_event = inner;
	guest_nr_triggers = 1;
	sdei_guest_trigger(outer);

	if (is_critical(inner) && !is_critical(outer))
		guest_assert_log(outer, inner, inner | LEFT, MARK, outer | LEFT);
	else
		guest_assert_log(outer, MARK, outer | LEFT, inner, inner | LEFT);
}

/* Section 4.3. All pairs: critical preempts normal, and nothing else preempts. */
SDEI_GUEST_TEST(sdei_deliver, priorities_nest_and_queue)
{
	int i, j;

	guest_setup_all();
	guest_action = guest_trigger_action;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		for (j = 0; j < ARRAY_SIZE(all_events); j++) {
			if (i != j)
				guest_check_nested(all_events[i], all_events[j]);
		}
	}
}

SDEI_GUEST_TEST(sdei_deliver, pending_critical_events_come_first)
{
	uint64_t first, second;
	int i;

	guest_setup_all();

	/* Whichever was signalled first */
	sdei_guest_trigger(EV_NORMAL);
	sdei_guest_trigger(EV_CRITICAL);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_assert_log(EV_CRITICAL, EV_CRITICAL | LEFT, EV_NORMAL, EV_NORMAL | LEFT);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);

	sdei_guest_trigger(EV_CRITICAL_2);
	sdei_guest_trigger(EV_SOFT);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_assert_log(EV_CRITICAL_2, EV_CRITICAL_2 | LEFT, EV_SOFT, EV_SOFT | LEFT);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);

	/* All of them: one at a time, each once, the critical ones first */
	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		sdei_guest_trigger(all_events[i]);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_EQ(guest_nr_logged, 2 * ARRAY_SIZE(all_events));
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		GUEST_ASSERT_EQ(guest_log[2 * i + 1], guest_log[2 * i] | LEFT);
		GUEST_ASSERT_EQ(is_critical(guest_log[2 * i]), i < 2);
	}
	first = guest_log[0];
	second = guest_log[2];
	GUEST_ASSERT_NE(first, second);
	GUEST_ASSERT_NE(guest_log[4], guest_log[6]);
	GUEST_ASSERT_NE(guest_log[6], guest_log[8]);
	GUEST_ASSERT_NE(guest_log[4], guest_log[8]);
}

static void guest_innermost_action(struct sdei_frame *frame)
{
	uint64_t running = SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING;
	uint64_t idle = SDEI_REGISTERED | SDEI_ENABLED;
	int i;

	if (frame->x[0] == EV_NORMAL) {
		GUEST_ASSERT_STATUS(EV_NORMAL, running);
		GUEST_ASSERT_STATUS(EV_CRITICAL, idle);
		sdei_guest_trigger(EV_CRITICAL);
		guest_log_add(MARK);
		/* The critical one has completed, this one has not. */
		GUEST_ASSERT_STATUS(EV_NORMAL, running);
		GUEST_ASSERT_STATUS(EV_CRITICAL, idle);
		GUEST_ASSERT_EQ(frame->x[1], EV_NORMAL + ARG);
	} else {
		GUEST_ASSERT_STATUS(EV_NORMAL, running);
		GUEST_ASSERT_STATUS(EV_CRITICAL, running);
		GUEST_ASSERT_EQ(frame->x[1], EV_CRITICAL + ARG);
		/* Another normal event has to wait for both. */
		sdei_guest_trigger(EV_NORMAL_2);
		sdei_guest_trigger(EV_SOFT);
	}

	/* The context is the one that this handler interrupted. */
	for (i = 4; i < 18; i++)
		GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, i), frame->x[i]);
}

SDEI_GUEST_TEST(sdei_deliver, context_and_complete_act_on_the_innermost_handler)
{
	guest_setup_all();
	guest_action = NULL;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, EV_SOFT);
	guest_action = guest_innermost_action;
	sdei_guest_handler = guest_logging_handler;
	/* Leave its handlers without an action. */
	GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, EV_NORMAL_2);
	sdei_guest_trigger(EV_NORMAL);
	guest_assert_log(EV_NORMAL, EV_CRITICAL, EV_CRITICAL | LEFT, MARK, EV_NORMAL | LEFT);
	guest_action = NULL;
	GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, EV_NORMAL_2);
	guest_assert_log(EV_NORMAL_2, EV_NORMAL_2 | LEFT);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, EV_SOFT);
	guest_assert_log(EV_SOFT, EV_SOFT | LEFT);
}

static void guest_enable_action(struct sdei_frame *frame)
{
	if (frame->x[0] != EV_NORMAL)
		return;

	GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, EV_NORMAL_2);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_log_add(MARK);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, EV_CRITICAL);
	guest_log_add(MARK);
}

/* Neither ENABLE nor UNMASK overrides the priorities. */
SDEI_GUEST_TEST(sdei_deliver, enable_in_a_handler_delivers_what_may_preempt_it)
{
	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, EV_NORMAL_2);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, EV_CRITICAL);
	sdei_guest_trigger(EV_NORMAL_2);
	sdei_guest_trigger(EV_CRITICAL);
	guest_action = guest_enable_action;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_assert_log();
	sdei_guest_trigger(EV_NORMAL);
	guest_assert_log(EV_NORMAL, MARK, EV_CRITICAL, EV_CRITICAL | LEFT, MARK,
			 EV_NORMAL | LEFT, EV_NORMAL_2, EV_NORMAL_2 | LEFT);
}

static void guest_queue_action(struct sdei_frame *frame)
{
	if (frame->x[0] == EV_NORMAL) {
		sdei_guest_trigger(EV_CRITICAL);
		guest_log_add(MARK);
	} else if (frame->x[0] == EV_CRITICAL) {
		sdei_guest_trigger(EV_NORMAL_2);
	}
}

SDEI_GUEST_TEST(sdei_deliver, normal_event_waits_for_the_outer_normal_handler)
{
	guest_setup_all();
	guest_action = guest_queue_action;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	sdei_guest_trigger(EV_NORMAL);
	guest_assert_log(EV_NORMAL, EV_CRITICAL, EV_CRITICAL | LEFT, MARK, EV_NORMAL | LEFT,
			 EV_NORMAL_2, EV_NORMAL_2 | LEFT);
}

/*
 * EVENT_COMPLETE_AND_RESUME
 */

static void guest_resume_action(struct sdei_frame *frame)
{
	guest_trigger_action(frame);
	if (frame->x[0] == guest_trigger_event && frame->x[2] == (uint64_t)sdei_guest_resume)
		return;
	frame->fn = SDEI_1_0_FN_BASE + SDEI_EVENT_COMPLETE_AND_RESUME;
	frame->arg = (uint64_t)sdei_guest_resume;
}

static void guest_resumed_log(struct ex_regs *regs)
{
	guest_log_add(RESUMED);
}

/* The handler has completed when the code at the address runs. */
static void guest_resumed_check(struct ex_regs *regs)
{
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_CONTEXT, 0);
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED | SDEI_ENABLED);
	/* The context is that of the return from SIGNAL. */
	GUEST_ASSERT_EQ(regs->regs[0], SDEI_SUCCESS);
	guest_log_add(RESUMED);
	guest_action = NULL;
	GUEST_ASSERT_EQ(sdei_signal_self(), 0);
}

SDEI_GUEST_TEST(sdei_deliver, resumed_code_runs_outside_the_handler)
{
	guest_setup_all();
	guest_action = guest_resume_action;
	sdei_guest_resumed = guest_resumed_check;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	sdei_guest_trigger(EV_SOFT);
	guest_assert_log(EV_SOFT, EV_SOFT | LEFT, RESUMED, EV_SOFT, EV_SOFT | LEFT);
}

/* A pending event comes before the first instruction at the address. */
SDEI_GUEST_TEST(sdei_deliver, pending_event_is_delivered_before_the_resumed_code)
{
	uint64_t ev;
	int i;

	guest_setup_all();
	guest_action = guest_resume_action;
	sdei_guest_resumed = guest_resumed_log;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		ev = all_events[i];
		guest_trigger_event = ev;
		guest_nr_triggers = 1;
		sdei_guest_trigger(ev);
		/* The second handler completes to the address and not beyond. */
		guest_assert_log(ev, MARK, ev | LEFT, ev, ev | LEFT, RESUMED);
	}
}

static void guest_nested_resume_action(struct sdei_frame *frame)
{
	if (frame->x[0] == EV_NORMAL) {
		sdei_guest_trigger(EV_CRITICAL);
		guest_log_add(MARK);
	} else if (frame->x[0] == EV_CRITICAL) {
		frame->fn = SDEI_1_0_FN_BASE + SDEI_EVENT_COMPLETE_AND_RESUME;
		frame->arg = (uint64_t)sdei_guest_resume;
	}
}

static void guest_nested_resumed(struct ex_regs *regs)
{
	/* The normal handler was interrupted at EL1h, and still runs. */
	GUEST_ASSERT_EQ(regs->pstate & 0xf, PSR_MODE_EL1h);
	GUEST_ASSERT_STATUS(EV_CRITICAL, SDEI_REGISTERED | SDEI_ENABLED);
	GUEST_ASSERT_STATUS(EV_NORMAL, SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING);
	sdei_guest_trigger(EV_NORMAL_2);
	guest_log_add(RESUMED);
}

SDEI_GUEST_TEST(sdei_deliver, nested_resume_leaves_the_outer_handler_running)
{
	guest_setup_all();
	guest_action = guest_nested_resume_action;
	sdei_guest_resumed = guest_nested_resumed;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	sdei_guest_trigger(EV_NORMAL);
	guest_assert_log(EV_NORMAL, EV_CRITICAL, EV_CRITICAL | LEFT, RESUMED, MARK,
			 EV_NORMAL | LEFT, EV_NORMAL_2, EV_NORMAL_2 | LEFT);
}

/*
 * A masked PE leaves both handlers by EVENT_COMPLETE_AND_RESUME, as Linux does
 * on its way into kdump, where the interrupted code does not matter any more.
 */
static void guest_kdump_resumed(struct ex_regs *regs)
{
	/* Nothing more is delivered */
	guest_assert_log(EV_NORMAL, EV_CRITICAL, MARK);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE_AND_RESUME,
			  (uint64_t)sdei_guest_resume);
	GUEST_ASSERT_STATUS(EV_NORMAL, SDEI_REGISTERED | SDEI_ENABLED);
	GUEST_ASSERT_STATUS(EV_CRITICAL, SDEI_REGISTERED | SDEI_ENABLED);
	guest_assert_log();

	/* until it is allowed. */
	guest_action = NULL;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_assert_log(EV_NORMAL_2, EV_NORMAL_2 | LEFT);
	GUEST_DONE();
}

static void guest_kdump_resumed_once(struct ex_regs *regs)
{
	int64_t ret;

	guest_log_add(MARK);
	GUEST_ASSERT_STATUS(EV_CRITICAL, SDEI_REGISTERED | SDEI_ENABLED);
	GUEST_ASSERT_STATUS(EV_NORMAL, SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING);
	sdei_guest_resumed = guest_kdump_resumed;
	ret = sdei_call(SDEI_EVENT_COMPLETE_AND_RESUME, (uint64_t)sdei_guest_resume);
	GUEST_FAIL("EVENT_COMPLETE_AND_RESUME returned %ld", (long)ret);
}

static void guest_kdump_action(struct sdei_frame *frame)
{
	int64_t ret;

	if (frame->x[0] == EV_NORMAL) {
		sdei_guest_trigger(EV_CRITICAL);
		GUEST_FAIL("The normal handler should not be resumed");
	}

	sdei_guest_trigger(EV_NORMAL_2);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	ret = sdei_call(SDEI_EVENT_COMPLETE_AND_RESUME, (uint64_t)sdei_guest_resume);
	GUEST_FAIL("EVENT_COMPLETE_AND_RESUME returned %ld", (long)ret);
}

SDEI_GUEST_TEST(sdei_deliver, masked_pe_resumes_out_of_both_handlers)
{
	guest_setup_all();
	guest_action = guest_kdump_action;
	sdei_guest_resumed = guest_kdump_resumed_once;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	sdei_guest_trigger(EV_NORMAL);
	GUEST_FAIL("The interrupted code should not be resumed");
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));

	return test_harness_run(argc, argv);
}
