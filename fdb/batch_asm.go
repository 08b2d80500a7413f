//go:build amd64 && !race

package fdb

import "golang.org/x/sys/cpu"

// hasFast tells whether this machine runs askFast and matchFast, which do what ask and match do with half as many
// instructions. The race detector does not see what they touch.
var hasFast = cpu.X86.HasAVX2 && cpu.X86.HasBMI2

// askFast is ask for n keys.
//
//go:noescape
func askFast(t *Table, keys *Key, home **bucket, n int)

// matchFast sets out to the values of n keys, 1 to 64, in their home buckets, and returns a bit for each that is not found.
//
//go:noescape
func matchFast(keys *Key, home **bucket, out *Value, n int) (missed uint64)
