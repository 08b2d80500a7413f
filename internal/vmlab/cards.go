package vmlab

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"vxgw/internal/lab"
)

// Card is a kind of network card.
type Card string

// The cards of the lab. Zero-copy on virtio-net takes a device behind the platform's IOMMU, which few hosts give their guests.
const (
	IGB         Card = "igb"                // Intel 82576 with two queues
	Virtio      Card = "virtio"             // virtio-net with one queue
	VirtioMulti Card = "virtio multi-queue" // virtio-net with two queues, checksums left to it as between machines on one host
	VirtioPlain Card = "virtio plain"       // virtio-net without iommu_platform
)

// multiQueues is how many queues VirtioMulti has.
const multiQueues = 2

// Segment is an Ethernet segment with nothing but cards on it; two are back to back. In the guest, package guest calls a card by its
// driver and its number, counted through all segments from 0: igb0, igb1, vio2, vio3.
type Segment []Card

// wiring is what QEMU is told of the cards, and the files that it takes over, the first of them as number 3.
type wiring struct {
	cards, igbs int // so far
	args        []string
	files       []*os.File
}

// connect makes the cards of segments. Taps stand on switches of l.
func connect(l *lab.Lab, segments []Segment) (w wiring, err error) {
	for hub, cards := range segments {
		var s *lab.Switch
		if slices.Contains(cards, VirtioMulti) {
			if s, err = l.Switch(fmt.Sprintf("segment%d", hub)); err != nil {
				return w, err
			}
		}
		for _, card := range cards {
			backend := fmt.Sprintf("hubport,hubid=%d", hub)
			if s != nil {
				queues, err := s.Tap(fmt.Sprintf("tap%d", w.cards), multiQueues)
				if err != nil {
					return w, err
				}
				backend = "tap,vhost=off,fds=" + w.inherit(queues)
			}
			w.add(backend, card)
		}
	}
	return w, nil
}

// inherit returns the numbers that files will have in QEMU.
func (w *wiring) inherit(files []*os.File) string {
	var numbers []string
	for _, f := range files {
		numbers = append(numbers, fmt.Sprint(3+len(w.files)))
		w.files = append(w.files, f)
	}
	return strings.Join(numbers, ":")
}

// add plugs in a card. An igb takes the slot that is 16 further, too, for its virtual functions: it gets an even one, others an
// odd one. None has a boot ROM.
func (w *wiring) add(backend string, card Card) {
	slot := 3 + 2*(w.cards-w.igbs)
	device := "virtio-net-pci,disable-legacy=on"
	switch card {
	case IGB:
		device, slot = "igb", 2+2*w.igbs
		w.igbs++
	case Virtio:
		device += ",iommu_platform=on"
	case VirtioMulti:
		device += fmt.Sprintf(",iommu_platform=on,mq=on,vectors=%d", 2*multiQueues+2)
	}
	n := w.cards
	w.cards++
	w.args = append(w.args,
		"-netdev", fmt.Sprintf("%s,id=n%d", backend, n),
		"-device", fmt.Sprintf("%s,netdev=n%d,mac=52:54:00:00:00:%02x,addr=0x%x,romfile=", device, n, n, slot))
}

func (w *wiring) close() {
	for _, f := range w.files {
		f.Close()
	}
}
