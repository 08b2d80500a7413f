#!/usr/bin/env python3
"""packets.py PROFILE COUNT [TUNABLE ...] prints packets of a profile, one a line in hexadecimal digits, as TRex would send them."""

import importlib
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.dirname(here)]

profile, count, tunables = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
streams = importlib.import_module(profile).register().get_streams(tunables=tunables)
for i in range(count):
    print(streams[i % len(streams)].builder.packet().hex())
