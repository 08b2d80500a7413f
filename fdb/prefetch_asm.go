//go:build amd64 || arm64

package fdb

// prefetch asks for the lines of a group of buckets and waits for none of them. Plain loads would do the same but hold up
// everything behind them once the core's window is full.
//
//go:noescape
func prefetch(lines *[group]*bucket)
