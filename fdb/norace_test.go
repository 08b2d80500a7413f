//go:build !race

package fdb

// raceEnabled puts the tables of the concurrent tests on the heap, where the race detector sees them.
const raceEnabled = false
