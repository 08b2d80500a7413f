package gateway

import (
	"fmt"

	"vxgw/dataplane"
	"vxgw/fdb"
)

// numbers gives out the indices that stand for bridge domains and ports. One goroutine
// at a time: the builder, and Start before there is one.
//
// A number is put back only when it stands for nothing any more: every worker works
// with a snapshot without it, and the FDB entries that name it are gone.
type numbers struct {
	what string
	most int
	used int // numbers from here on were never given out
	free []uint32
}

// maxDomains is how many bridge domains 16 bits number, less the number that stands
// for none.
const maxDomains = int(dataplane.NoDomain)

func newNumbers(what string, most int) numbers { return numbers{what: what, most: most} }

func (n *numbers) take() (uint32, error) {
	if last := len(n.free) - 1; last >= 0 {
		i := n.free[last]
		n.free = n.free[:last]
		return i, nil
	}
	if n.used == n.most {
		return 0, fmt.Errorf("there are %d %s, as many as there can be (take one away first)", n.most, n.what)
	}
	n.used++
	return uint32(n.used - 1), nil
}

func (n *numbers) put(i uint32) { n.free = append(n.free, i) }

// maxPorts is how many ports an FDB entry can name.
const maxPorts = int(fdb.MaxIndex)
