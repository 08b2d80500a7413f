package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// logFile holds what a program writes, as a file and not behind a pipe: what it has written is there at once for who reads,
// however long nobody runs who would have to empty a pipe. So what gw logs before it answers is there with the answer.
type logFile struct{ file *os.File }

// newLogFile returns an empty one, which is gone after the test.
func newLogFile(t *testing.T) *logFile {
	t.Helper()
	fd, err := unix.MemfdCreate("log", unix.MFD_CLOEXEC)
	must(t, err)
	l := &logFile{os.NewFile(uintptr(fd), "log")}
	t.Cleanup(func() { l.file.Close() })
	return l
}

// String is all of it. The place where the program writes, which the file shares with it, stays.
func (l *logFile) String() string {
	text, err := io.ReadAll(io.NewSectionReader(l.file, 0, math.MaxInt64))
	if err != nil {
		return string(text) + err.Error()
	}
	return string(text)
}

func (l *logFile) grep(words ...string) string { return lineWith(l.String(), words...) }

// lineWith returns the first line that has one of the words in it, or "".
func lineWith(text string, words ...string) string {
	for line := range strings.Lines(text) {
		for _, w := range words {
			if strings.Contains(line, w) {
				return line
			}
		}
	}
	return ""
}

// logBuffer holds what came out of a pipe while others read it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) grep(words ...string) string { return lineWith(b.String(), words...) }
