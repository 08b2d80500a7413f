package config

import (
	"cmp"
	"fmt"
	"slices"
)

// Error is a setting that cannot be honoured: always one line that names the
// thing and, where it is known, the cure. The program's exit status is 2 for
// it, whether it comes from a file or from the command line.
type Error struct {
	// Name is the file, empty for the command line.
	Name string
	// Line is the line in that file, from 1, or 0 where none is to blame.
	Line int
	// Problem is what is wrong, and the cure.
	Problem string
}

// Error returns name:line: problem, without what is not known.
func (e *Error) Error() string {
	switch {
	case e.Name == "":
		return e.Problem
	case e.Line == 0:
		return e.Name + ": " + e.Problem
	}
	return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Problem)
}

// Nearest returns those of the names that word may be a slip of, the nearest
// first, names as near in the order they were given.
func Nearest(word string, names []string) []string {
	var near []string
	for _, n := range names {
		if d := distance(word, n); d <= max(1, (len(word)+1)/3) {
			near = append(near, n)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int {
		return cmp.Compare(distance(word, a), distance(word, b))
	})
	return near
}

// distance counts the bytes to insert, delete, replace or swap with their
// neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
