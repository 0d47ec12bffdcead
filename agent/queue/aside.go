package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"pithings/mqttlink"
)

// AsideName is the file in an outbox's folder with the messages upon which the
// broker hangs up. When it has grown to asideMost bytes it becomes aside.1.jsonl,
// whose predecessor goes.
const (
	AsideName = "aside.jsonl"
	asideOld  = "aside.1.jsonl"
	asideMost = 4 << 20
)

// SetAside returns what keeps such messages in the outbox's folder.
func SetAside(dir string) func(mqttlink.Aside) error {
	return func(a mqttlink.Aside) error {
		name := filepath.Join(dir, AsideName)
		if st, err := os.Stat(name); err == nil && st.Size() >= asideMost {
			if err := os.Rename(name, filepath.Join(dir, asideOld)); err != nil {
				return err
			}
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteString(FromAside(&a).String() + "\n")
		return errors.Join(err, f.Sync(), f.Close())
	}
}
