package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// browser is a headless Chromium on a host of a lab, with one tab, which speaks its DevTools protocol over pipes
// (https://chromedevtools.github.io/devtools-protocol/): messages are JSON, each with a zero byte behind it. The browser
// ends when the pipes do.
type browser struct {
	t       *testing.T
	to      *os.File
	session string // of the tab

	mu      sync.Mutex
	next    int
	answers map[int]chan devtools
	faults  []string // what the console would show as errors
}

// devtools is a message of the protocol, either way.
type devtools struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// findBrowser looks for the program itself: what Debian has in PATH is a script that would outlive a signal.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium", "chromium-headless-shell", "chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no Chromium, and CI must not skip this (apt-get install chromium-headless-shell)")
	}
	t.Skip("there is no Chromium (apt-get install chromium-headless-shell)")
	return ""
}

// newBrowser starts one on h. At the end of the test it must have shown no error.
func newBrowser(t *testing.T, h *lab.Host) *browser {
	t.Helper()
	program := findBrowser(t)
	in, to, err := os.Pipe()
	must(t, err)
	from, out, err := os.Pipe()
	must(t, err)
	// It runs as root, where its sandbox does not, and looks at nothing but gw.
	c := h.Command(t.Context(), program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-lcd-text", "--no-first-run", "--remote-debugging-pipe",
		"--user-data-dir="+t.TempDir(), "about:blank")
	c.ExtraFiles = []*os.File{in, out} // 3 and 4
	var log logBuffer
	c.Stderr = &log
	must(t, c.Start())
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, answers: map[int]chan devtools{}}
	read := make(chan struct{})
	go func() { defer close(read); b.read(from) }()
	t.Cleanup(func() {
		to.Close()
		timer := time.AfterFunc(patience, func() { unix.Kill(-c.Process.Pid, unix.SIGKILL) })
		c.Wait()
		timer.Stop()
		<-read
		from.Close()
		if t.Failed() {
			t.Logf("log of Chromium:\n%.4000s", log.String())
		}
		for _, f := range b.faults {
			t.Errorf("the browser's console: %s", f)
		}
	})

	var tab struct {
		TargetID  string `json:"targetId"`
		SessionID string `json:"sessionId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &tab)
	b.call("Target.attachToTarget", map[string]any{"targetId": tab.TargetID, "flatten": true}, &tab)
	b.session = tab.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// read takes answers to who waits for them, and remembers what went wrong in the page.
func (b *browser) read(from *os.File) {
	for r := bufio.NewReader(from); ; {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			devtools
			Params struct {
				Type  string `json:"type"`
				Entry struct {
					Level, Text, URL string
				} `json:"entry"`
				Args             json.RawMessage `json:"args"`
				ExceptionDetails json.RawMessage `json:"exceptionDetails"`
			} `json:"params"`
		}
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case m.ID != 0:
			b.answers[m.ID] <- m.devtools
			delete(b.answers, m.ID)
		case m.Method == "Runtime.exceptionThrown":
			b.faults = append(b.faults, string(m.Params.ExceptionDetails))
		case m.Method == "Runtime.consoleAPICalled" && (m.Params.Type == "error" || m.Params.Type == "warning"):
			b.faults = append(b.faults, string(m.Params.Args))
		case m.Method == "Log.entryAdded" && (m.Params.Entry.Level == "error" || m.Params.Entry.Level == "warning"):
			b.faults = append(b.faults, m.Params.Entry.Text+" "+m.Params.Entry.URL)
		}
		b.mu.Unlock()
	}
}

// call runs one method and decodes its result into into, unless that is nil.
func (b *browser) call(method string, params, into any) {
	b.t.Helper()
	answer := make(chan devtools, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	b.answers[id] = answer
	b.mu.Unlock()
	if params == nil {
		params = struct{}{}
	}
	text, err := json.Marshal(devtools{ID: id, Session: b.session, Method: method, Params: params})
	must(b.t, err)
	_, err = b.to.Write(append(text, 0))
	must(b.t, err)
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if into != nil {
			must(b.t, json.Unmarshal(m.Result, into))
		}
	case <-time.After(patience):
		b.t.Fatalf("%s: no answer within %v", method, patience)
	}
}

// open goes to an address, and returns when it is there, with all that belongs to it.
func (b *browser) open(url string) {
	b.t.Helper()
	eval[any](b, `window.isOld = true`)
	var r struct{ ErrorText string }
	b.call("Page.navigate", map[string]any{"url": url}, &r)
	if r.ErrorText != "" {
		b.t.Fatalf("open %s: %s", url, r.ErrorText)
	}
	b.await(`!window.isOld && document.readyState === 'complete'`)
}

// eval runs an expression in the page, or awaits its promise, and decodes its value.
func eval[T any](b *browser, expression string) (value T) {
	b.t.Helper()
	var r struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if e := r.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s", expression, cmp.Or(e.Exception.Description, e.Text))
	}
	if len(r.Result.Value) > 0 {
		must(b.t, json.Unmarshal(r.Result.Value, &value))
	}
	return value
}

// await waits until an expression is true; until then it may also throw.
func (b *browser) await(expression string) {
	b.t.Helper()
	eventually(b.t, func() string {
		if !eval[bool](b, "(() => { try { return Boolean("+expression+") } catch { return false } })()") {
			return fmt.Sprintf("never true: %s; the page says\n%s", expression, eval[string](b, "document.body?.innerText ?? ''"))
		}
		return ""
	})
}

// press types a key as a keyboard does; text is what it enters, if it does.
func (b *browser) press(key, text string) {
	b.t.Helper()
	code := map[string]int{"Tab": 9, "Enter": 13, " ": 32}[key]
	event := map[string]any{"type": "keyDown", "key": key, "windowsVirtualKeyCode": code}
	if text != "" {
		event["text"] = text
	}
	b.call("Input.dispatchKeyEvent", event, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}, nil)
}

// look sets the colour scheme, and the width of the window.
func (b *browser) look(scheme string, width int) {
	b.t.Helper()
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
}

// picture is the whole page as a PNG.
func (b *browser) picture() []byte {
	b.t.Helper()
	var r struct {
		Data []byte `json:"data"`
	}
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true, "optimizeForSpeed": false}, &r)
	return r.Data
}
