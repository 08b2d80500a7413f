package netdev

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
)

// Kind says what a Change changed, and so how it is undone.
type Kind string

// The kinds that this package undoes. Others are undone by the functions that
// OpenJournal is given.
const (
	KindPair    Kind = "pair"    // a veth pair was made: Link.Name, and MAC of its far end
	KindOffload Kind = "offload" // Feature of Link
	KindSysfs   Kind = "sysfs"   // the file Feature of Link, below /sys/class/net
)

// Change is one thing that outlives a killed process, with what puts it back.
type Change struct {
	Kind    Kind            `json:"kind"`
	Link    LinkID          `json:"link,omitzero"`
	Feature string          `json:"feature,omitempty"`
	Old     string          `json:"old,omitempty"`
	New     string          `json:"new,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"` // for kinds of others, opaque here
}

// Undoer puts a Change of one kind back. It returns nil where there is nothing
// left to put back. It must not use the journal.
type Undoer func(Change) error

// Journal is the list of changes to undo, in a file that is never half
// written. Its methods may be called from any goroutine; of two processes one
// must hold the Lock.
type Journal struct {
	path    string
	origin  origin
	undoers map[Kind]Undoer
	sys     sysfs // opened with the journal: who runs a gateway gives up the privilege to open one
	noSys   error // why there is none

	mu      sync.Mutex
	changes []Change
	left    int  // so many of the first changes are of a killed run, or of one that has handed over
	leaving bool // see Leave
}

// CorruptError says that lines of a journal could not be read. The rest is in
// the Journal that comes with it, and the file as it was is kept as Kept.
type CorruptError struct {
	Path, Kept string
	Lines      int
}

// Error says what is lost and where to look.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("read journal %s: %d unreadable lines (kept as %s; check gw's interfaces and offloads by hand)", e.Path, e.Lines, e.Kept)
}

// OpenJournal reads the journal at path, which need not exist, for the calling
// thread's namespace. What it holds was left by a killed run in this very
// namespace: call Undo before anything else. undoers puts kinds back that this
// package does not know; it is not copied.
//
// With a *CorruptError or a *ForeignError the Journal is usable; with any other
// error it is nil.
func OpenJournal(path string, undoers map[Kind]Undoer) (*Journal, error) {
	now, err := here()
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	j := &Journal{path: path, origin: now, undoers: undoers}
	j.sys, j.noSys = openSysfs()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", withFileCure(err))
	}
	from, changes, bad := decode(text)
	if from.Cookie != 0 && from != now {
		if err := j.write(nil); err != nil {
			return nil, err
		}
		return j, &ForeignError{Path: path}
	}
	j.changes = changes
	j.left = len(j.changes)
	if bad == 0 {
		return j, nil
	}
	e := &CorruptError{Path: path, Kept: path + ".bad", Lines: bad}
	if err := os.WriteFile(e.Kept, text, 0o600); err != nil {
		return nil, fmt.Errorf("keep unreadable journal %s: %w", path, err)
	}
	if err := j.write(j.changes); err != nil {
		return nil, err
	}
	return j, e
}

// Record writes changes down that are about to be made, all with one write to
// the disk. After an error they are not recorded, and must not be made.
func (j *Journal) Record(changes ...Change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := append(slices.Clone(j.changes), changes...)
	if err := j.write(all); err != nil {
		return err
	}
	j.changes = all
	return nil
}

// Pending returns what Undo would put back, oldest first. The slice is the
// caller's.
func (j *Journal) Pending() []Change {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.changes)
}

// Undo puts everything back, the latest change first, each once. What is gone
// already, or no longer as gw left it, is not touched and no error. A change
// that cannot be put back gives an error and stays in the journal. The file
// is removed with its last change.
func (j *Journal) Undo() []error {
	return j.undo(func(bool, Change) bool { return true })
}

// UndoLink does the same for the changes to one interface only.
func (j *Journal) UndoLink(name string) []error {
	return j.undo(func(_ bool, c Change) bool { return c.Link.Name == name })
}

// UndoOffloads does the same for the offloads of one interface only.
func (j *Journal) UndoOffloads(name string) []error {
	return j.undo(func(_ bool, c Change) bool { return c.Kind == KindOffload && c.Link.Name == name })
}

// UndoSettings does the same for the settings in sysfs of one interface only.
func (j *Journal) UndoSettings(name string) []error {
	return j.undo(func(_ bool, c Change) bool { return c.Kind == KindSysfs && c.Link.Name == name })
}

// undo puts back what match picks, which is told whether a killed run left it.
func (j *Journal) undo(match func(left bool, c Change) bool) []error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for i := len(j.changes) - 1; i >= 0; i-- {
		c := j.changes[i]
		if !match(i < j.left, c) || j.leaving && c.stays() {
			continue
		}
		if err := j.undoOne(c); err != nil {
			errs = append(errs, fmt.Errorf("undo %s: %w", c, err))
			continue
		}
		j.changes = slices.Delete(j.changes, i, i+1)
		if i < j.left {
			j.left--
		}
		if err := j.write(j.changes); err != nil {
			return append(errs, err)
		}
	}
	return errs
}

// takeBack undoes changes of which at least one could not be made.
func (j *Journal) takeBack(changes ...Change) []error {
	return j.undo(func(_ bool, c Change) bool {
		return slices.ContainsFunc(changes, func(d Change) bool { return reflect.DeepEqual(c, d) })
	})
}

// write replaces the file, and removes it with the last change.
func (j *Journal) write(changes []Change) error {
	if len(changes) == 0 {
		if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove journal: %w", err)
		}
		return nil
	}
	text, err := encode(j.origin, changes)
	if err != nil {
		return fmt.Errorf("write journal %s: %w", j.path, err)
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o755); err != nil {
		return fmt.Errorf("write journal: %w", withFileCure(err))
	}
	if err := replace(j.path, text); err != nil {
		return fmt.Errorf("write journal: %w", withFileCure(err))
	}
	return nil
}

// encode writes the origin into the first line and a change into each other.
func encode(from origin, changes []Change) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // data of others stays as it came
	if err := enc.Encode(from); err != nil {
		return nil, err
	}
	for _, c := range changes {
		if err := enc.Encode(c); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// decode reads the lines that can be read, and counts the others. Without an
// origin no line can: the changes may have been made anywhere.
func decode(text []byte) (from origin, changes []Change, bad int) {
	lines := slices.Collect(bytes.Lines(text))
	if len(lines) == 0 {
		return origin{}, nil, 0
	}
	if err := json.Unmarshal(lines[0], &from); err != nil || from.Cookie == 0 {
		return origin{}, nil, len(lines)
	}
	for _, l := range lines[1:] {
		var c Change
		if err := json.Unmarshal(l, &c); err != nil || c.Kind == "" {
			bad++
			continue
		}
		changes = append(changes, c)
	}
	return from, changes, bad
}

// replace puts text at path, whole or not at all: into another file first,
// which is on the disk before it takes the name.
func replace(path string, text []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
