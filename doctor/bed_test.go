package doctor

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/internal/lab"
	"vxgw/netdev"
)

// labPrefix names the labs of this folder's tests.
const labPrefix = "doctortest"

func TestMain(m *testing.M) {
	if _, err := lab.Sweep(labPrefix); err != nil && os.Geteuid() == 0 {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bed is a host with an underlay ens18 and a container at veth1, as a gateway would find it.
type bed struct {
	t        *testing.T
	lab      *lab.Lab
	host     *lab.Host
	far, box *lab.Host
	flags    config.Flags
	// frameSize is what the file says, 0 for nothing.
	frameSize uint32
	probe     bool
}

func newBed(t *testing.T, under, port lab.VethOptions) *bed {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("network namespaces need root, and CI must not skip this")
		}
		t.Skip("network namespaces need root")
	}
	l, err := lab.New(labPrefix)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	b := &bed{t: t, lab: l, flags: config.DefaultFlags()}
	for _, h := range []struct {
		name string
		to   **lab.Host
	}{{"node1", &b.host}, {"node2", &b.far}, {"box", &b.box}} {
		*h.to, err = l.Host(h.name)
		must(t, err)
	}
	if under.MTU == 0 {
		under.MTU = 1550
	}
	must(t, l.Veth(b.host, "ens18", b.far, "ens18", under))
	must(t, b.host.AddAddress("ens18", "10.65.132.187/24"))
	must(t, l.Veth(b.host, "veth1", b.box, "veth0", port))
	b.flags.Iface, b.flags.VNIs, b.flags.Ports, b.flags.Remotes = "ens18", []uint{42}, []string{"veth1"}, []string{"10.65.132.188"}
	return b
}

// examine looks at the host.
func (b *bed) examine() (r Report) {
	b.t.Helper()
	cfg, err := config.FromFlags(b.flags)
	must(b.t, err)
	cfg.Dataplane.FrameSize = b.frameSize
	must(b.t, b.host.Do(func() error {
		r = Examine(Options{Config: cfg, Probe: b.probe, Paths: netdev.PathsFor(b.flags.Iface), extra: time.Minute})
		return nil
	}))
	return r
}

// finds wants a finding of a level, about a subject unless that is empty, with words in its cure or, where it has
// none, its text.
func (r Report) finds(t *testing.T, id, subject string, level Level, words string) {
	t.Helper()
	has := func(f Finding) bool {
		return f.ID == id && (subject == "" || f.Subject == subject) && f.Level == level && strings.Contains(f.Text+" "+f.Cure, words)
	}
	if !slices.ContainsFunc(r.Findings, has) {
		t.Errorf("no %s of %s about %q with %q: %+v\nnot seen: %+v", level, id, subject, words, r.of(id), r.Unseen)
	}
}

// of lists the findings with an id.
func (r Report) of(id string) (all []Finding) {
	for _, f := range r.Findings {
		if f.ID == id {
			all = append(all, f)
		}
	}
	return all
}

// alone wants nothing but ok of what is the network's, save of some ids.
func (r Report) alone(t *testing.T, ids ...string) {
	t.Helper()
	for _, f := range r.Findings {
		machine := slices.Contains([]string{"kernel", "privilege", "memory"}, f.Group)
		if f.Level != OK && !machine && !slices.Contains(ids, f.ID) {
			t.Errorf("besides: %+v", f)
		}
	}
}

var remote = netip.MustParseAddr("10.65.132.188")
