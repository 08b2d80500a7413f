package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const flowMACs = "02:00:00:00:00:01,02:00:00:00:00:02"

// Words become the frame that they describe, in their places or with names, in any order.
func TestFlowBecomesFrame(t *testing.T) {
	const head = "020000000002" + "020000000001"
	zeros := func(n int) string { return strings.Repeat("00", n) }
	udp := head + "0800" + "4500002e0000000040112098" + "ac110102" + "ac110103" + "03e807d0001a99da" + zeros(18)
	for flow, want := range map[string]string{
		flowMACs:                           head + "88b5" + zeros(46),
		flowMACs + ",size=64":              head + "88b5" + zeros(50),
		flowMACs + ", ethertype=0x1234,10": head + "8100000a1234" + zeros(42),
		"02:00:00:00:00:01,broadcast,arp,172.17.1.2,172.17.1.3": "ffffffffffff020000000001" + "0806" +
			"0001080006040001" + "020000000001ac110102" + "000000000000ac110103" + zeros(18),
		flowMACs + ",172.17.1.2,172.17.1.3,udp,1000,2000":                                                                 udp,
		"proto=udp,dport=2000,sport=1000,ip_dst=172.17.1.3,ip_src=172.17.1.2,dst=02:00:00:00:00:02,src=02:00:00:00:00:01": udp,
		flowMACs + ",fe80::1,fe80::2,icmp,size=62": head + "86dd" + "6000000000083a40" +
			"fe80" + zeros(13) + "01" + "fe80" + zeros(13) + "02" + "800082b600010001",
		flowMACs + ",172.17.1.2,172.17.1.3,47,df,ttl=1,tos=0xb8,size=34": head + "0800" + "45b8001400004000012f1edc" + "ac110102" + "ac110103",
	} {
		f, err := parseFlow(flow)
		if err != nil {
			t.Errorf("%s: %v", flow, err)
			continue
		}
		got, err := f.frame()
		if err != nil {
			t.Errorf("%s: %v", flow, err)
		} else if d := cmp.Diff(want, hex.EncodeToString(got)); d != "" {
			t.Errorf("%s: %s", flow, d)
		}
	}
}

// What makes no frame is refused with the reason.
func TestFlowRefuses(t *testing.T) {
	for flow, want := range map[string]string{
		"":                                      "nothing between two commas",
		"02:00:00:00:00:01":                     "the destination MAC address is missing",
		"172.17.1.2,172.17.1.3":                 "the source MAC address is missing",
		"2:0,broadcast":                         `the source "2:0" is no MAC address`,
		flowMACs + ",":                          "nothing between two commas",
		flowMACs + ",172.17.1.2":                "both IP addresses are needed",
		flowMACs + ",172.17.1.2,fe80::1":        "not of one family",
		flowMACs + ",172.17.1.2,172.17.1.3,upd": `proto "upd" is unknown`,
		flowMACs + ",172.17.1.2,172.17.1.3,icmp,1,2":    "ports are those of tcp",
		flowMACs + ",172.17.1.2,172.17.1.3,udp,70000":   `"70000" is no number from 0 to 65535`,
		flowMACs + ",sport=70000":                       "no number from 0 to 65535",
		flowMACs + ",arp":                               "two IPv4 addresses",
		flowMACs + ",4096":                              "no number from 0 to 4095",
		flowMACs + ",vlan=1,vlan=2":                     "vlan is given twice",
		flowMACs + ",colour=red":                        "colour is not understood",
		flowMACs + ",172.17.1.2,172.17.1.3,udp,size=41": "less than the headers take, which is 42",
		flowMACs + ",size=70000":                        "no number from 0 to 65535",
	} {
		f, err := parseFlow(flow)
		if err == nil {
			_, err = f.frame()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", flow, err, want)
		}
	}
}

// Whatever the words are, they make a frame of at most the largest size, or an error.
func FuzzFlow(f *testing.F) {
	for _, s := range []string{flowMACs, flowMACs + ",10,172.17.1.2,172.17.1.3,tcp,1,2", "src=02:00:00:00:00:01,dst=broadcast,size=99,df=false", flowMACs + ",::1,fe80::2,sctp,1,2,ttl=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		flow, err := parseFlow(text)
		if err != nil {
			return
		}
		frame, err := flow.frame()
		if err != nil {
			return
		}
		if len(frame) < 14 || len(frame) > mostFlow || flow.size != 0 && len(frame) != flow.size {
			t.Errorf("%q became %d bytes", text, len(frame))
		}
		if got := hex.EncodeToString(frame[6:12]); got != hex.EncodeToString(flow.src) {
			t.Errorf("%q: source %s", text, got)
		}
	})
}
