#!/usr/bin/env python3
"""Throughput of gw between two NICs as RFC 2544 section 26.1 has it: for each frame size the highest rate at which no more than the
tolerance is lost, found by halving.

    ./rfc2544.py --server 192.0.2.1 -t --macs 1000000 --gw-mac 3c:fd:fe:00:00:01

Needs a TRex server in stateless mode (./t-rex-64 -i), port 0 cabled to gw's port, port 1 to gw's underlay. PYTHONPATH has to have
TRex's scripts/automation/trex_control_plane/interactive.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import plain
import vxlan
from trex_stl_lib.api import STLClient

SIZES = (64, 128, 256, 512, 1024, 1280, 1518)  # RFC 2544 section 9.1
PREAMBLE = 20  # bytes on the wire beside a frame: preamble, delimiter, gap
ENCAP, DECAP = 0, 1  # the TRex port that sends


class GeneratorTooSlow(Exception):
    """TRex itself did not send what it was to: the result would be its own."""


def line_rate(bits, sizes):
    """Frames a second of a wire, for the longest that cross it."""
    return bits / 8 / (max(sizes) + PREAMBLE)


class Bench:
    def __init__(self, client, seconds, tunables):
        self.client, self.seconds, self.tunables = client, seconds, list(tunables)

    def prepare(self, size):
        """Gives both ports their streams, and lets gw learn both sides, slowly: unknown addresses are flooded."""
        self.client.reset(ports=[0, 1])
        self.client.set_port_attr(ports=[0, 1], promiscuous=True)  # frames arrive for many stations
        tunables = self.tunables + ["--size", str(size)]
        self.client.add_streams(plain.register().get_streams(tunables=tunables), ports=[0])
        self.client.add_streams(vxlan.register().get_streams(tunables=tunables), ports=[1])

    def learn(self, rate, seconds):
        for port in (ENCAP, DECAP):
            self.trial([port], rate, seconds)

    def trial(self, ports, rate, seconds=None):
        """Sends at a rate (frames a second, of each port) and returns how many were sent and how many of them arrived."""
        seconds = seconds or self.seconds
        self.client.clear_stats()
        self.client.start(ports=ports, mult="%dpps" % rate, duration=seconds, force=True)
        self.client.wait_on_traffic(ports=ports, rx_delay_ms=500)
        stats = self.client.get_stats()
        sent = sum(stats[p]["opackets"] for p in ports)
        arrived = sum(stats[1 - p]["ipackets"] for p in ports)
        wanted = rate * seconds * len(ports)
        if sent < 0.99 * wanted:
            raise GeneratorTooSlow("TRex sent %d of %d frames" % (sent, wanted))
        return sent, min(arrived, sent)

    def search(self, ports, highest, tolerance, precision, told=lambda *_: None):
        """The highest rate, to precision (a part of highest), with at most tolerance lost (a part too); 0 if there is none."""
        low, high = 0.0, float(highest)
        rate = high
        while True:
            sent, arrived = self.trial(ports, int(rate))
            lost = (sent - arrived) / max(sent, 1)
            told(int(rate), lost)
            if lost <= tolerance:
                low = rate
            else:
                high = rate
            if rate == highest and low == rate or high - low <= precision * highest:
                return int(low)
            rate = (low + high) / 2


def main(args=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--server", default="127.0.0.1")
    p.add_argument("--sizes", default=",".join(map(str, SIZES)), help="bytes of a frame before encapsulation, with its checksum")
    p.add_argument("--seconds", type=float, default=60, help="of a trial; RFC 2544 wants 60 at least")
    p.add_argument("--tolerance", type=float, default=0, help="lost frames, per cent; RFC 2544 wants 0")
    p.add_argument("--precision", type=float, default=0.5, help="per cent of the line rate")
    p.add_argument("--line", type=float, default=0, help="Gbit/s of the wires (default: as TRex says)")
    p.add_argument("--directions", default="encap,decap,both")
    p.add_argument("--learn", type=float, default=5, help="seconds in which gw learns each side before each size")
    p.add_argument("-t", dest="tunables", nargs=argparse.REMAINDER, default=[], help="for plain.py and vxlan.py, last")
    a = p.parse_args(args)
    ways = {"encap": [ENCAP], "decap": [DECAP], "both": [ENCAP, DECAP]}
    for d in a.directions.split(","):
        if d not in ways:
            p.error("--directions: %s is none of %s" % (d, ", ".join(ways)))

    client = STLClient(server=a.server)
    client.connect()
    found = []
    try:
        client.acquire(ports=[0, 1], force=True)
        bits = 1e9 * (a.line or client.get_port_info(ports=[0])[0]["speed"])
        bench = Bench(client, a.seconds, a.tunables)
        for size in map(int, a.sizes.split(",")):
            bench.prepare(size)
            highest = line_rate(bits, [size, size + vxlan.OVERHEAD])
            bench.learn(max(highest / 100, 1000), a.learn)
            for d in a.directions.split(","):
                def told(rate, lost):
                    print("  %5d bytes %-5s %12d/s  %9.5f %% lost" % (size, d, rate, 100 * lost), file=sys.stderr)
                try:
                    rate = bench.search(ways[d], highest, a.tolerance / 100, a.precision / 100, told)
                except GeneratorTooSlow as e:
                    print("%d bytes %s: %s" % (size, d, e), file=sys.stderr)
                    return 1
                found.append({"size": size, "direction": d, "frames_per_second": rate * len(ways[d]), "of_line": round(rate / highest, 4)})
        client.reset(ports=[0, 1])
    finally:
        client.disconnect()
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
