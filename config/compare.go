package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Changes are what makes one configuration of another. The VNIs are those of the two
// configurations and must not be changed.
type Changes struct {
	Fixed  []string // keys that differ and can only take effect at a start
	Level  string   // of the log, if that differs
	Add    []*VNI
	Remove []*VNI
	Change []VNIChange
}

// VNIChange is a bridge domain that is in both and not the same.
type VNIChange struct{ From, To *VNI }

// Compare says what turns from into to, both of them validated. The defaults for VNIs
// are no change by themselves: each VNI has its own whole settings.
func Compare(from, to *Config) Changes {
	c := Changes{Fixed: fixed(from, to)}
	if from.Log.Level != to.Log.Level {
		c.Level = to.Log.Level
	}
	was := make(map[uint32]*VNI, len(from.VNIs))
	for i := range from.VNIs {
		was[from.VNIs[i].VNI] = &from.VNIs[i]
	}
	for i := range to.VNIs {
		v := &to.VNIs[i]
		old := was[v.VNI]
		delete(was, v.VNI)
		if old == nil {
			c.Add = append(c.Add, v)
		} else if one := (VNIChange{old, v}); len(one.Keys()) > 0 {
			c.Change = append(c.Change, one)
		}
	}
	for i := range from.VNIs {
		if was[from.VNIs[i].VNI] != nil {
			c.Remove = append(c.Remove, &from.VNIs[i])
		}
	}
	return c
}

// fixed lists the settings of everything but the VNIs and their defaults that differ.
func fixed(from, to *Config) (keys []string) {
	a, b := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i := range a.NumField() {
		name := keyOf(a.Type().Field(i))
		switch section := a.Field(i); {
		case slices.Contains([]string{"vnis", "tunnel", "remotes"}, name):
		case section.Kind() == reflect.Struct:
			for j := range section.NumField() {
				if key := name + "." + keyOf(section.Type().Field(j)); key != "log.level" && !same(section.Field(j), b.Field(i).Field(j)) {
					keys = append(keys, key)
				}
			}
		case !same(section, b.Field(i)):
			keys = append(keys, name)
		}
	}
	return keys
}

func same(a, b reflect.Value) bool {
	if a.Comparable() {
		return a.Equal(b)
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// Keys lists the settings that differ, by their names in a file.
func (c VNIChange) Keys() (keys []string) {
	a, b := c.From, c.To
	for _, k := range []struct {
		name string
		same bool
	}{
		{"group", a.Group == b.Group},
		{"remotes", sameList(a.Remotes, b.Remotes)},
		{"device", sameDevice(a.Device, b.Device)},
		{"ports", slices.Equal(a.Ports, b.Ports)},
		{"learning", a.Learning == b.Learning},
		{"ageing", a.Ageing == b.Ageing},
		{"maxaddress", a.MaxAddress == b.MaxAddress},
		{"flood", a.Flood == b.Flood},
		{"bcast_flood", a.BcastFlood == b.BcastFlood},
		{"mcast_flood", a.MCastFlood == b.MCastFlood},
		{"storm", a.Storm == b.Storm},
		{"moves", a.Moves == b.Moves},
		{"neigh_suppress", a.NeighSuppress == b.NeighSuppress},
		{"neigh_forward_grat", a.NeighForwardGrat == b.NeighForwardGrat},
		{"neigh_ageing", a.NeighAgeing == b.NeighAgeing},
		{"maxneigh", a.MaxNeigh == b.MaxNeigh},
		{"neigh", slices.Equal(a.Neigh, b.Neigh)},
		{"allow", slices.Equal(a.Allow, b.Allow)},
		{"fdb", slices.Equal(a.FDB, b.FDB)},
		{"tunnel", a.Tunnel == b.Tunnel},
	} {
		if !k.same {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// sameList takes no time for lists that share their memory, as those of thousands of
// VNIs do.
func sameList[T comparable](a, b []T) bool {
	return sameMemory(a, b) || slices.Equal(a, b)
}

func sameMemory[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func sameDevice(a, b *Device) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name && a.MTU == b.MTU && slices.Equal(a.Addresses, b.Addresses)
}

// Empty says whether there is nothing to do.
func (c *Changes) Empty() bool {
	return c.Level == "" && len(c.Fixed)+len(c.Add)+len(c.Remove)+len(c.Change) == 0
}

// mostNamed is how many VNIs a summary names.
const mostNamed = 8

// String sums up what changes while the gateway runs, in one line.
func (c *Changes) String() string {
	var parts []string
	list := func(what string, vnis []*VNI) {
		var names []string
		for _, v := range vnis[:min(len(vnis), mostNamed)] {
			names = append(names, fmt.Sprint(v.VNI))
		}
		if len(names) > 0 {
			parts = append(parts, what+" vni "+strings.Join(names, ", ")+more(len(vnis)))
		}
	}
	list("added", c.Add)
	list("removed", c.Remove)
	for _, one := range c.Change[:min(len(c.Change), mostNamed)] {
		parts = append(parts, fmt.Sprintf("changed vni %d (%s)", one.To.VNI, strings.Join(one.Keys(), ", ")))
	}
	if len(c.Change) > mostNamed {
		parts[len(parts)-1] += more(len(c.Change))
	}
	if c.Level != "" {
		parts = append(parts, "log.level is "+c.Level)
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, "; ")
}

func more(n int) string {
	if n <= mostNamed {
		return ""
	}
	return fmt.Sprintf(" and %d more", n-mostNamed)
}
