package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"vxgw/dataplane"
)

const pageURL = "http://127.0.0.1:9478/"

// The page in a browser, of a gateway with traffic: its rates, remotes, drops with their sentences, problems, and
// the search of MAC addresses by keyboard; without scripts; in both colour schemes; and what it takes to be used
// without a mouse, or without seeing it.
func TestPage(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	bed := newPageBed(t)
	b := newBrowser(t, bed.gw.host)
	bed.fill(t, 120)
	bed.troubled(t)
	bed.talk(t)
	b.look("light", 1280)
	b.open(pageURL)

	t.Run("live", func(t *testing.T) { pageLive(t, b) })
	t.Run("search", func(t *testing.T) { pageSearch(t, b) })
	t.Run("usable", func(t *testing.T) { pageUsable(t, b) })
	t.Run("pictures", func(t *testing.T) { pagePictures(t, b) })
	t.Run("noscript", func(t *testing.T) { pageNoScript(t, b) })
	t.Run("stopped", func(t *testing.T) {
		b.t = t
		b.open(pageURL)
		b.await(`document.getElementById('health').textContent === 'Running, with 1 problem'`)
		bed.gw.stop()
		b.await(`document.getElementById('health').textContent.startsWith('gw does not answer')`)
		b.open("about:blank") // it goes on asking
		b.mu.Lock()
		b.faults = nil // what it could not get, it told
		b.mu.Unlock()
	})
}

func pageLive(t *testing.T, b *browser) {
	b.t = t
	cell := func(table, row string, column int) string {
		return fmt.Sprintf(`(document.querySelector('#%s-table tr[data-key="%s"]')?.cells[%d].innerText ?? '')`, table, row, column)
	}
	for _, e := range []string{
		`parseFloat(document.getElementById('total-tx').textContent) > 0`, `parseFloat(document.getElementById('total-rx').textContent) > 0`,
		`parseFloat(document.getElementById('total-drops').textContent) > 0`,
		`parseFloat(` + cell("vnis", "42", 2) + `) > 0`, `parseFloat(` + cell("vnis", "43", 3) + `) > 0`,
		cell("vnis", "44", 6) + `.includes('1 remote')`,
		`parseFloat(` + cell("remotes", under2.String(), 3) + `) > 0`, cell("remotes", under2.String(), 1) + ` === 'direct'`,
		`parseFloat(` + cell("remotes", under3.String(), 4) + `) > 0`, cell("remotes", "10.65.132.199", 1) + `.startsWith('failed')`,
		cell("interfaces", "ens18 undefined", 1) + ` === 'up'`, `parseFloat(` + cell("interfaces", "web 42", 4) + `) > 0`, cell("interfaces", "gw44 44", 0) + `.includes('device of VNI 44')`,
		`parseFloat(` + cell("workers", "0", 2) + `) > 0`,
		`document.getElementById('problems').innerText.includes('10.65.132.199')`,
		`document.getElementById('health').innerText.includes('1 problem')`,
		`document.querySelector('#plot .tx.outline').getAttribute('d').split('L').length > 2`,
		`document.querySelector('#vnis-table .spark .rx.outline').getAttribute('d').split('L').length > 2`,
		`document.getElementById('plot').getAttribute('aria-label').includes('packets/s sent')`,
	} {
		b.await(e)
	}
	for _, v := range []dataplane.Verdict{dataplane.BadSourceMAC, dataplane.StormLimit, dataplane.TTL, dataplane.InnerShort} {
		b.await(cell("drops", v.String(), 0) + `.includes(` + quoted(v.Sentence()) + `)`)
		b.await(`parseFloat(` + cell("drops", v.String(), 1) + `) > 0`)
	}

	// A row keeps its place in the document, and a paused page its numbers.
	eval[any](b, `window.row = document.querySelector('#vnis-table tbody tr'), window.plotted = document.querySelector('#plot .tx.outline').getAttribute('d')`)
	b.await(`document.querySelector('#plot .tx.outline').getAttribute('d') !== window.plotted`)
	if !eval[bool](b, `document.querySelector('#vnis-table tbody tr') === window.row`) {
		t.Error("rows are made anew each second")
	}
	b.await(`(document.getElementById('pause').click(), document.getElementById('pause').getAttribute('aria-pressed') === 'true')`)
	eval[any](b, `(document.getElementById('pause').click(), document.querySelector('#unit [value=bits]').click())`)
	b.await(`[...document.querySelectorAll('.unit')].every(e => e.textContent === 'bit/s') && /[kM]$/.test(document.getElementById('total-tx').textContent)`)
	eval[any](b, `document.querySelector('#unit [value=packets]').click()`)
}

// pageSearch uses the keyboard only.
func pageSearch(t *testing.T, b *browser) {
	b.t = t
	reach := func(id string) {
		t.Helper()
		for range 60 {
			if eval[string](b, `document.activeElement.id`) == id {
				return
			}
			b.press("Tab", "")
		}
		t.Fatalf("the Tab key does not lead to %s", id)
	}
	rows := `[...document.querySelectorAll('#fdb-table tbody tr')].map(r => r.innerText).join('\n')`
	b.await(`document.querySelectorAll('#fdb-table tbody tr').length === 50 && /entries, of which these are the first 50; \d+ more/.test(document.getElementById('found').textContent)`)

	reach("mac")
	b.call("Input.insertText", map[string]any{"text": "02:57:a7:1c:01:05"}, nil)
	b.press("Enter", "\r")
	b.await(`document.getElementById('found').textContent === '1 entry.'`)
	if text := eval[string](b, rows); !strings.Contains(text, "02:57:a7:1c:01:05") || !strings.Contains(text, under2.String()) || !strings.Contains(text, "learned") {
		t.Errorf("found %q", text)
	}
	b.open(pageURL + "?vni=43&dst=" + under3.String() + "#fdb")
	b.await(`document.getElementById('found').textContent === '2 entries.'`)
	if text := eval[string](b, rows); !strings.Contains(text, "flooded frames") || strings.Contains(text, under2.String()) {
		t.Errorf("found behind %v: %q", under3, text)
	}
	b.open(pageURL + "?mac=nonsense")
	b.await(`document.getElementById('found').textContent.includes('"nonsense" is not one')`)
	eventually(t, func() string { // a browser tells of each answer that is not 200
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.faults) != 1 || !strings.Contains(b.faults[0], "400") {
			return fmt.Sprintf("the browser tells of %q, not of the one answer 400", b.faults)
		}
		b.faults = nil
		return ""
	})
	b.await(`document.querySelector('#vnis-table tr[data-key="42"] a')`)
	eval[any](b, `document.querySelector('#vnis-table tr[data-key="42"] a').focus()`)
	b.press("Enter", "\r")
	b.await(`location.search === '?vni=42' && document.activeElement.id === 'mac' && document.querySelectorAll('#fdb-table tbody tr').length === 50`)
}

// quoted is text as a script has it.
func quoted(text string) string {
	q, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always can be
	}
	return string(q)
}

// pageNoScript has a browser that runs no scripts.
func pageNoScript(t *testing.T, b *browser) {
	b.t = t
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	eventually(t, func() string { // the remote that is not there is asked for anew, now and then
		b.open(pageURL)
		text := eval[string](b, `document.body.innerText`)
		for _, want := range []string{"JavaScript", under2.String(), "direct", dataplane.BadSourceMAC.Sentence(), "10.65.132.199 is failed", "gw on ens18"} {
			if !strings.Contains(text, want) {
				return fmt.Sprintf("without scripts the page lacks %q:\n%s", want, text)
			}
		}
		return ""
	})
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)
}
