package netdev

import (
	"errors"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinkID tells one interface from another that has its name later.
type LinkID struct {
	// Name is for people, and for pairs; the interface may be renamed.
	Name string `json:"name,omitempty"`
	// Index is never given again while the namespace lives, but namespaces
	// come and go under one path, so MAC must match too. It is 0 for pairs,
	// which are recorded before they have one.
	Index int `json:"index,omitempty"`
	// MAC is the permanent address where there is one, since the other may
	// be changed by its owner.
	MAC string `json:"mac,omitempty"`
}

// ID returns what tells this interface from others.
func (i *Info) ID() LinkID {
	mac := i.MAC
	if len(i.Permanent) > 0 {
		mac = i.Permanent
	}
	return LinkID{Name: i.Name, Index: i.Index, MAC: mac.String()}
}

// Find returns the interface that id names, under whatever name it has now,
// or nil where it is gone or another one has taken its place.
func (id LinkID) Find() (netlink.Link, error) {
	link, err := netlink.LinkByIndex(id.Index)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := link.Attrs()
	mac := a.HardwareAddr
	if len(a.PermHWAddr) > 0 {
		mac = a.PermHWAddr
	}
	if mac.String() != id.MAC {
		return nil, nil
	}
	return link, nil
}

// String names a change for messages.
func (c Change) String() string {
	what := string(c.Kind)
	for _, s := range []string{c.Feature, c.Link.Name} {
		if s != "" {
			what += " " + s
		}
	}
	return what
}

// undoOne puts one change back, if it is still as gw left it.
func (j *Journal) undoOne(c Change) error {
	switch c.Kind {
	case KindPair:
		return undoPair(c)
	case KindOffload:
		return undoOffload(c)
	case KindSysfs:
		return j.undoSysfs(c)
	}
	if undo, ok := j.undoers[c.Kind]; ok {
		return undo(c)
	}
	return errors.New("unknown kind of change (written by a newer gw?)")
}

// undoPair removes a pair by its far end, which nobody renames or moves away,
// and whose address was made up for it alone.
func undoPair(c Change) error {
	link, err := netlink.LinkByName(c.Link.Name + farEnd)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if link.Type() != "veth" || link.Attrs().HardwareAddr.String() != c.Link.MAC {
		return nil
	}
	if err := netlink.LinkDel(link); err != nil && !gone(err) {
		return withCure(err)
	}
	return nil
}

func undoOffload(c Change) error {
	link, err := c.Link.Find()
	if link == nil {
		return err
	}
	name := link.Attrs().Name
	now, err := Offloads(name)
	if err != nil {
		return err
	}
	if on, ok := now[c.Feature]; !ok || strconv.FormatBool(on) != c.New {
		return nil
	}
	return change(name, map[string]bool{c.Feature: c.Old == "true"})
}

// undoSysfs writes the old value back.
func (j *Journal) undoSysfs(c Change) error {
	link, err := c.Link.Find()
	if link == nil {
		return err
	}
	if j.noSys != nil {
		return j.noSys
	}
	id := LinkID{Name: link.Attrs().Name, Index: c.Link.Index}
	now, err := j.sys.read(id, c.Feature)
	if err != nil || now != c.New {
		return err
	}
	return j.sys.write(id, c.Feature, c.Old)
}

// gone says whether err is that an interface does not exist.
func gone(err error) bool {
	return errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, unix.ENODEV)
}
