package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pithings/mqttlink/durable"
)

// quarantineName is the file that is there while this device is in quarantine. In it is since
// when.
const quarantineName = "quarantine"

// Quarantine reports whether this device is in quarantine, and since when, if that is known. What
// cannot be looked at counts as quarantine: a damaged disk must not end it.
func (s *Folder) Quarantine() (since time.Time, on bool) {
	text, err := durable.ReadFile(filepath.Join(s.Dir, quarantineName), 100)
	if errors.Is(err, fs.ErrNotExist) {
		return since, false
	}
	since, _ = time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	return since, true
}

// SetQuarantine begins the quarantine at a time, or with the zero time ends it. Only the owner of
// the folder calls it.
func (s *Folder) SetQuarantine(since time.Time) error {
	var err error
	if since.IsZero() {
		err = os.Remove(filepath.Join(s.Dir, quarantineName))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	} else {
		err = s.replace(quarantineName, []byte(since.UTC().Format(time.RFC3339)+"\n"))
	}
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return nil
}
