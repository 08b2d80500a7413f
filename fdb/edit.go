package fdb

import "fmt"

// The operator's and the control plane's verbs, in the words of bridge(8).

// Add creates an entry and wraps ErrExists when there is one of any kind, learned ones included. now is the second it was
// made. Other errors: ErrFull; ErrLimit, for the kind Learned only (see SetLimit); ErrInvalid.
func (t *Table) Add(k Key, d Dest, kind Kind, now uint32) error {
	return t.put("add", k, d, kind, now, false)
}

// Replace makes the entry what it says, whether or not there was one, with the errors of Add except ErrExists. A
// reader sees the old value or the new one and never a miss.
func (t *Table) Replace(k Key, d Dest, kind Kind, now uint32) error {
	return t.put("replace", k, d, kind, now, true)
}

func (t *Table) put(verb string, k Key, d Dest, kind Kind, now uint32, replace bool) error {
	if k == 0 || kind < Learned || kind > Extern {
		return fmt.Errorf("%s fdb entry %v (%v): %w", verb, k, kind, ErrInvalid)
	}
	h, v := t.hash(k), makeValue(d, kind, now)
	s := t.shardOf(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, slot, _, _ := t.probe(s, k, h); b != nil {
		if !replace {
			return fmt.Errorf("%s fdb entry %v: %w", verb, k, ErrExists)
		}
		b.setValue(slot, v)
		t.thaw(k, h)
		return nil
	}
	switch t.create(s, k, h, v) {
	case RefusedLimit:
		return fmt.Errorf("%s fdb entry %v: %w", verb, k, ErrLimit)
	case RefusedFull:
		return fmt.Errorf("%s fdb entry %v: %w", verb, k, ErrFull)
	}
	return nil
}

// Delete takes an entry of any kind away, or wraps ErrNotFound.
func (t *Table) Delete(k Key) error {
	if !t.drop(entry{key: k}, 0) {
		return fmt.Errorf("delete fdb entry %v: %w", k, ErrNotFound)
	}
	return nil
}

// drop removes the entry with the key of e if the bits of its value in mask are still those of e.
func (t *Table) drop(e entry, mask Value) bool {
	if e.key == 0 {
		return false
	}
	h := t.hash(e.key)
	s := t.shardOf(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	b, slot, word, at := t.probe(s, e.key, h)
	if b == nil || (Value(word&valueMask)^e.value)&mask != 0 {
		return false
	}
	t.remove(s, at, slot)
	t.thaw(e.key, h)
	return true
}
