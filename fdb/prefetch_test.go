package fdb

import "testing"

// A prefetch of an address that cannot be read does nothing, where a load would fault.
func TestPrefetchFaultsNever(t *testing.T) {
	var buckets [group]bucket
	lines := new([group]*bucket)
	prefetch(lines)
	for i := range lines {
		lines[i] = &buckets[i]
		prefetch(lines)
	}
}
