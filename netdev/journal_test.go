package netdev

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

func open(t *testing.T, path string, undoers map[Kind]Undoer) *Journal {
	t.Helper()
	j, err := OpenJournal(path, undoers)
	must(t, err)
	return j
}

// What a run records, the next one undoes: latest first, each once, and what
// fails is kept for another try.
func TestJournalUndo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gw", "u.state")
	change := func(data string) Change { return Change{Kind: "neigh", Data: json.RawMessage(data)} }
	j := open(t, path, nil)
	must(t, j.Record(change("1"), change("2")))
	must(t, j.Record(change("3")))
	before := j.Pending()

	var undone []string
	broken := "2"
	j = open(t, path, map[Kind]Undoer{"neigh": func(c Change) error {
		if string(c.Data) == broken {
			return errors.New("no luck")
		}
		undone = append(undone, string(c.Data))
		return nil
	}})
	if d := cmp.Diff(before, j.Pending()); d != "" {
		t.Fatalf("read back (-want +got):\n%s", d)
	}
	if errs := j.Undo(); len(errs) != 1 || errs[0].Error() != "undo neigh: no luck" {
		t.Errorf("errors %v", errs)
	}
	if d := cmp.Diff(before[1:2], open(t, path, nil).Pending()); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
	broken = ""
	noErrors(t, j.Undo())
	noErrors(t, j.Undo())
	if d := cmp.Diff([]string{"3", "1", "2"}, undone); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
}

func TestJournalUndoLink(t *testing.T) {
	t.Parallel()
	var undone []string
	j := open(t, filepath.Join(t.TempDir(), "u.state"), map[Kind]Undoer{"k": func(c Change) error {
		undone = append(undone, c.Link.Name+c.Old)
		return nil
	}})
	for _, n := range []string{"a1", "b1", "a2", "b2"} {
		must(t, j.Record(Change{Kind: "k", Link: LinkID{Name: n[:1]}, Old: n[1:]}))
	}
	noErrors(t, j.UndoLink("a"))
	if d := cmp.Diff([]string{"a2", "a1"}, undone); d != "" || len(j.Pending()) != 2 {
		t.Errorf("%s %v", d, j.Pending())
	}
}

func TestJournalUnknownKind(t *testing.T) {
	t.Parallel()
	j := open(t, filepath.Join(t.TempDir(), "u.state"), nil)
	must(t, j.Record(Change{Kind: "later", Link: LinkID{Name: "va"}}))
	errs := j.Undo()
	if len(errs) != 1 || errs[0].Error() != "undo later va: unknown kind of change (written by a newer gw?)" || len(j.Pending()) != 1 {
		t.Errorf("%v %v", errs, j.Pending())
	}
}

// Whatever the file holds: the good lines count, the bad ones are kept aside.
func TestJournalCorrupt(t *testing.T) {
	t.Parallel()
	now, err := here()
	must(t, err)
	none, err := encode(now, nil)
	must(t, err)
	head, good := string(none), `{"kind":"k","old":"1"}`+"\n"
	for text, want := range map[string]struct{ good, bad int }{
		"":                                  {0, 0},
		head:                                {0, 0},
		head + good:                         {1, 0},
		head + good + `{"kind":"k","ol`:     {1, 1},
		head + "\x00\x00\n" + good + "[]\n": {1, 2},
		head + "{}\n":                       {0, 1},
		head + "\n":                         {0, 1},
		// Nobody knows where these were made.
		good:                 {0, 1},
		head[1:] + good:      {0, 2},
		"{}\n" + head + good: {0, 3},
		"\x00\x00\n" + good:  {0, 2},
	} {
		path := filepath.Join(t.TempDir(), "u.state")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		j, err := OpenJournal(path, nil)
		if j == nil || len(j.Pending()) != want.good {
			t.Errorf("%q: %v, %v", text, j, err)
			continue
		}
		var c *CorruptError
		if errors.As(err, &c) != (want.bad > 0) || (c != nil && c.Lines != want.bad) {
			t.Errorf("%q: %v, want %d bad lines", text, err, want.bad)
		}
		if c != nil {
			if kept, err := os.ReadFile(c.Kept); err != nil || string(kept) != text {
				t.Errorf("%q: kept %q %v", text, kept, err)
			}
			if _, err := OpenJournal(path, nil); err != nil {
				t.Errorf("%q: a second start: %v", text, err)
			}
		}
	}
	if _, err := OpenJournal(t.TempDir(), nil); err == nil {
		t.Error("a folder is no journal")
	}
}

