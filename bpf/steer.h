/* What both steering programs share: the kernel's words, the socket map and
 * the counters.
 *
 * The kernel's words are spelt out here and not taken from <linux/...>: those
 * headers follow the build machine (its byte order in the bitfields, its
 * version in struct xdp_md), so the objects would too. Source of each value:
 * include/uapi/linux/bpf.h, a stable interface.
 */
#ifndef STEER_H
#define STEER_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_XSKMAP = 17,
};

enum {
	XDP_DROP = 1,
	XDP_PASS = 2,
};

struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

struct eth {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
};

/* The AF_XDP socket of each rx queue. The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} xsks SEC(".maps");

/* Every frame counts in exactly one of the first four. Read by Counters in
 * bpf.go.
 */
struct counters {
	__u64 redirected; /* handed to the queue's socket */
	__u64 passed;     /* not for us: up to the kernel */
	__u64 nosocket;   /* for us, but the queue has no socket */
	__u64 refused;    /* for us, from a VTEP that may not: dropped */
	__u64 late;       /* the same of a datagram that leftover.h saw: its frames have passed */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct counters);
	__uint(max_entries, 1);
} counters SEC(".maps");

/* Leave the frame to the kernel. */
static __always_inline int pass(void)
{
	__u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c)
		c->passed++;
	return XDP_PASS;
}

/* Drop the frame: its sender may not send to its VNI. */
static __always_inline int refuse(void)
{
	__u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c)
		c->refused++;
	return XDP_DROP;
}

/* Hand the frame to the socket of its queue; otherwise is the verdict for a
 * queue that has none.
 */
static __always_inline int redirect(struct xdp_md *ctx, int otherwise)
{
	__u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);
	int act = bpf_redirect_map(&xsks, ctx->rx_queue_index, otherwise);

	if (!c)
		return act;
	if (act == otherwise)
		c->nosocket++;
	else
		c->redirected++;
	return act;
}

#endif
