/* Which VTEPs may send to a VNI. A VNI without a list takes packets of any: its
 * value in vnis says so, which was looked up anyway.
 *
 * A list is a number, under which its prefixes stand. User space makes a whole
 * new list before a VNI gets its number, so a look at vnis decides between the
 * old list and the new one, and between nothing else.
 */
#ifndef ALLOWED_H
#define ALLOWED_H

#include "steer.h"

#define BPF_F_NO_PREALLOC 1

/* What a VNI of ours is. */
struct vni {
	__u32 list; /* of those who may send to it, 0 for anyone */
};

/* An address as on the wire, IPv4 in its mapped form (RFC 4291 section
 * 2.5.5.2). In words of 4 bytes, as far as an IPv6 header is aligned.
 */
struct addr6 {
	__be32 word[4];
};

/* A prefix of a list: the list's number is in front of the address, so it takes
 * 32 bits of len.
 */
struct prefix {
	__u32 len;
	__u32 list;
	struct addr6 addr;
};

/* The prefixes of all lists. The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u8);
	__uint(max_entries, 1);
} allowed SEC(".maps");

/* Packets that were refused, by VNI in host byte order. User space enters those
 * that have a list. The loader sets its size.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} refusals SEC(".maps");

static __always_inline struct addr6 mapped(__be32 ipv4)
{
	struct addr6 a = { .word = { 0, 0, bpf_htonl(0xffff), ipv4 } };

	return a;
}

/* Whether a VTEP may send to a VNI. */
static __always_inline int may_send(const struct vni *to, struct addr6 from)
{
	struct prefix p;

	if (!to->list)
		return 1;
	p.len = 32 + 128;
	p.list = to->list;
	p.addr = from;
	return bpf_map_lookup_elem(&allowed, &p) != 0;
}

/* Counts a packet that may not. */
static __always_inline void refused(__u32 vni)
{
	__u64 *n = bpf_map_lookup_elem(&refusals, &vni);

	if (n)
		(*n)++;
}

#endif
