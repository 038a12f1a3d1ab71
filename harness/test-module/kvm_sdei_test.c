// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user of SDEI inside of the kernel, for the selftest sdei_inkernel.
 *
 * The functions that raise events from within KVM have no caller yet, and are
 * not exported: KVM is not a module on arm64, and nor will their callers be.
 * This module gets their addresses as parameters, which sdei_inkernel reads
 * from /proc/kallsyms:
 *
 *	insmod kvm_sdei_test.ko inject=0x... inject_now=0x... cancel=0x...
 *
 * It then does what is written to /dev/kvm_sdei_test, one operation for each
 * write(), which fails with what the function returns:
 *
 *	inject VCPU_FD EVENT
 *	inject_now VCPU_FD EVENT
 *	cancel VCPU_FD EVENT
 */

#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/kvm_sdei.h>

static unsigned long inject;
module_param(inject, ulong, 0);
MODULE_PARM_DESC(inject, "Address of kvm_sdei_inject_event()");

static unsigned long inject_now;
module_param(inject_now, ulong, 0);
MODULE_PARM_DESC(inject_now, "Address of kvm_sdei_inject_event_now()");

static unsigned long cancel;
module_param(cancel, ulong, 0);
MODULE_PARM_DESC(cancel, "Address of kvm_sdei_cancel_event()");

/* Changes of their types are errors here, instead of calls gone wrong. */
static typeof(&kvm_sdei_inject_event) inject_fn;
static typeof(&kvm_sdei_inject_event_now) inject_now_fn;
static typeof(&kvm_sdei_cancel_event) cancel_fn;

/*
 * The file behind a file descriptor of a vCPU, or NULL. KVM's file operations
 * are out of reach, but no one else has anonymous inodes of that name.
 */
static struct file *get_vcpu_file(int fd)
{
	static const char prefix[] = "kvm-vcpu:";
	struct file *file = fget(fd);

	if (!file)
		return NULL;

	if (file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	    !strncmp(file->f_path.dentry->d_name.name, prefix, strlen(prefix)))
		return file;

	fput(file);
	return NULL;
}

static int do_operation(struct kvm_vcpu *vcpu, const char *op, u32 event)
{
	unsigned long flags;
	int ret;

	/* In the vCPU's own thread, which is not in KVM_RUN, its mutex is free. */
	if (!strcmp(op, "inject_now")) {
		if (mutex_lock_killable(&vcpu->mutex))
			return -EINTR;
		ret = inject_now_fn(vcpu, event);
		mutex_unlock(&vcpu->mutex);
		return ret;
	}

	/* These two promise to work with interrupts disabled. */
	if (!strcmp(op, "inject")) {
		local_irq_save(flags);
		ret = inject_fn(vcpu, event);
		local_irq_restore(flags);
		return ret;
	}

	if (!strcmp(op, "cancel")) {
		local_irq_save(flags);
		ret = cancel_fn(vcpu, event);
		local_irq_restore(flags);
		return ret;
	}

	return -EINVAL;
}

static ssize_t kvm_sdei_test_write(struct file *file, const char __user *ubuf,
				   size_t count, loff_t *ppos)
{
	struct file *vcpu_file;
	char buf[64], op[16];
	u32 event;
	int fd, ret;

	if (count >= sizeof(buf))
		return -E2BIG;
	if (copy_from_user(buf, ubuf, count))
		return -EFAULT;
	buf[count] = '\0';

	if (sscanf(buf, "%15s %d %i", op, &fd, &event) != 3)
		return -EINVAL;

	vcpu_file = get_vcpu_file(fd);
	if (!vcpu_file)
		return -EBADF;

	ret = do_operation(vcpu_file->private_data, op, event);
	fput(vcpu_file);

	return ret ?: count;
}

static const struct file_operations kvm_sdei_test_fops = {
	.owner = THIS_MODULE,
	.write = kvm_sdei_test_write,
};

static struct miscdevice kvm_sdei_test_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &kvm_sdei_test_fops,
	.mode = 0600,
};

static int __init kvm_sdei_test_init(void)
{
	if (!inject || !inject_now || !cancel)
		return -EINVAL;

	inject_fn = (void *)inject;
	inject_now_fn = (void *)inject_now;
	cancel_fn = (void *)cancel;

	return misc_register(&kvm_sdei_test_dev);
}
module_init(kvm_sdei_test_init);

static void __exit kvm_sdei_test_exit(void)
{
	misc_deregister(&kvm_sdei_test_dev);
}
module_exit(kvm_sdei_test_exit);

MODULE_DESCRIPTION("Raises SDEI events in KVM guests on behalf of a test");
MODULE_LICENSE("GPL");
