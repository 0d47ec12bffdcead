package queue

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

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

// KeepDeadLetter returns what keeps such messages in the outbox's folder.
func KeepDeadLetter(dir string) func(mqttlink.DeadLetter) error {
	return func(a mqttlink.DeadLetter) error {
		name := filepath.Join(dir, DeadLettersName)
		if st, err := os.Stat(name); err == nil && st.Size() >= deadLettersMost {
			if err := os.Rename(name, filepath.Join(dir, deadLettersOld)); err != nil {
				return err
			}
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := durable.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteString(FromDeadLetter(&a).String() + "\n")
		return errors.Join(err, f.Sync(), f.Close())
	}
}
