package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// pagePictures looks at the page in both schemes, on a desk and on a phone. PAGE_PICTURES names a folder in which it leaves
// what it saw, after two minutes of traffic: docs/page.png, and others beside it to look at (make page-picture).
func pagePictures(t *testing.T, b *browser) {
	b.t = t
	folder, points := os.Getenv("PAGE_PICTURES"), 3
	if folder != "" {
		points = 110
	}
	b.open(pageURL + "?mac=1c:01:7")
	for n := range points {
		b.await(fmt.Sprintf(`document.querySelector('#plot .tx.outline').getAttribute('d').split('L').length > %d`, n))
	}
	for _, look := range []struct {
		name, scheme string
		width        int
	}{{"page.png", "light", 1280}, {"page-dark.png", "dark", 1280}, {"page-phone.png", "light", 390}, {"page-phone-dark.png", "dark", 390}} {
		b.look(look.scheme, look.width)
		text := fewColours(t, b.picture())
		few, err := png.Decode(bytes.NewReader(text))
		must(t, err)
		// Most of it is ground, and there is something on it.
		ground, _, _, _ := few.(*image.Paletted).Palette[0].RGBA()
		if dark := ground < 0x4000; dark != (look.scheme == "dark") || len(few.(*image.Paletted).Palette) < 32 || few.Bounds().Dy() < 1500 {
			t.Errorf("%s: the ground is %#x, with %d colours, %v", look.name, ground, len(few.(*image.Paletted).Palette), few.Bounds())
		}
		if folder != "" {
			must(t, os.WriteFile(filepath.Join(folder, look.name), text, 0o644))
		}
	}
	b.look("light", 1280)
}

// fewColours makes a PNG small enough for a repository. Colours that are nearly the same become the most frequent of them, and
// rare ones what is nearest.
func fewColours(t *testing.T, text []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(text))
	must(t, err)
	at := full.Bounds()
	count := map[color.RGBA]int{}
	each := func(do func(x, y int, c color.RGBA)) {
		for y := at.Min.Y; y < at.Max.Y; y++ {
			for x := at.Min.X; x < at.Max.X; x++ {
				do(x, y, color.RGBAModel.Convert(full.At(x, y)).(color.RGBA))
			}
		}
	}
	each(func(_, _ int, c color.RGBA) { count[c]++ })
	var palette color.Palette
	met := map[[3]uint8]bool{}
	for _, c := range slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) }) {
		if near := [3]uint8{c.R / 8, c.G / 8, c.B / 8}; !met[near] && len(palette) < 256 {
			met[near] = true
			palette = append(palette, c)
		}
	}
	index := map[color.RGBA]uint8{}
	for c := range count {
		index[c] = uint8(palette.Index(c))
	}
	few := image.NewPaletted(at, palette)
	each(func(x, y int, c color.RGBA) { few.SetColorIndex(x, y, index[c]) })
	var out bytes.Buffer
	must(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few))
	return out.Bytes()
}
