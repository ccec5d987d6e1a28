/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Character devices of the simulated DSPs, /dev/qda-sim/<label>: what is the DSP
 * serves one of them.
 *
 * An open file has no role at first. The one that calls QDA_SIM_IOC_BOOT is the
 * DSP's root process: the DSP is there, and its rpmsg channel with it, until the
 * file is closed. A file that calls QDA_SIM_IOC_SERVE then is a process on it.
 *
 * read() takes one message of the driver's, as it was sent. A message goes to the
 * file that serves the client id in its first 32 bits, else to the root process.
 * What a process has not taken, or has taken and not answered, when its file is
 * closed goes to the root process, too. write() sends one message to the driver.
 * poll() tells of messages to read. After a crash of the DSP all of them fail with
 * EPIPE; to start it again close all files first.
 *
 * mmap() maps what the IOMMU maps: the offset is QDA_SIM_MMAP_OFFSET() of a stream
 * id and an I/O virtual address. The pages follow the IOMMU's mappings. An access
 * where there is none, or not this one, is a fault of the IOMMU: it is counted, and
 * raises SIGBUS. A process reaches its own stream id only, the root process those
 * of all context banks of its DSP.
 */
#ifndef _UAPI_LINUX_QDA_SIM_H
#define _UAPI_LINUX_QDA_SIM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define QDA_SIM_MSG_MAX		512	/* bytes of a message, in either direction */
#define QDA_SIM_IOVA_BITS	34
#define QDA_SIM_SID_MAX		255

#define QDA_SIM_MMAP_OFFSET(sid, iova)	(((__u64)(sid) << 40) | (__u64)(iova))

/**
 * struct qda_sim_serve - what a process serves
 * @client_id: the session whose messages it gets; not 0, and nobody else's
 * @sid: the stream id whose memory it reaches
 */
struct qda_sim_serve {
	__s32 client_id;
	__u32 sid;
};

#define QDA_SIM_IOC_BOOT	_IO(0xCB, 0x20)
#define QDA_SIM_IOC_SERVE	_IOW(0xCB, 0x21, struct qda_sim_serve)

#endif
