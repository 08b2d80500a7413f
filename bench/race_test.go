//go:build race

package bench

// raceEnabled: the race detector allocates, and takes ten times as long.
const raceEnabled = true
