package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pageUsable asks what can be computed of being usable by everybody: the browser's own names for controls and
// regions, the order of headings, what tables say of themselves, and the contrast of all text (WCAG 2.2, 1.4.3).
func pageUsable(t *testing.T, b *browser) {
	b.t = t
	b.open(pageURL)
	b.await(`document.querySelectorAll('#fdb-table tbody tr').length > 0 && document.querySelector('#workers-table .spark')`)
	pageNames(t, b)

	headings := eval[[]int](b, `[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(h => h.checkVisibility()).map(h => Number(h.tagName[1]))`)
	for i, level := range headings {
		if i == 0 && level != 1 || i > 0 && (level == 1 || level > headings[i-1]+1) {
			t.Errorf("headings have the levels %v", headings)
			break
		}
	}
	for what, faults := range map[string]string{
		"tables without caption":       `[...document.querySelectorAll('table')].filter(t => !t.caption?.textContent.trim()).map(t => t.id)`,
		"columns without heading":      `[...document.querySelectorAll('tbody tr')].filter(r => r.cells.length !== r.closest('table').tHead.rows[0].cells.length || r.cells[0].scope !== 'row').map(r => r.innerText)`,
		"header cells without scope":   `[...document.querySelectorAll('th')].filter(h => !h.scope || !h.textContent.trim()).map(h => h.outerHTML)`,
		"identifiers that occur twice": `[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)`,
		"links to nothing":             `[...document.querySelectorAll('a[href^="#"]')].filter(a => !document.getElementById(a.hash.slice(1))).map(a => a.hash)`,
		"languages missing":            `document.documentElement.lang ? [] : ['html']`,
	} {
		if found := eval[[]string](b, faults); len(found) > 0 {
			t.Errorf("%s: %q", what, found)
		}
	}

	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{1280, 390} {
			b.look(scheme, width)
			if found := eval[[]string](b, contrasts); len(found) > 0 {
				t.Errorf("too little contrast in %s, %d wide: %q", scheme, width, found)
			}
			if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("the page is %d pixels wider than a window of %d", over, width)
			}
		}
	}
	if light, dark := ground(b, "light"), ground(b, "dark"); light == dark {
		t.Errorf("both schemes have the ground %s", light)
	}
	b.look("light", 1280)

	// Focus can be seen: on each element that Tab leads to, the outline or that of what it stands for.
	eval[any](b, `document.activeElement.blur()`)
	var reached []string
	for range 80 {
		b.press("Tab", "")
		at := eval[string](b, `(e => e === document.body ? '' : (e.id || e.textContent.trim() || e.getAttribute('aria-labelledby')) + ' ' +
			[e, e.nextElementSibling].filter(Boolean).some(e => parseFloat(getComputedStyle(e).outlineWidth) >= 2 && getComputedStyle(e).outlineStyle !== 'none'))(document.activeElement)`)
		if at == "" {
			break
		}
		if !strings.HasSuffix(at, " true") {
			t.Errorf("the focus cannot be seen on %q", at)
		}
		reached = append(reached, at)
	}
	for _, want := range []string{"pause true", "mac true", "vni true", "dst true", "Search true"} {
		if !slices.Contains(reached, want) {
			t.Errorf("the Tab key does not lead to %q, but to %q", want, reached)
		}
	}
}

// pageNames wants a name for whatever needs one in the browser's tree of what it tells screen readers.
func pageNames(t *testing.T, b *browser) {
	type value struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored bool  `json:"ignored"`
			Role    value `json:"role"`
			Name    value `json:"name"`
		} `json:"nodes"`
	}
	b.call("Accessibility.getFullAXTree", nil, &tree)
	count := map[string]int{}
	for _, n := range tree.Nodes {
		role := fmt.Sprint(n.Role.Value)
		if n.Ignored {
			continue
		}
		count[role]++
		switch role {
		case "button", "link", "textbox", "radio", "group", "img", "image", "navigation", "region", "search", "table", "heading", "columnheader", "rowheader":
			if name, _ := n.Name.Value.(string); strings.TrimSpace(name) == "" {
				t.Errorf("a %s has no name", role)
			}
		}
	}
	for role, least := range map[string]int{"main": 1, "banner": 1, "navigation": 1, "contentinfo": 1, "search": 1, "table": 5, "textbox": 3, "radio": 2, "button": 2, "status": 2} {
		if count[role] < least {
			t.Errorf("there are %d of role %s, want %d: %v", count[role], role, least, count)
		}
	}
}

func ground(b *browser, scheme string) string {
	b.look(scheme, 1280)
	return eval[string](b, `getComputedStyle(document.body).backgroundColor`)
}

// contrasts lists texts whose contrast with what is behind them is below 4.5.
const contrasts = `(() => {
	const parse = c => c.match(/[\d.]+/g).map(Number);
	const luminance = c => {
		const [r, g, b] = parse(c).slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor, parts = parse(c);
			if (parts.length < 4 || parts[3] === 1) return c;
		}
		return 'rgb(255, 255, 255)';
	};
	const poor = new Set();
	let seen = 0;
	const look = (element, color, what) => {
		const [a, b] = [luminance(color), luminance(behind(element))].sort((x, y) => y - x);
		seen++;
		if ((a + 0.05) / (b + 0.05) < 4.5) poor.add(what + ': ' + color + ' on ' + behind(element));
	};
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = walk.nextNode();) {
		const e = n.parentElement;
		if (n.textContent.trim() && e.checkVisibility() && !['SCRIPT', 'NOSCRIPT'].includes(e.tagName)) look(e, getComputedStyle(e).color, n.textContent.trim().slice(0, 40));
	}
	for (const i of document.querySelectorAll('input[placeholder]')) look(i, getComputedStyle(i, '::placeholder').color, i.placeholder);
	if (seen < 100) poor.add('only ' + seen + ' texts');
	return [...poor];
})()`
