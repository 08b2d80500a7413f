package metrics

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vxgw/control"
)

// With 4,096 VNIs and 1,000 remotes a scrape has a size that does not depend on more remotes, configured
// or not.
func TestManySeries(t *testing.T) {
	t.Parallel()
	size := func(vnis, remotes int, configured bool) (series, length, packed int) {
		s := many(vnis, remotes)
		for i := range s.Remotes {
			s.Remotes[i].Configured = configured
		}
		begin := time.Now()
		text := scrapeOf(fixed(s))
		took := time.Since(begin)
		for line := range bytes.Lines(text) {
			if bytes.HasPrefix(line, []byte("gw_")) {
				series++
			}
		}
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		z.Write(text)
		z.Close()
		t.Logf("%d VNIs, %d remotes, configured %v: %d series, %d bytes, %d compressed, in %v", vnis, remotes, configured, series, len(text), small.Len(), took)
		return series, len(text), small.Len()
	}
	base, _, _ := size(0, 0, false)
	series, length, packed := size(4096, 1000, true)
	if want := base + 4096*(SeriesOfVNI+1) + 1000*SeriesOfRemote; series != want {
		t.Errorf("%d series, want %d", series, want)
	}
	if length > 10<<20 || packed > 2<<20 {
		t.Errorf("a scrape has %d bytes, %d compressed", length, packed)
	}
	for remotes, configured := range map[int]bool{10_000: false, 65_000: true} {
		bound := NamedStrangers
		if configured {
			bound = NamedConfigured
		}
		if series, _, _ := size(1, remotes, configured); series != base+SeriesOfVNI+1+bound*SeriesOfRemote {
			t.Errorf("with %d remotes there are %d series, without %d", remotes, series, base)
		}
	}
}

// slow is a source that answers when it may.
type slow struct {
	status   control.Status
	at, most atomic.Int32 // how many ask at a time
	asked    chan struct{}
	answer   chan struct{}
}

func (s *slow) Status() control.Status {
	n := s.at.Add(1)
	defer s.at.Add(-1)
	for {
		if most := s.most.Load(); n <= most || s.most.CompareAndSwap(most, n) {
			break
		}
	}
	s.asked <- struct{}{}
	<-s.answer
	return s.status
}

// However many scrape, one status is made at a time, a few wait for theirs, and the others are told to come
// again.
func TestManyScrapes(t *testing.T) {
	t.Parallel()
	s := &slow{status: full(), asked: make(chan struct{}, 100), answer: make(chan struct{})}
	h := scrapes(NewRegistry(s))
	codes := make(chan int, 100)
	var under sync.WaitGroup
	scrape := func() {
		under.Add(1)
		go func() {
			defer under.Done()
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
			codes <- answer.Code
		}()
	}
	for range 50 {
		scrape()
	}
	for range 50 - MaxScrapes { // the others are refused at once
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Errorf("a scrape beyond the bound is told %d", code)
		}
	}
	<-s.asked
	close(s.answer)
	under.Wait()
	for range MaxScrapes {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("a scrape within the bound is told %d", code)
		}
	}
	if n := s.most.Load(); n != 1 {
		t.Errorf("%d statuses were made at a time", n)
	}
	scrape()
	under.Wait()
	if code := <-codes; code != http.StatusOK {
		t.Errorf("a scrape after all others is told %d", code)
	}
}

// Who asks and does not read keeps others from scraping for a while only.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(scrapesWithin(NewRegistry(fixed(many(1000, 0))), time.Second)) // some 900 KB
	var closed atomic.Int32
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			must(t, c.(*net.TCPConn).SetWriteBuffer(64<<10))
		case http.StateClosed:
			closed.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	for range MaxScrapes {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		must(t, err)
		defer c.Close()
		must(t, c.(*net.TCPConn).SetReadBuffer(4096))
		_, err = io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: gw\r\n\r\n")
		must(t, err)
	}
	// They keep their ends open, and a whole answer would leave the server's open, too.
	for deadline := time.Now().Add(time.Minute); closed.Load() < MaxScrapes; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d that do not read are cut off", closed.Load(), MaxScrapes)
		}
	}
	told := ""
	for deadline := time.Now().Add(time.Minute); told != "200 OK"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the next one is told %s", told)
		}
		if answer, err := http.Get(server.URL + "/metrics"); err != nil { // a machine that is slow has not even written in the time
			told = err.Error()
		} else {
			answer.Body.Close()
			told = answer.Status
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
