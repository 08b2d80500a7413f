package page

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vxgw/control"
)

// counted is a gateway that moves 100 packets a second, and takes its time to say so.
type counted struct {
	takes time.Duration
	begin time.Time

	mu      sync.Mutex
	asked   int
	running int
	most    int // that ran at once
}

func (c *counted) Status() control.Status {
	c.enter()
	defer c.leave()
	up := time.Since(c.begin).Seconds()
	n := uint64(100 * up)
	return control.Status{PID: 1, Uptime: up, Ready: true, VNIs: []control.VNI{{VNI: 42, Traffic: control.Traffic{RxPackets: n}}},
		Workers: []control.Worker{{Verdicts: map[string]uint64{"to_port": n}, Rounds: n / 2}}}
}

func (c *counted) FindFDB(control.FDBQuery) control.FDBFound {
	c.enter()
	defer c.leave()
	return control.FDBFound{Entries: []control.FDBEntry{}}
}

func (c *counted) enter() {
	c.mu.Lock()
	c.asked++
	c.running++
	c.most = max(c.most, c.running)
	c.mu.Unlock()
	time.Sleep(c.takes)
}

func (c *counted) leave() {
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
}

// However many look, the gateway is asked once a second, and nobody is shown rates of long ago.
func TestShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{takes: time.Millisecond, begin: time.Now()}
		h := handler(c)
		var pages sync.WaitGroup
		for i := range 100 {
			pages.Go(func() {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				for range 10 {
					ask(h, http.MethodGet, []string{"/state", "/"}[i%2])
					time.Sleep(time.Second)
				}
			})
		}
		pages.Wait()
		if took := time.Since(c.begin); c.asked > int(took/lookEvery)+1 || c.asked < 9 {
			t.Errorf("the gateway was asked %d times in %v", c.asked, took)
		}
		look := func() (s state) {
			if err := json.Unmarshal(ask(h, http.MethodGet, "/state").Body.Bytes(), &s); err != nil {
				t.Error(err)
			}
			return s
		}
		s := look()
		if r := s.Total.Rates; s.Interval < 0.9 || s.Interval > 2 || r == nil || r.RxPackets < 90 || r.RxPackets > 110 || *s.Workers.Rows[0].Rounds < 45 {
			t.Errorf("in %v s: %+v", s.Interval, r)
		}
		time.Sleep(forget + time.Second)
		if s := look(); s.Interval != 0 || s.Total.Rates != nil || s.Workers.Rows[0].Frames != nil {
			t.Errorf("after a pause the rates are of %v s", s.Interval)
		}
	})
}

// A status that takes long is asked for less often.
func TestSlowStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{takes: time.Second, begin: time.Now()}
		h := handler(c)
		for range 60 {
			ask(h, http.MethodGet, "/state")
			time.Sleep(time.Second)
		}
		if limit := int(time.Since(c.begin) / (lookShare * c.takes)); c.asked > limit+1 || c.asked < limit {
			t.Errorf("in %v the gateway was asked %d times, which took %v each", time.Since(c.begin), c.asked, c.takes)
		}
	})
}

// Searches run one after another with pauses between, few wait, and what makes no sense is refused.
func TestSearches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{takes: time.Second, begin: time.Now()}
		h := handler(c)
		var all sync.WaitGroup
		var mu sync.Mutex
		count := map[int]int{}
		for range 50 {
			all.Go(func() {
				w := ask(h, http.MethodGet, "/fdb?mac=02:57")
				mu.Lock()
				count[w.Code]++
				mu.Unlock()
			})
		}
		all.Wait()
		if c.most != 1 || count[http.StatusOK] != mostWaiting || count[http.StatusServiceUnavailable] != 50-mostWaiting || c.asked != mostWaiting {
			t.Errorf("%d searches at once, answers %v", c.most, count)
		}
		if took := time.Since(c.begin); took < (mostWaiting-1)*(1+searchShare)*c.takes {
			t.Errorf("%d searches of %v took %v", mostWaiting, c.takes, took)
		}
		time.Sleep(time.Minute) // what is still to come belongs to the test
		if w := ask(h, http.MethodGet, "/fdb"); w.Code != http.StatusOK {
			t.Errorf("afterwards: status %d", w.Code)
		}
		time.Sleep(time.Minute)
	})
}

func TestQueries(t *testing.T) {
	t.Parallel()
	var got control.FDBQuery
	h := handler(&fixed{find: func(q control.FDBQuery) control.FDBFound { got = q; return nothing(q) }})
	part, err := control.ParseMACPart("02:57")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]control.FDBQuery{
		"": {Limit: usualFound}, "?vni=&mac=&dst=&limit=": {Limit: usualFound}, "?vni=42&mac=+0257+&dst=Veth1&limit=1000": {MAC: part, VNI: 42, Dst: "veth1", Limit: 1000},
		"?vni=16777215": {VNI: 1<<24 - 1, Limit: usualFound},
	} {
		if w := ask(h, http.MethodGet, "/fdb"+query); w.Code != http.StatusOK || got != want {
			t.Errorf("%q: status %d, asked for %+v, want %+v", query, w.Code, got, want)
		}
	}
	for query, want := range map[string]string{
		"?vni=0": "from 1 to 16777215", "?vni=16777216": `VNI \"16777216\" is`, "?vni=-1": "VNI", "?vni=4x": "VNI", "?limit=1001": `limit \"1001\" is not a number from 1 to 1000`, "?mac=zz": "MAC address", "?mac=0123456789abc": "MAC address",
		"?port=1": "is unknown", "?vni=1&vni=2": "given twice", "?dst=" + strings.Repeat("a", 200): "longer than",
	} {
		if w := ask(h, http.MethodGet, "/fdb"+query); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.40q: status %d: %s", query, w.Code, w.Body)
		}
	}
}