// What can be read is written and read back the same.
func FuzzJournal(f *testing.F) {
	const head = `{"boot":"b","netns":7}` + "\n"
	f.Add([]byte(head + `{"kind":"pair","link":{"name":"gw42","mac":"02:00:00:00:00:01"}}` + "\n"))
	f.Add([]byte(head + `{"kind":"k","data":{"a":[1]}}` + "\n{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		from, changes, _ := decode(text)
		if from.Cookie == 0 {
			return
		}
		again, err := encode(from, changes)
		must(t, err)
		same, got, bad := decode(again)
		if d := cmp.Diff(changes, got, compact); d != "" || bad != 0 || same != from {
			t.Fatalf("%d bad lines, from %v and %v (-first +again):\n%s", bad, from, same, d)
		}
	})
}

// compact compares data of others without its white space, which the journal
// does not keep.
var compact = cmp.Transformer("compact", func(m json.RawMessage) string {
	var b bytes.Buffer
	if len(m) == 0 || json.Compact(&b, m) != nil {
		return string(m)
	}
	return b.String()
})

// A killed run leaves everything; the next one puts everything back, once.
func TestJournalAfterKill(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	before, j := dump(t), journal(t)
	_, err := CreatePair(j, "gw42", PairOptions{Queues: 1})
	must(t, err)
	_, err = SetOffloads(j, "va", map[string]bool{"tx-tcp-segmentation": false})
	must(t, err)
	next := open(t, j.path, nil)
	noErrors(t, next.Undo())
	same(t, before)
}

// A pair of a killed run is replaced; one of this run is not.
func TestCreatePairAfterKill(t *testing.T) {
	t.Parallel()
	enter(t)
	before, j := dump(t), journal(t)
	old, err := CreatePair(j, "gw42", PairOptions{Queues: 1})
	must(t, err)
	if _, err := CreatePair(j, "gw42", PairOptions{Queues: 1}); err == nil {
		t.Error("a pair in use was replaced")
	}
	next := open(t, j.path, nil)
	p, err := CreatePair(next, "gw42", PairOptions{Queues: 1})
	must(t, err)
	if p.Index == old.Index {
		t.Error("the old pair is still there")
	}
	if _, err := CreatePair(next, "gw42", PairOptions{Queues: 1}); err == nil {
		t.Error("a pair in use was replaced after all")
	}
	must(t, p.Remove())
	same(t, before)
}

// Interfaces that were deleted and made again, by others, under the same
// names are not touched.
func TestJournalRemade(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	j := journal(t)
	_, err := CreatePair(j, "gw42", PairOptions{Queues: 1})
	must(t, err)
	_, err = SetOffloads(j, "va", map[string]bool{"tx-tcp-segmentation": false})
	must(t, err)
	index := link(t, "va").Attrs().Index
	must(t, netlink.LinkDel(link(t, "va")))
	must(t, netlink.LinkDel(link(t, "gw42")))

	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index = "va", index // the same index too: only the MAC tells
	veth := netlink.NewVeth(attrs)
	veth.PeerName = "vb"
	must(t, netlink.LinkAdd(veth))
	addVeth(t, "gw42", "gw42-x")
	must(t, change("va", map[string]bool{"tx-tcp-segmentation": false}))
	before := dump(t)
	noErrors(t, j.Undo())
	same(t, before)
	if left := j.Pending(); len(left) > 0 {
		t.Errorf("journal: %v", left)
	}
}

// What its owner changed meanwhile is the owner's.
func TestJournalChangedMeanwhile(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	root, err := openSysfs()
	must(t, err)
	defer root.Close()
	info, err := Lookup("va")
	must(t, err)
	for name, c := range map[string]struct{ now, want string }{
		"as gw left it": {"200000", "0"},
		"changed":       {"5", "5"},
	} {
		j := journal(t)
		must(t, root.write(info.ID(), "gro_flush_timeout", "0"))
		must(t, DeferInterrupts(j, info))
		must(t, root.write(info.ID(), "gro_flush_timeout", c.now))
		noErrors(t, j.Undo())
		if got, err := root.read(info.ID(), "gro_flush_timeout"); err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", name, got, err, c.want)
		}
		must(t, root.write(info.ID(), "gro_flush_timeout", "0"))
	}
	// Of an interface that is gone nothing, although another has its name.
	j := journal(t)
	must(t, DeferInterrupts(j, info))
	link, err := netlink.LinkByName("va")
	must(t, err)
	must(t, netlink.LinkDel(link))
	addVeth(t, "va", "vb")
	other, err := Lookup("va")
	must(t, err)
	must(t, root.write(other.ID(), "gro_flush_timeout", "200000"))
	noErrors(t, j.Undo())
	if got, err := root.read(other.ID(), "gro_flush_timeout"); err != nil || got != "200000" {
		t.Errorf("the other interface has %q %v", got, err)
	}
}
