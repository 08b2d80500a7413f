//go:build amd64 || arm64

package fdb

// prefetch asks for the line of each of n buckets, by index from base, and waits for none of them. A plain load would do the
// same but holds up everything behind it once the core's window is full.
//
//go:noescape
func prefetch(base *bucket, index *uint32, n int)
