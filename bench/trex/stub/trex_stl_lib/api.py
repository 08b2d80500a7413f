"""As much of TRex's stateless API as the profiles and rfc2544.py use, for tests without TRex: streams turn into packets by scapy, and
the client plays a device that forwards so many frames a second and no more. Names and arguments are TRex's."""

import os
import random

from scapy.all import Ether, IP, UDP  # noqa: F401: TRex's module has them too


class STLVmFlowVar:
    def __init__(self, name, min_value=0, max_value=255, size=4, op="inc", step=1):
        if not 0 <= min_value <= max_value < 1 << 8 * size:
            raise ValueError("%s: %d to %d in %d bytes" % (name, min_value, max_value, size))
        if op != "random":
            raise NotImplementedError(op)
        self.name, self.low, self.high, self.size = name, min_value, max_value, size

    def apply(self, packet, values):
        values[self.name] = random.randint(self.low, self.high).to_bytes(self.size, "big")


class STLVmWrFlowVar:
    def __init__(self, fv_name, pkt_offset):
        self.name, self.at = fv_name, pkt_offset

    def apply(self, packet, values):
        value = values[self.name]
        if self.at + len(value) > len(packet):
            raise ValueError("%s is written behind the packet" % self.name)
        packet[self.at : self.at + len(value)] = value


class STLScVmRaw:
    def __init__(self, commands):
        self.commands = commands


class STLPktBuilder:
    def __init__(self, pkt, vm=None):
        self.base, self.vm = bytes(pkt), vm

    def packet(self):
        p, values = bytearray(self.base), {}
        for c in self.vm.commands if self.vm else []:
            c.apply(p, values)
        return bytes(p)


class STLTXCont:
    pass


class STLStream:
    def __init__(self, packet, mode):
        if not isinstance(mode, STLTXCont):
            raise TypeError(mode)
        self.builder = packet


class STLClient:
    """Forwards STUB_CAPACITY frames a second of both ports together, and sends at most STUB_GENERATOR of each."""

    def __init__(self, server):
        self.capacity = float(os.environ["STUB_CAPACITY"])
        self.generator = float(os.environ.get("STUB_GENERATOR", "inf"))
        self.streams, self.connected, self.owned, self.promiscuous = {}, False, set(), set()

    def connect(self):
        self.connected = True

    def disconnect(self):
        self.connected = False

    def acquire(self, ports, force=False):
        self.owned.update(ports)

    def get_port_info(self, ports):
        return [{"speed": 10} for _ in ports]

    def reset(self, ports):
        self.streams = {p: [] for p in ports}
        self.promiscuous.difference_update(ports)

    def set_port_attr(self, ports, promiscuous):
        (self.promiscuous.update if promiscuous else self.promiscuous.difference_update)(ports)

    def add_streams(self, streams, ports):
        for p in ports:
            self.streams[p].extend(streams)

    def clear_stats(self):
        self.stats = {p: {"opackets": 0, "ipackets": 0} for p in self.streams}

    def start(self, ports, mult, duration, force=False):
        if not self.connected or not self.owned.issuperset(ports) or not all(self.streams[p] for p in ports) or not mult.endswith("pps"):
            raise RuntimeError("not ready to start")
        asked = float(mult[:-3])
        rate = min(asked, self.generator)
        forwarded = min(1.0, self.capacity / (rate * len(ports)))
        for p in ports:
            self.stats[p]["opackets"] += int(rate * duration)
            if 1 - p in self.promiscuous:
                self.stats[1 - p]["ipackets"] += int(rate * duration * forwarded)

    def wait_on_traffic(self, ports, rx_delay_ms=None):
        pass

    def get_stats(self):
        return self.stats
