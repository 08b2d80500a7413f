package netdev

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"vxgw/internal/ethtool"
)

// Offloads returns the features of an interface by the kernel's names
// (net/ethtool/common.c, what `ethtool -k` prints where it has no nickname),
// and whether each is active.
func Offloads(name string) (map[string]bool, error) {
	now, err := ethtool.Active(name)
	if err != nil {
		return nil, fmt.Errorf("read offloads of %s: %w", name, err)
	}
	return now, nil
}

// SetOffloads switches features of an interface, recorded in j before, and
// returns the old values of those that it changed. A feature the interface
// does not know, or refuses to change, is an error, and then none is changed.
func SetOffloads(j *Journal, name string, want map[string]bool) (map[string]bool, error) {
	info, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	now, err := Offloads(name)
	if err != nil {
		return nil, err
	}
	old, todo := make(map[string]bool), make(map[string]bool)
	var changes []Change
	for _, f := range slices.Sorted(maps.Keys(want)) {
		is, known := now[f]
		if !known {
			return nil, fmt.Errorf("set offloads of %s: unknown feature %q (ethtool -k %s lists them)", name, f, name)
		}
		if is == want[f] {
			j.Adopt(KindOffload, info.ID(), f)
			continue
		}
		old[f], todo[f] = is, want[f]
		changes = append(changes, Change{
			Kind: KindOffload, Link: info.ID(), Feature: f,
			Old: strconv.FormatBool(is), New: strconv.FormatBool(want[f]),
		})
	}
	if len(changes) == 0 {
		return old, nil
	}
	if err := j.Record(changes...); err != nil {
		return nil, err
	}
	if err := change(name, todo); err != nil {
		return nil, errors.Join(append([]error{err}, j.takeBack(changes...)...)...)
	}
	return old, nil
}

// change switches features and checks that they are as asked: a driver may
// refuse in silence.
func change(name string, want map[string]bool) error {
	if err := ethtool.Change(name, want); err != nil {
		return fmt.Errorf("set offloads of %s: %w", name, withCure(err))
	}
	now, err := Offloads(name)
	if err != nil {
		return err
	}
	for _, f := range slices.Sorted(maps.Keys(want)) {
		if now[f] != want[f] {
			return fmt.Errorf("set offloads of %s: the driver keeps %s %s", name, f, onOff(now[f]))
		}
	}
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
