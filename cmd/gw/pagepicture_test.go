package main

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"slices"
	"testing"
)

// TestPagePicture makes docs/page.png, and others beside it to look at, of two minutes of traffic:
//
//	PAGE_PICTURES=FOLDER go test -run TestPagePicture ./cmd/gw
func TestPagePicture(t *testing.T) {
	folder := os.Getenv("PAGE_PICTURES")
	if folder == "" {
		t.Skip("PAGE_PICTURES says no folder for pictures")
	}
	bed := newPageBed(t)
	b := newBrowser(t, bed.gw.host)
	bed.fill(t, 120)
	bed.troubled(t)
	bed.talk(t)
	b.look("light", 1280)
	b.open(pageURL + "?mac=1c:01:7")
	patience *= 12
	b.await(`document.querySelector('#plot .tx.outline').getAttribute('d').split('L').length > 110`)
	patience /= 12
	for _, look := range []struct {
		name, scheme string
		width        int
	}{{"page.png", "light", 1280}, {"page-dark.png", "dark", 1280}, {"page-phone.png", "light", 390}, {"page-phone-dark.png", "dark", 390}} {
		b.look(look.scheme, look.width)
		b.await(`document.querySelector('#plot .tx.outline').getAttribute('d').split('L').length > 110`)
		must(t, os.WriteFile(folder+"/"+look.name, fewColours(t, b.picture()), 0o644))
	}
	bed.gw.stop()
	b.faults = nil // it told that gw is gone
}

// fewColours makes a PNG small enough for a repository: its most frequent colours stay, the others become what is nearest.
func fewColours(t *testing.T, text []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(text))
	must(t, err)
	count, at := map[color.Color]int{}, full.Bounds()
	rough := func(x, y int) color.Color { // so that shades of a rare colour are one that is less rare
		r, g, b, _ := full.At(x, y).RGBA()
		step := func(v uint32) uint8 { return uint8(min((v>>8+4)/8*8, 255)) }
		return color.RGBA{step(r), step(g), step(b), 255}
	}
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			count[rough(x, y)]++
		}
	}
	common := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	few := image.NewPaletted(at, common[:min(len(common), 256)])
	index := map[color.Color]uint8{}
	for c := range count {
		index[c] = uint8(few.Palette.Index(c))
	}
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			few.SetColorIndex(x, y, index[rough(x, y)])
		}
	}
	var out bytes.Buffer
	must(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few))
	return out.Bytes()
}
