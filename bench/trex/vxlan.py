"""VXLAN: far stations, behind the VTEP that TRex plays, to near ones. gw decapsulates it. For TRex port 1, which is cabled to gw's
underlay.

    start -f vxlan.py -p 1 -m 1mpps -t --macs 1000 --gw-mac 3c:fd:fe:00:00:01
"""

import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stations import FAR, NEAR, arguments, inner, stream
from trex_stl_lib.api import Ether, IP, UDP

PORT = 4789  # RFC 7348 section 8.1
OVERHEAD = 14 + 20 + 8 + 8  # bytes in front of the inner frame


class VXLAN:
    def get_streams(self, direction=1, tunables=(), **kwargs):
        a = arguments(tunables, kwargs)
        outer = Ether(src=a.vtep_mac, dst=a.gw_mac, type=0x0800) / IP(src=a.vtep_ip, dst=a.gw_ip, ttl=64, proto=17)
        header = struct.pack(">II", 1 << 27, a.vni << 8)  # flag I, VNI (RFC 7348 section 5)
        packet = outer / UDP(sport=1024, dport=PORT, chksum=0) / header / inner(a, FAR, NEAR)
        return [stream(a, packet, OVERHEAD, outer_port=34)]


def register():
    return VXLAN()
