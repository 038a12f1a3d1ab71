# SPDX-License-Identifier: GPL-2.0
# The devices of the QEMU that runs inside the emulated host (harness/qemu-build)
CONFIG_ARM_VIRT=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_NET=y
CONFIG_VIRTIO_SERIAL=y
