"""What the streams of plain.py and vxlan.py have in common: stations on both sides of gw, and the flows between them.

    TRex port 0 -- port of gw (plain Ethernet)      near stations, 02:02:...
    TRex port 1 -- underlay of gw (VXLAN)           far stations, 02:04:..., behind the VTEP that port 1 plays

Station n of a side has n in the last four bytes of its address. gw learns stations from frames that they send, so both directions
have to have run, or run together, before unicast is what is measured: rfc2544.py sees to that.
"""

import argparse

from trex_stl_lib.api import Ether, IP, UDP, STLPktBuilder, STLScVmRaw, STLStream, STLTXCont, STLVmFlowVar, STLVmWrFlowVar

NEAR = "02:02:00:00:00:00"
FAR = "02:04:00:00:00:00"
FCS = 4  # bytes of the frame check sequence, which the NIC adds
SHORTEST = 64  # bytes of an Ethernet frame with it


def arguments(tunables, given):
    """The tunables, from a list as newer TRex versions have it (-t --macs 1000) or from keywords (-t macs=1000)."""
    p = argparse.ArgumentParser()
    p.add_argument("--size", type=int, default=SHORTEST, help="bytes of a frame before encapsulation, with its checksum")
    p.add_argument("--macs", type=int, default=2, help="stations, half of them on each side")
    p.add_argument("--flows", type=int, default=4096, help="UDP source ports, random")
    p.add_argument("--vni", type=int, default=42)
    p.add_argument("--gw-mac", default="02:06:00:00:00:01", help="of gw's underlay interface, or of the router to it")
    p.add_argument("--gw-ip", default="10.0.0.1", help="gw's outer address")
    p.add_argument("--vtep-mac", default="02:06:00:00:00:02", help="of TRex port 1")
    p.add_argument("--vtep-ip", default="10.0.0.2", help="the remote that gw was given: --remote")
    a = p.parse_args(list(tunables))
    for name, value in given.items():
        name = name.replace("-", "_")
        if hasattr(a, name):
            kind = int if isinstance(getattr(a, name), int) else str
            setattr(a, name, kind(value))
    if not 1 <= a.flows <= 64512:
        p.error("--flows: 1 to 64512 ports are there")
    if not 2 <= a.macs <= 1 << 24:
        p.error("--macs: 2 to %d" % (1 << 24))
    if not SHORTEST <= a.size <= 9000:
        p.error("--size: %d to 9000" % SHORTEST)
    return a


def inner(a, source, target):
    """A frame from the first station of one side to the first of the other. It has no UDP checksum, so that ports can be changed."""
    p = Ether(src=source, dst=target, type=0x0800) / IP(src="172.17.1.2", dst="172.17.1.3") / UDP(sport=1024, dport=9, chksum=0)
    return p / (b"\x00" * (a.size - FCS - len(p)))


def stream(a, packet, at, outer_port=None):
    """A stream of packets whose frame stands at an offset: random stations, random flows, as fast as it is told when it starts.
    With outer_port, the outer UDP source port is the flow's, as VTEPs make it (RFC 7348 section 5)."""
    each = a.macs // 2
    vm = [
        STLVmFlowVar(name="to", min_value=0, max_value=each - 1, size=4, op="random"),
        STLVmWrFlowVar(fv_name="to", pkt_offset=at + 2),
        STLVmFlowVar(name="from", min_value=0, max_value=each - 1, size=4, op="random"),
        STLVmWrFlowVar(fv_name="from", pkt_offset=at + 8),
        STLVmFlowVar(name="flow", min_value=1024, max_value=1023 + a.flows, size=2, op="random"),
        STLVmWrFlowVar(fv_name="flow", pkt_offset=at + 34),
    ]
    if outer_port is not None:
        vm.append(STLVmWrFlowVar(fv_name="flow", pkt_offset=outer_port))
    return STLStream(packet=STLPktBuilder(pkt=packet, vm=STLScVmRaw(vm)), mode=STLTXCont())
