//go:build !amd64 || race

package fdb

const hasFast = false

func askFast(*Table, *Key, **bucket, int) { panic("not here") }

func matchFast(*Key, **bucket, *Value, int) uint64 { panic("not here") }
