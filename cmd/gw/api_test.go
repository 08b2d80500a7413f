package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"vxgw/control"
)

func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	leaveSocket(t, socketOf(t, h, "veth1"))
	t.Cleanup(func() { os.Remove(socketOf(t, h, "veth1")) })
	refuse(t, h, []refusal{
		{name: "status", args: []string{"status"}, status: 1, want: []string{"no gw answers", "is it running?"}},
		{name: "status that waits", args: []string{"status", "--wait", "300ms"}, status: 1, want: []string{"no gw answers", "is it running?"}},
		{name: "fdb", args: []string{"fdb", "show"}, status: 1, want: []string{"no gw answers", "is it running?"}},
		{name: "fdb of an underlay", args: []string{"fdb", "show", "--iface", "ens18"}, status: 1, want: []string{socketOf(t, h, "ens18"), "no gw answers"}},
		{name: "fdb of a killed one", args: []string{"fdb", "show", "--iface", "veth1"}, status: 1, want: []string{socketOf(t, h, "veth1"), "no gw answers"}},
		{name: "control", args: []string{"status", "--control", "/nowhere/gw.sock"}, status: 1, want: []string{"/nowhere/gw.sock", "no gw answers"}},
	})
}

// TestWait asks before there is anything to ask.
func TestWait(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	c := command(testContext(t), h, "status", "--wait", patience.String(), "-j")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	must(t, c.Start())
	g := start(t, h, everything()...)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &errs)
	}
	var s control.Status
	must(t, json.Unmarshal(out.Bytes(), &s))
	if !s.Ready || s.PID != g.cmd.Process.Pid || s.Underlay.Name != "ens18" || s.Underlay.Local != "10.65.132.187" {
		t.Errorf("it waited for %s", &out)
	}
	g.stop()
}

func TestStatus(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	g := start(t, h, everything()...)
	eventually(t, func() string {
		pings(t, h, peerAddress) // by way of the kernel as long as gw has not heard who the neighbour is
		text := output(t, h, "status")
		for _, w := range []string{"underlay 10.65.132.187:4789", "device gw42 of vni 42", "port of vni 42", "224.1.1.1", "10.65.132.188", "to_remote"} {
			if !strings.Contains(text, w) {
				return fmt.Sprintf("gw status lacks %q:\n%s", w, text)
			}
		}
		return ""
	})
	d := json.NewDecoder(strings.NewReader(output(t, h, "status", "-j")))
	d.DisallowUnknownFields()
	var s control.Status
	must(t, d.Decode(&s))
	if len(s.Ports) != 2 || len(s.VNIs) != 1 || s.VNIs[0].Group != "224.1.1.1" || len(s.Problems) > 0 {
		t.Errorf("gw status -j: %+v", s)
	}
	if other := output(t, h, "status", "-j", "--iface", "ens18"); !strings.Contains(other, fmt.Sprintf(`"pid": %d`, g.cmd.Process.Pid)) {
		t.Errorf("gw status -j --iface ens18: %s", other)
	}

	path := socketOf(t, h, "ens18")
	info, err := os.Stat(path)
	must(t, err)
	if got, want := info.Mode(), fs.ModeSocket|0o660; got != want {
		t.Errorf("the socket's mode is %v, want %v", got, want)
	}
	for _, r := range []struct {
		request string
		status  int
	}{
		{"GET /v1/status", http.StatusOK},
		{"GET /v1/fdb", http.StatusOK},
		{"GET /", http.StatusNotFound},
		{"GET /v1/nothing", http.StatusNotFound},
		{"GET /v1/status/more", http.StatusNotFound},
		{"POST /v1/status", http.StatusMethodNotAllowed},
		{"DELETE /v1/fdb", http.StatusMethodNotAllowed},
		{"GET /v1/fdb/add", http.StatusMethodNotAllowed},
		{"POST /v1/fdb/add", http.StatusBadRequest},
		{"POST /v1/fdb/nothing", http.StatusNotFound},
	} {
		if status := ask(t, path, r.request); status != r.status {
			t.Errorf("%s: %d, want %d", r.request, status, r.status)
		}
	}
	// What is no HTTP harms nobody.
	for _, junk := range []string{"\x00\xff", "GET", strings.Repeat("x", 1<<20)} {
		c, err := net.Dial("unix", path)
		must(t, err)
		_, _ = c.Write([]byte(junk)) // it may be refused half way
		c.Close()
	}
	g.status()
	g.stop()
}

// ask sends one line as curl --unix-socket would and returns the status code.
func ask(t *testing.T, path, request string) int {
	t.Helper()
	c, err := net.Dial("unix", path)
	must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", request)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		var v any
		if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s answers %s, %v", request, resp.Header.Get("Content-Type"), err)
		}
	}
	return resp.StatusCode
}

func TestTwoGateways(t *testing.T) {
	t.Parallel()
	_, h, peer := newUnderlay(t)
	must(t, h.AddAddress("veth1", "10.65.133.187/24"))
	must(t, peer.AddAddress("veth1", "10.65.133.188/24"))
	before := dump(t, h)
	a := prepare(t, h, on("--address", "172.17.1.2/24")...)
	b := prepare(t, h, "--iface", "veth1", "--vni", "43", "--metrics", "", "--address", "172.17.2.2/24")
	a.control, b.control = socketOf(t, h, "ens18"), socketOf(t, h, "veth1")
	a.begin()
	b.begin()
	a.ready()
	b.ready()
	refuse(t, h, []refusal{
		{name: "status", args: []string{"status"}, status: 2, want: []string{"several gateways", "--iface ens18", "--iface veth1"}},
		{name: "fdb", args: []string{"fdb", "show"}, status: 2, want: []string{"several gateways"}},
	})
	for iface, dev := range map[string]string{"ens18": "gw42", "veth1": "gw43"} {
		if out := output(t, h, "fdb", "show", "--iface", iface); !strings.Contains(out, " dev "+dev+" ") {
			t.Errorf("gw fdb show --iface %s: %s", iface, out)
		}
	}
	a.stop()
	output(t, h, "status")
	b.stop()
	clean(t, before, h)
}

// TestStatusWhileStopping asks all the time: each answer is one, or says that there
// is no gateway.
func TestStatusWhileStopping(t *testing.T) {
	t.Parallel()
	h, peer := newPoint(t)
	defer traffic(t, peer, ourAddress)()
	ctx := testContext(t)
	for range 3 {
		g := start(t, h, everything()...)
		quit := make(chan struct{})
		var asking sync.WaitGroup
		for i := range 4 {
			asking.Go(func() {
				for {
					select {
					case <-quit:
						return
					default:
					}
					if i%2 == 0 {
						_, _ = g.client.Status(ctx)
					} else {
						_, _ = g.client.FDB(ctx)
					}
				}
			})
		}
		g.stop()
		stdout, stderr, status := runGW(t, h, "status")
		if status != 1 || stdout != "" {
			t.Errorf("exit status %d, %s", status, stdout)
		}
		onlyLine(t, stderr)
		close(quit)
		asking.Wait()
	}
}
