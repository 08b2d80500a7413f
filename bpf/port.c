//go:build ignore

/* Steers a port on any kernel and interface. It sees a frame as it lies in
 * memory: a VLAN tag that travels beside the frame is lost.
 */
#include "port.h"

SEC("xdp")
int port(struct xdp_md *ctx)
{
	return steer_port(ctx);
}

char __license[] SEC("license") = "GPL";
