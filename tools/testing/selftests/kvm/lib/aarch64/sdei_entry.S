/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of SDEI guest code that cannot be written in C.
 */

/* Offsets in struct sdei_frame */
#define FRAME_SP	248
#define FRAME_ELR	256
#define FRAME_ESR	272
#define FRAME_FN	288
#define FRAME_CONDUIT	304
#define FRAME_V		320
#define FRAME_SIZE	832

/* Offsets in struct ex_regs */
#define REGS_X30	240
#define REGS_PC		256
#define REGS_SIZE	272

/* HVC if \reg is SDEI_HVC (zero), else SMC */
.macro conduit_call reg
	cbnz	\reg, .Lsmc\@
	hvc	#0
	b	.Lcalled\@
.Lsmc\@:
	smc	#0
.Lcalled\@:
.endm

.macro for_x_pairs op, first, last
	.set	.Lreg, \first
	.rept	(\last - \first + 1) / 2
	x_pair	\op, %.Lreg
	.set	.Lreg, .Lreg + 2
	.endr
.endm

	.text
	.altmacro

.macro x_pair op, n
	x_pair_	\op, \n, %(\n + 1)
.endm

.macro x_pair_ op, n, m
	\op	x\n, x\m, [sp, #(8 * \n)]
.endm

.macro q_pair op, n
	q_pair_	\op, \n, %(\n + 1)
.endm

.macro q_pair_ op, n, m
	\op	q\n, q\m, [sp, #(FRAME_V + 16 * \n)]
.endm

.macro for_q_pairs op
	.set	.Lreg, 0
	.rept	16
	q_pair	\op, %.Lreg
	.set	.Lreg, .Lreg + 2
	.endr
.endm

/* void sdei_smccc(struct sdei_smccc_regs *regs, uint64_t conduit) */
	.global	sdei_smccc
sdei_smccc:
	stp	x29, x30, [sp, #-32]!
	stp	x19, x20, [sp, #16]
	mov	x19, x0
	mov	x20, x1
	ldp	x0, x1, [x19]
	ldp	x2, x3, [x19, #16]
	ldp	x4, x5, [x19, #32]
	ldp	x6, x7, [x19, #48]
	ldp	x8, x9, [x19, #64]
	ldp	x10, x11, [x19, #80]
	ldp	x12, x13, [x19, #96]
	ldp	x14, x15, [x19, #112]
	ldp	x16, x17, [x19, #128]
	conduit_call x20
	stp	x0, x1, [x19]
	stp	x2, x3, [x19, #16]
	stp	x4, x5, [x19, #32]
	stp	x6, x7, [x19, #48]
	stp	x8, x9, [x19, #64]
	stp	x10, x11, [x19, #80]
	stp	x12, x13, [x19, #96]
	stp	x14, x15, [x19, #112]
	stp	x16, x17, [x19, #128]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #32
	ret

/*
 * The completion restores x0..x17; all the rest is the handler's to keep, as
 * is the stack that it shares with the interrupted code.
 */
	.global	sdei_guest_entry
sdei_guest_entry:
	sub	sp, sp, #FRAME_SIZE
	for_x_pairs stp, 0, 29
	str	x30, [sp, #(8 * 30)]
	add	x0, sp, #FRAME_SIZE
	str	x0, [sp, #FRAME_SP]
	mrs	x0, elr_el1
	mrs	x1, spsr_el1
	stp	x0, x1, [sp, #FRAME_ELR]
	mrs	x0, esr_el1
	mrs	x1, sp_el0
	stp	x0, x1, [sp, #FRAME_ESR]
	for_q_pairs stp
	mov	x0, sp
	bl	sdei_guest_dispatch
	for_q_pairs ldp
	for_x_pairs ldp, 18, 29
	ldr	x30, [sp, #(8 * 30)]
	ldp	x0, x1, [sp, #FRAME_FN]
	ldr	x2, [sp, #FRAME_CONDUIT]
	add	sp, sp, #FRAME_SIZE
	conduit_call x2
	b	sdei_guest_not_completed

	.global	sdei_guest_resume
sdei_guest_resume:
	sub	sp, sp, #REGS_SIZE
	for_x_pairs stp, 0, 29
	add	x1, sp, #REGS_SIZE
	stp	x30, x1, [sp, #REGS_X30]
	mrs	x1, elr_el1
	mrs	x2, spsr_el1
	stp	x1, x2, [sp, #REGS_PC]
	mov	x0, sp
	bl	sdei_guest_resume_dispatch
	ldp	x1, x2, [sp, #REGS_PC]
	msr	elr_el1, x1
	msr	spsr_el1, x2
	for_x_pairs ldp, 0, 29
	ldr	x30, [sp, #REGS_X30]
	add	sp, sp, #REGS_SIZE
	eret

/*
 * Where PSCI CPU_ON starts a vCPU, in a page that is mapped at its physical
 * address: x0 is the physical address of a struct sdei_cpu_on_context.
 */
	.global	sdei_cpu_on_entry
sdei_cpu_on_entry:
	ldp	x1, x2, [x0]
	msr	ttbr0_el1, x1
	msr	tcr_el1, x2
	ldp	x1, x2, [x0, #16]
	msr	mair_el1, x1
	msr	cpacr_el1, x2
	ldp	x1, x2, [x0, #32]
	msr	vbar_el1, x1
	msr	tpidr_el1, x2
	ldp	x1, x2, [x0, #48]
	mov	sp, x2
	ldr	x3, [x0, #64]
	tlbi	vmalle1
	dsb	nsh
	isb
	msr	sctlr_el1, x1
	isb
	br	x3
	.global	sdei_cpu_on_entry_end
sdei_cpu_on_entry_end:
