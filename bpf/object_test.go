package bpf

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

type mapShape struct {
	Type       ebpf.MapType
	Key, Value uint32
}

// TestObjects reads all committed objects, those of the other byte order too.
func TestObjects(t *testing.T) {
	steer := map[string]mapShape{
		"xsks":     {ebpf.XSKMap, 4, 4},
		"counters": {ebpf.PerCPUArray, 4, uint32(binary.Size(Counters{}))},
	}
	underlay := map[string]mapShape{
		"xsks":     steer["xsks"],
		"counters": steer["counters"],
		"vnis":     {ebpf.Hash, 4, uint32(binary.Size(vniValue{}))},
		"allowed":  {ebpf.LPMTrie, uint32(binary.Size(allowedKey{})), 1},
		"refusals": {ebpf.PerCPUHash, 4, 8},
		"first":    {ebpf.Array, 4, uint32(binary.Size(firstAddrs{}))},
		"anyone":   {ebpf.Array, 4, 8},
		"addrs":    {ebpf.Hash, 4, 1},
		"addrs6":   {ebpf.Hash, 16, 1},
		".rodata":  {ebpf.Array, 4, 6},
	}
	port := map[string]ebpf.ProgramType{"port": ebpf.XDP}
	tags := map[string]ebpf.ProgramType{"porttags": ebpf.XDP}
	both := map[string]ebpf.ProgramType{"underlay": ebpf.XDP, "leftover": ebpf.SocketFilter, "leftover6": ebpf.SocketFilter, "vlan": ebpf.XDP, "vlantags": ebpf.XDP}
	for _, tt := range []struct {
		file     string
		programs map[string]ebpf.ProgramType
		order    binary.ByteOrder
		maps     map[string]mapShape
	}{
		{"underlay_bpfel.o", both, binary.LittleEndian, underlay},
		{"underlay_bpfeb.o", both, binary.BigEndian, underlay},
		{"port_bpfel.o", port, binary.LittleEndian, steer},
		{"port_bpfeb.o", port, binary.BigEndian, steer},
		{"porttags_bpfel.o", tags, binary.LittleEndian, steer},
		{"porttags_bpfeb.o", tags, binary.BigEndian, steer},
	} {
		t.Run(tt.file, func(t *testing.T) {
			raw, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if spec.ByteOrder != tt.order {
				t.Errorf("byte order %v, want %v", spec.ByteOrder, tt.order)
			}
			maps := map[string]mapShape{}
			for name, m := range spec.Maps {
				maps[name] = mapShape{m.Type, m.KeySize, m.ValueSize}
			}
			if diff := cmp.Diff(tt.maps, maps); diff != "" {
				t.Errorf("maps (-want +got):\n%s", diff)
			}
			programs := map[string]ebpf.ProgramType{}
			for name, p := range spec.Programs {
				programs[name] = p.Type
				var function *btf.Func
				if err := spec.Types.TypeByName(name, &function); err != nil || p.License != "GPL" {
					t.Errorf("program %s under %s: %v", name, p.License, err)
				}
			}
			if diff := cmp.Diff(tt.programs, programs); diff != "" {
				t.Errorf("programs (-want +got):\n%s", diff)
			}
			for _, path := range []string{"/usr/", "/home/", "/root/", "/work/", "/tmp/"} {
				if bytes.Contains(raw, []byte(path)) {
					t.Errorf("holds a path of the build machine, %s", path)
				}
			}
		})
	}
}

// TestCountersLayout holds the Go struct against the C one in BTF.
func TestCountersLayout(t *testing.T) {
	for name, load := range map[string]func() (*ebpf.CollectionSpec, error){
		"underlay": loadUnderlayProg, "port": loadPortProg, "porttags": loadPortTagsProg,
	} {
		spec, err := load()
		if err != nil {
			t.Fatal(err)
		}
		var c *btf.Struct
		if err := spec.Types.TypeByName("counters", &c); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, m := range c.Members {
			got = append(got, m.Name)
			if size, err := btf.Sizeof(m.Type); err != nil || size != 8 || m.Offset.Bytes() != uint32(i)*8 {
				t.Errorf("%s: %s has %d bytes at %d: %v", name, m.Name, size, m.Offset.Bytes(), err)
			}
		}
		if want := []string{"redirected", "passed", "nosocket", "refused", "late"}; !slices.Equal(got, want) {
			t.Errorf("%s: counters %v, want %v", name, got, want)
		}
	}
}

// TestGenerated holds the generated Go files against their objects: each field
// must find its map, variable and program, and none may be left over.
func TestGenerated(t *testing.T) {
	spec, err := loadUnderlayProg()
	if err != nil {
		t.Fatal(err)
	}
	var u underlayProgSpecs
	if err := spec.Assign(&u); err != nil {
		t.Error(err)
	}
	want := []*ebpf.MapSpec{u.Addrs, u.Addrs6, u.Allowed, u.Anyone, u.Counters, u.First, u.Refusals, u.Vnis, u.Xsks, spec.Maps[".rodata"]}
	if len(spec.Maps) != len(want) || len(spec.Programs) != 5 || len(spec.Variables) != 3 {
		t.Errorf("underlay: the object has %v, %v, %v", spec.Maps, spec.Programs, spec.Variables)
	}
	if spec, err = loadPortProg(); err != nil {
		t.Fatal(err)
	}
	var p portProgSpecs
	if err := spec.Assign(&p); err != nil {
		t.Error(err)
	}
	if len(spec.Maps) != len([]*ebpf.MapSpec{p.Counters, p.Xsks}) || len(spec.Programs) != 1 {
		t.Errorf("port: the object has %v, %v", spec.Maps, spec.Programs)
	}
	if spec, err = loadPortTagsProg(); err != nil {
		t.Fatal(err)
	}
	var tags portTagsProgSpecs
	if err := spec.Assign(&tags); err != nil {
		t.Error(err)
	}
	if len(spec.Maps) != len([]*ebpf.MapSpec{tags.Counters, tags.Xsks}) || len(spec.Programs) != 1 {
		t.Errorf("porttags: the object has %v, %v", spec.Maps, spec.Programs)
	}
}
