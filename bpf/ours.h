/* What is ours on the underlay: the two programs that ask share the maps, so
 * that what is added or deleted holds for both at once.
 */
#ifndef OURS_H
#define OURS_H

#include "allowed.h"
#include "quick.h"
#include "steer.h"

#define IPPROTO_UDP 17

struct ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 len;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__be16 csum;
	__be32 src;
	__be32 dst;
};

struct ipv6 {
	__u8 version_class; /* version, and half of the traffic class */
	__u8 class_label[3];
	__be16 len;
	__u8 next;
	__u8 hops;
	struct addr6 src;
	struct addr6 dst;
};

struct udp {
	__be16 src;
	__be16 dst;
	__be16 len;
	__be16 csum;
};

/* RFC 7348 section 5. */
struct vxlan {
	__be32 flags;
	__be32 vni; /* the upper 24 bits */
};

/* The UDP port, host byte order. */
volatile const __u16 dstport = 4789;

/* The VNIs that are ours, host byte order. The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct vni);
	__uint(max_entries, 1);
} vnis SEC(".maps");

/* IPv4 destinations that are ours, as on the wire. The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __be32);
	__type(value, __u8);
	__uint(max_entries, 1);
} addrs SEC(".maps");

/* The same for IPv6. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct addr6);
	__type(value, __u8);
	__uint(max_entries, 1);
} addrs6 SEC(".maps");

/* Whether we have an IPv4 address. */
static __always_inline int ours4(__be32 dst)
{
	return is_first4(dst) || bpf_map_lookup_elem(&addrs, &dst);
}

/* The same for IPv6. */
static __always_inline int ours6(struct addr6 dst)
{
	return is_first6(&dst) || bpf_map_lookup_elem(&addrs6, &dst);
}

/* What a packet is to us. */
enum {
	FOREIGN, /* up to the kernel */
	OURS,
	REFUSED, /* ours, from a VTEP that may not send to its VNI */
};

/* What a packet from a VTEP to a VNI is, which is counted if it is refused. */
static __always_inline int of_vni(__u32 vni, struct addr6 from)
{
	struct vni *to;

	if (takes_anyone(vni))
		return OURS;
	to = bpf_map_lookup_elem(&vnis, &vni);
	if (!to)
		return FOREIGN;
	if (may_send(to, from))
		return OURS;
	refused(vni);
	return REFUSED;
}

#endif
