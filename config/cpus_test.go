package config

import (
	"slices"
	"strings"
	"testing"
)

func TestCPUs(t *testing.T) {
	for text, want := range map[string]struct {
		cpus  CPUs
		again string
	}{
		"":            {nil, ""},
		"0":           {CPUs{0}, "0"},
		"2,4-7":       {CPUs{2, 4, 5, 6, 7}, "2,4-7"},
		"7,4-6,2":     {CPUs{2, 4, 5, 6, 7}, "2,4-7"},
		"1,2":         {CPUs{1, 2}, "1,2"},
		"8190-8191":   {CPUs{8190, 8191}, "8190,8191"},
		"3-3":         {CPUs{3}, "3"},
		"0-1,3,5-7,9": {CPUs{0, 1, 3, 5, 6, 7, 9}, "0,1,3,5-7,9"},
	} {
		var c CPUs
		if err := c.UnmarshalText([]byte(text)); err != nil || !slices.Equal(c, want.cpus) {
			t.Errorf("%q is %v, %v; want %v", text, c, err, want.cpus)
		}
		if again, err := c.MarshalText(); err != nil || string(again) != want.again {
			t.Errorf("%v is written as %q, %v; want %q", c, again, err, want.again)
		}
	}
	for text, want := range map[string]string{
		"x": "give one like", "1,": "give one like", "-1": "give one like", "3-1": "give one like", "1-": "give one like",
		"8192": "give one like", "1 ,2": "give one like", "+1": "give one like", "2,1-3": "CPU 2 twice", "99999999999999999999": "give one like",
	} {
		var c CPUs
		if err := c.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want one with %q", text, err, want)
		}
	}
}

func TestPollingIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"{poll: busy, cpus: 1, workers: 1}": "",
		"{cpus: '0,2'}":                     "",
		"{cpus: '0-1', workers: 3}":         "3 workers do not fit on 2 CPUs",
		"{poll: sometimes}":                 "give adaptive, busy, interrupt",
		"{cpus: [1]}":                       "dataplane.cpus",
	} {
		_, err := Parse([]byte("underlay: {iface: ens18}\nvnis: [{vni: 1}]\ndataplane: "+text), "f")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}
