package config

import "time"

// Moves says when an address that several places claim is frozen where it is.
type Moves struct {
	// Limit is so many moves within a time, from the first of them on. Default 0: never.
	Limit uint32 `yaml:"limit" json:"limit"`
	// Within is that time, in whole seconds. Default 180s, as switches have it.
	Within Duration `yaml:"within" json:"within"`
	// Freeze is how long the address stays, in whole seconds. Default 0s: until its entry
	// ages out or somebody deletes it.
	Freeze Duration `yaml:"freeze" json:"freeze"`
}

// mostSeconds bounds a time that is counted in 32 bits.
const mostSeconds = 1<<31 - 1

func (m *Moves) check(path string, vni uint32) *problem {
	for _, d := range []struct {
		key   string
		value Duration
		least time.Duration
	}{{"within", m.Within, time.Second}, {"freeze", m.Freeze, 0}} {
		v := time.Duration(d.value)
		if v < d.least || v%time.Second != 0 || v > mostSeconds*time.Second {
			least := ""
			if d.least > 0 {
				least = ", at least 1s"
			}
			return wrong(path+"."+d.key, "vni %d: moves: %s %s is out of range (give whole seconds%s)", vni, d.key, v, least)
		}
	}
	return nil
}

// Seconds is a duration in whole seconds.
func (d Duration) Seconds() uint32 { return uint32(time.Duration(d) / time.Second) }
