package control

// Histogram counts how large something was.
type Histogram struct {
	Bounds []uint64 `json:"bounds"` // inclusive, rising
	// Counts has for each bound what is not within the one before it, and one more for what is above all.
	Counts []uint64 `json:"counts"`
	Sum    uint64   `json:"sum"` // of all sizes
}

// Count is how many there were.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}
