package netdev

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
)

// How interfaces go from one gateway to the next without a change:
//
//	the old one   Leave       what it has made or changed stays, and in the journal
//	the new one   Adopt...    what it wants as it is becomes its own
//	              UndoLeft    the rest is put back

// Leave has interfaces stay as they are from now on, whatever is to be undone: another gateway is to adopt them. Changes of
// kinds that others undo are undone as ever.
func (j *Journal) Leave() { j.leave(true) }

// Stay is the reverse: there is no other gateway.
func (j *Journal) Stay() { j.leave(false) }

func (j *Journal) leave(leaving bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.leaving = leaving
}

// stays says whether a change is one to an interface, which the next gateway would make again.
func (c Change) stays() bool {
	return c.Kind == KindPair || c.Kind == KindOffload || c.Kind == KindSysfs
}

// Adopt makes a change this gateway's own that the one before has left, so that it is undone when those of this gateway
// are. It reports whether there is one.
func (j *Journal) Adopt(kind Kind, link LinkID, feature string) bool {
	_, ok := j.adopt(func(c Change) bool {
		return c.Kind == kind && c.Feature == feature && c.Link.Index == link.Index && c.Link.MAC == link.MAC
	})
	return ok
}

func (j *Journal) adopt(match func(Change) bool) (Change, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.IndexFunc(j.changes[:j.left], match)
	if i < 0 {
		return Change{}, false
	}
	c := j.changes[i]
	j.changes = append(slices.Delete(j.changes, i, i+1), c)
	j.left--
	return c, true
}

// UndoLeft puts back what nobody has adopted.
func (j *Journal) UndoLeft() []error {
	return j.undo(func(left bool, _ Change) bool { return left })
}

// Origin tells the calling thread's network namespace, of this boot, from every other one.
func Origin() (string, error) {
	o, err := here()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/%d", o.Boot, o.Cookie), nil
}

// AdoptPair makes a veth pair this gateway's own that the one before has left, with whatever it has: addresses, routes,
// neighbours, MTU. It returns nil where there is none, or the host's end is not here under its name: CreatePair makes
// another one then.
func AdoptPair(j *Journal, name string) (*Pair, error) {
	var far netlink.Link
	var problem error
	c, ok := j.adopt(func(c Change) bool {
		if c.Kind != KindPair || c.Link.Name != name || far != nil || problem != nil {
			return false
		}
		far, problem = pairOf(c)
		return far != nil
	})
	if !ok || problem != nil {
		return nil, problem
	}
	return &Pair{Name: name, Index: far.Attrs().ParentIndex, Far: FarEnd(name), FarIndex: far.Attrs().Index, journal: j, recording: c}, nil
}

// pairOf returns the far end of a pair, or nil where the pair is not as it was made.
func pairOf(c Change) (netlink.Link, error) {
	far, err := netlink.LinkByName(FarEnd(c.Link.Name))
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", FarEnd(c.Link.Name), err)
	}
	a := far.Attrs()
	if far.Type() != "veth" || a.HardwareAddr.String() != c.Link.MAC || a.NetNsID >= 0 {
		return nil, nil
	}
	host, err := netlink.LinkByIndex(a.ParentIndex)
	if gone(err) || err == nil && host.Attrs().Name != c.Link.Name {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find device %s: %w", c.Link.Name, err)
	}
	return far, nil
}
