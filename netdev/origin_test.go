package netdev

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
)

// twin makes a namespace for the test with the veth pair va, vb, which has the
// same indices and addresses each time.
func twin(t *testing.T) {
	t.Helper()
	enter(t)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = "va", net.HardwareAddr{2, 0, 0, 0, 0, 1}
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerHardwareAddr = "vb", net.HardwareAddr{2, 0, 0, 0, 0, 2}
	must(t, netlink.LinkAdd(veth))
}

// disarmed are undoers of the kind neigh that must not be called.
func disarmed(t *testing.T) map[Kind]Undoer {
	return map[Kind]Undoer{"neigh": func(c Change) error { t.Errorf("undone: %s", c); return nil }}
}

// discards opens a journal that must be foreign, and tries to undo it.
func discards(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path, disarmed(t))
	if f := new(ForeignError); !errors.As(err, &f) || f.Path != path {
		t.Fatalf("error %v, want that the journal is foreign", err)
	}
	if p := j.Pending(); len(p) > 0 {
		t.Errorf("pending: %v", p)
	}
	noErrors(t, j.Undo())
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
	return j
}

// A later namespace may have the path of the journal, and in it everything that
// the journal speaks of: nothing of that is touched.
func TestJournalOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	twin(t)
	j := journal(t)
	pair, err := CreatePair(j, "gw42", PairOptions{Queues: 1})
	must(t, err)
	_, err = SetOffloads(j, "va", map[string]bool{"tx-tcp-segmentation": false})
	must(t, err)
	must(t, j.Record(Change{Kind: "neigh", Link: LinkID{Name: "va"}}))
	far := link(t, pair.Far).Attrs().HardwareAddr

	twin(t)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "gw42"
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerHardwareAddr = "gw42-x", far
	must(t, netlink.LinkAdd(veth))
	must(t, change("va", map[string]bool{"tx-tcp-segmentation": false}))
	for _, c := range j.Pending() {
		if c.Link.Index == 0 {
			continue
		}
		if l, err := c.Link.Find(); err != nil || l == nil {
			t.Fatalf("%s has no twin here: this tests nothing (%v)", c, err)
		}
	}
	before := dump(t)
	next := discards(t, j.path)
	same(t, before)

	// What is recorded from now on is of this namespace.
	_, err = SetOffloads(next, "va", map[string]bool{"tx-tcp-segmentation": true})
	must(t, err)
	noErrors(t, open(t, j.path, nil).Undo())
	same(t, before)
}

// The namespace of pid 1 has the same cookie after each boot.
func TestJournalOfAnEarlierBoot(t *testing.T) {
	t.Parallel()
	j := journal(t)
	must(t, j.Record(Change{Kind: "neigh"}))
	text, err := os.ReadFile(j.path)
	must(t, err)
	before := j.origin
	before.Boot = "5a1f2c3d-0000-4000-8000-000000000000"
	head, err := encode(before, nil)
	must(t, err)
	_, changes, _ := bytes.Cut(text, []byte("\n"))
	must(t, os.WriteFile(j.path, append(head, changes...), 0o600))
	discards(t, j.path)
}
