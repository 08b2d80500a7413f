package lab

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newLab returns a lab that ends with the test. It skips without root, unless in CI.
func newLab(t *testing.T) *Lab {
	t.Helper()
	needRoot(t)
	l, err := New("gwlab")
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("network namespaces need root, and in CI they must be had")
	}
	t.Skip("network namespaces need root")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newTestHost(t *testing.T, l *Lab, name string) *Host {
	t.Helper()
	h, err := l.Host(name)
	must(t, err)
	return h
}

// pair is the article's first picture: two hosts whose ens18 are connected.
func pair(t *testing.T) (l *Lab, a, b *Host) {
	t.Helper()
	l = newLab(t)
	a, b = newTestHost(t, l, "node1"), newTestHost(t, l, "node2")
	must(t, l.Veth(a, "ens18", b, "ens18", VethOptions{}))
	for _, addr := range []string{"10.65.132.187/24", "fd00::187/64"} {
		must(t, a.AddAddress("ens18", addr))
	}
	for _, addr := range []string{"10.65.132.188/24", "fd00::188/64"} {
		must(t, b.AddAddress("ens18", addr))
	}
	return l, a, b
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// expectPing pings with patience: count requests, all answered, none twice or damaged.
func expectPing(t *testing.T, from *Host, dst string, opts PingOptions) {
	t.Helper()
	opts.Timeout = 10 * time.Second
	res, err := from.Ping(testContext(t), netip.MustParseAddr(dst), opts)
	must(t, err)
	if res.Received != res.Sent || res.Sent == 0 || res.Duplicates != 0 || res.Corrupt != 0 || len(res.Errors) != 0 {
		t.Fatalf("ping %s from %s: %+v", dst, from.Name(), res)
	}
}

func TestNewRefuses(t *testing.T) {
	needRoot(t)
	for _, prefix := range []string{"", "GW", "gw-12", "gw-", "-gw", "gw_x", "../gw"} {
		if l, err := New(prefix); err == nil {
			t.Errorf("New(%q) made %s", prefix, l.Name())
			l.Close()
		}
	}
	l := newLab(t)
	for _, name := range []string{"", "a/b", "..", "a b"} {
		if _, err := l.Host(name); err == nil {
			t.Errorf("Host(%q) succeeded", name)
		}
	}
	newTestHost(t, l, "twice")
	if _, err := l.Host("twice"); err == nil {
		t.Error("two hosts with one name")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	needRoot(t)
	l, err := New("gwlab")
	must(t, err)
	a := newTestHost(t, l, "a")
	if _, err := os.Stat(filepath.Join(netnsDir, a.NSName())); err != nil {
		t.Errorf("ip netns does not see the host: %v", err)
	}
	b := newTestHost(t, l, "b")
	must(t, l.Veth(a, "e0", b, "e0", VethOptions{}))
	must(t, l.Close())
	must(t, l.Close())
	for _, dir := range []string{netnsDir, claimDir} {
		left, err := filepath.Glob(filepath.Join(dir, l.Name()+"*"))
		must(t, err)
		if len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	if strings.Contains(string(mounts), l.Name()+"-") {
		t.Errorf("still mounted: %s", l.Name())
	}
	if _, err := l.Host("late"); err == nil {
		t.Error("a closed lab makes hosts")
	}
}
