package bench

// Goals of gw's own, which are no ratio to anybody else.

// own are those, each with its value in a turn of gw; ok is false where it has none.
var own = []struct {
	of    string
	goal  goalOf
	value func(Turn) (v float64, ok bool)
}{
	{ofSyscalls, goalOf{id: "S11", must: round3(1.0 / 64), aim: round3(1.0 / 192), below: true}, func(t Turn) (float64, bool) {
		n, ok := t.Syscalls["all"]
		return n, ok
	}},
	{ofIdle, goalOf{id: "idle", must: 0.01, aim: 0.001, below: true}, func(t Turn) (float64, bool) {
		if t.Idle == nil {
			return 0, false
		}
		return *t.Idle, true
	}},
	// The generator sends many times what gw can carry: what comes through then, over what came through without loss.
	{ofOverload, goalOf{id: "overload", must: 0.95, aim: 1}, func(t Turn) (float64, bool) {
		if t.Lossless == 0 {
			return 0, false
		}
		return t.Rate / t.Lossless, true
	}},
}

// compareOwn compares gw with its own goals.
func compareOwn(rounds []map[string]Turn) (all []Comparison) {
	for _, o := range own {
		c := Comparison{Name: "gw", Of: o.of, ID: o.goal.id, Must: o.goal.must, Aim: o.goal.aim, Below: o.goal.below}
		for _, round := range rounds {
			t, ok := round["gw"]
			if !ok {
				continue
			}
			v, ok := o.value(t)
			switch {
			case !ok:
			case t.Steal > maxSteal:
				c.Thrown++
			default:
				c.Ratios = append(c.Ratios, round4(v))
			}
		}
		if len(c.Ratios)+c.Thrown == 0 {
			continue
		}
		c.judge()
		all = append(all, c)
	}
	return all
}
