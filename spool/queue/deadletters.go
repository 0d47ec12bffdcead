package queue

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"pithings/mqttlink"
	"pithings/mqttlink/durable"
)

// DeadLettersName is the file in an outbox's folder with the messages upon which the
// broker hangs up. When it has grown to deadLettersMost bytes it becomes aside.1.jsonl,
// whose predecessor goes.
const (
	DeadLettersName = "aside.jsonl"
	deadLettersOld  = "aside.1.jsonl"
	deadLettersMost = 4 << 20
)

// CountDeadLetters counts the dead letters in an outbox's folder.
func CountDeadLetters(dir string) (n int) {
	for _, name := range []string{deadLettersOld, DeadLettersName} {
		n += countLines(filepath.Join(dir, name))
	}
	return n
}

// countLines counts the lines of a file, which need not be there.
func countLines(name string) (n int) {
	f, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	b := make([]byte, 64<<10)
	for {
		k, err := f.Read(b)
		n += bytes.Count(b[:k], []byte{'\n'})
		if err != nil {
			return n
		}
	}
}

// DeadLetters are the dead letters of one connection, in its outbox's folder. One process at a
// time has them, which owns the state folder.
type DeadLetters struct {
	dir string
	mu  sync.Mutex // while the files change
}

// NewDeadLetters returns those in an outbox's folder.
func NewDeadLetters(dir string) *DeadLetters { return &DeadLetters{dir: dir} }

// Keep adds one (mqttlink.Options.KeepDeadLetter).
func (d *DeadLetters) Keep(a mqttlink.DeadLetter) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := filepath.Join(d.dir, DeadLettersName)
	if st, err := os.Stat(name); err == nil && st.Size() >= deadLettersMost {
		if err := os.Rename(name, filepath.Join(d.dir, deadLettersOld)); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := durable.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	line := FromDeadLetter(&a).String() + "\n"
	if torn(f) {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Sync(), f.Close())
}

// torn reports whether the last line of a file was not written whole.
func torn(f *os.File) bool {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return false
	}
	last := []byte{0}
	_, err = f.ReadAt(last, end-1)
	return err == nil && last[0] != '\n'
}

// Each calls f with the dead letters from the oldest on, each as its line, which f must not keep,
// with the id by which it is known from then on.
func (d *DeadLetters) Each(ctx context.Context, f func(id string, line []byte) error) error {
	d.mu.Lock()
	var files []*os.File
	for _, name := range []string{deadLettersOld, DeadLettersName} {
		if one, err := os.Open(filepath.Join(d.dir, name)); err == nil {
			files = append(files, one)
			defer one.Close()
		}
	}
	d.mu.Unlock() // files that are replaced meanwhile are read as they were
	for _, one := range files {
		if err := eachLine(one, func(line []byte) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return f(letterID(line), line)
		}); err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls f with the whole lines of a file.
func eachLine(r io.Reader, f func(line []byte) error) error {
	for in := bufio.NewReaderSize(r, 64<<10); ; {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil // the rest of a line was not written
		}
		if err == nil {
			err = f(line[:len(line)-1])
		}
		if err != nil {
			return err
		}
	}
}

// letterID names a dead letter by what is in its line. Two that are the same in all are one for
// those who ask.
func letterID(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:8])
}

// Delete removes dead letters, and returns how many there were.
func (d *DeadLetters) Delete(ids []string) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range []string{deadLettersOld, DeadLettersName} {
		path := filepath.Join(d.dir, name)
		var left bytes.Buffer
		gone := 0
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = eachLine(file, func(line []byte) error {
				if slices.Contains(ids, letterID(line)) {
					gone++
					return nil
				}
				left.Write(line)
				return left.WriteByte('\n')
			})
			file.Close()
		}
		switch {
		case err != nil || gone == 0:
		case left.Len() == 0:
			err = os.Remove(path)
		default:
			err = durable.Replace(path, left.Bytes())
		}
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}
