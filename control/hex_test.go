package control

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// A frame may be written in any of these ways.
func TestParseHex(t *testing.T) {
	frame := []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x00\x45\x00\x00\x1e\x00|  |")
	for name, text := range map[string]string{
		"digits":   "ffffffffffff0200000000010800450000 1e007c20207c",
		"colons":   "FF:FF:FF:FF:FF:FF:02:00:00:00:00:01:08:00:45:00:00:1e:00:7c:20:20:7c",
		"prefixes": "0xffffffffffff 0x020000000001 0x0800\n4500001e007c20207c\n",
		"bytes":    strings.TrimSpace(strings.ReplaceAll(hexOf(frame, " 0x"), "\n", "")),
		"tcpdump -xx": "\t0x0000:  ffff ffff ffff 0200 0000 0001 0800 4500\n" +
			"\t0x0010:  001e 007c 2020 7c\n",
		"tcpdump -XX": "\t0x0000:  ffff ffff ffff 0200 0000 0001 0800 4500  ..............E.\n" +
			"\t0x0010:  001e 007c 2020 7c                        ...|..|\n",
		"tshark -x": "0000  ff ff ff ff ff ff 02 00 00 00 00 01 08 00 45 00   ..............E.\n" +
			"0010  00 1e 00 7c 20 20 7c                              ...|  |\n",
		"xxd": "00000000: ffff ffff ffff 0200 0000 0001 0800 4500  ..............E.\n" +
			"00000010: 001e 007c 2020 7c                        ...|  |\n",
		"hexdump -C": "00000000  ff ff ff ff ff ff 02 00  00 00 00 01 08 00 45 00  |..............E.|\n" +
			"00000010  00 1e 00 7c 20 20 7c                              |...|  ||\n00000017\n",
	} {
		if got, err := ParseHex(text); err != nil || !bytes.Equal(got, frame) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	if got, err := ParseHex("00000000  01 02\n*\n00000008  03"); err != nil || !bytes.Equal(got, []byte{1, 2, 1, 2, 1, 2, 1, 2, 3}) {
		t.Errorf("lines left out: %x, %v", got, err)
	}
	for text, want := range map[string]string{
		"0x0000:  4500\n0x0000:  4500":      "of more than one frame",
		"00000000  01 02\n*\n00000005":      "6 bytes in front",
		"0x0010:  4500":                     "0 bytes in front of the line that says 0010",
		"0x0000:  4500\n12:01:02 IP a > b:": "no line of a dump",
		"":                                  "is empty",
		"0x0000:  ":                         "is empty",
		"zz":                                "'z' after 0 digits",
		"ff:f":                              "half a byte",
		strings.Repeat("00", 1<<16+1):       "more than any interface carries",
	} {
		if got, err := ParseHex(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %x, %v", text, got, err)
		}
	}
}

func hexOf(b []byte, before string) (text string) {
	for i := range b {
		text += before + hex.EncodeToString(b[i:i+1])
	}
	return text
}

// Whatever the bytes are, a dump of them is read as it was meant.
func FuzzParseHex(f *testing.F) {
	f.Add([]byte("0x0000:  4500"))
	f.Add([]byte{0, 0, 0, 0, 0x20, 0x20, 0x7c})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseHex(string(b)) // does not panic
		if len(b) == 0 || len(b) > 1<<16 {
			return
		}
		for _, text := range []string{hex.EncodeToString(b), hex.Dump(b)} {
			if got, err := ParseHex(text); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%q: %x, %v, want %x", text, got, err, b)
			}
		}
	})
}
