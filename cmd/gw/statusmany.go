package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"vxgw/control"
)

// A status is readable however much there is: each table has at most so many lines,
// those that somebody has to look after first.

const (
	mostRows     = 50
	mostProblems = 10
	mostNames    = 8 // in one column
)

// urgent returns the rows to show, in their order unless there are too many, and how
// many more there are. trouble ranks them, the highest first; nil ranks all the same.
func urgent[T any](rows []T, trouble func(*T) int) (shown []T, more int) {
	if len(rows) <= mostRows {
		return rows, 0
	}
	if trouble != nil {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b T) int { return trouble(&b) - trouble(&a) })
	}
	return rows[:mostRows], len(rows) - mostRows
}

func sayMore(w io.Writer, more int, what string) {
	if more > 0 {
		fmt.Fprintf(w, "and %d more %s (gw status -j has them)\n", more, what)
	}
}

func portTrouble(p *control.Port) int {
	switch {
	case p.Gone:
		return 2
	case !p.Up:
		return 1
	}
	return 0
}

// remoteTrouble ranks those that frames cannot go to, then those that somebody has
// configured: anybody on the underlay can forge 65,000 of the others.
func remoteTrouble(r *control.Remote) int {
	rank := 0
	if r.Configured {
		rank = 1
	}
	if r.State != "direct" && r.State != "idle" {
		rank += 2
	}
	return rank
}

// fewNames is a list for one column.
func fewNames(names []string) string {
	if len(names) <= mostNames {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], " "), len(names)-mostNames)
}

// printFallbacks says why interfaces are not bound in the best mode, once for all that
// have the same reason.
func printFallbacks(w io.Writer, s control.Status) {
	names := map[string][]string{}
	var reasons []string
	add := func(i control.Interface, reason string) {
		if names[reason] == nil {
			reasons = append(reasons, reason)
		}
		names[reason] = append(names[reason], i.Name)
	}
	addFallback := func(i control.Interface) {
		switch {
		case i.Fallback != "" && i.FallbackCure != "":
			add(i, i.Fallback+" (cure: "+i.FallbackCure+")")
		case i.Fallback != "":
			add(i, i.Fallback)
		}
		var foreign uint64
		for _, q := range i.Queues {
			foreign += q.Foreign
		}
		if foreign > 0 {
			add(i, fmt.Sprintf("%d foreign descriptors. %s", foreign, control.ForeignSentence))
		}
	}
	addFallback(s.Underlay.Interface)
	if s.Underlay.Tags == control.TagsLost {
		add(s.Underlay.Interface, "XDP does not see the VLAN's tags, so packets take the long way through the kernel: "+s.Underlay.TagsReason)
	}
	for _, p := range s.Ports {
		addFallback(p.Interface)
		if p.VLAN == control.TagsLost {
			add(p.Interface, "VLAN tags are lost: "+p.VLANReason)
		}
	}
	for _, r := range reasons {
		fmt.Fprintf(w, "%s: %s\n", fewNames(names[r]), r)
	}
}

func printRemotes(w io.Writer, remotes []control.Remote) {
	if len(remotes) == 0 {
		return
	}
	shown, more := urgent(remotes, remoteTrouble)
	if more > 0 {
		fmt.Fprintf(w, "\n%d remotes: %s\n", len(remotes), states(remotes))
	} else {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "REMOTE\tSTATE\tNEXT HOP\tMAC\tMTU\tKNOWN BY\tREASON\n")
	for _, r := range shown {
		by := "configuration"
		if !r.Configured {
			by = "its traffic"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Name(), r.State, orDash(r.NextHop), orDash(r.MAC), r.MTU, by, r.Reason)
	}
	sayMore(w, more, "remotes")
}

// states counts remotes by the state of the way to them, the most frequent first.
func states(remotes []control.Remote) string {
	count := map[string]int{}
	var names []string
	for _, r := range remotes {
		if count[r.State]++; count[r.State] == 1 {
			names = append(names, r.State)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	for i, n := range names {
		names[i] = fmt.Sprintf("%d %s", count[n], n)
	}
	return strings.Join(names, ", ")
}
