package bench

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

// The programs of traffic.c, compiled and committed as those of package bpf are. BPF_OUT is
// bpf/check.sh's temporary folder; empty means here.
//
//go:generate go tool bpf2go -target bpfel,bpfeb -no-global-types -output-dir "$BPF_OUT" -output-stem traffic -cflags "-mcpu=v3 -Wall -Wextra -Werror" trafficProg traffic.c

// loadEnd loads what the fields of into ask for, with constants set and the schedule as
// long as entries.
func loadEnd(into any, constants map[string]any, entries int) error {
	if err := rlimit.RemoveMemlock(); err != nil {
		return err
	}
	spec, err := loadTrafficProg()
	if err != nil {
		return err
	}
	spec.Maps[trafficProgMapSchedule].MaxEntries = uint32(entries)
	for _, name := range slices.Sorted(maps.Keys(constants)) {
		if err := spec.Variables[name].Set(constants[name]); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	if err := spec.LoadAndAssign(into, nil); err != nil {
		var verifier *ebpf.VerifierError
		if errors.As(err, &verifier) {
			return fmt.Errorf("%+v", verifier)
		}
		return err
	}
	return nil
}

// closeAll closes what is there.
func closeAll(all ...io.Closer) error {
	var errs []error
	for _, c := range all {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
