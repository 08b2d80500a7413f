/* What nearly all packets of ours are: to our first address, and with a VNI that
 * takes packets of anyone. Each of the two is a comparison or a bit here, where a
 * look-up in a hash table takes as long as all the rest of a program. What is not
 * found here is looked up there: user space enters what is new there first, and
 * takes what goes out of here first.
 */
#ifndef QUICK_H
#define QUICK_H

#include "allowed.h"

/* An address of ours of each family, zero for none. */
struct first {
	struct addr6 ipv6;
	__be32 ipv4;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct first);
	__uint(max_entries, 1);
} first SEC(".maps");

#define VNI_BITS 24 /* RFC 7348 section 5 */

/* A bit for each VNI that is ours and has no list. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, (1 << VNI_BITS) / 64);
} anyone SEC(".maps");

static __always_inline int is_first4(__be32 dst)
{
	__u32 zero = 0;
	struct first *f = bpf_map_lookup_elem(&first, &zero);

	return f && dst && f->ipv4 == dst;
}

static __always_inline int is_first6(const struct addr6 *dst)
{
	__u32 zero = 0;
	struct first *f = bpf_map_lookup_elem(&first, &zero);

	return f && dst->word[0] && f->ipv6.word[3] == dst->word[3] && f->ipv6.word[2] == dst->word[2] &&
	       f->ipv6.word[1] == dst->word[1] && f->ipv6.word[0] == dst->word[0];
}

/* Whether a VNI, at most 24 bits, is ours and takes packets of anyone. */
static __always_inline int takes_anyone(__u32 vni)
{
	__u32 at = vni >> 6;
	__u64 *bits = bpf_map_lookup_elem(&anyone, &at);

	return bits && *bits >> (vni & 63) & 1;
}

#endif
