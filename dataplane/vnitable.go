package dataplane

// VNITable maps a VNI (24 bits) to a bridge domain index, in two steps of 12
// bits. It never changes once workers have it.
type VNITable struct{ pages [1 << 12]*[1 << 12]uint16 }

// NoDomain is the index that stands for no bridge domain.
const NoDomain = ^uint16(0)

// NewVNITable returns the table of domains.
func NewVNITable(domains []*Domain) *VNITable {
	t := new(VNITable)
	for _, d := range domains {
		if d == nil {
			continue
		}
		page := &t.pages[d.VNI>>12&0xfff]
		if *page == nil {
			*page = emptyPage()
		}
		(*page)[d.VNI&0xfff] = d.Index
	}
	return t
}

func emptyPage() *[1 << 12]uint16 {
	page := new([1 << 12]uint16)
	for i := range page {
		page[i] = NoDomain
	}
	return page
}

// With returns a table that differs from t in one VNI, which has the bridge domain
// index, or NoDomain for none. It shares everything else with t.
func (t *VNITable) With(vni uint32, index uint16) *VNITable {
	next := *t
	page := emptyPage()
	if old := t.pages[vni>>12&0xfff]; old != nil {
		*page = *old
	}
	page[vni&0xfff] = index
	next.pages[vni>>12&0xfff] = page
	return &next
}

// Domain returns the index of vni's bridge domain, or NoDomain.
func (t *VNITable) Domain(vni uint32) uint16 {
	page := t.pages[vni>>12&0xfff]
	if page == nil {
		return NoDomain
	}
	return page[vni&0xfff]
}
