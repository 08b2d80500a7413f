//go:build ignore

/* The two ends of every measurement between namespaces, and what looks on:
 *
 *   generate   XDP, fed by BPF_PROG_TEST_RUN with live frames: makes the next frame
 *              of the schedule and sends it, if it is due
 *   sink       tc ingress: counts the frames that come, and how long they took
 *   drop       XDP: what the generator is measured against alone
 *   syscalls   counts the system calls of one process
 *
 * The words of the kernel are spelt out, as in bpf/steer.h: include/uapi/linux/bpf.h.
 */
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
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
};

enum {
	XDP_ABORTED = 0,
	XDP_DROP = 1,
	TC_ACT_OK = 0,
	TC_ACT_SHOT = 2,
};

struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

struct __sk_buff {
	__u32 len;
};

struct bpf_pidns_info {
	__u32 pid;
	__u32 tgid;
};

/* Offsets, also in packets.go. */
enum {
	OVERHEAD = 50, /* Ethernet, IPv4, UDP, VXLAN */
	TAG = 4,
	INNER_MIN = 64,
	IP_LEN = 14 + 2,
	IP_CSUM = 14 + 10,
	IP_SRC = 14 + 12,
	UDP = 14 + 20,
	UDP_LEN = UDP + 4,
	UDP_CSUM = UDP + 6,
	VNI = UDP + 8 + 4,
	MARK = UDP + 8,
	STAMP = MARK + 4,
};

/* One frame of the schedule. Written by newSchedule in schedule.go. */
struct entry {
	__u32 src, dst; /* stations */
	__u32 vni;      /* in network order, shifted as in the header; of frames with a tag, the tag's last two bytes */
	__be32 outer;   /* source address of the outer header */
	__u16 flow;     /* source port of the inner frame */
	__u16 size;     /* of the inner frame */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct entry);
	__uint(max_entries, 1); /* a power of two: the loader sets it */
} schedule SEC(".maps");

/* Set before loading. */
volatile const __u32 ifindex;
volatile const __u32 outer;    /* OVERHEAD where frames are tunnelled, or 0 */
volatile const __u32 tag;      /* TAG where inner frames have a VLAN tag, or 0 */
volatile const __u32 last;     /* entries of the schedule, less one */
volatile const __u32 full;     /* size of the largest inner frame */
volatile const __u16 src_side; /* upper 16 bits of stations' addresses, in network order */
volatile const __u16 dst_side;
volatile const __u32 scatter;
volatile const __u32 mark;      /* begins the payload of each frame, in the host's order */
volatile const __u32 ip_sum;    /* of what does not change in the inner IPv4 header */
volatile const __u32 udp_sum;   /* and in the pseudo-header and the UDP header */
volatile const __u32 outer_sum; /* and in the outer IPv4 header */

/* Changed while it runs. Times are in 1/256 ns. */
__u64 interval; /* between frames; 0: none is waited for */
__u32 burst;    /* frames that come at once, every burst * interval */
__u32 stamp;    /* whether frames carry the time */
__u64 limit;    /* frames to send; 0: no end */

__u64 due;      /* when the next burst is */
__u32 in_burst; /* frames of this one that were sent */
__u64 sent;
__u64 runs; /* of the program, those that sent nothing too */

/* A generator that could not keep up for that long starts anew. */
#define PATIENCE ((10ull * 1000 * 1000) << 8)

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline int wait(void)
{
	__u64 now = bpf_ktime_get_ns() << 8;

	if (now < due)
		return 1;
	if (++in_burst >= burst) {
		in_burst = 0;
		due += interval * burst;
		if (due + PATIENCE < now)
			due = now;
	}
	return 0;
}

#define PUT16(at, v) (*(__u16 *)(at) = (v))
#define PUT32(at, v) (*(__u32 *)(at) = (v))
#define PUT64(at, v) (*(__u64 *)(at) = (v))

static __always_inline void put_inner(void *f, const struct entry *e)
{
	__u16 ip_len = bpf_htons(e->size - 14), udp_len = bpf_htons(e->size - UDP);
	__u64 sum = (__u64)udp_sum + 2u * udp_len + e->flow + (mark & 0xffff) + (mark >> 16);
	__u64 now = stamp ? bpf_ktime_get_ns() : 0;
	__u16 csum;

	PUT16(f, dst_side);
	PUT32(f + 2, bpf_htonl(e->dst * scatter));
	PUT16(f + 6, src_side);
	PUT32(f + 8, bpf_htonl(e->src * scatter));
	if (tag) {
		PUT16(f + 14, e->vni);
		f += TAG;
	}
	PUT16(f + IP_LEN, ip_len);
	PUT16(f + IP_CSUM, ~fold((__u64)ip_sum + ip_len));
	PUT16(f + UDP, e->flow);
	PUT16(f + UDP_LEN, udp_len);
	PUT32(f + MARK, mark);
	PUT64(f + STAMP, now);
	sum += (now & 0xffffffff) + (now >> 32);
	csum = ~fold(sum);
	PUT16(f + UDP_CSUM, csum ? csum : 0xffff); /* RFC 768: zero means none */
}

static __always_inline void put_outer(void *p, const struct entry *e)
{
	__u16 ip_len = bpf_htons(e->size + OVERHEAD - 14);

	PUT16(p + IP_LEN, ip_len);
	PUT32(p + IP_SRC, e->outer);
	PUT16(p + IP_CSUM, ~fold((__u64)outer_sum + ip_len + (e->outer & 0xffff) + (e->outer >> 16)));
	PUT16(p + UDP, bpf_htons(49152 + (e->flow & 0x3fff)));
	PUT16(p + UDP_LEN, bpf_htons(e->size + OVERHEAD - UDP));
	PUT32(p + VNI, e->vni);
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = sent & last;
	struct entry *e;

	runs++;
	if (limit && sent >= limit)
		return XDP_DROP;
	if (interval && wait())
		return XDP_DROP;
	e = bpf_map_lookup_elem(&schedule, &at);
	if (!e || data + outer + tag + INNER_MIN > end)
		return XDP_ABORTED;
	if (outer)
		put_outer(data, e);
	put_inner(data + outer, e);
	sent++;
	if (e->size != full && bpf_xdp_adjust_tail(ctx, (int)e->size - (int)full))
		return XDP_ABORTED;
	return bpf_redirect(ifindex, 0);
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

volatile const __u32 offset; /* of the frame in what comes */

struct arrived {
	__u64 packets;
	__u64 bytes; /* of the frames, without what is in front of them */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct arrived);
	__uint(max_entries, 1);
} arrivals SEC(".maps");

/* How many frames took how long: see latency.go, which has the same buckets. */
enum {
	BUCKETS = 1200,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, BUCKETS);
} latencies SEC(".maps");

static __always_inline __u32 bucket(__u64 ns)
{
	__u32 shift = 0, n;
	__u64 v = ns;

	if (v >> 32) { shift += 32; v >>= 32; }
	if (v >> 16) { shift += 16; v >>= 16; }
	if (v >> 8) { shift += 8; v >>= 8; }
	if (v >> 4) { shift += 4; v >>= 4; }
	if (v >> 2) { shift += 2; v >>= 2; }
	if (v >> 1)
		shift++;
	if (shift < 5)
		return ns;
	n = (shift - 4) * 32 + ((ns >> (shift - 5)) & 31);
	return n < BUCKETS ? n : BUCKETS - 1;
}

SEC("tc")
int sink(struct __sk_buff *skb)
{
	struct { __u32 mark; __u32 stamp[2]; } came;
	struct arrived *a;
	__u64 then, *n;
	__u32 zero = 0, i;

	if (bpf_skb_load_bytes(skb, offset + MARK, &came, sizeof(came)) || came.mark != mark)
		return TC_ACT_OK;
	a = bpf_map_lookup_elem(&arrivals, &zero);
	if (a) {
		a->packets++;
		a->bytes += skb->len - offset;
	}
	__builtin_memcpy(&then, came.stamp, sizeof(then));
	if (then) {
		i = bucket(bpf_ktime_get_ns() - then);
		n = bpf_map_lookup_elem(&latencies, &i);
		if (n)
			(*n)++;
	}
	return TC_ACT_SHOT;
}

volatile const __u64 ns_dev, ns_ino; /* of the namespace that the process's number is from */
volatile const __u32 tgid;

enum {
	CALLS = 512, /* more than there are */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, CALLS);
} calls SEC(".maps");

struct bpf_raw_tracepoint_args {
	__u64 args[2]; /* TP_PROTO(struct pt_regs *regs, long id), include/trace/events/syscalls.h */
};

SEC("raw_tracepoint/sys_enter")
int syscalls(struct bpf_raw_tracepoint_args *ctx)
{
	struct bpf_pidns_info info = {};
	__u32 id = ctx->args[1];
	__u64 *n;

	if (bpf_get_ns_current_pid_tgid(ns_dev, ns_ino, &info, sizeof(info)) || info.tgid != tgid)
		return 0;
	n = bpf_map_lookup_elem(&calls, &id);
	if (n)
		(*n)++;
	return 0;
}

char __license[] SEC("license") = "GPL";
